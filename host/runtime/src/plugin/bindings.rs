//! The contract in Rust, generated from `wit/`.

wasmtime::component::bindgen!({
    path: "../../wit/0.1",
    world: "launchway:plugin/deployer",
    imports: {
        "launchway:plugin/log.emit": trappable,
        "launchway:plugin/log.progress": trappable,
        "launchway:plugin/clock.elapsed-ms": trappable,
        default: async | trappable,
    },
    exports: { default: async },
    with: {
        "launchway:plugin/secrets.secret": super::state::SecretHandle,
    },
});

pub(crate) use exports::launchway::plugin::{deployment, description, planning};
pub(crate) use launchway::plugin::{clock, http, log, net, secrets, target, types};
