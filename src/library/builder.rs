//! The thread that builds the graph of the current snapshot while searches go on with the scan.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;

use super::graph::GraphSearch;
use super::measure;
use super::snapshot::{Graph, Snapshot, Snapshots};
use crate::config::DenseMode;

/// Vectors from which `auto` builds a graph. At 10,000 of 384 values the scan was still faster than the
/// graph (1.1 against 1.7 ms), and at 100,000 it takes 3 ms where hora takes an hour of one core to build.
const AUTO_FLOOR: usize = 200_000;

/// Vectors from which `graph` builds one: below, hora has too little to link.
const GRAPH_FLOOR: usize = 256;

/// A running builder; dropping it stops it within a fraction of a second.
pub struct GraphBuilder {
    snapshots: Arc<Snapshots>,
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl GraphBuilder {
    /// Starts the thread, unless vectors are only to be scanned; `folder` keeps the built graph.
    ///
    /// Where the system gives no thread the library goes on with the scan.
    pub fn start(snapshots: &Arc<Snapshots>, folder: &Path) -> Option<Self> {
        if snapshots.mode() == DenseMode::Exact {
            return None;
        }
        let stop = Arc::new(AtomicBool::new(false));
        let work = Work {
            snapshots: Arc::clone(snapshots),
            stop: Arc::clone(&stop),
            folder: folder.to_owned(),
        };
        let thread = std::thread::Builder::new()
            .name("library-graph".into())
            .spawn(move || work.run())
            .ok()?;
        Some(GraphBuilder {
            snapshots: Arc::clone(snapshots),
            stop,
            thread: Some(thread),
        })
    }
}

impl Drop for GraphBuilder {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        self.snapshots.wake_builder();
        if let Some(thread) = self.thread.take() {
            // Panics of hora are caught where it is called; whatever else broke, the library is closing.
            let _ = thread.join();
        }
    }
}

struct Work {
    snapshots: Arc<Snapshots>,
    stop: Arc<AtomicBool>,
    folder: PathBuf,
}

impl Work {
    fn run(&self) {
        let mut seen = 0;
        while !self.stop.load(Ordering::Relaxed) {
            let snapshot = self.snapshots.current();
            if self.is_wanted(&snapshot) {
                self.provide(&snapshot);
            }
            seen = self.snapshots.wait(seen);
        }
    }

    fn is_wanted(&self, snapshot: &Snapshot) -> bool {
        let floor = match self.snapshots.mode() {
            DenseMode::Graph => GRAPH_FLOOR,
            _ => AUTO_FLOOR,
        };
        snapshot.len() >= floor && self.snapshots.graph_of(snapshot).is_none()
    }

    /// Loads or builds the graph of `snapshot`; when that fails the scan stays in use.
    fn provide(&self, snapshot: &Snapshot) {
        let (vectors, fingerprint) = (snapshot.vectors(), snapshot.fingerprint());
        let search = match GraphSearch::load(&self.folder, fingerprint, vectors) {
            Ok(search) => search,
            Err(_) => match GraphSearch::build(vectors, &self.stop) {
                Ok(mut search) => {
                    // The file only saves the next build: without it everything works.
                    if let Err(error) = search.save(&self.folder, fingerprint) {
                        tracing::warn!(%error, "the graph cannot be kept");
                    }
                    search
                }
                Err(error) => {
                    tracing::warn!(%error, "no graph was built, vectors are scanned");
                    return;
                }
            },
        };
        let probe = measure::probe(vectors, &search);
        self.snapshots.set_graph(Graph {
            search: Arc::new(search),
            fingerprint,
            probe,
        });
    }
}
