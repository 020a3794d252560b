//! The system's allocator, which acts when it is asked for memory: code that runs while the host lowers arguments.

use std::alloc::{GlobalAlloc, Layout, System};

use crate::{launchway::plugin::clock, marks};

struct Acting;

#[global_allocator]
static ALLOCATOR: Acting = Acting;

// SAFETY: everything is the system allocator's.
unsafe impl GlobalAlloc for Acting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        if marks::alloc_acts() {
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
