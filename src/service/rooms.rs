//! The opened state: what answers every request but those that need the daemon's queue.

use std::ops::ControlFlow;
use std::path::Path;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use serde_json::Value;

use super::answering::OnBox;
use super::error::ServiceError;
use super::golden;
use super::models::Models;
use super::reports::{
    BoxReport, DocumentLine, EditionReport, LibraryStats, PassageLine, SearchHit, SearchLine,
};
use super::tagging;
use super::update::handover;
use super::worker::{Answering, Job};
use crate::answer::{self, Answerer, AnswererParts};
use crate::clock::{Clock, SystemClock};
use crate::config::{Config, LibraryConfig, SearchConfig};
use crate::control::{EditionOp, LibraryOp, Progress, Request, SearchQuery};
use crate::documents::{self, Passage};
use crate::edition::{Edition, Golden, Manifest, Record};
use crate::field::BoxState;
use crate::library::{self, DocumentEntry, Library, LibraryError, Query};
use crate::model::{Embedder, Generator, SentenceEmbedder, TextGenerator};
use crate::types::{Answer, Ask, AskLimits, Status};

/// Passages of a search that names no number.
const DEFAULT_HITS: usize = 3;
/// Most passages of one search.
const MOST_HITS: usize = 1_000;

/// How a library is opened.
type OpenLibrary =
    fn(&Path, &LibraryConfig, &SearchConfig, Arc<dyn Embedder>) -> Result<Library, LibraryError>;

/// The rooms of one state folder, opened by this process; models and library when first needed.
pub struct Rooms {
    config: Config,
    edition: Edition,
    models: Models,
    library: OnceLock<Arc<Library>>,
    opening: Mutex<()>,
    answering: Mutex<Option<Box<dyn Answering>>>,
}

impl Rooms {
    /// Looks which edition is current; opens nothing yet. Blocking.
    ///
    /// # Errors
    /// The current edition cannot be read.
    pub fn open(config: &Config) -> Result<Rooms, ServiceError> {
        let edition = Edition::current(&config.state)?.unwrap_or_else(|| Edition {
            folder: config.state.join("editions/0"),
            manifest: Manifest::new(0, "edition 0"),
        });
        Ok(Rooms::of(config, edition))
    }

    /// The rooms of `edition`, current or not; opens nothing yet.
    pub fn of(config: &Config, edition: Edition) -> Rooms {
        Rooms {
            config: config.clone(),
            models: Models::new(config, &edition),
            edition,
            library: OnceLock::new(),
            opening: Mutex::new(()),
            answering: Mutex::new(None),
        }
    }

    /// The rooms of `edition`, which share with these what of the models both have file for file and these
    /// have open; its library is its own. Opens nothing yet.
    pub(super) fn beside(&self, edition: Edition) -> Rooms {
        Rooms {
            models: self.models.beside(&edition),
            ..Rooms::of(&self.config, edition)
        }
    }

    /// The edition.
    pub(super) fn edition(&self) -> &Edition {
        &self.edition
    }

    /// The state folder.
    pub(super) fn state(&self) -> &Path {
        &self.config.state
    }

    /// Serial of the edition that answers.
    pub fn serial(&self) -> u64 {
        self.edition.manifest.serial
    }

    /// What the edition that answers is made of.
    pub fn manifest(&self) -> &Manifest {
        &self.edition.manifest
    }

    /// The edition's golden questions; one that any box can be asked where there is no document.
    pub fn golden(&self) -> Vec<Golden> {
        let golden = &self.edition.manifest.golden;
        if golden.is_empty() {
            vec![golden::for_an_empty_library()]
        } else {
            golden.clone()
        }
    }

    /// Whether the edition has its models, as far as their manifests tell.
    ///
    /// # Errors
    /// One is missing or unfinished.
    pub fn check(&self) -> Result<(), ServiceError> {
        self.models.check()
    }

    /// The library, opened once; blocking.
    ///
    /// # Errors
    /// Another process has it open, or embedder or disk fail.
    pub fn library(&self) -> Result<Arc<Library>, ServiceError> {
        self.opened(Library::open)
    }

    /// As [`Rooms::library`], also where its index is of another embedder or version: that is set aside.
    pub(super) fn library_anew(&self) -> Result<Arc<Library>, ServiceError> {
        self.opened(Library::open_anew)
    }

    fn opened(&self, open: OpenLibrary) -> Result<Arc<Library>, ServiceError> {
        // sled would find its own folder locked.
        let _one = self.opening.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(library) = self.library.get() {
            return Ok(Arc::clone(library));
        }
        let embedder: Arc<SentenceEmbedder> = self.models.embedder()?;
        let (library, search) = (&self.config.library, &self.config.search);
        let library = open(&self.edition.folder, library, search, embedder)?;
        if let Some(recovery) = library.recovery() {
            tracing::error!(
                moved_to = %recovery.moved_to.display(), reason = recovery.reason,
                "the library was damaged: the daemon makes it again at its start, and `almanac library rebuild` does"
            );
        }
        for document in library.damaged() {
            tracing::error!(document, "a document was damaged in the index");
        }
        Ok(Arc::clone(self.library.get_or_init(|| Arc::new(library))))
    }

    /// The edition's embedder, opened once; blocking.
    ///
    /// # Errors
    /// The edition has none, or the runtime does not take it.
    pub fn embedder(&self) -> Result<Arc<SentenceEmbedder>, ServiceError> {
        self.models.embedder()
    }

    /// The edition's language model, opened anew; blocking, for seconds.
    ///
    /// # Errors
    /// As [`Rooms::embedder`].
    pub fn generator(&self) -> Result<TextGenerator, ServiceError> {
        self.models.generator()
    }

    /// What answers in one thread: with a language model of its own or, where several questions are answered at once, a
    /// place at the one that all threads share. Blocking, for seconds.
    ///
    /// # Errors
    /// The models or the library cannot be opened.
    pub fn answering(&self) -> Result<Box<dyn Answering>, ServiceError> {
        let writer = self.models.writer()?;
        Ok(Box::new(OnBox::new(self.answerer_by(writer)?)))
    }

    /// The answer room over this library, with a language model of its own; blocking, for seconds.
    ///
    /// # Errors
    /// As [`Rooms::answering`].
    pub fn answerer(&self) -> Result<Answerer, ServiceError> {
        self.answerer_by(Box::new(self.models.generator()?))
    }

    fn answerer_by(&self, generator: Box<dyn Generator>) -> Result<Answerer, ServiceError> {
        let mut config = self.config.answer.clone();
        if let Some(threshold) = self.edition.manifest.thresholds.refuse_below {
            config.refuse_below = threshold;
        }
        Ok(Answerer::new(AnswererParts {
            passages: Box::new(self.library()?),
            generator,
            embedder: Some(self.models.embedder()?),
            config,
            top_k: self.config.search.top_k,
            place: self.config.place.clone(),
            adapter: self.models.default_adapter(),
        }))
    }

    /// Has `request` done; blocking. The same for a command without a daemon and for the daemon,
    /// which adds only what concerns its queue.
    ///
    /// # Errors
    /// The request is out of range, or a room failed.
    pub fn handle(
        &self,
        request: &Request,
        on_progress: &mut dyn FnMut(&Progress),
    ) -> Result<Value, ServiceError> {
        match request {
            Request::Ask { ask } => to_value(&self.ask(ask, on_progress)?),
            Request::Search { query } => to_value(&self.search(query)?),
            Request::Ingest { paths, sync } => to_value(&self.ingest(paths, *sync, on_progress)?),
            Request::Library { what } => self.look(what, on_progress),
            Request::Status => to_value(&self.report()?),
            Request::Edition {
                what: EditionOp::Look,
            } => to_value(&self.editions()?),
            Request::Edition { .. } => Err(ServiceError::Invalid(
                "editions are changed by the daemon or without one, not by who looks".into(),
            )),
        }
    }

    fn ask(
        &self,
        ask: &Ask,
        on_progress: &mut dyn FnMut(&Progress),
    ) -> Result<Answer, ServiceError> {
        let (name, serial) = (&self.config.box_name, self.serial());
        let now = SystemClock.now();
        let question = match ask.validate(&AskLimits::default(), now) {
            Ok(question) => question,
            Err(reason) => {
                let (id, reason) = (ask.id.clone(), &reason.0);
                let status = Status::Invalid;
                return Ok(Answer::without_text(id, status, reason, name, serial));
            }
        };
        let deadline = ask.deadline_s.map(Duration::from_secs_f64);
        let arrived = Instant::now();
        let job = Job {
            ticket: 0,
            question,
            readings: Vec::new(),
            deadline: arrived + deadline.unwrap_or(self.config.queue.deadline),
            arrived,
        };
        let mut slot = self
            .answering
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        let answering = match &mut *slot {
            Some(answering) => answering,
            None => slot.insert(self.answering()?),
        };
        let mut answer = answering.answer(&job, &mut |progress| {
            if let answer::Progress::Text(text) = progress
                && ask.stream
            {
                let (text, done, total) = (text.to_owned(), 0, 0);
                on_progress(&Progress { text, done, total });
            }
            if Instant::now() < job.deadline {
                ControlFlow::Continue(())
            } else {
                ControlFlow::Break(())
            }
        });
        answer.id.clone_from(&ask.id);
        answer.box_name.clone_from(name);
        answer.edition = serial;
        Ok(answer)
    }

    fn search(&self, query: &SearchQuery) -> Result<SearchLine, ServiceError> {
        let top_k = query.top_k.unwrap_or(DEFAULT_HITS);
        if !(1..=MOST_HITS).contains(&top_k) {
            let text = format!("top_k is {top_k}; it must be 1 to {MOST_HITS}");
            return Err(ServiceError::Invalid(text));
        }
        if query.question.trim().is_empty() {
            return Err(ServiceError::Invalid("the question is empty".into()));
        }
        let place = query.place.as_ref().unwrap_or(&self.config.place);
        let results = self.library()?.search(&Query {
            text: query.question.clone(),
            place: Some(place.clone()),
            crop: query.crop.clone(),
            top_k,
        })?;
        let hit = |hit: library::Hit| SearchHit {
            document: hit.passage.document.clone(),
            section: hit.passage.section().to_owned(),
            page: hit.passage.page,
            place: hit.passage.place.to_string(),
            score: hit.fused,
            text: hit.passage.text.clone(),
            also: hit.also,
        };
        Ok(SearchLine {
            id: query.id.clone(),
            results: results.hits.into_iter().map(hit).collect(),
        })
    }

    fn look(
        &self,
        what: &LibraryOp,
        on_progress: &mut dyn FnMut(&Progress),
    ) -> Result<Value, ServiceError> {
        let missing = |id: &str| {
            ServiceError::Missing(format!(
                "no document {id:?} in the library; `almanac library list` shows their ids"
            ))
        };
        match what {
            LibraryOp::List => {
                let line = |entry: DocumentEntry| DocumentLine {
                    document: entry.id,
                    title: entry.title,
                    place: entry.place.to_string(),
                    passages: entry.passages,
                };
                let lines = self.library()?.documents().into_iter().map(line);
                to_value(&lines.collect::<Vec<_>>())
            }
            LibraryOp::Show(id) => {
                let library = self.library()?;
                library.document(id).ok_or_else(|| missing(id))?;
                let line = |passage: &Arc<Passage>| PassageLine {
                    section: passage.section().to_owned(),
                    page: passage.page,
                    text: passage.text.clone(),
                };
                to_value(&library.passages(id).iter().map(line).collect::<Vec<_>>())
            }
            LibraryOp::Tree(id) => {
                let document = self.library()?.tree(id)?.ok_or_else(|| missing(id))?;
                Ok(documents::to_json(&document))
            }
            LibraryOp::Tags { document, change } => to_value(&tagging::tags(
                &*self.library()?,
                document.as_deref(),
                change.as_ref(),
            )?),
            LibraryOp::Remove(id) => match self.library()?.remove(id)? {
                true => to_value(&serde_json::json!({ "removed": id })),
                false => Err(missing(id)),
            },
            LibraryOp::Stats => to_value(&self.stats()?),
            LibraryOp::Check => to_value(&self.library()?.check()?),
            LibraryOp::Rebuild => self.rebuild(on_progress),
            LibraryOp::Backup { offset } => self.back_up(*offset),
            LibraryOp::Upload { offset, bytes } => self.upload(*offset, bytes),
            LibraryOp::Restore { sha256 } => self.restore(*sha256, on_progress),
        }
    }

    fn stats(&self) -> Result<LibraryStats, ServiceError> {
        let stats = self.library()?.stats();
        Ok(LibraryStats {
            documents: stats.documents,
            passages: stats.passages,
            dense: stats.dense.to_owned(),
        })
    }

    fn editions(&self) -> Result<EditionReport, ServiceError> {
        let state = &self.config.state;
        let manifests = Edition::list(state)?.into_iter();
        let current = Edition::current(state)?;
        let folder = current.as_ref().map(|current| current.folder.as_path());
        Ok(EditionReport {
            handover: folder.and_then(handover::kept),
            current: current.map(|current| current.manifest.serial),
            editions: manifests.map(|edition| edition.manifest).collect(),
            last: Record::read(state)?.run,
        })
    }

    /// How the box is, as far as the state tells: a daemon puts its own figures in.
    ///
    /// # Errors
    /// The library is there and cannot be opened.
    pub fn report(&self) -> Result<BoxReport, ServiceError> {
        let stats = if Library::is_in(&self.edition.folder) {
            self.stats()?
        } else {
            LibraryStats::default()
        };
        Ok(BoxReport {
            box_name: self.config.box_name.clone(),
            state: BoxState::Gone,
            edition: self.serial(),
            queue: 0,
            wait_s: 0,
            version: env!("CARGO_PKG_VERSION").to_owned(),
            health: "ok".into(),
            answered: 0,
            documents: stats.documents,
            passages: stats.passages,
            state_folder: self.config.state.clone(),
        })
    }
}

pub(super) fn to_value(result: &impl serde::Serialize) -> Result<Value, ServiceError> {
    serde_json::to_value(result)
        .map_err(|error| ServiceError::Machine(format!("a result cannot be written: {error}")))
}
