//! Independent work on all cores. Results do not depend on how many there are.

use std::sync::{
    atomic::{AtomicUsize, Ordering},
    Mutex,
};

use anyhow::Result;

/// Threads that work on runs: as many as the machine runs at once.
pub fn threads() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}

/// `f` of every item, in the items' order.
///
/// # Errors
/// The first error in that order among the items that were begun; what was not begun yet is left out.
pub fn map<T: Sync, R: Send>(items: &[T], f: impl Fn(&T) -> Result<R> + Sync) -> Result<Vec<R>> {
    let next = AtomicUsize::new(0);
    let failed = AtomicUsize::new(0);
    let done = Mutex::new(Vec::with_capacity(items.len()));
    std::thread::scope(|scope| {
        for _ in 0..threads().min(items.len()) {
            scope.spawn(|| loop {
                let index = next.fetch_add(1, Ordering::Relaxed);
                let Some(item) = items.get(index) else { return };
                if failed.load(Ordering::Relaxed) > 0 {
                    return;
                }
                let result = f(item);
                failed.fetch_add(usize::from(result.is_err()), Ordering::Relaxed);
                let mut done = done.lock().unwrap_or_else(|broken| broken.into_inner());
                done.push((index, result));
            });
        }
    });
    let mut done = done
        .into_inner()
        .unwrap_or_else(|broken| broken.into_inner());
    done.sort_by_key(|(index, _)| *index);
    done.into_iter().map(|(_, result)| result).collect()
}
