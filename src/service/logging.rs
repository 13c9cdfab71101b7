//! Where log lines go: to the journal with their fields when systemd started us, else to stderr.
//!
//! What farmers ask is logged at debug level only.

use std::fmt::Write as _;
use std::os::unix::fs::MetadataExt;

use tracing::field::{Field, Visit};
use tracing::{Event, Level, Subscriber};
use tracing_subscriber::layer::{Context, Layer, SubscriberExt};
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{EnvFilter, fmt};

/// Starts logging, once a process; `ALMANAC_LOG` sets the level (`info` when unset or not readable).
pub fn start() {
    let filter = EnvFilter::try_from_env("ALMANAC_LOG")
        .unwrap_or_else(|_| EnvFilter::new("info,rumqttc=warn,sled=warn,ort=warn"));
    let registry = tracing_subscriber::registry().with(filter);
    // A second start, in a test, changes nothing.
    let _ = if stderr_is_the_journal() {
        registry.with(JournalLayer).try_init()
    } else {
        let plain = fmt::layer()
            .with_writer(std::io::stderr)
            .with_ansi(false)
            .with_target(false);
        registry.with(plain).try_init()
    };
}

/// systemd names the device and inode of the stream it gave us; a redirected stderr has another.
fn stderr_is_the_journal() -> bool {
    let Ok(named) = std::env::var("JOURNAL_STREAM") else {
        return false;
    };
    std::fs::metadata("/proc/self/fd/2")
        .is_ok_and(|stderr| named == format!("{}:{}", stderr.dev(), stderr.ino()))
}

/// Sends every event to journald, its fields as `ALMANAC_<NAME>`.
struct JournalLayer;

impl<S: Subscriber> Layer<S> for JournalLayer {
    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        let meta = event.metadata();
        let mut fields = Fields::default();
        event.record(&mut fields);
        let mut entry = vec![
            format!("PRIORITY={}", priority(*meta.level())),
            format!("MESSAGE={}{}", fields.message, fields.summary),
            format!("SYSLOG_IDENTIFIER=almanac"),
            format!("TARGET={}", meta.target()),
        ];
        entry.append(&mut fields.named);
        let entry: Vec<&str> = entry.iter().map(String::as_str).collect();
        // There is nowhere left to complain to.
        let _ = systemd::journal::send(&entry);
    }
}

fn priority(level: Level) -> u8 {
    match level {
        Level::ERROR => 3,
        Level::WARN => 4,
        Level::INFO => 6,
        Level::DEBUG | Level::TRACE => 7,
    }
}

#[derive(Default)]
struct Fields {
    message: String,
    summary: String,
    named: Vec<String>,
}

impl Fields {
    fn put(&mut self, field: &Field, value: &str) {
        if field.name() == "message" {
            self.message.push_str(value);
        } else {
            // Strings cannot fail to grow.
            let _ = write!(self.summary, " {}={value}", field.name());
            self.named
                .push(format!("{}={value}", field_name(field.name())));
        }
    }
}

impl Visit for Fields {
    fn record_debug(&mut self, field: &Field, value: &dyn std::fmt::Debug) {
        self.put(field, &format!("{value:?}"));
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.put(field, value);
    }
}

/// journald takes upper-case letters, digits and underscores, and keeps a leading underscore for itself.
fn field_name(name: &str) -> String {
    let legal = |c: char| {
        if c.is_ascii_alphanumeric() {
            c.to_ascii_uppercase()
        } else {
            '_'
        }
    };
    format!("ALMANAC_{}", name.chars().map(legal).collect::<String>())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn field_names_are_what_journald_accepts() {
        assert_eq!(field_name("wait_s"), "ALMANAC_WAIT_S");
        assert_eq!(field_name("otel.name"), "ALMANAC_OTEL_NAME");
    }

    #[test]
    fn a_message_shows_its_fields_to_readers_and_keeps_them_for_machines() {
        struct Probe(std::sync::mpsc::Sender<(String, Vec<String>)>);
        impl<S: Subscriber> Layer<S> for Probe {
            fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
                let mut fields = Fields::default();
                event.record(&mut fields);
                let line = format!("{}{}", fields.message, fields.summary);
                let _ = self.0.send((line, fields.named));
            }
        }
        let (sender, seen) = std::sync::mpsc::channel();
        let subscriber = tracing_subscriber::registry().with(Probe(sender));
        tracing::subscriber::with_default(subscriber, || {
            tracing::info!(client = "h1", waiting = 3, "accepted");
        });
        let (line, named) = seen.recv().expect("one event");
        assert_eq!(line, "accepted client=h1 waiting=3");
        assert_eq!(named, ["ALMANAC_CLIENT=h1", "ALMANAC_WAITING=3"]);
    }
}
