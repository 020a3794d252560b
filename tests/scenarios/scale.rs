//! Many instances.

use crate::site::Site;

#[test]
fn sixty_hosts_at_once() {
    let Some(site) = Site::new(60) else { return };
    site.application(
        r#"
application: many
version: "1"
components:
  file: { type: ssh/file, with: { path: "${folder}/${target.name}", content: "${target.name}" } }
  check: { type: ssh/command, needs: [file], with: { run: "test \"$(cat '${folder}/${target.name}')\" = '${target.name}'" } }
"#,
    );
    let journal = site.deploy(0);
    assert_eq!(journal.count("instance-committed"), 120);
    journal.assert_before("file", "check");
    assert_eq!(site.deployed("host60").as_deref(), Some("host60"));
    assert_eq!(site.deploy(0).count("step-started"), 0);
    site.run(&["undeploy", "--yes"]).exits(0);
    assert!(site.recorded().is_empty());
    assert_eq!(site.deployed("host60"), None);
}

#[test]
fn sixty_instances_on_one_host() {
    let Some(site) = Site::new(1) else { return };
    let components: String = (0..60)
        .map(|n| format!("  c{n}: {{ type: ssh/command, with: {{ run: \"echo {n} >>'${{folder}}/log'\" }} }}\n"))
        .collect();
    site.application(&format!("application: many\nversion: \"1\"\ncomponents:\n{components}"));
    assert_eq!(site.deploy(0).count("instance-committed"), 60);
    let log = site.deployed("log").expect("it was written");
    let mut lines: Vec<u32> = log.lines().map(|line| line.parse().expect("it is a number")).collect();
    lines.sort_unstable();
    assert_eq!(lines, (0..60).collect::<Vec<_>>());
}
