//! `tongjie import csv` and `tongjie import undo`: a library moves in, and out again.

use std::fs;

use serde_json::{Value, json};
use tongjie::catalogue::marc::{MarcRecord, to_iso2709};

use crate::database::Engine;
use crate::process::Tongjie;

const ISBN: &str = "9787020002207";

/// A database with one bib in it.
fn network(engine: Engine) -> Tongjie {
    let tongjie = Tongjie::new(engine);
    let record = MarcRecord::builder("00000nam a2200000 i 4500")
        .control("001", "c1")
        .data("020", "  ", &[('a', ISBN)])
        .data("245", "10", &[('a', "A title")])
        .build()
        .expect("a record");
    let file = tongjie.file("bibs.mrc");
    fs::write(&file, to_iso2709(&record).expect("bytes")).expect("written");
    tongjie.succeeds(&["import", "marc", &file.to_string_lossy()]);
    tongjie
}

/// Imports bytes for the root and answers the report.
fn import(tongjie: &Tongjie, kind: &str, bytes: impl AsRef<[u8]>, more: &[&str]) -> Value {
    let (file, report) = (tongjie.file("in.csv"), tongjie.file("report.json"));
    fs::write(&file, bytes).expect("written");
    let (file, report_name) = (
        file.to_string_lossy().into_owned(),
        report.to_string_lossy().into_owned(),
    );
    let args = [
        "import",
        "csv",
        kind,
        &file,
        "--owner",
        "network",
        "--report",
        &report_name,
    ];
    tongjie.succeeds(&args.iter().chain(more).copied().collect::<Vec<_>>());
    serde_json::from_slice(&fs::read(report).expect("a report")).expect("JSON")
}

/// Takes a batch back and answers the report.
fn undo(tongjie: &Tongjie, imported: &Value, more: &[&str]) -> Value {
    let (batch, report) = (imported["batch"].to_string(), tongjie.file("undo.json"));
    let name = report.to_string_lossy().into_owned();
    let args = ["import", "undo", &batch, "--report", &name];
    tongjie.succeeds(&args.iter().chain(more).copied().collect::<Vec<_>>());
    serde_json::from_slice(&fs::read(report).expect("a report")).expect("JSON")
}

/// Created, unchanged, rejected, duplicates among these.
fn counts(report: &Value) -> [u64; 4] {
    ["created", "unchanged", "rejected", "duplicates"].map(|key| report[key].as_u64().expect("a number"))
}

/// Row and column of every rejection.
fn places(report: &Value) -> Vec<(u64, String)> {
    let rejections = report["rejections"].as_array().expect("a list");
    let place = |one: &Value| {
        let column = one["column"].as_str().unwrap_or_default().to_owned();
        (one["row"].as_u64().expect("a row"), column)
    };
    rejections.iter().map(place).collect()
}

fn at(row: u64, column: &str) -> (u64, String) {
    (row, column.to_owned())
}

const READERS: &str = "name,card_number,category,old_id,birth_date,card_expires_on\n\
    王五,JC1,adult,17,1980-02-03,2030-01-01\n\
    李四,JC2,adult,18,,\n\
    赵六,JC3,child,19,2018/5/6,\n";
const ITEMS: &str = "barcode,isbn,item_type,price_yuan,call_number\n\
    0001,7-02-000220-X,book,25.80,I242.4/1\n\
    0002,9787020002207,book,,\n\
    0003,9787020002207,book,30,\n";
const LOANS: &str = "barcode,card_number,loaned_at,due_at,renewals\n\
    0001,JC1,2026-01-05 10:30,2026-02-04,1\n\
    0002,JC3,2026-01-06,2026-02-05,\n";

#[test]
fn a_library_moves_in_and_the_same_files_again_change_nothing() {
    for engine in Engine::all() {
        let tongjie = network(engine);
        let cards = "card_number,reader_old_id,card_kind\nE1,17,e_card\nE2,18,e_card\n";
        let deposits = "card_number,amount_yuan,paid_on,receipt\nJC2,100,2010-05-06,A-7\n";
        let files = [
            ("readers", READERS, 3),
            ("cards", cards, 2),
            ("items", ITEMS, 3),
            ("loans", LOANS, 2),
            ("deposits", deposits, 1),
        ];
        for (kind, text, rows) in files {
            let dry = import(&tongjie, kind, text, &["--dry-run"]);
            assert_eq!((counts(&dry), &dry["batch"]), ([rows, 0, 0, 0], &Value::Null), "{dry}");
            let first = import(&tongjie, kind, text, &[]);
            assert_eq!(counts(&first), [rows, 0, 0, 0], "the dry run changed nothing: {first}");
            assert!(first["batch"].is_i64(), "{first}");
            let again = import(&tongjie, kind, text, &[]);
            assert_eq!(
                (counts(&again), &again["batch"]),
                ([0, rows, 0, 0], &Value::Null),
                "{again}"
            );
            tongjie.succeeds(&["check"]);
        }
        assert_eq!(
            tongjie.sql("UPDATE legacy_deposits SET amount_fen = 1 WHERE amount_fen = 10000"),
            1
        );
        assert_eq!(
            tongjie.sql("UPDATE items SET parts = 1 WHERE status = 'on_loan' AND price_fen = 2580"),
            1
        );
        assert_eq!(
            tongjie.sql("UPDATE loans SET due_by_hand = due_by_hand WHERE renewals = 1 AND closed_at IS NULL"),
            1
        );
    }
}

#[test]
fn a_bad_row_is_named_with_its_column_and_stops_nothing() {
    for engine in Engine::all() {
        let tongjie = network(engine);
        let readers = "card_number,name,category,birth_date,status\n\
            JC1,王五,adult,1980-02-03,active\n\
            ,李四,king,1980-02-30,asleep\n\
            11010519491231002X,赵六,adult,,\n\
            JC 4,孙七,adult,,\n\
            \n\
            JC5,周八,adult,,\n";
        let report = import(&tongjie, "readers", readers, &[]);
        assert_eq!(counts(&report), [2, 0, 3, 0], "{report}");
        let expected = [
            at(3, "card_number"),
            at(3, "birth_date"),
            at(3, "category"),
            at(3, "status"),
            at(4, "card_number"),
            at(5, "card_number"),
        ];
        assert_eq!(places(&report), expected);
        let items = "barcode,isbn,item_type,price_yuan,home_unit,control_number,bib_id\n\
            1,9787020002208,book,,,,\n\
            2,9787506365437,book,,,,\n\
            3,,scroll,-1,nowhere,c1,\n\
            4,,book,,,c1,\n\
            5,,book,,,,99\n\
            6,,book,,,,\n";
        let report = import(&tongjie, "items", items, &[]);
        assert_eq!(counts(&report), [1, 0, 5, 0], "{report}");
        let expected = [
            at(2, "isbn"),
            at(3, "isbn"),
            at(4, "item_type"),
            at(4, "home_unit"),
            at(6, "bib_id"),
            at(7, "isbn"),
        ];
        assert_eq!(places(&report), expected);
        let loans = "barcode,card_number,loaned_at,due_at,renewals\n\
            4,JC1,2026-02-01,2026-01-01,x\n\
            4,JC9,2999-02-01,2027-01-01,\n\
            9,JC1,2026-02-01,2026-03-01,\n";
        let report = import(&tongjie, "loans", loans, &[]);
        assert_eq!(counts(&report), [0, 0, 3, 0], "{report}");
        assert_eq!(report["batch"], Value::Null);
        tongjie.succeeds(&["check"]);
    }
}

#[test]
fn duplicates_are_told_from_what_is_there_already() {
    for engine in Engine::all() {
        let tongjie = network(engine);
        import(&tongjie, "readers", READERS, &[]);
        import(&tongjie, "items", ITEMS, &[]);
        import(&tongjie, "loans", LOANS, &[]);
        let readers = "name,card_number,category,old_id\n\
            someone else,JC1,adult,\n\
            new,JC7,adult,40\n\
            new,JC7,adult,41\n\
            newer,JC8,adult,40\n\
            again,JC9,adult,17\n";
        for more in [&["--dry-run"][..], &[]] {
            let report = import(&tongjie, "readers", readers, more);
            assert_eq!(counts(&report), [1, 0, 4, 4], "{report}");
            let expected = [
                at(2, "card_number"),
                at(4, "card_number"),
                at(5, "old_id"),
                at(6, "old_id"),
            ];
            assert_eq!(places(&report), expected);
        }
        let loans = "barcode,card_number,loaned_at,due_at\n\
            0001,JC2,2026-01-05 10:30,2026-02-04\n\
            0003,JC2,2026-01-05,2026-02-04\n\
            0003,JC1,2026-01-05,2026-02-04\n";
        let report = import(&tongjie, "loans", loans, &[]);
        assert_eq!(
            (counts(&report), places(&report)),
            ([1, 0, 2, 2], vec![at(2, "barcode"), at(4, "barcode")])
        );
        tongjie.succeeds(&["check"]);
    }
}

#[test]
fn undo_removes_what_nobody_used_and_keeps_the_rest_row_by_row() {
    for engine in Engine::all() {
        let tongjie = network(engine);
        let readers = import(&tongjie, "readers", READERS, &[]);
        let items = import(&tongjie, "items", ITEMS, &[]);
        let loans = import(&tongjie, "loans", LOANS, &[]);
        let dry = undo(&tongjie, &readers, &["--dry-run"]);
        assert_eq!(
            (&dry["removed"], dry["kept"].as_array().map(Vec::len)),
            (&json!(1), Some(2))
        );
        let kept = undo(&tongjie, &items, &[]);
        assert_eq!(kept["removed"], 1, "{kept}");
        let rows: Vec<&Value> = kept["kept"]
            .as_array()
            .expect("a list")
            .iter()
            .map(|one| &one["row"])
            .collect();
        assert_eq!(rows, [&json!(2), &json!(3)]);
        tongjie.succeeds(&["check"]);
        // Somebody renewed one of them at the desk.
        assert_eq!(tongjie.sql("UPDATE loans SET renewals = 2 WHERE renewals = 1"), 1);
        let kept = undo(&tongjie, &loans, &[]);
        assert_eq!(
            (&kept["removed"], &kept["kept"][0]["row"]),
            (&json!(1), &json!(2)),
            "{kept}"
        );
        tongjie.succeeds(&["check"]);
        assert_eq!(undo(&tongjie, &items, &[])["removed"], 1, "what the loan had kept");
        let kept = undo(&tongjie, &readers, &[]);
        assert_eq!(
            (&kept["removed"], &kept["kept"][0]["row"]),
            (&json!(2), &json!(2)),
            "{kept}"
        );
        tongjie.succeeds(&["check"]);
        assert_eq!(tongjie.sql("UPDATE readers SET note = NULL"), 1);
        assert_eq!(tongjie.sql("UPDATE items SET parts = 1"), 1);
        // What was taken back can come again.
        assert_eq!(counts(&import(&tongjie, "readers", READERS, &[])), [2, 1, 0, 0]);
        tongjie.succeeds(&["check"]);
        assert!(tongjie.fails(&["import", "undo", "7"], 1).contains("no such batch"));
    }
}

#[test]
fn undoing_a_loan_does_not_hide_what_happened_to_its_item_since() {
    for engine in Engine::all() {
        let tongjie = network(engine);
        import(&tongjie, "readers", READERS, &[]);
        let items = import(&tongjie, "items", ITEMS, &[]);
        let loans = import(&tongjie, "loans", LOANS, &[]);
        // A cataloguer corrected both while they were out.
        let corrected =
            "UPDATE items SET call_number = 'X', last_event_at = last_event_at + 60000 WHERE status = 'on_loan'";
        assert_eq!(tongjie.sql(corrected), 2);
        assert_eq!(undo(&tongjie, &loans, &[])["removed"], 2);
        let kept = undo(&tongjie, &items, &[]);
        assert_eq!(
            (&kept["removed"], kept["kept"].as_array().map(Vec::len)),
            (&json!(1), Some(2)),
            "{kept}"
        );
        assert_eq!(kept["kept"][0]["reason"], "something happened to it");
        tongjie.succeeds(&["check"]);
    }
}

#[test]
fn files_in_gb18030_with_a_byte_order_mark_and_with_chinese_headings_are_read() {
    let tongjie = network(Engine::Sqlite);
    let text = "姓名,证号,读者类型,unknown\n王五,JC1,adult,x\n李四,JC2,adult,x\n";
    let (gb, _, _) = encoding_rs::GB18030.encode(text);
    let dry = import(&tongjie, "readers", &gb, &["--dry-run"]);
    assert_eq!(dry["encoding"], "gb18030");
    assert_eq!(dry["ignored_columns"], json!(["unknown"]));
    assert_eq!(
        counts(&import(&tongjie, "readers", &gb, &["--encoding", "gb18030"])),
        [2, 0, 0, 0]
    );
    // The same people, written in the other encoding: they are recognised by name.
    let marked = format!("\u{feff}{}", text.replace(',', ";"));
    let report = import(&tongjie, "readers", marked, &[]);
    assert_eq!((counts(&report), &report["encoding"]), ([0, 2, 0, 0], &json!("utf-8")));
    let mut one_bad = text.as_bytes().to_vec();
    one_bad.extend_from_slice(b"\xb0\xa1\xff,JC3,adult,\n");
    let report = import(&tongjie, "readers", one_bad, &[]);
    assert_eq!((counts(&report), places(&report)), ([0, 2, 1, 0], vec![at(4, "name")]));
}

#[test]
fn a_quotation_mark_that_is_not_closed_does_not_swallow_rows_in_silence() {
    let engine = Engine::Sqlite;
    let tongjie = network(engine);
    let mut file = String::from("card_number,name,category\nJC1,\"两行\n姓名\",adult\nJC2,\"张三,adult\n");
    (0..150).for_each(|n| file.push_str(&format!("K{n},李四,adult\n")));
    let report = import(&tongjie, "readers", &file, &[]);
    assert_eq!(counts(&report), [1, 0, 1, 0], "{report}");
    let rejected = &report["rejections"][0];
    assert_eq!((&rejected["row"], &rejected["column"]), (&json!(4), &Value::Null));
    let reason = rejected["reason"].as_str().expect("a text");
    assert!(reason.starts_with("runs over 151 lines"), "{reason}");
}

#[test]
fn what_a_file_lacks_is_said_before_anything_is_imported() {
    let tongjie = network(Engine::Sqlite);
    let file = tongjie.file("in.csv");
    let name = file.to_string_lossy().into_owned();
    let fails = |bytes: &[u8], owner: &str| {
        fs::write(&file, bytes).expect("written");
        tongjie.fails(&["import", "csv", "readers", &name, "--owner", owner], 2)
    };
    let told = fails(b"card_number,category,card_number\n", "network");
    assert!(
        told.contains("has no column name") && told.contains("two columns card_number"),
        "{told}"
    );
    assert!(fails(b"", "network").contains("is empty"));
    assert!(fails(b"\xff\xfea\0", "network").contains("UTF-16"));
    assert!(fails(b"name\n", "NOWHERE").contains("owner: no unit has this code"));
}

/// The list of batches, as printed and as JSON.
fn listed(tongjie: &Tongjie, more: &[&str]) -> (String, Value) {
    let report = tongjie.file("list.json");
    let name = report.to_string_lossy().into_owned();
    let args = ["import", "list", "--report", &name];
    let printed = tongjie.succeeds(&args.iter().chain(more).copied().collect::<Vec<_>>());
    let json = serde_json::from_slice(&fs::read(report).expect("a list")).expect("JSON");
    (printed, json)
}

#[test]
fn whoever_lost_the_number_of_a_batch_finds_it_in_the_list() {
    for engine in Engine::all() {
        let tongjie = network(engine);
        let (printed, list) = listed(&tongjie, &[]);
        assert!(printed.contains("no import has made anything"), "{printed}");
        assert_eq!(
            (&list["total"], list["batches"].as_array().map(Vec::len)),
            (&json!(0), Some(0))
        );
        import(&tongjie, "readers", READERS, &["--dry-run"]);
        let readers = import(&tongjie, "readers", READERS, &[]);
        import(&tongjie, "readers", READERS, &[]);
        let items = import(&tongjie, "items", ITEMS, &[]);
        let loans = import(&tongjie, "loans", LOANS, &[]);
        undo(&tongjie, &loans, &[]);
        import(&tongjie, "loans", LOANS, &[]);
        undo(&tongjie, &items, &["--dry-run"]);
        let kept = undo(&tongjie, &items, &[]);
        assert_eq!(
            (&kept["removed"], kept["kept"].as_array().map(Vec::len)),
            (&json!(1), Some(2))
        );
        let (printed, list) = listed(&tongjie, &[]);
        let rows = list["batches"].as_array().expect("a list");
        let of = |row: &Value| {
            let undone = row["undone_at"].is_string();
            (row["kind"].clone(), row["made"].clone(), row["left"].clone(), undone)
        };
        let expected = [
            ("loans", 2, 2, false),
            ("loans", 2, 0, true),
            ("items", 3, 2, true),
            ("readers", 3, 3, false),
        ];
        let expected = expected.map(|(kind, made, left, undone)| (json!(kind), json!(made), json!(left), undone));
        assert_eq!(
            (rows.iter().map(of).collect::<Vec<_>>(), &list["total"]),
            (expected.to_vec(), &json!(4))
        );
        let last = rows.last().expect("readers");
        assert_eq!(
            (&last["batch"], &last["owner_unit_code"]),
            (&readers["batch"], &json!("network"))
        );
        let number = readers["batch"].to_string();
        let line = printed.lines().find(|line| line.trim_start().starts_with(&number));
        let line = line.unwrap_or_else(|| panic!("{printed}"));
        assert!(line.contains("readers") && line.ends_with("in.csv"), "{line}");
        let (printed, list) = listed(&tongjie, &["--last", "1"]);
        assert!(printed.contains("and 3 older ones"), "{printed}");
        assert_eq!(
            (list["batches"].as_array().map(Vec::len), &list["batches"][0]),
            (Some(1), &rows[0])
        );
        tongjie.fails(&["import", "list", "--last", "0"], 2);
    }
}
