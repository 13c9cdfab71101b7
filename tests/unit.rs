//! The shipped systemd files, judged by systemd's own tools; skipped, and said so, where there are none.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

/// Most exposure that `systemd-analyze security` may find, in tenths.
const MAX_EXPOSURE: &str = "20";

fn shipped(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("systemd")
        .join(name)
}

/// The unit, with a program that exists here in the place of the installed one.
fn unit_with_a_program(folder: &Path) -> PathBuf {
    let text = std::fs::read_to_string(shipped("almanac.service")).expect("the unit is there");
    let (installed, here) = ("ExecStart=/usr/bin/almanac ", "ExecStart=/bin/true ");
    assert!(text.contains(installed), "the unit starts another program");
    let path = folder.join("almanac.service");
    std::fs::write(&path, text.replace(installed, here)).expect("writable");
    path
}

fn run(program: &str, arguments: &[&str], last: &Path) -> Option<Output> {
    match Command::new(program).args(arguments).arg(last).output() {
        Ok(output) => Some(output),
        Err(error) => {
            println!("skipped: {program} is not here ({error})");
            None
        }
    }
}

fn all_it_said(output: &Output) -> String {
    let said = [output.stdout.as_slice(), output.stderr.as_slice()].concat();
    String::from_utf8_lossy(&said).into_owned()
}

#[test]
fn the_unit_is_clean() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let unit = unit_with_a_program(folder.path());
    if let Some(output) = run("systemd-analyze", &["verify", "--man=no"], &unit) {
        // Warnings leave the exit status at 0, so silence is asked for too.
        assert!(output.status.success(), "{}", all_it_said(&output));
        assert_eq!(all_it_said(&output), "");
    }
}

#[test]
fn the_unit_is_exposed_at_most_2_of_10() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let unit = unit_with_a_program(folder.path());
    let threshold = format!("--threshold={MAX_EXPOSURE}");
    let arguments = ["security", "--offline=true", "--no-pager", &threshold];
    if let Some(output) = run("systemd-analyze", &arguments, &unit) {
        assert!(output.status.success(), "{}", all_it_said(&output));
    }
}

#[test]
fn the_unit_says_what_the_daemon_relies_on() {
    let text = std::fs::read_to_string(shipped("almanac.service")).expect("the unit is there");
    for line in [
        "Type=notify",
        "WatchdogSec=60s",
        "RestartPreventExitStatus=78",
    ] {
        assert!(text.lines().any(|has| has == line), "{line}");
    }
}

#[test]
fn the_users_file_makes_the_user_that_the_unit_runs_as() {
    let root = tempfile::tempdir().expect("a temporary folder");
    std::fs::create_dir(root.path().join("etc")).expect("writable");
    let root_argument = format!("--root={}", root.path().display());
    let arguments = [root_argument.as_str()];
    let users = shipped("almanac.sysusers.conf");
    let Some(output) = run("systemd-sysusers", &arguments, &users) else {
        return;
    };
    assert!(output.status.success(), "{}", all_it_said(&output));
    let passwd = std::fs::read_to_string(root.path().join("etc/passwd")).expect("written");
    assert!(passwd.contains("almanac:x:"), "{passwd}");
    let unit = std::fs::read_to_string(shipped("almanac.service")).expect("the unit is there");
    assert!(unit.lines().any(|line| line == "User=almanac"));
}
