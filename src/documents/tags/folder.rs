//! `tags.toml`: what holds for the documents of a folder.
//!
//! ```toml
//! place = "US/Iowa"            # or { country = "US", region = "Iowa" }; "anywhere" where none is to be guessed
//! crops = ["maize"]
//! topics = ["planting"]
//!
//! [[rule]]
//! files = "wheat/*.md"         # below this folder; `*` stops at `/`, `**` does not
//! crops = ["wheat"]
//! ```
//!
//! The nearest folder that says something of a kind (place, crops, topics) wins, and in it the last rule
//! that fits the file. What a file says of itself wins over its folder.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde::Deserialize;

use super::super::DocumentError;
use super::super::crops;
use super::{Origin, Tag, Tags, tagged};
use crate::durable::FileError;
use crate::types::Place;

/// The file's name.
const NAME: &str = "tags.toml";

/// Most bytes of it.
const MAX_BYTES: u64 = 1024 * 1024;

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Written {
    place: Option<WrittenPlace>,
    crops: Option<Vec<String>>,
    topics: Option<Vec<String>>,
    rule: Vec<Rule>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Rule {
    files: String,
    place: Option<WrittenPlace>,
    crops: Option<Vec<String>>,
    topics: Option<Vec<String>>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(untagged)]
enum WrittenPlace {
    Text(String),
    Levels(Place),
}

/// The tags of folders, each `tags.toml` read once.
#[derive(Debug, Default)]
pub struct FolderTags {
    known: BTreeMap<PathBuf, Written>,
}

impl FolderTags {
    /// What the folders from `root` down to that of `file` say of it; blocking.
    ///
    /// # Errors
    /// A `tags.toml` on the way cannot be read; it names a place or crop that would be wrong to miss.
    pub fn of(&mut self, root: &Path, file: &Path) -> Result<Tags, DocumentError> {
        let mut folders: Vec<&Path> = file
            .ancestors()
            .skip(1)
            .take_while(|folder| folder.starts_with(root))
            .collect();
        // A file that was named itself has the tags of its own folder.
        if folders.is_empty() {
            folders.extend(file.parent());
        }
        let mut tags = Tags::default();
        for folder in folders.into_iter().rev() {
            if !self.known.contains_key(folder) {
                let written = read(&folder.join(NAME))?;
                self.known.insert(folder.to_owned(), written);
            }
            let relative = file.strip_prefix(folder).unwrap_or(file);
            if let Some(written) = self.known.get(folder) {
                written.apply(&relative.to_string_lossy().replace('\\', "/"), &mut tags);
            }
        }
        Ok(tags)
    }
}

/// Whether `path` is a folder's tags, and so no document.
pub(crate) fn is_tags(path: &Path) -> bool {
    path.file_name().is_some_and(|name| name == NAME)
}

fn read(path: &Path) -> Result<Written, DocumentError> {
    let bad = |reason: String| DocumentError::FolderTags {
        path: path.to_owned(),
        reason,
    };
    match std::fs::metadata(path) {
        Ok(found) if found.len() > MAX_BYTES => {
            return Err(bad(format!(
                "{} bytes, at most {MAX_BYTES} are read",
                found.len()
            )));
        }
        Ok(_) => {}
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Written::default()),
        Err(error) => return Err(FileError::at("look at", path)(error).into()),
    }
    let text = std::fs::read_to_string(path).map_err(FileError::at("read", path))?;
    let written: Written = toml::from_str(&text).map_err(|error| bad(error.to_string()))?;
    let places = written.rule.iter().filter_map(|rule| rule.place.as_ref());
    for place in places.chain(&written.place) {
        place.read().map_err(bad)?;
    }
    Ok(written)
}

impl WrittenPlace {
    fn read(&self) -> Result<Place, String> {
        match self {
            WrittenPlace::Text(text) => Place::parse(text),
            WrittenPlace::Levels(place) => Ok(place.clone()),
        }
    }
}

impl Written {
    /// Puts what is said of `file` into `tags`, over what wider folders said.
    fn apply(&self, file: &str, tags: &mut Tags) {
        let own = (&self.place, &self.crops, &self.topics);
        let rules = self.rule.iter().filter(|rule| fits(&rule.files, file));
        let rules = rules.map(|rule| (&rule.place, &rule.crops, &rule.topics));
        let from = Origin::FolderRule;
        for (place, crops, topics) in std::iter::once(own).chain(rules) {
            // Checked when the file was read.
            if let Some(Ok(value)) = place.as_ref().map(WrittenPlace::read) {
                tags.place = Some(Tag { value, from });
            }
            if let Some(crops) = crops {
                tags.crops = tagged(crops.iter().map(|crop| crops::canonical(crop)), from);
            }
            if let Some(topics) = topics {
                tags.topics = tagged(topics.iter().cloned(), from);
            }
        }
    }
}

/// Whether `pattern` fits the whole of `name`; linear in both, however many stars there are.
fn fits(pattern: &str, name: &str) -> bool {
    let pattern = pattern.trim_start_matches("./");
    // Which places in the pattern the name may have come to.
    let signs: Vec<char> = pattern.chars().collect();
    let mut reached = vec![false; signs.len() + 1];
    reached[0] = true;
    skip_stars(&signs, &mut reached);
    for c in name.chars() {
        let mut next = vec![false; signs.len() + 1];
        for (at, sign) in signs.iter().enumerate().filter(|(at, _)| reached[*at]) {
            let is_double = signs.get(at + 1) == Some(&'*') || (at > 0 && signs[at - 1] == '*');
            match sign {
                '*' if is_double || c != '/' => next[at] = true,
                '?' if c != '/' => next[at + 1] = true,
                sign if *sign == c && c != '*' => next[at + 1] = true,
                _ => {}
            }
        }
        skip_stars(&signs, &mut next);
        reached = next;
    }
    reached[signs.len()]
}

/// A star may stand for nothing; `**/` may too, so that `**/a.md` fits `a.md`.
fn skip_stars(signs: &[char], reached: &mut [bool]) {
    for at in 0..signs.len() {
        if reached[at] && signs[at] == '*' {
            reached[at + 1] = true;
            if at == 0 && signs.starts_with(&['*', '*', '/']) {
                reached[3] = true;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stars_stop_at_folders_and_double_stars_do_not() {
        for (pattern, name, is_fit) in [
            ("*.md", "a.md", true),
            ("*.md", "x/a.md", false),
            ("**/*.md", "x/y/a.md", true),
            ("**/*.md", "a.md", true),
            ("wheat/**", "wheat/x/a.md", true),
            ("wheat-?.md", "wheat-1.md", true),
            ("wheat", "wheats", false),
            ("", "", true),
        ] {
            assert_eq!(fits(pattern, name), is_fit, "{pattern} {name}");
        }
        assert!(!fits(&"*a".repeat(1_000), &"a".repeat(900)));
    }

    #[test]
    fn the_nearest_folder_and_the_last_rule_win() {
        let root = tempfile::tempdir().expect("a temporary folder");
        let sub = root.path().join("iowa");
        std::fs::create_dir(&sub).expect("writable");
        std::fs::write(
            root.path().join(NAME),
            "place = \"US\"\ncrops = [\"corn\"]\n[[rule]]\nfiles = \"**/wheat*\"\ncrops = [\"wheat\"]\n",
        )
        .expect("writable");
        std::fs::write(
            sub.join(NAME),
            "place = {country = \"US\", region = \"Iowa\"}\n",
        )
        .expect("writable");
        let mut folders = FolderTags::default();
        let tags = folders
            .of(root.path(), &sub.join("wheat.md"))
            .expect("readable");
        assert_eq!(tags.place(), Place::new("US", "Iowa"));
        assert_eq!(tags.crops(), ["wheat"]);
        assert_eq!(tags.place.expect("there").from, Origin::FolderRule);
        let other = folders
            .of(root.path(), &root.path().join("a.md"))
            .expect("readable");
        assert_eq!(other.place().to_string(), "US");
        assert_eq!(other.crops(), ["maize"]);
    }

    #[test]
    fn a_broken_file_is_named() {
        let root = tempfile::tempdir().expect("a temporary folder");
        for text in ["crop = 1", "place = \"a/b/c/d\"", "[[rule]]\ncrops = []"] {
            std::fs::write(root.path().join(NAME), text).expect("writable");
            let error = FolderTags::default().of(root.path(), &root.path().join("a.md"));
            assert!(error.expect_err(text).to_string().contains("tags.toml"));
        }
    }
}
