use super::super::testing::{Farm, PLAN};
use super::*;

#[test]
fn an_adapter_only_edition_shares_everything_else() {
    let farm = Farm::new();
    let first = farm.build(1, PLAN);
    let second = farm.build(
        2,
        "base = \"out/editions/1\"\nadapters = [\"b.safetensors\"]",
    );
    let difference = difference(&first.manifest, &second.manifest);
    assert_eq!(difference.bytes, 9);
    assert_eq!(difference.fetched.len(), 1);
    assert_eq!(difference.fetched[0].role, Role::Adapter);
    assert_eq!(difference.gone, [Path::new("adapters/a.safetensors")]);
    assert_eq!(second.manifest.golden, first.manifest.golden);
    assert_eq!(second.manifest.budgets, first.manifest.budgets);
}

#[test]
fn a_corpus_only_edition_shares_the_models() {
    let farm = Farm::new();
    let first = farm.build(1, PLAN);
    farm.write("corpus/iowa/oats.md", "Oats: sow early.");
    let second = farm.build(2, "base = \"out/editions/1\"\ndocuments = [\"corpus\"]");
    let difference = difference(&first.manifest, &second.manifest);
    assert_eq!(difference.fetched.len(), 1);
    assert_eq!(
        difference.fetched[0].path,
        Path::new("documents/iowa/oats.md")
    );
}

#[test]
fn a_plan_with_an_unknown_key_or_without_a_model_says_so() {
    let farm = Farm::new();
    let error = farm
        .try_build(1, "decodr = \"x\"")
        .expect_err("a typing error");
    assert!(error.to_string().contains("decodr"), "{error}");
    let error = farm.try_build(1, "golden = []").expect_err("empty");
    assert!(error.to_string().contains("no language model"), "{error}");
    let error = farm
        .try_build(1, "decoder = \"corpus\"")
        .expect_err("no model");
    assert!(error.to_string().contains("models import"), "{error}");
}

#[test]
fn the_language_models_identity_is_what_sha256sum_prints_of_its_files() {
    let farm = Farm::new();
    let manifest = farm.build(1, PLAN).manifest;
    let line = |bytes: &[u8], name: &str| format!("{}  {name}\n", Digest::of(bytes));
    let lines = line(b"graph", "model.onnx") + &line(b"words", "tokenizer.json");
    assert_eq!(manifest.decoder(), Digest::of(lines.as_bytes()));
}
