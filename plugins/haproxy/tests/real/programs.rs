//! The script that asks, with each program and each shell that can be there.

use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use crate::proxy::Proxy;

const ASK: &str = include_str!("../../src/scripts/ask.sh");
const LINE: &str = "show stat -1 6 -1;show servers state api";

/// Returns a program of this machine; says so where it has none.
fn found(program: &str) -> Option<PathBuf> {
    let folders = ["/usr/bin", "/bin", "/usr/sbin", "/sbin"];
    let path = folders.iter().map(|folder| Path::new(folder).join(program)).find(|path| path.exists());
    if path.is_none() {
        eprintln!("note: {program} is left out: it is not installed");
    }
    path
}

/// Runs the script where there is nothing but these programs, each with the name under which it is found.
fn ask(proxy: &Proxy, socket: &str, shell: &[&str], programs: &[(&str, &Path)]) -> Output {
    let folder = tempfile::tempdir().unwrap();
    for (name, program) in programs {
        symlink(program, folder.path().join(name)).unwrap();
    }
    let mut command = Command::new(shell[0]);
    command.args(&shell[1..]).args(["-eu", "-c", ASK, "sh"]).arg(proxy.path(socket)).args([LINE, "api"]);
    command.env_clear().env("PATH", folder.path()).output().unwrap()
}

#[test]
fn any_program_that_connects_will_do() {
    let Some(proxy) = Proxy::start() else { return };
    let (cat, awk, grep) = (found("cat").unwrap(), found("awk").unwrap(), found("grep").unwrap());
    let common = [("cat", cat.as_path()), ("awk", awk.as_path()), ("grep", grep.as_path())];
    for name in ["socat", "nc", "python3", "perl"] {
        let Some(program) = found(name) else { continue };
        let programs = [&common[..], &[(name, program.as_path())]].concat();
        let output = ask(&proxy, "admin.sock", &["/bin/sh"], &programs);
        assert!(output.status.success(), "{name}: {output:?}");
        let text = String::from_utf8(output.stdout).unwrap();
        assert!(
            text.starts_with("# pxname,svname,qcur,scur,status,type,check_status\napi,app1,0,0,"),
            "{name}: {text}"
        );
        assert!(
            text.contains("\n\n1\n# be_name srv_name srv_admin_state\napi app1 0\napi app2 0\napi app3 5\n"),
            "{text}"
        );
        assert!(!text.contains("empty"), "{name}: {text}");
        drop(std::os::unix::net::UnixListener::bind(proxy.path(name)).unwrap());
        let output = ask(&proxy, name, &["/bin/sh"], &programs);
        assert_eq!(output.status.code(), Some(95), "{name}: {output:?}");
    }
    let output = ask(&proxy, "admin.sock", &["/bin/sh"], &common);
    assert_eq!(output.status.code(), Some(94), "{output:?}");
}

#[test]
fn any_shell_and_any_awk_will_do() {
    let Some(proxy) = Proxy::start() else { return };
    let (cat, python) = (found("cat").unwrap(), found("python3").unwrap());
    let common = [("cat", cat.as_path()), ("python3", python.as_path())];
    let whole = ask(&proxy, "admin.sock", &["/bin/sh"], &common);
    assert!(whole.status.success(), "{whole:?}");
    let text = String::from_utf8(whole.stdout).unwrap();
    assert!(text.contains("empty,BACKEND,") && text.contains("srv_uweight"), "{text}");
    let mut answers = Vec::new();
    for awk in ["mawk", "gawk", "busybox", "original-awk"] {
        let Some(awk) = found(awk) else { continue };
        for shell in [&["dash"][..], &["bash"], &["busybox", "sh"]] {
            let Some(program) = found(shell[0]) else { continue };
            let words = [&[program.to_str().unwrap()], &shell[1..]].concat();
            let programs = [&common[..], &[("awk", awk.as_path())]].concat();
            let output = ask(&proxy, "admin.sock", &words, &programs);
            assert!(output.status.success(), "{shell:?} with {}: {output:?}", awk.display());
            answers.push(String::from_utf8(output.stdout).unwrap());
        }
    }
    assert!(answers.iter().all(|answer| answer.contains("\napi,app3,0,0,MAINT,2,\n")), "{answers:?}");
}
