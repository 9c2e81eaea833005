//! A node that is behind, that lost its last blocks, or that is another chain.

use super::*;
use chasqui_chain::trail::{Comparison, REMEMBERED};

fn trail_at(node: &Node) -> Trail {
    let mut trail = Trail::new(None, node.at(0));
    node.read_by(&mut trail, u32::MAX);
    trail
}

fn compare(trail: &Trail, node: &Node) -> Comparison {
    trail.compare(&node.hashes(&trail.numbers(node.newest().number)))
}

#[test]
fn a_node_that_is_behind_is_waited_for() {
    // GIVEN a trail up to block 500
    let node = Node::new(1, 500);
    let mut trail = trail_at(&node);
    // WHEN a node of the same chain has come to 499, to 5 or only to genesis THEN nothing is taken back
    assert_eq!(trail.step(node.at(499), 200), Step::Wait);
    for behind in [Node::new(1, 5), Node::new(1, 0)] {
        assert_eq!(trail.step(behind.newest(), 200), Step::Compare);
        assert_eq!(compare(&trail, &behind), Comparison::Same);
    }
    // and WHEN it has caught up THEN the next block is read
    assert_eq!(Node::new(1, 501).read_by(&mut trail, 200).0, [501]);
}

#[test]
fn lost_blocks_are_taken_back_and_their_successors_read() {
    // GIVEN a node that was killed after block 20 and has kept only 18 of them
    let node = Node::new(1, 20);
    let mut trail = trail_at(&node);
    let restarted = node.fork(18, 2, 19);
    // WHEN it makes block 19 anew
    assert_eq!(trail.step(restarted.newest(), 200), Step::Compare);
    // THEN the trail goes back to 18, and block 19 is read once more, as it is now
    assert_eq!(compare(&trail, &restarted), Comparison::Rewind(node.at(18)));
    trail.rewind(node.at(18));
    assert_eq!(restarted.read_by(&mut trail, 200), (vec![19], Step::Wait));
    assert_eq!(trail.last(), restarted.at(19));
}

#[test]
fn replaced_blocks_show_in_the_parent_of_the_next() {
    // GIVEN the same, noticed only when the node is ahead again
    let node = Node::new(1, 20);
    let mut trail = trail_at(&node);
    let ahead = node.fork(18, 2, 22);
    // WHEN block 21 is read THEN it does not follow, and the comparison finds the common block
    assert_eq!(ahead.read_by(&mut trail, 200), (vec![], Step::Compare));
    assert_eq!(compare(&trail, &ahead), Comparison::Rewind(node.at(18)));
    trail.rewind(node.at(18));
    assert_eq!(ahead.read_by(&mut trail, 200).0, [19, 20, 21, 22]);
}

#[test]
fn a_wiped_node_is_another_chain_from_its_first_block_on() {
    // GIVEN trails of a young chain and of an old one
    for seen in [3, 500] {
        let trail = trail_at(&Node::new(1, seen));
        // WHEN a node of the same genesis has begun anew THEN its first block shows it
        let wiped = Node::new(2, 1);
        assert_eq!(trail.step(wiped.newest(), 200), Step::Compare);
        let other = Comparison::Other {
            seen: block(1, 1),
            found: block(1, 2).hash,
        };
        assert_eq!(compare(&trail, &wiped), other);
        // and also when it is ahead by the time it is asked
        assert_eq!(compare(&trail, &Node::new(2, 900)), other);
    }
}

#[test]
fn more_replaced_blocks_than_are_remembered_are_another_chain() {
    let node = Node::new(1, 500);
    let trail = trail_at(&node);
    // GIVEN forks that replace almost as many blocks as are remembered, and more
    // WHEN they are compared THEN the first is gone back to, the second is refused
    let near = 500 - REMEMBERED + 2;
    assert_eq!(
        compare(&trail, &node.fork(near, 2, 600)),
        Comparison::Rewind(node.at(near))
    );
    let far = node.fork(500 - 2 * REMEMBERED, 2, 600);
    assert!(matches!(compare(&trail, &far), Comparison::Other { .. }));
}
