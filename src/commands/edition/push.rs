//! `almanac edition push`: what is asked for, which boxes are meant, and the end.

use std::collections::BTreeMap;
use std::hash::{BuildHasher, Hasher};
use std::path::PathBuf;
use std::time::{Duration, Instant};

use anyhow::Context as _;
use tokio::sync::mpsc::Receiver;

use super::super::Context;
use super::board::{Board, report};
use super::pusher::{Parcel, Pusher};
use crate::control::{Fault, FaultCode};
use crate::edition::push::{Bound, Envelope, Rollout, Stage};
use crate::edition::{Blobs, Manifest, build as builder};
use crate::field::{BoxState, Name, Operator, OperatorEvent, OperatorOptions};

/// How long the first connection may take.
const CONNECT_WITHIN: Duration = Duration::from_secs(60);
/// How long the broker may take to hand out the statuses that it keeps.
const DISCOVER_WITHIN: Duration = Duration::from_secs(2);

/// Arguments of `almanac edition push`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The edition's folder, signed
    folder: PathBuf,
    /// The broker [default: that of the configuration]
    #[arg(long, value_name = "HOST[:PORT]")]
    broker: Option<String>,
    /// The site whose boxes are meant [default: that of the configuration]
    #[arg(long)]
    site: Option<String>,
    /// User at the broker
    #[arg(long)]
    user: Option<String>,
    /// File with the user's password
    #[arg(long, value_name = "FILE", requires = "user")]
    password_file: Option<PathBuf>,
    /// These boxes [default: all whose status the broker keeps and that are connected]
    #[arg(long, value_delimiter = ',', value_name = "NAME,...")]
    boxes: Vec<String>,
    /// First only so many of the boxes, for example 10%
    #[arg(long, value_name = "SHARE")]
    canary: Option<Stage>,
    /// Then so many of them; may be given several times
    #[arg(long, value_name = "SHARE", requires = "canary")]
    then: Vec<Stage>,
    /// Halt the rollout once so many boxes have failed
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..))]
    stop_on_failure: u32,
    /// A box that is silent for so many seconds has failed
    #[arg(long, value_name = "SECONDS", default_value_t = 1800, value_parser = clap::value_parser!(u64).range(1..))]
    timeout: u64,
    /// Boxes that are served at a time
    #[arg(long, value_name = "N", default_value_t = 20, value_parser = clap::value_parser!(u32).range(1..=500))]
    at_once: u32,
}

/// Pushes an edition; fails unless it is current on every box of the rollout.
pub fn run(context: &Context, args: &Args) -> anyhow::Result<()> {
    let parcel = args.parcel()?;
    let options = args.options(context)?;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()
        .context("cannot start the runtime")?;
    let pusher = runtime.block_on(args.push(parcel, options))?;
    report(context.output, &pusher)?;
    let rollout = pusher.rollout();
    let courses = rollout.courses().values();
    let ends = courses.filter_map(|course| course.end.as_ref());
    let failed = ends.filter(|(end, _)| end.is_failure()).count();
    if let Some(why) = rollout.halted() {
        return Err(Fault::new(FaultCode::Failed, format!("halted: {why}"))
            .hint("every box answers on the edition that the table says, or on the one that it had")
            .into());
    }
    match failed {
        0 => Ok(()),
        failed => Err(Fault::new(
            FaultCode::Failed,
            format!("{failed} of {} boxes failed", rollout.courses().len()),
        )
        .hint("those boxes answer on the edition that they had; the table says why")
        .into()),
    }
}

impl Args {
    /// Reads the edition, every content of it.
    fn parcel(&self) -> anyhow::Result<Parcel> {
        let offer = builder::read_offer(&self.folder)?;
        let wrong = |reason: String| {
            Fault::new(
                FaultCode::Invalid,
                format!("{}: {reason}", self.folder.display()),
            )
        };
        if offer.signature.is_empty() {
            return Err(wrong("it is not signed".into())
                .hint("`almanac edition sign` signs it; boxes take no other")
                .into());
        }
        let manifest = Manifest::parse(&offer.manifest).map_err(wrong)?;
        manifest.check_complete().map_err(wrong)?;
        let blobs = Blobs::new(&builder::contents_of(&self.folder));
        for (content, length) in manifest.contents() {
            blobs.verify(&content, length)?;
        }
        let seed = std::hash::RandomState::new().build_hasher().finish();
        let push = format!("{seed:016x}");
        let envelope = Envelope {
            offer,
            push: push.clone(),
        };
        let payload = envelope.encode().map_err(|lie| {
            wrong(lie.to_string())
                .hint("a larger edition comes on a stick: `almanac edition install`")
        })?;
        Ok(Parcel {
            manifest,
            payload,
            push,
            blobs,
        })
    }

    fn options(&self, context: &Context) -> anyhow::Result<OperatorOptions> {
        let config = context.config.mqtt.as_ref();
        let (host, port) = match (&self.broker, config) {
            (Some(text), _) => address(text)?,
            (None, Some(config)) => (config.host.clone(), config.port),
            (None, None) => {
                return Err(Fault::new(FaultCode::Invalid, "no broker is named")
                    .hint("--broker HOST:PORT")
                    .into());
            }
        };
        let own = config.filter(|_| self.broker.is_none());
        Ok(OperatorOptions {
            host,
            port,
            user: self.user.clone().or_else(|| own?.user.clone()),
            password_file: match &self.user {
                Some(_) => self.password_file.clone(),
                None => own.and_then(|own| own.password_file.clone()),
            },
            site: self.site.clone().unwrap_or(context.config.site.clone()),
        })
    }

    async fn push(&self, parcel: Parcel, options: OperatorOptions) -> anyhow::Result<Pusher> {
        let site = options.site.clone();
        let (operator, mut events) = Operator::start(options)?;
        connected(&mut events).await?;
        let names = match self.boxes.is_empty() {
            true => found(&mut events, &site).await?,
            false => self.named()?,
        };
        let stages: Vec<Vec<String>> = match self.canary {
            None => vec![names],
            Some(canary) => {
                let shares = std::iter::once(&canary).chain(&self.then);
                shares.map(|share| share.of(&names)).collect()
            }
        };
        let bound = Bound {
            serial: parcel.manifest.serial,
            push: parcel.push.clone(),
            failures: self.stop_on_failure as usize,
            silence: Duration::from_secs(self.timeout),
            at_once: self.at_once as usize,
        };
        let rollout = Rollout::new(bound, &stages);
        let mut pusher = Pusher::new(parcel, rollout, Board::new());
        pusher.run(operator, &mut events).await?;
        Ok(pusher)
    }

    fn named(&self) -> anyhow::Result<Vec<String>> {
        for name in &self.boxes {
            if Name::new(name).is_none() {
                let text = format!("{name:?} is no box: write 1 to 64 letters, digits, `_` or `-`");
                return Err(Fault::new(FaultCode::Invalid, text).into());
            }
        }
        Ok(self.boxes.clone())
    }
}

/// `host`, `host:port`, `[address]:port`.
fn address(text: &str) -> anyhow::Result<(String, u16)> {
    let wrong = || {
        let text = format!("{text:?} is no broker; expected HOST or HOST:PORT");
        anyhow::Error::new(Fault::new(FaultCode::Invalid, text))
    };
    let (host, port) = match text.rsplit_once(':') {
        Some((host, port)) if !host.contains(':') || host.ends_with(']') => {
            (host, port.parse().map_err(|_| wrong())?)
        }
        _ => (text, 1883),
    };
    let host = host.trim_start_matches('[').trim_end_matches(']');
    match host.is_empty() {
        true => Err(wrong()),
        false => Ok((host.to_owned(), port)),
    }
}

async fn connected(events: &mut Receiver<OperatorEvent>) -> anyhow::Result<()> {
    let end = Instant::now() + CONNECT_WITHIN;
    let mut last = "no answer".to_owned();
    loop {
        match tokio::time::timeout_at(end.into(), events.recv()).await {
            Ok(Some(OperatorEvent::Up)) => return Ok(()),
            Ok(Some(OperatorEvent::Down { why })) => {
                if why != last {
                    eprintln!("no connection to the broker: {why}");
                }
                last = why;
            }
            Ok(Some(_)) => {}
            Ok(None) | Err(_) => {
                let text = format!("no connection to the broker: {last}");
                return Err(Fault::new(FaultCode::Failed, text)
                    .hint("check --broker, --user and --password-file")
                    .into());
            }
        }
    }
}

/// The connected boxes of the site, by name.
async fn found(events: &mut Receiver<OperatorEvent>, site: &str) -> anyhow::Result<Vec<String>> {
    let end = Instant::now() + DISCOVER_WITHIN;
    let mut boxes = BTreeMap::new();
    while let Ok(Some(event)) = tokio::time::timeout_at(end.into(), events.recv()).await {
        if let OperatorEvent::Status { box_name, status } = event {
            let is_there = status.is_some_and(|status| status.state != BoxState::Gone);
            boxes.insert(box_name, is_there);
        }
    }
    let gone: Vec<&str> = boxes
        .iter()
        .filter_map(|(name, is_there)| (!is_there).then_some(name.as_str()))
        .collect();
    if !gone.is_empty() {
        eprintln!("not connected, left out: {}", gone.join(", "));
    }
    let there = boxes.iter().filter(|(_, is_there)| **is_there);
    let names: Vec<String> = there.map(|(name, _)| name.clone()).collect();
    if names.is_empty() {
        let text = format!("no box of the site {site:?} is connected to the broker");
        return Err(Fault::new(FaultCode::Missing, text)
            .hint("--boxes names boxes that come later")
            .into());
    }
    Ok(names)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_broker_is_a_host_with_or_without_a_port() {
        for (text, host, port) in [
            ("farm.example", "farm.example", 1883),
            ("10.0.0.1:1884", "10.0.0.1", 1884),
            ("[::1]:1885", "::1", 1885),
            ("[::1]", "::1", 1883),
        ] {
            let found = address(text).expect(text);
            assert_eq!(found, (host.to_owned(), port));
        }
        for wrong in ["", ":1883", "host:port", "host:70000"] {
            assert!(address(wrong).is_err(), "{wrong}");
        }
    }
}
