//! Markdown (CommonMark with tables, footnotes, task lists) to sections.

use pulldown_cmark::{Event, HeadingLevel, Options, Parser, Tag, TagEnd};

use super::outline::Outline;
use super::reader::{Content, Source};
use super::{Body, DocumentError, DocumentReader, Metadata, Reference, Table, one_line};

/// Reads `.md` and `.markdown` files.
///
/// Markup is dropped and the words are kept; HTML and comments are dropped whole. Footnote marks leave
/// the text, footnotes become references.
#[derive(Clone, Copy, Debug, Default)]
pub struct MarkdownReader;

impl DocumentReader for MarkdownReader {
    fn extensions(&self) -> &'static [&'static str] {
        &["md", "markdown"]
    }

    fn read(&self, source: Source<'_>) -> Result<Content, DocumentError> {
        let (matter, text) = source.text_after_front_matter()?;
        let options = Options::ENABLE_TABLES
            | Options::ENABLE_FOOTNOTES
            | Options::ENABLE_STRIKETHROUGH
            | Options::ENABLE_TASKLISTS;
        let mut builder = Builder::default();
        for event in Parser::new_ext(text, options) {
            builder.take(event);
        }
        Ok(builder.finish(matter))
    }
}

/// Where running text is heading.
#[derive(Debug, Default)]
struct Builder {
    outline: Outline,
    title: Option<String>,
    references: Vec<Reference>,
    /// Text of the innermost open block.
    text: String,
    list_depth: usize,
    items: Vec<String>,
    table: Option<OpenTable>,
    /// Label of the open footnote definition and its text so far.
    footnote: Option<(String, String)>,
}

#[derive(Debug, Default)]
struct OpenTable {
    table: Table,
    row: Vec<String>,
}

impl Builder {
    fn take(&mut self, event: Event<'_>) {
        match event {
            Event::Start(tag) => self.open(tag),
            Event::End(tag) => self.close(tag),
            Event::Text(text) | Event::Code(text) => self.text.push_str(&text),
            Event::SoftBreak | Event::HardBreak => self.text.push(' '),
            Event::InlineHtml(html) if html.starts_with("<br") => self.text.push(' '),
            _ => {}
        }
    }

    fn open(&mut self, tag: Tag<'_>) {
        match tag {
            Tag::FootnoteDefinition(label) => {
                self.end_paragraph();
                self.footnote = Some((label.to_string(), String::new()));
            }
            Tag::Heading { .. } | Tag::Paragraph | Tag::CodeBlock(_) | Tag::BlockQuote(_) => {
                self.end_paragraph();
            }
            Tag::List(_) => {
                self.end_paragraph();
                self.list_depth += 1;
            }
            Tag::Item => {
                // A nested item comes before its parent has ended: the parent's words come first.
                self.end_item();
            }
            Tag::Table(_) => {
                self.end_paragraph();
                self.table = Some(OpenTable {
                    table: Table {
                        caption: self.caption(),
                        ..Table::default()
                    },
                    row: Vec::new(),
                });
            }
            _ => {}
        }
    }

    fn close(&mut self, tag: TagEnd) {
        match tag {
            TagEnd::Paragraph | TagEnd::CodeBlock | TagEnd::BlockQuote(_) => self.end_paragraph(),
            TagEnd::Heading(level) => self.heading(level),
            TagEnd::Item => self.end_item(),
            TagEnd::List(_) => {
                self.list_depth = self.list_depth.saturating_sub(1);
                if self.list_depth == 0 && !self.items.is_empty() {
                    let items = std::mem::take(&mut self.items);
                    self.push(Body::List(items));
                }
            }
            TagEnd::FootnoteDefinition => self.end_footnote(),
            TagEnd::TableCell => {
                let cell = self.take_text();
                if let Some(open) = &mut self.table {
                    open.row.push(cell);
                }
            }
            TagEnd::TableHead => {
                if let Some(open) = &mut self.table {
                    open.table.header = std::mem::take(&mut open.row);
                }
            }
            TagEnd::TableRow => {
                if let Some(open) = &mut self.table {
                    let mut row = std::mem::take(&mut open.row);
                    row.resize(open.table.header.len(), String::new());
                    open.table.rows.push(row);
                }
            }
            TagEnd::Table => {
                if let Some(open) = self.table.take()
                    && !open.table.rows.is_empty()
                {
                    self.push(Body::Table(open.table));
                }
            }
            TagEnd::Image => self.text.push(' '),
            _ => {}
        }
    }

    fn take_text(&mut self) -> String {
        let text = std::mem::take(&mut self.text);
        one_line(&without_marks(&text))
    }

    /// Ends a run of text: it goes to the open footnote, the open list item, or becomes a paragraph.
    fn end_paragraph(&mut self) {
        if self.footnote.is_some() {
            let text = self.take_text();
            if let Some((_, so_far)) = &mut self.footnote {
                so_far.push(' ');
                so_far.push_str(&text);
            }
        } else if self.list_depth > 0 {
            // Paragraphs of one loose item stay together.
            self.text.push(' ');
        } else {
            let text = self.take_text();
            if !text.is_empty() {
                self.push(Body::Paragraph(text));
            }
        }
    }

    fn end_item(&mut self) {
        if self.footnote.is_some() {
            return self.end_paragraph();
        }
        let text = self.take_text();
        if !text.is_empty() {
            self.items.push(text);
        }
    }

    fn end_footnote(&mut self) {
        self.end_paragraph();
        if let Some((label, text)) = self.footnote.take() {
            self.references.push(Reference {
                label,
                text: one_line(&text),
            });
        }
    }

    fn heading(&mut self, level: HeadingLevel) {
        let text = self.take_text();
        if text.is_empty() || self.footnote.is_some() {
            return;
        }
        let level = level as u8;
        if level == 1 && self.title.is_none() {
            self.title = Some(text.clone());
        }
        self.outline.heading(level, &text);
    }

    /// The paragraph right before a table, where it names the table.
    fn caption(&mut self) -> Option<String> {
        match &self.outline.blocks().last()?.body {
            Body::Paragraph(text) if names_a_table(text) => match self.outline.pop()?.body {
                Body::Paragraph(text) => Some(text),
                _ => None,
            },
            _ => None,
        }
    }

    fn push(&mut self, body: Body) {
        // A footnote's tables and lists hold nothing to answer from.
        if self.footnote.is_some() {
            return;
        }
        self.outline.push(body);
    }

    fn finish(mut self, matter: Metadata) -> Content {
        self.end_paragraph();
        Content {
            metadata: matter.or(Metadata {
                title: self.title,
                ..Metadata::default()
            }),
            sections: self.outline.finish(),
            references: self.references,
        }
    }
}

/// True for "Table 2. Rates" and "Rates for clay soils:", not for a long paragraph.
fn names_a_table(text: &str) -> bool {
    let numbered = text
        .strip_prefix("Table ")
        .is_some_and(|rest| rest.starts_with(|c: char| c.is_ascii_digit()));
    text.len() <= 200 && (numbered || text.ends_with(':'))
}

/// `text` without `[^label]` marks whose footnote is missing; the parser takes out the others.
fn without_marks(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(start) = rest.find("[^") {
        let (before, mark) = rest.split_at(start);
        out.push_str(before);
        match mark.find([']', ' ']) {
            Some(end) if mark.as_bytes()[end] == b']' => rest = &mark[end + 1..],
            _ => {
                out.push_str("[^");
                rest = &mark[2..];
            }
        }
    }
    out.push_str(rest);
    out
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    fn read(text: &str) -> Content {
        let source = Source {
            path: Path::new("a.md"),
            bytes: text.as_bytes(),
        };
        MarkdownReader.read(source).expect("readable")
    }

    fn only_blocks(text: &str) -> Vec<Body> {
        let mut sections = read(text).sections;
        assert_eq!(sections.len(), 1, "{text}");
        let blocks = sections.remove(0).blocks;
        blocks.into_iter().map(|block| block.body).collect()
    }

    #[test]
    fn headings_nest_and_an_equal_one_replaces() {
        let content = read("Before.\n# A\na\n## B\nb\n### C\nc\n## D\nd\n");
        let paths: Vec<_> = content
            .sections
            .iter()
            .map(|section| (section.headings.join("/"), section.level))
            .collect();
        let expected = [("", 0), ("A", 1), ("A/B", 2), ("A/B/C", 3), ("A/D", 2)];
        assert_eq!(
            paths,
            expected.map(|(path, level)| (path.to_owned(), level))
        );
        assert_eq!(content.metadata.title.as_deref(), Some("A"));
    }

    #[test]
    fn footnotes_leave_the_text_and_are_kept_as_references() {
        let content = read(
            "Plant *5 cm* deep.[^a][^b] Then [roll](http://x).[^missing]\n\n[^a]: Guide, 2001,\n    https://x\n[^b]: Other\n",
        );
        assert_eq!(
            content.sections[0].blocks,
            [Body::Paragraph("Plant 5 cm deep. Then roll.".into()).into()]
        );
        let references: Vec<_> = content
            .references
            .iter()
            .map(|reference| (reference.label.as_str(), reference.text.as_str()))
            .collect();
        assert_eq!(
            references,
            [("a", "Guide, 2001, https://x"), ("b", "Other")]
        );
        assert_eq!(content.sections.len(), 1);
    }

    #[test]
    fn a_table_keeps_its_header_rows_and_caption() {
        let blocks = only_blocks(
            "# A\nTable 1. Depths\n\n| Soil | Depth[^a] |\n|---|---|\n| clay | 3 cm[^a] |\n| sand |\n\nAfter.\n\n[^a]: x",
        );
        assert_eq!(
            blocks,
            [
                Body::Table(Table {
                    caption: Some("Table 1. Depths".into()),
                    header: vec!["Soil".into(), "Depth".into()],
                    rows: vec![
                        vec!["clay".into(), "3 cm".into()],
                        vec!["sand".into(), String::new()]
                    ],
                }),
                Body::Paragraph("After.".into())
            ]
        );
    }

    #[test]
    fn nested_and_loose_lists_become_items_in_reading_order() {
        let blocks = only_blocks("- one\n  - two\n  - three\n\n- four\n\n  more\n");
        let items = ["one", "two", "three", "four more"].map(str::to_owned);
        assert_eq!(blocks, [Body::List(items.to_vec())]);
    }

    #[test]
    fn html_goes_and_its_words_in_line_stay() {
        let blocks = only_blocks("Sow <b>early</b>.<br>Now.\n\n<!-- note -->\n\n> Quoted.\n");
        assert_eq!(
            blocks,
            [
                Body::Paragraph("Sow early. Now.".into()),
                Body::Paragraph("Quoted.".into())
            ]
        );
    }
}
