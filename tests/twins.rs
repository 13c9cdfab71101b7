//! One article in several formats gives one tree: its headings in their order and depth, and the paragraphs
//! under each.
//!
//! The articles are not part of the repository; without them these tests say so and pass. The forms that no
//! publisher gives are made here, from the publisher's own XML and not from what our readers make of it.

mod support;

use std::collections::BTreeMap;
use std::fmt::Write;
use std::fs;
use std::path::{Path, PathBuf};

use almanac::documents::{Body, Document, read_bytes};
use roxmltree::{Node, ParsingOptions};
use support::data;

/// Headings from the outermost on, and the paragraphs right under the last one.
type Tree = Vec<(Vec<String>, Vec<String>)>;

/// An article as its XML has it.
struct Article {
    title: String,
    tree: Tree,
    /// Sections whose paragraphs hold nothing but running text.
    plain: Vec<Vec<String>>,
}

fn files(folder: &Path, ending: &str) -> Vec<PathBuf> {
    let mut found: Vec<PathBuf> = fs::read_dir(folder)
        .expect("a folder")
        .map(|entry| entry.expect("readable").path())
        .filter(|path| path.to_string_lossy().ends_with(ending))
        .collect();
    found.sort();
    found
}

fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// The words of `node`, without marks of citations and notes.
fn words(node: Node<'_, '_>) -> String {
    fn add(node: Node<'_, '_>, out: &mut String) {
        for child in node.children() {
            match child.tag_name().name() {
                "xref" | "fn" | "ref" => {}
                _ if child.is_text() => out.push_str(child.text().unwrap_or_default()),
                _ => add(child, out),
            }
        }
    }
    let mut out = String::new();
    add(node, &mut out);
    one_line(&out)
}

fn of_jats(xml: &str) -> Article {
    let options = ParsingOptions {
        allow_dtd: true,
        ..ParsingOptions::default()
    };
    let xml = roxmltree::Document::parse_with_options(xml, options).expect("XML");
    let first = |name: &str| xml.descendants().find(|node| node.has_tag_name(name));
    let mut article = Article {
        title: first("article-title").map(words).expect("a title"),
        tree: Vec::new(),
        plain: Vec::new(),
    };
    let body = first("body").expect("a body");
    for section in body.children().filter(|node| node.has_tag_name("sec")) {
        walk(section, &mut Vec::new(), &mut article);
    }
    article
}

fn walk(section: Node<'_, '_>, path: &mut Vec<String>, article: &mut Article) {
    let named = |name: &'static str| {
        section
            .children()
            .filter(move |node| node.has_tag_name(name))
    };
    path.extend(named("title").next().map(words));
    let depth = path.len();
    let is_plain = |node: &Node<'_, '_>| {
        let inline = [
            "italic",
            "bold",
            "xref",
            "sup",
            "sub",
            "ext-link",
            "underline",
            "email",
        ];
        let mut inner = node.descendants().skip(1).filter(Node::is_element);
        inner.all(|inner| inline.contains(&inner.tag_name().name()))
    };
    let all_plain = section.children().filter(Node::is_element).all(|node| {
        node.has_tag_name("title")
            || node.has_tag_name("sec")
            || node.has_tag_name("p") && is_plain(&node)
    });
    let paragraphs: Vec<String> = named("p")
        .map(words)
        .filter(|text| !text.is_empty())
        .collect();
    if !paragraphs.is_empty() {
        if all_plain {
            article.plain.push(path.clone());
        }
        article.tree.push((path.clone(), paragraphs));
    }
    for inner in named("sec") {
        walk(inner, path, article);
        path.truncate(depth);
    }
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
}

/// How a format writes a tree of sections.
struct Form {
    open: &'static str,
    close: &'static str,
    heading: fn(usize, &str) -> String,
}

/// The sections of `tree`, nested.
fn sections(tree: &Tree, form: &Form) -> String {
    let mut out = String::new();
    let mut open: Vec<&String> = Vec::new();
    for (path, paragraphs) in tree {
        let common = open
            .iter()
            .zip(path)
            .take_while(|(one, other)| **one == *other)
            .count();
        for _ in common..open.len() {
            out.push_str(form.close);
        }
        open.truncate(common);
        for heading in &path[common..] {
            open.push(heading);
            out.push_str(form.open);
            out.push_str(&(form.heading)(open.len(), &escaped(heading)));
        }
        for paragraph in paragraphs {
            write!(out, "<p>{}</p>", escaped(paragraph)).expect("memory");
        }
    }
    for _ in open {
        out.push_str(form.close);
    }
    out
}

fn as_tei(article: &Article) -> String {
    let form = Form {
        open: "<div>",
        close: "</div>",
        heading: |_, text| format!("<head>{text}</head>"),
    };
    format!(
        "<TEI xmlns=\"http://www.tei-c.org/ns/1.0\"><teiHeader><fileDesc><titleStmt><title type=\"main\">{}</title>\
         </titleStmt></fileDesc></teiHeader><text><body>{}</body></text></TEI>",
        escaped(&article.title),
        sections(&article.tree, &form)
    )
}

fn as_html(article: &Article) -> String {
    let form = Form {
        open: "<section>",
        close: "</section>",
        heading: |depth, text| format!("<h{0}>{text}</h{0}>", depth + 1),
    };
    format!(
        "<!DOCTYPE html><html><head><title>A site | {0}</title></head><body><nav><ul><li>Home</li></ul></nav>\
         <main><h1>{0}</h1>{1}</main><footer><p>A site</p></footer></body></html>",
        escaped(&article.title),
        sections(&article.tree, &form)
    )
}

fn as_flat_html(article: &Article) -> String {
    let form = Form {
        open: "",
        close: "",
        heading: |depth, text| format!("<h{0}><a id=\"x\"></a>{text}</h{0}>", depth + 1),
    };
    let title = escaped(&article.title);
    format!("<h1>{title}</h1>{}", sections(&article.tree, &form))
}

fn as_jats(article: &Article) -> String {
    let form = Form {
        open: "<sec>",
        close: "</sec>",
        heading: |_, text| format!("<title>{text}</title>"),
    };
    format!(
        "<article><front><article-meta><title-group><article-title>{}</article-title></title-group></article-meta>\
         </front><body>{}</body></article>",
        escaped(&article.title),
        sections(&article.tree, &form)
    )
}

fn read(name: &str, bytes: &[u8]) -> Document {
    read_bytes(Path::new(name), name, bytes).expect("readable")
}

fn tree_of(document: &Document) -> Tree {
    let paragraph = |body: &Body| match body {
        Body::Paragraph(text) => Some(text.clone()),
        _ => None,
    };
    document
        .sections
        .iter()
        .map(|section| {
            let texts = section
                .blocks
                .iter()
                .filter_map(|block| paragraph(&block.body));
            (section.headings.clone(), texts.collect())
        })
        .collect()
}

/// A heading without what print and XML write in two ways: numbers, marks, case, two spellings.
fn normal(heading: &str) -> String {
    let heading = heading
        .to_lowercase()
        .replace("acknowledgement", "acknowledgment");
    let bare = heading.trim_start_matches(|ch: char| ch.is_ascii_digit() || ch == '.' || ch == ' ');
    bare.chars().filter(|ch| ch.is_alphanumeric()).collect()
}

fn normal_path(path: &[String]) -> Vec<String> {
    path.iter().map(|heading| normal(heading)).collect()
}

/// Twice the shared ones over all.
fn f1<T: Ord + Clone>(one: &[T], other: &[T]) -> f64 {
    let mut counts: BTreeMap<T, i64> = BTreeMap::new();
    for item in one {
        *counts.entry(item.clone()).or_default() += 1;
    }
    let shared = other.iter().filter(|item| match counts.get_mut(item) {
        Some(left) if *left > 0 => {
            *left -= 1;
            true
        }
        _ => false,
    });
    2.0 * shared.count() as f64 / (one.len() + other.len()) as f64
}

#[test]
fn the_same_article_as_jats_tei_and_html_is_the_same_tree() {
    let Some(folder) = data("pmc_crop_oa/jats") else {
        return;
    };
    let (mut articles, mut sections) = (0, 0);
    for file in files(&folder, ".xml") {
        let xml = fs::read_to_string(&file).expect("readable");
        if !xml.contains("<body") || !xml.contains("<sec") {
            continue;
        }
        let article = of_jats(&xml);
        if article.tree.is_empty() {
            continue;
        }
        let forms = [
            ("twin.xml", as_jats(&article)),
            ("twin.tei.xml", as_tei(&article)),
            ("twin.html", as_html(&article)),
            ("twin.htm", as_flat_html(&article)),
        ];
        let all = forms.map(|(name, text)| (name, read(name, text.as_bytes())));
        let (_, first) = &all[0];
        for (name, document) in &all {
            assert_eq!(document.title, first.title, "{}: {name}", file.display());
            assert_eq!(
                tree_of(document),
                tree_of(first),
                "{}: {name}",
                file.display()
            );
        }
        articles += 1;
        sections += article.tree.len();
    }
    eprintln!("{articles} articles with {sections} sections, each in four forms");
    assert!(articles >= 100, "{articles}");
}

#[test]
fn the_publishers_own_xml_is_read_as_the_tree_that_it_has() {
    let Some(folder) = data("pmc_crop_oa/jats") else {
        return;
    };
    let (mut paths, mut found, mut plain, mut counted) = (0, 0, 0, 0);
    for file in files(&folder, ".xml") {
        let xml = fs::read_to_string(&file).expect("readable");
        if !xml.contains("<body") {
            continue;
        }
        let article = of_jats(&xml);
        let document = read("a.xml", xml.as_bytes());
        let own: BTreeMap<Vec<String>, usize> = tree_of(&document)
            .iter()
            .map(|(path, paragraphs)| (normal_path(path), paragraphs.len()))
            .collect();
        for (path, paragraphs) in &article.tree {
            paths += 1;
            let count = own.get(&normal_path(path));
            found += usize::from(count.is_some());
            if article.plain.contains(path) {
                plain += 1;
                counted += usize::from(count == Some(&paragraphs.len()));
            }
        }
    }
    eprintln!(
        "{found} of {paths} sections; paragraphs of {counted} of {plain} without tables and formulas"
    );
    // Those that only name supplementary files are left out.
    assert!(found * 100 >= paths * 99, "{found} of {paths} sections");
    assert!(counted * 100 >= plain * 98, "{counted} of {plain} counts");
}

#[test]
fn a_printed_article_has_the_headings_of_its_xml_in_their_depth() {
    let Some(folder) = data("pmc_crop_oa/pdf_jats_pairs") else {
        return;
    };
    let (mut leaves, mut paths, mut sections, mut counted) = (0.0, 0.0, 0, 0);
    let files = files(&folder, ".pdf");
    for file in &files {
        let xml = fs::read(file.with_extension("jats.xml")).expect("a pair");
        let headed = |document: &Document| -> Vec<(Vec<String>, usize)> {
            let tree = tree_of(document).into_iter();
            let tree = tree.map(|(path, paragraphs)| (normal_path(&path), paragraphs.len()));
            tree.filter(|(path, _)| !path.is_empty()).collect()
        };
        let truth = headed(&read("a.xml", &xml));
        let print = headed(&read("a.pdf", &fs::read(file).expect("readable")));
        let names = |tree: &[(Vec<String>, usize)]| -> Vec<String> {
            tree.iter()
                .filter_map(|(path, _)| path.last().cloned())
                .collect()
        };
        let whole = |tree: &[(Vec<String>, usize)]| -> Vec<Vec<String>> {
            tree.iter().map(|(path, _)| path.clone()).collect()
        };
        let (leaf, path) = (
            f1(&names(&truth), &names(&print)),
            f1(&whole(&truth), &whole(&print)),
        );
        let name = file
            .file_name()
            .unwrap_or_default()
            .to_string_lossy()
            .into_owned();
        eprintln!("{name}: headings {leaf:.3}, with all above them {path:.3}");
        leaves += leaf;
        paths += path;
        for (path, count) in &truth {
            if let Some((_, own)) = print.iter().find(|(own, _)| own == path) {
                sections += 1;
                counted += usize::from(own == count);
            }
        }
    }
    let of = files.len() as f64;
    let (leaves, paths) = (leaves / of, paths / of);
    eprintln!(
        "headings {leaves:.3}, paths {paths:.3}, paragraphs of {counted} of {sections} sections"
    );
    assert!(leaves >= 0.90, "headings F1 {leaves:.3}");
    assert!(paths >= 0.83, "paths F1 {paths:.3}");
    assert!(counted * 100 >= sections * 90, "{counted} of {sections}");
}

#[test]
fn what_grobid_made_of_a_pdf_has_the_headings_that_we_find_in_it() {
    let Some(folder) = data("grobid_tei") else {
        return;
    };
    let pdf = files(&folder, ".pdf").pop().expect("a PDF");
    let tei = read(
        "a.tei.xml",
        &fs::read(pdf.with_extension("tei.xml")).expect("TEI"),
    );
    let print = read("a.pdf", &fs::read(&pdf).expect("readable"));
    assert_eq!(normal(&tei.title), normal(&print.title));
    // GROBID lays all divisions side by side: depth is not compared.
    let names = |document: &Document| -> Vec<String> {
        let last = document
            .sections
            .iter()
            .map(|section| normal(section.heading()));
        last.filter(|name| !name.is_empty()).collect()
    };
    let found = f1(&names(&tei), &names(&print));
    eprintln!("headings {found:.3}");
    assert!(found >= 0.87, "headings F1 {found:.3}");
    let article = Article {
        title: tei.title.clone(),
        tree: tree_of(&tei),
        plain: Vec::new(),
    };
    let page = read("a.html", as_html(&article).as_bytes());
    let with_text = |tree: Tree| -> Tree {
        let tree = tree.into_iter();
        tree.filter(|(path, paragraphs)| !path.is_empty() && !paragraphs.is_empty())
            .collect()
    };
    assert_eq!(with_text(tree_of(&page)), with_text(tree_of(&tei)));
}
