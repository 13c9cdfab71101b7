//! Tests of the endpoint against a scripted server on a free loopback port.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::time::Instant;

use super::*;
use crate::model::Role;

/// What the server does with one connection.
#[derive(Clone, Debug)]
pub(crate) enum Act {
    /// Answers with this status, header lines and body.
    Says(u16, &'static str, String),
    /// Takes the request and says nothing until the client gives up.
    Hangs,
    /// Hangs up at once.
    Drops,
}

impl Act {
    /// A chat completion of `text`, 11 tokens in and 7 out.
    pub(crate) fn chat(text: &str) -> Act {
        let body = json!({"choices": [{"message": {"role": "assistant", "content": text}}],
            "usage": {"prompt_tokens": 11, "completion_tokens": 7}});
        Act::Says(200, "", body.to_string())
    }
}

/// Plays `acts` one a connection, the last for ever; keeps the requests.
pub(crate) struct Server {
    pub(crate) url: String,
    pub(crate) requests: Arc<Mutex<Vec<String>>>,
}

impl Server {
    pub(crate) fn start(acts: Vec<Act>) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).expect("a free port");
        let url = format!("http://{}/v1", listener.local_addr().expect("an address"));
        let requests = Arc::new(Mutex::new(Vec::new()));
        let kept = Arc::clone(&requests);
        std::thread::spawn(move || {
            let mut acts = acts.into_iter().peekable();
            for stream in listener.incoming() {
                let Ok(stream) = stream else { return };
                let act = match acts.len() {
                    1 => acts.peek().cloned(),
                    _ => acts.next(),
                };
                let kept = Arc::clone(&kept);
                // A hanging connection must not keep the next one waiting.
                std::thread::spawn(move || play(stream, act.expect("acts"), &kept));
            }
        });
        Server { url, requests }
    }
}

fn play(mut stream: TcpStream, act: Act, kept: &Mutex<Vec<String>>) {
    if matches!(act, Act::Drops) {
        return;
    }
    kept.lock().expect("unpoisoned").push(request(&mut stream));
    if let Act::Says(status, headers, body) = act {
        let _ = write!(
            stream,
            "HTTP/1.1 {status} X\r\nContent-Type: application/json\r\nConnection: close\r\n{headers}Content-Length: {}\r\n\r\n{body}",
            body.len()
        );
        return;
    }
    let mut rest = Vec::new();
    let _ = stream.read_to_end(&mut rest);
}

fn request(stream: &mut TcpStream) -> String {
    let (mut text, mut buffer) = (Vec::new(), [0; 4096]);
    loop {
        let whole = String::from_utf8_lossy(&text).into_owned();
        if let Some((head, body)) = whole.split_once("\r\n\r\n") {
            let length = head
                .lines()
                .find_map(|line| {
                    line.to_lowercase()
                        .strip_prefix("content-length:")?
                        .trim()
                        .parse()
                        .ok()
                })
                .unwrap_or(0);
            if body.len() >= length {
                return whole;
            }
        }
        match stream.read(&mut buffer) {
            Ok(0) | Err(_) => return whole,
            Ok(read) => text.extend_from_slice(&buffer[..read]),
        }
    }
}

pub(crate) fn endpoint(url: &str, attempts: u32) -> HttpEndpoint {
    HttpEndpoint::new(config(url, attempts)).expect("a usable address")
}

fn config(url: &str, attempts: u32) -> EndpointConfig {
    EndpointConfig {
        url: url.to_owned(),
        model: "judge-1".into(),
        api_key: Some("secret".into()),
        timeout: Duration::from_millis(300),
        attempts,
        pause: Duration::from_millis(1),
    }
}

fn ask(endpoint: &mut HttpEndpoint) -> Result<ChatReply, EndpointError> {
    endpoint.complete(&ChatRequest {
        messages: vec![Message::new(Role::User, "How deep?")],
        max_tokens: 50,
        temperature: 0.0,
        top_p: 1.0,
        seed: 3,
        format: ReplyFormat::Text,
    })
}

#[test]
fn a_chat_goes_out_with_key_and_model_and_comes_back_with_its_tokens() {
    let server = Server::start(vec![Act::chat("2 inches")]);
    let mut endpoint = endpoint(&server.url, 1);
    let reply = ask(&mut endpoint).expect("a reply");
    assert_eq!(
        (
            reply.text.as_str(),
            reply.tokens.prompt,
            reply.tokens.generated
        ),
        ("2 inches", 11, 7)
    );
    let requests = server.requests.lock().expect("unpoisoned");
    assert!(
        requests[0].starts_with("POST /v1/chat/completions "),
        "{}",
        requests[0]
    );
    assert!(requests[0].contains("Bearer secret"), "{}", requests[0]);
    let (_, body) = requests[0].split_once("\r\n\r\n").expect("a body");
    let body: Value = serde_json::from_str(body).expect("JSON");
    assert_eq!(
        (&body["model"], &body["seed"]),
        (&json!("judge-1"), &json!(3))
    );
    assert_eq!(body["messages"][0]["content"], "How deep?");
    assert_eq!(endpoint.ledger().tokens_in, 11);
}

#[test]
fn what_may_pass_is_tried_again_within_a_bound() {
    let server = Server::start(vec![
        Act::Says(429, "Retry-After: 0\r\n", "slow down".into()),
        Act::Says(503, "", "overloaded".into()),
        Act::Drops,
        Act::Hangs,
        Act::Says(200, "", "no JSON".into()),
        Act::chat("at last"),
    ]);
    let mut endpoint = endpoint(&server.url, 6);
    assert_eq!(ask(&mut endpoint).expect("a reply").text, "at last");
    let ledger = endpoint.ledger();
    assert_eq!((ledger.calls, ledger.retries, ledger.failures), (6, 5, 0));
}

#[test]
fn an_endpoint_that_stays_down_is_given_up() {
    let server = Server::start(vec![Act::Says(500, "", "broken".into())]);
    let mut endpoint = endpoint(&server.url, 3);
    let error = ask(&mut endpoint).expect_err("down").to_string();
    assert!(
        error.contains("after 3 attempts") && error.contains("broken"),
        "{error}"
    );
    assert_eq!(endpoint.ledger().failures, 1);
}

#[test]
fn a_time_out_ends_an_attempt() {
    let server = Server::start(vec![Act::Hangs]);
    let begun = Instant::now();
    assert!(ask(&mut endpoint(&server.url, 1)).is_err());
    assert!(begun.elapsed() < Duration::from_secs(20));
}

#[test]
fn a_refusal_is_not_tried_again() {
    let server = Server::start(vec![Act::Says(401, "", "no such key".into())]);
    let mut endpoint = endpoint(&server.url, 5);
    let error = ask(&mut endpoint).expect_err("refused").to_string();
    assert!(
        error.contains("401") && error.contains("no such key"),
        "{error}"
    );
    assert_eq!(endpoint.ledger().calls, 1);
}

#[test]
fn a_key_never_goes_over_the_net_in_the_clear() {
    let new = |url: &str| {
        HttpEndpoint::new(config(url, 1))
            .err()
            .map(|error| error.to_string())
    };
    assert!(
        new("http://judge.example/v1")
            .expect("refused")
            .contains("clear")
    );
    assert!(
        new("ftp://judge.example")
            .expect("refused")
            .contains("http or https")
    );
    assert_eq!(new("https://judge.example/v1"), None);
    assert_eq!(new("http://127.0.0.1:1/v1"), None);
}
