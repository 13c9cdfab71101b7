//! Cuts text into numbers, words and marks, for the reading of quantities.

/// A number as it is written.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Number {
    /// Its value.
    pub value: f64,
    /// Digits shown after the decimal point.
    pub decimals: u32,
    /// Zeros at the end of a whole number: they may stand for rounding.
    pub zeros: u32,
}

impl Number {
    /// A number that was written as a word or a fraction.
    pub fn exact(value: f64) -> Self {
        Number {
            value,
            decimals: 3,
            zeros: 0,
        }
    }
}

/// One token.
#[derive(Clone, Debug, PartialEq)]
pub enum Lexeme {
    /// Digits, with thousands and decimals.
    Number(Number),
    /// Letters and digits that begin with a letter, as written.
    Word(String),
    /// Any other visible character.
    Mark(char),
}

/// A token and where it stands.
#[derive(Clone, Debug, PartialEq)]
pub struct Token {
    /// What it is.
    pub lexeme: Lexeme,
    /// First byte.
    pub start: usize,
    /// Byte after the last.
    pub end: usize,
}

impl Token {
    /// The word in lower case, if it is one.
    pub fn word(&self) -> Option<String> {
        match &self.lexeme {
            Lexeme::Word(word) => Some(word.to_lowercase()),
            _ => None,
        }
    }

    /// True for this mark.
    pub fn is_mark(&self, mark: char) -> bool {
        self.lexeme == Lexeme::Mark(mark)
    }
}

/// The tokens of `text`, in order.
pub fn tokens(text: &str) -> Vec<Token> {
    let mut found = Vec::new();
    let mut rest = 0;
    while let Some(first) = text[rest..].chars().next() {
        let (lexeme, length) = if first.is_ascii_digit() {
            number(&text[rest..])
        } else if is_minus(&text[rest..], &text[..rest], found.last()) {
            let (lexeme, length) = number(&text[rest + first.len_utf8()..]);
            (lexeme.map(negated), first.len_utf8() + length)
        } else if let Some(value) = vulgar(first) {
            (Some(Lexeme::Number(Number::exact(value))), first.len_utf8())
        } else if first.is_alphabetic() {
            let length = word_length(&text[rest..]);
            (
                Some(Lexeme::Word(text[rest..rest + length].to_owned())),
                length,
            )
        } else if first.is_whitespace() {
            (None, first.len_utf8())
        } else {
            (Some(Lexeme::Mark(plain(first))), first.len_utf8())
        };
        if let Some(lexeme) = lexeme {
            found.push(Token {
                lexeme,
                start: rest,
                end: rest + length,
            });
        }
        rest += length;
    }
    join_fractions(found)
}

/// Whether `rest` begins with the sign of a number: "below -6 °C", not "5-6", "5 -6" or a list's mark.
fn is_minus(rest: &str, before: &str, last: Option<&Token>) -> bool {
    let mut characters = rest.chars();
    let is_dash = characters.next().is_some_and(|mark| plain(mark) == '-');
    let is_number = characters.next().is_some_and(|c| c.is_ascii_digit());
    let is_free = before.ends_with([' ', '(', '\n', '/']) || before.is_empty();
    let is_joint = last.is_some_and(|token| matches!(token.lexeme, Lexeme::Number(_)));
    is_dash && is_number && is_free && !is_joint
}

fn negated(lexeme: Lexeme) -> Lexeme {
    match lexeme {
        Lexeme::Number(number) => Lexeme::Number(Number {
            value: -number.value,
            ..number
        }),
        other => other,
    }
}

/// One character for the many dashes, minus signs and degree signs.
fn plain(mark: char) -> char {
    match mark {
        '–' | '—' | '−' | '‑' | '‐' => '-',
        'º' | '˚' => '°',
        other => other,
    }
}

fn vulgar(mark: char) -> Option<f64> {
    match mark {
        '½' => Some(0.5),
        '¼' => Some(0.25),
        '¾' => Some(0.75),
        '⅓' => Some(1.0 / 3.0),
        '⅔' => Some(2.0 / 3.0),
        '⅛' => Some(0.125),
        _ => None,
    }
}

fn word_length(text: &str) -> usize {
    text.char_indices()
        .find(|(_, c)| !(c.is_alphanumeric() || matches!(c, '₂' | '₅')))
        .map_or(text.len(), |(at, _)| at)
}

/// `1,250`, `0.4`, `2026`; a comma counts only before groups of three digits.
fn number(text: &str) -> (Option<Lexeme>, usize) {
    let bytes = text.as_bytes();
    let digits = |from: usize| {
        bytes[from..]
            .iter()
            .take_while(|byte| byte.is_ascii_digit())
            .count()
    };
    let mut length = digits(0);
    if length <= 3 {
        while bytes.get(length) == Some(&b',') && digits(length + 1) == 3 {
            length += 4;
        }
    }
    let whole = length;
    let mut decimals = 0;
    if bytes.get(length) == Some(&b'.') && digits(length + 1) > 0 {
        decimals = digits(length + 1);
        length += 1 + decimals;
    }
    let plain: String = text[..length].chars().filter(|c| *c != ',').collect();
    let zeros = text[..whole]
        .bytes()
        .filter(|byte| *byte != b',')
        .rev()
        .take_while(|byte| *byte == b'0')
        .count();
    let lexeme = plain.parse().ok().map(|value| {
        Lexeme::Number(Number {
            value,
            decimals: u32::try_from(decimals).unwrap_or(u32::MAX),
            zeros: if decimals == 0 {
                u32::try_from(zeros).unwrap_or(0)
            } else {
                0
            },
        })
    });
    (lexeme, length)
}

/// `3/4` becomes one number, `1 1/2` and `1-1/2` too, and the ratio `12:1` is 12; `4/5` of a date or a season stays apart.
fn join_fractions(tokens: Vec<Token>) -> Vec<Token> {
    let mut joined: Vec<Token> = Vec::with_capacity(tokens.len());
    let mut at = 0;
    while at < tokens.len() {
        let Some((value, taken)) = fraction(&tokens[at..]) else {
            joined.push(tokens[at].clone());
            at += 1;
            continue;
        };
        let mut start = tokens[at].start;
        let mut total = value;
        if let Some((whole, dropped)) = whole_before(&joined, start) {
            total += whole;
            let kept = joined.len() - dropped;
            start = joined[kept].start;
            joined.truncate(kept);
        }
        joined.push(Token {
            lexeme: Lexeme::Number(Number::exact(total)),
            start,
            end: tokens[at + taken - 1].end,
        });
        at += taken;
    }
    joined
}

/// A fraction at the start of `tokens` and how many tokens it takes.
fn fraction(tokens: &[Token]) -> Option<(f64, usize)> {
    let whole = |token: &Token| match token.lexeme {
        Lexeme::Number(number) if number.decimals == 0 => Some(number.value),
        _ => None,
    };
    if let Some(Token {
        lexeme: Lexeme::Number(number),
        start,
        end,
    }) = tokens.first()
        // Three decimals in so few bytes: only a vulgar fraction is written like that.
        && number.decimals == 3
        && end - start <= 3
    {
        return Some((number.value, 1));
    }
    let [top, slash, bottom, ..] = tokens else {
        return None;
    };
    let adjacent = top.end == slash.start && slash.end == bottom.start;
    let (upper, lower) = (whole(top)?, whole(bottom)?);
    let usual = [2.0, 3.0, 4.0, 8.0, 16.0].contains(&lower);
    if slash.is_mark(':') && adjacent && lower == 1.0 && bottom.end - bottom.start == 1 {
        return Some((upper, 3));
    }
    (slash.is_mark('/') && adjacent && usual && upper < lower).then_some((upper / lower, 3))
}

/// The whole number before a fraction that begins at byte `start`, and how many tokens it takes.
fn whole_before(joined: &[Token], start: usize) -> Option<(f64, usize)> {
    let (number, dropped) = match joined {
        [.., number, dash]
            if dash.is_mark('-') && number.end == dash.start && dash.end == start =>
        {
            (number, 2)
        }
        [.., number] if start <= number.end + 1 => (number, 1),
        _ => return None,
    };
    match number.lexeme {
        Lexeme::Number(whole) if whole.decimals == 0 && (0.0..100.0).contains(&whole.value) => {
            Some((whole.value, dropped))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn numbers(text: &str) -> Vec<f64> {
        tokens(text)
            .into_iter()
            .filter_map(|token| match token.lexeme {
                Lexeme::Number(number) => Some(number.value),
                _ => None,
            })
            .collect()
    }

    #[test]
    fn thousands_decimals_and_fractions_are_one_number_each() {
        assert_eq!(
            numbers("32,000 and 0.4 and 3/4 inch"),
            [32_000.0, 0.4, 0.75]
        );
        assert_eq!(
            numbers("1 1/2 and 2-1/2 and 1½ and ½"),
            [1.5, 2.5, 1.5, 0.5]
        );
    }

    #[test]
    fn a_list_or_a_season_is_no_thousand_and_no_fraction() {
        assert_eq!(numbers("10, 20"), [10.0, 20.0]);
        assert_eq!(numbers("2025/26"), [2025.0, 26.0]);
    }

    #[test]
    fn a_dash_before_a_number_is_its_sign_where_nothing_is_joined() {
        assert_eq!(numbers("between -1 and −3.3 °C"), [-1.0, -3.3]);
        assert_eq!(
            numbers("5-6, 5 -6, 5 - 6 and mid-7"),
            [5.0, 6.0, 5.0, 6.0, 5.0, 6.0, 7.0]
        );
    }

    #[test]
    fn a_ratio_is_a_number_and_a_time_of_day_stays_two() {
        assert_eq!(numbers("reaches 12:1"), [12.0]);
        assert_eq!(numbers("at 12:10"), [12.0, 10.0]);
    }

    #[test]
    fn a_digit_inside_a_name_is_no_number() {
        assert_eq!(numbers("V6 and P2O5"), Vec::<f64>::new());
    }
}
