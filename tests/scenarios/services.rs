//! Services that systemd starts with the machine, asked of the real `systemctl`.

use launchway_harness::{Project, Sandbox, requires, skip};
use serde_json::json;

/// Nothing boots on these hosts: what is enabled lies in links, which the real one makes, and units are always up.
const SYSTEMCTL: &str = r#"cat >/usr/local/bin/systemctl <<'END'
#!/bin/sh
[ "$1" != --no-ask-password ] || shift
case $1 in
    enable | disable) exec /usr/bin/systemctl "$@" ;;
    show) printf 'LoadState=loaded\nActiveState=active\nSubState=running\n' ;;
esac
END
chmod +x /usr/local/bin/systemctl"#;

const UNIT: &str = "[Service]\nExecStart=/bin/true\n[Install]\nWantedBy=multi-user.target\n";

#[test]
fn what_starts_with_the_machine_is_what_is_deployed() {
    if let Some(why) = Sandbox::obstacle() {
        return skip(&why);
    }
    if requires(&["/usr/bin/systemctl"]).is_some() {
        return;
    }
    let sandbox = Sandbox::start(1).expect("the host starts");
    let project = Project::new().expect("the binary is there").inside(&sandbox);
    let environment = json!({
        "environment": "test",
        "defaults": { "transport": "ssh", "user": "root", "ssh": sandbox.ssh_options() },
        "targets": { "host": { "address": sandbox.address(1) } },
    });
    project.environment(&environment).expect("it can be written");
    project.write("shop.service", UNIT).expect("it can be written");
    let on_host = |script: &str| sandbox.on_host(1, script).expect("it runs").exits(0).stdout();
    on_host(SYSTEMCTL);
    on_host(&format!("printf '{}' >/etc/systemd/system/foreign.service", UNIT.escape_default()));
    let enabled = || {
        let wants = on_host("find /etc/systemd/system/multi-user.target.wants -name 'shop*' -o -name 'foreign*'");
        let mut names: Vec<String> =
            wants.lines().filter_map(|line| Some(line.rsplit_once('/')?.1.to_owned())).collect();
        names.sort();
        names
    };
    let deploy = |with: &[&str]| {
        let service = |(number, with)| format!("s{number}: {{ type: ssh/service, with: {{ settle: 0s, {with} }} }}");
        let components: Vec<String> = with.iter().enumerate().map(service).collect();
        let components = components.join(", ");
        let application = format!("application: shop\nversion: '1'\ncomponents: {{ {components} }}\n");
        project.application(&application).expect("it can be written");
        project.run(["deploy", "--yes"]).expect("it runs").exits(0);
    };

    deploy(&["unit: shop, file: shop.service", "unit: foreign"]);
    assert_eq!(enabled(), ["foreign.service", "shop.service"]);
    deploy(&["unit: shop-api, file: shop.service", "unit: foreign"]);
    assert_eq!(enabled(), ["foreign.service", "shop-api.service"]);
    assert_eq!(on_host("ls /etc/systemd/system | grep shop"), "shop-api.service\n");
    deploy(&["unit: shop-api, file: shop.service"]);
    assert_eq!(enabled(), ["shop-api.service"], "a unit is disabled whose file is not ours, too");
    deploy(&[]);
    assert_eq!(enabled(), [""; 0]);
}
