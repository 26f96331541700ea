//! What a CNMARC record says about the copies of the libraries it came from: field 905, and the price in 010.
//!
//! For creating items out of an import. Local practice varies, so every part is optional and nothing is refused.

use super::format::Format;
use super::record::{DataField, MarcRecord};
use super::summary::cut;

const MAX_HOLDINGS: usize = 100;
const MAX_PART_CHARS: usize = 100;
/// A hundred million yuan; more is a typing error.
const MAX_PRICE_FEN: i64 = 10_000_000_000;

/// One field 905.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Holding {
    /// `$a`: the library's code in its own network.
    pub library: Option<String>,
    /// `$d`: the class, usually CLC.
    pub class: Option<String>,
    /// `$e`: the book number within the class.
    pub book_number: Option<String>,
    /// `$s`, or class and book number as `F124/26` where it is missing.
    pub call_number: Option<String>,
}

/// The holdings of a record; MARC21 has no agreed field for them.
pub(super) fn holdings(record: &MarcRecord, format: Format) -> Vec<Holding> {
    match format {
        Format::Marc21 => Vec::new(),
        Format::Cnmarc => record
            .data("905")
            .map(holding)
            .filter(|h| *h != Holding::default())
            .take(MAX_HOLDINGS)
            .collect(),
    }
}

fn holding(field: &DataField) -> Holding {
    let part = |code| {
        field
            .first(code)
            .map(|value| cut(value, MAX_PART_CHARS))
            .filter(|value| !value.is_empty())
    };
    let (class, book_number) = (part('d'), part('e'));
    let joined = || Some(format!("{}/{}", class.as_deref()?, book_number.as_deref()?));
    let call_number = part('s').or_else(joined);
    Holding {
        library: part('a'),
        class,
        book_number,
        call_number,
    }
}

/// The first price in yuan of a record, in fen.
pub(super) fn record_price(record: &MarcRecord, format: Format) -> Option<i64> {
    match format {
        Format::Marc21 => None,
        Format::Cnmarc => record.subfields("010", 'd').find_map(price_fen),
    }
}

/// Reads a price in yuan as fen: `CNY49.00` is 4900. Other currencies are `None`.
///
/// Also understood: `CNY49`, `RMB12.5`, `￥1,200.00`, `28.00元`, a bare `0.85`, and a word between currency and
/// amount as in `CNY赠92.00`.
#[must_use]
pub fn price_fen(text: &str) -> Option<i64> {
    let text: String = text.chars().map(half_width).filter(|c| !c.is_whitespace()).collect();
    let text = text.to_ascii_uppercase();
    let marked = ["CNY", "RMB", "¥"]
        .iter()
        .find_map(|mark| text.split_once(mark))
        .map(|(_, rest)| rest);
    if let Some(rest) = marked {
        return amount(rest.trim_start_matches(|c: char| !c.is_ascii())).map(|(fen, _)| fen);
    }
    let (fen, rest) = amount(&text)?;
    (rest.is_empty() || rest.starts_with(['元', '(', '/'])).then_some(fen)
}

/// An amount at the start of `text`, and what follows it.
fn amount(text: &str) -> Option<(i64, &str)> {
    let end = text
        .find(|c: char| !matches!(c, '0'..='9' | '.' | ','))
        .unwrap_or(text.len());
    let (digits, rest) = text.split_at(end);
    let digits = digits.trim_end_matches(['.', ',']).replace(',', "");
    let (yuan, fraction) = digits.split_once('.').unwrap_or((&digits, ""));
    if yuan.is_empty() || fraction.contains('.') {
        return None;
    }
    let cents = fraction
        .bytes()
        .chain(*b"00")
        .take(2)
        .fold(0, |sum, b| sum * 10 + i64::from(b - b'0'));
    let fen = yuan.parse::<i64>().ok()?.checked_mul(100)?.checked_add(cents)?;
    (fen <= MAX_PRICE_FEN).then_some((fen, rest))
}

fn half_width(c: char) -> char {
    match c {
        '￥' => '¥',
        '\u{ff01}'..='\u{ff5e}' => char::from_u32(u32::from(c) - 0xfee0).unwrap_or(c),
        _ => c,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn prices_in_yuan_become_fen() {
        for (text, fen) in [
            ("CNY49.00", 4900),
            ("CNY49", 4900),
            ("cny 12.5", 1250),
            ("ＣＮＹ４９．００", 4900),
            ("￥1,200.00", 120_000),
            ("28.00元", 2800),
            ("0.85", 85),
            ("CNY赠92.00", 9200),
            ("CNY36.00 (全2册)", 3600),
            ("精装: CNY55.00", 5500),
            ("RMB7.80", 780),
        ] {
            assert_eq!(price_fen(text), Some(fen), "{text}");
        }
    }

    #[test]
    fn other_currencies_and_words_are_no_price() {
        for text in [
            "",
            "USD12.00",
            "HK$80.00",
            "NT$300",
            "12 USD",
            "赠阅",
            "CNY",
            "CNY1.2.3",
            "CNY99999999999999999999",
        ] {
            assert_eq!(price_fen(text), None, "{text}");
        }
    }

    #[test]
    fn holdings_are_read_from_905() {
        let record = MarcRecord::builder("00000nam0 2200000   450 ")
            .data("010", "  ", &[('a', "7-5037-2623-7")])
            .data("010", "  ", &[('d', "CNY90.00")])
            .data(
                "905",
                "  ",
                &[('a', "BNU"), ('d', "F124"), ('e', "26"), ('s', "F124/26")],
            )
            .data("905", "  ", &[('d', "I247.5"), ('e', "88")])
            .data("905", "  ", &[('z', "x")])
            .build()
            .expect("good");
        let found = holdings(&record, Format::Cnmarc);
        assert_eq!(found.len(), 2);
        assert_eq!(found[0].library.as_deref(), Some("BNU"));
        assert_eq!(found[0].call_number.as_deref(), Some("F124/26"));
        assert_eq!(found[1].library, None);
        assert_eq!(found[1].call_number.as_deref(), Some("I247.5/88"));
        assert_eq!(record_price(&record, Format::Cnmarc), Some(9000));
        assert!(holdings(&record, Format::Marc21).is_empty());
    }

    proptest! {
        #[test]
        fn any_text_is_answered_without_panic(text in "(CNY|¥)?[0-9.,元 ]{0,30}.{0,5}") {
            prop_assert!(price_fen(&text).is_none_or(|fen| (0..=MAX_PRICE_FEN).contains(&fen)));
        }
    }
}
