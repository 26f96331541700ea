//! What is held on a reader, table by table: how it is shown to the reader, how it is unlinked, how it is erased. One list
//! ([`HELD`]) for all three; a table that names readers and is not in it fails a test.
//!
//! Not here: when a reader may be erased (see `usecase::erase_me`), and which loans are unlinked when (the job).

pub mod accesses;
pub mod consents;
mod credit_rows;
mod erase;
mod export;
mod list;
mod machine_rows;
mod obstacles;
mod people_rows;
mod unlink;

pub use list::HELD;
pub use unlink::UnlinkWalk;

/// One table with something about readers.
#[derive(Debug, Clone, Copy)]
pub struct Held {
    pub table: &'static str,
    /// Its columns that say whose a row is; none where another table says so.
    pub names: &'static [&'static str],
    pub zh: &'static str,
    pub en: &'static str,
    /// Which rows are the reader's: a condition in SQL, with `{reader}` for the number.
    pub whose: &'static str,
    pub shown: Shown,
    pub unlink: Unlink,
    pub erase: Erase,
}

/// How the reader sees it.
#[derive(Debug, Clone, Copy)]
pub enum Shown {
    /// Members of each row. `joins` follows the table's name in FROM.
    Rows {
        joins: &'static str,
        members: &'static [Member],
    },
    /// Not, for this reason.
    Not { zh: &'static str, en: &'static str },
}

/// One member of a row: its name, its expression in SQL, and how it is written.
#[derive(Debug, Clone, Copy)]
pub struct Member {
    pub name: &'static str,
    pub sql: &'static str,
    pub kind: MemberKind,
    pub zh: &'static str,
}

/// How a value of the database is written for people.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MemberKind {
    /// As it is: text or number.
    Plain,
    YesNo,
    /// Milliseconds.
    Moment,
    Unit,
    Category,
}

/// What unlinking does to it.
#[derive(Debug, Clone, Copy)]
pub enum Unlink {
    /// What ended before `{before}` forgets its reader: assignments, and the condition besides the reader.
    Forget { set: &'static str, when: &'static str },
    /// The erasable sides of events go, but for those of what is linked still.
    Events,
    /// What it says of a loan or hold goes in the write that unlinks that.
    WithLoansAndHolds,
    /// Nothing, because it says nothing of what was borrowed, or ends by itself before.
    Not,
}

/// What erasing does to it.
#[derive(Debug, Clone, Copy)]
pub enum Erase {
    /// The rows go.
    Delete,
    /// The rows stay, changed: assignments, with `{now}`.
    Set(&'static str),
    /// The erasable sides of events, with the list of them.
    Events,
    /// There is nothing: the reader is not erased while there is.
    Never,
}

/// Rows of one table as they are shown, each a JSON object with the members of the list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HeldRows {
    pub rows: Vec<String>,
    /// There are more than are shown.
    pub cut: bool,
}

/// What unlinking did to one reader.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Unlinked {
    pub rows: usize,
    pub events: usize,
}
