//! SQLite: brings the write-ahead log home in the background, so that the writer thread never has to.

use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::thread::JoinHandle;
use std::time::Duration;

use crossbeam_channel::{RecvTimeoutError, Sender, bounded};
use diesel::connection::SimpleConnection;

use super::connection::{Opener, Role};
use super::error::StoreError;

const EVERY: Duration = Duration::from_millis(500);
/// Below this a checkpoint is not worth its fsync.
const SMALL_BYTES: u64 = 8 << 20;
/// Above this writers wait a moment so that the log starts over.
const LARGE_BYTES: u64 = 256 << 20;

/// The background thread; stopped before the writer makes the last checkpoint.
#[derive(Debug)]
pub struct Checkpointer {
    stop: Mutex<Option<(Sender<()>, JoinHandle<()>)>>,
}

impl Checkpointer {
    /// Starts the thread for the database at `path`.
    pub fn start(opener: Opener, path: PathBuf) -> Result<Self, StoreError> {
        let (stop, stopped) = bounded::<()>(0);
        let wal = wal_path(&path);
        let thread = super::spawn("sqlite-checkpoint", move || {
            while let Err(RecvTimeoutError::Timeout) = stopped.recv_timeout(EVERY) {
                let size = std::fs::metadata(&wal).map_or(0, |meta| meta.len());
                if size >= SMALL_BYTES
                    && let Err(error) = checkpoint(&opener, size)
                {
                    tracing::warn!(%error, size, "checkpoint failed");
                }
            }
        })?;
        Ok(Self { stop: Mutex::new(Some((stop, thread))) })
    }

    /// Ends the thread and waits for it.
    pub fn stop(&self) {
        let running = self.stop.lock().unwrap_or_else(std::sync::PoisonError::into_inner).take();
        if let Some((stop, thread)) = running {
            drop(stop);
            if thread.join().is_err() {
                tracing::error!("the checkpoint thread ended by a panic");
            }
        }
    }
}

fn wal_path(path: &Path) -> PathBuf {
    let mut wal = path.as_os_str().to_owned();
    wal.push("-wal");
    PathBuf::from(wal)
}

fn checkpoint(opener: &Opener, size: u64) -> Result<(), StoreError> {
    let (mut conn, _watch) = opener.open(Role::Writer)?;
    let how = if size >= LARGE_BYTES { "RESTART" } else { "PASSIVE" };
    conn.batch_execute(&format!("PRAGMA wal_checkpoint({how})"))?;
    Ok(())
}
