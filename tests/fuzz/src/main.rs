//! Coverage-guided fuzzing of everything that Almanac reads: libFuzzer over the functions that parse.
//!
//! One program holds all targets, so that the product is compiled and linked once. The environment says what it
//! does: `FUZZ_TARGET=list` names the targets, `FUZZ_TARGET=<name> FUZZ_SEEDS=<folder>` writes what a target begins
//! with, and `FUZZ_TARGET=<name>` alone fuzzes with libFuzzer's own options. `scripts/fuzz.sh` does all three.
//!
//! What is held of every input: no panic, no more live memory than the target's bound, no longer than libFuzzer's
//! `-timeout`, and where something was read, what each target says of it (round trips above all).

#![no_main]

mod bound;
mod documents;
mod editions;
mod fetching;
mod messages;
mod models;
mod pdf;
mod recipes;
mod scratch;
mod tiny;

use std::fs;
use std::path::Path;
use std::sync::OnceLock;

use libfuzzer_sys::fuzz_target;

/// Something that reads bytes.
pub struct Target {
    /// Its name, also that of its folders.
    name: &'static str,
    /// Reads an input and holds the result against what must be true of it.
    run: fn(&[u8]),
    /// Inputs to begin with.
    seeds: fn() -> Vec<Vec<u8>>,
    /// Words that inputs are made of.
    words: &'static [&'static str],
    /// Longest input, bytes.
    longest: usize,
    /// Most memory that reading one input may hold at a time, MiB.
    memory_mib: usize,
    /// Whether the product catches panics of other crates there.
    catches: bool,
}

impl Target {
    /// A target with the usual bounds: 64 KiB of input, 32 MiB of memory.
    const fn new(name: &'static str, run: fn(&[u8]), seeds: fn() -> Vec<Vec<u8>>) -> Target {
        Target {
            name,
            run,
            seeds,
            words: &[],
            longest: 64 * 1024,
            memory_mib: 32,
            catches: false,
        }
    }
}

static GROUPS: [&[Target]; 6] = [
    editions::TARGETS,
    fetching::TARGETS,
    messages::TARGETS,
    documents::TARGETS,
    models::TARGETS,
    recipes::TARGETS,
];

static CHOSEN: OnceLock<&Target> = OnceLock::new();

fuzz_target!(init: begin(), |data: &[u8]| {
    if let Some(target) = CHOSEN.get() {
        bound::within(target.memory_mib << 20, || (target.run)(data));
    }
});

fn begin() {
    let wanted = std::env::var("FUZZ_TARGET").unwrap_or_default();
    let mut targets = GROUPS.iter().flat_map(|group| group.iter());
    if wanted == "list" {
        targets.for_each(|target| println!("{} {}", target.name, target.longest));
        std::process::exit(0);
    }
    let Some(target) = targets.find(|target| target.name == wanted) else {
        eprintln!("FUZZ_TARGET is {wanted:?}; `FUZZ_TARGET=list` names the targets");
        std::process::exit(2);
    };
    if let Some(folder) = std::env::var_os("FUZZ_SEEDS") {
        let written = write_seeds(target, Path::new(&folder));
        written.expect("the folder for seeds is writable");
        std::process::exit(0);
    }
    if target.catches {
        let_foreign_panics_unwind();
    }
    let _ = CHOSEN.set(target);
}

/// libFuzzer's hook ends the process with every panic, also one that the product would have caught.
fn let_foreign_panics_unwind() {
    let abort = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |info| {
        let is_foreign = |at: &std::panic::Location<'_>| at.file().contains("/registry/");
        if !info.location().is_some_and(is_foreign) {
            abort(info);
        }
    }));
}

/// The seeds of `target` as files of `folder`, its words as a dictionary beside it.
fn write_seeds(target: &Target, folder: &Path) -> std::io::Result<()> {
    fs::create_dir_all(folder)?;
    for (number, seed) in (target.seeds)().iter().enumerate() {
        fs::write(folder.join(format!("seed-{number:03}")), seed)?;
    }
    let line = |word: &&str| {
        let bytes = word.bytes().map(|byte| format!("\\x{byte:02x}"));
        format!("\"{}\"\n", bytes.collect::<String>())
    };
    // libFuzzer takes no empty dictionary.
    let words = target.words.iter().chain(&["\0"]);
    let words: String = words.map(line).collect();
    fs::write(folder.with_extension("words"), words)
}

/// What stands between the parts of an input that is several files.
const BETWEEN: &[u8] = b"\n%%%%\n";

/// The `N` parts of `data`; missing ones are empty.
fn parts<const N: usize>(data: &[u8]) -> [&[u8]; N] {
    let mut rest = Some(data);
    std::array::from_fn(|_| {
        let whole = rest.unwrap_or_default();
        let at = whole.windows(BETWEEN.len()).position(|it| it == BETWEEN);
        rest = at.map(|at| &whole[at + BETWEEN.len()..]);
        at.map_or(whole, |at| &whole[..at])
    })
}

/// Files as one input.
fn joined(parts: &[&[u8]]) -> Vec<u8> {
    parts.join(BETWEEN)
}
