//! The transports against a real SSH server on loopback, and the local one beside it.

mod battery;
mod files;
mod load;
mod login;
mod requests;
mod secrecy;
mod support;
mod users;
