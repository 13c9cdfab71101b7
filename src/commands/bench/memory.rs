//! Memory of this process.

/// MiB; zero where the system does not say.
#[derive(Default)]
pub struct Memory {
    /// Resident now.
    pub now_mib: u64,
    /// Most that was resident.
    pub most_mib: u64,
}

/// As Linux tells it.
pub fn memory() -> Memory {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let field = |name: &str| {
        let line = status.lines().find_map(|line| line.strip_prefix(name))?;
        let kib: u64 = line.split_whitespace().next()?.parse().ok()?;
        Some(kib / 1024)
    };
    Memory {
        now_mib: field("VmRSS:").unwrap_or_default(),
        most_mib: field("VmHWM:").unwrap_or_default(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_memory_of_this_process_is_known_on_linux() {
        let memory = memory();
        assert!(memory.now_mib > 0 && memory.most_mib >= memory.now_mib);
    }
}
