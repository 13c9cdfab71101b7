//! The reader trait, the list of readers, and the checks that hold for every format.

use std::path::Path;

use super::outline::MAX_LEVEL;
use super::tags::Tags;
use super::{
    CsvReader, Document, DocumentError, HtmlReader, MarkdownReader, Metadata, PdfReader,
    PlainTextReader, Reference, Section, XmlReader, characters, clipped, collection, front_matter,
    one_line,
};
use crate::durable::FileError;
use crate::types::Digest;

/// Largest file that is read whole: 64 MiB, so that one file cannot exhaust the box's memory.
pub const MAX_DOCUMENT_BYTES: u64 = 64 * 1024 * 1024;

/// Longest id, in bytes: it is part of every key in the store.
const MAX_ID_BYTES: usize = 512;

/// Longest reference, in characters.
const MAX_REFERENCE_CHARS: usize = 2_000;

/// A file's bytes, of an allowed size.
#[derive(Clone, Copy, Debug)]
pub struct Source<'a> {
    /// Where the file is, for messages.
    pub path: &'a Path,
    /// All of it.
    pub bytes: &'a [u8],
}

impl<'a> Source<'a> {
    /// The bytes as text, without a byte order mark.
    ///
    /// # Errors
    /// They are not UTF-8; with the line of the first that is not.
    pub fn text(&self) -> Result<&'a str, DocumentError> {
        let bytes = self.bytes;
        let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
        std::str::from_utf8(bytes).map_err(|error| {
            let offset = error.valid_up_to();
            let lines = bytes[..offset].iter().filter(|byte| **byte == b'\n');
            DocumentError::NotUtf8 {
                path: self.path.to_owned(),
                line: 1 + lines.count(),
                offset,
            }
        })
    }

    /// As [`Source::text`], with the front matter read and taken off.
    pub(super) fn text_after_front_matter(&self) -> Result<(Metadata, &'a str), DocumentError> {
        front_matter::split(self.path, self.text()?)
    }

    /// The error that the file is no `format`.
    pub(super) fn malformed(
        &self,
        format: &'static str,
        reason: impl Into<String>,
    ) -> DocumentError {
        DocumentError::Malformed {
            path: self.path.to_owned(),
            format,
            reason: reason.into(),
        }
    }
}

/// What a reader finds in a file.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Content {
    /// What the file says of itself.
    pub metadata: Metadata,
    /// Sections with at least one block each.
    pub sections: Vec<Section>,
    /// Footnotes and bibliography.
    pub references: Vec<Reference>,
}

/// Reads one format from bytes; knows nothing of the file system, tags and the library.
pub trait DocumentReader: Send + Sync {
    /// Extensions that it reads, lower-case, without the dot.
    fn extensions(&self) -> &'static [&'static str];

    /// What stands in `source`; no sections where there is no text; blocking.
    ///
    /// # Errors
    /// The bytes are not of the format, or break one of its limits.
    fn read(&self, source: Source<'_>) -> Result<Content, DocumentError>;
}

static READERS: [&dyn DocumentReader; 6] = [
    &MarkdownReader,
    &PlainTextReader,
    &HtmlReader,
    &XmlReader,
    &CsvReader,
    &PdfReader,
];

/// The reader for the extension of `path`.
///
/// # Errors
/// No reader knows the extension.
pub fn reader_for(path: &Path) -> Result<&'static dyn DocumentReader, DocumentError> {
    let extension = extension(path);
    READERS
        .into_iter()
        .find(|reader| reader.extensions().contains(&extension.as_str()))
        .ok_or_else(|| DocumentError::UnknownFormat {
            path: path.to_owned(),
            extension,
            known: READERS
                .iter()
                .flat_map(|reader| reader.extensions())
                .chain(collection::EXTENSIONS)
                .copied()
                .collect::<Vec<_>>()
                .join(", "),
        })
}

/// The extension of `path`, lower-case.
pub(super) fn extension(path: &Path) -> String {
    path.extension()
        .map(|extension| extension.to_string_lossy().to_lowercase())
        .unwrap_or_default()
}

/// Whether `path` is named as a file that can be read.
pub fn is_supported(path: &Path) -> bool {
    reader_for(path).is_ok() || collection::is_documents(path)
}

/// Reads the file at `path`, of one document, as the document `id` (unless it names another); blocking.
///
/// # Errors
/// See [`DocumentError`]; the size is checked before the file is read.
pub fn read_file(path: &Path, id: &str) -> Result<Document, DocumentError> {
    read_tagged(path, id, Tags::default())
}

/// As [`read_file`], with what its folder says of it.
pub(super) fn read_tagged(path: &Path, id: &str, folder: Tags) -> Result<Document, DocumentError> {
    reader_for(path)?;
    let metadata = std::fs::metadata(path).map_err(FileError::at("look at", path))?;
    check_size(path, metadata.len())?;
    let bytes = std::fs::read(path).map_err(FileError::at("read", path))?;
    read(
        Source {
            path,
            bytes: &bytes,
        },
        id,
        folder,
    )
}

/// As [`read_file`], from `bytes`; `path` names the format and stands in messages.
///
/// # Errors
/// As [`read_file`], without those of the file system.
pub fn read_bytes(path: &Path, id: &str, bytes: &[u8]) -> Result<Document, DocumentError> {
    read(Source { path, bytes }, id, Tags::default())
}

fn read(source: Source<'_>, id: &str, folder: Tags) -> Result<Document, DocumentError> {
    let Source { path, bytes } = source;
    let reader = reader_for(path)?;
    check_size(path, bytes.len() as u64)?;
    let content = reader.read(source)?;
    if content.sections.is_empty() {
        return Err(DocumentError::Empty {
            path: path.to_owned(),
        });
    }
    let stem = path.file_stem().map(|stem| stem.to_string_lossy());
    let title = stem.map_or_else(|| id.to_owned(), std::borrow::Cow::into_owned);
    let given = Given {
        id,
        title: &title,
        folder,
    };
    assemble(path, given, content, Digest::of(bytes))
}

/// What is known of a document besides its content.
#[derive(Clone, Debug)]
pub(super) struct Given<'a> {
    /// Its id, unless it has another of its own.
    pub id: &'a str,
    /// Its title, unless it has one of its own.
    pub title: &'a str,
    /// What its folder says of it.
    pub folder: Tags,
}

pub(super) fn assemble(
    path: &Path,
    given: Given<'_>,
    content: Content,
    digest: Digest,
) -> Result<Document, DocumentError> {
    let metadata = content.metadata.bounded();
    let title = metadata.title.clone();
    let mut title = title.unwrap_or_else(|| one_line(given.title));
    characters::settle(&mut title);
    let mut sections = content.sections;
    sections.iter_mut().for_each(characters::settle_section);
    let sections = under(&title, sections);
    let tags = Tags::find(&metadata, given.folder, &title, &sections);
    let id = metadata.id.unwrap_or_else(|| given.id.replace('\\', "/"));
    Ok(Document {
        id: checked_id(path, id)?,
        sections,
        title,
        authors: metadata.authors,
        tags,
        date: metadata.date,
        source: metadata.source,
        licence: metadata.licence,
        language: metadata.language,
        pages: metadata.pages,
        references: content.references.into_iter().map(bounded).collect(),
        digest,
    })
}

/// `sections` without the title over them, levels without gaps: one tree for one text in any format.
fn under(title: &str, mut sections: Vec<Section>) -> Vec<Section> {
    for section in &mut sections {
        let repeats = |heading: &String| heading.to_lowercase() == title.to_lowercase();
        if section.headings.first().is_some_and(repeats) {
            section.headings.remove(0);
        }
        let depth = u8::try_from(section.headings.len());
        section.level = depth.unwrap_or(MAX_LEVEL).min(MAX_LEVEL);
    }
    sections
}

fn bounded(mut reference: Reference) -> Reference {
    characters::settle(&mut reference.text);
    Reference {
        label: clipped(&reference.label, MAX_REFERENCE_CHARS),
        text: clipped(&reference.text, MAX_REFERENCE_CHARS),
    }
}

/// `id`, if it can be the key of a document.
pub(super) fn checked_id(path: &Path, id: String) -> Result<String, DocumentError> {
    let reason = if id.trim().is_empty() {
        "is empty"
    } else if id.len() > MAX_ID_BYTES {
        "is longer than 512 bytes"
    } else if id.chars().any(char::is_control) {
        "holds a control character"
    } else {
        return Ok(id);
    };
    Err(DocumentError::BadId {
        path: path.to_owned(),
        id,
        reason,
    })
}

pub(super) fn check_size(path: &Path, bytes: u64) -> Result<(), DocumentError> {
    if bytes > MAX_DOCUMENT_BYTES {
        return Err(DocumentError::TooLarge {
            path: path.to_owned(),
            bytes,
            limit: MAX_DOCUMENT_BYTES,
        });
    }
    Ok(())
}

#[cfg(test)]
#[path = "reader_tests.rs"]
mod tests;
