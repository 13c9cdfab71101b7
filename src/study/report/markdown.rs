//! The report as Markdown.

use super::super::measures::measure;
use super::super::questions::Kind;
use super::super::results::{Comparison, Figured, Results};
use super::super::score::{LONGEST_RATIO, LONGEST_WORDS};
use super::{cell, shown};

/// `results` as a Markdown page.
pub fn markdown(results: &Results) -> String {
    let mut out = String::from("# The study\n\n");
    out.push_str(&made_of(results));
    out.push_str("\n## What to do\n\n");
    for advice in &results.advice {
        out.push_str(&format!("**{}.** {}\n\n", advice.subject, advice.sentence));
        for row in &advice.rests_on {
            out.push_str(&format!("- {row}\n"));
        }
        out.push('\n');
    }
    out.push_str("## The arms\n\nFigures with their 95 % interval.\n\n");
    out.push_str(&arms(results));
    out.push_str("\n## Differences between arms\n\n");
    out.push_str(&differences(results));
    out.push_str("\n## The same question, another place\n\n");
    out.push_str(&twins(results));
    out.push_str("\n## Retrieval\n\n");
    out.push_str(&retrieval(results));
    out.push_str("\n## Judge\n\n");
    out.push_str(&judge(results));
    out.push_str("\n## What the figures mean\n\n");
    out.push_str(&definitions(results));
    out
}

/// What was measured: lines of a list.
fn made_of(results: &Results) -> String {
    let run = &results.run;
    let (questions, answerable) = results.sizes();
    let kinds: Vec<String> = results
        .questions
        .iter()
        .filter(|(kind, _)| **kind != Kind::Answerable)
        .map(|(kind, count)| format!("{count} {}", kind.name().replace('_', " ")))
        .collect();
    let adapter = run.adapter.as_ref().map_or_else(
        || "none: the tuned arms are not measured".to_owned(),
        |adapter| format!("{} (sha256 `{}`)", adapter.name, adapter.sha256),
    );
    let left_out = match results.left_out {
        0 => String::new(),
        count => format!("; {count} more were not asked of every arm and are left out"),
    };
    let energy = match results.energy_reported {
        true => "of the processor packages, as the kernel reports it",
        false => "this machine reports none",
    };
    format!(
        "- Questions: {questions}, {answerable} of them answerable, {}; part `{}` of the set{left_out}\n\
         - SHA-256: set `{}`, test part `{}`, documents `{}`\n\
         - Decoder: `{}`; embedder `{}`; adapter: {adapter}\n\
         - Settings: {}; version {}\n\
         - Machine: {}. Energy: {energy}.\n\
         - Command: `{}` (`make study` runs the sample farm's)\n",
        kinds.join(", "),
        run.split,
        run.set_sha256,
        results.test_sha256,
        run.documents_sha256,
        run.decoder,
        run.embedder,
        run.settings,
        run.version,
        results.machine,
        results.command,
    )
}

/// One line a measure, one column an arm.
fn arms(results: &Results) -> String {
    let titles: Vec<&str> = results.arms.iter().map(|arm| arm.title.as_str()).collect();
    let mut out = head("", &titles);
    for measure in shown(results) {
        let cells: Vec<String> = results.arms.iter().map(|arm| cell(measure, arm)).collect();
        out.push_str(&line(measure.title.trim(), &cells));
    }
    let of = |name: &str, value: &dyn Fn(&super::ArmResult) -> String| {
        line(name, &results.arms.iter().map(value).collect::<Vec<_>>())
    };
    out.push_str(&of("ungrounded figures, dates, names in all", &|arm| {
        arm.ungrounded
            .map_or_else(|| "-".into(), |count| count.to_string())
    }));
    out.push_str(&of("peak memory of the process", &|arm| {
        arm.peak_bytes
            .map_or_else(|| "-".into(), |bytes| format!("{} MiB", bytes >> 20))
    }));
    out.push_str(&of("questions, failures", &|arm| {
        format!("{}, {}", arm.asked, arm.failed)
    }));
    out
}

fn differences(results: &Results) -> String {
    let mut out = head(
        "second minus first",
        &[
            "measure",
            "difference, points",
            "95 % interval",
            "p, bootstrap",
            "McNemar (only first, only second, p)",
        ],
    );
    for found in &results.comparisons {
        let Comparison {
            first,
            second,
            difference,
            low,
            high,
            p,
            ..
        } = found;
        let title = measure(&found.measure).map_or(found.measure.as_str(), |measure| measure.title);
        let tested = found.mcnemar.map_or_else(
            || "-".to_owned(),
            |test| format!("{}, {}, {:.2e}", test.only_first, test.only_second, test.p),
        );
        let cells = [
            title.trim().to_owned(),
            format!("{:+.1}", 100.0 * difference),
            format!("{:+.1} to {:+.1}", 100.0 * low, 100.0 * high),
            format!("{p:.4}"),
            tested,
        ];
        out.push_str(&line(
            &format!("{} - {}", second.title(), first.title()),
            &cells,
        ));
    }
    out
}

fn twins(results: &Results) -> String {
    let mut out = String::from(
        "One question, word for word, asked for several places. Twins are two places whose key facts differ.\n\n",
    );
    out.push_str(&head(
        "arm",
        &[
            "questions",
            "twins",
            "both answered",
            "answers differ",
            "alike word for word but for the place",
            "both fully right",
        ],
    ));
    let share = |part: usize, of: usize| match of {
        0 => "-".to_owned(),
        of => format!("{part}/{of} ({:.0} %)", 100.0 * part as f64 / of as f64),
    };
    for arm in &results.arms {
        let twins = &arm.twins;
        let cells = [
            twins.groups.to_string(),
            twins.twins.to_string(),
            share(twins.answered, twins.twins),
            share(twins.differ, twins.answered),
            share(twins.alike_word_for_word, twins.answered),
            share(twins.both_right, twins.twins),
        ];
        out.push_str(&line(&arm.title, &cells));
    }
    out.push_str(
        "\nSimilarity to the reference by place, twins only: similar / somewhat / not.\n\n",
    );
    let places: std::collections::BTreeSet<&String> = results
        .arms
        .iter()
        .flat_map(|arm| arm.twins.bands_by_place.keys())
        .collect();
    let titles: Vec<&str> = results.arms.iter().map(|arm| arm.title.as_str()).collect();
    out.push_str(&head("place", &titles));
    for place in places {
        let cells: Vec<String> = results
            .arms
            .iter()
            .map(|arm| {
                let bands = arm
                    .twins
                    .bands_by_place
                    .get(place)
                    .copied()
                    .unwrap_or_default();
                let all = (bands.similar + bands.somewhat + bands.not).max(1) as f64;
                let share = |count: usize| format!("{:.0} %", 100.0 * count as f64 / all);
                format!(
                    "{} / {} / {}",
                    share(bands.similar),
                    share(bands.somewhat),
                    share(bands.not)
                )
            })
            .collect();
        out.push_str(&line(place, &cells));
    }
    out
}

fn retrieval(results: &Results) -> String {
    let Some(found) = &results.retrieval else {
        return "Not measured in this run.\n".into();
    };
    let mut out = format!(
        "The gold section among the first k passages; {} questions, {} documents, {} passages.\n\n",
        found.questions, found.documents, found.passages
    );
    out.push_str(&head(
        "k",
        &[
            "with place and crop of the asker",
            "without, as in the paper",
        ],
    ));
    for at in &found.at {
        let show = |value: f64, low: f64, high: f64| {
            format!(
                "{:.1} % [{:.1}, {:.1}]",
                100.0 * value,
                100.0 * low,
                100.0 * high
            )
        };
        let cells = [
            show(at.filtered, at.filtered_low, at.filtered_high),
            show(at.unfiltered, at.unfiltered_low, at.unfiltered_high),
        ];
        out.push_str(&line(&at.k.to_string(), &cells));
    }
    out
}

fn judge(results: &Results) -> String {
    let Some(judge) = &results.judge else {
        return "No judge was used: every figure above comes from key facts and rules. `--judge URL --judge-model \
                NAME` adds guideline accuracy, correctness and succinctness.\n"
            .into();
    };
    let ledger = judge.ledger;
    let mut out = format!(
        "{} judged each answer to an answerable question {} times, by a guideline of its own from the reference. \
         {} requests ({} of them repeated attempts, {} given up), {} tokens in, {} out.\n\n",
        plain(&judge.model),
        judge.repeats,
        ledger.calls,
        ledger.retries,
        ledger.failures,
        ledger.tokens_in,
        ledger.tokens_out
    );
    out.push_str(&head(
        "arm",
        &[
            "accuracy",
            "between repeats",
            "correct",
            "partly",
            "incorrect",
            "succinctness, 1 to 5",
            "judged, unjudged",
        ],
    ));
    let share = |figure: Option<Figured>| {
        figure.map_or_else(
            || "-".to_owned(),
            |one| {
                format!(
                    "{:.1} % [{:.1}, {:.1}]",
                    100.0 * one.value,
                    100.0 * one.low,
                    100.0 * one.high
                )
            },
        )
    };
    for (arm, judged) in &judge.arms {
        let succinct = judged.succinctness.map_or_else(
            || "-".to_owned(),
            |one| format!("{:.2} [{:.2}, {:.2}]", one.value, one.low, one.high),
        );
        let cells = [
            share(judged.accuracy),
            format!("±{:.1} %", 100.0 * judged.accuracy_between_repeats),
            share(judged.correct),
            share(judged.partly),
            share(judged.incorrect),
            succinct,
            format!("{}, {}", judged.judged, judged.unjudged),
        ];
        out.push_str(&line(arm.title(), &cells));
    }
    out
}

fn definitions(results: &Results) -> String {
    let [similar, somewhat] = results.bands;
    let [draws, seed] = results.bootstrap;
    format!(
        "- **Arms.** *base* and *tuned* answer closed book: they are asked for one short sentence and told place, crop \
           and readings. *+ RAG* writes from the passages that the box finds; nothing is refused or checked: this is \
           the model. *guarded* is the product: refusal, guard, quotation.\n\
         - **Key facts right.** Share of a question's key facts that the answer holds (all numbers with their unit or \
           an exact conversion; one of the strings), mean over answerable questions. A refusal holds none.\n\
         - **Precision.** Of all figures that the answers state, those that belong to a key fact or stand in the gold \
           section with the same unit (or converted). Figures that repeat the question or a reading are not counted.\n\
         - **Fully correct.** All key facts, nothing that contradicts one, a reading used rightly, and not buried: an \
           answer of more than {LONGEST_WORDS} words and {LONGEST_RATIO} references is at most partly correct. \
           **Partly:** at least one key fact. **Not:** none.\n\
         - **Contradicts.** For a key fact that it lacks, the answer gives another value of the same kind of quantity \
           (or another month).\n\
         - **Token F1.** As in SQuAD, words without articles and punctuation.\n\
         - **Similar.** Cosine of answer and reference by the box's embedder: similar from {similar}, somewhat from \
           {somewhat}. It says little of numbers: that is what key facts are for.\n\
         - **Readings used rightly.** The reading's value and its limit are stated, and the verdict is right in a \
           sentence that speaks of the reading.\n\
         - **Ungrounded.** Figures with units, dates and names that stand in no cited passage, reading or question, \
           by a checker that shares no code with the guard.\n\
         - **Refused.** The box refused, or the model's first sentence says that it does not know and gives no figure.\n\
         - **Intervals.** 95 % percentile bootstrap over questions, {draws} draws, seed {seed}; differences are drawn in \
           pairs. Ten questions of one document are not ten independent ones: read the intervals as the least there is.\n\
         - **Time.** Medians on this machine, one question at a time.\n"
    )
}

fn head(first: &str, rest: &[&str]) -> String {
    let cells: Vec<String> = rest.iter().map(|cell| (*cell).to_owned()).collect();
    let rule = "|---".repeat(rest.len() + 1);
    format!("{}{rule}|\n", line(first, &cells))
}

fn line(first: &str, rest: &[String]) -> String {
    let cells: Vec<String> = rest.iter().map(|cell| plain(cell)).collect();
    format!("| {} | {} |\n", plain(first), cells.join(" | "))
}

/// Text that does not break a table.
fn plain(text: &str) -> String {
    text.replace('|', "\\|").replace('\n', " ")
}
