//! What is done on the chain so that there are sessions.

use crate::chain::{config, operator, Anybody, World, ROOT};
use chasqui_worker::sessions::gateway::pool::{Lease, PoolConfig, Take};

fn leases(world: &mut World, count: usize) -> Vec<Lease> {
    let mut held = Vec::new();
    for _ in 0..count {
        if let Take::Lease(lease) = world.pool.take(&ROOT, 5, &Anybody, world.now) {
            held.push(lease);
        }
    }
    held
}

// GIVEN nobody who asks
// WHEN time passes
// THEN one session is kept warm, and no more
#[test]
fn one_session_is_kept_warm() {
    let mut world = World::new(config(), 1_000);
    world.pass(50);
    assert_eq!(world.sessions().len(), 1);
    assert_eq!(world.deeds(), ["open"]);
}

// GIVEN requests that hold every session
// WHEN more may come
// THEN another is opened ahead of them, up to the most
#[test]
fn sessions_are_opened_ahead_of_need() {
    let mut world = World::new(config(), 1_000);
    world.pass(6);
    for expected in [2, 3, 4, 4] {
        leases(&mut world, 1);
        world.pass(6);
        assert_eq!(world.sessions().len(), expected);
    }
}

// GIVEN more sessions than anybody needs
// WHEN they have been idle for long
// THEN those that forfeit nothing are closed one after the other; one stays
#[test]
fn surplus_sessions_are_closed_where_that_costs_nothing() {
    let mut world = World::new(config(), 1_000);
    world.pass(6);
    let mut held = Vec::new();
    for _ in 0..3 {
        held.extend(leases(&mut world, 1));
        world.pass(6);
    }
    assert_eq!(world.sessions().len(), 4);
    for lease in &held {
        world.pool.release(&lease.session, world.now);
    }
    world.deeds();
    // One has spent nothing: a fifth of it would be lost.
    let spent: Vec<_> = held.iter().map(|lease| lease.session).collect();
    for session in &spent {
        world.chain.settle(session, 20);
    }
    world.pass(200);
    let closed = world
        .deeds()
        .iter()
        .filter(|deed| **deed == "close")
        .count();
    assert_eq!(closed, 3);
    assert!(!world.pool.open_sessions().is_empty());
    world.chain.bury();
    world.pass(5);
    assert_eq!(world.sessions().len(), 1);
}

// GIVEN sessions that spent less than a fifth
// WHEN they are idle for ever
// THEN none is closed
#[test]
fn what_would_be_forfeited_is_kept() {
    let mut world = World::new(config(), 1_000);
    world.pass(6);
    let held = leases(&mut world, 1);
    world.pass(6);
    for lease in held {
        world.pool.release(&lease.session, world.now);
    }
    world.pass(500);
    assert!(!world.deeds().contains(&"close"));
}

// GIVEN a session whose slices are spent
// WHEN nobody waits
// THEN it is filled up ahead of the next request
#[test]
fn a_session_that_runs_low_is_filled() {
    let mut world = World::new(config(), 1_000);
    world.pass(6);
    let session = *world.sessions().first().expect("one");
    world.pool.spent(&session, &operator(1), 45);
    world.pool.spent(&session, &operator(2), 45);
    world.deeds();
    world.pass(4);
    assert_eq!(world.deeds(), ["top_up"]);
    assert!(matches!(
        world.pool.take(&ROOT, 40, &Anybody, world.now),
        Take::Lease(_)
    ));
}

// GIVEN a session without an operator that can go on
// WHEN the next epoch runs
// THEN another committee is drawn for it, not before, and it serves again
#[test]
fn a_committee_that_cannot_serve_is_renewed_in_the_next_epoch() {
    let alone = PoolConfig {
        most_sessions: 1,
        ..config()
    };
    let mut world = World::new(alone, 1_000);
    world.pass(6);
    let session = *world.sessions().first().expect("one");
    world.pool.lose(&session, &operator(1));
    world.pool.lose(&session, &operator(2));
    world.chain.committee = vec![3, 4];
    let epoch = world.chain.epoch;
    world.deeds();
    while world.chain.epoch == epoch {
        assert!(!world.deeds().contains(&"renew"));
        world.pass(1);
    }
    world.pass(12);
    assert!(world.deeds().contains(&"renew"));
    let taken = world.pool.take(&ROOT, 10, &Anybody, world.now);
    let Take::Lease(lease) = taken else {
        panic!("{taken:?}");
    };
    assert_eq!(lease.operator, operator(3));
}

// GIVEN sessions that were there before
// WHEN a pool sees them for the first time
// THEN it goes on with them and opens no others
#[test]
fn sessions_that_are_there_are_found() {
    let mut before = World::new(config(), 1_000);
    before.pass(6);
    let mut after = World::new(config(), 1_000);
    after.chain = before.chain.clone();
    after.pass(6);
    assert!(after.deeds().is_empty());
    assert_eq!(leases(&mut after, 1).len(), 1);
}

// GIVEN a chain that refuses whatever is asked
// WHEN much time passes, and then it takes it
// THEN it was tried a few times only, because each try costs a fee, and there is a session in the end
#[test]
fn what_is_refused_is_not_tried_again_and_again() {
    let mut world = World::new(config(), 1_000);
    world.chain.refuses = true;
    world.pass(100);
    let tries = world.deeds().len();
    assert!((2..=8).contains(&tries), "{tries}");
    world.chain.refuses = false;
    world.pass(80);
    assert_eq!(world.sessions().len(), 1);
}

// GIVEN an operator that was found false in an earlier session
// WHEN a session is drawn with it alone
// THEN that session gets another committee
#[test]
fn a_committee_of_false_operators_is_renewed() {
    let alone = PoolConfig {
        most_sessions: 1,
        ..config()
    };
    let mut world = World::new(alone, 1_000);
    world.pool.shun(&operator(1));
    world.chain.committee = vec![1];
    world.pass(6);
    world.chain.committee = vec![2];
    world.pass(20);
    assert!(world.deeds().contains(&"renew"));
    let taken = world.pool.take(&ROOT, 10, &Anybody, world.now);
    assert!(matches!(taken, Take::Lease(lease) if lease.operator == operator(2)));
}
