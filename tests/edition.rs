//! Editions on a real box: the real binary with real models, from a plan to answers and back again.

mod support;

use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::time::Duration;

use serde_json::Value;
use support::daemon::{TestBox, said};
use support::models;
use support::operator::{Operator, QUESTION};

const UNKNOWN: &str = "How far apart do I plant hazelnut trees?";
fn serial(this: &TestBox) -> u64 {
    let status = this.json(&["edition", "status"]);
    status[0]["serial"].as_u64().expect("a serial")
}

fn last(this: &TestBox) -> Value {
    this.json(&["edition", "status"])[0]["last_update"].clone()
}

fn assert_answers(this: &TestBox, edition: u64) {
    let answer = &this.json(&["ask", QUESTION])[0];
    assert_eq!(answer["status"], "answered", "{answer}");
    assert_eq!(answer["edition"], edition, "{answer}");
}

#[test]
fn an_edition_comes_from_a_stick_answers_with_the_farms_own_notes_and_goes_back() {
    let operator = Operator::new();
    let mut this = operator.customer();
    let first = operator.complete(1);
    let installed = this.command(&["edition", "install", &first]);
    assert!(installed.status.success(), "{}", said(&installed));
    assert_eq!(serial(&this), 1);
    assert_answers(&this, 1);
    let refused = &this.json(&["ask", UNKNOWN])[0];
    assert_eq!(refused["status"], "refused", "{refused}");
    let found = &this.json(&["search", "brass key of the gate"])[0];
    assert_eq!(found["results"][0]["document"], "gate.md", "{found}");

    // The daemon starts on it.
    this.start_ready();
    assert_answers(&this, 1);
    let (status, _) = this.terminate();
    assert!(status.success());

    // A corpus-only edition: no model is fetched again, the farm's note is still there.
    let maize = operator.path("corpus/us-iowa/soybean.md");
    std::fs::remove_file(maize).expect("removable");
    let second = operator.edition(2, "base = \"out/editions/1\"\ndocuments = [\"corpus\"]");
    let difference = operator.almanac(&["--json", "edition", "diff", &first, &second]);
    let difference: Value = serde_json::from_slice(&difference.stdout).expect("JSON");
    assert_eq!(difference["bytes"], 0, "{difference}");
    let installed = this.command(&["edition", "install", &second]);
    assert!(installed.status.success(), "{}", said(&installed));
    let documents: Vec<String> = this.json(&["library", "list"])[..]
        .iter()
        .map(|line| line["document"].as_str().unwrap_or_default().to_owned())
        .collect();
    assert_eq!(documents, ["gate.md", "us-iowa/maize-planting.md"]);

    let back = this.command(&["edition", "rollback", "--why", "test"]);
    assert!(back.status.success(), "{}", said(&back));
    assert_eq!(serial(&this), 1);
    assert_eq!(last(&this)["phase"], "rolled-back");
    let swept = this.command(&["edition", "gc"]);
    assert!(swept.status.success(), "{}", said(&swept));
    assert_answers(&this, 1);
}

#[test]
fn a_bad_edition_never_answers() {
    let operator = Operator::new();
    let this = operator.customer();
    let first = operator.complete(1);
    let installed = this.command(&["edition", "install", &first]);
    assert!(installed.status.success(), "{}", said(&installed));
    let golden = |facts: &str| {
        format!(
            "base = \"out/editions/1\"\n[[golden]]\nquestion = \"{QUESTION}\"\nfacts = [{facts}]\n\
             place = {{ country = \"US\", region = \"Iowa\" }}\n"
        )
    };
    let budget = |budget: &str| format!("base = \"out/editions/1\"\nbudgets = {{ {budget} }}\n");
    // A graph that no runtime takes, under a right digest.
    let models = models::folder().join("models/smollm2-135m-instruct");
    for entry in std::fs::read_dir(&models).expect("a model") {
        let path = entry.expect("readable").path();
        let name = path
            .file_name()
            .expect("a name")
            .to_string_lossy()
            .into_owned();
        match name.as_str() {
            "model.onnx" | "model.onnx.data" => operator.write(&format!("bad/{name}"), b"noise"),
            _ => operator.write(
                &format!("bad/{name}"),
                &std::fs::read(&path).expect("readable"),
            ),
        }
    }
    let crashing = "base = \"out/editions/1\"\ndecoder = \"bad\"\n".to_owned();
    for (number, (plan, why)) in [
        (golden("\"seven fathoms\""), "seven fathoms"),
        (
            budget("memory_mib = 8"),
            "MiB of memory, at most 8 are allowed",
        ),
        (budget("answer_ms = 1"), "at most 1 are allowed"),
        // Nothing hangs longer than its budget.
        (budget("trial_s = 0"), "took longer than 0 s"),
        (crashing, "3 trials came to no end"),
    ]
    .iter()
    .enumerate()
    {
        let folder = operator.edition(2 + number as u64, plan);
        let given_up = this.command(&["edition", "install", &folder]);
        assert_eq!(given_up.status.code(), Some(1), "{}", said(&given_up));
        let run = last(&this);
        assert_eq!(run["phase"], "rejected", "{run}");
        assert!(
            run["why"].as_str().is_some_and(|said| said.contains(why)),
            "{why}: {run}"
        );
        assert_eq!(serial(&this), 1);
    }
    assert_answers(&this, 1);
    // Not accepted at all: not signed by anyone the box knows.
    let stranger = Operator::new();
    let folder = stranger.complete(9);
    let refused = this.command(&["edition", "install", &folder]);
    assert!(
        said(&refused).contains("does not trust"),
        "{}",
        said(&refused)
    );
    assert!(
        said(&refused).contains("nothing changed"),
        "{}",
        said(&refused)
    );
    assert_answers(&this, 1);
}

#[test]
fn an_install_that_is_killed_again_and_again_ends_in_one_whole_edition() {
    let kills: u64 = std::env::var("ALMANAC_EDITION_KILLS").map_or(4, |kills| {
        kills.parse().expect("ALMANAC_EDITION_KILLS is a number")
    });
    let operator = Operator::new();
    let this = operator.customer();
    let first = operator.complete(1);
    for kill in 0..kills {
        let mut command = this.command_to_start(&["edition", "install", &first]);
        let mut child = command.spawn().expect("almanac runs");
        // Spread over the whole way, whatever the machine's speed: some end before they are killed.
        let pause = Duration::from_millis(150 + kill * 7_000 / kills);
        let end = std::time::Instant::now() + pause;
        while std::time::Instant::now() < end && child.try_wait().expect("a child").is_none() {
            std::thread::park_timeout(Duration::from_millis(5));
        }
        let _ = child.kill();
        let _ = child.wait();
        let now = serial(&this);
        assert!(now <= 1, "{now}");
        // Three trials that were killed reject it: then it is offered again.
    }
    while serial(&this) == 0 {
        let installed = this.command(&["edition", "install", &first]);
        let run = last(&this);
        assert!(
            installed.status.success() || run["phase"] == "rejected",
            "{}",
            said(&installed)
        );
    }
    let settled = this.command(&["edition", "gc"]);
    assert!(settled.status.success(), "{}", said(&settled));
    assert_answers(&this, 1);
}

#[test]
fn a_daemon_leaves_an_edition_behind_that_broke_after_its_trial() {
    let operator = Operator::new();
    let mut this = operator.customer();
    let first = operator.complete(1);
    let installed = this.command(&["edition", "install", &first]);
    assert!(installed.status.success(), "{}", said(&installed));
    let graph = this
        .state()
        .join("editions/1/files/models/smollm2-135m-instruct/model.onnx");
    std::fs::remove_file(&graph).expect("removable");
    std::fs::write(&graph, b"rot").expect("writable");
    this.start();
    let ended = this.ended();
    assert_eq!(
        ended.code(),
        Some(1),
        "systemd may start it again: {}",
        this.log()
    );
    assert_eq!(serial(&this), 0);
    assert_eq!(last(&this)["phase"], "rolled-back");
    this.start_ready();
    this.terminate();
}

/// What `minisign` is called with; `None` where it is not installed.
fn minisign(folder: &Path, arguments: &[&str]) -> Option<Output> {
    let output = Command::new("minisign")
        .current_dir(folder)
        .args(arguments)
        .output();
    match output {
        Ok(output) => Some(output),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            eprintln!("skipped: minisign is not here (apt-get install minisign)");
            None
        }
        Err(error) => panic!("minisign: {error}"),
    }
}

/// An edition of empty models: enough for signatures.
fn small(operator: &Operator) -> String {
    for path in [
        "models/a/model.toml",
        "models/b/model.toml",
        "models/a/model.onnx",
    ] {
        operator.write(path, path.as_bytes());
    }
    operator.edition(
        7,
        "decoder = \"models/a\"\nembedder = \"models/b\"\ndocuments = [\"corpus\"]\n\
         golden = [{ question = \"Why?\" }]\n",
    )
}

#[test]
fn minisign_accepts_what_almanac_signs() {
    let operator = Operator::new();
    let folder = PathBuf::from(small(&operator));
    let key = operator.path("farm.pub").display().to_string();
    let checked = ["-V", "-p", &key, "-m", "edition.toml"];
    let Some(output) = minisign(&folder, &checked) else {
        return;
    };
    assert!(output.status.success(), "{}", said(&output));
    assert!(
        said(&output).contains("almanac edition 7: test 7"),
        "{}",
        said(&output)
    );
    let mut text = std::fs::read(folder.join("edition.toml")).expect("readable");
    text[0] ^= 1;
    std::fs::write(folder.join("edition.toml"), text).expect("writable");
    let output = minisign(&folder, &checked).expect("it was there");
    assert!(!output.status.success(), "{}", said(&output));
}

#[test]
fn almanac_accepts_what_minisign_signs_and_takes_its_keys() {
    let operator = Operator::new();
    let folder = PathBuf::from(small(&operator));
    let shown = folder.display().to_string();
    let (public, secret) = (operator.path("m.pub"), operator.path("m.key"));
    let (public, secret) = (public.display().to_string(), secret.display().to_string());
    let Some(made) = minisign(&folder, &["-G", "-W", "-p", &public, "-s", &secret]) else {
        return;
    };
    assert!(made.status.success(), "{}", said(&made));
    let verify = || operator.almanac(&["edition", "verify", &shown, "--key", &public]);
    assert!(!verify().status.success(), "signed by another key so far");
    // Prehashed as minisign does by default, then its legacy form.
    for form in [&["-S"][..], &["-S", "-l"]] {
        let what = ["-W", "-s", &secret, "-t", "by hand", "-m", "edition.toml"];
        let signed = minisign(&folder, &[form, &what[..]].concat()).expect("it was there");
        assert!(signed.status.success(), "{}", said(&signed));
        let verified = verify();
        assert!(verified.status.success(), "{}", said(&verified));
        assert!(said(&verified).contains("by hand"), "{}", said(&verified));
    }
    let own = operator.almanac(&["edition", "sign", &shown, "--key", &secret, "--no-password"]);
    assert!(own.status.success(), "{}", said(&own));
    let checked = minisign(&folder, &["-V", "-p", &public, "-m", "edition.toml"]);
    assert!(checked.expect("it was there").status.success());
    assert!(verify().status.success());
}

#[test]
fn the_offline_commands_tell_what_is_wrong() {
    let operator = Operator::new();
    let folder = small(&operator);
    let say = |arguments: &[&str]| said(&operator.almanac(arguments));
    let key = operator.path("farm.pub").display().to_string();
    assert!(say(&["edition", "verify", &folder, "--key", &key]).contains("edition 7 is whole"));
    // Without --key: nobody is trusted here.
    assert!(say(&["edition", "verify", &folder]).contains("does not trust"));
    assert!(say(&["edition", "inspect", &folder]).contains("edition 7 (test 7)"));
    assert!(say(&["edition", "keygen", "farm", "--no-password"]).contains("never overwritten"));
    let content = std::fs::read_dir(operator.path("out/blobs/sha256")).expect("contents");
    let content = content.map(|entry| entry.expect("readable").path()).next();
    std::fs::remove_file(content.expect("one")).expect("removable");
    let said = say(&["edition", "verify", &folder, "--key", &key]);
    assert!(said.contains("cannot open"), "{said}");
}
