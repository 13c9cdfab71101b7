//! A bound on memory. libFuzzer's own (`-malloc_limit_mb`) needs a sanitizer, which stable Rust has not.

use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

/// The system's allocator, counting.
struct Counting;

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// Bytes that are allocated.
static LIVE: AtomicUsize = AtomicUsize::new(0);
/// Bytes that may be.
static MOST: AtomicUsize = AtomicUsize::new(usize::MAX);

/// Runs `work`, which may hold at most `bytes` at a time beside what is held now; more ends the process.
pub fn within(bytes: usize, work: impl FnOnce()) {
    MOST.store(LIVE.load(Relaxed).saturating_add(bytes), Relaxed);
    work();
    MOST.store(usize::MAX, Relaxed);
}

fn take(bytes: usize) {
    let live = LIVE.fetch_add(bytes, Relaxed).wrapping_add(bytes);
    let most = MOST.load(Relaxed);
    if live > most && live < usize::MAX / 2 {
        MOST.store(usize::MAX, Relaxed);
        let way = std::backtrace::Backtrace::force_capture();
        eprintln!("memory: {live} bytes with the last {bytes}, at most {most} are allowed\n{way}");
        std::process::abort();
    }
}

fn give(bytes: usize) {
    LIVE.fetch_sub(bytes, Relaxed);
}

// SAFETY: every call goes to the system's allocator as it came; counting touches no memory.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        take(layout.size());
        unsafe { System.alloc(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        take(layout.size());
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn realloc(&self, at: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        // While it is copied, both are there.
        take(size);
        let moved = unsafe { System.realloc(at, layout, size) };
        give(layout.size());
        moved
    }

    unsafe fn dealloc(&self, at: *mut u8, layout: Layout) {
        give(layout.size());
        unsafe { System.dealloc(at, layout) }
    }
}
