//! The rotary embedding's frequencies, and how makers stretch them for longer contexts.

use std::f64::consts::TAU;

use serde::Deserialize;

/// Base and stretching of a rotary embedding.
#[derive(Clone, Debug, PartialEq)]
pub struct Rope {
    /// Base of the wavelengths.
    pub base: f64,
    /// What is done to them.
    pub scaling: Scaling,
}

/// How the wavelengths are stretched.
#[derive(Clone, Debug, PartialEq)]
pub enum Scaling {
    /// Not at all.
    None,
    /// All by one factor (position interpolation, arXiv:2306.15595).
    Linear(f64),
    /// As in Llama 3.1: long ones by the factor, short ones not, those between in part.
    Llama3(Llama3),
    /// Each by its own factor, as a GGUF file's `rope_freqs.weight` has them.
    Factors(Vec<f32>),
}

/// Numbers of Llama 3.1's stretching, as in its `config.json`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Llama3 {
    /// What long waves are stretched by.
    pub factor: f64,
    /// Waves longer than the original context over this are long.
    pub low: f64,
    /// Waves shorter than the original context over this are short.
    pub high: f64,
    /// The original context, tokens.
    pub original: f64,
}

impl Rope {
    /// What a position is divided by to give the angle of each pair of a head: base^(2i/d) (RoFormer,
    /// arXiv:2104.09864, equation 15), stretched.
    ///
    /// # Errors
    /// A number that makes no wavelength, or another number of factors than the head has pairs.
    pub fn divisors(&self, head_dim: usize) -> Result<Vec<f64>, String> {
        let exponent = |index: usize| 2.0 * index as f64 / head_dim as f64;
        let pairs = 0..head_dim / 2;
        let mut divisors: Vec<f64> = pairs.map(|it| self.base.powf(exponent(it))).collect();
        match &self.scaling {
            Scaling::None => {}
            Scaling::Linear(factor) => divisors.iter_mut().for_each(|it| *it *= factor),
            Scaling::Llama3(numbers) => {
                divisors
                    .iter_mut()
                    .for_each(|it| *it *= numbers.stretch(TAU * *it));
            }
            Scaling::Factors(factors) if factors.len() == divisors.len() => {
                let pairs = divisors.iter_mut().zip(factors);
                pairs.for_each(|(divisor, factor)| *divisor *= f64::from(*factor));
            }
            Scaling::Factors(factors) => {
                return Err(format!(
                    "rope_freqs.weight has {} factors, expected {}: one a pair of a head",
                    factors.len(),
                    divisors.len()
                ));
            }
        }
        match divisors.iter().find(|it| !it.is_finite() || **it <= 0.0) {
            None => Ok(divisors),
            Some(wrong) => Err(format!(
                "the rotary embedding has a wavelength of {wrong}: its base is {}, its scaling {:?}",
                self.base, self.scaling
            )),
        }
    }
}

impl Llama3 {
    /// What a wave of that length is stretched by.
    fn stretch(&self, wavelength: f64) -> f64 {
        if wavelength < self.original / self.high {
            1.0
        } else if wavelength > self.original / self.low {
            self.factor
        } else {
            let kept = (self.original / wavelength - self.low) / (self.high - self.low);
            1.0 / ((1.0 - kept) / self.factor + kept)
        }
    }
}

/// `rope_scaling` or, as transformers 5 writes it, `rope_parameters` of a `config.json`.
#[derive(Clone, Debug, Default, Deserialize)]
pub struct RopeJson {
    rope_type: Option<String>,
    /// The name of `rope_type` in older files.
    #[serde(rename = "type")]
    old_type: Option<String>,
    /// The base, in newer files.
    pub rope_theta: Option<f64>,
    factor: Option<f64>,
    low_freq_factor: Option<f64>,
    high_freq_factor: Option<f64>,
    original_max_position_embeddings: Option<f64>,
    partial_rotary_factor: Option<f64>,
}

impl RopeJson {
    /// What it says.
    ///
    /// # Errors
    /// A kind that is not read, or a number that its kind needs and that is missing or out of range.
    pub fn scaling(&self) -> Result<Scaling, String> {
        if self.partial_rotary_factor.is_some_and(|part| part != 1.0) {
            return Err("it rotates a part of each head only; whole heads are read".into());
        }
        let number = |name: &str, value: Option<f64>| {
            let value = value.filter(|value| value.is_finite() && *value > 0.0);
            value.ok_or_else(|| format!("rope_scaling needs a {name} above 0"))
        };
        let kind = self.rope_type.as_deref().or(self.old_type.as_deref());
        match kind.unwrap_or("default") {
            "default" => Ok(Scaling::None),
            "linear" => number("factor", self.factor).map(Scaling::Linear),
            "llama3" => {
                let numbers = Llama3 {
                    factor: number("factor", self.factor)?,
                    low: number("low_freq_factor", self.low_freq_factor)?,
                    high: number("high_freq_factor", self.high_freq_factor)?,
                    original: number(
                        "original_max_position_embeddings",
                        self.original_max_position_embeddings,
                    )?,
                };
                if numbers.high <= numbers.low {
                    return Err(
                        "rope_scaling needs a high_freq_factor above its low_freq_factor".into(),
                    );
                }
                Ok(Scaling::Llama3(numbers))
            }
            other => Err(unread(other)),
        }
    }
}

/// The message for a kind of scaling that is not read.
pub fn unread(kind: &str) -> String {
    format!(
        "its rotary embedding is scaled by {kind:?}; linear and llama3 are read, and none. Take the model that \
         it was stretched from, or where its makers say that scaling is only for long texts, their file without it"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn divisors(scaling: Scaling) -> Vec<f64> {
        let rope = Rope {
            base: 10_000.0,
            scaling,
        };
        rope.divisors(8).expect("plain numbers")
    }

    #[test]
    fn without_scaling_the_wavelengths_are_powers_of_the_base() {
        assert_eq!(divisors(Scaling::None), [1.0, 10.0, 100.0, 1000.0]);
        assert_eq!(divisors(Scaling::Linear(4.0)), [4.0, 40.0, 400.0, 4000.0]);
        let factors = Scaling::Factors(vec![1.0, 2.0, 3.0, 4.0]);
        assert_eq!(divisors(factors), [1.0, 20.0, 300.0, 4000.0]);
    }

    #[test]
    fn llama3_stretches_long_waves_and_leaves_short_ones() {
        // Waves of 6.3, 63, 628 and 6283 tokens; short below 50, long above 200.
        let numbers = Llama3 {
            factor: 8.0,
            low: 1.0,
            high: 4.0,
            original: 200.0,
        };
        let found = divisors(Scaling::Llama3(numbers));
        assert_eq!((found[0], found[2], found[3]), (1.0, 800.0, 8000.0));
        let kept = (200.0 / (TAU * 10.0) - 1.0) / 3.0;
        let frequency = (1.0 - kept) * 0.1 / 8.0 + kept * 0.1;
        assert!((1.0 / found[1] - frequency).abs() < 1e-12, "{found:?}");
    }

    #[test]
    fn what_is_not_read_is_refused_with_what_is() {
        let refused = |json: &str| {
            let json: RopeJson = serde_json::from_str(json).expect("JSON");
            json.scaling().expect_err("it is not read")
        };
        for kind in ["yarn", "dynamic", "longrope"] {
            let reason = refused(&format!("{{\"rope_type\": \"{kind}\", \"factor\": 4.0}}"));
            assert!(
                reason.contains(kind) && reason.contains("linear and llama3"),
                "{reason}"
            );
        }
        assert!(refused("{\"type\": \"linear\"}").contains("factor"));
        assert!(refused("{\"type\": \"linear\", \"factor\": 0}").contains("above 0"));
        assert!(refused("{\"partial_rotary_factor\": 0.5}").contains("part of each head"));
        let swapped = "{\"rope_type\": \"llama3\", \"factor\": 8, \"low_freq_factor\": 4, \"high_freq_factor\": 1, \
                       \"original_max_position_embeddings\": 8192}";
        assert!(refused(swapped).contains("above its low_freq_factor"));
    }

    #[test]
    fn a_base_or_factor_that_makes_no_wave_is_refused() {
        for (base, scaling) in [
            (0.0, Scaling::None),
            (-1.0, Scaling::None),
            (f64::NAN, Scaling::None),
            (1e300, Scaling::Linear(1e300)),
            (1e4, Scaling::Factors(vec![1.0, 0.0, 1.0, 1.0])),
            (1e4, Scaling::Factors(vec![1.0])),
        ] {
            let rope = Rope { base, scaling };
            assert!(rope.divisors(8).is_err(), "{rope:?}");
        }
    }
}
