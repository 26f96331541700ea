//! The text a bib is found by: one folding for records and for queries, so that both meet.
//!
//! For substring search in the database. The folded text holds letters, digits, `+`, `#` and single spaces only, so
//! it needs no escaping in a LIKE pattern. It is no segmentation and no ranking: that is the search index's.

use super::latin;

const MAX_SEARCH_CHARS: usize = 4_000;

/// Folds a query or a value: lower case, full width to half width, marks on Latin letters dropped, Roman and
/// circled numerals to plain ones, punctuation to single spaces. Folding twice changes nothing.
///
/// ```text
/// normalise_search("《Ｃ＋＋程序设计》（第②版）") == "c++程序设计 第2版"
/// ```
#[must_use]
pub fn normalise_search(text: &str) -> String {
    let mut folder = Folder {
        out: String::with_capacity(text.len()),
        gap: false,
    };
    for c in text.chars() {
        folder.fold(c);
    }
    folder.out
}

struct Folder {
    out: String,
    /// Something was left out since the last character.
    gap: bool,
}

impl Folder {
    fn fold(&mut self, c: char) {
        let c = half_width(c);
        if c.is_ascii_alphanumeric() {
            self.push(c.to_ascii_lowercase());
        } else if c.is_ascii() {
            // C++ and C# are other books than C.
            if matches!(c, '+' | '#') && !self.gap && self.out.ends_with(is_word_ascii) {
                self.out.push(c);
            } else {
                self.gap = true;
            }
        } else if !is_ignored(c) {
            for lower in c.to_lowercase() {
                self.fold_wide(lower);
            }
        }
    }

    fn fold_wide(&mut self, c: char) {
        let c = latin::base_of(c);
        match c {
            'æ' => self.push_all("ae"),
            'œ' => self.push_all("oe"),
            'ß' => self.push_all("ss"),
            'þ' => self.push_all("th"),
            'ø' => self.push('o'),
            'ł' => self.push('l'),
            'đ' | 'ð' => self.push('d'),
            'ı' => self.push('i'),
            'ς' => self.push('σ'),
            'ⅰ'..='ⅻ' => self.push_all(ROMAN[place(c, 'ⅰ')]),
            '①'..='⑳' => self.push_all(&(place(c, '①') + 1).to_string()),
            _ if latin::is_mark(c) => {}
            _ => match raised_digit(c) {
                Some(digit) => self.push(digit),
                None if c.is_alphanumeric() => self.push(c),
                None => self.gap = true,
            },
        }
    }

    fn push(&mut self, c: char) {
        if std::mem::take(&mut self.gap) && !self.out.is_empty() {
            self.out.push(' ');
        }
        self.out.push(c);
    }

    fn push_all(&mut self, text: &str) {
        text.chars().for_each(|c| self.push(c));
    }
}

const ROMAN: [&str; 12] = ["i", "ii", "iii", "iv", "v", "vi", "vii", "viii", "ix", "x", "xi", "xii"];

/// How far `c` lies behind `first`; the callers' patterns keep it in range.
fn place(c: char, first: char) -> usize {
    (u32::from(c) - u32::from(first)) as usize
}

fn raised_digit(c: char) -> Option<char> {
    let value = match c {
        '¹' => 1,
        '²' => 2,
        '³' => 3,
        '⁰' | '⁴'..='⁹' => u32::from(c) - 0x2070,
        '₀'..='₉' => u32::from(c) - 0x2080,
        _ => return None,
    };
    char::from_digit(value, 10)
}

/// Marks of transliteration and invisible characters: readers do not type them.
fn is_ignored(c: char) -> bool {
    latin::is_mark(c)
        || matches!(c, '\u{ad}' | '\u{2b9}'..='\u{2bf}' | '\u{200b}'..='\u{200f}' | '\u{2060}' | '\u{feff}' | '\u{98}' | '\u{9c}')
}

fn is_word_ascii(c: char) -> bool {
    c.is_ascii_alphanumeric() || matches!(c, '+' | '#')
}

fn half_width(c: char) -> char {
    match c {
        '\u{ff01}'..='\u{ff5e}' => char::from_u32(u32::from(c) - 0xfee0).unwrap_or(c),
        _ => c,
    }
}

fn is_han(c: char) -> bool {
    matches!(c, '\u{3400}'..='\u{9fff}' | '\u{f900}'..='\u{faff}' | '\u{20000}'..='\u{323af}')
}

/// Gathers the folded values of a record: those of one field with a space between them, fields on lines of their
/// own, so that a phrase never matches across fields.
#[derive(Debug, Default)]
pub(super) struct SearchText {
    text: String,
    chars: usize,
}

impl SearchText {
    pub(super) fn add_field<'a>(&mut self, values: impl Iterator<Item = &'a str>) {
        let mut separator = if self.text.is_empty() { "" } else { "\n" };
        for value in values {
            let folded = normalise_search(value);
            if folded.is_empty() {
                continue;
            }
            self.append(separator, &folded);
            // 哈利·波特 is also looked for as 哈利波特, and 鲁 迅 as 鲁迅.
            if folded.contains(' ') && folded.contains(is_han) {
                self.append(" ", &folded.replace(' ', ""));
            }
            separator = " ";
        }
    }

    fn append(&mut self, separator: &str, folded: &str) {
        let left = MAX_SEARCH_CHARS.saturating_sub(self.chars + separator.len());
        if left == 0 {
            return;
        }
        let end = folded.char_indices().nth(left).map_or(folded.len(), |(at, _)| at);
        self.text.push_str(separator);
        self.text.push_str(&folded[..end]);
        self.chars += separator.len() + folded[..end].chars().count();
    }

    pub(super) fn finish(self) -> String {
        self.text
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn records_and_queries_fold_to_the_same_text() {
        for (text, folded) in [
            ("《Ｃ＋＋程序设计》（第②版）", "c++程序设计 第2版"),
            ("C# in depth", "c# in depth"),
            ("Kind of Blue : legacy edition /", "kind of blue legacy edition"),
            ("Métaphysique des tubes", "metaphysique des tubes"),
            ("me\u{301}taphysique", "metaphysique"),
            ("zhiznʹ literatury", "zhizn literatury"),
            ("lǜ Ærø Straße Łódź", "lu aero strasse lodz"),
            ("100%_sure", "100 sure"),
            ("高等数学　Ⅱ", "高等数学 ii"),
            ("’92中国发展报告", "92中国发展报告"),
            (" -- ", ""),
            ("H₂O and m²", "h2o and m2"),
        ] {
            assert_eq!(normalise_search(text), folded, "{text}");
        }
    }

    #[test]
    fn chinese_with_a_gap_is_also_found_without_it() {
        let mut search = SearchText::default();
        search.add_field(["哈利·波特", "魔法石"].into_iter());
        search.add_field(["罗琳"].into_iter());
        assert_eq!(search.finish(), "哈利 波特 哈利波特 魔法石\n罗琳");
    }

    #[test]
    fn the_text_has_a_limit() {
        let mut search = SearchText::default();
        for _ in 0..10 {
            search.add_field(["史".repeat(1_100).as_str()].into_iter());
        }
        assert_eq!(search.finish().chars().count(), MAX_SEARCH_CHARS);
    }

    proptest! {
        #[test]
        fn folding_twice_changes_nothing(text in "\\PC*") {
            let once = normalise_search(&text);
            prop_assert_eq!(normalise_search(&once), once);
        }

        #[test]
        fn no_folded_text_needs_escaping_in_a_pattern(text in ".*") {
            let folded = normalise_search(&text);
            prop_assert!(!folded.contains(['%', '_', '\\', '\'', '\n', '[']));
            prop_assert!(!folded.contains("  ") && folded.trim() == folded);
        }
    }
}
