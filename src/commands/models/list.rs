//! `almanac models list`: what there is, and how far it has come.

use serde_json::json;

use super::Setting;
use crate::model::folder::MANIFEST_FILE;
use crate::model::recipe::{Contents, Kind, RUNTIME, Recipe, Trial};

pub fn run(setting: &Setting) -> anyhow::Result<()> {
    if !setting.json {
        println!(
            "{:<24} {:<9} {:<10} {:<12} {:>10}  licence",
            "name", "kind", "recipe", "here", "memory"
        );
    }
    for recipe in &setting.recipes {
        let (fetched, installed) = (is_fetched(setting, recipe), is_installed(setting, recipe));
        let here = match (recipe.kind, fetched, installed) {
            (Kind::Runtime, _, true) => "installed",
            (_, _, true) => "imported",
            (_, true, false) => "fetched",
            (_, false, false) => "-",
        };
        let trial = match recipe.status {
            Trial::Tried => "tried",
            Trial::NotTried => "not tried",
        };
        setting.say(
            &format!(
                "{:<24} {:<9} {trial:<10} {here:<12} {:>6} MiB  {}",
                recipe.name,
                recipe.kind.as_str(),
                recipe.needs.memory_mib,
                recipe.licence
            ),
            json!({
                "name": recipe.name, "title": recipe.title, "kind": recipe.kind,
                "status": recipe.status, "licence": recipe.licence, "needs": recipe.needs,
                "fetched": fetched, "installed": installed,
            }),
        );
    }
    Ok(())
}

fn is_fetched(setting: &Setting, recipe: &Recipe) -> bool {
    // A recipe without a package for this processor cannot have been fetched here.
    let package = recipe.package_for(std::env::consts::ARCH).ok().flatten();
    package.is_some_and(|package| setting.cache.unpacked(recipe, package).is_some())
}

fn is_installed(setting: &Setting, recipe: &Recipe) -> bool {
    match recipe.kind {
        Kind::Runtime => {
            let folder = setting.runtime_folder();
            let list = Contents::read(&folder.join(RUNTIME)).ok().flatten();
            list.is_some_and(|list| list.is_in(&folder))
        }
        Kind::Decoder | Kind::Embedder => {
            let manifest = setting.model_folder(recipe).join(MANIFEST_FILE);
            manifest.is_file()
        }
    }
}
