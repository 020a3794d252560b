//! The test hosts themselves: reachable, separate, gone afterwards.

use std::process::Command;

use launchway_harness::{Hosts, Sandbox, skip};

fn ssh(identity: &std::path::Path, known_hosts: &std::path::Path, port: u16, address: &str, command: &str) -> String {
    let output = Command::new("/usr/bin/ssh")
        .args(["-F", "/dev/null", "-o", "BatchMode=yes", "-o", "IdentitiesOnly=yes", "-o", "ConnectTimeout=5"])
        .arg("-o")
        .arg(format!("UserKnownHostsFile={}", known_hosts.display()))
        .arg("-i")
        .arg(identity)
        .args(["-p", &port.to_string(), address, command])
        .output()
        .expect("ssh runs");
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

#[test]
fn hosts_answer_until_they_crash() {
    let Some(mut hosts) = Hosts::start(3).expect("the servers start") else { return };
    let ask = |hosts: &Hosts, index: usize| {
        ssh(hosts.identity(), &hosts.known_hosts(), hosts.port(), hosts.address(index), "echo here")
    };
    assert_eq!((0..3).map(|index| ask(&hosts, index)).collect::<Vec<_>>(), ["here\n"; 3]);
    hosts.crash(1);
    assert!(ask(&hosts, 1).contains("Connection refused"));
    assert_eq!(ask(&hosts, 2), "here\n");
    hosts.boot(1).expect("the server starts again");
    assert_eq!(ask(&hosts, 1), "here\n");
}

#[test]
fn sandboxed_hosts_have_their_own_disk_and_network() {
    if let Some(why) = Sandbox::obstacle() {
        return skip(&why);
    }
    let sandbox = Sandbox::start(2).expect("the hosts start");
    let name =
        |index| sandbox.on_host(index, "hostname; cat /etc/launchway-test 2>&1 || true").expect("it runs").text();
    sandbox.on_host(1, "echo mine >/etc/launchway-test").expect("it runs").exits(0);
    assert_eq!(name(1), "host1\nmine\n");
    assert!(name(2).starts_with("host2\ncat: "), "{}", name(2));
    assert!(!std::path::Path::new("/etc/launchway-test").exists());

    let mut words = sandbox.entrance("/".as_ref());
    words.extend(
        ["/usr/bin/ssh", "-F", "/dev/null", "-o", "BatchMode=yes", "-o", "ConnectTimeout=2"].map(str::to_owned),
    );
    words.extend(["-o".to_owned(), format!("UserKnownHostsFile={}", sandbox.known_hosts().display())]);
    words.extend(["-i".to_owned(), sandbox.identity().display().to_string()]);
    let login = |index: u8| {
        let output = Command::new(&words[0]).args(&words[1..]).args([&sandbox.address(index), "hostname"]).output();
        let output = output.expect("nsenter runs");
        format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
    };
    assert_eq!(login(1), "host1\n");
    sandbox.cut(1).expect("it can be cut off");
    assert!(login(1).contains("timed out") || login(1).contains("No route"), "{}", login(1));
    assert_eq!(login(2), "host2\n");
    sandbox.heal(1).expect("it can be healed");
    assert_eq!(login(1), "host1\n");
    sandbox.crash(1).expect("it can crash");
    sandbox.boot(1).expect("it boots again");
    assert_eq!(login(1), "host1\n");
    assert_eq!(name(1), "host1\nmine\n", "the disk survives");
}
