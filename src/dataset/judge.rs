//! Grades of a pair by a judge from outside: relevance, global relevance, coverage, fluency.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::chat::{Chance, Patient};
use super::error::DatasetError;
use crate::model::{Message, Role};
use crate::study::{ChatEndpoint, Ledger};

/// Requests for one set of grades until they can be read.
const CHANCES: u64 = 3;

/// What the judge says of a pair, 1 to 5 each; `None` where no reply could be read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Grades {
    /// Would a farmer ask this, given the passage.
    pub relevance: Option<u8>,
    /// Would a farmer ask this, of which nothing else is known.
    pub global_relevance: Option<u8>,
    /// Can the answer be taken from the passage.
    pub coverage: Option<u8>,
    /// Is the question good English.
    pub fluency: Option<u8>,
}

/// A judge behind an endpoint.
pub struct Judge {
    endpoint: Patient,
}

impl Judge {
    /// Over `endpoint`.
    pub fn new(endpoint: Box<dyn ChatEndpoint>) -> Self {
        Judge {
            endpoint: Patient::new(endpoint),
        }
    }

    /// The model, by name.
    pub fn name(&self) -> String {
        self.endpoint.model().to_owned()
    }

    /// What was used so far.
    pub fn ledger(&self) -> Ledger {
        self.endpoint.ledger()
    }

    /// The grades of a pair; two requests, since global relevance is graded without the passage; blocking.
    ///
    /// # Errors
    /// The endpoint refuses, or failed too often in a row.
    pub fn grade(
        &mut self,
        question: &str,
        answer: &str,
        passage: &str,
    ) -> Result<Grades, DatasetError> {
        let with = format!(
            "Passage:\n{passage}\n\nQuestion: {question}\nAnswer: {answer}\n\nGrade from 1 (no) to 5 (yes). relevance: would a \
             farmer or an adviser who works on this ask it? coverage: can this answer be taken from the passage alone, and is \
             it right by it? fluency: is the question good English and clear on its own?"
        );
        let given = self.ask(&with, &["relevance", "coverage", "fluency"])?;
        let without = format!(
            "Question: {question}\n\nGrade from 1 (no) to 5 (yes). relevance: would a farmer ask this question? Nothing else is known."
        );
        let alone = self.ask(&without, &["relevance"])?;
        Ok(Grades {
            relevance: given.first().copied().flatten(),
            coverage: given.get(1).copied().flatten(),
            fluency: given.get(2).copied().flatten(),
            global_relevance: alone.first().copied().flatten(),
        })
    }

    /// The grades `names` in a reply that has all of them; none where no reply has.
    fn ask(&mut self, text: &str, names: &[&str]) -> Result<Vec<Option<u8>>, DatasetError> {
        let grade = json!({"type": "integer", "minimum": 1, "maximum": 5});
        let properties: serde_json::Map<String, Value> = names
            .iter()
            .map(|name| ((*name).to_owned(), grade.clone()))
            .collect();
        let schema = json!({"type": "object", "properties": properties, "required": names, "additionalProperties": false});
        let shape: Vec<String> = names
            .iter()
            .map(|name| format!("\"{name}\": 1 to 5"))
            .collect();
        let text = format!(
            "{text} Reply with one JSON object and nothing else: {{{}}}",
            shape.join(", ")
        );
        for number in 0..CHANCES {
            let messages = vec![
                Message::new(
                    Role::System,
                    "You grade questions and answers about farming.",
                ),
                Message::new(Role::User, text.clone()),
            ];
            if let Ok(reply) = self
                .endpoint
                .ask(messages, &schema, Chance::plain(number))?
                && let Some(grades) = read(&reply, names)
            {
                return Ok(grades.into_iter().map(Some).collect());
            }
        }
        Ok(Vec::new())
    }
}

fn read(reply: &str, names: &[&str]) -> Option<Vec<u8>> {
    let object = reply.get(reply.find('{')?..=reply.rfind('}')?)?;
    let value: Value = serde_json::from_str(object).ok()?;
    let grade = |name: &&str| {
        let grade = value.get(*name)?.as_f64()?.round();
        (1.0..=5.0).contains(&grade).then_some(grade as u8)
    };
    names.iter().map(grade).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::study::endpoint_testing::{Act, Server, endpoint};

    fn grades(acts: Vec<Act>) -> (Grades, Ledger) {
        let server = Server::start(acts);
        let mut judge = Judge::new(Box::new(endpoint(&server.url, 2)));
        let grades = judge
            .grade("How deep?", "5 cm", "Sow 5 cm deep.")
            .expect("it goes on");
        (grades, judge.ledger())
    }

    #[test]
    fn grades_are_read_with_and_without_the_passage() {
        let first = Act::chat(r#"Sure: {"relevance": 4, "coverage": 5, "fluency": 3}"#);
        let (found, ledger) = grades(vec![first, Act::chat(r#"{"relevance": 2}"#)]);
        let expected = Grades {
            relevance: Some(4),
            global_relevance: Some(2),
            coverage: Some(5),
            fluency: Some(3),
        };
        assert_eq!(found, expected);
        assert_eq!((ledger.calls, ledger.tokens_in), (2, 22));
    }

    #[test]
    fn what_cannot_be_read_or_is_out_of_range_leaves_a_pair_ungraded() {
        let (found, ledger) = grades(vec![Act::chat(
            r#"{"relevance": 9, "coverage": 5, "fluency": 3}"#,
        )]);
        assert_eq!(found, Grades::default());
        assert_eq!(ledger.calls, 2 * CHANCES);
    }
}
