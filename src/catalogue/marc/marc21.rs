//! MARC21: which field means what.
//!
//! For turning a record of the Library of Congress format into catalogue columns, its ISBD punctuation trimmed. Not
//! for 9xx fields: they differ from library to library.

use super::record::{DataField, MarcRecord};
use super::search_text::SearchText;
use super::summary::{
    self, BibSummary, MAX_AUTHOR_CHARS, MAX_CLASS_CHARS, MAX_PUBLISHER_CHARS, MAX_TITLE_CHARS, cut, cut_some,
};

/// The columns; `None` without a title.
pub(super) fn summarise(record: &MarcRecord) -> Option<BibSummary> {
    let title = record.data("245").find_map(title)?;
    Some(BibSummary {
        control_number: summary::control_number(record),
        title,
        authors: authors(record),
        publisher: publisher(record),
        publish_year: year(record),
        isbns: summary::isbns(record.subfields("020", 'a')),
        clc_class: class(record),
        language: language(record),
        search_text: search_text(record),
    })
}

/// 245 $a, $b and the part in $n and $p. The punctuation that announces a subfield stands at the end of the one
/// before it, which may be the medium in $h.
fn title(field: &DataField) -> Option<String> {
    let mut title = String::new();
    let (mut mark, mut previous) = (None, ' ');
    for subfield in &field.subfields {
        let value = cut(&subfield.value, MAX_TITLE_CHARS);
        let separator = match (subfield.code, mark, previous) {
            ('c', _, _) => break,
            ('a' | 'k', _, _) => " ",
            ('b', Some('='), _) => " = ",
            ('b', Some(';'), _) => " ; ",
            ('b', _, _) => " : ",
            ('p', _, 'n') => ", ",
            ('n' | 'p', _, _) => ". ",
            _ => "",
        };
        let piece = trim_isbd(&value);
        if !separator.is_empty() && !piece.is_empty() {
            if !title.is_empty() {
                title.truncate(trim_stop(&title).len());
                title.push_str(separator);
            }
            title.push_str(piece);
            previous = subfield.code;
        }
        mark = value.chars().last();
    }
    cut_some(trim_stop(&title), MAX_TITLE_CHARS)
}

/// Names of persons and bodies; entries for works within the work ($t) are not its authors.
fn authors(record: &MarcRecord) -> Vec<String> {
    let mut authors = Vec::new();
    for field in record.data_fields() {
        if matches!(
            field.tag.as_bytes(),
            b"100" | b"110" | b"111" | b"700" | b"710" | b"711"
        ) && field.first('t').is_none()
        {
            let name = cut(field.first('a').unwrap_or_default(), MAX_AUTHOR_CHARS);
            summary::add_author(&mut authors, trim_stop(trim_isbd(&name)).to_owned());
        }
    }
    authors
}

/// 264 with second indicator 1 is publication; 260 is the same in older records.
fn publisher(record: &MarcRecord) -> Option<String> {
    let published = record.data("264").filter(|field| field.indicators[1] == '1');
    published
        .chain(record.data("260"))
        .chain(record.data("264"))
        .flat_map(|field| field.all('b'))
        .filter_map(|value| cut_some(trim_isbd(&cut(value, MAX_PUBLISHER_CHARS)), MAX_PUBLISHER_CHARS))
        // "[s.n.]": the publisher is not known.
        .find(|name| !name.trim_matches(['[', ']', '.']).eq_ignore_ascii_case("s.n"))
}

/// The coded year of 008/07-10, else what 260 or 264 $c says.
fn year(record: &MarcRecord) -> Option<i32> {
    let coded = record
        .control("008")
        .and_then(|value| value.get(7..11))
        .and_then(summary::plausible_year);
    let noted = || {
        record
            .subfields("260", 'c')
            .chain(record.subfields("264", 'c'))
            .find_map(summary::year_in)
    };
    coded.or_else(noted)
}

/// Chinese libraries put CLC in 093, others in 084 with its source named.
fn class(record: &MarcRecord) -> Option<String> {
    let named = record
        .data("084")
        .filter(|f| f.first('2').is_some_and(|s| s.trim().eq_ignore_ascii_case("clc")));
    record
        .data("093")
        .chain(named)
        .filter_map(|f| f.first('a'))
        .find_map(|value| cut_some(value, MAX_CLASS_CHARS))
}

fn language(record: &MarcRecord) -> Option<String> {
    let coded = record
        .control("008")
        .and_then(|value| value.get(35..38))
        .and_then(summary::language);
    coded.or_else(|| record.subfields("041", 'a').find_map(summary::language))
}

fn search_text(record: &MarcRecord) -> String {
    let mut search = SearchText::default();
    for field in record.data_fields() {
        // 880 is another field in its own script; $6 opens with the tag of that field.
        let tag = match field.tag.as_bytes() {
            b"880" => field.first('6').and_then(|link| link.as_bytes().first_chunk::<3>()),
            tag => Some(tag),
        };
        if let Some(codes) = tag.and_then(searched_codes) {
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

fn searched_codes(tag: &[u8; 3]) -> Option<&'static str> {
    match tag {
        b"245" => Some("abcknp"),
        b"130" | b"240" | b"246" | b"247" | b"730" | b"740" => Some("abnp"),
        b"100" | b"110" | b"111" | b"700" | b"710" | b"711" => Some("abct"),
        b"440" | b"490" | b"800" | b"810" | b"811" | b"830" => Some("anpt"),
        b"260" | b"264" => Some("b"),
        _ => None,
    }
}

/// Without the punctuation that announces the next subfield.
fn trim_isbd(value: &str) -> &str {
    value.trim_end_matches([' ', '/', ':', ';', ',', '='])
}

/// Without a closing full stop, unless it belongs to an abbreviation, an initial or an ellipsis.
fn trim_stop(value: &str) -> &str {
    let Some(body) = value.strip_suffix('.') else {
        return value;
    };
    let word = body.rsplit(' ').next().unwrap_or_default();
    let sentence = !word.contains('.') && (word.chars().count() > 3 || word.ends_with([')', ']', '"']));
    if sentence { body } else { value }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A tag, indicators and subfields; a lone subfield coded NUL is a control field's value.
    type Spec<'a> = (&'a str, &'a str, &'a [(char, &'a str)]);

    fn record(fields: &[Spec<'_>]) -> MarcRecord {
        let mut builder = MarcRecord::builder("00000nam a2200000   4500");
        for (tag, indicators, subfields) in fields {
            builder = match subfields {
                [('\0', value)] => builder.control(tag, value),
                _ => builder.data(tag, indicators, subfields),
            };
        }
        builder.build().expect("a good record")
    }

    fn title_of(subfields: &[(char, &str)]) -> Option<String> {
        summarise(&record(&[("245", "10", subfields)])).map(|found| found.title)
    }

    #[test]
    fn every_column_is_filled() {
        let found = summarise(&record(&[
            ("001", "", &[('\0', "ocm1")]),
            ("008", "", &[('\0', "970909s1959    nyu                 eng d")]),
            ("020", "  ", &[('a', "7503717440 (pbk.) :"), ('c', "$8.00")]),
            ("084", "  ", &[('a', "J6"), ('2', "clc")]),
            ("100", "1 ", &[('a', "Davis, Miles.")]),
            (
                "245",
                "10",
                &[('a', "Kind of blue :"), ('b', "a study /"), ('c', "by Miles Davis.")],
            ),
            ("264", " 4", &[('c', "©1960")]),
            ("264", " 1", &[('a', "New York :"), ('b', "Columbia,"), ('c', "1959.")]),
            ("490", "0 ", &[('a', "Great works ;"), ('v', "7")]),
            ("700", "1 ", &[('a', "Evans, Bill,"), ('d', "1929-1980.")]),
            ("700", "1 ", &[('a', "Porter, Cole,"), ('t', "Love for sale.")]),
            ("880", "10", &[('6', "245-01/$1"), ('a', "泛蓝调调")]),
            ("880", "10", &[('6', "505-02/$1"), ('a', "目录")]),
        ]))
        .expect("a title");
        assert_eq!(found.control_number.as_deref(), Some("ocm1"));
        assert_eq!(found.title, "Kind of blue : a study");
        assert_eq!(found.authors, ["Davis, Miles", "Evans, Bill"]);
        assert_eq!(found.publisher.as_deref(), Some("Columbia"));
        assert_eq!(found.publish_year, Some(1959));
        assert_eq!(found.isbns.len(), 1);
        assert_eq!(found.clc_class.as_deref(), Some("J6"));
        assert_eq!(found.language.as_deref(), Some("eng"));
        for part in [
            "kind of blue a study by miles davis",
            "columbia",
            "great works",
            "love for sale",
            "泛蓝调调",
        ] {
            assert!(found.search_text.contains(part), "{part} in {}", found.search_text);
        }
        assert!(!found.search_text.contains("目录"));
    }

    #[test]
    fn titles_lose_their_punctuation_but_not_their_dots() {
        let cases: [(&[(char, &str)], &str); 8] = [
            (
                &[('a', "Kind of blue"), ('h', "[sound recording] :"), ('b', "live.")],
                "Kind of blue : live",
            ),
            (
                &[('a', "Faust."), ('n', "Part 2,"), ('p', "Helena /"), ('c', "Goethe")],
                "Faust. Part 2, Helena",
            ),
            (&[('a', "Welt ="), ('b', "World.")], "Welt = World"),
            (&[('a', "A day with U.S.A.")], "A day with U.S.A."),
            (&[('a', "Men, women, etc.")], "Men, women, etc."),
            (&[('a', "And then...")], "And then..."),
            (&[('a', "The end.")], "The end."),
            (&[('a', "Stories.")], "Stories"),
        ];
        for (subfields, title) in cases {
            assert_eq!(title_of(subfields).as_deref(), Some(title));
        }
        assert_eq!(title_of(&[('c', "Nobody")]), None);
    }

    #[test]
    fn what_is_missing_is_taken_from_elsewhere() {
        let found = summarise(&record(&[
            ("008", "", &[('\0', "970909s19uu    nyu")]),
            ("041", "1 ", &[('a', "engfre")]),
            ("245", "10", &[('a', "x")]),
            ("260", "  ", &[('b', "[s.n.],"), ('c', "c1986.")]),
        ]))
        .expect("a title");
        assert_eq!(found.publish_year, Some(1986));
        assert_eq!(found.language.as_deref(), Some("eng"));
        assert_eq!(found.publisher, None);
        assert_eq!(found.control_number, None);
    }
}
