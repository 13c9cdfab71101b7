//! Which lines begin a caption.

use std::sync::LazyLock;

use regex::Regex;

use super::body::Usual;
use super::lines::Line;

/// What a caption names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Figure,
    Table,
}

static LABEL: LazyLock<Option<Regex>> = LazyLock::new(|| {
    // The words for tables and figures in the languages of extension leaflets.
    Regex::new(concat!(
        r"(?i)^(?:supplementa(?:ry|l) |suppl\. |appendix |annex )?",
        r"(?:(table|tab\.|tableau|tabla|cuadro|tabela|quadro|tabelle)|",
        r"fig(?:ure|ura|s)?\.?|scheme|plate|photo(?:graph)?|chart|map|diagram|illustration|image|picture|abb(?:ildung|\.))",
        r"\s*(?:[A-Z]{0,2}[.-]?\d{1,3}(?:[.-]\d{1,2})?[a-z]?|[IVX]{1,5})\b\s*([.:|)–—-]*)\s*(.*)$"
    ))
    .ok()
});

/// What `line` captions, where it begins a caption and not a sentence that names a table.
pub(super) fn kind(line: &Line, before: Option<&Line>, usual: &Usual) -> Option<Kind> {
    let text = line.text();
    let found = LABEL.as_ref()?.captures(&text)?;
    if !text.starts_with(char::is_uppercase) {
        return None;
    }
    let kind = if found.get(1).is_some() {
        Kind::Table
    } else {
        Kind::Figure
    };
    let mark = found.get(2).map_or("", |mark| mark.as_str());
    let rest = found.get(3).map_or("", |rest| rest.as_str());
    let label = line.words.first()?;
    let styled = usual.is_bold(label)
        || !usual.is_size(line.size)
        || (label.style.italic && line.share(|word| word.style.italic) < 0.9)
        || label.style.face != usual.face;
    let apart = before.is_none_or(|before| {
        before.column != line.column || line.y - before.y > 1.25 * usual.leading
    });
    let begins = !rest.starts_with(char::is_lowercase);
    let is = match (styled, mark) {
        (true, "") => begins || label.size < 0.95 * usual.size,
        (true, _) => true,
        (false, "") => apart && begins,
        (false, _) => apart && begins && !matches!(mark, ")" | "-" | "–"),
    };
    is.then_some(kind)
}

#[cfg(test)]
mod tests {
    use super::super::lines::{lines, runs, tests::glyphs};
    use super::*;

    fn usual() -> Usual {
        Usual {
            size: 10.0,
            face: 0,
            bold: false,
            leading: 12.0,
        }
    }

    fn line(text: &str, size: f32) -> Line {
        lines(runs(&glyphs(text, 10.0, 100.0, size))).remove(0)
    }

    #[test]
    fn captions_are_told_from_sentences_that_name_a_table() {
        for (text, size, expected) in [
            ("Table 1. Seed rates", 10.0, Some(Kind::Table)),
            ("Table 1 Seed rates", 10.0, Some(Kind::Table)),
            ("Table 1 shows the rates", 10.0, None),
            ("Figure 3: Rows", 10.0, Some(Kind::Figure)),
            ("TABLE IV", 8.0, Some(Kind::Table)),
            ("Fig. 2a Leaf with rust", 8.0, Some(Kind::Figure)),
            ("Tables are made of wood", 10.0, None),
            ("Cuadro 2. Dosis", 10.0, Some(Kind::Table)),
        ] {
            assert_eq!(kind(&line(text, size), None, &usual()), expected, "{text}");
        }
    }

    #[test]
    fn a_label_in_the_middle_of_a_paragraph_is_no_caption() {
        let before = Line {
            y: 88.0,
            ..line("as the reader sees in", 10.0)
        };
        assert_eq!(
            kind(&line("Table 1. Then", 10.0), Some(&before), &usual()),
            None
        );
    }
}
