//! The guest's heap.
//!
//! Rust's own allocator grows the memory at its first allocation, and a host that gives every call a fresh instance
//! pays for that with page faults and system calls. This one uses what the memory has from the start, and grows it
//! only when that is full.

#![expect(unsafe_code, reason = "an allocator hands out raw memory; this is all of the SDK's own unsafe code")]

use core::alloc::Layout;
use core::arch::wasm32::{memory_grow, memory_size};
use core::ptr::NonNull;

use talc::base::binning::Binning;
use talc::base::{CHUNK_UNIT, Talc};
use talc::cell::TalcSyncCell;
use talc::source::Source;
use talc::wasm::WasmBinning;

#[global_allocator]
static HEAP: TalcSyncCell<GuestMemory, WasmBinning> = TalcSyncCell::new_wasm(GuestMemory { end: None });

const PAGE: usize = 64 * 1024;

#[derive(Debug)]
struct GuestMemory {
    /// The end of the heap; none until the first allocation.
    end: Option<NonNull<u8>>,
}

unsafe extern "C" {
    /// Where the linker's own data ends.
    static __heap_base: u8;
}

// SAFETY: neither allocates nor uses a type that does.
unsafe impl Source for GuestMemory {
    fn acquire<B: Binning>(talc: &mut Talc<Self, B>, layout: Layout) -> Result<(), ()> {
        let Some(end) = talc.source.end else {
            let start = &raw const __heap_base as usize;
            let length = (memory_size::<0>() * PAGE).saturating_sub(start);
            // SAFETY: everything from `__heap_base` to the end of the memory belongs to nobody else.
            if let Some(end) = unsafe { talc.claim(start as *mut u8, length) } {
                talc.source.end = Some(end);
                return Ok(());
            }
            return grow(talc, layout, None);
        };
        grow(talc, layout, Some(end))
    }
}

fn grow<B: Binning>(talc: &mut Talc<GuestMemory, B>, layout: Layout, old_end: Option<NonNull<u8>>) -> Result<(), ()> {
    let pages = (layout.size() + layout.align() + 4 * CHUNK_UNIT).div_ceil(PAGE);
    let base = match memory_grow::<0>(pages) {
        usize::MAX => return Err(()),
        page => page * PAGE,
    };
    let (base, length) = (base as *mut u8, pages * PAGE);
    talc.source.end = match old_end {
        // SAFETY: the new pages follow the heap directly, and nobody else has them.
        Some(end) if std::ptr::eq(end.as_ptr(), base) => Some(unsafe { talc.extend(end, base.wrapping_add(length)) }),
        // SAFETY: the new pages are nobody else's.
        _ => unsafe { talc.claim(base, length) },
    };
    if talc.source.end.is_some() { Ok(()) } else { Err(()) }
}
