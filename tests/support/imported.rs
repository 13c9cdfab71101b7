//! The language model of the tests, imported as a test asks for it.

use std::fs;
use std::path::PathBuf;

use almanac::model::folder::Manifest;
use almanac::model::import::{Calibration, Precision, Storage, import_decoder};
use almanac::model::recipe::Recipe;
use almanac::types::Digest;

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

/// The decoder imported at `precision` as the product imports it, made once and kept for the next run of the tests.
pub fn decoder(precision: Precision) -> PathBuf {
    stored(precision, false)
}

/// The default decoder with keys and values in 8 bits.
#[allow(dead_code)] // Every test program uses a part of this.
pub fn decoder_with_a_small_cache() -> PathBuf {
    stored(Precision::Int8, true)
}

fn stored(precision: Precision, small_cache: bool) -> PathBuf {
    let recipes = Recipe::built_in().expect("the recipes are right");
    let recipe = recipes.iter().find(|recipe| recipe.name == DECODER);
    let scales = recipe.and_then(Recipe::calibration).expect("measured");
    let digest = &Digest::of(scales).to_string()[..8];
    let calibration =
        Calibration::parse(scales.to_owned(), DECODER.as_ref()).expect("right scales");
    let storage = Storage {
        precision,
        calibration: Some(&calibration),
        small_cache,
    };
    let name = format!(
        "{precision:?}-{digest}{}",
        if small_cache { "-small" } else { "" }
    );
    let out = super::models::folder().join("imported").join(name);
    if Manifest::open(&out).is_err() {
        import_decoder(DECODER, &gguf(), &out, storage, &mut |_, _| {}).expect("imports");
    }
    out
}
