//! Where the tests find the real models, and what to run when they are not there.

use std::path::PathBuf;

/// The folder that `make test-models` fills: `runtime/`, `sources/<name>/`, `models/<name>/`.
pub fn folder() -> PathBuf {
    let folder = std::env::var_os("ALMANAC_TEST_MODELS").map_or_else(
        || PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("target/test-models"),
        PathBuf::from,
    );
    assert!(
        folder.join("runtime/libonnxruntime.so").is_file(),
        "{} has no models: run `make test-models` once (or `make test`)",
        folder.display()
    );
    folder
}
