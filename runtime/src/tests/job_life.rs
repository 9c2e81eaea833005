//! The whole life of a job: who pays and who is paid, to the planck.

use super::world::*;
use crate::{
    config::{RESERVE, TRAINING_FUND},
    constants::money::EXISTENTIAL_DEPOSIT,
    AccountId, Balance, Balances, Rewards, Runtime,
};
use chasqui_primitives::{
    audit::{Stage, Verdict},
    money::{pool_share, split_fee, Shares},
    JobClass, JobOutcome, JobStage,
};
use frame_support::traits::fungible::Inspect;
use sp_runtime::traits::AccountIdConversion;

/// Divides by nothing that fees are split by.
const UNIT_PRICE: Balance = 10_000_019;
/// Ends by the checkpoint's end token.
const ANSWER: [u32; 5] = [31, 32, 33, 34, 0];
/// Units of [`PROMPT`] and [`ANSWER`].
const UNITS: u64 = 10 + 5 * 4;

fn fund() -> AccountId {
    TRAINING_FUND.into_account_truncating()
}

fn reserve() -> AccountId {
    RESERVE.into_account_truncating()
}

/// What `who` gets by claiming `epoch`.
fn claim(who: &AccountId, epoch: u32) -> Balance {
    let before = Balances::balance(who);
    send(who, pallet_rewards::Call::<Runtime>::claim { epoch }).unwrap();
    Balances::balance(who) - before
}

#[test]
fn audited_job_pays_everybody_to_the_planck() {
    chain(1).execute_with(|| {
        // GIVEN an executor and four validators who serve an accepted checkpoint
        network(1, 4, UNIT_PRICE);
        // (at the beginning of an epoch, so that all of it happens in one)
        await_epoch(current_epoch() + 1);
        let client = person(8);
        let before = [client.clone(), fund(), reserve()].map(|who| wealth(&who));

        // WHEN a client submits a job for at most eight tokens
        let job = submit(&client, 8, JobClass::Standard);
        let escrow = (10 + 8 * 4) * UNIT_PRICE;
        assert_eq!(held(pallet_jobs::HoldReason::Escrow, &client), escrow);
        // AND its executor answers in five
        let executor = compute(job, &ANSWER);
        assert_eq!(executor, person(0));
        let epoch = current_epoch();
        // AND the audit, certain for an executor without standing, finds nothing wrong
        let case = await_some(10, || status(job).case);
        let panel = judge(case, Stage::One, Verdict::Valid);
        assert_eq!(panel.len(), 3);

        // THEN the job is settled: the client paid for five tokens and has all the rest back
        let price = Balance::from(UNITS) * UNIT_PRICE;
        let outcome = JobOutcome::Settled {
            paid: price,
            audited: true,
        };
        assert_eq!(status(job).outcome, Some(outcome));
        assert_eq!(status(job).stage, JobStage::Settled);
        assert_eq!(wealth(&client), before[0] - price);
        assert_eq!(held(pallet_jobs::HoldReason::Escrow, &client), 0);
        assert_eq!(held(pallet_jobs::HoldReason::Deposit, &client), 0);
        // AND the fee waits in the pot
        let pot = Rewards::pot_account();
        assert_eq!(wealth(&pot), EXISTENTIAL_DEPOSIT + price);
        // AND the executor's standing has grown by one step
        let record = pallet_operators::Operators::<Runtime>::get(&executor).unwrap();
        assert_eq!((record.reputation, record.liabilities), (1, 0));
        check_state();

        // WHEN the epoch is due
        let claim_at = epoch + 2;
        assert!(send(&executor, pallet_rewards::Call::<Runtime>::claim { epoch }).is_err());
        await_epoch(claim_at);

        // THEN everybody is paid by the published split: no planck more, none less
        let split = split_fee(price, &Shares::default(), 3);
        assert_eq!(claim(&executor, epoch), split.executor);
        let share = pool_share(split.poc, 1, 3);
        for auditor in &panel {
            assert_eq!(claim(auditor, epoch), split.auditors_each + share);
        }
        // AND a second claim pays nobody
        for who in panel.iter().chain([&executor]) {
            let again = send(who, pallet_rewards::Call::<Runtime>::claim { epoch });
            assert_eq!(
                again,
                Err(pallet_rewards::Error::<Runtime>::NothingToClaim.into())
            );
        }
        // AND fund and reserve have theirs once the next epoch has closed
        await_epoch(claim_at + 1);
        next_block();
        let dust = split.poc - 3 * share;
        assert_eq!(wealth(&fund()), before[1] + split.fund);
        assert_eq!(wealth(&reserve()), before[2] + split.reserve + dust);
        assert_eq!(wealth(&pot), EXISTENTIAL_DEPOSIT);
        let paid =
            split.executor + 3 * (split.auditors_each + share) + split.fund + split.reserve + dust;
        assert_eq!(paid, price);
        check_state();
    });
}

#[test]
fn unaudited_job_pays_the_executor_its_whole_share() {
    chain(2).execute_with(|| {
        // GIVEN an executor that earns standing by audited work, a step an epoch
        network(1, 4, UNIT_PRICE);
        let client = person(8);
        // WHEN the draw lets a job of its pass for the first time
        let (job, executor) = (0..60)
            .find_map(|_| {
                let job = submit(&client, 8, JobClass::Standard);
                let executor = compute(job, &ANSWER);
                let stage = await_some(10, || {
                    let stage = status(job).stage;
                    (stage != JobStage::Committed).then_some(stage)
                });
                if stage == JobStage::Accepted {
                    return Some((job, executor));
                }
                judge(status(job).case.unwrap(), Stage::One, Verdict::Valid);
                await_epoch(current_epoch() + 1);
                None
            })
            .expect("standing lowers the probability of an audit");
        let before = wealth(&client);
        let unclaimed = pallet_rewards::Unclaimed::<Runtime>::get(&executor);

        // THEN it settles when the dispute window ends, not earlier
        let window = pallet_jobs::Parameters::<Runtime>::get().dispute_blocks;
        for _ in 1..window {
            next_block();
            assert_eq!(status(job).stage, JobStage::Accepted);
        }
        await_some(3, || (status(job).stage == JobStage::Settled).then_some(()));
        let price = Balance::from(UNITS) * UNIT_PRICE;
        let outcome = JobOutcome::Settled {
            paid: price,
            audited: false,
        };
        assert_eq!(status(job).outcome, Some(outcome));
        assert_eq!(wealth(&client), before - price);
        // AND the executor earned the whole share of those who compute
        let split = split_fee(price, &Shares::default(), 0);
        let earned = pallet_rewards::Unclaimed::<Runtime>::get(&executor) - unclaimed;
        assert_eq!(earned, split.executor);
        check_state();
    });
}

#[test]
fn premium_job_is_audited_whatever_the_executors_standing() {
    chain(3).execute_with(|| {
        // GIVEN an executor of full standing
        network(1, 4, UNIT_PRICE);
        let client = person(8);
        let cap = pallet_operators::Parameters::<Runtime>::get().reputation_cap;
        while pallet_operators::Operators::<Runtime>::get(person(0))
            .unwrap()
            .reputation
            < cap
        {
            let job = submit(&client, 8, JobClass::Premium);
            compute(job, &ANSWER);
            // WHEN it computes a premium job
            // THEN a case is opened before the output is released
            let case = await_some(10, || status(job).case);
            judge(case, Stage::One, Verdict::Valid);
            await_epoch(current_epoch() + 1);
        }
        let job = submit(&client, 8, JobClass::Premium);
        compute(job, &ANSWER);
        let case = await_some(10, || status(job).case);
        judge(case, Stage::One, Verdict::Valid);
        assert_eq!(status(job).stage, JobStage::Settled);
        check_state();
    });
}
