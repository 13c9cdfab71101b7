//! A trial: the golden questions of an edition, asked by a process of its own, so that whatever its models
//! do (crash, hang, eat the memory) happens there.

use std::io::{BufRead, BufReader, Read, Write as _};
use std::ops::ControlFlow;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, sync_channel};
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};

use super::editions::Again;
use super::error::ServiceError;
use super::golden;
use super::rooms::Rooms;
use crate::config::Config;
use crate::edition::{Edition, Manifest, Verdict};

/// How often time and memory are looked at.
const LOOK: Duration = Duration::from_millis(50);
/// Most that is read of what a trial says.
const MAX_BYTES: u64 = 1024 * 1024;

/// One golden question, as the trial's process tells of it on a line.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Asked {
    /// The question.
    pub question: String,
    /// What is wrong with the answer; empty when it is right.
    pub wrong: String,
    /// Time to the whole answer, milliseconds.
    pub ms: u64,
}

/// Asks edition `serial` its golden questions in this process, telling of each; blocking, for seconds to
/// minutes. Ends early when standard input does: then whoever watches is gone.
///
/// # Errors
/// The edition cannot be opened, or `tell` fails.
pub fn ask(
    config: &Config,
    serial: u64,
    tell: &mut dyn FnMut(&Asked) -> std::io::Result<()>,
) -> Result<(), ServiceError> {
    be_the_first_to_go();
    let watched = Arc::new(AtomicBool::new(true));
    let flag = Arc::clone(&watched);
    // It ends with the process.
    std::thread::spawn(move || {
        let _ = std::io::stdin().lock().read_to_end(&mut Vec::new());
        flag.store(false, Ordering::Relaxed);
    });
    let rooms = Rooms::of(config, Edition::numbered(&config.state, serial)?);
    let mut answering = rooms.answering()?;
    for golden in rooms.golden() {
        let began = Instant::now();
        let answer = answering.answer(&golden::job(&golden, 0, began), &mut |_| match watched
            .load(Ordering::Relaxed)
        {
            true => ControlFlow::Continue(()),
            false => ControlFlow::Break(()),
        });
        let asked = Asked {
            wrong: golden::judge(&golden, &answer).err().unwrap_or_default(),
            ms: u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX),
            question: golden.question,
        };
        tell(&asked).map_err(|error| ServiceError::Machine(format!("cannot tell: {error}")))?;
    }
    Ok(())
}

/// When memory runs out, the kernel ends the trial and not the daemon that answers beside it.
fn be_the_first_to_go() {
    let score = std::fs::OpenOptions::new()
        .write(true)
        .open("/proc/self/oom_score_adj");
    if let Err(error) = score.and_then(|mut score| score.write_all(b"1000")) {
        tracing::debug!(%error, "the kernel cannot be told what to end first");
    }
}

/// Has the golden questions of `manifest` asked and watches time and memory; blocking.
pub fn watch(again: &Again, manifest: &Manifest) -> Verdict {
    let child = Command::new(&again.program)
        .args(&again.arguments)
        .args(["edition", "probe", &manifest.serial.to_string()])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::inherit())
        .spawn();
    match child {
        Err(error) => Verdict::Crashed(format!("no process for the trial: {error}")),
        Ok(child) => Watch::of(child, manifest).until_its_end(),
    }
}

/// A running trial.
struct Watch<'a> {
    child: Child,
    lines: Receiver<String>,
    manifest: &'a Manifest,
    began: Instant,
    right: usize,
}

impl<'a> Watch<'a> {
    fn of(mut child: Child, manifest: &'a Manifest) -> Self {
        let (told, lines) = sync_channel(manifest.golden.len().max(1));
        if let Some(out) = child.stdout.take() {
            // Ends with the child, or when it says too much.
            std::thread::spawn(move || {
                let lines = BufReader::new(out.take(MAX_BYTES)).lines();
                lines
                    .map_while(Result::ok)
                    .try_for_each(|line| told.send(line))
            });
        }
        Watch {
            child,
            lines,
            manifest,
            began: Instant::now(),
            right: 0,
        }
    }

    fn until_its_end(mut self) -> Verdict {
        let verdict = self.follow();
        // Whatever it was: nothing of the trial stays, and its library is free again.
        let _ = self.child.kill();
        let _ = self.child.wait();
        verdict
    }

    fn follow(&mut self) -> Verdict {
        let budgets = self.manifest.budgets;
        let longest = budgets.trial_s.map_or(golden::LONGEST, Duration::from_secs);
        loop {
            let line = self.lines.recv_timeout(LOOK);
            if let Ok(line) = &line
                && let Some(verdict) = self.hear(line)
            {
                return verdict;
            }
            if let Some(over) = self.memory_over() {
                return Verdict::Failed(over);
            }
            if self.began.elapsed() > longest {
                return Verdict::Failed(format!(
                    "the golden questions took longer than {} s",
                    longest.as_secs()
                ));
            }
            // Not before: lines that it said before its end may still be on their way.
            if line == Err(RecvTimeoutError::Disconnected) {
                match self.child.try_wait() {
                    Ok(Some(status)) => return self.ended(status),
                    Ok(None) => std::thread::sleep(LOOK),
                    Err(error) => return Verdict::Crashed(format!("cannot be watched: {error}")),
                }
            }
        }
    }

    /// A verdict where the line decides.
    fn hear(&mut self, line: &str) -> Option<Verdict> {
        let Ok(asked) = serde_json::from_str::<Asked>(line) else {
            return Some(Verdict::Crashed(format!("the trial said {line:.100}")));
        };
        if !asked.wrong.is_empty() {
            return Some(Verdict::Failed(format!(
                "golden question {:?}: {}",
                asked.question, asked.wrong
            )));
        }
        match self.manifest.budgets.answer_ms {
            Some(most) if asked.ms > most => Some(Verdict::Failed(format!(
                "golden question {:?} took {} ms, at most {most} are allowed",
                asked.question, asked.ms
            ))),
            _ => {
                self.right += 1;
                None
            }
        }
    }

    fn memory_over(&self) -> Option<String> {
        let most = self.manifest.budgets.memory_mib?;
        let path = format!("/proc/{}/status", self.child.id());
        let status = std::fs::read_to_string(path).ok()?;
        let line = status.lines().find(|line| line.starts_with("RssAnon:"))?;
        let kib: u64 = line.split_whitespace().nth(1)?.parse().ok()?;
        let found = kib / 1024;
        (found > most)
            .then(|| format!("it needs {found} MiB of memory, at most {most} are allowed"))
    }

    fn ended(&self, status: ExitStatus) -> Verdict {
        if status.success() && self.right == self.manifest.golden.len() {
            return Verdict::Passed;
        }
        Verdict::Crashed(format!(
            "the trial ended with {status} after {} of {} golden questions",
            self.right,
            self.manifest.golden.len()
        ))
    }
}
