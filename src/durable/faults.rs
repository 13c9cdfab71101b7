//! The recorder of the tests: at a chosen step it cuts the writer's thread off, has its process killed, or fills its disk.

use std::cell::RefCell;
use std::io::{self, Read, Write};
use std::path::Path;

use super::FileError;

/// What happens at the chosen step and at all later ones.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// The process is as good as gone: nothing is written, renamed or removed any more.
    Cut,
    /// The process says [`KILL_ME`] and the step on its standard output, and waits there for the SIGKILL of whoever
    /// holds its standard input.
    Kill,
    /// The disk is full: nothing new fits on it; renaming and removing work.
    Full,
}

/// How a process says that it stands at the step at which it is to be killed.
pub const KILL_ME: &str = "kill me at: ";

#[derive(Default)]
struct Recorder {
    steps: Vec<String>,
    fault: Option<(usize, Fault)>,
}

thread_local! {
    static RECORDER: RefCell<Recorder> = RefCell::default();
}

/// Forgets the steps so far and lets `fault` happen from step `at` (from 0) on; none to record only.
pub fn begin(fault: Option<(usize, Fault)>) {
    RECORDER.set(Recorder {
        steps: Vec::new(),
        fault,
    });
}

/// The steps since [`begin`], each with its action and path; ends the fault.
pub fn end() -> Vec<String> {
    RECORDER.take().steps
}

/// Steps since [`begin`].
pub fn count() -> usize {
    RECORDER.with_borrow(|recorder| recorder.steps.len())
}

fn next_fault() -> Option<Fault> {
    RECORDER.with_borrow(|recorder| {
        let (at, fault) = recorder.fault?;
        (recorder.steps.len() >= at).then_some(fault)
    })
}

/// Whether the next step fails.
pub(super) fn is_fault_next() -> bool {
    next_fault().is_some()
}

/// Whether the next step is cut off: what it would have cleaned up then stays.
pub(super) fn is_cut_next() -> bool {
    matches!(next_fault(), Some(Fault::Cut | Fault::Kill))
}

/// What a cut may leave of a folder that is being removed: here its first names, so that it looks whole.
pub(super) fn remove_half_of(folder: &Path) {
    let mut names: Vec<_> = std::fs::read_dir(folder)
        .map(|entries| entries.flatten().map(|entry| entry.path()).collect())
        .unwrap_or_default();
    names.sort();
    for path in &names[names.len() / 2..] {
        let _ = match path.is_dir() {
            true => std::fs::remove_dir_all(path),
            false => std::fs::remove_file(path),
        };
    }
}

/// Never returns but where nobody is there to kill.
fn be_killed(step: &str) -> ! {
    let mut out = io::stdout().lock();
    let said = writeln!(out, "{KILL_ME}{step}").and_then(|()| out.flush());
    if said.is_ok() {
        // Its end is the end of whoever was to kill.
        let _ = io::stdin().lock().read_to_end(&mut Vec::new());
    }
    std::process::abort();
}

pub(super) fn step(action: &'static str, path: &Path) -> Result<(), FileError> {
    let error = RECORDER.with_borrow_mut(|recorder| {
        recorder.steps.push(format!("{action} {}", path.display()));
        let (at, fault) = recorder.fault?;
        if recorder.steps.len() <= at {
            return None;
        }
        let takes_room = !matches!(
            action,
            "sync" | "rename into place" | "remove" | "remove the rest of" | "shorten"
        );
        match fault {
            Fault::Cut => Some(io::Error::other("cut")),
            Fault::Kill => be_killed(&format!("{action} {}", path.display())),
            Fault::Full => takes_room.then(|| io::ErrorKind::StorageFull.into()),
        }
    });
    match error {
        Some(error) => Err(FileError::at(action, path)(error)),
        None => Ok(()),
    }
}
