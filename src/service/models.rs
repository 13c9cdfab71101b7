//! Which models the current edition is made of, and opening them.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use super::error::ServiceError;
use super::joined::Joined;
use crate::config::Config;
use crate::durable::{self, FileError};
use crate::edition::{Edition, FileEntry, Role, zero};
use crate::model::folder::{Kind, MANIFEST_FILE, Manifest};
use crate::model::import::adapter::import_adapter;
use crate::model::{Purpose, Runtime, SentenceEmbedder, TextGenerator, Weights};
use crate::types::Digest;

/// The edition's models, opened when they are first needed.
pub struct Models {
    pub(super) config: Config,
    edition: Edition,
    embedder: OnceLock<Arc<SentenceEmbedder>>,
    /// Of the generator that was opened last.
    weights: Mutex<Weights>,
    /// What the answering threads share.
    pub(super) joined: Mutex<Joined>,
}

impl Models {
    /// The models of `edition`; opens nothing.
    pub fn new(config: &Config, edition: &Edition) -> Self {
        Models {
            config: config.clone(),
            edition: edition.clone(),
            embedder: OnceLock::new(),
            weights: Mutex::default(),
            joined: Mutex::default(),
        }
    }

    /// The models of `edition`, which share with these what both have file for file and these have open.
    pub fn beside(&self, edition: &Edition) -> Models {
        let models = Models::new(&self.config, edition);
        if let Some(embedder) = self.embedder.get()
            && self.has_same(edition, Role::Embedder)
        {
            // A new cell: it is empty.
            let _ = models.embedder.set(Arc::clone(embedder));
        }
        if self.has_same(edition, Role::Decoder) {
            *models.last_weights() = self.last_weights().clone();
            *models.joined() = self.joined().beside();
        }
        models
    }

    /// Whether `edition` has the same files of `role`, by name and content.
    fn has_same(&self, edition: &Edition, role: Role) -> bool {
        let contents = |edition: &Edition| {
            let files = edition.manifest.files.iter();
            let files = files.filter(|file| file.role == role);
            let mut contents: Vec<_> = files
                .map(|file| (file.path.file_name().map(ToOwned::to_owned), file.sha256))
                .collect();
            contents.sort();
            contents
        };
        contents(&self.edition) == contents(edition)
    }

    fn last_weights(&self) -> MutexGuard<'_, Weights> {
        self.weights.lock().unwrap_or_else(PoisonError::into_inner)
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
        let adapters = self.adapters();
        let purpose = Purpose {
            context: self.config.model.context_tokens,
            adapters: !adapters.is_empty(),
        };
        let weights = self.last_weights().clone();
        let runtime = self.runtime()?;
        let mut generator = TextGenerator::open_beside(&weights, &runtime, &folder, purpose)?;
        *self.last_weights() = generator.weights();
        for adapter in adapters {
            generator.load_adapter(&adapter)?;
        }
        Ok(generator)
    }

    /// The files of the edition's adapters.
    pub(super) fn adapters(&self) -> Vec<PathBuf> {
        let folder = self.edition.files();
        let files = self.files(Role::Adapter);
        files.map(|file| folder.join(&file.path)).collect()
    }

    /// Name of the adapter for questions that name none: the configured one, else the edition's only one.
    pub fn default_adapter(&self) -> Option<String> {
        let configured = self.config.model.adapter.clone();
        configured.or_else(|| {
            let mut adapters = self.files(Role::Adapter);
            let name = adapters.next()?.path.file_stem()?.to_str()?.to_owned();
            adapters.next().is_none().then_some(name)
        })
    }

    pub(super) fn runtime(&self) -> Result<Runtime, ServiceError> {
        let model = &self.config.model;
        Ok(Runtime::load(&model.runtime, model.threads)?)
    }

    fn files(&self, role: Role) -> impl Iterator<Item = &FileEntry> {
        let files = self.edition.manifest.files.iter();
        files.filter(move |file| file.role == role)
    }

    pub(super) fn folder(&self, role: Role) -> Result<PathBuf, ServiceError> {
        folder_of(&self.edition, role)
    }
}

/// Where the model of `role` of `edition` lies: the folder of its files.
fn folder_of(edition: &Edition, role: Role) -> Result<PathBuf, ServiceError> {
    let file = edition.manifest.files.iter().find(|file| file.role == role);
    let folder = file.and_then(|file| file.path.parent());
    folder
        .map(|folder| edition.files().join(folder))
        .ok_or_else(|| ServiceError::Operator {
            message: format!("edition {} has no {}", edition.manifest.serial, name(role)),
            hint: "run `almanac models fetch`, then `almanac models import`".into(),
        })
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
        base: None,
    }));
    let mut replaced = vec![role];
    let before = zero::ensure(state, zero::Change::default())?.manifest;
    let same = |file: &&FileEntry| file.role == role;
    if role == Role::Decoder && !before.files.iter().filter(same).eq(files.iter()) {
        // An adapter fits one decoder only; kept beside another it would keep the box from starting.
        replaced.push(Role::Adapter);
    }
    let change = zero::Change {
        files: Some((replaced, files)),
        ..zero::Change::default()
    };
    zero::ensure(state, change)?;
    Ok(())
}

/// Converts the PEFT folder `peft` for edition 0's decoder, makes it part of edition 0 as `name`, in the
/// place of one of that name, and returns its file. Durable when it returns; blocking.
///
/// # Errors
/// `name` makes no file name, there is no decoder, or the folder holds no LoRA that fits it.
pub fn adopt_adapter(state: &Path, name: &str, peft: &Path) -> Result<PathBuf, ServiceError> {
    let legal = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
    if !(1..=64).contains(&name.len()) || !name.chars().all(legal) {
        return Err(ServiceError::Invalid(format!(
            "{name:?} names no adapter; write 1 to 64 letters, digits, `_` or `-`"
        )));
    }
    let edition = zero::ensure(state, zero::Change::default())?;
    let base = folder_of(&edition, Role::Decoder)?;
    let inside = PathBuf::from(format!("adapters/{name}.safetensors"));
    let path = state.join(&inside);
    durable::create_folder(&state.join("adapters"))?;
    import_adapter(peft, &base, &path)?;
    let mut file = File::open(&path).map_err(FileError::at("open", &path))?;
    let (sha256, length) = Digest::of_reader(&mut file).map_err(FileError::at("read", &path))?;
    let others = |file: &&FileEntry| file.role == Role::Adapter && file.path != inside;
    let mut files: Vec<FileEntry> = edition
        .manifest
        .files
        .iter()
        .filter(others)
        .cloned()
        .collect();
    files.push(FileEntry {
        role: Role::Adapter,
        path: inside.clone(),
        length,
        sha256,
        base: Some(Manifest::open(&base)?.digest()),
    });
    let change = zero::Change {
        files: Some((vec![Role::Adapter], files)),
        ..zero::Change::default()
    };
    zero::ensure(state, change)?;
    Ok(path)
}

fn entry(role: Role, folder: &Path, inside: &Path) -> Result<FileEntry, ServiceError> {
    let path = folder.join(MANIFEST_FILE);
    let bytes = std::fs::read(&path).map_err(FileError::at("read", &path))?;
    Ok(FileEntry {
        role,
        path: inside.join(MANIFEST_FILE),
        length: bytes.len() as u64,
        sha256: Digest::of(&bytes),
        base: None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
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
    fn an_adapter_goes_with_its_decoder() {
        let state = tempfile::tempdir().expect("a temporary folder");
        let small = model(state.path(), Kind::Decoder, "small");
        adopt_model(state.path(), &small).expect("adopted");
        let adapter = FileEntry {
            role: Role::Adapter,
            path: "adapters/iowa.safetensors".into(),
            length: 1,
            sha256: Digest::of(b"x"),
            base: None,
        };
        let change = zero::Change {
            files: Some((vec![Role::Adapter], vec![adapter])),
            ..zero::Change::default()
        };
        zero::ensure(state.path(), change).expect("writable");
        let adapters = || {
            let edition = Edition::current(state.path())
                .expect("readable")
                .expect("one");
            let files = edition.manifest.files.iter();
            files.filter(|file| file.role == Role::Adapter).count()
        };
        adopt_model(state.path(), &small).expect("adopted again");
        assert_eq!(adapters(), 1);
        let large = model(state.path(), Kind::Decoder, "large");
        adopt_model(state.path(), &large).expect("adopted");
        assert_eq!(adapters(), 0);
    }

    #[test]
    fn an_editions_only_adapter_answers_unless_another_is_configured() {
        let state = tempfile::tempdir().expect("a temporary folder");
        let adapter = |name: &str| FileEntry {
            role: Role::Adapter,
            path: format!("adapters/{name}.safetensors").into(),
            length: 1,
            sha256: Digest::of(name.as_bytes()),
            base: None,
        };
        let with = |names: &[&str]| {
            let files = names.iter().map(|name| adapter(name)).collect();
            let change = zero::Change {
                files: Some((vec![Role::Adapter], files)),
                ..zero::Change::default()
            };
            zero::ensure(state.path(), change).expect("writable")
        };
        let mut config = Config::defaults(Some(state.path())).expect("valid");
        let chosen =
            |config: &Config, names: &[&str]| Models::new(config, &with(names)).default_adapter();
        assert_eq!(chosen(&config, &[]), None);
        assert_eq!(chosen(&config, &["farm"]).as_deref(), Some("farm"));
        assert_eq!(chosen(&config, &["farm", "iowa"]), None);
        config.model.adapter = Some("iowa".into());
        let both = chosen(&config, &["farm", "iowa"]);
        assert_eq!(both.as_deref(), Some("iowa"));
    }

    #[test]
    fn an_adapters_name_stays_in_its_folder() {
        let state = tempfile::tempdir().expect("a temporary folder");
        let error = adopt_adapter(state.path(), "../x", state.path()).expect_err("a path");
        assert!(error.to_string().contains("names no adapter"), "{error}");
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
