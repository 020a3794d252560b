//! The system's allocator, which acts when it is asked for memory before a call has begun: while the host still lowers
//! the arguments.

use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::atomic::{AtomicBool, Ordering};

use crate::{launchway::plugin::clock, marks};

struct Acting;

static CALL_HAS_BEGUN: AtomicBool = AtomicBool::new(false);

/// From now on the allocator behaves.
pub fn call_has_begun() {
    CALL_HAS_BEGUN.store(true, Ordering::Relaxed);
}

#[global_allocator]
static ALLOCATOR: Acting = Acting;

// SAFETY: everything is the system allocator's.
unsafe impl GlobalAlloc for Acting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        if marks::alloc_acts() && !CALL_HAS_BEGUN.load(Ordering::Relaxed) {
            std::hint::black_box(clock::elapsed_ms());
        }
        // SAFETY: the caller's promises are handed on.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        // SAFETY: the caller's promises are handed on.
        unsafe { System.dealloc(pointer, layout) }
    }
}
