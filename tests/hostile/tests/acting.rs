//! What a guest can do while it acts, and how it ends when it goes too far.

use std::time::Duration;

use launchway_hostile::{Guest, Subject};
use launchway_model::{Failure, Fault, LogLevel, StepOutcome};
use launchway_runtime::{Activity, CallError, Limits, Outcome, PluginFault, Verdict, Where};

const COMPILER: &str = env!("CARGO_BIN_EXE_hostile-compiler");

fn subject() -> Subject {
    Subject::load(Guest::default(), COMPILER).expect("it behaves while it is loaded")
}

fn limited(limits: Limits) -> Subject {
    Subject::with_limits(Guest::default(), COMPILER, limits).expect("it behaves while it is loaded")
}

fn fault(result: Result<Outcome, CallError>) -> PluginFault {
    match result {
        Err(CallError::Fault { fault, plugin }) => {
            assert_eq!(plugin.as_str(), "hostile");
            fault
        }
        other => panic!("no fault: {other:?}"),
    }
}

fn failure(result: Result<Outcome, CallError>) -> Failure {
    match result {
        Err(CallError::Failed(failure)) => failure,
        other => panic!("no failure: {other:?}"),
    }
}

#[tokio::test]
async fn every_effect_reaches_the_world() {
    let subject = subject();
    for deed in ["open", "exec", "put", "read", "stat", "send", "download", "connect"] {
        assert!(matches!(subject.apply(deed).await, Ok(Outcome::Changed(_))), "{deed}");
        assert_eq!(subject.world.acts().last().map(String::as_str), Some(deed));
    }
    assert!(subject.apply("clock").await.is_ok());
}

#[tokio::test]
async fn loops_end_with_the_timeout() {
    let mut subject = subject();
    subject.timeout = Duration::from_millis(250);
    let timed_out = CallError::TimedOut { after: subject.timeout };
    assert_eq!(subject.apply("loop").await, Err(timed_out.clone()));
    assert_eq!(timed_out.into_outcome(), StepOutcome::TimedOut { after_ms: 250 });
    subject.timeout = Duration::from_secs(60);
    assert!(subject.apply("nothing").await.is_ok(), "the host is unharmed");
}

#[tokio::test]
async fn waiting_for_an_effect_ends_with_the_timeout() {
    let mut subject = subject();
    subject.timeout = Duration::from_millis(50);
    assert_eq!(subject.apply("hang").await, Err(CallError::TimedOut { after: subject.timeout }));
    assert_eq!(subject.world.hanging(), 0, "the effect was dropped");
}

#[tokio::test]
async fn cancelling_ends_loops_and_waiting() {
    for deed in ["loop", "hang"] {
        let subject = subject();
        let cancel = subject.cancel.clone();
        let (result, ()) = tokio::join!(subject.apply(deed), async {
            tokio::time::sleep(Duration::from_millis(20)).await;
            cancel.cancel();
        });
        assert_eq!(result, Err(CallError::Cancelled), "{deed}");
        assert_eq!(subject.world.hanging(), 0);
    }
}

/// More calls than the pool has slots: none is lost to a call that was dropped.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn dropped_calls_give_their_slot_back() {
    let subject = std::sync::Arc::new(subject());
    let calls: Vec<_> = (0..600)
        .map(|_| {
            let subject = subject.clone();
            tokio::spawn(async move { subject.apply("hang").await })
        })
        .collect();
    while subject.world.hanging() < 200 {
        tokio::task::yield_now().await;
    }
    subject.cancel.cancel();
    for call in calls {
        assert_eq!(call.await.expect("no panic"), Err(CallError::Cancelled));
    }
    assert_eq!(subject.world.hanging(), 0);
    let mut call = subject.call("nothing");
    call.cancel = tokio_util::sync::CancellationToken::new();
    assert!(subject.plugins.apply(call).await.is_ok());
}

#[tokio::test]
async fn crashes_are_faults_of_the_plugin() {
    let subject = subject();
    let PluginFault::Trap { at, message } = fault(subject.apply("panic").await) else { panic!("no trap") };
    assert_eq!(at, Where::In(Activity::Applying));
    assert!(message.contains("deliberate misfortune"), "{message}");
    assert!(subject.world.lines().iter().any(|(level, line)| *level == LogLevel::Error && line.contains("misfortune")));

    let StepOutcome::Failed(failure) = subject.apply("recurse").await.expect_err("a crash").into_outcome() else {
        panic!("no failure")
    };
    assert_eq!((failure.fault, failure.retryable), (Fault::Plugin, false));
    assert!(failure.message.contains("plugin `hostile`: it crashed while applying: call stack exhausted"));
    assert!(subject.apply("nothing").await.is_ok(), "the host is unharmed");
}

#[tokio::test]
async fn memory_calls_bytes_and_handles_are_bounded() {
    let limits = Limits {
        memory: 16 << 20,
        host_calls: 5_000,
        call_bytes: 2 << 20,
        total_bytes: 4 << 20,
        handles: 100,
        ..Limits::default()
    };
    let subject = limited(limits);
    assert_eq!(fault(subject.apply("memory").await), PluginFault::OutOfMemory { limit: 16 << 20 });
    assert_eq!(fault(subject.apply("calls").await), PluginFault::TooMany { what: "host calls", limit: 5_000 });
    assert_eq!(fault(subject.apply("big").await), PluginFault::TooBig { limit: 2 << 20 });
    assert_eq!(fault(subject.apply("bytes").await), PluginFault::TooMany { what: "MiB for the host", limit: 4 });
    assert_eq!(fault(subject.apply("handles").await), PluginFault::TooMany { what: "handles of secrets", limit: 100 });
    assert!(subject.apply("nothing").await.is_ok(), "the host is unharmed");
}

#[tokio::test]
async fn reading_is_bounded() {
    let subject = subject();
    assert!(subject.apply("greedy").await.is_ok(), "all that a guest wants would be 16 EiB");
}

#[tokio::test]
async fn floods_are_cut_with_a_notice() {
    let limits = Limits { log_bytes: 10_000, ..Limits::default() };
    let subject = limited(limits);
    assert!(subject.apply("flood").await.is_ok());
    let lines = subject.world.lines();
    assert!(lines.iter().map(|(_, line)| line.len()).sum::<usize>() < 11_000);
    let notices = lines.iter().filter(|(level, line)| *level == LogLevel::Warn && line.contains("log truncated"));
    assert_eq!(notices.count(), 1);
}

#[tokio::test]
async fn escapes_do_not_come_through() {
    let subject = subject();
    assert!(subject.apply("escapes").await.is_ok());
    let lines = subject.world.lines();
    assert!(lines[0].1.starts_with("\u{fffd}[2J"), "{lines:?}");
    assert!(!lines.iter().any(|(_, line)| line.chars().any(|c| c.is_control() && c != '\n')));
    let progress = subject.world.progress();
    assert_eq!(progress[0], (None, "\u{fffd}[31mred".to_owned()));
    assert_eq!(progress[1].0, Some(1.0));
}

#[tokio::test]
async fn only_the_instances_own_secrets_and_artifacts() {
    let subject = subject();
    let failed = failure(subject.apply("stranger").await);
    assert_eq!(failed.fault, Fault::Plugin);
    assert_eq!(failed.message, "the plugin asked for secret `stranger`, which its instance does not use");
    let failed = failure(subject.apply("forge").await);
    assert_eq!(failed.message, "the plugin asked for artifact `../../etc/shadow`, which its instance does not have");
    let failed = failure(subject.apply("no-program").await);
    assert_eq!(failed.fault, Fault::Plugin);
    assert!(subject.world.acts().is_empty());
}

#[tokio::test]
async fn hints_survive_the_guest() {
    let failed = failure(subject().apply("pass-on").await);
    assert_eq!((failed.fault, failed.retryable), (Fault::Network, true));
    assert_eq!(failed.message, "connection refused");
    assert_eq!(failed.hint.as_deref(), Some("is sshd running?"));
}

#[tokio::test]
async fn pending_comes_back_with_its_token() {
    let subject = subject();
    let Ok(Outcome::Pending { token, after_ms, message }) = subject.apply("pending").await else {
        panic!("it does not wait")
    };
    assert_eq!(message, "\u{fffd}[2Jnot yet");
    assert!(after_ms > 0, "nobody makes the host spin");
    let Ok(Outcome::Changed(report)) = subject.plugins.poll(subject.call("pending"), &token).await else {
        panic!("it does not end")
    };
    assert_eq!(report.summary, "token of one");
}

#[tokio::test]
async fn answers_are_bounded() {
    let subject = subject();
    for deed in ["token", "resources"] {
        let fault = fault(subject.apply(deed).await);
        assert!(matches!(fault, PluginFault::BadAnswer { at: Activity::Applying, .. }), "{deed}: {fault}");
    }
    assert_eq!(subject.probe("nothing").await, Ok(Verdict::SafeToRerun));
}
