//! Why there is no connection: each reason has its own words and says what to do.

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt as _;

use launchway_model::{Failure, Fault, HostKeyChecking, TargetSpec};

use launchway_runtime::{Command, Exit};

use crate::support::{World, kill, processes_with, secret, sh, until};

/// Tries to run something on a target that can't be reached.
async fn refusal(world: &World, change: impl FnOnce(&mut TargetSpec)) -> Failure {
    let mut target = world.target();
    change(&mut target);
    let failure = world.effects_on(&target).exec(sh("true"), &world.sink).await.unwrap_err();
    assert!(!failure.message.ends_with('.') && failure.hint.is_some(), "{failure:?}");
    failure
}

fn assert_says(failure: &Failure, fault: Fault, retryable: bool, words: &[&str]) {
    let all = format!("{} | {}", failure.message, failure.hint.as_deref().unwrap_or_default());
    assert_eq!((failure.fault, failure.retryable), (fault, retryable), "{failure:?}");
    for word in words {
        assert!(all.contains(word), "`{word}` is not in: {failure:?}");
    }
}

#[tokio::test]
async fn every_reason_has_its_own_words() {
    let Some(world) = World::ssh() else { return };
    let port = world.sshd.as_ref().unwrap().port;

    let unknown = refusal(&world, |target| target.address = "no-such-host.invalid".into()).await;
    assert_says(&unknown, Fault::Configuration, true, &["no host named `no-such-host.invalid`", "address"]);

    let closed = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let refused = refusal(&world, |target| target.port = Some(closed)).await;
    assert_says(&refused, Fault::Network, true, &[&format!("127.0.0.1:{closed} refuses connections")]);

    let strange = refusal(&world, |target| target.ssh.known_hosts = Some("nothing".into())).await;
    assert_says(
        &strange,
        Fault::Configuration,
        false,
        &["host key", "is not known", &format!("ssh-keyscan -p {port} 127.0.0.1 >>"), "accept-new"],
    );

    let other = fs::read_to_string(world.path("other.pub")).unwrap();
    fs::write(world.path("changed"), format!("[127.0.0.1]:{port} {other}")).unwrap();
    let changed = refusal(&world, |target| target.ssh.known_hosts = Some("changed".into())).await;
    assert_says(
        &changed,
        Fault::Configuration,
        false,
        &["host key", "has changed", &format!("ssh-keygen -R '[127.0.0.1]:{port}'")],
    );

    let wrong_key = refusal(&world, |target| target.ssh.identity_file = Some("other".into())).await;
    assert_says(
        &wrong_key,
        Fault::Configuration,
        false,
        &["refuses the login", "the user of the SSH configuration", "other"],
    );
    let wrong_user = refusal(&world, |target| target.user = Some("nobody-of-that-name".into())).await;
    assert_says(&wrong_user, Fault::Configuration, false, &["refuses the login of user `nobody-of-that-name`", "id"]);

    let no_key = refusal(&world, |target| target.ssh.identity_file = Some("keys/none".into())).await;
    assert_says(&no_key, Fault::Configuration, false, &["can't read identity file", "keys/none"]);

    fs::copy(world.path("id"), world.path("open")).unwrap();
    fs::set_permissions(world.path("open"), fs::Permissions::from_mode(0o644)).unwrap();
    let open_key = refusal(&world, |target| target.ssh.identity_file = Some("open".into())).await;
    assert_says(&open_key, Fault::Configuration, false, &["may be read by others", "chmod 600"]);

    let option = refusal(&world, |target| target.address = "-oProxyCommand=touch /tmp/x".into()).await;
    assert_says(&option, Fault::Configuration, false, &["begins with `-`", "address"]);
    let option = refusal(&world, |target| target.user = Some("-l".into())).await;
    assert_says(&option, Fault::Configuration, false, &["begins with `-`", "user"]);

    world.close().await;
}

#[tokio::test]
async fn a_server_that_says_nothing_times_out() {
    let Some(world) = World::ssh() else { return };
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = silent.local_addr().unwrap().port();
    let failure = refusal(&world, |target| {
        target.port = Some(port);
        target.ssh.connect_timeout = Some(1);
    })
    .await;
    assert_says(&failure, Fault::Network, true, &["no answer from 127.0.0.1", "within 1 s"]);
    world.close().await;
}

#[tokio::test]
async fn many_steps_share_one_failure_to_connect() {
    let Some(world) = World::ssh() else { return };
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let mut target = world.target();
    target.port = Some(silent.local_addr().unwrap().port());
    target.ssh.connect_timeout = Some(1);
    let effects = world.effects_on(&target);
    let begun = std::time::Instant::now();
    let tries = (0..10).map(|_| effects.exec(sh("true"), &world.sink));
    for outcome in futures(tries).await {
        assert!(outcome.unwrap_err().message.contains("no answer"));
    }
    assert!(begun.elapsed() < std::time::Duration::from_secs(8), "one after the other: {:?}", begun.elapsed());
    drop(effects);
    world.close().await;
}

#[tokio::test]
async fn new_host_keys_are_accepted_if_told_so_and_changed_ones_are_not() {
    let Some(world) = World::ssh() else { return };
    let mut target = world.target();
    target.ssh.known_hosts = Some("learned".into());
    target.ssh.host_key_checking = HostKeyChecking::AcceptNew;
    world.effects_on(&target).exec(sh("true"), &world.sink).await.unwrap();
    assert!(fs::read_to_string(world.path("learned")).unwrap().contains("127.0.0.1"));

    let port = world.sshd.as_ref().unwrap().port;
    let other = fs::read_to_string(world.path("other.pub")).unwrap();
    fs::write(world.path("changed"), format!("[127.0.0.1]:{port} {other}")).unwrap();
    let changed = refusal(&world, |target| {
        target.ssh.known_hosts = Some("changed".into());
        target.ssh.host_key_checking = HostKeyChecking::AcceptNew;
    })
    .await;
    assert!(changed.message.contains("has changed"), "{changed:?}");

    let mut careless = world.target();
    careless.ssh.known_hosts = Some("changed".into());
    careless.ssh.host_key_checking = HostKeyChecking::Off;
    world.effects_on(&careless).exec(sh("true"), &world.sink).await.unwrap();
    world.close().await;
}

#[tokio::test]
async fn a_jump_host_is_passed_with_the_same_keys_and_its_failures_are_told() {
    let Some(world) = World::ssh() else { return };
    let port = world.sshd.as_ref().unwrap().port;
    let jump = format!("127.0.0.2:{port}");
    let mut target = world.target();
    target.ssh.jump = vec![jump.clone()];
    let output = world.effects_on(&target).exec(sh("echo $SSH_CONNECTION"), &world.sink).await.unwrap();
    assert!(output.stdout.starts_with(b"127.0.0."), "{output:?}");
    target.ssh.jump = vec![jump.clone(), format!("127.0.0.3:{port}")];
    world.effects_on(&target).exec(sh("true"), &world.sink).await.unwrap();

    let closed = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let shut = refusal(&world, |target| target.ssh.jump = vec![format!("127.0.0.2:{closed}")]).await;
    assert_says(&shut, Fault::Network, true, &["jump host 127.0.0.2", "it refuses connections"]);
    let beyond = refusal(&world, |target| {
        target.ssh.jump = vec![jump.clone()];
        target.port = Some(closed);
    })
    .await;
    assert_says(&beyond, Fault::Network, true, &["jump host 127.0.0.2", "can't reach 127.0.0.1", "refused"]);
    let refused = refusal(&world, |target| target.ssh.jump = vec![format!("nobody-of-that-name@{jump}")]).await;
    assert_says(&refused, Fault::Network, false, &["jump host nobody-of-that-name@127.0.0.2", "refuses the login"]);
    let option = refusal(&world, |target| target.ssh.jump = vec!["-oProxyCommand=x".into()]).await;
    assert_says(&option, Fault::Configuration, false, &["no jump host"]);
    world.close().await;
}

#[tokio::test]
async fn the_users_own_configuration_counts() {
    let Some(world) = World::ssh() else { return };
    let port = world.sshd.as_ref().unwrap().port;
    let text = format!(
        "Host shop\n  HostName 127.0.0.4\n  Port {port}\n  LogLevel QUIET\n  BatchMode no\n  ControlPersist yes\n"
    );
    fs::write(world.path("my config"), text).unwrap();
    let mut target = world.target_at("shop");
    target.port = None;
    target.ssh.config_file = Some("my config".into());
    // HostKeyAlias is not set, so the key is looked up by the real address.
    world.effects_on(&target).exec(sh("true"), &world.sink).await.unwrap();
    let missing = refusal(&world, |target| target.ssh.config_file = Some("no-config".into())).await;
    assert_says(&missing, Fault::Configuration, false, &["can't read the SSH configuration", "no-config"]);
    fs::write(world.path("broken"), "Nonsense yes\n").unwrap();
    let broken = refusal(&world, |target| target.ssh.config_file = Some("broken".into())).await;
    assert_says(&broken, Fault::Configuration, false, &["does not accept its configuration"]);
    world.close().await;
}

#[tokio::test]
async fn a_login_that_runs_no_commands_is_told() {
    let Some(world) = World::ssh_with("ForceCommand echo This account is closed.; exit 1") else { return };
    let failure = world.effects().exec(sh("true"), &world.sink).await.unwrap_err();
    assert_says(&failure, Fault::Target, false, &["runs no commands", "exit status 1", "login shell"]);
    assert_eq!(failure.detail.as_deref(), Some("This account is closed."));
    world.close().await;
}

#[tokio::test]
async fn a_login_that_talks_does_not_end_up_in_the_output() {
    let talk = "ForceCommand echo Welcome; echo warning >&2; eval \"$SSH_ORIGINAL_COMMAND\"";
    let Some(world) = World::ssh_with(talk) else { return };
    let output = world.effects().exec(sh("echo out; echo err >&2"), &world.sink).await.unwrap();
    assert_eq!((output.stdout.as_slice(), output.stderr.as_slice()), (b"out\n".as_slice(), b"err\n".as_slice()));
    world.close().await;
}

#[tokio::test]
async fn a_connection_lost_in_the_middle_is_neither_an_exit_nor_a_kill() {
    let Some(world) = World::ssh() else { return };
    let effects = world.effects();
    let mut running = effects.exec(sh("echo $$; exec sleep 600"), &world.sink);
    tokio::select! {
        _ = &mut running => panic!("it sleeps"),
        () = until("it runs", || world.sink.stdout().ends_with('\n')) => {}
    }
    for pid in world.sshd.as_ref().unwrap().children() {
        kill(pid);
    }
    let failure = running.await.unwrap_err();
    assert_says(&failure, Fault::Network, true, &["was lost in the middle", "still be running"]);
    // The next command gets a new connection.
    let still_there = format!("kill {}", world.sink.stdout());
    assert_eq!(effects.exec(sh(&still_there), &world.sink).await.unwrap().exit, Exit::Code(0));
    drop(effects);
    world.close().await;
}

#[tokio::test]
async fn a_killed_client_is_replaced() {
    let Some(world) = World::ssh() else { return };
    world.sh("true").await;
    let clients = processes_with(&format!("ssh -F {}", world.path("control")));
    let [(pid, _)] = clients.as_slice() else { panic!("{clients:?}") };
    kill(*pid);
    assert_eq!(world.sh("echo again").await, "again\n");
    world.close().await;
}

/// Whatever shells are installed here, taken for the user's login shell.
#[tokio::test]
async fn other_login_shells_pass_commands_unharmed() {
    for shell in ["bash", "dash", "zsh", "fish", "csh", "tcsh", "ksh"] {
        if !std::path::Path::new("/usr/bin").join(shell).exists() {
            continue;
        }
        let forced = format!("ForceCommand exec {shell} -c \"$SSH_ORIGINAL_COMMAND\"");
        let Some(world) = World::ssh_with(&forced) else { return };
        let words =
            ["a b", "'", "\"", "\\", "!!", "!x", "$HOME", "`id`", "a\nb", "\\'", "", "-n", "ü\t", "%s\\n", "~", "*"];
        let argv = ["/bin/sh", "-c", r#"printf '<%s>' "$@""#, "sh"].into_iter().chain(words);
        let argv = argv.map(str::to_owned).collect();
        let command = Command { argv, stdin: vec![secret()], ..Command::default() };
        let output = world.effects().exec(command, &world.sink).await.unwrap();
        let wanted: String = words.iter().map(|word| format!("<{word}>")).collect();
        assert_eq!(String::from_utf8(output.stdout).unwrap(), wanted, "{shell}");
        world.close().await;
    }
}

/// What is run in a process of its own below, and killed there.
#[tokio::test]
async fn holds_a_connection() {
    let Some(port) = std::env::var("LAUNCHWAY_TEST_HOLD").ok().and_then(|text| text.parse().ok()) else { return };
    let Some(world) = World::ssh() else { return };
    let mut target = world.target();
    target.port = Some(port);
    target.ssh.identity_file = std::env::var_os("LAUNCHWAY_TEST_KEY").map(Into::into);
    target.ssh.host_key_checking = HostKeyChecking::Off;
    world.effects_on(&target).exec(sh("true"), &world.sink).await.unwrap();
    println!("connected {}", world.path("control"));
    std::future::pending().await
}

#[tokio::test]
async fn a_killed_launchway_leaves_no_client_behind() {
    let Some(world) = World::ssh() else { return };
    let mut holder = std::process::Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "login::holds_a_connection", "--nocapture"])
        .env("LAUNCHWAY_TEST_HOLD", world.sshd.as_ref().unwrap().port.to_string())
        .env("LAUNCHWAY_TEST_KEY", world.path("id"))
        .stdout(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    let lines = BufReader::new(holder.stdout.take().unwrap()).lines();
    let control = lines.map(Result::unwrap).find_map(|line| Some(line.split_once("connected ")?.1.to_owned())).unwrap();
    assert_eq!(processes_with(&format!("ssh -F {control}")).len(), 1);
    holder.kill().unwrap();
    holder.wait().unwrap();
    until("the client is gone", || processes_with(&format!("ssh -F {control}")).is_empty()).await;
    // The holder could not clean up: its own server and its folder.
    for (pid, _) in processes_with(control.strip_suffix("/control").unwrap()) {
        kill(pid);
    }
    fs::remove_dir_all(control.strip_suffix("/control").unwrap()).unwrap();
    world.close().await;
}

async fn futures<T>(tries: impl Iterator<Item = impl Future<Output = T>>) -> Vec<T> {
    let mut tries: Vec<_> = tries.map(Box::pin).collect();
    let mut done = Vec::new();
    std::future::poll_fn(|context| {
        tries.retain_mut(|one| match one.as_mut().poll(context) {
            std::task::Poll::Ready(value) => {
                done.push(value);
                false
            }
            std::task::Poll::Pending => true,
        });
        if tries.is_empty() { std::task::Poll::Ready(()) } else { std::task::Poll::Pending }
    })
    .await;
    done
}
