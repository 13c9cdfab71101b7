//! Prompt lookup: guesses how a text goes on from what stands before it, and verifies the guesses in one step.
//!
//! Answers over passages repeat the passages, and a step that reads a few tokens costs little more than one that
//! reads one. A guess is taken only where it is the token that is chosen anyway, so the text is
//! the same with any guesses or none (see [`super::decoder::Decoder::step`] for why that holds to the bit).
//! The idea is that of prompt lookup decoding (Saxena 2023), a case of speculative decoding (arXiv:2211.17192).

/// Longest run of tokens that is looked for.
const LONGEST: usize = 3;

/// How `tokens` may go on: what followed the last time that their end stood in them before; at most `most` tokens.
///
/// Three equal tokens weigh more than two. One alone is worth a single guess only: a step has two rows at least.
pub(super) fn guesses(tokens: &[i64], most: usize) -> &[i64] {
    for length in (1..=LONGEST).rev() {
        let Some(begins) = tokens.len().checked_sub(length) else {
            continue;
        };
        let end = &tokens[begins..];
        let most = if length == 1 { most.min(1) } else { most };
        let before = (0..begins).rev();
        let found = before.map(|at| at + length);
        let mut found = found.filter(|after| &tokens[after - length..*after] == end);
        if let Some(after) = found.next() {
            return &tokens[after..tokens.len().min(after + most)];
        }
    }
    &[]
}

#[cfg(test)]
mod tests {
    use super::guesses;

    #[test]
    fn what_followed_the_same_three_tokens_is_guessed_before_what_followed_two() {
        let tokens = [1, 2, 3, 40, 41, 7, 2, 3, 50, 1, 2, 3];
        assert_eq!(guesses(&tokens, 3), [40, 41, 7]);
        assert_eq!(guesses(&tokens[1..], 8), [50, 1, 2, 3], "the latest of two");
    }

    #[test]
    fn one_equal_token_is_worth_one_guess() {
        assert_eq!(guesses(&[9, 8, 7, 9], 8), [8]);
    }

    #[test]
    fn what_was_never_seen_is_not_guessed() {
        assert_eq!(guesses(&[1, 2, 3], 8), [0i64; 0]);
        assert_eq!(guesses(&[], 8), [0i64; 0]);
        assert_eq!(guesses(&[1, 1, 1, 1], 0), [0i64; 0]);
    }

    #[test]
    fn a_run_of_one_token_goes_on() {
        assert_eq!(guesses(&[5, 5, 5, 5, 5], 8), [5]);
    }
}
