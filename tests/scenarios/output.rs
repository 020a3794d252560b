//! What tools print: all of it kept, none of it harmful, no secret in it.

use serde_json::json;
use walkdir::WalkDir;

use crate::site::Site;

#[test]
fn fifty_megabytes_are_kept_in_the_log_and_nowhere_else() {
    const SIZE: u64 = 50_000_000;
    let Some(site) = Site::new(1) else { return };
    site.application(
        r#"
application: loud
version: "1"
components:
  loud: { type: ssh/command, with: { run: "yes 0123456789abcdefghijklmnopqrstuvwxyz012345678901 | head -c 50000000" } }
"#,
    );
    site.run(&["deploy", "--yes", "--quiet"]).exits(0);
    let mut sizes: Vec<u64> = WalkDir::new(site.project.path(".launchway"))
        .into_iter()
        .filter_map(Result::ok)
        .filter(|entry| entry.file_type().is_file())
        .map(|entry| entry.metadata().map_or(0, |data| data.len()))
        .collect();
    sizes.sort_unstable();
    let log = sizes.pop().expect("there is a log");
    assert!((SIZE..SIZE + SIZE / 4).contains(&log), "the log has {log} bytes");
    assert!(sizes.iter().sum::<u64>() < 8_000_000, "the rest of the store: {sizes:?}");
    let shown = site.run(&["show", "1", "--log"]).exits(0);
    assert!(shown.stdout.len() as u64 >= SIZE, "{} bytes are shown", shown.stdout.len());
}

#[test]
fn a_secret_is_in_no_file_and_no_output() {
    const CANARY: &str = "canary-Zk81qLm-7Tw";
    let Some(mut site) = Site::new(2) else { return };
    site.project.set("CANARY", CANARY);
    site.environment(|environment| environment["secrets"] = json!({ "token": { "env": "CANARY" } }));
    site.project.write("conf", "token={{ secret.token }}\n").expect("it can be written");
    let application = |last: &str| {
        format!(
            r#"
application: secretive
version: "1"
components:
  file: {{ type: ssh/file, with: {{ path: "${{folder}}/${{target.name}}", template: conf, mode: "0600" }} }}
  echo:
    type: ssh/command
    needs: [file]
    with:
      run: |
        echo "out $TOKEN"
        echo "err $TOKEN" >&2
        printf '%s' "$TOKEN" | base64
        for part in 1 2 3; do printf '%s' "$TOKEN"; done
        {last}
      env: {{ TOKEN: "${{secret.token}}" }}
"#
        )
    };
    let mut said = String::new();
    for (last, code) in [("exit 0", 0), ("exit 3", 3)] {
        site.application(&application(last));
        for arguments in [&["plan", "--json"][..], &["plan", "-o", "a.plan"]] {
            said += &site.run(arguments).exits(0).text();
        }
        said += &site.run(&["deploy", "--yes", "--json", "-v"]).exits(code).text();
    }
    said += &site.run(&["deploy", "--yes"]).exits(3).text();
    for run in ["1", "2", "3"] {
        said += &site.run(&["show", run, "--log"]).exits(0).text();
        said += &site.run(&["show", run, "--log", "--json"]).exits(0).text();
    }
    said += &site.run(&["status", "--json"]).exits(0).text();
    assert_eq!(site.deployed("host1"), Some(format!("token={CANARY}\n")), "the target has it");
    assert!(said.contains("out ***"), "what was around it is still there:\n{said}");

    let encoded = "Y2FuYXJ5LVprODFxTG0tN1R3";
    for needle in [CANARY, encoded] {
        assert!(!said.contains(needle), "{needle} was printed");
        site.assert_kept_nowhere(needle);
    }
}

#[test]
fn what_a_tool_prints_can_command_neither_a_terminal_nor_a_ci_server() {
    let Some(site) = Site::new(1) else { return };
    site.application(
        r###"
application: rude
version: "1"
components:
  rude:
    type: ssh/command
    with:
      run: |
        printf '\033[2J\033]0;title\007red\033[31m\n'
        printf '::set-env name=PATH::/evil\n##vso[task.setvariable]x\n##teamcity[buildStatus]\n'
        exit 4
"###,
    );
    let deployed = site.run(&["deploy", "--yes", "-v"]).exits(3);
    let shown = site.run(&["show", "1", "--log"]).exits(0);
    for text in [deployed.text(), shown.text()] {
        assert!(!text.contains('\u{1b}') && !text.contains('\u{7}'), "{text:?}");
        let commands = ["::set-env", "##vso[", "##teamcity["];
        for line in text.lines().map(str::trim_start) {
            assert!(!commands.iter().any(|command| line.starts_with(command)), "{line:?}");
        }
    }
    assert!(shown.text().contains("title") || shown.text().contains("red"), "{}", shown.text());
}
