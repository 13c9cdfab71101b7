use std::path::{Path, PathBuf};

use super::*;
use crate::documents::{Body, Reference, Section, Table, read_bytes, read_file};

fn read(text: &str) -> Content {
    let source = Source {
        path: Path::new("a.xml"),
        bytes: text.as_bytes(),
    };
    XmlReader.read(source).expect("readable")
}

fn bodies(content: &Content) -> Vec<&Body> {
    let blocks = content.sections.iter().flat_map(|section| &section.blocks);
    blocks.map(|block| &block.body).collect()
}

fn jats(body: &str) -> Content {
    read(&format!(
        "<article xmlns:mml=\"m\" xmlns:xlink=\"x\"><body>{body}</body></article>"
    ))
}

fn paragraph(text: &str) -> Body {
    Body::Paragraph(text.into())
}

/// A folder of real articles beside the checkout, where there is one.
fn shared(name: &str) -> Option<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../shared/data")
        .join(name);
    if !folder.is_dir() {
        eprintln!("skipped: no {}", folder.display());
        return None;
    }
    Some(folder)
}

#[test]
fn the_front_of_an_article_gives_its_metadata() {
    let content = read(
        "<article xmlns:xlink=\"x\" xml:lang=\"en\"><front><journal-meta/><article-meta><article-id pub-id-type=\"pmcid\">12</article-id><article-id pub-id-type=\"doi\">10.1/x</article-id><title-group><article-title>Zinc in <italic>wheat</italic><xref ref-type=\"fn\" rid=\"f\">*</xref></article-title><subtitle>a trial</subtitle></title-group><contrib-group><contrib contrib-type=\"author\"><name><surname>Chattha</surname><given-names>M. U.</given-names></name></contrib><contrib contrib-type=\"editor\"><name><surname>No</surname></name></contrib><contrib><collab>Group</collab></contrib></contrib-group><pub-date pub-type=\"collection\"><year>2016</year></pub-date><pub-date pub-type=\"epub\"><day>14</day><month>3</month><year>2017</year></pub-date><permissions><license xlink:href=\"http://creativecommons.org/licenses/by/4.0/\"><license-p>Open.</license-p></license></permissions><abstract><p>Short.</p></abstract><abstract abstract-type=\"structured\"><title>Summary</title><sec><title>Aim</title><p>To see.</p></sec></abstract><kwd-group><kwd>zinc</kwd></kwd-group><counts><page-count count=\"8\"/></counts></article-meta></front></article>",
    );
    let metadata = &content.metadata;
    assert_eq!(metadata.title.as_deref(), Some("Zinc in wheat: a trial"));
    assert_eq!(metadata.authors, ["M. U. Chattha", "Group"]);
    assert_eq!(metadata.date.as_deref(), Some("2017-03-14"));
    assert_eq!(metadata.source.as_deref(), Some("https://doi.org/10.1/x"));
    assert_eq!(metadata.licence.as_deref(), Some("CC BY 4.0"));
    assert_eq!(metadata.language.as_deref(), Some("en"));
    assert_eq!(metadata.topics, ["zinc"]);
    assert_eq!(metadata.pages, Some(8));
    let paths: Vec<_> = content
        .sections
        .iter()
        .map(|section| section.headings.join("/"))
        .collect();
    assert_eq!(paths, ["Abstract", "Summary/Aim"]);
}

#[test]
fn numbered_marks_go_and_named_ones_stay() {
    let content = jats(
        "<p>Zinc helps [<xref ref-type=\"bibr\" rid=\"a\">1</xref>, <xref ref-type=\"bibr\" rid=\"b\">2</xref>], as <xref ref-type=\"bibr\" rid=\"c\">Smith et al. (2010)</xref> saw<sup><xref ref-type=\"bibr\" rid=\"d\">3</xref></sup> (<xref ref-type=\"fig\" rid=\"f\">Fig. 1</xref>; <xref ref-type=\"bibr\" rid=\"e\">4</xref>).</p>",
    );
    assert_eq!(
        bodies(&content),
        [&paragraph(
            "Zinc helps, as Smith et al. (2010) saw (Fig. 1)."
        )]
    );
}

#[test]
fn formulas_and_powers_become_text() {
    let content = jats(
        "<p>At 10<sup>3</sup> kg ha<sup>-1</sup> of H<sub>2</sub>O, <inline-formula><alternatives><tex-math>\\documentclass{a}\\begin{document}$$y$$\\end{document}</tex-math><mml:math><mml:mi>y</mml:mi><mml:mo>=</mml:mo><mml:mfrac><mml:mi>a</mml:mi><mml:mrow><mml:mi>b</mml:mi><mml:mo>+</mml:mo><mml:mn>1</mml:mn></mml:mrow></mml:mfrac></mml:math></alternatives></inline-formula>.</p><disp-formula><alternatives><tex-math>\\begin{document}$$E=mc^2$$\\end{document}</tex-math></alternatives></disp-formula>",
    );
    assert_eq!(
        bodies(&content),
        [
            &paragraph("At 10^3 kg ha-1 of H2O, y = a/(b + 1)."),
            &paragraph("E=mc^2")
        ]
    );
}

#[test]
fn tables_figures_and_boxes_stand_where_they_are_named() {
    let content = read(
        "<article><body><sec><title>Results</title><p>See <xref ref-type=\"table\" rid=\"t1\">Table 1</xref>.</p><p>After.</p><boxed-text><title>Box 1</title><p>Note.</p></boxed-text><p>Last.</p></sec></body><floats-group><fig id=\"f1\"><label>Figure 1</label><caption><p>A field.</p></caption></fig><table-wrap id=\"t1\"><label>Table 1</label><caption><p>Yields</p></caption><table><thead><tr><th>Soil</th><th>t/ha</th></tr></thead><tbody><tr><td>clay</td><td>3<xref ref-type=\"table-fn\" rid=\"n\">a</xref></td></tr></tbody></table><table-wrap-foot><fn><label>a</label><p>Dry.</p></fn></table-wrap-foot></table-wrap></floats-group></article>",
    );
    let tree: Vec<(String, usize)> = content
        .sections
        .iter()
        .map(|section| (section.headings.join("/"), section.blocks.len()))
        .collect();
    let expected = [
        ("Results", 4),
        ("Results/Box 1", 1),
        ("Results", 1),
        ("", 1),
    ];
    assert_eq!(
        tree,
        expected.map(|(path, blocks)| (path.to_owned(), blocks))
    );
    let table = Table {
        caption: Some("Table 1. Yields".into()),
        header: vec!["Soil".into(), "t/ha".into()],
        rows: vec![vec!["clay".into(), "3".into()]],
    };
    assert_eq!(content.sections[0].blocks[1].body, Body::Table(table));
    assert_eq!(content.sections[0].blocks[2].body, paragraph("Dry."));
    assert_eq!(
        bodies(&content)[6],
        &Body::Caption("Figure 1. A field.".into())
    );
}

#[test]
fn sources_are_kept_as_references_and_never_as_text() {
    let content = read(
        "<article><body><p>Text.</p></body><back><ack><p>Thanks.</p></ack><ref-list><title>References</title><ref id=\"r1\"><label>1.</label><mixed-citation><name><surname>Smith</surname> <given-names>J</given-names></name>. <article-title>On zinc</article-title>. <year>2010</year>.</mixed-citation></ref><ref id=\"r2\"><element-citation><person-group><name><surname>Ali</surname><given-names>K</given-names></name></person-group><article-title>On iron</article-title><source>Crops</source><year>2011</year><fpage>1</fpage><lpage>9</lpage><pub-id pub-id-type=\"doi\">10.2/y</pub-id></element-citation></ref></ref-list></back></article>",
    );
    assert_eq!(
        bodies(&content),
        [&paragraph("Text."), &paragraph("Thanks.")]
    );
    let reference = |label: &str, text: &str| Reference {
        label: label.into(),
        text: text.into(),
    };
    assert_eq!(
        content.references,
        [
            reference("1.", "Smith J. On zinc. 2010."),
            reference(
                "r2",
                "Ali K. On iron. Crops. 2011. 1-9. https://doi.org/10.2/y"
            ),
        ]
    );
}

#[test]
fn tei_coordinates_give_pages_where_they_are_sure() {
    let content = read(
        "<TEI><text><body><div><head n=\"1.\">A</head><p coords=\"1,5,5,5,5;2,5,5,5,5\">One.</p><p>Two <ref type=\"bibr\" coords=\"1,1,1,1,1\">[3]</ref>.</p><p><s coords=\"2,1,1,1,1\">Three.</s><s coords=\"3,1,1,1,1\">Four.</s></p></div><div><head n=\"1.1\">B</head><p>Five <ref type=\"figure\" target=\"#f\" coords=\"3,1,1,1,1\">Fig. 1</ref></p></div><figure xml:id=\"f\" coords=\"4,1,1,1,1\"><head>Fig. 1</head><label>1</label><figDesc>A field</figDesc></figure></body></text></TEI>",
    );
    let blocks: Vec<(Option<u32>, &Body)> = content
        .sections
        .iter()
        .flat_map(|section| &section.blocks)
        .map(|block| (block.page, &block.body))
        .collect();
    assert_eq!(
        blocks,
        [
            (Some(1), &paragraph("One.")),
            (Some(1), &paragraph("Two.")),
            (Some(2), &paragraph("Three. Four.")),
            (Some(3), &paragraph("Five Fig. 1")),
            (Some(4), &Body::Caption("Fig. 1. A field".into())),
        ]
    );
    assert_eq!(content.sections[1].headings, ["A", "B"]);
}

#[test]
fn other_xml_and_bombs_are_refused_with_a_reason() {
    for (text, reason) in [
        ("<rss/>", "root element is <rss>"),
        ("<article><body>", "a tag"),
        (
            "<!DOCTYPE article [<!ENTITY a \"b\">]><article>&a;</article>",
            "declares",
        ),
        ("<article>&nbsp;</article>", "nbsp"),
        ("no xml", "XML"),
    ] {
        let source = Source {
            path: Path::new("a.xml"),
            bytes: text.as_bytes(),
        };
        let error = XmlReader.read(source).expect_err(text).to_string();
        assert!(error.starts_with("a.xml: cannot be read as XML"), "{error}");
        assert!(reason == "a tag" || error.contains(reason), "{error}");
    }
    let nested = "<article><body>".to_owned()
        + &"<sec>".repeat(150)
        + "<p>x</p>"
        + &"</sec>".repeat(150)
        + "</body></article>";
    assert_eq!(read(&nested).sections.len(), 1);
    let marks = "<xref ref-type=\"bibr\">".repeat(150) + "1" + &"</xref>".repeat(150);
    assert_eq!(
        bodies(&jats(&format!("<p>Text {marks}</p>"))),
        [&paragraph("Text")]
    );
}

/// The headings of the article, by hand from its TEI; the words under them are ours.
fn page_with_headings(headings: &[String], title: &str) -> String {
    let mut page = format!("<html><head><title>{title}</title></head><body><main><h1>{title}</h1>");
    for heading in headings {
        page.push_str(&format!("<h2>{heading}</h2><p>Words about it.</p>"));
    }
    page + "</main></body></html>"
}

#[test]
fn an_article_of_grobid_and_a_page_with_its_headings_give_the_same_tree() {
    let Some(folder) = shared("grobid_tei") else {
        return;
    };
    let files = std::fs::read_dir(folder).expect("readable");
    let file = files
        .filter_map(|entry| Some(entry.ok()?.path()))
        .find(|path| path.to_string_lossy().ends_with(".tei.xml"))
        .expect("the article");
    let tei = read_file(&file, "tei").expect("readable");
    assert!(
        tei.title
            .starts_with("Multi-contact functional electrical stimulation")
    );
    assert_eq!(tei.authors.len(), 5, "{:?}", tei.authors);
    assert_eq!(tei.pages, Some(9));
    assert!(tei.references.len() > 40);
    let paths = |sections: &[Section]| -> Vec<String> {
        sections
            .iter()
            .map(|section| section.headings.join("/"))
            .collect()
    };
    let expected = [
        "Abstract",
        "Background",
        "Methods",
        "Participants",
        "Experimental setup",
        "Kinematics recording",
        "Experimental protocol",
        "Scanning the array and selecting the optimal stimulation patterns",
        "Stimulating at the optimal patterns",
        "Data analysis",
        "Results",
        "Optimal patterns vs control measurements",
        "Selectivity with optimal stimulation pattern",
        "Hand opening with a rotated forearm position",
        "Discussion",
        "Innovation of the study",
        "Potential Application for Neurorehabilitation",
        "Possible limitations and future perspectives",
        "Conclusions",
        "Competing interests",
    ];
    let mut found = paths(&tei.sections);
    // Figures that no words point to stand at the end, under no heading.
    assert_eq!(found.pop().as_deref(), Some(""));
    assert_eq!(found, expected);
    let page = page_with_headings(&found, &tei.title);
    let html = read_bytes(Path::new("a.html"), "html", page.as_bytes()).expect("readable");
    assert_eq!(paths(&html.sections), found);
    assert_eq!(html.title, tei.title);
    let captions = tei.sections.iter().flat_map(|section| &section.blocks);
    let captions = captions.filter(|block| matches!(block.body, Body::Caption(_)));
    let pages: Vec<_> = captions.map(|caption| caption.page).collect();
    assert_eq!(pages, [Some(5), Some(7), Some(7), Some(6)]);
}

#[test]
fn every_article_of_a_real_collection_has_its_metadata_and_sections() {
    let Some(folder) = shared("pmc_crop_oa/jats") else {
        return;
    };
    let mut count = 0;
    for entry in std::fs::read_dir(folder).expect("readable") {
        let path = entry.expect("readable").path();
        let article = read_file(&path, "x").expect("a whole article");
        let name = path.display();
        assert!(
            article
                .source
                .is_some_and(|source| source.starts_with("https://")),
            "{name}"
        );
        assert!(
            article
                .licence
                .is_some_and(|licence| licence.starts_with("CC")),
            "{name}"
        );
        assert!(
            article.date.is_some() && !article.authors.is_empty(),
            "{name}"
        );
        assert!(
            article.sections.len() >= 3,
            "{name}: {}",
            article.sections.len()
        );
        assert!(
            article.references.len() >= 5,
            "{name}: {}",
            article.references.len()
        );
        count += 1;
    }
    assert_eq!(count, 165);
}
