//! Pushes: editions that a box must fetch, boxes at a broker, and the command that pushes.

use std::path::Path;
use std::process::{Child, Command, Stdio};

use almanac::types::Digest;
use serde_json::Value;

use super::daemon::{TestBox, said};
use super::models;
use super::operator::{GOLDEN, Operator};

const DECODER: &str = "smollm2-135m-instruct";
const EMBEDDER: &str = "all-minilm-l6-v2";

/// A complete edition of the real models whose embedder comes with `padding` bytes that no box has.
pub fn padded(operator: &Operator, serial: u64, padding: usize) -> String {
    let real = models::folder().join("models");
    for entry in std::fs::read_dir(real.join(EMBEDDER)).expect("a model") {
        let path = entry.expect("readable").path();
        let name = path.file_name().expect("a name").to_string_lossy();
        let bytes = std::fs::read(&path).expect("readable");
        operator.write(&format!("padded/{EMBEDDER}/{name}"), &bytes);
    }
    let path = format!("padded/{EMBEDDER}/padding.bin");
    operator.write(&path, &noise(padding, serial));
    let plan = format!(
        "decoder = {:?}\nembedder = \"padded/{EMBEDDER}\"\ndocuments = [\"corpus\"]\n{GOLDEN}",
        real.join(DECODER),
    );
    operator.edition(serial, &plan)
}

/// A complete edition of which a box on the tests' models has no large file: their weights end in other bytes.
pub fn anew(operator: &Operator, serial: u64) -> String {
    for name in [DECODER, EMBEDDER] {
        let real = models::folder().join("models").join(name);
        let mut list = String::new();
        for entry in std::fs::read_dir(real).expect("a model") {
            let path = entry.expect("readable").path();
            let file = path.file_name().expect("a name").to_string_lossy();
            let bytes = std::fs::read(&path).expect("readable");
            // What an import noted is no part of the model.
            if file == "source.toml" {
                continue;
            }
            if file == "model.toml" {
                list = String::from_utf8(bytes).expect("text");
            } else {
                operator.write(&format!("anew/{name}/{file}"), &bytes);
            }
        }
        let data = format!("anew/{name}/model.onnx.data");
        let mut bytes = std::fs::read(operator.path(&data)).expect("readable");
        let (before, length) = (Digest::of(&bytes), bytes.len());
        bytes.extend(noise(4096, serial));
        operator.write(&data, &bytes);
        let list = list
            .replace(&before.to_string(), &Digest::of(&bytes).to_string())
            .replace(&length.to_string(), &bytes.len().to_string());
        operator.write(&format!("anew/{name}/model.toml"), list.as_bytes());
    }
    let plan = format!(
        "decoder = \"anew/{DECODER}\"\nembedder = \"anew/{EMBEDDER}\"\n\
         documents = [\"corpus\"]\n{GOLDEN}"
    );
    operator.edition(serial, &plan)
}

/// Writes an adapter that changes nothing (7 MB) for the language model of [`anew`]; its path in a plan.
pub fn adapter(operator: &Operator) -> &'static str {
    let base = operator.path(&format!("anew/{DECODER}"));
    operator.adapter_on(Path::new(&base), "pushed/farm", 0.0);
    "pushed/farm.safetensors"
}

/// A box `name` at the broker that trusts `operator` and has a document of its own.
pub fn customer(operator: &Operator, name: &str, port: u16) -> TestBox {
    let config = format!(
        "trusted = \"trusted.d\"\n[mqtt]\nhost = \"127.0.0.1\"\nport = {port}\nkeep_alive_s = 5\n"
    );
    let this = TestBox::named(name, &config);
    let write = |path: &str, bytes: &[u8]| {
        let path = this.folder().join(path);
        std::fs::create_dir_all(path.parent().expect("in a folder")).expect("writable");
        std::fs::write(path, bytes).expect("writable");
    };
    let key = std::fs::read(operator.path("farm.pub")).expect("a key");
    write("trusted.d/farm.pub", &key);
    let note =
        "# Gate code\n\nThe gate of the north field opens with the brass key in the milk house.\n";
    write("own/gate.md", note.as_bytes());
    let own = this.folder().join("own").display().to_string();
    let ingested = this.command(&["ingest", &own]);
    assert!(ingested.status.success(), "{}", said(&ingested));
    this
}

/// Starts to push the edition in `folder`, with further arguments.
pub fn push(operator: &Operator, folder: &str, port: u16, arguments: &[&str]) -> Push {
    let broker = format!("127.0.0.1:{port}");
    let child = Command::new(env!("CARGO_BIN_EXE_almanac"))
        .current_dir(operator.path(""))
        .env_remove("ALMANAC_STATE")
        .env_remove("ALMANAC_CONFIG")
        .args(["--json", "--state", "state", "edition", "push", folder])
        .args(["--broker", &broker, "--site", "farm"])
        .args(arguments)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("almanac runs");
    Push(child)
}

/// A running push.
pub struct Push(Child);

impl Push {
    /// Its process.
    pub fn pid(&self) -> u32 {
        self.0.id()
    }

    /// Waits for its end; whether it succeeded, its lines, and what it printed.
    pub async fn ended(self) -> (bool, Vec<Value>, String) {
        let waited = tokio::task::spawn_blocking(|| self.0.wait_with_output());
        let output = waited.await.expect("a thread").expect("an end");
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        let lines = text.lines();
        let lines = lines.map(|line| serde_json::from_str(line).expect("a JSON line"));
        (output.status.success(), lines.collect(), said(&output))
    }
}

/// Bytes that nothing compresses or has had before.
pub fn noise(length: usize, seed: u64) -> Vec<u8> {
    let mut random = seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1;
    let mut bytes = Vec::with_capacity(length + 8);
    while bytes.len() < length {
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        bytes.extend(random.to_le_bytes());
    }
    bytes.truncate(length);
    bytes
}
