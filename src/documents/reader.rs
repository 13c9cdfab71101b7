//! The reader trait, the list of readers, and the checks that hold for every format.

use std::path::Path;

use super::front_matter::{self, FrontMatter};
use super::{Document, DocumentError, MarkdownReader, PlainTextReader, Reference, Section, crops};
use crate::durable::FileError;
use crate::types::Digest;

/// Largest file that is read: 64 MiB, so that one file cannot exhaust the box's memory.
pub const MAX_DOCUMENT_BYTES: u64 = 64 * 1024 * 1024;

/// Longest id, in bytes: it is part of every key in the store.
const MAX_ID_BYTES: usize = 512;

/// A file's text, with the front matter taken off.
#[derive(Clone, Copy, Debug)]
pub struct Source<'a> {
    /// Where the file is, for messages and as a title of last resort.
    pub path: &'a Path,
    /// The text after the front matter.
    pub text: &'a str,
}

/// What a reader finds in the text.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Content {
    /// The text's own title, where it has one.
    pub title: Option<String>,
    /// Sections with at least one block each.
    pub sections: Vec<Section>,
    /// Footnotes.
    pub references: Vec<Reference>,
}

/// Reads one format; knows nothing of files, limits and front matter.
pub trait DocumentReader: Send + Sync {
    /// Extensions that it reads, lower-case, without the dot.
    fn extensions(&self) -> &'static [&'static str];

    /// The sections and references of `source`; never fails, any text is some document.
    fn read(&self, source: Source<'_>) -> Content;
}

static READERS: [&dyn DocumentReader; 2] = [&MarkdownReader, &PlainTextReader];

/// The reader for the extension of `path`.
///
/// # Errors
/// No reader knows the extension.
pub fn reader_for(path: &Path) -> Result<&'static dyn DocumentReader, DocumentError> {
    let extension = path
        .extension()
        .map(|extension| extension.to_string_lossy().to_lowercase())
        .unwrap_or_default();
    READERS
        .into_iter()
        .find(|reader| reader.extensions().contains(&extension.as_str()))
        .ok_or_else(|| DocumentError::UnknownFormat {
            path: path.to_owned(),
            extension,
            known: READERS
                .iter()
                .flat_map(|reader| reader.extensions())
                .copied()
                .collect::<Vec<_>>()
                .join(", "),
        })
}

/// Whether there is a reader for the extension of `path`.
pub fn is_supported(path: &Path) -> bool {
    reader_for(path).is_ok()
}

/// Reads the file at `path` as the document `id` (unless its front matter names another); blocking.
///
/// # Errors
/// See [`DocumentError`]; the size is checked before the file is read.
pub fn read_file(path: &Path, id: &str) -> Result<Document, DocumentError> {
    reader_for(path)?;
    let metadata = std::fs::metadata(path).map_err(FileError::at("look at", path))?;
    check_size(path, metadata.len())?;
    let bytes = std::fs::read(path).map_err(FileError::at("read", path))?;
    read_bytes(path, id, &bytes)
}

/// As [`read_file`], from `bytes`; `path` names the format and stands in messages.
///
/// # Errors
/// As [`read_file`], without those of the file system.
pub fn read_bytes(path: &Path, id: &str, bytes: &[u8]) -> Result<Document, DocumentError> {
    let reader = reader_for(path)?;
    check_size(path, bytes.len() as u64)?;
    let text = utf8(path, bytes)?;
    let (matter, text) = front_matter::split(path, text)?;
    let content = reader.read(Source { path, text });
    if content.sections.is_empty() {
        return Err(DocumentError::Empty {
            path: path.to_owned(),
        });
    }
    assemble(path, id, matter, content, Digest::of(bytes))
}

fn assemble(
    path: &Path,
    id: &str,
    matter: FrontMatter,
    content: Content,
    digest: Digest,
) -> Result<Document, DocumentError> {
    let id = checked_id(path, matter.id.unwrap_or_else(|| id.replace('\\', "/")))?;
    let file_name = || {
        path.file_stem()
            .map_or_else(|| id.clone(), |stem| stem.to_string_lossy().into_owned())
    };
    let mut crops: Vec<String> = Vec::new();
    for crop in matter.crops.0 {
        let crop = crops::canonical(&crop);
        if !crops.contains(&crop) {
            crops.push(crop);
        }
    }
    Ok(Document {
        title: matter.title.or(content.title).unwrap_or_else(file_name),
        id,
        place: matter.place,
        crops,
        topics: matter.topics.0,
        date: matter.date,
        source: matter.source,
        licence: matter.licence,
        sections: content.sections,
        references: content.references,
        digest,
    })
}

fn checked_id(path: &Path, id: String) -> Result<String, DocumentError> {
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

fn check_size(path: &Path, bytes: u64) -> Result<(), DocumentError> {
    if bytes > MAX_DOCUMENT_BYTES {
        return Err(DocumentError::TooLarge {
            path: path.to_owned(),
            bytes,
            limit: MAX_DOCUMENT_BYTES,
        });
    }
    Ok(())
}

fn utf8<'a>(path: &Path, bytes: &'a [u8]) -> Result<&'a str, DocumentError> {
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    std::str::from_utf8(bytes).map_err(|error| {
        let offset = error.valid_up_to();
        DocumentError::NotUtf8 {
            path: path.to_owned(),
            line: 1 + bytes[..offset]
                .iter()
                .filter(|byte| **byte == b'\n')
                .count(),
            offset,
        }
    })
}

#[cfg(test)]
mod tests {
    use super::super::Body;
    use super::*;

    /// What every reader promises; `reader` gets the same text in its own format.
    fn contract(reader: &dyn DocumentReader, path: &str, text: &str) {
        let source = |text| Source {
            path: Path::new(path),
            text,
        };
        let content = reader.read(source(text));
        let headings: Vec<_> = content.sections.iter().map(Section::heading).collect();
        assert_eq!(headings, ["Maize", "Depth"], "{path}");
        assert!(content.sections.iter().all(|s| !s.blocks.is_empty()));
        assert_eq!(
            content.sections[1].blocks,
            [
                Body::Paragraph("Plant 2.5 cm deep, in two lines.".into()).into(),
                Body::List(vec!["clay: 3 cm".into(), "sand: 5 cm".into()]).into(),
            ],
            "{path}"
        );
        assert_eq!(reader.read(source(text)), content, "reading is repeatable");
        assert_eq!(reader.read(source("")), Content::default());
        assert!(reader.read(source(" \n\n\t\n")).sections.is_empty());
        for hostile in [
            "\u{0}",
            "#",
            "====",
            "- ",
            "| |",
            "[^x]",
            "---",
            "\u{feff}\r\r\n",
        ] {
            let content = reader.read(source(hostile));
            assert!(content.sections.iter().all(|s| !s.blocks.is_empty()));
        }
        let deep = "> ".repeat(5_000) + "text";
        reader.read(source(&deep));
    }

    #[test]
    fn every_reader_keeps_the_contract() {
        contract(
            &MarkdownReader,
            "a.md",
            "# Maize\n\nAll about maize.\n\n## Depth\n\nPlant 2.5 cm deep,\nin two lines.\n\n- clay: 3 cm\n- sand: 5 cm\n",
        );
        contract(
            &PlainTextReader,
            "a.txt",
            "Maize\n=====\n\nAll about maize.\n\nDepth\n-----\n\nPlant 2.5 cm deep,\nin two lines.\n\n- clay: 3 cm\n- sand: 5 cm\n",
        );
    }

    #[test]
    fn a_bad_byte_is_named_with_its_line() {
        let error = read_bytes(Path::new("a.md"), "a.md", b"# One\ntwo\n\xff").expect_err("bad");
        assert!(error.to_string().starts_with("a.md, line 3: not UTF-8"));
    }

    #[test]
    fn an_unknown_extension_lists_those_that_are_read() {
        let error = read_bytes(Path::new("a.docx"), "a", b"x").expect_err("unknown");
        assert!(error.to_string().contains("md, markdown, txt"), "{error}");
    }

    #[test]
    fn a_file_without_text_is_refused() {
        for text in ["", "\n \n", "---\ntitle: A\n---\n", "# Only a heading\n"] {
            let result = read_bytes(Path::new("a.md"), "a.md", text.as_bytes());
            assert!(
                matches!(result, Err(DocumentError::Empty { .. })),
                "{text:?}"
            );
        }
    }

    #[test]
    fn a_file_over_the_limit_is_refused_before_it_is_read() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let path = folder.path().join("a.txt");
        let file = std::fs::File::create(&path).expect("writable");
        file.set_len(MAX_DOCUMENT_BYTES + 1).expect("sparse");
        let error = read_file(&path, "a.txt").expect_err("too large");
        assert!(matches!(error, DocumentError::TooLarge { .. }));
    }

    #[test]
    fn an_id_of_the_front_matter_replaces_the_path() {
        let document = read_bytes(Path::new("a.md"), "x/a.md", b"---\nid: d1\n---\nText.\n");
        assert_eq!(document.expect("readable").id, "d1");
        let bad = read_bytes(Path::new("a.md"), "x\u{0}y", b"Text.");
        assert!(matches!(bad, Err(DocumentError::BadId { .. })));
    }
}
