//! What the end-to-end tests, the demo and the benchmarks share: test hosts, projects, the binary.

mod privilege;

pub use privilege::is_root;
