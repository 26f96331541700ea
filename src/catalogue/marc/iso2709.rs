//! ISO 2709: one record's leader, directory and fields, by byte offsets.
//!
//! For taking a framed record apart and for decoding it once its encoding is known. Framing, that is finding
//! where a record starts and ends in a file, is `iso_split.rs`; writing is `write.rs`.

use super::encoding::{self, Encoding};
use super::format::Clues;
use super::record::{DataField, Field, MarcRecord, Subfield, Tag};
use super::reject::RejectReason;

pub(super) const RECORD_END: u8 = 0x1d;
pub(super) const FIELD_END: u8 = 0x1e;
pub(super) const SUBFIELD: u8 = 0x1f;
pub(super) const LEADER_BYTES: usize = 24;
pub(super) const ENTRY_BYTES: usize = 12;
/// Five digits of length in the leader allow no more.
pub(super) const MAX_RECORD_BYTES: usize = 99_999;
/// Four digits of length in a directory entry allow no more, the field terminator included.
pub(super) const MAX_FIELD_BYTES: usize = 9_999;

/// A record taken apart but not decoded.
#[derive(Debug)]
pub(super) struct RawRecord<'a> {
    pub leader: &'a str,
    pub fields: Vec<RawField<'a>>,
}

#[derive(Debug)]
pub(super) struct RawField<'a> {
    pub tag: Tag,
    /// The field without its terminator.
    pub bytes: &'a [u8],
}

/// Takes one framed record apart.
pub(super) fn parse(raw: &[u8]) -> Result<RawRecord<'_>, RejectReason> {
    if raw.len() < LEADER_BYTES + 2 {
        return Err(RejectReason::TooShort { bytes: raw.len() });
    }
    let leader = std::str::from_utf8(&raw[..LEADER_BYTES])
        .ok()
        .filter(|leader| leader.bytes().all(|b| (b' '..=b'~').contains(&b)))
        .ok_or(RejectReason::BadLeader)?;
    let base = number(&leader.as_bytes()[12..17])
        .filter(|&base| base > LEADER_BYTES && base < raw.len() && raw[base - 1] == FIELD_END)
        .ok_or_else(|| RejectReason::BadBaseAddress {
            found: leader[12..17].to_owned(),
        })?;
    let directory = &raw[LEADER_BYTES..base - 1];
    let data = &raw[base..raw.len() - 1];
    Ok(RawRecord {
        leader,
        fields: fields(directory, data)?,
    })
}

fn fields<'a>(directory: &[u8], data: &'a [u8]) -> Result<Vec<RawField<'a>>, RejectReason> {
    if directory.is_empty() {
        return Err(RejectReason::NoFields);
    }
    let mut fields = Vec::with_capacity(directory.len() / ENTRY_BYTES);
    let mut total = 0;
    for (index, entry) in directory.chunks(ENTRY_BYTES).enumerate() {
        let broken = RejectReason::BadDirectory { entry: index + 1 };
        let parts = entry
            .split_at_checked(3)
            .and_then(|(tag, rest)| Some((Tag::from_bytes(tag)?, number(rest.get(..4)?)?, number(rest.get(4..9)?)?)));
        let (tag, length, start) = parts.ok_or(broken)?;
        // Fields that share bytes would let a small record grow to hundreds of megabytes.
        total += length;
        if total > data.len() {
            return Err(RejectReason::FieldsOverlap);
        }
        let field = data
            .get(start..start + length)
            .ok_or_else(|| RejectReason::FieldOutside {
                tag: tag.as_str().to_owned(),
            })?;
        let Some((&FIELD_END, bytes)) = field.split_last() else {
            return Err(RejectReason::FieldUnterminated {
                tag: tag.as_str().to_owned(),
            });
        };
        fields.push(RawField { tag, bytes });
    }
    Ok(fields)
}

impl<'a> RawRecord<'a> {
    pub(super) fn clues(&self) -> Clues {
        let mut clues = Clues::default();
        for field in &self.fields {
            clues.see(field.tag, || field.first_a());
        }
        clues
    }

    pub(super) fn decode(&self, encoding: Encoding) -> Result<MarcRecord, RejectReason> {
        let mut record = MarcRecord::with_leader(self.leader.to_owned());
        for field in &self.fields {
            record.push(field.decode(encoding)?);
        }
        Ok(record)
    }
}

impl<'a> RawField<'a> {
    fn first_a(&self) -> Option<&'a [u8]> {
        self.bytes
            .split(|&b| b == SUBFIELD)
            .skip(1)
            .find(|s| s.first() == Some(&b'a'))
            .map(|s| &s[1..])
    }

    fn decode(&self, encoding: Encoding) -> Result<Field, RejectReason> {
        // Some systems keep plain values under lettered tags, as Aleph's FMT; there is nothing to divide in them.
        let plain = !self.tag.as_bytes().iter().all(u8::is_ascii_digit) && !self.bytes.contains(&SUBFIELD);
        if self.tag.is_control() || plain {
            let value = encoding::decode(encoding, self.bytes)?;
            return Ok(Field::Control { tag: self.tag, value });
        }
        let mut parts = self.bytes.split(|&b| b == SUBFIELD);
        let indicators = indicators(parts.next().unwrap_or_default());
        let mut subfields = Vec::with_capacity(4);
        for part in parts {
            // Two delimiters in a row: an empty subfield without even a code.
            let Some((&code, value)) = part.split_first() else {
                continue;
            };
            if !(b' '..=b'~').contains(&code) {
                return Err(RejectReason::BadSubfieldCode {
                    tag: self.tag.as_str().to_owned(),
                });
            }
            subfields.push(Subfield {
                code: char::from(code),
                value: encoding::decode(encoding, value)?,
            });
        }
        Ok(Field::Data(DataField {
            tag: self.tag,
            indicators,
            subfields,
        }))
    }
}

/// Missing or unprintable indicators, a common slip, become blanks; no meaning is read from them.
fn indicators(bytes: &[u8]) -> [char; 2] {
    let at = |i: usize| {
        bytes
            .get(i)
            .filter(|b| (b' '..=b'~').contains(b))
            .map_or(' ', |&b| char::from(b))
    };
    [at(0), at(1)]
}

/// A number of ASCII digits only: no sign, no blanks.
pub(super) fn number(digits: &[u8]) -> Option<usize> {
    digits.iter().try_fold(0_usize, |n, b| {
        b.is_ascii_digit().then(|| n * 10 + usize::from(b - b'0'))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(directory: &str, data: &str) -> Vec<u8> {
        let base = LEADER_BYTES + directory.len() + 1;
        let length = base + data.len() + 1;
        format!("{length:05}nam0 22{base:05}   450 {directory}\x1e{data}\x1d").into_bytes()
    }

    fn refused(directory: &str, data: &str) -> RejectReason {
        parse(&record(directory, data))
            .map(|_| ())
            .expect_err("a broken record")
    }

    #[test]
    fn fields_are_cut_by_byte_offsets() {
        let raw = record("001000300000200001100003", "42\x1e1 \x1fa史记\x1e");
        let parsed = parse(&raw).expect("a good record");
        let record = parsed.decode(Encoding::Utf8).expect("UTF-8");
        assert_eq!(record.control("001"), Some("42"));
        assert_eq!(record.first("200", 'a'), Some("史记"));
        assert_eq!(record.data("200").next().map(|f| f.indicators), Some(['1', ' ']));
    }

    #[test]
    fn broken_directories_are_named() {
        assert_eq!(refused("", ""), RejectReason::NoFields);
        assert_eq!(refused("00100030", "42\x1e"), RejectReason::BadDirectory { entry: 1 });
        assert_eq!(
            refused("001000300000200", "42\x1e"),
            RejectReason::BadDirectory { entry: 2 }
        );
        assert_eq!(
            refused("001-00300000", "42\x1e"),
            RejectReason::BadDirectory { entry: 1 }
        );
        assert_eq!(
            refused("001000300001", "42\x1e"),
            RejectReason::FieldOutside { tag: "001".into() }
        );
        assert_eq!(
            refused("001000200000", "42\x1e"),
            RejectReason::FieldUnterminated { tag: "001".into() }
        );
        assert_eq!(
            refused("001000300000002000300000", "42\x1e"),
            RejectReason::FieldsOverlap
        );
        assert_eq!(
            refused("001000000000", "42\x1e"),
            RejectReason::FieldUnterminated { tag: "001".into() }
        );
    }

    #[test]
    fn a_wrong_base_address_is_refused() {
        let mut raw = record("001000300000", "42\x1e");
        raw[12..17].copy_from_slice(b"00036");
        assert_eq!(
            parse(&raw).map(|_| ()),
            Err(RejectReason::BadBaseAddress { found: "00036".into() })
        );
        raw[12..17].copy_from_slice(b"99999");
        assert_eq!(
            parse(&raw).map(|_| ()),
            Err(RejectReason::BadBaseAddress { found: "99999".into() })
        );
    }

    #[test]
    fn small_slips_inside_a_field_are_forgiven() {
        let raw = record("200000900000FMT000300009", "\x1f\x1fa12345\x1eBK\x1e");
        let record = parse(&raw).and_then(|r| r.decode(Encoding::Utf8)).expect("forgiven");
        assert_eq!(record.first("200", 'a'), Some("12345"));
        assert_eq!(record.data("200").next().map(|f| f.indicators), Some([' ', ' ']));
        assert_eq!(record.control("FMT"), Some("BK"));
    }

    #[test]
    fn a_subfield_code_must_be_ascii() {
        let raw = record("200000800000", "1 \x1f史1\x1e");
        let decoded = parse(&raw).and_then(|r| r.decode(Encoding::Utf8));
        assert_eq!(decoded, Err(RejectReason::BadSubfieldCode { tag: "200".into() }));
    }
}
