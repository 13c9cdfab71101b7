//! Which lines are headings, and how they look.

use std::sync::LazyLock;

use regex::Regex;

use super::body::{Usual, quarter};
use super::flow::{Look, is_deliberate_break};
use super::lines::{Line, Word, joined};
use super::lists;

/// Most words of a heading.
const MAX_WORDS: usize = 28;

/// Most lines of a heading.
const MAX_LINES: usize = 4;

/// Most words of a heading at the start of a paragraph.
const MAX_RUN_IN: usize = 14;

static NUMBER: LazyLock<Option<Regex>> =
    LazyLock::new(|| Regex::new(r"^(?:\d{1,2}(?:\.\d{1,2}){0,3}\.?|[IVX]{1,4}\.|[A-Z]\.)$").ok());

/// Whether `word` numbers a heading.
fn is_number(word: &str) -> bool {
    NUMBER.as_ref().is_some_and(|number| number.is_match(word))
}

/// The depth that the number of a heading tells: 2 for `3.1`.
pub(super) fn depth(text: &str) -> Option<usize> {
    let (number, rest) = text.split_once(' ')?;
    let bare = number.trim_end_matches('.');
    let is = is_number(number)
        && bare.chars().all(|ch| ch.is_ascii_digit() || ch == '.')
        && rest.trim_start_matches(['|', ' ']).starts_with(char::is_alphabetic);
    is.then(|| bare.split('.').count())
}

/// The heading without the bar that parts number and words in some journals.
pub(super) fn clean(text: &str) -> String {
    let text = text.trim().trim_end_matches([':', '|']).trim_end();
    let text = match text.split_once(" | ") {
        Some((number, rest)) if is_number(number) => format!("{number} {rest}"),
        _ => text.to_owned(),
    };
    text.trim_end_matches('.').trim().to_owned()
}

/// How `line` looks as a heading.
pub(super) fn look(line: &Line, usual: &Usual) -> Look {
    Look {
        size: quarter(line.size),
        bold: line.share(|word| usual.is_bold(word)) > 0.6,
        caps: is_caps(&line.text()),
        upright: line.share(|word| word.style.italic) < 0.6,
        run_in: false,
    }
}

fn is_caps(text: &str) -> bool {
    let letters = || text.chars().filter(|ch| ch.is_alphabetic());
    let upper = letters().filter(|ch| ch.is_uppercase()).count();
    letters().count() >= 4 && upper as f32 >= 0.85 * letters().count() as f32
}

/// Whether the line `at` is a heading or the next line of one; `is_open` tells which lines are text.
pub(super) fn is_heading(
    lines: &[Line],
    at: usize,
    usual: &Usual,
    is_open: &dyn Fn(usize) -> bool,
) -> bool {
    let line = &lines[at];
    let text = line.text();
    let words = line.words.len();
    if line.letters() < 3 || words > MAX_WORDS || line.size < 0.9 * usual.size {
        return false;
    }
    let first = &line.words[0].text;
    if lists::is_bullet(first) || text.ends_with([',', ';']) || text.contains('@') {
        return false;
    }
    let look = look(line, usual);
    let larger = line.size > 1.07 * usual.size;
    let numbered = depth(&text).is_some();
    let face = line.share(|word| word.style.face != usual.face) > 0.9;
    let starts = first.starts_with(|ch: char| ch.is_uppercase() || ch.is_ascii_digit() || ch == '(' || ch == '“');
    let ends_sentence = text.ends_with('.') && words > 4 && !numbered;
    let strong = larger || look.bold;
    if strong {
        return !(ends_sentence && !larger) && (starts || continues(lines, at, usual));
    }
    if !starts && !continues(lines, at, usual) || ends_sentence {
        return false;
    }
    let before = at.checked_sub(1).filter(|before| lines[*before].column == line.column);
    let above = before.map_or(f32::MAX, |before| line.y - lines[before].y);
    let next = lines.get(at + 1).filter(|next| next.column == line.column);
    let below = next.map_or(f32::MAX, |next| next.y - line.y);
    let gap = 1.25 * usual.leading;
    let short = next.is_some_and(|next| is_deliberate_break(line, next))
        || line.x1 - line.x0 < 0.8 * (line.right - line.left);
    let after_heading = before.is_some_and(|before| !is_open(before))
        || before.is_some_and(|before| is_marked(&lines[before], usual));
    let top = before.is_none() || above > gap || after_heading;
    let marked = look.caps || !look.upright || face;
    if marked && short && (top || numbered) && words <= 20 {
        return true;
    }
    if numbered && short && top {
        return true;
    }
    // Nothing but white marks it: above and below, and a single short line.
    short
        && above > 1.5 * usual.leading
        && (below > 1.3 * usual.leading || after_heading)
        && next.is_some()
        && words <= 12
        && !text.ends_with(['.', ':', '!', '?'])
        && line.cells(1.4).len() == 1
        && line.share(|word| word.raised) < 0.01
}

fn is_marked(line: &Line, usual: &Usual) -> bool {
    line.size > 1.07 * usual.size || line.share(|word| usual.is_bold(word)) > 0.6
}

/// Whether the line `at` goes on with the heading before it.
fn continues(lines: &[Line], at: usize, usual: &Usual) -> bool {
    at.checked_sub(1)
        .is_some_and(|before| belongs(&lines[before], &lines[at], usual))
}

fn belongs(before: &Line, line: &Line, usual: &Usual) -> bool {
    let (one, other) = (look(before, usual), look(line, usual));
    before.column == line.column
        && (one.size - other.size).abs() <= 1
        && one.bold == other.bold
        && one.upright == other.upright
        && one.caps == other.caps
        && line.y - before.y < 1.5 * line.size.max(before.size)
}

/// The line after the heading that begins at `start`; `is_part` tells which lines are headings.
pub(super) fn end(
    lines: &[Line],
    start: usize,
    usual: &Usual,
    is_part: &dyn Fn(usize) -> bool,
) -> usize {
    let mut end = start + 1;
    while end < lines.len()
        && end - start < MAX_LINES
        && is_part(end)
        && belongs(&lines[end - 1], &lines[end], usual)
        && depth(&lines[end].text()).is_none()
        && !(is_deliberate_break(&lines[end - 1], &lines[end])
            && lines[end].text().starts_with(char::is_uppercase)
            && !is_centred(&lines[end - 1])
            && !usual_title(&lines[start], usual))
    {
        end += 1;
    }
    end
}

fn usual_title(line: &Line, usual: &Usual) -> bool {
    line.size > 1.35 * usual.size
}

fn is_centred(line: &Line) -> bool {
    let (left, right) = (line.x0 - line.left, line.right - line.x1);
    left > line.size && (left - right).abs() < 2.0 * line.size
}

/// The words of a heading that opens the first of `lines` and differs from what follows.
pub(super) fn run_in(lines: &[Line], usual: &Usual) -> Option<(Vec<Word>, Look)> {
    let first = lines.first()?;
    let bold = |word: &Word| usual.is_bold(word);
    let italic = |word: &Word| word.style.italic;
    let all: Vec<&Word> = lines.iter().flat_map(|line| &line.words).collect();
    if lists::is_bullet(&first.words.first()?.text) {
        return None;
    }
    let count = |is: &dyn Fn(&Word) -> bool| {
        let numbers = usize::from(is_number(&first.words[0].text));
        numbers + first.words[numbers..].iter().take_while(|word| is(word)).count()
    };
    let (by_bold, by_italic) = (count(&bold), count(&italic));
    let is_bold = by_bold > 0 && by_bold >= by_italic && first.words.iter().take(by_bold).any(bold);
    let length = if is_bold { by_bold } else { by_italic };
    if length == 0 || length > MAX_RUN_IN || length >= all.len() {
        return None;
    }
    let head = &first.words[..length];
    let text = joined(head);
    let rest: String = joined(&all[length..].iter().map(|word| (*word).clone()).collect::<Vec<_>>());
    let numbered = depth(&text).is_some();
    let closed = text.ends_with(['.', ':']) || rest.starts_with(':');
    let letters = text.chars().filter(|ch| ch.is_alphabetic()).count();
    let enough = rest.split(' ').count() >= 12;
    let goes_on = rest.trim_start_matches([':', '-', '–', ' ', '.']).starts_with(|ch: char| ch.is_uppercase() || ch.is_ascii_digit());
    let is = letters >= 4
        && text.starts_with(|ch: char| ch.is_uppercase() || ch.is_ascii_digit())
        && enough
        && goes_on
        && if is_bold { closed || numbered } else { numbered && text.len() > 6 || closed && length >= 2 };
    is.then(|| {
        let look = Look {
            size: quarter(first.size),
            bold: is_bold,
            caps: false,
            upright: is_bold,
            run_in: true,
        };
        (head.to_vec(), look)
    })
}

/// Whether `line` begins with the mark of a note.
pub(super) fn begins_note(line: &Line) -> bool {
    let Some(first) = line.words.first() else {
        return false;
    };
    let raised = first.raised || first.size < 0.8 * line.size;
    raised
        || first.text.starts_with(['*', '†', '‡', '§', '¶', '#'])
        || (first.text.len() <= 2 && first.text.chars().all(|ch| ch.is_ascii_digit()))
}
