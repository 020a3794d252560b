//! Commands as another user.

use std::fs;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, symlink};
use std::path::Path;
use std::time::Duration;

use launchway_model::{Escalation, EscalationMethod, Failure, Fault, SecretName, TargetSpec};
use launchway_runtime::{Command, Exit, FileOptions, Source};

use crate::support::{SECRET_VALUE, World, am_root, is_running, on_both, secret, sh, skip, until};

fn world_with(world: World, method: EscalationMethod) -> World {
    World { escalation: Escalation { method, password: None }, ..world }
}

fn as_user(user: &str, line: &str) -> Command {
    Command { as_user: Some(user.to_owned()), ..sh(line) }
}

/// Whether root can become `nobody` by a program here; says so if not.
fn can(program: &str) -> bool {
    let there = Path::new("/usr/bin").join(program).exists();
    if !(am_root() && there) {
        skip(&format!("needs root and {program}"));
    }
    am_root() && there
}

async fn everything_works_as_nobody(world: &World) {
    let effects = world.effects();
    let output = effects.exec(as_user("nobody", "id -un; echo err >&2; exit 3"), &world.sink).await.unwrap();
    assert_eq!(
        (output.exit, output.stdout.as_slice(), output.stderr.as_slice()),
        (Exit::Code(3), b"nobody\n".as_slice(), b"err\n".as_slice())
    );

    let with_secret = Command {
        env: vec![("S".into(), vec![secret()])],
        stdin: vec![secret()],
        ..as_user("nobody", r#"i=$(cat); [ "$i" = "$S" ] && printf %s "$S" | wc -c"#)
    };
    let output = effects.exec(with_secret, &world.sink).await.unwrap();
    assert_eq!(String::from_utf8(output.stdout).unwrap().trim(), SECRET_VALUE.len().to_string());

    let before = world.sink.stdout().len();
    let hang = Command { timeout: Some(Duration::from_secs(2)), ..as_user("nobody", "sleep 600 & echo $! $$; wait") };
    assert_eq!(effects.exec(hang, &world.sink).await.unwrap().exit, Exit::TimedOut);
    let pids: Vec<u32> = world.sink.stdout()[before..].split_whitespace().map(|pid| pid.parse().unwrap()).collect();
    assert_eq!(pids.len(), 2);
    until("the processes are gone", || !pids.iter().any(|&pid| is_running(pid))).await;

    let folder = world.path("theirs");
    fs::create_dir(&folder).unwrap();
    let as_nobody = || FileOptions { as_user: Some("nobody".into()), mode: Some(0o600), ..FileOptions::default() };
    let path = format!("{folder}/file");
    let failure = effects.put(Source::Bytes(b"x".to_vec()), &path, as_nobody()).await.unwrap_err();
    assert!(failure.message.contains("permission denied"), "{failure:?}");
    fs::set_permissions(&folder, fs::Permissions::from_mode(0o777)).unwrap();
    assert!(effects.put(Source::Bytes(b"x".to_vec()), &path, as_nobody()).await.unwrap().changed);
    assert!(!effects.put(Source::Bytes(b"x".to_vec()), &path, as_nobody()).await.unwrap().changed);
    let status = effects.stat(&path, Some("nobody")).await.unwrap().unwrap();
    assert_eq!((status.owner.as_str(), status.mode), ("nobody", 0o600));
    assert_ne!(fs::metadata(&path).unwrap().uid(), 0);
    assert_eq!(effects.read(&path, 10, Some("nobody")).await.unwrap().unwrap(), b"x");

    let own = FileOptions { owner: Some("root".into()), group: Some("daemon".into()), ..FileOptions::default() };
    assert!(effects.put(Source::Bytes(b"x".to_vec()), &path, own).await.unwrap().changed);
    let status = effects.stat(&path, None).await.unwrap().unwrap();
    assert_eq!((status.owner.as_str(), status.group.as_str(), status.mode), ("root", "daemon", 0o600));
}

fn assert_says(failure: &Failure, fault: Fault, words: &[&str]) {
    assert_eq!((failure.fault, failure.retryable), (fault, false), "{failure:?}");
    assert!(failure.hint.is_some(), "{failure:?}");
    for word in words {
        assert!(failure.message.contains(word), "`{word}` is not in: {failure:?}");
    }
}

on_both! {
    async fn sudo(world: World) {
        if can("sudo") {
            everything_works_as_nobody(&world).await;
            let failure = world.effects().exec(as_user("no-such-user", "true"), &world.sink).await.unwrap_err();
            assert_says(&failure, Fault::Configuration, &["there is no user `no-such-user`"]);
        }
        world.close().await;
    }

    async fn su(world: World) {
        let world = world_with(world, EscalationMethod::Su);
        if can("su") {
            everything_works_as_nobody(&world).await;
            let failure = world.effects().exec(as_user("no-such-user", "true"), &world.sink).await.unwrap_err();
            assert_says(&failure, Fault::Configuration, &["there is no user `no-such-user`"]);
        }
        world.close().await;
    }

    async fn the_login_user_needs_no_program(world: World) {
        let world = world_with(world, EscalationMethod::Doas);
        let me = world.sh("id -un").await;
        let output = world.effects().exec(as_user(me.trim(), "id -un"), &world.sink).await.unwrap();
        assert_eq!(String::from_utf8(output.stdout).unwrap(), me);
        world.close().await;
    }

    async fn a_user_is_never_an_option(world: World) {
        for user in ["-u", "", "a b", "#0", "a\nb", "a'b", "$(id)\0"] {
            let failure = world.effects().exec(as_user(user, "true"), &world.sink).await.unwrap_err();
            assert_says(&failure, Fault::Configuration, &["is no user name"]);
        }
        world.close().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn doas() {
    let rules = "printf '%s\\n' 'permit nopass root as nobody' 'permit nopass root as root' 'permit root as sys' >/etc/doas.conf";
    let Some(world) = World::ssh_with_etc("/usr/bin/doas", rules) else { return };
    let world = world_with(world, EscalationMethod::Doas);
    everything_works_as_nobody(&world).await;
    for (user, fault, words) in [
        ("no-such-user", Fault::Configuration, "there is no user `no-such-user`"),
        ("daemon", Fault::Target, "may not run commands as `daemon` by doas"),
        ("sys", Fault::Configuration, "asks for a password to become `sys`"),
    ] {
        let failure = world.effects().exec(as_user(user, "true"), &world.sink).await.unwrap_err();
        assert_says(&failure, fault, &[words]);
    }
    world.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_missing_program_is_told() {
    let bin = tempfile::tempdir().unwrap();
    for entry in fs::read_dir("/usr/bin").unwrap().map(|entry| entry.unwrap()) {
        if entry.file_name() != "doas" {
            symlink(entry.path(), bin.path().join(entry.file_name())).unwrap();
        }
    }
    let Some(world) = World::ssh_with(&format!("SetEnv PATH={}", bin.path().display())) else { return };
    let world = world_with(world, EscalationMethod::Doas);
    let failure = world.effects().exec(as_user("someone", "true"), &world.sink).await.unwrap_err();
    assert_says(&failure, Fault::Target, &["`doas` is not installed", "someone"]);
    world.close().await;
}

/// Makes a login user who becomes others with a password, which sudo asks for each time.
const LOGIN_USER: &str = "
    useradd --no-create-home --home-dir / --shell /bin/sh lw-login
    echo 'lw-login:right one' | chpasswd
    mkdir -p /etc/sudoers.d
    printf '%s\\n' 'Defaults:lw-login timestamp_timeout=0, lecture=never' 'lw-login ALL=(ALL) ALL' >/etc/sudoers.d/lw
    chmod 440 /etc/sudoers.d/lw";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_real_sudo_takes_a_password() {
    let Some(world) = World::ssh_with_etc("/usr/bin/sudo", LOGIN_USER) else { return };
    let with_password = Some(SecretName::new("login").unwrap());
    let escalation = |password| Escalation { method: EscalationMethod::Sudo, password };
    let target =
        |password| TargetSpec { user: Some("lw-login".to_owned()), escalation: escalation(password), ..world.target() };
    let input = || Command {
        stdin: vec![secret()],
        env: vec![("S".into(), vec![secret()])],
        ..as_user("nobody", r#"[ "$(cat)" = "$S" ] && id -un"#)
    };

    let effects = world.effects_on(&target(None));
    assert_eq!(effects.exec(sh("id -un"), &world.sink).await.unwrap().stdout, b"lw-login\n");
    let failure = effects.exec(input(), &world.sink).await.unwrap_err();
    assert_says(&failure, Fault::Configuration, &["asks for a password to become `nobody`"]);

    fs::write(world.path("login"), "right one\n").unwrap();
    let effects = world.effects_on(&target(with_password));
    for _ in 0..2 {
        assert_eq!(effects.exec(input(), &world.sink).await.unwrap().stdout, b"nobody\n");
    }
    assert!(effects.put(Source::Bytes(b"x".to_vec()), "/etc/lw-file", in_roots_name()).await.unwrap().changed);
    assert_eq!(effects.stat("/etc/lw-file", None).await.unwrap().unwrap().owner, "root");
    assert!(!Path::new("/etc/lw-file").exists(), "it is in the server's own /etc");
    world.close().await;
}

fn in_roots_name() -> FileOptions {
    FileOptions { as_user: Some("root".into()), ..FileOptions::default() }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_real_sudo_refuses_a_wrong_password() {
    let Some(world) = World::ssh_with_etc("/usr/bin/sudo", LOGIN_USER) else { return };
    fs::write(world.path("login"), "wrong one\n").unwrap();
    let password = Some(SecretName::new("login").unwrap());
    let escalation = Escalation { method: EscalationMethod::Sudo, password };
    let target = TargetSpec { user: Some("lw-login".to_owned()), escalation, ..world.target() };
    let failure = world.effects_on(&target).exec(as_user("nobody", "true"), &world.sink).await.unwrap_err();
    assert_says(&failure, Fault::Configuration, &["refuses the password for becoming `nobody`"]);
    world.close().await;
}

/// A stand-in that asks, refuses and complains like the real one.
const SUDO: &str = r#"#!/bin/sh
ask=
while [ $# -gt 0 ]; do
  case $1 in -S) ask=1 ;; -n) ask= ;; -p|-u) shift ;; --) shift; break ;; esac
  shift
done
case $(cat "${0%/*}/mood") in
  free) exec "$@" ;;
  tty) echo 'sudo: sorry, you must have a tty to run sudo' >&2; exit 1 ;;
  never) [ -z "$ask" ] || IFS= read -r p; echo 'deploy is not in the sudoers file.' >&2; exit 1 ;;
  hang) read -r a; read -r b; read -r c ;;
esac
[ -n "$ask" ] || { echo 'sudo: a password is required' >&2; exit 1; }
for i in 1 2 3; do
  IFS= read -r p || { echo 'sudo: no password was provided' >&2; exit 1; }
  [ "$p" = 'right one' ] && exec "$@"
  echo 'Sorry, try again.' >&2
done
echo 'sudo: 3 incorrect password attempts' >&2; exit 1
"#;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn passwords_are_given_when_asked_for_and_only_then() {
    let bin = tempfile::tempdir().unwrap();
    fs::write(bin.path().join("sudo"), SUDO).unwrap();
    fs::set_permissions(bin.path().join("sudo"), fs::Permissions::from_mode(0o755)).unwrap();
    let path = format!("SetEnv PATH={}:/usr/bin:/bin", bin.path().display());
    let Some(world) = World::ssh_with(&path) else { return };
    let mood = |mood: &str| fs::write(bin.path().join("mood"), mood).unwrap();
    fs::write(world.path("login"), "right one\n").unwrap();
    let with_password = Some(SecretName::new("login").unwrap());
    let input = || Command {
        stdin: vec![secret()],
        env: vec![("S".into(), vec![secret()])],
        ..as_user("app", r#"[ "$(cat)" = "$S" ] && echo ok"#)
    };

    mood("free");
    assert_eq!(world.effects().exec(input(), &world.sink).await.unwrap().stdout, b"ok\n");
    mood("ask");
    let failure = world.effects().exec(input(), &world.sink).await.unwrap_err();
    assert_says(&failure, Fault::Configuration, &["asks for a password", "`app`"]);
    mood("tty");
    assert_says(&world.effects().exec(input(), &world.sink).await.unwrap_err(), Fault::Target, &["wants a terminal"]);

    let world = World { escalation: Escalation { method: EscalationMethod::Sudo, password: with_password }, ..world };
    for (name, wanted) in [("free", "ok\n"), ("ask", "ok\n")] {
        mood(name);
        let output = world.effects().exec(input(), &world.sink).await.unwrap();
        assert_eq!(String::from_utf8(output.stdout).unwrap(), wanted, "{name}");
    }
    mood("never");
    assert_says(
        &world.effects().exec(input(), &world.sink).await.unwrap_err(),
        Fault::Target,
        &["may not run commands as `app`"],
    );
    world.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_wrong_password_is_told_at_once() {
    let bin = tempfile::tempdir().unwrap();
    fs::write(bin.path().join("sudo"), SUDO).unwrap();
    fs::set_permissions(bin.path().join("sudo"), fs::Permissions::from_mode(0o755)).unwrap();
    fs::write(bin.path().join("mood"), "ask").unwrap();
    let Some(world) = World::ssh_with(&format!("SetEnv PATH={}:/usr/bin:/bin", bin.path().display())) else { return };
    fs::write(world.path("login"), "wrong one\n").unwrap();
    let password = Some(SecretName::new("login").unwrap());
    let world = World { escalation: Escalation { method: EscalationMethod::Sudo, password }, ..world };
    let failure = world.effects().exec(as_user("app", "true"), &world.sink).await.unwrap_err();
    assert_says(&failure, Fault::Configuration, &["refuses the password"]);
    world.close().await;
}
