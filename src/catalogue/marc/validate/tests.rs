//! The validation as a table: a good record of each format, one thing changed, the one fault it leads to.

use super::*;

pub(super) type Parts<'a> = &'a [(char, &'a str)];

pub(super) const MARC21: &str = "00000nam a2200000   4500";
const CNMARC: &str = "00000nam0 2200000   450 ";
const FIXED_40: &str = "970909s1959    nyu                 eng d";
const FIXED_36: &str = "20020204d1994    em y0chiy0120    ea";

pub(super) fn good(format: Format) -> super::super::record::MarcBuilder {
    match format {
        Format::Marc21 => MarcRecord::builder(MARC21)
            .control("001", "ocm1")
            .control("008", FIXED_40)
            .data("040", "  ", &[('a', "DLC"), ('b', "eng")])
            .data("020", "  ", &[('a', "7503717440 (pbk.)"), ('c', "$8.00")])
            .data(
                "245",
                "10",
                &[('a', "Kind of blue :"), ('b', "a study /"), ('c', "by Miles Davis.")],
            ),
        Format::Cnmarc => MarcRecord::builder(CNMARC)
            .control("001", "0123")
            .data("010", "  ", &[('a', "7-5037-1744-0"), ('d', "CNY68.00")])
            .data("100", "  ", &[('a', FIXED_36)])
            .data("101", "0 ", &[('a', "chi")])
            .data("801", " 0", &[('a', "CN"), ('b', "BNU"), ('c', "19950626")])
            .data(
                "200",
                "1 ",
                &[('a', "中国发展报告"), ('A', "zhong guo"), ('f', "国家统计局编")],
            ),
    }
}

pub(super) fn check(record: super::super::record::MarcBuilder, format: Format) -> Validation {
    validate(&record.build().expect("a record"), format)
}

#[test]
fn good_records_have_no_faults() {
    assert_eq!(FIXED_40.len(), 40);
    assert_eq!(FIXED_36.len(), 36);
    for format in [Format::Marc21, Format::Cnmarc] {
        assert_eq!(check(good(format), format), Validation::default(), "{format}");
    }
}

#[test]
fn one_more_field_and_its_one_fault() {
    use Format::{Cnmarc, Marc21};
    let cases: [(Format, &str, &str, Parts<'_>, &str); 14] = [
        (Marc21, "245", "10", &[('a', "again")], "fields[5].245"),
        (Marc21, "650", "18", &[('a', "Jazz")], "fields[5].650.ind2"),
        (Marc21, "650", "40", &[('a', "Jazz")], "fields[5].650.ind1"),
        (
            Marc21,
            "650",
            " 0",
            &[('a', "Jazz"), ('w', "x")],
            "fields[5].650.subfields[1].w",
        ),
        (
            Marc21,
            "650",
            " 0",
            &[('a', "Jazz"), ('x', "1"), ('x', "2"), ('a', "3")],
            "fields[5].650.subfields[3].a",
        ),
        (Marc21, "200", "1 ", &[('a', "x")], "fields[5].200"),
        (
            Marc21,
            "020",
            "  ",
            &[('a', "7503717441")],
            "fields[5].020.subfields[0].a",
        ),
        (Marc21, "100", "2 ", &[('a', "Davis, Miles")], "fields[5].100.ind1"),
        (Cnmarc, "200", "1 ", &[('a', "又")], "fields[6].200"),
        (Cnmarc, "245", "10", &[('a', "x")], "fields[6].245"),
        (
            Cnmarc,
            "701",
            "12",
            &[('a', "叶震")],
            "fields[6].701.ind1 fields[6].701.ind2",
        ),
        (
            Cnmarc,
            "010",
            "  ",
            &[('a', "7-5037-1744-1")],
            "fields[6].010.subfields[0].a",
        ),
        (
            Cnmarc,
            "690",
            "  ",
            &[('a', "F124"), ('a', "F125")],
            "fields[6].690.subfields[1].a",
        ),
        (Cnmarc, "690", "  ", &[('q', "F124")], "fields[6].690.subfields[0].q"),
    ];
    for (format, tag, indicators, subfields, path) in cases {
        let found = check(good(format).data(tag, indicators, subfields), format);
        let paths: Vec<&str> = found.errors.iter().map(|fault| fault.path.as_str()).collect();
        assert_eq!(paths.join(" "), path, "{tag} {indicators}");
    }
}

#[test]
fn local_fields_pass() {
    for (format, tag) in [
        (Format::Marc21, "945"),
        (Format::Marc21, "093"),
        (Format::Cnmarc, "905"),
        (Format::Cnmarc, "OWN"),
    ] {
        let found = check(good(format).data(tag, "zz", &[('z', "1"), ('z', "2")]), format);
        assert_eq!(found.errors, [], "{tag}");
    }
}

#[test]
fn fixed_positions_that_matter_are_checked() {
    let leaders = [
        (Format::Marc21, "00000xam a2200000   4500", "position 5 (status)"),
        (Format::Marc21, "00000nxm a2200000   4500", "position 6 (type)"),
        (Format::Marc21, "00000nax a2200000   4500", "position 7 (level)"),
        (Format::Cnmarc, "00000aam0 2200000   450 ", "position 5 (status)"),
    ];
    for (format, leader, words) in leaders {
        let title = if format == Format::Marc21 {
            ("245", "10")
        } else {
            ("200", "1 ")
        };
        let found = check(
            MarcRecord::builder(leader).data(title.0, title.1, &[('a', "x")]),
            format,
        );
        assert_eq!((found.errors.len(), found.errors[0].path.as_str()), (1, "leader"));
        assert!(found.errors[0].reason.contains(words), "{}", found.errors[0].reason);
        let missing = if format == Format::Marc21 {
            "008 040"
        } else {
            "100 101 801"
        };
        for tag in missing.split(' ') {
            assert!(
                found.warnings.iter().any(|fault| fault.reason.contains(tag)),
                "{tag} is missing"
            );
        }
    }
    let fixed_008 = |value: &str| {
        let record = MarcRecord::builder(MARC21)
            .control("008", value)
            .data("245", "10", &[('a', "x")]);
        check(record, Format::Marc21).errors.len()
    };
    assert_eq!(fixed_008(FIXED_40), 0);
    assert_eq!(fixed_008("short"), 1);
    assert_eq!(fixed_008(&FIXED_40.replace("1959", "19x9")), 1);
    assert_eq!(fixed_008(&FIXED_40.replace("s1959", "z1959")), 1);
    assert_eq!(fixed_008(&FIXED_40.replace("eng", "ENG")), 1);
    let fixed_100 = |value: &str| {
        let record = MarcRecord::builder(CNMARC)
            .data("100", "  ", &[('a', value)])
            .data("200", "1 ", &[('a', "史记")]);
        check(record, Format::Cnmarc).errors
    };
    assert_eq!(fixed_100(FIXED_36), []);
    assert_eq!(fixed_100("20190611d########u##y0chiy50######ea"), []);
    assert_eq!(fixed_100("20190611")[0].path, "fields[0].100.subfields[0].a");
    assert!(
        fixed_100(&FIXED_36.replace("d1994", "x1994"))[0]
            .reason
            .contains("position 8 (date type)")
    );
}

#[test]
fn a_title_is_needed_and_what_is_no_number_is_only_told() {
    for format in [Format::Marc21, Format::Cnmarc] {
        let leader = if format == Format::Marc21 { MARC21 } else { CNMARC };
        let found = check(MarcRecord::builder(leader).control("001", "1"), format);
        assert_eq!(found.errors.len(), 1);
        assert_eq!(found.errors[0].path, "fields");
    }
    let found = check(
        good(Format::Marc21).data("020", "  ", &[('a', "(pbk.)")]),
        Format::Marc21,
    );
    assert_eq!((found.errors.len(), found.warnings.len()), (0, 1));
}

#[test]
fn fields_of_fixed_length_are_read_by_their_material() {
    let of = |leader: &str, tag: &str, value: &str| {
        let record = MarcRecord::builder(leader)
            .control(tag, value)
            .data("245", "10", &[('a', "x")]);
        let found = check(record, Format::Marc21);
        let told: Vec<String> = found.warnings.into_iter().map(|fault| fault.reason).collect();
        (
            found
                .errors
                .into_iter()
                .map(|fault| fault.reason)
                .collect::<Vec<_>>()
                .join("; "),
            told.join("; "),
        )
    };
    let book = FIXED_40.replace("nyu   ", "nyu 9 ");
    assert!(of(MARC21, "008", &book).1.contains("positions 18-21 (illustrations)"));
    let music = "00000njm a2200000   4500";
    assert!(!of(music, "008", &book).1.contains("illustrations"), "music has none");
    assert!(
        of(MARC21, "008", &FIXED_40.replace(" d", " 9"))
            .1
            .contains("position 39 (source) is '9'")
    );
    assert!(
        of(MARC21, "007", "sd fsngnn")
            .1
            .contains("14 ASCII characters (sound recording), but has 9")
    );
    assert!(of(MARC21, "007", "xd").0.contains("position 0 (category) is 'x'"));
    assert!(of(MARC21, "006", "m").0.contains("18 ASCII characters"));
    assert!(of(MARC21, "005", "yesterday").1.contains("16 ASCII characters"));
    for tag in ["005", "006", "007", "008"] {
        for value in ["", "é", "史", &"史".repeat(40)] {
            let (errors, told) = of(MARC21, tag, value);
            assert!(!errors.is_empty() || !told.is_empty(), "{tag} {value}");
        }
    }
}
