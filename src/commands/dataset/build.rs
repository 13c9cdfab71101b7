//! `almanac dataset build`

use std::ffi::OsString;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, bail};

use super::HeldOutArgs;
use crate::answer::{Answerer, AnswererParts};
use crate::commands::Context;
use crate::commands::progress::Meter;
use crate::config::{AnswerConfig, DenseMode, Drafting};
use crate::control::Progress;
use crate::dataset::{
    self, Answers, Built, EndpointAnswers, EndpointTeacher, GeneratorTeacher, Hands, Judge, Manner,
    Mode, NoGenerator, Plan, RoomAnswers, RuleTeacher, Teacher, Thresholds, Wordless,
};
use crate::durable;
use crate::library::{IngestOptions, IngestReport, Library};
use crate::model::{Embedder, Generator, Sampling};
use crate::service::Rooms;
use crate::study::{EndpointConfig, HttpEndpoint};

/// Passages that an answer by retrieval is made from, as in the paper.
const TOP_K: usize = 3;

/// Arguments of `almanac dataset build`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Files and folders with documents
    #[arg(required = true, value_name = "FOLDER")]
    paths: Vec<PathBuf>,
    /// Who writes the questions: rules need no model, `model` is the box's own, `endpoint` an OpenAI-compatible one
    #[arg(long, value_enum, default_value_t = Writer::Model)]
    generator: Writer,
    /// The data set, JSON lines; what was paid for is kept beside it in FILE.work, so that a cut build goes on
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
    /// Write questions alone; the answers then come by retrieval
    #[arg(long)]
    questions_only: bool,
    /// What questions are told besides their section: none, context (title and place), external (the section's tags)
    #[arg(
        long,
        value_name = "MODE,...",
        value_delimiter = ',',
        default_value = "external"
    )]
    modes: Vec<Mode>,
    /// Most questions a section and mode [default: 5 to 15, by the section's length]
    #[arg(long, value_name = "N", default_value_t = 15, hide_default_value = true, value_parser = clap::value_parser!(u8).range(1..=15))]
    per_section: u8,
    /// Write the figures as Markdown, in the form of the paper's Table 13
    #[arg(long, value_name = "FILE")]
    report: Option<PathBuf>,
    /// Write what was dropped, each with its reason, one JSON object a line
    #[arg(long, value_name = "FILE")]
    dropped: Option<PathBuf>,
    /// Keep a pair only when a search for its question finds its section among the first K
    #[arg(long, value_name = "K", value_parser = clap::value_parser!(u8).range(1..=10))]
    found_within: Option<u8>,
    /// Keep a pair only when the judge gives its relevance, coverage and fluency this much
    #[arg(long, value_name = "GRADE", requires = "judge", value_parser = clap::value_parser!(u8).range(1..=5))]
    judge_least: Option<u8>,
    #[command(flatten)]
    drawing: Drawing,
    #[command(flatten)]
    held_out: HeldOutArgs,
    #[command(flatten)]
    endpoints: Endpoints,
}

/// How a model's words are chosen, for more kinds of questions.
#[derive(Debug, clap::Args)]
#[group(skip)]
struct Drawing {
    /// Draw the words of questions: the higher, the more unlikely ones, 1 as the model is [default: 0, always the likeliest]
    #[arg(long, value_name = "T")]
    temperature: Option<f64>,
    /// Draw from the fewest likeliest words whose probabilities sum to P [default: 1, all]
    #[arg(long, value_name = "P", requires = "temperature")]
    top_p: Option<f64>,
    /// Other questions with each number, the same ones with the same [default: 0]
    #[arg(long, value_name = "N", requires = "temperature")]
    seed: Option<u64>,
}

/// Models behind addresses.
#[derive(Debug, clap::Args)]
#[group(skip)]
struct Endpoints {
    /// The writer's address, for example http://127.0.0.1:8080/v1
    #[arg(long, value_name = "URL", required_if_eq("generator", "endpoint"))]
    endpoint: Option<String>,
    /// The writer, by the endpoint's name
    #[arg(long, value_name = "NAME", required_if_eq("generator", "endpoint"))]
    endpoint_model: Option<String>,
    /// File with the endpoint's key
    #[arg(long, value_name = "FILE", requires = "endpoint")]
    endpoint_key: Option<PathBuf>,
    /// Have an OpenAI-compatible endpoint grade the pairs
    #[arg(long, value_name = "URL", requires = "judge_model")]
    judge: Option<String>,
    /// The judge, by the endpoint's name
    #[arg(long, value_name = "NAME", requires = "judge")]
    judge_model: Option<String>,
    /// File with the judge's key
    #[arg(long, value_name = "FILE", requires = "judge")]
    judge_key: Option<PathBuf>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum Writer {
    Rules,
    Model,
    Endpoint,
}

/// Builds the data set, and prints its figures.
pub fn run(context: &Context, args: &Args) -> anyhow::Result<()> {
    let plan = plan(args)?;
    let sampling = sampling(args)?;
    let rooms = Rooms::open(&context.config)?;
    // Rules work without any model; meanings are then not compared.
    let embedder: Option<Arc<dyn Embedder>> = match rooms.embedder() {
        Ok(embedder) => Some(embedder),
        Err(error) if args.generator == Writer::Model => return Err(error.into()),
        Err(_) => None,
    };
    let work = work_folder(&args.out);
    durable::create_folder(&work)?;
    let mut meter = Meter::new();
    let library = open_library(context, &work, embedder.clone())?;
    let read = ingest(&library, &args.paths, &mut meter)?;
    for failure in &read.failed {
        eprintln!("warning: {}: {}", failure.path.display(), failure.reason);
    }
    if library.documents().is_empty() {
        bail!("none of the documents can be read; the reasons stand above");
    }
    let mut teacher = teacher(args, &rooms, sampling)?;
    let mut answers = match plan.manner {
        Manner::QuestionsOnly => Some(answers(
            context,
            args,
            &rooms,
            (&library, embedder.clone()),
        )?),
        Manner::Combined => None,
    };
    let mut judge = judge(&args.endpoints)?;
    let hands = Hands {
        teacher: teacher.as_mut(),
        answers: answers.as_deref_mut(),
        judge: judge.as_mut(),
        embedder,
    };
    let built = dataset::build(&library, &plan, hands, &work, &mut |text, done, total| {
        let (text, done, total) = (text.to_owned(), done as u64, total as u64);
        meter.show(&Progress { text, done, total });
    });
    meter.finish();
    tell(context, args, &built?, &read)
}

fn plan(args: &Args) -> anyhow::Result<Plan> {
    let mut thresholds = match args.generator {
        Writer::Rules => Thresholds::rules(),
        Writer::Model => Thresholds::of_sentences(),
        Writer::Endpoint => Thresholds::written(),
    };
    if let Some(most) = args.found_within {
        thresholds.found_at = usize::from(most);
    }
    if let Some(least) = args.judge_least {
        thresholds.judged = least;
    }
    let mut modes = args.modes.clone();
    modes.sort_unstable();
    modes.dedup();
    Ok(Plan {
        modes,
        manner: match args.questions_only {
            true => Manner::QuestionsOnly,
            false => Manner::Combined,
        },
        per_section: usize::from(args.per_section),
        thresholds,
        held_out: args.held_out.set()?,
        splits: args.held_out.split.clone(),
    })
}

/// How the words of questions are chosen.
fn sampling(args: &Args) -> anyhow::Result<Sampling> {
    let drawing = &args.drawing;
    if args.generator == Writer::Rules && drawing.temperature.is_some() {
        bail!(
            "rules draw nothing\nhint: `--temperature` is for `--generator model` and `endpoint`"
        );
    }
    let greedy = Sampling::default();
    let sampling = Sampling {
        temperature: drawing.temperature.unwrap_or(greedy.temperature),
        top_p: drawing.top_p.unwrap_or(greedy.top_p),
        seed: drawing.seed.unwrap_or(greedy.seed),
        ..greedy
    };
    sampling.check()?;
    Ok(sampling)
}

/// `FILE.work`, beside the output.
fn work_folder(out: &Path) -> PathBuf {
    let mut name = OsString::from(out);
    name.push(".work");
    name.into()
}

/// A library of this build's documents alone: the box's own stays as it is.
fn open_library(
    context: &Context,
    work: &Path,
    embedder: Option<Arc<dyn Embedder>>,
) -> anyhow::Result<Arc<Library>> {
    let mut config = context.config.library.clone();
    config.dense = DenseMode::Exact;
    let embedder = embedder.unwrap_or_else(|| Arc::new(Wordless));
    let library = Library::open(
        &work.join("library"),
        &config,
        &context.config.search,
        embedder,
    )?;
    Ok(Arc::new(library))
}

fn ingest(library: &Library, paths: &[PathBuf], meter: &mut Meter) -> anyhow::Result<IngestReport> {
    let absolute = |path: &PathBuf| {
        std::fs::canonicalize(path).with_context(|| format!("{}: cannot be read", path.display()))
    };
    let paths: Vec<PathBuf> = paths.iter().map(absolute).collect::<Result<_, _>>()?;
    // Documents that an earlier run had and that are gone must not be asked about.
    Ok(
        library.ingest_paths(&paths, IngestOptions { sync: true }, &mut |step| {
            meter.show(&Progress {
                text: format!("reading {}", step.name),
                done: step.done as u64,
                total: step.total as u64,
            });
            ControlFlow::Continue(())
        })?,
    )
}

fn teacher(args: &Args, rooms: &Rooms, sampling: Sampling) -> anyhow::Result<Box<dyn Teacher>> {
    Ok(match args.generator {
        Writer::Rules => Box::new(RuleTeacher),
        Writer::Model => Box::new(GeneratorTeacher::new(
            Box::new(rooms.generator()?),
            sampling,
        )),
        Writer::Endpoint => Box::new(EndpointTeacher::new(
            Box::new(args.endpoints.writer()?),
            sampling,
        )),
    })
}

/// Who answers questions that were written without: the writer's endpoint, or the answer room, which quotes
/// where the questions came by rules.
fn answers(
    context: &Context,
    args: &Args,
    rooms: &Rooms,
    (library, embedder): (&Arc<Library>, Option<Arc<dyn Embedder>>),
) -> anyhow::Result<Box<dyn Answers>> {
    let (generator, drafting): (Box<dyn Generator>, _) = match args.generator {
        Writer::Endpoint => {
            let endpoint = Box::new(args.endpoints.writer()?);
            return Ok(Box::new(EndpointAnswers::new(
                endpoint,
                Arc::clone(library),
                TOP_K,
            )));
        }
        Writer::Model => (Box::new(rooms.generator()?), Drafting::Agreeing),
        Writer::Rules => (Box::new(NoGenerator), Drafting::Quote),
    };
    Ok(Box::new(RoomAnswers::new(Answerer::new(AnswererParts {
        passages: Box::new(Arc::clone(library)),
        generator,
        embedder,
        config: AnswerConfig {
            drafting,
            ..context.config.answer.clone()
        },
        top_k: TOP_K,
        place: crate::types::Place::default(),
        adapter: None,
    }))))
}

fn judge(endpoints: &Endpoints) -> anyhow::Result<Option<Judge>> {
    let Some((url, model)) = endpoints.judge.as_ref().zip(endpoints.judge_model.as_ref()) else {
        return Ok(None);
    };
    let endpoint = connect(url, model, endpoints.judge_key.as_deref())?;
    Ok(Some(Judge::new(Box::new(endpoint))))
}

impl Endpoints {
    fn writer(&self) -> anyhow::Result<HttpEndpoint> {
        let both = self.endpoint.as_ref().zip(self.endpoint_model.as_ref());
        let (url, model) =
            both.context("an endpoint needs `--endpoint URL` and `--endpoint-model NAME`")?;
        connect(url, model, self.endpoint_key.as_deref())
    }
}

fn connect(url: &str, model: &str, key: Option<&Path>) -> anyhow::Result<HttpEndpoint> {
    let api_key = match key {
        None => None,
        Some(path) => {
            let text = std::fs::read_to_string(path)
                .with_context(|| format!("{}: the key cannot be read", path.display()))?;
            Some(text.trim().to_owned())
        }
    };
    Ok(HttpEndpoint::new(EndpointConfig {
        url: url.to_owned(),
        model: model.to_owned(),
        api_key,
        timeout: Duration::from_secs(180),
        attempts: 6,
        pause: Duration::from_secs(2),
    })?)
}

/// Writes the data set and what goes with it, and prints the figures.
fn tell(context: &Context, args: &Args, built: &Built, read: &IngestReport) -> anyhow::Result<()> {
    let lines = |values: Vec<Vec<u8>>| values.concat();
    durable::replace(
        &args.out,
        &lines(built.pairs.iter().map(dataset::line).collect()),
    )?;
    if let Some(path) = &args.dropped {
        durable::replace(
            path,
            &lines(built.dropped.iter().map(dataset::line).collect()),
        )?;
    }
    if let Some(path) = &args.report {
        durable::replace(path, built.report.to_string().as_bytes())?;
    }
    match context.output.is_json() {
        true => {
            let failed: Vec<_> = read.failed.iter().collect();
            context
                .output
                .json(&serde_json::json!({"report": built.report, "unreadable": failed}))?;
        }
        false => {
            context.output.line(&built.report.to_string())?;
            if !read.failed.is_empty() {
                context
                    .output
                    .line(&format!("{} files could not be read in", read.failed.len()))?;
            }
        }
    }
    Ok(())
}
