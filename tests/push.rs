//! Editions pushed over a real Mosquitto to real daemons: what is lost on the way is sent again, and no more.
//!
//! The quick form has one box; the long one (`make soak-push`) three, a broker restart and a killed box, for a
//! whole edition, an adapter and a corpus.

mod support;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use almanac::edition::push::{Chunk, PIECE};
use almanac::types::Digest;
use rumqttc::v5::mqttbytes::v5::PublishProperties;
use serde_json::Value;
use support::Broker;
use support::client::Client5;
use support::daemon::TestBox;
use support::operator::{Operator, QUESTION};
use support::pushing::{adapter, anew, customer, noise, padded, push};

/// What may be sent twice when a connection is lost: what was under way, the credit of 8 pieces on each side.
const UNDER_WAY: u64 = 2 * 8 * PIECE as u64 + 64 * 1024;

fn assert_answers(this: &TestBox, edition: u64) {
    let answer = &this.json(&["ask", QUESTION])[0];
    assert_eq!(answer["status"], "answered", "{answer}");
    assert_eq!(answer["edition"], edition, "{answer}");
}

/// Waits until `this` has some pieces of a file, and lacks the rest of it.
fn is_in_the_middle(this: &TestBox) {
    let folder = this.state().join("blobs/sha256");
    let end = Instant::now() + Duration::from_secs(300);
    while Instant::now() < end {
        for entry in std::fs::read_dir(&folder).into_iter().flatten().flatten() {
            let is_part = entry.path().extension().is_some_and(|last| last == "part");
            if is_part && entry.metadata().is_ok_and(|found| found.len() > 2 << 20) {
                return;
            }
        }
        std::thread::park_timeout(Duration::from_millis(2));
    }
    panic!("nothing was fetched:\n{}", this.log());
}

/// Waits for a state on `edition/state/<box>` that `is_right`.
async fn state(watcher: &mut Client5, is_right: impl Fn(&Value) -> bool) -> Value {
    let end = Instant::now() + Duration::from_secs(300);
    while Instant::now() < end {
        let Ok(message) = tokio::time::timeout(Duration::from_secs(120), watcher.next()).await
        else {
            break;
        };
        let state = message.json();
        if is_right(&state) {
            return state;
        }
    }
    panic!("the box did not say what it should");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_push_goes_on_after_a_broker_restart_under_hostile_chunks_and_the_box_answers_on_it() {
    let mut broker = Broker::start();
    let operator = Operator::new();
    let padding = 96 << 20;
    let first = padded(&operator, 1, padding);
    let mut this = customer(&operator, "b1", broker.port());
    this.start_ready();
    let mut attacker = Client5::connect(broker.port(), "attacker", "almanac/farm/none").await;

    let pushed = push(&operator, &first, broker.port(), &["--timeout", "300"]);
    is_in_the_middle(&this);
    let foreign = noise(1000, 3);
    for hostile in [
        noise(100, 1),
        noise(256 * 1024, 2),
        Chunk {
            file: Digest::of(b"foreign"),
            offset: 0,
            data: &foreign,
        }
        .encode(),
        Vec::new(),
    ] {
        let topic = "almanac/farm/edition/chunk/b1";
        let none = PublishProperties::default;
        attacker.publish(topic, hostile, none()).await;
    }
    broker.restart();
    let (succeeded, lines, printed) = pushed.ended().await;
    assert!(succeeded, "{printed}\n{}", this.log());
    let line = &lines[0];
    assert_eq!(
        (&line["box"], &line["end"]),
        (&"b1".into(), &"current".into())
    );
    let (sent, total) = (line["sent"].as_u64(), line["total"].as_u64());
    let (sent, total) = (sent.expect("bytes"), total.expect("bytes"));
    println!("sent {sent} of {total} bytes, a broker restart in the middle");
    assert!(total >= padding as u64, "{line}");
    // Each chunk has a header of 72 bytes.
    assert!(
        sent >= total && sent <= total + total / 1000 + UNDER_WAY,
        "{line}"
    );
    assert_answers(&this, 1);

    // Nothing is left to be offered to a box that starts later.
    let filter = "almanac/farm/edition/offer/+";
    let mut late = Client5::connect(broker.port(), "late", filter).await;
    let offer = tokio::time::timeout(Duration::from_secs(1), late.next()).await;
    assert!(offer.is_err(), "an offer is still retained");

    // A second push of what is current costs nothing.
    let pushed = push(&operator, &first, broker.port(), &["--boxes", "b1"]);
    let (succeeded, lines, printed) = pushed.ended().await;
    assert!(succeeded, "{printed}");
    assert_eq!(lines[0]["sent"], 0, "{printed}");
    this.terminate();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_box_that_is_killed_while_it_fetches_goes_on_where_it_was() {
    let broker = Broker::start();
    let operator = Operator::new();
    let first = padded(&operator, 1, 96 << 20);
    let mut this = customer(&operator, "b1", broker.port());
    this.start_ready();
    let pushed = push(&operator, &first, broker.port(), &["--timeout", "300"]);
    is_in_the_middle(&this);
    this.kill();
    this.start_ready();
    let (succeeded, lines, printed) = pushed.ended().await;
    assert!(succeeded, "{printed}\n{}", this.log());
    let bytes = |key: &str| lines[0][key].as_u64().expect("bytes");
    println!(
        "sent {} of {} bytes, {} resumed after a kill",
        bytes("sent"),
        bytes("total"),
        bytes("resumed")
    );
    assert!(bytes("resumed") > 0, "{printed}");
    assert!(
        bytes("sent") <= bytes("total") + bytes("total") / 1000 + UNDER_WAY,
        "{printed}"
    );
    assert_answers(&this, 1);
    this.terminate();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_edition_that_a_box_rejects_halts_the_rollout_and_the_box_answers_as_before() {
    let broker = Broker::start();
    let operator = Operator::new();
    let mut this = customer(&operator, "b1", broker.port());
    this.start_ready();
    let first = padded(&operator, 1, 10);
    let bad = operator.edition(
        2,
        &format!(
            "base = \"out/editions/1\"\n[[golden]]\nquestion = {QUESTION:?}\nfacts = [\"seven fathoms\"]\n\
             place = {{ country = \"US\", region = \"Iowa\" }}\n"
        ),
    );
    let stranger = Operator::new();
    let foreign = padded(&stranger, 9, 10);
    let boxes = [
        "--boxes",
        "b1,b9",
        "--canary",
        "50%",
        "--then",
        "100%",
        "--timeout",
        "200",
    ];
    for (operator, folder, why) in [
        (&stranger, &foreign, "does not trust"),
        (&operator, &bad, "seven fathoms"),
    ] {
        let pushed = push(operator, folder, broker.port(), &boxes);
        let (succeeded, lines, printed) = pushed.ended().await;
        assert!(!succeeded, "{printed}");
        assert_eq!(lines[0]["end"], "rejected", "{printed}");
        assert!(
            lines[0]["why"]
                .as_str()
                .is_some_and(|said| said.contains(why)),
            "{printed}"
        );
        assert_eq!(
            lines[1]["end"], "halted",
            "b9 was never offered it: {printed}"
        );
        let own = &this.json(&["search", "brass key of the gate"])[0];
        assert_eq!(own["results"][0]["document"], "gate.md", "{own}");
    }
    // A right one is taken after both.
    let pushed = push(&operator, &first, broker.port(), &["--timeout", "200"]);
    let (succeeded, _, printed) = pushed.ended().await;
    assert!(succeeded, "{printed}\n{}", this.log());
    assert_answers(&this, 1);
    this.terminate();
}

/// The most of `key` in `/proc/<pid>/status` until dropped, KiB.
struct Peak {
    most: Arc<AtomicU64>,
    stop: Arc<AtomicBool>,
}

impl Peak {
    fn watch(pid: u32, key: &'static str) -> Peak {
        let (most, stop) = (
            Arc::new(AtomicU64::new(0)),
            Arc::new(AtomicBool::new(false)),
        );
        let (seen, over) = (Arc::clone(&most), Arc::clone(&stop));
        std::thread::spawn(move || {
            while !over.load(Ordering::Relaxed) {
                let status = std::fs::read_to_string(format!("/proc/{pid}/status"));
                let Ok(status) = status else { return };
                let line = status.lines().find(|line| line.starts_with(key));
                let kib = line.and_then(|line| line.split_whitespace().nth(1)?.parse().ok());
                seen.fetch_max(kib.unwrap_or(0), Ordering::Relaxed);
                std::thread::park_timeout(Duration::from_millis(20));
            }
        });
        Peak { most, stop }
    }

    fn mib(&self) -> u64 {
        self.most.load(Ordering::Relaxed) / 1024
    }
}

impl Drop for Peak {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
    }
}

/// Three boxes, one killed while it fetches, the broker restarted meanwhile: prints what it cost.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "minutes and gigabytes: `make soak-push`"]
async fn three_boxes_end_on_each_of_three_editions_whatever_happens_meanwhile() {
    let mut broker = Broker::start();
    let operator = Operator::new();
    let full = anew(&operator, 1);
    let adapter = adapter(&operator);
    let adapted = operator.edition(
        2,
        &format!("base = \"out/editions/1\"\nadapters = [{adapter:?}]"),
    );
    for number in 0..40 {
        let text = format!(
            "# Field book {number}\n\nField {number} was limed in {}.\n",
            1900 + number
        );
        operator.write(&format!("corpus/fields/{number}.md"), text.as_bytes());
    }
    let corpus = operator.edition(3, "base = \"out/editions/2\"\ndocuments = [\"corpus\"]");
    let names = ["b1", "b2", "b3"];
    let mut boxes: Vec<TestBox> = Vec::new();
    for name in names {
        let mut this = customer(&operator, name, broker.port());
        this.start_ready();
        boxes.push(this);
    }
    println!(
        "edition | bytes a box | sent to all | resumed by the killed one | s | pusher MiB | box MiB above idle while fetching"
    );
    for (what, folder, serial) in [
        ("full", &full, 1),
        ("adapter", &adapted, 2),
        ("corpus", &corpus, 3),
    ] {
        let idle = boxes[0].private_mib();
        let id = format!("watcher{serial}");
        let topic = "almanac/farm/edition/state/b1";
        let mut watcher = Client5::connect(broker.port(), &id, topic).await;
        let pushed = push(&operator, folder, broker.port(), &["--timeout", "600"]);
        let pusher = Peak::watch(pushed.pid(), "VmHWM:");
        let fetching = Peak::watch(boxes[0].pid(), "RssAnon:");
        if what == "corpus" {
            // A few documents: they are here before anybody can look.
            state(&mut watcher, |state| state["serial"] == serial).await;
        } else {
            is_in_the_middle(&boxes[1]);
        }
        boxes[1].kill();
        broker.restart();
        boxes[1].start();
        state(&mut watcher, |state| {
            let fetched = ["verified", "staged", "trial", "current"];
            state["serial"] == serial && fetched.contains(&state["state"].as_str().unwrap_or(""))
        })
        .await;
        let above = fetching.mib().saturating_sub(idle);
        drop(fetching);
        let (succeeded, lines, printed) = pushed.ended().await;
        assert!(succeeded, "{printed}\n{}", boxes[1].log());
        let of = |name: usize, key: &str| lines[name][key].as_u64().expect("a number");
        println!(
            "{what} | {} | {} | {} | {} | {} | {above}",
            of(0, "total"),
            lines[3]["sent"],
            of(1, "resumed"),
            lines[3]["seconds"],
            pusher.mib(),
        );
        assert!(above <= 64, "{above} MiB");
        for (number, this) in boxes.iter().enumerate() {
            assert_eq!(lines[number]["end"], "current", "{printed}");
            assert_answers(this, serial);
        }
    }
    for this in &mut boxes {
        this.terminate();
    }
}
