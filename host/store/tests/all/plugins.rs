use launchway_model::{Digest, PluginName, RunId};
use launchway_store::{KeptPlugin, Store};

fn plugin(name: &str, bytes: &[u8], grant: &[&str], run: u64) -> KeptPlugin {
    let grant = grant.iter().map(|name| (*name).to_owned()).collect();
    KeptPlugin { name: PluginName::new(name).unwrap(), digest: Digest::of(bytes), grant, run: RunId(run) }
}

#[test]
fn the_plugin_that_was_used_last_counts() {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(folder.path()).unwrap();
    let name = PluginName::new("acme").unwrap();
    assert_eq!(store.last_plugin(&name).unwrap(), None);
    for used in [
        plugin("acme", b"1", &["target"], 1),
        plugin("acme", b"2", &["target", "http"], 2),
        plugin("other", b"3", &[], 3),
        plugin("acme", b"1", &[], 4),
    ] {
        store.record_plugin(&used).unwrap();
    }
    let last = plugin("acme", b"1", &[], 4);
    assert_eq!(store.last_plugin(&name).unwrap().as_ref(), Some(&last), "with what it was granted then");
    let all = [last, plugin("acme", b"2", &["target", "http"], 2), plugin("other", b"3", &[], 3)];
    assert_eq!(store.plugins().unwrap(), all);
}
