//! `almanac study lessons`

use std::path::PathBuf;

use super::Files;
use crate::commands::Context;
use crate::commands::progress::Meter;
use crate::control::Progress;
use crate::durable;
use crate::service::Rooms;
use crate::study::{self, Split, Teacher};
use crate::types::Digest;

/// What becomes lessons, and where they go.
#[derive(Debug, clap::Args)]
#[group(skip)]
pub struct Args {
    #[command(flatten)]
    files: Files,
    /// Part of the set to learn from
    #[arg(long, value_enum, default_value_t = Part::Train)]
    split: Part,
    /// Where the lessons go, JSON lines in the chat form that trainers read
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
}

/// A part that may be learned from, or watched while learning.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum Part {
    Train,
    Dev,
}

/// Writes the lessons of a part of the set.
pub fn run(context: &Context, args: &Args) -> anyhow::Result<()> {
    let set = study::read(&args.files.questions)?;
    let split = match args.split {
        Part::Train => Split::Train,
        Part::Dev => Split::Dev,
    };
    let rooms = Rooms::open(&context.config)?;
    let teacher = Teacher::new(rooms.answerer()?, &set, split);
    let asked = study::select(&set, Some(split), None);
    let mut meter = Meter::new();
    let mut text = Vec::new();
    let (mut answered, mut all) = (0, 0);
    for (at, question) in asked.iter().enumerate() {
        for lesson in teacher.lessons(question)? {
            answered += usize::from(lesson.answered);
            all += 1;
            serde_json::to_writer(&mut text, &lesson)?;
            text.push(b'\n');
        }
        meter.show(&Progress {
            text: question.question.clone(),
            done: at as u64 + 1,
            total: asked.len() as u64,
        });
    }
    meter.finish();
    durable::replace(&args.out, &text)?;
    let sha256 = Digest::of(&text).to_string();
    if context.output.is_json() {
        let told = serde_json::json!({
            "out": args.out, "lessons": all, "answered": answered, "sha256": sha256,
        });
        return Ok(context.output.json(&told)?);
    }
    Ok(context.output.line(&format!(
        "{}: {all} lessons, {answered} with an answer, {} where the text does not say; sha256 {sha256}",
        args.out.display(),
        all - answered
    ))?)
}
