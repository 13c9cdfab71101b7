//! Tests of the endpoint's teacher against a scripted server.

use super::*;
use crate::dataset::material::testing::units;
use crate::study::endpoint_testing::{Act, Server, endpoint};

const TEXT: &str = "---\ntitle: Planting maize\nplace: {country: US, region: Iowa}\n---\n## Depth\n\nMaize seed should be sown 5 cm deep in dry soil.\n";
const GOOD: &str = r#"{"pairs": [{"question": "How deep is maize sown in Iowa?", "answer": "5 cm deep."}, {"question": "", "answer": "x"}]}"#;

type Written = (Result<Reply, DatasetError>, Ledger, Vec<String>);

fn write(acts: Vec<Act>, manner: Manner) -> Written {
    write_drawn(acts, manner, Sampling::default())
}

fn write_drawn(acts: Vec<Act>, manner: Manner, sampling: Sampling) -> Written {
    let server = Server::start(acts);
    let mut teacher = EndpointTeacher::new(Box::new(endpoint(&server.url, 3)), sampling);
    let unit = units("a.md", TEXT).remove(0);
    let mode = Mode::External;
    let reply = teacher.write(&Job {
        unit: &unit,
        mode,
        manner,
        wanted: 7,
    });
    let requests = server.requests.lock().expect("unpoisoned").clone();
    (reply, teacher.ledger(), requests)
}

fn body(request: &str) -> Value {
    let (_, body) = request.split_once("\r\n\r\n").expect("a body");
    serde_json::from_str(body).expect("JSON")
}

fn questions(reply: Result<Reply, DatasetError>) -> Vec<String> {
    match reply.expect("it goes on") {
        Reply::Drafts(drafts) => drafts.into_iter().map(|draft| draft.question).collect(),
        Reply::Unusable(reason) => vec![format!("unusable: {reason}")],
    }
}

#[test]
fn a_section_goes_out_with_its_tags_and_a_schema() {
    let (reply, ledger, requests) = write(vec![Act::chat(GOOD)], Manner::Combined);
    assert_eq!(questions(reply), ["How deep is maize sown in Iowa?"]);
    assert_eq!((ledger.tokens_in, ledger.tokens_out), (11, 7));
    let body = body(&requests[0]);
    assert_eq!(body["response_format"]["type"], "json_schema");
    let asked = body["messages"][1]["content"].as_str().expect("text");
    for part in [
        "5 cm deep",
        "Write 7 ",
        "\"crop\":{\"has\":true",
        "Iowa, US",
    ] {
        assert!(asked.contains(part), "{part}: {asked}");
    }
}

#[test]
fn broken_json_gets_second_chances_and_is_then_given_up_for_this_run() {
    let (reply, ledger, _) = write(
        vec![
            Act::chat("{\"pairs\": ["),
            Act::chat("Sorry!"),
            Act::chat(GOOD),
        ],
        Manner::Combined,
    );
    assert_eq!(questions(reply).len(), 1);
    assert_eq!(ledger.calls, 3);
    let (reply, ledger, _) = write(
        vec![Act::chat("I cannot help with that.")],
        Manner::Combined,
    );
    assert!(
        questions(reply)[0].contains("unusable: no questions"),
        "a refusal in words"
    );
    assert_eq!(ledger.calls, CHANCES);
}

#[test]
fn the_first_chance_is_greedy_unless_words_are_to_be_drawn_and_the_next_ones_are_not() {
    let acts = || vec![Act::chat("Sorry!"), Act::chat(GOOD)];
    let (.., requests) = write(acts(), Manner::Combined);
    let first = body(&requests[0]);
    assert_eq!(
        (&first["temperature"], &first["seed"]),
        (&json!(0.0), &json!(0))
    );
    assert!(first.get("top_p").is_none(), "{first}");
    let second = body(&requests[1]);
    assert_eq!(
        (&second["temperature"], &second["seed"]),
        (&json!(0.7), &json!(1))
    );

    let drawn = |temperature, seed| {
        let sampling = Sampling {
            temperature,
            top_p: 0.9,
            seed,
            ..Sampling::default()
        };
        let (.., requests) = write_drawn(acts(), Manner::Combined, sampling);
        let seed = |at: usize| body(&requests[at])["seed"].as_u64().expect("a seed");
        assert_eq!(body(&requests[0])["temperature"], temperature);
        assert_eq!(body(&requests[0])["top_p"], 0.9);
        assert_eq!(body(&requests[1])["temperature"], temperature.max(0.7));
        assert_eq!(seed(1), seed(0) + 1);
        assert!(seed(1) < 1 << 31);
        seed(0)
    };
    assert_eq!(drawn(1.2, 4), drawn(0.3, 4));
    assert_ne!(drawn(1.2, 4), drawn(1.2, 5));
}

#[test]
fn a_reply_with_words_around_its_json_is_read() {
    let chatty = format!("Here you are:\n```json\n{GOOD}\n```");
    let (reply, ..) = write(vec![Act::chat(&chatty)], Manner::Combined);
    assert_eq!(questions(reply).len(), 1);
    let (reply, ..) = write(
        vec![Act::chat(
            r#"{"questions": ["How deep is maize sown in Iowa?"]}"#,
        )],
        Manner::QuestionsOnly,
    );
    assert_eq!(questions(reply).len(), 1);
}

#[test]
fn rate_limits_and_time_outs_are_waited_for() {
    let limit = Act::Says(429, "Retry-After: 0\r\n", "slow down".into());
    let (reply, ledger, _) = write(vec![limit, Act::Hangs, Act::chat(GOOD)], Manner::Combined);
    assert_eq!(questions(reply).len(), 1);
    assert_eq!((ledger.calls, ledger.retries), (3, 2));
}

#[test]
fn an_endpoint_without_schemas_is_asked_without() {
    let unknown = Act::Says(400, "", "response_format is not supported".into());
    let (reply, _, requests) = write(
        vec![unknown.clone(), unknown, Act::chat(GOOD)],
        Manner::Combined,
    );
    assert_eq!(questions(reply).len(), 1);
    assert!(requests[1].contains("json_object"), "{}", requests[1]);
    assert!(!requests[2].contains("response_format"), "{}", requests[2]);
}

#[test]
fn a_refused_key_ends_the_build_and_a_failing_server_does_not_at_once() {
    let (reply, ..) = write(
        vec![Act::Says(401, "", "no such key".into())],
        Manner::Combined,
    );
    assert!(reply.expect_err("refused").to_string().contains("401"));
    let (reply, ..) = write(vec![Act::Says(503, "", "down".into())], Manner::Combined);
    assert!(
        questions(reply)[0].contains("unusable"),
        "it goes on with the next section"
    );
}
