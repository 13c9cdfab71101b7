//! What a page says of itself, in its head.

use super::super::Metadata;
use super::super::metadata::{doi_link, licence};
use super::super::one_line;
use super::text_of;
use super::tree::Tree;
use crate::types::Place;

/// The metadata of a page; `heading` is its only top heading, where it has one.
pub(super) fn metadata(tree: &Tree, heading: Option<String>) -> Metadata {
    let found = Named::of(tree);
    let title = || {
        let title = tree.elements().find(|(_, element)| element.name == "title");
        title.map(|(index, _)| one_line(&text_of(tree, index)))
    };
    let doi = found.first(&["citation_doi", "dc.identifier", "prism.doi"]);
    let doi = doi
        .filter(|doi| doi.contains("10."))
        .map(|doi| doi_link(&doi));
    let language = tree.elements().find(|(_, element)| element.name == "html");
    let language = language.and_then(|(_, element)| element.attribute("lang"));
    let place = found
        .first(&["almanac:place"])
        .map(|text| Place::parse(&text));
    Metadata {
        id: found.first(&["almanac:id"]),
        title: found
            .first(&["citation_title", "dc.title", "dcterms.title"])
            .or(heading)
            .or_else(|| found.first(&["og:title"]))
            .or_else(title),
        authors: found.all(&["citation_author", "dc.creator", "dcterms.creator", "author"]),
        date: found.first(&[
            "citation_publication_date",
            "citation_date",
            "dc.date",
            "dcterms.date",
            "dcterms.issued",
            "article:modified_time",
            "article:published_time",
            "date",
        ]),
        source: doi
            .or_else(|| found.first(&["dc.source"]))
            .or_else(|| link(tree, "canonical"))
            .or_else(|| found.first(&["og:url"])),
        licence: link(tree, "license")
            .or_else(|| found.first(&["dcterms.license", "dc.rights", "license", "copyright"]))
            .map(|text| licence(&text)),
        language: language
            .map(str::to_owned)
            .or_else(|| found.first(&["dc.language", "content-language"])),
        place: match place {
            Some(Ok(place)) => place,
            _ => Place::default(),
        },
        crops: found.list(&["almanac:crop"]),
        every_crop: false,
        topics: found.list(&["almanac:topic", "keywords", "citation_keywords"]),
        pages: None,
    }
}

/// `<meta>` elements by name, lower-case.
struct Named(Vec<(String, String)>);

impl Named {
    fn of(tree: &Tree) -> Self {
        let metas = tree
            .elements()
            .filter(|(_, element)| element.name == "meta");
        let named = metas.filter_map(|(_, element)| {
            let name = element
                .attribute("name")
                .or_else(|| element.attribute("property"))?;
            let content = one_line(element.attribute("content")?);
            (!content.is_empty()).then(|| (name.to_lowercase(), content))
        });
        Named(named.collect())
    }

    /// All values of the first of `names` that there is.
    fn all(&self, names: &[&str]) -> Vec<String> {
        let of = |name: &&str| {
            let own = self.0.iter().filter(|(known, _)| known == name);
            let values: Vec<String> = own.map(|(_, value)| value.clone()).collect();
            (!values.is_empty()).then_some(values)
        };
        names.iter().find_map(of).unwrap_or_default()
    }

    fn first(&self, names: &[&str]) -> Option<String> {
        self.all(names).into_iter().next()
    }

    /// As [`Named::all`], values with commas taken apart.
    fn list(&self, names: &[&str]) -> Vec<String> {
        let values = self.all(names);
        let parts = values.iter().flat_map(|value| value.split([',', ';']));
        parts
            .map(|part| part.trim().to_owned())
            .filter(|part| !part.is_empty())
            .collect()
    }
}

/// The target of the first link of the relation `rel`.
fn link(tree: &Tree, rel: &str) -> Option<String> {
    let is_link = |name: &str| matches!(name, "link" | "a");
    tree.elements()
        .filter(|(_, element)| is_link(&element.name) && element.has("rel", &[rel]))
        .find_map(|(_, element)| element.attribute("href"))
        .filter(|href| !href.is_empty())
        .map(str::to_owned)
}
