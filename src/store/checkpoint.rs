//! SQLite: brings the write-ahead log home in the background, so that the writer thread never has to.
//!
//! Under load a passive checkpoint never reaches the end of the log, so the log would only ever grow, and writing to fresh
//! blocks at its end is several times dearer than writing over old ones. Once the log is long, the passive pass is
//! followed at once by one that makes the writer start over: little is left for it to copy, so writers wait milliseconds.

use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::thread::JoinHandle;
use std::time::{Duration, SystemTime};

use crossbeam_channel::{RecvTimeoutError, Sender, bounded};
use diesel::prelude::*;
use diesel::sql_types::Integer;

use super::connection::{AnyConnection, OpenedFile, Opener, Role};
use super::error::StoreError;

const EVERY: Duration = Duration::from_millis(500);
/// Frames (pages) after which the log starts over.
const LONG_FRAMES: i32 = 8_192;
/// How long writers may be kept waiting for readers that still use the log. Then it is left for the next time.
const PATIENCE: Duration = Duration::from_millis(20);

/// The background thread; stopped before the writer makes the last checkpoint.
#[derive(Debug)]
pub struct Checkpointer {
    stop: Mutex<Option<(Sender<()>, JoinHandle<()>)>>,
}

impl Checkpointer {
    /// Starts the thread for the database at `path`.
    pub fn start(opener: Opener, path: &Path) -> Result<Self, StoreError> {
        let (stop, stopped) = bounded::<()>(0);
        let log = log_path(path);
        let opener = Opener {
            busy_timeout: PATIENCE,
            ..opener
        };
        let thread = super::spawn("sqlite-checkpoint", move || {
            let mut open = None;
            let mut seen = None;
            while let Err(RecvTimeoutError::Timeout) = stopped.recv_timeout(EVERY) {
                let written = written_at(&log);
                if written == seen {
                    continue;
                }
                match checkpoint(&opener, &mut open) {
                    Ok(()) => seen = written,
                    Err(error) => {
                        open = None;
                        tracing::warn!(%error, "checkpoint failed");
                    }
                }
            }
        })?;
        Ok(Self {
            stop: Mutex::new(Some((stop, thread))),
        })
    }

    /// Ends the thread and waits for it.
    pub fn stop(&self) {
        let running = self
            .stop
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner)
            .take();
        if let Some((stop, thread)) = running {
            drop(stop);
            if thread.join().is_err() {
                tracing::error!("the checkpoint thread ended by a panic");
            }
        }
    }
}

fn log_path(path: &Path) -> PathBuf {
    let mut log = path.as_os_str().to_owned();
    log.push("-wal");
    PathBuf::from(log)
}

fn written_at(log: &Path) -> Option<SystemTime> {
    std::fs::metadata(log).and_then(|meta| meta.modified()).ok()
}

#[derive(Debug, QueryableByName)]
struct Passed {
    /// Frames in the log.
    #[diesel(sql_type = Integer)]
    log: i32,
}

fn checkpoint(opener: &Opener, open: &mut Option<(AnyConnection, OpenedFile)>) -> Result<(), StoreError> {
    let (conn, file) = match open {
        Some(open) => open,
        None => open.insert((opener.open(Role::Writer)?.0, OpenedFile::of(&opener.target))),
    };
    file.still_there()?;
    let passed: Passed = diesel::sql_query("PRAGMA wal_checkpoint(PASSIVE)").get_result(conn)?;
    if passed.log >= LONG_FRAMES {
        diesel::sql_query("PRAGMA wal_checkpoint(RESTART)").get_result::<Passed>(conn)?;
    }
    Ok(())
}
