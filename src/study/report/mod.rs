//! Results as a table for a terminal, as Markdown and as one HTML page with charts.

mod charts;
mod html;
mod markdown;

pub use html::html;
pub use markdown::markdown;

use std::fmt;

use super::measures::{MEASURES, Measure};
use super::results::{ArmResult, Figured, Results};

impl fmt::Display for Results {
    /// A plain table, one column an arm; intervals stand in the report.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (questions, answerable) = self.sizes();
        writeln!(
            f,
            "{questions} questions ({answerable} answerable), part {}, {}",
            self.run.split, self.run.decoder
        )?;
        let width = 24;
        write!(f, "{:<46}", "")?;
        for arm in &self.arms {
            write!(f, "{:>width$}", arm.title)?;
        }
        writeln!(f)?;
        for measure in shown(self) {
            write!(f, "{:<46}", measure.title)?;
            for arm in &self.arms {
                write!(f, "{:>width$}", cell(measure, arm))?;
            }
            writeln!(f)?;
        }
        for advice in &self.advice {
            writeln!(f, "{}: {}", advice.subject, advice.sentence)?;
        }
        Ok(())
    }
}

/// The measures that some arm has.
fn shown(results: &Results) -> impl Iterator<Item = &'static Measure> {
    MEASURES.iter().filter(|measure| {
        results
            .arms
            .iter()
            .any(|arm| arm.figures.contains_key(measure.key))
    })
}

fn cell(measure: &Measure, arm: &ArmResult) -> String {
    arm.figures
        .get(measure.key)
        .map_or_else(|| "-".into(), |figured| with_interval(measure, figured))
}

fn with_interval(measure: &Measure, figured: &Figured) -> String {
    let show = |value| measure.unit.show(value);
    let (low, high) = (show(figured.low), show(figured.high));
    // The unit stands once.
    let bare = |text: &str| text.split(' ').next().unwrap_or_default().to_owned();
    format!("{} [{}, {}]", show(figured.value), bare(&low), bare(&high))
}

#[cfg(test)]
mod tests {
    use super::super::results::tests::sample;
    use super::*;

    #[test]
    fn a_report_says_what_was_measured_and_what_was_not() {
        let results = sample();
        let text = markdown(&results);
        for part in [
            "base + RAG, guarded",
            "| key facts right (recall) |",
            "No judge was used",
            "Energy: this machine reports none",
            "McNemar",
            "not measured",
            "make study",
        ] {
            assert!(text.contains(part), "{part} in\n{text}");
        }
        assert!(results.to_string().contains("key facts right (recall)"));
    }

    #[test]
    fn the_page_is_one_file_with_its_charts() {
        let page = html(&sample());
        assert!(page.starts_with("<!doctype html>"));
        assert!(page.matches("<svg").count() >= 4, "charts are missing");
        for outside in ["<script", "http://", "<link", "<img"] {
            let found = page
                .replace("http://www.w3.org/2000/svg", "")
                .contains(outside);
            assert!(!found, "{outside} leads out of the page");
        }
    }

    #[test]
    fn names_from_outside_cannot_break_the_page() {
        let mut results = sample();
        results.run.decoder = "<b>|bold".into();
        assert!(!html(&results).contains("<b>|bold"));
    }
}
