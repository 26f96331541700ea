//! What the operating system says of this process, and the number of files it may open.

use std::path::Path;

/// The process at one moment; what the system does not tell is left out.
#[derive(Debug, Default, Clone, Copy, PartialEq)]
pub struct ProcessFigures {
    pub resident_bytes: Option<u64>,
    pub open_files: Option<u64>,
    pub max_files: Option<u64>,
    pub threads: Option<u64>,
}

impl ProcessFigures {
    /// Of now. Reads a few lines of `/proc`.
    pub fn read() -> Self {
        let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
        let number = |name: &str| {
            let line = status.lines().find_map(|line| line.strip_prefix(name))?;
            line.split_whitespace().next()?.parse::<u64>().ok()
        };
        Self {
            resident_bytes: number("VmRSS:").map(|kib| kib * 1024),
            // The directory that is being read is one of them.
            open_files: std::fs::read_dir("/proc/self/fd")
                .ok()
                .map(|files| files.count().saturating_sub(1) as u64),
            max_files: rlimit::getrlimit(rlimit::Resource::NOFILE).ok().map(|(soft, _)| soft),
            threads: number("Threads:"),
        }
    }
}

/// Bytes that may still be written below `dir`. `None` where the system does not say.
pub fn free_disk_bytes(dir: &Path) -> Option<u64> {
    let disk = rustix::fs::statvfs(dir).ok()?;
    Some(disk.f_bavail.saturating_mul(disk.f_frsize))
}

/// Files this process needs beside its connections: database, log, libraries, the metrics.
const OTHER_FILES: u64 = 256;

/// Raises the soft limit of open files to the hard one, and warns where even that is too low for so many connections.
pub fn raise_file_limit(connections: usize) {
    let raised = rlimit::increase_nofile_limit(u64::MAX);
    let needed = (connections as u64).saturating_add(OTHER_FILES);
    match raised {
        Ok(limit) if limit >= needed => tracing::debug!(limit, "open files"),
        Ok(limit) => tracing::warn!(
            limit,
            needed,
            "the limit of open files is too low for limits.connections: raise `ulimit -n` (LimitNOFILE=) or lower the key"
        ),
        Err(error) => tracing::warn!(%error, "the limit of open files could not be raised"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_knows_its_size() {
        raise_file_limit(1);
        let figures = ProcessFigures::read();
        assert!(figures.resident_bytes.expect("told") > 1024 * 1024);
        assert!(figures.open_files.expect("told") >= 3);
        assert!(figures.max_files >= figures.open_files);
        assert!(figures.threads.expect("told") >= 1);
        assert!(free_disk_bytes(Path::new("/")).is_some());
        assert_eq!(free_disk_bytes(Path::new("/nonexistent")), None);
    }
}
