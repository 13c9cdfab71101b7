//! What a run costs the machine: energy and memory, as Linux reports them.

use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};

/// Where the kernel reports energy and memory; the caller hands the paths in.
#[derive(Clone, Debug)]
pub struct MeterPaths {
    /// `/sys/class/powercap` on Linux.
    pub powercap: PathBuf,
    /// `/proc/self` on Linux.
    pub process: PathBuf,
}

/// Reads the energy counters of the processor packages and the peak memory of this process.
#[derive(Debug)]
pub struct Meters {
    packages: Vec<Package>,
    process: PathBuf,
}

/// One counter; it wraps at its range.
#[derive(Debug)]
struct Package {
    counter: PathBuf,
    range_uj: u64,
}

/// The counters at one moment, microjoules.
#[derive(Clone, Debug)]
pub struct EnergyMark(Vec<u64>);

impl Meters {
    /// Looks which counters this machine has and may be read; a machine without any reports no energy.
    pub fn new(paths: &MeterPaths) -> Self {
        let mut packages: Vec<Package> = fs::read_dir(&paths.powercap)
            .into_iter()
            .flatten()
            .filter_map(|entry| Package::open(&entry.ok()?.path()))
            .collect();
        packages.sort_by(|a, b| a.counter.cmp(&b.counter));
        Meters {
            packages,
            process: paths.process.clone(),
        }
    }

    /// Whether energy is reported.
    pub fn has_energy(&self) -> bool {
        !self.packages.is_empty()
    }

    /// The counters now; `None` where there are none.
    pub fn mark(&self) -> Option<EnergyMark> {
        if self.packages.is_empty() {
            return None;
        }
        let read = |package: &Package| number(&package.counter);
        self.packages
            .iter()
            .map(read)
            .collect::<Option<_>>()
            .map(EnergyMark)
    }

    /// Joules since `mark`, all packages together; a counter that wrapped more than once is not noticed
    /// (its range lasts for minutes).
    pub fn joules_since(&self, mark: &EnergyMark) -> Option<f64> {
        let now = self.mark()?;
        let spent = |((package, before), now): ((&Package, &u64), &u64)| {
            now.checked_sub(*before)
                .unwrap_or_else(|| (package.range_uj - before.min(&package.range_uj)) + now)
        };
        let microjoules: u64 = self
            .packages
            .iter()
            .zip(&mark.0)
            .zip(&now.0)
            .map(spent)
            .sum();
        Some(microjoules as f64 / 1e6)
    }

    /// Forgets the peak of resident memory, where the kernel lets us; else it goes on growing.
    pub fn reset_peak(&self) {
        let file = fs::OpenOptions::new()
            .write(true)
            .open(self.process.join("clear_refs"));
        if let Ok(mut file) = file {
            // Not a file of ours: the kernel's switch for the high-water mark.
            let _ = file.write_all(b"5");
        }
    }

    /// Most resident memory since the last reset, bytes.
    pub fn peak_bytes(&self) -> Option<u64> {
        let status = fs::read_to_string(self.process.join("status")).ok()?;
        let line = status
            .lines()
            .find_map(|line| line.strip_prefix("VmHWM:"))?;
        let kib: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
        Some(kib * 1024)
    }
}

impl Package {
    /// A top-level zone (`intel-rapl:0`); its sub-zones (`intel-rapl:0:0`) are parts of it.
    fn open(zone: &Path) -> Option<Self> {
        let name = zone.file_name()?.to_str()?;
        if name.matches(':').count() != 1 {
            return None;
        }
        let counter = zone.join("energy_uj");
        number(&counter)?;
        Some(Package {
            range_uj: number(&zone.join("max_energy_range_uj")).unwrap_or(u64::MAX),
            counter,
        })
    }
}

fn number(path: &Path) -> Option<u64> {
    fs::read_to_string(path).ok()?.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn machine(counters: &[(&str, u64)]) -> (tempfile::TempDir, Meters) {
        let folder = tempfile::tempdir().expect("a temporary folder");
        for (zone, value) in counters {
            let zone = folder.path().join(zone);
            fs::create_dir_all(&zone).expect("writable");
            fs::write(zone.join("energy_uj"), format!("{value}\n")).expect("writable");
            fs::write(zone.join("max_energy_range_uj"), "10000000\n").expect("writable");
        }
        let meters = Meters::new(&MeterPaths {
            powercap: folder.path().to_owned(),
            process: PathBuf::from("/proc/self"),
        });
        (folder, meters)
    }

    #[test]
    fn packages_are_summed_and_their_parts_are_not() {
        let zones = [
            ("intel-rapl:0", 0),
            ("intel-rapl:0:0", 0),
            ("intel-rapl:1", 0),
        ];
        let (folder, meters) = machine(&zones);
        let mark = meters.mark().expect("counters");
        for (zone, _) in zones {
            fs::write(folder.path().join(zone).join("energy_uj"), "1500000").expect("writable");
        }
        assert_eq!(meters.joules_since(&mark), Some(3.0));
    }

    #[test]
    fn a_counter_that_wrapped_goes_on() {
        let (folder, meters) = machine(&[("intel-rapl:0", 9_000_000)]);
        let mark = meters.mark().expect("a counter");
        fs::write(folder.path().join("intel-rapl:0/energy_uj"), "500000").expect("writable");
        assert_eq!(meters.joules_since(&mark), Some(1.5));
    }

    #[test]
    fn a_machine_without_counters_reports_no_energy() {
        let (_folder, meters) = machine(&[]);
        assert!(!meters.has_energy());
        assert!(meters.mark().is_none());
    }

    #[test]
    fn the_peak_of_memory_is_that_of_this_process() {
        let (_folder, meters) = machine(&[]);
        assert!(meters.peak_bytes().expect("Linux reports it") > 1 << 20);
    }
}
