//! Many hosts over SSH: an upload of 1 MiB and five commands on each of 50, the journal on.

use std::fs;
use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result};
use launchway_harness::{Hosts, Project};
use serde_json::json;

use crate::measure::{Usage, median};
use crate::peer;
use crate::table::{Table, memory, ratio, time};

const HOSTS: u8 = 50;
const COMMANDS: usize = 5;
const RUNS: usize = 3;

pub(crate) fn run() -> Result<()> {
    let Some(hosts) = Hosts::start(HOSTS)? else { return Ok(()) };
    let project = Project::new()?;
    // Not compressible, and the same in every run.
    let payload: Vec<u8> = (0..1024 * 1024u32).map(|n| (n.wrapping_mul(2_654_435_761) >> 13) as u8).collect();
    project.write("payload", &payload)?;
    let folder = project.outside("deployed");
    fs::create_dir(&folder)?;

    let ours = launchway(&hosts, &project, &folder)?;
    let table = Table::new(&["", "time", "memory", "against launchway"]);
    let row = |name: &str, usage: Usage| {
        table.row(&[name.to_owned(), time(usage.seconds), memory(usage.mib()), ratio(ours.seconds, usage.seconds)]);
    };
    row("launchway deploy", ours);
    let script = project.write("loop.sh", shell_loop(&hosts, &project.path("payload"), &folder))?;
    row(
        "shell loop, one multiplexed connection per host",
        median(RUNS, || {
            let mut command = Command::new("/bin/sh");
            command.arg(&script).env("TMPDIR", project.outside("tmp"));
            command
        })?,
    );
    if let Some(pyinfra) = peer::find("pyinfra", "pip install pyinfra==3.10.0") {
        write_pyinfra(&hosts, &project, &folder)?;
        row(
            "pyinfra --parallel 50",
            median(RUNS, || {
                let mut command = Command::new(&pyinfra);
                command.args(["-y", "--parallel", "50", "inventory.py", "deploy.py"]).current_dir(project.path(""));
                command.env("HOME", project.outside("home"));
                // Where pip put it, if not where its interpreter looks.
                command.envs(std::env::var_os("PYTHONPATH").map(|path| ("PYTHONPATH", path)));
                command
            })?,
        );
    }
    Ok(())
}

/// Every run deploys another file, so that none finds its work done.
fn launchway(hosts: &Hosts, project: &Project, folder: &Path) -> Result<Usage> {
    let mut environment = hosts.environment("test");
    environment["dictionaries"] = json!([{ "folder": folder }]);
    project.environment(&environment)?;
    let commands: String = (0..COMMANDS)
        .map(|n| {
            let needs = if n == 0 { "file".to_owned() } else { format!("command{}", n - 1) };
            let needs = format!("[{{ component: {needs}, scope: same-target }}]");
            format!("  command{n}: {{ type: ssh/command, needs: {needs}, with: {{ run: \"true # ${{version}}\" }} }}\n")
        })
        .collect();
    project.application(&format!(
        "application: many\ncomponents:\n  file: {{ type: ssh/file, with: {{ path: \
         \"${{folder}}/${{target.name}}-${{version}}\", file: payload }} }}\n{commands}"
    ))?;
    let versions = std::cell::Cell::new(0);
    median(RUNS, || {
        versions.set(versions.get() + 1);
        project.command(["deploy", "--yes", "--quiet", "--version", &versions.get().to_string()])
    })
}

fn shell_loop(hosts: &Hosts, payload: &Path, folder: &Path) -> String {
    let (identity, known, port) = (hosts.identity().display(), hosts.known_hosts().display().to_string(), hosts.port());
    let one = |index: usize| {
        let address = hosts.address(index);
        format!(
            "(s=\"$TMPDIR/s{index}\"; o=\"-F /dev/null -o BatchMode=yes -o UserKnownHostsFile={known} -i {identity} -p {port} -S $s\"\n\
             ssh $o -M -N -f {address}\n\
             ssh $o {address} 'cat >{folder}/loop-{index}' <{payload}\n\
             {commands}\
             ssh $o -O exit {address}) 2>/dev/null &\n",
            folder = folder.display(),
            payload = payload.display(),
            commands = format!("ssh $o {address} true\n").repeat(COMMANDS),
        )
    };
    (0..usize::from(HOSTS)).map(one).chain(["wait\n".to_owned()]).collect()
}

fn write_pyinfra(hosts: &Hosts, project: &Project, folder: &Path) -> Result<()> {
    let known = hosts.known_hosts();
    let user = std::env::var("USER").unwrap_or_else(|_| "root".to_owned());
    let inventory: String = (0..usize::from(HOSTS))
        .map(|index| {
            format!(
                "    ({:?}, {{'ssh_port': {}, 'ssh_user': {user:?}, 'ssh_key': {:?}, 'ssh_known_hosts_file': {:?}, \
                 'ssh_strict_host_key_checking': 'off'}}),\n",
                hosts.address(index),
                hosts.port(),
                hosts.identity(),
                known
            )
        })
        .collect();
    project.write("inventory.py", format!("hosts = [\n{inventory}]\n"))?;
    let deploy = format!(
        "from pyinfra import host\nfrom pyinfra.operations import files, server\n\
         import time\nfiles.put(name='put', src='payload', dest=f'{}/pyinfra-{{host.name}}-{{time.time()}}')\n\
         for n in range({COMMANDS}):\n    server.shell(name=f'command {{n}}', commands=['true'])\n",
        folder.display()
    );
    project.write("deploy.py", deploy).context("can't write the pyinfra deploy").map(drop)
}
