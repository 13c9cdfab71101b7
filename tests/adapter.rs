//! The shipped adapter against numbers that PEFT computed (`tests/references/adapter.py`), and the graph with inputs for
//! adapters against one without.

#[path = "support/imported.rs"]
mod imported;
#[path = "support/models.rs"]
mod models;

use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard};

use almanac::model::import::{Precision, adapter::import_adapter};
use almanac::model::measure::{arbitrary, choice};
use almanac::model::{
    GenerateRequest, Generator as _, Logits, Message, Purpose, Role, Runtime, TextGenerator,
    Weights,
};
use imported::decoder;
use serde::Deserialize;

/// One test at a time: each opens models of hundreds of megabytes.
fn alone() -> MutexGuard<'static, ()> {
    static ALONE: Mutex<()> = Mutex::new(());
    ALONE
        .lock()
        .unwrap_or_else(std::sync::PoisonError::into_inner)
}

#[derive(Deserialize)]
struct References {
    kept_ids: Vec<usize>,
    max_tokens: usize,
    prompts: Vec<Reference>,
}

#[derive(Deserialize)]
struct Reference {
    messages: Vec<Line>,
    tokens: usize,
    argmax: usize,
    logsumexp: f64,
    logits: Vec<f32>,
    text: String,
}

#[derive(Deserialize)]
struct Line {
    role: String,
    content: String,
}

impl Reference {
    fn messages(&self) -> Vec<Message> {
        let lines = self.messages.iter();
        let messages = lines.map(|line| {
            let role = match line.role.as_str() {
                "system" => Role::System,
                _ => Role::User,
            };
            Message::new(role, line.content.as_str())
        });
        messages.collect()
    }

    /// As the model's template renders it.
    fn prompt(&self) -> String {
        let turns = self.messages.iter();
        let turns =
            turns.map(|line| format!("<|im_start|>{}\n{}<|im_end|>\n", line.role, line.content));
        turns.collect::<String>() + "<|im_start|>assistant\n"
    }
}

fn references() -> References {
    serde_json::from_str(include_str!("references/adapter.json")).expect("valid JSON")
}

fn runtime() -> Runtime {
    Runtime::load(&models::folder().join("runtime/libonnxruntime.so"), 2).expect("ONNX Runtime")
}

/// The shipped adapter for the decoder `base`, as a file in `folder`.
fn imported(base: &Path, folder: &Path) -> PathBuf {
    let file = folder.join("farm.safetensors");
    let shipped = Path::new(env!("CARGO_MANIFEST_DIR")).join("models/farm-adapter");
    import_adapter(&shipped, base, &file).expect("converts");
    file
}

/// The decoder with the shipped adapter, and its name.
fn adapted(precision: Precision) -> (TextGenerator, String) {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let base = decoder(precision);
    let file = imported(&base, folder.path());
    let mut generator = TextGenerator::open(&runtime(), &base, 1024).expect("opens");
    let name = generator.load_adapter(&file).expect("loads");
    (generator, name)
}

/// The last position's logits after the prompt of `reference`.
fn logits(generator: &mut TextGenerator, reference: &Reference, adapter: Option<&str>) -> Vec<f32> {
    let tokens = generator
        .vocabulary()
        .encode(&reference.prompt(), false)
        .expect("encodes");
    assert_eq!(tokens.len(), reference.tokens);
    generator
        .logits(&tokens, Logits::Last, adapter)
        .expect("runs")
}

fn written(
    generator: &mut TextGenerator,
    reference: &Reference,
    name: &str,
    most: usize,
) -> String {
    let request = GenerateRequest {
        adapter: Some(name.to_owned()),
        ..GenerateRequest::new(reference.messages(), most)
    };
    let generated = generator.generate(&request, &mut |_| ControlFlow::Continue(()));
    generated.expect("generates").text
}

#[test]
fn the_shipped_adapter_gives_pefts_logits_and_writes_pefts_texts() {
    let _alone = alone();
    let references = references();
    assert!(references.prompts.len() >= 20);
    let (mut generator, name) = adapted(Precision::F32);
    let (mut furthest, mut moved) = (0f32, f32::INFINITY);
    for reference in &references.prompts {
        let ours = logits(&mut generator, reference, Some(&name));
        let base = logits(&mut generator, reference, None);
        let sum: f64 = ours.iter().map(|logit| f64::from(*logit).exp()).sum();
        assert!(
            (sum.ln() - reference.logsumexp).abs() < 2e-3,
            "{}",
            reference.text
        );
        assert_eq!(choice(&ours), reference.argmax, "{}", reference.text);
        let mut away = 0f32;
        for (id, theirs) in references.kept_ids.iter().zip(&reference.logits) {
            furthest = furthest.max((ours[*id] - theirs).abs());
            away = away.max((base[*id] - theirs).abs());
        }
        moved = moved.min(away);
        let text = written(&mut generator, reference, &name, references.max_tokens);
        assert_eq!(text, reference.text);
    }
    println!(
        "{} prompts: logits differ from PEFT's by at most {furthest:.1e}, the adapter moves them by at least {moved:.1e}; \
         all texts are PEFT's",
        references.prompts.len()
    );
    assert!(furthest < 5e-3, "{furthest} from PEFT");
    assert!(
        moved > 100.0 * furthest,
        "the adapter changes little: {moved}"
    );
}

#[test]
fn in_8_bits_the_shipped_adapter_mostly_begins_as_peft_does() {
    let _alone = alone();
    let references = references();
    let (mut generator, name) = adapted(Precision::Int8);
    let (mut begun, mut whole) = (0, 0);
    for reference in &references.prompts {
        let ours = logits(&mut generator, reference, Some(&name));
        begun += usize::from(choice(&ours) == reference.argmax);
        let text = written(&mut generator, reference, &name, references.max_tokens);
        whole += usize::from(text == reference.text);
    }
    let all = references.prompts.len();
    println!(
        "in 8 bits {begun} of {all} texts begin as PEFT's in single precision, {whole} are the same"
    );
    assert!(3 * begun >= 2 * all, "{begun} of {all} begin as PEFT's");
}

fn opened(weights: &Weights, folder: &Path, adapters: bool) -> TextGenerator {
    let context = 256;
    let purpose = Purpose { context, adapters };
    TextGenerator::open_beside(weights, &runtime(), folder, purpose).expect("opens")
}

#[test]
fn weights_opened_without_adapters_are_opened_anew_for_one() {
    let _alone = alone();
    let folder = decoder(Precision::Int8);
    let work = tempfile::tempdir().expect("a temporary folder");
    let file = imported(&folder, work.path());
    let mut bare = opened(&Weights::default(), &folder, false);
    let refused = bare.load_adapter(&file).expect_err("no inputs for it");
    assert!(refused.to_string().contains("no input"), "{refused}");
    let mut whole = opened(&bare.weights(), &folder, true);
    whole.load_adapter(&file).expect("fits");
}

#[test]
fn without_an_adapter_the_logits_are_those_of_a_graph_without_inputs_for_one() {
    let _alone = alone();
    for precision in [Precision::Int8, Precision::F32] {
        let folder = decoder(precision);
        let tokens = arbitrary(120);
        let mut all = [true, false].map(|adapters| {
            let mut generator = opened(&Weights::default(), &folder, adapters);
            generator.logits(&tokens, Logits::All, None).expect("runs")
        });
        let [whole, bare] = &mut all;
        assert!(whole == bare, "{precision:?} logits differ");
    }
}
