//! Several texts at once beside one after another.

use std::ops::ControlFlow;
use std::time::{Duration, Instant};

use anyhow::ensure;
use serde_json::{Value, json};

use super::figure::{Figure, ms};
use crate::model::{
    GenerateRequest, Generated, Generator, ModelError, Seat, TextGenerator, Together, measure,
};

/// Joined steps whose logits are compared with those of each text alone.
const CHECKED: usize = 48;
/// Which texts take part in which of them.
const SEED: u64 = 20_261_123;

/// The two that are compared.
pub struct Both<'a> {
    /// One text at a time.
    pub generator: &'a mut TextGenerator,
    /// Several.
    pub together: &'a mut Together,
}

/// What was measured.
pub struct AtOnce {
    texts: usize,
    /// Writing the same number of tokens to each text.
    apart: Figure,
    joint: Figure,
    /// Between the logits of texts alone and at once.
    difference: f32,
    questions: Option<Questions>,
}

/// Whole answers, as many as there are texts at once.
struct Questions {
    /// From the first question to the last answer.
    apart: Duration,
    joint: Duration,
    /// When each was done, from the start; the earliest first.
    ends: Vec<Duration>,
    /// When each had its first token.
    firsts: Vec<Duration>,
    tokens: usize,
    /// How many texts were the same at once as one after another.
    identical: usize,
}

impl Both<'_> {
    /// Writes after prompts and, where there are `requests` enough, answers that many, both ways in turns.
    pub fn measure(
        &mut self,
        (prompt, write, repeat): (usize, usize, usize),
        requests: &[GenerateRequest],
    ) -> anyhow::Result<AtOnce> {
        let texts = self.together.slots();
        let difference = measure::joint_difference(self.generator, self.together, CHECKED, SEED)?;
        measure::speed_together(self.together, prompt, 1, 1)?;
        let (mut apart, mut joint) = (Vec::new(), Vec::new());
        for _ in 0..repeat {
            let one = measure::speed(self.generator, prompt, write, texts)?;
            apart.push(one.decode.iter().sum());
            joint.extend(measure::speed_together(self.together, prompt, write, 1)?);
        }
        let figure = |how: &str, times| {
            let what = format!("write, {texts} texts {how}");
            Figure::new(&what, texts * write, "tokens", times)
        };
        ensure!(
            requests.is_empty() || requests.len() >= texts,
            "{texts} chats at once are asked for, there are {}\nhint: --count more, --skip fewer",
            requests.len()
        );
        Ok(AtOnce {
            texts,
            apart: figure("one after another", apart),
            joint: figure("at once", joint),
            difference,
            questions: match requests.get(..texts) {
                Some(requests) => Some(self.questions(requests)?),
                None => None,
            },
        })
    }

    fn questions(&mut self, requests: &[GenerateRequest]) -> anyhow::Result<Questions> {
        self.generator.forget();
        let begun = Instant::now();
        let alone: Result<Vec<Generated>, ModelError> = requests
            .iter()
            .map(|request| self.generator.generate(request, &mut go_on))
            .collect();
        let (apart, alone) = (begun.elapsed(), alone?);
        self.together.forget()?;
        let begun = Instant::now();
        let together = &self.together;
        let answered: Vec<_> = std::thread::scope(|scope| {
            let answer = |mut seat: Seat, request| {
                let generated = seat.generate(request, &mut go_on);
                generated.map(|generated| (generated, begun.elapsed()))
            };
            let threads: Vec<_> = requests
                .iter()
                .map(|request| {
                    let seat = together.seat();
                    scope.spawn(move || answer(seat, request))
                })
                .collect();
            let joined = threads.into_iter().map(|thread| thread.join());
            joined
                .map(|ended| ended.unwrap_or_else(|_| Err(ModelError::Run("a panic".into()))))
                .collect()
        });
        let joint = begun.elapsed();
        let answered: Vec<_> = answered.into_iter().collect::<Result<_, _>>()?;
        let pairs = alone.iter().zip(&answered);
        let same = pairs.filter(|(one, (other, _))| one.text == other.text);
        let mut ends: Vec<Duration> = answered.iter().map(|(_, end)| *end).collect();
        ends.sort_unstable();
        let firsts = answered.iter().map(|(one, _)| one.first_token);
        let mut firsts: Vec<Duration> = firsts.collect();
        firsts.sort_unstable();
        Ok(Questions {
            identical: same.count(),
            apart,
            joint,
            ends,
            firsts,
            tokens: alone.iter().map(|one| one.tokens).sum(),
        })
    }
}

fn go_on(_: &str) -> ControlFlow<()> {
    ControlFlow::Continue(())
}

fn ratio(one: Duration, other: Duration) -> f64 {
    one.as_secs_f64() / other.as_secs_f64().max(f64::EPSILON)
}

impl AtOnce {
    fn faster(&self) -> f64 {
        ratio(self.apart.median(), self.joint.median())
    }

    /// For people.
    pub fn lines(&self) -> Vec<String> {
        let mut lines = vec![
            self.apart.line(),
            format!("{}, {:.2} x", self.joint.line(), self.faster()),
        ];
        lines.push(format!(
            "  {CHECKED} joined steps of texts that come and go: logits differ from those alone by {} at most",
            self.difference
        ));
        if let Some(questions) = &self.questions {
            let end = |at: usize| ms(questions.ends.get(at).copied().unwrap_or_default());
            lines.push(format!(
                "  {} whole questions, {} tokens: one after another {:.1} ms, at once {:.1} ms, {:.2} x; done after {:.1} to \
                 {:.1} ms, first tokens after {:.1} to {:.1} ms; the same text: {} of {}",
                self.texts,
                questions.tokens,
                ms(questions.apart),
                ms(questions.joint),
                ratio(questions.apart, questions.joint),
                end(0),
                end(self.texts - 1),
                ms(questions.firsts.first().copied().unwrap_or_default()),
                ms(questions.firsts.last().copied().unwrap_or_default()),
                questions.identical,
                self.texts,
            ));
        }
        lines
    }

    /// For programs.
    pub fn json(&self) -> Value {
        let all = |times: &[Duration]| times.iter().map(|time| ms(*time)).collect::<Vec<_>>();
        let questions = self.questions.as_ref().map(|questions| {
            json!({"one_after_another_ms": ms(questions.apart), "at_once_ms": ms(questions.joint),
                "ends_ms": all(&questions.ends), "first_tokens_ms": all(&questions.firsts),
                "tokens": questions.tokens, "identical": questions.identical})
        });
        json!({"texts": self.texts, "one_after_another": self.apart.json(), "at_once": self.joint.json(),
            "ratio": self.faster(), "joint_difference": self.difference, "questions": questions})
    }
}
