//! How a format's table of fields is written and looked up.
//!
//! A line is one tag: `245 N 01 0-9 a,b,c,h,f,g,k*,n*,p*,s,6,8*`: the tag; `N` once or `R` repeatable; the values of each
//! indicator (`#` is a blank, `-` between two is a range, `.` is anything, those after `/` are obsolete); the subfields, with `*` when repeatable. The
//! lines themselves are data: `table_marc21.rs` and `table_cnmarc.rs`.

use super::format::Format;
use super::record::Tag;
use super::{table_cnmarc, table_marc21};

/// What a format says of one tag.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct FieldRule {
    pub repeatable: bool,
    indicators: [&'static str; 2],
    subfields: &'static str,
}

/// The rule of a tag; `None` for a tag the table does not know.
pub(super) fn rule(format: Format, tag: Tag) -> Option<FieldRule> {
    lines(format)
        .find(|line| line.starts_with(tag.as_str()))
        .and_then(parse)
}

fn lines(format: Format) -> impl Iterator<Item = &'static str> {
    let table = match format {
        Format::Marc21 => table_marc21::FIELDS,
        Format::Cnmarc => table_cnmarc::FIELDS,
    };
    table.lines().filter(|line| !line.is_empty())
}

/// Tags that libraries define for themselves: any may be used, in any way. 9XX in both formats; in MARC21 also those with a
/// 9 elsewhere, and lettered ones, as Aleph's `FMT`.
pub(super) fn is_local(tag: Tag) -> bool {
    tag.as_bytes().contains(&b'9') || tag.as_bytes().iter().any(u8::is_ascii_alphabetic)
}

fn parse(line: &'static str) -> Option<FieldRule> {
    let mut words = line.split(' ').skip(1);
    let repeatable = words.next()? == "R";
    let mut next = || words.next().unwrap_or_default();
    Some(FieldRule {
        repeatable,
        indicators: [next(), next()],
        subfields: next(),
    })
}

impl FieldRule {
    /// Whether the indicator at 0 or 1 may have this value.
    pub(super) fn allows_indicator(&self, at: usize, value: char) -> bool {
        let allowed = self.current_indicators(at).as_bytes();
        let Ok(value) = u8::try_from(if value == ' ' { '#' } else { value }) else {
            return false;
        };
        match allowed {
            b"." => true,
            [b'#', first, b'-', last] => value == b'#' || (first..=last).contains(&&value),
            [first, b'-', last] => (first..=last).contains(&&value),
            _ => allowed.contains(&value),
        }
    }

    /// Whether real records have it all the same: a value that was good once, or nothing at all.
    pub(super) fn tolerates_indicator(&self, at: usize, value: char) -> bool {
        let obsolete = self.indicators[at].split_once('/').map_or("", |(_, obsolete)| obsolete);
        value == ' ' || obsolete.contains(value)
    }

    fn current_indicators(&self, at: usize) -> &'static str {
        let all = self.indicators[at];
        all.split_once('/').map_or(all, |(current, _)| current)
    }

    /// The allowed values of an indicator, for the message.
    pub(super) fn indicator_words(&self, at: usize) -> String {
        match self.current_indicators(at) {
            "#" => "a blank".to_owned(),
            values => values.replace('#', "blank "),
        }
    }

    /// Whether it may be there at all, and if so whether more than once.
    pub(super) fn subfield(&self, code: char) -> Option<bool> {
        self.subfields.split(',').find_map(|known| {
            let mut chars = known.chars();
            (chars.next() == Some(code)).then(|| chars.next() == Some('*'))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_line_is_written_as_the_head_of_this_file_says() {
        for format in [Format::Marc21, Format::Cnmarc] {
            let mut before = "";
            for line in lines(format) {
                let words: Vec<&str> = line.split(' ').collect();
                let tag = Tag::parse(words[0]).unwrap_or_else(|| panic!("{line}"));
                assert!(words[0] > before, "{line} is out of order or twice");
                before = words[0];
                assert!(["N", "R"].contains(&words[1]), "{line}");
                assert_eq!(words.len(), if tag.is_control() { 2 } else { 5 }, "{line}");
                for subfield in words
                    .get(4)
                    .map_or("", |list| list)
                    .split(',')
                    .filter(|s| !s.is_empty())
                {
                    let length = subfield.strip_suffix('*').unwrap_or(subfield).len();
                    assert_eq!(length, 1, "{line}");
                }
            }
        }
    }

    #[test]
    fn indicators_are_lists_ranges_and_blanks() {
        let title = rule(Format::Marc21, Tag::parse("245").expect("a tag")).expect("known");
        assert!(title.allows_indicator(0, '1') && !title.allows_indicator(0, '2') && !title.allows_indicator(0, ' '));
        assert!(title.tolerates_indicator(0, ' ') && !title.tolerates_indicator(0, '2'));
        let author = rule(Format::Marc21, Tag::parse("100").expect("a tag")).expect("known");
        assert!(
            !author.allows_indicator(1, '1')
                && author.tolerates_indicator(1, '1')
                && !author.tolerates_indicator(1, '3')
        );
        assert_eq!(author.indicator_words(1), "a blank");
        assert!(title.allows_indicator(1, '9') && !title.allows_indicator(1, ' '));
        assert_eq!(title.subfield('a'), Some(false));
        assert_eq!(title.subfield('n'), Some(true));
        assert_eq!(title.subfield('z'), None);
        assert!(is_local(Tag::parse("905").expect("a tag")) && !is_local(Tag::parse("245").expect("a tag")));
    }
}
