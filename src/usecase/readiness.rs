//! Whether this node can do its work, part by part: an operator is told which one cannot, and the log why.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use super::{Result, UseCaseError};
use crate::store::{Store, StoreError};
use crate::telemetry::process::free_disk_bytes;

/// A part that answers later than this is as good as none.
const PATIENCE: Duration = Duration::from_secs(2);

/// One part, and what is wrong with it.
#[derive(Debug)]
pub struct Part {
    pub name: &'static str,
    pub fault: Option<Fault>,
}

/// What keeps a part from working.
#[derive(Debug)]
pub struct Fault {
    /// For whoever asks: a word or two, nothing of the machine or its data.
    pub reason: String,
    /// For the log, where there is more to say.
    pub cause: Option<String>,
}

impl Fault {
    fn of(reason: impl Into<String>) -> Self {
        Self {
            reason: reason.into(),
            cause: None,
        }
    }
}

/// Looks at every part at once: a read, an empty change that goes the way of every change, the schema, and the disk.
/// `free_mib`: what the disk of `dir` must have left; zero: it is not looked at.
pub async fn readiness(store: &Arc<Store>, dir: &Path, free_mib: u64) -> Vec<Part> {
    let read = store.read(|tx| tx.network().map(drop).map_err(UseCaseError::from));
    let write = async {
        store.write(|_| Ok::<_, UseCaseError>(())).await?;
        // A change that was turned away lately is tried again in small: a full disk takes an empty one.
        Ok(store.takes_changes().await?)
    };
    let schema = store.read(|tx| tx.schema_fault().map_err(UseCaseError::from));
    let (read, write, schema) = tokio::join!(answered(read), answered(write), answered(schema));
    let part = |name, fault| Part { name, fault };
    vec![
        part("database_read", read.err()),
        part("database_write", write.err()),
        part("migrations", schema.map_or_else(Some, |fault| fault.map(Fault::of))),
        part("disk", disk(dir, free_mib)),
    ]
}

async fn answered<T>(work: impl Future<Output = Result<T>>) -> std::result::Result<T, Fault> {
    let Ok(answer) = tokio::time::timeout(PATIENCE, work).await else {
        return Err(Fault::of("no answer in time"));
    };
    answer.map_err(|error| {
        let reason = match &error {
            UseCaseError::Busy | UseCaseError::Store(StoreError::Busy) => "its queue is full",
            UseCaseError::Store(StoreError::Unavailable { reason, .. }) => reason,
            _ => "failed",
        };
        Fault {
            reason: reason.to_owned(),
            cause: Some(error.to_string()),
        }
    })
}

fn disk(dir: &Path, free_mib: u64) -> Option<Fault> {
    if free_mib == 0 {
        return None;
    }
    match free_disk_bytes(dir) {
        None => Some(Fault::of("the data directory cannot be looked at")),
        Some(free) if free / (1024 * 1024) < free_mib => Some(Fault::of(format!("less than {free_mib} MiB are left"))),
        Some(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_disk_is_full_gone_or_not_looked_at() {
        let reason = |dir: &str, mib| disk(Path::new(dir), mib).map(|fault| fault.reason);
        assert_eq!(reason("/", 0), None);
        assert!(reason("/", u64::MAX).expect("never so large").contains("are left"));
        assert!(reason("/nonexistent", 1).expect("gone").contains("cannot be looked at"));
    }
}
