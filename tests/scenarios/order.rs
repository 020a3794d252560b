//! The order that nobody writes: what needs what, what overlaps, what can't be.

use crate::site::Site;

#[test]
fn a_diamond_runs_from_the_bottom_up_and_is_taken_down_from_the_top() {
    let Some(site) = Site::new(3) else { return };
    site.application(
        r#"
application: diamond
version: "1"
components:
  bottom: { type: ssh/command, with: { run: "echo bottom >>${folder}/log", undo: "echo no-bottom >>${folder}/log" } }
  left: { type: ssh/command, needs: [bottom], with: { run: "echo left >>${folder}/log", undo: "echo no-left >>${folder}/log" } }
  right: { type: ssh/command, needs: [bottom], with: { run: "echo right >>${folder}/log", undo: "echo no-right >>${folder}/log" } }
  top: { type: ssh/command, needs: [left, right], with: { run: "echo top >>${folder}/log", undo: "echo no-top >>${folder}/log" } }
"#,
    );
    let journal = site.deploy(0);
    for (first, second) in [("bottom", "left"), ("bottom", "right"), ("left", "top"), ("right", "top")] {
        journal.assert_before(first, second);
    }
    assert_eq!(journal.count("instance-committed"), 12);
    let log = site.deployed("log").expect("it was written");
    let lines: Vec<&str> = log.lines().collect();
    assert_eq!((&lines[..3], &lines[9..]), (&["bottom"; 3][..], &["top"; 3][..]));

    site.run(&["undeploy", "--yes"]).exits(0);
    let log = site.deployed("log").expect("it was written");
    let lines: Vec<&str> = log.lines().skip(12).collect();
    assert_eq!((&lines[..3], &lines[9..]), (&["no-top"; 3][..], &["no-bottom"; 3][..]));
    assert!(site.recorded().is_empty());
}

#[test]
fn a_cycle_is_shown_with_its_path_and_places() {
    let Some(site) = Site::new(1) else { return };
    site.application(
        "application: circle\nversion: \"1\"\ncomponents:\n  \
         a: { type: ssh/command, needs: [b], with: { run: \"true\" } }\n  \
         b: { type: ssh/command, needs: [c], with: { run: \"true\" } }\n  \
         c: { type: ssh/command, needs: [a], with: { run: \"true\" } }\n",
    );
    for command in ["validate", "plan", "deploy"] {
        let output = site.run(&[command]).exits(2).says("a → b → c → a");
        let text = output.text();
        for line in [4, 5, 6] {
            assert!(text.contains(&format!("launchway.yaml:{line}")) || text.contains(&format!("{line} |")), "{text}");
        }
    }
}

/// Each step waits until it has seen the others: one after the other, they would wait for ever.
#[test]
fn what_is_independent_runs_at_the_same_time() {
    let Some(site) = Site::new(4) else { return };
    site.application(
        r#"
application: meeting
version: "1"
components:
  meet:
    type: ssh/command
    with:
      run: |
        : >"${folder}/met-${target.name}"
        until [ "$(ls "${folder}" | grep -c '^met-')" = 4 ]; do sleep 0.05; done
      timeout: 60s
  then:
    type: ssh/command
    needs: [meet]
    with: { run: "true" }
"#,
    );
    let journal = site.deploy(0);
    let (begins, ends) = (journal.places("step-started", "meet"), journal.places("step-finished", "meet"));
    assert_eq!((begins.len(), ends.len()), (4, 4));
    assert!(begins.iter().max() < ends.iter().min(), "all began before one ended");
    journal.assert_before("meet", "then");
}

/// `needs` orders what is observable; putting files in place is not.
#[test]
fn installs_overlap_where_starts_are_ordered() {
    let Some(site) = Site::new(1) else { return };
    site.application(
        r#"
application: overlap
version: "1"
components:
  slow:
    type: ssh/command
    with:
      run: "until test -e '${folder}/file'; do sleep 0.05; done"
      timeout: 60s
  file: { type: ssh/file, needs: [slow], with: { path: "${folder}/file", content: text } }
"#,
    );
    site.deploy(0);
    assert_eq!(site.deployed("file").as_deref(), Some("text"));
}
