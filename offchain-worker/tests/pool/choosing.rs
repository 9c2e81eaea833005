//! Which session and which operator serve a request.

use crate::chain::{config, operator, Anybody, Without, World, DEPOSIT, ROOT};
use chasqui_worker::sessions::gateway::pool::{Take, Why};

fn lease(world: &mut World, price: u128) -> Option<chasqui_worker::sessions::gateway::pool::Lease> {
    match world.pool.take(&ROOT, price, &Anybody, world.now) {
        Take::Lease(lease) => Some(lease),
        _ => None,
    }
}

// GIVEN one warm session
// WHEN two requests want one
// THEN the first gets the primary, the second waits, and gets it once it is free
#[test]
fn a_session_serves_one_request_at_a_time() {
    let mut world = World::new(config(), 1_000);
    world.pass(6);
    let first = lease(&mut world, 10).expect("a warm session");
    assert_eq!(first.operator, operator(1));
    assert_eq!(world.pool.take(&ROOT, 10, &Anybody, world.now), Take::Wait);
    world.pool.release(&first.session, world.now);
    assert_eq!(lease(&mut world, 10), Some(first));
}

// GIVEN a warm session whose primary has been tried
// WHEN another operator is wanted
// THEN the backup of the same session is asked, and without any other nobody
#[test]
fn the_committee_is_asked_in_its_order() {
    let mut world = World::new(config(), 131);
    world.pass(6);
    let held = lease(&mut world, 10).expect("a session");
    let without = Without(operator(1));
    let next = world.pool.next_member(&held.session, 10, &without);
    assert_eq!(next, Some(operator(2)));
    world.pool.release(&held.session, world.now);
    world.chain.committee = vec![1];
    let mut alone = World::new(config(), 131);
    alone.chain.committee = vec![1];
    alone.pass(6);
    let taken = alone.pool.take(&ROOT, 10, &without, alone.now);
    assert!(matches!(taken, Take::Never(_)), "{taken:?}");
}

// GIVEN a channel with a request in flight, and one that is lost
// WHEN a request comes
// THEN neither is used
#[test]
fn stuck_and_lost_channels_are_passed_over() {
    let mut world = World::new(config(), 131);
    world.pass(6);
    let session = *world.sessions().first().expect("one");
    world.pool.stick(&session, &operator(1));
    let held = lease(&mut world, 10).expect("the backup");
    assert_eq!(held.operator, operator(2));
    world.pool.release(&session, world.now);
    world.pool.lose(&session, &operator(2));
    // What is stuck may come free.
    assert_eq!(world.pool.take(&ROOT, 10, &Anybody, world.now), Take::Wait);
    world.pool.unstick(&session, &operator(1));
    assert_eq!(lease(&mut world, 10).map(|l| l.operator), Some(operator(1)));
}

// GIVEN an operator that was proven false
// WHEN requests come
// THEN it is asked in no session
#[test]
fn who_is_false_is_asked_nowhere() {
    let mut world = World::new(config(), 1_000);
    world.pass(6);
    world.pool.shun(&operator(1));
    let held = lease(&mut world, 10).expect("the backup");
    assert_eq!(held.operator, operator(2));
}

// GIVEN a session that covers less than a request can cost
// WHEN it is wanted
// THEN a slice that suffices is used, else the request waits for one to grow, and gets it
#[test]
fn a_slice_that_does_not_cover_a_request_grows() {
    let mut world = World::new(config(), 1_000);
    world.pass(6);
    let price = DEPOSIT;
    assert_eq!(
        world.pool.take(&ROOT, price, &Anybody, world.now),
        Take::Wait
    );
    let ticket = world.pool.line_up(&ROOT, price, world.now);
    world.pass(4);
    assert!(world.deeds().contains(&"top_up"));
    assert!(lease(&mut world, price).is_some());
    world.pool.leave(&ROOT, ticket);
}

// GIVEN a budget, or an account, that does not reach
// WHEN a request wants more than there is
// THEN it is told at once, with the amounts
#[test]
fn without_money_nobody_waits() {
    let poor = World::new(config(), 20);
    let mut poor = poor;
    poor.pass(3);
    let taken = poor.pool.take(&ROOT, 10, &Anybody, poor.now);
    let Take::Never(Why::Money(short)) = taken else {
        panic!("{taken:?}");
    };
    assert!(short.to_string().contains("account"), "{short}");

    let tight = chasqui_worker::sessions::gateway::pool::PoolConfig {
        budget: 130,
        ..config()
    };
    let mut tight = World::new(tight, 10_000);
    tight.pass(6);
    let taken = tight.pool.take(&ROOT, 90, &Anybody, tight.now);
    let Take::Never(Why::Money(short)) = taken else {
        panic!("{taken:?}");
    };
    assert!(short.to_string().contains("budget"), "{short}");
}
