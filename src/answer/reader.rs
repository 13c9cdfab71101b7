//! Reads numbers, ranges and dates out of tokens; what follows a number is read in `scale`.

use super::lexer::{Lexeme, Number, Token, tokens};
use super::quantity::{Kind, MonthPart, Quantity};
use super::units;
use super::words;

/// The tokens of one text.
pub(super) struct Reader<'a> {
    tokens: Vec<Token>,
    text: &'a str,
    /// Whether `5 or more eggs` counts eggs, and `five or more of them` is a number.
    open_ended: bool,
}

impl<'a> Reader<'a> {
    /// Cuts `text` into tokens.
    pub(super) fn new(text: &'a str) -> Self {
        Reader {
            tokens: tokens(text),
            text,
            open_ended: false,
        }
    }

    /// As [`Reader::new`], for a text that gives limits: `5 or more eggs`.
    pub(super) fn of_limits(text: &'a str) -> Self {
        Reader {
            open_ended: true,
            ..Reader::new(text)
        }
    }

    /// Its quantities, in order.
    pub(super) fn read(&self) -> Vec<Quantity> {
        let mut found = Vec::new();
        let mut at = 0;
        while at < self.tokens.len() {
            if let Some((dates, next)) = self.dates(at) {
                found.extend(dates);
                at = next;
            } else if let Some((amounts, next)) = self.amounts(at) {
                found.extend(amounts);
                at = next;
            } else {
                at += 1;
            }
        }
        found
    }

    pub(super) fn word(&self, at: usize) -> Option<String> {
        self.tokens.get(at)?.word()
    }

    pub(super) fn mark(&self, at: usize, mark: char) -> bool {
        self.tokens.get(at).is_some_and(|token| token.is_mark(mark))
    }

    fn day(&self, at: usize) -> Option<u32> {
        match self.tokens.get(at)?.lexeme {
            Lexeme::Number(number)
                if number.decimals == 0 && (1.0..=31.0).contains(&number.value) =>
            {
                // Lossless: a whole number of at most 31.
                Some(number.value as u32)
            }
            _ => None,
        }
    }

    /// `12 April`, `April 12`, `May 13 to 19`, `mid-April`, `end of June`, `April`.
    fn dates(&self, at: usize) -> Option<(Vec<Quantity>, usize)> {
        if let Some(day) = self.day(at) {
            let mut next = at + 1;
            let mut days = vec![day];
            if let Some((other, after)) = self.second_day(next) {
                days.push(other);
                next = after;
            }
            let suffix = self
                .word(next)
                .is_some_and(|word| ["st", "nd", "rd", "th"].contains(&word.as_str()));
            next += usize::from(suffix);
            next += usize::from(self.word(next).as_deref() == Some("of"));
            let month = self.month(next)?;
            return Some((self.days(at, next + 1, month, &days), next + 1));
        }
        let month = self.month(at)?;
        let mut next = at + 1;
        let Some(day) = self.day(next).filter(|_| !self.unit_follows(next + 1)) else {
            let date = self.quantity(
                at,
                next,
                Kind::Date {
                    month,
                    day: None,
                    part: self.part_before(at),
                },
            );
            return Some((vec![date], next));
        };
        next += 1;
        let mut days = vec![day];
        if let Some((other, after)) = self.second_day(next)
            && self.month(after).is_none()
            && !self.unit_follows(after)
        {
            days.push(other);
            next = after;
        }
        Some((self.days(at, next, month, &days), next))
    }

    fn days(&self, at: usize, next: usize, month: u32, days: &[u32]) -> Vec<Quantity> {
        days.iter()
            .map(|day| {
                let kind = Kind::Date {
                    month,
                    day: Some(*day),
                    part: None,
                };
                self.quantity(at, next, kind)
            })
            .collect()
    }

    fn second_day(&self, at: usize) -> Option<(u32, usize)> {
        let joined = self.mark(at, '-')
            || self
                .word(at)
                .is_some_and(|word| ["to", "and", "or"].contains(&word.as_str()));
        let day = self.day(at + 1)?;
        joined.then_some((day, at + 2))
    }

    fn month(&self, at: usize) -> Option<u32> {
        let token = self.tokens.get(at)?;
        let Lexeme::Word(written) = &token.lexeme else {
            return None;
        };
        // `may` and `march` are verbs too: a month begins with a capital.
        if !written.starts_with(|c: char| c.is_uppercase()) {
            return None;
        }
        let lower = written.to_lowercase();
        if lower == "may"
            && self
                .word(at + 1)
                .is_some_and(|next| ["be", "need", "not", "have", "help"].contains(&next.as_str()))
        {
            return None;
        }
        let index = words::MONTHS.iter().position(|month| {
            *month == lower || (lower.len() >= 3 && lower.len() <= 4 && month.starts_with(&lower))
        })?;
        u32::try_from(index + 1).ok()
    }

    fn part_before(&self, at: usize) -> Option<MonthPart> {
        let earlier = |back: usize| at.checked_sub(back).and_then(|at| self.word(at));
        let named = |word: String| match word.as_str() {
            "early" | "beginning" | "start" | "first" => Some(MonthPart::Early),
            "mid" | "middle" => Some(MonthPart::Middle),
            "late" | "end" | "last" => Some(MonthPart::Late),
            _ => None,
        };
        let dash = at.checked_sub(1).is_some_and(|at| self.mark(at, '-'));
        if dash {
            return earlier(2).and_then(named);
        }
        match earlier(1).as_deref() {
            Some("of") => match earlier(2).as_deref() {
                Some("week" | "half" | "days") => earlier(3).and_then(named),
                _ => earlier(2).and_then(named),
            },
            _ => earlier(1).and_then(named),
        }
    }

    /// Numbers joined by `to`, `-`, `or`, `and`, with the unit that follows the last of them.
    fn amounts(&self, at: usize) -> Option<(Vec<Quantity>, usize)> {
        let (first, mut next, spelled) = self.number(at)?;
        if self.is_name(at, next) || self.is_clock(at) {
            return Some((Vec::new(), next));
        }
        let mut numbers = vec![(first, at)];
        while let Some((number, start, after)) = self.joined_number(next) {
            // "2 inches to 3 inches": the second has a unit of its own and is read by itself.
            numbers.push((number, start));
            next = after;
        }
        let open = self.is_open_ended(next);
        let behind = next + if open { 2 } else { 0 };
        let (mut scale, mut after) = self.scale(self.whole(behind).unwrap_or(behind));
        if open || self.whole(behind).is_some() {
            after = next;
        } else if spelled && scale.is_bare() {
            return None;
        }
        if scale.is_bare() && self.is_acidity(at) {
            scale.unit = units::named("ph");
        }
        if scale.is_bare() && at > 0 && self.mark(at - 1, '$') {
            scale.unit = units::named("$");
        }
        let kind = |number: Number| {
            let year = (1_900.0..2_100.0).contains(&number.value) && number.decimals == 0;
            match year && scale.unit.is_none() && !spelled && self.is_plain_year(at) {
                // Lossless: a whole number under 2,100.
                true => Kind::Year(number.value as u32),
                false => Kind::Amount(number, scale.clone()),
            }
        };
        let found = numbers
            .into_iter()
            .map(|(number, start)| self.quantity(start, after, kind(number)))
            .collect();
        Some((found, after.max(next)))
    }

    /// `or more`, `or fewer`: what is counted stands behind it.
    fn is_open_ended(&self, at: usize) -> bool {
        let more = |word: String| ["more", "fewer", "less"].contains(&word.as_str());
        self.open_ended
            && self.word(at).as_deref() == Some("or")
            && self.word(at + 1).is_some_and(more)
    }

    /// The token after the second number of `five of the 100 flowers`: what it counts the first one counts, too.
    fn whole(&self, at: usize) -> Option<usize> {
        let of = self.open_ended && self.word(at).as_deref() == Some("of");
        let number = at + 1 + usize::from(self.word(at + 1).as_deref() == Some("the"));
        of.then(|| self.number(number))
            .flatten()
            .map(|(_, next, _)| next)
    }

    /// Four digits without a comma.
    fn is_plain_year(&self, at: usize) -> bool {
        self.tokens
            .get(at)
            .is_some_and(|token| token.end - token.start == 4)
    }

    /// A number of digits or words at `at`: value, next token, whether it was spelled out.
    fn number(&self, at: usize) -> Option<(Number, usize, bool)> {
        match &self.tokens.get(at)?.lexeme {
            Lexeme::Number(number) => {
                let factor = match self.word(at + 1).as_deref() {
                    Some("thousand") => 1e3,
                    Some("million") => 1e6,
                    _ => return Some((*number, at + 1, false)),
                };
                let number = Number {
                    value: number.value * factor,
                    ..*number
                };
                Some((number, at + 2, false))
            }
            Lexeme::Word(_) => self.spelled(at),
            Lexeme::Mark(_) => None,
        }
    }

    fn spelled(&self, at: usize) -> Option<(Number, usize, bool)> {
        let word = self.word(at)?;
        if word == "half" {
            // "half a gram", "half an inch": else it is a share of something.
            let article = self
                .word(at + 1)
                .is_some_and(|word| word == "a" || word == "an");
            let next = at + 1 + usize::from(article);
            let measured = self
                .word(next)
                .and_then(|word| units::named(&word))
                .is_some();
            return measured.then_some((Number::exact(0.5), next, true));
        }
        let mut value = words::small(&word)?;
        let mut next = at + 1;
        if value >= 20.0 {
            let unit = next + usize::from(self.mark(next, '-'));
            if let Some(more) = self
                .word(unit)
                .and_then(|word| words::small(&word))
                .filter(|more| *more < 10.0)
            {
                value += more;
                next = unit + 1;
            }
        }
        match self.word(next).as_deref() {
            Some("hundred") => (value, next) = (value * 100.0, next + 1),
            Some("thousand") => (value, next) = (value * 1e3, next + 1),
            Some("million") => (value, next) = (value * 1e6, next + 1),
            _ => {}
        }
        // "one" is a number only before a unit: "one of them", "one more".
        let counts = value > 1.0 || self.unit_follows(next);
        counts.then_some((Number::exact(value), next, true))
    }

    /// `to 3`, `- 3`, `or 3`, `and 3` after a number: the number, its token, the next token.
    fn joined_number(&self, at: usize) -> Option<(Number, usize, usize)> {
        let joined = self.mark(at, '-')
            || self
                .word(at)
                .is_some_and(|word| ["to", "or", "and"].contains(&word.as_str()));
        if !joined || self.day_of_month(at + 1) {
            return None;
        }
        let (number, next, _) = self.number(at + 1)?;
        Some((number, at + 1, next))
    }

    fn day_of_month(&self, at: usize) -> bool {
        self.day(at).is_some() && self.month(at + 1).is_some()
    }

    fn quantity(&self, first: usize, next: usize, kind: Kind) -> Quantity {
        Quantity {
            kind,
            start: self.tokens[first].start,
            end: self.tokens[next.max(first + 1) - 1].end,
        }
    }

    fn unit_follows(&self, at: usize) -> bool {
        self.base_unit(at).is_some()
    }

    /// `PBW 752`, `PMH 13`, `Highway 30`: a number that belongs to the name before it.
    fn is_name(&self, at: usize, next: usize) -> bool {
        let Some(before) = at.checked_sub(1).and_then(|at| self.tokens.get(at)) else {
            return false;
        };
        let Lexeme::Word(word) = &before.lexeme else {
            return false;
        };
        let capitals = word.chars().count() >= 2
            && word.chars().all(|c| c.is_uppercase() || c.is_ascii_digit());
        let road = ["Highway", "Interstate", "Table", "Figure", "Page"].contains(&word.as_str());
        let adjacent = self.text[before.end..self.tokens[at].start]
            .trim()
            .is_empty();
        adjacent && (road || (capitals && !self.unit_follows(next)))
    }

    /// `08:00` is a time of day.
    fn is_clock(&self, at: usize) -> bool {
        let beside = |colon: usize| {
            self.mark(colon, ':') && self.tokens[colon].start == self.tokens[colon - 1].end
        };
        let digit_after = |colon: usize| {
            self.tokens.get(colon + 1).is_some_and(|token| {
                matches!(token.lexeme, Lexeme::Number(_)) && token.start == self.tokens[colon].end
            })
        };
        (beside(at + 1) && digit_after(at + 1))
            || (at >= 2 && beside(at - 1) && digit_after(at - 1))
    }

    /// `pH of 5.5`, `a pH between 6 and 6.5`.
    fn is_acidity(&self, at: usize) -> bool {
        (at.saturating_sub(5)..at)
            .rev()
            .take_while(|back| !self.mark(*back, '.') && !self.mark(*back, ';'))
            .any(|back| self.word(back).as_deref() == Some("ph"))
    }
}
