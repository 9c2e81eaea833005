//! `--dev`: blocks, finality and transactions out of one node.

mod common;

use chasqui_runtime::{constants::money::DOT, Address, RuntimeCall};
use common::{transaction::account, Node};
use serde_json::json;
use sp_core::{ecdsa, ed25519, Pair};
use sp_keyring::Sr25519Keyring;
use std::time::Instant;

fn transfer(to: &chasqui_runtime::AccountId, value: u128) -> RuntimeCall {
    RuntimeCall::Balances(pallet_balances::Call::transfer_keep_alive {
        dest: Address::Id(to.clone()),
        value,
    })
}

#[test]
fn seals_finalises_and_takes_transactions_of_every_key_type() {
    // GIVEN a development node
    let mut node = Node::start(&["--dev"]);
    let properties = node.call("system_properties", json!([]));
    assert_eq!(properties["tokenSymbol"], "DOT");
    assert_eq!(properties["tokenDecimals"], 10);
    assert_eq!(properties["ss58Format"], 42);
    assert_eq!(properties["insecureRandomness"], true);
    node.wait("the warning about seeds", |node| {
        node.log()
            .contains("draws on this chain are insecure")
            .then_some(())
    });

    // WHEN time passes
    node.wait_for_block(2);
    let (first, start) = (node.best(), Instant::now());
    node.wait_for_block(first + 10);
    // THEN there is a block a second, also across relay chain slots, and each is final
    let seconds = start.elapsed().as_secs_f64();
    assert!(seconds >= 8.0, "10 blocks in {seconds} s");
    assert!(node.finalized() + 1 >= node.best());

    // WHEN an account of each key type pays another
    let alice = Sr25519Keyring::Alice.pair();
    let ed25519 = ed25519::Pair::from_string("//Elena", None).unwrap();
    let ecdsa = ecdsa::Pair::from_string("//Emil", None).unwrap();
    node.submit(&alice, transfer(&account(&ed25519), 50 * DOT));
    node.wait("payment by sr25519", |node| {
        (node.balance(&account(&ed25519)) == 50 * DOT).then_some(())
    });
    node.submit(&ed25519, transfer(&account(&ecdsa), 20 * DOT));
    node.wait("payment by ed25519", |node| {
        (node.balance(&account(&ecdsa)) == 20 * DOT).then_some(())
    });
    let heir = sp_runtime::AccountId32::new([5; 32]);
    node.submit(&ecdsa, transfer(&heir, 10 * DOT));
    // THEN each of them arrives
    node.wait("payment by ecdsa", |node| {
        (node.balance(&heir) == 10 * DOT).then_some(())
    });

    // WHEN an account spends more than it has
    node.submit(&ecdsa, transfer(&heir, 1_000_000 * DOT));
    // THEN nothing moves but the fee
    let height = node.best();
    node.wait_for_block(height + 3);
    assert_eq!(node.balance(&heir), 10 * DOT);
    assert!(node.balance(&account(&ecdsa)) > 9 * DOT);
}

#[test]
fn instant_sealing_waits_for_transactions() {
    // GIVEN a node that seals on transactions
    let mut node = Node::start(&["--dev", "--sealing", "instant"]);
    std::thread::sleep(std::time::Duration::from_secs(3));
    assert_eq!(node.best(), 0);
    // WHEN ten come in at once
    let alice = Sr25519Keyring::Alice.pair();
    let bob = Sr25519Keyring::Bob.to_account_id();
    let before = node.balance(&bob);
    for _ in 0..10 {
        node.submit(&alice, transfer(&bob, DOT));
    }
    // THEN they are in blocks soon, and no further block follows
    node.wait("ten payments", |node| {
        (node.balance(&bob) == before + 10 * DOT).then_some(())
    });
    std::thread::sleep(std::time::Duration::from_secs(2));
    let height = node.best();
    assert!((1..=4).contains(&height), "{height} blocks");
    std::thread::sleep(std::time::Duration::from_secs(3));
    assert_eq!(node.best(), height);
}
