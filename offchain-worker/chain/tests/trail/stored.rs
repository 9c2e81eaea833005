//! A trail that was written down.

use super::*;

#[test]
fn a_stored_trail_goes_on_where_it_was() -> Result<(), String> {
    // GIVEN a trail as a list of blocks WHEN it is made again THEN it is the same
    let node = Node::new(1, 300);
    let mut trail = Trail::new(None, node.at(0));
    node.read_by(&mut trail, 1_000);
    let stored: Vec<BlockId> = trail.clone().into();
    let again = Trail::try_from(stored)?;
    assert_eq!(again, trail);
    assert_eq!(again.last(), node.at(300));
    Ok(())
}

#[test]
fn what_is_no_trail_is_refused() {
    // GIVEN lists that no trail has WHEN one is made of them THEN it is refused
    let node = Node::new(1, 100);
    for blocks in [
        vec![],
        vec![node.at(4), node.at(3)],
        vec![node.at(4), node.at(4)],
        node.blocks.clone(),
    ] {
        assert!(Trail::try_from(blocks).is_err());
    }
}
