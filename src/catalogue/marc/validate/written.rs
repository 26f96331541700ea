//! What is written in fields, as a table: a good record, one field more, what is told of it.

use super::tests::{MARC21, Parts, check, good};
use super::*;

/// A record with one field more: where it is faulty, and what is told of it.
fn one_more(format: Format, tag: &str, indicators: &str, subfields: Parts<'_>) -> (String, String) {
    let found = check(good(format).data(tag, indicators, subfields), format);
    let told = |faults: &[Fault]| {
        let lines: Vec<String> = faults
            .iter()
            .map(|fault| format!("{}: {}", fault.path, fault.reason))
            .collect();
        lines.join("; ")
    };
    (told(&found.errors), told(&found.warnings))
}

/// A field more, what is told as an error, and what as a warning; of each a part.
type Case = (
    Format,
    &'static str,
    &'static str,
    Parts<'static>,
    &'static str,
    &'static str,
);

const CASES: &[Case] = &[
    (Format::Marc21, "022", "  ", &[('a', "0317-8471")], "", ""),
    (
        Format::Marc21,
        "022",
        "  ",
        &[('a', "0317-8472")],
        "022.subfields[0].a: the check digit",
        "",
    ),
    (
        Format::Marc21,
        "022",
        "  ",
        &[('a', "unknown")],
        "",
        "should be an ISSN",
    ),
    (
        Format::Marc21,
        "022",
        "  ",
        &[('a', "1050-124X"), ('y', "1050-1240")],
        "",
        "",
    ),
    (Format::Marc21, "041", "1 ", &[('a', "eng"), ('h', "chi")], "", ""),
    (Format::Marc21, "041", "1 ", &[('a', "engfre")], "", ""),
    (
        Format::Marc21,
        "041",
        "1 ",
        &[('a', "English")],
        "",
        "041.subfields[0].a: is \"English\"",
    ),
    (Format::Marc21, "041", "17", &[('a', "en")], "", "needs subfield 2"),
    (Format::Marc21, "043", "  ", &[('a', "a-cc---")], "", ""),
    (Format::Marc21, "043", "  ", &[('a', "China")], "", "a-cc---"),
    (
        Format::Marc21,
        "337",
        "  ",
        &[('2', "rdamedia")],
        "",
        "subfield a or a code in b",
    ),
    (
        Format::Marc21,
        "880",
        "10",
        &[('6', "245-01/$1"), ('a', "史记")],
        "",
        "no field 245 links back to 880-01",
    ),
    (Format::Marc21, "880", "10", &[('a', "史记")], "", "needs subfield 6"),
    (
        Format::Marc21,
        "500",
        "  ",
        &[('6', "880"), ('a', "x")],
        "",
        "should be a link such as 880-01",
    ),
    (
        Format::Marc21,
        "650",
        " 0",
        &[('x', "History")],
        "",
        "without a subfield a",
    ),
    (
        Format::Marc21,
        "700",
        " 0",
        &[('a', "x")],
        "700.ind2",
        "700.ind1: is ' ', but must be 013",
    ),
    (Format::Marc21, "246", "39", &[('a', "x")], "246.ind2: is '9'", ""),
    (Format::Marc21, "260", "0 ", &[('b', "x")], "", "260.ind1: is '0'"),
    (Format::Marc21, "992", "zz", &[('q', "x")], "", ""),
    (
        Format::Cnmarc,
        "011",
        "  ",
        &[('a', "1002-1125")],
        "011.subfields[0].a: the check digit",
        "",
    ),
    (Format::Cnmarc, "102", "  ", &[('a', "CN"), ('b', "110000")], "", ""),
    (Format::Cnmarc, "102", "  ", &[('a', "中国")], "such as CN", ""),
    (Format::Cnmarc, "690", "  ", &[('a', "I247.5"), ('v', "5")], "", ""),
    (
        Format::Cnmarc,
        "690",
        "  ",
        &[('a', "i247.5")],
        "a class of the CLC",
        "",
    ),
    (
        Format::Cnmarc,
        "690",
        "  ",
        &[('a', "L1")],
        "other than L, M, W and Y",
        "",
    ),
    (
        Format::Cnmarc,
        "801",
        " 2",
        &[('a', "CN"), ('c', "2002")],
        "",
        "eight digits",
    ),
    (Format::Cnmarc, "461", " 0", &[('1', "2001 "), ('t', "x")], "", ""),
    (Format::Cnmarc, "461", " 0", &[('1', "丛书")], "", "an embedded field"),
    (Format::Cnmarc, "105", "  ", &[('a', "ak  z   000yy")], "", ""),
    (
        Format::Cnmarc,
        "105",
        "  ",
        &[('a', "ak  z   0")],
        "",
        "must be 13 ASCII characters",
    ),
];

#[test]
fn what_is_written_in_a_field_is_looked_at() {
    for (format, tag, indicators, subfields, errors, warnings) in CASES {
        let (found, told) = one_more(*format, tag, indicators, subfields);
        assert_eq!(
            (found.is_empty(), told.is_empty()),
            (errors.is_empty(), warnings.is_empty()),
            "{tag} {subfields:?}: {found} | {told}"
        );
        assert!(
            found.contains(errors) && told.contains(warnings),
            "{tag} {subfields:?}: {found} | {told}"
        );
    }
}

#[test]
fn an_article_longer_than_its_title_cannot_be_left_out() {
    let found = |indicators: &str, title: &str| {
        let record = MarcRecord::builder(MARC21).data("245", indicators, &[('a', title)]);
        check(record, Format::Marc21).errors
    };
    assert_eq!(found("14", "The end"), []);
    assert_eq!(found("14", "End")[0].path, "fields[0].245.ind2");
}
