//! Runs a page's content stream and notes what it draws.
//!
//! Only what bears on text is followed: matrices, fonts, text, straight paths, forms, marked content.
//! Every loop draws on one [`Budget`], so that a hostile file ends early instead of never.

mod glyphs;
mod shapes;

use std::rc::Rc;

use hayro_font::hayro_cmap;
use hayro_font::kurbo::Affine;
use hayro_font::{CMapResolverFn, FontCache, FontQuery, FontResolverFn};
use hayro_syntax::content::TypedIter;
use hayro_syntax::content::ops::TypedInstruction;
use hayro_syntax::object::{Dict, Name, Object, Stream};
use hayro_syntax::page::{Page as SourcePage, Resources};

use super::fonts::{Face, Faces};
use super::page::{Glyph, Page, Rect};
use shapes::Path;

/// Deepest nesting of forms.
const MAX_DEPTH: u32 = 12;

/// Most saved graphics states.
const MAX_STATES: usize = 512;

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

/// Marked content that is open.
struct Mark {
    artifact: bool,
    /// Its number on the page, by which the tags of the file name it.
    number: Option<u32>,
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
            Op::BeginMarkedContent(mark) => self.begin_mark(mark.0, None, depth),
            Op::BeginMarkedContentWithProperties(mark) => {
                let named;
                let properties = match mark.1 {
                    Object::Dict(dict) => Some(dict),
                    Object::Name(name) => {
                        named = resources.properties.get::<Dict<'_>>(name);
                        named.as_ref()
                    }
                    _ => None,
                };
                self.begin_mark(mark.0, properties, depth);
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

    fn begin_mark(&mut self, tag: &Name<'_>, properties: Option<&Dict<'_>>, depth: u32) {
        if self.marks.len() < MAX_STATES {
            self.marks.push(Mark {
                artifact: tag.as_str() == "Artifact",
                // Those of a form are its own.
                number: properties
                    .filter(|_| depth == 0)
                    .and_then(|dict| dict.get::<u32>("MCID")),
                actual: properties.and_then(actual_text),
            });
        }
    }

    fn finish(self) -> Page {
        let mut page = self.upright();
        shapes::join_rules(&mut page.rules);
        shapes::join_uprights(&mut page.uprights);
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
            rules: self.page.uprights.iter().map(turn).collect(),
            uprights: self.page.rules.iter().map(turn).collect(),
            dots: self.page.dots.iter().map(turn).collect(),
            boxes: self.page.boxes.iter().map(turn).collect(),
            outlines: self.page.outlines.iter().map(turn).collect(),
            images: self.page.images.iter().map(turn).collect(),
        }
    }
}

fn matrix(coefficients: [f64; 6]) -> Affine {
    Affine::new(coefficients)
}

fn actual_text(dict: &Dict<'_>) -> Option<String> {
    let text = dict.get::<hayro_syntax::object::String<'_>>("ActualText")?;
    Some(super::text::pdf_string(text.as_bytes()))
}
