//! `almanac study score`

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context as _, bail};

use super::Files;
use crate::commands::Context;
use crate::commands::progress::Meter;
use crate::control::Progress;
use crate::durable;
use crate::model::Embedder;
use crate::service::Rooms;
use crate::study::{
    self, Corpus, EndpointConfig, HttpEndpoint, JudgeLine, JudgeResults, Judging, Material,
    REPEATS, Results, Split, StudyQuestion,
};

/// Arguments of `almanac study score`.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(flatten)]
    files: Files,
    /// The answers, as `study generate` kept them
    #[arg(value_name = "ANSWERS")]
    answers: PathBuf,
    #[command(flatten)]
    tell: Tell,
}

/// How the figures are told.
#[derive(Debug, clap::Args)]
#[group(skip)]
pub struct Tell {
    /// Write results.json, report.md and report.html into this folder
    #[arg(long, value_name = "FOLDER")]
    out: Option<PathBuf>,
    /// Also write each answer with its question, reference and scores, one JSON object a line: to be read by eye (with --calibrate: each question with its relevance and what that was made of)
    #[arg(long, value_name = "FILE")]
    pub scores: Option<PathBuf>,
    /// Have an OpenAI-compatible endpoint judge the answers, for example http://127.0.0.1:8080/v1
    #[arg(long, value_name = "URL", requires = "judge_model")]
    judge: Option<String>,
    /// The judge, by the endpoint's name
    #[arg(long, value_name = "NAME", requires = "judge")]
    judge_model: Option<String>,
    /// File with the endpoint's key
    #[arg(long, value_name = "FILE", requires = "judge")]
    judge_key: Option<PathBuf>,
    /// Judgements an answer
    #[arg(long, value_name = "N", default_value_t = REPEATS, value_parser = clap::value_parser!(u32).range(1..=20))]
    judge_repeats: u32,
}

/// Measures the kept answers and tells the figures.
pub fn run(context: &Context, args: &Args) -> anyhow::Result<()> {
    let set = study::read(&args.files.questions)?;
    let rooms = Rooms::open(&context.config)?;
    tell(
        context,
        &args.tell,
        &args.files,
        &set,
        (&args.answers, &rooms),
    )
}

/// As [`run`], for the answers at `path` and the opened `rooms`.
pub fn tell(
    context: &Context,
    args: &Tell,
    files: &Files,
    set: &[StudyQuestion],
    (path, rooms): (&Path, &Rooms),
) -> anyhow::Result<()> {
    let (header, rows) = study::read_rows(path)?;
    if rows.is_empty() {
        bail!(
            "{}: there are no answers; run `almanac study generate`",
            path.display()
        );
    }
    let corpus = Corpus::read(&files.documents)?;
    let (questions, _) = study::common(set, &rows);
    if questions.is_empty() {
        bail!(
            "{}: its answers are to none of the set's questions",
            path.display()
        );
    }
    let library = rooms.library()?;
    let embedder = library.embedder();
    let retrieval = study::retrieval(&library, &questions)?;
    let judge = judged(
        args,
        &Judging {
            questions: &questions,
            rows: &rows,
            repeats: args.judge_repeats,
        },
        path,
    )?;
    let material = Material {
        set,
        corpus: &corpus,
        run: header,
        rows: &rows,
        command: command(),
        machine: machine(),
        test_sha256: study::digest_of(set, Split::Test),
    };
    let embedder: &dyn Embedder = embedder.as_ref();
    let results = study::results(&material, embedder, Some(retrieval), judge)?;
    if let Some(path) = &args.scores {
        durable::replace(path, &score_lines(&material, &questions, embedder)?)?;
    }
    if let Some(folder) = &args.out {
        write(folder, &results)?;
    }
    if context.output.is_json() {
        return Ok(context.output.json(&results)?);
    }
    Ok(context.output.line(&results.to_string())?)
}

fn write(folder: &Path, results: &Results) -> anyhow::Result<()> {
    durable::create_folder(folder)?;
    let mut json = serde_json::to_vec_pretty(results)?;
    json.push(b'\n');
    durable::replace(&folder.join("results.json"), &json)?;
    durable::replace(
        &folder.join("report.md"),
        study::markdown(results).as_bytes(),
    )?;
    Ok(durable::replace(
        &folder.join("report.html"),
        study::html(results).as_bytes(),
    )?)
}

/// Every answer beside what it was asked and what it is worth.
fn score_lines(
    material: &Material<'_>,
    questions: &[&StudyQuestion],
    embedder: &dyn Embedder,
) -> anyhow::Result<Vec<u8>> {
    let cosines = study::similarities(questions, material.rows, embedder)?;
    let scores = study::scores(material, questions, &cosines);
    let mut lines = Vec::new();
    for row in material.rows {
        let asked = questions.iter().find(|question| question.id == row.id);
        let score = scores
            .get(&row.arm)
            .and_then(|all| all.iter().find(|score| score.id == row.id));
        if let Some((question, score)) = asked.zip(score) {
            let line = serde_json::json!({
                "question": question.question, "place": question.place, "crop": question.crop,
                "reference": question.answer, "answer": row.text, "reason": row.reason, "score": score,
            });
            serde_json::to_writer(&mut lines, &line)?;
            lines.push(b'\n');
        }
    }
    Ok(lines)
}

/// What the judge says; its replies are kept beside the answers, so that each is paid for once.
fn judged(
    args: &Tell,
    judging: &Judging<'_>,
    answers: &Path,
) -> anyhow::Result<Option<JudgeResults>> {
    let Some((url, model)) = args.judge.clone().zip(args.judge_model.clone()) else {
        return Ok(None);
    };
    let api_key = match &args.judge_key {
        None => None,
        Some(path) => {
            let text = std::fs::read_to_string(path)
                .with_context(|| format!("{}: the judge's key cannot be read", path.display()))?;
            Some(text.trim().to_owned())
        }
    };
    let mut endpoint = HttpEndpoint::new(EndpointConfig {
        url,
        model,
        api_key,
        timeout: Duration::from_secs(120),
        attempts: 5,
        pause: Duration::from_secs(2),
    })?;
    let path = answers.with_extension("judged.jsonl");
    let known = known(&path)?;
    let mut meter = Meter::new();
    let found = study::judge(judging, &mut endpoint, known, &mut |line, done, total| {
        if let Some(line) = line {
            let mut bytes = serde_json::to_vec(line).unwrap_or_default();
            bytes.push(b'\n');
            durable::append(&path, &bytes)?;
        }
        meter.show(&Progress {
            text: "judging".into(),
            done: done as u64,
            total: total as u64,
        });
        Ok(())
    });
    meter.finish();
    Ok(Some(found?))
}

/// Earlier replies of judges; a line that was cut off is passed over.
fn known(path: &Path) -> anyhow::Result<Vec<JudgeLine>> {
    if !path.exists() {
        return Ok(Vec::new());
    }
    let text = std::fs::read_to_string(path)
        .with_context(|| format!("{}: cannot be read", path.display()))?;
    Ok(text
        .lines()
        .filter_map(|line| serde_json::from_str(line).ok())
        .collect())
}

/// The command line without what only this machine has.
fn command() -> String {
    let mut words = vec!["almanac".to_owned()];
    let mut arguments = std::env::args().skip(1);
    while let Some(argument) = arguments.next() {
        let own = ["--state", "--config", "--answers", "--judge-key"];
        match own.iter().find(|own| argument.starts_with(**own)) {
            Some(own) if argument == **own => drop(arguments.next()),
            Some(_) => {}
            None => words.push(argument),
        }
    }
    words.join(" ")
}

fn machine() -> String {
    let cpu = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = cpu
        .lines()
        .find_map(|line| line.strip_prefix("model name")?.split_once(": "))
        .map_or(std::env::consts::ARCH, |(_, name)| name);
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    format!("{model}, {cores} cores")
}
