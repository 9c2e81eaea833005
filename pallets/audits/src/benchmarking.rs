//! Benchmarks.

use crate::{
    Agenda, Ballot, Ballots, Call, Case, Cases, Config, Duties, History, NextCase, Openings,
    Pallet, Parameters, Params, Phase, Seat, Totals, Vote,
};
use alloc::vec::Vec;
use chasqui_primitives::{
    audit::{self, Evidence, Stage, Subject, Tally, Verdict, EVIDENCE_DIMS},
    traits::{Electorate, Operators},
    CaseId, MAX_OPENING_BYTES,
};
use frame_benchmarking::v2::*;
use frame_support::traits::{EnsureOrigin, Get};
use frame_system::{pallet_prelude::BlockNumberFor, RawOrigin};
use sp_core::H256;
use sp_runtime::traits::One;

/// What the benchmarks need of the runtime around the pallet.
pub trait BenchmarkHelper<AccountId> {
    /// Registers a bonded validator, another one for each index, and returns its bonded account.
    fn validator(index: u32) -> AccountId;
    /// An operator with a subject of its own, and an opening of about `bytes` bytes that matches
    /// it. `None` skips the benchmark of `post_opening`.
    fn opening(bytes: u32) -> Option<(AccountId, Subject, Vec<u8>)> {
        let _ = bytes;
        None
    }
}

const ID: CaseId = 0;
const SALT: [u8; 32] = [7; 32];

fn evidence() -> Evidence {
    (0..EVIDENCE_DIMS as i32)
        .collect::<Vec<_>>()
        .try_into()
        .unwrap_or_default()
}

/// An open case in stage one about the work of `operator`, with a full panel.
fn open_case<T: Config>(operator: T::AccountId, voters: u32) -> Case<T> {
    let until = Pallet::<T>::after(10);
    NextCase::<T>::put(ID + 1);
    Totals::<T>::mutate(|totals| totals.cases = 1);
    let mut case = Case::<T> {
        subject: Subject::Job(0),
        operator,
        client: None,
        checkpoint: H256::repeat_byte(1),
        evidence_tau: 1_000,
        price: 1,
        electorate: Electorate {
            epoch: 0,
            weight: u64::from(voters.max(1)),
            voters,
        },
        opened_at: Pallet::<T>::now(),
        stage: Stage::One,
        phase: Phase::Commit { until },
        round: 1,
        projection_seed: H256::zero(),
        wanted: T::MaxSeats::get(),
        seats: Default::default(),
        dismissed: Default::default(),
        flags: Default::default(),
        history: History::default(),
        tally: Tally::default(),
        withheld: 0,
        expected: 0,
        commits: 0,
        reveals: 0,
        wake: until,
    };
    for index in 0..T::MaxSeats::get() {
        let auditor = T::BenchmarkHelper::validator(index);
        let _ = T::Operators::add_liability(&auditor);
        Duties::<T>::insert(&auditor, ID, Stage::One);
        let _ = case.seats.try_push(Seat::new(auditor));
    }
    case
}

fn store<T: Config>(mut case: Case<T>, at: BlockNumberFor<T>) {
    Pallet::<T>::schedule(ID, &mut case, at);
    Cases::<T>::insert(ID, case);
}

/// A commitment to valid with the benchmarks' evidence and salt.
fn commitment<T: Config>(stage: Stage, auditor: &T::AccountId) -> H256 {
    audit::verdict_commitment(
        &Pallet::<T>::genesis(),
        ID,
        stage,
        auditor,
        &Verdict::Valid,
        &evidence(),
        &SALT,
    )
}

/// Gives `voters` validators ballots in stage two; all have voted but the last.
fn open_ballots<T: Config>(case: &mut Case<T>, voters: u32) -> T::AccountId {
    case.stage = Stage::Two;
    case.expected = voters;
    let mut last = case.operator.clone();
    for index in 0..voters {
        let voter = T::BenchmarkHelper::validator(index);
        let voted = index + 1 < voters;
        if voted {
            case.tally.add(&Verdict::Valid, 1);
            case.reveals += 1;
            case.commits += 1;
            Duties::<T>::remove(&voter, ID);
        } else {
            Duties::<T>::insert(&voter, ID, Stage::Two);
        }
        let ballot = Ballot {
            weight: 1,
            commitment: voted.then(|| commitment::<T>(Stage::Two, &voter)),
            vote: voted.then(|| Vote {
                round: case.round,
                verdict: Verdict::Valid,
                evidence: evidence(),
            }),
        };
        Ballots::<T>::insert(ID, &voter, ballot);
        last = voter;
    }
    last
}

#[benchmarks]
mod benchmarks {
    use super::*;

    #[benchmark]
    fn commit() {
        let mut case = open_case::<T>(account("executor", 0, 0), 10);
        let voter = open_ballots::<T>(&mut case, 10);
        let until = Pallet::<T>::after(10);
        store::<T>(case, until);

        #[extrinsic_call]
        _(RawOrigin::Signed(voter.clone()), ID, H256::repeat_byte(3));

        assert!(Ballots::<T>::get(ID, voter).is_some_and(|ballot| ballot.commitment.is_some()));
    }

    #[benchmark]
    fn reveal() {
        let mut case = open_case::<T>(account("executor", 0, 0), 10);
        let voter = open_ballots::<T>(&mut case, 10);
        case.phase = Phase::Reveal {
            until: Pallet::<T>::after(10),
        };
        case.commits += 1;
        Ballots::<T>::mutate(ID, &voter, |ballot| {
            if let Some(ballot) = ballot {
                ballot.commitment = Some(commitment::<T>(Stage::Two, &voter));
            }
        });
        let until = Pallet::<T>::after(10);
        store::<T>(case, until);

        #[extrinsic_call]
        _(
            RawOrigin::Signed(voter.clone()),
            ID,
            Verdict::Valid,
            evidence(),
            SALT,
        );

        assert!(Ballots::<T>::get(ID, voter).is_some_and(|ballot| ballot.vote.is_some()));
    }

    #[benchmark]
    fn post_opening(b: Linear<1, { MAX_OPENING_BYTES }>) -> Result<(), BenchmarkError> {
        let (operator, subject, opening) =
            T::BenchmarkHelper::opening(b).ok_or(BenchmarkError::Skip)?;
        let opening: crate::Opening = opening
            .try_into()
            .map_err(|_| BenchmarkError::Stop("opening too long"))?;
        let mut case = open_case::<T>(operator.clone(), 10);
        case.subject = subject;
        case.history.opening_demanded = true;
        case.phase = Phase::Opening {
            until: Pallet::<T>::after(10),
        };
        let until = Pallet::<T>::after(10);
        store::<T>(case, until);

        #[extrinsic_call]
        _(RawOrigin::Signed(operator), ID, opening);

        assert!(Openings::<T>::contains_key(ID));
        Ok(())
    }

    #[benchmark]
    fn set_params() -> Result<(), BenchmarkError> {
        let origin =
            T::AdminOrigin::try_successful_origin().map_err(|_| BenchmarkError::Weightless)?;
        let params = Params {
            seats: 1,
            ..Default::default()
        };

        #[extrinsic_call]
        _(origin as T::RuntimeOrigin, params.clone());

        assert_eq!(Parameters::<T>::get(), params);
        Ok(())
    }

    #[benchmark]
    fn agenda() {
        let now = Pallet::<T>::now();

        #[block]
        {
            Pallet::<T>::close_windows(now);
        }

        assert!(!Agenda::<T>::contains_key(now));
    }

    /// A panel that agrees: the case closes in stage one.
    #[benchmark]
    fn step() {
        let mut case = open_case::<T>(account("executor", 0, 0), 10);
        case.phase = Phase::Reveal {
            until: Pallet::<T>::after(1),
        };
        for seat in case.seats.iter_mut() {
            seat.commitment = Some(commitment::<T>(Stage::One, &seat.auditor));
            seat.reveal = Some((Verdict::Valid, evidence()));
        }
        case.commits = case.wanted;
        case.reveals = case.wanted;
        let next = Pallet::<T>::now() + One::one();
        store::<T>(case, next);
        frame_system::Pallet::<T>::set_block_number(next);

        #[block]
        {
            Pallet::<T>::close_windows(next);
        }

        assert!(!Cases::<T>::contains_key(ID));
    }

    /// A vote that decides: the case closes in stage two.
    #[benchmark]
    fn step_ballots(v: Linear<2, { T::MaxElectorate::get() }>) {
        let mut case = open_case::<T>(account("executor", 0, 0), v);
        open_ballots::<T>(&mut case, v);
        case.phase = Phase::Reveal {
            until: Pallet::<T>::after(1),
        };
        // Any voter may be silent, but not half of them.
        case.tally.valid = u64::from(v);
        let next = Pallet::<T>::now() + One::one();
        store::<T>(case, next);
        frame_system::Pallet::<T>::set_block_number(next);

        #[block]
        {
            Pallet::<T>::close_windows(next);
        }

        assert!(!Cases::<T>::contains_key(ID));
    }

    impl_benchmark_test_suite!(Pallet, crate::mock::ext(), crate::mock::Test);
}
