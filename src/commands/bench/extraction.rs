//! How well PDFs are read: words, headings, tables and pages against the publisher's JATS XML.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Instant;

use anyhow::{Context as _, ensure};
use serde::Serialize;

use crate::commands::output::Output;
use crate::documents::extraction::{Extraction, Score, Truth, measure, measure_plain};
use crate::documents::pdf::read_pdf;

/// Arguments of `almanac bench extraction`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Folder of pairs: NAME.pdf beside NAME.jats.xml
    #[arg(long, value_name = "FOLDER")]
    pairs: PathBuf,
}

/// One pair's figures.
#[derive(Debug, Serialize)]
struct Row {
    document: String,
    #[serde(flatten)]
    found: Extraction,
    headings_f1: f64,
    /// Time to read the PDF, in milliseconds.
    read_ms: f64,
    /// `pdftotext` on the same file, where it is installed.
    pdftotext: Option<Score>,
}

/// Measures and prints; blocking, for seconds.
pub fn run(output: Output, args: &Args) -> anyhow::Result<()> {
    let pairs = pairs(&args.pairs)?;
    if !output.is_json() {
        output.line(&header())?;
    }
    let mut rows = Vec::new();
    for pdf in &pairs {
        let row = row(pdf)?;
        match output.is_json() {
            true => output.json(&row)?,
            false => output.line(&line(&row))?,
        }
        rows.push(row);
    }
    if !output.is_json() {
        output.line(&mean(&rows))?;
    }
    Ok(())
}

/// The PDFs of `folder` that have their XML beside them, by name.
fn pairs(folder: &Path) -> anyhow::Result<Vec<PathBuf>> {
    let entries = fs::read_dir(folder)
        .with_context(|| format!("{}: cannot list the pairs", folder.display()))?;
    let mut pairs: Vec<PathBuf> = entries
        .filter_map(|entry| Some(entry.ok()?.path()))
        .filter(|path| path.extension().is_some_and(|extension| extension == "pdf"))
        .filter(|path| path.with_extension("jats.xml").is_file())
        .collect();
    ensure!(
        !pairs.is_empty(),
        "{}: no pairs\nhint: put NAME.pdf and NAME.jats.xml side by side",
        folder.display()
    );
    pairs.sort();
    Ok(pairs)
}

fn row(pdf: &Path) -> anyhow::Result<Row> {
    let xml = pdf.with_extension("jats.xml");
    let text = fs::read_to_string(&xml)
        .with_context(|| format!("{}: cannot read the truth", xml.display()))?;
    let truth = Truth::of_jats(&text).with_context(|| xml.display().to_string())?;
    let bytes = fs::read(pdf).with_context(|| format!("{}: cannot read", pdf.display()))?;
    let start = Instant::now();
    let content = read_pdf(&bytes).with_context(|| pdf.display().to_string())?;
    let read_ms = start.elapsed().as_secs_f64() * 1_000.0;
    let plain = pdftotext(pdf);
    let pages: Vec<String> = plain
        .iter()
        .flat_map(|text| text.split('\u{c}').map(str::to_owned))
        .collect();
    let found = measure(&content.sections, &truth, &pages);
    let name = pdf.file_stem().unwrap_or_default();
    Ok(Row {
        document: name.to_string_lossy().into_owned(),
        headings_f1: found.headings.f1(),
        found,
        read_ms,
        pdftotext: plain.map(|text| measure_plain(&text, &truth)),
    })
}

/// What Poppler's converter makes of the file; `None` where it is not installed.
fn pdftotext(pdf: &Path) -> Option<String> {
    let output = Command::new("pdftotext").arg(pdf).arg("-").output().ok()?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    output.status.success().then_some(text)
}

fn header() -> String {
    format!(
        "{:16} {:>6} {:>6} {:>8} {:>7} {:>6} {:>9} {:>7}   {}",
        "document",
        "recall",
        "prec.",
        "heads F1",
        "tables",
        "cells",
        "pages",
        "ms",
        "pdftotext: recall, prec."
    )
}

fn line(row: &Row) -> String {
    let found = &row.found;
    let plain = row.pdftotext.map_or_else(
        || "not installed".to_owned(),
        |plain| format!("{:.3} {:.3}", plain.recall, plain.precision),
    );
    format!(
        "{:16} {:6.3} {:6.3} {:8.3} {:>7} {:6.2} {:>9} {:7.0}   {plain}",
        row.document,
        found.prose.recall,
        found.prose.precision,
        row.headings_f1,
        format!("{}/{}", found.tables_found, found.tables),
        found.cells,
        format!("{}/{}", found.pages_right, found.blocks),
        row.read_ms,
    )
}

fn mean(rows: &[Row]) -> String {
    let mean = |of: &dyn Fn(&Row) -> f64| rows.iter().map(of).sum::<f64>() / rows.len() as f64;
    let sum = |of: &dyn Fn(&Row) -> usize| rows.iter().map(of).sum::<usize>();
    let plain: Vec<Score> = rows.iter().filter_map(|row| row.pdftotext).collect();
    let plain_mean =
        |of: &dyn Fn(&Score) -> f64| plain.iter().map(of).sum::<f64>() / plain.len().max(1) as f64;
    format!(
        "{:16} {:6.3} {:6.3} {:8.3} {:>7} {:6.2} {:>9} {:7.0}   {}",
        "mean, sum",
        mean(&|row| row.found.prose.recall),
        mean(&|row| row.found.prose.precision),
        mean(&|row| row.headings_f1),
        format!(
            "{}/{}",
            sum(&|row| row.found.tables_found),
            sum(&|row| row.found.tables)
        ),
        mean(&|row| row.found.cells),
        format!(
            "{}/{}",
            sum(&|row| row.found.pages_right),
            sum(&|row| row.found.blocks)
        ),
        mean(&|row| row.read_ms),
        if plain.is_empty() {
            "not installed".to_owned()
        } else {
            format!(
                "{:.3} {:.3}",
                plain_mean(&|plain| plain.recall),
                plain_mean(&|plain| plain.precision)
            )
        },
    )
}
