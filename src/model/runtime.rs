//! ONNX Runtime itself: found by path, loaded once a process, sessions opened with our settings.

use std::path::{Path, PathBuf};
use std::sync::{Mutex, OnceLock};

use ort::environment::Environment;
use ort::session::Session;
use ort::session::builder::{GraphOptimizationLevel, SessionBuilder};

use super::ModelError;

/// The environment and the library it came from; a process can load only one.
static LOADED: OnceLock<(Environment, PathBuf)> = OnceLock::new();
static LOADING: Mutex<()> = Mutex::new(());

/// A loaded libonnxruntime.
#[derive(Clone)]
pub struct Runtime {
    environment: Environment,
    threads: usize,
}

impl Runtime {
    /// Loads the library at `path` (or takes the one that this process has loaded); blocking.
    ///
    /// `threads` is the number of threads of one inference.
    ///
    /// # Errors
    /// The library is missing, of another architecture or too old.
    pub fn load(path: &Path, threads: usize) -> Result<Self, ModelError> {
        let wrong = |reason: String| ModelError::Runtime {
            path: path.to_owned(),
            reason,
        };
        // A poisoned lock only says that another load panicked; nothing is half done under it.
        let _guard = LOADING
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner);
        if LOADED.get().is_none() {
            if !path.is_file() {
                return Err(wrong("there is no such file".into()));
            }
            give_back_large_blocks();
            let environment = ort::init_from(path)
                .map_err(|error| wrong(error.to_string()))?
                .with_name("almanac")
                .with_telemetry(false)
                .build()
                .map_err(|error| wrong(error.to_string()))?;
            environment.set_log_level(ort::logging::LogLevel::Error);
            let _ = LOADED.set((environment, path.to_owned()));
        }
        // The lock is held and the cell was filled above or before.
        let Some((environment, loaded)) = LOADED.get() else {
            return Err(wrong("it was not loaded".into()));
        };
        if loaded != path {
            tracing::debug!(path = %loaded.display(), "ONNX Runtime is loaded already");
        }
        Ok(Runtime {
            environment: environment.clone(),
            threads,
        })
    }

    /// Opens the graph at `path`; its weights beside it are mapped. Blocking.
    ///
    /// # Errors
    /// The runtime does not take the graph.
    pub fn open(&self, path: &Path) -> Result<Session, ModelError> {
        self.builder()
            .and_then(|mut builder| builder.commit_from_file(path))
            .map_err(refused(path))
    }

    /// Opens `graph`, whose weights lie in `folder` and are mapped. Blocking.
    ///
    /// # Errors
    /// The runtime does not take the graph.
    pub fn open_graph(&self, graph: &[u8], folder: &Path) -> Result<Session, ModelError> {
        let name = "session.model_external_initializers_file_folder_path";
        let Some(path) = folder.to_str() else {
            return Err(ModelError::file(folder, "the path is no UTF-8"));
        };
        self.builder()
            .and_then(|builder| Ok(builder.with_config_entry(name, path)?))
            .and_then(|mut builder| builder.commit_from_memory(graph))
            .map_err(refused(folder))
    }

    fn builder(&self) -> Result<SessionBuilder, ort::Error> {
        // No memory pattern: it would keep one plan a prompt length. The arena stays: without it each
        // large block goes back to the system and comes anew, which doubled the time of embedding; prompts
        // are read in chunks, and that bounds it.
        // Precise products: before VNNI, x86-64 processors add products of bytes in pairs that saturate at 16 bits, and
        // our activations and weights use all of their 8 bits. No effect where there is nothing to saturate.
        // No spinning: on a board with two to four cores it steals from whoever works.
        Ok(Session::builder(&self.environment)?
            .with_intra_threads(self.threads)?
            .with_inter_threads(1)?
            .with_memory_pattern(false)?
            .with_precise_qmm()?
            .with_intra_op_spinning(false)?
            .with_optimization_level(GraphOptimizationLevel::All)?)
    }
}

/// Has blocks above 128 KiB go back to the system as soon as they are freed.
///
/// Weights are packed anew one by one when a graph is opened, and an index is read in pieces. Each large block that is freed
/// grows glibc's bound above which the next ones are given back, until none is: 37 of a decoder's 226 MiB, and 12 of an
/// index's 82, stayed resident for nothing. A bound that was set does not grow.
fn give_back_large_blocks() {
    #[cfg(target_env = "gnu")]
    #[allow(unsafe_code)]
    // SAFETY: it takes no pointer, and glibc locks what it changes.
    unsafe {
        libc::mallopt(libc::M_MMAP_THRESHOLD, 128 * 1024);
    }
}

fn refused(path: &Path) -> impl Fn(ort::Error) -> ModelError {
    move |error| {
        let reason = format!("ONNX Runtime does not take the graph: {error}");
        ModelError::file(path, reason)
    }
}

impl From<ort::Error> for ModelError {
    fn from(error: ort::Error) -> Self {
        ModelError::Run(error.to_string())
    }
}
