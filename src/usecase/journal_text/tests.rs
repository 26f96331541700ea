//! What is an entry, and what is none.

use super::*;

#[test]
fn what_is_no_entry_is_unreadable() {
    for body in [
        "",
        "[]",
        "{}",
        r#"{"kind":"check_in","at":"yesterday","item":{"tag":"E1"}}"#,
        r#"{"kind":"check_in","at":"2026-03-04T04:00:00Z","item":{}}"#,
        r#"{"kind":"check_in","at":"2026-03-04T04:00:00Z","item":{"tag":"E1","barcode":"1"}}"#,
        "{\"kind\":\"check_in\",\"at\":\"2026-03-04T04:00:00Z\",\"item\":{\"tag\":\"E\\u0000\"}}",
        r#"{"kind":"check_out","at":"2026-03-04T04:00:00Z","item":{"tag":"E1"}}"#,
        r#"{"kind":"check_out","at":"2026-03-04T04:00:00Z","item":{"tag":"E1"},"card_number":"1","card_token":"a"}"#,
        r#"{"kind":"lost","at":"2026-03-04T04:00:00Z","from":5,"to":4}"#,
        r#"{"kind":"lost","at":"2026-03-04T04:00:00Z","from":1,"to":9007199254740991}"#,
        r#"{"kind":"burnt","at":"2026-03-04T04:00:00Z"}"#,
        r#"{"kind":"passages","at":"2026-03-04T04:00:00Z","batch":"b","hours":[{"hour":"+262142-12-31T23:00:00Z","in":1,"out":1}]}"#,
        r#"{"kind":"passages","at":"2026-03-04T04:00:00Z","batch":"b","checks":[{"check_id":"c","at":"+262142-12-31T23:59:59Z","tag":"E1",
            "decided":"locally","decision":"alarm"}]}"#,
        r#"{"kind":"exit_check","at":"-262143-01-01T00:00:00Z","check_id":"c","tag":"E1","decided":"locally","decision":"alarm"}"#,
        r#"{"kind":"loan_taken","at":"2026-03-04T04:00:00Z"}"#,
        r#"{"kind":"loan_taken","at":"2026-03-04T04:00:00Z","loan_id":5,"sequence":4}"#,
        r#"{"kind":"loan_not_taken","at":"2026-03-04T04:00:00Z","loan_id":0}"#,
        r#"{"kind":"check_in","at":"2026-03-04T04:00:00Z","item":{"tag":"E1"},"compartment":0}"#,
        r#"{"kind":"compartment","at":"2026-03-04T04:00:00Z"}"#,
        r#"{"kind":"compartment","at":"2026-03-04T04:00:00Z","number":1,"turn":2,"door":"ajar"}"#,
        r#"{"kind":"compartment","at":"2026-03-04T04:00:00Z","number":1,"turn":2,"door":"closed","inside":"cat"}"#,
        r#"{"kind":"compartment","at":"2026-03-04T04:00:00Z","number":1,"turn":2,"door":"closed","inside":"empty","tags":["E1"]}"#,
    ] {
        assert!(Told::read(body).is_none(), "{body}");
    }
}

#[test]
fn a_text_without_its_card_is_read_as_before() {
    for card in [
        r#""card_number":"310101198001011234""#,
        r#""card_number":null,"card_token":"abc.def""#,
    ] {
        let body = format!(r#"{{"kind":"renewal","at":"2026-03-04T04:00:00Z","item":{{"tag":"E1"}},{card}}}"#);
        let hidden = without_card(&body);
        assert!(!hidden.contains("310101") && !hidden.contains("abc"), "{hidden}");
        let told = Told::read(&hidden).expect("an entry");
        assert_eq!(told.act.code(), "renewal");
        assert_eq!(without_card(&hidden), hidden);
    }
    assert_eq!(without_card("no text"), "no text");
}

#[test]
fn what_a_device_adds_of_its_own_is_passed_over() {
    let body = r#"{"kind":"check_in","at":"2026-03-04T12:00:00+08:00","item":{"tag":"E1"},"lamp":"green"}"#;
    let told = Told::read(body).expect("an entry");
    assert_eq!(told.act.code(), "check_in");
    assert_eq!(told.at.to_rfc3339(), "2026-03-04T04:00:00+00:00");
}
