//! The limits that a sentence gives, each with the words that say where it holds.
//!
//! "70,000 plants for pinto and 90,000 for navy beans" gives two limits, "17 to 21 percent" one with two ends,
//! and "at least 18 °C and at most 30 °C" one as well.

use std::collections::BTreeSet;

use super::quantity::Quantity;
use super::words;

/// Most bytes between the two ends of a range: `17 to 21 percent`.
const RANGE_GAP: usize = 5;

/// What stands between the two ends of a range.
const JOINTS: &[&str] = &["to", "and", "or", "-", "–", "—"];

/// Most bytes between the two bounds of one quantity: `at least 18 °C and at most 30 °C`.
const BOUNDS_GAP: usize = 24;

/// What stands before the least and before the most that is right.
const LEAST: &[&str] = &["at least", "minimum of", "not below"];
const MOST: &[&str] = &["at most", "maximum of", "not above", "no more than"];

/// What stands before a limit that begins at it: "air below 12 °C makes flowers drop".
const OVER: &[&str] = &["above", "over", "than", "exceeds", "after"];
const UNDER: &[&str] = &["below", "under"];
/// Words before `than` that turn it round.
const FEWER: &[&str] = &[
    "less", "fewer", "lower", "colder", "cooler", "drier", "shorter",
];

/// Words beside a limit that say where it holds, on either side.
const WORDS_BESIDE: usize = 6;

/// Words behind "of" that say what a share is of: `of the sampled squares`.
const SHARED_WORDS: usize = 3;

/// What joins a part to the whole that it is counted among, and what may stand for the part: `five in 100`.
const AMONG: &[&str] = &["of", "in", "among"];
const PART: &[&str] = &["more", "fewer", "less", "out"];

/// Verbs that say how many things to look at, and what may stand between them and the number.
const SAMPLING: &[&str] = &[
    "check", "collect", "dig", "examine", "gather", "inspect", "look", "open", "pick", "pluck",
    "pull", "sample", "scout", "search", "select", "stop", "take", "visit",
];
const BESIDE: &[&str] = &[
    "a", "about", "all", "another", "at", "each", "in", "least", "more", "on", "or", "over",
    "some", "than", "the", "through", "to", "up",
];

/// What parts the words of one limit from those of the next.
const BREAKS: &[&str] = &["; ", ". ", ", ", " and ", " but ", " or ", " while "];

/// One figure, or the two ends of a range.
#[derive(Clone, Copy, Debug)]
pub struct Limit<'a> {
    /// The figure, or the lower end.
    pub low: &'a Quantity,
    /// The upper end, where there is one.
    pub high: Option<&'a Quantity>,
    /// Whether each end has words of its own.
    pub apart: bool,
}

impl Limit<'_> {
    fn end(&self) -> usize {
        self.high.map_or(self.low.end, |high| high.end)
    }

    /// Its lower and its upper end: "between -1 and -3.3 °C" begins with the upper one, and "3 to 1" is a ratio of 3.
    fn ends(&self) -> (&Quantity, &Quantity) {
        let low = self.low;
        match self.high {
            None => (low, low),
            Some(high) if low.compare(high).is_none_or(std::cmp::Ordering::is_le) => (low, high),
            Some(high) if high.value() == Some(1.0) => (low, low),
            Some(high) => (high, low),
        }
    }

    /// How `measured` stands to it, in words: `is below` and the figures of `sentence` that it is below.
    pub fn relation(&self, measured: &Quantity, sentence: &str) -> Option<(&'static str, String)> {
        let (low, high) = self.ends();
        let (to_low, to_high) = (measured.compare(low)?, measured.compare(high)?);
        let relation = match self.high {
            _ if to_low.is_lt() => "is below",
            _ if to_high.is_gt() => "is above",
            Some(_) => "is within",
            None => "is exactly",
        };
        let text = |from: usize, to: usize| Some(sentence.get(from..to)?.trim().to_owned());
        let of = |one: &Quantity| text(one.start, one.end);
        let figures = match self.apart {
            true if to_low.is_lt() => of(low)?,
            true if to_high.is_gt() => of(high)?,
            true => format!("{} to {}", of(low)?, of(high)?),
            false => text(self.low.start, self.end())?,
        };
        Some((relation, figures))
    }

    /// Whether it is a share of something that no word of `name` names: "95% of the pods" is no grain moisture.
    pub fn is_of_another(&self, name: &BTreeSet<String>, sentence: &str) -> bool {
        let behind = sentence.get(self.end()..).unwrap_or_default();
        let mut words = words::split(behind).take(1 + SHARED_WORDS);
        words.next() == Some("of") && {
            let whole: Vec<&str> = words.collect();
            words::content(&whole.join(" ")).is_disjoint(name)
        }
    }

    /// Whether what its sentence says of this limit is so at `measured`: "above 35 °C" at 36 °C, "25 to 50" at 30.
    pub fn is_met(&self, measured: &Quantity, sentence: &str) -> bool {
        let (low, high) = self.ends();
        let Some(to_low) = measured.compare(low) else {
            return false;
        };
        if self.high.is_some() {
            return to_low.is_ge() && measured.compare(high).is_some_and(|to| to.is_le());
        }
        let before: Vec<&str> = words::split(&sentence[..self.low.start]).collect();
        let (last, one_before) = match before.as_slice() {
            [.., one, last] => (*last, *one),
            [last] => (*last, ""),
            [] => return false,
        };
        let is = |list: &[&str], word: &str| list.contains(&word.to_lowercase().as_str());
        let under = is(UNDER, last) || (last == "than" && is(FEWER, one_before));
        match under {
            true => to_low.is_lt(),
            false => is(OVER, last) && to_low.is_gt(),
        }
    }

    /// Whether its sentence speaks of what comes beyond this one figure, and `measured` is there: "above 35 °C" at 36 °C.
    pub fn is_crossed(&self, measured: &Quantity, sentence: &str) -> bool {
        self.high.is_none() && self.is_met(measured, sentence)
    }
}

/// The limits that the figures `of` a sentence make, in order.
pub fn limits<'a>(of: &[&'a Quantity], sentence: &str) -> Vec<Limit<'a>> {
    let of: Vec<&Quantity> = of
        .iter()
        .copied()
        .filter(|one| !is_whole(one, sentence) && !is_sample(one, sentence))
        .collect();
    let mut found = Vec::new();
    let mut at = 0;
    while let Some(low) = of.get(at) {
        let next = of.get(at + 1).copied();
        let range = next.filter(|high| is_range(low, high, sentence));
        let bounds = next.filter(|high| are_bounds(low, high, sentence));
        let high = range.or(bounds);
        at += 1 + usize::from(high.is_some());
        found.push(Limit {
            low,
            high,
            apart: range.is_none() && bounds.is_some(),
        });
    }
    found
}

/// The words that belong to each of `limits`: those beside it, as far as the next limit's begin.
pub fn contexts(limits: &[Limit<'_>], sentence: &str) -> Vec<BTreeSet<String>> {
    let starts = limits.iter().map(|one| one.low.start);
    let gaps: Vec<(usize, usize)> = limits
        .iter()
        .zip(starts.skip(1))
        .map(|(one, next)| (one.end().min(next), next))
        .collect();
    let parted: Vec<usize> = gaps
        .iter()
        .map(|(from, to)| from + parting(&sentence[*from..*to]))
        .collect();
    limits
        .iter()
        .enumerate()
        .map(|(at, limit)| {
            let from = at.checked_sub(1).map_or(0, |before| parted[before]);
            let to = parted.get(at).copied().unwrap_or(sentence.len());
            beside(
                &sentence[from.min(limit.low.start)..limit.low.start],
                &sentence[limit.end().min(to)..to],
            )
        })
        .collect()
}

/// The stems of the last words of `before` and the first of `behind`; other cells of a row do not count.
fn beside(before: &str, behind: &str) -> BTreeSet<String> {
    let before = before.rsplit("; ").next().unwrap_or_default();
    let behind = behind.split("; ").next().unwrap_or_default();
    let before: Vec<&str> = words::split(before).collect();
    let near = &before[before.len().saturating_sub(WORDS_BESIDE)..];
    let behind = words::split(behind).take(WORDS_BESIDE);
    let text: Vec<&str> = near.iter().copied().chain(behind).collect();
    words::content(&text.join(" "))
}

/// Where in the text between two limits the second one's words begin.
fn parting(gap: &str) -> usize {
    let last = BREAKS.iter().filter_map(|mark| gap.rfind(mark)).max();
    last.unwrap_or(gap.len())
}

/// Whether two quantities are the ends of one range.
fn is_range(first: &Quantity, second: &Quantity, sentence: &str) -> bool {
    // The first end of "17 to 21 percent" shares the unit of the second, which may lie behind it.
    let is_digit = |c: char| c.is_ascii_digit() || matches!(c, '.' | ',');
    // Past the sign that it may begin with.
    let number_end = sentence[first.start..]
        .char_indices()
        .find(|(at, c)| *at > 0 && !is_digit(*c))
        .map_or(first.end, |(length, _)| first.start + length);
    let gap = |from: usize| sentence.get(from..second.start).map(str::trim);
    [first.end, number_end]
        .into_iter()
        .filter_map(gap)
        .any(|between| between.len() <= RANGE_GAP && JOINTS.contains(&between))
}

/// Whether two quantities are the least and the most of one thing.
fn are_bounds(first: &Quantity, second: &Quantity, sentence: &str) -> bool {
    let before = |at: usize| {
        sentence
            .get(..at)
            .unwrap_or_default()
            .trim_end()
            .to_lowercase()
    };
    let ends = |text: &str, list: &[&str]| list.iter().any(|words| text.ends_with(words));
    let gap = second.start.saturating_sub(first.end);
    gap <= BOUNDS_GAP && ends(&before(first.start), LEAST) && ends(&before(second.start), MOST)
}

/// The 100 of "five or more of the 100 flowers": what is counted among, not a limit.
fn is_whole(one: &Quantity, sentence: &str) -> bool {
    let before: Vec<String> = words_before(one, sentence);
    let mut before = before.iter().map(String::as_str).rev();
    let mut last = before.next();
    if last == Some("the") {
        last = before.next();
    }
    let part = before.next();
    last.is_some_and(|word| AMONG.contains(&word))
        && part.is_some_and(|part| PART.contains(&part) || words::is_number(part))
}

/// The 100 of "pluck 100 flowers": what is looked at, not a limit.
fn is_sample(one: &Quantity, sentence: &str) -> bool {
    one.measure().is_none() && {
        let before = words_before(one, sentence);
        let verb = before
            .iter()
            .rev()
            .find(|word| !BESIDE.contains(&word.as_str()));
        verb.is_some_and(|verb| SAMPLING.contains(&verb.as_str()))
    }
}

/// The words before a figure in its part of the sentence, in lower case.
fn words_before(one: &Quantity, sentence: &str) -> Vec<String> {
    let before = sentence.get(..one.start).unwrap_or_default();
    let part = before.rsplit(['.', ';', ':', ',']).next().unwrap_or(before);
    words::split(part).map(str::to_lowercase).collect()
}
