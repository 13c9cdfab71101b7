//! SenML unit names to what people write.

/// Names of the SenML units registry (RFC 8428 section 12.1, RFC 8798) that people write differently.
///
/// An empty right side is a unit that is not spoken. Units not listed are written as registered.
const SPOKEN: &[(&str, &str)] = &[
    ("Cel", "°C"),
    ("degF", "°F"),
    ("%RH", "%"),
    ("%EL", "%"),
    ("/100", "%"),
    ("/1000", "‰"),
    ("/", "(ratio)"),
    ("count", ""),
    ("pH", ""),
    ("m2", "m²"),
    ("m3", "m³"),
    ("l", "L"),
    ("l/s", "L/s"),
    ("m/s2", "m/s²"),
    ("m3/s", "m³/s"),
    ("kg/m3", "kg/m³"),
    ("ug/m3", "µg/m³"),
    ("W/m2", "W/m²"),
    ("Ohm", "Ω"),
    ("deg", "°"),
    ("lat", "° lat"),
    ("lon", "° lon"),
    ("beat/min", "beats/min"),
];

/// Longest unit taken, in bytes.
const MAX_UNIT: usize = 24;

/// `unit` as people write it; `None` where the unit is not spoken.
///
/// # Errors
/// The unit is longer than any registered one.
pub(super) fn for_people(unit: &str) -> Result<Option<String>, String> {
    if unit.len() > MAX_UNIT {
        return Err(format!(
            "the unit has {} bytes, at most {MAX_UNIT} are read",
            unit.len()
        ));
    }
    let spoken = SPOKEN
        .iter()
        .find(|(name, _)| *name == unit)
        .map_or(unit, |(_, spoken)| spoken);
    Ok(Some(spoken.to_owned()).filter(|spoken| !spoken.is_empty()))
}
