//! Checks a question set against the documents it rests on, and counts it.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use serde::Serialize;

use super::checker::stands;
use super::corpus::Corpus;
use super::facts::is_right;
use super::figures::figures;
use super::questions::{Fact, Gold, Kind, SentReading, Split, StudyQuestion};
use crate::types::Digest;

/// Places that a pair of twins is asked for.
const PLACES_OF_A_PAIR: usize = 3;

/// A defect of a set, with what to do about it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct SetFault {
    /// The question's id, or the group, document or pair.
    pub item: String,
    /// What is wrong, and what to do.
    pub what: String,
}

impl fmt::Display for SetFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.item, self.what)
    }
}

/// Questions by kind, of one split, group or place.
pub type ByKind = BTreeMap<Kind, usize>;

/// What a set holds and what is wrong with it.
#[derive(Clone, Debug, Serialize)]
pub struct SetReport {
    /// Questions by split and kind.
    pub splits: BTreeMap<Split, ByKind>,
    /// Questions by topic group (`-` where none is named), split and kind.
    pub groups: BTreeMap<String, BTreeMap<Split, ByKind>>,
    /// Questions by place and kind.
    pub places: BTreeMap<String, ByKind>,
    /// Questions with readings, by split.
    pub readings: BTreeMap<Split, usize>,
    /// Pairs of place twins, by split.
    pub pairs: BTreeMap<Split, usize>,
    /// Documents that the set was checked against.
    pub documents: usize,
    /// SHA-256 of the test part in its canonical form.
    pub test_sha256: Digest,
    /// Defects; a sound set has none.
    pub faults: Vec<SetFault>,
}

/// SHA-256 of the questions of `split` in their canonical form: one line a question, sorted by id, each
/// compact JSON with all fields in the order of [`StudyQuestion`] (open ones as `null` or `[]`), numbers
/// as floating point (`2.0`), UTF-8 unescaped, each line ended by one line feed.
pub fn digest_of(set: &[StudyQuestion], split: Split) -> Digest {
    let mut part: Vec<&StudyQuestion> = set.iter().filter(|one| one.split == split).collect();
    part.sort_by(|a, b| a.id.cmp(&b.id));
    let mut text = String::new();
    for question in part {
        // Numbers of a set are finite (JSON has no others), so a question is always written.
        text.push_str(&serde_json::to_string(question).unwrap_or_default());
        text.push('\n');
    }
    Digest::of(text.as_bytes())
}

/// Counts `set` and holds it against `corpus`.
pub fn check(set: &[StudyQuestion], corpus: &Corpus) -> SetReport {
    let mut report = SetReport {
        splits: BTreeMap::new(),
        groups: BTreeMap::new(),
        places: BTreeMap::new(),
        readings: BTreeMap::new(),
        pairs: BTreeMap::new(),
        documents: corpus.len(),
        test_sha256: digest_of(set, Split::Test),
        faults: Vec::new(),
    };
    let mut pairs = BTreeSet::new();
    for question in set {
        report.count(question);
        if let Some(pair) = question.pair_key()
            && pairs.insert(pair)
        {
            *report.pairs.entry(question.split).or_default() += 1;
        }
        let mut faults = Vec::new();
        match &question.gold {
            Some(gold) => answerable(question, gold, corpus, &mut faults),
            None => unanswerable(question, corpus, &mut faults),
        }
        report
            .faults
            .extend(faults.into_iter().map(|what| SetFault {
                item: question.id.clone(),
                what,
            }));
    }
    duplicates(set, &mut report.faults);
    twins(set, &mut report.faults);
    crossings(set, &mut report.faults);
    report
}

impl SetReport {
    fn count(&mut self, question: &StudyQuestion) {
        let (split, kind) = (question.split, question.kind);
        let group = question.group.clone().unwrap_or_else(|| "-".into());
        let place = question.place.clone().unwrap_or_default().to_string();
        for counts in [
            self.splits.entry(split).or_default(),
            self.groups
                .entry(group)
                .or_default()
                .entry(split)
                .or_default(),
            self.places.entry(place).or_default(),
        ] {
            *counts.entry(kind).or_default() += 1;
        }
        if !question.readings.is_empty() {
            *self.readings.entry(split).or_default() += 1;
        }
    }
}

fn answerable(question: &StudyQuestion, gold: &Gold, corpus: &Corpus, faults: &mut Vec<String>) {
    let Some(document) = corpus.document(&gold.document) else {
        faults.push(format!(
            "there is no document {:?}; write its path below the documents' folder",
            gold.document
        ));
        return;
    };
    let Some(section) = corpus.section(&gold.document, &gold.section) else {
        faults.push(format!(
            "{} has no heading {:?} with text; it has {}",
            gold.document,
            gold.section,
            corpus.headings(&gold.document).join(", ")
        ));
        return;
    };
    if let Some(place) = &question.place
        && !(document.tags.place().covers(place) || place.covers(&document.tags.place()))
    {
        faults.push(format!(
            "it is asked for {place}, and {} holds for {}; name a document of the place",
            gold.document,
            document.tags.place()
        ));
    }
    let readings: Vec<String> = question.readings.iter().map(SentReading::text).collect();
    let held = format!("{section}\n{}", readings.join("\n"));
    for fact in &question.facts {
        // A verdict follows from a reading and a limit: no text has it.
        let is_verdict = fact.name() == "verdict" && !question.readings.is_empty();
        if !is_verdict && !is_right(fact, &held) {
            faults.push(format!(
                "the section {:?} does not hold the fact {}; mend the fact, the section or the text",
                gold.section,
                shown(fact)
            ));
        }
    }
    reference(question, &held, faults);
}

/// What is wrong with the reference answer of a question whose section and readings say `held`.
fn reference(question: &StudyQuestion, held: &str, faults: &mut Vec<String>) {
    let Some(answer) = question
        .answer
        .as_deref()
        .filter(|text| !text.trim().is_empty())
    else {
        faults.push("it has no reference answer; write one sentence".into());
        return;
    };
    for fact in &question.facts {
        if !is_right(fact, answer) {
            faults.push(format!(
                "the reference answer does not hold the fact {}; say it with its unit",
                shown(fact)
            ));
        }
    }
    let sources = figures(&format!("{held}\n{}", question.question));
    for figure in figures(answer) {
        let same = |value: f64| (value - figure.value).abs() < 1e-9;
        if !sources
            .iter()
            .any(|source| same(source.value) || stands(&figure, source))
        {
            faults.push(format!(
                "the reference answer's {} {} stands neither in the section nor in a reading",
                figure.text,
                figure.unit.join("/")
            ));
        }
    }
}

fn unanswerable(question: &StudyQuestion, corpus: &Corpus, faults: &mut Vec<String>) {
    if question.answer.is_some() {
        faults.push("what the library cannot answer has no reference answer; remove it".into());
    }
    let place = question.place.as_ref();
    if question.kind == Kind::NearMissPlace {
        let covered = match place {
            Some(place) if !place.is_general() => corpus.holding(Some(place)),
            _ => {
                faults.push("a near miss of place names the place that is not covered".into());
                return;
            }
        };
        if let Some(document) = covered.first() {
            faults.push(format!(
                "its place is covered, by {document}; ask for another place"
            ));
        }
        return;
    }
    if question.lacks.is_empty() {
        faults.push("`lacks` is empty; write the words that name what is missing".into());
    }
    let scope = corpus.holding(place.filter(|_| question.kind != Kind::Absent));
    for words in &question.lacks {
        if let Some(document) = scope.iter().find(|document| corpus.says(document, words)) {
            faults.push(format!(
                "{words:?} stands in {document}: it may be answerable; ask for another thing"
            ));
        }
    }
}

fn duplicates(set: &[StudyQuestion], faults: &mut Vec<SetFault>) {
    let mut seen: BTreeMap<String, &str> = BTreeMap::new();
    for question in set {
        let words: Vec<String> = question
            .question
            .split(|c: char| !c.is_alphanumeric())
            .filter(|word| !word.is_empty())
            .map(str::to_lowercase)
            .collect();
        let place = question.place.clone().unwrap_or_default();
        let crop = question.crop.as_deref().unwrap_or_default();
        let key = format!("{}|{place}|{crop}", words.join(" ")).to_lowercase();
        if let Some(first) = seen.insert(key, &question.id) {
            faults.push(SetFault {
                item: question.id.clone(),
                what: format!("it asks the same for the same place as {first}; remove one"),
            });
        }
    }
}

fn twins(set: &[StudyQuestion], faults: &mut Vec<SetFault>) {
    let mut pairs: BTreeMap<String, Vec<&StudyQuestion>> = BTreeMap::new();
    for question in set {
        if let Some(pair) = question.pair_key() {
            pairs.entry(pair).or_default().push(question);
        }
    }
    for (pair, members) in pairs {
        let mut fault = |what: String| {
            faults.push(SetFault {
                item: format!("pair {pair}"),
                what,
            });
        };
        let places: BTreeSet<String> = members
            .iter()
            .map(|one| one.place.clone().unwrap_or_default().to_string())
            .collect();
        if places.len() != PLACES_OF_A_PAIR || members.len() != PLACES_OF_A_PAIR {
            fault(format!(
                "{} questions for {} places; ask it for {PLACES_OF_A_PAIR} places, once each",
                members.len(),
                places.len()
            ));
        }
        let texts: BTreeSet<&str> = members.iter().map(|one| one.question.as_str()).collect();
        if texts.len() > 1 {
            fault("its questions differ in their words; ask all alike, word for word".into());
        }
    }
}

/// Groups, documents and pairs with questions in more than one split.
fn crossings(set: &[StudyQuestion], faults: &mut Vec<SetFault>) {
    let mut splits: BTreeMap<String, BTreeSet<&str>> = BTreeMap::new();
    for question in set {
        let keys = [
            question
                .group
                .as_ref()
                .map(|group| format!("group {group}")),
            question
                .gold
                .as_ref()
                .map(|gold| format!("document {}", gold.document)),
            question.pair_key().map(|pair| format!("pair {pair}")),
        ];
        for key in keys.into_iter().flatten() {
            splits.entry(key).or_default().insert(question.split.name());
        }
    }
    for (item, splits) in splits {
        if splits.len() > 1 {
            let names: Vec<&str> = splits.into_iter().collect();
            let what = format!(
                "it has questions in {}; a model tuned on one would know the other: keep it in one split",
                names.join(" and ")
            );
            faults.push(SetFault { item, what });
        }
    }
}

fn shown(fact: &Fact) -> String {
    match fact {
        Fact::Numbers {
            name,
            numbers,
            unit,
        } => {
            let numbers: Vec<String> = numbers.iter().map(f64::to_string).collect();
            format!("{name} ({} {unit})", numbers.join(" and "))
        }
        Fact::Words { name, any_of } => format!("{name} (one of {})", any_of.join(", ")),
    }
}

impl fmt::Display for SetReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let heads: Vec<String> = Kind::ALL
            .iter()
            .map(|kind| format!("{:>16}", kind.name()))
            .collect();
        let line = |f: &mut fmt::Formatter<'_>, name: &str, counts: &ByKind| {
            let of = |kind: &Kind| counts.get(kind).copied().unwrap_or_default();
            let cells: String = Kind::ALL
                .iter()
                .map(|kind| format!("{:>16}", of(kind)))
                .collect();
            writeln!(f, "{name:<34}{cells}{:>8}", counts.values().sum::<usize>())
        };
        writeln!(f, "{:<34}{}{:>8}", "split", heads.concat(), "all")?;
        for (split, counts) in &self.splits {
            line(f, split.name(), counts)?;
        }
        writeln!(f, "\n{:<34}{}{:>8}", "group", heads.concat(), "all")?;
        for (group, splits) in &self.groups {
            for (split, counts) in splits {
                line(f, &format!("{group} ({})", split.name()), counts)?;
            }
        }
        writeln!(f, "\n{:<34}{}{:>8}", "place", heads.concat(), "all")?;
        for (place, counts) in &self.places {
            line(f, place, counts)?;
        }
        let by_split = |counts: &BTreeMap<Split, usize>| {
            let one = |split: &Split| {
                format!(
                    "{} {}",
                    split.name(),
                    counts.get(split).copied().unwrap_or_default()
                )
            };
            Split::ALL.iter().map(one).collect::<Vec<_>>().join(", ")
        };
        writeln!(f, "\nwith readings: {}", by_split(&self.readings))?;
        writeln!(f, "pairs of place twins: {}", by_split(&self.pairs))?;
        writeln!(f, "documents: {}", self.documents)?;
        write!(f, "sha256 of the test part: {}", self.test_sha256)
    }
}

#[cfg(test)]
#[path = "check_tests.rs"]
mod tests;
