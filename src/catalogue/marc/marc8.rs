//! MARC-8: the eight-bit text of older MARC21 records, as far as ASCII and ANSEL (extended Latin) go.
//!
//! For the Latin-script files that libraries still exchange. Not for its Greek, Cyrillic, Hebrew, Arabic and East
//! Asian sets: a record that switches to one is rejected by name instead of being garbled. Source of the tables:
//! MARC 21 Specifications for Record Structure, Character Sets, and Exchange Media (Library of Congress).

use super::latin;
use super::reject::RejectReason;

const ESCAPE: u8 = 0x1b;

/// ANSEL 0xA1 to 0xC8; a space stands for a code without a meaning.
const SPACING: &str = "ŁØĐÞÆŒʹ·♭®±ƠƯʼ ʻłøđþæœʺı£ð ơư  °ℓ℗©♯¿¡ß€";

/// ANSEL 0xE0 to 0xFE, marks that come before the letter they belong to; 0 stands for a code without a meaning.
const MARKS: [u32; 31] = [
    0x309, 0x300, 0x301, 0x302, 0x303, 0x304, 0x306, 0x307, 0x308, 0x30c, 0x30a, 0x361, 0, 0x315, 0x30b, 0x310, 0x327,
    0x328, 0x323, 0x324, 0x325, 0x333, 0x332, 0x326, 0x31c, 0x32e, 0x360, 0, 0, 0, 0x313,
];

/// The right halves of the ligature and the double tilde. Their left halves became Unicode's marks over two
/// letters, so nothing is left to say on the second letter.
const RIGHT_HALVES: [u8; 2] = [0xec, 0xfb];

/// What the codes 0x21 to 0x7E mean at the moment.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Low {
    Ascii,
    Greek,
    Subscript,
    Superscript,
}

enum Piece {
    Letter(char),
    Mark(char),
}

/// Decodes one field or subfield; the standard returns to ASCII and ANSEL at the end of each.
pub(super) fn decode(bytes: &[u8]) -> Result<String, RejectReason> {
    let mut out = String::with_capacity(bytes.len() + bytes.len() / 8);
    let mut low = Low::Ascii;
    let mut marks: Vec<char> = Vec::new();
    let mut at = 0;
    while let Some(&byte) = bytes.get(at) {
        if byte == ESCAPE {
            let (set, used) = escape(&bytes[at + 1..])?;
            low = set.unwrap_or(low);
            at += 1 + used;
            continue;
        }
        at += 1;
        if RIGHT_HALVES.contains(&byte) {
            continue;
        }
        match piece(byte, low)? {
            Piece::Mark(mark) => marks.push(mark),
            Piece::Letter(letter) if marks.is_empty() => out.push(letter),
            Piece::Letter(letter) => {
                latin::push_composed(&mut out, letter, &mut marks);
                marks.clear();
            }
        }
    }
    // A mark without a letter is a typing error of the cataloguer; it is kept on a blank of its own.
    if !marks.is_empty() {
        latin::push_composed(&mut out, ' ', &mut marks);
    }
    Ok(out)
}

/// Reads what follows an escape byte: the set for the low codes, if it changes, and the bytes used.
fn escape(rest: &[u8]) -> Result<(Option<Low>, usize), RejectReason> {
    match rest {
        [b's', ..] => Ok((Some(Low::Ascii), 1)),
        [b'g', ..] => Ok((Some(Low::Greek), 1)),
        [b'b', ..] => Ok((Some(Low::Subscript), 1)),
        [b'p', ..] => Ok((Some(Low::Superscript), 1)),
        [b'(' | b',', b'B', ..] => Ok((Some(Low::Ascii), 2)),
        [b')' | b'-', b'!', b'E', ..] => Ok((None, 3)),
        [b')' | b'-', b'E', ..] => Ok((None, 2)),
        _ => {
            let set = rest
                .iter()
                .take(3)
                .map(|&b| char::from(b))
                .filter(char::is_ascii_graphic)
                .collect();
            Err(RejectReason::Marc8Set { set })
        }
    }
}

fn piece(byte: u8, low: Low) -> Result<Piece, RejectReason> {
    let letter = match byte {
        // Tabs and line breaks do not belong here but do no harm.
        b'\t' | b'\n' | b'\r' | b' ' => Some(char::from(byte)),
        0x21..=0x7e => low_letter(byte, low),
        0x88 => Some('\u{98}'),
        0x89 => Some('\u{9c}'),
        0x8d => Some('\u{200d}'),
        0x8e => Some('\u{200c}'),
        0xa1..=0xc8 => SPACING.chars().nth(usize::from(byte - 0xa1)).filter(|&c| c != ' '),
        0xe0..=0xfe => {
            let mark = MARKS
                .get(usize::from(byte - 0xe0))
                .and_then(|&code| char::from_u32(code));
            return mark
                .filter(|&m| m != '\0')
                .map(Piece::Mark)
                .ok_or(RejectReason::NotMarc8 { byte });
        }
        _ => None,
    };
    letter.map(Piece::Letter).ok_or(RejectReason::NotMarc8 { byte })
}

fn low_letter(byte: u8, low: Low) -> Option<char> {
    let digit = u32::from(byte.wrapping_sub(b'0'));
    match (low, byte) {
        (Low::Ascii, _) => Some(char::from(byte)),
        (Low::Greek, b'a') => Some('α'),
        (Low::Greek, b'b') => Some('β'),
        (Low::Greek, b'c') => Some('γ'),
        (Low::Subscript, b'0'..=b'9') => char::from_u32(0x2080 + digit),
        (Low::Superscript, b'1') => Some('¹'),
        (Low::Superscript, b'2') => Some('²'),
        (Low::Superscript, b'3') => Some('³'),
        (Low::Superscript, b'0'..=b'9') => char::from_u32(0x2070 + digit),
        (Low::Subscript, b'(' | b')' | b'+' | b'-') => sign(byte, 0x2080),
        (Low::Superscript, b'(' | b')' | b'+' | b'-') => sign(byte, 0x2070),
        _ => None,
    }
}

/// Unicode keeps the raised and lowered signs behind the digits of the same row.
fn sign(byte: u8, row: u32) -> Option<char> {
    let offset = match byte {
        b'+' => 0xa,
        b'-' => 0xb,
        b'(' => 0xd,
        _ => 0xe,
    };
    char::from_u32(row + offset)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn marks_move_behind_their_letters() {
        assert_eq!(decode(b"The K\xe8oln concert").as_deref(), Ok("The Köln concert"));
        assert_eq!(decode(b"Fran\xf0cois").as_deref(), Ok("François"));
        assert_eq!(decode(b"\xb0an Sak, \xa1\xb1").as_deref(), Ok("ʻan Sak, Łł"));
        assert_eq!(decode(b"zhizn\xa7 \xc3 1990 \xc7").as_deref(), Ok("zhiznʹ © 1990 ß"));
        assert_eq!(decode(b"\xebI\xecUri\xe6i").as_deref(), Ok("I\u{361}Uri\u{12d}"));
        assert_eq!(decode(b"lonely \xe2").as_deref(), Ok("lonely  \u{301}"));
    }

    #[test]
    fn small_digits_are_read_through_their_escapes() {
        assert_eq!(decode(b"H\x1bb2\x1bsO and m\x1bp2\x1bs").as_deref(), Ok("H₂O and m²"));
        assert_eq!(decode(b"\x1bga\x1bs-ray").as_deref(), Ok("α-ray"));
    }

    #[test]
    fn other_scripts_are_refused_by_name() {
        assert_eq!(decode(b"\x1b$1!0A"), Err(RejectReason::Marc8Set { set: "$1!".into() }));
        assert_eq!(decode(b"\x1b(Nabc"), Err(RejectReason::Marc8Set { set: "(Na".into() }));
        assert_eq!(decode(b"\xff"), Err(RejectReason::NotMarc8 { byte: 0xff }));
    }

    proptest! {
        #[test]
        fn any_bytes_are_answered_without_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = decode(&bytes);
        }

        #[test]
        fn printable_ascii_is_unchanged(text in "[ -~]*") {
            prop_assert_eq!(decode(text.as_bytes()), Ok(text));
        }
    }
}
