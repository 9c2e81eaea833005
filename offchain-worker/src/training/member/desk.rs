//! What a member's machine computes: everything here blocks, and is done on a thread that may.

use std::{
    any::Any,
    collections::BTreeSet,
    ops::ControlFlow,
    path::{Path, PathBuf},
    sync::{
        atomic::{AtomicBool, Ordering},
        Arc,
    },
    time::Instant,
};

use anyhow::{Context, Result};
use chasqui_primitives::{
    blob::BlobInfo,
    training::{members::Carried, ModelState, Ranks, RoundReport, RunTerms, StateLeaf},
};
use chasqui_training::diloco::{
    agreement::{holds_gradient, outer_result, store_model},
    kept::{KeptStates, LEAF_BYTES},
    member::{self, Settled},
    state::vector_root,
    Blobs, Cheat, Dataset, Member, RoundPlan,
};
use parity_scale_codec::DecodeAll;
use sp_core::H256;

use super::blobs::Vault;
use crate::training::{
    checkpoint,
    setup::{self, Place, Trainer},
};

/// A turn on the device: given back when dropped.
pub type Turn = Box<dyn Any + Send>;

/// Hands out turns on the device; a member takes one a step, so that audits get theirs between two steps.
pub trait Turns: Send + Sync {
    /// Waits for a turn. Blocks.
    fn take(&self) -> Turn;
}

/// How far training is, for whoever watches.
#[derive(Clone, Copy, Debug)]
pub struct StepDone {
    /// Step of the round, from 1.
    pub step: u32,
    /// Steps of the round.
    pub of: u32,
    /// Mean loss of the step's batch, in nats a token.
    pub loss: f64,
    /// Tokens a second since training was taken up.
    pub tokens_per_second: f64,
}

/// The trainer of a run, its data, and the member's state folder.
pub struct Desk {
    trainer: Trainer,
    dataset: Dataset,
    member: Member<Vault>,
    vault: Vault,
    terms: RunTerms,
    start: ModelState,
    made: PathBuf,
}

impl Desk {
    /// Loads a run whose base and data are in the store. `folder` is the member's own.
    ///
    /// # Errors
    /// A blob is missing or damaged, the device is not there, or the folder is another run's.
    pub fn open(
        place: &Place,
        vault: Vault,
        terms: &RunTerms,
        run: H256,
        folder: &Path,
    ) -> Result<Self> {
        let trainer = setup::trainer(place, terms)?;
        let dataset = setup::dataset(&place.blobs, terms)?;
        let inner = &trainer.inner;
        inner.check_dataset(&dataset)?;
        let begin = setup::start(inner, terms);
        let start = ModelState {
            hash: begin.hash(inner.layout()),
            params: vector_root(&begin.params),
            momentum: vector_root(&begin.momentum),
            checkpoint: H256::zero(),
        };
        let member = Member::open(folder, run, vault.clone(), inner, || Ok(begin))?;
        Ok(Self {
            trainer,
            dataset,
            member,
            vault,
            terms: *terms,
            start,
            made: place.folder.clone(),
        })
    }

    /// Has it cheat, for tests of a network.
    pub fn set_cheat(&mut self, cheat: Cheat) {
        self.member.set_cheat(Some(cheat));
    }

    /// Whose bits it computes.
    pub fn class(&self) -> Option<H256> {
        self.trainer.class
    }

    /// The model that the run begins with.
    pub fn start(&self) -> ModelState {
        self.start
    }

    /// The round that it stands before, and from what.
    pub fn stands(&self) -> &Settled {
        self.member.settled()
    }

    /// The largest blob of a model or a state.
    pub fn vector_bytes(&self) -> u64 {
        let shape = self.trainer.inner.shape();
        4u64.saturating_mul(shape.params.max(shape.residual) as u64)
    }

    /// The length of an encoded pseudo-gradient.
    pub fn gradient_bytes(&self) -> u64 {
        self.trainer.inner.coder().encoded_len()
    }

    /// The report of the round under way, if that is `round` and trained.
    pub fn report(&self, round: u32) -> Option<RoundReport> {
        let current = self.member.current()?;
        current.report.filter(|_| current.plan.round == round)
    }

    /// Bytes that a round adds: kept states, pseudo-gradients of all members, the new model.
    pub fn round_bytes(&self, members: u32) -> u64 {
        let shape = self.trainer.inner.shape();
        let parts = 3u64
            .saturating_mul(shape.params as u64)
            .saturating_add(shape.residual as u64);
        let states = parts.saturating_mul(u64::from(self.terms.recipe.segments).saturating_add(1));
        let model = 2u64.saturating_mul(shape.params as u64);
        let gradients = self.gradient_bytes().saturating_mul(u64::from(members));
        4u64.saturating_mul(states.saturating_add(model))
            .saturating_add(gradients)
    }

    /// Stands before a round as the chain has it.
    ///
    /// # Errors
    /// A blob of the model, or of what the member carries on, is not here.
    pub fn stand(
        &mut self,
        round: u32,
        base: Option<ModelState>,
        carried: Option<Carried>,
    ) -> Result<()> {
        let model = match base {
            Some(model) => model,
            None => {
                let inner = &self.trainer.inner;
                store_model(&setup::start(inner, &self.terms), inner, &self.vault)?
            }
        };
        let own = carried
            .map(|carried| self.last_leaf(&carried))
            .transpose()?;
        self.member.stand(round, model, own, &self.trainer.inner)?;
        Ok(())
    }

    /// The state that an accepted round of this member ended in.
    fn last_leaf(&self, carried: &Carried) -> Result<StateLeaf> {
        let len = u64::from(carried.leaves).saturating_mul(u64::from(LEAF_BYTES));
        let info = BlobInfo {
            len,
            chunk: LEAF_BYTES,
            tree: carried.kept,
        };
        let lost = || {
            format!(
                "the states that this member kept of round {} are gone from its blob folder, and without them it cannot \
                 carry on as the chain expects: put them back, or leave the run and join it anew",
                carried.round
            )
        };
        let bytes = self.vault.get(&info.root(), len)?.with_context(lost)?;
        let (leaves, _) = bytes.as_chunks::<{ LEAF_BYTES as usize }>();
        let last = leaves.last().with_context(lost)?;
        StateLeaf::decode_all(&mut &last[..]).with_context(lost)
    }

    /// Trains what is left of a round, a turn on the device a step, until it is done or `stop` is set.
    ///
    /// # Errors
    /// Training was stopped or diverges, or data or blobs are missing; what is whole is kept.
    pub fn train(
        &mut self,
        plan: RoundPlan,
        turns: &dyn Turns,
        stop: &AtomicBool,
        mut done: impl FnMut(StepDone),
    ) -> Result<RoundReport> {
        self.member.begin(plan)?;
        let recipe = self.terms.recipe;
        let tokens = u64::from(recipe.batch).saturating_mul(u64::from(recipe.sequence));
        let first = plan.schedule_step(&recipe, 0);
        let (began, mut taken) = (Instant::now(), 0u64);
        let mut turn = Some(turns.take());
        let report = self
            .member
            .train(&mut self.trainer.inner, &self.dataset, |report| {
                taken = taken.saturating_add(tokens);
                let seconds = began.elapsed().as_secs_f64().max(1e-9);
                let step = report.step.saturating_sub(first).saturating_add(1);
                done(StepDone {
                    step: u32::try_from(step).unwrap_or(u32::MAX),
                    of: recipe.inner_steps,
                    loss: report.loss,
                    tokens_per_second: taken as f64 / seconds,
                });
                turn.take();
                if stop.load(Ordering::Relaxed) {
                    return ControlFlow::Break(());
                }
                turn = Some(turns.take());
                ControlFlow::Continue(())
            })?;
        Ok(report)
    }

    /// What validators need of the trained round: states, their list, the pseudo-gradient.
    pub fn shared(&self, round: u32) -> BTreeSet<H256> {
        let Some(current) = self
            .member
            .current()
            .filter(|current| current.plan.round == round)
        else {
            return BTreeSet::new();
        };
        let parts = |leaf: &StateLeaf| [leaf.params, leaf.first, leaf.second, leaf.residual];
        let mut roots: BTreeSet<H256> = current.leaves.iter().flat_map(parts).collect();
        if let Some(report) = &current.report {
            roots.insert(report.gradient);
            roots.insert(KeptStates::blob_root(report));
        }
        roots
    }

    /// Which of these pseudo-gradients are here and decode.
    ///
    /// # Errors
    /// The store fails.
    pub fn attest(&self, members: u32, gradients: &[(u32, H256)]) -> Result<Ranks> {
        let mut held = Vec::new();
        for (rank, root) in gradients {
            if holds_gradient(root, &self.trainer.inner, &self.vault)? {
                held.push(*rank);
            }
        }
        Ok(Ranks::of(members, held))
    }

    /// What the outer step over `accepted` makes of the model that the round began from: stored, and with its checkpoint
    /// where one is made of this round.
    ///
    /// # Errors
    /// A blob is missing, or nothing is accepted.
    pub fn outer(
        &mut self,
        round: u32,
        base: Option<ModelState>,
        accepted: &[H256],
    ) -> Result<ModelState> {
        let before = base.unwrap_or(self.start);
        let inner = &mut self.trainer.inner;
        let (model, shares) = outer_result(&before, accepted, inner, &self.vault)?;
        tracing::debug!(round, ?shares, "outer step");
        let state = store_model(&model, inner, &self.vault)?;
        let made = checkpoint::make(
            &self.vault.store,
            &self.made,
            inner,
            &self.terms,
            round,
            &model.params,
        )?;
        Ok(ModelState {
            checkpoint: made,
            ..state
        })
    }

    /// Forgets what rounds before `round` left behind and nobody is handed any more.
    ///
    /// # Errors
    /// The disk refuses.
    pub fn prune(&mut self, round: u32) -> Result<()> {
        Ok(self.member.prune(round)?)
    }

    /// Blobs that the state folder itself relies on.
    pub fn relies_on(&self) -> BTreeSet<H256> {
        let parts = |leaf: &StateLeaf| [leaf.params, leaf.first, leaf.second, leaf.residual];
        let settled = self.member.settled();
        let mut roots = BTreeSet::from([
            settled.model.params,
            settled.model.momentum,
            self.start.params,
            self.start.momentum,
        ]);
        roots.extend(settled.own.iter().flat_map(parts));
        if let Some(current) = self.member.current() {
            roots.extend(self.shared(current.plan.round));
        }
        roots
    }
}

/// Removes the state folder of a run that is over, and every blob that only it knows.
///
/// # Errors
/// The disk refuses.
pub fn clear(folder: &Path, vault: &Vault) -> Result<()> {
    member::clear(folder, vault)?;
    match std::fs::remove_dir_all(folder) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            Err(error).with_context(|| format!("removing {}", folder.display()))
        }
        _ => Ok(()),
    }
}

impl Turns for Arc<tokio::sync::Semaphore> {
    fn take(&self) -> Turn {
        let runtime = tokio::runtime::Handle::try_current();
        let permit = runtime
            .ok()
            .and_then(|runtime| runtime.block_on(self.clone().acquire_owned()).ok());
        Box::new(permit)
    }
}
