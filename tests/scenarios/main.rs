//! What Launchway promises, tried with the real binary on real SSH servers. A file per theme.

mod architecture;
mod canary;
mod changes;
mod drift;
mod editors;
mod encrypted;
mod examples;
mod interruption;
mod inventory;
mod locks;
mod names;
mod order;
mod output;
mod plugins;
mod removal;
mod rollback;
mod rolling;
mod rollouts;
mod scale;
mod services;
mod site;
mod targets;
mod traffic;
mod trouble;
