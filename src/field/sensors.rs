//! The newest readings of each device, in memory.
//!
//! Nothing is kept across a restart: sensors speak again, and what the broker retains comes with the subscription.

use std::collections::BTreeMap;
use std::collections::HashMap;
use std::time::Duration;

use crate::types::Reading;

/// Readings (names) kept of one device; one more takes the place of the oldest.
pub const MAX_READINGS: usize = 64;

/// The newest readings of each device.
#[derive(Debug)]
pub struct Sensors {
    max_age: i64,
    max_devices: usize,
    devices: HashMap<String, BTreeMap<String, Kept>>,
}

#[derive(Debug)]
struct Kept {
    reading: Reading,
    /// From when its age counts: a reading dated in the future ages from its arrival.
    from: i64,
}

impl Sensors {
    /// Keeps readings for `max_age`, of `max_devices` devices at most; the device silent for longest goes first.
    pub fn new(max_age: Duration, max_devices: usize) -> Self {
        Sensors {
            max_age: i64::try_from(max_age.as_secs()).unwrap_or(i64::MAX),
            max_devices,
            devices: HashMap::new(),
        }
    }

    /// Takes in `readings` of `device`; `now` in seconds since 1970 UTC. The newest of a name stays.
    pub fn put(&mut self, device: &str, readings: Vec<Reading>, now: i64) {
        let readings: Vec<_> = readings
            .into_iter()
            .map(|reading| Kept {
                from: reading.at.min(now),
                reading,
            })
            .filter(|kept| self.is_fresh(kept.from, now))
            .collect();
        if readings.is_empty() {
            return;
        }
        self.make_room(device, now);
        let kept = self.devices.entry(device.to_owned()).or_default();
        for new in readings {
            let name = new.reading.name.clone();
            if kept.get(&name).is_some_and(|old| old.from > new.from) {
                continue;
            }
            if kept.len() >= MAX_READINGS && !kept.contains_key(&name) {
                let oldest = kept.iter().min_by_key(|(_, kept)| kept.from);
                if let Some(oldest) = oldest.map(|(name, _)| name.clone()) {
                    kept.remove(&oldest);
                }
            }
            kept.insert(name, new);
        }
    }

    /// The readings of `device` that are young enough, by name; `now` in seconds since 1970 UTC.
    pub fn of(&self, device: &str, now: i64) -> Vec<Reading> {
        self.devices
            .get(device)
            .into_iter()
            .flat_map(BTreeMap::values)
            .filter(|kept| self.is_fresh(kept.from, now))
            .map(|kept| kept.reading.clone())
            .collect()
    }

    fn is_fresh(&self, from: i64, now: i64) -> bool {
        now.saturating_sub(from) <= self.max_age
    }

    fn make_room(&mut self, device: &str, now: i64) {
        if self.devices.len() < self.max_devices || self.devices.contains_key(device) {
            return;
        }
        let max_age = self.max_age;
        let newest = |kept: &BTreeMap<String, Kept>| kept.values().map(|kept| kept.from).max();
        self.devices
            .retain(|_, kept| newest(kept).is_some_and(|from| now.saturating_sub(from) <= max_age));
        if self.devices.len() >= self.max_devices {
            let silent = self.devices.iter().min_by_key(|(_, kept)| newest(kept));
            if let Some(silent) = silent.map(|(device, _)| device.clone()) {
                self.devices.remove(&silent);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::types::ReadingValue;

    const NOW: i64 = 1_800_000_000;

    fn reading(name: &str, value: f64, at: i64) -> Reading {
        Reading {
            device: "p".into(),
            name: name.into(),
            value: ReadingValue::Number(value),
            unit: None,
            at,
        }
    }

    fn shown(sensors: &Sensors, device: &str, now: i64) -> Vec<String> {
        sensors
            .of(device, now)
            .iter()
            .map(ToString::to_string)
            .collect()
    }

    #[test]
    fn the_newest_of_a_name_stays_until_it_is_too_old() {
        let mut sensors = Sensors::new(Duration::from_secs(60), 10);
        sensors.put(
            "p",
            vec![reading("t", 1.0, NOW - 10), reading("h", 5.0, NOW)],
            NOW,
        );
        sensors.put("p", vec![reading("t", 2.0, NOW - 20)], NOW);
        assert_eq!(shown(&sensors, "p", NOW), ["h 5", "t 1"]);
        sensors.put("p", vec![reading("t", 3.0, NOW - 5)], NOW);
        assert_eq!(shown(&sensors, "p", NOW + 58), ["h 5"]);
        assert_eq!(shown(&sensors, "q", NOW), [""; 0]);
    }

    #[test]
    fn a_reading_of_the_future_ages_from_its_arrival() {
        let mut sensors = Sensors::new(Duration::from_secs(60), 10);
        sensors.put("p", vec![reading("t", 1.0, NOW + 9_999_999)], NOW);
        assert_eq!(sensors.of("p", NOW + 61), []);
        sensors.put("p", vec![reading("t", 2.0, NOW + 1)], NOW + 1);
        assert_eq!(shown(&sensors, "p", NOW + 1), ["t 2"]);
    }

    #[test]
    fn devices_and_names_are_bounded() {
        let mut sensors = Sensors::new(Duration::from_secs(60), 2);
        for (n, device) in (0_i64..).zip(["a", "b", "a", "c"]) {
            sensors.put(device, vec![reading("t", 1.0, NOW + n)], NOW + n);
        }
        assert_eq!(
            sensors.of("b", NOW + 3),
            [],
            "the device silent for longest"
        );
        assert_eq!(sensors.of("a", NOW + 3).len(), 1);
        let many = (0..200)
            .map(|n| reading(&format!("n{n}"), 1.0, NOW))
            .collect();
        sensors.put("a", many, NOW);
        assert_eq!(sensors.of("a", NOW).len(), MAX_READINGS);
    }
}
