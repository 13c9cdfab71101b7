//! Edition 0: what a fresh box makes for itself, so that everything that names an edition works.

use std::path::Path;

use super::{Edition, EditionError, FileEntry, Golden, Manifest, Role};
use crate::durable;

/// What a command changes in edition 0; what is open stays as it is.
#[derive(Clone, Debug, Default)]
pub struct Change {
    /// The files of these roles are replaced by these files.
    pub files: Option<(Vec<Role>, Vec<FileEntry>)>,
    /// The golden questions.
    pub golden: Option<Vec<Golden>>,
    /// Relevance under which the box refuses.
    pub refuse_below: Option<f32>,
}

/// Makes edition 0 where it is missing, applies `change`, and makes it current on a box that has no
/// edition; durable when it returns. Blocking.
///
/// # Errors
/// A file cannot be read or written, or the manifest that is there cannot be used.
pub fn ensure(state: &Path, change: Change) -> Result<Edition, EditionError> {
    let folder = state.join("editions/0");
    durable::create_folder(&folder)?;
    let written = folder.join(super::manifest::FILE_NAME).is_file();
    let before = if written {
        Manifest::read(&folder)?
    } else {
        Manifest::new(0, "edition 0")
    };
    let mut manifest = before.clone();
    if let Some((roles, files)) = change.files {
        manifest.files.retain(|file| !roles.contains(&file.role));
        manifest.files.extend(files);
    }
    if let Some(golden) = change.golden {
        manifest.golden = golden;
    }
    if change.refuse_below.is_some() {
        manifest.thresholds.refuse_below = change.refuse_below;
    }
    if !written || manifest != before {
        manifest.write(&folder)?;
    }
    if Edition::current(state)?.is_none() {
        durable::replace_link(&state.join("current"), Path::new("editions/0"))?;
    }
    Ok(Edition { folder, manifest })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::types::Digest;

    fn file(role: Role, path: &str) -> FileEntry {
        FileEntry {
            role,
            path: path.into(),
            length: 1,
            sha256: Digest::of(path.as_bytes()),
            base: None,
        }
    }

    fn golden(question: &str) -> Golden {
        Golden {
            question: question.into(),
            ..Golden::default()
        }
    }

    #[test]
    fn a_fresh_box_gets_edition_0_as_its_current_one() {
        let state = tempfile::tempdir().expect("a temporary folder");
        assert_eq!(Edition::current(state.path()).expect("readable"), None);
        let made = ensure(state.path(), Change::default()).expect("writable");
        let current = Edition::current(state.path())
            .expect("readable")
            .expect("one");
        assert_eq!(current.manifest, made.manifest);
        assert_eq!(Edition::list(state.path()).expect("readable").len(), 1);
    }

    #[test]
    fn each_command_changes_only_its_own_part() {
        let state = tempfile::tempdir().expect("a temporary folder");
        let change = |files, golden| Change {
            files,
            golden,
            refuse_below: None,
        };
        let decoder = || (vec![Role::Decoder], vec![file(Role::Decoder, "models/a")]);
        ensure(state.path(), change(Some(decoder()), None)).expect("writable");
        ensure(state.path(), change(None, Some(vec![golden("Why?")]))).expect("writable");
        let embedder = (vec![Role::Embedder], vec![file(Role::Embedder, "models/b")]);
        ensure(state.path(), change(Some(embedder), None)).expect("writable");
        let last = ensure(state.path(), change(Some(decoder()), None)).expect("writable");
        assert_eq!(last.manifest.golden, [golden("Why?")]);
        let roles: Vec<Role> = last.manifest.files.iter().map(|file| file.role).collect();
        assert_eq!(roles, [Role::Embedder, Role::Decoder]);
    }

    #[test]
    fn a_box_on_a_later_edition_is_not_moved_back() {
        let state = tempfile::tempdir().expect("a temporary folder");
        let later = state.path().join("editions/7");
        durable::create_folder(&later).expect("writable");
        Manifest::new(7, "spring").write(&later).expect("writable");
        durable::replace_link(&state.path().join("current"), Path::new("editions/7"))
            .expect("linkable");
        ensure(state.path(), Change::default()).expect("writable");
        let current = Edition::current(state.path())
            .expect("readable")
            .expect("one");
        assert_eq!(current.manifest.serial, 7);
    }
}
