//! Which models the current edition is made of, and opening them.

use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};

use super::error::ServiceError;
use crate::config::Config;
use crate::durable::FileError;
use crate::edition::{Edition, FileEntry, Role, zero};
use crate::model::folder::{Kind, MANIFEST_FILE, Manifest};
use crate::model::{Runtime, SentenceEmbedder, TextGenerator};
use crate::types::Digest;

/// The edition's models, opened when they are first needed.
pub struct Models {
    config: Config,
    edition: Edition,
    embedder: OnceLock<Arc<SentenceEmbedder>>,
}

impl Models {
    /// The models of `edition`; opens nothing.
    pub fn new(config: &Config, edition: &Edition) -> Self {
        Models {
            config: config.clone(),
            edition: edition.clone(),
            embedder: OnceLock::new(),
        }
    }

    /// Whether the edition has its models, as far as their manifests tell; reads no weights.
    ///
    /// # Errors
    /// One is missing or unfinished: what the operator must mend before a start can succeed.
    pub fn check(&self) -> Result<(), ServiceError> {
        Manifest::open_kind(&self.folder(Role::Embedder)?, Kind::Embedder)?;
        Manifest::open_kind(&self.folder(Role::Decoder)?, Kind::Decoder)?;
        Ok(())
    }

    /// The embedder, opened once; blocking.
    ///
    /// # Errors
    /// The edition has none, or the runtime does not take it.
    pub fn embedder(&self) -> Result<Arc<SentenceEmbedder>, ServiceError> {
        if let Some(embedder) = self.embedder.get() {
            return Ok(Arc::clone(embedder));
        }
        let folder = self.folder(Role::Embedder)?;
        let opened = Arc::new(SentenceEmbedder::open(&self.runtime()?, &folder)?);
        // Two that opened it at the same time use the same one from here on.
        Ok(Arc::clone(self.embedder.get_or_init(|| opened)))
    }

    /// The language model with the edition's adapters, opened anew; blocking, for seconds.
    ///
    /// # Errors
    /// As [`Models::embedder`].
    pub fn generator(&self) -> Result<TextGenerator, ServiceError> {
        let folder = self.folder(Role::Decoder)?;
        let context = self.config.model.context_tokens;
        let mut generator = TextGenerator::open(&self.runtime()?, &folder, context)?;
        for adapter in self.files(Role::Adapter) {
            generator.load_adapter(&self.config.state.join(&adapter.path))?;
        }
        Ok(generator)
    }

    fn runtime(&self) -> Result<Runtime, ServiceError> {
        let model = &self.config.model;
        Ok(Runtime::load(&model.runtime, model.threads)?)
    }

    fn files(&self, role: Role) -> impl Iterator<Item = &FileEntry> {
        let files = self.edition.manifest.files.iter();
        files.filter(move |file| file.role == role)
    }

    /// Where the edition's model of `role` lies: the folder of its files.
    fn folder(&self, role: Role) -> Result<PathBuf, ServiceError> {
        let file = self.files(role).next();
        let folder = file.and_then(|file| file.path.parent());
        folder
            .map(|folder| self.config.state.join(folder))
            .ok_or_else(|| ServiceError::Operator {
                message: format!(
                    "edition {} has no {}",
                    self.edition.manifest.serial,
                    name(role)
                ),
                hint: "run `almanac models fetch`, then `almanac models import`".into(),
            })
    }
}

fn name(role: Role) -> &'static str {
    match role {
        Role::Decoder => "language model",
        Role::Embedder => "embedder",
        Role::Adapter => "adapter",
        Role::Runtime => "runtime",
        Role::Document => "document",
    }
}

/// Makes the imported model in `folder`, which lies in the state folder, part of edition 0, in the
/// place of the one of its kind. Durable when it returns; a running daemon takes it with its next start.
///
/// # Errors
/// The folder holds no finished model or lies elsewhere, or edition 0 cannot be written.
pub fn adopt_model(state: &Path, folder: &Path) -> Result<(), ServiceError> {
    let inside = folder.strip_prefix(state).map_err(|_| {
        let (folder, state) = (folder.display(), state.display());
        ServiceError::Invalid(format!(
            "{folder}: a model lies in the state folder {state}"
        ))
    })?;
    let manifest = Manifest::open(folder)?;
    let role = match manifest.kind {
        Kind::Decoder => Role::Decoder,
        Kind::Embedder => Role::Embedder,
    };
    let mut files = vec![entry(role, folder, inside)?];
    files.extend(manifest.files.iter().map(|(name, file)| FileEntry {
        role,
        path: inside.join(name),
        length: file.length,
        sha256: file.sha256,
    }));
    let change = zero::Change {
        files: Some((vec![role], files)),
        ..zero::Change::default()
    };
    zero::ensure(state, change)?;
    Ok(())
}

fn entry(role: Role, folder: &Path, inside: &Path) -> Result<FileEntry, ServiceError> {
    let path = folder.join(MANIFEST_FILE);
    let bytes = std::fs::read(&path).map_err(FileError::at("read", &path))?;
    Ok(FileEntry {
        role,
        path: inside.join(MANIFEST_FILE),
        length: bytes.len() as u64,
        sha256: Digest::of(&bytes),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::durable;
    use crate::model::import::Precision;

    fn model(state: &Path, kind: Kind, name: &str) -> PathBuf {
        let folder = state.join("models").join(name);
        durable::create_folder(&folder).expect("writable");
        durable::replace(&folder.join("model.onnx"), name.as_bytes()).expect("writable");
        let manifest = Manifest::new(kind, name, Precision::F32);
        manifest.seal(&folder, &["model.onnx"]).expect("writable");
        folder
    }

    #[test]
    fn an_imported_model_takes_the_place_of_the_one_of_its_kind() {
        let state = tempfile::tempdir().expect("a temporary folder");
        for (kind, name) in [
            (Kind::Embedder, "mini"),
            (Kind::Decoder, "small"),
            (Kind::Decoder, "large"),
        ] {
            adopt_model(state.path(), &model(state.path(), kind, name)).expect("adopted");
        }
        let edition = Edition::current(state.path())
            .expect("readable")
            .expect("one");
        let config = Config::defaults(Some(state.path())).expect("valid");
        let models = Models::new(&config, &edition);
        let folder = |role| models.folder(role).expect("there is one");
        assert_eq!(folder(Role::Decoder), state.path().join("models/large"));
        assert_eq!(folder(Role::Embedder), state.path().join("models/mini"));
        assert_eq!(edition.manifest.files.len(), 4);
    }

    #[test]
    fn a_box_without_models_says_what_to_run() {
        let state = tempfile::tempdir().expect("a temporary folder");
        let edition = zero::ensure(state.path(), zero::Change::default()).expect("writable");
        let config = Config::defaults(Some(state.path())).expect("valid");
        let error = Models::new(&config, &edition)
            .generator()
            .err()
            .expect("none there");
        assert!(
            error
                .hint()
                .is_some_and(|hint| hint.contains("models fetch"))
        );
    }
}
