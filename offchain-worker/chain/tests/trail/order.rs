//! Every block exactly once, in order.

use super::*;

#[test]
fn a_gap_is_filled_by_number() {
    // GIVEN a trail that ends at block 3
    let node = Node::new(1, 9);
    let mut trail = Trail::new(Some(node.at(1)), node.at(3));
    // WHEN the node announces block 9, and nothing in between
    let (taken, then) = node.read_by(&mut trail, 200);
    // THEN all blocks up to it are read in order, and then there is nothing to do
    assert_eq!(taken, [4, 5, 6, 7, 8, 9]);
    assert_eq!(then, Step::Wait);
    assert_eq!(trail.last(), node.newest());
}

#[test]
fn an_announcement_that_repeats_changes_nothing() {
    // GIVEN a trail that has read up to block 9
    let node = Node::new(1, 9);
    let mut trail = Trail::new(Some(node.at(1)), node.at(8));
    assert_eq!(node.read_by(&mut trail, 200).0, [9]);
    // WHEN blocks 9 and 7 are announced again THEN nothing is read
    assert_eq!(trail.step(node.at(9), 200), Step::Wait);
    assert_eq!(trail.step(node.at(8), 200), Step::Wait);
    // and WHEN a block that was read is offered once more THEN it is not taken
    assert!(!trail.follow(node.at(9), node.at(8).hash));
    assert_eq!(trail.last(), node.at(9));
}

#[test]
fn only_the_child_of_the_last_block_follows() {
    let node = Node::new(1, 9);
    let mut trail = Trail::new(Some(node.at(1)), node.at(5));
    // GIVEN a block with the right number and another parent, and one that leaves out a number
    // WHEN they are offered THEN neither is taken
    assert!(!trail.follow(node.at(6), block(5, 2).hash));
    assert!(!trail.follow(node.at(7), node.at(5).hash));
    assert_eq!(trail.last(), node.at(5));
    assert!(trail.follow(node.at(6), node.at(5).hash));
}

#[test]
fn a_chain_is_followed_from_its_genesis() {
    // GIVEN a node without a block WHEN it makes some THEN the first is number 1
    let mut trail = Trail::new(None, Node::new(1, 0).newest());
    assert_eq!(trail.step(Node::new(1, 0).newest(), 200), Step::Wait);
    let node = Node::new(1, 3);
    assert_eq!(node.read_by(&mut trail, 200), (vec![1, 2, 3], Step::Wait));
}
