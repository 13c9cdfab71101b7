//! Why a PDF could not be read.

/// Why a PDF gives no document; each variant ends with what the operator can do.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PdfError {
    /// The bytes do not begin as a PDF does.
    #[error("not a PDF: no %PDF- in the first kilobyte; look at the file with `file`")]
    NotPdf,
    /// The structure is damaged beyond what the parser repairs.
    #[error("damaged PDF: {reason}; `qpdf input.pdf output.pdf` or printing it anew may repair it")]
    Damaged {
        /// What was found.
        reason: String,
    },
    /// It opens with a password only; the empty one was tried.
    #[error(
        "encrypted PDF: it needs a password; `qpdf --decrypt --password=... input.pdf output.pdf` removes it"
    )]
    Encrypted,
    /// It is encrypted in a way that is not supported.
    #[error(
        "encrypted PDF: unknown encryption; `qpdf --decrypt input.pdf output.pdf` may remove it"
    )]
    UnknownEncryption,
    /// Its pages are pictures.
    #[error(
        "scanned PDF: {pages} pages of pictures without text; `ocrmypdf input.pdf output.pdf` adds the text"
    )]
    Scanned {
        /// How many pages it has.
        pages: u32,
    },
    /// Its pages hold neither text nor pictures.
    #[error("PDF without text: {pages} pages hold none; check that this is the right file")]
    NoText {
        /// How many pages it has.
        pages: u32,
    },
    /// Its fonts do not say which characters their glyphs stand for.
    #[error(
        "PDF without readable text: {unknown} of {glyphs} glyphs have no character; `ocrmypdf --force-ocr input.pdf output.pdf` reads it from the picture"
    )]
    Unreadable {
        /// Glyphs whose character is unknown.
        unknown: usize,
        /// All glyphs.
        glyphs: usize,
    },
    /// It has more pages than are read.
    #[error(
        "PDF of {pages} pages, at most {limit} are read; split it, for example with `qpdf --split-pages={limit}`"
    )]
    TooManyPages {
        /// How many pages it has.
        pages: usize,
        /// How many are read at most.
        limit: usize,
    },
    /// What its compressed parts unpack to, or what its pages draw, is beyond the bounds.
    #[error("PDF beyond the bounds: {reason}; split it or print it anew")]
    TooBig {
        /// What was found and what the bound is.
        reason: String,
    },
}
