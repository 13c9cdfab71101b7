//! What a pusher sends next: the wants of many boxes, a piece for each in turn. Pure.

use std::collections::{BTreeMap, VecDeque};

use super::wire::{Lie, PIECE, Want};
use crate::types::Digest;

/// Wants of one box that are kept; what is beyond it asks for again.
const WANTS: usize = 16;
/// Most chunks of one want.
const MAX_CREDIT: u64 = 64;

/// One chunk to be sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Piece {
    /// The box.
    pub to: String,
    /// The file.
    pub file: Digest,
    /// Where in it.
    pub offset: u64,
    /// Bytes.
    pub length: usize,
}

#[derive(Debug)]
struct Span {
    file: Digest,
    next: u64,
    end: u64,
}

/// The wants of all boxes.
#[derive(Debug)]
pub struct Serving {
    serial: u64,
    push: String,
    contents: BTreeMap<Digest, u64>,
    /// In the order in which they get their next piece; none without a want.
    queues: VecDeque<(String, VecDeque<Span>)>,
}

impl Serving {
    /// Serves the `contents` (digest and length) of edition `serial` in the push of that name.
    pub fn new(serial: u64, push: &str, contents: BTreeMap<Digest, u64>) -> Serving {
        Serving {
            serial,
            push: push.to_owned(),
            contents,
            queues: VecDeque::new(),
        }
    }

    /// Notes what the box `to` wants; in place of earlier wants of the same bytes.
    ///
    /// # Errors
    /// It is of another push, or of bytes that are not there.
    pub fn want(&mut self, to: &str, want: &Want) -> Result<(), Lie> {
        if want.serial != self.serial || want.push != self.push {
            let reason = format!("it is for edition {} of another push", want.serial);
            return Err(Lie::Unreadable {
                what: "want",
                reason,
            });
        }
        let file = want.sha256;
        let &length = self.contents.get(&file).ok_or(Lie::UnknownFile(file))?;
        let offset = want.offset;
        if offset >= length || !offset.is_multiple_of(PIECE as u64) {
            return Err(Lie::OutOfRange {
                file,
                offset,
                length,
            });
        }
        // Whole pieces, whatever the want says: a box takes no others.
        let pieces = want.length.min(length - offset).div_ceil(PIECE as u64);
        let pieces = pieces.min(u64::from(want.credit)).min(MAX_CREDIT);
        let end = length.min(offset + pieces * PIECE as u64);
        let index = match self.queues.iter().position(|(name, _)| name == to) {
            Some(index) => index,
            None => {
                self.queues.push_back((to.to_owned(), VecDeque::new()));
                self.queues.len() - 1
            }
        };
        let spans = &mut self.queues[index].1;
        spans.retain(|span| span.file != file || span.end <= offset || end <= span.next);
        if spans.len() < WANTS && offset < end {
            spans.push_back(Span {
                file,
                next: offset,
                end,
            });
        }
        self.queues.retain(|(_, spans)| !spans.is_empty());
        Ok(())
    }

    /// The next piece, if any box wants one.
    pub fn next_piece(&mut self) -> Option<Piece> {
        let (to, mut spans) = self.queues.pop_front()?;
        let span = spans.front_mut()?;
        let length = (span.end - span.next).min(PIECE as u64);
        let piece = Piece {
            to: to.clone(),
            file: span.file,
            offset: span.next,
            length: usize::try_from(length).unwrap_or(PIECE),
        };
        span.next += length;
        if span.next == span.end {
            spans.pop_front();
        }
        if !spans.is_empty() {
            self.queues.push_back((to, spans));
        }
        Some(piece)
    }

    /// Whether no box wants anything.
    pub fn is_idle(&self) -> bool {
        self.queues.is_empty()
    }

    /// Forgets what `of` wanted.
    pub fn forget(&mut self, of: &str) {
        self.queues.retain(|(name, _)| name != of);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LONG: u64 = 10 * PIECE as u64 + 7;

    fn file(name: &str) -> Digest {
        Digest::of(name.as_bytes())
    }

    fn serving() -> Serving {
        let contents = [(file("long"), LONG), (file("short"), 5)];
        Serving::new(3, "p", contents.into())
    }

    fn want(name: &str, offset: u64, credit: u32) -> Want {
        Want {
            serial: 3,
            sha256: file(name),
            offset,
            length: u64::MAX,
            credit,
            push: "p".into(),
        }
    }

    fn sent(serving: &mut Serving) -> Vec<(String, u64, usize)> {
        let next = || serving.next_piece().map(|p| (p.to, p.offset, p.length));
        std::iter::from_fn(next).collect()
    }

    #[test]
    fn boxes_get_their_pieces_in_turn_and_no_more_than_their_credit() {
        let mut serving = serving();
        serving.want("a", &want("long", 0, 3)).expect("right");
        serving.want("b", &want("short", 0, 8)).expect("right");
        let piece = PIECE as u64;
        let expected = [
            ("a".to_owned(), 0, PIECE),
            ("b".to_owned(), 0, 5),
            ("a".to_owned(), piece, PIECE),
            ("a".to_owned(), 2 * piece, PIECE),
        ];
        assert_eq!(sent(&mut serving), expected);
        serving
            .want("a", &want("long", 10 * piece, 3))
            .expect("right");
        assert_eq!(sent(&mut serving), [("a".to_owned(), 10 * piece, 7)]);
    }

    #[test]
    fn a_repeated_want_takes_the_place_of_the_first() {
        let mut serving = serving();
        for _ in 0..100 {
            serving.want("a", &want("long", 0, 2)).expect("right");
        }
        assert_eq!(sent(&mut serving).len(), 2);
    }

    #[test]
    fn wants_of_what_is_not_there_are_refused_and_a_flood_is_bounded() {
        let mut serving = serving();
        let piece = PIECE as u64;
        for wrong in [
            want("other", 0, 1),
            want("short", 5, 1),
            want("long", 1, 1),
            want("long", 11 * piece, 1),
            want("long", u64::MAX, 1),
            Want {
                serial: 4,
                ..want("long", 0, 1)
            },
            Want {
                push: "q".into(),
                ..want("long", 0, 1)
            },
        ] {
            assert!(serving.want("a", &wrong).is_err(), "{wrong:?}");
        }
        serving
            .want("a", &want("long", 0, u32::MAX))
            .expect("right");
        assert_eq!(sent(&mut serving).len(), 11);
        serving.want("a", &want("long", 0, 0)).expect("right");
        assert_eq!(sent(&mut serving), []);
    }

    #[test]
    fn a_box_that_is_done_gets_nothing_more() {
        let mut serving = serving();
        serving.want("a", &want("long", 0, 3)).expect("right");
        serving.forget("a");
        assert_eq!(sent(&mut serving), []);
    }
}
