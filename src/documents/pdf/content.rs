//! Runs a page's content stream and notes what it draws.
//!
//! Only what bears on text is followed: matrices, fonts, text, straight paths, forms, marked content.
//! Every loop draws on one [`Budget`], so that a hostile file ends early instead of never.

use std::rc::Rc;

use hayro_font::hayro_cmap::{self, BfString};
use hayro_font::kurbo::{Affine, Point};
use hayro_font::{CMapResolverFn, FontCache, FontGlyph, FontQuery, FontResolverFn};
use hayro_syntax::content::TypedIter;
use hayro_syntax::content::ops::TypedInstruction;
use hayro_syntax::object::{Dict, Name, Object, Stream};
use hayro_syntax::page::{Page as SourcePage, Resources};

use super::fonts::{Face, Faces};
use super::page::{Glyph, Page, Rect};
use super::text::characters;

/// Deepest nesting of forms.
const MAX_DEPTH: u32 = 12;

/// Most saved graphics states.
const MAX_STATES: usize = 512;

/// Most glyphs of one page; a page of dense print has 10,000.
const MAX_GLYPHS: usize = 200_000;

/// Most rules, boxes and pictures of one page, each.
const MAX_SHAPES: usize = 20_000;

/// Rules are at most this thick, in points.
const MAX_RULE: f64 = 3.0;

/// What is left of the work that one document may cost.
pub(super) struct Budget {
    /// Operators and glyphs.
    pub steps: u64,
    /// Bytes that forms unpack to.
    pub form_bytes: u64,
}

/// Reads the pages of one document.
pub(super) struct Interpreter<'a> {
    cache: FontCache<'a>,
    faces: Faces,
    font_resolver: FontResolverFn,
    cmap_resolver: CMapResolverFn,
    budget: Budget,
}

impl<'a> Interpreter<'a> {
    pub fn new(budget: Budget) -> Self {
        Interpreter {
            cache: FontCache::new(),
            faces: Faces::default(),
            font_resolver: std::sync::Arc::new(|query| {
                Some(match query {
                    FontQuery::Standard(font) => font.get_font_data(),
                    FontQuery::Fallback(query) => query.pick_standard_font().get_font_data(),
                })
            }),
            cmap_resolver: std::sync::Arc::new(hayro_cmap::load_embedded),
            budget,
        }
    }

    /// Whether the work was cut short.
    pub fn is_exhausted(&self) -> bool {
        self.budget.steps == 0 || self.budget.form_bytes == 0
    }

    /// What `source` shows, upright: a page whose text runs sideways is turned.
    pub fn page(&mut self, source: &SourcePage<'a>) -> Page {
        let (width, height) = source.render_dimensions();
        let base = Affine::new(source.initial_transform(true).as_coeffs());
        let mut run = Run {
            interpreter: self,
            page: Page {
                width,
                height,
                ..Page::default()
            },
            state: State::new(base),
            saved: Vec::new(),
            text: Affine::IDENTITY,
            line: Affine::IDENTITY,
            path: Path::default(),
            marks: Vec::new(),
            sideways: [Vec::new(), Vec::new()],
            uprights: Vec::new(),
        };
        run.operations(source.typed_operations(), source.resources(), 0);
        run.finish()
    }
}

#[derive(Clone)]
struct State<'a> {
    ctm: Affine,
    font: Option<(hayro_font::Font<'a>, Rc<Face>)>,
    size: f64,
    char_space: f64,
    word_space: f64,
    scale: f64,
    leading: f64,
    rise: f64,
    mode: i64,
    line_width: f64,
}

impl State<'_> {
    fn new(ctm: Affine) -> Self {
        State {
            ctm,
            font: None,
            size: 1.0,
            char_space: 0.0,
            word_space: 0.0,
            scale: 1.0,
            leading: 0.0,
            rise: 0.0,
            mode: 0,
            line_width: 1.0,
        }
    }
}

/// Straight pieces of the path that is being built.
#[derive(Default)]
struct Path {
    at: Point,
    start: Point,
    segments: Vec<(Point, Point)>,
    rects: Vec<(Point, Point)>,
}

/// Marked content that is open.
struct Mark {
    artifact: bool,
    /// What the content says, until its first glyph has taken it; empty then.
    actual: Option<String>,
}

struct Run<'i, 'a> {
    interpreter: &'i mut Interpreter<'a>,
    page: Page,
    state: State<'a>,
    saved: Vec<State<'a>>,
    text: Affine,
    line: Affine,
    path: Path,
    marks: Vec<Mark>,
    /// Glyphs of text that runs upwards and downwards, already turned.
    sideways: [Vec<Glyph>; 2],
    /// Vertical lines: the rules of a page that is turned.
    uprights: Vec<Rect>,
}

impl<'a> Run<'_, 'a> {
    fn operations(&mut self, mut operations: TypedIter<'_>, resources: &Resources<'a>, depth: u32) {
        let floor = self.saved.len();
        let marks = self.marks.len();
        while let Some(operation) = operations.next() {
            if self.interpreter.budget.steps == 0 {
                break;
            }
            self.interpreter.budget.steps -= 1;
            self.operation(&operation, resources, depth, floor);
        }
        self.marks.truncate(marks);
        if let Some(state) = self.saved.drain(floor..).next() {
            self.state = state;
        }
    }

    fn operation(
        &mut self,
        operation: &TypedInstruction<'_, '_>,
        resources: &Resources<'a>,
        depth: u32,
        floor: usize,
    ) {
        use TypedInstruction as Op;
        match operation {
            Op::SaveState(_) if self.saved.len() < MAX_STATES => {
                self.saved.push(self.state.clone());
            }
            Op::RestoreState(_) if self.saved.len() > floor => {
                if let Some(state) = self.saved.pop() {
                    self.state = state;
                }
            }
            Op::Transform(t) => {
                self.state.ctm *= matrix([&t.0, &t.1, &t.2, &t.3, &t.4, &t.5].map(|n| n.as_f64()));
            }
            Op::LineWidth(width) => self.state.line_width = width.0.as_f64(),
            Op::SetGraphicsState(name) => self.graphics_state(name.0, resources),
            Op::XObject(name) => self.x_object(name.0, resources, depth),
            Op::InlineImage(_) => self.image(),
            Op::BeginMarkedContent(mark) => self.begin_mark(mark.0, None),
            Op::BeginMarkedContentWithProperties(mark) => {
                let dict = match mark.1 {
                    Object::Dict(dict) => actual_text(dict),
                    Object::Name(name) => resources
                        .properties
                        .get::<Dict<'_>>(name)
                        .and_then(|dict| actual_text(&dict)),
                    _ => None,
                };
                self.begin_mark(mark.0, dict);
            }
            Op::EndMarkedContent(_) => {
                self.marks.pop();
            }
            _ => {
                if !self.text_operation(operation, resources) {
                    self.path_operation(operation);
                }
            }
        }
    }

    fn text_operation(
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

    fn path_operation(&mut self, operation: &TypedInstruction<'_, '_>) {
        use TypedInstruction as Op;
        match operation {
            Op::MoveTo(p) => self.move_to(p.0.as_f64(), p.1.as_f64()),
            Op::LineTo(p) => self.line_to(p.0.as_f64(), p.1.as_f64()),
            Op::CubicTo(p) => self.path.at = self.place(p.4.as_f64(), p.5.as_f64()),
            Op::CubicStartTo(p) => self.path.at = self.place(p.2.as_f64(), p.3.as_f64()),
            Op::CubicEndTo(p) => self.path.at = self.place(p.2.as_f64(), p.3.as_f64()),
            Op::ClosePath(_) => self.close(),
            Op::RectPath(r) => {
                let (x, y) = (r.0.as_f64(), r.1.as_f64());
                if self.path.rects.len() < MAX_SHAPES {
                    let corners = (
                        self.place(x, y),
                        self.place(x + r.2.as_f64(), y + r.3.as_f64()),
                    );
                    self.path.rects.push(corners);
                }
            }
            Op::CloseAndStrokePath(_) => {
                self.close();
                self.paint(true);
            }
            Op::StrokePath(_) => self.paint(true),
            Op::FillPathNonZero(_)
            | Op::FillPathNonZeroCompatibility(_)
            | Op::FillPathEvenOdd(_)
            | Op::FillAndStrokeNonZero(_)
            | Op::FillAndStrokeEvenOdd(_)
            | Op::CloseFillAndStrokeNonZero(_)
            | Op::CloseFillAndStrokeEvenOdd(_) => {
                self.close();
                self.paint(false);
            }
            Op::EndPath(_) => self.path = Path::default(),
            _ => {}
        }
    }

    fn graphics_state(&mut self, name: &Name<'_>, resources: &Resources<'a>) {
        let Some(dict) = resources.get_ext_g_state(name) else {
            return;
        };
        if let Some(font) = dict.get::<hayro_syntax::object::Array<'a>>("Font") {
            let mut items = font.flex_iter();
            let dict = items.next::<Dict<'a>>();
            let size = items.next::<f32>();
            if let (Some(dict), Some(size)) = (dict, size) {
                self.set_font(Some(&dict), f64::from(size));
            }
        }
    }

    fn set_font(&mut self, dict: Option<&Dict<'a>>, size: f64) {
        self.state.size = size;
        self.state.font = dict.and_then(|dict| {
            let interpreter = &mut *self.interpreter;
            let font = interpreter.cache.font(
                dict,
                &interpreter.font_resolver,
                &interpreter.cmap_resolver,
            )?;
            Some((font, interpreter.faces.of(dict)))
        });
    }

    fn x_object(&mut self, name: &Name<'_>, resources: &Resources<'a>, depth: u32) {
        let Some(stream) = resources.get_x_object(name) else {
            return;
        };
        let dict = stream.dict();
        let is_form = dict
            .get::<Name<'_>>("Subtype")
            .is_some_and(|kind| kind.as_str() == "Form");
        if !is_form {
            self.image();
        } else if depth < MAX_DEPTH {
            self.form(&stream, resources, depth);
        }
    }

    fn form(&mut self, stream: &Stream<'a>, resources: &Resources<'a>, depth: u32) {
        let Ok(data) = stream.decoded_data() else {
            return;
        };
        let cost = data.len() as u64 + 1;
        let left = &mut self.interpreter.budget.form_bytes;
        *left = left.saturating_sub(cost);
        if *left == 0 {
            return;
        }
        let dict = stream.dict();
        let own = dict.get::<Dict<'a>>("Resources").map(Resources::new);
        let outer = self.state.clone();
        let (text, line) = (self.text, self.line);
        if let Some(coefficients) = dict.get::<[f64; 6]>("Matrix") {
            self.state.ctm *= matrix(coefficients);
        }
        self.operations(
            TypedIter::new(data.as_ref()),
            own.as_ref().unwrap_or(resources),
            depth + 1,
        );
        self.state = outer;
        (self.text, self.line) = (text, line);
    }

    fn image(&mut self) {
        let corners = [(0.0, 0.0), (1.0, 1.0)].map(|(x, y)| self.place(x, y));
        if self.page.images.len() < MAX_SHAPES {
            self.page.images.push(rect(corners[0], corners[1]));
        }
    }

    fn begin_mark(&mut self, tag: &Name<'_>, actual: Option<String>) {
        if self.marks.len() < MAX_STATES {
            self.marks.push(Mark {
                artifact: tag.as_str() == "Artifact",
                actual,
            });
        }
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
            });
        }
    }

    fn place(&self, x: f64, y: f64) -> Point {
        self.state.ctm * Point::new(x, y)
    }

    fn move_to(&mut self, x: f64, y: f64) {
        self.path.at = self.place(x, y);
        self.path.start = self.path.at;
    }

    fn line_to(&mut self, x: f64, y: f64) {
        let to = self.place(x, y);
        self.segment(to);
    }

    fn close(&mut self) {
        self.segment(self.path.start);
    }

    fn segment(&mut self, to: Point) {
        if self.path.segments.len() < MAX_SHAPES && self.path.at != to {
            self.path.segments.push((self.path.at, to));
        }
        self.path.at = to;
    }

    /// Notes the shapes of the path and forgets it.
    fn paint(&mut self, stroke: bool) {
        let path = std::mem::take(&mut self.path);
        let [a, b, ..] = self.state.ctm.as_coeffs();
        let thick = self.state.line_width * a.hypot(b);
        for (from, to) in path.rects {
            self.area(rect(from, to));
        }
        if stroke {
            for (from, to) in path.segments {
                let straight = (from.y - to.y).abs() < 1.0 || (from.x - to.x).abs() < 1.0;
                if straight && thick <= MAX_RULE {
                    self.area(rect(from, to));
                }
            }
        } else if path.segments.len() <= 12 && path.segments.len() > 2 {
            let points = || path.segments.iter().flat_map(|(from, to)| [from, to]);
            let x = |f: fn(f64, f64) -> f64| points().map(|p| p.x).reduce(f).unwrap_or_default();
            let y = |f: fn(f64, f64) -> f64| points().map(|p| p.y).reduce(f).unwrap_or_default();
            self.area(rect(
                Point::new(x(f64::min), y(f64::min)),
                Point::new(x(f64::max), y(f64::max)),
            ));
        }
    }

    fn area(&mut self, area: Rect) {
        if area.height() <= MAX_RULE as f32 {
            if area.width() > 10.0 && self.page.rules.len() < MAX_SHAPES {
                self.page.rules.push(area);
            }
        } else if area.width() <= MAX_RULE as f32 {
            if area.height() > 10.0 && self.uprights.len() < MAX_SHAPES {
                self.uprights.push(area);
            }
        } else if area.width() > 20.0 && area.height() > 8.0 && self.page.boxes.len() < MAX_SHAPES {
            self.page.boxes.push(area);
        }
    }

    fn finish(self) -> Page {
        let mut page = self.upright();
        join_rules(&mut page.rules);
        page
    }

    /// The page, turned where its text runs sideways.
    fn upright(mut self) -> Page {
        let Some(turned) = self
            .sideways
            .iter()
            .position(|glyphs| glyphs.len() > 200 && glyphs.len() > 2 * self.page.glyphs.len())
        else {
            return self.page;
        };
        let (width, height) = (self.page.width, self.page.height);
        let turn = |r: &Rect| match turned {
            0 => Rect {
                x0: height - r.y1,
                x1: height - r.y0,
                y0: r.x0,
                y1: r.x1,
            },
            _ => Rect {
                x0: r.y0,
                x1: r.y1,
                y0: width - r.x1,
                y1: width - r.x0,
            },
        };
        Page {
            width: height,
            height: width,
            turned: true,
            glyphs: std::mem::take(&mut self.sideways[turned]),
            rules: self.uprights.iter().map(turn).collect(),
            boxes: self.page.boxes.iter().map(turn).collect(),
            images: self.page.images.iter().map(turn).collect(),
        }
    }
}

/// Makes one rule of those that touch on one height: the borders of a row's cells.
fn join_rules(rules: &mut Vec<Rect>) {
    rules.sort_by(|a, b| {
        let height = |rule: &Rect| (rule.y0 / 1.5).round();
        height(a).total_cmp(&height(b)).then(a.x0.total_cmp(&b.x0))
    });
    rules.dedup_by(|next, kept| {
        let touches = (next.y0 - kept.y0).abs() < 1.6 && next.x0 < kept.x1 + 2.0;
        if touches {
            kept.x1 = kept.x1.max(next.x1);
            kept.y1 = kept.y1.max(next.y1);
        }
        touches
    });
}

fn matrix(coefficients: [f64; 6]) -> Affine {
    Affine::new(coefficients)
}

fn rect(one: Point, other: Point) -> Rect {
    Rect {
        x0: one.x.min(other.x) as f32,
        y0: one.y.min(other.y) as f32,
        x1: one.x.max(other.x) as f32,
        y1: one.y.max(other.y) as f32,
    }
}

fn actual_text(dict: &Dict<'_>) -> Option<String> {
    let text = dict.get::<hayro_syntax::object::String<'_>>("ActualText")?;
    Some(super::text::pdf_string(text.as_bytes()))
}
