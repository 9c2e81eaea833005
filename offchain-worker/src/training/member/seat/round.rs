//! What a seat does in each phase of a round.

use std::sync::{
    atomic::{AtomicBool, Ordering},
    Arc, Mutex, PoisonError,
};

use anyhow::{bail, Context, Result};
use chasqui_chain::{AccountId32, ChainError};
use chasqui_primitives::{
    blob::MAX_BLOB_BYTES,
    training::{ModelState, Phase},
    RunId,
};
use futures::{stream, StreamExt};
use sp_core::H256;

use super::{blocking, run_folder, Seat, PAUSE};
use crate::{
    fault::Fault,
    training::{
        member::{
            blobs::Holders,
            desk::{Desk, StepDone},
            facts::{deadline, Facts},
            ledger::Call,
            step::Held,
        },
        metrics::TrainingMetrics,
        setup,
    },
};

/// Blobs fetched at once.
const PARALLEL: usize = 4;

impl Seat {
    pub(super) async fn prepare(&mut self, facts: &Facts) -> Result<()> {
        let holders = Holders {
            dataset: Some(facts.terms.dataset),
            ..everybody(facts)
        };
        loop {
            let missing = {
                let (store, terms) = (self.tools.vault.store.clone(), facts.terms);
                blocking(move || setup::missing(&store, &terms)).await?
            };
            if missing.is_empty() {
                break;
            }
            let wanted = missing.into_iter().map(|root| (root, MAX_BLOB_BYTES));
            self.fetch_all(wanted.collect(), &holders)
                .await
                .context("fetching what the run starts from, and its data")?;
        }
        let (place, vault) = (self.tools.place.clone(), self.tools.vault.clone());
        let folder = run_folder(&self.tools, &facts.root);
        let (terms, root) = (facts.terms, facts.root);
        let mut desk = blocking(move || Desk::open(&place, vault, &terms, root, &folder)).await?;
        if let Some(Fault::Train(cheat)) = self.tools.fault {
            desk.set_cheat(cheat);
        }
        self.shelves.share_base(&facts.terms)?;
        self.desk = Some(Arc::new(Mutex::new(desk)));
        tracing::info!(run = self.run, "training: base and data are here");
        Ok(())
    }

    pub(super) async fn stand(&mut self, facts: &Facts) -> Result<()> {
        let round = facts.round.as_ref().context("no round runs")?;
        let (number, base) = (round.number, round.record.base);
        let carried = facts.member.and_then(|member| member.carried);
        if let Some(model) = base {
            self.fetch_model(facts, &model).await?;
        }
        self.at_desk(move |desk| desk.stand(number, base, carried))
            .await?;
        self.stands = Some(number);
        Ok(())
    }

    async fn fetch_model(&self, facts: &Facts, model: &ModelState) -> Result<()> {
        let bytes = self.at_desk(|desk| Ok(desk.vector_bytes())).await?;
        let wanted = vec![(model.params, bytes), (model.momentum, bytes)];
        self.fetch_all(wanted, &everybody(facts))
            .await
            .context("fetching the agreed model")?;
        self.shelves.share_model(model)
    }

    async fn fetch_all(&self, wanted: Vec<(H256, u64)>, holders: &Holders) -> Result<()> {
        let mut fetches = stream::iter(wanted)
            .map(|(root, bytes)| self.tools.sources.fetch(root, bytes, holders))
            .buffer_unordered(PARALLEL);
        while let Some(fetched) = fetches.next().await {
            fetched?;
        }
        Ok(())
    }

    /// Trains until the round is trained, or the chain goes on without it.
    pub(super) async fn train(&mut self, facts: &Facts) -> Result<()> {
        let plan = facts.plan().context("no rank is drawn")?;
        self.check_disk(plan.members).await?;
        let stop = Arc::new(AtomicBool::new(false));
        // Whoever gives up this seat stops the thread too.
        let _guard = StopOnDrop(stop.clone());
        let mut work = {
            let desk = self.desk.clone().context("the run is not loaded")?;
            let (turns, stop) = (self.tools.turns.clone(), stop.clone());
            let done = progress(self.tools.metrics.clone(), self.run);
            tokio::task::spawn_blocking(move || {
                let mut desk = desk.lock().unwrap_or_else(PoisonError::into_inner);
                desk.train(plan, &*turns, &stop, done)
            })
        };
        let mut last = facts.block;
        loop {
            tokio::select! {
                done = &mut work => {
                    let report = done.context("training broke off")?;
                    return match report {
                        Ok(report) => {
                            tracing::info!(run = self.run, round = plan.round, rank = plan.rank,
                                loss = report.loss_micro as f64 / 1e6, "training: round trained");
                            Ok(())
                        }
                        Err(_) if stop.load(Ordering::Relaxed) => Ok(()),
                        Err(error) => Err(error.context(format!("training round {}", plan.round))),
                    };
                }
                block = self.tools.ledger.next(last) => match block {
                    Ok(block) => {
                        last = block;
                        if self.goes_on_without(plan.round).await {
                            tracing::warn!(run = self.run, round = plan.round,
                                "training: the round's time is over before it was trained");
                            stop.store(true, Ordering::Relaxed);
                        }
                    }
                    Err(_) => tokio::time::sleep(PAUSE).await,
                },
            }
        }
    }

    /// Whether the chain no longer waits for this member to train that round.
    async fn goes_on_without(&self, round: u32) -> bool {
        let Ok(Some(facts)) = self.tools.ledger.facts(self.run).await else {
            // A node that does not answer is no reason to stop.
            return false;
        };
        self.show(&facts);
        let waits = matches!(facts.run.phase, Phase::Train { until } if facts.block < until);
        facts.run.round != round || !waits || !facts.is_active()
    }

    async fn check_disk(&self, members: u32) -> Result<()> {
        let Some(limit) = self.tools.disk_bytes else {
            return Ok(());
        };
        let more = self
            .at_desk(move |desk| Ok(desk.round_bytes(members)))
            .await?;
        let shelves = self.shelves.clone();
        let used = blocking(move || Ok(shelves.bytes())).await?;
        if used.saturating_add(more) > limit {
            bail!(
                "the blobs of this run take {} MiB and a round takes {} MiB more, above `disk_gib` of [training]: raise \
                 it, or leave the run",
                used >> 20,
                more >> 20
            );
        }
        Ok(())
    }

    pub(super) async fn commit(&mut self, facts: &Facts, held: &Held) -> Result<()> {
        let round = facts.run.round;
        let sealed = match held.sealed {
            Some(sealed) => sealed,
            None => {
                let report = held.report.context("nothing is trained")?;
                // On disk before it is said: a restarted worker reveals the same.
                self.books.seal(&facts.who, round, report)?
            }
        };
        let commitment = sealed.commitment;
        self.tell(Call::Commit { round, commitment }).await
    }

    pub(super) async fn reveal(&mut self, facts: &Facts, held: &Held) -> Result<()> {
        let round = facts.run.round;
        let sealed = held.sealed.context("nothing is sealed")?;
        let mut roots = self.at_desk(move |desk| Ok(desk.shared(round))).await?;
        if self.tools.fault == Some(Fault::TrainWithhold) {
            roots.retain(|root| *root == sealed.report.gradient);
        }
        // Handed out before anybody can ask for it.
        self.shelves.share_round(round, roots)?;
        let (report, salt) = (sealed.report, sealed.salt);
        self.tell(Call::Reveal {
            round,
            report,
            salt,
        })
        .await
    }

    /// Gets what the others revealed, for as long as there is time, and attests what came.
    pub(super) async fn attest(&mut self, facts: &Facts) -> Result<()> {
        let round = facts.round.as_ref().context("no round runs")?;
        let until = deadline(&facts.run.phase).unwrap_or_default();
        let bytes = self.at_desk(|desk| Ok(desk.gradient_bytes())).await?;
        let revealed: Vec<(u32, AccountId32, H256)> = round.gradients().collect();
        let (sources, run) = (&self.tools.sources, self.run);
        {
            let fetches = stream::iter(revealed.clone())
                .map(|(rank, who, root)| {
                    let holders = author_first(facts, who);
                    async move {
                        let fetched = sources.fetch(root, bytes, &holders).await;
                        if let Err(error) = fetched {
                            tracing::warn!(
                                run,
                                rank,
                                error = format!("{error:#}"),
                                "training: a pseudo-gradient did not come"
                            );
                        }
                    }
                })
                .buffer_unordered(PARALLEL)
                .for_each(|()| async {});
            let late = async {
                let mut last = facts.block;
                // Two blocks are left for the attestation itself.
                while last.saturating_add(2) < until {
                    match self.tools.ledger.next(last).await {
                        Ok(block) => last = block,
                        Err(_) => tokio::time::sleep(PAUSE).await,
                    }
                }
            };
            tokio::select! {
                () = fetches => {}
                () = late => tracing::warn!(run = self.run, round = round.number,
                    "training: no more time for pseudo-gradients that did not come"),
            }
        }
        let (number, members) = (round.number, round.record.members);
        let gradients: Vec<(u32, H256)> = revealed
            .iter()
            .map(|(rank, _, root)| (*rank, *root))
            .collect();
        let roots = gradients.iter().map(|(_, root)| *root);
        self.shelves.add_to_round(number, roots)?;
        let ranks = self
            .at_desk(move |desk| desk.attest(members, &gradients))
            .await?;
        self.tell(Call::Attest {
            round: number,
            ranks,
        })
        .await
    }

    pub(super) async fn outer(&mut self, facts: &Facts) -> Result<()> {
        let round = facts.round.as_ref().context("no round runs")?;
        let bytes = self.at_desk(|desk| Ok(desk.gradient_bytes())).await?;
        let accepted = round.accepted();
        let wanted = accepted.iter().map(|root| (*root, bytes)).collect();
        self.fetch_all(wanted, &everybody(facts))
            .await
            .context("fetching the accepted pseudo-gradients")?;
        let (number, base) = (round.number, round.record.base);
        let model = self
            .at_desk(move |desk| desk.outer(number, base, &accepted))
            .await?;
        self.shelves.share_model(&model)?;
        self.shelves.share_made(number, &model)?;
        self.books.note_outcome(number, model)?;
        tracing::info!(run = self.run, round = number, model = ?model.hash, "training: outer step");
        Ok(())
    }

    pub(super) async fn challenge(&mut self, facts: &Facts, held: &Held) -> Result<()> {
        let round = facts.pending.as_ref().context("nothing is agreed")?.number;
        let model = held.disputes.context("nothing to dispute")?;
        tracing::error!(run = self.run, round, own = ?model.hash,
            "training: the agreed model is not what the accepted pseudo-gradients give; challenging it");
        match self.tell(Call::Challenge { round, model }).await {
            // Somebody was faster, or the bond does not suffice: nothing changes by saying it again.
            Err(error) if error.downcast_ref::<ChainError>().is_some_and(is_refusal) => {
                self.books.note_challenge(round)?;
                Err(error)
            }
            Err(error) => Err(error),
            Ok(()) => self.books.note_challenge(round),
        }
    }
}

/// Stops the thread that trains.
struct StopOnDrop(Arc<AtomicBool>);

impl Drop for StopOnDrop {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

fn progress(metrics: TrainingMetrics, run: RunId) -> impl FnMut(StepDone) + Send + 'static {
    let run = run.to_string();
    move |done| {
        let label = [run.as_str()];
        metrics.loss.with_label_values(&label).set(done.loss);
        metrics
            .speed
            .with_label_values(&label)
            .set(done.tokens_per_second);
        metrics.steps.with_label_values(&["trained"]).inc();
        tracing::debug!(
            run,
            step = done.step,
            of = done.of,
            loss = done.loss,
            tokens_per_second = done.tokens_per_second,
            "training: step"
        );
    }
}

fn is_refusal(error: &ChainError) -> bool {
    matches!(error, ChainError::Dispatch { .. })
}

/// Whoever may have what all of a run need.
fn everybody(facts: &Facts) -> Holders {
    Holders {
        operators: others(facts, None).collect(),
        serving: [Some(facts.root), facts.terms.start.parent()]
            .into_iter()
            .flatten()
            .collect(),
        dataset: None,
    }
}

/// The author of a pseudo-gradient, and then those who may have it from there.
fn author_first(facts: &Facts, author: AccountId32) -> Holders {
    Holders {
        operators: [author]
            .into_iter()
            .chain(others(facts, Some(author)))
            .collect(),
        serving: Vec::new(),
        dataset: None,
    }
}

fn others(facts: &Facts, except: Option<AccountId32>) -> impl Iterator<Item = AccountId32> + '_ {
    facts
        .members
        .iter()
        .copied()
        .filter(move |member| *member != facts.who && Some(*member) != except)
}
