//! From bytes to [`PdfContent`].

use std::panic::{AssertUnwindSafe, catch_unwind};

use hayro_syntax::{DecryptionError, LoadPdfError, Pdf};

use super::PdfError;
use super::body::{self, Sizes, Usual, quarter, usual_size};
use super::columns;
use super::content::{Budget, Interpreter};
use super::front;
use super::furniture::{self, Furniture, Row};
use super::grids::{self, Drawn, Grid};
use super::join::Vocabulary;
use super::lines::{self, Line, Run};
use super::page::Page;
use super::structure::{self, Structure};
use super::{bullets, flow, guard, tagged};
use crate::documents::{Reference, Section};

/// Most pages of a document that is read.
pub const MAX_PAGES: usize = 5_000;

/// Operators and glyphs of one document; a page has about 10,000.
const MAX_STEPS: u64 = 400_000_000;

/// Bytes that the forms of one document unpack to, counted each time that one is drawn.
const MAX_FORM_BYTES: u64 = 1 << 30;

/// Most runs of text on a page; dense print has 1,500. What lays them out is not linear.
const MAX_RUNS: usize = 6_000;

/// What a PDF says.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct PdfContent {
    /// The title on the first page, else that of the file's own description.
    pub title: Option<String>,
    /// Names under the title or in the file's own description.
    pub authors: Vec<String>,
    /// Language tag of the document's catalogue, as written, for example `en-GB`.
    pub language: Option<String>,
    /// Date of publication on the first page, else that of the file, as `YYYY`, `YYYY-MM` or `YYYY-MM-DD`.
    pub date: Option<String>,
    /// How many pages the file has.
    pub pages: u32,
    /// Sections with at least one block each; every block has its page.
    pub sections: Vec<Section>,
    /// Bibliography and footnotes.
    pub references: Vec<Reference>,
}

/// Reads the PDF in `bytes`; blocking, some milliseconds a page.
///
/// # Errors
/// See [`PdfError`]; no input panics.
pub fn read_pdf(bytes: &[u8]) -> Result<PdfContent, PdfError> {
    let head = &bytes[..bytes.len().min(1024)];
    if !head.windows(5).any(|window| window == b"%PDF-") {
        return Err(PdfError::NotPdf);
    }
    guard::check(bytes)?;
    // The parser is foreign code over hostile input: its panics end here.
    catch_unwind(AssertUnwindSafe(|| read(bytes))).unwrap_or_else(|_| {
        Err(PdfError::Damaged {
            reason: "the parser gave up".to_owned(),
        })
    })
}

fn read(bytes: &[u8]) -> Result<PdfContent, PdfError> {
    let pdf = Pdf::new(bytes.to_vec()).map_err(|error| match error {
        LoadPdfError::Decryption(DecryptionError::PasswordProtected) => PdfError::Encrypted,
        LoadPdfError::Decryption(_) => PdfError::UnknownEncryption,
        LoadPdfError::Invalid => PdfError::Damaged {
            reason: "no pages can be found".to_owned(),
        },
    })?;
    let pages = pdf.pages();
    if pages.len() > MAX_PAGES {
        return Err(PdfError::TooManyPages {
            pages: pages.len(),
            limit: MAX_PAGES,
        });
    }
    let mut interpreter = Interpreter::new(Budget {
        steps: MAX_STEPS,
        form_bytes: MAX_FORM_BYTES,
    });
    let survey = Survey::of(pages.iter().map(|page| interpreter.page(page)));
    if interpreter.is_exhausted() {
        return Err(PdfError::TooBig {
            reason: format!("its pages draw more than {MAX_STEPS} times or unpack to over 1 GiB"),
        });
    }
    survey.check()?;
    let structure = tagged::read(&pdf, &mut interpreter)
        .unwrap_or_else(|| by_look(&pdf, &mut interpreter, &survey));
    if structure.sections.is_empty() {
        return Err(PdfError::NoText {
            pages: survey.pages,
        });
    }
    let told = front::told(&pdf);
    Ok(PdfContent {
        title: structure.title.or(told.title),
        authors: front::authors(&structure.front, &told.author),
        language: told.language,
        date: front::date(&structure.front).or(told.date),
        pages: survey.pages,
        sections: structure.sections,
        references: structure.references,
    })
}

/// What the pages show, where no tags say what their texts are.
fn by_look<'a>(pdf: &'a Pdf, interpreter: &mut Interpreter<'a>, survey: &Survey) -> Structure {
    let mut layout = Layout::default();
    for (number, source) in pdf.pages().iter().enumerate() {
        let page = interpreter.page(source);
        layout.add(number as u32 + 1, &page, survey);
    }
    let usual = Usual::of(&layout.lines, survey.body);
    let vocabulary = vocabulary(&layout.lines, body::is_unbroken(&layout.lines));
    let pieces = flow::pieces(&layout.lines, &layout.drawn, &usual, &vocabulary);
    structure::build(pieces, &usual)
}

/// How the document writes its words; `is_unbroken` where it seems to break none at the ends of lines.
pub(super) fn vocabulary(lines: &[Line], is_unbroken: bool) -> Vocabulary {
    let mut vocabulary = Vocabulary::new(is_unbroken);
    let texts: Vec<String> = lines.iter().map(Line::text).collect();
    let mut broken = false;
    for text in &texts {
        vocabulary.add_line(text, broken);
        broken = text.ends_with(['-', '\u{ad}']);
    }
    // A cell is narrow: what it writes in two lines tells nothing of the prose.
    let is_prose = |(line, _): &(&Line, &String)| line.grid.is_none();
    let prose = lines.iter().zip(&texts).filter(is_prose);
    let prose: Vec<&str> = prose.map(|(_, text)| text.as_str()).collect();
    vocabulary.check(&prose);
    vocabulary
}

/// What all pages together tell, before any is laid out.
#[derive(Default)]
struct Survey {
    pages: u32,
    glyphs: usize,
    unknown: usize,
    images: usize,
    body: f32,
    furniture: Furniture,
    /// Where pages have gutters.
    gutters: Vec<f32>,
}

impl Survey {
    fn of(pages: impl Iterator<Item = Page>) -> Survey {
        let mut survey = Survey::default();
        let mut sizes = Sizes::default();
        let mut edges: Vec<Vec<Row>> = Vec::new();
        for page in pages {
            survey.pages += 1;
            survey.images += page.images.len();
            survey.glyphs += page.glyphs.iter().filter(|glyph| glyph.ch != ' ').count();
            survey.unknown += page
                .glyphs
                .iter()
                .filter(|glyph| glyph.ch == char::REPLACEMENT_CHARACTER)
                .count();
            for glyph in &page.glyphs {
                *sizes.entry(quarter(glyph.size)).or_default() +=
                    usize::from(glyph.ch.is_alphabetic());
            }
            let (runs, _) = text_runs(&page);
            edges.push(furniture::rows(&runs, page.height));
            let body = usual_size(&sizes);
            let found = columns::gutters(&page, &runs, body, &[]);
            survey.gutters.extend(found.iter().map(|gutter| gutter.x));
        }
        for rows in &edges {
            survey.furniture.add_page(rows);
        }
        survey.body = usual_size(&sizes);
        survey.gutters = common(&survey.gutters, survey.body);
        survey
    }

    fn check(&self) -> Result<(), PdfError> {
        if self.glyphs == 0 && self.images > 0 {
            return Err(PdfError::Scanned { pages: self.pages });
        }
        if self.glyphs == 0 {
            return Err(PdfError::NoText { pages: self.pages });
        }
        if self.unknown * 2 > self.glyphs {
            return Err(PdfError::Unreadable {
                unknown: self.unknown,
                glyphs: self.glyphs,
            });
        }
        Ok(())
    }
}

/// Places that at least two pages share, each once.
fn common(places: &[f32], body: f32) -> Vec<f32> {
    let mut sorted = places.to_vec();
    sorted.sort_by(f32::total_cmp);
    let mut shared: Vec<f32> = sorted
        .windows(2)
        .filter(|pair| pair[1] - pair[0] < 0.7 * body)
        .map(|pair| pair[0])
        .collect();
    shared.dedup_by(|next, kept| *next - *kept < 0.5 * body);
    shared
}

/// The runs of a page without what the file marks as decoration and what stands off the page, and its grids.
fn text_runs(page: &Page) -> (Vec<Run>, Vec<Grid>) {
    let marked = page.glyphs.iter().filter(|glyph| glyph.artifact).count();
    let believe = marked * 3 < page.glyphs.len();
    let mut glyphs: Vec<_> = page
        .glyphs
        .iter()
        .filter(|glyph| !(believe && glyph.artifact))
        .filter(|glyph| {
            glyph.x0 >= -2.0
                && glyph.x1 <= page.width + 2.0
                && glyph.y >= 0.0
                && glyph.y <= page.height + 2.0
        })
        .copied()
        .collect();
    let grids = grids::take(page, &mut glyphs);
    glyphs.extend(bullets::drawn(page, &glyphs));
    let mut runs = lines::runs(&glyphs);
    runs.truncate(MAX_RUNS);
    for (number, grid) in grids.iter().enumerate() {
        runs.extend(grid.runs(number));
    }
    (runs, grids)
}

/// All lines of a document in reading order.
#[derive(Default)]
struct Layout {
    lines: Vec<Line>,
    drawn: Drawn,
    columns: u32,
}

impl Layout {
    fn add(&mut self, number: u32, page: &Page, survey: &Survey) {
        let (mut runs, grids) = text_runs(page);
        let dropped: Vec<f32> = furniture::rows(&runs, page.height)
            .iter()
            .filter(|row| survey.furniture.is(row))
            .map(|row| row.y)
            .collect();
        runs.retain(|run| {
            run.row.is_some() || !dropped.iter().any(|y| (run.y - y).abs() < 0.5 * run.size)
        });
        let gutters = columns::gutters(page, &runs, survey.body, &survey.gutters);
        let from = self.lines.len();
        for column in columns::columns(page, runs, &gutters) {
            self.columns += 1;
            let area = column.area;
            for mut line in lines_of(column.runs, &grids, self.drawn.grids.len()) {
                line.page = number;
                line.column = self.columns;
                // Kept for now: the gutters beside it.
                (line.left, line.right) = (area.x0, area.x1);
                line.boxed = box_around(page, &line);
                self.lines.push(line);
            }
        }
        set_borders(&mut self.lines[from..]);
        self.drawn.rules.push(page.rules.clone());
        self.drawn.grids.extend(grids);
    }
}

/// The lines of a column; the rows of `grids` are lines among them, `first` is the number of the first grid.
fn lines_of(runs: Vec<Run>, grids: &[Grid], first: usize) -> Vec<Line> {
    let (rows, runs): (Vec<Run>, Vec<Run>) = runs.into_iter().partition(|run| run.row.is_some());
    let mut lines = lines::lines(runs);
    lines.extend(rows.iter().filter_map(|run| {
        let (number, row) = run.row?;
        let line = grids.get(number)?.line(row)?;
        Some(Line {
            grid: Some(first + number),
            ..line
        })
    }));
    lines.sort_by(|a, b| a.y.total_cmp(&b.y));
    lines
}

/// Number of the smallest box around `line`, 0 without.
fn box_around(page: &Page, line: &Line) -> u32 {
    page.boxes
        .iter()
        .enumerate()
        .filter(|(_, area)| {
            area.width() * area.height() < 0.6 * page.width * page.height
                && area.height() > 3.0 * line.size
                && area.x0 <= line.x0 + 1.0
                && area.x1 >= line.x1 - 1.0
                && area.y0 < line.y
                && area.y1 > line.y
        })
        .min_by(|a, b| a.1.height().total_cmp(&b.1.height()))
        .map_or(0, |(index, _)| index as u32 + 1)
}

/// Sets the text borders of the lines of one page: columns between the same gutters share them.
pub(super) fn set_borders(lines: &mut [Line]) {
    let mut done = vec![false; lines.len()];
    for index in 0..lines.len() {
        if done[index] {
            continue;
        }
        let gutters = (lines[index].left, lines[index].right);
        let same: Vec<usize> = (index..lines.len())
            .filter(|at| !done[*at] && (lines[*at].left, lines[*at].right) == gutters)
            .collect();
        let starts: Vec<f32> = same.iter().map(|at| lines[*at].x0).collect();
        let mut ends: Vec<f32> = same.iter().map(|at| lines[*at].x1).collect();
        ends.sort_by(f32::total_cmp);
        let left = most_common(&starts);
        // Not the very last: one line may stick out.
        let right = ends[(ends.len() - 1) * 19 / 20];
        for at in same {
            (lines[at].left, lines[at].right) = (left, right);
            done[at] = true;
        }
    }
}

/// The start that most lines share; of equally common ones the leftmost.
fn most_common(starts: &[f32]) -> f32 {
    let count = |at: f32| starts.iter().filter(|x| (**x - at).abs() < 1.5).count();
    starts
        .iter()
        .copied()
        .max_by(|a, b| count(*a).cmp(&count(*b)).then(b.total_cmp(a)))
        .unwrap_or_default()
}
