//! Time and memory of a search in libraries of 1,000 to 100,000 passages.
//!
//! Passages are real as long as there are any, then synthetic: each joins the first half of one real
//! passage's sentences to the second half of another's, and has the mixed vectors of both with a little
//! noise. Vectors are put in ready, so what is timed of the ingest is cutting, storing and syncing;
//! embedding is timed on its own. Searching is timed in a process of its own, as in the daemon.

use std::io::Write;
use std::path::Path;
use std::process::Command;
use std::time::Instant;

use anyhow::{Context as _, bail};
use ndarray::{Array1, Array2, ArrayView2};
use serde::{Deserialize, Serialize};

use super::{Args, Bench, corpus, name_of, read, read_folder};
use crate::commands::Context;
use crate::commands::bench::memory::memory;
use crate::documents::{Document, Passage, read_bytes, sentences};
use crate::durable;
use crate::library::{Comparison, Library, Plain, Query, percentile_us};
use crate::model::Embedder;
use crate::study::{self, SEED};
use crate::types::Random;

/// Questions that are asked of each library, after as many that only warm it up.
const QUESTIONS: usize = 300;
const WARM_UP: usize = 20;

/// Passages of one synthetic document.
const PER_DOCUMENT: usize = 50;

/// Length of the noise in a synthetic vector, whose own length is 1.
const NOISE: f32 = 0.2;

/// Passages that are embedded to see how fast that goes.
const EMBEDDED: usize = 256;

/// A library of one size.
#[derive(Debug, Serialize)]
struct Row {
    part: &'static str,
    documents: usize,
    passages: usize,
    synthetic: usize,
    /// Passages stored a second, their vectors at hand.
    stored_per_s: f64,
    /// Passages embedded a second.
    embedded_per_s: f64,
    #[serde(flatten)]
    measured: Measured,
}

/// What the process that searches found.
#[derive(Debug, Serialize, Deserialize)]
struct Measured {
    bytes: u64,
    open_s: f64,
    /// Resident memory with the embedder alone, after opening, and at most, MiB.
    rss_embedder_mib: u64,
    rss_mib: u64,
    peak_mib: u64,
    questions: usize,
    whole_p50_ms: f64,
    whole_p99_ms: f64,
    embed_p50_ms: f64,
    words_p50_ms: f64,
    dense_p50_ms: f64,
    dense_p99_ms: f64,
    exact_p50_ms: f64,
    recall_at_10: f64,
    dense: String,
}

/// Builds and measures a library of each size; or measures one, where a process is started for that.
pub fn run(context: &Context, bench: &Bench<'_>, args: &Args) -> anyhow::Result<()> {
    let asked = questions(args)?;
    if let Some(folder) = &args.searched {
        return Ok(context.output.json(&measure(bench, folder, &asked)?)?);
    }
    let real = real(args)?;
    for size in &args.scale {
        let row = build(bench, args, &real, *size)?;
        match context.output.is_json() {
            true => context.output.json(&row)?,
            false => context.output.line(&row.to_string())?,
        }
    }
    Ok(())
}

/// All real documents, in an order that is the same in every run.
fn real(args: &Args) -> anyhow::Result<Vec<Document>> {
    let mut found = Vec::new();
    if args.questions.is_some() {
        found.extend(read_folder(&args.farm_documents()?)?);
    }
    for folder in &args.beir {
        let set = study::read_beir(folder)?;
        found.extend(read(&set.corpus, &name_of(folder))?);
    }
    for folder in &args.data {
        found.extend(corpus::read_any(folder)?.0);
    }
    shuffle(&mut found);
    Ok(found)
}

/// The questions of all sets that were named, drawn at random.
fn questions(args: &Args) -> anyhow::Result<Vec<Query>> {
    let mut found = Vec::new();
    if let Some(file) = &args.questions {
        found.extend(study::read(file)?.into_iter().map(|question| Query {
            text: question.question,
            place: question.place,
            crop: question.crop,
            top_k: 5,
        }));
    }
    for folder in &args.beir {
        let set = study::read_beir(folder)?;
        found.extend(set.questions.into_iter().map(|(text, _)| Query {
            text,
            top_k: 5,
            ..Query::default()
        }));
    }
    shuffle(&mut found);
    found.truncate(QUESTIONS);
    if found.is_empty() {
        bail!("nothing is asked\nhint: --questions FILE, --beir FOLDER");
    }
    Ok(found)
}

fn shuffle<T>(items: &mut [T]) {
    let mut random = Random::new(SEED);
    for last in (1..items.len()).rev() {
        items.swap(last, random.below(last + 1));
    }
}

fn build(bench: &Bench<'_>, args: &Args, real: &[Document], size: usize) -> anyhow::Result<Row> {
    let name = format!("scale-{size}");
    let library = bench.library(&name)?;
    let (mut chosen, mut passages) = (Vec::new(), Vec::new());
    for document in real {
        if passages.len() >= size {
            break;
        }
        passages.extend(library.cut_passages(document));
        chosen.push(document.clone());
    }
    bench.warm(&passages)?;
    let embedded_per_s = embedded_per_s(bench, &passages)?;
    let real_passages = passages.len();
    let mut made = Mixer::new(bench, &passages)?;
    while passages.len() + made.count < size {
        chosen.push(made.document(&library)?);
    }
    let count = real_passages + made.count;
    let begun = Instant::now();
    library.ingest_all(&chosen)?;
    let stored_per_s = count as f64 / begun.elapsed().as_secs_f64();
    let stats = library.stats();
    if let Some(folder) = &args.export {
        export(bench, args, &library, folder, (&passages, embedded_per_s))?;
    }
    // The process that measures must find the lock free.
    drop(library);
    let folder = bench.work.path().join(name);
    Ok(Row {
        part: "scale",
        documents: stats.documents,
        passages: stats.passages,
        synthetic: stats.passages.saturating_sub(real_passages),
        stored_per_s,
        embedded_per_s,
        measured: measured_apart(&folder)?,
    })
}

/// As an ingest embeds: sixteen at once.
fn embedded_per_s(bench: &Bench<'_>, passages: &[Passage]) -> anyhow::Result<f64> {
    let texts: Vec<String> = passages
        .iter()
        .take(EMBEDDED)
        .map(Passage::indexed_text)
        .collect();
    bench.keep.set_live(true);
    let begun = Instant::now();
    for texts in texts.chunks(16) {
        let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
        bench.keep.embed(&texts)?;
    }
    bench.keep.set_live(false);
    Ok(texts.len() as f64 / begun.elapsed().as_secs_f64())
}

/// Makes synthetic documents of real passages.
struct Mixer<'a> {
    bench: &'a Bench<'a>,
    passages: &'a [Passage],
    vectors: Array2<f32>,
    random: Random,
    documents: usize,
    /// Passages made.
    count: usize,
}

impl<'a> Mixer<'a> {
    fn new(bench: &'a Bench<'a>, passages: &'a [Passage]) -> anyhow::Result<Self> {
        let texts: Vec<String> = passages.iter().map(Passage::indexed_text).collect();
        let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
        Ok(Mixer {
            vectors: bench.keep.embed(&texts)?,
            bench,
            passages,
            random: Random::new(SEED),
            documents: 0,
            count: 0,
        })
    }

    /// The next document; the vectors of its passages are known to the bench from then on.
    fn document(&mut self, library: &Library) -> anyhow::Result<Document> {
        let mut markdown = String::new();
        let mut sources = Vec::new();
        for number in 0..PER_DOCUMENT {
            let pair = [(); 2].map(|()| self.random.below(self.passages.len()));
            let [left, right] = pair.map(|at| sentences(&self.passages[at].text));
            let text = [&left[..left.len().div_ceil(2)], &right[right.len() / 2..]].concat();
            markdown.push_str(&format!("## {number}\n\n{}\n\n", text.join(" ")));
            sources.push(pair);
        }
        let id = format!("synthetic/{:06}", self.documents);
        self.documents += 1;
        let document = read_bytes(Path::new("synthetic.md"), &id, markdown.as_bytes())?;
        for passage in library.cut_passages(&document) {
            let number: usize = passage.section().parse().unwrap_or(0);
            let vector = self.mixed(sources[number.min(PER_DOCUMENT - 1)]);
            self.bench
                .keep
                .insert(&passage.indexed_text(), vector.view());
            self.count += 1;
        }
        Ok(document)
    }

    fn mixed(&mut self, [left, right]: [usize; 2]) -> Array1<f32> {
        let share = 0.35 + 0.3 * self.uniform();
        let mut vector = &self.vectors.row(left) * share;
        vector.scaled_add(1.0 - share, &self.vectors.row(right));
        // Uniform noise of variance a third, scaled to the wanted length.
        let scale = NOISE * (3.0 / vector.len().max(1) as f32).sqrt();
        vector.mapv_inplace(|value| value + scale * (2.0 * self.uniform() - 1.0));
        let length = vector.dot(&vector).sqrt().max(f32::MIN_POSITIVE);
        vector / length
    }

    fn uniform(&mut self) -> f32 {
        (self.random.bits() >> 40) as f32 / (1_u64 << 24) as f32
    }
}

/// Starts this program again with the same arguments, to search the library in `folder`.
fn measured_apart(folder: &Path) -> anyhow::Result<Measured> {
    let program = std::env::current_exe().context("this program cannot be found again")?;
    let output = Command::new(program)
        .args(std::env::args_os().skip(1))
        .arg("--searched")
        .arg(folder)
        .output()
        .context("the process that searches cannot be started")?;
    if !output.status.success() {
        bail!(
            "searching failed: {}",
            String::from_utf8_lossy(&output.stderr)
        );
    }
    Ok(serde_json::from_slice(&output.stdout)?)
}

fn measure(bench: &Bench<'_>, folder: &Path, asked: &[Query]) -> anyhow::Result<Measured> {
    bench.keep.set_live(true);
    bench.keep.embed(&[asked[0].text.as_str()])?;
    let rss_embedder_mib = memory().now_mib;
    let begun = Instant::now();
    let library = bench.opened(folder)?;
    let open_s = begun.elapsed().as_secs_f64();
    let rss_mib = memory().now_mib;
    for query in asked.iter().take(WARM_UP) {
        library.search(query)?;
    }
    let (mut whole, mut words, mut embed) = (Vec::new(), Vec::new(), Vec::new());
    let mut vectors = Array2::zeros((0, bench.keep.dimension()));
    for query in asked {
        let begun = Instant::now();
        library.search(query)?;
        whole.push(begun.elapsed());
        let begun = Instant::now();
        let vector = bench.keep.embed(&[query.text.as_str()])?;
        embed.push(begun.elapsed());
        vectors.append(ndarray::Axis(0), vector.view())?;
        let begun = Instant::now();
        library.plain(&query.text, Plain::Words, 50)?;
        words.push(begun.elapsed());
    }
    let peak_mib = memory().most_mib;
    let dense: Comparison = library.compare_dense(&vectors);
    let stats = library.stats();
    let ms = |us: f64| us / 1_000.0;
    Ok(Measured {
        bytes: stats.bytes,
        open_s,
        rss_embedder_mib,
        rss_mib,
        peak_mib,
        questions: asked.len(),
        whole_p50_ms: ms(percentile_us(&mut whole, 50)),
        whole_p99_ms: ms(percentile_us(&mut whole, 99)),
        embed_p50_ms: ms(percentile_us(&mut embed, 50)),
        words_p50_ms: ms(percentile_us(&mut words, 50)),
        dense_p50_ms: ms(dense.own_us),
        dense_p99_ms: ms(dense.own_p99_us),
        exact_p50_ms: ms(dense.exact_us),
        recall_at_10: f64::from(dense.recall_at_10),
        dense: stats.dense.to_owned(),
    })
}

/// Writes vectors, queries and some texts for other programs: little-endian f32, row after row.
fn export(
    bench: &Bench<'_>,
    args: &Args,
    library: &Library,
    folder: &Path,
    (passages, embedded_per_s): (&[Passage], f64),
) -> anyhow::Result<()> {
    durable::create_folder(folder)?;
    let vectors = library.vectors();
    durable::replace_with(&folder.join("passages.f32"), |file| {
        (0..vectors.len()).try_for_each(|row| write_row(file, vectors.row(row).iter()))
    })?;
    let texts: Vec<String> = questions(args)?
        .into_iter()
        .map(|query| query.text)
        .collect();
    let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
    let queries = bench.keep.embed(&texts)?;
    write_matrix(&folder.join("queries.f32"), queries.view())?;
    let texts: Vec<String> = passages
        .iter()
        .take(EMBEDDED)
        .map(Passage::indexed_text)
        .collect();
    let shape = serde_json::json!({
        "passages": vectors.len(),
        "queries": queries.nrows(),
        "dimension": vectors.dimension(),
        "embedded_per_s": embedded_per_s,
        "texts": texts,
    });
    Ok(durable::replace(
        &folder.join("shape.json"),
        shape.to_string().as_bytes(),
    )?)
}

fn write_matrix(path: &Path, matrix: ArrayView2<'_, f32>) -> anyhow::Result<()> {
    Ok(durable::replace_with(path, |file| {
        let mut rows = matrix.outer_iter();
        rows.try_for_each(|row| write_row(file, row.iter()))
    })?)
}

fn write_row<'a>(file: &mut dyn Write, row: impl Iterator<Item = &'a f32>) -> std::io::Result<()> {
    let bytes: Vec<u8> = row.flat_map(|value| value.to_le_bytes()).collect();
    file.write_all(&bytes)
}

impl std::fmt::Display for Row {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let m = &self.measured;
        writeln!(
            f,
            "{} passages ({} synthetic) in {} documents; index {} MiB, opened in {:.2} s",
            self.passages,
            self.synthetic,
            self.documents,
            m.bytes >> 20,
            m.open_s
        )?;
        writeln!(
            f,
            "  whole search   {:.2} ms (p99 {:.2}), of it embedding {:.2}, words {:.2}, vectors {:.2}; {} questions",
            m.whole_p50_ms,
            m.whole_p99_ms,
            m.embed_p50_ms,
            m.words_p50_ms,
            m.dense_p50_ms,
            m.questions
        )?;
        writeln!(
            f,
            "  vectors        {} {:.2} ms (p99 {:.2}), exact f32 {:.2} ms, recall@10 {:.4}",
            m.dense, m.dense_p50_ms, m.dense_p99_ms, m.exact_p50_ms, m.recall_at_10
        )?;
        writeln!(
            f,
            "  memory         {} MiB with the embedder alone, {} opened, {} at most",
            m.rss_embedder_mib, m.rss_mib, m.peak_mib
        )?;
        write!(
            f,
            "  ingest         {:.0} passages/s embedded, {:.0} passages/s cut, stored and synced",
            self.embedded_per_s, self.stored_per_s
        )
    }
}
