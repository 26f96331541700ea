//! `tongjie import marc` and `tongjie seed --marc-out`.

use std::fs;

use serde_json::Value;
use tongjie::catalogue::marc::{MarcRecord, to_iso2709};

use crate::database::Engine;
use crate::process::Tongjie;

fn records(tongjie: &Tongjie, count: usize) -> Vec<Vec<u8>> {
    let file = tongjie.file("made.mrc");
    let (name, count) = (file.to_string_lossy().into_owned(), count.to_string());
    tongjie.succeeds(&["seed", "--marc-out", &name, "--records", &count]);
    let bytes = fs::read(file).expect("written");
    bytes
        .split_inclusive(|byte| *byte == 0x1d)
        .map(<[u8]>::to_vec)
        .collect()
}

/// Imports bytes and answers the report.
fn import(tongjie: &Tongjie, bytes: &[u8], more: &[&str]) -> Value {
    let (file, report) = (tongjie.file("in.mrc"), tongjie.file("report.json"));
    fs::write(&file, bytes).expect("written");
    let (file, report_name) = (
        file.to_string_lossy().into_owned(),
        report.to_string_lossy().into_owned(),
    );
    let args: Vec<&str> = ["import", "marc", &file, "--report", &report_name]
        .iter()
        .chain(more)
        .copied()
        .collect();
    tongjie.succeeds(&args);
    serde_json::from_slice(&fs::read(report).expect("a report")).expect("JSON")
}

fn counts(report: &Value) -> [u64; 3] {
    ["created", "merged", "rejected"].map(|key| report[key].as_u64().expect("a number"))
}

#[test]
fn importing_a_file_twice_creates_nothing_new() {
    for engine in Engine::all() {
        let tongjie = Tongjie::new(engine);
        let bytes = records(&tongjie, 250).concat();
        assert_eq!(counts(&import(&tongjie, &bytes, &["--dry-run"])), [250, 0, 0]);
        let first = import(&tongjie, &bytes, &[]);
        assert_eq!(counts(&first), [250, 0, 0], "the dry run changed nothing");
        assert!(first["records_per_second"].as_f64().expect("a number") > 0.0);
        assert_eq!(counts(&import(&tongjie, &bytes, &["--dry-run"])), [0, 250, 0]);
        assert_eq!(counts(&import(&tongjie, &bytes, &["--owner", "network"])), [0, 250, 0]);
        tongjie.succeeds(&["check"]);
    }
}

#[test]
fn a_record_that_stands_twice_in_one_file_is_created_once() {
    let tongjie = Tongjie::new(Engine::Sqlite);
    let made = records(&tongjie, 3);
    let bytes = [made.concat(), made[1].clone()].concat();
    assert_eq!(counts(&import(&tongjie, &bytes, &["--dry-run"])), [3, 1, 0]);
    assert_eq!(counts(&import(&tongjie, &bytes, &[])), [3, 1, 0]);
}

/// A MARC 21 record of this control number, with or without an ISBN.
fn record(control_number: &str, isbn: Option<&str>) -> Vec<u8> {
    let mut made = MarcRecord::builder("00000nam a2200000 i 4500").control("001", control_number);
    if let Some(isbn) = isbn {
        made = made.data("020", "  ", &[('a', isbn)]);
    }
    let made = made.data("245", "10", &[('a', "A title")]).build().expect("a record");
    to_iso2709(&made).expect("bytes")
}

#[test]
fn a_control_number_alone_does_not_join_what_isbns_keep_apart() {
    let (one, other) = ("9787020002207", "9787506365437");
    let file = [
        record("1", Some(one)),
        record("1", Some(other)), // another library that counts from one
        record("1", None),        // the first bib of that number
        record("2", None),
        record("2", Some(one)), // by ISBN, the first
        record("3", None),
        record("3", Some("9787302423287")), // the number, and nothing speaks against it
    ]
    .concat();
    for engine in Engine::all() {
        let tongjie = Tongjie::new(engine);
        assert_eq!(
            counts(&import(&tongjie, &file, &["--dry-run"])),
            [4, 3, 0],
            "{engine:?}"
        );
        assert_eq!(counts(&import(&tongjie, &file, &[])), [4, 3, 0], "{engine:?}");
        assert_eq!(counts(&import(&tongjie, &file, &[])), [0, 7, 0], "{engine:?}");
    }
}

#[test]
fn bad_records_are_rejected_one_by_one_and_stop_nothing() {
    for engine in Engine::all() {
        let tongjie = Tongjie::new(engine);
        let made = records(&tongjie, 4);
        let mut mislengthed = made[1].clone();
        mislengthed[..5].copy_from_slice(b"00050");
        let truncated = made[3][..made[3].len() / 2].to_vec();
        let bytes = [
            made[0].clone(),
            mislengthed,
            b"no MARC at all\x1d".to_vec(),
            made[2].clone(),
            truncated,
        ]
        .concat();
        let report = import(&tongjie, &bytes, &[]);
        assert_eq!(counts(&report), [2, 0, 3]);
        let rejections = report["rejections"].as_array().expect("a list");
        let numbers: Vec<u64> = rejections.iter().filter_map(|one| one["record"].as_u64()).collect();
        assert_eq!(numbers, [2, 3, 5]);
        let reason = |at: usize| rejections[at]["reason"].as_str().expect("a reason").to_owned();
        assert!(
            reason(0).contains("the leader says the record has 50 bytes"),
            "{}",
            reason(0)
        );
        assert!(reason(2).contains("the file ends inside this record"), "{}", reason(2));
    }
}

#[test]
fn a_missing_file_or_an_unknown_unit_is_named_before_anything_is_imported() {
    let tongjie = Tongjie::new(Engine::Sqlite);
    records(&tongjie, 2);
    let made = tongjie.file("made.mrc").to_string_lossy().into_owned();
    let told = tongjie.fails(&["import", "marc", &made, "/nowhere/else.mrc"], 1);
    assert!(told.contains("/nowhere/else.mrc"), "{told}");
    let told = tongjie.fails(&["import", "marc", &made, "--owner", "NOWHERE"], 2);
    assert!(told.contains("owner: no unit has this code"), "{told}");
    assert!(
        tongjie
            .succeeds(&["import", "marc", &made])
            .contains("created            2")
    );
}

/// Real records, where they are at hand.
#[test]
fn the_sample_files_import_whole() {
    let data = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/data");
    if !data.is_dir() {
        eprintln!("{} is absent: nothing to import", data.display());
        return;
    }
    let files = [
        ("marc21_jazz_1k.mrc", 1_000),
        ("marc21_uva_200.mrc", 200),
        ("cnmarc_sample.xml", 10),
        ("cnmarc_sample_utf8.iso", 10),
        ("cnmarc_sample_gb18030.iso", 10),
    ];
    for (file, count) in files {
        let tongjie = Tongjie::new(Engine::Sqlite);
        let bytes = fs::read(data.join(file)).expect("readable");
        let [created, merged, rejected] = counts(&import(&tongjie, &bytes, &[]));
        assert_eq!((created + merged, rejected), (count, 0), "{file}");
        assert!(merged <= 1, "{file}: one work stands there twice with one ISBN");
        assert_eq!(counts(&import(&tongjie, &bytes, &[])), [0, count, 0], "{file}");
    }
}
