//! What is wrong with a document of rules, and where: for people who write them.
//! Not for: finding it (see `rules_layer`, `rules_check`, `rules_own_check`, `rules_warning`).

use serde::{Deserialize, Serialize};

use super::ids::UnitId;

/// The whole document.
pub const DOCUMENT: &str = "document";
/// The tables of a document.
pub const TERMS: &str = "terms";
pub const LIMIT: &str = "limit";
pub const DELEGATE: &str = "delegate";
pub const CREDIT: &str = "credit";

/// One fault, or one thing that looks wrong.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Fault {
    /// `terms`, `limit`, `delegate`, `credit` or `document`.
    pub table: String,
    /// The first of a table is 1; 0 for the document.
    pub row: usize,
    /// Empty for the whole row.
    pub field: String,
    /// Why it is wrong.
    pub reason: String,
    /// What would be right.
    pub expected: String,
}

impl Fault {
    /// A fault in a field of a row.
    pub fn new(
        table: &str,
        row: usize,
        field: impl Into<String>,
        reason: impl Into<String>,
        expected: impl Into<String>,
    ) -> Self {
        Self {
            table: table.to_owned(),
            row,
            field: field.into(),
            reason: reason.into(),
            expected: expected.into(),
        }
    }

    /// A fault of the whole document.
    pub fn of_document(reason: impl Into<String>, expected: impl Into<String>) -> Self {
        Self::new(DOCUMENT, 0, "", reason, expected)
    }
}

impl std::fmt::Display for Fault {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.table)?;
        if self.row > 0 {
            write!(f, " {}", self.row)?;
        }
        if !self.field.is_empty() {
            write!(f, ", field {}", self.field)?;
        }
        write!(f, ": {}; right would be {}", self.reason, self.expected)
    }
}

/// A row of a unit's own that does not fit what the network leaves open now.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SetAside {
    pub by: UnitId,
    pub fault: Fault,
}
