//! What was missed is read only as far back as the node still knows its state.

use super::*;

#[test]
fn blocks_that_are_too_old_are_named_and_skipped() {
    // GIVEN a trail that ends at block 10, and a node at block 310
    let node = Node::new(1, 310);
    let mut trail = Trail::new(Some(node.at(1)), node.at(10));
    // WHEN at most 200 blocks may be read
    let step = trail.step(node.newest(), 200);
    // THEN the oldest are named, the trail goes on behind them, and the rest is read
    assert_eq!(step, Step::Skip { from: 11, to: 110 });
    trail.jump(node.at(110));
    let (taken, then) = node.read_by(&mut trail, 200);
    assert_eq!((taken.first(), taken.last()), (Some(&111), Some(&310)));
    assert_eq!(taken.len(), 200);
    assert_eq!(then, Step::Wait);
}

#[test]
fn as_many_blocks_as_allowed_are_all_read() {
    // GIVEN exactly the limit, and one more
    let node = Node::new(1, 211);
    let trail = Trail::new(Some(node.at(1)), node.at(10));
    // WHEN they are looked at THEN only the one beyond is skipped
    assert_eq!(trail.step(node.at(210), 200), Step::Read(11));
    assert_eq!(
        trail.step(node.at(211), 200),
        Step::Skip { from: 11, to: 11 }
    );
}

#[test]
fn a_trail_stays_small() {
    // GIVEN a trail WHEN it has followed a thousand blocks THEN it remembers the first and the newest ones only
    let node = Node::new(1, 1_000);
    let mut trail = Trail::new(None, node.at(0));
    node.read_by(&mut trail, 2_000);
    let numbers = trail.numbers(u32::MAX);
    assert_eq!(numbers.len(), 65);
    assert_eq!((numbers[0], numbers[1], numbers[64]), (1, 937, 1_000));
}
