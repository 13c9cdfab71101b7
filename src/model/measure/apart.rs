//! Whether the logits of a text are the same in any company.

use super::arbitrary;
use crate::model::decoder::Logits;
use crate::model::slots::{Part, Slots};
use crate::model::steps::cut;
use crate::model::{ModelError, TextGenerator, Together};

/// Tokens before those that are compared; the last one crosses a tile of attention on most processors.
const LEADS: [usize; 4] = [0, 7, 103, 487];
/// Positions that are compared.
const COMPARED: usize = 57;
/// Most tokens of a step: what was chosen last, and guesses.
const MOST: usize = 9;
/// Most tokens of a prompt that a step reads.
const CHUNK: usize = 128;

/// Numbers that follow from a seed (xorshift64, Marsaglia 2003).
struct Dice(u64);

impl Dice {
    fn below(&mut self, end: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 % end as u64) as usize
    }
}

/// A text, and its logits as it is read alone.
struct Sample {
    tokens: Vec<i64>,
    lead: usize,
    /// From `lead` on.
    logits: Vec<f32>,
}

/// A text on its way through a slot.
struct Reader<'a> {
    sample: &'a Sample,
    read: usize,
}

/// Largest difference between the logits of texts that are read alone and of the same ones read in `steps` joined steps,
/// which they enter and leave at moments that follow from `seed`, with 1 to 9 tokens each, some taken back; blocking.
///
/// Zero on a processor whose kernels keep each row apart ([`super::cut_difference`]).
///
/// # Errors
/// The runtime failed, the context is shorter than 128 tokens, or a seat is taken.
pub fn joint_difference(
    generator: &mut TextGenerator,
    together: &mut Together,
    steps: usize,
    seed: u64,
) -> Result<f32, ModelError> {
    let mut dice = Dice(seed | 1);
    let slots = together.bare_slots()?;
    let fits = |lead: &usize| lead + COMPARED + 2 <= slots.capacity();
    let samples = LEADS.into_iter().filter(fits).enumerate();
    let samples = samples.map(|(at, lead)| Sample::read(generator, at as i64, lead, &mut dice));
    let samples: Vec<Sample> = samples.collect::<Result<_, _>>()?;
    let mut readers: Vec<Option<Reader<'_>>> = (0..slots.len()).map(|_| None).collect();
    let mut difference = 0f32;
    for _ in 0..steps {
        for reader in &mut readers {
            reader.take_if(|one| one.is_done() || dice.below(16) == 0);
            if reader.is_none() && dice.below(2) == 0 {
                let sample = &samples[dice.below(samples.len())];
                *reader = Some(Reader { sample, read: 0 });
            }
        }
        difference = difference.max(step(slots, &mut readers, &mut dice)?);
    }
    Ok(difference)
}

/// Runs one step for some of `readers`; how far the logits are from those of each alone.
fn step(
    slots: &mut Slots,
    readers: &mut [Option<Reader<'_>>],
    dice: &mut Dice,
) -> Result<f32, ModelError> {
    let mut parts = Vec::new();
    let mut expected = Vec::new();
    for (slot, reader) in readers.iter_mut().enumerate() {
        let Some(reader) = reader.as_mut().filter(|_| dice.below(4) > 0) else {
            continue;
        };
        let (from, to) = reader.range(dice);
        slots.truncate(slot, from);
        let is_lead = from < reader.sample.lead;
        parts.push(Part {
            slot,
            tokens: &reader.sample.tokens[from..to],
            rows: if is_lead { Logits::Last } else { Logits::All },
        });
        expected.push(if is_lead {
            &[]
        } else {
            reader.sample.rows(from, to)
        });
        reader.read = to;
    }
    let mut difference = 0f32;
    for (found, expected) in slots.step(&parts, None)?.iter().zip(expected) {
        for (found, expected) in found.iter().zip(expected) {
            difference = difference.max((found - expected).abs());
        }
    }
    Ok(difference)
}

impl Sample {
    /// The text number `at`, read as one text alone is.
    fn read(
        generator: &mut TextGenerator,
        at: i64,
        lead: usize,
        dice: &mut Dice,
    ) -> Result<Self, ModelError> {
        let length = lead + COMPARED;
        let mut tokens = arbitrary(length);
        tokens.iter_mut().for_each(|token| *token += 5_000 * at);
        generator.read_prompt(&tokens[..lead], None)?;
        let (mut from, mut logits) = (lead, Vec::new());
        while from < length {
            let to = cut(from, length.min(from + 1 + dice.below(MOST)));
            logits.extend(generator.read(&tokens[from..to], None)?);
            from = to;
        }
        Ok(Sample {
            tokens,
            lead,
            logits,
        })
    }

    fn rows(&self, from: usize, to: usize) -> &[f32] {
        let width = self.logits.len() / COMPARED;
        &self.logits[(from - self.lead) * width..(to - self.lead) * width]
    }
}

impl Reader<'_> {
    fn is_done(&self) -> bool {
        self.read == self.sample.tokens.len()
    }

    /// What is read next: some of the prompt, or a few tokens, now and then some of them once more.
    fn range(&self, dice: &mut Dice) -> (usize, usize) {
        let lead = self.sample.lead;
        if self.read < lead {
            let end = lead.min(self.read + 1 + dice.below(CHUNK));
            return (self.read, cut(self.read, end));
        }
        let back = if dice.below(4) == 0 {
            dice.below(MOST)
        } else {
            0
        };
        let from = self.read.saturating_sub(back).max(lead);
        let end = self.sample.tokens.len().min(from + 1 + dice.below(MOST));
        (from, cut(from, end))
    }
}
