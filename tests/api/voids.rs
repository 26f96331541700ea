//! A loan that never really happened, and the hold it had filled.

use serde_json::{Value, json};

use crate::app::TestApp;

on_both!(
    the_hold_a_voided_loan_filled_waits_again,
    a_newer_hold_on_the_same_bib_stands_and_the_old_one_stays_filled,
    a_newer_hold_of_somebody_else_changes_nothing,
    a_copy_collected_from_the_crate_gets_its_days_on_the_shelf_when_the_loan_is_voided,
);

/// A reader who waited for the one copy of a bib and then took it from another's desk.
#[derive(Clone)]
struct Filled {
    desk: String,
    reader: i64,
    card: String,
    bib: i64,
    item: i64,
    hold: i64,
    loan: i64,
}

fn place(app: &TestApp, desk: &str, card: &str, bib: i64) -> i64 {
    let body = json!({"card_number": card, "bib_id": bib, "pickup_unit_code": "B1",
        "overrides": {"codes": ["bib_already_on_loan"], "reason": "wanted again"}});
    let placed = app.post_consenting(desk, "/api/v1/holds", &body).expect(201).body;
    placed["hold"]["id"].as_i64().expect("an id")
}

fn filled(app: &TestApp) -> Filled {
    app.small_network();
    let desk = app.staff("librarian", "B1");
    let (reader, card) = app.reader("adult", "B1");
    let bib = app.bib("三国演义", None);
    let (item, barcode) = app.item(bib, "B1", &json!({}));
    // Somebody has it when the hold is placed, and brings it back: it is set aside.
    let (_, other) = app.reader("adult", "B1");
    let lend = |card: &str| {
        let body = json!({"item_barcode": barcode, "card_number": card});
        let lent = app.post(&desk, "/api/v1/check-outs", &body).expect(201).body;
        lent["loan"]["id"].as_i64().expect("an id")
    };
    lend(&other);
    let hold = place(app, &desk, &card, bib);
    let back = app.post(&desk, "/api/v1/check-ins", &json!({"item_barcode": barcode}));
    assert_eq!(back.expect(200).body["next_step"]["kind"], "hold_shelf");
    let loan = lend(&card);
    Filled {
        desk,
        reader,
        card,
        bib,
        item,
        hold,
        loan,
    }
}

fn void(app: &TestApp, filled: &Filled) {
    let path = format!("/api/v1/loans/{}/void", filled.loan);
    let voided = app.post(&filled.desk, &path, &json!({"reason": "the door jammed"}));
    assert_eq!(voided.expect(200).body["loan"]["status"], "voided");
}

/// The reader's holds as (id, status, position), the newest first.
fn holds(app: &TestApp, filled: &Filled) -> Vec<(i64, String, Value)> {
    let path = format!("/api/v1/readers/{}/holds?status=all&reason=asked", filled.reader);
    let listed = app.get(&app.root_token(), &path).expect(200).body;
    let shown = |hold: &Value| {
        let status = hold["status"].as_str().expect("a status").to_owned();
        (hold["id"].as_i64().expect("an id"), status, hold["position"].clone())
    };
    listed["items"].as_array().expect("a list").iter().map(shown).collect()
}

fn item_status(app: &TestApp, filled: &Filled) -> Value {
    let item = app.get(&filled.desk, &format!("/api/v1/items/{}", filled.item));
    item.expect(200).body["status"].clone()
}

fn the_hold_a_voided_loan_filled_waits_again(app: &TestApp) {
    let filled = filled(app);
    assert_eq!(holds(app, &filled), [(filled.hold, "filled".to_owned(), Value::Null)]);
    void(app, &filled);
    assert_eq!(holds(app, &filled), [(filled.hold, "captured".to_owned(), Value::Null)]);
    assert_eq!(item_status(app, &filled), "on_hold_shelf");
}

fn a_newer_hold_on_the_same_bib_stands_and_the_old_one_stays_filled(app: &TestApp) {
    let filled = filled(app);
    let newer = place(app, &filled.desk, &filled.card, filled.bib);
    void(app, &filled);
    assert_eq!(
        holds(app, &filled),
        [
            (newer, "waiting".to_owned(), json!(1)),
            (filled.hold, "filled".to_owned(), Value::Null)
        ]
    );
    assert_eq!(item_status(app, &filled), "on_shelf", "a void fills no hold");
    // Counted once: the newer one can be cancelled, and then nothing is open.
    let path = format!("/api/v1/holds/{newer}");
    app.request("DELETE", &path).bearer(&filled.desk).send().expect(200);
    let read = |path: String| app.get(&filled.desk, &path).expect(200).body;
    assert_eq!(read(format!("/api/v1/readers/{}", filled.reader))["open_holds"], 0);
    assert_eq!(read(format!("/api/v1/bibs/{}", filled.bib))["open_holds"], 0);
}

fn a_newer_hold_of_somebody_else_changes_nothing(app: &TestApp) {
    let filled = filled(app);
    let (_, other) = app.reader("adult", "B1");
    place(app, &filled.desk, &other, filled.bib);
    void(app, &filled);
    assert_eq!(holds(app, &filled), [(filled.hold, "captured".to_owned(), Value::Null)]);
}

/// The reader took it out of the crate before anybody scanned it: it never had a number or a last day.
fn a_copy_collected_from_the_crate_gets_its_days_on_the_shelf_when_the_loan_is_voided(app: &TestApp) {
    let filled = filled(app);
    void(app, &filled);
    let mut outside = app.database.outside();
    let ready = "SELECT count(*) AS n FROM events WHERE kind = 'hold_ready'";
    assert_eq!(outside.number(ready), 1, "it stands there as before");
    let lend = |app: &TestApp| -> i64 {
        let item = app
            .get(&filled.desk, &format!("/api/v1/items/{}", filled.item))
            .expect(200)
            .body;
        let body = json!({"item_barcode": item["barcode"], "card_number": filled.card});
        let lent = app.post(&filled.desk, "/api/v1/check-outs", &body).expect(201).body;
        lent["loan"]["id"].as_i64().expect("an id")
    };
    let loan = lend(app);
    outside.run("UPDATE holds SET shelf_number = NULL, shelf_until = NULL");
    void(app, &Filled { loan, ..filled.clone() });
    let hold = app
        .get(&filled.desk, &format!("/api/v1/holds/{}", filled.hold))
        .expect(200)
        .body;
    assert!(
        hold["shelf_number"].is_i64() && hold["shelf_until"].is_string(),
        "{hold}"
    );
    assert_eq!(outside.number(ready), 2);
    app.assert_sound();
}
