//! More at once than a server with default limits takes.

use std::sync::Arc;
use std::time::Instant;

use launchway_runtime::Exit;

use crate::support::{World, sh};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_commands_share_one_connection() {
    let Some(world) = World::ssh() else { return };
    let world = Arc::new(world);
    let mut running = tokio::task::JoinSet::new();
    for number in 0..25 {
        let world = world.clone();
        running.spawn(async move {
            let output = world.effects().exec(sh(&format!("sleep 0.1; echo {number}")), &world.sink).await.unwrap();
            assert_eq!((output.exit, output.stdout), (Exit::Code(0), format!("{number}\n").into_bytes()));
        });
    }
    running.join_all().await;
    assert_eq!(world.sshd.as_ref().unwrap().children().len(), 1, "one connection");
    Arc::into_inner(world).unwrap().close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_targets_are_reached_at_once() {
    let Some(world) = World::ssh() else { return };
    let world = Arc::new(world);
    let begun = Instant::now();
    let mut running = tokio::task::JoinSet::new();
    for number in 1..=50 {
        let world = world.clone();
        running.spawn(async move {
            let target = world.target_at(&format!("127.0.0.{number}"));
            let output = world.effects_on(&target).exec(sh("echo hello"), &world.sink).await.unwrap();
            assert_eq!(output.stdout, b"hello\n");
        });
    }
    running.join_all().await;
    eprintln!("50 targets: {:?}", begun.elapsed());
    let world = Arc::into_inner(world).unwrap();
    let begun = Instant::now();
    world.targets.close().await;
    eprintln!("closed: {:?}", begun.elapsed());
    world.close().await;
}

/// With a server that takes fewer logins at once than we begin.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn refused_logins_are_tried_again() {
    let Some(world) = World::ssh_with("MaxStartups 2") else { return };
    let world = Arc::new(world);
    let mut running = tokio::task::JoinSet::new();
    for number in 1..=16 {
        let world = world.clone();
        running.spawn(async move {
            let target = world.target_at(&format!("127.0.0.{number}"));
            world.effects_on(&target).exec(sh("true"), &world.sink).await.unwrap();
        });
    }
    running.join_all().await;
    Arc::into_inner(world).unwrap().close().await;
}

/// With a server that allows fewer sessions on a connection than we open.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn refused_sessions_are_tried_again() {
    let Some(world) = World::ssh_with("MaxSessions 3") else { return };
    let world = Arc::new(world);
    let mut running = tokio::task::JoinSet::new();
    for _ in 0..12 {
        let world = world.clone();
        running.spawn(async move {
            world.effects().exec(sh("sleep 0.1"), &world.sink).await.unwrap();
        });
    }
    running.join_all().await;
    Arc::into_inner(world).unwrap().close().await;
}
