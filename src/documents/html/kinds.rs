//! What the elements of a page are to its text, by name, role and class.

use super::tree::{Child, Element, Tree};

/// Elements that are no part of the text.
const SILENT: &[&str] = &[
    "aside",
    "audio",
    "button",
    "canvas",
    "datalist",
    "dialog",
    "embed",
    "footer",
    "form",
    "head",
    "iframe",
    "img",
    "input",
    "link",
    "math-field",
    "menu",
    "meta",
    "nav",
    "noscript",
    "object",
    "script",
    "select",
    "source",
    "style",
    "svg",
    "template",
    "textarea",
    "title",
    "track",
    "video",
];

/// Roles and class names of what surrounds the text on every page of a site.
const SURROUNDINGS: &[&str] = &[
    "navigation",
    "banner",
    "contentinfo",
    "search",
    "complementary",
    "menu",
    "menubar",
    "toolbar",
    "breadcrumb",
    "breadcrumbs",
    "navbar",
    "sidebar",
    "cookie-banner",
    "share-buttons",
    "skip-link",
    "site-header",
    "site-footer",
    "mw-editsection",
    "noprint",
];

/// Roles and class names of lists of sources.
pub(super) const REFERENCES: &[&str] = &[
    "references",
    "reflist",
    "bibliography",
    "footnotes",
    "endnotes",
    "doc-endnotes",
    "doc-bibliography",
    "doc-footnote",
];

/// Elements that stand for themselves.
pub(super) const BLOCKS: &[&str] = &[
    "address",
    "article",
    "blockquote",
    "body",
    "caption",
    "center",
    "dd",
    "details",
    "div",
    "dl",
    "dt",
    "fieldset",
    "figcaption",
    "figure",
    "h1",
    "h2",
    "h3",
    "h4",
    "h5",
    "h6",
    "header",
    "hgroup",
    "hr",
    "html",
    "legend",
    "li",
    "main",
    "ol",
    "p",
    "pre",
    "section",
    "summary",
    "table",
    "tbody",
    "td",
    "tfoot",
    "th",
    "thead",
    "tr",
    "ul",
];

/// Whether neither the element nor what is in it is part of the text.
pub(super) fn is_silent(element: &Element) -> bool {
    let is_hidden =
        element.attribute("hidden").is_some() || element.attribute("aria-hidden") == Some("true");
    SILENT.contains(&element.name.as_str())
        || is_hidden
        || element.has("role", SURROUNDINGS)
        || element.has("class", SURROUNDINGS)
}

/// Whether the element is a mark that points to a note: a raised link within the page, in brackets or not.
pub(super) fn is_mark(tree: &Tree, index: usize) -> bool {
    let element = tree.element(index);
    if element.has("role", &["doc-noteref"]) {
        return true;
    }
    if element.name != "sup" {
        return false;
    }
    tree.below(index).into_iter().any(|inner| {
        let link = tree.element(inner);
        link.name == "a"
            && link
                .attribute("href")
                .is_some_and(|href| href.starts_with('#'))
    })
}

/// Whether an element that stands for itself is in the element `index`.
pub(super) fn has_blocks(tree: &Tree, index: usize) -> bool {
    let inner = tree.below(index).into_iter();
    inner
        .map(|inner| tree.element(inner).name.as_str())
        .any(|name| BLOCKS.contains(&name))
}

/// The elements right in `index`; groups of terms in a list of definitions are taken apart.
pub(super) fn own_parts(tree: &Tree, index: usize) -> Vec<usize> {
    let mut parts = Vec::new();
    for child in &tree.element(index).children {
        if let Child::Element(inner) = child {
            let is_group = tree.element(index).name == "dl" && tree.element(*inner).name == "div";
            match is_group {
                true => parts.extend(own_parts(tree, *inner)),
                false => parts.push(*inner),
            }
        }
    }
    parts.retain(|part| !is_silent(tree.element(*part)));
    parts
}
