//! The operator's machine: keys, a corpus, and the editions built of them.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use almanac::model::import::adapter::import_adapter;
use safetensors::tensor::{Dtype, TensorView};

use super::daemon::{TestBox, said};
use super::models;

/// A question that the corpus answers.
pub const QUESTION: &str = "How deep should I sow maize seed?";
const DECODER: &str = "smollm2-135m-instruct";

/// Golden questions that the corpus answers.
pub const GOLDEN: &str = r#"
[[golden]]
question = "How deep should I sow maize seed?"
place = { country = "US", region = "Iowa" }
document = "us-iowa/maize-planting.md"
[[golden]]
question = "How far apart do I plant Barcelona hazelnuts?"
refuse = true
"#;

/// The operator's machine: keys, a corpus, and the editions built of them.
pub struct Operator {
    folder: tempfile::TempDir,
}

impl Operator {
    /// With a key pair and two documents.
    pub fn new() -> Self {
        let this = Operator {
            folder: tempfile::tempdir().expect("a temporary folder"),
        };
        let farm = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/farm/documents");
        for document in ["us-iowa/maize-planting.md", "us-iowa/soybean.md"] {
            let text = std::fs::read(farm.join(document)).expect("the sample farm");
            this.write(&format!("corpus/{document}"), &text);
        }
        let made = this.almanac(&["edition", "keygen", "farm", "--no-password"]);
        assert!(made.status.success(), "{}", said(&made));
        this
    }

    /// `path` in the operator's folder.
    pub fn path(&self, path: &str) -> PathBuf {
        self.folder.path().join(path)
    }

    /// Writes a file there.
    pub fn write(&self, path: &str, bytes: &[u8]) {
        let path = self.path(path);
        std::fs::create_dir_all(path.parent().expect("in a folder")).expect("writable");
        std::fs::write(path, bytes).expect("writable");
    }

    /// `almanac` in the operator's folder.
    pub fn almanac(&self, arguments: &[&str]) -> Output {
        let mut command = Command::new(env!("CARGO_BIN_EXE_almanac"));
        command
            .current_dir(self.folder.path())
            .env_remove("ALMANAC_STATE")
            .env_remove("ALMANAC_CONFIG")
            .args(["--state", "state"])
            .args(arguments);
        command.output().expect("almanac runs")
    }

    /// Builds and signs; the edition's folder.
    pub fn edition(&self, serial: u64, plan: &str) -> String {
        let text = format!("name = \"test {serial}\"\nserial = {serial}\n{plan}");
        self.write("plan.toml", text.as_bytes());
        let built = self.almanac(&["edition", "build", "plan.toml", "--out", "out"]);
        assert!(built.status.success(), "{}", said(&built));
        let folder = self.path(&format!("out/editions/{serial}"));
        let folder = folder.display().to_string();
        let signed = self.almanac(&[
            "edition",
            "sign",
            &folder,
            "--key",
            "farm.key",
            "--no-password",
        ]);
        assert!(signed.status.success(), "{}", said(&signed));
        folder
    }

    /// A complete edition of the real models.
    pub fn complete(&self, serial: u64) -> String {
        self.complete_with(serial, "")
    }

    /// As [`Operator::complete`], with more in its plan.
    pub fn complete_with(&self, serial: u64, more: &str) -> String {
        let models = models::folder().join("models");
        let plan = format!(
            "decoder = {:?}\nembedder = {:?}\ndocuments = [\"corpus\"]\n{more}\n{GOLDEN}",
            models.join(DECODER),
            models.join("all-minilm-l6-v2"),
        );
        self.edition(serial, &plan)
    }

    /// Writes `name.safetensors`, an adapter of all layers and rank 16 (7 MB) whose weights are waves of the
    /// height `height`: at 0 it changes nothing, at 1 it makes noise of every answer.
    pub fn adapter(&self, name: &str, height: f32) {
        self.adapter_on(&models::folder().join("models").join(DECODER), name, height);
    }

    /// As [`Operator::adapter`], for the language model in the folder `base`.
    pub fn adapter_on(&self, base: &Path, name: &str, height: f32) {
        let peft = tempfile::tempdir().expect("a temporary folder");
        write_peft(peft.path(), height);
        self.import(peft.path(), base, name);
    }

    /// Imports the folder `peft`, made for the language model in the folder `base`, as `name.safetensors`.
    fn import(&self, peft: &Path, base: &Path, name: &str) {
        let out = self.path(&format!("{name}.safetensors"));
        std::fs::create_dir_all(out.parent().expect("in a folder")).expect("writable");
        import_adapter(peft, base, &out).expect("converts");
    }

    /// Writes `name.safetensors`, the adapter that the repository ships.
    pub fn shipped_adapter(&self, name: &str) {
        let peft = Path::new(env!("CARGO_MANIFEST_DIR")).join("models/farm-adapter");
        self.import(&peft, &models::folder().join("models").join(DECODER), name);
    }

    /// A box that trusts this operator and has a document of its own.
    pub fn customer(&self) -> TestBox {
        self.customer_with("")
    }

    /// As [`Operator::customer`], with more in its configuration file.
    pub fn customer_with(&self, config: &str) -> TestBox {
        let this = TestBox::new(&format!("trusted = \"trusted.d\"\n{config}"));
        let keys = this.folder().join("trusted.d");
        std::fs::create_dir(&keys).expect("writable");
        std::fs::copy(self.path("farm.pub"), keys.join("farm.pub")).expect("writable");
        let own = this.folder().join("own");
        std::fs::create_dir(&own).expect("writable");
        let note = "# Gate code\n\nThe gate of the north field opens with the brass key in the milk house.\n";
        std::fs::write(own.join("gate.md"), note).expect("writable");
        let ingested = this.command(&["ingest", &own.display().to_string()]);
        assert!(ingested.status.success(), "{}", said(&ingested));
        this
    }
}

/// Inputs and outputs of the layers of SmolLM2-135M.
const LAYERS: [(&str, usize, usize); 7] = [
    ("mlp.down_proj", 1536, 576),
    ("mlp.gate_proj", 576, 1536),
    ("mlp.up_proj", 576, 1536),
    ("self_attn.k_proj", 576, 192),
    ("self_attn.o_proj", 576, 576),
    ("self_attn.q_proj", 576, 576),
    ("self_attn.v_proj", 576, 192),
];
const RANK: usize = 16;

fn write_peft(folder: &Path, height: f32) {
    let mut tensors: Vec<(String, Vec<usize>)> = Vec::new();
    for layer in 0..30 {
        for (module, width, outputs) in LAYERS {
            let name =
                |side| format!("base_model.model.model.layers.{layer}.{module}.lora_{side}.weight");
            tensors.push((name("A"), vec![RANK, width]));
            tensors.push((name("B"), vec![outputs, RANK]));
        }
    }
    let bytes = |seed: usize, shape: &[usize]| -> Vec<u8> {
        let values = (0..shape[0] * shape[1]).map(|at| (0.37 * at as f32 + seed as f32).sin());
        values
            .flat_map(|value| (value * height).to_le_bytes())
            .collect()
    };
    let each = tensors.iter().enumerate();
    let data: Vec<Vec<u8>> = each.map(|(seed, (_, shape))| bytes(seed, shape)).collect();
    let views = tensors.iter().zip(&data).map(|((name, shape), bytes)| {
        let view = TensorView::new(Dtype::F32, shape.clone(), bytes);
        (name.as_str(), view.expect("sizes match"))
    });
    let file = safetensors::serialize(views, None).expect("serialises");
    std::fs::write(folder.join("adapter_model.safetensors"), file).expect("writable");
    let config =
        serde_json::json!({"peft_type": "LORA", "r": RANK, "lora_alpha": RANK, "bias": "none"});
    std::fs::write(folder.join("adapter_config.json"), config.to_string()).expect("writable");
}
