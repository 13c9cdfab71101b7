//! How a push is shown: bars on a terminal, lines elsewhere, and a table at the end.

use std::collections::BTreeMap;
use std::io::IsTerminal;
use std::time::{Duration, Instant};

use indicatif::{MultiProgress, ProgressBar, ProgressStyle};
use serde_json::json;

use super::super::Output;
use super::pusher::Pusher;
use crate::edition::push::{Course, Rollout};

/// Lines about bytes alone come no more often than this, for each box.
const PACE: Duration = Duration::from_secs(10);

/// Shows each box on stderr.
pub struct Board {
    bars: Option<MultiProgress>,
    boxes: BTreeMap<String, Shown>,
}

#[derive(Default)]
struct Shown {
    bar: Option<ProgressBar>,
    said: String,
    at: Option<Instant>,
}

impl Board {
    /// A board that shows nothing yet.
    pub fn new() -> Board {
        let bars = std::io::stderr().is_terminal().then(MultiProgress::new);
        Board {
            bars,
            boxes: BTreeMap::new(),
        }
    }

    /// Shows what is new.
    pub fn draw(&mut self, rollout: &Rollout) {
        for (name, course) in rollout.courses() {
            if course.began.is_none() {
                continue;
            }
            let shown = self.boxes.entry(name.clone()).or_default();
            let said = phase_of(course);
            match &self.bars {
                Some(bars) => draw_bar(bars, shown, name, course),
                None => {
                    let is_paced = shown.at.is_some_and(|at| at.elapsed() < PACE);
                    let is_moving = course.end.is_none() && course.bytes < course.total;
                    if said != shown.said || (is_moving && !is_paced) {
                        eprintln!("{name}: {said}{}", bytes_of(course));
                        shown.at = Some(Instant::now());
                    }
                }
            }
            shown.said = said;
        }
    }

    /// Says something beside the boxes.
    pub fn line(&self, text: &str) {
        match &self.bars {
            Some(bars) => drop(bars.println(text)),
            None => eprintln!("{text}"),
        }
    }

    /// Shows the last, and takes the bars off the screen.
    pub fn finish(&mut self, rollout: &Rollout) {
        self.draw(rollout);
        if let Some(bars) = &self.bars {
            let _ = bars.clear();
        }
    }
}

fn draw_bar(bars: &MultiProgress, shown: &mut Shown, name: &str, course: &Course) {
    let bar = shown.bar.get_or_insert_with(|| {
        let style =
            ProgressStyle::with_template("{prefix:16} {bar:30} {bytes}/{total_bytes} {wide_msg}");
        let style = style.unwrap_or_else(|_| ProgressStyle::default_bar());
        let bar = bars.add(ProgressBar::new(0).with_style(style));
        bar.set_prefix(name.to_owned());
        bar
    });
    bar.set_length(course.total);
    bar.set_position(course.bytes);
    bar.set_message(phase_of(course));
    if course.end.is_some() && !bar.is_finished() {
        bar.finish_and_clear();
        let _ = bars.println(format!("{name}: {}", phase_of(course)));
    }
}

fn phase_of(course: &Course) -> String {
    match (&course.end, course.phase) {
        (Some((end, why)), _) if why.is_empty() => end.to_string(),
        (Some((end, why)), _) => format!("{end}: {why}"),
        (None, Some(phase)) => phase.to_string(),
        (None, None) => "offered, no answer yet".into(),
    }
}

fn bytes_of(course: &Course) -> String {
    match course.total {
        0 => String::new(),
        total => format!(", {} of {} KiB", course.bytes >> 10, total >> 10),
    }
}

fn seconds_of(course: &Course) -> f64 {
    let (Some(began), Some(ended)) = (course.began, course.ended) else {
        return 0.0;
    };
    (ended.saturating_duration_since(began).as_secs_f64() * 10.0).round() / 10.0
}

/// Prints how every box ended.
///
/// # Errors
/// The reader closed the pipe.
pub fn report(out: Output, pusher: &Pusher) -> std::io::Result<()> {
    let rollout = pusher.rollout();
    if !out.is_json() {
        out.line("box              end          fetched KiB     sent KiB  resumed KiB  seconds")?;
    }
    for (name, course) in rollout.courses() {
        let (end, why) = match &course.end {
            Some((end, why)) => (end.to_string(), why.as_str()),
            None => ("waiting".to_owned(), ""),
        };
        let sent = pusher.sent().get(name).copied().unwrap_or(0);
        let (bytes, resumed, seconds) = (course.bytes, course.resumed, seconds_of(course));
        if out.is_json() {
            out.json(&json!({
                "box": name, "end": end, "why": why, "bytes": bytes, "total": course.total,
                "sent": sent, "resumed": resumed, "seconds": seconds
            }))?;
            continue;
        }
        out.line(&format!(
            "{name:16} {end:12} {:>11} {:>12} {:>12} {seconds:>8.1}",
            bytes >> 10,
            sent >> 10,
            resumed >> 10
        ))?;
        if !why.is_empty() {
            out.line(&format!("    {why}"))?;
        }
    }
    let sent: u64 = pusher.sent().values().sum();
    let seconds = (pusher.elapsed().as_secs_f64() * 10.0).round() / 10.0;
    match out.is_json() {
        true => out.json(&json!({
            "serial": pusher.serial(), "push": pusher.push(), "boxes": rollout.courses().len(),
            "halted": rollout.halted(), "sent": sent, "seconds": seconds
        })),
        false => out.line(&format!(
            "edition {}: {} boxes, {} KiB sent in {seconds} s",
            pusher.serial(),
            rollout.courses().len(),
            sent >> 10
        )),
    }
}
