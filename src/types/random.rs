//! Numbers that look random and follow from a seed, the same on every machine: SplitMix64 (Steele, Lea and Flood 2014).

/// The step from one state to the next.
pub const GAMMA: u64 = 0x9e37_79b9_7f4a_7c15;

/// The number of a state; with states at [`GAMMA`] from each other numbers can be had in any order.
pub fn mix(state: u64) -> u64 {
    let state = (state ^ (state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let state = (state ^ (state >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    state ^ (state >> 31)
}

/// A small generator: good enough to draw questions with.
#[derive(Clone, Debug)]
pub struct Random(u64);

impl Random {
    /// A generator that begins at `seed`.
    pub fn new(seed: u64) -> Self {
        Random(seed)
    }

    /// The next 64 bits.
    pub fn bits(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(GAMMA);
        mix(self.0)
    }

    /// A number below `end`, which is above 0.
    pub fn below(&mut self, end: usize) -> usize {
        // The bias of a remainder is below 2^-40 for any set that fits into memory.
        usize::try_from(self.bits() % end.max(1) as u64).unwrap_or(0)
    }
}
