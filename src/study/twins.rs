//! The same question asked for several places: do the answers differ where the facts do?

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::arms::{AnswerRow, Arm};
use super::figures::{Figure, figures};
use super::overlap::words;
use super::questions::StudyQuestion;
use super::score::{Band, Grade, Score};
use crate::types::{Place, Status};

/// How one arm answers place twins.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct TwinMeasures {
    /// Questions asked alike for several places.
    pub groups: usize,
    /// Twins (two places of one question) whose key facts differ.
    pub twins: usize,
    /// Of them both answered.
    pub answered: usize,
    /// Of those, answers that differ in their figures (in their words where neither has any).
    pub differ: usize,
    /// Of those, answers alike word for word but for the names of the places: the paper's Table 1.
    pub alike_word_for_word: usize,
    /// Twins with both answers fully correct.
    pub both_right: usize,
    /// Similarity to the reference by place: similar, somewhat similar, not similar.
    pub bands_by_place: BTreeMap<String, Bands>,
}

/// Answers by their similarity to the reference.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Bands {
    /// Similar.
    pub similar: usize,
    /// Somewhat similar.
    pub somewhat: usize,
    /// Not similar, or refused.
    pub not: usize,
}

/// One question of a group with what an arm said to it.
struct Member<'a> {
    question: &'a StudyQuestion,
    row: &'a AnswerRow,
    score: &'a Score,
}

/// Measures the twins among `asked`: each question with the row and the score of `arm`.
pub fn twins(
    arm: Arm,
    questions: &[&StudyQuestion],
    rows: &[AnswerRow],
    scores: &[Score],
) -> TwinMeasures {
    let mut groups: BTreeMap<String, Vec<Member<'_>>> = BTreeMap::new();
    let rows = |id: &str| rows.iter().find(|row| row.arm == arm && row.id == id);
    let scores = |id: &str| {
        scores
            .iter()
            .find(|score| score.arm == arm && score.id == id)
    };
    for question in questions {
        let member = question
            .pair_key()
            .zip(rows(&question.id))
            .zip(scores(&question.id));
        if let Some(((key, row), score)) = member {
            groups.entry(key).or_default().push(Member {
                question,
                row,
                score,
            });
        }
    }
    groups.retain(|_, members| members.len() > 1);
    let mut found = TwinMeasures {
        groups: groups.len(),
        ..TwinMeasures::default()
    };
    for members in groups.values() {
        for member in members {
            found.band(member);
        }
        for (at, first) in members.iter().enumerate() {
            for second in &members[at + 1..] {
                found.pair(first, second);
            }
        }
    }
    found
}

impl TwinMeasures {
    fn band(&mut self, member: &Member<'_>) {
        let place = member
            .question
            .place
            .clone()
            .unwrap_or_default()
            .to_string();
        let bands = self.bands_by_place.entry(place).or_default();
        match member.score.band {
            Some(Band::Similar) => bands.similar += 1,
            Some(Band::Somewhat) => bands.somewhat += 1,
            _ => bands.not += 1,
        }
    }

    fn pair(&mut self, first: &Member<'_>, second: &Member<'_>) {
        if first.question.facts == second.question.facts {
            return;
        }
        self.twins += 1;
        let right = |one: &Member<'_>| one.score.grade == Some(Grade::Fully);
        self.both_right += usize::from(right(first) && right(second));
        let answered = |one: &Member<'_>| one.row.status == Status::Answered && !one.score.refused;
        if !(answered(first) && answered(second)) {
            return;
        }
        self.answered += 1;
        let (a, b) = (placeless(first), placeless(second));
        self.alike_word_for_word += usize::from(a == b);
        let (own, other) = (figures(&first.row.text), figures(&second.row.text));
        let differ = match own.is_empty() && other.is_empty() {
            true => a != b,
            false => !(within(&own, &other) && within(&other, &own)),
        };
        self.differ += usize::from(differ);
    }
}

/// Whether each figure of `some` is one of `all`, as written or converted.
fn within(some: &[Figure], all: &[Figure]) -> bool {
    some.iter().all(|figure| {
        all.iter().any(|other| {
            figure.is(other.value, &other.unit) || other.is(figure.value, &figure.unit)
        })
    })
}

/// The answer's words without the names of its place.
fn placeless(member: &Member<'_>) -> Vec<String> {
    let names = |place: &Place| -> Vec<String> {
        [&place.country, &place.region, &place.district]
            .into_iter()
            .flatten()
            .flat_map(|name| words(name))
            .collect()
    };
    let own = member
        .question
        .place
        .as_ref()
        .map(names)
        .unwrap_or_default();
    words(&member.row.text)
        .into_iter()
        .filter(|word| !own.contains(word))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::super::arms::testing::row;
    use super::super::{read_text, score};
    use super::*;

    fn set() -> Vec<StudyQuestion> {
        let line = |id: &str, place: &str, depth: u8| {
            format!(
                r#"{{"id":"{id}","split":"test","kind":"answerable","question":"How deep?","place":{{"region":"{place}"}},"pair":"depth","gold":{{"document":"d","section":"s"}},"facts":[{{"name":"depth","numbers":[{depth}],"unit":"cm"}}],"answer":"{depth} cm"}}"#
            )
        };
        let text = [
            line("a", "Iowa", 5),
            line("b", "Punjab", 4),
            line("c", "Goias", 5),
        ]
        .join("\n");
        read_text(&text, std::path::Path::new("set")).expect("sound")
    }

    fn measured(texts: [&str; 3]) -> TwinMeasures {
        let set = set();
        let rows: Vec<AnswerRow> = set
            .iter()
            .zip(texts)
            .map(|(question, text)| row(Arm::Base, &question.id, text))
            .collect();
        let scores: Vec<Score> = set
            .iter()
            .zip(&rows)
            .map(|(question, row)| score(question, "", row, Some(0.5)))
            .collect();
        let questions: Vec<&StudyQuestion> = set.iter().collect();
        twins(Arm::Base, &questions, &rows, &scores)
    }

    #[test]
    fn only_twins_with_different_facts_are_held_against_each_other() {
        let found = measured(["5 cm", "4 cm", "5 cm"]);
        // Iowa and Goias have the same depth.
        assert_eq!((found.groups, found.twins, found.answered), (1, 2, 2));
        assert_eq!((found.differ, found.both_right), (2, 2));
        assert_eq!(found.bands_by_place["Punjab"].somewhat, 1);
    }

    #[test]
    fn an_answer_that_only_names_another_place_does_not_differ() {
        let found = measured(["In Iowa 5 cm.", "In Punjab 5 cm.", "In Goias 5 cm."]);
        assert_eq!(
            (found.differ, found.alike_word_for_word, found.both_right),
            (0, 2, 0)
        );
        let found = measured(["Sow it deep.", "Sow it well.", "Sow it deep."]);
        assert_eq!((found.differ, found.alike_word_for_word), (2, 0));
    }

    #[test]
    fn a_question_left_out_has_no_twin() {
        let set = set();
        let questions: Vec<&StudyQuestion> = set.iter().collect();
        assert_eq!(
            twins(Arm::Base, &questions, &[], &[]),
            TwinMeasures::default()
        );
    }
}
