use super::*;

/// `text` as glyphs half as wide as high, from `x` on the base line `y`.
pub fn glyphs(text: &str, x: f32, y: f32, size: f32) -> Vec<Glyph> {
    text.chars()
        .enumerate()
        .map(|(index, ch)| Glyph {
            ch,
            x0: x + index as f32 * size / 2.0,
            x1: x + (index + 1) as f32 * size / 2.0,
            y,
            size,
            style: Style::default(),
            artifact: false,
            mark: None,
        })
        .collect()
}

fn texts(glyphs: &[Glyph]) -> Vec<String> {
    lines(runs(glyphs)).iter().map(Line::text).collect()
}

#[test]
fn letters_make_words_and_gaps_make_spaces() {
    let mut all = glyphs("plant", 10.0, 100.0, 10.0);
    all.extend(glyphs("maize", 38.0, 100.0, 10.0));
    assert_eq!(texts(&all), ["plant maize"]);
    assert_eq!(texts(&glyphs("a b  c", 0.0, 9.0, 10.0)), ["a b c"]);
}

#[test]
fn spaced_out_letters_stay_one_word() {
    let all: Vec<Glyph> = "TABLE"
        .chars()
        .enumerate()
        .flat_map(|(index, ch)| glyphs(&ch.to_string(), 10.0 + 8.0 * index as f32, 50.0, 10.0))
        .collect();
    assert_eq!(texts(&all), ["TABLE"]);
}

#[test]
fn a_raised_mark_joins_its_line() {
    let mut all = glyphs("seed", 10.0, 100.0, 10.0);
    all.extend(glyphs("14", 30.0, 96.5, 6.0));
    all.extend(glyphs("below", 10.0, 112.0, 10.0));
    let lines = lines(runs(&all));
    assert_eq!(lines[0].text(), "seed[14]");
    assert!(lines[0].words[1].raised);
    assert_eq!(lines[1].text(), "below");
}

#[test]
fn raised_figures_do_not_run_into_numbers_and_words() {
    let raised = |text: &str| Word {
        text: text.to_owned(),
        raised: true,
        glued: true,
        ..Word::default()
    };
    let plain = |text: &str| Word {
        text: text.to_owned(),
        ..Word::default()
    };
    for (text, mark, expected) in [
        ("10", "6", "10^6"),
        ("by 12 %.", "14", "by 12 %.[14]"),
        ("m", "2", "m2"),
        ("ha", "−1", "ha−1"),
        ("disorders", "1,2", "disorders[1,2]"),
        ("Bekele", "a", "Bekelea"),
    ] {
        assert_eq!(joined(&[plain(text), raised(mark)]), expected);
    }
}

#[test]
fn letters_that_are_drawn_twice_count_once() {
    let mut all = glyphs("bold", 10.0, 100.0, 10.0);
    all.extend(glyphs("bold", 10.3, 100.0, 10.0));
    assert_eq!(texts(&all), ["bold"]);
}

#[test]
fn a_glyph_drawn_twice_counts_once_and_narrow_letters_side_by_side_are_two() {
    let at = |x: f32| glyphs("l", x, 50.0, 6.9);
    // However the letters fall on a grid of a tenth of their size.
    for step in 0..20 {
        let x = 10.0 + 0.05 * step as f32;
        let narrow = [at(x), at(x + 1.38)].concat();
        assert_eq!(texts(&narrow), ["ll"], "at {x}");
        let bold = [at(x), at(x + 0.3)].concat();
        assert_eq!(texts(&bold), ["l"], "at {x}");
    }
}
