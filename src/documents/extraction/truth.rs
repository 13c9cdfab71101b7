//! What a publisher's JATS XML says that the article holds.

use roxmltree::{Document, Node, ParsingOptions};

use super::super::Section;
use super::words;

/// Why a JATS file gives no truth.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TruthError {
    /// It is no XML.
    #[error("no XML: {0}; take the publisher's JATS file")]
    Xml(String),
    /// It has no text.
    #[error("no body in the XML; take a JATS file with the article's full text")]
    NoBody,
}

/// The prose, headings and tables of an article.
#[derive(Clone, Debug, PartialEq)]
pub struct Truth {
    /// Paragraphs of the body without tables, figures and formulas that stand apart, one a line.
    pub prose: String,
    /// Titles of the body's sections.
    pub headings: Vec<String>,
    /// Label and caption of each table that has one, and the words of its cells.
    pub tables: Vec<(String, String)>,
    /// Titles of what is no body: the abstract's and the back matter's, in words.
    other: Vec<Vec<String>>,
}

/// Parts that are not the body's own prose.
const APART: [&str; 8] = [
    "table-wrap",
    "table-wrap-group",
    "fig",
    "fig-group",
    "ref-list",
    "disp-formula",
    "supplementary-material",
    "fn",
];

/// Headings of the parts around the body, whatever the publisher files them under.
const AROUND: [&str; 18] = [
    "abstract",
    "acknowledg",
    "funding",
    "conflict",
    "competing",
    "author contribution",
    "authors contribution",
    "supporting information",
    "supplementary",
    "data availability",
    "data archiving",
    "abbreviations",
    "additional file",
    "ethic",
    "publisher",
    "availability of data",
    "consent for",
    "how to cite",
];

impl Truth {
    /// Reads the truth from JATS XML.
    ///
    /// # Errors
    /// It is no XML or has no body.
    pub fn of_jats(xml: &str) -> Result<Truth, TruthError> {
        let options = ParsingOptions {
            allow_dtd: true,
            ..ParsingOptions::default()
        };
        let document = Document::parse_with_options(xml, options)
            .map_err(|error| TruthError::Xml(error.to_string()))?;
        let find = |name: &str| document.descendants().find(|node| node.has_tag_name(name));
        let body = find("body").ok_or(TruthError::NoBody)?;
        let mut prose = Vec::new();
        paragraphs(body, &mut prose);
        let titles = |node: Node<'_, '_>| -> Vec<String> {
            node.descendants()
                .filter(|node| node.has_tag_name("title"))
                .filter(|node| {
                    !node
                        .ancestors()
                        .any(|above| APART.contains(&above.tag_name().name()))
                })
                .map(text)
                .collect()
        };
        let own =
            |node: &Node<'_, '_>| node.parent().is_some_and(|above| above.has_tag_name("sec"));
        let headings = body
            .descendants()
            .filter(|node| node.has_tag_name("title") && own(node))
            .map(text)
            .filter(|title| !is_around(title))
            .collect();
        let tables = document
            .descendants()
            .filter(|node| node.has_tag_name("table-wrap"))
            .filter_map(table)
            .collect();
        let other = ["front", "back"]
            .iter()
            .filter_map(|name| find(name))
            .flat_map(titles)
            .map(|title| words(&title))
            .collect();
        Ok(Truth {
            prose: prose.join("\n"),
            headings,
            tables,
            other,
        })
    }

    /// Whether `section` belongs to the body by its headings.
    pub fn is_body(&self, section: &Section) -> bool {
        let around = |heading: &String| {
            let own = words(heading);
            is_around(heading)
                || (self.other.contains(&own)
                    && !self.headings.iter().any(|title| words(title) == own))
        };
        section.level > 0 && !section.headings.iter().any(around)
    }
}

fn is_around(title: &str) -> bool {
    let title = words(title).join(" ");
    AROUND.iter().any(|start| title.starts_with(start))
}

fn paragraphs(node: Node<'_, '_>, out: &mut Vec<String>) {
    for child in node.children().filter(Node::is_element) {
        let name = child.tag_name().name();
        if APART.contains(&name) {
            continue;
        }
        let around = child
            .children()
            .find(|node| node.has_tag_name("title"))
            .is_some_and(|title| is_around(&text(title)));
        if name == "sec" && around {
            continue;
        }
        if name == "p" {
            out.push(text(child));
        } else {
            paragraphs(child, out);
        }
    }
}

/// The text under `node`, without what stands apart.
fn text(node: Node<'_, '_>) -> String {
    let mut out = String::new();
    collect(node, &mut out);
    out.split_whitespace().collect::<Vec<_>>().join(" ")
}

fn collect(node: Node<'_, '_>, out: &mut String) {
    for child in node.children() {
        if let Some(text) = child.text().filter(|_| child.is_text()) {
            out.push_str(text);
        } else if !APART.contains(&child.tag_name().name()) && !child.has_tag_name("tex-math") {
            let apart = matches!(
                child.tag_name().name(),
                "p" | "list-item" | "td" | "th" | "title" | "break" | "label"
            );
            if apart {
                out.push(' ');
            }
            collect(child, out);
            if apart {
                out.push(' ');
            }
        }
    }
}

fn table(node: Node<'_, '_>) -> Option<(String, String)> {
    let part = |name: &str| {
        node.children()
            .find(|child| child.has_tag_name(name))
            .map(text)
            .unwrap_or_default()
    };
    let caption = format!("{} {}", part("label"), part("caption"));
    let cells = node
        .descendants()
        .filter(|node| matches!(node.tag_name().name(), "td" | "th"))
        .map(text)
        .collect::<Vec<_>>()
        .join(" ");
    (!caption.trim().is_empty()).then(|| (caption.trim().to_owned(), cells))
}
