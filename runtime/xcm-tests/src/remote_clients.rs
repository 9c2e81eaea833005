//! Clients on other chains: they pay by messages.

use crate::network::*;
use chasqui_primitives::{
    audit::{AuditLimits, AuditThresholds},
    sampling::Sampling,
    CheckpointRoot, JobClass, NumericProfile, Prompt, Role,
};
use chasqui_runtime::{Balances, Runtime, RuntimeHoldReason};
use frame_support::traits::fungible::InspectHold;
use parachains_common::{AccountId, Balance};
use xcm::latest::prelude::*;
use xcm_emulator::TestExt;

/// A checkpoint that is served.
const CHECKPOINT: CheckpointRoot = CheckpointRoot::repeat_byte(0xC0);

/// Registers the checkpoint, as if it had been calibrated and accepted, and enough validators served it.
fn with_checkpoint() {
    let limits = AuditLimits {
        mean_margin_micro: 100,
        max_margin_micro: 100,
        mismatch_ppm: 100,
        fingerprint_milli: 100,
    };
    let checkpoint = pallet_checkpoints::Checkpoint {
        info: pallet_checkpoints::CheckpointInfo {
            name: b"tiny".to_vec().try_into().unwrap(),
            parent: None,
            base: None,
            profile: NumericProfile::F32,
            vocabulary: 100,
            context_tokens: 128,
            end_tokens: vec![0].try_into().unwrap(),
            has_tokenizer: true,
            units_per_prompt_token: 1,
            units_per_output_token: 4,
            size_bytes: 1_000,
            licence: b"Apache-2.0".to_vec().try_into().unwrap(),
        },
        proposer: None,
        deposit: 0,
        status: pallet_checkpoints::Status::Accepted,
        thresholds: Some(AuditThresholds {
            boundary_micro: 1,
            clip_micro: 1_000,
            soft: limits,
            hard: limits,
            evidence_tau: 8,
        }),
        proposed_at: 0,
    };
    Chasqui::<World>::execute_with(|| {
        pallet_checkpoints::Registry::<Runtime>::insert(CHECKPOINT, checkpoint);
        let electorate = pallet_operators::Frozen {
            weight: 100,
            operators: 10,
            owners: 10,
            ..Default::default()
        };
        for root in [CHECKPOINT, CheckpointRoot::zero()] {
            pallet_operators::LatestIndex::<Runtime>::insert(Role::Validate, root, electorate);
        }
    });
}

fn submit(max_price: Balance) -> pallet_jobs::Call<Runtime> {
    pallet_jobs::Call::submit {
        checkpoint: CHECKPOINT,
        prompt: Prompt::Ids(vec![11, 12, 13].try_into().unwrap()),
        salt: [5; 32],
        sampling: Sampling::greedy(8),
        max_price,
        class: JobClass::Standard,
    }
}

fn held(reason: impl Into<RuntimeHoldReason>, account: &AccountId) -> Balance {
    Chasqui::<World>::ext_wrapper(|| Balances::balance_on_hold(&reason.into(), account))
}

/// The client of the first job, if there is one.
fn first_client() -> Option<AccountId> {
    Chasqui::<World>::ext_wrapper(|| pallet_jobs::Jobs::<Runtime>::get(0).map(|job| job.client))
}

#[test]
fn an_account_of_asset_hub_pays_for_a_job_by_message() {
    // GIVEN Alice's account of Asset Hub, which has DOT here
    begin_again();
    let alice_there = remote(ASSET_HUB, &alice());
    bring_in(20 * DOT, alice_there.clone());
    let account = account_of(&alice_there);
    // AND which is nobody's account of this chain
    assert_ne!(account, alice());
    let before = balance(&account);
    with_checkpoint();
    // WHEN it submits a job by message
    let message = paid_call(
        alice_there,
        DOT,
        OriginKind::SovereignAccount,
        submit(Balance::MAX),
    );
    assert_eq!(tell_as(&alice(), message), Verdict::Ran);
    // THEN the job is there, its escrow holds that account's DOT, and what fees left over came back
    assert_eq!(first_client(), Some(account.clone()));
    let escrow = held(pallet_jobs::HoldReason::Escrow, &account);
    assert!(escrow > 0);
    let paid = before - balance(&account);
    assert!(paid > 0 && paid < 20 * CENT, "{paid}");
    check_reserve();
}

#[test]
fn a_parachain_pays_for_a_job_by_message() {
    // GIVEN a parachain with DOT here
    begin_again();
    bring_in(20 * DOT, sibling(STRANGER));
    let account = account_of(&sibling(STRANGER));
    with_checkpoint();
    // WHEN it submits a job
    let message = paid_call(
        sibling(STRANGER),
        DOT,
        OriginKind::SovereignAccount,
        submit(Balance::MAX),
    );
    assert_eq!(tell(Sender::Stranger, message), Verdict::Ran);
    // THEN the job is its own
    assert_eq!(first_client(), Some(account.clone()));
    assert!(held(pallet_jobs::HoldReason::Escrow, &account) > 0);
    check_reserve();
}

#[test]
fn a_remote_account_opens_a_session_whose_requests_a_key_signs() {
    // GIVEN Alice's account of Asset Hub, for which nobody can sign here
    begin_again();
    let alice_there = remote(ASSET_HUB, &alice());
    bring_in(40 * DOT, alice_there.clone());
    let account = account_of(&alice_there);
    with_checkpoint();
    // WHEN it opens a session and names Bob's key
    let open = pallet_sessions::Call::open {
        checkpoint: CHECKPOINT,
        deposit: 5 * DOT,
        key: Some(bob()),
    };
    let message = paid_call(alice_there, DOT, OriginKind::SovereignAccount, open);
    assert_eq!(tell_as(&alice(), message), Verdict::Ran);
    // THEN the deposit is on hold with it
    let deposit = Chasqui::<World>::ext_wrapper(|| Balances::total_balance_on_hold(&account));
    assert!(deposit >= 5 * DOT);
    check_reserve();
}

#[test]
fn a_job_that_fails_costs_its_message_only() {
    // GIVEN an account of Asset Hub with DOT here
    begin_again();
    let alice_there = remote(ASSET_HUB, &alice());
    bring_in(20 * DOT, alice_there.clone());
    let account = account_of(&alice_there);
    let before = balance(&account);
    with_checkpoint();
    // WHEN its job may cost less than it does
    let message = paid_call(alice_there, DOT, OriginKind::SovereignAccount, submit(0));
    // THEN there is no job and nothing on hold; the message is paid for, the rest came back
    assert_eq!(tell_as(&alice(), message), Verdict::Failed);
    assert_eq!(first_client(), None);
    assert_eq!(held(pallet_jobs::HoldReason::Escrow, &account), 0);
    assert!(before - balance(&account) < 20 * CENT);
    check_reserve();
}
