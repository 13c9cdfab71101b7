//! `almanac models verify`: reads every byte and compares.

use std::path::Path;

use anyhow::bail;
use serde_json::json;

use super::Setting;
use crate::model::recipe::{CONTENTS, Contents, RUNTIME};

pub fn run(setting: &Setting) -> anyhow::Result<()> {
    let mut checked = 0;
    let mut damaged = 0;
    for recipe in &setting.recipes {
        let package = recipe.package_for(std::env::consts::ARCH).ok().flatten();
        let Some(package) = package else { continue };
        let folder = setting.cache.folder(recipe, package);
        if let Some(right) = check(setting, &recipe.name, &folder, CONTENTS) {
            checked += 1;
            damaged += u32::from(!right);
        }
    }
    if let Some(right) = check(setting, "runtime", &setting.runtime_folder(), RUNTIME) {
        checked += 1;
        damaged += u32::from(!right);
    }
    match (checked, damaged) {
        (0, _) => bail!("nothing is fetched yet\nhint: almanac models fetch"),
        (_, 0) => Ok(()),
        _ => bail!("{damaged} of {checked} damaged\nhint: almanac models fetch --again"),
    }
}

/// Whether what the list in `folder` names is unchanged; `None` where there is no list.
fn check(setting: &Setting, name: &str, folder: &Path, list: &str) -> Option<bool> {
    let result = Contents::read(&folder.join(list))
        .and_then(|contents| contents.map(|contents| contents.verify(folder)).transpose());
    let reason = match result {
        Ok(None) => return None,
        Ok(Some(())) => None,
        Err(error) => Some(error.to_string()),
    };
    let word = reason.as_deref().unwrap_or("right");
    setting.say(
        &format!("{name}: {word} ({})", folder.display()),
        json!({"name": name, "path": folder, "right": reason.is_none(), "reason": reason}),
    );
    Some(reason.is_none())
}
