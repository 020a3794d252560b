//! Two applications at once in one environment: named locks and room on targets hold for both.

use std::fs;

use launchway_harness::{Output, Project, Running};
use serde_json::json;

use crate::site::Site;

/// Writes down when each step is inside, and waits there for a word if one is wanted.
fn application(name: &str, components: usize, with: &str, wait: bool) -> String {
    let go = if wait { format!("until test -e '${{folder}}/{name}-go'; do sleep 0.02; done; ") } else { String::new() };
    let component = |at: usize| {
        format!(
            "  {name}{at}:\n    type: ssh/command\n    with:\n      {with}\n      run: \"echo in {name}{at}-${{target.name}} >>'${{folder}}/log'; {go}\
             sleep 0.05; echo out {name}{at}-${{target.name}} >>'${{folder}}/log'\"\n"
        )
    };
    let components: String = (0..components).map(component).collect();
    format!("application: {name}\nversion: \"1\"\ncomponents:\n{components}")
}

/// Returns a second project that deploys to the same environment and keeps its state in the same store.
fn beside(site: &Site) -> Project {
    let mut project = Project::new().expect("the binary is there");
    let environment = fs::read(site.project.path("environments/test.yaml")).expect("it is there");
    project.write("environments/test.yaml", environment).expect("it can be written");
    project.set("LAUNCHWAY_STORE", site.project.path(".launchway").to_str().expect("a path that is text"));
    project.set("USER", "anna");
    project
}

fn start(project: &Project) -> Running {
    project.start(["deploy", "--yes"]).expect("it starts")
}

fn end(running: Running) -> Output {
    running.finish().expect("it ends")
}

fn log(site: &Site) -> Vec<String> {
    site.deployed("log").unwrap_or_default().lines().map(str::to_owned).collect()
}

fn wait_for_log(site: &Site, line: &str) {
    for _ in 0..3000 {
        if log(site).iter().any(|found| found == line) {
            return;
        }
        std::thread::sleep(std::time::Duration::from_millis(10));
    }
    panic!("{line} never came: {:?}", log(site));
}

/// Returns how many were inside at once at most.
fn crowd(log: &[String]) -> usize {
    let mut inside = 0usize;
    let mut most = 0;
    for line in log {
        match line.split_once(' ') {
            Some(("in", _)) => inside += 1,
            _ => inside -= 1,
        }
        most = most.max(inside);
    }
    assert_eq!(inside, 0, "who came in went out: {log:?}");
    most
}

#[test]
fn a_lock_holds_for_two_applications_at_once() {
    let Some(site) = Site::new(2) else { return };
    site.application(&application("shop", 6, "locks: [db-migrations]", false));
    let other = beside(&site);
    other.application(&application("payments", 6, "locks: [db-migrations]", false)).expect("it can be written");
    let (shop, payments) = (start(&site.project), start(&other));
    end(shop).exits(0);
    end(payments).exits(0);
    let log = log(&site);
    assert_eq!(log.len(), 2 * 2 * 2 * 6);
    assert_eq!(crowd(&log), 1, "{log:?}");
    let first = |name: &str| log.iter().position(|line| line.contains(name)).expect("it ran");
    let last = |name: &str| log.iter().rposition(|line| line.contains(name)).expect("it ran");
    let overlap = first("shop").max(first("payments")) < last("shop").min(last("payments"));
    assert!(overlap, "they were at work at the same time: {log:?}");
}

#[test]
fn who_waits_is_told_for_whom_and_an_interrupt_ends_the_waiting() {
    let Some(site) = Site::new(1) else { return };
    site.application(&application("shop", 1, "locks: [db-migrations]", true));
    let other = beside(&site);
    other.application(&application("payments", 1, "locks: [db-migrations]", false)).expect("it can be written");
    let shop = start(&site.project);
    wait_for_log(&site, "in shop0-host1");
    let mut payments = other.start(["deploy", "--yes", "--json"]).expect("it starts");
    let line = payments.wait_for(|line| line.contains("lock-waiting") && line.contains("held by")).expect("it is told");
    assert!(line.contains("waiting for lock `db-migrations`, held by run 1 of shop on test ("), "{line}");
    let told: serde_json::Value = serde_json::from_str(&line).expect("it is JSON");
    assert_eq!((&told["what"], &told["by"]["run"]), (&json!({ "lock": "db-migrations" }), &json!(1)));
    payments.interrupt().expect("it can be interrupted");
    end(payments).exits(5);
    fs::write(site.folder().join("shop-go"), "").expect("it can be written");
    end(shop).exits(0);
    assert_eq!(log(&site), ["in shop0-host1", "out shop0-host1"]);
    other.run(["deploy", "--yes"]).expect("it runs").exits(0);
}

#[test]
fn who_is_killed_holds_nobody_up() {
    let Some(site) = Site::new(1) else { return };
    site.application(&application("shop", 1, "locks: [db-migrations]", true));
    let other = beside(&site);
    other.application(&application("payments", 1, "locks: [db-migrations]", false)).expect("it can be written");
    let shop = start(&site.project);
    wait_for_log(&site, "in shop0-host1");
    let mut payments = other.start(["deploy", "--yes", "--json"]).expect("it starts");
    payments.wait_for(|line| line.contains("waiting for lock")).expect("it waits");
    shop.kill().expect("it can be killed");
    end(payments).exits(0);
    assert_eq!(log(&site)[..3], ["in shop0-host1", "in payments0-host1", "out payments0-host1"]);
    fs::write(site.folder().join("shop-go"), "").expect("it can be written");
    site.run(&["status"]).says("was interrupted");
}

#[test]
fn room_on_a_host_is_shared_by_two_applications() {
    let Some(site) = Site::new(1) else { return };
    site.environment(|environment| environment["defaults"]["max_steps"] = json!(2));
    let other = beside(&site);
    site.application(&application("shop", 8, "cwd: /", false));
    other.application(&application("payments", 8, "cwd: /", false)).expect("it can be written");
    let (shop, payments) = (start(&site.project), start(&other));
    end(shop).exits(0);
    end(payments).exits(0);
    let log = log(&site);
    assert_eq!(log.len(), 2 * 2 * 8);
    assert_eq!(crowd(&log), 2, "{log:?}");
}
