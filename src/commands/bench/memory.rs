//! Memory of this process.

use serde::{Deserialize, Serialize};

/// MiB; zero where the system does not say.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
pub struct Memory {
    /// Resident now.
    pub now_mib: u64,
    /// Of it, what is in no file.
    pub own_mib: u64,
    /// Of it, pages of files, which the system may drop and read again.
    pub file_mib: u64,
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
        own_mib: field("RssAnon:").unwrap_or_default(),
        file_mib: field("RssFile:").unwrap_or_default(),
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
        assert!(memory.own_mib + memory.file_mib <= memory.now_mib + 1);
    }
}
