//! Which characters a record's bytes stand for: UTF-8, GB18030 or MARC-8.
//!
//! For choosing per record, since files are often mixed, and for decoding its parts. The records' own declarations
//! (leader/9 of MARC21, 100 $a/26-29 of CNMARC) are often wrong, so bytes that are valid UTF-8 win over them.

use std::fmt;
use std::str::FromStr;

use encoding_rs::GB18030;
use thiserror::Error;

use super::format::Format;
use super::marc8;
use super::reject::RejectReason;

/// What the caller knows about a file's encoding.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum EncodingChoice {
    /// Decide for every record.
    #[default]
    Auto,
    Utf8,
    Gb18030,
    Marc8,
}

/// The encoding a record turned out to have.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Encoding {
    Utf8,
    Gb18030,
    Marc8,
}

impl Encoding {
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Encoding::Utf8 => "utf-8",
            Encoding::Gb18030 => "gb18030",
            Encoding::Marc8 => "marc-8",
        }
    }
}

impl fmt::Display for Encoding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("an encoding is auto, utf-8, gb18030 or marc-8, not {0:?}")]
pub struct UnknownEncoding(String);

impl FromStr for EncodingChoice {
    type Err = UnknownEncoding;

    fn from_str(name: &str) -> Result<Self, Self::Err> {
        match name.to_ascii_lowercase().as_str() {
            "auto" => Ok(Self::Auto),
            "utf-8" | "utf8" => Ok(Self::Utf8),
            "gb18030" | "gbk" | "gb2312" => Ok(Self::Gb18030),
            "marc-8" | "marc8" => Ok(Self::Marc8),
            _ => Err(UnknownEncoding(name.to_owned())),
        }
    }
}

/// Chooses the encoding of a whole record; `leader_9` is the leader's byte at offset 9.
///
/// A MARC21 record that is not UTF-8 is taken for MARC-8 unless its leader denies it, a CNMARC record for GB18030.
pub(super) fn choose(
    choice: EncodingChoice,
    bytes: &[u8],
    format: Format,
    leader_9: u8,
) -> Result<Encoding, RejectReason> {
    match choice {
        EncodingChoice::Utf8 => Ok(Encoding::Utf8),
        EncodingChoice::Gb18030 => Ok(Encoding::Gb18030),
        EncodingChoice::Marc8 => Ok(Encoding::Marc8),
        EncodingChoice::Auto => detect(bytes, format, leader_9),
    }
}

fn detect(bytes: &[u8], format: Format, leader_9: u8) -> Result<Encoding, RejectReason> {
    let utf8 = std::str::from_utf8(bytes).is_ok();
    match format {
        Format::Marc21 if leader_9 == b'a' => utf8.then_some(Encoding::Utf8).ok_or(RejectReason::DeclaredUtf8),
        // MARC-8 puts a mark before its letter, so its high bytes practically never form UTF-8; an escape means
        // a change of character set even where all bytes are ASCII.
        Format::Marc21 if utf8 && !bytes.contains(&0x1b) => Ok(Encoding::Utf8),
        Format::Marc21 => Ok(Encoding::Marc8),
        Format::Cnmarc if utf8 => Ok(Encoding::Utf8),
        Format::Cnmarc => {
            let valid = GB18030
                .decode_without_bom_handling_and_without_replacement(bytes)
                .is_some();
            valid
                .then_some(Encoding::Gb18030)
                .ok_or(RejectReason::NeitherUtf8NorGb18030)
        }
    }
}

/// Decodes one part of a record.
pub(super) fn decode(encoding: Encoding, bytes: &[u8]) -> Result<String, RejectReason> {
    match encoding {
        Encoding::Utf8 => std::str::from_utf8(bytes)
            .map(str::to_owned)
            .map_err(|_| RejectReason::NotUtf8),
        Encoding::Gb18030 => GB18030
            .decode_without_bom_handling_and_without_replacement(bytes)
            .map(std::borrow::Cow::into_owned)
            .ok_or(RejectReason::NotGb18030),
        Encoding::Marc8 => marc8::decode(bytes),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn auto(bytes: &[u8], format: Format, leader_9: u8) -> Result<Encoding, RejectReason> {
        choose(EncodingChoice::Auto, bytes, format, leader_9)
    }

    #[test]
    fn valid_utf_8_wins_over_what_the_leader_says() {
        assert_eq!(auto("史记".as_bytes(), Format::Cnmarc, b' '), Ok(Encoding::Utf8));
        assert_eq!(auto("Köln".as_bytes(), Format::Marc21, b' '), Ok(Encoding::Utf8));
        assert_eq!(auto(b"plain", Format::Marc21, b' '), Ok(Encoding::Utf8));
    }

    #[test]
    fn other_bytes_are_read_by_the_format() {
        let (gb, _, _) = GB18030.encode("中国发展报告");
        assert_eq!(auto(&gb, Format::Cnmarc, b'0'), Ok(Encoding::Gb18030));
        assert_eq!(auto(b"K\xe8oln", Format::Marc21, b' '), Ok(Encoding::Marc8));
        assert_eq!(auto(b"\x1b$1!0A", Format::Marc21, b' '), Ok(Encoding::Marc8));
        assert_eq!(auto(b"K\xe8oln", Format::Marc21, b'a'), Err(RejectReason::DeclaredUtf8));
        assert_eq!(
            auto(b"\xff\xff", Format::Cnmarc, b' '),
            Err(RejectReason::NeitherUtf8NorGb18030)
        );
    }

    #[test]
    fn names_of_the_command_line_are_understood() {
        assert_eq!("GB18030".parse(), Ok(EncodingChoice::Gb18030));
        assert_eq!("utf-8".parse(), Ok(EncodingChoice::Utf8));
        assert_eq!("marc-8".parse(), Ok(EncodingChoice::Marc8));
        assert!("latin1".parse::<EncodingChoice>().is_err());
    }

    proptest! {
        #[test]
        fn any_text_comes_back_from_gb18030(text in "\\PC*") {
            let (bytes, _, unmappable) = GB18030.encode(&text);
            prop_assume!(!unmappable);
            prop_assert_eq!(decode(Encoding::Gb18030, &bytes), Ok(text.clone()));
            prop_assert!(!bytes.iter().any(|b| matches!(b, 0x1d..=0x1f)));
        }
    }
}
