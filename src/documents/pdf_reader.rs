//! The seam between the PDF room and the list of readers.

use super::pdf::read_pdf;
use super::reader::{Content, Source};
use super::{DocumentError, DocumentReader, Metadata};

/// Reads `.pdf` files that have text; every block carries its page.
#[derive(Clone, Copy, Debug, Default)]
pub struct PdfReader;

impl DocumentReader for PdfReader {
    fn extensions(&self) -> &'static [&'static str] {
        &["pdf"]
    }

    fn read(&self, source: Source<'_>) -> Result<Content, DocumentError> {
        let found = read_pdf(source.bytes).map_err(|error| DocumentError::Pdf {
            path: source.path.to_owned(),
            error,
        })?;
        Ok(Content {
            metadata: Metadata {
                title: found.title,
                authors: found.authors,
                date: found.date,
                language: found.language,
                pages: Some(found.pages),
                ..Metadata::default()
            },
            sections: found.sections,
            references: found.references,
        })
    }
}
