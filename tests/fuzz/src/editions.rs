//! Manifests, signatures, plans, records, offers, and the messages between pusher and box.

use std::path::Component;

use almanac::edition::build::Plan;
use almanac::edition::push::{Chunk, Envelope, Want, read_state};
use almanac::edition::{
    FileEntry, Golden, Host, Manifest, Offer, Password, PublicKey, Record, Role, Terms, examine,
    sign,
};
use almanac::types::{Digest, EditionState, Phase, Place};

use crate::{Target, scratch};

pub const TARGETS: &[Target] = &[
    Target {
        words: WORDS,
        ..Target::new("manifest", manifest, manifests)
    },
    Target {
        words: &["untrusted comment: ", "trusted comment: ", "\n", "RU", "RW"],
        longest: 5 * 1024,
        ..Target::new("signature", signature, signatures)
    },
    Target {
        words: WORDS,
        ..Target::new("plan", plan, plans)
    },
    Target {
        words: WORDS,
        ..Target::new("record", record, records)
    },
    Target {
        words: WORDS,
        ..Target::new("offer", offer, offers)
    },
    Target {
        words: &[
            "\"serial\":",
            "\"sha256\":",
            "\"offset\":",
            "\"length\":",
            "\"credit\":",
            "\"push\":",
            "\"box\":",
            "\"state\":",
            "\"fetching\"",
            "\"rolled_back\"",
        ],
        ..Target::new("wire", wire, wires)
    },
];

const WORDS: &[&str] = &[
    "format = 1\n",
    "product = \"almanac\"\n",
    "serial = ",
    "[[file]]\n",
    "role = \"decoder\"\n",
    "role = \"embedder\"\n",
    "role = \"adapter\"\n",
    "role = \"document\"\n",
    "role = \"runtime\"\n",
    "path = \"",
    "length = ",
    "sha256 = \"",
    "base = ",
    "[[golden]]\n",
    "question = ",
    "facts = [",
    "refuse = true\n",
    "not_before = \"",
    "expires = \"",
    "2027-03-01T00:00:00Z",
    "9999-12-31T23:59:59-23:59",
    "[hardware]\n",
    "architectures = [",
    "memory_mib = ",
    "[thresholds]\n",
    "refuse_below = ",
    "nan",
    "inf",
    "[budgets]\n",
    "[keys]\n",
    "add = [",
    "retire = [",
    "..",
    "models/",
    "documents/",
    "adapters/",
    "model.toml",
    "min_version = ",
];

/// A key pair that is trusted nowhere else: made for these inputs, so that a signature of one run is one of the next.
const PUBLIC: &str = "RWQX5cCd643j2xaFHYCtS2L0msI4xXP1nMU4M23CPEkp7SXYpFm2Xjvy";
const SECRET: &str = "untrusted comment: fuzzing\n\
    RWQAAEIyAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAF+XAneuN49v6wN+zy4S+qgMHaVMzly/SPwh/\
    udQ08z+gpkgEcfR83BaFHYCtS2L0msI4xXP1nMU4M23CPEkp7SXYpFm2XjvyAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\n";

fn signed(content: &[u8]) -> String {
    sign(content, SECRET, Password::None, "fuzzing").expect("the key is right")
}

/// Holds an offer against a box that trusts the key and has nothing yet.
fn examined(offer: &Offer) -> Result<Manifest, String> {
    let key = PublicKey::parse(PUBLIC).expect("the key is right");
    let host = Host {
        architecture: "x86_64".into(),
        version: "0.1.0".into(),
        memory_mib: 1024,
    };
    let terms = Terms {
        keys: &[key],
        record: &Record::default(),
        current: Some(0),
        host: &host,
        now: None,
        allow_downgrade: false,
    };
    let accepted = examine(offer, &terms).map_err(|refused| refused.to_string())?;
    Ok(accepted.manifest)
}

fn manifest(data: &[u8]) {
    let Ok(manifest) = Manifest::parse(data) else {
        return;
    };
    let _ = (
        manifest.check_complete(),
        manifest.decoder(),
        manifest.contents(),
    );
    let text = manifest.to_text().expect("what was read can be written");
    let again = Manifest::parse(text.as_bytes()).expect("what was written can be read");
    assert_eq!(again.to_text().as_ref(), Ok(&text));
}

/// A complete manifest, as `almanac edition build` would write it.
fn whole() -> Manifest {
    let mut manifest = Manifest::new(7, "spring");
    manifest.not_before = "2027-03-01T00:00:00Z".parse().ok();
    manifest.expires = "2028-03-01T00:00:00+02:00".parse().ok();
    manifest.min_version = Some("0.1.0".into());
    manifest.notes = "For the sample farm.".into();
    manifest.hardware.architectures = vec!["x86_64".into()];
    manifest.hardware.memory_mib = Some(512);
    manifest.thresholds.refuse_below = Some(0.34);
    manifest.budgets.answer_ms = Some(5_000);
    manifest.keys.add = vec![PUBLIC.into()];
    let file = |role, path: &str| FileEntry {
        role,
        path: path.into(),
        length: path.len() as u64,
        sha256: Digest::of(path.as_bytes()),
        base: None,
    };
    manifest.files = vec![
        file(Role::Decoder, "models/a/model.toml"),
        file(Role::Decoder, "models/a/model.onnx"),
        file(Role::Embedder, "models/b/model.toml"),
        file(Role::Document, "documents/us-iowa/maize.md"),
    ];
    let mut adapter = file(Role::Adapter, "adapters/farm.safetensors");
    adapter.base = Some(manifest.decoder());
    manifest.files.push(adapter);
    manifest.golden.push(Golden {
        question: "How deep should I plant maize?".into(),
        place: Some(Place::new("US", "Iowa")),
        crop: Some("maize".into()),
        document: Some("us-iowa/maize.md".into()),
        facts: vec!["2 inches".into()],
        refuse: false,
    });
    manifest
}

fn manifests() -> Vec<Vec<u8>> {
    let least = Manifest::new(0, "edition 0");
    let texts = [whole(), least].map(|manifest| manifest.to_text().expect("plain"));
    texts.map(String::into_bytes).into()
}

/// What is signed, and its signature by the key above. No manifest, so that a right signature is told by what comes next.
const CONTENT: &[u8] = b"serial = 7";
const SIGNATURE: &str = "untrusted comment: note\n\
    RUQX5cCd643j2zYrQ80SrQYR4mlezGjqXIgoadKd5tMV4Sx8lWIQqdLBO46sasrzd4teznpmDXXdIpmgEoleKuhetLXblZh3HgQ=\n\
    trusted comment: fuzzing\n\
    Uf+ZbsvXlyVXOtvChd59cMphfPS4ZwSMAu9gydWuAWw7mrEr8VHYL0bLh6SgB6rBlK7YqJzra5TdzdkNA3LTDA==\n";

/// Nobody who has not the key makes another signature of the content, or writes the same one otherwise.
fn signature(data: &[u8]) {
    let offer = Offer {
        manifest: CONTENT.to_owned(),
        signature: data.to_owned(),
    };
    let refused = examined(&offer).expect_err("the content is no manifest");
    if !refused.contains("the signature") {
        let text = std::str::from_utf8(data).expect("it was read as text");
        // The first line is a note that nobody vouches for.
        let lines = |text: &str| {
            let lines = text.lines().skip(1).take(3);
            lines
                .map(|line| line.trim_end().to_owned())
                .collect::<Vec<_>>()
        };
        assert_eq!(
            lines(text),
            lines(SIGNATURE),
            "another signature: {refused}"
        );
    }
    let _ = PublicKey::parse(&String::from_utf8_lossy(data));
}

fn signatures() -> Vec<Vec<u8>> {
    let other = signed(b"serial = 8");
    let key = format!("untrusted comment: key\n{PUBLIC}\n");
    [SIGNATURE.into(), other, key, PUBLIC.into()]
        .map(String::into_bytes)
        .into()
}

fn plan(data: &[u8]) {
    let _ = Plan::read(&scratch::file("plan.toml", data));
}

fn plans() -> Vec<Vec<u8>> {
    let texts = [
        "name = \"spring\"\nserial = 12\ndecoder = \"models/small\"\nembedder = \"models/mini\"\n\
         adapters = [\"a.safetensors\"]\ndocuments = [\"corpus\"]\nthresholds = { refuse_below = 0.4 }\n\
         budgets = { answer_ms = 2000, memory_mib = 300, trial_s = 60 }\nnotes = \"n\"\nmin_version = \"0.1.0\"\n\
         not_before = \"2027-03-01T00:00:00Z\"\nhardware = { architectures = [\"aarch64\"], memory_mib = 900 }\n\
         golden = [{ question = \"How deep?\", facts = [\"2 inches\"], place = { country = \"US\" } }]\n\
         [keys]\nadd = []\nretire = []\n",
        "name = \"adapter\"\nserial = 13\nbase = \"../12\"\nadapters = [\"b.safetensors\"]\n",
    ];
    texts.map(|text| text.as_bytes().to_owned()).into()
}

fn record(data: &[u8]) {
    let state = scratch::folder().join("record");
    scratch::file("record/trial.toml", data);
    let Ok(record) = Record::read(&state) else {
        return;
    };
    let _ = record.trusted(&[]);
    record.write(&state).expect("what was read can be written");
    let again = Record::read(&state).expect("what was written can be read");
    assert_eq!(again, record);
}

fn records() -> Vec<Vec<u8>> {
    let text = format!(
        "format = 1\nhighest = 12\nnewest_time = \"2027-03-01T00:00:00Z\"\nprevious = 11\nstarts = 1\n\
         [keys]\nadd = [\"{PUBLIC}\"]\nretire = [\"{PUBLIC}\"]\n\
         [run]\nserial = 12\nmanifest = \"{0}\"\nphase = \"rolled_back\"\nattempts = 2\nover = 11\nwhy = \"too slow\"\n",
        Digest::of(CONTENT)
    );
    vec![text.into_bytes()]
}

/// The first byte says whether the rest is a message, or a manifest that the operator signed.
fn offer(data: &[u8]) {
    let Some((kind, rest)) = data.split_first() else {
        return;
    };
    let offer = if kind % 2 == 0 {
        let Ok(envelope) = Envelope::parse(rest) else {
            return;
        };
        if let Ok(bytes) = envelope.encode() {
            let again = Envelope::parse(&bytes).expect("what was written can be read");
            assert_eq!(again, envelope);
        }
        envelope.offer
    } else {
        Offer {
            manifest: rest.to_owned(),
            signature: signed(rest).into_bytes(),
        }
    };
    let Ok(manifest) = examined(&offer) else {
        return;
    };
    assert!(manifest.serial > 0 && !manifest.golden.is_empty());
    for file in &manifest.files {
        let inside = |part| matches!(part, Component::Normal(_));
        assert!(file.path.components().all(inside), "{:?}", file.path);
        assert_ne!(file.role, Role::Runtime);
    }
}

fn offers() -> Vec<Vec<u8>> {
    let mut seeds = Vec::new();
    for manifest in manifests() {
        let envelope = Envelope {
            offer: Offer {
                signature: signed(&manifest).into_bytes(),
                manifest: manifest.clone(),
            },
            push: "p-1".into(),
        };
        let message = envelope.encode().expect("short");
        seeds.push([b"\0".as_slice(), &message].concat());
        seeds.push([b"\x01".as_slice(), &manifest].concat());
    }
    seeds
}

/// The first byte says which message the rest is.
fn wire(data: &[u8]) {
    let Some((kind, rest)) = data.split_first() else {
        return;
    };
    match kind % 3 {
        0 => {
            if let Ok(want) = Want::parse(rest) {
                assert_eq!(Want::parse(&want.encode()).as_ref(), Ok(&want));
            }
        }
        1 => {
            if let Ok(chunk) = Chunk::parse(rest) {
                assert_eq!(chunk.encode(), rest);
            }
            // As a chunk whose digest is right.
            if let Some((file, data)) = rest.split_first_chunk::<32>() {
                let chunk = Chunk {
                    file: Digest(*file),
                    offset: rest.len() as u64,
                    data,
                };
                assert_eq!(Chunk::parse(&chunk.encode()), Ok(chunk));
            }
        }
        _ => {
            if let Ok(state) = read_state(rest) {
                let bytes = serde_json::to_vec(&state).expect("what was read can be written");
                assert_eq!(read_state(&bytes).as_ref(), Ok(&state));
            }
        }
    }
}

fn wires() -> Vec<Vec<u8>> {
    let want = Want {
        serial: 7,
        sha256: Digest::of(CONTENT),
        offset: 258_048,
        length: 516_096,
        credit: 2,
        push: "p-1".into(),
    };
    let chunk = Chunk {
        file: Digest::of(CONTENT),
        offset: 0,
        data: CONTENT,
    };
    let state = EditionState {
        box_name: "barn".into(),
        serial: 7,
        state: Phase::Fetching,
        reason: "it waits".into(),
        answers: 6,
        bytes: Some(1),
        total: Some(2),
        resumed: Some(0),
        push: "p-1".into(),
    };
    let state = serde_json::to_vec(&state).expect("plain");
    let messages = [want.encode(), chunk.encode(), state];
    let numbered = messages.into_iter().zip(0u8..);
    numbered
        .map(|(message, kind)| [vec![kind], message].concat())
        .collect()
}
