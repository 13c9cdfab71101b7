//! Editions that come in while the box answers: the real binary with real models, a real Mosquitto.
//!
//! `make soak-edition` is the long form: at least 200 questions at a steady rate over one switch.

mod support;

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::process::Output;
use std::time::{Duration, Instant};

use rumqttc::v5::mqttbytes::v5::PublishProperties;
use serde_json::{Value, json};
use support::Broker;
use support::client::{Client5, Message};
use support::daemon::{TestBox, said};
use support::operator::{Operator, QUESTION};

/// Answered, quoted and refused, in turn.
const QUESTIONS: [&str; 4] = [
    QUESTION,
    "When should I plant maize?",
    "How far apart do I plant Barcelona hazelnuts?",
    "At what grain moisture should maize be harvested?",
];

/// Longest that an edition may take to come in: a debug build on a busy machine.
const LONGEST: Duration = Duration::from_secs(900);

/// An operator, a broker, and a running box on edition 1 of that operator.
struct Farm {
    operator: Operator,
    broker: Broker,
    customer: TestBox,
}

impl Farm {
    fn start() -> Self {
        let (operator, broker) = (Operator::new(), Broker::start());
        let port = broker.port();
        let customer = operator.customer_with(&format!(
            "[mqtt]\nhost = \"127.0.0.1\"\nport = {port}\nkeep_alive_s = 5\n"
        ));
        operator.adapter("one/farm", 0.0);
        let first = operator.complete_with(1, "adapters = [\"one/farm.safetensors\"]");
        let installed = customer.command(&["edition", "install", &first]);
        assert!(installed.status.success(), "{}", said(&installed));
        let mut this = Farm {
            operator,
            broker,
            customer,
        };
        this.customer.start_ready();
        this
    }

    /// An edition that differs from edition 1 in its adapter only.
    fn adapter_only(&self, serial: u64, height: f32) -> String {
        self.operator.adapter("two/farm", height);
        self.operator.edition(
            serial,
            "base = \"out/editions/1\"\nadapters = [\"two/farm.safetensors\"]\n",
        )
    }

    async fn asker(&self) -> Asker {
        let port = self.broker.port();
        Asker {
            client: Client5::connect(port, "h5", "almanac/farm/answer/h5").await,
            asked: BTreeMap::new(),
            outcomes: Vec::new(),
        }
    }

    /// Hears what the box says of its editions.
    async fn watcher(&self) -> Client5 {
        let port = self.broker.port();
        Client5::connect(port, "w5", "almanac/farm/edition/state/b1").await
    }

    /// Installs the edition at `path`, on a thread of its own.
    fn install(&self, path: &str) -> tokio::task::JoinHandle<Output> {
        let mut command = self
            .customer
            .command_to_start(&["edition", "install", path]);
        tokio::task::spawn_blocking(move || command.output().expect("almanac runs"))
    }

    fn status(&self) -> Value {
        self.customer.json(&["edition", "status"])[0].clone()
    }
}

/// Asks at a steady rate and takes what comes back.
struct Asker {
    client: Client5,
    asked: BTreeMap<String, Instant>,
    outcomes: Vec<(Instant, Message)>,
}

impl Asker {
    async fn ask(&mut self) {
        let number = self.asked.len();
        let id = format!("q{number}");
        let question = QUESTIONS[number % QUESTIONS.len()];
        let place = json!({"country": "US", "region": "Iowa"});
        let ask = json!({"id": id, "question": question, "place": place, "adapter": "farm"});
        let ask = ask.to_string();
        self.asked.insert(id, Instant::now());
        let plain = PublishProperties::default();
        self.client.publish("almanac/farm/ask/h5", ask, plain).await;
    }

    /// Takes what comes until `end`.
    async fn listen(&mut self, end: Instant) {
        let end = tokio::time::Instant::from_std(end);
        while let Ok(message) = tokio::time::timeout_at(end, self.client.next()).await {
            self.outcomes.push((Instant::now(), message));
        }
    }

    /// Takes what comes until every question has an outcome.
    async fn finish(&mut self) {
        while self.by_id().len() < self.asked.len() {
            let message = self.client.next_within(LONGEST).await;
            self.outcomes.push((Instant::now(), message));
        }
    }

    /// The time that one question takes here.
    async fn pace(&mut self) -> Duration {
        self.ask().await;
        self.finish().await;
        let begun = Instant::now();
        for _ in QUESTIONS {
            self.ask().await;
            self.finish().await;
        }
        begun.elapsed() / QUESTIONS.len() as u32
    }

    fn by_id(&self) -> BTreeSet<String> {
        let id = |(_, message): &(Instant, Message)| message.json()["id"].to_string();
        self.outcomes.iter().map(id).collect()
    }

    fn editions(&self) -> Vec<u64> {
        let edition = |(_, message): &(Instant, Message)| message.json()["edition"].as_u64();
        self.outcomes.iter().filter_map(edition).collect()
    }

    fn count(&self, status: &str) -> usize {
        let is = |(_, message): &&(Instant, Message)| message.json()["status"] == status;
        self.outcomes.iter().filter(is).count()
    }

    /// Every question has one outcome, and none two different ones.
    fn assert_one_outcome_each(&self) {
        let mut seen: BTreeMap<String, &[u8]> = BTreeMap::new();
        for (_, message) in &self.outcomes {
            let id = message.json()["id"].as_str().expect("an id").to_owned();
            let before = seen.insert(id.clone(), &message.payload);
            assert!(
                before.is_none_or(|before| before == message.payload),
                "{id} has two outcomes"
            );
        }
        let asked: BTreeSet<&String> = self.asked.keys().collect();
        assert_eq!(seen.keys().collect::<BTreeSet<_>>(), asked);
    }
}

/// The states of one edition, up to its end; repeated figures of a fetch once.
async fn states(watcher: &mut Client5, serial: u64) -> Vec<Value> {
    let mut states: Vec<Value> = Vec::new();
    loop {
        let state = watcher.next_within(LONGEST).await.json();
        if state["serial"] != serial {
            continue;
        }
        let name = state["state"].as_str().expect("a state").to_owned();
        if states
            .last()
            .is_none_or(|last| last["state"] != state["state"])
        {
            states.push(state);
        }
        if ["current", "rejected", "rolled-back"].contains(&name.as_str()) {
            return states;
        }
    }
}

fn names(states: &[Value]) -> Vec<&str> {
    let names = states.iter().map(|state| state["state"].as_str());
    names.map(Option::unwrap_or_default).collect()
}

/// Asks at `pace` while `path` is installed, until `after` outcomes came from the new edition.
async fn ask_over(
    farm: &Farm,
    asker: &mut Asker,
    path: &str,
    (pace, before, after): (Duration, usize, usize),
) -> Output {
    let mut installing = None;
    let mut output = None;
    let first = asker.asked.len();
    let mut due = Instant::now();
    let serial = |asker: &Asker| asker.editions().last().copied();
    let old = serial(asker);
    let begun = Instant::now();
    loop {
        assert!(
            begun.elapsed() < LONGEST,
            "no end of it:\n{}",
            farm.customer.log()
        );
        asker.ask().await;
        due += pace;
        asker.listen(due).await;
        if asker.asked.len() - first == before {
            installing = Some(farm.install(path));
        }
        if installing
            .as_ref()
            .is_some_and(|installing| installing.is_finished())
        {
            let done = installing.take().expect("it is there").await;
            output = Some(done.expect("no panic"));
        }
        let editions = asker.editions();
        let of_new = editions
            .iter()
            .rev()
            .take_while(|one| Some(**one) != old)
            .count();
        if let Some(ended) = output.clone()
            && (!ended.status.success() || of_new >= after)
        {
            asker.finish().await;
            return ended;
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_question_asked_while_an_adapter_only_edition_comes_in_is_answered_once() {
    let farm = Farm::start();
    let second = farm.adapter_only(2, 0.001);
    let (mut asker, mut watcher) = (farm.asker().await, farm.watcher().await);
    let pace = asker.pace().await * 2;
    let installed = ask_over(&farm, &mut asker, &second, (pace, 2, 3)).await;
    assert!(installed.status.success(), "{}", said(&installed));
    asker.assert_one_outcome_each();
    assert_eq!(asker.count("busy"), 0);
    let editions = asker.editions();
    assert_eq!(editions.first(), Some(&1), "{editions:?}");
    assert_eq!(editions.last(), Some(&2), "{editions:?}");
    let states = states(&mut watcher, 2).await;
    assert_eq!(
        names(&states),
        [
            "offered", "fetching", "verified", "staged", "trial", "current"
        ]
    );
    let status = farm.status();
    assert_eq!(status["serial"], 2, "{status}");
    let closed = status["handover"]["closed_ms"].as_f64().expect("a figure");
    assert!(closed < 500.0, "{status}");
    assert!(status["handover"]["between_ms"].is_number(), "{status}");
    // The farm's own document came along, a new one goes in, and back again is as live.
    let found = &farm.customer.json(&["search", "brass key of the gate"])[0];
    assert_eq!(found["results"][0]["document"], "gate.md", "{found}");
    let note = farm.customer.folder().join("note.md");
    std::fs::write(
        &note,
        "# Pump\n\nThe pump of the east well runs at night.\n",
    )
    .expect("writable");
    let ingested = farm
        .customer
        .command(&["ingest", &note.display().to_string()]);
    assert!(ingested.status.success(), "{}", said(&ingested));
    let back = farm
        .customer
        .json(&["edition", "rollback", "--why", "test"]);
    assert_eq!(back[0]["current"], 1);
    let answer = &farm.customer.json(&["ask", QUESTION])[0];
    assert_eq!(
        (&answer["status"], &answer["edition"]),
        (&json!("answered"), &json!(1)),
        "{answer}"
    );
    let told = loop {
        let told = watcher.next_within(LONGEST).await.json();
        if told["state"] == "rolled-back" {
            break told;
        }
    };
    assert_eq!(told["reason"], "test", "{told}");
    let found = &farm.customer.json(&["search", "pump of the east well"])[0];
    assert_eq!(found["results"][0]["document"], "note.md", "{found}");
    let swept = farm.customer.command(&["edition", "gc"]);
    assert!(swept.status.success(), "{}", said(&swept));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_bad_edition_is_given_up_beside_the_old_one_which_answers_on() {
    let farm = Farm::start();
    farm.operator.shipped_adapter("tuned/farm");
    let tuned = farm.operator.edition(
        2,
        &format!(
            "base = \"out/editions/1\"\nadapters = [\"tuned/farm.safetensors\"]\n\
             [[golden]]\nquestion = \"{QUESTION}\"\nplace = {{ country = \"US\", region = \"Iowa\" }}\n\
             facts = [\"2 inches\"]\ndrafted = true\n"
        ),
    );
    let installed = farm.customer.command(&["edition", "install", &tuned]);
    assert!(installed.status.success(), "{}", said(&installed));
    let (mut asker, mut watcher) = (farm.asker().await, farm.watcher().await);
    // A valid signature over an adapter that makes noise of every draft. The golden questions are those that
    // edition 2 passed.
    farm.operator.adapter("noise/farm", 1.0);
    let bad = farm.operator.edition(
        3,
        "base = \"out/editions/2\"\nadapters = [\"noise/farm.safetensors\"]\n",
    );
    let pace = asker.pace().await * 2;
    let given_up = ask_over(&farm, &mut asker, &bad, (pace, 1, 1)).await;
    assert_eq!(given_up.status.code(), Some(1), "{}", said(&given_up));
    let ended = states(&mut watcher, 3).await;
    assert_eq!(names(&ended).last(), Some(&"rejected"));
    let reason = ended.last().expect("an end")["reason"].to_string();
    let wrong = "the model's own words are wanted";
    assert!(reason.contains(wrong), "{reason}");
    asker.ask().await;
    asker.finish().await;
    asker.assert_one_outcome_each();
    assert!(asker.editions().iter().all(|edition| *edition == 2));
    assert_eq!(farm.status()["serial"], 2);
    // Not accepted: nothing changed. Accepted afterwards: a right one.
    let again = farm.customer.command(&["edition", "install", &bad]);
    assert_eq!(again.status.code(), Some(1), "{}", said(&again));
    let right = farm.adapter_only(4, 0.001);
    let installed = farm.customer.command(&["edition", "install", &right]);
    assert!(installed.status.success(), "{}", said(&installed));
    let answer = &farm.customer.json(&["ask", QUESTION])[0];
    assert_eq!(answer["edition"], 4, "{answer}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_edition_that_a_power_cut_hit_goes_on_with_the_next_start() {
    let mut farm = Farm::start();
    let second = farm.adapter_only(2, 0.001);
    let mut watcher = farm.watcher().await;
    let installing = farm.install(&second);
    while watcher.next_within(LONGEST).await.json()["state"] != "staged" {}
    farm.customer.kill();
    let cut = installing.await.expect("no panic");
    assert!(!cut.status.success(), "{}", said(&cut));
    farm.customer.start_ready();
    let states = states(&mut watcher, 2).await;
    assert_eq!(names(&states).last(), Some(&"current"));
    let answer = &farm.customer.json(&["ask", QUESTION])[0];
    assert_eq!(answer["edition"], 2, "{answer}");
}

/// What a run of the soak found, for people.
struct Summary<'a> {
    asker: &'a Asker,
    pace: Duration,
    status: Value,
    fetched: u64,
}

impl Summary<'_> {
    fn print(&self) {
        let (asked, got) = (self.asker.asked.len(), self.asker.by_id().len());
        let mut waits: Vec<f64> = Vec::new();
        for (at, message) in &self.asker.outcomes {
            let json = message.json();
            let asked = self.asker.asked[json["id"].as_str().expect("an id")];
            waits.push(at.duration_since(asked).as_secs_f64());
        }
        waits.sort_by(f64::total_cmp);
        let of = |edition: u64| {
            self.asker
                .editions()
                .iter()
                .filter(|one| **one == edition)
                .count()
        };
        let handover = &self.status["handover"];
        println!(
            "{asked} questions, one each {:.2} s: {} lost, {} busy, {} failed; {} by edition 1, {} by edition 2",
            self.pace.as_secs_f64(),
            asked - got,
            self.asker.count("busy"),
            self.asker.count("failed"),
            of(1),
            of(2),
        );
        println!(
            "wait from question to answer: median {:.2} s, worst {:.2} s",
            waits[waits.len() / 2],
            waits[waits.len() - 1]
        );
        println!(
            "switch: {} ms without an edition that takes questions, {} ms from the last answer of the old to the first of the new; {:.1} MB new",
            handover["closed_ms"],
            handover["between_ms"],
            self.fetched as f64 / 1e6
        );
    }
}

fn bytes_to_fetch(operator: &Operator, from: &str, to: &str) -> u64 {
    assert!(Path::new(from).is_dir());
    let told = operator.almanac(&["--json", "edition", "diff", from, to]);
    let told: Value = serde_json::from_slice(&told.stdout).expect("JSON");
    told["bytes"].as_u64().expect("a number")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "minutes: make soak-edition"]
async fn hundreds_of_questions_at_a_steady_rate_see_an_adapter_come_in_and_none_is_lost() {
    let questions: usize = std::env::var("ALMANAC_EDITION_QUESTIONS").map_or(200, |count| {
        count
            .parse()
            .expect("ALMANAC_EDITION_QUESTIONS is a number")
    });
    let farm = Farm::start();
    let second = farm.adapter_only(2, 0.001);
    let first = farm.operator.path("out/editions/1").display().to_string();
    let fetched = bytes_to_fetch(&farm.operator, &first, &second);
    let mut asker = farm.asker().await;
    // Half of what the box can bear: the trial takes its share of the processor.
    let pace = asker.pace().await * 2;
    let installed = ask_over(&farm, &mut asker, &second, (pace, questions / 4, 1)).await;
    assert!(installed.status.success(), "{}", said(&installed));
    while asker.asked.len() < questions {
        asker.ask().await;
        asker.listen(Instant::now() + pace).await;
    }
    asker.finish().await;
    let summary = Summary {
        status: farm.status(),
        asker: &asker,
        pace,
        fetched,
    };
    summary.print();
    asker.assert_one_outcome_each();
    assert!(asker.count("busy") * 20 <= asker.asked.len());
    assert_eq!(asker.count("failed") + asker.count("expired"), 0);
    let closed = summary.status["handover"]["closed_ms"].as_f64();
    assert!(closed.is_some_and(|closed| closed <= 500.0), "{closed:?}");
    assert!(fetched <= 12_000_000, "{fetched}");
}
