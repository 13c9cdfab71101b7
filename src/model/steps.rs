//! How a text is cut into steps, and what a step is filled up with, so that the logits of a position do not depend on it.
//!
//! ONNX Runtime sums in another order where a product has one row or attention's tiles have a remainder (docs/inference.md,
//! "Why the text is the same"). Rows that fill a step up repeat its last token; nobody reads what becomes of them.

/// Attention goes over rows and over past positions in tiles whose sizes are multiples of this.
const TILE: usize = 16;

/// A row's sum of exponentials takes the positions behind the last multiple of this apart: on arm64 those are summed after
/// the lanes of a vector are, so which ones they are must not depend on what is read along. On x86-64 it does not matter.
const LANES: usize = if cfg!(target_arch = "aarch64") { 4 } else { 1 };

/// Positions that a cache needs behind its last one, for rows that fill a step up.
pub(super) const SPARE: usize = 8;

/// Where a step from position `read` on ends, at `end` or a little before: neither its rows nor the positions up to its end
/// leave a tile with a single one, which another kernel would sum in another order. One row alone is filled up.
pub(super) fn cut(read: usize, end: usize) -> usize {
    let whole = |end: &usize| match *end - read {
        1 => true,
        rows => rows % TILE != 1 && end % TILE != 1,
    };
    (read + 1..=end).rev().find(whole).unwrap_or(end)
}

/// How many rows to add to a step of `rows` from position `read` on, at most [`SPARE`]: no step has a single one, and on
/// processors that need it a step ends where a vector of positions does.
pub(super) fn fill(read: usize, rows: usize) -> usize {
    filled(read, rows, LANES) - rows
}

fn filled(read: usize, rows: usize, lanes: usize) -> usize {
    let end = (read + rows.max(2)).next_multiple_of(lanes);
    let filled = end - read;
    match lanes > 1 && filled % TILE == 1 {
        true => filled + lanes,
        false => filled,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_step_leaves_no_single_row_and_no_single_position() {
        for read in 0..70 {
            for end in read + 1..read + 300 {
                let found = cut(read, end);
                assert!(
                    found > read && found <= end && found + 3 >= end,
                    "{read} {end}"
                );
                let rows = found - read;
                assert!(
                    rows == 1 || (rows % 16 != 1 && found % 16 != 1),
                    "{read} {end}"
                );
            }
        }
        assert_eq!(cut(26, 513), 512);
        assert_eq!(cut(512, 513), 513);
    }

    #[test]
    fn where_lanes_matter_a_step_ends_with_one_and_elsewhere_only_a_lone_row_is_doubled() {
        for read in 0..70 {
            for rows in 1..300 {
                assert_eq!(filled(read, rows, 1), rows.max(2));
                let four = filled(read, rows, 4);
                assert!(four >= 2 && four - rows <= SPARE, "{read} {rows}");
                assert_eq!((read + four) % 4, 0);
                assert!(four % 16 != 1 && (read + four) % 16 != 1, "{read} {rows}");
            }
        }
    }
}
