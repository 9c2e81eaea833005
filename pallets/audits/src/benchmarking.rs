//! Benchmarks.

use crate::{
    Agenda, Ballot, Ballots, Call, Case, Cases, Config, Duties, History, NextCase, Openings,
    Pallet, Parameters, Params, Phase, Seat, Totals, Vote,
};
use alloc::vec::Vec;
use chasqui_primitives::{
    audit::{self, Evidence, Stage, Subject, Tally, Verdict, EVIDENCE_DIMS},
    draw::MAX_CANDIDATES,
    traits::{Electorate, Operators},
    CaseId, CheckpointRoot, MAX_OPENING_BYTES,
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
    /// Has the first `validators` of them serve a checkpoint, and freezes their weights.
    fn electorate(validators: u32) -> CheckpointRoot;
    /// An operator with a subject of its own, and an opening of about `bytes` bytes that matches
    /// it. `None` skips the benchmark of `post_opening`.
    fn opening(bytes: u32) -> Option<(AccountId, Subject, Vec<u8>)> {
        let _ = bytes;
        None
    }
}

const ID: CaseId = 0;
const SALT: [u8; 32] = [7; 32];
/// Missed duties of a new operator after which another is significant, by the default parameters.
const MISSED_BEFORE: u32 = 4;

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
fn vote_of<T: Config>(case: &mut Case<T>, voters: u32) -> T::AccountId {
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

/// Gives `voters` validators ballots in stage two; only the last has voted, and its weight decides.
fn vote_of_last<T: Config>(case: &mut Case<T>, voters: u32) -> T::AccountId {
    let last = vote_of::<T>(case, voters);
    case.phase = Phase::Reveal {
        until: Pallet::<T>::after(1),
    };
    case.tally = Tally::default();
    case.tally.add(&Verdict::Valid, u64::from(voters));
    case.commits = 1;
    case.reveals = 1;
    for index in 0..voters {
        let voter = T::BenchmarkHelper::validator(index);
        let voted = voter == last;
        if !voted {
            warn::<T>(&voter);
            Duties::<T>::insert(&voter, ID, Stage::Two);
        } else {
            Duties::<T>::remove(&voter, ID);
        }
        let ballot = Ballot {
            weight: if voted { u64::from(voters) } else { 1 },
            commitment: voted.then(|| commitment::<T>(Stage::Two, &voter)),
            vote: voted.then(|| Vote {
                round: case.round,
                verdict: Verdict::Valid,
                evidence: evidence(),
            }),
        };
        Ballots::<T>::insert(ID, &voter, ballot);
    }
    last
}

/// Leaves an operator with as many missed duties as are forgiven: the next one is slashed.
fn warn<T: Config>(who: &T::AccountId) {
    for _ in 0..MISSED_BEFORE {
        T::Operators::record_duty(who, false);
    }
}

/// An open case that the electorate of `checkpoint` may vote on.
fn case_of<T: Config>(checkpoint: CheckpointRoot) -> Case<T> {
    let mut case = open_case::<T>(account("executor", 0, 0), 1);
    case.checkpoint = checkpoint;
    case.electorate = T::Operators::electorate(&checkpoint, &case.parties());
    case
}

#[benchmarks]
mod benchmarks {
    use super::*;

    #[benchmark]
    fn commit() {
        let mut case = open_case::<T>(account("executor", 0, 0), 10);
        let voter = vote_of::<T>(&mut case, 10);
        let until = Pallet::<T>::after(10);
        store::<T>(case, until);

        #[extrinsic_call]
        _(RawOrigin::Signed(voter.clone()), ID, H256::repeat_byte(3));

        assert!(Ballots::<T>::get(ID, voter).is_some_and(|ballot| ballot.commitment.is_some()));
    }

    #[benchmark]
    fn reveal() {
        let mut case = open_case::<T>(account("executor", 0, 0), 10);
        let voter = vote_of::<T>(&mut case, 10);
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

    /// A panel of whom nobody came, each once too often.
    #[benchmark]
    fn dismiss() {
        let mut case = open_case::<T>(account("executor", 0, 0), 10);
        for seat in &case.seats {
            warn::<T>(&seat.auditor);
        }
        case.phase = Phase::Commit {
            until: Pallet::<T>::after(1),
        };
        let next = Pallet::<T>::now() + One::one();
        store::<T>(case, next);
        frame_system::Pallet::<T>::set_block_number(next);

        #[block]
        {
            Pallet::<T>::close_windows(next);
        }

        assert!(Cases::<T>::get(ID).is_some_and(|case| case.seats.is_empty()));
    }

    /// A vote that begins.
    #[benchmark]
    fn open_ballots(v: Linear<2, { T::MaxElectorate::get() }>) {
        let case = case_of::<T>(T::BenchmarkHelper::electorate(v));

        #[block]
        {
            Pallet::<T>::enter_stage_two(ID, case);
        }

        assert!(Ballots::<T>::iter_prefix(ID).count() >= v as usize);
    }

    /// A vote that decides: the case closes in stage two.
    #[benchmark]
    fn step_ballots(v: Linear<2, { T::MaxElectorate::get() }>) {
        let mut case = open_case::<T>(account("executor", 0, 0), v);
        vote_of::<T>(&mut case, v);
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

    /// A vote that one voter decides, while all others stay silent once too often.
    #[benchmark]
    fn punish_ballots(v: Linear<2, { T::MaxElectorate::get() }>) {
        let mut case = open_case::<T>(account("executor", 0, 0), v);
        let last = vote_of_last::<T>(&mut case, v);
        let next = Pallet::<T>::now() + One::one();
        store::<T>(case, next);
        frame_system::Pallet::<T>::set_block_number(next);

        #[block]
        {
            Pallet::<T>::close_windows(next);
        }

        assert!(!Cases::<T>::contains_key(ID));
        assert!(!Ballots::<T>::contains_key(ID, last));
    }

    /// An overturned flag.
    #[benchmark]
    fn forfeit_lien(v: Linear<1, { T::MaxElectorate::get() }>) {
        let case = open_case::<T>(account("executor", 0, 0), v);
        let flagger = T::BenchmarkHelper::validator(0);
        let voters: Vec<T::AccountId> = (1..=v).map(T::BenchmarkHelper::validator).collect();
        Cases::<T>::insert(ID, case);

        #[block]
        {
            Pallet::<T>::forfeit(ID, &flagger, 1_000_000_000_000, &voters);
        }
    }

    /// A panel that cannot be drawn: all `c` validators that are looked at are in jail.
    #[benchmark]
    fn draw_seats(c: Linear<1, { MAX_CANDIDATES }>) {
        let mut case = case_of::<T>(T::BenchmarkHelper::electorate(c));
        for index in 0..c {
            let validator = T::BenchmarkHelper::validator(index);
            warn::<T>(&validator);
            T::Operators::record_duty(&validator, false);
        }
        case.seats = Default::default();
        let seed = H256::repeat_byte(7);

        #[block]
        {
            let _ = Pallet::<T>::fill_seats(ID, &mut case, &seed);
        }

        assert!(case.seats.len() as u32 <= case.wanted);
    }

    impl_benchmark_test_suite!(Pallet, crate::mock::ext(), crate::mock::Test);
}
