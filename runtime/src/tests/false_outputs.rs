//! What a false output costs, whatever is false about it.

use super::world::*;
use crate::{config::RESERVE, AccountId, Balance, Balances, Rewards, Runtime, RuntimeEvent};
use chasqui_primitives::{
    audit::{HardReason, Stage, Verdict},
    money::split_slash,
    JobClass, JobOutcome, RefundReason,
};
use sp_runtime::traits::AccountIdConversion;

const UNIT_PRICE: Balance = 10_000_019;

/// One executor, four validators; the executor has earned something, then answers `ids`, which the
/// auditors find false for `reason`.
fn caught(seed: u64, ids: &[u32], reason: HardReason) {
    chain(seed).execute_with(|| {
        // GIVEN an executor with standing, and with revenue that it has not claimed
        network(1, 4, UNIT_PRICE);
        let (executor, client) = (person(0), person(8));
        let reserve: AccountId = RESERVE.into_account_truncating();
        let honest = submit(&client, 8, JobClass::Standard);
        compute(honest, &[31, 32, 33, 34, 0]);
        let case = await_some(10, || status(honest).case);
        judge(case, Stage::One, Verdict::Valid);
        let unclaimed = pallet_rewards::Unclaimed::<Runtime>::get(&executor);
        assert!(unclaimed > 0);

        // WHEN it delivers a false output, which the chain cannot tell from a true one
        let client_before = wealth(&client);
        // (audited for certain, whatever standing it has by now)
        let job = submit(&client, 8, JobClass::Premium);
        compute(job, ids);
        let case = await_some(10, || status(job).case);
        let issuance = Balances::total_issuance();
        // AND the panel says so, and then the whole electorate
        let panel = judge(case, Stage::One, Verdict::Hard(reason));
        assert_eq!(panel.len(), 3);
        // (early in an epoch, so that no dues are paid out meanwhile)
        await_epoch(current_epoch() + 1);
        let bond = held(pallet_operators::HoldReason::Bond, &executor);
        let before: Vec<Balance> = (1..5).map(|n| wealth(&person(n))).collect();
        let reserve_before = wealth(&reserve);
        let due_before = pallet_rewards::ReserveDue::<Runtime>::get();
        let voters = judge(case, Stage::Two, Verdict::Hard(reason));
        assert_eq!(voters.len(), 4);

        // THEN the client has everything back
        let outcome = JobOutcome::Refunded(RefundReason::Hard);
        assert_eq!(status(job).outcome, Some(outcome));
        assert_eq!(wealth(&client), client_before);
        assert_eq!(held(pallet_jobs::HoldReason::Escrow, &client), 0);
        // AND the executor lost its share of the bond: auditors first, since the refund left the
        // client without a loss, the rest to the reserve
        let share = pallet_operators::Parameters::<Runtime>::get().false_result;
        let slash = share.slash.mul_ceil(bond);
        let split = split_slash(slash, 0, 4, false);
        assert_eq!(
            held(pallet_operators::HoldReason::Bond, &executor),
            bond - slash
        );
        for (n, before) in (1..5).zip(before) {
            assert_eq!(wealth(&person(n)), before + split.auditors_each);
        }
        assert_eq!(wealth(&reserve), reserve_before + split.reserve);
        assert_eq!(split.total(4), slash);
        // AND all that it had not claimed went to the reserve's dues
        assert_eq!(pallet_rewards::Unclaimed::<Runtime>::get(&executor), 0);
        let due = pallet_rewards::ReserveDue::<Runtime>::get();
        assert_eq!(due - due_before, unclaimed);
        assert!(happened(|event| matches!(
            event,
            RuntimeEvent::Rewards(pallet_rewards::Event::Forfeited { amount, .. })
                if *amount == unclaimed
        )));
        // AND its standing is gone, it is in jail, and nothing is left open
        let record = pallet_operators::Operators::<Runtime>::get(&executor).unwrap();
        assert_eq!((record.reputation, record.liabilities), (0, 0));
        assert!(matches!(
            record.status,
            pallet_operators::Status::Jailed { .. }
        ));
        assert_eq!(pallet_audits::Totals::<Runtime>::get().caught, 1);
        // AND no planck came or went
        assert_eq!(Balances::total_issuance(), issuance);
        check_state();

        // WHEN the auditors' epoch is due
        let epoch = current_epoch();
        await_epoch(epoch + 2);
        // THEN nothing is owed to the executor any more
        assert!(Rewards::claimable(executor).is_empty());
    });
}

#[test]
fn another_models_output_is_slashed_and_refunded() {
    // All tokens differ, and so do the hidden states.
    caught(
        11,
        &[41, 42, 43, 44, 45, 46, 47, 48],
        HardReason::Fingerprint,
    );
}

#[test]
fn edited_token_is_slashed_and_refunded() {
    // One token is another one.
    caught(12, &[31, 32, 99, 34, 0], HardReason::Margin);
}

#[test]
fn truncated_output_is_slashed_and_refunded() {
    // The end token comes too early.
    caught(13, &[31, 32, 0], HardReason::Finish);
}
