//! Every reason one record is turned away, as sentences for the import report.
//!
//! For naming what is wrong with a single record; the run goes on behind it. Not for I/O: a file that cannot be
//! read on is [`ReadError::Io`] and ends the run.

use std::io;

use thiserror::Error;

/// One record that was turned away.
#[derive(Debug, Error)]
#[error("record {number}: {reason}")]
pub struct Rejection {
    /// The record's place in its file, from 1.
    pub number: u64,
    #[source]
    pub reason: RejectReason,
}

/// What an iteration step can answer instead of a record.
#[derive(Debug, Error)]
pub enum ReadError {
    /// This record is bad; the next may be good.
    #[error(transparent)]
    Rejected(#[from] Rejection),
    /// The file cannot be read on; always the last answer.
    #[error("the file could not be read on after record {after}")]
    Io {
        after: u64,
        #[source]
        source: io::Error,
    },
}

/// What is wrong with a record.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum RejectReason {
    #[error("the file ends inside this record, {bytes} bytes after its start")]
    Unterminated { bytes: usize },
    #[error("the record is longer than {limit} bytes")]
    TooLong { limit: usize },
    #[error("{bytes} bytes are too few for a MARC record")]
    TooShort { bytes: usize },
    #[error("the leader does not start with the record's length in digits: {found:?}")]
    NoLength { found: String },
    #[error("the leader says the record has {declared} bytes, but it has {actual}")]
    LengthDiffers { declared: usize, actual: usize },
    #[error("the leader holds bytes that are not printable ASCII")]
    BadLeader,
    #[error("the base address of data in the leader is wrong: {found:?}")]
    BadBaseAddress { found: String },
    #[error("the directory is broken at entry {entry}")]
    BadDirectory { entry: usize },
    #[error("field {tag} lies outside the record's data")]
    FieldOutside { tag: String },
    #[error("field {tag} does not end with a field terminator")]
    FieldUnterminated { tag: String },
    #[error("the directory's fields add up to more than the record's data: they overlap")]
    FieldsOverlap,
    #[error("field {tag} has a subfield code that is not ASCII")]
    BadSubfieldCode { tag: String },
    #[error("the record has no fields")]
    NoFields,
    #[error("the text is not valid UTF-8")]
    NotUtf8,
    #[error("the text is not valid GB18030")]
    NotGb18030,
    #[error("the text is neither valid UTF-8 nor valid GB18030")]
    NeitherUtf8NorGb18030,
    #[error("the leader declares Unicode, but the text is not valid UTF-8")]
    DeclaredUtf8,
    #[error("the text is MARC-8 with the character set {set:?}, which is not supported")]
    Marc8Set { set: String },
    #[error("the text is not MARC-8: byte {byte:#04x} has no meaning there")]
    NotMarc8 { byte: u8 },
    #[error("the XML of this record is malformed: {detail}")]
    MalformedXml { detail: String },
    #[error("the record element is not closed")]
    UnclosedXml,
    #[error("the record uses the entity {name:?}, which is not expanded")]
    Entity { name: String },
    #[error("the input holds no XML elements")]
    NotXml,
    #[error("field {tag} has no title")]
    NoTitle { tag: &'static str },
}
