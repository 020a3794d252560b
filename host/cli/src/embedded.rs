//! The plugins that were built into this binary.

include!(concat!(env!("OUT_DIR"), "/embedded.rs"));
