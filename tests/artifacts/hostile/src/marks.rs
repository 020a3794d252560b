//! Marks in the module's data that a test overwrites: `@NAME:` and 16 bytes, filled up with dots.

const LENGTH: usize = 16;

static DESCRIBE: [u8; 10 + LENGTH] = *b"@describe:good............";
static START: [u8; 7 + LENGTH] = *b"@start:quiet...........";
static ALLOC: [u8; 7 + LENGTH] = *b"@alloc:quiet...........";

pub fn describe() -> &'static str {
    read(&DESCRIBE, 10)
}

pub fn start() -> &'static str {
    read(&START, 7)
}

pub fn alloc_acts() -> bool {
    // Without anything that could allocate itself.
    std::hint::black_box(&ALLOC)[7] == b'a'
}

/// The compiler must not know what stands there.
fn read(mark: &'static [u8], prefix: usize) -> &'static str {
    let bytes = &std::hint::black_box(mark)[prefix..];
    std::str::from_utf8(bytes).unwrap_or("garbled").trim_end_matches('.')
}
