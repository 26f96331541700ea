//! Jobs as an operator sees them, and what they do to loans.

use std::sync::Arc;

use chrono::TimeDelta;
use serde_json::{Value, json};
use tongjie::domain::schedule::OVERDUE_MARKING;
use tongjie::store::StoreError;
use tongjie::usecase::mark_overdue::MarkOverdue;
use tongjie::usecase::run_job::{Ran, run_job};

use crate::app::TestApp;

on_both!(
    a_loan_is_told_overdue_once_for_each_due_date,
    what_was_returned_or_renewed_in_time_is_not_marked,
    the_list_shows_what_ran_and_what_is_next,
);

fn mark(app: &TestApp, node: &str) -> Ran {
    let pass = Arc::new(MarkOverdue);
    let run = run_job(&app.app.store, node, OVERDUE_MARKING, &pass, || false);
    app.block_on(run).expect("runs")
}

fn overdue_events(app: &TestApp) -> i64 {
    let count = app
        .app
        .store
        .read::<_, StoreError, _>(|tx| tx.count_events("loan_overdue"));
    app.block_on(count).expect("counted")
}

struct Lent {
    desk: String,
    barcode: String,
    loan: i64,
}

/// A book that M1's librarian lent, due in 30 days.
fn lent(app: &TestApp) -> Lent {
    app.small_network();
    let desk = app.staff("librarian", "M1");
    let (_, card) = app.reader("adult", "M1");
    let (_, barcode) = app.item(app.bib("三国演义", None), "M1", &json!({}));
    let body = json!({"item_barcode": barcode, "card_number": card});
    let loan = app.post(&desk, "/api/v1/check-outs", &body).expect(201).body["loan"]["id"]
        .as_i64()
        .expect("an id");
    Lent { desk, barcode, loan }
}

fn days_later(app: &TestApp, days: i64) {
    app.clock.set(app.clock.now() + TimeDelta::days(days));
}

fn finished(looked_at: i64, changed: i64) -> Ran {
    Ran::Finished { looked_at, changed }
}

fn a_loan_is_told_overdue_once_for_each_due_date(app: &TestApp) {
    let lent = lent(app);
    assert_eq!(mark(app, "a"), finished(1, 0), "not overdue yet");
    assert_eq!(mark(app, "a"), Ran::NotNow, "once a day");
    days_later(app, 31);
    assert_eq!(mark(app, "b"), finished(1, 1));
    assert_eq!(overdue_events(app), 1);
    days_later(app, 1);
    assert_eq!(mark(app, "a"), finished(1, 0), "it was told already");
    // Staff renew it all the same: another due date, which can pass, too.
    let due = app.clock.now() + TimeDelta::days(3);
    let body =
        json!({"due_at": due, "overrides": {"codes": ["loan_overdue", "overdue_items"], "reason": "reader is ill"}});
    let desk = app.staff("librarian", "M1");
    app.post_consenting(&desk, &format!("/api/v1/loans/{}/renewals", lent.loan), &body)
        .expect(200);
    days_later(app, 1);
    assert_eq!(mark(app, "a"), finished(1, 0), "in time again");
    days_later(app, 3);
    assert_eq!(mark(app, "a"), finished(1, 1));
    assert_eq!(overdue_events(app), 2);
    app.assert_sound();
}

fn what_was_returned_or_renewed_in_time_is_not_marked(app: &TestApp) {
    let lent = lent(app);
    let body = json!({"item_barcode": lent.barcode});
    app.post(&lent.desk, "/api/v1/check-ins", &body).expect(200);
    days_later(app, 60);
    assert_eq!(mark(app, "a"), finished(0, 0));
    assert_eq!(overdue_events(app), 0);
}

fn the_list_shows_what_ran_and_what_is_next(app: &TestApp) {
    let listed = |app: &TestApp| -> Value {
        let list = app.get(&app.root_token(), "/api/v1/jobs").expect(200).body;
        let jobs = list["items"].as_array().expect("a list").clone();
        let job = jobs.into_iter().find(|job| job["name"] == "overdue_marking");
        job.expect("it is listed")
    };
    let before = listed(app);
    assert_eq!(
        (&before["state"], &before["started_at"]),
        (&json!("waiting"), &Value::Null)
    );
    lent(app);
    days_later(app, 31);
    mark(app, "node-7");
    let after = listed(app);
    assert_eq!(
        (
            &after["state"],
            &after["looked_at"],
            &after["expected"],
            &after["changed"],
            &after["node"]
        ),
        (&json!("waiting"), &json!(1), &json!(1), &json!(1), &Value::Null)
    );
    assert_eq!(after["daily_at"], "00:05");
    assert_eq!(
        after["next_at"], "2026-04-04T16:05:00Z",
        "five past midnight in Jiangcheng"
    );
    let auditor = app.staff("auditor", "M1");
    app.get(&auditor, "/api/v1/jobs").expect(403);
}
