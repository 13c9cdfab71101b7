//! Which lines are headings, and how they look.

use std::sync::LazyLock;

use regex::Regex;

use super::body::{Usual, quarter};
use super::flow::{Look, is_deliberate_break};
use super::lines::{Line, Word, joined};
use super::lists;
use super::tables::WIDE_GAP;

/// Most words of a heading.
const MAX_WORDS: usize = 28;

/// Most lines of a heading.
const MAX_LINES: usize = 6;

/// More lines of one look in a row than this are a paragraph set apart.
const MAX_BLOCK: usize = 3;

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
        && rest
            .trim_start_matches(['|', ' '])
            .starts_with(char::is_alphabetic);
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
        face: Some(main_face(line)).filter(|face| *face != usual.face),
        run_in: false,
    }
}

fn is_caps(text: &str) -> bool {
    let letters = || text.chars().filter(|ch| ch.is_alphabetic());
    let upper = letters().filter(|ch| ch.is_uppercase()).count();
    letters().count() >= 4 && upper as f32 >= 0.85 * letters().count() as f32
}

/// Whether the line `at` is a heading or the next line of one; `is_head` tells which before it are.
pub(super) fn is_heading(
    lines: &[Line],
    at: usize,
    usual: &Usual,
    is_head: &dyn Fn(usize) -> bool,
) -> bool {
    let line = &lines[at];
    let text = line.text();
    let words = line.words.len();
    if line.letters() < 3 || words > MAX_WORDS || line.size < 0.7 * usual.size {
        return false;
    }
    let first = &line.words[0].text;
    let breaks_off = text.ends_with([',', ';']) && !goes_on_below(lines, at, usual);
    if lists::is_bullet(first) || breaks_off || text.contains('@') {
        return false;
    }
    // The head of a table is bold, too; behind a number or letter there may be a gap.
    if line.cells(WIDE_GAP).len() > 1 && !is_number(first) {
        return false;
    }
    let look = look(line, usual);
    let larger = line.size > 1.07 * usual.size;
    let numbered = depth(&text).is_some();
    let face = line.share(|word| word.style.face != usual.face) > 0.9;
    let starts = first.contains(char::is_uppercase)
        || first.starts_with(|ch: char| ch.is_ascii_digit() || ch == '(' || ch == '“');
    let ends_sentence = text.ends_with('.') && words > 4 && !numbered;
    let strong = larger || look.bold && line.share(|word| usual.is_bold(word)) > 0.9;
    if line.size < 0.93 * usual.size && !(strong && heads_prose(lines, at, usual)) {
        return false;
    }
    let plain = !strong && !look.caps && look.upright && !face;
    let block = if plain { 1 } else { block(lines, at, usual) };
    if block > 2 * MAX_BLOCK || !larger && block > MAX_BLOCK {
        return false;
    }
    if larger && block > 1 && is_sentences(lines, at, usual) {
        return false;
    }
    let next = lines.get(at + 1).filter(|next| next.column == line.column);
    if !larger && next.is_some_and(|next| runs_on(line, next)) {
        return false;
    }
    if strong {
        return (larger || !ends_sentence) && (starts || continues(lines, at, usual));
    }
    if !starts && !continues(lines, at, usual) || ends_sentence {
        return false;
    }
    if continues(lines, at, usual) && is_head(at - 1) && (!plain || words <= 6) {
        return !plain;
    }
    let before = at
        .checked_sub(1)
        .filter(|before| lines[*before].column == line.column);
    let above = before.map_or(f32::MAX, |before| line.y - lines[before].y);
    let below = next.map_or(f32::MAX, |next| next.y - line.y);
    let short = next.is_some_and(|next| is_deliberate_break(line, next))
        || line.x1 - line.x0 < 0.8 * (line.right - line.left);
    let after_heading = before.is_some_and(is_head);
    let top = before.is_none() || above > 1.25 * usual.leading || after_heading;
    if !plain && top {
        // Something other than the same look must follow, or the page ends.
        return next.is_none_or(|next| !is_split_sentence(line, next));
    }
    if numbered && short && top {
        // The items of a list are numbered, too.
        let listed = [before.map(|before| &lines[before]), next]
            .into_iter()
            .flatten()
            .any(|near| depth(&near.text()).is_some());
        return !listed && !text.ends_with('.') && above > 1.25 * usual.leading;
    }
    // Nothing but white marks it: above and below, and a single short line.
    short
        && above > 1.5 * usual.leading
        && (below > 1.3 * usual.leading || after_heading)
        && next.is_some()
        && words <= 12
        && !text.ends_with(['.', ':', '!', '?'])
        && line.cells(WIDE_GAP).len() == 1
        && line.share(|word| word.raised) < 0.01
}

/// Whether the next line goes on with the large bold heading of the line `at`.
fn goes_on_below(lines: &[Line], at: usize, usual: &Usual) -> bool {
    let line = &lines[at];
    let large = line.size > 1.07 * usual.size && look(line, usual).bold;
    let next = lines.get(at + 1);
    large && next.is_some_and(|next| belongs(line, next, usual) && !is_deliberate_break(line, next))
}

/// Whether the heading ends within the next line, where its paragraph begins.
fn runs_on(line: &Line, next: &Line) -> bool {
    let (Some(last), Some(first)) = (line.words.last(), next.words.first()) else {
        return false;
    };
    last.style == first.style
        && next.share(|word| word.style == first.style) < 0.9
        && next.y - line.y < 1.4 * line.size
        && !is_deliberate_break(line, next)
}

/// Whether `text` begins in the midst of a sentence; "pH" and "mRNA" may begin one.
fn goes_on(text: &str) -> bool {
    let first = text.split(' ').next().unwrap_or_default();
    text.starts_with(char::is_lowercase) && !first.contains(char::is_uppercase)
}

/// Whether a sentence begun in another typeface goes on in the next line.
fn is_split_sentence(line: &Line, next: &Line) -> bool {
    !is_deliberate_break(line, next) && goes_on(&next.text()) && main_face(line) != main_face(next)
}

/// Whether prose follows in the same column.
fn heads_prose(lines: &[Line], at: usize, usual: &Usual) -> bool {
    let column = lines[at].column;
    lines[at + 1..]
        .iter()
        .take(2)
        .take_while(|next| next.column == column)
        .any(|next| {
            next.size > 0.95 * lines[at].size
                && next.letters() >= 20
                && next.share(|word| usual.is_bold(word)) < 0.5
                && next.x1 - next.x0 > 0.5 * (next.right - next.left)
                && next.y - lines[at].y < 3.5 * usual.leading
        })
}

/// How many lines of one look stand around the line `at`.
fn block(lines: &[Line], at: usize, usual: &Usual) -> usize {
    let alike = |one: &Line, other: &Line| {
        one.column == other.column
            && (other.size / one.size - 1.0).abs() < 0.03
            && other.y - one.y < 2.2 * usual.leading.max(1.15 * one.size)
            && look(one, usual) == look(other, usual)
            && main_face(one) == main_face(other)
    };
    let above = (1..=at)
        .rev()
        .take(4 * MAX_BLOCK)
        .take_while(|at| alike(&lines[at - 1], &lines[*at]))
        .count();
    let below = (at + 1..lines.len().min(at + 4 * MAX_BLOCK))
        .take_while(|at| alike(&lines[at - 1], &lines[*at]))
        .count();
    above + 1 + below
}

/// Whether the lines of one look from `at` on are prose in a larger size.
fn is_sentences(lines: &[Line], at: usize, usual: &Usual) -> bool {
    let look_of = |line: &Line| (look(line, usual), line.column);
    let same = |line: &&Line| look_of(line) == look_of(&lines[at]);
    let texts: Vec<String> = lines[at..]
        .iter()
        .take(8)
        .take_while(same)
        .map(Line::text)
        .collect();
    let words: usize = texts.iter().map(|text| text.split(' ').count()).sum();
    let starts_low = at > 0 && goes_on(&lines[at].text());
    texts.last().is_some_and(|last| last.ends_with('.')) && (words > 15 || starts_low)
}

/// The typeface of most words.
fn main_face(line: &Line) -> u16 {
    let faces = || line.words.iter().map(|word| word.style.face);
    let count = |face: u16| faces().filter(|other| *other == face).count();
    faces()
        .max_by_key(|face| (count(*face), *face))
        .unwrap_or_default()
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
        && (one.upright == other.upright || line.size > 1.2 * usual.size)
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
        && (usual_title(&lines[start], usual) || !is_new_heading(&lines[end - 1], &lines[end]))
    {
        end += 1;
    }
    end
}

/// Whether a second heading stands right under the first.
fn is_new_heading(before: &Line, line: &Line) -> bool {
    is_deliberate_break(before, line)
        && line.text().starts_with(char::is_uppercase)
        && !is_centred(before)
}

fn usual_title(line: &Line, usual: &Usual) -> bool {
    line.size > 1.35 * usual.size
}

fn is_centred(line: &Line) -> bool {
    let (left, right) = (line.x0 - line.left, line.right - line.x1);
    left > line.size && (left - right).abs() < 2.0 * line.size
}

/// How many words of `lines`, counted through, are a heading that differs from what follows.
pub(super) fn run_in(lines: &[Line], usual: &Usual) -> Option<(usize, Look)> {
    let first = lines.first()?;
    let all: Vec<Word> = lines
        .iter()
        .take(3)
        .flat_map(|line| line.words.clone())
        .collect();
    if lists::is_bullet(&first.words.first()?.text) {
        return None;
    }
    let numbers = usize::from(is_number(&all[0].text));
    let count = |is: &dyn Fn(&Word) -> bool| {
        numbers + all[numbers..].iter().take_while(|word| is(word)).count()
    };
    let (bold, italic) = (
        count(&|word| usual.is_bold(word)),
        count(&|word| word.style.italic),
    );
    // Some files name their faces by numbers: then only the change of face tells.
    let face = count(&|word| word.style.face == all[numbers.min(all.len() - 1)].style.face);
    let is_bold = bold > numbers && bold >= italic;
    let length = match bold.max(italic) {
        0 if all[0].style.face != usual.face => face,
        length => length,
    };
    if length <= numbers || length > MAX_RUN_IN || length >= all.len() {
        return None;
    }
    let (text, rest) = (joined(&all[..length]), joined(&all[length..]));
    let numbered = depth(&text).is_some();
    let closed = text.ends_with(['.', ':']) || rest.starts_with(':');
    let starts = |text: &str| text.starts_with(|ch: char| ch.is_uppercase() || ch.is_ascii_digit());
    let known = matches!(
        &*text.to_lowercase(),
        "abstract"
            | "summary"
            | "acknowledgments"
            | "acknowledgements"
            | "acknowledgment"
            | "funding"
            | "conflict of interest"
            | "conflicts of interest"
            | "competing interests"
            | "open access"
    );
    let closed = closed || known;
    let is = text.chars().filter(|ch| ch.is_alphabetic()).count() >= 4
        && starts(&text)
        && all.len() - length >= 10
        && starts(rest.trim_start_matches([':', '-', '–', '—', ' ', '.']))
        && (closed && (is_bold || length >= 2) || numbered || known);
    is.then_some((
        length,
        Look {
            size: quarter(first.size),
            bold: is_bold,
            caps: false,
            upright: is_bold,
            face: None,
            run_in: true,
        },
    ))
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
