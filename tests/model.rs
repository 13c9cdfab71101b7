//! The imported models against numbers that an independent implementation computed
//! (`tests/references/make.py` with transformers, PEFT and sentence-transformers).

#[path = "support/imported.rs"]
mod imported;
#[path = "support/models.rs"]
mod models;

use std::collections::BTreeMap;
use std::fs;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, OnceLock};

use almanac::model::folder::Manifest;
use almanac::model::import::{Precision, adapter::import_adapter, import_embedder};
use almanac::model::{
    Decline, Embedder as _, Finish, GenerateRequest, Generated, Generator as _, Logits, Message,
    ModelError, Purpose, Role, Runtime, SentenceEmbedder, TextGenerator, Weights,
};
use imported::{DECODER, decoder, decoder_with_a_small_cache};
use safetensors::SafeTensors;
use safetensors::tensor::{Dtype, TensorView};
use serde_json::Value;

const EMBEDDER: &str = "all-minilm-l6-v2";
const CONTEXT: usize = 1024;

/// One test at a time: each opens models of hundreds of megabytes.
fn alone() -> MutexGuard<'static, ()> {
    static ALONE: Mutex<()> = Mutex::new(());
    ALONE
        .lock()
        .unwrap_or_else(std::sync::PoisonError::into_inner)
}

fn references() -> &'static Value {
    static REFERENCES: OnceLock<Value> = OnceLock::new();
    REFERENCES.get_or_init(|| {
        serde_json::from_str(include_str!("references/references.json")).expect("valid JSON")
    })
}

fn runtime() -> Runtime {
    Runtime::load(&models::folder().join("runtime/libonnxruntime.so"), 2).expect("ONNX Runtime")
}

fn embedder() -> PathBuf {
    let out = models::folder().join("imported/embedder");
    if Manifest::open(&out).is_err() {
        let source = models::folder().join("sources").join(EMBEDDER);
        import_embedder(EMBEDDER, &source, &out, &mut |_, _| {}).expect("imports");
    }
    out
}

fn open(precision: Precision) -> TextGenerator {
    TextGenerator::open(&runtime(), &decoder(precision), CONTEXT).expect("opens")
}

fn floats(value: &Value) -> Vec<f32> {
    value
        .as_array()
        .expect("an array")
        .iter()
        .map(|x| x.as_f64().expect("a number") as f32)
        .collect()
}

fn ids(value: &Value) -> Vec<i64> {
    value
        .as_array()
        .expect("an array")
        .iter()
        .map(|x| x.as_i64().expect("a number"))
        .collect()
}

/// Largest absolute difference between our logits and the reference's, over the kept ids.
fn difference(generator: &mut TextGenerator, reference: &Value, adapter: Option<&str>) -> f32 {
    let tokens = ids(&reference["tokens"]);
    let ours = generator
        .logits(&tokens, Logits::Last, adapter)
        .expect("runs");
    let kept = ids(&references()["kept_ids"]);
    let theirs = floats(&reference["logits"]);
    kept.iter()
        .zip(theirs)
        .map(|(id, theirs)| (ours[*id as usize] - theirs).abs())
        .fold(0.0, f32::max)
}

#[test]
fn the_imported_tokenizer_and_template_give_the_reference_tokens() {
    let _alone = alone();
    let generator = open(Precision::F32);
    for prompt in references()["prompts"].as_array().expect("an array") {
        let text = prompt["text"].as_str().expect("a text");
        let tokens = generator.vocabulary().encode(text, false).expect("encodes");
        assert_eq!(tokens, ids(&prompt["tokens"]), "{text}");
    }
    for (chat, prompt) in references()["chats"]
        .as_array()
        .expect("an array")
        .iter()
        .zip(4..)
    {
        let messages: Vec<Message> = chat["messages"]
            .as_array()
            .expect("an array")
            .iter()
            .map(|message| {
                let role = match message["role"].as_str() {
                    Some("system") => Role::System,
                    _ => Role::User,
                };
                Message::new(role, message["content"].as_str().expect("a text"))
            })
            .collect();
        let tokens = references()["prompts"][prompt]["tokens"]
            .as_array()
            .expect("an array")
            .len();
        assert_eq!(generator.prompt_tokens(&messages).expect("renders"), tokens);
    }
}

#[test]
fn single_precision_logits_equal_the_reference() {
    let _alone = alone();
    let mut generator = open(Precision::F32);
    for prompt in references()["prompts"].as_array().expect("an array") {
        let found = difference(&mut generator, prompt, None);
        println!(
            "fp32 logits differ by at most {found:.1e}: {}",
            prompt["text"]
        );
        assert!(found < 2e-3, "{found} on {}", prompt["text"]);
    }
}

/// Perplexity of the reference text in windows of 512 tokens.
fn perplexity(generator: &mut TextGenerator) -> f64 {
    let text = include_str!("references/text.txt");
    let tokens = generator.vocabulary().encode(text, false).expect("encodes");
    assert_eq!(
        tokens.len() as u64,
        references()["text"]["tokens"].as_u64().expect("a number")
    );
    let measured =
        almanac::model::measure::perplexity(generator, &tokens, 512, None).expect("runs");
    assert_eq!(
        measured.scored as u64,
        references()["text"]["scored"].as_u64().expect("a number")
    );
    measured.perplexity()
}

fn reference_perplexity() -> f64 {
    let text = &references()["text"];
    (text["nll"].as_f64().expect("a number") / text["scored"].as_f64().expect("a number")).exp()
}

#[test]
fn perplexity_is_the_references_in_single_precision_and_near_it_in_eight_bits() {
    let _alone = alone();
    let reference = reference_perplexity();
    let single = perplexity(&mut open(Precision::F32));
    let eight = perplexity(&mut open(Precision::Int8));
    println!(
        "perplexity: reference {reference:.4}, fp32 import {single:.4}, int8 import {eight:.4}"
    );
    assert!((single / reference - 1.0).abs() < 1e-3);
    assert!(
        eight / reference < 1.03,
        "int8 loses {:.1} %",
        100.0 * (eight / reference - 1.0)
    );
}

#[test]
fn a_cache_in_8_bits_costs_little_and_no_logit_depends_on_the_cut() {
    let _alone = alone();
    let folder = decoder_with_a_small_cache();
    let mut small = TextGenerator::open(&runtime(), &folder, CONTEXT).expect("opens");
    let (small_perplexity, whole) = (
        perplexity(&mut small),
        perplexity(&mut open(Precision::Int8)),
    );
    println!(
        "perplexity {small_perplexity:.3} with a small cache, {whole:.3} with the default one"
    );
    assert!((small_perplexity / whole - 1.0).abs() < 0.02);
    let cut = almanac::model::measure::cut_difference(&mut small, 96);
    assert_eq!(cut.expect("runs"), 0.0);
}

#[test]
fn embeddings_point_where_the_references_point() {
    let _alone = alone();
    let embedder = SentenceEmbedder::open(&runtime(), &embedder()).expect("opens");
    assert_eq!((embedder.dimension(), embedder.max_tokens()), (384, 256));
    let references = references()["embeddings"].as_array().expect("an array");
    let texts: Vec<&str> = references
        .iter()
        .map(|entry| entry["text"].as_str().expect("a text"))
        .collect();
    let vectors = embedder.embed(&texts).expect("embeds");
    for (vector, reference) in vectors.rows().into_iter().zip(references) {
        let theirs = floats(&reference["vector"]);
        let cosine: f32 = vector.iter().zip(&theirs).map(|(a, b)| a * b).sum();
        println!(
            "embedding cosine {cosine:.6}: {:.40}",
            reference["text"].as_str().unwrap_or_default()
        );
        assert!(cosine > 0.9999, "{cosine} on {}", reference["text"]);
    }
}

#[test]
fn an_embedding_does_not_depend_on_its_batch() {
    let _alone = alone();
    let embedder = SentenceEmbedder::open(&runtime(), &embedder()).expect("opens");
    let texts = [
        "Short.",
        "A somewhat longer sentence about maize, soil and rain in the spring.",
    ];
    let together = embedder.embed(&texts).expect("embeds");
    for (text, row) in texts.iter().zip(together.rows()) {
        let alone = embedder.embed(&[*text]).expect("embeds");
        let cosine: f32 = alone.row(0).iter().zip(row).map(|(a, b)| a * b).sum();
        assert!(cosine > 0.99999, "{cosine}");
    }
    assert_eq!(embedder.embed(&[]).expect("embeds nothing").nrows(), 0);
}

/// Writes the PEFT folder that `make.py` describes: every matrix by the same formula.
fn peft_folder(folder: &Path) {
    let reference = &references()["adapter"];
    let rank = reference["rank"].as_u64().expect("a number") as usize;
    let sizes: BTreeMap<&str, (usize, usize)> = BTreeMap::from([
        ("mlp.down_proj", (1536, 576)),
        ("mlp.gate_proj", (576, 1536)),
        ("mlp.up_proj", (576, 1536)),
        ("self_attn.k_proj", (576, 192)),
        ("self_attn.o_proj", (576, 576)),
        ("self_attn.q_proj", (576, 576)),
        ("self_attn.v_proj", (576, 192)),
    ]);
    let mut names: Vec<(String, Vec<usize>)> = Vec::new();
    for layer in 0..30 {
        for (module, (width, outputs)) in &sizes {
            let name =
                |side| format!("base_model.model.model.layers.{layer}.{module}.lora_{side}.weight");
            names.push((name("A"), vec![rank, *width]));
            names.push((name("B"), vec![*outputs, rank]));
        }
    }
    names.sort();
    let data: Vec<Vec<u8>> = names
        .iter()
        .enumerate()
        .map(|(seed, (_, shape))| {
            (0..shape[0] * shape[1])
                .map(|index| (0.37 * index as f64 + seed as f64).sin() * 0.02)
                .flat_map(|value| half::f16::from_f64(value).to_f32().to_le_bytes())
                .collect()
        })
        .collect();
    let views = names.iter().zip(&data).map(|((name, shape), bytes)| {
        (
            name.as_str(),
            TensorView::new(Dtype::F32, shape.clone(), bytes).expect("sizes match"),
        )
    });
    let file = safetensors::serialize(views, None).expect("serialises");
    fs::write(folder.join("adapter_model.safetensors"), file).expect("writable");
    let config = serde_json::json!({"peft_type": "LORA", "r": rank, "lora_alpha": reference["alpha"], "bias": "none"});
    fs::write(folder.join("adapter_config.json"), config.to_string()).expect("writable");
}

#[test]
fn an_adapter_gives_pefts_logits_and_dropping_it_restores_the_bases() {
    let _alone = alone();
    let folder = tempfile::tempdir().expect("a temporary folder");
    peft_folder(folder.path());
    let base = decoder(Precision::F32);
    let file = folder.path().join("wave.safetensors");
    import_adapter(folder.path(), &base, &file).expect("converts");
    let mut generator = open(Precision::F32);
    let name = generator.load_adapter(&file).expect("loads");
    let prompts = references()["prompts"].as_array().expect("an array");
    let tuned = references()["adapter"]["prompts"]
        .as_array()
        .expect("an array");
    for (prompt, tuned) in prompts.iter().zip(tuned) {
        let found = difference(&mut generator, tuned, Some(&name));
        let moved = difference(&mut generator, prompt, Some(&name));
        println!("adapter: differs from PEFT by {found:.1e}, moves the logits by {moved:.1e}");
        assert!(found < 5e-3, "{found} from PEFT");
        assert!(moved > 0.05, "the adapter changed nothing: {moved}");
    }
    let tokens = ids(&prompts[0]["tokens"]);
    let before = open(Precision::F32)
        .logits(&tokens, Logits::Last, None)
        .expect("runs");
    assert!(generator.drop_adapter(&name));
    assert_eq!(
        generator.logits(&tokens, Logits::Last, None).expect("runs"),
        before
    );
    let error = generator
        .logits(&tokens, Logits::Last, Some(&name))
        .expect_err("it was dropped");
    assert!(
        matches!(error, ModelError::UnknownAdapter { .. }),
        "{error}"
    );
}

/// Root of the mean square of the differences.
fn distance(a: &[f32], b: &[f32]) -> f32 {
    let squares = a.iter().zip(b).map(|(a, b)| (a - b) * (a - b));
    (squares.sum::<f32>() / a.len() as f32).sqrt()
}

#[test]
fn in_8_bits_an_adapter_moves_the_logits_as_it_should_and_guesses_change_no_word_of_its_text() {
    let _alone = alone();
    let folder = tempfile::tempdir().expect("a temporary folder");
    peft_folder(folder.path());
    // Forty times as strong: rounding to 8 bits moves the logits as far as the adapter of the references does.
    let config = serde_json::json!({"peft_type": "LORA", "r": references()["adapter"]["rank"],
        "lora_alpha": references()["adapter"]["alpha"].as_f64().map(|alpha| alpha * 40.0), "bias": "none"});
    fs::write(
        folder.path().join("adapter_config.json"),
        config.to_string(),
    )
    .expect("writable");
    let load = |precision| {
        let file = folder.path().join("wave.safetensors");
        import_adapter(folder.path(), &decoder(precision), &file).expect("converts");
        let mut generator = open(precision);
        let name = generator.load_adapter(&file).expect("loads");
        (generator, name)
    };
    let (mut single, name) = load(Precision::F32);
    let (mut generator, _) = load(Precision::Int8);
    let (mut moved, mut off) = (0.0, 0.0);
    for prompt in references()["prompts"].as_array().expect("an array") {
        let tokens = ids(&prompt["tokens"]);
        let logits = |generator: &mut TextGenerator, adapter| {
            let logits = generator.logits(&tokens, Logits::Last, adapter);
            logits.expect("runs")
        };
        let right = logits(&mut single, Some(&name));
        moved += distance(&logits(&mut single, None), &right);
        off += distance(&logits(&mut generator, Some(&name)), &right);
    }
    drop(single);
    println!("the adapter moves the logits by {moved:.2}, in 8 bits they are off by {off:.2}");
    assert!(off < 0.9 * moved, "moved {moved}, off {off}");
    let text = "Maize wants warm soil: 50 °F at two inches. Maize wants nitrogen: 124 lb an acre. Repeat that.";
    let base = request(text, 48);
    let adapted = GenerateRequest {
        adapter: Some(name),
        ..base.clone()
    };
    generator.set_guesses(0);
    generator.forget();
    let (plain, _) = generate(&mut generator, &adapted);
    generator.set_guesses(TextGenerator::GUESSES);
    generator.forget();
    let (guessed, _) = generate(&mut generator, &adapted);
    let (warm, _) = generate(&mut generator, &adapted);
    assert_eq!((&guessed.text, &warm.text), (&plain.text, &plain.text));
    let (other, _) = generate(&mut generator, &base);
    assert_eq!(other.work.reused, 0, "it was read with the adapter");
    assert_ne!(other.text, plain.text);
}

#[test]
fn two_generators_on_the_same_weights_do_not_disturb_each_other() {
    let _alone = alone();
    let mut first = open(Precision::Int8);
    let folder = decoder(Precision::Int8);
    let beside = |weights: &Weights| {
        let purpose = Purpose {
            context: CONTEXT,
            adapters: true,
        };
        TextGenerator::open_beside(weights, &runtime(), &folder, purpose).expect("opens")
    };
    let mut second = beside(&first.weights());
    let prompts: Vec<Vec<i64>> = references()["prompts"]
        .as_array()
        .expect("an array")
        .iter()
        .map(|prompt| ids(&prompt["tokens"]))
        .collect();
    let logits = |generator: &mut TextGenerator, tokens: &[i64]| {
        generator.logits(tokens, Logits::Last, None).expect("runs")
    };
    let alone: Vec<_> = prompts
        .iter()
        .map(|tokens| logits(&mut first, tokens))
        .collect();
    std::thread::scope(|scope| {
        let other = scope.spawn(|| {
            let both = prompts.iter().rev();
            both.map(|tokens| logits(&mut second, tokens))
                .collect::<Vec<_>>()
        });
        let own: Vec<_> = prompts
            .iter()
            .map(|tokens| logits(&mut first, tokens))
            .collect();
        let mut other = other.join().expect("no panic");
        other.reverse();
        assert_eq!(own, alone);
        assert_eq!(other, alone);
    });
    // The weights go with the last one that has them.
    let weights = first.weights();
    drop((first, second));
    let mut third = beside(&weights);
    assert_eq!(logits(&mut third, &prompts[0]), alone[0]);
}

#[test]
fn the_command_makes_a_peft_folder_an_adapter_of_the_boxs_decoder() {
    let _alone = alone();
    let peft = tempfile::tempdir().expect("a temporary folder");
    peft_folder(peft.path());
    // Beside the models, so that their files can be linked instead of copied.
    let state = tempfile::tempdir_in(models::folder()).expect("a temporary folder");
    let folder = state.path().join("models").join(DECODER);
    fs::create_dir_all(&folder).expect("writable");
    for entry in fs::read_dir(decoder(Precision::Int8)).expect("readable") {
        let entry = entry.expect("readable");
        fs::hard_link(entry.path(), folder.join(entry.file_name())).expect("links");
    }
    almanac::service::adopt_model(state.path(), &folder).expect("adopted");
    let mut command = assert_cmd::Command::cargo_bin("almanac").expect("built");
    command
        .args(["models", "import-adapter", "--name", "wave"])
        .arg(peft.path());
    command.arg("--state").arg(state.path()).assert().success();
    let mut generator = TextGenerator::open(&runtime(), &folder, CONTEXT).expect("opens");
    let file = state.path().join("adapters/wave.safetensors");
    assert_eq!(generator.load_adapter(&file).expect("loads"), "wave");
    let prompt = &references()["prompts"][0];
    let tokens = ids(&prompt["tokens"]);
    let base = generator.logits(&tokens, Logits::Last, None).expect("runs");
    let tuned = generator
        .logits(&tokens, Logits::Last, Some("wave"))
        .expect("runs");
    assert_ne!(base, tuned);
}

#[test]
fn an_adapter_for_another_base_is_refused_by_name() {
    let _alone = alone();
    let folder = tempfile::tempdir().expect("a temporary folder");
    peft_folder(folder.path());
    let file = folder.path().join("wave.safetensors");
    import_adapter(folder.path(), &decoder(Precision::F32), &file).expect("converts");
    let error = open(Precision::Int8)
        .load_adapter(&file)
        .expect_err("another base")
        .to_string();
    assert!(
        error.contains("made for the base") && error.contains(DECODER),
        "{error}"
    );
}

/// Writes the adapter file at `from` to `to` with its tensors as `change` leaves them.
fn rewrite(from: &Path, to: &Path, change: impl FnOnce(&mut BTreeMap<String, TensorView<'_>>)) {
    let bytes = fs::read(from).expect("readable");
    let (_, header) = SafeTensors::read_metadata(&bytes).expect("our own");
    let tensors = SafeTensors::deserialize(&bytes).expect("our own");
    let mut tensors = tensors.tensors().into_iter().collect();
    change(&mut tensors);
    let file = safetensors::serialize(tensors, header.metadata().clone()).expect("serialises");
    fs::write(to, file).expect("writable");
}

#[test]
fn an_adapter_that_the_graph_cannot_take_is_refused_when_it_is_loaded() {
    let _alone = alone();
    let folder = tempfile::tempdir().expect("a temporary folder");
    peft_folder(folder.path());
    let right = folder.path().join("wave.safetensors");
    let wrong = folder.path().join("wrong.safetensors");
    import_adapter(folder.path(), &decoder(Precision::Int8), &right).expect("converts");
    let mut generator = open(Precision::Int8);
    let mut refused = |change: &dyn Fn(&mut BTreeMap<String, TensorView<'_>>)| {
        rewrite(&right, &wrong, change);
        let error = generator.load_adapter(&wrong).expect_err("does not fit");
        let error = error.to_string();
        println!("{error}");
        assert!(error.contains("almanac models import-adapter"), "{error}");
        error
    };
    // A block more than the model has.
    let said = refused(&|tensors| {
        for (name, view) in tensors.clone() {
            if let Some(rest) = name.strip_prefix("lora.29.mlp.down_proj.") {
                tensors.insert(format!("lora.30.mlp.down_proj.{rest}"), view);
            }
        }
    });
    assert!(said.contains("lora.30.mlp.down_proj.a: "), "{said}");
    // A module that no graph of ours has.
    let said = refused(&|tensors| {
        let view = tensors["lora.3.mlp.up_proj.a"].clone();
        tensors.insert("lora.3.mlp.side_proj.a".into(), view);
    });
    assert!(said.contains("lora.3.mlp.side_proj.a "), "{said}");
    // Its second factor has a rank less.
    let said = refused(&|tensors| {
        let view = &tensors["lora.7.self_attn.o_proj.b"];
        let (rank, outputs) = (view.shape()[0] - 1, view.shape()[1]);
        let view = TensorView::new(
            Dtype::F16,
            vec![rank, outputs],
            &view.data()[..rank * outputs * 2],
        );
        let view = view.expect("sizes match");
        tensors.insert("lora.7.self_attn.o_proj.b".into(), view);
    });
    assert!(
        said.contains("lora.7.self_attn.o_proj.a has rank "),
        "{said}"
    );
    // What it reads is as wide as another layer's.
    let said = refused(&|tensors| {
        for factor in ["a", "a_scale", "b"] {
            // Scales are there where the graph takes whole numbers.
            let view = tensors
                .get(&format!("lora.7.mlp.down_proj.{factor}"))
                .cloned();
            tensors.extend(view.map(|view| (format!("lora.7.self_attn.o_proj.{factor}"), view)));
        }
    });
    assert!(
        said.contains("lora.7.self_attn.o_proj.a reads 1536 values"),
        "{said}"
    );
    assert_eq!(generator.load_adapter(&right).expect("fits"), "wave");
}

fn request(question: &str, max_tokens: usize) -> GenerateRequest {
    GenerateRequest::new(vec![Message::new(Role::User, question)], max_tokens)
}

fn generate(generator: &mut TextGenerator, request: &GenerateRequest) -> (Generated, String) {
    let mut streamed = String::new();
    let generated = generator
        .generate(request, &mut |text| {
            streamed.push_str(text);
            ControlFlow::Continue(())
        })
        .expect("generates");
    (generated, streamed)
}

#[test]
fn the_stream_is_the_text_and_a_second_run_writes_the_same() {
    let _alone = alone();
    let mut generator = open(Precision::Int8);
    let request = request("Write the word naïve, then 氮肥 and a smiling emoji.", 48);
    let (first, streamed) = generate(&mut generator, &request);
    assert_eq!(first.text, streamed);
    let (second, _) = generate(&mut generator, &request);
    assert_eq!(first.text, second.text);
    assert!(first.tokens > 0 && first.tokens <= 48);
}

#[test]
fn weighing_a_refusal_leaves_the_text_as_it_is_and_its_probability_decides() {
    let _alone = alone();
    let mut generator = open(Precision::Int8);
    let plain = request("Name one crop that is grown in Iowa.", 16);
    let (answer, _) = generate(&mut generator, &plain);
    let weighed = |text: &str, from: f32| GenerateRequest {
        decline: Some(Decline {
            text: text.to_owned(),
            from,
        }),
        ..plain.clone()
    };
    let unlikely = "Zebras do not say.";
    let (same, _) = generate(&mut generator, &weighed(unlikely, 0.5));
    assert_eq!(same.text, answer.text);
    let probability = same.declined.expect("weighed");
    assert!(probability > 0.0 && probability < 1e-3, "{probability}");
    let (declined, streamed) = generate(&mut generator, &weighed(unlikely, 0.0));
    assert_eq!(declined.finish, Finish::Declined);
    assert_eq!((declined.text.as_str(), streamed.as_str()), ("", ""));
    // What it would write is as likely as can be; below the bound it must write something else.
    let own: String = answer.text.chars().take(12).collect();
    let (other, _) = generate(&mut generator, &weighed(&own, 1.0));
    assert!(other.declined > same.declined);
    assert!(!other.text.starts_with(&own), "{:?}", other.text);
}

#[test]
fn a_listener_that_breaks_stops_the_generation() {
    let _alone = alone();
    let mut generator = open(Precision::Int8);
    let mut heard = 0;
    let generated = generator
        .generate(
            &request("Count from one to one hundred.", 200),
            &mut |text| {
                heard += usize::from(!text.is_empty());
                if heard == 3 {
                    ControlFlow::Break(())
                } else {
                    ControlFlow::Continue(())
                }
            },
        )
        .expect("generates");
    assert!(generated.tokens < 10, "{generated:?}");
}

#[test]
fn a_prompt_that_does_not_fit_is_an_error_that_counts() {
    let _alone = alone();
    let mut generator = open(Precision::Int8);
    let error = generator
        .generate(&request(&"maize ".repeat(3000), 8), &mut |_| {
            ControlFlow::Continue(())
        })
        .expect_err("too long");
    assert!(
        matches!(error, ModelError::PromptTooLong { limit: 1023, .. }),
        "{error}"
    );
}

#[test]
fn a_changed_weight_is_found_by_verify() {
    let _alone = alone();
    let folder = tempfile::tempdir().expect("a temporary folder");
    for entry in fs::read_dir(embedder()).expect("readable") {
        let entry = entry.expect("readable");
        fs::copy(entry.path(), folder.path().join(entry.file_name())).expect("copies");
    }
    let manifest = Manifest::open(folder.path()).expect("sealed");
    manifest.verify(folder.path()).expect("unchanged");
    let path = folder.path().join("model.onnx.data");
    let mut bytes = fs::read(&path).expect("readable");
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    fs::write(&path, bytes).expect("writable");
    let error = manifest
        .verify(folder.path())
        .expect_err("one bit differs")
        .to_string();
    assert!(
        error.contains("model.onnx.data") && error.contains("import the model again"),
        "{error}"
    );
}
