//! Lines to pieces in reading order: headings, paragraphs, items, tables, captions, notes.

use super::body::Usual;
use super::grids::{Drawn, Grid};
use super::headings;
use super::join::{self, Vocabulary};
use super::labels::{is_contents, label_captions, label_notes, skip_fragments};
use super::lines::{Line, joined};
use super::lists;
use super::table_cells;
use super::tables;
use crate::documents::Table;

/// How a heading looks; equal looks are equal levels.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) struct Look {
    /// Size in quarters of a point.
    pub size: i32,
    pub bold: bool,
    pub caps: bool,
    pub upright: bool,
    /// Its typeface, where that is not the prose's.
    pub face: Option<u16>,
    /// Begins its paragraph's first line.
    pub run_in: bool,
}

/// A piece of the document.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Piece {
    /// Page on which it begins.
    pub page: u32,
    /// Size of its letters.
    pub size: f32,
    /// Stands in a box.
    pub boxed: bool,
    pub kind: Content,
}

/// What a piece is.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Content {
    Heading { text: String, look: Look },
    Paragraph { lines: Vec<Line>, text: String },
    Item(String),
    Table(Table),
    Caption(String),
    Note(String),
}

/// What a line is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Label {
    Text,
    Table(usize),
    Caption(usize),
    Note,
    Heading,
    Skip,
}

/// The pieces of `lines`; `drawn` is what is drawn around them.
pub(super) fn pieces(
    lines: &[Line],
    drawn: &Drawn,
    usual: &Usual,
    vocabulary: &Vocabulary,
) -> Vec<Piece> {
    let mut labels = vec![Label::Text; lines.len()];
    let tables = tables::find(lines, drawn, usual);
    for (number, table) in tables.iter().enumerate() {
        for index in table.lines() {
            labels[index] = Label::Table(number);
        }
    }
    for (line, label) in lines.iter().zip(&mut labels) {
        if is_contents(line) {
            *label = Label::Skip;
        }
    }
    label_captions(lines, usual, &mut labels);
    label_notes(lines, usual, &mut labels);
    for index in 0..lines.len() {
        let is_head = |at: usize| labels[at] == Label::Heading;
        if labels[index] == Label::Text && headings::is_heading(lines, index, usual, &is_head) {
            labels[index] = Label::Heading;
        }
    }
    skip_fragments(lines, usual, &mut labels);
    let mut flow = Flow {
        lines,
        grids: &drawn.grids,
        usual,
        vocabulary,
        pieces: Vec::new(),
        open: Vec::new(),
        floats: Vec::new(),
    };
    let mut done = vec![false; tables.len()];
    let mut index = 0;
    while index < lines.len() {
        match labels[index] {
            Label::Text => flow.text(index),
            Label::Skip => {}
            Label::Heading => {
                let end = headings::end(lines, index, usual, &|at| labels[at] == Label::Heading);
                flow.heading(index, end);
                index = end - 1;
            }
            Label::Table(number) if !done[number] => {
                done[number] = true;
                flow.table(&tables[number]);
            }
            Label::Table(_) => {}
            Label::Caption(start) => {
                let same = |at: &usize| labels[*at] == Label::Caption(start);
                let all: Vec<usize> = (index..lines.len()).take_while(same).collect();
                index += all.len() - 1;
                flow.float(&all, Content::Caption);
            }
            Label::Note => {
                let same = |at: &usize| {
                    labels[*at] == Label::Note
                        && (*at == index || !headings::begins_note(&lines[*at]))
                        && lines[*at].column == lines[index].column
                };
                let all: Vec<usize> = (index..lines.len()).take_while(same).collect();
                index += all.len() - 1;
                flow.float(&all, Content::Note);
            }
        }
        index += 1;
    }
    flow.close();
    flow.pieces
}

fn ends_sentence(text: &str) -> bool {
    text.ends_with(['.', ':', '?', '!', '”', '"', ')', ']', ';'])
}

/// Whether the line before ends although the next word had fitted in.
pub(super) fn is_deliberate_break(before: &Line, line: &Line) -> bool {
    let first = line.words.first().map_or(0.0, |word| word.x1 - word.x0);
    before.x1 + first + 1.2 * before.size < before.right
}

/// Whether a number that looks like an item's mark goes on with the sentence of the line before, which
/// is full and not ended: "about June / 1. Then".
fn is_number_in_text(first: &Line, before: &Line, line: &Line, usual: &Usual) -> bool {
    let starts =
        |line: &Line, is: fn(&str) -> bool| line.words.first().is_some_and(|w| is(&w.text));
    if ends_sentence(&before.text())
        || starts(line, lists::is_bullet)
        || is_deliberate_break(before, line)
    {
        return false;
    }
    let place = |line: &Line| line.x0 - line.left;
    let near = line.column != before.column || line.y - before.y < 1.2 * usual.leading;
    if starts(first, lists::is_mark) {
        // A mark of this list stands where the first one does.
        return near && place(line) > place(first) + 0.5 * line.size;
    }
    near && (place(line) - place(before)).abs() < 0.5 * line.size
}

struct Flow<'a> {
    lines: &'a [Line],
    grids: &'a [Grid],
    usual: &'a Usual,
    vocabulary: &'a Vocabulary,
    pieces: Vec<Piece>,
    /// Lines of the paragraph that may go on.
    open: Vec<usize>,
    /// What stood amid that paragraph.
    floats: Vec<Piece>,
}

impl Flow<'_> {
    fn text(&mut self, index: usize) {
        if self
            .open
            .last()
            .is_some_and(|last| self.begins(self.open[0], *last, index))
        {
            self.close();
        }
        self.open.push(index);
    }

    /// Whether the line `at` begins a paragraph after the line `last` of the one that began at `first`.
    fn begins(&self, first: usize, last: usize, at: usize) -> bool {
        let (before, line) = (&self.lines[last], &self.lines[at]);
        let first = &self.lines[first];
        let size = self.usual.size;
        if (line.size / before.size - 1.0).abs() > 0.08 || line.boxed != before.boxed {
            return true;
        }
        let mark = line
            .words
            .first()
            .is_some_and(|word| lists::is_mark(&word.text))
            || line.text().starts_with('•');
        let text = before.text();
        let ended = ends_sentence(&text);
        let lower = line.text().starts_with(char::is_lowercase);
        let in_item = first
            .words
            .first()
            .is_some_and(|word| lists::is_mark(&word.text));
        let indent = line.x0 - line.left;
        if mark && (!lower || ended) && !is_number_in_text(first, before, line, self.usual) {
            return !text.ends_with('-') || ended;
        }
        if line.column != before.column {
            // Lines hang under an item's text overleaf, too; what stands further left is no part of it.
            let over = indent - (first.x0 - first.left);
            if in_item && over.abs() > 0.5 * size {
                return over < 0.0;
            }
            let fresh = ended && (is_deliberate_break(before, line) || indent > 0.8 * size);
            return fresh && !lower;
        }
        let gap = line.y - before.y;
        if gap > 1.4 * self.usual.leading.max(1.15 * line.size) {
            return ended || !lower;
        }
        if in_item {
            // An item's lines hang under its text; what stands further left is new.
            return line.x0 < first.x0 - 0.5 * size
                || (line.x0 < first.x0 + 0.5 * size
                    && first.words.len() > 1
                    && first.words[1].x0 > first.x0 + 0.9 * size
                    && ended
                    && is_deliberate_break(before, line));
        }
        let before_indent = before.x0 - before.left;
        if indent > 0.7 * size && indent < 6.0 * size && before_indent < 0.5 * size {
            return !lower || ended;
        }
        ended && is_deliberate_break(before, line) && !lower
    }

    /// Ends the open paragraph and puts what stood amid it after it.
    fn close(&mut self) {
        let open = std::mem::take(&mut self.open);
        if !open.is_empty() {
            let lines: Vec<Line> = open.iter().map(|at| self.lines[*at].clone()).collect();
            self.paragraph(lines);
        }
        self.pieces.append(&mut self.floats);
    }

    fn paragraph(&mut self, mut lines: Vec<Line>) {
        let first = Line {
            words: Vec::new(),
            ..lines[0].clone()
        };
        if let Some((length, look)) = headings::run_in(&lines, self.usual) {
            let head = take_words(&mut lines, length);
            let text = headings::clean(&join::lines(&head, self.vocabulary));
            self.push(&first, Content::Heading { text, look });
        }
        let texts: Vec<String> = lines.iter().map(Line::text).collect();
        let text = join::lines(&texts, self.vocabulary);
        if text.is_empty() {
            return;
        }
        let mark = text.split(' ').next().unwrap_or_default();
        let kind = if lists::is_bullet(mark) || text.starts_with('•') {
            Content::Item(lists::without_bullet(&text).to_owned())
        } else if lists::is_mark(mark) {
            Content::Item(text)
        } else {
            Content::Paragraph { lines, text }
        };
        self.push(&first, kind);
    }

    fn push(&mut self, first: &Line, kind: Content) {
        self.pieces.push(piece(first, kind));
    }

    fn heading(&mut self, start: usize, end: usize) {
        self.close();
        let lines = &self.lines[start..end];
        let texts: Vec<String> = lines.iter().map(Line::text).collect();
        let text = headings::clean(&join::lines(&texts, self.vocabulary));
        let look = headings::look(&lines[0], self.usual);
        self.push(&self.lines[start].clone(), Content::Heading { text, look });
    }

    fn table(&mut self, found: &tables::Found) {
        // A table without a caption stands where it is spoken of: what comes after it is new.
        let is_ended = |at: &usize| ends_sentence(&self.lines[*at].text());
        if found.caption.is_empty() && self.open.last().is_some_and(is_ended) {
            self.close();
        }
        let grid = found.grid.and_then(|grid| self.grids.get(grid));
        let caption = || table_cells::caption(found, self.lines);
        let table = grid
            .and_then(|grid| grid.table(caption(), self.vocabulary))
            .unwrap_or_else(|| table_cells::read(found, self.lines));
        let Some(first) = found.lines().next().map(|at| &self.lines[at]) else {
            return;
        };
        self.float_piece(piece(first, Content::Table(table)));
        if !found.notes.is_empty() {
            self.float(&found.notes, Content::Note);
        }
    }

    fn float(&mut self, indices: &[usize], kind: fn(String) -> Content) {
        let texts: Vec<String> = indices.iter().map(|at| self.lines[*at].text()).collect();
        let text = join::lines(&texts, self.vocabulary);
        self.float_piece(piece(&self.lines[indices[0]], kind(text)));
    }

    fn float_piece(&mut self, piece: Piece) {
        if self.open.is_empty() {
            self.pieces.push(piece);
        } else {
            self.floats.push(piece);
        }
    }
}

/// The piece that begins with the line `first`.
fn piece(first: &Line, kind: Content) -> Piece {
    Piece {
        page: first.page,
        size: first.size,
        boxed: first.boxed > 0,
        kind,
    }
}

/// Takes the first `length` words out of `lines`, a text for each line.
fn take_words(lines: &mut Vec<Line>, length: usize) -> Vec<String> {
    let mut left = length;
    let mut texts = Vec::new();
    while left > 0 && !lines.is_empty() {
        let count = left.min(lines[0].words.len());
        let words: Vec<_> = lines[0].words.drain(..count).collect();
        texts.push(joined(&words));
        left -= count;
        if lines[0].words.is_empty() {
            lines.remove(0);
        }
    }
    texts
}

#[cfg(test)]
#[path = "flow_tests.rs"]
mod tests;
