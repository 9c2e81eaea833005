//! `--chain local`: one author, and followers that verify and finalise.

mod common;

use chasqui_runtime::{constants::money::DOT, Address, RuntimeCall};
use common::Node;
use sp_keyring::Sr25519Keyring;
use tempfile::TempDir;

fn follower(author: &Node, base: &TempDir) -> Node {
    let base = base.path().to_str().unwrap();
    Node::start(&[
        "--chain",
        "local",
        "--base-path",
        base,
        "--bootnodes",
        &author.address(),
    ])
}

#[test]
fn followers_import_finalise_and_pass_on_transactions() {
    // GIVEN an author that is ahead
    let mut author = Node::start(&["--chain", "local", "--alice", "--tmp"]);
    author.wait_for_block(8);
    // WHEN a follower joins
    let base = TempDir::new().unwrap();
    let mut node = follower(&author, &base);
    // THEN it catches up, block by block the same, and finalises them
    node.wait_for_block(8);
    node.wait("finality", |node| (node.finalized() >= 8).then_some(()));
    assert_eq!(node.hash(8), author.hash(8));
    assert_eq!(node.hash(0), author.hash(0));
    // AND follows blocks as they are made
    let height = author.best();
    node.wait("newer blocks", |node| {
        (node.finalized() >= height + 3).then_some(())
    });

    // WHEN a transaction is given to the follower
    let heir = sp_runtime::AccountId32::new([9; 32]);
    node.submit(
        &Sr25519Keyring::Bob.pair(),
        RuntimeCall::Balances(pallet_balances::Call::transfer_keep_alive {
            dest: Address::Id(heir.clone()),
            value: DOT,
        }),
    );
    // THEN the author puts it into a block, and the follower sees it
    node.wait("the payment", |node| {
        (node.balance(&heir) == DOT).then_some(())
    });

    // WHEN the follower is killed and comes back later
    node.kill();
    let height = author.best();
    author.wait_for_block(height + 8);
    let mut node = follower(&author, &base);
    // THEN it catches up again
    node.wait("finality after a restart", |node| {
        (node.finalized() >= height + 8).then_some(())
    });
    assert_eq!(node.hash(height + 8), author.hash(height + 8));
}
