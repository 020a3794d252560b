//! The contract, as `wit-bindgen` makes it.

wit_bindgen::generate!({
    path: "../../wit/0.1",
    world: "deployer",
    pub_export_macro: true,
    default_bindings_module: "launchway_sdk::bindings",
    additional_derives: [PartialEq],
    additional_type_attributes: { "launchway:plugin/target@0.1.0/file-options": [#[derive(Default)]] },
    // These hold borrowed handles, which can't be compared.
    additional_derives_ignore: ["part", "variable", "command", "source", "header", "request", "secret"],
});
