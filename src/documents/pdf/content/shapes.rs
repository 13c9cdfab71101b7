//! Path operators: rules, boxes and pictures, as far as they bear on text.

use hayro_font::kurbo::Point;
use hayro_syntax::content::ops::TypedInstruction;

use super::super::page::Rect;
use super::Run;

/// Most rules, boxes and pictures of one page, each.
const MAX_SHAPES: usize = 20_000;

/// Rules are at most this thick, in points.
const MAX_RULE: f64 = 3.0;

/// Widths of drawn bullets, in points.
const DOT: std::ops::Range<f32> = 1.5..9.0;

/// Straight pieces of the path that is being built.
#[derive(Default)]
pub(super) struct Path {
    at: Point,
    start: Point,
    segments: Vec<(Point, Point)>,
    rects: Vec<(Point, Point)>,
    /// Corners of the area that its curves keep within.
    curved: Option<(Point, Point)>,
}

impl Run<'_, '_> {
    /// Follows an operator of paths.
    pub(super) fn path_operation(&mut self, operation: &TypedInstruction<'_, '_>) {
        use TypedInstruction as Op;
        match operation {
            Op::MoveTo(p) => self.move_to(p.0.as_f64(), p.1.as_f64()),
            Op::LineTo(p) => self.line_to(p.0.as_f64(), p.1.as_f64()),
            Op::CubicTo(p) => {
                let ends = [(&p.0, &p.1), (&p.2, &p.3), (&p.4, &p.5)];
                self.curve_to(&ends.map(|(x, y)| (x.as_f64(), y.as_f64())));
            }
            Op::CubicStartTo(p) => {
                let ends = [(&p.0, &p.1), (&p.2, &p.3)];
                self.curve_to(&ends.map(|(x, y)| (x.as_f64(), y.as_f64())));
            }
            Op::CubicEndTo(p) => {
                let ends = [(&p.0, &p.1), (&p.2, &p.3)];
                self.curve_to(&ends.map(|(x, y)| (x.as_f64(), y.as_f64())));
            }
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

    /// Notes a picture.
    pub(super) fn image(&mut self) {
        let corners = [(0.0, 0.0), (1.0, 1.0)].map(|(x, y)| self.place(x, y));
        if self.page.images.len() < MAX_SHAPES {
            self.page.images.push(rect(corners[0], corners[1]));
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

    /// A curve whose control points and end are `points`; there is at least one.
    fn curve_to(&mut self, points: &[(f64, f64)]) {
        for (x, y) in points {
            let point = self.place(*x, *y);
            let (low, high) = self.path.curved.unwrap_or((self.path.at, self.path.at));
            self.path.curved = Some((
                Point::new(low.x.min(point.x), low.y.min(point.y)),
                Point::new(high.x.max(point.x), high.y.max(point.y)),
            ));
            self.path.at = point;
        }
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
        if let Some((low, high)) = path.curved {
            self.dot(rect(low, high));
        }
        let [a, b, ..] = self.state.ctm.as_coeffs();
        let thick = self.state.line_width * a.hypot(b);
        for (from, to) in path.rects {
            let area = rect(from, to);
            if stroke && thick <= MAX_RULE && self.page.outlines.len() < MAX_SHAPES {
                self.page.outlines.push(area);
            }
            self.area(area);
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

    /// Notes `area` where it is as small and as wide as high as a bullet.
    fn dot(&mut self, area: Rect) {
        let (width, height) = (area.width(), area.height());
        let is = DOT.contains(&width) && (width / height - 1.0).abs() < 0.25;
        if is && self.page.dots.len() < MAX_SHAPES {
            self.page.dots.push(area);
        }
    }

    fn area(&mut self, area: Rect) {
        self.dot(area);
        if area.height() <= MAX_RULE as f32 {
            if area.width() > 10.0 && self.page.rules.len() < MAX_SHAPES {
                self.page.rules.push(area);
            }
        } else if area.width() <= MAX_RULE as f32 {
            if area.height() > 10.0 && self.page.uprights.len() < MAX_SHAPES {
                self.page.uprights.push(area);
            }
        } else if area.width() > 20.0 && area.height() > 8.0 && self.page.boxes.len() < MAX_SHAPES {
            self.page.boxes.push(area);
        }
    }
}

/// Makes one rule of those that touch on one height: the borders of a row's cells.
pub(super) fn join_rules(rules: &mut Vec<Rect>) {
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

/// The same for vertical lines: the borders of a column's cells.
pub(super) fn join_uprights(uprights: &mut Vec<Rect>) {
    let turn = |r: &Rect| Rect {
        x0: r.y0,
        y0: r.x0,
        x1: r.y1,
        y1: r.x1,
    };
    let mut turned: Vec<Rect> = uprights.iter().map(turn).collect();
    join_rules(&mut turned);
    *uprights = turned.iter().map(turn).collect();
}

fn rect(one: Point, other: Point) -> Rect {
    Rect {
        x0: one.x.min(other.x) as f32,
        y0: one.y.min(other.y) as f32,
        x1: one.x.max(other.x) as f32,
        y1: one.y.max(other.y) as f32,
    }
}
