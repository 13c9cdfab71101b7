//! What headings and lines of the front are, as their words tell.

use super::super::headings;

/// What a heading opens, as its words tell.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Role {
    Abstract,
    /// A part that articles have at the top level.
    Main,
    References,
    Other,
}

/// What the heading opens.
pub(super) fn role(heading: &str) -> Role {
    let words: String = heading
        .trim_start_matches(|ch: char| ch.is_ascii_digit() || matches!(ch, '.' | ' ' | ')' | '|'))
        .trim_end_matches([':', '.'])
        .to_lowercase();
    match &*words {
        "abstract" | "summary" | "synopsis" | "résumé" | "resumen" | "resumo" => Role::Abstract,
        "references"
        | "literature cited"
        | "bibliography"
        | "works cited"
        | "literature"
        | "references cited"
        | "reference"
        | "cited literature"
        | "sources"
        | "referencias"
        | "références"
        | "bibliographie"
        | "literatur"
        | "references and notes"
        | "references and further reading"
        | "selected references" => Role::References,
        "introduction"
        | "background"
        | "methods"
        | "materials and methods"
        | "material and methods"
        | "methods and materials"
        | "results"
        | "discussion"
        | "results and discussion"
        | "conclusion"
        | "conclusions"
        | "acknowledgements"
        | "acknowledgments"
        | "acknowledgement"
        | "acknowledgment"
        | "experimental" => Role::Main,
        _ => Role::Other,
    }
}

/// What stands after an article's own text.
pub(super) fn is_back(heading: &str) -> bool {
    let lower = heading.to_lowercase();
    [
        "acknowledg",
        "funding",
        "conflict of interest",
        "conflicts of interest",
        "competing interest",
        "open access",
        "author contribution",
        "authors contribution",
        "authors’ contribution",
        "data availability",
    ]
    .iter()
    .any(|start| lower.starts_with(start))
}

/// What publishers print over titles.
pub(super) fn is_label(text: &str) -> bool {
    matches!(
        &*text.to_lowercase(),
        "research article"
            | "original article"
            | "original research"
            | "review article"
            | "review"
            | "mini review"
            | "short communication"
            | "case report"
            | "open access"
            | "article"
            | "research"
            | "original paper"
            | "fact sheet"
            | "factsheet"
            | "technical note"
            | "extension bulletin"
            | "communication"
            | "letter"
            | "contents"
            | "table of contents"
            | "inhaltsverzeichnis"
            | "table des matières"
            | "contenido"
            | "índice"
            | "sommaire"
    )
}

/// Whether an article's text begins with this heading.
pub(super) fn begins_article(heading: &str) -> bool {
    let lower = heading.to_lowercase();
    role(heading) == Role::Abstract
        || headings::depth(heading) == Some(1) && heading.starts_with('1')
        || lower.ends_with("introduction")
        || lower.ends_with("background")
}

/// Addresses, dates of receipt, licences: about the paper, not of it.
pub(super) fn is_formal(text: &str) -> bool {
    let lower = text.to_lowercase();
    [
        "correspond",
        "e-mail",
        "email:",
        "received",
        "copyright",
        "creative commons",
        "©",
        "licen",
        "cite this",
        "citation:",
        "edited by",
        "reviewed by",
        "keywords",
        "key words",
        "academic editor",
        "department of",
        "doi:",
        "doi.org",
        "published online",
        "issn",
    ]
    .iter()
    .filter(|word| lower.contains(**word))
    .count()
        >= if text.split(' ').count() > 120 { 3 } else { 1 }
}
