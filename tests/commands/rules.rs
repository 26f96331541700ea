//! `tongjie rules`: out of the database, into it, and looked at.

use crate::database::Engine;
use crate::process::Tongjie;

#[test]
fn what_is_exported_can_be_imported_and_comes_out_the_same() {
    for engine in Engine::all() {
        let tongjie = Tongjie::new(engine);
        let file = tongjie.file("rules.toml");
        let path = file.to_str().expect("UTF-8").to_owned();
        tongjie.succeeds(&["rules", "export", "--out", &path]);
        let before = std::fs::read_to_string(&file).expect("written");
        assert_eq!(tongjie.succeeds(&["rules", "export"]), before);
        let after = before.replacen("loan_days = 30", "loan_days = 21", 1);
        std::fs::write(&file, &after).expect("writable");
        assert!(tongjie.succeeds(&["rules", "validate", &path]).contains("valid"));
        let told = tongjie.succeeds(&["rules", "import", &path, "--note", "21 天"]);
        assert!(told.contains("version 2 takes effect at "), "{told}");
        assert_eq!(tongjie.succeeds(&["rules", "export"]), after);
        assert_eq!(tongjie.succeeds(&["rules", "export", "--version", "1"]), before);
        assert!(tongjie.succeeds(&["check"]).contains("ok   invariant 10"));
    }
}

#[test]
fn a_document_that_is_wrong_changes_nothing_and_says_where() {
    let tongjie = Tongjie::new(Engine::Sqlite);
    let file = tongjie.file("rules.toml");
    let path = file.to_str().expect("UTF-8").to_owned();
    std::fs::write(&file, "[[limit]]\nkind = \"sheep\"\nmax = -1\n").expect("writable");
    let told = tongjie.fails(&["rules", "validate", &path], 1);
    for fault in [
        "fault: limit 1, field kind: ",
        "fault: limit 1, field max: ",
        "fault: document: there is no fallback",
    ] {
        assert!(told.contains(fault), "{fault} in {told}");
    }
    let told = tongjie.fails(&["rules", "import", &path], 2);
    assert!(told.contains("toml: limit 1, field kind"), "{told}");
    let told = tongjie.fails(&["rules", "validate", &path, "--unit", "M1"], 2);
    assert!(told.contains("unit_code: no unit has this code"), "{told}");
    tongjie.fails(&["rules", "import", "nowhere.toml"], 1);
    tongjie.fails(&["rules", "export", "--version", "7"], 1);
    let past = ["rules", "import", &path, "--effective-from", "2020-01-01T00:00:00Z"];
    assert!(tongjie.fails(&past, 2).contains("effective_from: lies in the past"));
    assert_eq!(tongjie.number("SELECT count(*) AS n FROM rule_sets"), 1);
}

#[test]
fn a_stored_set_that_cannot_be_followed_is_found() {
    let tongjie = Tongjie::new(Engine::Sqlite);
    tongjie.succeeds(&["migrate"]);
    tongjie.sql(
        "INSERT INTO rule_sets (version, effective_from, source, published_at) \
         VALUES (2, 9999999999999, '[[limit]]' || char(10) || 'kind = ''loans''', 0)",
    );
    let told = tongjie.fails(&["check"], 1);
    assert!(
        told.contains("FAIL invariant 10") && told.contains("version 2: limit 1, field max: is missing"),
        "{told}"
    );
}
