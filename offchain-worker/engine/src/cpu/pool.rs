//! The threads of one engine.
//!
//! A token of a small model is some thirty parallel regions of a few ten microseconds, so that
//! waking a sleeping thread for each would cost more than the work. Workers therefore look for the
//! next region for a short while before they sleep. The caller always works too, and it never waits
//! for a worker that has not begun: on a machine with more threads than cores a region is then
//! computed by whoever has a core.

use std::any::Any;
use std::cell::UnsafeCell;
use std::fmt;
use std::ops::Range;
use std::panic::{catch_unwind, resume_unwind, AssertUnwindSafe};
use std::sync::atomic::{fence, AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, TryLockError};
use std::thread::{self, JoinHandle, Thread};
use std::time::{Duration, Instant};

/// How long an idle worker polls before it lets others have its core between polls.
const SPIN: Duration = Duration::from_micros(5);
/// How long an idle worker polls, yielding, before it sleeps.
const YIELD: Duration = Duration::from_micros(100);
/// Polls between two looks at the clock.
const POLLS: u32 = 64;

/// State of the current region: number << 17 | OPEN | workers inside.
const OPEN: u64 = 1 << 16;
const INSIDE: u64 = OPEN - 1;
const NUMBER_SHIFT: u32 = 17;

/// Work of one region as the workers see it. Lives on the caller's stack.
struct Region<'a> {
    body: &'a (dyn Fn(Range<usize>) + Sync),
    /// First item that nobody has claimed.
    next: AtomicUsize,
    items: usize,
    grain: usize,
    most: usize,
    /// A claim takes one part in this of what is left, so that the first are long and the last
    /// ones short.
    threads: usize,
    panic: Mutex<Option<Box<dyn Any + Send>>>,
}

impl Region<'_> {
    fn claim(&self) -> Option<Range<usize>> {
        let mut start = self.next.load(Ordering::Relaxed);
        loop {
            let left = self.items.saturating_sub(start);
            if left == 0 {
                return None;
            }
            let take = (left / self.threads).min(self.most).max(self.grain);
            let take = take.min(left);
            match self.next.compare_exchange_weak(
                start,
                start + take,
                Ordering::Relaxed,
                Ordering::Relaxed,
            ) {
                Ok(_) => return Some(start..start + take),
                Err(now) => start = now,
            }
        }
    }

    /// Works until nothing is left. A panic of the body ends the region for everybody.
    fn work(&self) {
        let outcome = catch_unwind(AssertUnwindSafe(|| {
            while let Some(range) = self.claim() {
                (self.body)(range);
            }
        }));
        if let Err(payload) = outcome {
            self.next.store(self.items, Ordering::Relaxed);
            let mut slot = self.panic.lock().unwrap_or_else(|e| e.into_inner());
            slot.get_or_insert(payload);
        }
    }
}

/// One line of its own, so that polling does not slow those who write next to it.
#[repr(align(128))]
struct Own<T>(T);

struct Sleeper {
    asleep: Arc<AtomicBool>,
    thread: Thread,
}

struct Shared {
    state: Own<AtomicU64>,
    stop: AtomicBool,
    /// Valid while the state is open or has workers inside.
    region: UnsafeCell<*const Region<'static>>,
    /// The caller, while it sleeps until the last worker leaves.
    waiting: Mutex<Option<Thread>>,
}

// SAFETY: `region` is written by the one caller that holds `Pool::caller` while the state is closed
// and nobody is inside; workers read it only after they have entered an open state.
unsafe impl Send for Shared {}
unsafe impl Sync for Shared {}

impl Shared {
    /// Joins the region in `state` unless it has closed meanwhile.
    fn enter(&self, state: u64) -> bool {
        self.state
            .0
            .compare_exchange(state, state + 1, Ordering::Acquire, Ordering::Relaxed)
            .is_ok()
    }

    fn leave(&self) {
        let before = self.state.0.fetch_sub(1, Ordering::AcqRel);
        // The last one out after the end: the caller may sleep by now.
        if before & (OPEN | INSIDE) == 1 {
            let waiting = self.waiting.lock().unwrap_or_else(|e| e.into_inner());
            if let Some(thread) = waiting.as_ref() {
                thread.unpark();
            }
        }
    }

    fn serve(&self, asleep: &AtomicBool) {
        let mut done = 0;
        let mut idle_since = Instant::now();
        let mut polls = 0u32;
        loop {
            let state = self.state.0.load(Ordering::Acquire);
            let number = state >> NUMBER_SHIFT;
            if state & OPEN != 0 && number != done {
                if self.enter(state) {
                    // SAFETY: this thread is inside, so the caller keeps the region alive.
                    let region = unsafe { &**self.region.get() };
                    region.work();
                    self.leave();
                    done = number;
                    idle_since = Instant::now();
                    polls = 0;
                }
                continue;
            }
            if self.stop.load(Ordering::Acquire) {
                return;
            }
            polls += 1;
            if !polls.is_multiple_of(POLLS) {
                std::hint::spin_loop();
                continue;
            }
            let idle = idle_since.elapsed();
            if idle < SPIN {
                continue;
            }
            if idle < YIELD {
                thread::yield_now();
                continue;
            }
            asleep.store(true, Ordering::Relaxed);
            // Pairs with the fence of the caller: either it sees this thread asleep, or this
            // thread sees its region.
            fence(Ordering::SeqCst);
            let state = self.state.0.load(Ordering::Relaxed);
            let news = state & OPEN != 0 && state >> NUMBER_SHIFT != done;
            if !news && !self.stop.load(Ordering::Relaxed) {
                thread::park();
            }
            asleep.store(false, Ordering::Relaxed);
            idle_since = Instant::now();
        }
    }
}

/// A fixed number of threads, the caller's included, that share the work of parallel regions.
///
/// It may be used from several threads at once: one region at a time uses the workers, any other
/// (also one begun inside a region) runs on its caller alone.
pub struct Pool {
    shared: Arc<Shared>,
    sleepers: Vec<Sleeper>,
    handles: Vec<JoinHandle<()>>,
    /// Held by whoever uses the workers.
    caller: Mutex<u64>,
}

impl Pool {
    /// A pool of `threads` threads, at least one: the caller of a region and `threads - 1` workers.
    ///
    /// # Errors
    /// The system gives no more threads.
    pub fn new(threads: usize) -> std::io::Result<Self> {
        let shared = Arc::new(Shared {
            state: Own(AtomicU64::new(0)),
            stop: AtomicBool::new(false),
            region: UnsafeCell::new(std::ptr::null()),
            waiting: Mutex::new(None),
        });
        let mut pool = Self {
            shared,
            sleepers: Vec::new(),
            handles: Vec::new(),
            caller: Mutex::new(0),
        };
        for index in 1..threads.clamp(1, INSIDE as usize) {
            let shared = pool.shared.clone();
            let asleep = Arc::new(AtomicBool::new(false));
            let flag = asleep.clone();
            // On an error the drop of `pool` ends those that exist.
            let handle = thread::Builder::new()
                .name(format!("engine-{index}"))
                .spawn(move || shared.serve(&flag))?;
            pool.sleepers.push(Sleeper {
                asleep,
                thread: handle.thread().clone(),
            });
            pool.handles.push(handle);
        }
        Ok(pool)
    }

    /// As many threads as this process may use at once.
    ///
    /// # Errors
    /// The system gives no more threads.
    pub fn with_available_parallelism() -> std::io::Result<Self> {
        Self::new(thread::available_parallelism().map_or(1, usize::from))
    }

    /// Threads that work on a region, the caller's included.
    pub fn threads(&self) -> usize {
        self.handles.len() + 1
    }

    /// Calls `body` with ranges that together are `0..items`, each once, on all threads; returns
    /// when all are done. A range has at least `grain` items (except the last) and more while much
    /// is left. A region of one grain runs on the caller alone.
    ///
    /// # Panics
    /// If `body` panics, with its payload, after all threads have left.
    pub fn for_each(&self, items: usize, grain: usize, body: impl Fn(Range<usize>) + Sync) {
        self.for_each_up_to(items, grain, usize::MAX, body);
    }

    /// [`Self::for_each`] with at most `most` items a range, if another thread has a part at all.
    pub(crate) fn for_each_up_to(
        &self,
        items: usize,
        grain: usize,
        most: usize,
        body: impl Fn(Range<usize>) + Sync,
    ) {
        let grain = grain.max(1);
        if items == 0 {
            return;
        }
        if items <= grain || self.handles.is_empty() {
            return body(0..items);
        }
        let mut number = match self.caller.try_lock() {
            Ok(guard) => guard,
            Err(TryLockError::Poisoned(poisoned)) => poisoned.into_inner(),
            Err(TryLockError::WouldBlock) => return body(0..items),
        };
        let region = Region {
            body: &body,
            next: AtomicUsize::new(0),
            items,
            grain,
            most,
            threads: self.threads(),
            panic: Mutex::new(None),
        };
        *number = number.wrapping_add(1);
        // SAFETY: the state is closed and nobody is inside, so nobody reads. Only the lifetime
        // changes: the region outlives all use of the pointer because of `close` below, which
        // nothing can skip, since `work` does not unwind.
        unsafe {
            *self.shared.region.get() = std::ptr::from_ref(&region).cast::<Region<'static>>();
        }
        let state = (*number << NUMBER_SHIFT) | OPEN;
        self.shared.state.0.store(state, Ordering::Release);
        fence(Ordering::SeqCst);
        let helpers = (items.div_ceil(grain) - 1).min(self.sleepers.len());
        for sleeper in &self.sleepers[..helpers] {
            if sleeper.asleep.load(Ordering::Relaxed)
                && sleeper.asleep.swap(false, Ordering::Relaxed)
            {
                sleeper.thread.unpark();
            }
        }
        region.work();
        self.close();
        drop(number);
        if let Some(payload) = region.panic.into_inner().unwrap_or_else(|e| e.into_inner()) {
            resume_unwind(payload);
        }
    }

    /// Lets nobody else in and waits for those who are inside.
    fn close(&self) {
        let state = &self.shared.state.0;
        if state.fetch_and(!OPEN, Ordering::AcqRel) & INSIDE == 0 {
            return;
        }
        let inside = || state.load(Ordering::Acquire) & INSIDE != 0;
        let since = Instant::now();
        let mut polls = 0u32;
        while inside() {
            polls += 1;
            if !polls.is_multiple_of(POLLS) {
                std::hint::spin_loop();
                continue;
            }
            let waited = since.elapsed();
            if waited < SPIN {
                continue;
            }
            if waited < YIELD {
                thread::yield_now();
                continue;
            }
            let lock = || {
                self.shared
                    .waiting
                    .lock()
                    .unwrap_or_else(|e| e.into_inner())
            };
            *lock() = Some(thread::current());
            while inside() {
                thread::park();
            }
            *lock() = None;
        }
    }
}

impl Drop for Pool {
    fn drop(&mut self) {
        self.shared.stop.store(true, Ordering::Release);
        fence(Ordering::SeqCst);
        for sleeper in &self.sleepers {
            sleeper.thread.unpark();
        }
        for handle in self.handles.drain(..) {
            // A worker catches the panics of its work; it has nothing else that could.
            let _ = handle.join();
        }
    }
}

impl fmt::Debug for Pool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pool")
            .field("threads", &self.threads())
            .finish()
    }
}
