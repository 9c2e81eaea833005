//! A member's side of a run, on top of a state folder.
//!
//! The folder holds one journal and the blobs it names. Blobs are written first, the journal after them, each whole or not
//! at all; so a process that is killed at any moment finds the last kept state again, and goes on from there to the same
//! bits. What happened on chain is told from outside: which round, which rank, who was included.

use std::collections::BTreeSet;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

use chasqui_primitives::training::{ModelState, RoundReport, StateLeaf};
use sp_core::H256;

use super::agreement::{check_model, load_model, outer_result, store_model};
use super::blobs::Blobs;
use super::cheat::Cheat;
use super::dataset::Dataset;
use super::files::{create_dir, remove_file};
use super::inner::Inner;
use super::journal::Journal;
pub use super::journal::{Current, Settled};
use super::kept::KeptStates;
use super::outer::{OuterState, Share};
use super::plan::RoundPlan;
use super::segment::{encode_end, norm_milli};
use super::state::TrainState;
use crate::error::{Result, TrainingError};
use crate::train::StepReport;

/// How many earlier agreed models are remembered, for rounds that are rolled back.
const REMEMBERED: usize = 8;
const JOURNAL: &str = "run.state";

/// What the outer step of a round gave.
#[derive(Clone, Debug, PartialEq)]
pub struct Outcome {
    /// The new model, which the next round starts from: what a member submits, with the checkpoint's root where one is
    /// made.
    pub model: ModelState,
    /// What each included pseudo-gradient counted for, in rank order.
    pub shares: Vec<Share>,
}

/// A member of a run.
pub struct Member<B> {
    path: PathBuf,
    journal: Journal,
    blobs: B,
    cheat: Option<Cheat>,
}

impl<B: Blobs> Member<B> {
    /// Opens the state folder `dir` of the run named `run`. A new folder begins at round 0 with the model that `start`
    /// gives.
    ///
    /// # Errors
    /// The folder belongs to another run or is damaged, `start` fails, or nothing can be written.
    pub fn open(
        dir: &Path,
        run: H256,
        blobs: B,
        inner: &Inner,
        start: impl FnOnce() -> Result<OuterState>,
    ) -> Result<Self> {
        create_dir(dir)?;
        let path = dir.join(JOURNAL);
        let journal = match Journal::read(&path)? {
            Some(journal) if journal.run != run => {
                return Err(TrainingError::Folder {
                    path,
                    reason: format!(
                        "belongs to run {:?}, not to {run:?}; use one folder a run",
                        journal.run
                    ),
                })
            }
            Some(journal) => journal,
            None => {
                let model = store_model(&start()?, inner, &blobs)?;
                let first = Settled {
                    round: 0,
                    model,
                    own: None,
                };
                let journal = Journal {
                    run,
                    settled: vec![first],
                    current: None,
                    kept: Vec::new(),
                };
                journal.write(&path)?;
                journal
            }
        };
        Ok(Self {
            path,
            journal,
            blobs,
            cheat: None,
        })
    }

    /// Has it cheat from now on, for tests of a network.
    pub fn set_cheat(&mut self, cheat: Option<Cheat>) {
        self.cheat = cheat;
    }

    /// Where the member stands between rounds.
    pub fn settled(&self) -> &Settled {
        let last = self.journal.settled.len().saturating_sub(1);
        // A journal without a settled state is not opened, and none is taken out of the last one.
        &self.journal.settled[last]
    }

    /// The round under way.
    pub fn current(&self) -> Option<&Current> {
        self.journal.current.as_ref()
    }

    /// The blobs.
    pub fn blobs(&self) -> &B {
        &self.blobs
    }

    /// The agreed model.
    ///
    /// # Errors
    /// Its blobs are missing.
    pub fn model(&self, inner: &Inner) -> Result<OuterState> {
        load_model(&self.settled().model, inner, &self.blobs)
    }

    /// Takes up a round. Doing so again with the same plan changes nothing.
    ///
    /// # Errors
    /// It is not the round that follows the agreed model, or another plan for it is under way.
    pub fn begin(&mut self, plan: RoundPlan) -> Result<()> {
        match &self.journal.current {
            Some(current) if current.plan == plan => return Ok(()),
            Some(current) => {
                return Err(self.refuse(format!(
                    "round {} is under way; finish or drop it before round {}",
                    current.plan.round, plan.round
                )))
            }
            None => {}
        }
        let next = self.settled().round;
        if plan.round != next {
            return Err(self.refuse(format!(
                "stands before round {next}, not {}; adopt the agreed model first",
                plan.round
            )));
        }
        let mut journal = self.journal.clone();
        journal.current = Some(Current {
            plan,
            leaves: Vec::new(),
            loss_bits: 0f64.to_bits(),
            report: None,
        });
        self.write(journal)
    }

    /// Trains what is left of the round under way and returns the report; a round that is trained is not trained again.
    /// `on_step` sees every step and may stop training, which keeps all whole segments.
    ///
    /// # Errors
    /// No round is under way, the data cannot be read, training diverges, or it was stopped.
    pub fn train(
        &mut self,
        inner: &mut Inner,
        dataset: &Dataset,
        mut on_step: impl FnMut(&StepReport) -> ControlFlow<()>,
    ) -> Result<RoundReport> {
        let mut current = self.need_current()?.clone();
        if let Some(report) = current.report {
            return Ok(report);
        }
        inner.check_dataset(dataset)?;
        let steps = current.plan.kept_steps(inner.recipe());
        let agreed = self.model(inner)?.params;
        let mut state = match current.leaves.last() {
            Some(leaf) => inner.shape().load(leaf, &self.blobs)?,
            None => {
                let first = self.first_state(&current.plan, inner, &agreed)?;
                current.leaves.push(first.store(&self.blobs)?);
                self.keep(&current)?;
                first
            }
        };
        while current.leaves.len() < steps.len() {
            let at = current.leaves.len();
            let mut loss = f64::from_bits(current.loss_bits);
            let (from, to) = (steps[at - 1], steps[at]);
            let mut on_step = |report: &StepReport| {
                loss += report.loss;
                on_step(report)
            };
            let plan = &current.plan;
            state = match self.cheat {
                None => inner.run(state, plan, dataset, from, to, on_step)?,
                Some(cheat) => {
                    cheat.segment(inner, state, plan, dataset, (from, to), &mut on_step)?
                }
            };
            current.loss_bits = loss.to_bits();
            if at + 1 < steps.len() {
                current.leaves.push(state.store(&self.blobs)?);
            } else {
                let mut sent = state.clone();
                if let Some(cheat) = self.cheat {
                    sent.params = cheat.sent(&agreed, &state.params);
                }
                let (gradient, mut last, bytes) = encode_end(inner, &agreed, sent, &self.blobs)?;
                if self.cheat.is_some() {
                    last = encode_end(inner, &agreed, state, &self.blobs)?.1;
                }
                state = inner.shape().load(&last, &self.blobs)?;
                current.leaves.push(last);
                current.report = Some(self.report(inner, &current, gradient, &bytes)?);
            }
            self.keep(&current)?;
        }
        current
            .report
            .ok_or_else(|| self.refuse("a trained round has no report".into()))
    }

    /// Drops the round under way: it was missed, or the member skips it.
    ///
    /// # Errors
    /// The journal cannot be written.
    pub fn drop_round(&mut self) -> Result<()> {
        let mut journal = self.journal.clone();
        if let Some(current) = journal.current.take() {
            remember(&mut journal.kept, &current);
        }
        self.write(journal)
    }

    /// Takes the outer step of round `round` from the included pseudo-gradients, given in rank order. With `accepted` the
    /// member's own moments and residual of this round stay; else it goes on with those of its last accepted one.
    ///
    /// # Errors
    /// It is not this round's turn, a blob is missing or does not decode; the member stands where it did then.
    pub fn finish(
        &mut self,
        round: u32,
        included: &[H256],
        accepted: bool,
        inner: &Inner,
    ) -> Result<Outcome> {
        let settled = *self.settled();
        if settled.round != round {
            return Err(self.refuse(format!(
                "stands before round {}, round {round} cannot end",
                settled.round
            )));
        }
        let own = match (&self.journal.current, accepted) {
            (Some(current), true) if current.report.is_some() => current.leaves.last().copied(),
            (_, true) => return Err(self.refuse(format!("round {round} is not trained"))),
            (_, false) => settled.own,
        };
        let (model, shares) = outer_result(&settled.model, included, inner, &self.blobs)?;
        let model = store_model(&model, inner, &self.blobs)?;
        self.settle(Settled {
            round: round.saturating_add(1),
            model,
            own,
        })?;
        Ok(Outcome { model, shares })
    }

    /// Round `round` was void: the model stays, and so do the member's own moments and residual.
    ///
    /// # Errors
    /// It is not this round's turn.
    pub fn void(&mut self, round: u32) -> Result<()> {
        let mut settled = *self.settled();
        if settled.round != round {
            return Err(self.refuse(format!(
                "stands before round {}, round {round} cannot be void",
                settled.round
            )));
        }
        settled.round = round.saturating_add(1);
        self.settle(settled)
    }

    /// Takes the model that round `round` starts from out of the store, which fetches it: for one who joins late, was away,
    /// or computed another. It is checked against the hash that was agreed on.
    ///
    /// # Errors
    /// A blob is not to be had, or the model has another hash; the member stands where it did then.
    pub fn adopt(&mut self, round: u32, agreed: ModelState, inner: &Inner) -> Result<()> {
        check_model(&agreed, inner, &self.blobs)?;
        let own = self.settled().own;
        self.settle(Settled {
            round,
            model: agreed,
            own,
        })
    }

    /// Stands before round `round` as the chain has it: from the model `agreed`, carrying on the moments and residual of
    /// `own`. Whatever the folder thought before gives way; of a round under way only this one goes on. Doing so again
    /// changes nothing.
    ///
    /// # Errors
    /// A blob is not to be had, or the model has another hash than was agreed on; the member stands where it did then.
    pub fn stand(
        &mut self,
        round: u32,
        agreed: ModelState,
        own: Option<StateLeaf>,
        inner: &Inner,
    ) -> Result<()> {
        let wanted = Settled {
            round,
            model: agreed,
            own,
        };
        if *self.settled() == wanted {
            return match self.current() {
                Some(current) if current.plan.round != round => self.drop_round(),
                _ => Ok(()),
            };
        }
        check_model(&agreed, inner, &self.blobs)?;
        if let Some(own) = own {
            // What the first step begins with, read before it is relied on.
            let params = agreed.params;
            inner
                .shape()
                .load(&StateLeaf { params, ..own }, &self.blobs)?;
        }
        self.settle(wanted)
    }

    /// Goes back to the model that round `round` started from, with the moments and residual of then.
    ///
    /// # Errors
    /// It is no longer remembered.
    pub fn roll_back(&mut self, round: u32) -> Result<()> {
        let found = self
            .journal
            .settled
            .iter()
            .rposition(|settled| settled.round == round);
        let Some(position) = found else {
            return Err(self.refuse(format!(
                "does not remember the model before round {round}; adopt it instead"
            )));
        };
        let mut journal = self.journal.clone();
        if let Some(current) = journal.current.take() {
            remember(&mut journal.kept, &current);
        }
        journal.settled.truncate(position + 1);
        self.write(journal)
    }

    /// Forgets what rounds before `round` left behind, except what is still in use here: to be called when their cases are
    /// closed, and only where no other member shares the store.
    ///
    /// # Errors
    /// A blob cannot be removed.
    pub fn prune(&mut self, round: u32) -> Result<()> {
        let mut journal = self.journal.clone();
        let (old, kept): (Vec<_>, Vec<_>) =
            journal.kept.into_iter().partition(|(of, _)| *of < round);
        journal.kept = kept;
        let last = journal.settled.len().saturating_sub(1);
        let mut dropped: Vec<Settled> = Vec::new();
        let mut position = 0;
        journal.settled.retain(|settled| {
            position += 1;
            let stays = settled.round >= round || position - 1 == last;
            if !stays {
                dropped.push(*settled);
            }
            stays
        });
        let mut used: BTreeSet<H256> = journal
            .kept
            .iter()
            .flat_map(|(_, roots)| roots)
            .copied()
            .collect();
        for settled in &journal.settled {
            used.extend(settled_roots(settled));
        }
        if let Some(current) = &journal.current {
            used.extend(round_roots(current));
        }
        let mut unused: BTreeSet<H256> = old.into_iter().flat_map(|(_, roots)| roots).collect();
        unused.extend(dropped.iter().flat_map(settled_roots));
        // First forgotten, then removed: a killed process leaves a blob behind, never a name without one.
        self.write(journal)?;
        unused
            .iter()
            .filter(|root| !used.contains(root))
            .try_for_each(|root| self.blobs.remove(root))
    }

    fn first_state(&self, plan: &RoundPlan, inner: &Inner, agreed: &[f32]) -> Result<TrainState> {
        let next = plan.cursor(inner.recipe(), 0);
        match self.settled().own {
            None => Ok(inner.shape().fresh(agreed.to_vec(), next)),
            Some(own) => {
                let leaf = StateLeaf {
                    params: self.settled().model.params,
                    next_sequence: next,
                    ..own
                };
                inner.shape().load(&leaf, &self.blobs)
            }
        }
    }

    fn report(
        &self,
        inner: &Inner,
        current: &Current,
        gradient: H256,
        bytes: &[u8],
    ) -> Result<RoundReport> {
        let kept = KeptStates::new(current.leaves.clone());
        kept.store(&self.blobs)?;
        let recipe = inner.recipe();
        let tokens = recipe.tokens_per_round();
        let mean = f64::from_bits(current.loss_bits) / f64::from(recipe.inner_steps.max(1));
        Ok(RoundReport {
            gradient,
            kept: kept.root(),
            leaves: current.leaves.len() as u32,
            tokens,
            units: tokens,
            // A float-to-integer cast saturates.
            loss_micro: (mean * 1e6).round() as u64,
            norm_milli: norm_milli(inner, bytes)?,
        })
    }

    fn settle(&mut self, settled: Settled) -> Result<()> {
        let mut journal = self.journal.clone();
        if let Some(current) = journal.current.take() {
            remember(&mut journal.kept, &current);
        }
        journal.settled.push(settled);
        let surplus = journal.settled.len().saturating_sub(REMEMBERED);
        for old in journal.settled.drain(..surplus) {
            // Its blobs go when the round is pruned.
            let round = old.round;
            journal.kept.push((round, settled_roots(&old).collect()));
        }
        self.write(journal)
    }

    fn keep(&mut self, current: &Current) -> Result<()> {
        let mut journal = self.journal.clone();
        journal.current = Some(current.clone());
        self.write(journal)
    }

    fn write(&mut self, journal: Journal) -> Result<()> {
        journal.write(&self.path)?;
        self.journal = journal;
        Ok(())
    }

    fn need_current(&self) -> Result<&Current> {
        self.journal
            .current
            .as_ref()
            .ok_or_else(|| self.refuse("no round is under way; begin one".into()))
    }

    fn refuse(&self, reason: String) -> TrainingError {
        TrainingError::Folder {
            path: self.path.clone(),
            reason,
        }
    }
}

/// Removes a state folder that is no longer needed, and every blob that only it knows. Where there is none, nothing happens.
///
/// # Errors
/// The folder is damaged, or something cannot be removed; what is left goes the next time.
pub fn clear<B: Blobs + ?Sized>(dir: &Path, blobs: &B) -> Result<()> {
    let path = dir.join(JOURNAL);
    let Some(journal) = Journal::read(&path)? else {
        return Ok(());
    };
    let settled = journal.settled.iter().flat_map(settled_roots);
    let current = journal.current.iter().flat_map(round_roots);
    let kept = journal.kept.iter().flat_map(|(_, roots)| roots.clone());
    let roots: BTreeSet<H256> = settled.chain(current).chain(kept).collect();
    roots.iter().try_for_each(|root| blobs.remove(root))?;
    remove_file(&path)
}

/// Notes a round's blobs for [`Member::prune`].
fn remember(kept: &mut Vec<(u32, Vec<H256>)>, current: &Current) {
    kept.push((current.plan.round, round_roots(current)));
}

fn round_roots(current: &Current) -> Vec<H256> {
    let mut roots: Vec<H256> = current
        .leaves
        .iter()
        .flat_map(|leaf| [leaf.params, leaf.first, leaf.second, leaf.residual])
        .collect();
    if let Some(report) = &current.report {
        roots.push(report.gradient);
        roots.push(KeptStates::blob_root(report));
    }
    roots
}

fn settled_roots(settled: &Settled) -> impl Iterator<Item = H256> + use<> {
    let own = settled
        .own
        .map(|leaf| [leaf.params, leaf.first, leaf.second, leaf.residual]);
    [settled.model.params, settled.model.momentum]
        .into_iter()
        .chain(own.into_iter().flatten())
}
