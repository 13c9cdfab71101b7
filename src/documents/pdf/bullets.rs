//! Bullets that are drawn and not written: browsers print a list's marks as small discs, rings and squares.

use super::page::{Glyph, Page, Rect};

/// Most small shapes of a page that can be bullets; more are a drawing's points.
const MAX_DOTS: usize = 400;

/// How far before its item a bullet stands at most, in sizes of the text.
const REACH: f32 = 2.5;

/// Width in which an item has some letters, in sizes of the text.
const ITEM: f32 = 10.0;

/// White before a bullet, in sizes of the text: within a line a shape is none.
const WHITE: f32 = 1.5;

/// The drawn bullets among `glyphs`, as letters on the base lines of their items.
pub(super) fn drawn(page: &Page, glyphs: &[Glyph]) -> Vec<Glyph> {
    if page.dots.len() > MAX_DOTS {
        return Vec::new();
    }
    let mut bullets: Vec<Glyph> = Vec::new();
    for dot in &page.dots {
        // A ring and what fills it are drawn one after the other.
        let is_again = |bullet: &Glyph| (bullet.x0 - dot.x0).abs() < 2.0 && beside(bullet, dot);
        if bullets.iter().any(is_again) {
            continue;
        }
        bullets.extend(bullet(dot, glyphs));
    }
    bullets
}

/// Whether `dot` stands at the middle of the small letters of the line of `glyph`.
fn beside(glyph: &Glyph, dot: &Rect) -> bool {
    let above = (glyph.y - (dot.y0 + dot.y1) / 2.0) / glyph.size;
    (0.1..0.6).contains(&above) && dot.height() < 0.65 * glyph.size
}

fn bullet(dot: &Rect, glyphs: &[Glyph]) -> Option<Glyph> {
    let written = || glyphs.iter().filter(|glyph| !glyph.ch.is_whitespace());
    let next = written()
        .filter(|glyph| glyph.x0 > dot.x1 - 0.5 && beside(glyph, dot))
        .min_by(|a, b| a.x0.total_cmp(&b.x0))?;
    let is_near = next.x0 - dot.x1 < REACH * next.size;
    let is_first = !written().any(|glyph| {
        beside(glyph, dot) && glyph.x0 < dot.x1 && glyph.x1 > dot.x0 - WHITE * glyph.size
    });
    // The points of a drawing have a letter beside them.
    let words = written().filter(|glyph| {
        glyph.ch.is_alphabetic()
            && beside(glyph, dot)
            && (next.x0..next.x0 + ITEM * next.size).contains(&glyph.x0)
    });
    (is_near && is_first && words.count() > 3).then_some(Glyph {
        ch: '•',
        x0: dot.x0,
        x1: dot.x1,
        ..*next
    })
}

#[cfg(test)]
mod tests {
    use super::super::lines::tests::glyphs;
    use super::*;

    fn dot(x: f32, y: f32) -> Rect {
        Rect {
            x0: x,
            y0: y - 2.0,
            x1: x + 4.0,
            y1: y + 2.0,
        }
    }

    fn found(dots: Vec<Rect>) -> Vec<(f32, f32)> {
        let mut text = glyphs("Sow early", 60.0, 100.0, 10.0);
        text.extend(glyphs("Weed twice", 60.0, 112.0, 10.0));
        let page = Page {
            dots,
            ..Page::default()
        };
        let bullets = drawn(&page, &text);
        assert!(bullets.iter().all(|glyph| glyph.ch == '•'), "{bullets:?}");
        bullets.iter().map(|glyph| (glyph.x0, glyph.y)).collect()
    }

    #[test]
    fn a_disc_before_a_line_is_its_bullet_once() {
        let dots = vec![dot(50.0, 97.0), dot(50.5, 97.0), dot(50.0, 109.0)];
        assert_eq!(found(dots), [(50.0, 100.0), (50.0, 112.0)]);
    }

    #[test]
    fn points_amid_or_far_from_text_are_no_bullets() {
        let dots = vec![dot(80.0, 97.0), dot(10.0, 97.0), dot(50.0, 300.0)];
        assert_eq!(found(dots), []);
    }
}
