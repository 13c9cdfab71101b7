//! Progress on stderr: a bar on a terminal, plain lines in a log.

use std::io::IsTerminal;
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressStyle};

use crate::control::Progress;

/// Plain lines come no more often than this.
const PACE: Duration = Duration::from_secs(2);

/// Shows how far a long request is.
#[derive(Debug)]
pub struct Meter {
    bar: Option<ProgressBar>,
    told: Option<Instant>,
}

impl Meter {
    /// A meter that shows nothing until something is known.
    pub fn new() -> Self {
        let bar = std::io::stderr().is_terminal().then(|| {
            let style = ProgressStyle::with_template("{bar:30} {pos}/{len} {elapsed} {wide_msg}");
            ProgressBar::new(0).with_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()))
        });
        Meter { bar, told: None }
    }

    /// Shows `progress`.
    pub fn show(&mut self, progress: &Progress) {
        if let Some(bar) = &self.bar {
            bar.set_length(progress.total);
            bar.set_position(progress.done);
            bar.set_message(progress.text.clone());
            return;
        }
        let is_last = progress.total > 0 && progress.done == progress.total;
        if is_last || self.told.is_none_or(|told| told.elapsed() >= PACE) {
            self.told = Some(Instant::now());
            eprintln!("{}/{} {}", progress.done, progress.total, progress.text);
        }
    }

    /// Takes the bar off the screen.
    pub fn finish(self) {
        if let Some(bar) = self.bar {
            bar.finish_and_clear();
        }
    }
}
