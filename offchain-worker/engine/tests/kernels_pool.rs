//! The pool does every item once, from any number of callers, and passes a panic on.

use std::panic::{catch_unwind, AssertUnwindSafe};
use std::sync::atomic::{AtomicUsize, Ordering};

use chasqui_engine::cpu::Pool;

fn counts(pool: &Pool, items: usize, grain: usize) -> Vec<usize> {
    let counts: Vec<AtomicUsize> = (0..items).map(|_| AtomicUsize::new(0)).collect();
    pool.for_each(items, grain, |range| {
        for count in &counts[range] {
            count.fetch_add(1, Ordering::Relaxed);
        }
    });
    counts.into_iter().map(AtomicUsize::into_inner).collect()
}

#[test]
fn every_item_is_done_once() {
    // GIVEN pools of one to five threads
    for threads in 1..=5 {
        let pool = Pool::new(threads).unwrap();
        assert_eq!(pool.threads(), threads);
        for items in [0, 1, 2, 7, 100, 1000] {
            for grain in [0, 1, 3, 64, 5000] {
                // WHEN items are shared out THEN each is done once
                assert_eq!(
                    counts(&pool, items, grain),
                    vec![1; items],
                    "{threads} {grain}"
                );
            }
        }
    }
}

#[test]
fn thousands_of_small_regions_follow_each_other() {
    // GIVEN a pool with more threads than most machines have cores
    let pool = Pool::new(6).unwrap();
    // WHEN tiny regions follow each other THEN none loses or repeats an item
    for _ in 0..5000 {
        assert_eq!(counts(&pool, 13, 1), [1; 13]);
    }
}

#[test]
fn sleeping_workers_wake_up() {
    // GIVEN workers that have had time to fall asleep
    let pool = Pool::new(3).unwrap();
    for _ in 0..20 {
        std::thread::sleep(std::time::Duration::from_millis(3));
        // WHEN a region comes whose items wait for each other
        let arrived = AtomicUsize::new(0);
        pool.for_each(3, 1, |range| {
            arrived.fetch_add(range.len(), Ordering::SeqCst);
            while arrived.load(Ordering::SeqCst) < 3 {
                std::thread::yield_now();
            }
        });
        // THEN all three threads were there
        assert_eq!(arrived.into_inner(), 3);
    }
}

#[test]
fn several_callers_and_nested_regions_share_a_pool() {
    // GIVEN one pool and four threads that use it at once, one region inside another
    let pool = Pool::new(2).unwrap();
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                for _ in 0..300 {
                    let done = AtomicUsize::new(0);
                    // WHEN each begins regions THEN each gets all of its own items
                    pool.for_each(8, 1, |range| {
                        for _ in range {
                            pool.for_each(5, 1, |inner| {
                                done.fetch_add(inner.len(), Ordering::Relaxed);
                            });
                        }
                    });
                    assert_eq!(done.into_inner(), 40);
                }
            });
        }
    });
}

#[test]
fn a_panic_reaches_the_caller_and_the_pool_lives_on() {
    // GIVEN a pool
    let pool = Pool::new(3).unwrap();
    for bad in [0, 50, 99] {
        // WHEN an item panics
        let outcome = catch_unwind(AssertUnwindSafe(|| {
            pool.for_each(100, 1, |range| {
                assert!(!range.contains(&bad), "item {bad}");
            });
        }));
        // THEN the caller gets that panic
        let payload = outcome.unwrap_err();
        assert_eq!(
            payload.downcast_ref::<String>().unwrap(),
            &format!("item {bad}")
        );
        // AND the next region is done as ever
        assert_eq!(counts(&pool, 100, 1), [1; 100]);
    }
}
