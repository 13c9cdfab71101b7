//! Whether the box is well: the parts that are not, each with its reason. Pure.

use std::collections::BTreeMap;

/// Parts of the daemon that can be unwell without the daemon going down.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Part {
    /// The thread that owns the language model.
    Model,
    /// The journal of questions and outcomes.
    Journal,
    /// The connection to the broker.
    Broker,
}

impl Part {
    fn name(self) -> &'static str {
        match self {
            Part::Model => "model",
            Part::Journal => "journal",
            Part::Broker => "broker",
        }
    }
}

/// The parts that are unwell.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Health {
    problems: BTreeMap<Part, String>,
}

impl Health {
    /// Notes that `part` is unwell, and why.
    pub fn is_unwell(&mut self, part: Part, reason: impl Into<String>) {
        self.problems.insert(part, reason.into());
    }

    /// Notes that `part` is well again.
    pub fn is_well(&mut self, part: Part) {
        self.problems.remove(&part);
    }

    /// Whether a part is unwell.
    pub fn is_degraded(&self) -> bool {
        !self.problems.is_empty()
    }

    /// `ok`, or each unwell part with its reason.
    pub fn summary(&self) -> String {
        if self.problems.is_empty() {
            return "ok".into();
        }
        let each = |(part, reason): (&Part, &String)| format!("{}: {reason}", part.name());
        self.problems
            .iter()
            .map(each)
            .collect::<Vec<_>>()
            .join("; ")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_part_is_unwell_until_it_is_well_again() {
        let mut health = Health::default();
        health.is_unwell(Part::Model, "panicked");
        health.is_unwell(Part::Broker, "no route");
        assert_eq!(health.summary(), "model: panicked; broker: no route");
        health.is_well(Part::Model);
        health.is_well(Part::Broker);
        assert!(!health.is_degraded());
        assert_eq!(health.summary(), "ok");
    }
}
