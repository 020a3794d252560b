//! What a command may count on, whatever the way to the target.

use std::time::{Duration, Instant};

use launchway_model::Fault;
use launchway_runtime::{Command, Exit, OUTPUT_TAIL, Part};
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};

use crate::support::{World, command, is_running, kill, on_both, sh, until};

on_both! {
    async fn both_streams_and_the_status_arrive(world: World) {
        let output = world.effects().exec(sh("echo out; echo err >&2; exit 7"), &world.sink).await.unwrap();
        assert_eq!(output.exit, Exit::Code(7));
        assert_eq!((output.stdout.as_slice(), output.stderr.as_slice()), (b"out\n".as_slice(), b"err\n".as_slice()));
        assert_eq!((world.sink.stdout(), world.sink.stderr()), ("out\n".to_owned(), "err\n".to_owned()));
        world.close().await;
    }

    async fn quiet_commands_leave_no_trace_in_the_log(world: World) {
        let output = world.effects().exec(Command { quiet: true, ..sh("echo out") }, &world.sink).await.unwrap();
        assert_eq!(output.stdout, b"out\n");
        assert_eq!(world.sink.stdout(), "");
        world.close().await;
    }

    async fn ways_to_end_are_told_apart(world: World) {
        let exit = async |line: &str| world.effects().exec(sh(line), &world.sink).await.map(|output| output.exit);
        assert_eq!(exit("exit 255").await.unwrap(), Exit::Code(255));
        assert_eq!(exit("exit 128").await.unwrap(), Exit::Code(128));
        assert_eq!(exit("kill -9 $$").await.unwrap(), Exit::Signal("KILL".into()));
        assert_eq!(exit("kill -15 $$").await.unwrap(), Exit::Signal("TERM".into()));
        assert_eq!(exit("kill -SEGV $$").await.unwrap(), Exit::Signal("SEGV".into()));
        assert_eq!(exit("exec /no/such/program").await.unwrap(), Exit::Code(127));
        let missing = world.effects().exec(command(&["no-such-program-anywhere"]), &world.sink).await.unwrap();
        assert_eq!(missing.exit, Exit::Code(127));
        let unexecutable = world.effects().exec(command(&["/etc/passwd"]), &world.sink).await.unwrap();
        assert_eq!(unexecutable.exit, Exit::Code(126));
        // The shell that watches is the command's parent.
        let failure = exit("kill -9 $PPID; sleep 1").await.unwrap_err();
        assert_eq!(failure.fault, Fault::Target, "{failure:?}");
        assert!(failure.message.contains("was killed"), "{failure:?}");
        world.close().await;
    }

    async fn words_arrive_as_they_were_given(world: World) {
        let effects = world.effects();
        let word = prop_oneof![
            "[^\0]{0,20}",
            Just("-n".to_owned()), Just("--".to_owned()), Just(String::new()), Just("a\n\n".to_owned()),
            Just("'\"\\`$(id)!!{a,b}*~#;&|<>%s".to_owned()),
        ];
        let cases = (prop::collection::vec(word.clone(), 1..4), word.clone(), word);
        let mut runner = TestRunner::new(Config { cases: 24, failure_persistence: None, ..Config::default() });
        let runtime = tokio::runtime::Handle::current();
        let outcome = tokio::task::block_in_place(|| runner.run(&cases, |(words, variable, input)| {
            let script = r#"printf '<%s>' "$@"; printf '[%s]' "$V"; cat"#;
            let mut argv = vec!["/bin/sh".to_owned(), "-c".to_owned(), script.to_owned(), "sh".to_owned()];
            argv.extend(words.iter().cloned());
            let command = Command {
                argv,
                env: vec![("V".to_owned(), vec![Part::Text(variable.clone())])],
                stdin: vec![Part::Text(input.clone())],
                ..Command::default()
            };
            let output = runtime.block_on(effects.exec(command, &world.sink)).unwrap();
            let wanted: String = words.iter().map(|word| format!("<{word}>")).collect();
            prop_assert_eq!(String::from_utf8_lossy(&output.stdout), format!("{wanted}[{variable}]{input}"));
            Ok(())
        }));
        outcome.unwrap();
        drop(effects);
        world.close().await;
    }

    async fn a_program_that_looks_like_an_option_is_none(world: World) {
        let output = world.effects().exec(command(&["-x", "--help"]), &world.sink).await.unwrap();
        assert_eq!(output.exit, Exit::Code(127));
        world.close().await;
    }

    async fn without_input_there_is_nothing_to_read(world: World) {
        assert_eq!(world.sh("cat; echo end").await, "end\n");
        world.close().await;
    }

    async fn commands_run_in_their_folder(world: World) {
        let folder = world.path("sp ace 'q' \u{fc} -");
        std::fs::create_dir(&folder).unwrap();
        let output = world.effects().exec(Command { cwd: Some(folder.clone()), ..sh("pwd") }, &world.sink).await.unwrap();
        assert_eq!(String::from_utf8(output.stdout).unwrap().trim_end(), folder);
        let nowhere = Command { cwd: Some("/no/such/folder".into()), ..sh("pwd") };
        let failure = world.effects().exec(nowhere, &world.sink).await.unwrap_err();
        assert_eq!(failure.fault, Fault::Configuration);
        assert!(failure.message.contains("/no/such/folder"), "{failure:?}");
        world.close().await;
    }

    async fn variables_that_would_break_the_wrapper_do_not(world: World) {
        let text = |text: &str| vec![Part::Text(text.to_owned())];
        let env = vec![
            ("PATH".to_owned(), text("/nowhere")),
            ("IFS".to_owned(), text("/ sh")),
            ("CDPATH".to_owned(), text("/etc")),
        ];
        let output = world.effects().exec(Command { env, ..sh("echo $PATH") }, &world.sink).await.unwrap();
        assert_eq!(output.stdout, b"/nowhere\n");
        for name in ["", "1A", "A B", "A=B", "UID", "-x", "A;id"] {
            let command = Command { env: vec![(name.to_owned(), text("x"))], ..sh("true") };
            assert_eq!(world.effects().exec(command, &world.sink).await.unwrap_err().fault, Fault::Configuration);
        }
        world.close().await;
    }

    async fn a_hanging_command_is_killed_with_its_children(world: World) {
        let line = "trap '' TERM; sleep 600 & echo $! $$; wait; sleep 600";
        let begun = Instant::now();
        let command = Command { timeout: Some(Duration::from_secs(2)), ..sh(line) };
        let output = world.effects().exec(command, &world.sink).await.unwrap();
        assert_eq!(output.exit, Exit::TimedOut);
        assert!(begun.elapsed() < Duration::from_secs(20));
        let pids: Vec<u32> = world.sink.stdout().split_whitespace().map(|pid| pid.parse().unwrap()).collect();
        assert_eq!(pids.len(), 2);
        until("the processes are gone", || !pids.iter().any(|&pid| is_running(pid))).await;
        world.close().await;
    }

    async fn a_dropped_command_is_killed(world: World) {
        let pid = {
            let effects = world.effects();
            let mut running = effects.exec(sh("echo $$; exec sleep 600"), &world.sink);
            tokio::select! {
                _ = &mut running => panic!("it sleeps"),
                () = until("it runs", || world.sink.stdout().ends_with('\n')) => {}
            }
            world.sink.stdout().trim().parse().unwrap()
        };
        until("the process is gone", || !is_running(pid)).await;
        world.close().await;
    }

    async fn closing_ends_what_was_just_dropped(world: World) {
        let mark = world.path("dropped-while-starting");
        let effects = world.effects();
        effects.exec(sh("true"), &world.sink).await.unwrap();
        for _ in 0..5 {
            let running = effects.exec(command(&["/bin/sh", "-c", "sleep 600; :", &mark]), &world.sink);
            assert!(tokio::time::timeout(Duration::from_millis(3), running).await.is_err());
        }
        let (targets, dir) = (world.targets, world.dir);
        targets.close().await;
        until("nothing is left", || crate::support::processes_with(&mark).is_empty()).await;
        drop((world.sshd, dir));
    }

    async fn a_daemon_that_keeps_the_output_open_holds_nobody_up(world: World) {
        let begun = Instant::now();
        let effects = world.effects();
        let mut pids = Vec::new();
        // More of them than a server allows sessions at once.
        for _ in 0..12 {
            let line = "sleep 600 & echo $!";
            let output = effects.exec(sh(line), &world.sink).await.unwrap();
            assert_eq!(output.exit, Exit::Code(0));
            pids.push(String::from_utf8(output.stdout).unwrap().trim().parse::<u32>().unwrap());
        }
        assert!(begun.elapsed() < Duration::from_secs(30));
        for pid in pids {
            assert!(is_running(pid), "a daemon is left alone");
            kill(pid);
        }
        world.close().await;
    }

    async fn large_outputs_stream_and_only_their_end_is_kept(world: World) {
        let line = "head -c 25000000 /dev/zero | tr '\\0' x; head -c 25000000 /dev/zero | tr '\\0' y >&2; echo END";
        let output = world.effects().exec(sh(line), &world.sink).await.unwrap();
        assert_eq!(world.sink.stdout.lock().unwrap().len(), 25_000_004);
        assert_eq!(world.sink.stderr.lock().unwrap().len(), 25_000_000);
        assert_eq!(output.stdout.len(), OUTPUT_TAIL);
        assert!(output.stdout.ends_with(b"xEND\n"));
        assert_eq!(output.stderr.len(), OUTPUT_TAIL);
        world.close().await;
    }

    async fn large_inputs_arrive_and_may_be_ignored(world: World) {
        let input = vec![Part::Text("0123456789".repeat(1_000_000))];
        let count = Command { stdin: input.clone(), ..sh("wc -c") };
        let output = world.effects().exec(count, &world.sink).await.unwrap();
        assert_eq!(String::from_utf8(output.stdout).unwrap().trim(), "10000000");
        let ignore = Command { stdin: input, ..sh("exit 3") };
        assert_eq!(world.effects().exec(ignore, &world.sink).await.unwrap().exit, Exit::Code(3));
        world.close().await;
    }

    async fn a_command_that_is_too_long_is_refused(world: World) {
        let failure = world.effects().exec(command(&["echo", &"x".repeat(200_000)]), &world.sink).await.unwrap_err();
        assert_eq!(failure.fault, Fault::Configuration);
        world.close().await;
    }
}

/// The login talks for as long as somebody listens, and only then runs its first script.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_command_whose_time_is_up_before_it_starts_never_does() {
    let dir = tempfile::tempdir().unwrap();
    let (login, ended, started) = (dir.path().join("login"), dir.path().join("ended"), dir.path().join("started"));
    let text = format!(
        "trap '' PIPE\nwhile echo talk 2>/dev/null; do sleep 0.05; done\n\
         (eval \"$SSH_ORIGINAL_COMMAND\")\n: >{}\n",
        ended.display()
    );
    std::fs::write(&login, text).unwrap();
    let Some(world) = World::ssh_with(&format!("ForceCommand /bin/sh {}", login.display())) else { return };
    let line = format!(": >{}; exec sleep 600", started.display());
    let hasty = Command { timeout: Some(Duration::from_millis(500)), ..sh(&line) };
    assert_eq!(world.effects().exec(hasty, &world.sink).await.unwrap().exit, Exit::TimedOut);
    until("the script ends", || ended.exists()).await;
    assert!(!started.exists(), "nobody would have killed it");
    world.close().await;
}
