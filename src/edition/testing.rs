//! What the tests of this room share: a farm's offline side, a box, and a workshop that only writes notes.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::{PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use super::blobs::Blobs;
use super::build::{self, Built, Plan};
use super::driver::{Driver, Setting, Verdict, Workshop};
use super::manifest::{Golden, Manifest};
use super::moment::Moment;
use super::offer::{Host, Offer};
use super::signature::{Password, PublicKey, generate, sign};
use super::{Edition, EditionError, Record, Role, zero};
use crate::durable;
use crate::types::Digest;

/// A complete edition.
pub const PLAN: &str = r#"
decoder = "models/small"
embedder = "models/mini"
adapters = ["a.safetensors"]
documents = ["corpus"]
thresholds = { refuse_below = 0.4 }
budgets = { answer_ms = 2000, memory_mib = 300, trial_s = 60 }
golden = [{ question = "How deep?", facts = ["2 inches"] }]
"#;

/// A second edition over it: another adapter and other documents.
pub const NEXT: &str =
    "base = \"out/editions/1\"\nadapters = [\"b.safetensors\"]\ndocuments = [\"corpus\"]";

/// Held while a driver is open: a child that is being started has all open files of this process, locks too, until
/// it becomes another program.
static DRIVERS: RwLock<()> = RwLock::new(());

/// To be held while a driver is open; not twice by one thread.
pub fn while_driving() -> RwLockReadGuard<'static, ()> {
    DRIVERS.read().unwrap_or_else(PoisonError::into_inner)
}

/// To be held while a child is started: then no driver of these tests is open.
pub fn while_starting() -> RwLockWriteGuard<'static, ()> {
    DRIVERS.write().unwrap_or_else(PoisonError::into_inner)
}

/// In memory where there is such a place: these tests sync thousands of times, and cut by themselves.
fn fast_folder() -> tempfile::TempDir {
    let memory = Path::new("/dev/shm");
    let made = match memory.is_dir() {
        true => tempfile::tempdir_in(memory),
        false => tempfile::tempdir(),
    };
    made.expect("a temporary folder")
}

/// The offline side: models, documents, keys, and what is built of them.
pub struct Farm {
    folder: tempfile::TempDir,
    pub key: PublicKey,
    pub secret: String,
}

impl Farm {
    pub fn new() -> Self {
        let (public, secret) = generate(Password::None).expect("random numbers");
        let this = Farm {
            folder: fast_folder(),
            key: PublicKey::parse(&public).expect("our own"),
            secret,
        };
        for (path, text) in [
            ("models/small/model.toml", "small"),
            ("models/small/source.toml", "where it is from"),
            ("models/small/model.onnx", "graph"),
            ("models/small/tokenizer.json", "words"),
            ("models/mini/model.toml", "mini"),
            ("models/mini/model.onnx", "vectors"),
            ("a.safetensors", "adapter a"),
            ("b.safetensors", "adapter b"),
            ("corpus/iowa/maize.md", "Maize: plant 2 inches deep."),
            ("corpus/iowa/soy.md", "Soy: plant 1.5 inches deep."),
        ] {
            this.write(path, text);
        }
        this
    }

    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    pub fn path(&self, path: &str) -> PathBuf {
        self.folder.path().join(path)
    }

    pub fn write(&self, path: &str, text: &str) {
        let path = self.path(path);
        durable::create_folder(path.parent().expect("in a folder")).expect("writable");
        durable::replace(&path, text.as_bytes()).expect("writable");
    }

    pub fn out(&self) -> PathBuf {
        self.path("out")
    }

    pub fn try_build(&self, serial: u64, plan: &str) -> Result<Built, EditionError> {
        let text = format!("name = \"edition {serial}\"\nserial = {serial}\n{plan}");
        self.write("plan.toml", &text);
        // Every adapter of these tests is made for the same model, as its digest says.
        let lines = |bytes: &[u8], name: &str| format!("{}  {name}\n", Digest::of(bytes));
        let base = lines(b"graph", "model.onnx") + &lines(b"words", "tokenizer.json");
        let base = Digest::of(base.as_bytes());
        Plan::read(&self.path("plan.toml"))?.build(&self.out(), &|_| Ok(base))
    }

    pub fn build(&self, serial: u64, plan: &str) -> Built {
        self.try_build(serial, plan).expect("a right plan")
    }

    /// Builds and signs; what a box is offered.
    pub fn offer(&self, serial: u64, plan: &str) -> Offer {
        let built = self.build(serial, plan);
        let offer = build::read_offer(&built.folder).expect("built");
        self.signed(&offer.manifest)
    }

    /// Builds and signs, with the signature beside the manifest, as on a stick.
    pub fn publish(&self, serial: u64, plan: &str) {
        let offer = self.offer(serial, plan);
        let signature = String::from_utf8(offer.signature).expect("text");
        let folder = self.out().join("editions").join(serial.to_string());
        build::write_signature(&folder, &signature).expect("writable");
    }

    /// Any bytes as an offer with a right signature.
    pub fn signed(&self, manifest: &[u8]) -> Offer {
        let signature = sign(manifest, &self.secret, Password::None, "test").expect("signed");
        Offer {
            manifest: manifest.to_vec(),
            signature: signature.into_bytes(),
        }
    }

    /// `offer` with another manifest under a right signature.
    pub fn changed(&self, offer: &Offer, change: impl FnOnce(&mut Manifest)) -> Offer {
        let mut manifest = Manifest::parse(&offer.manifest).expect("our own");
        change(&mut manifest);
        self.signed(manifest.to_text().expect("plain data").as_bytes())
    }

    pub fn contents(&self) -> Blobs {
        Blobs::new(&self.out())
    }

    pub fn setting(&self) -> Setting {
        setting(&self.key)
    }
}

/// A box that trusts `key`.
pub fn setting(key: &PublicKey) -> Setting {
    Setting {
        keys: vec![key.clone()],
        host: Host {
            architecture: "x86_64".into(),
            version: "0.1.0".into(),
            memory_mib: 4096,
        },
        now: Some(Moment(1_800_000_000)),
        allow_downgrade: false,
    }
}

/// Notes instead of an index; verdicts as they are laid down.
#[derive(Default)]
pub struct Script {
    /// What the next trials say, the first one first; `Passed` when there is none.
    pub verdicts: Vec<Verdict>,
    /// Trials so far.
    pub trials: usize,
}

impl Workshop for Script {
    fn stage(&mut self, edition: &Edition, _before: Option<&Edition>) -> Result<(), String> {
        let folder = edition.index();
        let index = || {
            durable::create_folder(&folder)?;
            durable::replace(&folder.join("notes"), edition.manifest.name.as_bytes())
        };
        index().map_err(|error| error.to_string())
    }

    fn probe(&mut self, _edition: &Edition) -> Verdict {
        self.trials += 1;
        match self.verdicts.is_empty() {
            true => Verdict::Passed,
            false => self.verdicts.remove(0),
        }
    }
}

/// Notes instead of an index; an edition knows what its documents say, word for word.
pub struct Reader;

impl Workshop for Reader {
    fn stage(&mut self, edition: &Edition, before: Option<&Edition>) -> Result<(), String> {
        Script::default().stage(edition, before)
    }

    fn probe(&mut self, edition: &Edition) -> Verdict {
        match unknown_facts(edition).as_slice() {
            [] => Verdict::Passed,
            unknown => Verdict::Failed(format!("no document says {unknown:?}")),
        }
    }
}

/// Golden facts that no document of `edition` says.
fn unknown_facts(edition: &Edition) -> Vec<&String> {
    let documents = edition.manifest.files.iter();
    let documents = documents.filter(|file| file.role == Role::Document);
    let texts: Vec<String> = documents
        .map(|file| std::fs::read_to_string(edition.files().join(&file.path)).unwrap_or_default())
        .collect();
    let golden = edition.manifest.golden.iter();
    golden
        .flat_map(|golden| &golden.facts)
        .filter(|fact| !texts.iter().any(|text| text.contains(*fact)))
        .collect()
}

/// A box's state folder, with an edition 0 of its own that answers.
pub struct TestBox {
    state: PathBuf,
    /// Keeps a state folder that goes with the box.
    _folder: Option<tempfile::TempDir>,
}

impl TestBox {
    pub fn new() -> Self {
        let folder = fast_folder();
        let change = zero::Change {
            golden: Some(vec![Golden {
                question: "What?".into(),
                ..Golden::default()
            }]),
            ..zero::Change::default()
        };
        zero::ensure(folder.path(), change).expect("writable");
        TestBox {
            state: folder.path().to_owned(),
            _folder: Some(folder),
        }
    }

    /// The box whose state is there already.
    pub fn at(state: &Path) -> Self {
        TestBox {
            state: state.to_owned(),
            _folder: None,
        }
    }

    pub fn state(&self) -> &Path {
        &self.state
    }

    /// Runs `work` on a driver with `script`.
    pub fn with<T>(
        &self,
        script: &mut Script,
        work: impl FnOnce(&mut Driver<'_>) -> Result<T, EditionError>,
    ) -> Result<T, EditionError> {
        let _open = while_driving();
        let mut tell = |_: &super::Told| {};
        work(&mut Driver::open(self.state(), script, &mut tell)?)
    }

    /// Installs what the farm offers, with trials that pass.
    pub fn install(&self, farm: &Farm, offer: &Offer) -> Result<(), EditionError> {
        let mut contents = farm.contents();
        self.with(&mut Script::default(), |driver| {
            driver.install(offer.clone(), &mut contents, &farm.setting())?;
            Ok(())
        })
    }

    pub fn serial(&self) -> Option<u64> {
        Edition::current_serial(self.state()).expect("a link")
    }

    pub fn record(&self) -> Record {
        Record::read(self.state()).expect("readable")
    }

    /// Fails unless the current edition is whole: manifest, every file, index.
    pub fn assert_whole(&self, case: &str) {
        let edition = Edition::current(self.state())
            .unwrap_or_else(|error| panic!("{case}: {error}"))
            .unwrap_or_else(|| panic!("{case}: there is no current edition"));
        for file in &edition.manifest.files {
            let bytes = std::fs::read(edition.files().join(&file.path))
                .unwrap_or_else(|error| panic!("{case}: {}: {error}", file.path.display()));
            assert_eq!(
                Digest::of(&bytes),
                file.sha256,
                "{case}: {}",
                file.path.display()
            );
        }
        if edition.manifest.serial != 0 {
            let notes = std::fs::read_to_string(edition.index().join("notes"));
            let notes = notes.unwrap_or_else(|error| panic!("{case}: the index: {error}"));
            assert_eq!(notes, edition.manifest.name, "{case}");
        }
    }

    /// Fails unless the current edition is `serial`, whole, and answers its golden questions.
    pub fn assert_answers(&self, serial: u64, case: &str) {
        assert_eq!(self.serial(), Some(serial), "{case}");
        self.assert_whole(case);
        let edition = Edition::numbered(self.state(), serial).expect("it was just read");
        assert_eq!(unknown_facts(&edition), [""; 0], "{case}");
    }

    /// Paths that no edition of the box needs, those that one needs and lacks, and editions that nothing goes back to;
    /// none of them where all is over and swept.
    pub fn orphans(&self) -> Vec<String> {
        let names = [
            "",
            "blobs",
            "blobs/sha256",
            "current",
            "edition.lock",
            "editions",
            "trial.toml",
        ];
        let mut wanted = BTreeSet::from(names.map(PathBuf::from));
        let mut orphans = Vec::new();
        let kept = [Some(0), self.serial(), self.record().previous];
        for edition in Edition::list(self.state()).expect("readable") {
            let serial = edition.manifest.serial;
            if !kept.contains(&Some(serial)) {
                orphans.push(format!("edition {serial}"));
            }
            let mut own = vec![edition.folder.join("edition.toml")];
            if serial != 0 {
                own.push(edition.folder.join("edition.toml.minisig"));
                own.push(edition.index().join("notes"));
                own.extend(
                    edition
                        .manifest
                        .files
                        .iter()
                        .map(|file| edition.files().join(&file.path)),
                );
                let contents = edition.manifest.contents();
                own.extend(
                    contents
                        .keys()
                        .map(|content| Blobs::new(self.state()).path(content)),
                );
            }
            for path in own {
                let path = path.strip_prefix(self.state()).expect("below it");
                wanted.extend(path.ancestors().map(Path::to_owned));
            }
        }
        let found: BTreeSet<PathBuf> = self.paths().into_iter().map(PathBuf::from).collect();
        orphans.extend(
            found
                .difference(&wanted)
                .map(|path| format!("+ {}", path.display())),
        );
        orphans.extend(
            wanted
                .difference(&found)
                .map(|path| format!("- {}", path.display())),
        );
        orphans
    }

    /// Every path below the state folder, in order.
    pub fn paths(&self) -> Vec<String> {
        let entries = walkdir::WalkDir::new(self.state()).sort_by_file_name();
        let relative = |entry: walkdir::DirEntry| {
            let path = entry.path().strip_prefix(self.state()).expect("below it");
            path.display().to_string()
        };
        entries
            .into_iter()
            .map(|entry| relative(entry.expect("readable")))
            .collect()
    }
}
