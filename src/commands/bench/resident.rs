//! `almanac bench memory`: what a box keeps resident, part by part.
//!
//! The parts are opened one after the other in a process of their own, as the daemon opens them. The library's passages
//! are sentences of real documents in another order, with arbitrary vectors: their number and length matter here.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;

use anyhow::{Context as _, ensure};
use ndarray::Array2;
use serde::{Deserialize, Serialize};

use super::memory::{Memory, memory};
use super::models::folder;
use super::retrieval::read_folder;
use crate::commands::Context;
use crate::config::Config;
use crate::documents::{Document, read_bytes, sentences};
use crate::library::{Library, Query};
use crate::model::folder::{Kind, Manifest};
use crate::model::{
    Embedder, ModelError, Runtime, SentenceEmbedder, TextGenerator, TokenCounter, measure,
};
use crate::study::SEED;
use crate::types::{Digest, Random};

/// Passages of one made document, and sentences of a passage.
const PER_DOCUMENT: usize = 50;
const SENTENCES: usize = 7;

/// Documents that are taken in before their passages are counted.
const AT_ONCE: usize = 4;

/// Tokens that are written after the prompt; both fill the context.
const WRITTEN: usize = 32;

/// Searches before the memory of searching is read.
const SEARCHES: usize = 20;

/// Arguments of `almanac bench memory`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Folder of documents that the library's passages are made from
    #[arg(long, value_name = "FOLDER")]
    documents: PathBuf,
    /// Passages of the library
    #[arg(long, default_value_t = 10_000)]
    passages: usize,
    /// The decoder, by its name under `models` in the state folder [default: the only one there is]
    #[arg(long, value_name = "NAME")]
    model: Option<String>,
    /// Measure with the library in this folder: what the command starts in a process of its own
    #[arg(long, value_name = "FOLDER", hide = true)]
    measured: Option<PathBuf>,
}

/// Resident memory once a part is there, MiB.
#[derive(Debug, Serialize, Deserialize)]
struct Row {
    part: String,
    #[serde(flatten)]
    memory: Memory,
}

/// Measures and prints; blocking, for a minute.
pub fn run(context: &Context, args: &Args) -> anyhow::Result<()> {
    if let Some(library) = &args.measured {
        return measure_parts(context, args, library);
    }
    let work = tempfile::tempdir().context("no folder for the library can be made")?;
    let library = work.path().join("library");
    let passages = build(&context.config, args, &library)?;
    let rows = measured_apart(&library)?;
    if context.output.is_json() {
        return Ok(rows.iter().try_for_each(|row| context.output.json(row))?);
    }
    context.output.line(&format!(
        "{} tokens of context, {passages} passages, {} threads; MiB",
        context.config.model.context_tokens, context.config.model.threads
    ))?;
    context.output.line(&format!(
        "  {:<44} {:>8} {:>6} {:>12} {:>8}",
        "resident with", "all", "own", "files' pages", "at most"
    ))?;
    for Row { part, memory } in &rows {
        context.output.line(&format!(
            "  {part:<44} {:>8} {:>6} {:>12} {:>8}",
            memory.now_mib, memory.own_mib, memory.file_mib, memory.most_mib
        ))?;
    }
    Ok(())
}

/// Starts this program again with the same arguments, to measure with the library in `folder`.
fn measured_apart(folder: &Path) -> anyhow::Result<Vec<Row>> {
    let program = std::env::current_exe().context("this program cannot be found again")?;
    let output = Command::new(program)
        .args(std::env::args_os().skip(1))
        .arg("--measured")
        .arg(folder)
        .output()
        .context("the process that is measured cannot be started")?;
    ensure!(
        output.status.success(),
        "measuring failed: {}",
        String::from_utf8_lossy(&output.stderr)
    );
    Ok(serde_json::from_slice(&output.stdout)?)
}

fn measure_parts(context: &Context, args: &Args, library: &Path) -> anyhow::Result<()> {
    let config = &context.config;
    let mut rows = Vec::new();
    let mut note = |part: String| {
        rows.push(Row {
            part,
            memory: memory(),
        });
    };
    note("the program".into());
    let runtime = Runtime::load(&config.model.runtime, config.model.threads)?;
    note("ONNX Runtime".into());
    let decoder = folder(config, Kind::Decoder, args.model.as_deref())?;
    let precision = Manifest::open(&decoder)?.precision;
    let mut generator = TextGenerator::open(&runtime, &decoder, config.model.context_tokens)?;
    note(format!("the decoder, {precision:?}, idle"));
    let embedder = folder(config, Kind::Embedder, None)?;
    let embedder = Arc::new(SentenceEmbedder::open(&runtime, &embedder)?);
    note("the embedder".into());
    let library = Library::open(library, &config.library, &config.search, embedder.clone())?;
    note("the library, idle".into());
    for number in 0..SEARCHES {
        library.search(&Query {
            text: format!("How deep should I plant maize in field {number}?"),
            top_k: 5,
            ..Query::default()
        })?;
    }
    note(format!("{SEARCHES} searches"));
    let tokens = config.model.context_tokens;
    measure::speed(&mut generator, tokens / 4, 2, 1)?;
    note(format!("{} tokens of context read", tokens / 4));
    // A lone token is read twice, so the last two positions stay free.
    measure::speed(&mut generator, tokens - WRITTEN - 2, WRITTEN, 1)?;
    note(format!("{tokens} tokens of context read"));
    let passage = "Plant maize two inches deep where the soil is warm. ".repeat(12);
    embedder.embed(&[passage.as_str(); 16])?;
    note("16 passages embedded".into());
    println!("{}", serde_json::to_string(&rows)?);
    Ok(())
}

/// Makes the library; the number of its passages.
fn build(config: &Config, args: &Args, folder: &Path) -> anyhow::Result<usize> {
    let runtime = Runtime::load(&config.model.runtime, config.model.threads)?;
    let inner = super::models::folder(config, Kind::Embedder, None)?;
    let embedder = Arc::new(Arbitrary(SentenceEmbedder::open(&runtime, &inner)?));
    let library = Library::open(folder, &config.library, &config.search, embedder)?;
    let mut texts = Vec::new();
    for document in read_folder(&args.documents)? {
        for passage in library.cut_passages(&document) {
            let own = sentences(&passage.text);
            texts.extend(own.into_iter().map(|sentence| sentence.to_string()));
        }
    }
    ensure!(
        !texts.is_empty(),
        "{}: there are no sentences in the documents",
        args.documents.display()
    );
    let mut random = Random::new(SEED);
    let (mut made, mut passages) = (0, 0);
    while passages < args.passages {
        let group = (made..made + AT_ONCE).map(|number| document(&texts, &mut random, number));
        passages += library.ingest_all(&group.collect::<anyhow::Result<Vec<_>>>()?)?;
        made += AT_ONCE;
    }
    Ok(passages)
}

fn document(texts: &[String], random: &mut Random, number: usize) -> anyhow::Result<Document> {
    let mut markdown = String::new();
    for section in 0..PER_DOCUMENT {
        let drawn: Vec<&str> = (0..SENTENCES)
            .map(|_| texts[random.below(texts.len())].as_str())
            .collect();
        markdown.push_str(&format!("## {section}\n\n{}\n\n", drawn.join(" ")));
    }
    let id = format!("made/{number:06}");
    Ok(read_bytes(Path::new("made.md"), &id, markdown.as_bytes())?)
}

/// Counts as the embedder does; its vectors mean nothing.
struct Arbitrary(SentenceEmbedder);

impl TokenCounter for Arbitrary {
    fn count(&self, text: &str) -> usize {
        self.0.count(text)
    }
}

impl Embedder for Arbitrary {
    fn dimension(&self) -> usize {
        self.0.dimension()
    }

    fn max_tokens(&self) -> usize {
        self.0.max_tokens()
    }

    fn digest(&self) -> Digest {
        self.0.digest()
    }

    fn embed(&self, texts: &[&str]) -> Result<Array2<f32>, ModelError> {
        let mut vectors = Array2::zeros((texts.len(), self.dimension()));
        for (text, mut row) in texts.iter().zip(vectors.outer_iter_mut()) {
            let bytes = Digest::of(text.as_bytes()).0;
            let seed = bytes
                .iter()
                .take(8)
                .fold(0, |seed, byte| seed << 8 | u64::from(*byte));
            let mut random = Random::new(seed);
            row.mapv_inplace(|_: f32| (random.bits() >> 40) as f32 / (1_u64 << 23) as f32 - 1.0);
            let length = row.dot(&row).sqrt().max(f32::MIN_POSITIVE);
            row /= length;
        }
        Ok(vectors)
    }
}
