//! `almanac dataset` as a process: the rules need no model, a bad file is named, and a second run repeats nothing.

use std::path::Path;

use assert_cmd::Command;
use predicates::str::contains;
use serde_json::Value;

fn almanac(state: &Path) -> Command {
    let mut command = Command::cargo_bin("almanac").expect("the program is built");
    command.arg("--state").arg(state);
    command
}

fn lines(path: &Path) -> Vec<Value> {
    let text = std::fs::read_to_string(path).expect("readable");
    let parse = |line: &str| serde_json::from_str(line).expect("a JSON line");
    text.lines().map(parse).collect()
}

#[test]
fn rules_build_a_data_set_that_passes_its_check_without_any_model() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let farm = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/farm/documents/us-iowa");
    let documents = folder.path().join("documents");
    std::fs::create_dir(&documents).expect("writable");
    for file in std::fs::read_dir(&farm).expect("the sample farm") {
        let file = file.expect("readable").path();
        let name = file.file_name().expect("a name");
        std::fs::copy(&file, documents.join(name)).expect("writable");
    }
    std::fs::write(documents.join("broken.pdf"), b"no PDF").expect("writable");
    let (state, out) = (folder.path().join("state"), folder.path().join("set.jsonl"));
    let report = folder.path().join("set.md");
    let build = || {
        let mut command = almanac(&state);
        command.args(["dataset", "build", "--generator", "rules"]);
        command.arg("--out").arg(&out).arg("--report").arg(&report);
        command.arg("--modes").arg("none,external").arg(&documents);
        command.assert().success().stderr(contains("broken.pdf"));
        std::fs::read(&out).expect("written")
    };
    let first = build();
    assert_eq!(build(), first, "a second run gives the same");
    let pairs = lines(&out);
    assert!(pairs.len() > 20, "{} pairs", pairs.len());
    for pair in &pairs {
        assert_eq!(pair["messages"][0]["role"], "user");
        assert_eq!(pair["scores"]["grounded"], 1.0, "{pair}");
    }
    let text = std::fs::read_to_string(&report).expect("written");
    assert!(text.contains("| external |"), "{text}");
    let mut check = almanac(&state);
    check.args(["dataset", "check"]).arg(&out);
    check.assert().success().stdout(contains("0 faults"));
}

#[test]
fn words_are_drawn_by_a_model_alone_and_as_far_as_can_be() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    for (given, said) in [
        (
            &["--generator", "rules", "--temperature", "0.8"][..],
            "rules draw nothing",
        ),
        (&["--temperature", "0.8", "--top-p", "1.5"], "top-p is 1.5"),
        (&["--temperature", "nan"], "temperature is NaN"),
        (&["--seed", "3"], "--temperature"),
    ] {
        let mut command = almanac(&folder.path().join("state"));
        command.args(["dataset", "build", "--out"]);
        command.arg(folder.path().join("set.jsonl")).args(given);
        let run = command.arg(folder.path()).assert().failure();
        run.stderr(contains(said));
    }
}

#[test]
fn held_out_documents_stay_out_and_a_leak_fails_the_check() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let documents = folder.path().join("documents");
    std::fs::create_dir(&documents).expect("writable");
    for (name, crop) in [("a.md", "maize"), ("b.md", "wheat")] {
        let text = format!(
            "---\ntitle: Sowing {crop}\n---\n## Depth\n\nSeed of {crop} should be sown 5 cm deep in dry soil. Rows of {crop} run along the slope so that the rain stays in the field for longer.\n"
        );
        std::fs::write(documents.join(name), text).expect("writable");
    }
    let set = folder.path().join("questions.jsonl");
    let question = r#"{"id":"q","split":"test","kind":"answerable","question":"Why?","gold":{"document":"a.md","section":"Depth"},"facts":[{"name":"d","any_of":["x"]}]}"#;
    std::fs::write(&set, question).expect("writable");
    let out = folder.path().join("set.jsonl");
    let build = |held_out: bool| {
        let mut command = almanac(&folder.path().join("state"));
        command.args(["dataset", "build", "--generator", "rules", "--out"]);
        command.arg(&out).arg(&documents);
        if held_out {
            command.arg("--held-out").arg(&set);
        }
        command.assert().success();
        lines(&out)
    };
    assert_eq!(build(false).len(), 2);
    let mut check = almanac(&folder.path().join("state"));
    check
        .args(["dataset", "check"])
        .arg(&out)
        .arg("--held-out")
        .arg(&set);
    check.assert().failure().stdout(contains("held-out"));
    let kept = build(true);
    assert_eq!(kept.len(), 1);
    assert_eq!(kept[0]["document"], "b.md");
}
