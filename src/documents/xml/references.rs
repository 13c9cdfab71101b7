//! Bibliographies, as one line each.

use roxmltree::Node;

use super::super::metadata::doi_link;
use super::super::{Reference, one_line};
use super::{at, attribute, below, child, children, words};

/// An entry of a JATS `ref-list`.
pub(super) fn of_jats(node: Node<'_, '_>) -> Option<Reference> {
    let label = child(node, "label").and_then(words);
    let label = label.or_else(|| attribute(node, "id").map(str::to_owned));
    let citation = node.children().find(|child| {
        let name = child.tag_name().name();
        matches!(
            name,
            "mixed-citation" | "element-citation" | "citation" | "nlm-citation"
        ) || name == "citation-alternatives"
    })?;
    // A mixed citation is written as it is printed; the parts of the others have no signs between them.
    let is_printed = citation.children().any(|child| {
        child.is_text()
            && child
                .text()
                .is_some_and(|text| text.contains(char::is_alphanumeric))
    });
    let is_mixed = citation.tag_name().name() == "mixed-citation" || is_printed;
    let text = match is_mixed {
        true => words(citation)?,
        false => of_parts(citation),
    };
    entry(label, text)
}

fn of_parts(citation: Node<'_, '_>) -> String {
    let part = |name| child(citation, name).and_then(words);
    let name = |name: Node<'_, '_>| {
        let parts: Vec<String> = name.children().filter_map(words).collect();
        parts.join(" ")
    };
    let names: Vec<String> = below(citation, "name").map(name).collect();
    let pages = match (part("fpage"), part("lpage")) {
        (Some(first), Some(last)) => Some(format!("{first}-{last}")),
        (first, _) => first,
    };
    let doi = children(citation, "pub-id")
        .find(|id| attribute(*id, "pub-id-type") == Some("doi"))
        .and_then(words)
        .map(|doi| doi_link(&doi));
    listed([
        (!names.is_empty()).then(|| names.join(", ")),
        part("collab"),
        part("article-title").or_else(|| part("chapter-title")),
        part("source"),
        part("year"),
        part("volume"),
        pages,
        doi,
    ])
}

/// A `biblStruct` or `bibl` of TEI.
pub(super) fn of_tei(node: Node<'_, '_>) -> Option<Reference> {
    let label = attribute(node, "id").map(str::to_owned);
    let raw = children(node, "note").find(|note| attribute(*note, "type") == Some("raw_reference"));
    if let Some(text) = raw.and_then(words) {
        return entry(label, text);
    }
    if node.tag_name().name() != "biblStruct" {
        return entry(label, words(node)?);
    }
    let title = at(node, &["analytic", "title"]).and_then(words);
    let journal = at(node, &["monogr", "title"]).and_then(words);
    let scope = |unit: &str| {
        let found =
            below(node, "biblScope").find(|scope| attribute(*scope, "unit") == Some(unit))?;
        words(found).or_else(|| {
            let (from, to) = (attribute(found, "from")?, attribute(found, "to")?);
            Some(format!("{from}-{to}"))
        })
    };
    let date = below(node, "date").next();
    let date = date.and_then(|date| {
        attribute(date, "when")
            .map(str::to_owned)
            .or_else(|| words(date))
    });
    let doi = below(node, "idno").find(|id| attribute(*id, "type") == Some("DOI"));
    let authors: Vec<String> = below(node, "persName").filter_map(person).collect();
    let text = listed([
        (!authors.is_empty()).then(|| authors.join(", ")),
        title,
        journal,
        date,
        scope("volume"),
        scope("page"),
        doi.and_then(words).map(|doi| doi_link(&doi)),
    ]);
    entry(label, text)
}

/// A TEI `persName` as `Given Surname`.
pub(super) fn person(node: Node<'_, '_>) -> Option<String> {
    let parts: Vec<String> = node
        .children()
        .filter(|part| matches!(part.tag_name().name(), "forename" | "surname" | "genName"))
        .filter_map(words)
        .collect();
    match parts.is_empty() {
        true => words(node),
        false => Some(parts.join(" ")),
    }
}

fn listed<const N: usize>(parts: [Option<String>; N]) -> String {
    let parts: Vec<String> = parts.into_iter().flatten().collect();
    parts.join(". ")
}

fn entry(label: Option<String>, text: String) -> Option<Reference> {
    let text = one_line(&text);
    (!text.is_empty()).then(|| Reference {
        label: label.unwrap_or_default(),
        text,
    })
}
