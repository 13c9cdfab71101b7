//! `almanac models import`: fetched or brought models become graphs in the state folder.

use std::path::{Path, PathBuf};
use std::time::Instant;

use anyhow::{Context, bail};
use indicatif::{ProgressBar, ProgressStyle};
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::Setting;
use crate::durable::{self, FileError};
use crate::model::folder::Manifest;
use crate::model::import::{
    Calibration, GRAPHS, Precision, Storage, import_decoder, import_embedder,
};
use crate::model::recipe::{Kind, Recipe};
use crate::service;
use crate::types::Digest;

/// Arguments of `almanac models import`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Recipes by name [default: the tried decoder and embedder]
    names: Vec<String>,
    /// A folder or GGUF file that you brought, for the one recipe named
    #[arg(long, value_name = "PATH", requires = "names")]
    from: Option<PathBuf>,
    /// Import anew what is there already
    #[arg(long)]
    again: bool,
    /// Decoders in single precision: four times the size and slower, to compare with
    #[arg(long)]
    single: bool,
    /// What training/calibrate.py measured of the decoder [default: what is built in, for those that were measured]
    #[arg(long, value_name = "FILE", requires = "from")]
    calibration: Option<PathBuf>,
    /// Keys and values in 8 bits: a context takes a quarter of the memory, and prompts take longer
    #[arg(long)]
    small_cache: bool,
}

impl Args {
    fn precision(&self) -> Precision {
        match self.single {
            true => Precision::F32,
            false => Precision::Int8,
        }
    }
}

/// Name of the note in an imported model's folder that says what it was made from.
const NOTE: &str = "source.toml";

/// What an imported model was made from; the same note means the same result.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Note {
    /// Digest of the package.
    package_sha256: Digest,
    /// Versions of the program that imported it and of its graphs.
    importer: String,
    /// Digest of what was measured of it.
    calibration_sha256: Option<Digest>,
    /// Whether its keys and values are in 8 bits.
    #[serde(default)]
    small_cache: bool,
}

/// Where a model is imported from.
struct Source {
    path: PathBuf,
    /// None for what the operator brought: it may have changed without a trace.
    note: Option<Note>,
}

pub fn run(setting: &Setting, args: &Args) -> anyhow::Result<()> {
    let recipes = setting.chosen(&args.names, &[Kind::Decoder, Kind::Embedder])?;
    if args.from.is_some() && recipes.len() != 1 {
        bail!("--from goes with one name");
    }
    for recipe in recipes {
        let source = match &args.from {
            Some(path) => Source {
                path: path.clone(),
                note: None,
            },
            None => fetched(setting, recipe, args.small_cache)?,
        };
        import(setting, recipe, source, args)
            .with_context(|| format!("{} was not imported", recipe.name))?;
    }
    Ok(())
}

fn import(setting: &Setting, recipe: &Recipe, source: Source, args: &Args) -> anyhow::Result<()> {
    let start = Instant::now();
    let target = setting.model_folder(recipe);
    let present = source
        .note
        .as_ref()
        .filter(|_| !args.again)
        .and_then(|note| unchanged(&target, note))
        .filter(|found| recipe.kind != Kind::Decoder || found.precision == args.precision());
    let imported = present.is_none();
    let manifest = match present {
        Some(manifest) => manifest,
        None => {
            let manifest = convert(recipe, &source.path, &target, args)?;
            write_note(&target, source.note.as_ref())?;
            manifest
        }
    };
    service::adopt_model(setting.state, &target)?;
    let (name, took) = (&recipe.name, start.elapsed().as_secs_f32());
    let word = if imported {
        format!("imported ({took:.0} s)")
    } else {
        "already imported".to_owned()
    };
    setting.say(
        &format!("{name}: {word}, {}", target.display()),
        json!({"name": name, "imported": imported, "path": target, "digest": manifest.digest()}),
    );
    Ok(())
}

/// The manifest of what is there, if it was made from the same source and no byte has changed since.
fn unchanged(target: &Path, note: &Note) -> Option<Manifest> {
    let text = std::fs::read_to_string(target.join(NOTE)).ok()?;
    let found: Note = toml::from_str(&text).ok()?;
    let manifest = Manifest::open(target).ok()?;
    (found == *note && manifest.verify(target).is_ok()).then_some(manifest)
}

fn write_note(target: &Path, note: Option<&Note>) -> anyhow::Result<()> {
    let path = target.join(NOTE);
    if let Some(note) = note {
        let text = toml::to_string(note)?;
        return Ok(durable::replace(&path, text.as_bytes())?);
    }
    match std::fs::remove_file(&path) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            Err(FileError::at("remove", &path)(error).into())
        }
        _ => Ok(()),
    }
}

fn convert(recipe: &Recipe, source: &Path, target: &Path, args: &Args) -> anyhow::Result<Manifest> {
    durable::create_folder(target)?;
    let bar = layers(&recipe.name);
    let mut progress = |done: usize, of: usize| {
        bar.set_length(of as u64);
        bar.set_position(done as u64);
    };
    let (name, progress) = (recipe.name.as_str(), &mut progress);
    let manifest = match recipe.kind {
        Kind::Embedder => import_embedder(name, source, target, progress)?,
        Kind::Decoder => {
            let source = gguf_in(source)?;
            let calibration = calibration(recipe, args)?;
            let storage = Storage {
                precision: args.precision(),
                calibration: calibration.as_ref(),
                small_cache: args.small_cache,
            };
            import_decoder(name, &source, target, storage, progress)?
        }
        Kind::Runtime => bail!("the runtime is no model: `almanac models fetch` installs it"),
    };
    bar.finish_and_clear();
    Ok(manifest)
}

/// The calibration that was brought, else that of the recipe's own model.
fn calibration(recipe: &Recipe, args: &Args) -> anyhow::Result<Option<Calibration>> {
    Ok(match (&args.calibration, recipe.calibration()) {
        (Some(path), _) => Some(Calibration::open(path)?),
        (None, Some(file)) => Some(Calibration::parse(
            file.to_owned(),
            Path::new(&recipe.name),
        )?),
        (None, None) => None,
    })
}

/// The one GGUF file in the folder `source`; else `source` itself, also where it holds a graph made elsewhere: the
/// import then says what to do.
fn gguf_in(source: &Path) -> anyhow::Result<PathBuf> {
    let names = ["config.json", "genai_config.json", "model.onnx"];
    if !source.is_dir() || names.iter().any(|name| source.join(name).is_file()) {
        return Ok(source.to_owned());
    }
    let mut files = Vec::new();
    for entry in std::fs::read_dir(source).map_err(FileError::at("list", source))? {
        let path = entry.map_err(FileError::at("list", source))?.path();
        if path
            .extension()
            .is_some_and(|extension| extension == "gguf")
        {
            files.push(path);
        }
    }
    match files.as_slice() {
        [file] => Ok(file.clone()),
        _ => bail!(
            "{}: holds no config.json and {} GGUF files; one model is imported at a time",
            source.display(),
            files.len()
        ),
    }
}

fn fetched(setting: &Setting, recipe: &Recipe, small_cache: bool) -> anyhow::Result<Source> {
    let package = recipe.package_for(std::env::consts::ARCH)?;
    match package.and_then(|package| setting.cache.unpacked(recipe, package)) {
        Some((path, contents)) => Ok(Source {
            path,
            note: Some(Note {
                package_sha256: contents.sha256,
                importer: format!("{} graphs {}", env!("CARGO_PKG_VERSION"), GRAPHS),
                calibration_sha256: recipe.calibration().map(Digest::of),
                small_cache: small_cache && recipe.kind == Kind::Decoder,
            }),
        }),
        None if package.is_some() => bail!(
            "{name} is not fetched\nhint: almanac models fetch {name}",
            name = recipe.name
        ),
        None => bail!(
            "{name} has no package\n\
             hint: almanac models fetch {name} says what to bring; then import it with --from PATH",
            name = recipe.name
        ),
    }
}

fn layers(name: &str) -> ProgressBar {
    let bar = ProgressBar::new(1);
    if bar.is_hidden() {
        eprintln!("{name}: importing");
    }
    let style = ProgressStyle::with_template("{prefix} {bar:30} layer {pos} of {len} {elapsed}")
        // The template is a constant with known keys.
        .unwrap_or_else(|_| ProgressStyle::default_bar());
    bar.with_style(style).with_prefix(name.to_owned())
}
