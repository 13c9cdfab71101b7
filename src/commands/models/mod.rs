//! `almanac models`: recipes in, runtime and models out.
//!
//! ```text
//! <cache>/packages/<file>          a package on its way, or brought by hand; removed once unpacked
//! <cache>/models/<name>/           what a recipe's package held
//! <state>/runtime/                 libonnxruntime.so and runtime.toml
//! <state>/models/<name>/           an imported model
//! ```
//!
//! `<cache>` is `$XDG_CACHE_HOME/almanac`, else `~/.cache/almanac`, else what `--cache` says.

mod adapter;
mod cache;
mod fetch;
mod import;
mod list;
mod pip;
mod verify;

use std::path::{Path, PathBuf};

use anyhow::bail;
use clap::Subcommand;

use crate::model::recipe::{Kind, Recipe, Trial};
use cache::Cache;

/// Arguments of `almanac models`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Folder for what is fetched [default: $XDG_CACHE_HOME/almanac or ~/.cache/almanac]
    #[arg(long, global = true, value_name = "DIR")]
    cache: Option<PathBuf>,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Get the runtime and models by their recipes: pinned version, checked digest
    Fetch(fetch::Args),
    /// Turn fetched or brought models into what the box runs
    Import(import::Args),
    /// Turn a PEFT LoRA folder into an adapter of the box's decoder
    ImportAdapter(adapter::Args),
    /// Show the recipes, and which are fetched and imported
    List,
    /// Read everything fetched and imported, and check its digests
    Verify,
}

/// Where things lie, and how results are printed.
struct Setting<'a> {
    state: &'a Path,
    cache: Cache,
    json: bool,
    recipes: Vec<Recipe>,
}

/// Runs `almanac models` on the state folder `state`; results go to stdout, one JSON object a line
/// with `json`.
///
/// # Errors
/// What failed, with what to do about it; for `verify`, that something is damaged.
pub fn run(args: Args, state: &Path, json: bool) -> anyhow::Result<()> {
    let setting = Setting {
        state,
        cache: Cache::open(args.cache)?,
        json,
        recipes: Recipe::built_in()?,
    };
    match args.command {
        Command::Fetch(args) => fetch::run(&setting, &args),
        Command::Import(args) => import::run(&setting, &args),
        Command::ImportAdapter(args) => adapter::run(&setting, &args),
        Command::List => list::run(&setting),
        Command::Verify => verify::run(&setting),
    }
}

impl Setting<'_> {
    fn recipe(&self, name: &str) -> anyhow::Result<&Recipe> {
        match self.recipes.iter().find(|recipe| recipe.name == name) {
            Some(recipe) => Ok(recipe),
            None => {
                let names: Vec<&str> = self.recipes.iter().map(|r| r.name.as_str()).collect();
                bail!("no recipe {name:?}; there are: {}", names.join(", "))
            }
        }
    }

    /// The recipes of `names`; without names those that were tried, of the `kinds`.
    fn chosen(&self, names: &[String], kinds: &[Kind]) -> anyhow::Result<Vec<&Recipe>> {
        if names.is_empty() {
            let wanted = |r: &&Recipe| r.status == Trial::Tried && kinds.contains(&r.kind);
            return Ok(self.recipes.iter().filter(wanted).collect());
        }
        names.iter().map(|name| self.recipe(name)).collect()
    }

    fn runtime_folder(&self) -> PathBuf {
        self.state.join("runtime")
    }

    fn model_folder(&self, recipe: &Recipe) -> PathBuf {
        self.state.join("models").join(&recipe.name)
    }

    /// Prints one result: `text` for people, `json` for programs.
    fn say(&self, text: &str, json: serde_json::Value) {
        if self.json {
            println!("{json}");
        } else {
            println!("{text}");
        }
    }
}
