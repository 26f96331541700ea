//! What can break between us and the database. A rule that says no is not here: that is a refusal.

use diesel::result::{DatabaseErrorKind, Error as DieselError};

/// A failure of the store. Callers see a class, never the database's own words; `Display` leaves the source out.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The database cannot be reached, is locked by someone else, or is out of space: worth trying again later.
    #[error("the database is not available: {reason}")]
    Unavailable {
        reason: &'static str,
        #[source]
        source: Option<Box<dyn std::error::Error + Send + Sync>>,
    },
    /// More work waits than the queue may hold.
    #[error("too much work is waiting")]
    Busy,
    /// A unique index or a foreign key said no: somebody else was first.
    #[error("the change conflicts with another one")]
    Conflict(#[source] DieselError),
    /// PostgreSQL asks for the transaction to be run again.
    #[error("the transaction must be run again")]
    Retry(#[source] DieselError),
    /// The idempotency key was used before with another request.
    #[error("the idempotency key was used with another request")]
    KeyReused,
    /// What the database holds cannot be understood.
    #[error("the database holds something this program cannot read: {0}")]
    Corrupt(String),
    /// The job panicked; nothing it did was kept.
    #[error("the operation failed")]
    Panicked,
    /// An earlier statement of the transaction failed, so it can only be rolled back.
    #[error("an earlier statement of this transaction failed")]
    Poisoned,
    /// Any other database error.
    #[error("the database refused a statement")]
    Database(#[source] DieselError),
    /// The database does not fit this program.
    #[error("{0}")]
    Mismatch(String),
}

impl StoreError {
    /// What is sealed cannot be read because its key is not there: an operator has to see to it.
    pub const KEY_MISSING: &'static str = "a key is missing";

    /// It is about the record at hand: others may still be dealt with.
    pub fn is_of_record(&self) -> bool {
        match self {
            Self::Unavailable { reason, .. } => *reason == Self::KEY_MISSING,
            Self::Conflict(_) | Self::Corrupt(_) | Self::Panicked | Self::Poisoned => true,
            Self::Database(DieselError::DatabaseError(kind, _)) => matches!(
                kind,
                DatabaseErrorKind::CheckViolation | DatabaseErrorKind::NotNullViolation
            ),
            _ => false,
        }
    }

    /// The database is out of reach because of `source`.
    pub fn unavailable(reason: &'static str, source: impl std::error::Error + Send + Sync + 'static) -> Self {
        Self::Unavailable {
            reason,
            source: Some(Box::new(source)),
        }
    }
}

/// The words the engines use for what passes by itself or by an operator's hand, with our name for each. Diesel hands on
/// PostgreSQL's codes (53100 and the like) for constraints only, so sessions ask for English words: see `connection`.
const PASSING: [(&str, &str); 22] = [
    ("database is locked", "locked"),
    ("database table is locked", "locked"),
    ("database or disk is full", "full"),
    ("disk I/O error", "input or output failed"),
    ("unable to open database file", "gone"),
    ("file is not a database", "gone"),
    ("attempt to write a readonly database", "read-only"),
    ("server closed the connection", "connection lost"),
    ("connection to server", "connection lost"),
    ("terminating connection", "connection lost"),
    ("could not receive data from server", "connection lost"),
    ("No space left on device", "full"),
    ("Disk quota exceeded", "full"),
    ("could not extend file", "full"),
    ("out of memory", "out of memory"),
    ("out of shared memory", "out of memory"),
    ("no connection to the server", "connection lost"),
    ("canceling statement due to lock timeout", "locked"),
    ("canceling statement due to statement timeout", "too slow"),
    ("canceling statement due to user request", "too slow"),
    ("the database system is", "starting or stopping"),
    ("in a read-only transaction", "read-only"),
];

impl From<DieselError> for StoreError {
    fn from(error: DieselError) -> Self {
        if let DieselError::DatabaseError(kind, info) = &error {
            match kind {
                DatabaseErrorKind::SerializationFailure => return Self::Retry(error),
                DatabaseErrorKind::UniqueViolation | DatabaseErrorKind::ForeignKeyViolation => {
                    return Self::Conflict(error);
                }
                DatabaseErrorKind::ClosedConnection => return Self::unavailable("connection lost", error),
                _ => {}
            }
            let message = info.message();
            if message.contains("deadlock detected") || message.contains("could not serialize") {
                return Self::Retry(error);
            }
            if let Some((_, reason)) = PASSING.iter().find(|(words, _)| message.contains(words)) {
                return Self::unavailable(reason, error);
            }
        }
        if matches!(error, DieselError::BrokenTransactionManager) {
            return Self::unavailable("connection lost", error);
        }
        Self::Database(error)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(message: &str) -> StoreError {
        StoreError::from(DieselError::DatabaseError(
            DatabaseErrorKind::Unknown,
            Box::new(message.to_owned()),
        ))
    }

    #[test]
    fn what_passes_is_unavailable_and_what_does_not_is_a_failure() {
        let cases = [
            ("database is locked", "locked"),
            ("canceling statement due to lock timeout", "locked"),
            ("canceling statement due to statement timeout", "too slow"),
            ("database or disk is full", "full"),
            (
                "could not extend file \"base/16384/16397\": No space left on device",
                "full",
            ),
            (
                "could not write to file \"pg_wal/xlogtemp.1\": Disk quota exceeded",
                "full",
            ),
            (
                "could not extend file \"base/5/16397\": wrote only 4096 of 8192 bytes at block 7",
                "full",
            ),
            ("out of shared memory", "out of memory"),
            ("terminating connection due to administrator command", "connection lost"),
            ("the database system is shutting down", "starting or stopping"),
            ("cannot execute INSERT in a read-only transaction", "read-only"),
            ("file is not a database", "gone"),
        ];
        for (message, expected) in cases {
            let error = said(message);
            assert!(
                matches!(error, StoreError::Unavailable { reason, .. } if reason == expected),
                "{message}: {error:?}"
            );
        }
        assert!(matches!(said("deadlock detected"), StoreError::Retry(_)));
        assert!(matches!(said("no such table: loans"), StoreError::Database(_)));
    }
}
