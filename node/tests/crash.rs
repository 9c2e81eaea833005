//! A node that is killed while it makes blocks starts again where it was.

mod common;

use chasqui_runtime::{constants::money::DOT, Address, RuntimeCall};
use common::Node;
use sp_keyring::Sr25519Keyring;
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use tempfile::TempDir;

#[test]
fn killed_nodes_restart_clean() {
    let seed = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap()
        .subsec_nanos();
    println!("moments of death from seed {seed}");
    let base = TempDir::new().unwrap();
    let mut node = Node::dev_at(base.path());
    let alice = Sr25519Keyring::Alice.pair();
    let heir = sp_runtime::AccountId32::new([7; 32]);
    let mut paid = 0;

    for round in 0..3u32 {
        // GIVEN a node at work, with transactions in every block
        let start = node.best();
        node.wait_for_block(start + 3);
        let known = node.finalized() - 1;
        let hash = node.hash(known).unwrap();
        let settled = node.balance(&heir);
        for _ in 0..5 {
            node.submit(
                &alice,
                RuntimeCall::Balances(pallet_balances::Call::transfer_keep_alive {
                    dest: Address::Id(heir.clone()),
                    value: DOT,
                }),
            );
            paid += DOT;
        }
        // WHEN it is killed somewhere between one block and the next
        let wait = seed.rotate_left(round * 7) % 1_100;
        std::thread::sleep(Duration::from_millis(wait.into()));
        node.kill();
        node = Node::dev_at(base.path());
        // THEN it has every block that was final, lost no payment out of them, and goes on
        assert!(
            node.best() >= known,
            "round {round}: {} < {known}",
            node.best()
        );
        assert_eq!(node.hash(known).unwrap(), hash, "round {round}");
        assert!(node.balance(&heir) >= settled, "round {round}");
        let height = node.best();
        node.wait_for_block(height + 2);
    }
    // AND what the pool lost with the process was never paid twice
    assert!(node.balance(&heir) <= paid);
}
