use super::*;

fn choose(sampling: &Sampling, logits: &[f32], before: &[i64], at: usize) -> u32 {
    Sampler::new(sampling.clone()).choose(&mut logits.to_vec(), before, at)
}

fn warm(temperature: f64) -> Sampling {
    Sampling {
        temperature,
        ..Sampling::default()
    }
}

/// How often each token is drawn at position 3 by so many seeds.
fn counts(sampling: &Sampling, logits: &[f32], before: &[i64], seeds: u64) -> Vec<u64> {
    let mut counts = vec![0; logits.len()];
    let mut sampler = Sampler::new(sampling.clone());
    for seed in 0..seeds {
        sampler.sampling.seed = seed;
        let token = sampler.choose(&mut logits.to_vec(), before, 3);
        counts[token as usize] += 1;
    }
    counts
}

/// Pearson's chi-square of `counts` against `expected` probabilities; a probability of 0 admits no count.
fn chi_square(counts: &[u64], expected: &[f64]) -> f64 {
    let all = counts.iter().sum::<u64>() as f64;
    let each = counts.iter().zip(expected).map(|(count, share)| {
        if *share == 0.0 {
            assert_eq!(*count, 0, "{counts:?}");
            return 0.0;
        }
        (*count as f64 - all * share).powi(2) / (all * share)
    });
    each.sum()
}

/// Logits of these probabilities, moved by a constant as logits may be.
fn logits(shares: &[f64]) -> Vec<f32> {
    let logits = shares.iter().map(|share| (share.ln() + 2.5) as f32);
    logits.collect()
}

const SHARES: [f64; 6] = [0.05, 0.4, 0.0, 0.25, 0.2, 0.1];

/// 99.9 % of chi-squares with 5 degrees of freedom are below.
const BOUND: f64 = 20.5;

#[test]
fn tokens_are_drawn_as_often_as_they_are_likely() {
    let counts = counts(&warm(1.0), &logits(&SHARES), &[], 20_000);
    let chi_square = chi_square(&counts, &SHARES);
    assert!(chi_square < BOUND, "{chi_square} {counts:?}");
}

#[test]
fn one_seed_draws_as_often_as_tokens_are_likely_over_its_positions() {
    for seed in [0, 1, u64::MAX] {
        let sampling = Sampling { seed, ..warm(1.0) };
        let mut counts = vec![0; SHARES.len()];
        for at in 0..20_000 {
            counts[choose(&sampling, &logits(&SHARES), &[], at) as usize] += 1;
        }
        let chi_square = chi_square(&counts, &SHARES);
        assert!(chi_square < BOUND, "{seed}: {chi_square} {counts:?}");
    }
}

#[test]
fn temperature_raises_probabilities_to_its_inverse() {
    for temperature in [0.5, 2.0] {
        let powers = SHARES.map(|share| share.powf(1.0 / temperature));
        let sum: f64 = powers.iter().sum();
        let expected = powers.map(|power| power / sum);
        let counts = counts(&warm(temperature), &logits(&SHARES), &[], 20_000);
        let chi_square = chi_square(&counts, &expected);
        assert!(chi_square < BOUND, "{temperature}: {chi_square} {counts:?}");
    }
}

#[test]
fn top_k_and_top_p_draw_from_the_likeliest_alone_by_what_is_left_of_their_sum() {
    let with = |top_k, top_p| Sampling {
        top_k,
        top_p,
        ..warm(1.0)
    };
    let three = [0.0, 0.4, 0.0, 0.25, 0.2, 0.0].map(|share| share / 0.85);
    let two = [0.0, 0.4, 0.0, 0.25, 0.0, 0.0].map(|share| share / 0.65);
    for (sampling, expected) in [
        (with(Some(3), 1.0), three),
        (with(Some(100), 1.0), SHARES),
        // 0.4 + 0.25 are below 0.7, and 0.2 more are above.
        (with(None, 0.7), three),
        (with(None, 0.64), two),
        // Of the three likeliest the first two have 0.76.
        (with(Some(3), 0.75), two),
        (with(Some(3), 0.77), three),
    ] {
        let counts = counts(&sampling, &logits(&SHARES), &[], 20_000);
        let chi_square = chi_square(&counts, &expected);
        assert!(chi_square < BOUND, "{sampling}: {chi_square} {counts:?}");
    }
}

#[test]
fn top_p_comes_after_temperature() {
    // The likeliest has 0.8 at temperature 1, and at 2, by the square roots, 0.89 of 1.53.
    let shares = [0.1, 0.8, 0.1];
    let with = |temperature, top_p| Sampling {
        top_p,
        ..warm(temperature)
    };
    let drawn = |sampling: &Sampling| counts(sampling, &logits(&shares), &[], 500);
    assert_eq!(drawn(&with(1.0, 0.75)), [0, 500, 0]);
    assert!(drawn(&with(2.0, 0.75))[0] > 0);
}

#[test]
fn a_penalty_divides_what_is_positive_and_multiplies_what_is_negative_once_a_token() {
    let sampling = Sampling {
        repetition_penalty: 2.0,
        ..Sampling::default()
    };
    let mut sampler = Sampler::new(sampling);
    let mut row = vec![3.0, -1.0, 0.5, 2.0];
    assert_eq!(sampler.choose(&mut row, &[0, 1, 0, 0], 0), 3);
    assert_eq!(row, [1.5, -2.0, 0.5, 2.0]);
    // At the next position, the token that was chosen too; what is no token of the row is passed over.
    let mut row = vec![3.0, -1.0, 0.5, 2.0];
    assert_eq!(sampler.choose(&mut row, &[0, 1, 0, 0, 3, 99, -1], 1), 0);
    assert_eq!(row, [1.5, -2.0, 0.5, 1.0]);
}

#[test]
fn a_penalty_comes_before_the_likeliest_are_taken() {
    let sampling = Sampling {
        top_k: Some(1),
        repetition_penalty: 2.0,
        ..warm(1.0)
    };
    assert_eq!(choose(&sampling, &[3.0, 2.0, 1.0], &[0], 0), 1);
}

/// A row as wide as a vocabulary, with some equal logits.
fn wide() -> Vec<f32> {
    let at = |at: u64| ((chance(9, at) * 4_000.0).floor() / 100.0 - 20.0) as f32;
    (0..49_152).map(at).collect()
}

#[test]
fn temperature_zero_and_one_likeliest_are_the_greedy_choice_also_among_equals() {
    let ties = [1.0, 4.0, 4.0, 4.0, 0.0];
    for row in [&ties[..], &wide()] {
        let greedy = argmax(row) as u32;
        for seed in 0..20 {
            let one = Sampling {
                top_k: Some(1),
                seed,
                ..warm(1.5)
            };
            let zero = Sampling { seed, ..warm(0.0) };
            let tiny = Sampling {
                seed,
                top_p: 1e-6,
                ..warm(1.0)
            };
            for sampling in [one, zero, tiny] {
                assert_eq!(choose(&sampling, row, &[], 7), greedy, "{sampling}");
            }
        }
    }
}

#[test]
fn of_equal_tokens_at_the_edge_the_first_ones_are_kept() {
    let row = [1.0, 4.0, 4.0, 4.0, 0.0];
    let two = Sampling {
        top_k: Some(2),
        ..warm(1.0)
    };
    let half = Sampling {
        top_p: 0.6,
        ..warm(1.0)
    };
    for sampling in [two, half] {
        let counts = counts(&sampling, &row, &[], 4_000);
        let chi_square = chi_square(&counts, &[0.0, 0.5, 0.5, 0.0, 0.0]);
        assert!(chi_square < 10.8, "{sampling}: {counts:?}");
    }
}

#[test]
fn what_top_p_keeps_of_many_is_what_a_full_sort_keeps() {
    let row = wide();
    let mut sorted: Vec<Ranked> = row.iter().copied().zip(0..).collect();
    sorted.sort_by(likelier);
    let weight = |temperature| Weight {
        best: f64::from(sorted[0].0),
        temperature,
    };
    for temperature in [0.3, 1.0, 8.0] {
        let weight = weight(temperature);
        let sum: f64 = row.iter().map(|logit| weight.of(*logit)).sum();
        for top_p in [0.1, 0.5, 0.9, 0.999] {
            let mut reached = 0.0;
            let full = sorted.iter().take_while(|(logit, _)| {
                let goes_on = reached < sum * top_p;
                reached += weight.of(*logit);
                goes_on
            });
            let full: Vec<Ranked> = full.copied().collect();
            let mut sampler = Sampler::new(Sampling {
                top_p,
                ..warm(temperature)
            });
            sampler.room = row.iter().copied().zip(0..).collect();
            assert_eq!(sampler.ranked(weight), full, "{temperature} {top_p}");
        }
    }
}

#[test]
fn what_is_no_number_or_impossible_is_never_drawn() {
    let row = [f32::NAN, 1.0, f32::NEG_INFINITY, 1.0, f32::NAN];
    for sampling in [
        warm(1.0),
        Sampling {
            top_k: Some(4),
            ..warm(1e30)
        },
        Sampling {
            top_p: 0.99,
            ..warm(1.0)
        },
    ] {
        let counts = counts(&sampling, &row, &[], 400);
        assert!(counts[1] > 100 && counts[3] > 100, "{counts:?}");
        assert_eq!(counts[1] + counts[3], 400, "{sampling}");
    }
    // Where nothing can be weighed, the choice is greedy.
    let sampling = warm(1.0);
    assert_eq!(choose(&sampling, &[f32::NAN; 3], &[], 0), 0);
    assert_eq!(choose(&sampling, &[f32::NEG_INFINITY; 3], &[], 0), 0);
    assert_eq!(choose(&sampling, &[0.0, f32::INFINITY, 1.0], &[], 0), 1);
    assert_eq!(
        choose(&warm(f64::MIN_POSITIVE), &[0.0, 1.0, 0.9], &[], 0),
        1
    );
}

#[test]
fn a_draw_depends_on_seed_position_and_logits_alone() {
    let row = wide();
    let sampling = Sampling {
        top_p: 0.99,
        ..warm(5.0)
    };
    let mut used = Sampler::new(sampling.clone());
    let forwards: Vec<u32> = (0..8)
        .map(|at| used.choose(&mut row.clone(), &[], at))
        .collect();
    let backwards = (0..8).rev().map(|at| choose(&sampling, &row, &[], at));
    let mut backwards: Vec<u32> = backwards.collect();
    backwards.reverse();
    assert_eq!(forwards, backwards);
    let mut different = forwards.clone();
    different.sort_unstable();
    different.dedup();
    assert!(different.len() > 5, "{forwards:?}");
}

#[test]
fn neighbouring_seeds_are_not_one_another_one_position_later() {
    // Reference values of SplitMix64 for the seed 1234567.
    let state = 1_234_567u64.wrapping_add(GAMMA);
    assert_eq!(mix(state), 6_457_827_717_110_365_317);
    assert_eq!(mix(state.wrapping_add(GAMMA)), 3_203_168_211_198_807_973);
    for seed in [0, 1, 77] {
        for other in [seed + 1, GAMMA.wrapping_add(seed)] {
            let one = (1..50).map(|at| chance(seed, at));
            let two = (0..49).map(|at| chance(other, at));
            assert!(one.zip(two).all(|(one, two)| one != two));
        }
        assert!((0..1_000).all(|at| (0.0..1.0).contains(&chance(seed, at))));
    }
}

#[test]
fn values_out_of_range_are_refused_by_name() {
    let good = Sampling {
        top_k: Some(40),
        top_p: 0.9,
        repetition_penalty: 1.1,
        seed: 7,
        ..warm(0.8)
    };
    assert!(good.check().is_ok() && Sampling::default().check().is_ok());
    let with = |change: fn(&mut Sampling)| {
        let mut sampling = good.clone();
        change(&mut sampling);
        sampling.check().expect_err("refused").to_string()
    };
    for (found, wanted) in [
        (with(|one| one.temperature = -0.1), "temperature is -0.1"),
        (with(|one| one.temperature = f64::NAN), "temperature is NaN"),
        (
            with(|one| one.temperature = f64::INFINITY),
            "temperature is inf",
        ),
        (with(|one| one.top_k = Some(0)), "top-k is 0"),
        (with(|one| one.top_p = 0.0), "top-p is 0,"),
        (with(|one| one.top_p = 1.01), "top-p is 1.01"),
        (with(|one| one.top_p = f64::NAN), "top-p is NaN"),
        (
            with(|one| one.repetition_penalty = 0.0),
            "repetition penalty is 0",
        ),
        (
            with(|one| one.repetition_penalty = f64::NAN),
            "repetition penalty is NaN",
        ),
    ] {
        assert!(found.contains(wanted), "{found}");
    }
}

#[test]
fn a_name_says_what_is_not_greedy() {
    let sampling = Sampling {
        top_k: Some(40),
        top_p: 0.9,
        repetition_penalty: 1.1,
        seed: 7,
        ..warm(0.8)
    };
    let all = "temperature 0.8, top-k 40, top-p 0.9, repetition penalty 1.1, seed 7";
    assert_eq!(sampling.to_string(), all);
    assert_eq!(Sampling::default().to_string(), "greedy");
    assert_eq!(warm(1.0).to_string(), "temperature 1, seed 0");
}
