//! Carries out what follows from an event for others.

#![deny(
    clippy::arithmetic_side_effects,
    clippy::indexing_slicing,
    clippy::unwrap_used,
    clippy::expect_used
)]

use crate::{functions::MachineOf, *};
use chasqui_primitives::{
    audit::Subject,
    training::{round::pay, Draw, Drawn, Effect},
    traits::{AuditRecord, CaseRequest, Offence, Opened},
};
use frame_support::storage::with_storage_layer;
use sp_runtime::DispatchError;

impl<T: Config> Pallet<T> {
    /// Carries out what follows. Returns what that cost. Fails only where a bond cannot answer for what its operator did
    /// in a call.
    pub(crate) fn carry_out(
        id: RunId,
        terms: &RunTerms,
        around: &mut Surroundings<T::AccountId>,
        machine: &mut MachineOf<T>,
        auditors: &[T::AccountId],
    ) -> Result<Weight, DispatchError> {
        let mut spent = Weight::zero();
        // What is told to the machine here may have effects itself.
        while !machine.effects.is_empty() {
            for effect in core::mem::take(&mut machine.effects) {
                let cost = match effect {
                    Effect::OpenCase { round, rank, who } => {
                        let (case, cost) =
                            Self::open_case(id, terms, around.root, round, rank, who);
                        let told = machine.opened(round, rank, case);
                        Self::expect_told(id, told.is_ok());
                        cost
                    }
                    Effect::OpenChallenge {
                        round,
                        seed,
                        challenger,
                        accused,
                    } => {
                        let request = CaseRequest {
                            subject: Subject::TrainingOuter { run: id, round },
                            operator: accused,
                            client: Some(challenger),
                            checkpoint: around.root,
                            seed,
                            // The outer step has the same bits everywhere.
                            evidence_tau: 0,
                            price: terms.round_pay,
                        };
                        let (case, cost) = Self::open(request);
                        if let Some(case) = case {
                            Self::deposit_event(Event::ChallengeInAudit {
                                run: id,
                                round,
                                case,
                            });
                        }
                        let told = machine.challenge_opened(round, case, Self::now());
                        Self::expect_told(id, told.is_ok());
                        cost
                    }
                    effect => Self::carry_out_one(id, terms, around, effect, auditors)?,
                };
                spent = spent.saturating_add(cost);
            }
        }
        Ok(spent)
    }

    fn expect_told(id: RunId, told: bool) {
        if !told {
            log::error!(target: LOG_TARGET, "run {id} does not wait for the case that it asked for");
        }
    }

    pub(crate) fn carry_out_one(
        run: RunId,
        terms: &RunTerms,
        around: &mut Surroundings<T::AccountId>,
        effect: Effect<T::AccountId>,
        auditors: &[T::AccountId],
    ) -> Result<Weight, DispatchError> {
        let mut cost = Weight::zero();
        match effect {
            Effect::OpenCase { .. } | Effect::OpenChallenge { .. } => {}
            Effect::Announce(draw) => Self::announce(around, draw),
            Effect::Hold(who) => {
                T::Operators::add_liability(&who)?;
                Self::change_seat(run, &who, |seat| {
                    seat.contributions = seat.contributions.saturating_add(1)
                });
            }
            Effect::Free(who) => {
                T::Operators::remove_liability(&who);
                Self::change_seat(run, &who, |seat| {
                    seat.contributions = seat.contributions.saturating_sub(1)
                });
                cost = T::WeightInfo::free();
            }
            Effect::Duty { who, kept } => {
                T::Operators::record_duty(&who, kept);
                cost = T::WeightInfo::duty();
            }
            Effect::Slash {
                who,
                round,
                reporter,
            } => {
                let amount = T::Operators::slash(
                    &who,
                    Offence::FalseResult,
                    None,
                    reporter.as_ref(),
                    auditors,
                );
                T::Operators::record_audit(&who, AuditRecord::Hard);
                Self::deposit_event(Event::Slashed {
                    run,
                    round,
                    who,
                    amount,
                });
                cost = T::WeightInfo::slash();
            }
            Effect::Pay {
                who,
                round,
                amount,
                units,
            } => {
                Self::pay(run, terms, who, round, amount, units);
                cost = T::WeightInfo::pay();
            }
            Effect::Deposit { challenger, back } => {
                Self::close_challenge(run, around, challenger, back);
                cost = T::WeightInfo::free();
            }
            Effect::Activated(who) => Self::deposit_event(Event::Activated { run, who }),
            Effect::Dropped { who, exit } => {
                // Who is banned stays on its list until the run is over.
                if exit != Exit::Convicted {
                    Self::change_seat(run, &who, |seat| seat.member = false);
                }
                Self::deposit_event(Event::Dropped { run, who, exit });
                cost = T::WeightInfo::free();
            }
            Effect::RoundBegan {
                round,
                members,
                first_sequence,
            } => Self::deposit_event(Event::RoundBegan {
                run,
                round,
                members,
                first_sequence,
            }),
            Effect::RoundAgreed { round, model } => {
                Self::deposit_event(Event::RoundAgreed { run, round, model })
            }
            Effect::RoundVoid { round } => Self::deposit_event(Event::RoundVoid { run, round }),
            Effect::RoundFinal { round, model } => {
                if !model.checkpoint.is_zero() {
                    around.made = Some(Made {
                        round,
                        root: model.checkpoint,
                    });
                }
                Self::deposit_event(Event::RoundFinal { run, round, model });
            }
            Effect::RoundUndone { round } => Self::deposit_event(Event::RoundUndone { run, round }),
            Effect::Ended(failed) => {
                Self::end(run, terms, around, failed);
                cost = T::WeightInfo::end();
            }
        }
        Ok(cost)
    }

    /// Has a seed decide that does not exist yet.
    pub(crate) fn announce(around: &mut Surroundings<T::AccountId>, draw: Draw) {
        let awaited = AwaitedSeed {
            draw,
            due: T::Randomness::next_due(),
        };
        match draw.of {
            Drawn::Ranks | Drawn::Segments => around.seed = Some(awaited),
            Drawn::Panel => around.panel = Some(awaited),
        }
    }

    /// Opens a case, or leaves everything as it was. Returns what that cost.
    fn open(request: CaseRequest<T::AccountId>) -> (Option<CaseId>, Weight) {
        match with_storage_layer(|| T::Cases::open(request)) {
            Ok(Opened { case, passed_over }) => (
                Some(case),
                T::WeightInfo::open_case().saturating_add(passed_over),
            ),
            Err(error) => {
                log::debug!(target: LOG_TARGET, "no case can be opened: {error:?}");
                (
                    None,
                    T::WeightInfo::open_case().saturating_add(T::Cases::most_passed_over()),
                )
            }
        }
    }

    pub(crate) fn open_case(
        run: RunId,
        terms: &RunTerms,
        root: H256,
        round: u32,
        rank: u32,
        who: T::AccountId,
    ) -> (Option<CaseId>, Weight) {
        let Some((seed, members)) = Rounds::<T>::get(run, round)
            .and_then(|record| Some((record.audit_seed?, record.members)))
        else {
            log::error!(target: LOG_TARGET, "round {round} of run {run} has no seed for its audits");
            return (None, T::WeightInfo::open_case());
        };
        let request = CaseRequest {
            subject: Subject::Training { run, round, rank },
            operator: who.clone(),
            // Done for all members, of whom nobody judges: see `is_interested`.
            client: None,
            checkpoint: root,
            seed,
            evidence_tau: terms.audit.evidence_tau,
            price: pay(terms, members, terms.recipe.tokens_per_round()),
        };
        let (case, cost) = Self::open(request);
        if let Some(case) = case {
            Self::deposit_event(Event::InAudit {
                run,
                round,
                rank,
                who,
                case,
            });
        }
        (case, cost)
    }

    /// Pays a member's owner, or the member where its owner cannot hold so little.
    fn pay(
        run: RunId,
        terms: &RunTerms,
        who: T::AccountId,
        round: u32,
        amount: Balance,
        units: u64,
    ) {
        let owner = T::Operators::owner(&who).unwrap_or_else(|| who.clone());
        let to = |account: &T::AccountId| with_storage_layer(|| T::Fund::pay(run, account, amount));
        match to(&owner).or_else(|_| to(&who)) {
            Ok(()) => {
                T::Datasets::credit(&terms.dataset, run, amount, units);
                Self::deposit_event(Event::Paid {
                    run,
                    round,
                    who,
                    amount,
                    units,
                });
            }
            Err(error) => {
                log::warn!(target: LOG_TARGET, "{who:?} is not paid for run {run}: {error:?}");
                Self::deposit_event(Event::NotPaid {
                    run,
                    round,
                    who,
                    amount,
                });
            }
        }
    }

    fn close_challenge(
        run: RunId,
        around: &mut Surroundings<T::AccountId>,
        who: T::AccountId,
        back: bool,
    ) {
        around.panel = None;
        let Some(Challenge { by, deposit }) = around.challenge.take() else {
            log::error!(target: LOG_TARGET, "a challenge of run {run} without a deposit");
            return;
        };
        let back = if back {
            Self::give_back(HoldReason::Challenge, &by, deposit);
            true
        } else {
            !Self::forfeit(HoldReason::Challenge, &by, deposit)
        };
        Self::deposit_event(Event::ChallengeClosed { run, who, back });
    }

    fn end(
        run: RunId,
        terms: &RunTerms,
        around: &mut Surroundings<T::AccountId>,
        failed: Option<Failure>,
    ) {
        let returned = T::Fund::release(run);
        T::Datasets::end_use(&terms.dataset, run);
        Live::<T>::mutate(|live| live.retain(|id| *id != run));
        Roots::<T>::remove(around.root);
        around.ended_at = Some(Self::now());
        around.seed = None;
        around.panel = None;
        Self::deposit_event(Event::Ended {
            run,
            failed,
            returned,
        });
    }

    /// What a case says of a member's record, beside what the machine makes of it.
    pub(crate) fn record_audit(
        who: &T::AccountId,
        units: u64,
        decision: Decision,
        auditors: &[T::AccountId],
    ) {
        match decision {
            Decision::Valid => {
                T::Operators::record_audit(who, AuditRecord::Valid { units });
            }
            Decision::Soft => {
                if T::Operators::record_audit(who, AuditRecord::Soft) {
                    T::Operators::slash(who, Offence::RepeatedSoft, None, None, auditors);
                }
            }
            // The machine has it slashed.
            Decision::Hard(_) | Decision::Undecided => {}
        }
    }
}
