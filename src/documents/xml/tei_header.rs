//! What a TEI file says of itself.

use roxmltree::Node;

use super::super::Metadata;
use super::super::metadata::{doi_link, licence};
use super::{at, attribute, below, child, children, references, words};

pub(super) fn metadata(root: Node<'_, '_>) -> Metadata {
    let language = child(root, "text").and_then(|text| attribute(text, "lang"));
    let surfaces = child(root, "facsimile").map_or(0, |pages| children(pages, "surface").count());
    let of_root = Metadata {
        language: language.map(str::to_owned),
        pages: u32::try_from(surfaces).ok().filter(|pages| *pages > 0),
        ..Metadata::default()
    };
    let Some(header) = child(root, "teiHeader") else {
        return of_root;
    };
    let file = child(header, "fileDesc");
    let under = |names: &[&str]| file.and_then(|file| at(file, names));
    let struct_ = under(&["sourceDesc", "biblStruct"]);
    let published = under(&["publicationStmt"]);
    let title = under(&["titleStmt", "title"]).and_then(words);
    let date = published
        .into_iter()
        .chain(struct_)
        .flat_map(|node| below(node, "date"));
    let doi = below(header, "idno").find(|id| attribute(*id, "type") == Some("DOI"));
    let other = || published.and_then(|node| below(node, "idno").find_map(words));
    let header_language = attribute(header, "lang").map(str::to_owned);
    of_root.or(Metadata {
        title,
        authors: authors(under(&["titleStmt"]), struct_),
        date: date
            .filter_map(|date| {
                attribute(date, "when")
                    .map(str::to_owned)
                    .or_else(|| words(date))
            })
            .next(),
        source: doi.and_then(words).map(|doi| doi_link(&doi)).or_else(other),
        licence: published.and_then(licensed),
        language: header_language,
        topics: topics(header),
        ..Metadata::default()
    })
}

fn authors(statement: Option<Node<'_, '_>>, source: Option<Node<'_, '_>>) -> Vec<String> {
    let of = |node: Option<Node<'_, '_>>| -> Vec<String> {
        let authors = node.into_iter().flat_map(|node| children(node, "author"));
        authors
            .filter_map(|author| match child(author, "persName") {
                Some(name) => references::person(name),
                // GROBID leaves authors behind of whom it knows only an affiliation.
                None if child(author, "affiliation").is_some() => None,
                None => words(author),
            })
            .collect()
    };
    let analytic = of(source.and_then(|source| child(source, "analytic")));
    match analytic.is_empty() {
        true => of(statement),
        false => analytic,
    }
}

fn licensed(published: Node<'_, '_>) -> Option<String> {
    let availability = child(published, "availability")?;
    let named = below(availability, "licence")
        .chain(below(availability, "license"))
        .next();
    let target = named
        .and_then(|named| attribute(named, "target"))
        .map(str::to_owned);
    let text = target.or_else(|| words(availability))?;
    Some(licence(&text))
}

fn topics(header: Node<'_, '_>) -> Vec<String> {
    let Some(keywords) = at(header, &["profileDesc", "textClass", "keywords"]) else {
        return Vec::new();
    };
    let terms: Vec<String> = below(keywords, "term").filter_map(words).collect();
    match terms.is_empty() {
        // Older GROBID writes them as one line.
        true => words(keywords).map_or_else(Vec::new, |line| {
            line.split([';', ','])
                .map(|word| word.trim().to_owned())
                .collect()
        }),
        false => terms,
    }
}
