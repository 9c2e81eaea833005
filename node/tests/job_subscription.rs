//! `chasqui_subscribeJob`: what becomes of a job, pushed to whoever asks.

mod common;

use chasqui_primitives::{ExpiryReason, JobId, JobOutcome};
use chasqui_runtime::{AccountId, BlockNumber, Runtime, RuntimeCall};
use common::{rpc::Subscription, Node};
use parity_scale_codec::{Decode, Encode};
use serde_json::json;
use sp_keyring::Sr25519Keyring;
use sp_runtime::traits::TrailingZeroInput;

const JOB: JobId = 77;

/// Root calls `call`.
fn as_root(node: &Node, call: frame_system::Call<Runtime>) {
    let call = Box::new(RuntimeCall::System(call));
    let sudo = RuntimeCall::Sudo(pallet_sudo::Call::sudo { call });
    node.submit(&Sr25519Keyring::Alice.pair(), sudo);
}

#[test]
fn updates_arrive_as_the_job_moves_and_unknown_jobs_are_refused() {
    let mut node = Node::start(&["--dev"]);
    node.wait_for_block(1);
    let subscribe =
        |node: &Node| Subscription::open(node.rpc_port(), "chasqui_subscribeJob", json!([JOB]));

    // GIVEN no such job
    let error = subscribe(&node).map(drop).unwrap_err();
    // THEN the subscription is refused, and says why
    assert!(
        error.contains("7001") && error.contains("job 77 is unknown"),
        "{error}"
    );

    // GIVEN a job that waits for an executor
    let job = pallet_jobs::Job::<AccountId, BlockNumber>::decode(&mut TrailingZeroInput::zeroes())
        .expect("zeros are a job");
    let job_key = pallet_jobs::Jobs::<Runtime>::hashed_key_for(JOB);
    let items = vec![(job_key.clone(), job.encode())];
    as_root(&node, frame_system::Call::set_storage { items });
    node.wait("the job", |node| node.storage(&job_key));
    // WHEN somebody asks
    let mut updates = subscribe(&node).expect("the job is known");
    // THEN the answer comes at once
    let update = updates.next_item().expect("a first update");
    assert_eq!(update["job"], JOB);
    assert_eq!(update["stage"], "submitted");
    assert_eq!(update["outcome"], json!(null));
    let seen = update["blockNumber"].as_u64().expect("a number");

    // WHEN blocks pass without news, and then it ends
    let height = node.best();
    node.wait_for_block(height + 2);
    let outcome = pallet_jobs::OutcomeRecord::<AccountId> {
        outcome: JobOutcome::Expired(ExpiryReason::Cancelled),
        executor: None,
        case: None,
    };
    let key = pallet_jobs::Outcomes::<Runtime>::hashed_key_for(JOB);
    let items = vec![(key, outcome.encode())];
    as_root(&node, frame_system::Call::set_storage { items });
    as_root(
        &node,
        frame_system::Call::kill_storage {
            keys: vec![job_key],
        },
    );
    // THEN the next update says so, from a later block
    let update = updates.next_item().expect("a second update");
    assert_eq!(update["stage"], "expired");
    assert_eq!(
        update["outcome"],
        json!({ "kind": "expired", "reason": "cancelled" })
    );
    assert!(update["blockNumber"].as_u64().expect("a number") >= seen + 2);
    let block = update["block"].as_str().expect("a hash");
    let number = update["blockNumber"].as_u64().expect("a number") as u32;
    assert_eq!(node.hash(number).as_deref(), Some(block));
}
