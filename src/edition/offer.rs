//! Whether an offered manifest is accepted: numbered checks, cheapest and safest first. Pure.

use super::manifest::Manifest;
use super::moment::Moment;
use super::record::Record;
use super::signature::{self, PublicKey, Signed};
use super::{EditionError, limits};
use crate::types::Digest;

/// A manifest and its signature, as they came.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Offer {
    /// The bytes of `edition.toml`.
    pub manifest: Vec<u8>,
    /// The bytes of `edition.toml.minisig`; none when it is unsigned.
    pub signature: Vec<u8>,
}

/// The machine and the program that an edition must fit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Host {
    /// Processor architecture, as Rust names it.
    pub architecture: String,
    /// Version of this program.
    pub version: String,
    /// Memory of the machine, MiB; 0 when not known.
    pub memory_mib: u64,
}

/// What an offer is held against.
#[derive(Clone, Debug)]
pub struct Terms<'a> {
    /// Keys of the configuration.
    pub keys: &'a [PublicKey],
    /// What the box remembers.
    pub record: &'a Record,
    /// The edition that is current.
    pub current: Option<u64>,
    /// The machine.
    pub host: &'a Host,
    /// The wall clock, where it can be believed.
    pub now: Option<Moment>,
    /// A local operator wants an older edition.
    pub allow_downgrade: bool,
}

/// An accepted offer.
#[derive(Clone, Debug, PartialEq)]
pub struct Accepted {
    /// What the edition is made of.
    pub manifest: Manifest,
    /// Digest of the manifest's bytes.
    pub digest: Digest,
    /// Who signed it.
    pub signed: Signed,
    /// The newest time known after it.
    pub time: Moment,
    /// It expired: it is taken all the same, with a warning.
    pub stale: bool,
}

/// Holds `offer` against `terms`.
///
/// # Errors
/// [`EditionError::Refused`] with the first check that fails, what was expected and what was found.
pub fn examine(offer: &Offer, terms: &Terms<'_>) -> Result<Accepted, EditionError> {
    let refuse = |reason: String| Err(EditionError::Refused(reason));
    // 1. Its length, before anything looks into it.
    let length = offer.manifest.len() as u64;
    if length > limits::MANIFEST_BYTES {
        return refuse(limits::too_long(length, limits::MANIFEST_BYTES));
    }
    // 2. Its signature, over the bytes as they came, before anything is parsed.
    let trusted = terms.record.trusted(terms.keys);
    let signed = signature::verify(&offer.manifest, &offer.signature, &trusted)?;
    // 3. Format, product and paths; 4. sizes, completeness, adapters.
    let manifest = Manifest::parse(&offer.manifest).map_err(EditionError::Refused)?;
    manifest.check_complete().map_err(EditionError::Refused)?;
    // 5. Its serial: nothing that was replaced comes back.
    check_serial(manifest.serial, terms).map_err(EditionError::Refused)?;
    // 6. Program and machine.
    check_host(&manifest, terms.host).map_err(EditionError::Refused)?;
    // 7. Time: the clock can hold an edition off, never make the box go without one.
    if let (Some(from), Some(now)) = (manifest.not_before, terms.now)
        && now < from
    {
        return refuse(format!(
            "it is not to be used before {from}, and it is {now}; offer it again then"
        ));
    }
    // Whoever is trusted to sign says that this moment has passed.
    let known = terms.record.newest_time.max(terms.now.unwrap_or_default());
    let time = known.max(manifest.not_before.unwrap_or_default());
    // 8. Somebody must be left who can sign the next one.
    let mut after = terms.record.clone();
    after.change_keys(&manifest.keys);
    if after.trusted(terms.keys).is_empty() {
        return refuse("it retires every trusted key, so that no edition could follow".into());
    }
    Ok(Accepted {
        stale: manifest.expires.is_some_and(|end| time >= end),
        digest: Digest::of(&offer.manifest),
        manifest,
        signed,
        time,
    })
}

fn check_serial(serial: u64, terms: &Terms<'_>) -> Result<(), String> {
    if terms.current == Some(serial) {
        return Err(format!("edition {serial} is current already"));
    }
    let highest = terms.record.highest;
    if serial <= highest && !terms.allow_downgrade {
        return Err(format!(
            "serial {serial} is not above {highest}, the highest that was ever current; \
             a local operator may insist with --allow-downgrade"
        ));
    }
    Ok(())
}

fn check_host(manifest: &Manifest, host: &Host) -> Result<(), String> {
    if let Some(least) = &manifest.min_version {
        let numbers = version(least).ok_or_else(|| {
            format!("min_version {least:?} is no version, expected three numbers as in 0.2.0")
        })?;
        if version(&host.version).is_none_or(|own| own < numbers) {
            return Err(format!(
                "it needs almanac {least}, this is {}; install that first",
                host.version
            ));
        }
    }
    let wanted = &manifest.hardware.architectures;
    if !wanted.is_empty() && !wanted.contains(&host.architecture) {
        return Err(format!(
            "it is for {}, this machine is {}",
            wanted.join(", "),
            host.architecture
        ));
    }
    match manifest.hardware.memory_mib {
        Some(needed) if host.memory_mib != 0 && host.memory_mib < needed => Err(format!(
            "it needs {needed} MiB of memory, this machine has {}",
            host.memory_mib
        )),
        _ => Ok(()),
    }
}

/// The three numbers of `1.2.3`; what follows a `-` is ignored.
fn version(text: &str) -> Option<[u64; 3]> {
    let core = text.split('-').next()?;
    let mut numbers = core.split('.').map(str::parse);
    let mut next = || numbers.next()?.ok();
    let found = [next()?, next()?, next()?];
    numbers.next().is_none().then_some(found)
}
