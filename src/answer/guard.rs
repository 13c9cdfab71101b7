//! The grounding guard: a sentence leaves the box only when its sources say its figures and names.
//!
//! *Grounded* (`docs/mqtt.md`): each number with its unit and each named product stands in a cited
//! passage, a cited reading or the question, or is an exact unit conversion of one that does. The
//! guard asks a little more: a figure must come from a source sentence that shares words with the
//! sentence that uses it, and a "not" may be neither lost nor added.

use std::collections::BTreeSet;

use super::names::{self, Name};
use super::quantity::{Kind, Quantity, header_scale, quantities};
use super::sentences::{Sentence, sentences};
use super::{units, words};

/// Where a statement comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Origin {
    /// A passage, by its position in the prompt.
    Passage(usize),
    /// A reading, by its position in the prompt.
    Reading(usize),
    /// The question itself.
    Question,
}

/// Why a sentence may not leave.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fault {
    /// A number that no source has with this unit.
    Number(String),
    /// A name that no source has.
    Name(String),
    /// A number that a source has, but of something else.
    OutOfContext(String),
    /// A "not" was lost or added.
    Negation,
}

/// What the guard says of one sentence.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It may leave; the origins that its figures stand in, or its best match when it has none.
    Grounded(BTreeSet<Origin>),
    /// It may not.
    Ungrounded(Fault),
}

struct Statement {
    origin: Origin,
    quantities: Vec<Quantity>,
    /// Stems of its words and of the headings over it.
    stems: BTreeSet<String>,
    /// Stems of its own words only.
    own: BTreeSet<String>,
    negated: bool,
}

/// Everything that an answer may say.
#[derive(Default)]
pub struct Sources {
    statements: Vec<Statement>,
    names: BTreeSet<String>,
    /// Words that are in everything here and so tie nothing together: crop and place.
    common: BTreeSet<String>,
}

impl Sources {
    /// No sources yet; `common` are words that every statement is about (crop, place).
    pub fn new(common: &str) -> Self {
        Sources {
            common: words::content(common),
            names: names::known(common),
            ..Sources::default()
        }
    }

    /// Adds the sentences and table rows of `text`, which stands under `heading`.
    pub fn add(&mut self, origin: Origin, heading: &str, text: &str) {
        self.names.extend(names::known(heading));
        self.names.extend(names::known(text));
        for sentence in sentences(text) {
            let own = topic(&sentence.text);
            let mut stems = topic(heading);
            stems.extend(own.iter().cloned());
            self.statements.push(Statement {
                origin,
                quantities: stated(&sentence),
                stems,
                own,
                negated: words::is_negated(&sentence.text),
            });
        }
    }

    /// Whether `sentence` is grounded in these sources.
    pub fn check(&self, sentence: &str) -> Verdict {
        if let Some(name) = names::names(sentence).iter().find(|name| !self.knows(name)) {
            return Verdict::Ungrounded(Fault::Name(name.text.clone()));
        }
        let all = topic(sentence);
        let stems: BTreeSet<String> = all.difference(&self.common).cloned().collect();
        let mut with_question = all;
        for statement in &self.statements {
            if statement.origin == Origin::Question {
                with_question.extend(statement.own.iter().cloned());
            }
        }
        let mut origins = BTreeSet::new();
        for quantity in quantities(sentence) {
            match self.origin_of(&quantity, &stems, &with_question) {
                Ok(origin) => origins.insert(origin),
                Err(in_other_context) => {
                    let said = sentence[quantity.start..quantity.end].to_owned();
                    return Verdict::Ungrounded(match in_other_context {
                        true => Fault::OutOfContext(said),
                        false => Fault::Number(said),
                    });
                }
            };
        }
        self.check_negation(sentence, &stems, origins)
    }

    fn knows(&self, name: &Name) -> bool {
        name.is_in(&self.names)
    }

    /// Whether `sentence` says which of several like statements it means: the words that tell this one
    /// from its like ("after soybean: 124", "after maize: 181") must not be lost with its figure.
    fn is_told_apart(
        &self,
        statement: &Statement,
        quantity: &Quantity,
        stems: &BTreeSet<String>,
    ) -> bool {
        self.statements
            .iter()
            .filter(|other| other.origin == statement.origin && !std::ptr::eq(*other, statement))
            .filter(|other| alike(&statement.own, &other.own))
            .filter(|other| {
                !other
                    .quantities
                    .iter()
                    .any(|one| quantity.follows_from(one))
            })
            .all(|other| {
                let mut apart = statement.own.difference(&other.own).peekable();
                apart.peek().is_none() || apart.any(|word| stems.contains(word))
            })
    }

    /// The source of a quantity; the error says whether one has it about other things.
    fn origin_of(
        &self,
        quantity: &Quantity,
        stems: &BTreeSet<String>,
        with_question: &BTreeSet<String>,
    ) -> Result<Origin, bool> {
        let mut elsewhere = false;
        let mut best: Option<(usize, Origin)> = None;
        for statement in &self.statements {
            if !statement
                .quantities
                .iter()
                .any(|one| quantity.follows_from(one))
            {
                continue;
            }
            let shared = stems.intersection(&statement.stems).count();
            let free = matches!(statement.origin, Origin::Question | Origin::Reading(_));
            let lost = !free && !self.is_told_apart(statement, quantity, with_question);
            if lost || (shared == 0 && !stems.is_empty() && !free) {
                elsewhere = true;
            } else if best.is_none_or(|(most, _)| shared > most) {
                best = Some((shared, statement.origin));
            }
        }
        best.map(|(_, origin)| origin).ok_or(elsewhere)
    }

    /// Compares with the source sentence that has most of the words.
    fn check_negation(
        &self,
        sentence: &str,
        stems: &BTreeSet<String>,
        mut origins: BTreeSet<Origin>,
    ) -> Verdict {
        let shared = |statement: &Statement| stems.intersection(&statement.own).count();
        let passages = || {
            self.statements
                .iter()
                .filter(|statement| matches!(statement.origin, Origin::Passage(_)))
        };
        let most = passages().map(shared).max().unwrap_or(0);
        let mut nearest = passages()
            .filter(|statement| shared(statement) == most)
            .peekable();
        let Some(first) = nearest.peek().filter(|_| most > 0).copied() else {
            return Verdict::Grounded(origins);
        };
        // Only where nearly the same is said can a lost "not" be told from another statement.
        let close = most * 10 >= stems.len() * 7 && most >= 2;
        let negated = words::is_negated(sentence);
        if close && nearest.all(|statement| statement.negated != negated) {
            return Verdict::Ungrounded(Fault::Negation);
        }
        if origins.is_empty() {
            origins.insert(first.origin);
        }
        Verdict::Grounded(origins)
    }
}

/// Whether two statements share most of their words: the same is said of two things.
fn alike(a: &BTreeSet<String>, b: &BTreeSet<String>) -> bool {
    let shared = a.intersection(b).count();
    shared >= 2 && 3 * shared >= a.len() + b.len() - shared
}

/// The content words of `text` without units: sharing "days" ties two statements to nothing.
fn topic(text: &str) -> BTreeSet<String> {
    let plain: Vec<&str> = words::split(text)
        .filter(|word| units::named(word).is_none())
        .collect();
    words::content(&plain.join(" "))
}

/// The quantities of a sentence; cells of a table take the unit of their header too.
pub fn stated(sentence: &Sentence) -> Vec<Quantity> {
    let mut all = quantities(&sentence.text);
    for (header, cell) in &sentence.cells {
        let inside = quantities(cell);
        if let Some(scale) = header_scale(header) {
            let with_unit = inside.iter().filter_map(|quantity| match &quantity.kind {
                Kind::Amount(number, own) if own.unit.is_none() => Some(Quantity {
                    kind: Kind::Amount(*number, scale.clone()),
                    ..quantity.clone()
                }),
                _ => None,
            });
            all.extend(with_unit);
        }
        all.extend(inside.iter().cloned());
    }
    all
}

impl std::fmt::Display for Fault {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Fault::Number(said) => write!(f, "no source says \"{said}\""),
            Fault::Name(name) => write!(f, "no source names \"{name}\""),
            Fault::OutOfContext(said) => write!(f, "the sources say \"{said}\" of something else"),
            Fault::Negation => f.write_str("the source says the opposite"),
        }
    }
}
