//! What to do for this corpus: retrieval, tuning, both; each sentence with the row that it rests on.

use serde::{Deserialize, Serialize};

use super::arms::Arm;
use super::results::{ArmResult, Comparison};

/// A gain below this, in share of key facts, is not worth work: the goal that the study was set.
const WORTH: f64 = 0.05;

/// What is advised.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// It pays.
    Yes,
    /// It does not, or it harms.
    No,
    /// The figures do not tell.
    Open,
    /// Its arms were not run.
    NotMeasured,
}

impl Verdict {
    fn words(self) -> &'static str {
        match self {
            Verdict::Yes => "pays",
            Verdict::No => "does not pay",
            Verdict::Open => "not told",
            Verdict::NotMeasured => "not measured",
        }
    }
}

/// One piece of advice.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Advice {
    /// What it is about.
    pub subject: String,
    /// What is advised.
    pub verdict: Verdict,
    /// The advice, in a sentence.
    pub sentence: String,
    /// The measured rows behind it.
    pub rests_on: Vec<String>,
}

/// Advice from the arms' figures and the differences between them; the last piece is the recommendation.
pub fn advise(arms: &[ArmResult], comparisons: &[Comparison]) -> Vec<Advice> {
    let view = View { arms, comparisons };
    let rag = view.gain(
        "Retrieval",
        (Arm::Base, Arm::BaseRag),
        "give the model the library",
    );
    let tuning = view.gain(
        "Tuning, closed book",
        (Arm::Base, Arm::Tuned),
        "tune the model instead of giving it a library",
    );
    let both = view.gain(
        "Tuning on top of retrieval",
        (Arm::BaseRag, Arm::TunedRag),
        "tune the model that reads the library",
    );
    let mut all = vec![rag, tuning, both];
    all.extend(view.guard());
    all.extend(view.price());
    let last = recommendation(all[0].verdict, all[1].verdict, all[2].verdict);
    all.push(last);
    all
}

struct View<'a> {
    arms: &'a [ArmResult],
    comparisons: &'a [Comparison],
}

impl View<'_> {
    fn arm(&self, arm: Arm) -> Option<&ArmResult> {
        self.arms.iter().find(|one| one.arm == arm)
    }

    fn value(&self, arm: Arm, key: &str) -> Option<f64> {
        Some(self.arm(arm)?.figures.get(key)?.value)
    }

    fn comparison(&self, (first, second): (Arm, Arm), key: &str) -> Option<&Comparison> {
        let is =
            |one: &&Comparison| one.first == first && one.second == second && one.measure == key;
        self.comparisons.iter().find(is)
    }

    fn gain(&self, subject: &str, pair: (Arm, Arm), doing: &str) -> Advice {
        let (first, second) = (pair.0.title(), pair.1.title());
        let Some(found) = self.comparison(pair, "key_fact_recall") else {
            return Advice {
                subject: subject.to_owned(),
                verdict: Verdict::NotMeasured,
                sentence: format!(
                    "Not measured: the arm \"{second}\" was not run{}.",
                    if pair.1.is_tuned() {
                        " (it needs an adapter)"
                    } else {
                        ""
                    }
                ),
                rests_on: Vec::new(),
            };
        };
        let verdict = match found {
            one if one.low > 0.0 && one.difference >= WORTH => Verdict::Yes,
            one if one.high < WORTH => Verdict::No,
            _ => Verdict::Open,
        };
        let sentence = match verdict {
            Verdict::Yes => format!("It pays to {doing}: {}.", points(found)),
            Verdict::No if found.high < 0.0 => format!("It harms to {doing}: {}.", points(found)),
            Verdict::No => format!(
                "It does not pay to {doing}: {}, which leaves no room for {:.0} points.",
                points(found),
                100.0 * WORTH
            ),
            _ => format!(
                "The figures do not tell whether it pays to {doing}: {}; ask more questions.",
                points(found)
            ),
        };
        let mut rests_on = vec![row(found)];
        rests_on.extend(self.comparison(pair, "fully_correct").map(row));
        rests_on.push(format!(
            "key facts right: {first} {}, {second} {}",
            share(self.value(pair.0, "key_fact_recall")),
            share(self.value(pair.1, "key_fact_recall"))
        ));
        Advice {
            subject: subject.to_owned(),
            verdict,
            sentence,
            rests_on,
        }
    }

    /// What the box's refusals and checks cost and bring.
    fn guard(&self) -> Option<Advice> {
        let pairs = [
            (Arm::TunedRag, Arm::TunedProduct),
            (Arm::BaseRag, Arm::BaseProduct),
        ];
        let pair = pairs
            .into_iter()
            .find(|pair| self.comparison(*pair, "key_fact_recall").is_some())?;
        let found = self.comparison(pair, "key_fact_recall")?;
        let strange = |arm: Arm| {
            self.arm(arm)
                .and_then(|arm| arm.ungrounded)
                .unwrap_or_default()
        };
        let (before, after) = (strange(pair.0), strange(pair.1));
        let refused = |key: &str| share(self.value(pair.1, key));
        let verdict = match after < before || found.low > 0.0 {
            true => Verdict::Yes,
            false => Verdict::Open,
        };
        Some(Advice {
            subject: "The guard and the refusals".into(),
            verdict,
            sentence: format!(
                "{} the guard on: ungrounded figures and names fall from {before} to {after}, {} of the \
                 unanswerable are refused, and {} of the answerable; key facts change by {}.",
                if verdict == Verdict::Yes {
                    "Keep"
                } else {
                    "The figures do not speak for or against"
                },
                refused("refusal_recall"),
                refused("refused_answerable"),
                points(found)
            ),
            rests_on: vec![
                row(found),
                format!(
                    "{}: ungrounded {before}; {}: ungrounded {after}",
                    pair.0.title(),
                    pair.1.title()
                ),
            ],
        })
    }

    /// What retrieval costs in tokens and time.
    fn price(&self) -> Option<Advice> {
        let tokens = |arm| self.value(arm, "tokens_in");
        let time = |arm| self.value(arm, "total_ms");
        let (closed, open) = (tokens(Arm::Base)?, tokens(Arm::BaseRag)?);
        let (fast, slow) = (time(Arm::Base)?, time(Arm::BaseRag)?);
        let mut sentence = format!(
            "With the library a question reads {open:.0} tokens instead of {closed:.0} and takes {slow:.0} ms \
             instead of {fast:.0} ms (medians)."
        );
        if let Some((tuned, out)) =
            tokens(Arm::TunedRag).zip(self.value(Arm::TunedRag, "tokens_out"))
        {
            let base = self.value(Arm::BaseRag, "tokens_out").unwrap_or_default();
            sentence.push_str(&format!(
                " Tuned it reads {tuned:.0} and writes {out:.0} instead of {base:.0}."
            ));
        }
        Some(Advice {
            subject: "The price".into(),
            verdict: Verdict::Open,
            sentence,
            rests_on: vec![
                "rows \"tokens in\", \"tokens out\", \"whole answer\" of the ledger".into(),
            ],
        })
    }
}

fn recommendation(rag: Verdict, tuning: Verdict, both: Verdict) -> Advice {
    let untried = |verdict| matches!(verdict, Verdict::NotMeasured | Verdict::Open);
    let (verdict, sentence) = match (rag, both) {
        (Verdict::Yes, Verdict::Yes) => (
            Verdict::Yes,
            "Use both: the library, and a model tuned to read it.",
        ),
        (Verdict::Yes, Verdict::No) => (
            Verdict::Yes,
            "Use the library with the model as published; tuning it adds nothing that was seen.",
        ),
        (Verdict::Yes, Verdict::NotMeasured) => (
            Verdict::Yes,
            "Use the library; whether tuning adds to it is not measured.",
        ),
        (Verdict::Yes, Verdict::Open) => (
            Verdict::Yes,
            "Use the library; whether tuning adds to it is not told by these questions.",
        ),
        (_, Verdict::Yes) => (
            Verdict::Yes,
            "Use the library with the tuned model: it is the tuned one that reads it well.",
        ),
        _ if tuning == Verdict::Yes => (
            Verdict::Yes,
            "Tune the model; the library adds nothing that was seen.",
        ),
        _ if untried(rag) || untried(tuning) => (
            Verdict::NotMeasured,
            "No recommendation: the arms that would carry one were not run, or do not tell.",
        ),
        _ => (
            Verdict::No,
            "Neither pays on this corpus: look at the retrieval table and the questions first.",
        ),
    };
    Advice {
        subject: "Recommendation".into(),
        verdict,
        sentence: sentence.into(),
        rests_on: vec![format!(
            "retrieval: {}; tuning, closed book: {}; tuning on top of retrieval: {}",
            rag.words(),
            tuning.words(),
            both.words()
        )],
    }
}

fn share(value: Option<f64>) -> String {
    value.map_or_else(
        || "not measured".into(),
        |value| format!("{:.1} %", 100.0 * value),
    )
}

fn points(found: &Comparison) -> String {
    format!(
        "{:+.1} points of key facts (95 % interval {:+.1} to {:+.1})",
        100.0 * found.difference,
        100.0 * found.low,
        100.0 * found.high
    )
}

fn row(found: &Comparison) -> String {
    let tested = found.mcnemar.map_or_else(String::new, |test| {
        format!(
            ", McNemar {} against {}, p = {:.2e}",
            test.only_first, test.only_second, test.p
        )
    });
    format!(
        "{} minus {}, {}: {:+.1} [{:+.1}, {:+.1}], p = {:.4}{tested}",
        found.second.title(),
        found.first.title(),
        found.measure,
        100.0 * found.difference,
        100.0 * found.low,
        100.0 * found.high,
        found.p
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn compared(pair: (Arm, Arm), difference: f64, half: f64) -> Comparison {
        Comparison {
            first: pair.0,
            second: pair.1,
            measure: "key_fact_recall".into(),
            difference,
            low: difference - half,
            high: difference + half,
            p: 0.01,
            mcnemar: None,
        }
    }

    fn last(comparisons: &[Comparison]) -> (Verdict, String) {
        let all = advise(&[], comparisons);
        let last = all.last().expect("a recommendation");
        (last.verdict, last.sentence.clone())
    }

    const RAG: (Arm, Arm) = (Arm::Base, Arm::BaseRag);
    const BOTH: (Arm, Arm) = (Arm::BaseRag, Arm::TunedRag);
    const TUNED: (Arm, Arm) = (Arm::Base, Arm::Tuned);

    #[test]
    fn without_tuned_arms_the_advice_says_so() {
        let all = advise(&[], &[compared(RAG, 0.4, 0.1)]);
        assert_eq!(all[0].verdict, Verdict::Yes);
        assert!(!all[0].rests_on.is_empty());
        assert_eq!(
            (all[1].verdict, all[2].verdict),
            (Verdict::NotMeasured, Verdict::NotMeasured)
        );
        assert!(
            all[2].sentence.contains("needs an adapter"),
            "{}",
            all[2].sentence
        );
        assert!(last(&[compared(RAG, 0.4, 0.1)]).1.contains("not measured"));
    }

    #[test]
    fn both_are_advised_only_when_each_gain_is_sure() {
        let sure = [
            compared(RAG, 0.4, 0.1),
            compared(TUNED, 0.0, 0.02),
            compared(BOTH, 0.1, 0.05),
        ];
        assert!(last(&sure).1.contains("Use both"));
        let unsure = [compared(RAG, 0.4, 0.1), compared(BOTH, 0.1, 0.2)];
        assert!(last(&unsure).1.contains("not told"));
        let none = [compared(RAG, 0.4, 0.1), compared(BOTH, 0.0, 0.02)];
        assert!(last(&none).1.contains("as published"));
    }

    #[test]
    fn nothing_measured_gives_no_recommendation_and_harm_is_called_harm() {
        assert_eq!(last(&[]).0, Verdict::NotMeasured);
        let all = advise(&[], &[compared(RAG, -0.3, 0.1)]);
        assert!(
            all[0].sentence.starts_with("It harms"),
            "{}",
            all[0].sentence
        );
        let worthless = [compared(RAG, 0.0, 0.01), compared(TUNED, 0.0, 0.01)];
        assert_eq!(last(&worthless).0, Verdict::No);
    }
}
