//! Text operators: where each glyph stands, and what it says.

use hayro_font::FontGlyph;
use hayro_font::hayro_cmap::BfString;
use hayro_font::kurbo::{Affine, Point};
use hayro_syntax::content::ops::TypedInstruction;
use hayro_syntax::object::Object;
use hayro_syntax::page::Resources;

use super::super::fonts::Face;
use super::super::page::Glyph;
use super::super::text::characters;
use super::{Run, matrix};

/// Most glyphs of one page; a page of dense print has 10,000.
const MAX_GLYPHS: usize = 200_000;

impl<'a> Run<'_, 'a> {
    /// Follows an operator of text; false where it is none.
    pub(super) fn text_operation(
        &mut self,
        operation: &TypedInstruction<'_, '_>,
        resources: &Resources<'a>,
    ) -> bool {
        use TypedInstruction as Op;
        match operation {
            Op::CharacterSpacing(n) => self.state.char_space = n.0.as_f64(),
            Op::WordSpacing(n) => self.state.word_space = n.0.as_f64(),
            Op::HorizontalScaling(n) => self.state.scale = n.0.as_f64() / 100.0,
            Op::TextLeading(n) => self.state.leading = n.0.as_f64(),
            Op::TextRise(n) => self.state.rise = n.0.as_f64(),
            Op::TextRenderingMode(n) => self.state.mode = n.0.as_i64(),
            Op::TextFont(font) => {
                self.set_font(resources.get_font(font.0).as_ref(), font.1.as_f64());
            }
            Op::BeginText(_) => {
                self.text = Affine::IDENTITY;
                self.line = Affine::IDENTITY;
            }
            Op::NextLine(n) => self.next_line(n.0.as_f64(), n.1.as_f64()),
            Op::NextLineAndSetLeading(n) => {
                self.state.leading = -n.1.as_f64();
                self.next_line(n.0.as_f64(), n.1.as_f64());
            }
            Op::SetTextMatrix(t) => {
                self.line = matrix([&t.0, &t.1, &t.2, &t.3, &t.4, &t.5].map(|n| n.as_f64()));
                self.text = self.line;
            }
            Op::NextLineUsingLeading(_) => self.next_line(0.0, -self.state.leading),
            Op::ShowText(text) => self.show(text.0.as_bytes()),
            Op::NextLineAndShowText(text) => {
                self.next_line(0.0, -self.state.leading);
                self.show(text.0.as_bytes());
            }
            Op::ShowTextWithParameters(text) => {
                self.state.word_space = text.0.as_f64();
                self.state.char_space = text.1.as_f64();
                self.next_line(0.0, -self.state.leading);
                self.show(text.2.as_bytes());
            }
            Op::ShowTexts(texts) => {
                for item in texts.0.iter::<Object<'_>>() {
                    match item {
                        Object::String(text) => self.show(text.as_bytes()),
                        Object::Number(n) => {
                            let shift = -n.as_f64() / 1000.0 * self.state.size;
                            self.advance(shift * self.state.scale);
                        }
                        _ => {}
                    }
                }
            }
            _ => return false,
        }
        true
    }

    fn next_line(&mut self, x: f64, y: f64) {
        self.line *= Affine::translate((x, y));
        self.text = self.line;
    }

    fn advance(&mut self, x: f64) {
        self.text *= Affine::translate((x, 0.0));
    }

    fn show(&mut self, bytes: &[u8]) {
        let Some((font, face)) = self.state.font.clone() else {
            return;
        };
        let mut at = 0;
        while at < bytes.len() && self.interpreter.budget.steps > 0 {
            self.interpreter.budget.steps -= 1;
            let (code, length) = font.read_code(bytes, at);
            at += length.max(1);
            let mut width =
                font.code_advance(code).x / 1000.0 * self.state.size + self.state.char_space;
            if code == 32 && length == 1 {
                width += self.state.word_space;
            }
            let width = width * self.state.scale;
            let unicode = match font.glyph(font.map_code(code), code) {
                FontGlyph::Outline(glyph) => glyph.as_unicode(),
                FontGlyph::Type3(glyph) => glyph.as_unicode(),
            };
            let ink = width - self.state.char_space * self.state.scale;
            self.glyph(unicode, ink, &face);
            self.advance(width);
        }
    }

    fn glyph(&mut self, unicode: Option<BfString>, width: f64, face: &Face) {
        let told = self
            .marks
            .iter_mut()
            .rev()
            .find_map(|mark| mark.actual.as_mut());
        let text = match (told, unicode) {
            (Some(actual), _) => std::mem::take(actual),
            (None, Some(BfString::Char(ch))) => characters(ch, face.symbolic),
            (None, Some(BfString::String(text))) => text
                .chars()
                .map(|ch| characters(ch, face.symbolic))
                .collect(),
            (None, None) => char::REPLACEMENT_CHARACTER.to_string(),
        };
        let matrix = self.state.ctm * self.text;
        let [a, b, c, d, ..] = matrix.as_coeffs();
        let start = matrix * Point::new(0.0, self.state.rise);
        let (dx, dy) = (a * width, b * width);
        let size = self.state.size.abs() * c.hypot(d);
        if !(start.x.is_finite() && start.y.is_finite() && (0.5..2_000.0).contains(&size)) {
            return;
        }
        let (page_width, page_height) = (f64::from(self.page.width), f64::from(self.page.height));
        let unit = a.hypot(b).max(f64::MIN_POSITIVE);
        let (x, y, length, glyphs) = match (a / unit, b / unit) {
            (cos, _) if cos > 0.97 => (start.x, start.y, dx, &mut self.page.glyphs),
            (_, sin) if sin < -0.97 => (page_height - start.y, start.x, -dy, &mut self.sideways[0]),
            (_, sin) if sin > 0.97 => (start.y, page_width - start.x, dy, &mut self.sideways[1]),
            _ => return,
        };
        let count = text.chars().count();
        if count == 0 || glyphs.len() + count > MAX_GLYPHS {
            return;
        }
        let mut style = face.style;
        style.bold |= self.state.mode == 2;
        let artifact = self.marks.iter().any(|mark| mark.artifact);
        let mark = self.marks.iter().rev().find_map(|mark| mark.number);
        for (index, ch) in text.chars().enumerate() {
            let part = |n: usize| (x + length * n as f64 / count as f64) as f32;
            glyphs.push(Glyph {
                ch,
                x0: part(index),
                x1: part(index + 1),
                y: y as f32,
                size: size as f32,
                style,
                artifact,
                mark,
            });
        }
    }
}
