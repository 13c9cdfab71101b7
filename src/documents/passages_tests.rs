use std::path::Path;

use proptest::prelude::*;

use super::*;
use crate::documents::read_bytes;

/// Counts words.
struct Words;

impl TokenCounter for Words {
    fn count(&self, text: &str) -> usize {
        text.split_whitespace().count()
    }
}

fn cut(text: &str, max_tokens: usize, overlap_tokens: usize) -> Vec<Passage> {
    let document = read_bytes(Path::new("a.md"), "a.md", text.as_bytes()).expect("readable");
    let options = PassageOptions {
        max_tokens,
        overlap_tokens,
    };
    passages(&document, &Words, &options)
}

fn texts(passages: &[Passage]) -> Vec<&str> {
    passages
        .iter()
        .map(|passage| passage.text.as_str())
        .collect()
}

#[test]
fn a_passage_never_crosses_a_section() {
    let cut = cut("# A\nOne two.\n## B\nThree four.\n", 100, 10);
    assert_eq!(texts(&cut), ["One two.", "Three four."]);
    assert_eq!(cut[1].section(), "B");
    assert_eq!(cut[1].indexed_text(), "A - B\nThree four.");
}

#[test]
fn cuts_fall_between_blocks_before_they_fall_between_sentences() {
    let text = "One two three.\n\nFour five six.\n\nSeven eight. Nine ten.\n";
    assert_eq!(
        texts(&cut(text, 8, 0)),
        ["One two three.\nFour five six.", "Seven eight. Nine ten."]
    );
    assert_eq!(
        texts(&cut("One two. Three four. Five six.", 4, 0)),
        ["One two. Three four.", "Five six."]
    );
}

#[test]
fn neighbours_share_whole_sentences() {
    assert_eq!(
        texts(&cut("One two. Three four. Five six. Seven eight.", 4, 2)),
        [
            "One two. Three four.",
            "Three four. Five six.",
            "Five six. Seven eight."
        ]
    );
}

#[test]
fn a_sentence_longer_than_a_passage_is_cut_between_words() {
    let cut = cut("one two three four five.", 2, 1);
    assert_eq!(texts(&cut), ["one two", "three four", "five."]);
}

#[test]
fn a_run_without_spaces_cannot_make_a_huge_passage() {
    let cut = cut(&"ä".repeat(100_000), 10, 2);
    assert!(
        cut.iter()
            .all(|passage| passage.text.len() <= 10 * 16 + 256)
    );
    assert_eq!(
        cut.iter().map(|p| p.text.chars().count()).sum::<usize>(),
        100_000
    );
}

#[test]
fn list_items_stay_whole_and_keep_their_lead_in() {
    let cut = cut("Do this:\n\n- sow early\n- roll later\n", 20, 0);
    assert_eq!(texts(&cut), ["Do this:\n- sow early\n- roll later"]);
}

#[test]
fn a_table_becomes_rows_with_their_headers_and_keeps_its_markdown() {
    let cut = cut(
        "# T\nText.\n\nTable 1. Depth\n\n| Soil | Depth |\n|---|---|\n| clay | 3 cm |\n| sand | |\n\nEnd.\n",
        40,
        5,
    );
    assert_eq!(
        texts(&cut),
        [
            "Text.",
            "Table 1. Depth\nSoil: clay; Depth: 3 cm\nSoil: sand",
            "End."
        ]
    );
    let markdown =
        "Table 1. Depth\n\n| Soil | Depth |\n| --- | --- |\n| clay | 3 cm |\n| sand |  |";
    assert_eq!(cut[1].table.as_deref(), Some(markdown));
}

#[test]
fn a_long_table_is_cut_between_rows() {
    let rows: String = (0..20)
        .map(|i| format!("| soil {i} | {i} cm |\n"))
        .collect();
    let cut = cut(&format!("| Soil | Depth |\n|---|---|\n{rows}"), 20, 5);
    assert!(cut.len() > 4 && cut.iter().all(|passage| passage.table.is_none()));
    assert!(cut[1].text.starts_with("Soil: soil "));
}

#[test]
fn a_passage_has_the_crops_that_it_names() {
    let text = "---\ncrop: [maize, soybean]\n---\n## Corn\nSow it.\n\n## All\nWait.\n";
    let cut = cut(text, 50, 0);
    assert_eq!(cut[0].crops, ["maize"]);
    assert_eq!(cut[1].crops, ["maize", "soybean"]);
}

proptest! {
    #[test]
    fn every_word_is_in_a_passage_and_none_is_too_long(
        lengths in prop::collection::vec(1_usize..12, 1..40),
        max_tokens in 4_usize..20,
        overlap in 0_usize..4,
    ) {
        let mut word = 0;
        let mut text = String::new();
        for (index, length) in lengths.iter().enumerate() {
            let words: Vec<String> = (0..*length).map(|i| format!("Word{}", word + i)).collect();
            word += length;
            text += &words.join(" ");
            text += if index % 3 == 0 { ".\n\n" } else { ". " };
        }
        let cut = cut(&text, max_tokens, overlap);
        let all: Vec<&str> = cut.iter().flat_map(|p| p.text.split_whitespace()).collect();
        for index in 0..word {
            let name = format!("Word{index}");
            prop_assert!(all.iter().any(|found| found.trim_end_matches('.') == name), "{}", name);
        }
        for passage in &cut {
            prop_assert!(Words.count(&passage.text) <= max_tokens, "{:?}", passage.text);
        }
    }
}
