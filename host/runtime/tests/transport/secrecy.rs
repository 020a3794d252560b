//! A secret is seen by the command that is given it, and by nobody else.

use std::fs;
use std::path::Path;

use launchway_model::{Fault, SecretName};
use launchway_runtime::{Command, FileOptions, Part, Source};

use crate::support::{SECRET_VALUE, World, on_both, processes_with, secret, sh, until};

/// Files below a folder that hold a text.
fn files_with(folder: &Path, text: &str, found: &mut Vec<String>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files_with(&path, text, found);
        } else if path.is_file()
            && fs::read(&path).is_ok_and(|bytes| bytes.windows(text.len()).any(|w| w == text.as_bytes()))
        {
            found.push(path.display().to_string());
        }
    }
}

on_both! {
    async fn secrets_reach_a_command_by_no_visible_way(world: World) {
        let script = r#"[ "$S" = "$(cat "$F")" ] && [ "$(cat)" = "in: $S" ] && echo equal; printf 'it is %s\n' "$S"; echo started >&2; read -r x <"$P""#;
        let (fifo, path) = (world.path("fifo"), world.path("secret"));
        assert!(std::process::Command::new("mkfifo").arg(&fifo).status().unwrap().success());
        let text = |text: &str| vec![Part::Text(text.to_owned())];
        let command = Command {
            env: vec![("S".into(), vec![secret()]), ("F".into(), text(&path)), ("P".into(), text(&fifo))],
            stdin: vec![Part::Text("in: ".into()), secret()],
            ..sh(script)
        };
        let effects = world.effects();
        let mut running = effects.exec(command, &world.sink);
        tokio::select! {
            output = &mut running => panic!("it waits: {output:?}"),
            () = until("it runs", || world.sink.stderr() == "started\n") => {}
        }
        let seen = processes_with("s3cr3t-Walfisch");
        assert!(seen.is_empty(), "{seen:?}");
        let mut found = Vec::new();
        files_with(world.dir.path(), "s3cr3t-Walfisch", &mut found);
        assert_eq!(found, [path], "nowhere but at its source");
        fs::write(&fifo, "go on\n").unwrap();
        let output = running.await.unwrap();
        assert_eq!(String::from_utf8(output.stdout).unwrap(), "equal\nit is ***\n");
        assert_eq!(world.sink.stdout(), "equal\nit is ***\n");
        drop(effects);
        world.close().await;
    }

    async fn secrets_keep_their_line_ends_and_odd_bytes(world: World) {
        let odd = b"\n a\t\\n\xff'\"$(id)`!%s\r\n\n";
        fs::write(world.path("secret"), [odd.as_slice(), b"\n"].concat()).unwrap();
        let command = Command { env: vec![("S".into(), vec![secret()])], ..sh(r#"printf %s "$S" >"$0""#) };
        let mut command = command;
        command.argv.push(world.path("out"));
        world.effects().exec(command, &world.sink).await.unwrap();
        assert_eq!(fs::read(world.path("out")).unwrap(), odd);
        world.close().await;
    }

    async fn a_step_gets_no_secret_of_others(world: World) {
        fs::write(world.path("login"), "x").unwrap();
        let other = SecretName::new("login").unwrap();
        let command = Command { stdin: vec![Part::Secret(other.clone())], ..sh("cat") };
        let failure = world.effects().exec(command, &world.sink).await.unwrap_err();
        assert_eq!((failure.fault, failure.message.as_str()), (Fault::Plugin, "the plugin asked for secret `login`, which its instance does not use"));
        assert!(world.effects().check_secret(&other).await.is_err());
        world.effects().check_secret(&SecretName::new(crate::support::SECRET).unwrap()).await.unwrap();
        world.close().await;
    }

    async fn failures_tell_no_secret(world: World) {
        let path = world.path("no/such/folder/file");
        let parts = vec![Part::Text(String::new()), secret()];
        world.effects().put(Source::Text(parts), &path, FileOptions::default()).await.unwrap_err();
        let cwd = Some(format!("/nowhere/{SECRET_VALUE}"));
        let failure = world.effects().exec(Command { cwd, ..sh("true") }, &world.sink).await.unwrap_err();
        assert!(failure.message.contains("/nowhere/***"), "{failure:?}");
        world.close().await;
    }
}
