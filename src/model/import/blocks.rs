//! ggml's packed number formats, unpacked to `f32`.
//!
//! Layouts are those of ggml's `ggml-common.h`, levels and scales those of `ggml-quants.c`. Blocks of 32 values
//! have a half-precision scale `d` (and, in Q4_1 and Q5_1, a half-precision minimum `m`): Q4_0 is d (q - 8), Q5_0
//! d (q - 16), Q4_1 and Q5_1 d q + m, Q8_0 d q. Blocks of 256 values have a scale (and minimum) of their own for
//! each 16 or 32 values, in levels of the block's: Q4_K and Q5_K are d s q - dmin t with 6-bit s and t, Q6_K is
//! d s (q - 32) with 8-bit s.

use half::{bf16, f16};

/// How numbers are packed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BlockType {
    /// IEEE single precision.
    F32,
    /// IEEE half precision.
    F16,
    /// The upper half of single precision.
    Bf16,
    /// 4-bit levels with a scale.
    Q4_0,
    /// 4-bit levels with a scale and a minimum.
    Q4_1,
    /// 5-bit levels with a scale.
    Q5_0,
    /// 5-bit levels with a scale and a minimum.
    Q5_1,
    /// 8-bit levels with a scale.
    Q8_0,
    /// 4-bit levels with scales and minima in levels.
    Q4K,
    /// 5-bit levels with scales and minima in levels.
    Q5K,
    /// 6-bit levels with scales in levels.
    Q6K,
}

impl BlockType {
    /// The type that ggml numbers `code`; `None` for one that is not read.
    pub fn from_ggml(code: u32) -> Option<Self> {
        Some(match code {
            0 => BlockType::F32,
            1 => BlockType::F16,
            2 => BlockType::Q4_0,
            3 => BlockType::Q4_1,
            6 => BlockType::Q5_0,
            7 => BlockType::Q5_1,
            8 => BlockType::Q8_0,
            12 => BlockType::Q4K,
            13 => BlockType::Q5K,
            14 => BlockType::Q6K,
            30 => BlockType::Bf16,
            _ => return None,
        })
    }

    /// The types that are read, for messages.
    pub const READ: &'static str =
        "F32, F16, BF16, Q8_0, Q4_0, Q4_1, Q5_0, Q5_1, Q4_K, Q5_K and Q6_K";

    /// Values in a block.
    pub fn block_len(self) -> usize {
        match self {
            BlockType::F32 | BlockType::F16 | BlockType::Bf16 => 1,
            BlockType::Q4K | BlockType::Q5K | BlockType::Q6K => 256,
            _ => 32,
        }
    }

    /// Bytes of a block.
    pub fn block_bytes(self) -> usize {
        match self {
            BlockType::F32 => 4,
            BlockType::F16 | BlockType::Bf16 => 2,
            BlockType::Q4_0 => 18,
            BlockType::Q4_1 => 20,
            BlockType::Q5_0 => 22,
            BlockType::Q5_1 => 24,
            BlockType::Q8_0 => 34,
            BlockType::Q4K => 144,
            BlockType::Q5K => 176,
            BlockType::Q6K => 210,
        }
    }

    /// Unpacks whole blocks; a rest shorter than a block is ignored.
    pub fn dequantise(self, bytes: &[u8]) -> Vec<f32> {
        let blocks = bytes.chunks_exact(self.block_bytes());
        let mut values = Vec::with_capacity(blocks.len() * self.block_len());
        for block in blocks {
            match self {
                BlockType::F32 => {
                    values.push(f32::from_le_bytes([block[0], block[1], block[2], block[3]]));
                }
                BlockType::F16 => values.push(half_at(block, 0)),
                BlockType::Bf16 => {
                    values.push(bf16::from_le_bytes([block[0], block[1]]).to_f32());
                }
                BlockType::Q4_0 => nibbles(&block[2..], 0, half_at(block, 0), -8.0, &mut values),
                BlockType::Q5_0 => {
                    let high = word_at(block, 2);
                    nibbles(&block[6..], high, half_at(block, 0), -16.0, &mut values);
                }
                BlockType::Q4_1 => {
                    let (scale, minimum) = (half_at(block, 0), half_at(block, 2));
                    nibbles_over(&block[4..], 0, scale, minimum, &mut values);
                }
                BlockType::Q5_1 => {
                    let (scale, minimum) = (half_at(block, 0), half_at(block, 2));
                    nibbles_over(&block[8..], word_at(block, 4), scale, minimum, &mut values);
                }
                BlockType::Q8_0 => {
                    let scale = half_at(block, 0);
                    values.extend(block[2..].iter().map(|byte| f32::from(*byte as i8) * scale));
                }
                BlockType::Q4K => q4_k(block, &mut values),
                BlockType::Q5K => q5_k(block, &mut values),
                BlockType::Q6K => q6_k(block, &mut values),
            }
        }
        values
    }
}

/// 32 levels of 4 bits, the low halves of the bytes first; `high` holds a fifth bit of each.
fn levels(bytes: &[u8], high: u32) -> impl Iterator<Item = f32> + '_ {
    let low = bytes[..16].iter().map(|byte| byte & 0x0f);
    let nibbles = low.chain(bytes[..16].iter().map(|byte| byte >> 4));
    let fifth = (0..32).map(move |at| ((high >> at) as u8 & 1) << 4);
    nibbles
        .zip(fifth)
        .map(|(nibble, fifth)| f32::from(nibble | fifth))
}

fn nibbles(bytes: &[u8], high: u32, scale: f32, middle: f32, values: &mut Vec<f32>) {
    values.extend(levels(bytes, high).map(|level| (level + middle) * scale));
}

fn nibbles_over(bytes: &[u8], high: u32, scale: f32, minimum: f32, values: &mut Vec<f32>) {
    values.extend(levels(bytes, high).map(|level| level * scale + minimum));
}

/// Scale and minimum, 6 bits each, of the `at`th of eight groups: the first four lie in the low bits of 4 + 4
/// bytes, the last four in 4 bytes of nibbles and the high bits of the first eight.
fn scale_and_minimum(packed: &[u8], at: usize) -> (f32, f32) {
    let (scale, minimum) = if at < 4 {
        (packed[at] & 63, packed[at + 4] & 63)
    } else {
        (
            packed[at + 4] & 0x0f | packed[at - 4] >> 6 << 4,
            packed[at + 4] >> 4 | packed[at] >> 6 << 4,
        )
    };
    (f32::from(scale), f32::from(minimum))
}

/// d, dmin, 12 bytes of scales and minima, 128 of levels: each 32 hold one group low and the next high.
fn q4_k(block: &[u8], values: &mut Vec<f32>) {
    let (d, dmin) = (half_at(block, 0), half_at(block, 2));
    for (pair, bytes) in block[16..].chunks_exact(32).enumerate() {
        for half in 0..2 {
            let (scale, minimum) = scale_and_minimum(&block[4..16], 2 * pair + half);
            let (scale, minimum) = (d * scale, dmin * minimum);
            let nibble = |byte: &u8| f32::from(byte >> (4 * half) & 0x0f);
            values.extend(bytes.iter().map(|byte| nibble(byte) * scale - minimum));
        }
    }
}

/// As Q4_K, with 32 bytes of fifth bits before the levels: one bit a group.
fn q5_k(block: &[u8], values: &mut Vec<f32>) {
    let (d, dmin) = (half_at(block, 0), half_at(block, 2));
    let high = &block[16..48];
    for (pair, bytes) in block[48..].chunks_exact(32).enumerate() {
        for half in 0..2 {
            let group = 2 * pair + half;
            let (scale, minimum) = scale_and_minimum(&block[4..16], group);
            let (scale, minimum) = (d * scale, dmin * minimum);
            values.extend(bytes.iter().zip(high).map(|(byte, high)| {
                let level = byte >> (4 * half) & 0x0f | (high >> group & 1) << 4;
                f32::from(level) * scale - minimum
            }));
        }
    }
}

/// 128 bytes of low nibbles, 64 of high bit pairs, 16 scales, d. Each half of the block has four runs of 32 values.
fn q6_k(block: &[u8], values: &mut Vec<f32>) {
    let d = half_at(block, 208);
    for part in 0..2 {
        let low = &block[64 * part..64 * (part + 1)];
        let high = &block[128 + 32 * part..128 + 32 * (part + 1)];
        let scales = &block[192 + 8 * part..192 + 8 * (part + 1)];
        for run in 0..4 {
            for at in 0..32 {
                let nibble = low[32 * (run % 2) + at] >> (4 * (run / 2)) & 0x0f;
                let level = nibble | (high[at] >> (2 * run) & 3) << 4;
                let scale = d * f32::from(scales[2 * run + at / 16] as i8);
                values.push(scale * (f32::from(level) - 32.0));
            }
        }
    }
}

fn half_at(block: &[u8], at: usize) -> f32 {
    f16::from_le_bytes([block[at], block[at + 1]]).to_f32()
}

fn word_at(block: &[u8], at: usize) -> u32 {
    u32::from_le_bytes([block[at], block[at + 1], block[at + 2], block[at + 3]])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn half(value: f32) -> [u8; 2] {
        f16::from_f32(value).to_le_bytes()
    }

    #[test]
    fn q4_1_is_scale_times_level_plus_minimum() {
        let mut block = [half(0.5), half(-2.0)].concat();
        block.extend([0xf0u8; 16]);
        let values = BlockType::Q4_1.dequantise(&block);
        assert_eq!(values[..16], [-2.0; 16]);
        assert_eq!(values[16..], [5.5; 16]);
    }

    #[test]
    fn q4_0_levels_are_centred_on_eight() {
        let mut block = half(2.0).to_vec();
        block.extend([0x98u8; 16]);
        let values = BlockType::Q4_0.dequantise(&block);
        assert_eq!((values[0], values[16]), (0.0, 2.0));
    }

    #[test]
    fn q5_levels_have_their_fifth_bit_elsewhere() {
        let fifth = (1u32 << 3 | 1 << 20).to_le_bytes();
        let block = [&half(1.0)[..], &fifth, &[0x21; 16]].concat();
        let values = BlockType::Q5_0.dequantise(&block);
        assert_eq!((values[2], values[3]), (-15.0, 1.0));
        assert_eq!((values[19], values[20]), (-14.0, 2.0));
        let block = [&half(0.5)[..], &half(-1.0), &fifth, &[0x21; 16]].concat();
        let values = BlockType::Q5_1.dequantise(&block);
        assert_eq!((values[2], values[3]), (-0.5, 7.5));
        assert_eq!((values[19], values[20]), (0.0, 8.0));
    }

    #[test]
    fn q8_0_levels_are_signed() {
        let mut block = half(0.25).to_vec();
        block.extend([0xffu8; 32]);
        assert_eq!(BlockType::Q8_0.dequantise(&block), [-0.25; 32]);
    }

    /// Eight scales and minima of 6 bits in 12 bytes: the other direction than the reader's.
    fn packed(scales: [u8; 8], minima: [u8; 8]) -> Vec<u8> {
        let mut bytes = vec![0; 12];
        for group in 0..4 {
            bytes[group] = scales[group] | (scales[group + 4] >> 4) << 6;
            bytes[group + 4] = minima[group] | (minima[group + 4] >> 4) << 6;
            bytes[group + 8] = scales[group + 4] & 15 | (minima[group + 4] & 15) << 4;
        }
        bytes
    }

    const SCALES: [u8; 8] = [1, 17, 63, 0, 34, 5, 48, 21];
    const MINIMA: [u8; 8] = [63, 2, 0, 31, 16, 47, 8, 1];

    #[test]
    fn k_groups_of_32_have_scales_and_minima_of_their_own() {
        let level = |at: usize, most: usize| (at * 7 % most) as u8;
        let mut nibbles = vec![0; 128];
        let mut fifths = vec![0u8; 32];
        for at in 0..256 {
            let (group, place) = (at / 32, at % 32);
            let byte = &mut nibbles[32 * (group / 2) + place];
            *byte |= (level(at, 32) & 15) << (4 * (group % 2));
            fifths[place] |= (level(at, 32) >> 4) << group;
        }
        let head = [&half(0.5)[..], &half(2.0), &packed(SCALES, MINIMA)].concat();
        let four = [&head[..], &nibbles].concat();
        let five = [&head[..], &fifths, &nibbles].concat();
        let expected = |at: usize, level: u8| {
            let group = at / 32;
            0.5 * f32::from(SCALES[group]) * f32::from(level) - 2.0 * f32::from(MINIMA[group])
        };
        for (at, value) in BlockType::Q4K.dequantise(&four).iter().enumerate() {
            assert_eq!(*value, expected(at, level(at, 32) & 15), "{at}");
        }
        for (at, value) in BlockType::Q5K.dequantise(&five).iter().enumerate() {
            assert_eq!(*value, expected(at, level(at, 32)), "{at}");
        }
    }

    #[test]
    fn q6_k_groups_of_16_have_signed_scales() {
        let level = |at: usize| (at * 11 % 64) as u8;
        let scale = |group: usize| group as i8 * 5 - 40;
        let mut block = vec![0u8; 208];
        for at in 0..256 {
            let (part, run, place) = (at / 128, at % 128 / 32, at % 32);
            block[64 * part + 32 * (run % 2) + place] |= (level(at) & 15) << (4 * (run / 2));
            block[128 + 32 * part + place] |= (level(at) >> 4) << (2 * run);
        }
        for group in 0..16 {
            block[192 + group] = scale(group) as u8;
        }
        block.extend(half(0.25));
        for (at, value) in BlockType::Q6K.dequantise(&block).iter().enumerate() {
            let expected = 0.25 * f32::from(scale(at / 16)) * (f32::from(level(at)) - 32.0);
            assert_eq!(*value, expected, "{at}");
        }
    }

    #[test]
    fn every_type_has_whole_blocks() {
        for code in [0, 1, 2, 3, 6, 7, 8, 12, 13, 14, 30] {
            let kind = BlockType::from_ggml(code).expect("it is read");
            let bytes = vec![0x3c; 3 * kind.block_bytes() + 1];
            let values = kind.dequantise(&bytes);
            assert_eq!(values.len(), 3 * kind.block_len(), "{kind:?}");
        }
        assert_eq!(BlockType::from_ggml(10), None);
    }
}
