//! `almanac study generate`

use std::path::{Path, PathBuf};

use anyhow::Context as _;

use super::{Files, check};
use crate::answer::Answerer;
use crate::commands::Context;
use crate::commands::progress::Meter;
use crate::control::Progress;
use crate::durable;
use crate::edition::Role;
use crate::service::Rooms;
use crate::study::{
    self, AdapterName, Arm, Asker, Corpus, MeterPaths, Meters, Plan, Rows, RunHeader, Split,
    StudyQuestion,
};
use crate::types::Digest;

/// What is asked, of which arms.
#[derive(Debug, clap::Args)]
#[group(skip)]
pub struct Args {
    #[command(flatten)]
    pub files: Files,
    /// Part of the set that is asked
    #[arg(long, value_enum, default_value_t = Part::Test)]
    split: Part,
    /// Ask only this many of its questions, the same ones in every run
    #[arg(long, value_name = "N")]
    sample: Option<usize>,
    /// Adapter of the edition; adds the tuned arms
    #[arg(long, value_name = "NAME")]
    adapter: Option<String>,
    /// Arms, one after another [default: base,base-rag,base-product, with an adapter also tuned,tuned-rag,tuned-product]
    #[arg(long, value_name = "ARM,...", value_delimiter = ',')]
    arms: Vec<Arm>,
    /// Where the answers are kept; a run that was cut goes on from there [default: `study/answers-SPLIT.jsonl` in the state folder]
    #[arg(long, value_name = "FILE")]
    answers: Option<PathBuf>,
    /// File with the SHA-256 of the frozen test part; compared where it is there
    #[arg(long, value_name = "FILE", default_value = check::HASH_FILE)]
    expect_test_hash: PathBuf,
}

/// A part of a set, or all of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum Part {
    Train,
    Dev,
    Test,
    All,
}

impl Part {
    fn split(self) -> Option<Split> {
        match self {
            Part::Train => Some(Split::Train),
            Part::Dev => Some(Split::Dev),
            Part::Test => Some(Split::Test),
            Part::All => None,
        }
    }

    fn name(self) -> &'static str {
        self.split().map_or("all", Split::name)
    }
}

/// Asks every question of every arm and keeps the answers.
pub fn run(context: &Context, args: &Args) -> anyhow::Result<()> {
    let set = study::read(&args.files.questions)?;
    let rooms = Rooms::open(&context.config)?;
    let path = ask(context, args, &set, &rooms)?;
    Ok(context.output.line(&path.display().to_string())?)
}

/// As [`run`]; returns the file of the answers.
pub fn ask(
    context: &Context,
    args: &Args,
    set: &[StudyQuestion],
    rooms: &Rooms,
) -> anyhow::Result<PathBuf> {
    check::compare(&args.expect_test_hash, study::digest_of(set, Split::Test))?;
    let answerer = rooms.answerer()?;
    let (header, answerer) = header(args, set, rooms, answerer)?;
    let path = match &args.answers {
        Some(path) => path.clone(),
        None => {
            let folder = context.config.state.join("study");
            folder.join(format!("answers-{}.jsonl", args.split.name()))
        }
    };
    let folder = path
        .parent()
        .filter(|folder| !folder.as_os_str().is_empty());
    durable::create_folder(folder.unwrap_or(Path::new(".")))?;
    let mut rows = Rows::resume(&path, &header)?;
    let plan = Plan {
        arms: arms(args)?,
        questions: study::select(set, args.split.split(), args.sample),
    };
    let mut asker = Asker::new(answerer, args.adapter.clone())?;
    let meters = Meters::new(&MeterPaths {
        powercap: "/sys/class/powercap".into(),
        process: "/proc/self".into(),
    });
    let mut meter = Meter::new();
    let asked = study::generate(
        &mut asker,
        &plan,
        &meters,
        &mut rows,
        &mut |done, total, text| {
            meter.show(&Progress {
                text: text.to_owned(),
                done: done as u64,
                total: total as u64,
            });
        },
    );
    meter.finish();
    asked?;
    Ok(path)
}

fn arms(args: &Args) -> anyhow::Result<Vec<Arm>> {
    let tuned = args.adapter.is_some();
    if !args.arms.is_empty() {
        let needs = args.arms.iter().find(|arm| arm.is_tuned() && !tuned);
        return match needs {
            Some(arm) => anyhow::bail!("the arm {arm} needs an adapter: `--adapter NAME`"),
            None => Ok(args.arms.clone()),
        };
    }
    Ok(Arm::ALL
        .into_iter()
        .filter(|arm| tuned || !arm.is_tuned())
        .collect())
}

/// What the answers will have been made with.
fn header(
    args: &Args,
    set: &[StudyQuestion],
    rooms: &Rooms,
    answerer: Answerer,
) -> anyhow::Result<(RunHeader, Answerer)> {
    let parts = answerer.into_parts();
    let config = &parts.config;
    let embedder = parts
        .embedder
        .as_ref()
        .context("the edition has no embedder")?;
    let adapter = match &args.adapter {
        None => None,
        Some(name) => {
            let of = |file: &&crate::edition::FileEntry| {
                file.role == Role::Adapter
                    && file
                        .path
                        .file_stem()
                        .is_some_and(|stem| stem == name.as_str())
            };
            let files = &rooms.manifest().files;
            let file = files.iter().find(of).with_context(|| {
                format!(
                    "the edition has no adapter {name:?}; `almanac models import-adapter FOLDER --name {name}` adds one"
                )
            })?;
            Some(AdapterName {
                name: name.clone(),
                sha256: file.sha256,
            })
        }
    };
    let header = RunHeader {
        format: RunHeader::FORMAT,
        version: env!("CARGO_PKG_VERSION").to_owned(),
        split: args.split.name().to_owned(),
        set_sha256: match args.split.split() {
            Some(split) => study::digest_of(set, split),
            None => {
                let all = Split::ALL.map(|split| study::digest_of(set, split).to_string());
                Digest::of(all.join("\n").as_bytes())
            }
        },
        documents_sha256: Corpus::read(&args.files.documents)?.digest(),
        decoder: parts.generator.name().to_owned(),
        embedder: embedder.digest(),
        adapter,
        settings: format!(
            "refuse_below {}, drafting {:?}, max_tokens {}, max_chars {}, top_k {}",
            config.refuse_below, config.drafting, config.max_tokens, config.max_chars, parts.top_k
        ),
    };
    Ok((header, Answerer::new(parts)))
}
