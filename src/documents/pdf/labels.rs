//! Lines that are no running text: captions, notes, words of pictures.

use super::body::Usual;
use super::captions;
use super::flow::{Label, is_deliberate_break};
use super::headings;
use super::lines::Line;

/// A line of a table of contents: dots lead to its page.
pub(super) fn is_contents(line: &Line) -> bool {
    let text = line.text();
    let ends = text.ends_with(|ch: char| ch.is_ascii_digit() || ch == '.');
    ends && (text.contains(". . . .") || text.contains("....") || text.contains("……"))
}

/// Labels captions with the lines that go on with them.
pub(super) fn label_captions(lines: &[Line], usual: &Usual, labels: &mut [Label]) {
    let mut index = 0;
    while index < lines.len() {
        let before = index.checked_sub(1).map(|at| &lines[at]);
        let is_caption =
            labels[index] == Label::Text && captions::kind(&lines[index], before, usual).is_some();
        if !is_caption {
            index += 1;
            continue;
        }
        let start = index;
        labels[index] = Label::Caption(start);
        index += 1;
        while index < lines.len()
            && labels[index] == Label::Text
            && goes_on(&lines[start], &lines[index - 1], &lines[index], usual)
        {
            labels[index] = Label::Caption(start);
            index += 1;
        }
    }
}

/// Whether `line` goes on with the caption that begins at `head`.
fn goes_on(head: &Line, before: &Line, line: &Line, usual: &Usual) -> bool {
    let gap = line.y - before.y;
    let alike = (line.size / before.size - 1.0).abs() < 0.06;
    if line.column != head.column || gap > 1.7 * line.size || gap <= 0.0 {
        return false;
    }
    let label_alone = before.words.len() <= 3 && std::ptr::eq(before, head);
    if !alike {
        return label_alone;
    }
    let differs = !usual.is_size(head.size) || line.share(|word| usual.is_plain(word)) < 0.5;
    differs || label_alone || !is_deliberate_break(before, line) && gap < 1.2 * usual.leading
}

/// Small print at the foot of a column is a note.
pub(super) fn label_notes(lines: &[Line], usual: &Usual, labels: &mut [Label]) {
    for last in 0..lines.len() {
        let line = &lines[last];
        let ends = lines
            .get(last + 1)
            .is_none_or(|next| next.column != line.column);
        if !ends || line.y < 0.0 {
            continue;
        }
        let column = (0..=last)
            .rev()
            .take_while(|at| lines[*at].column == line.column);
        let mut notes = Vec::new();
        for at in column {
            if lines[at].size > 0.93 * usual.size || labels[at] != Label::Text {
                break;
            }
            notes.push(at);
        }
        let is_foot = notes.last().is_some_and(|first| {
            line.page == 1
                || headings::begins_note(&lines[*first])
                    && first.checked_sub(1).is_some_and(|above| {
                        lines[above].column == line.column && usual.is_size(lines[above].size)
                    })
        });
        if is_foot {
            for at in notes {
                labels[at] = Label::Note;
            }
        }
    }
}

/// Words of pictures: small, short, and not near their like.
pub(super) fn skip_fragments(lines: &[Line], usual: &Usual, labels: &mut [Label]) {
    let is_small =
        |at: usize| labels.get(at) == Some(&Label::Text) && lines[at].size < 0.93 * usual.size;
    let follows = |one: usize, other: usize| {
        is_small(one)
            && is_small(other)
            && lines[one].column == lines[other].column
            && (lines[other].size / lines[one].size - 1.0).abs() < 0.06
            && (lines[one].x0 - lines[other].x0).abs() < 2.0 * lines[one].size
            && lines[other].y - lines[one].y < 1.7 * lines[one].size
    };
    let skip: Vec<usize> = (0..lines.len())
        .filter(|at| is_small(*at))
        .filter(|at| {
            let long = lines[*at].x1 - lines[*at].x0 > 0.6 * (lines[*at].right - lines[*at].left);
            let apart = !(at.checked_sub(1).is_some_and(|before| follows(before, *at))
                || follows(*at, at + 1));
            let few = lines[*at].letters() < 3;
            few || apart && !(long && lines[*at].letters() > 25)
        })
        .collect();
    for at in skip {
        labels[at] = Label::Skip;
    }
}
