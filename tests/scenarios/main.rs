//! What Launchway promises, tried with the real binary on real SSH servers. A file per theme.

mod architecture;
mod changes;
mod interruption;
mod names;
mod order;
mod output;
mod plugins;
mod rollback;
mod scale;
mod services;
mod site;
mod targets;
mod trouble;
