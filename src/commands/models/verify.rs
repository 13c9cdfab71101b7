//! `almanac models verify`: reads every byte and compares.

use std::path::Path;

use anyhow::bail;
use serde_json::json;

use super::Setting;
use crate::model::folder::{MANIFEST_FILE, Manifest};
use crate::model::recipe::{CONTENTS, Contents, RUNTIME};

pub fn run(setting: &Setting) -> anyhow::Result<()> {
    let mut results = vec![fetched(
        setting,
        "runtime",
        &setting.runtime_folder(),
        RUNTIME,
    )];
    for recipe in &setting.recipes {
        let package = recipe.package_for(std::env::consts::ARCH).ok().flatten();
        if let Some(package) = package {
            let folder = setting.cache.folder(recipe, package);
            results.push(fetched(setting, &recipe.name, &folder, CONTENTS));
        }
        results.push(imported(
            setting,
            &recipe.name,
            &setting.model_folder(recipe),
        ));
    }
    let checked: Vec<bool> = results.into_iter().flatten().collect();
    let damaged = checked.iter().filter(|right| !**right).count();
    match (checked.len(), damaged) {
        (0, _) => bail!("nothing is fetched or imported yet\nhint: almanac models fetch"),
        (_, 0) => Ok(()),
        (all, _) => bail!(
            "{damaged} of {all} damaged\nhint: almanac models fetch --again; almanac models import --again"
        ),
    }
}

/// Whether what the list in `folder` names is unchanged; `None` where there is no list.
fn fetched(setting: &Setting, name: &str, folder: &Path, list: &str) -> Option<bool> {
    let checked = Contents::read(&folder.join(list))
        .and_then(|contents| contents.map(|contents| contents.verify(folder)).transpose());
    let checked = checked.transpose()?;
    Some(tell(setting, name, folder, checked))
}

/// Whether an imported model is unchanged; `None` where there is none.
fn imported(setting: &Setting, name: &str, folder: &Path) -> Option<bool> {
    if !folder.join(MANIFEST_FILE).is_file() {
        return None;
    }
    let checked = Manifest::open(folder).and_then(|manifest| manifest.verify(folder));
    Some(tell(setting, name, folder, checked))
}

fn tell<E: std::fmt::Display>(
    setting: &Setting,
    name: &str,
    folder: &Path,
    checked: Result<(), E>,
) -> bool {
    let reason = checked.err().map(|error| error.to_string());
    let word = reason.as_deref().unwrap_or("right");
    setting.say(
        &format!("{name}: {word} ({})", folder.display()),
        json!({"name": name, "path": folder, "right": reason.is_none(), "reason": reason}),
    );
    reason.is_none()
}
