//! What a JATS article says of itself.

use roxmltree::Node;

use super::super::Metadata;
use super::super::metadata::{doi_link, licence};
use super::inline::Line;
use super::{at, attribute, below, child, children, words};

/// Best first: when the text became public.
const DATES: &[&str] = &[
    "epub",
    "pub",
    "epub-ppub",
    "ppub",
    "collection",
    "pmc-release",
];

pub(super) fn metadata(article: Node<'_, '_>) -> Metadata {
    let language = attribute(article, "lang").map(str::to_owned);
    let Some(meta) =
        at(article, &["front", "article-meta"]).or_else(|| child(article, "front-stub"))
    else {
        return Metadata {
            language,
            ..Metadata::default()
        };
    };
    Metadata {
        id: None,
        title: title(meta),
        authors: authors(meta),
        date: date(meta),
        source: source(meta),
        licence: licensed(meta),
        language,
        topics: keywords(meta),
        pages: at(meta, &["counts", "page-count"])
            .and_then(|count| attribute(count, "count")?.parse().ok())
            .filter(|count| *count > 0),
        ..Metadata::default()
    }
}

fn title(meta: Node<'_, '_>) -> Option<String> {
    let group = child(meta, "title-group")?;
    let mut title = Line::of(child(group, "article-title")?);
    for subtitle in children(group, "subtitle") {
        title.push_str(": ");
        title.push_str(&Line::of(subtitle));
    }
    (!title.is_empty()).then_some(title)
}

fn authors(meta: Node<'_, '_>) -> Vec<String> {
    let is_author = |contrib: &Node<'_, '_>| {
        attribute(*contrib, "contrib-type").is_none_or(|kind| kind == "author")
    };
    let group = children(meta, "contrib-group");
    group
        .flat_map(|group| children(group, "contrib"))
        .filter(is_author)
        .filter_map(|contrib| {
            let Some(name) = child(contrib, "name") else {
                let other = child(contrib, "collab").or_else(|| child(contrib, "string-name"))?;
                let own = other
                    .children()
                    .take_while(|part| part.tag_name().name() != "contrib-group");
                let text: String = own.filter_map(words).collect::<Vec<_>>().join(" ");
                return (!text.is_empty()).then_some(text);
            };
            let parts = [child(name, "given-names"), child(name, "surname")];
            let parts: Vec<String> = parts.into_iter().flatten().filter_map(words).collect();
            Some(parts.join(" "))
        })
        .collect()
}

/// ISO 8601, as far as it is known.
fn date(meta: Node<'_, '_>) -> Option<String> {
    let kind = |date: &Node<'_, '_>| {
        let kind = attribute(*date, "pub-type").or_else(|| attribute(*date, "date-type"));
        let rank = kind.and_then(|kind| DATES.iter().position(|known| *known == kind));
        rank.unwrap_or(DATES.len())
    };
    let date = children(meta, "pub-date").min_by_key(kind)?;
    let number = |name| child(date, name).and_then(words)?.parse::<u16>().ok();
    let year = number("year")?;
    Some(match (number("month"), number("day")) {
        (Some(month @ 1..=12), Some(day @ 1..=31)) => format!("{year:04}-{month:02}-{day:02}"),
        (Some(month @ 1..=12), _) => format!("{year:04}-{month:02}"),
        _ => format!("{year:04}"),
    })
}

fn source(meta: Node<'_, '_>) -> Option<String> {
    let id = |kind: &str| {
        children(meta, "article-id")
            .find(|id| attribute(*id, "pub-id-type") == Some(kind))
            .and_then(words)
    };
    let of_archive = || {
        let number = id("pmcid").or_else(|| id("pmc"))?;
        let number = number.strip_prefix("PMC").unwrap_or(&number).to_owned();
        Some(format!(
            "https://www.ncbi.nlm.nih.gov/pmc/articles/PMC{number}/"
        ))
    };
    id("doi").map(|doi| doi_link(&doi)).or_else(of_archive)
}

fn licensed(meta: Node<'_, '_>) -> Option<String> {
    let permissions = child(meta, "permissions")?;
    let link = below(permissions, "license")
        .filter_map(|license| attribute(license, "href"))
        .chain(below(permissions, "ext-link").filter_map(|link| attribute(link, "href")))
        .find(|link| link.contains("creativecommons.org"));
    let reference = || below(permissions, "license_ref").find_map(words);
    let written = || below(permissions, "license").find_map(words);
    let text = link
        .map(str::to_owned)
        .or_else(reference)
        .or_else(written)?;
    Some(licence(&text))
}

fn keywords(meta: Node<'_, '_>) -> Vec<String> {
    children(meta, "kwd-group")
        .filter(|group| attribute(*group, "kwd-group-type") != Some("abbreviations"))
        .flat_map(|group| children(group, "kwd"))
        .map(Line::of)
        .filter(|word| !word.is_empty())
        .collect()
}
