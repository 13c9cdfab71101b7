//! Plain text to sections.

use super::outline::Outline;
use super::reader::{Content, Source};
use super::{Block, Body, DocumentError, DocumentReader, Metadata, Section, one_line};

/// Longest line, in characters, that may be a heading in capitals.
const MAX_HEADING_CHARS: usize = 80;

/// Reads `.txt` and `.text` files.
///
/// Blank lines part paragraphs. A line is a heading only where that is plain to see: underlined with
/// `=` or `-`, or a line of capitals standing alone. A form feed begins a new page.
#[derive(Clone, Copy, Debug, Default)]
pub struct PlainTextReader;

impl DocumentReader for PlainTextReader {
    fn extensions(&self) -> &'static [&'static str] {
        &["txt", "text"]
    }

    fn read(&self, source: Source<'_>) -> Result<Content, DocumentError> {
        let (matter, text) = source.text_after_front_matter()?;
        let builder = Builder::read(text);
        let found = Metadata {
            title: builder.title,
            pages: builder.page,
            ..Metadata::default()
        };
        Ok(Content {
            metadata: matter.or(found),
            sections: builder.outline.finish(),
            references: Vec::new(),
        })
    }
}

/// The sections of running text that is a part of a file of another format.
pub(super) fn sections(text: &str) -> Vec<Section> {
    Builder::read(text).outline.finish()
}

/// Runs of lines between blank lines.
fn blocks(page: &str) -> Vec<Vec<&str>> {
    let mut blocks = vec![Vec::new()];
    for line in page.lines() {
        if line.trim().is_empty() {
            blocks.push(Vec::new());
        } else if let Some(block) = blocks.last_mut() {
            block.push(line.trim());
        }
    }
    blocks.retain(|block| !block.is_empty());
    blocks
}

#[derive(Debug, Default)]
struct Builder {
    outline: Outline,
    title: Option<String>,
    page: Option<u32>,
}

impl Builder {
    fn read(text: &str) -> Self {
        let mut builder = Builder {
            page: text.contains('\u{c}').then_some(1),
            ..Builder::default()
        };
        for (number, page) in text.split('\u{c}').enumerate() {
            if number > 0 {
                builder.next_page();
            }
            for block in blocks(page) {
                builder.take(&block);
            }
        }
        builder
    }

    fn take(&mut self, mut lines: &[&str]) {
        // A loop: a file may be nothing but underlined lines, and a call for each would end the stack.
        while let [title, rule, rest @ ..] = lines
            && let Some(level) = underline(rule)
            && !is_item(title)
        {
            self.heading(level, title);
            lines = rest;
        }
        match lines {
            [] => {}
            [rule] if underline(rule).is_some() => {}
            [title] if is_capitals(title) => self.heading(2, title),
            _ => self.text(lines),
        }
    }

    fn heading(&mut self, level: u8, title: &str) {
        if level == 1 && self.title.is_none() {
            self.title = Some(one_line(title));
        }
        self.outline.heading(level, title);
    }

    /// Paragraph lines up to the first item, then the items with the lines that continue them.
    fn text(&mut self, lines: &[&str]) {
        let first_item = lines.iter().position(|line| is_item(line));
        let (paragraph, list) = lines.split_at(first_item.unwrap_or(lines.len()));
        if !paragraph.is_empty() {
            self.push(Body::Paragraph(one_line(&paragraph.join(" "))));
        }
        let mut items: Vec<String> = Vec::new();
        for line in list {
            match (item(line), items.last_mut()) {
                (None, Some(item)) => {
                    item.push(' ');
                    item.push_str(line);
                }
                (text, _) => items.push(text.unwrap_or(line).to_owned()),
            }
        }
        if items.is_empty() {
            return;
        }
        // A blank line between items does not end the list.
        if paragraph.is_empty()
            && let Some(block) = self.outline.blocks().last_mut()
            && block.page == self.page
            && let Body::List(before) = &mut block.body
        {
            before.extend(items);
        } else {
            self.push(Body::List(items));
        }
    }

    fn push(&mut self, body: Body) {
        let page = self.page;
        self.outline.push(Block { page, body });
    }

    fn next_page(&mut self) {
        self.page = self.page.map(|page| page.saturating_add(1));
    }
}

/// The heading level of an underline: `===` is 1, `---` is 2.
fn underline(line: &str) -> Option<u8> {
    let all = |mark| line.len() >= 3 && line.chars().all(|c| c == mark);
    if all('=') {
        Some(1)
    } else if all('-') {
        Some(2)
    } else {
        None
    }
}

fn is_capitals(line: &str) -> bool {
    let letters = || line.chars().filter(|c| c.is_alphabetic());
    // Scripts without case are never "in capitals".
    letters().count() >= 3
        && letters().all(char::is_uppercase)
        && line.chars().count() <= MAX_HEADING_CHARS
        && !line.ends_with(['.', ';', ','])
}

fn is_item(line: &str) -> bool {
    item(line).is_some()
}

/// The text of a list item, without its mark.
fn item(line: &str) -> Option<&str> {
    for mark in ["- ", "* ", "• ", "+ "] {
        if let Some(text) = line.strip_prefix(mark) {
            return Some(text.trim_start());
        }
    }
    let digits = line.bytes().take_while(u8::is_ascii_digit).count();
    let rest = &line[digits..];
    ((1..=2).contains(&digits))
        .then(|| rest.strip_prefix(". ").or_else(|| rest.strip_prefix(") ")))
        .flatten()
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    fn read(text: &str) -> Content {
        let source = Source {
            path: Path::new("a.txt"),
            bytes: text.as_bytes(),
        };
        PlainTextReader.read(source).expect("readable")
    }

    #[test]
    fn capitals_alone_are_a_heading_and_ordinary_lines_are_not() {
        let content = read("SEED RATE\n\nUse 20 kg.\n\nNot a heading\n\nUSE 20 KG NOW.\n");
        assert_eq!(content.sections.len(), 1);
        assert_eq!(content.sections[0].heading(), "SEED RATE");
        assert_eq!(content.sections[0].blocks.len(), 3);
    }

    #[test]
    fn items_keep_the_lines_that_continue_them() {
        let content = read("Do this:\n1. Sow\n   early\n2) Water\n\n3. Wait\n");
        let items = ["Sow early", "Water", "Wait"].map(str::to_owned).to_vec();
        assert_eq!(
            content.sections[0].blocks,
            [
                Body::Paragraph("Do this:".into()).into(),
                Body::List(items).into()
            ]
        );
    }

    #[test]
    fn a_form_feed_counts_pages() {
        let content = read("One.\u{c}Two.\n\nStill two.\u{c}Three.");
        let pages: Vec<_> = content.sections[0]
            .blocks
            .iter()
            .map(|block| block.page)
            .collect();
        assert_eq!(pages, [Some(1), Some(2), Some(2), Some(3)]);
        assert_eq!(read("One.").sections[0].blocks[0].page, None);
    }

    #[test]
    fn a_rule_between_paragraphs_is_no_text() {
        let content = read("One.\n\n-----\n\nTwo.");
        assert_eq!(content.sections[0].blocks.len(), 2);
    }
}
