//! The store from outside: what is written is there, whole, for one writer at a time.

mod blobs;
mod folder;
mod journal;
mod keys;
mod lease;
mod plugins;
mod records;
mod requirements;
mod runs;
mod sharing;
mod support;
