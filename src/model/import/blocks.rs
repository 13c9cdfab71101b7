//! ggml's packed number formats, unpacked to `f32`.
//!
//! Layouts are those of ggml's `ggml-common.h`: blocks of 32 values with a half-precision scale `d`
//! (and, in Q4_1, a half-precision minimum `m`): Q4_0 is d (q - 8), Q4_1 is d q + m, Q8_0 is d q.

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
    /// 8-bit levels with a scale.
    Q8_0,
}

impl BlockType {
    /// The type that ggml numbers `code`; `None` for one that is not read.
    pub fn from_ggml(code: u32) -> Option<Self> {
        Some(match code {
            0 => BlockType::F32,
            1 => BlockType::F16,
            2 => BlockType::Q4_0,
            3 => BlockType::Q4_1,
            8 => BlockType::Q8_0,
            30 => BlockType::Bf16,
            _ => return None,
        })
    }

    /// Values in a block.
    pub fn block_len(self) -> usize {
        match self {
            BlockType::F32 | BlockType::F16 | BlockType::Bf16 => 1,
            BlockType::Q4_0 | BlockType::Q4_1 | BlockType::Q8_0 => 32,
        }
    }

    /// Bytes of a block.
    pub fn block_bytes(self) -> usize {
        match self {
            BlockType::F32 => 4,
            BlockType::F16 | BlockType::Bf16 => 2,
            BlockType::Q4_0 => 18,
            BlockType::Q4_1 => 20,
            BlockType::Q8_0 => 34,
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
                BlockType::Q4_0 => {
                    unpack_nibbles(&block[2..], half_at(block, 0), None, &mut values)
                }
                BlockType::Q4_1 => {
                    let minimum = Some(half_at(block, 2));
                    unpack_nibbles(&block[4..], half_at(block, 0), minimum, &mut values);
                }
                BlockType::Q8_0 => {
                    let scale = half_at(block, 0);
                    values.extend(block[2..].iter().map(|byte| f32::from(*byte as i8) * scale));
                }
            }
        }
        values
    }
}

/// The first 16 values are the low nibbles, the last 16 the high ones.
fn unpack_nibbles(levels: &[u8], scale: f32, minimum: Option<f32>, values: &mut Vec<f32>) {
    let unpack = |level: u8| match minimum {
        Some(minimum) => f32::from(level) * scale + minimum,
        None => (f32::from(level) - 8.0) * scale,
    };
    values.extend(levels.iter().map(|byte| unpack(byte & 0x0f)));
    values.extend(levels.iter().map(|byte| unpack(byte >> 4)));
}

fn half_at(block: &[u8], at: usize) -> f32 {
    f16::from_le_bytes([block[at], block[at + 1]]).to_f32()
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
    fn q8_0_levels_are_signed() {
        let mut block = half(0.25).to_vec();
        block.extend([0xffu8; 32]);
        assert_eq!(BlockType::Q8_0.dequantise(&block), [-0.25; 32]);
    }
}
