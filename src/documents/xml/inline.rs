//! Running text with marks in it to plain text: citations go, formulas become text.

use roxmltree::Node;

use super::super::one_line;
use super::{attribute, child};

/// Marks that point to the bibliography or to footnotes: `[12]` goes, `(Smith et al., 2010)` stays.
const CITATIONS: &[&str] = &[
    "bibr",
    "bib",
    "fn",
    "table-fn",
    "foot",
    "aff",
    "corresp",
    "author-notes",
    "contrib",
];

/// Elements whose text is no part of the sentence.
const SILENT: &[&str] = &[
    "fn",
    "note",
    "object-id",
    "alt-text",
    "long-desc",
    "graphic",
    "inline-graphic",
    "media",
    "index-term",
    "label",
    "permissions",
    "tex-math",
    "annotation",
    "supplementary-material",
];

/// Text of one block, put together from its parts.
#[derive(Debug, Default)]
pub(super) struct Line {
    text: String,
    /// Whether a mark was left out, so that its brackets may be left over.
    has_gaps: bool,
}

impl Line {
    /// The text of `node`, marks taken out.
    pub fn of(node: Node<'_, '_>) -> String {
        let mut line = Line::default();
        line.children(node);
        line.finish()
    }

    /// Adds the text of all nodes in `node`.
    pub fn children(&mut self, node: Node<'_, '_>) {
        for child in node.children() {
            self.push(child);
        }
    }

    /// Adds the text of `node`.
    pub fn push(&mut self, node: Node<'_, '_>) {
        if let Some(text) = node.text().filter(|_| node.is_text()) {
            self.text.push_str(text);
        }
        if !node.is_element() {
            return;
        }
        match node.tag_name().name() {
            name if SILENT.contains(&name) => {}
            "xref" | "ref" if is_mark(node) => self.has_gaps = true,
            "sup" => self.raised(node),
            "break" | "lb" => self.text.push(' '),
            "math" => math(node, &mut self.text),
            "alternatives" => self.best_of(node),
            // Sentences and formulas stand apart, whether or not there is a space between the elements.
            "s" | "disp-formula" | "formula" | "p" | "title" | "head" => {
                self.text.push(' ');
                self.children(node);
                self.text.push(' ');
            }
            _ => self.children(node),
        }
    }

    /// `10<sup>3</sup>` must not become 103; `m<sup>2</sup>` is m2 everywhere.
    fn raised(&mut self, node: Node<'_, '_>) {
        let mut inner = Line::default();
        inner.children(node);
        self.has_gaps |= inner.has_gaps;
        let text = one_line(&inner.text);
        let is_number = text.chars().any(|c| c.is_ascii_digit())
            && text
                .chars()
                .all(|c| c.is_ascii_digit() || "-−–+.".contains(c));
        if is_number && self.text.ends_with(|c: char| c.is_ascii_digit()) {
            self.text.push('^');
        }
        self.text.push_str(&text);
    }

    /// One of several forms of the same: MathML before TeX, text before pictures.
    fn best_of(&mut self, node: Node<'_, '_>) {
        match (child(node, "math"), child(node, "tex-math")) {
            (Some(formula), _) => math(formula, &mut self.text),
            (None, Some(tex)) => self
                .text
                .push_str(&tex_body(tex.text().unwrap_or_default())),
            (None, None) => self.children(node),
        }
    }

    /// The text on one line, without the brackets of marks that were left out.
    pub fn finish(self) -> String {
        let text = one_line(&self.text);
        match self.has_gaps {
            true => without_empty_brackets(&text),
            false => text,
        }
    }

    /// The text so far, and nothing left.
    pub fn take(&mut self) -> String {
        std::mem::take(self).finish()
    }
}

/// Whether `node` is only a mark: it points to a source or a note, and has no words of its own.
fn is_mark(node: Node<'_, '_>) -> bool {
    let kind = attribute(node, "ref-type").or_else(|| attribute(node, "type"));
    let points = kind.is_some_and(|kind| CITATIONS.contains(&kind));
    points && {
        // Not `Line::of`, which would ask the same of each mark in it, again and again.
        let texts = node.descendants().filter(Node::is_text);
        let texts = texts.filter_map(|node| node.text());
        // One letter is a footnote's mark.
        texts
            .flat_map(str::chars)
            .filter(|c| c.is_alphabetic())
            .count()
            <= 1
    }
}

/// What stands between the dollar signs of a TeX document.
fn tex_body(text: &str) -> String {
    let body = text
        .split_once("\\begin{document}")
        .map_or(text, |(_, body)| body);
    let body = body.split("\\end{document}").next().unwrap_or_default();
    one_line(body.trim().trim_matches('$'))
}

/// MathML as it would be typed: `a/b`, `x^2`, `sqrt(x)`.
fn math(node: Node<'_, '_>, out: &mut String) {
    if let Some(text) = node.text().filter(|_| node.is_text()) {
        out.push_str(text.trim());
        return;
    }
    let name = node.tag_name().name();
    if SILENT.contains(&name) || name.starts_with("annotation") {
        return;
    }
    let parts: Vec<Node<'_, '_>> = node.children().filter(Node::is_element).collect();
    match (name, parts.as_slice()) {
        ("mfrac", [over, under]) => joined(*over, "/", *under, out),
        ("msup", [base, power]) if math_text(*power) != "'" => joined(*base, "^", *power, out),
        ("msubsup", [base, index, power]) => {
            math(*base, out);
            math(*index, out);
            out.push('^');
            grouped(*power, out);
        }
        ("msqrt", _) => {
            out.push_str("sqrt(");
            parts.iter().for_each(|part| math(*part, out));
            out.push(')');
        }
        ("mo", _) => {
            let sign = math_text(node);
            match sign.as_str() {
                "=" | "+" | "-" | "−" | "×" | "÷" | "<" | ">" | "≤" | "≥" | "±" | "≈" | "*" =>
                {
                    out.push(' ');
                    out.push_str(&sign);
                    out.push(' ');
                }
                sign => out.push_str(sign),
            }
        }
        ("mspace", _) => out.push(' '),
        ("mtext", _) => out.push_str(&math_text(node)),
        ("mtr", _) => {
            node.children().for_each(|part| math(part, out));
            out.push(' ');
        }
        _ => node.children().for_each(|part| math(part, out)),
    }
}

fn joined(left: Node<'_, '_>, sign: &str, right: Node<'_, '_>, out: &mut String) {
    grouped(left, out);
    out.push_str(sign);
    grouped(right, out);
}

/// In brackets when it is more than one word.
fn grouped(node: Node<'_, '_>, out: &mut String) {
    let mut inner = String::new();
    math(node, &mut inner);
    let inner = one_line(&inner);
    match inner.contains([' ', '/', '^']) {
        true => out.extend(["(", &inner, ")"]),
        false => out.push_str(&inner),
    }
}

fn math_text(node: Node<'_, '_>) -> String {
    let texts = node.descendants().filter(Node::is_text);
    texts.filter_map(|node| node.text()).collect()
}

/// `text` without brackets around punctuation alone, and without the space that they leave.
fn without_empty_brackets(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find(['[', '(']) {
        let close = if rest[at..].starts_with('[') {
            ']'
        } else {
            ')'
        };
        out.push_str(&rest[..at]);
        rest = &rest[at..];
        let inner = rest[1..].split(close).next().unwrap_or_default();
        let is_closed = rest[1 + inner.len()..].starts_with(close);
        if is_closed && !inner.contains(['[', '(']) && !inner.contains(char::is_alphanumeric) {
            rest = &rest[inner.len() + 2..];
            out.truncate(out.trim_end().len());
            if rest.starts_with(char::is_alphanumeric) {
                out.push(' ');
            }
        } else {
            out.push_str(&rest[..1]);
            rest = &rest[1..];
        }
    }
    out.push_str(rest);
    without_torn_marks(&out)
}

/// `text` without commas and spaces left alone: "stroke , tremor ." is "stroke, tremor."
fn without_torn_marks(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut characters = text.chars().peekable();
    while let Some(c) = characters.next() {
        let ends = characters.peek().is_none_or(|next| next.is_whitespace());
        if matches!(c, '.' | ',' | ';' | ':') && ends && out.ends_with(' ') {
            out.pop();
            if out.ends_with([',', ';', ':']) {
                out.pop();
            }
        }
        if matches!(c, ')' | ']') {
            // What a mark parted from the bracket: "(Fig. 1; )" is "(Fig. 1)".
            out.truncate(out.trim_end_matches([' ', ',', ';']).len());
        }
        out.push(c);
    }
    out
}
