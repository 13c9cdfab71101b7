//! Real documents from folders of any make, and twins of documents for other places.

use std::path::Path;

use anyhow::{Context as _, bail};
use serde_json::{Value, json};

use super::read;
use crate::documents::{self, Document, read_bytes};
use crate::durable;
use crate::types::Place;

/// Places that twins are made for: country, region, and how texts call the country.
const OTHER_PLACES: [(&str, &str, &str); 12] = [
    ("US", "Ohio", "USA"),
    ("IN", "Bihar", "India"),
    ("BR", "Paraná", "Brazil"),
    ("AR", "Córdoba", "Argentina"),
    ("KE", "Nakuru", "Kenya"),
    ("US", "Nebraska", "USA"),
    ("IN", "Karnataka", "India"),
    ("BR", "Bahia", "Brazil"),
    ("ZA", "Free State", "South Africa"),
    ("US", "Missouri", "USA"),
    ("IN", "Rajasthan", "India"),
    ("BR", "Tocantins", "Brazil"),
];

/// The documents below `folder` that can be read; the others are left out and counted.
///
/// Besides what an ingest reads: JSON lines with `abstract` in the place of `text`, and plain text with
/// `## ` over each of several articles.
pub fn read_any(folder: &Path) -> anyhow::Result<(Vec<Document>, usize)> {
    let (mut found, mut failed) = (Vec::new(), 0);
    for entry in walkdir::WalkDir::new(folder).sort_by_file_name() {
        let path = entry?.into_path();
        if !path.is_file() || !documents::is_supported(&path) {
            continue;
        }
        let id = path.strip_prefix(folder).unwrap_or(&path).to_string_lossy();
        let extension = path.extension().unwrap_or_default();
        let of_file = if extension == "jsonl" {
            abstracts(&path)
        } else if extension == "txt" {
            articles(&path, &id)
        } else {
            read(&path, &id)
        };
        match of_file {
            Ok(documents) => found.extend(documents),
            Err(_) => failed += 1,
        }
    }
    if found.is_empty() {
        bail!("{}: no document could be read", folder.display());
    }
    Ok((found, failed))
}

/// The documents of JSON lines that have a text or an abstract; of a file without such lines, none.
fn abstracts(path: &Path) -> anyhow::Result<Vec<Document>> {
    let text = std::fs::read_to_string(path)?;
    let mut lines = String::new();
    for line in text.lines() {
        let value: Value = serde_json::from_str(line)?;
        let id = ["_id", "pmcid", "doi"]
            .iter()
            .find_map(|key| value.get(key));
        let text = ["text", "abstract"].iter().find_map(|key| value.get(key));
        let (Some(id), Some(text)) = (id, text) else {
            continue;
        };
        let line = json!({"_id": id, "title": value.get("title"), "text": text, "metadata": value});
        lines.push_str(&line.to_string());
        lines.push('\n');
    }
    if lines.is_empty() {
        return Ok(Vec::new());
    }
    let file = tempfile::Builder::new().suffix(".jsonl").tempfile()?;
    durable::replace(file.path(), lines.as_bytes())?;
    read(file.path(), "abstracts")
}

/// The articles of a text, each under a line that begins with `## `; the whole text where there is none.
fn articles(path: &Path, id: &str) -> anyhow::Result<Vec<Document>> {
    let text = std::fs::read_to_string(path)?;
    if !text.starts_with("## ") {
        return read(path, id);
    }
    let article = |part: &str| {
        let (title, body) = part.split_once('\n')?;
        let markdown = format!("# {title}\n\n{body}\n");
        let id = format!("{id}/{}", title.trim());
        read_bytes(Path::new("article.md"), &id, markdown.as_bytes()).ok()
    };
    Ok(text[3..].split("\n## ").filter_map(article).collect())
}

/// `twins` copies of each Markdown document below `folder`, each for another place: its front matter and
/// every mention of region and country in its text say that place.
pub fn twins(folder: &Path, twins: usize) -> anyhow::Result<Vec<Document>> {
    let mut found = Vec::new();
    let files = walkdir::WalkDir::new(folder).sort_by_file_name();
    for (index, entry) in files.into_iter().enumerate() {
        let path = entry?.into_path();
        if path.extension().is_none_or(|extension| extension != "md") {
            continue;
        }
        let text = std::fs::read_to_string(&path)?;
        let id = path.strip_prefix(folder).unwrap_or(&path).to_string_lossy();
        let original = read_bytes(&path, &id, text.as_bytes())?;
        let place = original.tags.place();
        for twin in 0..twins {
            // Five and twelve share no factor, so the twins of a document are of different places.
            let (country, region, name) = OTHER_PLACES[(index + 5 * twin) % OTHER_PLACES.len()];
            let moved = moved(&text, &place, (country, region, name))
                .with_context(|| format!("{}: its front matter has no place", path.display()))?;
            let id = format!("twin/{country}-{region}/{id}");
            found.push(read_bytes(&path, &id, moved.as_bytes())?);
        }
    }
    Ok(found)
}

/// `text` with another place in its front matter and its sentences; `None` without one in the front matter.
fn moved(text: &str, from: &Place, to: (&str, &str, &str)) -> Option<String> {
    let (country, region, name) = to;
    let begin = text.find("\nplace:")? + 1;
    let end = begin + text[begin..].find('\n')?;
    let line = format!("place: {{country: {country}, region: {region}}}");
    let mut moved = format!("{}{line}{}", &text[..begin], &text[end..]);
    if let Some(own) = &from.region {
        moved = moved.replace(own.as_str(), region);
    }
    let countries: &[&str] = match from.country.as_deref() {
        Some("US") => &["United States", "USA"],
        Some("IN") => &["India"],
        Some("BR") => &["Brazil"],
        _ => &[],
    };
    for own in countries {
        moved = moved.replace(own, name);
    }
    Some(moved)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_twin_speaks_of_the_other_place_and_of_nothing_else_anew() {
        let text = "---\ntitle: Beans in Iowa\nplace: {country: US, region: Iowa}\n---\nIowa, USA: sow 5 cm deep.\n";
        let twin = moved(text, &Place::new("US", "Iowa"), OTHER_PLACES[1]).expect("a place");
        assert_eq!(
            twin,
            "---\ntitle: Beans in Bihar\nplace: {country: IN, region: Bihar}\n---\nBihar, India: sow 5 cm deep.\n"
        );
        assert!(moved("# No front matter\n", &Place::default(), OTHER_PLACES[0]).is_none());
    }

    #[test]
    fn abstracts_and_articles_become_documents_and_an_index_does_not() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let write = |name: &str, text: &str| {
            std::fs::write(folder.path().join(name), text).expect("writable");
        };
        write(
            "abstracts.jsonl",
            "{\"pmcid\": \"P1\", \"title\": \"T\", \"abstract\": \"Wheat.\"}\n",
        );
        write("index.jsonl", "{\"pmcid\": \"P1\", \"path\": \"x.xml\"}\n");
        write("wiki.txt", "## Wheat\nA grass.\n## Rust\nA fungus.\n");
        write("broken.xml", "<article>");
        let (found, failed) = read_any(folder.path()).expect("documents");
        let ids: Vec<&str> = found.iter().map(|document| document.id.as_str()).collect();
        assert_eq!(ids, ["P1", "wiki.txt/Wheat", "wiki.txt/Rust"]);
        assert_eq!(failed, 1);
    }
}
