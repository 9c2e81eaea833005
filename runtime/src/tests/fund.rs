//! The training fund: what comes in from settled jobs, and what may go out.

use super::world::*;
use crate::{
    constants::money::{DOT, EXISTENTIAL_DEPOSIT},
    AccountId, Balance, Balances, Runtime, RuntimeOrigin, System, TrainingFund,
};
use chasqui_primitives::{
    audit::{Stage, Verdict},
    money::{split_fee, Shares},
    traits::TrainingFund as _,
    JobClass,
};
use frame_support::traits::fungible::Mutate;
use sp_core::H256;
use sp_runtime::Perbill;

const UNIT_PRICE: Balance = 10_000_019;

fn fund() -> AccountId {
    <TrainingFund as chasqui_primitives::traits::TrainingFund<AccountId>>::account()
}

/// Settles an audited job; its price.
fn job_is_paid() -> Balance {
    let client = person(8);
    let before = wealth(&client);
    let job = submit(&client, 8, JobClass::Standard);
    compute(job, &[31, 32, 33, 34, 0]);
    let case = await_some(10, || status(job).case);
    judge(case, Stage::One, Verdict::Valid);
    before - wealth(&client)
}

#[test]
fn fifth_of_every_fee_can_be_earmarked_and_paid_when_the_epoch_has_closed() {
    chain(31).execute_with(|| {
        // GIVEN a fund with nothing but its existential deposit
        network(1, 4, UNIT_PRICE);
        assert_eq!(TrainingFund::free(), 0);
        assert!(TrainingFund::reserve(0, 1).is_err());

        // WHEN a job is paid for and the epoch closes
        let price = job_is_paid();
        await_epoch(current_epoch() + 1);

        // THEN its share of the fee is free
        let share = split_fee(price, &Shares::default(), 3).fund;
        assert_eq!(TrainingFund::free(), share);
        // AND pays for a run, whose rest returns
        TrainingFund::reserve(0, share).unwrap();
        let (member, before) = (person(0), wealth(&person(0)));
        TrainingFund::pay(0, &member, share / 4).unwrap();
        assert_eq!(wealth(&member), before + share / 4);
        assert_eq!(TrainingFund::release(0), share - share / 4);
        assert_eq!(wealth(&fund()), EXISTENTIAL_DEPOSIT + share - share / 4);
        check_state();
    });
}

#[test]
fn nobody_lowers_the_funds_share_before_the_lock_ends() {
    chain(32).execute_with(|| {
        let lock: u32 = <Runtime as pallet_rewards::Config>::FundShareLock::get();
        assert!(lock > 5 * 365 * crate::constants::time::DAYS);
        let shares = |fund: u32| Shares {
            fund: Perbill::from_percent(fund),
            reserve: Perbill::from_percent(25 - fund),
            ..Shares::default()
        };
        let set = |fund| {
            let shares = shares(fund);
            dispatch(
                RuntimeOrigin::root(),
                pallet_rewards::Call::<Runtime>::set_shares { shares },
            )
        };
        // Not even root, to the last block; other shares may change.
        let locked = || Err(pallet_rewards::Error::<Runtime>::FundShareLocked.into());
        assert_eq!(set(19), locked());
        System::set_block_number(lock - 1);
        assert_eq!(set(25), locked());
        assert_eq!(set(20), Ok(()));
        System::set_block_number(lock);
        assert_eq!(set(19), Ok(()));
    });
}

#[test]
fn grant_is_made_by_root_proven_by_its_beneficiary_and_paid_out_of_a_donation() {
    chain(33).execute_with(|| {
        // GIVEN a donation
        let (donor, builder) = (person(1), person(2));
        let everything = frame_support::traits::tokens::Preservation::Preserve;
        Balances::transfer(&donor, &fund(), 50 * DOT, everything).unwrap();
        assert_eq!(TrainingFund::free(), 50 * DOT);

        // WHEN root makes a grant of two milestones
        let milestone = |amount, deadline| pallet_training_fund::MilestoneTerms {
            amount,
            description: H256::repeat_byte(1),
            deadline,
        };
        let milestones = vec![milestone(20 * DOT, 10), milestone(25 * DOT, 10)];
        let create = pallet_training_fund::Call::<Runtime>::create_grant {
            beneficiary: builder.clone(),
            milestones: milestones.try_into().unwrap(),
        };
        assert!(send(&builder, create.clone()).is_err());
        dispatch(RuntimeOrigin::root(), create).unwrap();
        assert_eq!(TrainingFund::free(), 5 * DOT);

        // AND one is proven and approved, the other never proven
        let prove = pallet_training_fund::Call::<Runtime>::prove {
            grant: 0,
            milestone: 0,
            evidence: H256::repeat_byte(2),
        };
        send(&builder, prove).unwrap();
        let before = wealth(&builder);
        let approve = pallet_training_fund::Call::<Runtime>::approve {
            grant: 0,
            milestone: 0,
        };
        dispatch(RuntimeOrigin::root(), approve).unwrap();
        assert_eq!(wealth(&builder), before + 20 * DOT);
        await_some(20, || (System::block_number() > 11).then_some(()));

        // THEN the second has lapsed, and its money is free again
        assert_eq!(TrainingFund::free(), 30 * DOT);
        assert_eq!(TrainingFund::grant(0), None);
        check_state();
    });
}
