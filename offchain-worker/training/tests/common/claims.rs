//! Rounds as a member, honest or not, claims them, and their audit.

use std::ops::ControlFlow;

use chasqui_primitives::audit::Verdict;
use chasqui_primitives::training::{Recipe, RoundReport, StateLeaf};
use chasqui_training::diloco::kept::KeptStates;
use chasqui_training::diloco::outer::pseudo_gradient;
use chasqui_training::diloco::segment::{audit, encode_end, norm_milli, Audit, Claim, Rules};
use chasqui_training::diloco::state::{store_vector, TrainState};
use chasqui_training::diloco::{Blobs, Dataset, Inner, MemoryBlobs, RoundPlan};
use sp_core::H256;

use super::{dataset, inner, plan, start, TERMS};

/// One round of a run, its data, and somewhere to put blobs.
pub struct Court {
    pub data: Dataset,
    pub inner: Inner,
    pub blobs: MemoryBlobs,
    pub agreed: Vec<f32>,
    _dir: tempfile::TempDir,
}

/// What somebody claims, and the states behind it.
#[derive(Clone)]
pub struct Case {
    pub claim: Claim,
    pub leaves: Vec<StateLeaf>,
    /// Before the encoding.
    pub states: Vec<TrainState>,
}

impl Court {
    pub fn new(recipe: &Recipe) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let inner = inner(recipe, 2);
        Self {
            data: dataset(dir.path()),
            agreed: start(&inner).params,
            inner,
            blobs: MemoryBlobs::default(),
            _dir: dir,
        }
    }

    pub fn plan(&self, rank: u32) -> RoundPlan {
        plan(self.inner.recipe(), 0, 4, rank)
    }

    /// A member's first state of round 0.
    pub fn first(&self) -> TrainState {
        self.inner.shape().fresh(self.agreed.clone(), 0)
    }

    pub fn run(&mut self, state: TrainState, plan: &RoundPlan, from: u32, to: u32) -> TrainState {
        self.inner
            .run(state, plan, &self.data, from, to, |_| {
                ControlFlow::Continue(())
            })
            .unwrap()
    }

    /// The states of `plan` that honest training from `state` gives.
    pub fn train(&mut self, plan: &RoundPlan, state: TrainState) -> Vec<TrainState> {
        let steps = plan.kept_steps(self.inner.recipe());
        let mut states = vec![state];
        for pair in steps.windows(2) {
            let next = self.run(states.last().unwrap().clone(), plan, pair[0], pair[1]);
            states.push(next);
        }
        states
    }

    /// Commits to `states` as an honest member would.
    pub fn claim(&self, plan: RoundPlan, states: Vec<TrainState>) -> Case {
        let (gradient, last, bytes) = encode_end(
            &self.inner,
            &states[0].params,
            states.last().unwrap().clone(),
            &self.blobs,
        )
        .unwrap();
        let mut leaves: Vec<StateLeaf> = states[..states.len() - 1]
            .iter()
            .map(|state| state.store(&self.blobs).unwrap())
            .collect();
        leaves.push(last);
        let mut case = Case {
            claim: Claim {
                report: RoundReport {
                    gradient,
                    kept: H256::zero(),
                    leaves: 0,
                    tokens: self.inner.recipe().tokens_per_round(),
                    units: self.inner.recipe().tokens_per_round(),
                    loss_micro: 0,
                    norm_milli: norm_milli(&self.inner, &bytes).unwrap(),
                },
                agreed: store_vector(&self.blobs, &self.agreed).unwrap(),
                previous: None,
                plan,
            },
            leaves,
            states,
        };
        self.commit(&mut case);
        case
    }

    /// Commits to the leaves of `case` as they are.
    pub fn commit(&self, case: &mut Case) {
        let kept = KeptStates::new(case.leaves.clone());
        case.claim.report.kept = kept.root();
        case.claim.report.leaves = case.leaves.len() as u32;
        kept.store(&self.blobs).unwrap();
    }

    /// Sends `scale` times how far the last state is, instead of that.
    pub fn send_scaled(&self, case: &mut Case, scale: f32) {
        let end = case.states.last().unwrap();
        let mut delta = pseudo_gradient(&self.agreed, &end.params).unwrap();
        delta.iter_mut().for_each(|x| *x *= scale);
        let mut residual = end.residual.clone();
        let bytes = self.inner.coder().encode(&delta, &mut residual).unwrap();
        case.claim.report.gradient = self.blobs.put(&bytes).unwrap();
        case.leaves.last_mut().unwrap().residual = store_vector(&self.blobs, &residual).unwrap();
        self.commit(case);
    }

    pub fn honest(&mut self, rank: u32) -> Case {
        let plan = self.plan(rank);
        let states = self.train(&plan, self.first());
        self.claim(plan, states)
    }

    pub fn rules(&self, picked: &[u32]) -> Rules {
        Rules {
            picked: picked.to_vec(),
            same_class: true,
            terms: TERMS,
            before: Default::default(),
            seed: H256::repeat_byte(0x55),
        }
    }

    pub fn audit_with(&mut self, case: &Case, rules: &Rules) -> Audit {
        audit(&mut self.inner, &self.data, &case.claim, rules, &self.blobs).unwrap()
    }

    pub fn audit(&mut self, case: &Case, picked: &[u32]) -> Audit {
        let rules = self.rules(picked);
        self.audit_with(case, &rules)
    }

    pub fn verdict(&mut self, case: &Case, picked: &[u32]) -> Verdict {
        self.audit(case, picked).verdict
    }

    /// Which of the segments, audited alone, are found false.
    pub fn caught_at(&mut self, case: &Case) -> Vec<u32> {
        (0..self.inner.recipe().segments)
            .filter(|segment| matches!(self.verdict(case, &[*segment]), Verdict::Hard(_)))
            .collect()
    }
}
