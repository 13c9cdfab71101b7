//! What is usual in a document: size and face of its prose, distance of its lines.

use std::collections::HashMap;

use super::lines::{Line, Word};

/// The measure that headings, captions and notes differ from.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Usual {
    /// Size of the prose.
    pub size: f32,
    /// Typeface of the prose.
    pub face: u16,
    /// The prose itself is bold.
    pub bold: bool,
    /// Distance of the prose's base lines.
    pub leading: f32,
}

/// Sizes in quarters of a point with their letters.
pub(super) type Sizes = HashMap<i32, usize>;

/// The size that most letters have, of those that can be prose.
pub(super) fn usual_size(sizes: &Sizes) -> f32 {
    sizes
        .iter()
        .filter(|(size, _)| **size >= 24)
        .max_by_key(|(size, count)| (**count, **size))
        .map_or(10.0, |(size, _)| *size as f32 / 4.0)
}

pub(super) fn quarter(size: f32) -> i32 {
    (size * 4.0).round() as i32
}

impl Usual {
    /// What is usual in `lines`, whose prose has the size `size`.
    pub fn of(lines: &[Line], size: f32) -> Usual {
        let mut faces: HashMap<(u16, bool), usize> = HashMap::new();
        let mut gaps: HashMap<i32, usize> = HashMap::new();
        for (index, line) in lines.iter().enumerate() {
            if !is_near(line.size, size) {
                continue;
            }
            for word in &line.words {
                *faces.entry((word.style.face, word.style.bold)).or_default() += word.text.len();
            }
            if let Some(next) = lines.get(index + 1)
                && next.column == line.column
                && line.grid.is_none()
                && next.grid.is_none()
                && is_near(next.size, size)
            {
                *gaps.entry(quarter(next.y - line.y)).or_default() += 1;
            }
        }
        let (face, bold) = faces
            .into_iter()
            .max_by_key(|((face, _), count)| (*count, *face))
            .map_or((0, false), |(key, _)| key);
        let leading = gaps
            .into_iter()
            .filter(|(gap, _)| (0.8..2.6).contains(&(*gap as f32 / 4.0 / size)))
            .max_by_key(|(gap, count)| (*count, *gap))
            .map_or(1.2 * size, |(gap, _)| gap as f32 / 4.0);
        Usual {
            size,
            face,
            bold,
            leading,
        }
    }

    pub fn is_size(&self, size: f32) -> bool {
        is_near(size, self.size)
    }

    /// Bold where the prose is not.
    pub fn is_bold(&self, word: &Word) -> bool {
        word.style.bold && !self.bold
    }

    pub fn is_plain(&self, word: &Word) -> bool {
        self.is_size(word.size) && !self.is_bold(word) && !word.style.italic
    }
}

/// Fewest long lines that tell how justified text is broken.
const MIN_JUSTIFIED: usize = 60;

/// Whether the lines end as if the document broke no words, as programs do by default.
pub(super) fn is_unbroken(lines: &[Line]) -> bool {
    let long = || {
        let is_long = |line: &&Line| line.grid.is_none() && line.letters() > 20;
        lines.iter().filter(is_long)
    };
    let full = |line: &&Line| (line.right - line.x1).abs() < 0.1 * line.size;
    let broken = |line: &&Line| line.text().ends_with('-');
    let all = long().count();
    // Some lines end in a hyphen of their own. Justified ones, which end alike, are broken more often.
    let ragged = 5 * long().filter(full).count() < 2 * all;
    let broken = long().filter(broken).count();
    if ragged {
        25 * broken < all
    } else {
        all >= MIN_JUSTIFIED && 50 * broken < all
    }
}

fn is_near(size: f32, usual: f32) -> bool {
    (size / usual - 1.0).abs() < 0.06
}
