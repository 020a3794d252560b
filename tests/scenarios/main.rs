//! What Launchway promises, tried with the real binary on real SSH servers. A file per theme.

mod architecture;
mod changes;
mod editors;
mod interruption;
mod names;
mod order;
mod output;
mod plugins;
mod rollback;
mod scale;
mod services;
mod site;
mod trouble;
