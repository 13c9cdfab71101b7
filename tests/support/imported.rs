//! The language model of the tests, imported as a test asks for it.

use std::fs;
use std::path::PathBuf;

use almanac::model::folder::Manifest;
use almanac::model::import::{Precision, import_decoder};

/// Its name.
pub const DECODER: &str = "smollm2-135m-instruct";

fn gguf() -> PathBuf {
    let folder = super::models::folder().join("sources").join(DECODER);
    let files = fs::read_dir(&folder).expect("the decoder's source is fetched");
    files
        .map(|entry| entry.expect("readable").path())
        .find(|path| {
            path.extension()
                .is_some_and(|extension| extension == "gguf")
        })
        .expect("a GGUF file")
}

/// The decoder imported at `precision`, made once and kept for the next run of the tests.
pub fn decoder(precision: Precision) -> PathBuf {
    let out = super::models::folder().join(format!("imported/{precision:?}"));
    if Manifest::open(&out).is_err() {
        import_decoder(DECODER, &gguf(), &out, precision, &mut |_, _| {}).expect("imports");
    }
    out
}
