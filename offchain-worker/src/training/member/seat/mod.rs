//! A member's seat in one run: looks at the chain, does what is to be done, and looks again.

mod round;

use std::{
    path::PathBuf,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use anyhow::{Context, Result};
use chasqui_primitives::{training::ModelState, RunId};
use sp_core::H256;

use super::{
    blobs::{Sources, Vault},
    books::Books,
    desk::{clear, Desk, Turns},
    facts::{deadline, phase_name, Facts},
    ledger::{Call, Ledger},
    shelves::Shelves,
    step::{next, Gone, Held, Step, Waiting},
};
use crate::{
    fault::Fault,
    training::{metrics::TrainingMetrics, setup::Place},
};

/// Pause after something failed.
const PAUSE: Duration = Duration::from_secs(1);

/// What a seat works with.
#[derive(Clone)]
pub struct Tools {
    /// The chain.
    pub ledger: Arc<dyn Ledger>,
    /// Others' blobs.
    pub sources: Arc<dyn Sources>,
    /// Turns on the device.
    pub turns: Arc<dyn Turns>,
    /// Own blobs.
    pub vault: Vault,
    /// Where runs are set up.
    pub place: Place,
    /// State folders of runs lie in here.
    pub folder: PathBuf,
    /// Whether agreed models that are false are challenged.
    pub challenge: bool,
    /// Most bytes that the blobs of one run may take.
    pub disk_bytes: Option<u64>,
    /// What Prometheus is told.
    pub metrics: TrainingMetrics,
    /// How it cheats, in tests.
    pub fault: Option<Fault>,
}

/// A member's seat.
pub struct Seat {
    tools: Tools,
    run: RunId,
    books: Books,
    shelves: Shelves,
    desk: Option<Arc<Mutex<Desk>>>,
    /// The round before which it stands, as the chain has it.
    stands: Option<u32>,
    /// The block whose state shows what was told last.
    shown_by: u32,
    /// What was said last, so that it is said once.
    said: Option<(u32, Step)>,
    tidied: Option<u32>,
}

impl Seat {
    /// Opens the state folder of a run.
    ///
    /// # Errors
    /// The node does not know the run, or the folder is damaged.
    pub async fn open(tools: Tools, run: RunId) -> Result<Self> {
        let facts = facts(&tools, run).await?;
        let folder = run_folder(&tools, &facts.root);
        let books = Books::open(&folder.join("rounds"), facts.genesis, run)?;
        let shelves = Shelves::new(run, tools.vault.clone());
        Ok(Self {
            tools,
            run,
            books,
            shelves,
            desk: None,
            stands: None,
            shown_by: 0,
            said: None,
            tidied: None,
        })
    }

    /// Does a member's part until the run is over for it.
    pub async fn follow(mut self) -> Gone {
        let mut said = String::new();
        loop {
            match self.once().await {
                Ok(Some(gone)) => return gone,
                Ok(None) => said.clear(),
                Err(error) => {
                    let error = format!("{error:#}");
                    // What goes on being wrong is said once.
                    if said == error {
                        tracing::debug!(run = self.run, error, "training: trying again");
                    } else {
                        tracing::warn!(run = self.run, error, "training: trying again");
                    }
                    said = error;
                    self.tools.metrics.failures.inc();
                    tokio::time::sleep(PAUSE).await;
                }
            }
        }
    }

    /// Looks once, and does what is to be done.
    ///
    /// # Errors
    /// It could not be done now.
    pub async fn once(&mut self) -> Result<Option<Gone>> {
        let facts = facts(&self.tools, self.run).await?;
        if facts.block < self.shown_by {
            self.tools.ledger.next(facts.block).await?;
            return Ok(None);
        }
        self.show(&facts);
        let held = self.held(&facts);
        let step = next(&facts, &held, self.tools.challenge);
        self.say(&facts, step);
        let lingers = matches!(step, Step::Linger(_));
        // What the state folder relies on is known once it is open.
        if lingers || (self.desk.is_some() && self.tidied != Some(facts.run.round)) {
            self.tidy(&facts).await?;
            self.tidied = Some(facts.run.round);
        }
        match step {
            Step::Linger(gone) => {
                if !self.lingers(&facts) {
                    self.end(&facts).await?;
                    return Ok(Some(gone));
                }
                self.tools.ledger.next(facts.block).await?;
            }
            Step::Wait(_) => {
                self.tools.ledger.next(facts.block).await?;
            }
            Step::Prepare => self.prepare(&facts).await?,
            Step::Heartbeat => self.tell(Call::Heartbeat).await?,
            Step::Stand => self.stand(&facts).await?,
            Step::Train => self.train(&facts).await?,
            Step::Commit => self.commit(&facts, &held).await?,
            Step::Reveal => self.reveal(&facts, &held).await?,
            Step::Attest => self.attest(&facts).await?,
            Step::Outer => self.outer(&facts).await?,
            Step::Agree => {
                let (round, model) = (facts.run.round, held.outcome);
                let model = model.context("no outcome to agree on")?;
                self.tell(Call::Agree { round, model }).await?;
            }
            Step::Challenge => self.challenge(&facts, &held).await?,
        }
        Ok(None)
    }

    fn desk(&self) -> Option<MutexGuard<'_, Desk>> {
        let desk = self.desk.as_ref()?;
        Some(desk.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn held(&self, facts: &Facts) -> Held {
        let round = facts.run.round;
        let page = self.books.page(round);
        let pending = facts.pending.as_ref().map(|pending| pending.number);
        let earlier = pending.map(|number| self.books.page(number));
        Held {
            prepared: self.desk.is_some(),
            stands: self.stands,
            report: self.desk().and_then(|desk| desk.report(round)),
            sealed: page.sealed,
            outcome: page.outcome,
            disputes: earlier.and_then(|page| page.outcome),
            challenged: earlier.is_some_and(|page| page.challenged),
        }
    }

    /// Tells the chain, and waits with the next look until its state shows that.
    async fn tell(&mut self, call: Call) -> Result<()> {
        let name = call.name();
        self.shown_by = self
            .tools
            .ledger
            .tell(self.run, call)
            .await
            .with_context(|| format!("telling the chain: {name}"))?;
        let told = self.tools.metrics.calls.with_label_values(&[name]);
        told.inc();
        tracing::debug!(run = self.run, call = name, "told");
        Ok(())
    }

    /// Does something with the desk on a thread that may block.
    async fn at_desk<T: Send + 'static>(
        &self,
        work: impl FnOnce(&mut Desk) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        let desk = self.desk.clone().context("the run is not loaded")?;
        blocking(move || work(&mut desk.lock().unwrap_or_else(PoisonError::into_inner))).await
    }

    /// Whether rounds of this member are open that somebody may still ask about.
    fn lingers(&self, facts: &Facts) -> bool {
        self.books
            .rounds()
            .any(|round| facts.live.contains_key(&round))
    }

    /// Forgets what nobody can ask for any more.
    async fn tidy(&mut self, facts: &Facts) -> Result<()> {
        let shelves = self.shelves.clone();
        let relied = self.desk().map(|desk| desk.relies_on()).unwrap_or_default();
        let (kept, old): (Vec<u32>, Vec<u32>) = self
            .books
            .rounds()
            .partition(|round| facts.needs_round(*round));
        let outcomes: Vec<ModelState> = kept
            .iter()
            .filter_map(|round| self.books.page(*round).outcome)
            .collect();
        {
            let facts = facts.clone();
            blocking(move || shelves.tidy(&facts, &relied, &outcomes)).await?;
        }
        for round in old {
            self.books.forget(round)?;
        }
        let member = facts.member;
        let carried = [
            member.and_then(|member| member.carried),
            member.and_then(|member| member.before),
        ];
        let needed = facts
            .live
            .keys()
            .copied()
            .chain(carried.into_iter().flatten().map(|carried| carried.round))
            .chain([facts.run.round])
            .min();
        if let (Some(needed), true) = (needed, self.desk.is_some()) {
            self.at_desk(move |desk| desk.prune(needed)).await?;
        }
        Ok(())
    }

    /// Leaves nothing of the run behind but the checkpoint that it made.
    async fn end(&mut self, facts: &Facts) -> Result<()> {
        self.desk = None;
        let (shelves, terms) = (self.shelves.clone(), facts.terms);
        let (folder, vault) = (
            run_folder(&self.tools, &facts.root),
            self.tools.vault.clone(),
        );
        blocking(move || {
            shelves.end(&terms)?;
            clear(&folder, &vault)
        })
        .await
    }

    fn show(&self, facts: &Facts) {
        let metrics = &self.tools.metrics;
        let run = self.run.to_string();
        let label = [run.as_str()];
        metrics
            .round
            .with_label_values(&label)
            .set(i64::from(facts.run.round));
        metrics
            .members
            .with_label_values(&label)
            .set(i64::from(facts.run.active));
        metrics.enters_phase(&run, phase_name(&facts.run.phase));
    }

    /// Says what it does, once.
    fn say(&mut self, facts: &Facts, step: Step) {
        let now = Some((facts.run.round, step));
        if self.said == now {
            return;
        }
        self.said = now;
        let (run, round) = (self.run, facts.run.round);
        let phase = phase_name(&facts.run.phase);
        let until = deadline(&facts.run.phase);
        match step {
            Step::Wait(Waiting::TooLate(what)) => {
                tracing::warn!(
                    run,
                    round,
                    phase,
                    "training: too late for {what}; going on with the next round"
                );
            }
            Step::Wait(Waiting::Skips(why)) => {
                tracing::warn!(run, round, phase, "training: no part in this: {why}");
            }
            Step::Linger(Gone::Banned) => {
                tracing::error!(run, "training: proven false, and out of the run");
            }
            step => tracing::info!(run, round, phase, until, "training: {step:?}"),
        }
    }
}

async fn facts(tools: &Tools, run: RunId) -> Result<Facts> {
    let facts = tools.ledger.facts(run).await?;
    facts.with_context(|| format!("there is no run {run}"))
}

/// The state folder of a run.
fn run_folder(tools: &Tools, root: &H256) -> PathBuf {
    tools.folder.join(hex::encode(root.as_bytes()))
}

async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T> + Send + 'static,
) -> Result<T> {
    tokio::task::spawn_blocking(work)
        .await
        .context("the computation broke off")?
}
