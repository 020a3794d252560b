//! The scheduler from outside: rules by hand, promises on random plans, the driver with scripted company.

mod driver;
mod makespan;
mod promises;
mod rules;
mod sharing;
mod support;
