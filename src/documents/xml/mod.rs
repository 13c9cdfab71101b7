//! XML articles, told apart by their root element: JATS, TEI, and XHTML pages.

mod guard;
mod inline;
mod jats;
mod jats_front;
mod references;
mod tei;
mod tei_header;

use roxmltree::{Document, Node, ParsingOptions};

use super::html;
use super::reader::{Content, Source};
use super::{DocumentError, DocumentReader, one_line};

/// Reads `.xml`, `.nxml`, `.jats`, `.tei` and `.xhtml` files whose root element is `article`, `TEI` or `html`.
///
/// Nothing is fetched and no entity but XML's own five is replaced; depth and number of elements are
/// checked before parsing.
#[derive(Clone, Copy, Debug, Default)]
pub struct XmlReader;

impl DocumentReader for XmlReader {
    fn extensions(&self) -> &'static [&'static str] {
        &["xml", "nxml", "jats", "tei", "xhtml"]
    }

    fn read(&self, source: Source<'_>) -> Result<Content, DocumentError> {
        let text = source.text()?;
        if text.trim().is_empty() {
            return Ok(Content::default());
        }
        let bad = |reason: String| source.malformed("XML", reason);
        guard::check(text).map_err(bad)?;
        let options = ParsingOptions {
            // A document type may stand there, as JATS has it; the guard has seen that it declares nothing.
            allow_dtd: true,
            nodes_limit: guard::MAX_NODES,
            ..ParsingOptions::default()
        };
        let tree =
            Document::parse_with_options(text, options).map_err(|error| bad(error.to_string()))?;
        let root = tree.root_element();
        match root.tag_name().name() {
            "article" => Ok(jats::content(root)),
            "TEI" => Ok(tei::content(root)),
            // PubMed Central hands single articles out in a set.
            "pmc-articleset" => match child(root, "article") {
                Some(article) => Ok(jats::content(article)),
                None => Ok(Content::default()),
            },
            "html" => Ok(html::content(text)),
            other => Err(bad(format!(
                "its root element is <{}>; expected <article> (JATS), <TEI> or <html>",
                super::clipped(other, 64)
            ))),
        }
    }
}

/// The first child element `name`, whatever its namespace.
fn child<'a, 'i>(node: Node<'a, 'i>, name: &str) -> Option<Node<'a, 'i>> {
    node.children().find(|child| is(*child, name))
}

/// All child elements `name`.
fn children<'a, 'i>(node: Node<'a, 'i>, name: &'a str) -> impl Iterator<Item = Node<'a, 'i>> {
    node.children().filter(move |child| is(*child, name))
}

/// The first element under `node` at the path of `names`.
fn at<'a, 'i>(node: Node<'a, 'i>, names: &[&str]) -> Option<Node<'a, 'i>> {
    names.iter().try_fold(node, |node, name| child(node, name))
}

/// All elements `name` below `node`.
fn below<'a, 'i>(node: Node<'a, 'i>, name: &'a str) -> impl Iterator<Item = Node<'a, 'i>> {
    node.descendants()
        .skip(1)
        .filter(move |child| is(*child, name))
}

fn is(node: Node<'_, '_>, name: &str) -> bool {
    node.is_element() && node.tag_name().name() == name
}

/// An attribute by its local name, so that `xml:id` and `xlink:href` need no namespace here.
fn attribute<'a>(node: Node<'a, '_>, name: &str) -> Option<&'a str> {
    let mut attributes = node.attributes();
    attributes
        .find(|attribute| attribute.name() == name)
        .map(|attribute| attribute.value().trim())
        .filter(|value| !value.is_empty())
}

/// All text below `node` on one line; `None` when there is none.
fn words(node: Node<'_, '_>) -> Option<String> {
    let text: String = node
        .descendants()
        .filter_map(|node| node.is_text().then(|| node.text())?)
        .collect();
    let text = one_line(&text);
    (!text.is_empty()).then_some(text)
}

/// A label and a caption as one line.
fn caption(label: Option<String>, text: &str) -> Option<String> {
    let text = text.trim();
    match (label, text) {
        (None, "") => None,
        (None, text) => Some(text.to_owned()),
        (Some(label), "") => Some(label),
        // GROBID repeats the label in the caption.
        (Some(label), text) if text.starts_with(label.as_str()) => Some(text.to_owned()),
        (Some(label), text) if label.ends_with(['.', ':']) => Some(format!("{label} {text}")),
        (Some(label), text) => Some(format!("{label}. {text}")),
    }
}

#[cfg(test)]
#[path = "../xml_tests.rs"]
mod tests;
