//! Documents into the store, in groups: cut, embedded and committed together, so that many short ones cost
//! few calls of the embedder and few syncs of the disk.

use std::borrow::Cow;
use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use half::f16;
use ndarray::{Array2, ArrayView1, Axis};

use super::dense::Block;
use super::original::Original;
use super::snapshot::Indexed;
use super::store::Stored;
use super::{Change, DocumentEntry, Library, LibraryError, Writer, words};
use crate::documents::{Correction, Document, Passage};
use crate::types::Digest;

/// Passages embedded in one call: enough to keep the runtime busy, few enough for a small memory.
const EMBED_BATCH: usize = 16;

/// Most documents of a group.
const GROUP_DOCUMENTS: usize = 64;

/// Passages from which a group is full, at first and at most: how soon the first progress is told, and how
/// much is lost by a cut.
const GROUP_PASSAGES: [usize; 2] = [16, 256];

/// Bytes of originals and texts from which a group is full.
const GROUP_BYTES: usize = 8 * 1024 * 1024;

/// Groups grow while they take less than this, and shrink where they take four times as long.
const GROUP_TIME: Duration = Duration::from_millis(500);

/// A document that is cut and not embedded yet.
#[derive(Debug)]
struct Member {
    /// Without vectors.
    stored: Stored,
    texts: Vec<String>,
    /// Packed; `None` where the archive has it.
    original: Option<Vec<u8>>,
}

/// Documents that are embedded and committed together.
#[derive(Debug)]
pub(super) struct Group {
    members: Vec<Member>,
    passages: usize,
    bytes: usize,
    full: usize,
}

impl Group {
    /// An empty one.
    pub fn new() -> Self {
        Group {
            members: Vec::new(),
            passages: 0,
            bytes: 0,
            full: GROUP_PASSAGES[0],
        }
    }

    /// Whether it should be committed now.
    pub fn is_full(&self) -> bool {
        self.passages >= self.full
            || self.bytes >= GROUP_BYTES
            || self.members.len() >= GROUP_DOCUMENTS
    }

    /// Whether nothing is in it.
    pub fn is_empty(&self) -> bool {
        self.members.is_empty()
    }

    /// Whether the document `id` is in it.
    pub fn has(&self, id: &str) -> bool {
        self.members
            .iter()
            .any(|member| member.stored.entry.id == id)
    }

    fn push(&mut self, member: Member) {
        self.passages += member.texts.len();
        let texts: usize = member.texts.iter().map(String::len).sum();
        self.bytes += texts + member.original.as_ref().map_or(0, Vec::len);
        self.members.push(member);
    }

    /// Its members; it is empty then.
    fn take(&mut self) -> Vec<Member> {
        (self.passages, self.bytes) = (0, 0);
        std::mem::take(&mut self.members)
    }

    /// Adapts its size to what the last one took.
    fn took(&mut self, time: Duration) {
        let [least, most] = GROUP_PASSAGES;
        if time < GROUP_TIME {
            self.full = (self.full * 2).min(most);
        } else if time > GROUP_TIME * 4 {
            self.full = (self.full / 2).max(least);
        }
    }
}

/// Vectors by the digest of the text that they are of, so that no text is embedded twice; some 60 bytes a
/// passage beside the vectors, which are shared.
#[derive(Debug, Default)]
pub(super) struct Known(HashMap<Digest, (Arc<Block>, usize)>);

impl Known {
    /// The vectors of `documents`.
    pub fn of<'a>(documents: impl Iterator<Item = &'a Arc<Indexed>>) -> Self {
        let mut known = Known::default();
        documents.for_each(|document| known.add(document));
        known
    }

    fn add(&mut self, document: &Indexed) {
        for (row, passage) in document.passages.iter().enumerate() {
            let digest = Digest::of(passage.indexed_text().as_bytes());
            self.0.insert(digest, (Arc::clone(&document.vectors), row));
        }
    }

    /// Adds what `other` knows.
    pub fn add_all(&mut self, other: &Known) {
        let all = other.0.iter();
        self.0
            .extend(all.map(|(text, (vectors, row))| (*text, (Arc::clone(vectors), *row))));
    }

    fn get(&self, digest: &Digest) -> Option<ArrayView1<'_, f16>> {
        let (vectors, row) = self.0.get(digest)?;
        Some(vectors.row(*row))
    }
}

/// A document that was committed.
#[derive(Debug)]
pub(super) struct Taken {
    pub id: String,
    pub change: Change,
    pub passages: usize,
}

impl Taken {
    /// A document that was there already.
    pub fn unchanged(id: &str, passages: usize) -> Self {
        Taken {
            id: id.to_owned(),
            change: Change::Unchanged,
            passages,
        }
    }
}

/// A document that is ready for a store, with its packed original unless the archive has it.
pub(super) type Ready = (Stored, Option<Vec<u8>>);

impl Library {
    /// Puts `document` into `group`; the number of its passages where it is there already.
    pub(super) fn prepare(
        &self,
        document: &Document,
        file: Option<&Path>,
        group: &mut Group,
    ) -> Result<Option<usize>, LibraryError> {
        if let Some(passages) = self.unchanged(document, file)? {
            return Ok(Some(passages));
        }
        let original = Original::pack(document, file);
        let correction = self.correction(&document.id);
        self.cut_into(group, document, file, &correction);
        if let Some(member) = group.members.last_mut() {
            group.bytes += original.len();
            member.original = Some(original);
        }
        Ok(None)
    }

    /// Puts `document`, whose original the archive has, into `group`.
    pub(super) fn cut_into(
        &self,
        group: &mut Group,
        document: &Document,
        file: Option<&Path>,
        correction: &Correction,
    ) {
        let found = &document.tags;
        let mut document = Cow::Borrowed(document);
        if !correction.is_empty() {
            document.to_mut().tags = found.corrected(correction);
        }
        let passages = self.cut_passages(&document);
        let texts: Vec<String> = passages.iter().map(Passage::indexed_text).collect();
        let cut = self.cut();
        group.push(Member {
            stored: Stored {
                entry: DocumentEntry::new(&document, found, passages.len(), file, cut),
                references: document.references.clone(),
                terms: texts.iter().map(|text| terms_of(text)).collect(),
                vectors: Block::default((0, self.embedder.dimension())),
                passages,
            },
            texts,
            original: None,
        });
    }

    /// Commits `group`, which is empty then, without publishing; in the order in which they came.
    pub(super) fn commit(
        &self,
        group: &mut Group,
        known: &mut Known,
    ) -> Result<Vec<Taken>, LibraryError> {
        let begun = Instant::now();
        let documents = self.embedded(group, known)?;
        let mut writer = self.writer();
        writer.store.put(&documents)?;
        let taken = documents.into_iter().map(|(stored, _)| {
            let (id, passages) = (stored.entry.id.clone(), stored.passages.len());
            let older = writer.add(stored, known);
            Taken {
                id,
                change: older.map_or(Change::Added, |_| Change::Replaced),
                passages,
            }
        });
        let taken = taken.collect();
        group.took(begun.elapsed());
        Ok(taken)
    }

    /// The members of `group` with their vectors; it is empty then.
    pub(super) fn embedded(
        &self,
        group: &mut Group,
        known: &Known,
    ) -> Result<Vec<Ready>, LibraryError> {
        let members = group.take();
        let texts: Vec<&str> = members
            .iter()
            .flat_map(|member| member.texts.iter().map(String::as_str))
            .collect();
        let digests: Vec<Digest> = texts
            .iter()
            .map(|text| Digest::of(text.as_bytes()))
            .collect();
        // Each new text once; neighbours of equal length waste no padding.
        let mut new: HashMap<Digest, usize> = HashMap::new();
        let mut order: Vec<usize> = (0..texts.len())
            .filter(|at| known.get(&digests[*at]).is_none())
            .filter(|at| new.insert(digests[*at], *at).is_none())
            .collect();
        order.sort_by_key(|at| texts[*at].len());
        for (row, at) in order.iter().enumerate() {
            new.insert(digests[*at], row);
        }
        let wanted: Vec<&str> = order.iter().map(|at| texts[*at]).collect();
        // Rounded at once, so that a vector that is taken over is the one that would be made.
        let vectors = self.embed(&wanted)?.mapv(f16::from_f32);
        let mut digests = digests.iter();
        let mut ready = Vec::with_capacity(members.len());
        for mut member in members {
            let mut own = Block::default((member.texts.len(), self.embedder.dimension()));
            for (mut row, digest) in own.outer_iter_mut().zip(&mut digests) {
                let embedded = new.get(digest).map(|row| vectors.row(*row));
                if let Some(vector) = known.get(digest).or(embedded) {
                    row.assign(&vector);
                }
            }
            member.stored.vectors = own;
            ready.push((member.stored, member.original));
        }
        Ok(ready)
    }

    /// A unit vector for each of `texts`; blocking.
    pub(super) fn embed(&self, texts: &[&str]) -> Result<Array2<f32>, LibraryError> {
        let dimension = self.embedder.dimension();
        let mut all = Array2::zeros((0, dimension));
        for texts in texts.chunks(EMBED_BATCH) {
            let vectors = self.embedder.embed(texts)?;
            let bad = |found: String| LibraryError::BadVectors {
                found,
                rows: texts.len(),
                dimension,
            };
            if vectors.dim() != (texts.len(), dimension) {
                return Err(bad(format!("a matrix of {:?}", vectors.dim())));
            }
            // Scores and the graph rest on unit length; NaN fails this too.
            let is_unit = |vector: ArrayView1<f32>| (vector.dot(&vector) - 1.0).abs() < 0.01;
            if !vectors.outer_iter().all(is_unit) {
                return Err(bad("vectors that are not of length 1".into()));
            }
            all.append(Axis(0), vectors.view())
                .map_err(|error| bad(error.to_string()))?;
        }
        Ok(all)
    }

    /// The number of passages when `document` is there already, with its original whole; other tags and a
    /// file that moved are noted.
    fn unchanged(
        &self,
        document: &Document,
        file: Option<&Path>,
    ) -> Result<Option<usize>, LibraryError> {
        let mut writer = self.writer();
        let Some(known) = writer.documents.get(&document.id).cloned() else {
            return Ok(None);
        };
        if known.entry.digest != document.digest
            || known.entry.cut != self.cut()
            || !writer.store.archive().is_whole(&document.id)?
        {
            return Ok(None);
        }
        let has_moved = file.is_some() && known.entry.file.as_deref() != file;
        if known.entry.found != document.tags || has_moved {
            let file = file.or(known.entry.file.as_deref());
            let original = Original::pack(document, file);
            writer.retag(&known, document.tags.clone(), file, Some(&original))?;
        }
        Ok(Some(known.entry.passages))
    }

    /// Names the way that documents are cut now.
    fn cut(&self) -> Digest {
        let (size, overlap) = (self.options.max_tokens, self.options.overlap_tokens);
        Digest::of(format!("{size} {overlap}").as_bytes())
    }
}

impl Writer {
    /// Takes in what the store has committed; the older document of its id.
    pub(super) fn add(&mut self, stored: Stored, known: &mut Known) -> Option<Arc<Indexed>> {
        let id = stored.entry.id.clone();
        let indexed = Arc::new(Indexed::new(stored, Arc::make_mut(&mut self.dictionary)));
        known.add(&indexed);
        self.documents.insert(id, indexed)
    }
}

/// The terms of `text` as they are stored.
pub(super) fn terms_of(text: &str) -> String {
    words::terms(text).join(" ")
}
