//! The project's files from outside: what is read, where it stands, and what is said when it can't be.

mod bad_files;
mod files;
mod fuzz;
mod inventory;
mod places;
mod properties;
mod reference;
