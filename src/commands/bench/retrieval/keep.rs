//! An embedder that knows what it has embedded before, in this run or an earlier one.
//!
//! Measures embed the same ten thousand passages again and again; only the vectors of the texts matter
//! to them. What is timed goes around it: see [`Keep::set_live`].

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use ndarray::{Array2, ArrayView1};

use crate::durable;
use crate::model::{Embedder, ModelError, TokenCounter};
use crate::types::Digest;

/// Texts embedded between two writes of the file.
const CHUNK: usize = 256;

/// Vectors by the digest of their text.
type Known = HashMap<[u8; 32], Box<[f32]>>;

/// The embedder with its memory.
pub struct Keep {
    inner: Arc<dyn Embedder>,
    known: Mutex<Known>,
    /// Records of 32 bytes digest and the vector, little-endian.
    file: Option<PathBuf>,
    live: AtomicBool,
}

impl Keep {
    /// Around `inner`; `folder` keeps the vectors for later runs.
    pub fn open(inner: Arc<dyn Embedder>, folder: Option<&Path>) -> anyhow::Result<Self> {
        let mut known = Known::new();
        let mut file = None;
        if let Some(folder) = folder {
            durable::create_folder(folder)?;
            let model = &inner.digest().to_string()[..16];
            let path = folder.join(format!("vectors-{model}.f32"));
            if path.exists() {
                known = parse(&std::fs::read(&path)?, inner.dimension());
                // A run that was killed may have left half a record at the end.
                durable::replace(&path, &records(known.iter()))?;
            }
            file = Some(path);
        }
        Ok(Keep {
            inner,
            known: Mutex::new(known),
            file,
            live: AtomicBool::new(false),
        })
    }

    /// Whether every text is to be embedded, known or not: for timing.
    pub fn set_live(&self, live: bool) {
        self.live.store(live, Ordering::Relaxed);
    }

    /// Takes `vector` for that of `text` from now on, in this run only.
    pub fn insert(&self, text: &str, vector: ArrayView1<'_, f32>) {
        let vector = vector.iter().copied().collect();
        self.known().insert(Digest::of(text.as_bytes()).0, vector);
    }

    /// Embeds those of `texts` that are not known, those of like length together; tells `progress` how many are done.
    pub fn warm(
        &self,
        texts: &[String],
        progress: &mut dyn FnMut(usize, usize),
    ) -> anyhow::Result<()> {
        let mut missing: Vec<&str> = {
            let known = self.known();
            let is_new = |text: &&str| !known.contains_key(&Digest::of(text.as_bytes()).0);
            texts.iter().map(String::as_str).filter(is_new).collect()
        };
        missing.sort_unstable_by_key(|text| (text.len(), *text));
        missing.dedup();
        let total = missing.len();
        for (index, chunk) in missing.chunks(CHUNK).enumerate() {
            let vectors = self.inner.embed(chunk)?;
            let mut new = Known::new();
            for (text, vector) in chunk.iter().zip(vectors.outer_iter()) {
                new.insert(
                    Digest::of(text.as_bytes()).0,
                    vector.iter().copied().collect(),
                );
            }
            if let Some(file) = &self.file {
                durable::append(file, &records(new.iter()))?;
            }
            self.known().extend(new);
            progress((index * CHUNK + chunk.len()).min(total), total);
        }
        Ok(())
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        // Each entry is put in whole.
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn records<'a>(known: impl Iterator<Item = (&'a [u8; 32], &'a Box<[f32]>)>) -> Vec<u8> {
    let mut bytes = Vec::new();
    for (digest, vector) in known {
        bytes.extend_from_slice(digest);
        bytes.extend(vector.iter().flat_map(|value| value.to_le_bytes()));
    }
    bytes
}

fn parse(bytes: &[u8], dimension: usize) -> Known {
    let mut known = Known::new();
    for record in bytes.chunks_exact(32 + 4 * dimension) {
        let (digest, vector) = record.split_at(32);
        let Ok(digest) = digest.try_into() else {
            continue;
        };
        let vector = vector
            .chunks_exact(4)
            .map(|bytes| f32::from_le_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]));
        known.insert(digest, vector.collect());
    }
    known
}

impl TokenCounter for Keep {
    fn count(&self, text: &str) -> usize {
        self.inner.count(text)
    }
}

impl Embedder for Keep {
    fn dimension(&self) -> usize {
        self.inner.dimension()
    }

    fn max_tokens(&self) -> usize {
        self.inner.max_tokens()
    }

    fn digest(&self) -> Digest {
        self.inner.digest()
    }

    fn embed(&self, texts: &[&str]) -> Result<Array2<f32>, ModelError> {
        if self.live.load(Ordering::Relaxed) {
            return self.inner.embed(texts);
        }
        let digests: Vec<[u8; 32]> = texts
            .iter()
            .map(|text| Digest::of(text.as_bytes()).0)
            .collect();
        let is_new = |at: &usize| !self.known().contains_key(&digests[*at]);
        let missing: Vec<usize> = (0..texts.len()).filter(is_new).collect();
        let mut vectors = Array2::zeros((texts.len(), self.dimension()));
        if !missing.is_empty() {
            let texts: Vec<&str> = missing.iter().map(|at| texts[*at]).collect();
            let found = self.inner.embed(&texts)?;
            for (at, vector) in missing.iter().zip(found.outer_iter()) {
                let vector = vector.iter().copied().collect();
                self.known().insert(digests[*at], vector);
            }
        }
        let known = self.known();
        for (digest, mut row) in digests.iter().zip(vectors.outer_iter_mut()) {
            if let Some(vector) = known.get(digest) {
                row.assign(&ArrayView1::from(&vector[..]));
            }
        }
        Ok(vectors)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::library::testing::HashingEmbedder;

    #[test]
    fn what_was_embedded_once_is_known_in_the_next_run() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let inner = HashingEmbedder::new("test");
        let text = "Plant maize deep.".to_owned();
        let wanted = inner.embed(&[&text]).expect("embedded");
        let keep = Keep::open(inner, Some(folder.path())).expect("open");
        let mut told = 0;
        let texts = [text.clone(), text.clone()];
        keep.warm(&texts, &mut |done, _| told = done)
            .expect("warmed");
        assert_eq!(told, 1, "a text that stands twice is embedded once");
        let file = std::fs::read_dir(folder.path()).expect("a folder").next();
        let file = file.expect("a file").expect("readable").path();
        durable::append(&file, b"half a record").expect("writable");

        let broken = HashingEmbedder::new("test");
        broken.set_broken(true);
        let keep = Keep::open(broken, Some(folder.path())).expect("open");
        assert_eq!(keep.embed(&[&text]).expect("known"), wanted);
        assert!(keep.embed(&["new"]).is_err());
        keep.set_live(true);
        assert!(keep.embed(&[&text]).is_err(), "live: nothing is remembered");
    }
}
