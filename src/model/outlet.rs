//! What of a text is given out: up to a stop string, and not more characters than asked for.

use super::{Finish, GenerateRequest, ModelError};

/// Gives a text out as it comes, and says where it ends.
///
/// What may be the beginning of a stop string is held back. The text is the same in whatever pieces it comes: it ends before
/// the stop string that is complete first, of those complete at once before the longest.
#[derive(Default)]
pub struct Outlet {
    stop: Vec<String>,
    /// The end of the text so far, as far as a stop string may begin there.
    held: String,
    /// Characters that may still be given out; none: any number.
    left: Option<usize>,
}

/// A piece that is given out, and why it is the last one, where it is.
type Given = (String, Option<Finish>);

impl Outlet {
    /// For the limits of `request`.
    ///
    /// # Errors
    /// A stop string is empty.
    pub fn new(request: &GenerateRequest) -> Result<Self, ModelError> {
        if request.stop.iter().any(String::is_empty) {
            let reason = "a stop string is empty, and would end any text";
            return Err(ModelError::Request(reason.to_owned()));
        }
        Ok(Outlet {
            stop: request.stop.clone(),
            held: String::new(),
            left: request.max_chars,
        })
    }

    /// What is certain after `fresh`, whole characters.
    pub fn push(&mut self, fresh: String) -> Given {
        if self.stop.is_empty() {
            return self.give(fresh, None);
        }
        let mut text = std::mem::take(&mut self.held) + &fresh;
        let ends = self.stop.iter().filter_map(|stop| {
            let begin = text.find(stop)?;
            Some((begin + stop.len(), begin))
        });
        if let Some((_, begin)) = ends.min() {
            text.truncate(begin);
            return self.give(text, Some(Finish::StopString));
        }
        let mut tails = text.char_indices().map(|(at, _)| at);
        let begins = |at: &usize| self.stop.iter().any(|stop| stop.starts_with(&text[*at..]));
        if let Some(at) = tails.find(begins) {
            self.held = text.split_off(at);
        }
        self.give(text, None)
    }

    /// What was held back; no more text comes.
    pub fn close(&mut self) -> Given {
        let held = std::mem::take(&mut self.held);
        self.give(held, None)
    }

    fn give(&mut self, mut text: String, finish: Option<Finish>) -> Given {
        let Some(left) = self.left else {
            return (text, finish);
        };
        let end = text.char_indices().nth(left).map(|(at, _)| at);
        text.truncate(end.unwrap_or(text.len()));
        let left = left - text.chars().count();
        self.left = Some(left);
        match left {
            0 => (text, Some(Finish::Length)),
            _ => (text, finish),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is given out of `pieces`, and why it ended.
    fn out(
        pieces: &[&str],
        stop: &[&str],
        max_chars: Option<usize>,
    ) -> (Vec<String>, Option<Finish>) {
        let mut outlet = Outlet::new(&GenerateRequest {
            stop: stop.iter().map(|stop| (*stop).to_owned()).collect(),
            max_chars,
            ..GenerateRequest::new(Vec::new(), 1)
        })
        .expect("stop strings");
        let mut given = Vec::new();
        for piece in pieces {
            let (text, finish) = outlet.push((*piece).to_owned());
            given.push(text);
            if finish.is_some() {
                return (given, finish);
            }
        }
        let (text, finish) = outlet.close();
        given.push(text);
        (given, finish)
    }

    #[test]
    fn what_may_begin_a_stop_string_is_held_back_until_it_is_certain() {
        let stopped = Some(Finish::StopString);
        let pieces = ["Sow\n", "Ques", "t", "ion: ", "why"];
        let (given, finish) = out(&pieces, &["\nQuestion:"], None);
        assert_eq!(
            (&given[..], finish),
            (&["Sow", "", "", ""].map(String::from)[..], stopped)
        );
        let (given, finish) = out(&["Sow\n", "Quest", "s"], &["\nQuestion:"], None);
        assert_eq!(given, ["Sow", "", "\nQuests", ""]);
        assert_eq!(finish, None);
        let (given, _) = out(&["Sow\nQue"], &["\nQuestion:"], None);
        assert_eq!(given, ["Sow", "\nQue"], "no more came");
    }

    #[test]
    fn a_stop_string_that_begins_within_another_try_is_found() {
        assert_eq!(
            out(&["a", "a", "a", "b", "c"], &["aab"], None).0.concat(),
            "a"
        );
        // The first one that is complete ends the text, the longer one of two that end together.
        assert_eq!(out(&["xabcy"], &["abcz", "bc"], None).0.concat(), "xa");
        assert_eq!(out(&["xabc"], &["bc", "abc"], None).0.concat(), "x");
        assert_eq!(out(&["xabc"], &["abc", "b"], None).0.concat(), "xa");
    }

    #[test]
    fn the_text_is_the_same_in_whatever_pieces_it_comes() {
        let text = "Säen Sie 3–5 cm tief. 深く。深い。 Ende";
        let ends: Vec<usize> = text.char_indices().map(|(at, _)| at).skip(1).collect();
        let stops: [&[&str]; 4] = [&["深い"], &["–5 cm ti", "5"], &["Endé"], &["。 ", "い。 E"]];
        for stop in stops {
            for max_chars in [None, Some(1), Some(9), Some(24), Some(100)] {
                let (whole, finish) = out(&[text], stop, max_chars);
                let whole = whole.concat();
                assert!(!stop.iter().any(|stop| whole.contains(stop)), "{whole}");
                for one in &ends {
                    for other in ends.iter().filter(|other| *other >= one) {
                        let pieces = [&text[..*one], &text[*one..*other], &text[*other..]];
                        let (given, end) = out(&pieces, stop, max_chars);
                        assert_eq!((given.concat(), end), (whole.clone(), finish));
                    }
                }
            }
        }
    }

    #[test]
    fn characters_are_counted_and_not_bytes() {
        let (given, finish) = out(&["深", "く深", "い"], &[], Some(2));
        assert_eq!(
            (given.concat(), finish),
            ("深く".to_owned(), Some(Finish::Length))
        );
        let (given, finish) = out(&["深く"], &[], Some(3));
        assert_eq!((given.concat(), finish), ("深く".to_owned(), None));
        // What was held back counts when it is given out.
        let (given, finish) = out(&["ab\n", "\n"], &["\n\n\n"], Some(3));
        assert_eq!(
            (given.concat(), finish),
            ("ab\n".to_owned(), Some(Finish::Length))
        );
    }

    #[test]
    fn an_empty_stop_string_is_refused() {
        let request = GenerateRequest {
            stop: vec!["\n".to_owned(), String::new()],
            ..GenerateRequest::new(Vec::new(), 1)
        };
        let error = Outlet::new(&request).err().expect("refused").to_string();
        assert!(error.contains("stop string is empty"), "{error}");
    }
}
