//! Datasets before the real audits: who judges, and what a verdict does.

use super::world::*;
use crate::{constants::money::DOT, AccountId, Audits, Balance, Datasets, Runtime, RuntimeEvent};
use chasqui_primitives::{
    audit::{Decision, HardReason, Stage, Verdict},
    traits::{DatasetTerms, Datasets as _},
    CaseId, DatasetId, ANY_CHECKPOINT,
};
use sp_core::H256;

/// Who submits: one of the validators.
const SUBMITTER: u8 = 0;
/// Validators besides.
const OTHERS: u8 = 6;
/// What is on hold for a dataset of less than a GiB.
const DEPOSIT: Balance = DOT + DOT / 10;
const FEE: Balance = DOT / 100;

fn dataset_root() -> H256 {
    H256::repeat_byte(0xDA)
}

fn terms() -> DatasetTerms {
    DatasetTerms {
        bytes: 72 + 2 * 50_000,
        tokens: 50_000,
        held_out: 500,
        vocabulary: 512,
        tokenizer: H256::repeat_byte(7),
    }
}

/// Validators with frozen weights; one of them submits a dataset, and a case about it opens.
fn submitted() -> (DatasetId, CaseId) {
    for n in 0..=OTHERS {
        register(n, VALIDATE);
    }
    await_epoch(current_epoch() + 2);
    let call = pallet_datasets::Call::<Runtime>::submit {
        root: dataset_root(),
        terms: terms(),
        licence: b"CC0-1.0".to_vec().try_into().unwrap(),
        description: b"Letters".to_vec().try_into().unwrap(),
    };
    send(&person(SUBMITTER), call).unwrap();
    let id = pallet_datasets::NextDataset::<Runtime>::get() - 1;
    (id, case_about(id))
}

fn case_about(id: DatasetId) -> CaseId {
    await_some(60, || {
        let entry = Datasets::undecided();
        let entry = entry.iter().find(|entry| entry.dataset == id)?;
        match entry.wait {
            pallet_datasets::Wait::Case(case) => Some(case),
            _ => None,
        }
    })
}

fn deposit() -> Balance {
    held(pallet_datasets::HoldReason::Submission, &person(SUBMITTER))
}

fn decided(case: CaseId) -> Option<Decision> {
    crate::System::events()
        .into_iter()
        .find_map(|record| match record.event {
            RuntimeEvent::Audits(pallet_audits::Event::CaseClosed {
                case: closed,
                decision,
                ..
            }) if closed == case => Some(decision),
            _ => None,
        })
}

/// Everybody with a duty commits to a verdict of its own and reveals it.
fn judge_each(case: CaseId, stage: Stage, verdict: impl Fn(&AccountId) -> Verdict) {
    let mut auditors: Vec<_> = pallet_audits::Duties::<Runtime>::iter()
        .filter(|(_, of, with)| *of == case && *with == stage)
        .map(|(auditor, ..)| auditor)
        .collect();
    auditors.sort();
    for auditor in &auditors {
        let commitment = sealed(case, stage, auditor, verdict(auditor), &evidence());
        let call = pallet_audits::Call::<Runtime>::commit { case, commitment };
        send(auditor, call).unwrap();
    }
    await_some(100, || {
        let case = Audits::case(case)?;
        matches!(case.phase, pallet_audits::Phase::Reveal { .. }).then_some(())
    });
    for auditor in &auditors {
        let call = pallet_audits::Call::<Runtime>::reveal {
            case,
            verdict: verdict(auditor),
            evidence: evidence(),
            salt: SALT,
        };
        send(auditor, call).unwrap();
    }
    next_block();
}

#[test]
fn all_validators_but_the_submitter_are_its_electorate() {
    chain(41).execute_with(|| {
        // GIVEN a dataset of somebody who is a validator itself
        let (id, case) = submitted();
        let opened = Audits::case(case).unwrap();
        assert_eq!(opened.checkpoint, ANY_CHECKPOINT);
        assert_eq!(opened.electorate.voters, u32::from(OTHERS));
        assert_eq!(deposit(), DEPOSIT - FEE);

        // WHEN a panel of others finds it valid
        let panel = judge(case, Stage::One, Verdict::Valid);
        assert_eq!(panel.len(), 3);
        assert!(!panel.contains(&person(SUBMITTER)));

        // THEN runs may use it
        assert_eq!(decided(case), Some(Decision::Valid));
        assert_eq!(Datasets::usable(&dataset_root()), Some(terms()));
        // AND a run that is paid for earns its contributor points
        Datasets::begin_use(&dataset_root(), 0).unwrap();
        Datasets::credit(&dataset_root(), 0, DOT, 5_000);
        let earned =
            pallet_rewards::Earnings::<Runtime>::get(current_epoch(), person(SUBMITTER)).unwrap();
        assert_eq!(earned.points, 5);
        let withdraw = pallet_datasets::Call::<Runtime>::withdraw { dataset: id };
        assert!(send(&person(SUBMITTER), withdraw.clone()).is_err());
        Datasets::end_use(&dataset_root(), 0);
        send(&person(SUBMITTER), withdraw).unwrap();
        assert_eq!(deposit(), 0);
        check_state();
    });
}

#[test]
fn false_statement_costs_half_of_the_deposit_and_no_bond() {
    chain(42).execute_with(|| {
        let (id, case) = submitted();
        let bond = held(pallet_operators::HoldReason::Bond, &person(SUBMITTER));
        let before = wealth(&person(SUBMITTER));

        // WHEN the panel, and then everybody, says that it is not what was stated
        let hard = Verdict::Hard(HardReason::Dataset);
        judge(case, Stage::One, hard);
        await_some(100, || {
            (Audits::case(case)?.stage == Stage::Two).then_some(())
        });
        assert_eq!(judge(case, Stage::Two, hard).len(), usize::from(OTHERS));

        // THEN half of what was left of the deposit is lost, and nothing of the bond
        assert_eq!(decided(case), Some(Decision::Hard(HardReason::Dataset)));
        assert_eq!(Datasets::dataset(id), None);
        let lost = (DEPOSIT - FEE) / 2;
        assert_eq!(wealth(&person(SUBMITTER)), before - lost);
        assert_eq!(
            held(pallet_operators::HoldReason::Bond, &person(SUBMITTER)),
            bond
        );
        let record = pallet_operators::Operators::<Runtime>::get(person(SUBMITTER)).unwrap();
        assert!(!matches!(
            record.status,
            pallet_operators::Status::Jailed { .. }
        ));
        check_state();
    });
}

#[test]
fn one_auditor_that_calls_it_withheld_demands_no_opening_and_pays_for_the_vote() {
    for verdict in [Verdict::Withheld, Verdict::Hard(HardReason::Withheld)] {
        chain(43).execute_with(|| {
            // GIVEN a panel of which one says that the dataset cannot be had
            let (_, case) = submitted();
            let panel = Audits::case(case).unwrap().seats;
            let liar = panel[0].auditor.clone();
            let said = |who: &AccountId| {
                if *who == liar {
                    verdict
                } else {
                    Verdict::Valid
                }
            };
            judge_each(case, Stage::One, said);

            // THEN nobody has to open anything: everybody votes
            let opened = Audits::case(case).unwrap();
            assert_eq!(opened.stage, Stage::Two);
            let bond = held(pallet_operators::HoldReason::Bond, &liar);
            judge_each(case, Stage::Two, said);

            // AND the vote finds it usable, at the cost of whoever said otherwise
            assert_eq!(decided(case), Some(Decision::Valid));
            assert_eq!(Datasets::usable(&dataset_root()), Some(terms()));
            assert!(held(pallet_operators::HoldReason::Bond, &liar) < bond);
            check_state();
        });
    }
}

#[test]
fn what_nobody_can_get_is_tried_again_and_sent_back() {
    chain(44).execute_with(|| {
        let (id, mut case) = submitted();
        let withheld = Verdict::Hard(HardReason::Withheld);
        for left in [2, 1, 0] {
            judge(case, Stage::One, withheld);
            await_some(100, || {
                (Audits::case(case)?.stage == Stage::Two).then_some(())
            });
            judge(case, Stage::Two, withheld);
            assert_eq!(decided(case), Some(Decision::Hard(HardReason::Withheld)));
            if left > 0 {
                case = case_about(id);
                assert_eq!(deposit(), DEPOSIT - (4 - left) * FEE);
            }
        }
        assert_eq!(Datasets::dataset(id), None);
        assert_eq!(deposit(), 0);
        check_state();
    });
}
