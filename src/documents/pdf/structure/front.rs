//! What stands before the text: title, names, and prose that is kept.

use super::super::body::{Usual, quarter};
use super::super::flow::{Content, Piece};
use super::super::front::is_names;
use super::Structure;
use super::roles::{Role, begins_article, is_formal, is_label, role};
use crate::documents::{Block, Body, Section};

/// Words of a paragraph that can be an abstract without a heading.
const ABSTRACT_WORDS: usize = 60;

/// The largest heading of the first page is the title.
pub(super) fn take_title(pieces: &mut Vec<Piece>, structure: &mut Structure, usual: &Usual) {
    let Some(page) = pieces.first().map(|piece| piece.page) else {
        return;
    };
    let best = pieces
        .iter()
        .enumerate()
        .take_while(|(_, piece)| piece.page == page)
        .filter_map(|(index, piece)| match &piece.kind {
            Content::Heading { text, look }
                if !look.run_in
                    && role(text) == Role::Other
                    && !is_label(text)
                    && text.chars().filter(|ch| ch.is_alphabetic()).count() >= 6 =>
            {
                Some((index, look.size, text.clone()))
            }
            _ => None,
        })
        // Of equal ones the first: a leaflet's chapters may be as large as its title.
        .max_by(|a, b| a.1.cmp(&b.1).then(b.0.cmp(&a.0)));
    let Some((index, size, title)) = best else {
        return;
    };
    if size < quarter(1.1 * usual.size) && index > 2 {
        return;
    }
    structure.title = Some(title);
    let before: Vec<Piece> = pieces.drain(..=index).collect();
    // What stands over the title in the order of reading may be a column beside it.
    let keep = before.into_iter().filter(|piece| {
        !matches!(piece.kind, Content::Heading { .. } | Content::Note(_)) && piece.size > 0.0
    });
    let mut rest: Vec<Piece> = keep
        .filter(|piece| usual.is_size(piece.size) && words(piece) > 25)
        .collect();
    rest.append(pieces);
    *pieces = rest;
}

/// Names and numbers of the series stand alone under the title as headings do.
pub(super) fn take_byline(pieces: &mut Vec<Piece>, structure: &mut Structure, usual: &Usual) {
    while let [
        Piece {
            kind: Content::Heading { text, look },
            ..
        },
        next,
        ..,
    ] = pieces.as_slice()
        && role(text) == Role::Other
    {
        let plain = !look.bold && !look.caps && look.size <= quarter(1.05 * usual.size);
        let before_heading = matches!(next.kind, Content::Heading { .. });
        let names = text.starts_with("By ") || text.contains([',', ';']) && is_names(text);
        if !(names && !look.caps || plain && before_heading) {
            break;
        }
        structure.front.push(text.clone());
        pieces.remove(0);
    }
}

/// Words of running text.
fn words(piece: &Piece) -> usize {
    match &piece.kind {
        Content::Paragraph { text, .. } | Content::Item(text) => text.split(' ').count(),
        _ => 0,
    }
}

/// Where the text begins: in an article at its abstract or introduction, else at the first heading.
pub(super) fn front_end(pieces: &[Piece], is_article: bool) -> usize {
    let page = pieces.first().map_or(1, |piece| piece.page);
    let headings: Vec<(usize, &str)> = pieces
        .iter()
        .enumerate()
        .take_while(|(_, piece)| piece.page <= page + 1)
        .filter_map(|(index, piece)| match &piece.kind {
            Content::Heading { text, look } if !look.run_in || begins_article(text) => {
                Some((index, text.as_str()))
            }
            _ => None,
        })
        .collect();
    let first = headings.first().map_or(0, |(index, _)| *index);
    let Some((begin, _)) = headings.iter().find(|(_, text)| begins_article(text)) else {
        return first;
    };
    // Headings with prose under them before it are no front matter.
    let with_prose = headings
        .iter()
        .take_while(|(index, _)| index < begin)
        .filter(|(index, _)| pieces.get(index + 1).is_some_and(|next| words(next) > 25))
        .count();
    if is_article && with_prose < 2 {
        *begin
    } else {
        first
    }
}

/// What stands before the text: prose is kept, names and addresses are not part of any section.
pub(super) fn front(pieces: Vec<Piece>, is_article: bool, structure: &mut Structure) {
    let mut blocks = Vec::new();
    for piece in pieces {
        let page = Some(piece.page);
        let prose = words(&piece);
        match piece.kind {
            Content::Heading { text, .. } => structure.front.push(text),
            Content::Paragraph { text, .. } | Content::Item(text) => {
                let least = if is_article { ABSTRACT_WORDS } else { 8 };
                if prose >= least && !is_formal(&text) {
                    blocks.push(Block {
                        page,
                        body: Body::Paragraph(text),
                    });
                } else {
                    structure.front.push(text);
                }
            }
            Content::Table(table) if !is_article => blocks.push(Block {
                page,
                body: Body::Table(table),
            }),
            Content::Caption(text) if !is_article => blocks.push(Block {
                page,
                body: Body::Caption(text),
            }),
            Content::Table(_) | Content::Caption(_) | Content::Note(_) => {}
        }
    }
    if !blocks.is_empty() {
        let (headings, level) = if is_article {
            (vec!["Abstract".to_owned()], 1)
        } else {
            (Vec::new(), 0)
        };
        structure.sections.push(Section {
            headings,
            level,
            blocks,
        });
    }
}
