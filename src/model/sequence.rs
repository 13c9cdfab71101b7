//! One generation as it goes on, whoever runs the decoder: what is to be read next, and what is made of the logits.
//!
//! [`super::TextGenerator`] drives one alone, [`super::Together`] several at once; both get the same text.

use std::ops::ControlFlow;
use std::time::Instant;

use super::decoder::Logits;
use super::generation::Work;
use super::lookup::guesses;
use super::measure::log_probability;
use super::outlet::Outlet;
use super::sampling::Sampler;
use super::steps::cut;
use super::vocabulary::{Detokenizer, Vocabulary};
use super::{Finish, GenerateRequest, Generated, ModelError};

/// What a model's text is made with.
#[derive(Clone, Copy)]
pub struct Pen<'a> {
    /// Its tokenizer.
    pub vocabulary: &'a Vocabulary,
    /// Tokens that end a text.
    pub end_tokens: &'a [u32],
}

/// A generation.
pub struct Sequence {
    /// The prompt and all tokens chosen since.
    tokens: Vec<i64>,
    prompt: usize,
    /// Of those, how many the cache holds.
    read: usize,
    /// Most tokens to generate, and positions there are.
    most: usize,
    capacity: usize,
    phase: Phase,
    /// What the last step read after what was certain.
    guesses: Vec<i64>,
    /// What the text must not begin with, and whether it has begun so far as that does.
    banned: Vec<i64>,
    decline_from: Option<f32>,
    begins_banned: bool,
    sampler: Sampler,
    detokenizer: Detokenizer,
    outlet: Outlet,
    begun: Instant,
    generated: Generated,
}

enum Phase {
    /// The prompt is read.
    Prompt,
    /// How likely the refusal is; the logits after the prompt.
    Decline(Vec<f32>),
    Writing,
    Done,
}

/// What is to be read next.
pub struct Wanted {
    /// Positions of the cache that count; the others are to be forgotten before.
    pub length: usize,
    /// What is appended; never empty.
    pub tokens: Vec<i64>,
    /// Which of them want logits.
    pub rows: Logits,
}

/// Hears the text as it comes.
pub type Listener<'a> = &'a mut dyn FnMut(&str) -> ControlFlow<()>;

impl Sequence {
    /// A generation of `request`, which came at `begun`, after `prompt`, in a cache of `capacity` positions.
    ///
    /// # Errors
    /// The prompt is empty or leaves no room, the request asks for what cannot be, or the tokenizer failed.
    pub fn new(
        request: &GenerateRequest,
        prompt: Vec<i64>,
        capacity: usize,
        vocabulary: &Vocabulary,
        begun: Instant,
    ) -> Result<Self, ModelError> {
        if prompt.is_empty() || prompt.len() >= capacity {
            return Err(ModelError::PromptTooLong {
                tokens: prompt.len(),
                limit: capacity.saturating_sub(1),
            });
        }
        request.sampling.check()?;
        let most = match request.max_chars {
            Some(0) => 0,
            _ => request.max_tokens,
        };
        let decline = request.decline.as_ref();
        let banned = decline.map(|decline| vocabulary.encode(&decline.text, false));
        Ok(Sequence {
            prompt: prompt.len(),
            read: 0,
            most: most.min(capacity - prompt.len()),
            capacity,
            phase: Phase::Prompt,
            guesses: Vec::new(),
            banned: banned.transpose()?.unwrap_or_default(),
            decline_from: decline.map(|decline| decline.from),
            begins_banned: true,
            sampler: Sampler::new(request.sampling.clone()),
            detokenizer: Detokenizer::default(),
            outlet: Outlet::new(request)?,
            begun,
            generated: Generated {
                text: String::new(),
                prompt_tokens: prompt.len(),
                tokens: 0,
                first_token: begun.elapsed(),
                finish: Finish::Length,
                declined: None,
                work: Work::default(),
            },
            tokens: prompt,
        })
    }

    /// The prompt, and what was written after it.
    pub fn tokens(&self) -> &[i64] {
        &self.tokens
    }

    /// The first `positions` tokens of the prompt are in the cache already.
    pub fn reuse(&mut self, positions: usize) {
        self.read = positions.min(self.prompt - 1);
        self.generated.work.reused = self.read;
    }

    /// Whether the prompt is still being read.
    pub fn is_reading(&self) -> bool {
        matches!(self.phase, Phase::Prompt)
    }

    /// Whether it has ended.
    pub fn is_done(&self) -> bool {
        matches!(self.phase, Phase::Done)
    }

    /// Ends it where it is.
    pub fn stop(&mut self) {
        self.end(Finish::Stopped);
    }

    /// What came out, so far.
    pub fn generated(&self) -> &Generated {
        &self.generated
    }

    /// What came out.
    pub fn into_generated(self) -> Generated {
        self.generated
    }

    /// What is to be read next: at most `chunk` tokens of the prompt, or the last token and at most `most` guesses.
    pub fn next(&mut self, chunk: usize, most: usize) -> Wanted {
        self.guesses.clear();
        let (tokens, rows) = match self.phase {
            Phase::Prompt => {
                let end = cut(self.read, self.prompt.min(self.read + chunk.max(1)));
                (self.tokens[self.read..end].to_vec(), Logits::Last)
            }
            Phase::Decline(_) => {
                let certain = self.banned.len() - 1;
                (self.banned[..certain].to_vec(), Logits::All)
            }
            Phase::Writing | Phase::Done => {
                let room = self.capacity.saturating_sub(self.tokens.len());
                let left = (self.most - self.generated.tokens).saturating_sub(1);
                let guessed = guesses(&self.tokens, most.min(room).min(left));
                let end = cut(self.read, self.read + 1 + guessed.len());
                self.guesses
                    .extend(&guessed[..(end - self.read).saturating_sub(1)]);
                self.generated.work.steps += 1;
                self.generated.work.guessed += self.guesses.len();
                let last = self.tokens[self.tokens.len() - 1];
                let tokens = [&[last], &self.guesses[..]].concat();
                (tokens, Logits::All)
            }
        };
        Wanted {
            length: self.read,
            tokens,
            rows,
        }
    }

    /// Takes the logits of what [`Sequence::next`] wanted read, row by row, of which `wanted` were tokens.
    ///
    /// # Errors
    /// The tokenizer failed.
    pub fn take(
        &mut self,
        wanted: &Wanted,
        mut logits: Vec<f32>,
        pen: Pen<'_>,
        on_text: Listener<'_>,
    ) -> Result<(), ModelError> {
        match std::mem::replace(&mut self.phase, Phase::Writing) {
            Phase::Prompt => {
                self.read += wanted.tokens.len();
                if self.read < self.prompt {
                    self.phase = Phase::Prompt;
                    return Ok(());
                }
                if self.decline_from.is_some() {
                    if self.banned.len() > 1 {
                        self.phase = Phase::Decline(logits);
                        return Ok(());
                    }
                    self.weigh(&logits, &[]);
                }
                let width = logits.len();
                self.write(&mut logits, width, pen, on_text)
            }
            Phase::Decline(mut first) => {
                self.weigh(&first, &logits);
                let width = first.len();
                self.write(&mut first, width, pen, on_text)
            }
            Phase::Writing => {
                let width = logits.len() / wanted.tokens.len();
                self.write(&mut logits, width, pen, on_text)
            }
            Phase::Done => {
                self.phase = Phase::Done;
                Ok(())
            }
        }
    }

    /// Ends the generation where the refusal is likely enough, from the logits after the prompt and those after each of the
    /// refusal's tokens but the last.
    fn weigh(&mut self, first: &[f32], rest: &[f32]) {
        let rows = std::iter::once(first).chain(rest.chunks_exact(first.len()));
        let pairs = rows.zip(&self.banned);
        let sum: f64 = pairs
            .map(|(row, token)| log_probability(row, *token as usize))
            .sum();
        let probability = if self.banned.is_empty() {
            0.0
        } else {
            sum.exp() as f32
        };
        self.generated.declined = Some(probability);
        if self.decline_from.is_some_and(|from| probability >= from) {
            self.generated.first_token = self.begun.elapsed();
            self.end(Finish::Declined);
        }
    }

    /// Chooses a token by the first row of `logits`, and by each next one as long as that is what was guessed.
    fn write(
        &mut self,
        logits: &mut [f32],
        width: usize,
        pen: Pen<'_>,
        on_text: Listener<'_>,
    ) -> Result<(), ModelError> {
        for (at, row) in logits.chunks_exact_mut(width).enumerate() {
            if self.is_done() {
                return Ok(());
            }
            if self.generated.tokens == self.most {
                break;
            }
            let token = self.choose(row);
            if self.generated.tokens == 0 {
                self.generated.first_token = self.begun.elapsed();
            }
            if pen.end_tokens.contains(&token) {
                self.generated.finish = Finish::EndOfText;
                return self.close(pen, on_text);
            }
            self.generated.tokens += 1;
            self.tokens.push(i64::from(token));
            let fresh = self.detokenizer.push(pen.vocabulary, token)?;
            let (text, end) = self.outlet.push(fresh);
            self.generated.text.push_str(&text);
            if on_text(&text).is_break() {
                self.stop();
                return Ok(());
            }
            if let Some(finish) = end {
                self.end(finish);
                return Ok(());
            }
            // What was guessed wrong leaves no trace.
            if self.guesses.get(at) != Some(&i64::from(token)) {
                break;
            }
            if self.generated.tokens < self.most {
                self.generated.work.right += 1;
            }
        }
        self.read = self.tokens.len() - 1;
        match self.generated.tokens < self.most {
            true => Ok(()),
            false => self.close(pen, on_text),
        }
    }

    fn choose(&mut self, logits: &mut [f32]) -> u32 {
        let at = self.generated.tokens;
        let banned = self.banned.get(at).copied();
        // Its first token alone ("The") begins answers, too; the second one tells.
        if self.begins_banned
            && at == self.banned.len().min(2).saturating_sub(1)
            && let Some(token) = banned
        {
            logits[token as usize] = f32::NEG_INFINITY;
        }
        let token = self.sampler.choose(logits, &self.tokens, at);
        self.begins_banned &= banned == Some(i64::from(token));
        token
    }

    /// Gives out what is left of the text, and ends.
    fn close(&mut self, pen: Pen<'_>, on_text: Listener<'_>) -> Result<(), ModelError> {
        let rest = self.detokenizer.finish(pen.vocabulary)?;
        let (mut rest, mut end) = self.outlet.push(rest);
        if end.is_none() {
            let (held, cut) = self.outlet.close();
            rest.push_str(&held);
            end = cut;
        }
        if !rest.is_empty() {
            self.generated.text.push_str(&rest);
            let _ = on_text(&rest);
        }
        self.end(end.unwrap_or(self.generated.finish));
        Ok(())
    }

    fn end(&mut self, finish: Finish) {
        self.generated.finish = finish;
        self.phase = Phase::Done;
    }
}
