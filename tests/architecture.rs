//! The house's borders: which room may import which, who owns which crate, what is kept out below.
//!
//! The rules are those of `src/lib.rs`. Only code counts: comments, strings and test modules are cut
//! out first, so a doc link upwards is no breach and a test may use what it needs.

#[path = "support/rust_code.rs"]
mod rust_code;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use rust_code::{is_word, without_comments_and_strings, without_tests};

/// The ground floor: imported by all, importing only the others named here.
const GROUND: &[(&str, &[&str])] = &[
    ("types", &[]),
    ("clock", &[]),
    ("durable", &[]),
    ("config", &["types"]),
];

/// Every other room with the rooms it may import besides the ground floor.
const ROOMS: &[(&str, &[&str])] = &[
    ("documents", &[]),
    ("model", &[]),
    ("journal", &[]),
    ("field", &[]),
    ("edition", &[]),
    ("library", &["documents", "model"]),
    ("answer", &["library", "model"]),
    ("study", &["answer", "library", "documents", "model"]),
    // Over the study: it keeps the study's questions out and speaks through its endpoint.
    (
        "dataset",
        &["study", "answer", "library", "documents", "model"],
    ),
    ("control", &[]),
    (
        "service",
        &[
            "documents",
            "model",
            "journal",
            "field",
            "edition",
            "library",
            "answer",
            "study",
            "control",
        ],
    ),
    (
        "commands",
        &[
            "documents",
            "model",
            "journal",
            "field",
            "edition",
            "library",
            "answer",
            "study",
            "dataset",
            "control",
            "service",
        ],
    ),
    ("main", &["commands"]),
];

/// Single names that a room may take from a room it may not import otherwise.
const LOANS: &[(&str, &str)] = &[
    // Passages are cut in the embedder's tokens: whoever calls passes a counter in.
    ("documents", "crate::model::TokenCounter"),
];

/// Crates that are the business of some rooms only: their traps are handled there.
const CRATES: &[(&str, &[&str])] = &[
    ("sled", &["durable", "library", "journal"]),
    ("hora", &["library"]),
    ("ort", &["model"]),
    ("tokenizers", &["model"]),
    ("rumqttc", &["field"]),
    ("minisign", &["edition"]),
    ("systemd", &["service"]),
    ("ureq", &["study"]),
    ("plotters", &["study"]),
    ("hayro_syntax", &["documents"]),
    ("hayro_font", &["documents"]),
    // Not for `answer` and what it stands on: they block, on a thread of their own.
    (
        "tokio",
        &["journal", "field", "control", "service", "commands"],
    ),
    ("clap", &["commands"]),
    ("indicatif", &["commands"]),
    ("anyhow", &["commands", "main"]),
];

/// Kept out of every room below `service` and `commands`: environment, printing, ending, signals.
const SHELL_ONLY: &[&str] = &[
    "std::env",
    "println!",
    "print!",
    "eprintln!",
    "eprint!",
    "process::exit",
    "process::abort",
    "tokio::signal",
];

/// Nowhere in the product.
const NOWHERE: &[&str] = &["todo!", "unimplemented!", "dbg!"];

/// Writing past `durable`, with the files that may.
const WRITERS: &[(&str, &[&str])] = &[
    ("fs::write", &["durable.rs"]),
    // The cache's lock file is empty and only there to be locked.
    ("File::create", &["durable.rs", "commands/models/cache.rs"]),
];

/// Longest file, in lines without its tests.
const MAX_LINES: usize = 700;

#[test]
fn the_house_keeps_its_borders() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut breaches = Vec::new();
    let files = sources(&root);
    assert!(
        files.len() > 15,
        "only {} files: is this src/?",
        files.len()
    );
    for file in &files {
        breaches.extend(file.breaches());
    }
    assert!(breaches.is_empty(), "\n{}\n", breaches.join("\n"));
}

#[test]
fn a_planted_breach_of_each_kind_is_found() {
    let found = |path: &str, text: &str| Source::new(path, text).breaches().join("\n");
    for (path, text, wanted) in [
        (
            "model/a.rs",
            "use crate::library::Store;",
            "model may not import library",
        ),
        (
            "types/a.rs",
            "use crate::{clock, types::Place};",
            "types may not import clock",
        ),
        (
            "field/mod.rs",
            "fn f() { super::journal::open() }",
            "field may not import journal",
        ),
        (
            "field/a/b.rs",
            "use super::super::super::service;",
            "field may not import service",
        ),
        (
            "answer/a.rs",
            "fn f(t: &sled::Tree) {}",
            "sled is not for answer",
        ),
        ("answer/a.rs", "use ort;", "ort is not for answer"),
        (
            "service/a.rs",
            "use anyhow::Context;",
            "anyhow is not for service",
        ),
        ("library/a.rs", "use std::env;\n", "std::env"),
        ("library/a.rs", "use std::{fs, env};\n", "std::env"),
        ("journal/a.rs", "fn f() { println!(\"x\") }", "println!"),
        (
            "journal/a.rs",
            "fn f() { std::process::exit(1) }",
            "process::exit",
        ),
        ("journal/a.rs", "fn f() { todo!() }", "todo!"),
        (
            "journal/a.rs",
            "fn f() { std::fs::write(p, b) }",
            "fs::write",
        ),
        ("cellar/mod.rs", "fn f() {}", "cellar is not a room"),
    ] {
        let breaches = found(path, text);
        assert!(
            breaches.contains(wanted),
            "{path}: {text}: found {breaches:?}"
        );
    }
    let long = "fn f() {}\n".repeat(MAX_LINES + 1);
    assert!(found("types/a.rs", &long).contains("701 lines"));
}

#[test]
fn what_is_allowed_or_no_code_is_no_breach() {
    for (path, text) in [
        (
            "library/a.rs",
            "use crate::{model::Embedder, types::Place};",
        ),
        (
            "library/a.rs",
            "//! [`crate::service`] does it\n/* sled:: crate::answer */",
        ),
        (
            "model/a.rs",
            "const A: &str = \"crate::service sled:: println!\";",
        ),
        (
            "model/a.rs",
            "const A: &str = r#\"crate::service \"quoted\" sled::\"#;",
        ),
        (
            "model/a.rs",
            "fn f() -> char { '\"' }\nfn g() -> &'static str { \"sled::x\" }",
        ),
        ("model/a.rs", "const A: &str = std::env::consts::ARCH;"),
        (
            "answer/a.rs",
            "#[cfg(test)]\nmod tests {\n    use crate::service::X;\n    fn f() { println!(\"}\") }\n}",
        ),
        ("answer/tests.rs", "use crate::service::X;"),
        ("field/a.rs", "use super::topics;\nuse rumqttc::v5;"),
        ("documents/a.rs", "use crate::model::TokenCounter;"),
        ("service/a.rs", "fn f() { eprintln!(\"x\") }"),
        ("main.rs", "fn main() { almanac::commands::run() }"),
    ] {
        assert_eq!(
            Source::new(path, text).breaches(),
            Vec::<String>::new(),
            "{text}"
        );
    }
}

/// One source file, reduced to its code outside of tests.
struct Source {
    /// Relative to `src`.
    path: PathBuf,
    code: String,
}

impl Source {
    fn new(path: &str, text: &str) -> Source {
        Source {
            path: path.into(),
            code: without_tests(&without_comments_and_strings(text)),
        }
    }

    fn room(&self) -> String {
        let first = self.path.iter().next().unwrap_or_default();
        first.to_string_lossy().trim_end_matches(".rs").to_owned()
    }

    fn breaches(&self) -> Vec<String> {
        let room = self.room();
        let is_test = self.path.to_string_lossy().ends_with("tests.rs");
        if room == "lib" || is_test {
            return Vec::new();
        }
        let path = self.path.display();
        let Some(allowed) = allowed_rooms(&room) else {
            return vec![format!(
                "src/{path}: {room} is not a room: add it to tests/architecture.rs"
            )];
        };
        let mut breaches: Vec<String> = self
            .imported_rooms()
            .into_iter()
            .filter(|name| *name != room && !allowed.contains(name.as_str()))
            .map(|name| format!("src/{path}: {room} may not import {name}"))
            .collect();
        for (name, rooms) in CRATES {
            if !rooms.contains(&room.as_str()) && self.uses_crate(name) {
                breaches.push(format!("src/{path}: the crate {name} is not for {room}"));
            }
        }
        breaches.extend(
            self.forbidden(&room)
                .map(|word| format!("src/{path}: {word} has no place here")),
        );
        let lines = self.code.lines().count();
        if lines > MAX_LINES {
            breaches.push(format!(
                "src/{path}: {lines} lines without tests, at most {MAX_LINES}"
            ));
        }
        breaches
    }

    /// First names of paths from the crate's root, written as `crate::` or as enough `super::`.
    fn imported_rooms(&self) -> BTreeSet<String> {
        let mut code = self.code.clone();
        for (_, loan) in LOANS.iter().filter(|(room, _)| *room == self.room()) {
            code = code.replace(loan, "");
        }
        let known = |name: &String| allowed_rooms(name).is_some();
        let depth = self.module_depth();
        let up = "super::".repeat(depth);
        let mut rooms = BTreeSet::new();
        for start in ["crate::", up.as_str()]
            .iter()
            .filter(|start| !start.is_empty())
        {
            for (at, _) in code.match_indices(start) {
                let before = code[..at].chars().next_back();
                let longer = before.is_some_and(|c| c == ':' || is_word(c));
                if !longer {
                    rooms.extend(first_names(&code[at + start.len()..]));
                }
            }
        }
        rooms.into_iter().filter(known).collect()
    }

    /// How many `super` lead from this file's module to the crate's root.
    fn module_depth(&self) -> usize {
        let parts = self.path.iter().count();
        let is_root = self.path.ends_with("mod.rs");
        if is_root { parts - 1 } else { parts }
    }

    fn uses_crate(&self, name: &str) -> bool {
        self.code.match_indices(name).any(|(at, _)| {
            let before = self.code[..at].trim_end();
            let after = &self.code[at + name.len()..];
            let whole = !self.code[..at].ends_with(is_word) && !after.starts_with(is_word);
            let own_path = before.ends_with("::") || before.ends_with('.');
            whole && !own_path && (after.starts_with("::") || before.ends_with("use"))
        })
    }

    fn forbidden(&self, room: &str) -> impl Iterator<Item = &'static str> {
        // `consts` are facts of the build, not of the environment; groups are written out first.
        let code = self.code.replace("std::env::consts", "");
        let groups_with_env = code
            .match_indices("std::{")
            .any(|(at, _)| first_names(&code[at + "std::".len()..]).contains(&"env".to_owned()));
        let code = if groups_with_env {
            code + "std::env"
        } else {
            code
        };
        let is_shell = matches!(room, "service" | "commands" | "main");
        let path = self.path.to_string_lossy().into_owned();
        let has = move |word: &str| {
            code.match_indices(word)
                .any(|(at, _)| !code[..at].ends_with(is_word))
        };
        let shell = SHELL_ONLY.iter().filter(move |_| !is_shell);
        let writers = WRITERS
            .iter()
            .filter(move |(_, files)| !files.contains(&path.as_str()))
            .map(|(word, _)| word);
        shell
            .chain(NOWHERE)
            .chain(writers)
            .copied()
            .filter(move |word| has(word))
            .collect::<Vec<_>>()
            .into_iter()
    }
}

/// The rooms that `room` may import; `None` when there is no such room.
fn allowed_rooms(room: &str) -> Option<BTreeSet<&'static str>> {
    let find = |rooms: &[(&'static str, &'static [&'static str])]| {
        rooms
            .iter()
            .find(|(name, _)| *name == room)
            .map(|(_, allowed)| *allowed)
    };
    if let Some(allowed) = find(GROUND) {
        return Some(allowed.iter().copied().collect());
    }
    let allowed = find(ROOMS)?;
    Some(
        allowed
            .iter()
            .copied()
            .chain(GROUND.iter().map(|(name, _)| *name))
            .collect(),
    )
}

/// `a` of `a::b`, and `a`, `c` of `{a::b, c}`.
fn first_names(path: &str) -> Vec<String> {
    let name = |text: &str| {
        text.trim_start()
            .chars()
            .take_while(|c| is_word(*c))
            .collect::<String>()
    };
    let Some(group) = path.strip_prefix('{') else {
        return vec![name(path)];
    };
    let mut names = vec![name(group)];
    let mut depth = 0;
    for (at, c) in group.char_indices() {
        match c {
            '{' => depth += 1,
            '}' if depth == 0 => break,
            '}' => depth -= 1,
            ',' if depth == 0 => names.push(name(&group[at + 1..])),
            _ => {}
        }
    }
    names
}

/// Every file under `root` that is not test code, as `#[cfg(test)] mod name;` marks it.
fn sources(root: &Path) -> Vec<Source> {
    let mut folders = vec![root.to_owned()];
    let mut texts = Vec::new();
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(&folder).expect("src is readable") {
            let path = entry.expect("src is readable").path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let text = std::fs::read_to_string(&path).expect("sources are UTF-8");
                texts.push((path, text));
            }
        }
    }
    let test_modules: BTreeSet<PathBuf> = texts
        .iter()
        .flat_map(|(path, text)| test_modules(path, text))
        .collect();
    texts
        .iter()
        .filter(|(path, _)| {
            !path
                .ancestors()
                .any(|above| test_modules.contains(&above.with_extension("")))
        })
        .map(|(path, text)| {
            let relative = path.strip_prefix(root).expect("found below it");
            Source::new(&relative.to_string_lossy(), text)
        })
        .collect()
}

/// Modules in their own files that exist in tests only, as paths without `.rs`.
fn test_modules(path: &Path, text: &str) -> Vec<PathBuf> {
    let folder = path.parent().expect("a file has a folder");
    let own = path.file_stem().expect("a file has a name");
    let folder = if own == "mod" || own == "lib" {
        folder.to_owned()
    } else {
        folder.join(own)
    };
    let lines: Vec<&str> = text.lines().map(str::trim).collect();
    lines
        .windows(2)
        .filter(|pair| pair[0] == "#[cfg(test)]")
        .filter_map(|pair| pair[1].split("mod ").nth(1)?.strip_suffix(';'))
        .map(|name| folder.join(name))
        .collect()
}
