//! The box's own model as a teacher: small, so it is asked for one question of one sentence at a time.
//!
//! Its answer is the sentence itself; what a small model writes beside a question is not to be trusted.
//! Where words are drawn, each sentence has a seed of its own: a build that goes on, or is done again, writes the same.

use std::ops::ControlFlow;

use super::error::DatasetError;
use super::material::Unit;
use super::mode::in_mode;
use super::rules::{is_fit, uncited};
use super::teacher::{Draft, Job, Manner, Reply, Teacher, drawing, seed_of};
use crate::documents::{Body, sentences};
use crate::model::{GenerateRequest, Generator, Message, Role, Sampling};
use crate::study::Ledger;

/// Longest question, in tokens.
const MOST_TOKENS: usize = 48;

/// A sentence that opens so cannot be asked about alone.
const OPENS: &[&str] = &[
    "it",
    "they",
    "this",
    "these",
    "those",
    "that",
    "he",
    "she",
    "such",
    "there",
    "here",
    "however",
    "therefore",
    "thus",
    "moreover",
    "furthermore",
    "also",
    "then",
    "both",
    "another",
    "others",
    "other",
    "some",
    "and",
    "but",
    "or",
    "so",
    "its",
    "their",
    "for",
    "in",
    "although",
    "while",
    "finally",
    "similarly",
    "consequently",
    "additionally",
    "overall",
];

/// Examples of one question each, since a small model does as it is shown: of our own making.
const EXAMPLES: &[(&str, &str)] = &[
    (
        "Soak mung bean seed for six hours before sowing.",
        "For how long should mung bean seed be soaked before sowing?",
    ),
    (
        "Late blight spreads fastest in cool, wet weather.",
        "In what weather does late blight spread fastest?",
    ),
    (
        "Alfalfa hay may be baled at 18 percent moisture.",
        "At what moisture may alfalfa hay be baled?",
    ),
];

/// Writes questions with a generator on this machine.
pub struct GeneratorTeacher {
    generator: Box<dyn Generator>,
    sampling: Sampling,
    ledger: Ledger,
}

impl GeneratorTeacher {
    /// Over `generator`, whose words are chosen by `sampling`.
    pub fn new(generator: Box<dyn Generator>, sampling: Sampling) -> Self {
        GeneratorTeacher {
            generator,
            sampling,
            ledger: Ledger::default(),
        }
    }

    fn ask(&mut self, unit: &Unit, sentence: &str) -> Result<Option<String>, DatasetError> {
        let system = "You write one short question about farming. The sentence is its answer.";
        let mut messages = vec![Message::new(Role::System, system)];
        for (sentence, question) in EXAMPLES {
            messages.push(Message::new(Role::User, format!("Sentence: {sentence}")));
            messages.push(Message::new(Role::Assistant, *question));
        }
        let about = unit.source.title.as_str();
        messages.push(Message::new(
            Role::User,
            format!("About: {about}\nSentence: {sentence}"),
        ));
        // Not by the mode: what differs between modes is what they are told, and nothing else.
        let section = unit.number.to_string();
        let of = [unit.source.id.as_str(), &section, sentence];
        let request = GenerateRequest {
            sampling: Sampling {
                seed: seed_of(self.sampling.seed, &of),
                ..self.sampling.clone()
            },
            ..GenerateRequest::new(messages, MOST_TOKENS)
        };
        let mut said = String::new();
        let generated = self.generator.generate(&request, &mut |text| {
            said.push_str(text);
            // One question is enough, and what follows it is chatter.
            match said.contains(['?', '\n']) {
                true => ControlFlow::Break(()),
                false => ControlFlow::Continue(()),
            }
        })?;
        self.ledger.calls += 1;
        self.ledger.tokens_in += generated.prompt_tokens as u64;
        self.ledger.tokens_out += generated.tokens as u64;
        Ok(said
            .split_inclusive('?')
            .next()
            .map(str::trim)
            .filter(|text| text.ends_with('?') && !repeats(text))
            .map(str::to_owned))
    }
}

impl Teacher for GeneratorTeacher {
    fn name(&self) -> String {
        format!("model {}{}", self.generator.name(), drawing(&self.sampling))
    }

    fn version(&self) -> u32 {
        1
    }

    fn is_costly(&self) -> bool {
        true
    }

    fn write(&mut self, job: &Job<'_>) -> Result<Reply, DatasetError> {
        let mut drafts = Vec::new();
        for sentence in chosen(job.unit, job.wanted) {
            let Some(question) = self.ask(job.unit, &sentence)? else {
                continue;
            };
            let Some(question) = in_mode(&question, job.unit, job.mode, false) else {
                continue;
            };
            drafts.push(Draft {
                question,
                answer: (job.manner == Manner::Combined).then(|| sentence.clone()),
                support: Some(sentence),
            });
        }
        Ok(Reply::Drafts(drafts))
    }

    fn ledger(&self) -> Ledger {
        self.ledger
    }
}

/// Whether a word stands twice in `question`: a small model lost its thread.
fn repeats(question: &str) -> bool {
    let words = crate::library::terms(question);
    let each: std::collections::BTreeSet<&String> = words.iter().collect();
    each.len() < words.len()
}

/// At most `wanted` sentences that can be asked about, spread over the section.
fn chosen(unit: &Unit, wanted: usize) -> Vec<String> {
    let mut all = Vec::new();
    for block in &unit.blocks {
        let texts: Vec<&str> = match &block.body {
            Body::Paragraph(text) => vec![text],
            Body::List(items) => items.iter().map(String::as_str).collect(),
            Body::Table(_) | Body::Caption(_) => Vec::new(),
        };
        for sentence in texts.into_iter().flat_map(sentences).map(uncited) {
            let first = sentence
                .split([' ', ','])
                .next()
                .unwrap_or("")
                .to_lowercase();
            if is_fit(&sentence) && !OPENS.contains(&first.as_str()) {
                all.push(sentence);
            }
        }
    }
    let most = all.len().min(wanted);
    (0..most)
        .map(|at| all[at * all.len() / most].clone())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dataset::material::testing::units;
    use crate::dataset::teacher::Mode;
    use crate::model::{Finish, Generated, ModelError};

    /// Says the same to everything.
    struct Parrot(&'static str);

    impl Generator for Parrot {
        fn name(&self) -> &str {
            "parrot"
        }

        fn context_tokens(&self) -> usize {
            1_000
        }

        fn prompt_tokens(&self, _: &[Message]) -> Result<usize, ModelError> {
            Ok(10)
        }

        fn adapters(&self) -> Vec<String> {
            Vec::new()
        }

        fn generate(
            &mut self,
            _: &GenerateRequest,
            on_text: &mut dyn FnMut(&str) -> ControlFlow<()>,
        ) -> Result<Generated, ModelError> {
            let mut text = String::new();
            for part in self.0.split_inclusive(' ') {
                text.push_str(part);
                if on_text(part).is_break() {
                    break;
                }
            }
            Ok(Generated {
                text,
                prompt_tokens: 10,
                tokens: 3,
                first_token: std::time::Duration::ZERO,
                finish: Finish::EndOfText,
                declined: None,
                work: Default::default(),
            })
        }
    }

    fn drafts(said: &'static str) -> (Vec<Draft>, Ledger) {
        let text = "---\ntitle: Planting maize\n---\n## Depth\n\nMaize seed is best sown 5 cm deep in dry soil. It may be sown later.\n";
        let unit = units("a.md", text).remove(0);
        let mut teacher = GeneratorTeacher::new(Box::new(Parrot(said)), Sampling::default());
        let job = Job {
            unit: &unit,
            mode: Mode::External,
            manner: Manner::Combined,
            wanted: 5,
        };
        match teacher.write(&job).expect("it speaks") {
            Reply::Drafts(drafts) => (drafts, teacher.ledger()),
            Reply::Unusable(reason) => panic!("{reason}"),
        }
    }

    #[test]
    fn a_sentence_is_the_answer_to_the_question_written_of_it() {
        let (drafts, ledger) = drafts("How deep is maize sown? Well, that depends");
        assert_eq!(drafts.len(), 1, "the second sentence says `it`");
        assert_eq!(drafts[0].question, "How deep is maize sown?");
        assert_eq!(
            drafts[0].answer.as_deref(),
            Some("Maize seed is best sown 5 cm deep in dry soil.")
        );
        assert_eq!(
            (ledger.calls, ledger.tokens_in, ledger.tokens_out),
            (1, 10, 3)
        );
    }

    #[test]
    fn what_is_no_question_is_left() {
        assert!(drafts("Maize is sown deep.").0.is_empty());
        assert!(
            drafts("How deep is maize sown where maize is sown?")
                .0
                .is_empty()
        );
    }
}
