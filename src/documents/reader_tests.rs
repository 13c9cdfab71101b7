use proptest::prelude::*;

use super::super::{Body, Table};
use super::*;

/// One text in every format that has headings and lists.
const SAMPLES: &[(&dyn DocumentReader, &str, &str)] = &[
    (
        &MarkdownReader,
        "a.md",
        "# Maize\n\nAll about maize.\n\n## Depth\n\nPlant 2.5 cm deep,\nin two lines.\n\n- clay: 3 cm\n- sand: 5 cm\n\n| Soil | Rate |\n|---|---|\n| clay | 20 |\n",
    ),
    (
        &PlainTextReader,
        "a.txt",
        "Maize\n=====\n\nAll about maize.\n\nDepth\n-----\n\nPlant 2.5 cm deep,\nin two lines.\n\n- clay: 3 cm\n- sand: 5 cm\n",
    ),
    (
        &HtmlReader,
        "a.html",
        "<!doctype html><html lang=en><head><title>Maize | Site</title><style>p{}</style></head><body><nav><a href=/>Home</a></nav><main><h1>Maize</h1><p>All about <b>maize</b>.<h2>Depth</h2><div>Plant 2.5&nbsp;cm deep,<br>in two lines.<ul><li>clay: 3 cm<li>sand: 5 cm</ul></div><table><tr><th>Soil<th>Rate<tr><td>clay<td>20</table></main><footer>Contact</footer><script>if (a<b) { '<h1>x' }</script></body></html>",
    ),
    (
        &XmlReader,
        "a.nxml",
        "<!DOCTYPE article PUBLIC \"-//NLM//DTD\" \"a.dtd\"><article xmlns:xlink=\"http://www.w3.org/1999/xlink\"><front><article-meta><title-group><article-title>On maize</article-title></title-group></article-meta></front><body><sec><title>Maize</title><p>All about <italic>maize</italic>.</p><sec><title>Depth</title><p>Plant 2.5 cm deep,\nin two lines.<list><list-item><p>clay: 3 cm</p></list-item><list-item><p>sand: 5 cm</p></list-item></list></p><table-wrap><table><thead><tr><th>Soil</th><th>Rate</th></tr></thead><tbody><tr><td>clay</td><td>20</td></tr></tbody></table></table-wrap></sec></sec></body></article>",
    ),
    (
        &XmlReader,
        "a.tei.xml",
        "<TEI xmlns=\"http://www.tei-c.org/ns/1.0\"><teiHeader><fileDesc><titleStmt><title>On maize</title></titleStmt></fileDesc></teiHeader><text><body><div><head>Maize</head><p>All about maize.</p><div><head>Depth</head><p>Plant 2.5 cm deep, in two lines.</p><list><item>clay: 3 cm</item><item>sand: 5 cm</item></list><figure><table><row role=\"label\"><cell>Soil</cell><cell>Rate</cell></row><row><cell>clay</cell><cell>20</cell></row></table></figure></div></div></body></text></TEI>",
    ),
];

const CSV: &str = "Soil,Rate\nclay,20\n\"sand, coarse\",30\n";

fn source<'a>(path: &'a str, bytes: &'a [u8]) -> Source<'a> {
    Source {
        path: Path::new(path),
        bytes,
    }
}

fn is_sound(content: &Content) -> bool {
    content.sections.iter().all(|section| {
        let tables = section.blocks.iter().filter_map(|block| match &block.body {
            Body::Table(table) => Some(table),
            _ => None,
        });
        let even = |table: &Table| table.rows.iter().all(|row| row.len() == table.header.len());
        !section.blocks.is_empty() && tables.into_iter().all(even)
    })
}

#[test]
fn one_text_gives_one_tree_in_every_format() {
    let table = Table {
        caption: None,
        header: vec!["Soil".into(), "Rate".into()],
        rows: vec![vec!["clay".into(), "20".into()]],
    };
    for (reader, path, text) in SAMPLES {
        let content = reader
            .read(source(path, text.as_bytes()))
            .expect("readable");
        let headings: Vec<_> = content.sections.iter().map(Section::heading).collect();
        assert_eq!(headings, ["Maize", "Depth"], "{path}");
        let blocks: Vec<&Body> = content.sections[1]
            .blocks
            .iter()
            .map(|block| &block.body)
            .collect();
        assert_eq!(
            blocks[..2],
            [
                &Body::Paragraph("Plant 2.5 cm deep, in two lines.".into()),
                &Body::List(vec!["clay: 3 cm".into(), "sand: 5 cm".into()]),
            ],
            "{path}"
        );
        if *path != "a.txt" {
            assert_eq!(blocks[2..], [&Body::Table(table.clone())], "{path}");
        }
        let again = reader
            .read(source(path, text.as_bytes()))
            .expect("readable");
        assert_eq!(again, content, "reading is repeatable");
    }
}

#[test]
fn every_reader_survives_odd_and_hostile_texts() {
    let csv: &dyn DocumentReader = &CsvReader;
    let readers = SAMPLES.iter().map(|(reader, path, _)| (*reader, *path));
    for (reader, path) in readers.chain([(csv, "a.csv")]) {
        for text in ["", " \n\n\t\n"] {
            let content = reader.read(source(path, text.as_bytes())).expect("empty");
            assert_eq!(content.sections, [], "{path}");
        }
        let repeats = [
            "> ",
            "<div>",
            "<b>",
            "<td>",
            "<sup>",
            "&amp;",
            "&#",
            "a\n---\n",
            "(",
            "[",
            "\"",
            ",",
            "- ",
            "<ul><li>",
            "<table><tr>",
            "<p",
            "</p>",
            "<a b=c ",
        ];
        for hostile in repeats {
            let text = hostile.repeat(20_000) + "text";
            if let Ok(content) = reader.read(source(path, text.as_bytes())) {
                assert!(is_sound(&content), "{path}: {hostile}");
            }
        }
        for hostile in [
            "\u{0}",
            "#",
            "====",
            "- ",
            "| |",
            "[^x]",
            "---",
            "\u{feff}\r\r\n",
            "<",
            "<!",
            "<![CDATA[",
            "&",
            "<html",
            "<article>",
            "<TEI/>",
            "<html/>",
        ] {
            if let Ok(content) = reader.read(source(path, hostile.as_bytes())) {
                assert!(is_sound(&content), "{path}: {hostile}");
            }
        }
        let error = reader
            .read(source(path, b"ok\n\xff"))
            .expect_err("not UTF-8");
        assert!(
            error
                .to_string()
                .starts_with(&format!("{path}, line 2: not UTF-8"))
        );
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    /// Truncated, and with some bytes changed: a document or an error, never a panic, always sound.
    #[test]
    fn broken_files_give_a_document_or_an_error(
        sample in 0..SAMPLES.len() + 1,
        cut in 0.0..1.0_f64,
        changes in prop::collection::vec((0.0..1.0_f64, any::<u8>()), 0..8),
    ) {
        let csv: (&dyn DocumentReader, &str, &str) = (&CsvReader, "a.csv", CSV);
        let (reader, path, text) = SAMPLES.get(sample).copied().unwrap_or(csv);
        let mut bytes = text.as_bytes().to_vec();
        for (at, byte) in changes {
            let at = (at * bytes.len() as f64) as usize;
            bytes[at] = byte;
        }
        bytes.truncate((cut * 1.2 * bytes.len() as f64) as usize);
        if let Ok(content) = reader.read(source(path, &bytes)) {
            prop_assert!(is_sound(&content));
        }
    }
}

#[test]
fn a_title_over_everything_is_no_part_of_the_tree() {
    let with_title = b"# Planting maize\n\nIntro.\n\n### Depth\n\nText.\n";
    let document = read_bytes(Path::new("a.md"), "a", with_title).expect("readable");
    assert_eq!(document.title, "Planting maize");
    let tree: Vec<_> = document
        .sections
        .iter()
        .map(|section| (section.headings.join("/"), section.level))
        .collect();
    assert_eq!(tree, [(String::new(), 0), ("Depth".to_owned(), 1)]);
}

#[test]
fn an_unknown_extension_lists_those_that_are_read() {
    let error = read_bytes(Path::new("a.docx"), "a", b"x").expect_err("unknown");
    let text = error.to_string();
    assert!(
        text.contains("md, markdown, txt") && text.contains("jsonl"),
        "{text}"
    );
}

#[test]
fn a_file_without_text_is_refused() {
    for text in ["", "\n \n", "---\ntitle: A\n---\n", "# Only a heading\n"] {
        let result = read_bytes(Path::new("a.md"), "a.md", text.as_bytes());
        assert!(
            matches!(result, Err(DocumentError::Empty { .. })),
            "{text:?}"
        );
    }
}

#[test]
fn a_file_over_the_limit_is_refused_before_it_is_read() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path().join("a.txt");
    let file = std::fs::File::create(&path).expect("writable");
    file.set_len(MAX_DOCUMENT_BYTES + 1).expect("sparse");
    let error = read_file(&path, "a.txt").expect_err("too large");
    assert!(matches!(error, DocumentError::TooLarge { .. }));
}

#[test]
fn an_id_of_the_front_matter_replaces_the_path() {
    let document = read_bytes(Path::new("a.md"), "x/a.md", b"---\nid: d1\n---\nText.\n");
    assert_eq!(document.expect("readable").id, "d1");
    let bad = read_bytes(Path::new("a.md"), "x\u{0}y", b"Text.");
    assert!(matches!(bad, Err(DocumentError::BadId { .. })));
}
