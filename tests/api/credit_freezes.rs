//! Freezes beside each other, loans that are late more than once, the regime `lock`, and ledgers that begin late.

use std::sync::Arc;

use serde_json::{Value, json};
use tongjie::domain::schedule::CREDIT_LAPSES;
use tongjie::usecase::nightly_credit::LapseCredit;
use tongjie::usecase::run_job::run_job;

use crate::app::TestApp;
use crate::credit::{Town, at, follow, follow_some, night, town};
use crate::rule_sets::{changed, published};

on_both!(
    who_comes_to_the_floor_while_frozen_by_staff_is_frozen_for_that_too,
    a_renewed_loan_that_is_late_again_costs_from_its_new_due_date_on,
    an_item_back_the_day_after_it_was_due_locks_its_reader,
    what_staff_have_lifted_does_not_come_again_with_the_night,
    a_renewal_ends_the_lock_and_being_late_again_begins_another,
    nothing_from_before_the_ledger_is_charged,
    what_is_too_much_for_one_night_is_charged_by_the_next_though_the_item_is_back,
    days_that_points_do_not_pay_are_left_for_money,
    an_appeal_is_upheld_though_its_line_was_undone_meanwhile,
    what_cannot_be_undone_cannot_be_appealed,
);

fn freeze(app: &TestApp, town: &Town, until: &str) {
    let path = format!("/api/v1/readers/{}/credit-freezes", town.reader);
    app.post(&town.desk, &path, &json!({"until": until, "reason": "占座"}))
        .expect(201);
}

fn thaw(app: &TestApp, town: &Town) {
    let desk = app.staff("librarian", "B1");
    let path = format!("/api/v1/readers/{}/credit-thaw", town.reader);
    app.post(&desk, &path, &json!({"because": "decision", "reason": "已说明"}))
        .expect(200);
}

fn overdue_lines(app: &TestApp, town: &Town) -> usize {
    town.lines(app).iter().filter(|line| line["event"] == "overdue").count()
}

fn bring_back(app: &TestApp, barcode: &str) {
    let desk = app.staff("librarian", "B1");
    app.post(&desk, "/api/v1/check-ins", &json!({"item_barcode": barcode}))
        .expect(200);
}

/// Staff renew, whatever speaks against it.
fn renew(app: &TestApp, loan: i64) {
    let desk = app.staff("librarian", "B1");
    let path = format!("/api/v1/loans/{loan}/renewals");
    let told = app.post(&desk, &path, &json!({})).expect(409).body;
    let refusals = told["refusals"].as_array().expect("refusals");
    let codes: Vec<&Value> = refusals.iter().map(|one| &one["code"]).collect();
    let body = json!({"overrides": {"codes": codes, "reason": "住院"}});
    app.post_consenting(&desk, &path, &body).expect(200);
}

/// All items follow this regime from now on.
fn regime(app: &TestApp, says: &str) {
    let text = changed(app, "regime = \"points\"", says, "");
    published(app, &app.root_token(), None, &text);
}

/// Follows the events until a reader's band is this one.
fn band_becomes(app: &TestApp, town: &Town, band: &str) {
    for _ in 0..3_000 {
        follow_some(app);
        if town.credit(app).1 == band {
            return;
        }
        std::thread::sleep(std::time::Duration::from_millis(10));
    }
    panic!("the band is not {band}");
}

fn who_comes_to_the_floor_while_frozen_by_staff_is_frozen_for_that_too(app: &TestApp) {
    let town = town(app);
    freeze(app, &town, "2026-03-06");
    let fall = town
        .post(app, &json!({"points": -500, "reason": "多次损坏"}))
        .expect(201)
        .body;
    let causes: Vec<&Value> = fall["credit"]["freezes"]
        .as_array()
        .expect("freezes")
        .iter()
        .map(|one| &one["cause"])
        .collect();
    assert_eq!(causes, [&json!("staff"), &json!("floor")]);
    app.clock.set(at("2026-03-06T17:00:00Z"));
    night(app);
    assert_eq!(
        town.credit(app),
        (0, "frozen".to_owned()),
        "the other one is open still"
    );
    app.clock.set(at("2026-04-04T17:00:00Z"));
    night(app);
    assert_eq!(town.credit(app), (30, "c".to_owned()));
    app.assert_sound();
}

fn a_renewed_loan_that_is_late_again_costs_from_its_new_due_date_on(app: &TestApp) {
    let town = town(app);
    let (loan, _) = town.lend(app);
    follow(app, &town, 2);
    // Due on 3 April: three days are over.
    app.clock.set(at("2026-04-06T17:00:00Z"));
    night(app);
    assert_eq!(overdue_lines(app, &town), 3);
    renew(app, loan);
    app.clock.set(at("2026-04-20T17:00:00Z"));
    night(app);
    assert_eq!(overdue_lines(app, &town), 3, "it is not due before May");
    // Renewed from 3 April on: due on 3 May.
    app.clock.set(at("2026-05-05T17:00:00Z"));
    night(app);
    assert_eq!(overdue_lines(app, &town), 5, "two more days are over");
    night(app);
    assert_eq!(overdue_lines(app, &town), 5);
    app.assert_sound();
}

fn an_item_back_the_day_after_it_was_due_locks_its_reader(app: &TestApp) {
    let town = town(app);
    regime(app, "regime = \"lock\"\nlock_days = 7");
    let (_, barcode) = town.lend(app);
    follow(app, &town, 2);
    app.clock.set(at("2026-04-04T04:00:00Z"));
    bring_back(app, &barcode);
    band_becomes(app, &town, "frozen");
    assert_eq!(overdue_lines(app, &town), 0, "it costs no points");
    app.clock.set(at("2026-04-10T17:00:00Z"));
    night(app);
    assert_eq!(town.credit(app).1, "frozen");
    app.clock.set(at("2026-04-11T17:00:00Z"));
    night(app);
    assert_eq!(town.credit(app).1, "b", "seven days later");
    app.assert_sound();
}

fn what_staff_have_lifted_does_not_come_again_with_the_night(app: &TestApp) {
    let town = town(app);
    regime(app, "regime = \"lock\"\nlock_days = 7");
    let (_, barcode) = town.lend(app);
    follow(app, &town, 2);
    app.clock.set(at("2026-04-06T17:00:00Z"));
    night(app);
    assert_eq!(town.credit(app).1, "frozen");
    thaw(app, &town);
    assert_eq!(town.credit(app).1, "b");
    app.clock.set(at("2026-04-07T17:00:00Z"));
    night(app);
    assert_eq!(town.credit(app).1, "b");
    bring_back(app, &barcode);
    // What comes after the return was followed after it.
    let (_, next) = app.item(app.bib("西游记", None), "B1", &json!({}));
    let body = json!({"item_barcode": next, "card_number": town.card});
    app.post(&app.staff("librarian", "B1"), "/api/v1/check-outs", &body)
        .expect(201);
    follow(app, &town, 3);
    assert_eq!(town.credit(app).1, "b");
    app.clock.set(at("2026-04-08T17:00:00Z"));
    night(app);
    assert_eq!(town.credit(app).1, "b");
    app.assert_sound();
}

fn a_renewal_ends_the_lock_and_being_late_again_begins_another(app: &TestApp) {
    let town = town(app);
    regime(app, "regime = \"lock\"\nlock_days = 7");
    let (loan, _) = town.lend(app);
    follow(app, &town, 2);
    app.clock.set(at("2026-04-06T17:00:00Z"));
    night(app);
    renew(app, loan);
    band_becomes(app, &town, "b");
    app.clock.set(at("2026-05-09T17:00:00Z"));
    night(app);
    assert_eq!(town.credit(app).1, "frozen");
    app.assert_sound();
}

fn nothing_from_before_the_ledger_is_charged(app: &TestApp) {
    let town = town(app);
    town.lend(app);
    follow(app, &town, 2);
    // As a database that had loans before it had ledgers.
    let mut database = app.database.outside();
    let reader = town.reader;
    database.run(&format!(
        "DELETE FROM credit_reasons WHERE entry_id IN (SELECT id FROM credit_entries WHERE reader_id = {reader})"
    ));
    database.run(&format!("DELETE FROM credit_entries WHERE reader_id = {reader}"));
    database.run(&format!(
        "UPDATE readers SET credit_entries = 0, credit_balance = 0 WHERE id = {reader}"
    ));
    app.clock.set(at("2026-07-01T17:00:00Z"));
    night(app);
    assert_eq!(town.credit(app).0, 100);
    assert_eq!(overdue_lines(app, &town), 0);
    app.clock.set(at("2026-07-03T17:00:00Z"));
    night(app);
    assert_eq!(overdue_lines(app, &town), 2, "the days since");
    app.assert_sound();
}

fn what_is_too_much_for_one_night_is_charged_by_the_next_though_the_item_is_back(app: &TestApp) {
    let town = town(app);
    let dear = "\nevents = [\"overdue\"]\npoints = -1\nper_day = 500\nper_item = 500\n";
    let text = crate::rule_sets::exported(app, 1);
    let from = text.find("events = [\"overdue\"]").expect("a rule");
    let until = text[from..].find("\n\n").map_or(text.len(), |end| from + end);
    let text = format!("{}{}{}", &text[..from], dear.trim(), &text[until..]);
    published(app, &app.root_token(), None, &text);
    let (_, barcode) = town.lend(app);
    follow(app, &town, 2);
    // Due on 3 April; 60 days late.
    app.clock.set(at("2026-06-02T04:00:00Z"));
    bring_back(app, &barcode);
    follow(app, &town, 2 + 40);
    night(app);
    assert_eq!(overdue_lines(app, &town), 60);
    night(app);
    assert_eq!(overdue_lines(app, &town), 60);
    app.assert_sound();
}

fn days_that_points_do_not_pay_are_left_for_money(app: &TestApp) {
    let town = town(app);
    regime(app, "regime = \"hybrid\"");
    town.lend(app);
    follow(app, &town, 2);
    // 40 days late; at most 30 points for one item.
    app.clock.set(at("2026-05-13T17:00:00Z"));
    night(app);
    assert_eq!(overdue_lines(app, &town), 30);
    let money = app
        .database
        .outside()
        .number("SELECT CAST(money_days AS BIGINT) AS n FROM credit_overdue");
    assert_eq!(money, 10);
    app.assert_sound();
}

fn appeal(app: &TestApp, town: &Town, line: i64, status: u16) -> Value {
    let path = format!("/api/v1/me/credit/entries/{line}/appeals");
    let token = app.reader_token(&town.card);
    app.post(&token, &path, &json!({"reason": "借出时已有污损"}))
        .expect(status)
        .body
}

fn line_of(posted: &Value) -> i64 {
    posted["entry"]["id"].as_i64().expect("a line")
}

fn an_appeal_is_upheld_though_its_line_was_undone_meanwhile(app: &TestApp) {
    let town = town(app);
    let posted = town
        .post(app, &json!({"event": "damage", "reason": "污损"}))
        .expect(201)
        .body;
    let made = appeal(app, &town, line_of(&posted), 201);
    app.clock.set(at("2031-03-05T04:00:00Z"));
    let pass = Arc::new(LapseCredit);
    app.block_on(run_job(&app.app.store, "a", CREDIT_LAPSES, &pass, || false))
        .expect("runs");
    assert_eq!(town.credit(app).0, 100);
    let path = format!("/api/v1/credit-appeals/{}/decision", made["id"]);
    let desk = app.staff("librarian", "B1");
    let decided = app.post(&desk, &path, &json!({"upheld": true, "answer": "已核对"}));
    assert_eq!(decided.expect(200).body["status"], "upheld");
    assert_eq!(town.credit(app).0, 100, "given back once");
    app.assert_sound();
}

fn what_cannot_be_undone_cannot_be_appealed(app: &TestApp) {
    let town = town(app);
    let gift = town
        .post(app, &json!({"points": 5, "reason": "志愿者"}))
        .expect(201)
        .body;
    let path = format!("/api/v1/credit-entries/{}/reversal", line_of(&gift));
    let taken = app
        .post(&town.desk, &path, &json!({"reason": "记错了人"}))
        .expect(201)
        .body;
    let refused = appeal(app, &town, line_of(&taken), 409);
    assert!(refused.to_string().contains("desk"), "{refused}");
}
