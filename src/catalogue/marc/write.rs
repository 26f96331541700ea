//! Writes a record as ISO 2709 in UTF-8.
//!
//! For tests, demo data and exports. Not a repair tool: a record that the format cannot hold is an error.

use thiserror::Error;

use super::iso2709::{ENTRY_BYTES, FIELD_END, LEADER_BYTES, MAX_FIELD_BYTES, MAX_RECORD_BYTES, RECORD_END, SUBFIELD};
use super::record::{DataField, Field, MarcRecord, Tag};

/// Why a record cannot be written as ISO 2709.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum WriteError {
    #[error("the leader is not 24 printable ASCII characters")]
    Leader,
    #[error("field {tag} has {bytes} bytes, more than the {MAX_FIELD_BYTES} a directory entry can say")]
    FieldTooLong { tag: String, bytes: usize },
    #[error("the record has {bytes} bytes, more than the {MAX_RECORD_BYTES} a leader can say")]
    RecordTooLong { bytes: usize },
    #[error("field {tag} is of the wrong kind: 001 to 009 are control fields, other numbers are data fields")]
    WrongKind { tag: String },
    #[error("field {tag} holds one of the bytes 1D, 1E and 1F that separate records, fields and subfields")]
    Separator { tag: String },
    #[error("field {tag} has an indicator or subfield code that is not one printable ASCII character")]
    Code { tag: String },
}

/// The record's bytes. Lengths, the base address and the entry map in the leader are filled in, the rest of the
/// leader stays as it is; reading the bytes back gives the same fields.
pub fn to_iso2709(record: &MarcRecord) -> Result<Vec<u8>, WriteError> {
    let leader = record.leader();
    if leader.len() != LEADER_BYTES || !leader.bytes().all(is_printable) {
        return Err(WriteError::Leader);
    }
    let base = LEADER_BYTES + record.fields().len() * ENTRY_BYTES + 1;
    let mut directory = String::with_capacity(base);
    let mut data = Vec::new();
    for field in record.fields() {
        let start = data.len();
        let tag = put_field(&mut data, field)?;
        let bytes = data.len() - start;
        if bytes > MAX_FIELD_BYTES {
            return Err(WriteError::FieldTooLong {
                tag: tag.as_str().to_owned(),
                bytes,
            });
        }
        directory.push_str(&format!("{}{bytes:04}{start:05}", tag.as_str()));
    }
    let bytes = base + data.len() + 1;
    if bytes > MAX_RECORD_BYTES {
        return Err(WriteError::RecordTooLong { bytes });
    }
    // The last place of the entry map differs between MARC21 (0) and CNMARC (blank).
    let head = format!(
        "{bytes:05}{}22{base:05}{}450{}",
        &leader[5..10],
        &leader[17..20],
        &leader[23..]
    );
    let mut out = Vec::with_capacity(bytes);
    out.extend_from_slice(head.as_bytes());
    out.extend_from_slice(directory.as_bytes());
    out.push(FIELD_END);
    out.append(&mut data);
    out.push(RECORD_END);
    Ok(out)
}

/// Appends one field with its terminator.
fn put_field(data: &mut Vec<u8>, field: &Field) -> Result<Tag, WriteError> {
    let tag = match field {
        Field::Control { tag, value } => {
            if !tag.is_control() && tag.as_bytes().iter().all(u8::is_ascii_digit) {
                return Err(WriteError::WrongKind {
                    tag: tag.as_str().to_owned(),
                });
            }
            put_value(data, *tag, value)?;
            *tag
        }
        Field::Data(field) => {
            put_data(data, field)?;
            field.tag
        }
    };
    data.push(FIELD_END);
    Ok(tag)
}

fn put_data(data: &mut Vec<u8>, field: &DataField) -> Result<(), WriteError> {
    let tag = field.tag;
    if tag.is_control() {
        return Err(WriteError::WrongKind {
            tag: tag.as_str().to_owned(),
        });
    }
    for indicator in field.indicators {
        data.push(ascii(tag, indicator)?);
    }
    for subfield in &field.subfields {
        data.push(SUBFIELD);
        data.push(ascii(tag, subfield.code)?);
        put_value(data, tag, &subfield.value)?;
    }
    Ok(())
}

fn put_value(data: &mut Vec<u8>, tag: Tag, value: &str) -> Result<(), WriteError> {
    if value.bytes().any(|b| matches!(b, RECORD_END | FIELD_END | SUBFIELD)) {
        return Err(WriteError::Separator {
            tag: tag.as_str().to_owned(),
        });
    }
    data.extend_from_slice(value.as_bytes());
    Ok(())
}

fn ascii(tag: Tag, c: char) -> Result<u8, WriteError> {
    u8::try_from(c)
        .ok()
        .filter(|b| is_printable(*b))
        .ok_or_else(|| WriteError::Code {
            tag: tag.as_str().to_owned(),
        })
}

fn is_printable(byte: u8) -> bool {
    (b' '..=b'~').contains(&byte)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::encoding::Encoding;
    use super::super::iso2709;
    use super::super::record::MarcBuilder;
    use super::*;

    const LEADER: &str = "00000nam0 2200000   450 ";

    fn build(builder: MarcBuilder) -> MarcRecord {
        builder.build().expect("a good record")
    }

    #[test]
    fn lengths_are_bytes_not_characters() {
        let record = build(
            MarcRecord::builder(LEADER)
                .control("001", "42")
                .data("200", "1 ", &[('a', "史记")]),
        );
        let bytes = to_iso2709(&record).expect("written");
        assert_eq!(
            bytes,
            "00064nam0 2200049   450 001000300000200001100003\x1e42\x1e1 \x1fa史记\x1e\x1d".as_bytes()
        );
    }

    #[test]
    fn what_the_format_cannot_hold_is_an_error() {
        let long = "x".repeat(MAX_FIELD_BYTES);
        let record = build(MarcRecord::builder(LEADER).data("330", "  ", &[('a', &long)]));
        assert_eq!(
            to_iso2709(&record),
            Err(WriteError::FieldTooLong {
                tag: "330".into(),
                bytes: 10_004
            })
        );
        let mut builder = MarcRecord::builder(LEADER);
        for _ in 0..11 {
            builder = builder.data("330", "  ", &[('a', &long[..9_990])]);
        }
        assert!(matches!(
            to_iso2709(&build(builder)),
            Err(WriteError::RecordTooLong { .. })
        ));
        let record = build(MarcRecord::builder(LEADER).control("200", "x"));
        assert_eq!(to_iso2709(&record), Err(WriteError::WrongKind { tag: "200".into() }));
        let record = build(MarcRecord::builder(LEADER).data("200", "  ", &[('a', "x\x1fb")]));
        assert_eq!(to_iso2709(&record), Err(WriteError::Separator { tag: "200".into() }));
        let record = build(MarcRecord::builder(LEADER).data("200", "  ", &[('史', "x")]));
        assert_eq!(to_iso2709(&record), Err(WriteError::Code { tag: "200".into() }));
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_back(
            control in "[^\\x1d-\\x1f]{0,40}",
            fields in proptest::collection::vec(
                ("[1-9][0-9]{2}", "[ -~]{2}", proptest::collection::vec(("[!-~]", "[^\\x1d-\\x1f]{0,40}"), 0..5)),
                0..20,
            ),
        ) {
            let mut builder = MarcRecord::builder("00000nam0 2200000   450 ").control("001", &control);
            for (tag, indicators, subfields) in &fields {
                let subfields: Vec<(char, &str)> =
                    subfields.iter().map(|(code, value)| (code.chars().next().unwrap_or('a'), value.as_str())).collect();
                builder = builder.data(tag, indicators, &subfields);
            }
            let record = build(builder);
            let bytes = to_iso2709(&record).expect("small enough");
            let read = iso2709::parse(&bytes).and_then(|raw| raw.decode(Encoding::Utf8)).expect("read back");
            prop_assert_eq!(read.fields(), record.fields());
        }
    }
}
