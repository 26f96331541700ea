//! Loans that are called back by rule, because somebody waits whom no copy serves.

use std::sync::Arc;

use chrono::TimeDelta;
use serde_json::{Value, json};
use tongjie::domain::ids::BibId;
use tongjie::domain::recall::Guarantee;
use tongjie::domain::schedule::HOLD_RECALLS;
use tongjie::store::StoreError;
use tongjie::usecase::recall_for_holds::RecallForHolds;
use tongjie::usecase::run_job::{Pass, Ran, run_job};

use crate::app::TestApp;
use crate::rule_sets::{changed, published};

on_both!(
    the_fairest_loan_is_called_back_for_a_hold_and_never_twice,
    without_the_term_nothing_is_called_back,
    terms_say_from_how_many_holds_on_loans_are_called_back,
    a_copy_that_comes_anyway_is_waited_for,
    two_nodes_at_once_call_each_loan_back_once,
    what_a_dead_node_left_is_called_back_by_another,
);

const PRESET: &str = "loan_days = 30\nrenewable = true";

const GUARANTEE: Guarantee = Guarantee {
    loan_days: 14,
    notice_days: 7,
};

const PASS: RecallForHolds = RecallForHolds { guarantee: GUARANTEE };

/// From so many holds on adults' books are called back.
fn recall_from(app: &TestApp, holds: u16) {
    let text = changed(app, PRESET, &format!("{PRESET}\nrecall_holds = {holds}"), "");
    published(app, &app.root_token(), None, &text);
}

struct Lent {
    reader: i64,
    card: String,
    barcode: String,
}

/// Somebody has a new copy of the bib.
fn lent(app: &TestApp, bib: i64) -> Lent {
    let (_, barcode) = app.item(bib, "B1", &json!({}));
    let (reader, card) = app.reader("adult", "B1");
    let body = json!({"item_barcode": barcode, "card_number": card});
    app.post(&app.staff("librarian", "B1"), "/api/v1/check-outs", &body)
        .expect(201);
    Lent { reader, card, barcode }
}

/// Somebody waits for it; answers the path of the hold.
fn waits(app: &TestApp, bib: i64) -> String {
    let (_, card) = app.reader("adult", "B1");
    let body = json!({"bib_id": bib, "pickup_unit_code": "B1"});
    let placed = app
        .post(&app.reader_token(&card), "/api/v1/holds", &body)
        .expect(201)
        .body;
    format!("/api/v1/holds/{}", placed["hold"]["id"])
}

/// The day a loan is due, and whether it was called back.
fn told(app: &TestApp, lent: &Lent) -> (String, bool) {
    let path = format!("/api/v1/readers/{}/loans?status=all&reason=asked", lent.reader);
    let loan = app.get(&app.reader_token(&lent.card), &path).expect(200).body["items"][0].clone();
    let due = loan["due_at"]
        .as_str()
        .expect("a moment")
        .get(..10)
        .expect("a day")
        .to_owned();
    (due, loan["recalled_at"] != Value::Null)
}

fn called_back(app: &TestApp, loans: &[Lent]) -> Vec<bool> {
    loans.iter().map(|one| told(app, one).1).collect()
}

fn run(app: &TestApp, node: &str) -> Ran {
    let pass = Arc::new(PASS);
    let run = run_job(&app.app.store, node, HOLD_RECALLS, &pass, || false);
    let ran = app.block_on(run).expect("runs");
    app.clock.set(app.clock.now() + TimeDelta::minutes(10));
    ran
}

fn finished(looked_at: i64, changed: i64) -> Ran {
    Ran::Finished { looked_at, changed }
}

fn days_later(app: &TestApp, days: i64) {
    app.clock.set(app.clock.now() + TimeDelta::days(days));
}

fn recalls(app: &TestApp) -> i64 {
    let count = app
        .app
        .store
        .read::<_, StoreError, _>(|tx| tx.count_events("loan_recalled"));
    app.block_on(count).expect("counted")
}

fn the_fairest_loan_is_called_back_for_a_hold_and_never_twice(app: &TestApp) {
    app.small_network();
    recall_from(app, 1);
    let bib = app.bib("三国演义", None);
    let early = lent(app, bib);
    days_later(app, 10);
    let late = lent(app, bib);
    waits(app, bib);
    assert_eq!(run(app, "a"), finished(1, 1));
    // A week's notice; the other reader has had nothing of the two weeks that are guaranteed.
    assert_eq!(told(app, &early), ("2026-03-21".to_owned(), true));
    assert_eq!(told(app, &late), ("2026-04-13".to_owned(), false));
    assert_eq!(run(app, "b"), finished(1, 0), "one hold, one loan");
    waits(app, bib);
    assert_eq!(run(app, "a"), finished(1, 1));
    assert_eq!(told(app, &late), ("2026-03-28".to_owned(), true));
    waits(app, bib);
    assert_eq!(run(app, "a"), finished(0, 0), "nothing is left to call back");
    assert_eq!(recalls(app), 2);
    // What was called back is not renewed, and goes to whoever waits.
    let path = format!("/api/v1/readers/{}/loans", early.reader);
    let own = app.reader_token(&early.card);
    let loan = app.get(&own, &path).expect(200).body["items"][0]["id"].clone();
    app.post(&own, &format!("/api/v1/loans/{loan}/renewals"), &json!({}))
        .expect_problem(409, "refused");
    let body = json!({"item_barcode": early.barcode});
    let back = app
        .post(&app.staff("librarian", "B1"), "/api/v1/check-ins", &body)
        .expect(200);
    assert!(
        back.body["next_step"].to_string().contains("hold_shelf"),
        "{}",
        back.body
    );
    app.assert_sound();
}

fn without_the_term_nothing_is_called_back(app: &TestApp) {
    app.small_network();
    let bib = app.bib("三国演义", None);
    let lent = lent(app, bib);
    waits(app, bib);
    assert_eq!(run(app, "a"), finished(0, 0));
    assert_eq!(told(app, &lent), ("2026-04-03".to_owned(), false));
}

fn terms_say_from_how_many_holds_on_loans_are_called_back(app: &TestApp) {
    app.small_network();
    recall_from(app, 2);
    let bib = app.bib("三国演义", None);
    let loans = [lent(app, bib), lent(app, bib), lent(app, bib)];
    let first = waits(app, bib);
    assert_eq!(run(app, "a"), finished(1, 0));
    waits(app, bib);
    let desk = app.staff("librarian", "B1");
    app.request("DELETE", &first).bearer(&desk).send().expect(200);
    assert_eq!(run(app, "a"), finished(1, 0), "one of the two was given up");
    waits(app, bib);
    assert_eq!(run(app, "a"), finished(1, 2));
    assert_eq!(
        called_back(app, &loans),
        [true, true, false],
        "no more than are waited for"
    );
    app.assert_sound();
}

fn a_copy_that_comes_anyway_is_waited_for(app: &TestApp) {
    app.small_network();
    recall_from(app, 1);
    let bib = app.bib("三国演义", None);
    let soon = lent(app, bib);
    days_later(app, 25);
    let late = lent(app, bib);
    waits(app, bib);
    assert_eq!(run(app, "a"), finished(1, 0), "one is due within the notice");
    // It is not brought back: then the other is called back.
    days_later(app, 10);
    assert_eq!(run(app, "a"), finished(1, 1));
    assert_eq!(called_back(app, &[soon, late]), [false, true]);
    // A copy on the shelf serves whoever waits for it.
    let other = app.bib("水浒传", None);
    let out = lent(app, other);
    waits(app, other);
    app.item(other, "B1", &json!({}));
    assert_eq!(run(app, "a"), finished(2, 0));
    assert_eq!(called_back(app, &[out]), [false]);
    app.assert_sound();
}

fn two_nodes_at_once_call_each_loan_back_once(app: &TestApp) {
    app.small_network();
    recall_from(app, 1);
    let bibs: Vec<i64> = (0..3).map(|_| app.bib("三国演义", None)).collect();
    let loans: Vec<Lent> = bibs.iter().map(|bib| lent(app, *bib)).collect();
    for bib in &bibs {
        waits(app, *bib);
    }
    let store = &app.app.store;
    let work: Vec<BibId> = bibs.iter().map(|bib| BibId::new(*bib)).collect();
    // Without the lease, which only saves work.
    let steps = async { tokio::join!(PASS.act(store, work.clone()), PASS.act(store, work.clone())) };
    let (one, other) = app.block_on(steps);
    assert_eq!(one.expect("runs") + other.expect("runs"), 3);
    assert_eq!((called_back(app, &loans), recalls(app)), (vec![true; 3], 3));
    let passes = [Arc::new(PASS), Arc::new(PASS)];
    let nodes = async {
        tokio::join!(
            run_job(store, "a", HOLD_RECALLS, &passes[0], || false),
            run_job(store, "b", HOLD_RECALLS, &passes[1], || false)
        )
    };
    let (a, b) = app.block_on(nodes);
    let mut ran = [a.expect("asked"), b.expect("asked")];
    ran.sort_by_key(|ran| *ran == Ran::NotNow);
    assert_eq!(ran, [finished(0, 0), Ran::NotNow]);
    app.assert_sound();
}

fn what_a_dead_node_left_is_called_back_by_another(app: &TestApp) {
    app.small_network();
    recall_from(app, 1);
    let bibs: Vec<i64> = (0..3).map(|_| app.bib("三国演义", None)).collect();
    let loans: Vec<Lent> = bibs.iter().map(|bib| lent(app, *bib)).collect();
    for bib in &bibs {
        waits(app, *bib);
    }
    // It took the job, dealt with one bib, and said nothing more.
    let until = app.clock.now() + TimeDelta::seconds(60);
    let store = &app.app.store;
    let take = store.write::<_, StoreError, _>(move |tx| tx.take_job(HOLD_RECALLS.name, "dead", None, until));
    assert!(app.block_on(take).expect("written").is_some());
    assert_eq!(
        app.block_on(PASS.act(store, vec![BibId::new(bibs[0])])).expect("runs"),
        1
    );
    let pass = Arc::new(PASS);
    let other = run_job(store, "b", HOLD_RECALLS, &pass, || false);
    assert_eq!(
        app.block_on(other).expect("asked"),
        Ran::NotNow,
        "its lease lasts a minute"
    );
    app.clock.set(until + TimeDelta::seconds(1));
    assert_eq!(run(app, "b"), finished(2, 2));
    assert_eq!((called_back(app, &loans), recalls(app)), (vec![true; 3], 3));
    app.assert_sound();
}
