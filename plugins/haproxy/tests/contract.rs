//! The contract that every plugin keeps, this one's cases, and its page.

use launchway_plugin_haproxy::PLUGIN;

launchway_sdk_testing::plugin_contract!(PLUGIN);

/// `cargo xtask schemas` writes its tables.
#[test]
fn its_page_is_current() {
    let page = include_str!("../../../docs/plugins/haproxy.md");
    for kind in PLUGIN.kinds {
        assert!(page.contains(&format!("<!-- properties: {} -->", kind.name)), "{} is not on the page", kind.name);
    }
    assert!(launchway_sdk::reference::fill_in(&PLUGIN, page) == page, "run `cargo xtask schemas`");
}
