//! `almanac bench retrieval`: what the search finds, on public sets, on a question set, as the library grows.

mod beir;
mod corpus;
mod growth;
mod keep;
mod questions;
mod scale;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context as _, bail};

use super::models;
use crate::commands::Context;
use crate::commands::progress::Meter;
use crate::config::Config;
use crate::control::Progress;
use crate::documents::{self, Document, Passage, Tags};
use crate::library::Library;
use crate::model::folder::Kind;
use crate::model::{Runtime, SentenceEmbedder};
use keep::Keep;

/// Arguments of `almanac bench retrieval`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Folder of a BEIR-style set: corpus.jsonl, queries.jsonl, qrels/*.tsv; may be given again
    #[arg(long, value_name = "FOLDER")]
    beir: Vec<PathBuf>,
    /// Question set with gold sections, as `almanac study` reads it
    #[arg(long, value_name = "FILE")]
    questions: Option<PathBuf>,
    /// Documents of the question set [default: `documents` beside the file]
    #[arg(long, value_name = "FOLDER")]
    documents: Option<PathBuf>,
    /// Ask the questions, and those of the first set, again while the library grows to 6.8 times its passages
    #[arg(long, requires = "questions")]
    growth: bool,
    /// Time searches among so many passages, real ones as far as they go; several with commas between
    #[arg(
        long,
        value_name = "N",
        value_delimiter = ',',
        conflicts_with = "growth"
    )]
    scale: Vec<usize>,
    /// Write vectors, queries and some texts of the last size here, for other programs
    #[arg(long, value_name = "FOLDER", requires = "scale")]
    export: Option<PathBuf>,
    /// Search the library in this folder: what --scale starts in a process of its own
    #[arg(long, value_name = "FOLDER", hide = true, requires = "scale")]
    searched: Option<PathBuf>,
    /// Folder with other texts on farming, for --growth and --scale; may be given again
    #[arg(long, value_name = "FOLDER")]
    data: Vec<PathBuf>,
    /// Keep vectors here, so that the next run embeds nothing twice [default: nothing is kept]
    #[arg(long, value_name = "FOLDER")]
    keep: Option<PathBuf>,
}

/// Measures and prints; blocking, minutes for thousands of documents.
pub fn run(context: &Context, args: &Args) -> anyhow::Result<()> {
    if args.beir.is_empty() && args.questions.is_none() {
        bail!("nothing to measure\nhint: --beir FOLDER, --questions FILE");
    }
    // The process that searches must not hold the vectors of the one that built.
    let keep = args.keep.as_deref().filter(|_| args.searched.is_none());
    let bench = Bench::open(&context.config, keep)?;
    if !args.scale.is_empty() {
        return scale::run(context, &bench, args);
    }
    if let (true, Some(file)) = (args.growth, &args.questions) {
        return growth::run(context, &bench, args, file);
    }
    for folder in &args.beir {
        beir::run(context, &bench, folder)?;
    }
    if let Some(file) = &args.questions {
        questions::run(context, &bench, file, &args.farm_documents()?)?;
    }
    Ok(())
}

impl Args {
    fn farm_documents(&self) -> anyhow::Result<PathBuf> {
        match (&self.documents, &self.questions) {
            (Some(folder), _) => Ok(folder.clone()),
            (None, Some(file)) => Ok(file.with_file_name("documents")),
            (None, None) => bail!("no documents are named\nhint: --questions FILE"),
        }
    }
}

/// What all parts share: the configuration, the embedder, and a folder for libraries that goes with it.
struct Bench<'a> {
    config: &'a Config,
    keep: Arc<Keep>,
    work: tempfile::TempDir,
}

impl<'a> Bench<'a> {
    fn open(config: &'a Config, keep: Option<&Path>) -> anyhow::Result<Self> {
        let runtime = Runtime::load(&config.model.runtime, config.model.threads)?;
        let folder = models::folder(config, Kind::Embedder, None)?;
        let embedder = Arc::new(SentenceEmbedder::open(&runtime, &folder)?);
        Ok(Bench {
            config,
            keep: Arc::new(Keep::open(embedder, keep)?),
            work: tempfile::tempdir().context("no folder for the library can be made")?,
        })
    }

    /// A library called `name`, empty where there was none of that name.
    fn library(&self, name: &str) -> anyhow::Result<Library> {
        self.opened(&self.work.path().join(name))
    }

    /// The library in `folder`.
    fn opened(&self, folder: &Path) -> anyhow::Result<Library> {
        let (library, search) = (&self.config.library, &self.config.search);
        let keep = Arc::clone(&self.keep);
        Ok(Library::open(folder, library, search, keep)?)
    }

    /// Takes `documents` in, their passages embedded together first.
    fn take(&self, library: &Library, documents: &[Document]) -> anyhow::Result<usize> {
        let cut = |document| library.cut_passages(document);
        self.warm(&documents.iter().flat_map(cut).collect::<Vec<_>>())?;
        Ok(library.ingest_all(documents)?)
    }

    /// Embeds `passages`, with progress on stderr.
    fn warm(&self, passages: &[Passage]) -> anyhow::Result<()> {
        let texts: Vec<String> = passages.iter().map(Passage::indexed_text).collect();
        let mut meter = Meter::new();
        self.keep.warm(&texts, &mut |done, total| {
            meter.show(&Progress {
                done: done as u64,
                total: total as u64,
                text: "passages embedded".into(),
            });
        })?;
        meter.finish();
        Ok(())
    }
}

/// The documents of the file at `path`; one that cannot be read is an error.
fn read(path: &Path, id: &str) -> anyhow::Result<Vec<Document>> {
    let documents = documents::open(path, id, Tags::default())?;
    Ok(documents.collect::<Result<_, _>>()?)
}

/// The documents below `folder`, by path.
pub(super) fn read_folder(folder: &Path) -> anyhow::Result<Vec<Document>> {
    let mut found = Vec::new();
    for entry in walkdir::WalkDir::new(folder).sort_by_file_name() {
        let path = entry?.into_path();
        if path.is_file() && documents::is_supported(&path) {
            let id = path.strip_prefix(folder).unwrap_or(&path).to_string_lossy();
            found.extend(read(&path, &id)?);
        }
    }
    if found.is_empty() {
        bail!("{}: there are no documents", folder.display());
    }
    Ok(found)
}

/// The last part of a path that says which set it is: a BEIR folder is often called just `beir`.
fn name_of(folder: &Path) -> String {
    let parts: Vec<String> = folder
        .components()
        .map(|part| part.as_os_str().to_string_lossy().into_owned())
        .collect();
    let own = parts.iter().rev().find(|part| part.as_str() != "beir");
    own.cloned().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_set_is_named_after_the_folder_that_tells_it_apart() {
        assert_eq!(name_of(Path::new("data/scifact/beir")), "scifact");
        assert_eq!(name_of(Path::new("data/scifact/")), "scifact");
    }
}
