//! Documents of every format, and the tags of folders.

use std::fs;
use std::path::Path;

use almanac::documents::{
    Document, FolderTags, PassageOptions, Tags, from_json, open, passages, read_bytes, to_json,
};
use almanac::model::TokenCounter;

use crate::{Target, pdf, scratch};

pub const TARGETS: &[Target] = &[
    Target {
        words: &[
            "<html>",
            "<head>",
            "<title>",
            "<meta name=\"",
            "content=\"",
            "<h1>",
            "<h6>",
            "<p>",
            "<ul>",
            "<ol>",
            "<li>",
            "<table>",
            "<tr>",
            "<th>",
            "<td colspan=\"",
            "rowspan=\"",
            "<caption>",
            "<figure>",
            "<figcaption>",
            "<sup>",
            "<sub>",
            "<script>",
            "<style>",
            "<template>",
            "<svg>",
            "<!--",
            "-->",
            "&amp;",
            "&#x",
            "</",
            "<br>",
            "<pre>",
            "<dl><dt>",
            "<dd>",
            "<nav>",
            "<math>",
            "<select>",
            "<frameset>",
        ],
        memory_mib: 64,
        ..Target::new("html", html, htmls)
    },
    Target {
        words: &[
            "---\n",
            "title: ",
            "place: {country: ",
            "crop: [",
            "topic: ",
            "&a ",
            "*a",
            "<<: ",
            "!!",
            "# ",
            "###### ",
            "- ",
            "1. ",
            "| a | b |\n",
            "|---|---|\n",
            "[^1]",
            "[^1]: ",
            "```\n",
            "> ",
            "![",
            "](",
            "<div>",
            "&nbsp;",
            "~~~",
            "***",
            "\\",
        ],
        memory_mib: 64,
        ..Target::new("markdown", markdown, markdowns)
    },
    Target {
        words: &[
            "<article ",
            "<front>",
            "<article-meta>",
            "<title-group>",
            "<article-title>",
            "<contrib-group>",
            "<name>",
            "<surname>",
            "<given-names>",
            "<pub-date>",
            "<permissions>",
            "<license",
            "<abstract>",
            "<body>",
            "<sec>",
            "<title>",
            "<p>",
            "<xref ref-type=\"",
            "<table-wrap>",
            "<table>",
            "<thead>",
            "<tbody>",
            "<tr>",
            "<td colspan=\"",
            "<fig>",
            "<caption>",
            "<list>",
            "<list-item>",
            "<back>",
            "<ref-list>",
            "<ref ",
            "<mixed-citation>",
            "<sup>",
            "<TEI xmlns=\"http://www.tei-c.org/ns/1.0\">",
            "<teiHeader>",
            "<fileDesc>",
            "<titleStmt>",
            "<text>",
            "<div>",
            "<head>",
            "<figure type=\"table\">",
            "<row>",
            "<cell>",
            "<biblStruct>",
            "<persName>",
            "<pb n=\"",
            "<![CDATA[",
            "<!--",
            "<?",
            "<!DOCTYPE",
            "&#x",
            "xml:id=\"",
        ],
        memory_mib: 64,
        ..Target::new("xml", xml, xmls)
    },
    Target {
        words: &["\"", "\"\"", ",", ";", "\t", "|", "\r\n"],
        memory_mib: 64,
        ..Target::new("csv", csv, csvs)
    },
    Target {
        memory_mib: 64,
        ..Target::new("text", text, texts)
    },
    Target {
        words: &[
            "{\"_id\":",
            "\"title\":",
            "\"text\":",
            "\"metadata\":{",
            "\"place\":",
            "\"crops\":[",
            "}\n{",
            "\"\\ud800\"",
        ],
        memory_mib: 64,
        ..Target::new("jsonl", jsonl, jsonls)
    },
    Target {
        words: &[
            "obj\n",
            "endobj\n",
            "stream\n",
            "endstream",
            "xref\n",
            "trailer\n",
            "startxref\n",
            "%%EOF",
            "/Type",
            "/Pages",
            "/Kids",
            "/Count",
            "/Contents",
            "/Resources",
            "/Font",
            "/Encoding",
            "/Differences",
            "/ToUnicode",
            "/Length",
            "/Filter",
            "/FlateDecode",
            "/ASCIIHexDecode",
            "/ASCII85Decode",
            "/LZWDecode",
            "/RunLengthDecode",
            "/ObjStm",
            "/XRef",
            "/W [",
            "/Prev",
            "/Encrypt",
            "/XObject",
            "/Form",
            "/Matrix",
            "/Type0",
            "/CIDFontType2",
            "/Identity-H",
            "/MediaBox",
            "/Rotate",
            "/StructTreeRoot",
            "/MCID",
            "BT",
            "ET",
            "Tf",
            "Td",
            "Tm",
            "TJ",
            "Tj",
            "cm",
            "re",
            "Do",
            "BI",
            "ID",
            "EI",
            "<<",
            ">>",
            " R",
            "1e38",
            "-1e38",
            "2147483648",
        ],
        longest: 32 * 1024,
        memory_mib: 192,
        catches: true,
        ..Target::new("pdf", read_pdf, pdf::files)
    },
    Target {
        words: &[
            "[[rule]]\n",
            "files = \"",
            "place = ",
            "country = ",
            "region = ",
            "crops = [",
            "topics = [",
            "*",
            "**",
            "?",
            "anywhere",
        ],
        ..Target::new("tags", tags, tag_files)
    },
    Target {
        words: &[
            "\"version\":1",
            "\"sections\":[",
            "\"blocks\":[",
            "\"body\":{",
            "\"paragraph\":",
            "\"table\":{",
        ],
        ..Target::new("document-json", json, jsons)
    },
];

/// One token a word.
struct Words;

impl TokenCounter for Words {
    fn count(&self, text: &str) -> usize {
        text.split_whitespace().count()
    }
}

/// What holds of every document: it says something, comes back from its JSON form, and can be cut.
fn check(document: &Document) {
    assert!(!document.sections.is_empty());
    assert!(
        document
            .sections
            .iter()
            .all(|section| !section.blocks.is_empty())
    );
    let json = to_json(document).to_string();
    let again = from_json(Path::new("a.json"), json.as_bytes()).expect("its own form");
    assert_eq!(again, *document);
    let options = PassageOptions {
        max_tokens: 60,
        overlap_tokens: 12,
    };
    let passages = passages(document, &Words, &options);
    let in_order = passages
        .iter()
        .zip(0..)
        .all(|(passage, number)| passage.number == number);
    assert!(
        in_order
            && passages
                .iter()
                .all(|passage| !passage.text.trim().is_empty())
    );
}

fn read(name: &str, data: &[u8]) {
    if let Ok(document) = read_bytes(Path::new(name), name, data) {
        check(&document);
    }
}

fn html(data: &[u8]) {
    read("a.html", data);
}

fn htmls() -> Vec<Vec<u8>> {
    let page = br##"<!doctype html><html lang="en"><head><title>Maize</title><meta name="author" content="A. Grower">
<meta property="article:published_time" content="2026-03-01"></head><body><nav>Home</nav><main><h1>Maize</h1>
<p>Plant <b>two inches</b> deep<sup><a href="#n1">1</a></sup> &amp; water.</p><h2>Soil</h2>
<ul><li>clay<ol><li>heavy</li></ol></li><li>sand</li></ul>
<table><caption>Depth</caption><thead><tr><th>soil</th><th>depth</th></tr></thead>
<tbody><tr><td rowspan="2">clay</td><td>3 cm</td></tr><tr><td>4 cm</td></tr></tbody></table>
<figure><img alt=""><figcaption>Figure 1. A row.</figcaption></figure><pre>a  b</pre>
<dl><dt>pH</dt><dd>6.5</dd></dl><p id="n1">1. A source.</p></main></body></html>"##;
    vec![
        page.to_vec(),
        b"<p>a<p>b<table><td>c<tr><td>d</table>".to_vec(),
    ]
}

fn markdown(data: &[u8]) {
    read("a.md", data);
}

/// The sample farm's own documents, a dozen of them.
fn markdowns() -> Vec<Vec<u8>> {
    let farm = Path::new(concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../../examples/farm/documents"
    ));
    let mut files = Vec::new();
    for folder in fs::read_dir(farm).into_iter().flatten().flatten() {
        files.extend(fs::read_dir(folder.path()).into_iter().flatten().flatten());
    }
    let mut paths: Vec<_> = files.into_iter().map(|file| file.path()).collect();
    paths.retain(|path| path.extension().is_some_and(|extension| extension == "md"));
    paths.sort();
    let mut seeds: Vec<Vec<u8>> = paths
        .iter()
        .step_by(5)
        .filter_map(|path| fs::read(path).ok())
        .collect();
    let all = b"---\nid: a\ntitle: T\nauthor: [A, B]\nplace: {country: US, region: Iowa}\ncrop: corn\n---\n# T\n\nA.[^1]\n\n\
## B\n\n- c\n  1. d\n\n| d | e |\n|---|:-:|\n| f | g |\n\nTable 1: h\n\n> q\n\n```\ncode\n```\n\n[^1]: h <b>x</b>\n";
    seeds.push(all.to_vec());
    seeds
}

fn xml(data: &[u8]) {
    read("a.xml", data);
}

fn xmls() -> Vec<Vec<u8>> {
    let jats = br#"<?xml version="1.0"?><!DOCTYPE article PUBLIC "-//NLM//DTD JATS" "j.dtd">
<article xml:lang="en"><front><article-meta><article-id pub-id-type="doi">10.1/x</article-id><title-group>
<article-title>Maize <italic>Zea</italic></article-title></title-group><contrib-group><contrib contrib-type="author">
<name><surname>Grower</surname><given-names>A</given-names></name></contrib></contrib-group>
<pub-date><day>1</day><month>3</month><year>2026</year></pub-date><permissions><license xlink:href="https://creativecommons.org/licenses/by/4.0/" xmlns:xlink="http://www.w3.org/1999/xlink"><license-p>CC</license-p></license></permissions>
<abstract><p>Short.</p></abstract></article-meta></front><body><sec><title>Depth</title>
<p>Two inches <xref ref-type="bibr" rid="r1">[1]</xref> H<sub>2</sub>O.</p><list><list-item><p>clay</p></list-item></list>
<table-wrap><label>Table 1</label><caption><p>Depth</p></caption><table><thead><tr><th>soil</th><th>cm</th></tr></thead>
<tbody><tr><td colspan="2">clay</td></tr></tbody></table></table-wrap><fig><label>Fig 1</label><caption><p>Row.</p></caption></fig>
<sec><title>Deeper</title><p>Yes.</p></sec></sec></body><back><ref-list><ref id="r1"><mixed-citation>A. (2020) B.</mixed-citation></ref></ref-list></back></article>"#;
    let tei = br##"<TEI xmlns="http://www.tei-c.org/ns/1.0" xml:lang="en"><teiHeader><fileDesc><titleStmt><title>Maize</title></titleStmt>
<publicationStmt><date when="2026-03-01"/></publicationStmt><sourceDesc><biblStruct><analytic><author><persName><forename>A</forename>
<surname>Grower</surname></persName></author></analytic></biblStruct></sourceDesc></fileDesc><profileDesc><abstract><p>Short.</p></abstract></profileDesc></teiHeader>
<text><body><div><head n="1">Depth</head><p>Two inches <ref type="bibr" target="#b0">[1]</ref>.</p><list><item>clay</item></list>
<figure type="table"><head>Table 1</head><figDesc>Depth</figDesc><table><row><cell>soil</cell><cell cols="2">cm</cell></row></table></figure></div></body>
<back><div type="references"><listBibl><biblStruct xml:id="b0"><analytic><title>B</title></analytic><monogr><imprint><date when="2020"/></imprint></monogr></biblStruct></listBibl></div></back></text></TEI>"##;
    vec![jats.to_vec(), tei.to_vec()]
}

fn csv(data: &[u8]) {
    read("a.csv", data);
}

fn csvs() -> Vec<Vec<u8>> {
    let files: [&[u8]; 3] = [
        b"soil,depth\nclay,3 cm\n\"sand, coarse\",5 cm\n",
        b"soil;depth\r\nclay;3\r\n",
        b"1\t2\n\"3\n\"\"4\"\t5\n",
    ];
    files.map(<[u8]>::to_vec).into()
}

fn text(data: &[u8]) {
    read("a.txt", data);
}

fn texts() -> Vec<Vec<u8>> {
    vec![
        b"PLANTING MAIZE\n\nPlant maize 2 in. deep, e.g. in clay. Dr. Grower says so.\n\n1. Depth\n\n- clay\n- sand\n\n* x\n".to_vec(),
        "Maïs – 5 cm. 氮肥。Wheat in Punjab, India; corn in Iowa (US).\n\n   indented\n".into(),
    ]
}

fn jsonl(data: &[u8]) {
    let path = scratch::file("corpus.jsonl", data);
    let documents = open(&path, "corpus", Tags::default()).expect("the name is known");
    for document in documents.flatten() {
        check(&document);
    }
}

fn jsonls() -> Vec<Vec<u8>> {
    vec![
        br#"{"_id": "d1", "title": "T", "text": "Plant maize deep.", "metadata": {"place": "US/Iowa", "crop": ["corn", 3], "year": 2020, "doi": "10.1/x"}}
{"_id": "d2", "text": "Two.\n\nThree.", "metadata": {"place": {"country": "IN"}, "license": "https://creativecommons.org/licenses/by/4.0/"}}
"#
        .to_vec(),
    ]
}

fn read_pdf(data: &[u8]) {
    read("a.pdf", data);
}

fn tags(data: &[u8]) {
    let path = scratch::file("tagged/tags.toml", data);
    let root = path.parent().expect("it lies in a folder");
    let _ = FolderTags::default().of(root, &root.join("us-iowa/maize.md"));
}

fn tag_files() -> Vec<Vec<u8>> {
    vec![b"place = { country = \"US\", region = \"Iowa\" }\ncrops = [\"maize\"]\ntopics = [\"planting\"]\n[[rule]]\nfiles = \"us-*/**.md\"\ncrops = [\"wheat\"]\n".to_vec()]
}

fn json(data: &[u8]) {
    if let Ok(document) = from_json(Path::new("a.json"), data) {
        let json = to_json(&document).to_string();
        let again = from_json(Path::new("a.json"), json.as_bytes()).expect("its own form");
        assert_eq!(again, document);
    }
}

fn jsons() -> Vec<Vec<u8>> {
    let seeds = markdowns().into_iter().rev().take(2);
    seeds
        .filter_map(|text| read_bytes(Path::new("a.md"), "a.md", &text).ok())
        .map(|document| to_json(&document).to_string().into_bytes())
        .collect()
}
