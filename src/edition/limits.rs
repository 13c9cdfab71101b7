//! How large an edition may be, and where its files may lie: what bounds a hostile manifest.

use std::collections::BTreeSet;
use std::path::Path;

use super::manifest::{Manifest, Role};

/// Longest manifest, bytes; looked at before anything is parsed.
pub const MANIFEST_BYTES: u64 = 4 * 1024 * 1024;
/// Most files.
const FILES: usize = 20_000;
/// Longest file, bytes.
const FILE_BYTES: u64 = 16 * 1024 * 1024 * 1024;
/// Longest path, bytes.
const PATH_BYTES: usize = 200;
/// Most folders in one another.
const PATH_DEPTH: usize = 8;
/// Most golden questions.
const GOLDEN: usize = 100;
/// Longest golden question or fact, bytes.
const GOLDEN_BYTES: usize = 2_000;
/// Longest name, bytes.
const NAME_BYTES: usize = 100;
/// Longest free text, bytes.
const NOTES_BYTES: usize = 64 * 1024;
/// Most keys that one edition changes.
const KEYS: usize = 16;
/// The list of a model's files, in its folder.
pub const MODEL_LIST: &str = "model.toml";

/// The message for a manifest of `found` bytes.
pub fn too_long(found: u64, most: u64) -> String {
    format!("the manifest has {found} bytes, at most {most} are read")
}

/// Holds every size and every path of `manifest` against its bound.
///
/// # Errors
/// The first that is out of bounds.
pub fn check(manifest: &Manifest) -> Result<(), String> {
    let most = |what: &str, found: usize, most: usize| match found > most {
        true => Err(format!("{what}: {found}, at most {most}")),
        false => Ok(()),
    };
    most("bytes of the name", manifest.name.len(), NAME_BYTES)?;
    most("bytes of the notes", manifest.notes.len(), NOTES_BYTES)?;
    most("files", manifest.files.len(), FILES)?;
    most("golden questions", manifest.golden.len(), GOLDEN)?;
    let keys = manifest.keys.add.len() + manifest.keys.retire.len();
    most("changed keys", keys, KEYS)?;
    if manifest.name.chars().any(char::is_control) {
        return Err("the name has control characters".into());
    }
    for golden in &manifest.golden {
        let facts = golden.facts.iter().map(String::len).sum::<usize>();
        let what = "bytes of a golden question with its facts";
        most(what, golden.question.len() + facts, GOLDEN_BYTES)?;
    }
    if let Some(threshold) = manifest.thresholds.refuse_below
        && !(0.0..=1.0).contains(&threshold)
    {
        return Err(format!("refuse_below is {threshold}, expected 0 to 1"));
    }
    check_files(manifest)
}

fn check_files(manifest: &Manifest) -> Result<(), String> {
    let mut paths = BTreeSet::new();
    let mut lengths = std::collections::BTreeMap::new();
    for file in &manifest.files {
        if file.length > FILE_BYTES {
            return Err(format!(
                "{} has {} bytes, at most {FILE_BYTES}",
                file.path.display(),
                file.length
            ));
        }
        check_path(&file.path, file.role)?;
        if !paths.insert(file.path.as_path()) {
            return Err(format!("{} is named twice", file.path.display()));
        }
        if *lengths.entry(file.sha256).or_insert(file.length) != file.length {
            return Err(format!("{} is named with two lengths", file.sha256));
        }
    }
    // A file cannot lie in a file.
    for path in &paths {
        let mut above = path.ancestors().skip(1);
        if above.any(|above| paths.contains(above)) {
            return Err(format!("{} lies in another file", path.display()));
        }
    }
    Ok(())
}

fn check_path(path: &Path, role: Role) -> Result<(), String> {
    let shown = path.display();
    let Some(text) = path.to_str() else {
        return Err(format!("the path {path:?} is no text"));
    };
    if text.len() > PATH_BYTES || path.components().count() > PATH_DEPTH {
        return Err(format!(
            "the path {shown} is too long or too deep; at most {PATH_BYTES} bytes and {PATH_DEPTH} names"
        ));
    }
    if text.chars().any(|c| c.is_control() || c == '\\') {
        return Err(format!(
            "the path {path:?} has control characters or backslashes"
        ));
    }
    // `a//b` and `a/./b` would be second names of `a/b`.
    if text
        .split('/')
        .any(|name| name.is_empty() || name == "." || name == "..")
    {
        return Err(format!("the path {shown} is not plain"));
    }
    let (folder, depth) = match role {
        Role::Decoder | Role::Embedder => ("models", 3),
        Role::Adapter => ("adapters", 2),
        Role::Document => ("documents", 0),
        Role::Runtime => {
            return Err(format!(
                "{shown}: the runtime belongs to the box's own installation, not to an edition"
            ));
        }
    };
    let found = path.components().count();
    if !path.starts_with(folder) || found < 2 || (depth != 0 && found != depth) {
        let role = format!("{role:?}").to_lowercase();
        return Err(format!(
            "the path {shown} is not one of the role {role}: expected {folder}/..."
        ));
    }
    Ok(())
}
