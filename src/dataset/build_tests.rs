//! Tests of whole builds: a library of two small documents, scripted teachers, cuts.

use std::ops::ControlFlow;
use std::path::PathBuf;

use super::*;
use crate::dataset::filter::HeldOut;
use crate::dataset::rules::RuleTeacher;
use crate::dataset::{EndpointTeacher, GeneratorTeacher, NoGenerator, RoomAnswers, check};
use crate::library::testing::{HashingEmbedder, document, open};
use crate::model::{GenerateRequest, Generated, Generator, Message, ModelError, Sampling};
use crate::study::endpoint_testing::{Act, Server, endpoint};

const MAIZE: &str = "---\ntitle: Planting maize in Iowa\nplace: {country: US, region: Iowa}\ncrop: maize\nlicence: CC0\n---\n\
## Depth\n\nMaize seed should be sown 5 cm deep in dry soil. Maize grows best where the summer is warm and the soil is deep, and it needs rain.\n\n\
## Harvest\n\nMaize should be harvested when the grain is dry enough for the bin. Wet grain is dried at 60 °C in the shed of the farm.\n";
const WHEAT: &str = "---\ntitle: Wheat in Kansas\nplace: {country: US, region: Kansas}\ncrop: wheat\n---\n\
## Plant\n\nWheat is a grass of cool countries that people have grown for bread since long ago. Winter wheat is sown in autumn and harvested in summer.\n";

struct Bench {
    folder: tempfile::TempDir,
    library: Library,
}

impl Bench {
    fn new() -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let library = open(&folder.path().join("library"), HashingEmbedder::new("a"));
        for (id, text) in [("maize.md", MAIZE), ("wheat.md", WHEAT)] {
            library.ingest(&document(id, text)).expect("taken in");
        }
        Bench { folder, library }
    }

    fn path(&self) -> PathBuf {
        self.folder.path().to_owned()
    }

    fn build(
        &self,
        teacher: &mut (dyn Teacher + 'static),
        plan: &Plan,
    ) -> Result<Built, DatasetError> {
        let hands = Hands {
            teacher,
            answers: None,
            judge: None,
            embedder: Some(self.library.embedder()),
        };
        build(
            &self.library,
            plan,
            hands,
            self.folder.path(),
            &mut |_, _, _| (),
        )
    }
}

fn plan(thresholds: Thresholds) -> Plan {
    Plan {
        modes: vec![Mode::External],
        manner: Manner::Combined,
        per_section: 15,
        thresholds,
        held_out: Vec::new(),
        splits: vec![Split::Test, Split::Dev],
    }
}

fn questions(built: &Built) -> Vec<&str> {
    built.pairs.iter().map(Pair::question).collect()
}

#[test]
fn rules_make_pairs_that_pass_the_check() {
    let bench = Bench::new();
    let built = bench
        .build(&mut RuleTeacher, &plan(Thresholds::rules()))
        .expect("built");
    assert_eq!(
        questions(&built),
        [
            "How deep should maize seed be sown in dry soil in Iowa, US?",
            "When should maize be harvested in Iowa, US?",
            "At what temperature is wet grain dried in the shed of the farm for maize in Iowa, US?",
            "What is wheat?",
        ]
    );
    let first = &built.pairs[0];
    assert_eq!(
        first.answer(),
        "Maize seed should be sown 5 cm deep in dry soil."
    );
    assert!(first.passage.contains(first.answer()));
    assert_eq!(
        (first.tags.crop.has, first.provenance.licence.as_deref()),
        (true, Some("CC0"))
    );
    let path = bench.path().join("set.jsonl");
    let bytes: Vec<u8> = built.pairs.iter().flat_map(crate::dataset::line).collect();
    std::fs::write(&path, &bytes).expect("writable");
    let report = check(&path, &HeldOut::default()).expect("readable");
    assert_eq!(
        (report.pairs, report.documents, report.faults),
        (4, 2, 0),
        "{report}"
    );
    let text = String::from_utf8(bytes)
        .expect("UTF-8")
        .replace("5 cm deep in dry soil.\"}", "8 cm deep in dry soil.\"}");
    std::fs::write(&path, text).expect("writable");
    let report = check(&path, &HeldOut::default()).expect("readable");
    assert_eq!(report.faults, 1, "{report}");
}

#[test]
fn modes_are_told_apart_and_a_question_is_kept_once() {
    let bench = Bench::new();
    let modes = Mode::ALL.to_vec();
    let built = bench
        .build(
            &mut RuleTeacher,
            &Plan {
                modes,
                ..plan(Thresholds::rules())
            },
        )
        .expect("built");
    let report = &built.report;
    assert_eq!(report.written.len(), 3);
    assert!(
        report.written[&Mode::None].question_words < report.written[&Mode::Context].question_words
    );
    let mut once: Vec<&str> = questions(&built);
    once.sort_unstable();
    once.dedup();
    assert_eq!(once.len(), built.pairs.len());
    let text = report.to_string();
    for part in ["| none |", "| external |", "Coverage", "| questions | 0 |"] {
        assert!(text.contains(part), "{part}: {text}");
    }
}

#[test]
fn a_held_out_document_gives_nothing() {
    let bench = Bench::new();
    let line = r#"{"id":"a","split":"test","kind":"answerable","question":"What about it?","gold":{"document":"maize.md","section":"Depth"},"facts":[{"name":"d","any_of":["x"]}]}"#;
    let held_out = crate::study::read_text(line, Path::new("set")).expect("sound");
    let built = bench
        .build(
            &mut RuleTeacher,
            &Plan {
                held_out,
                ..plan(Thresholds::rules())
            },
        )
        .expect("built");
    assert!(built.pairs.iter().all(|pair| pair.document == "wheat.md"));
    assert_eq!(built.report.dropped[&Reason::HeldOutDocument], 3);
}

const DEPTH: &str = r#"{"pairs": [{"question": "How deep should maize seed be sown in dry soil in Iowa?", "answer": "Maize seed should be sown 5 cm deep."},
    {"question": "How deep should maize seed be sown in Iowa in wet soil?", "answer": "8 cm deep."}, {"question": "What does the text say?", "answer": "Sown deep."}]}"#;
const NOTHING: &str =
    r#"{"pairs": [{"question": "What is said here on tractors in Iowa?", "answer": "Nothing."}]}"#;

#[test]
fn a_cut_build_goes_on_without_asking_again_and_the_ledger_adds_up() {
    let bench = Bench::new();
    let first = Server::start(vec![
        Act::chat(DEPTH),
        Act::Says(401, "", "the key ran out".into()),
    ]);
    let mut teacher = EndpointTeacher::new(Box::new(endpoint(&first.url, 1)), Sampling::default());
    let error = bench
        .build(&mut teacher, &plan(Thresholds::written()))
        .expect_err("cut");
    assert!(error.to_string().contains("401"), "{error}");
    let second = Server::start(vec![Act::chat(NOTHING)]);
    let mut teacher = EndpointTeacher::new(Box::new(endpoint(&second.url, 1)), Sampling::default());
    let built = bench
        .build(&mut teacher, &plan(Thresholds::written()))
        .expect("goes on");
    assert_eq!(
        second.requests.lock().expect("unpoisoned").len(),
        2,
        "the first section was paid for"
    );
    assert_eq!(
        questions(&built),
        ["How deep should maize seed be sown in dry soil in Iowa?"]
    );
    assert_eq!(built.report.dropped[&Reason::Ungrounded], 3);
    assert_eq!(built.report.dropped[&Reason::Form], 1);
    let used = built.report.used.teacher;
    assert_eq!((used.calls, used.tokens_in, used.tokens_out), (3, 33, 21));
}

#[test]
fn a_section_that_gave_nothing_usable_is_asked_again_by_the_next_run() {
    let bench = Bench::new();
    let broken = Server::start(vec![Act::chat("I cannot do that.")]);
    let mut teacher = EndpointTeacher::new(Box::new(endpoint(&broken.url, 1)), Sampling::default());
    let built = bench
        .build(&mut teacher, &plan(Thresholds::written()))
        .expect("goes on");
    assert_eq!((built.pairs.len(), built.report.unusable_sections), (0, 3));
    assert!(
        built.report.to_string().contains("maize.md"),
        "{}",
        built.report
    );
    let calls = built.report.used.teacher.calls;
    let sound = Server::start(vec![Act::chat(DEPTH), Act::chat(NOTHING)]);
    let mut teacher = EndpointTeacher::new(Box::new(endpoint(&sound.url, 1)), Sampling::default());
    let built = bench
        .build(&mut teacher, &plan(Thresholds::written()))
        .expect("goes on");
    assert_eq!((built.pairs.len(), built.report.unusable_sections), (1, 0));
    assert_eq!(built.report.used.teacher.calls, calls + 3);
}

#[test]
fn a_judges_grades_are_kept_and_decide() {
    let bench = Bench::new();
    let low = r#"{"relevance": 2, "coverage": 5, "fluency": 5}"#;
    let server = Server::start(vec![Act::chat(low)]);
    let mut judge = Judge::new(Box::new(endpoint(&server.url, 1)));
    let hands = Hands {
        teacher: &mut RuleTeacher,
        answers: None,
        judge: Some(&mut judge),
        embedder: None,
    };
    let built = build(
        &bench.library,
        &plan(Thresholds::rules()),
        hands,
        &bench.path(),
        &mut |_, _, _| (),
    )
    .expect("built");
    assert_eq!(
        (built.pairs.len(), built.report.dropped[&Reason::Judged]),
        (0, 4)
    );
    let asked = server.requests.lock().expect("unpoisoned").len();
    let mut again = Judge::new(Box::new(endpoint(&server.url, 1)));
    let hands = Hands {
        teacher: &mut RuleTeacher,
        answers: None,
        judge: Some(&mut again),
        embedder: None,
    };
    let built = build(
        &bench.library,
        &plan(Thresholds::rules()),
        hands,
        &bench.path(),
        &mut |_, _, _| (),
    )
    .expect("built");
    assert_eq!(built.report.used.judge.calls as usize, asked);
    assert_eq!(
        server.requests.lock().expect("unpoisoned").len(),
        asked,
        "paid for once"
    );
}

#[test]
fn questions_alone_are_answered_by_retrieval() {
    let bench = Bench::new();
    let library = Arc::new(open(
        &bench.path().join("second"),
        HashingEmbedder::new("a"),
    ));
    library
        .ingest(&document("maize.md", MAIZE))
        .expect("taken in");
    let config = crate::config::Config::defaults(None).expect("valid");
    let mut answer = config.answer.clone();
    answer.refuse_below = 0.0;
    let mut answers =
        RoomAnswers::new(crate::answer::Answerer::new(crate::answer::AnswererParts {
            passages: Box::new(Arc::clone(&library)),
            generator: Box::new(NoGenerator),
            embedder: None,
            config: crate::config::AnswerConfig {
                drafting: crate::config::Drafting::Quote,
                ..answer
            },
            top_k: 3,
            place: crate::types::Place::default(),
            adapter: None,
        }));
    let hands = Hands {
        teacher: &mut RuleTeacher,
        answers: Some(&mut answers),
        judge: None,
        embedder: None,
    };
    let manner = Manner::QuestionsOnly;
    let plan = Plan {
        manner,
        ..plan(Thresholds::rules())
    };
    let built = build(&library, &plan, hands, &bench.path(), &mut |_, _, _| ()).expect("built");
    let first = built.pairs.first().expect("one at least");
    assert!(first.answer().contains("5 cm deep"), "{first:?}");
    assert_eq!(first.manner, Manner::QuestionsOnly);
    assert!(
        first
            .provenance
            .answered_by
            .as_deref()
            .is_some_and(|by| by.contains("quotations"))
    );
    assert!(built.report.used.answers.calls > 0);
}

#[test]
fn another_teachers_drafts_are_not_mixed_in() {
    let bench = Bench::new();
    bench
        .build(&mut RuleTeacher, &plan(Thresholds::rules()))
        .expect("built");
    let server = Server::start(vec![Act::chat(DEPTH)]);
    let mut teacher = EndpointTeacher::new(Box::new(endpoint(&server.url, 1)), Sampling::default());
    let error = bench
        .build(&mut teacher, &plan(Thresholds::written()))
        .expect_err("another")
        .to_string();
    assert!(error.contains("rules@1"), "{error}");
}

/// A model that writes a question of its own with each seed, until its patience ends.
struct Seeded {
    patience: usize,
}

impl Generator for Seeded {
    fn name(&self) -> &str {
        "seeded"
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
        request: &GenerateRequest,
        on_text: &mut dyn FnMut(&str) -> ControlFlow<()>,
    ) -> Result<Generated, ModelError> {
        if self.patience == 0 {
            return Err(ModelError::Run("cut".into()));
        }
        self.patience -= 1;
        let text = format!("How deep is lot {} sown?", request.sampling.seed);
        let _ = on_text(&text);
        Ok(Generated {
            text,
            ..Generated::default()
        })
    }
}

/// Builds with a model that draws; the questions that it wrote.
fn drawn(bench: &Bench, seed: u64, patience: usize) -> Result<Vec<String>, DatasetError> {
    let sampling = Sampling {
        temperature: 0.8,
        seed,
        ..Sampling::default()
    };
    let mut teacher = GeneratorTeacher::new(Box::new(Seeded { patience }), sampling);
    let built = bench.build(&mut teacher, &plan(Thresholds::of_sentences()))?;
    let kept = built.pairs.iter().map(|pair| pair.question().to_owned());
    let dropped = built.dropped.iter().map(|one| one.question.clone());
    Ok(kept.chain(dropped).collect())
}

#[test]
fn a_cut_build_that_draws_goes_on_to_what_it_would_have_been_and_only_with_its_own_seed() {
    let whole = drawn(&Bench::new(), 7, 99).expect("built");
    let each: BTreeSet<&String> = whole.iter().collect();
    assert!(whole.len() > 3 && each.len() == whole.len(), "{whole:?}");
    let bench = Bench::new();
    for patience in [1, 2] {
        let error = drawn(&bench, 7, patience).expect_err("cut").to_string();
        assert!(error.contains("cut"), "{error}");
    }
    assert_eq!(drawn(&bench, 7, 99).expect("goes on"), whole);
    let error = drawn(&bench, 8, 99).expect_err("another").to_string();
    assert!(error.contains("temperature 0.8, seed 7@1"), "{error}");
    assert_ne!(drawn(&Bench::new(), 8, 99).expect("built"), whole);
}
