//! Real PDFs: every sample gives text or a named reason, and articles say what their publishers' XML says.
//!
//! The files are not part of the repository; without them these tests say so and pass.

mod support;

use std::fs;
use std::path::{Path, PathBuf};

use almanac::documents::extraction::{Truth, measure};
use almanac::documents::pdf::{PdfError, read_pdf};
use almanac::documents::{Body, Section, read_bytes};
use support::data;

fn pdfs(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).expect("a folder").flatten() {
        let path = entry.path();
        if path.is_dir() {
            found.extend(pdfs(&path));
        } else if path.extension().is_some_and(|extension| extension == "pdf") {
            found.push(path);
        }
    }
    found.sort();
    found
}

#[test]
fn every_sample_gives_text_or_a_named_reason() {
    let Some(folder) = data("pypdf_samples") else {
        return;
    };
    let files = pdfs(&folder);
    assert!(files.len() > 20, "only {} samples", files.len());
    for file in files {
        let bytes = fs::read(&file).expect("readable");
        match read_pdf(&bytes) {
            Ok(content) => assert!(
                content
                    .sections
                    .iter()
                    .all(|section| !section.blocks.is_empty()
                        && section.blocks.iter().all(|block| {
                            block
                                .page
                                .is_some_and(|page| (1..=content.pages).contains(&page))
                        })),
                "{}",
                file.display()
            ),
            Err(error) => {
                let name = file.to_string_lossy().into_owned();
                let expected = match &error {
                    PdfError::Encrypted => name.contains("password"),
                    PdfError::Scanned { .. } | PdfError::NoText { .. } => name.contains("image"),
                    _ => false,
                };
                assert!(expected, "{name}: {error}");
            }
        }
    }
}

#[test]
fn articles_say_what_their_publishers_xml_says() {
    let Some(folder) = data("pmc_crop_oa/pdf_jats_pairs") else {
        return;
    };
    let mut found = Vec::new();
    for file in pdfs(&folder) {
        let xml = fs::read_to_string(file.with_extension("jats.xml")).expect("a pair");
        let truth = Truth::of_jats(&xml).expect("JATS");
        let content = read_pdf(&fs::read(&file).expect("readable")).expect("an article");
        let extraction = measure(&content.sections, &truth, &[]);
        assert!(
            extraction.prose.recall >= 0.985,
            "{}: {extraction:?}",
            file.display()
        );
        assert!(
            extraction.prose.precision >= 0.97,
            "{}: {extraction:?}",
            file.display()
        );
        found.push(extraction);
    }
    let headings = found.iter().map(|one| one.headings.f1()).sum::<f64>() / found.len() as f64;
    let tables: usize = found.iter().map(|one| one.tables).sum();
    let tables_found: usize = found.iter().map(|one| one.tables_found).sum();
    assert!(headings >= 0.90, "headings F1 {headings:.3}");
    assert!(
        tables_found * 10 >= tables * 9,
        "{tables_found} of {tables} tables"
    );
}

#[test]
fn no_damage_makes_the_reader_panic() {
    let Some(folder) = data("pypdf_samples") else {
        return;
    };
    // A fixed sequence: a failure can be repeated.
    let mut state = 0x2545_f491_4f6c_dd1d_u64;
    let mut random = move |below: usize| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state % below.max(1) as u64) as usize
    };
    let small = |path: &PathBuf| fs::metadata(path).is_ok_and(|data| data.len() < 60_000);
    for file in pdfs(&folder).into_iter().filter(small) {
        let whole = fs::read(&file).expect("readable");
        for _ in 0..6 {
            let mut bytes = whole.clone();
            bytes.truncate(bytes.len() - random(bytes.len() / 2));
            for _ in 0..20 {
                let at = random(bytes.len());
                bytes[at] = random(256) as u8;
            }
            let result = read_pdf(&bytes);
            let panicked =
                matches!(&result, Err(PdfError::Damaged { reason }) if reason.contains("gave up"));
            assert!(!panicked, "{}: the parser panicked", file.display());
        }
    }
}

/// The files of `folder` that a browser printed.
fn printed(folder: &Path) -> Vec<PathBuf> {
    let all = pdfs(folder).into_iter();
    all.filter(|pdf| pdf.with_extension("html").is_file())
        .collect()
}

/// Headings with their level and what stands under them.
type Tree = Vec<(Vec<String>, u8, Vec<Body>)>;

/// What both forms of a page say, with its title: a list that goes on overleaf is one, and the numbers of its items, which a
/// page does not write, are left out.
fn tree(file: &Path) -> (String, Tree) {
    let name = file
        .file_name()
        .expect("a name")
        .to_string_lossy()
        .into_owned();
    let document = read_bytes(file, &name, &fs::read(file).expect("readable")).expect("a document");
    let blocks = |section: &Section| {
        let mut bodies: Vec<Body> = Vec::new();
        for block in &section.blocks {
            match (bodies.last_mut(), block.body.clone()) {
                (Some(Body::List(open)), Body::List(items)) => {
                    open.extend(items.into_iter().map(unnumbered));
                }
                (_, Body::List(items)) => {
                    bodies.push(Body::List(items.into_iter().map(unnumbered).collect()));
                }
                (_, body) => bodies.push(body),
            }
        }
        bodies
    };
    let sections = document.sections.iter();
    let tree = sections
        .map(|section| (section.headings.clone(), section.level, blocks(section)))
        .collect();
    (document.title, tree)
}

fn unnumbered(item: String) -> String {
    match item.split_once(". ") {
        Some((number, rest)) if number.parse::<u8>().is_ok() => rest.to_owned(),
        _ => item,
    }
}

/// A line for the title, each heading and each block.
fn shown((title, tree): &(String, Tree)) -> Vec<String> {
    let mut lines = vec![title.clone()];
    for (path, level, bodies) in tree {
        let path = path.join(" > ");
        lines.push(format!("{level} {path}"));
        lines.extend(bodies.iter().map(|body| format!("{path} {body:?}")));
    }
    lines
}

#[test]
fn a_page_that_a_browser_printed_has_the_tree_of_its_html() {
    let own = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/references/printed");
    let mut files = printed(&own);
    assert!(files.len() >= 2, "{files:?}");
    // More of them, of tests/references/print.py.
    if let Some(folder) = std::env::var_os("ALMANAC_TEST_PRINTED") {
        files.extend(printed(Path::new(&folder)));
    }
    let mut differing = Vec::new();
    for file in &files {
        let (print, page) = (tree(file), tree(&file.with_extension("html")));
        if print == page {
            continue;
        }
        let (print, page) = (shown(&print), shown(&page));
        eprintln!("{}", file.display());
        for line in page.iter().filter(|line| !print.contains(line)) {
            eprintln!("  page:  {line}");
        }
        for line in print.iter().filter(|line| !page.contains(line)) {
            eprintln!("  print: {line}");
        }
        differing.push(file);
    }
    eprintln!(
        "{} of {} printed pages have the tree of their HTML",
        files.len() - differing.len(),
        files.len()
    );
    assert!(differing.is_empty(), "{differing:?}");
}
