//! CNMARC: which field means what.
//!
//! For turning a record of the Chinese national format, and of UNIMARC behind it, into catalogue columns. Holdings
//! and prices are `holding.rs`.

use super::record::{DataField, MarcRecord};
use super::search_text::SearchText;
use super::summary::{
    self, BibSummary, MAX_AUTHOR_CHARS, MAX_CLASS_CHARS, MAX_PUBLISHER_CHARS, MAX_TITLE_CHARS, cut, cut_some,
};

/// The columns; `None` without a title.
pub(super) fn summarise(record: &MarcRecord) -> Option<BibSummary> {
    let title = record.data("200").find_map(title)?;
    Some(BibSummary {
        control_number: summary::control_number(record),
        title,
        authors: authors(record),
        publisher: record
            .subfields("210", 'c')
            .find_map(|value| cut_some(value, MAX_PUBLISHER_CHARS)),
        publish_year: year(record),
        isbns: summary::isbns(record.subfields("010", 'a')),
        clc_class: class(record),
        language: record.subfields("101", 'a').find_map(summary::language),
        search_text: search_text(record),
    })
}

/// CNMARC carries no punctuation between its subfields; the ISBD's is put in.
fn title(field: &DataField) -> Option<String> {
    let mut title = String::new();
    let mut previous = ' ';
    for subfield in &field.subfields {
        let separator = match (subfield.code, previous) {
            ('a', _) => " ; ",
            ('e', _) => " : ",
            ('i', 'h') => ", ",
            ('h' | 'i', _) => ". ",
            _ => continue,
        };
        let value = cut(&subfield.value, MAX_TITLE_CHARS);
        if value.is_empty() {
            continue;
        }
        if !title.is_empty() {
            title.push_str(separator);
        }
        title.push_str(&value);
        previous = subfield.code;
    }
    cut_some(&title, MAX_TITLE_CHARS)
}

fn authors(record: &MarcRecord) -> Vec<String> {
    let mut authors = Vec::new();
    for field in record.data_fields() {
        if matches!(
            field.tag.as_bytes(),
            b"700" | b"701" | b"702" | b"710" | b"711" | b"712"
        ) {
            let name = cut(field.first('a').unwrap_or_default(), MAX_AUTHOR_CHARS);
            // Names of foreign persons are divided: 罗琳 and J. K.
            let name = match field.first('b') {
                Some(rest) if field.tag.as_bytes()[1] == b'0' && !name.is_empty() => {
                    cut(&format!("{name}, {rest}"), MAX_AUTHOR_CHARS)
                }
                _ => name,
            };
            summary::add_author(&mut authors, name);
        }
    }
    if authors.is_empty() {
        let statement = record.subfields("200", 'f').next().unwrap_or_default();
        summary::add_author(&mut authors, cut(statement, MAX_AUTHOR_CHARS));
    }
    authors
}

/// The coded year of 100 $a/9-12, else what 210 $d says.
fn year(record: &MarcRecord) -> Option<i32> {
    let coded = record
        .first("100", 'a')
        .and_then(|a| a.get(9..13))
        .and_then(summary::plausible_year);
    coded.or_else(|| record.subfields("210", 'd').find_map(summary::year_in))
}

/// 690 is CLC; the class in 905 is CLC in most libraries, and then it starts with a capital letter.
fn class(record: &MarcRecord) -> Option<String> {
    let local = record
        .subfields("905", 'd')
        .filter(|d| d.starts_with(|c: char| c.is_ascii_uppercase()));
    record
        .subfields("690", 'a')
        .chain(local)
        .find_map(|value| cut_some(value, MAX_CLASS_CHARS))
}

fn search_text(record: &MarcRecord) -> String {
    let mut search = SearchText::default();
    for field in record.data_fields() {
        if let Some(codes) = searched_codes(field.tag.as_bytes()) {
            let values = field
                .subfields
                .iter()
                .filter(|s| codes.contains(s.code))
                .map(|s| s.value.as_str());
            search.add_field(values);
        }
    }
    search.finish()
}

/// The subfields readers search by. `$A` and `$9` hold pinyin, by the practice of the library.
fn searched_codes(tag: &[u8; 3]) -> Option<&'static str> {
    match tag {
        b"200" => Some("acdehifgAE9"),
        b"210" => Some("c"),
        b"225" => Some("aehiA9"),
        b"410" | b"411" | b"461" | b"462" | b"463" => Some("at"),
        b"500" | b"501" | b"503" | b"532" | b"540" | b"541" | b"545" | [b'5', b'1', _] => Some("aehiA9"),
        b"700" | b"701" | b"702" | b"710" | b"711" | b"712" | b"730" => Some("abA9"),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn summary(fields: &[(&str, &[(char, &str)])]) -> Option<BibSummary> {
        let mut builder = MarcRecord::builder("00000nam0 2200000   450 ").control("001", " 0123 ");
        for (tag, subfields) in fields {
            builder = builder.data(tag, "  ", subfields);
        }
        summarise(&builder.build().expect("a good record"))
    }

    #[test]
    fn every_column_is_filled() {
        let found = summary(&[
            ("010", &[('a', "7-5037-1744-0"), ('d', "CNY68.00")]),
            ("100", &[('a', "20020204d1994    em y0chiy0120    ea")]),
            ("101", &[('a', "chi")]),
            (
                "200",
                &[
                    ('a', "中国发展报告"),
                    ('A', "Zhong Guo Fa Zhan"),
                    ('e', "九四"),
                    ('f', "国家统计局编"),
                ],
            ),
            ("210", &[('a', "北京"), ('c', "中国统计出版社"), ('d', "1995")]),
            ("225", &[('a', "报告书")]),
            ("690", &[('a', "F124")]),
            ("701", &[('a', "叶震")]),
            ("701", &[('a', "罗琳"), ('b', "J. K.")]),
            ("711", &[('a', "国家统计局"), ('b', "处")]),
        ])
        .expect("a title");
        assert_eq!(found.control_number.as_deref(), Some("0123"));
        assert_eq!(found.title, "中国发展报告 : 九四");
        assert_eq!(found.authors_line(), "叶震; 罗琳, J. K.; 国家统计局");
        assert_eq!(found.publisher.as_deref(), Some("中国统计出版社"));
        assert_eq!(found.publish_year, Some(1994));
        assert_eq!(found.isbns.len(), 1);
        assert_eq!(found.clc_class.as_deref(), Some("F124"));
        assert_eq!(found.language.as_deref(), Some("chi"));
        for part in [
            "中国发展报告 zhong guo fa zhan 九四 国家统计局编",
            "中国统计出版社",
            "报告书",
            "罗琳 j k",
        ] {
            assert!(found.search_text.contains(part), "{part} in {}", found.search_text);
        }
    }

    #[test]
    fn what_is_missing_is_taken_from_elsewhere() {
        let found = summary(&[
            ("100", &[('a', "20190611d########u##y0chiy50######ea")]),
            (
                "200",
                &[('a', "史记"), ('h', "第1册"), ('i', "本纪"), ('f', "(汉)司马迁著")],
            ),
            ("210", &[('d', "1959.9")]),
            ("905", &[('d', "K204.2")]),
        ])
        .expect("a title");
        assert_eq!(found.title, "史记. 第1册, 本纪");
        assert_eq!(found.authors, ["(汉)司马迁著"]);
        assert_eq!(found.publish_year, Some(1959));
        assert_eq!(found.clc_class.as_deref(), Some("K204.2"));
        assert_eq!(found.language, None);
    }

    #[test]
    fn a_record_needs_a_title() {
        assert_eq!(summary(&[("200", &[('a', "  ")])]), None);
        assert_eq!(summary(&[("245", &[('a', "x")])]), None);
    }
}
