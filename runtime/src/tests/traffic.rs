//! Everything that anybody may do to the chain, by chance: honest work, sloth, lies and nonsense.

mod operators;

use super::world::*;
use crate::{
    AccountId, Balance, Balances, Runtime, RuntimeCall, RuntimeEvent, RuntimeOrigin, System,
};
use chasqui_primitives::{
    audit::{Evidence, HardReason, Stage, Verdict},
    money::Shares,
    sampling::Sampling,
    trace::encode_trace,
    CaseId, FinishReason, JobClass, JobId, JobStage, Output, Prompt, Roles, DOT,
};
use sp_core::H256;
use sp_runtime::{DispatchError, Perbill};
use std::collections::BTreeMap;

/// A generator of its own, so that a seed means the same sequence for ever.
pub struct Dice(pub u64);

impl Dice {
    fn next(&mut self) -> u64 {
        // SplitMix64.
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    pub fn below(&mut self, limit: usize) -> usize {
        (self.next() % limit.max(1) as u64) as usize
    }

    pub fn chance(&mut self, percent: usize) -> bool {
        self.below(100) < percent
    }

    pub fn pick<T: Clone>(&mut self, from: &[T]) -> Option<T> {
        (!from.is_empty()).then(|| from[self.below(from.len())].clone())
    }

    fn person(&mut self) -> u8 {
        self.below(usize::from(PEOPLE)) as u8
    }
}

/// What a sequence has seen.
#[derive(Default)]
pub struct Seen {
    /// By call: how often it succeeded and failed.
    pub calls: BTreeMap<String, (u32, u32)>,
    /// Endings of jobs and consequences, by name.
    pub endings: BTreeMap<String, u32>,
}

impl Seen {
    pub fn add(&mut self, other: Seen) {
        for (name, (good, bad)) in other.calls {
            let sum = self.calls.entry(name).or_default();
            *sum = (sum.0 + good, sum.1 + bad);
        }
        for (name, count) in other.endings {
            *self.endings.entry(name).or_default() += count;
        }
    }
}

/// An auditor's sealed verdict, as it keeps it until the reveal.
type Secret = (CaseId, AccountId, Verdict, Evidence, [u8; 32]);

/// A chain under random traffic.
pub struct Traffic {
    dice: Dice,
    secrets: Vec<Secret>,
    answers: BTreeMap<JobId, Vec<u32>>,
    issuance: Balance,
    pub seen: Seen,
}

/// Blocks within which a job ends whatever anybody does, by the widest parameters that traffic sets:
/// four executors, each with a draw, an acknowledgement and a computation; then four draws of an
/// audit; then the longest case, or the dispute window.
const LONGEST_JOB: u32 = 4 * (3 + WIDE + 2 * WIDE) + 4 * 3 + (4 * WIDE * 3 + 2 * WIDE + 16) + 40;
/// The longest window that traffic sets.
const WIDE: u32 = 6;

fn job_params(wide: u32, redraws: u32) -> pallet_jobs::Params<u32> {
    pallet_jobs::Params {
        acknowledge_blocks: wide,
        compute_base_blocks: wide,
        compute_tokens_per_block: 16,
        dispute_blocks: wide,
        max_redraws: redraws,
        max_tokens: 32,
        ..Default::default()
    }
}

fn audit_params(wide: u32, seats: u32) -> pallet_audits::Params {
    pallet_audits::Params {
        seats,
        commit_blocks: wide,
        reveal_blocks: wide,
        vote_commit_blocks: wide,
        vote_reveal_blocks: wide,
        opening_blocks: wide,
        redraw_blocks: wide,
        ..Default::default()
    }
}

fn operator_params(epoch_blocks: u32) -> pallet_operators::Params {
    pallet_operators::Params {
        epoch_blocks,
        // Outlives the longest case.
        index_retention: 9,
        unbonding_blocks: 9 * epoch_blocks,
        ..pallet_operators::Params::development()
    }
}

fn checkpoint_params(calibrators: u32) -> pallet_checkpoints::Params {
    pallet_checkpoints::Params {
        calibrators,
        calibrate_blocks: 5,
        max_rounds: 3,
        ..Default::default()
    }
}

impl Traffic {
    /// Traffic on the running chain: three executors, six validators and an accepted checkpoint.
    pub fn new(seed: u64) -> Self {
        dispatch(
            RuntimeOrigin::root(),
            pallet_operators::Call::<Runtime>::set_params {
                params: operator_params(12),
            },
        )
        .unwrap();
        network(3, 6, 1_000_003);
        for call in [
            RuntimeCall::from(pallet_jobs::Call::<Runtime>::set_params {
                params: job_params(WIDE, 3),
            }),
            pallet_audits::Call::<Runtime>::set_params {
                params: audit_params(WIDE, 3),
            }
            .into(),
            pallet_checkpoints::Call::<Runtime>::set_params {
                params: checkpoint_params(2),
            }
            .into(),
        ] {
            dispatch(RuntimeOrigin::root(), call).unwrap();
        }
        Self {
            dice: Dice(seed),
            secrets: Vec::new(),
            answers: BTreeMap::new(),
            issuance: Balances::total_issuance(),
            seen: Seen::default(),
        }
    }

    /// One thing happens; then everything that must always hold is checked.
    pub fn step(&mut self) {
        System::reset_events();
        if self.dice.chance(9) {
            let blocks = if self.dice.chance(8) { 12 } else { 1 };
            for _ in 0..blocks {
                next_block();
                self.count();
            }
        } else {
            let (origin, call) = self.anything();
            self.try_call(origin, call);
            self.count();
        }
        self.check();
    }

    /// Nobody does anything any more: every job ends all the same.
    pub fn wind_up(&mut self) {
        for _ in 0..LONGEST_JOB {
            next_block();
            self.count();
        }
        self.check();
        let live: Vec<_> = pallet_jobs::Jobs::<Runtime>::iter().collect();
        assert!(live.is_empty(), "jobs that never end: {live:?}");
        let cases = pallet_audits::Cases::<Runtime>::iter_keys().count();
        assert_eq!(cases, 0, "cases that never close");
    }

    fn check(&mut self) {
        check_state();
        assert_eq!(
            Balances::total_issuance(),
            self.issuance,
            "DOT came or went"
        );
        let now = System::block_number();
        for (id, job) in pallet_jobs::Jobs::<Runtime>::iter() {
            assert!(
                now <= job.submitted_at + LONGEST_JOB,
                "job {id} of block {} is {:?} at block {now}",
                job.submitted_at,
                job.stage
            );
        }
    }

    /// Notes what the events tell, and takes lost dust off the sum of all DOT.
    fn count(&mut self) {
        for record in System::events() {
            let name = match &record.event {
                RuntimeEvent::Balances(pallet_balances::Event::DustLost { amount, .. }) => {
                    self.issuance -= amount;
                    "dust".into()
                }
                RuntimeEvent::Jobs(event) => match event {
                    pallet_jobs::Event::Settled { audited, .. } => format!("settled {audited}"),
                    pallet_jobs::Event::Refunded { reason, .. } => format!("refunded {reason:?}"),
                    pallet_jobs::Event::Expired { reason, .. } => format!("expired {reason:?}"),
                    pallet_jobs::Event::AuditPostponed { .. } => "audit postponed".into(),
                    _ => continue,
                },
                RuntimeEvent::Operators(event) => match event {
                    pallet_operators::Event::Slashed { offence, .. } => {
                        format!("slashed {offence:?}")
                    }
                    pallet_operators::Event::LienForfeited { .. } => "lien forfeited".into(),
                    pallet_operators::Event::ReputationChanged { .. } => "reputation".into(),
                    _ => continue,
                },
                RuntimeEvent::Audits(event) => match event {
                    pallet_audits::Event::OpeningDemanded { .. } => "opening demanded".into(),
                    pallet_audits::Event::SeatsRedrawn { .. } => "seats redrawn".into(),
                    pallet_audits::Event::StageTwoExtended { .. } => "vote extended".into(),
                    _ => continue,
                },
                RuntimeEvent::Rewards(pallet_rewards::Event::Forfeited { .. }) => {
                    "revenue forfeited".into()
                }
                _ => continue,
            };
            *self.seen.endings.entry(name).or_default() += 1;
        }
        System::reset_events();
    }

    fn try_call(&mut self, origin: RuntimeOrigin, call: RuntimeCall) {
        use frame_support::traits::GetCallMetadata;
        let metadata = call.get_call_metadata();
        let name = format!("{}::{}", metadata.pallet_name, metadata.function_name);
        let result: Result<(), DispatchError> = dispatch(origin, call);
        let (good, bad) = self.seen.calls.entry(name).or_default();
        *if result.is_ok() { good } else { bad } += 1;
    }

    fn anything(&mut self) -> (RuntimeOrigin, RuntimeCall) {
        let (mut who, mut call) = match self.dice.below(100) {
            0..=5 => self.client(),
            6..=18 => self.executor(),
            19..=73 => self.auditor(),
            74..=83 => self.operator(),
            84..=90 => self.proposer(),
            91..=94 => self.claimant(),
            95 => self.payer(),
            _ => return self.admin(),
        };
        // Anybody may try what is not theirs to do.
        if self.dice.chance(6) {
            who = self.somebody();
        }
        if self.dice.chance(1) {
            call = self.admin().1;
        }
        (RuntimeOrigin::signed(who), call)
    }

    /// An account or a hot key.
    fn somebody(&mut self) -> AccountId {
        let n = self.dice.person();
        if self.dice.chance(20) {
            hot_key(n)
        } else {
            person(n)
        }
    }

    fn client(&mut self) -> (AccountId, RuntimeCall) {
        let who = self.somebody();
        if self.dice.chance(15) {
            let jobs: Vec<_> = pallet_jobs::Jobs::<Runtime>::iter()
                .map(|(job, record)| (job, record.client))
                .collect();
            let (job, client) = self.dice.pick(&jobs).unwrap_or((77, who));
            return (client, pallet_jobs::Call::cancel { job }.into());
        }
        let prompt = match self.dice.below(10) {
            0 => Prompt::Text(vec![b'a'; 1 + self.dice.below(40)].try_into().unwrap()),
            1 | 2 => Prompt::Blob {
                root: H256::repeat_byte(1),
                prompt_hash: H256::repeat_byte(2),
                prompt_tokens: self.dice.below(40) as u32,
            },
            3 => Prompt::Ids(vec![self.dice.below(110) as u32; 3].try_into().unwrap()),
            _ => Prompt::Ids(PROMPT.to_vec().try_into().unwrap()),
        };
        let mut sampling = Sampling::greedy(1 + self.dice.below(12) as u32);
        if self.dice.chance(4) {
            sampling.max_tokens = [0, 33, u32::MAX][self.dice.below(3)];
        }
        let call = pallet_jobs::Call::submit {
            checkpoint: root(if self.dice.chance(95) { 0 } else { 1 }),
            prompt,
            salt: SALT,
            sampling,
            max_price: if self.dice.chance(97) {
                Balance::MAX
            } else {
                5
            },
            class: if self.dice.chance(15) {
                JobClass::Premium
            } else {
                JobClass::Standard
            },
        };
        (who, call.into())
    }

    /// An executor's answer; some jobs are better not answered at all.
    fn executor(&mut self) -> (AccountId, RuntimeCall) {
        let jobs: Vec<_> = pallet_jobs::Assignments::<Runtime>::iter()
            .filter(|(_, job, ())| {
                let stage = status(*job).stage;
                matches!(stage, JobStage::Assigned | JobStage::Acknowledged) && job % 8 != 7
            })
            .collect();
        let Some((executor, job, ())) = self.dice.pick(&jobs) else {
            return if self.dice.chance(50) {
                self.client()
            } else {
                self.operator()
            };
        };
        let record = live(job);
        let tokens = 1 + self.dice.below(record.sampling.max_tokens as usize);
        let mut ids = vec![40u32; record.sampling.max_tokens as usize];
        if tokens < ids.len() {
            ids.truncate(tokens);
            ids[tokens - 1] = 0;
        }
        let mut answer = commitment(job, &ids);
        let mine = match self.dice.below(10) {
            0 | 1 => pallet_jobs::Call::acknowledge {
                job,
                prompt_hash: answer.prompt_hash,
                prompt_tokens: answer.prompt_tokens + u32::from(self.dice.chance(10)),
            },
            2 => pallet_jobs::Call::refuse {
                job,
                reason: [
                    pallet_jobs::RefusalReason::PromptMissing,
                    pallet_jobs::RefusalReason::Busy,
                    pallet_jobs::RefusalReason::ModelUnavailable,
                ][self.dice.below(3)],
            },
            _ => {
                match self.dice.below(30) {
                    0 => answer.price += 1,
                    1 => answer.output_hash = H256::zero(),
                    2 => answer.output_tokens += 1,
                    3 => answer.finish = FinishReason::Cancelled,
                    4 => answer.prompt_hash = H256::zero(),
                    5 => answer.trace_root = H256::zero(),
                    6 => answer.output = Output::Blob(H256::repeat_byte(4)),
                    _ => {
                        self.answers.insert(job, ids);
                    }
                }
                pallet_jobs::Call::commit {
                    job,
                    commitment: answer,
                }
            }
        };
        (executor, mine.into())
    }

    fn proposer(&mut self) -> (AccountId, RuntimeCall) {
        use pallet_checkpoints::Call;
        let duties: Vec<_> = pallet_checkpoints::CalibrationDuties::<Runtime>::iter().collect();
        if let (Some((validator, root, ())), true) = (self.dice.pick(&duties), self.dice.chance(60))
        {
            let mut thresholds = thresholds(1 + self.dice.below(1_000) as u32);
            if self.dice.chance(10) {
                thresholds.clip_micro = 0;
            }
            return (
                validator,
                Call::<Runtime>::calibrate { root, thresholds }.into(),
            );
        }
        let root = root(1 + self.dice.below(2) as u8);
        let proposer = pallet_checkpoints::Registry::<Runtime>::get(root)
            .and_then(|checkpoint| checkpoint.proposer)
            .unwrap_or_else(|| self.somebody());
        let call: Call<Runtime> = match self.dice.below(8) {
            0..=4 => {
                let mut info = info();
                if self.dice.chance(10) {
                    info.vocabulary = 0;
                }
                Call::propose { root, info }
            }
            5 | 6 => Call::restart_calibration { root },
            _ => Call::withdraw_proposal { root },
        };
        (proposer, call.into())
    }

    fn claimant(&mut self) -> (AccountId, RuntimeCall) {
        let owed: Vec<_> = pallet_rewards::OpenEpochs::<Runtime>::iter_keys().collect();
        let (who, epoch) = self
            .dice
            .pick(&owed)
            .unwrap_or_else(|| (self.somebody(), 0));
        (who, pallet_rewards::Call::claim { epoch }.into())
    }

    fn payer(&mut self) -> (AccountId, RuntimeCall) {
        let (who, to) = (self.somebody(), self.somebody());
        let dest = if self.dice.chance(80) {
            to
        } else {
            // Money that nobody owes anybody.
            crate::Rewards::pot_account()
        };
        let call = if self.dice.chance(85) {
            pallet_balances::Call::transfer_allow_death {
                dest: dest.into(),
                value: DOT * self.dice.below(2_000) as Balance,
            }
        } else {
            pallet_balances::Call::transfer_all {
                dest: dest.into(),
                keep_alive: self.dice.chance(50),
            }
        };
        (who, call.into())
    }

    fn admin(&mut self) -> (RuntimeOrigin, RuntimeCall) {
        let wide = 1 + self.dice.below(WIDE as usize) as u32;
        let kind = self.dice.below(24);
        // What may succeed, mostly.
        let candidates: Vec<_> = pallet_checkpoints::Registry::<Runtime>::iter()
            .filter(|(name, checkpoint)| match checkpoint.status {
                pallet_checkpoints::Status::Calibrated => !(16..=19).contains(&kind),
                pallet_checkpoints::Status::Accepted => kind > 16 && *name != root(0),
                _ => false,
            })
            .map(|(root, _)| root)
            .collect();
        let any = root(self.dice.below(3) as u8);
        let root = match self.dice.pick(&candidates) {
            Some(candidate) if self.dice.chance(70) => candidate,
            _ => any,
        };
        let unit_price = 1_000_003 * self.dice.below(4) as Balance;
        let small = self.dice.below(5) as u32;
        let call: RuntimeCall = match kind {
            0 => pallet_operators::Call::set_params {
                params: operator_params(12 + small),
            }
            .into(),
            1 => pallet_operators::Call::set_params {
                params: pallet_operators::Params {
                    epoch_blocks: 0,
                    ..operator_params(12)
                },
            }
            .into(),
            2 | 3 => pallet_jobs::Call::set_params {
                params: job_params(wide, small),
            }
            .into(),
            4 => pallet_jobs::Call::set_params {
                params: job_params(0, 1),
            }
            .into(),
            5 | 6 => pallet_audits::Call::set_params {
                params: audit_params(wide, small),
            }
            .into(),
            7 => pallet_checkpoints::Call::set_params {
                params: checkpoint_params(small),
            }
            .into(),
            8 | 9 => pallet_rewards::Call::set_shares {
                shares: Shares {
                    poi: Perbill::from_percent(50 + small),
                    poc: Perbill::from_percent(25 - small),
                    ..Shares::default()
                },
            }
            .into(),
            10 => pallet_rewards::Call::set_shares {
                shares: Shares {
                    fund: Perbill::zero(),
                    ..Shares::default()
                },
            }
            .into(),
            11..=15 | 20..=23 => pallet_checkpoints::Call::accept { root }.into(),
            16 => pallet_checkpoints::Call::reject { root }.into(),
            17 | 18 => price_bounds(unit_price).into(),
            // The checkpoint that jobs are for is retired last, and rarely.
            _ if root == super::world::root(0) && self.dice.chance(95) => {
                price_bounds(unit_price).into()
            }
            _ => pallet_checkpoints::Call::retire { root }.into(),
        };
        (RuntimeOrigin::root(), call)
    }
}

/// Bounds that the price comes to lie in at the next census; none at all for nothing.
fn price_bounds(unit_price: Balance) -> pallet_economy::Call<Runtime> {
    pallet_economy::Call::set_params {
        params: pallet_economy::Params {
            lowest_price: unit_price,
            highest_price: unit_price.saturating_mul(2),
            ..pallet_economy::Parameters::<Runtime>::get()
        },
    }
}
