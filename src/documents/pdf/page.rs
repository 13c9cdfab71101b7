//! What a page shows, in points from its upper left corner: glyphs, rules, boxes and pictures.

/// How a glyph looks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub(super) struct Style {
    /// Number of the typeface (its full name) in this document.
    pub face: u16,
    pub bold: bool,
    pub italic: bool,
}

/// A character at its place.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Glyph {
    pub ch: char,
    pub x0: f32,
    pub x1: f32,
    /// Base line, downwards.
    pub y: f32,
    /// Height of the font.
    pub size: f32,
    pub style: Style,
    /// Marked by the file as head, foot or decoration.
    pub artifact: bool,
    /// Number of the marked content that it belongs to, on its page.
    pub mark: Option<u32>,
}

/// An area.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Rect {
    pub x0: f32,
    pub y0: f32,
    pub x1: f32,
    pub y1: f32,
}

impl Rect {
    pub fn width(&self) -> f32 {
        self.x1 - self.x0
    }

    pub fn height(&self) -> f32 {
        self.y1 - self.y0
    }
}

/// One page.
#[derive(Clone, Debug, Default)]
pub(super) struct Page {
    pub width: f32,
    pub height: f32,
    /// Its text ran sideways: a wide table, as a rule.
    pub turned: bool,
    /// In the order in which they are drawn.
    pub glyphs: Vec<Glyph>,
    /// Horizontal lines, at most a few points thick.
    pub rules: Vec<Rect>,
    /// Vertical lines, likewise.
    pub uprights: Vec<Rect>,
    /// Small round or square shapes: the bullets that browsers draw.
    pub dots: Vec<Rect>,
    /// Filled or outlined areas that are larger than a line of text.
    pub boxes: Vec<Rect>,
    /// Areas that thin lines outline: of cells that stand apart.
    pub outlines: Vec<Rect>,
    /// Pictures.
    pub images: Vec<Rect>,
}

/// Whether two rules begin and end alike: those of one table do.
pub(super) fn are_alike(one: &Rect, other: &Rect) -> bool {
    (one.x0 - other.x0).abs() < 3.0 && (one.x1 - other.x1).abs() < 3.0
}

/// The areas between rules that begin and end alike, at least four near each other: ruled tables.
///
/// `rules` are sorted by height.
pub(super) fn grids(page: &Page) -> Vec<Rect> {
    let mut grids: Vec<(Rect, usize)> = Vec::new();
    let inner = 0.09 * page.height..0.93 * page.height;
    for rule in page.rules.iter().filter(|rule| inner.contains(&rule.y0)) {
        let near = |grid: &Rect| are_alike(grid, rule) && rule.y0 - grid.y1 < 0.3 * page.height;
        match grids.iter_mut().find(|(grid, _)| near(grid)) {
            Some((grid, count)) => {
                grid.y1 = rule.y1;
                *count += 1;
            }
            None => grids.push((*rule, 1)),
        }
    }
    grids.retain(|(_, count)| *count >= 4);
    grids.into_iter().map(|(grid, _)| grid).collect()
}
