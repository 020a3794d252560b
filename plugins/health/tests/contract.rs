//! The contract that every plugin keeps, and this one's cases.

launchway_sdk_testing::plugin_contract!(launchway_plugin_health::PLUGIN);
