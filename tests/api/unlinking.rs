//! After some time what ended names nobody any more, while statistics and the chain of events stay as they were.

use std::sync::Arc;

use chrono::TimeDelta;
use serde_json::json;
use tongjie::domain::schedule::UNLINKING;
use tongjie::usecase::run_job::{Ran, run_job};
use tongjie::usecase::seal_events::seal_events;
use tongjie::usecase::unlink_readers::UnlinkReaders;

use crate::app::TestApp;

on_both!(
    a_returned_loan_names_its_reader_for_180_days_and_no_longer,
    what_is_open_keeps_its_reader_however_old_it_is,
    a_late_return_keeps_its_reader_while_there_is_a_debt,
    holds_requests_and_use_in_the_unit_are_unlinked_too,
    a_run_that_was_cut_short_is_finished_by_another_node,
    registration_is_no_visit_and_stays_known,
);

const DAYS: u32 = 180;

/// Seals every event there is.
pub fn seal(app: &TestApp) {
    let open = "SELECT count(*) AS n FROM event_personal p WHERE p.reader_id IS NOT NULL \
        AND NOT EXISTS (SELECT 1 FROM reader_events r WHERE r.seq = p.seq)";
    for _ in 0..3_000 {
        app.block_on(seal_events(&app.app.store)).expect("runs");
        if app.database.outside().number(open) == 0 {
            return;
        }
        // On a cluster that other tests use too, an event settles only when every transaction beside it has ended.
        std::thread::sleep(std::time::Duration::from_millis(10));
    }
    panic!("the events never settled");
}

fn run(app: &TestApp, node: &str) -> Ran {
    seal(app);
    let pass = Arc::new(UnlinkReaders { days: DAYS });
    app.block_on(run_job(&app.app.store, node, UNLINKING, &pass, || false))
        .expect("runs")
}

fn days_later(app: &TestApp, days: i64) {
    app.clock.set(app.clock.now() + TimeDelta::days(days));
}

fn number(app: &TestApp, sql: &str) -> i64 {
    app.database.outside().number(sql)
}

/// Loans that name a reader, personal sides of events that do, and their list.
fn links(app: &TestApp) -> (i64, i64, i64) {
    (
        number(
            app,
            "SELECT count(*) AS n FROM loans WHERE reader_id IS NOT NULL OR card_id IS NOT NULL",
        ),
        number(
            app,
            "SELECT count(*) AS n FROM event_personal p JOIN events e ON e.seq = p.seq \
             WHERE p.reader_id IS NOT NULL AND e.kind NOT IN ('reader_registered', 'card_issued')",
        ),
        number(app, "SELECT count(*) AS n FROM reader_events WHERE at IS NOT NULL"),
    )
}

/// What statistics count, and the end of the chain.
fn figures(app: &TestApp) -> Vec<(i64, i64, i64)> {
    let mut outside = app.database.outside();
    let mut all = outside.triples(
        "SELECT unit_id AS a, category_id AS b, CAST(sum(n) AS BIGINT) AS c FROM daily_counts GROUP BY 1, 2 ORDER BY 1, 2",
    );
    all.push((outside.number("SELECT count(*) AS n FROM events"), 0, 0));
    all
}

struct Reader {
    id: i64,
    card: String,
    desk: String,
}

fn reader(app: &TestApp) -> Reader {
    let (id, card) = app.reader("adult", "B1");
    let desk = app.staff("librarian", "B1");
    Reader { id, card, desk }
}

/// A new book goes out; answers its barcode.
fn lend(app: &TestApp, reader: &Reader) -> String {
    let (_, barcode) = app.item(app.bib("三国演义", None), "B1", &json!({}));
    let body = json!({"item_barcode": barcode, "card_number": reader.card});
    app.post(&reader.desk, "/api/v1/check-outs", &body).expect(201);
    barcode
}

fn give_back(app: &TestApp, barcode: &str) {
    let desk = app.staff("librarian", "B1");
    app.post(&desk, "/api/v1/check-ins", &json!({"item_barcode": barcode}))
        .expect(200);
}

fn a_returned_loan_names_its_reader_for_180_days_and_no_longer(app: &TestApp) {
    app.small_network();
    let reader = reader(app);
    let barcode = lend(app, &reader);
    days_later(app, 10);
    give_back(app, &barcode);
    days_later(app, 180);
    assert_eq!(
        run(app, "a"),
        Ran::Finished {
            looked_at: 1,
            changed: 0
        },
        "the return is not old enough"
    );
    assert_eq!(links(app).0, 1);
    days_later(app, 1);
    seal(app);
    let before = figures(app);
    assert_eq!(
        run(app, "b"),
        Ran::Finished {
            looked_at: 1,
            changed: 1
        }
    );
    assert_eq!(links(app), (0, 0, 0));
    assert_eq!(figures(app), before, "statistics and events are the same");
    app.assert_sound();
    // Of the loan everything else is still there.
    let kept = "SELECT count(*) AS n FROM loans WHERE age_band <> '' AND category_id > 0 AND closed_how = 'returned'";
    assert_eq!(number(app, kept), 1);
    let path = format!("/api/v1/readers/{}/loans?status=all&reason=asked", reader.id);
    let own = app.reader_token(&reader.card);
    assert_eq!(app.get(&own, &path).expect(200).body["items"], json!([]));
    days_later(app, 1);
    assert_eq!(
        run(app, "a"),
        Ran::Finished {
            looked_at: 1,
            changed: 0
        },
        "nothing is left to do"
    );
}

fn what_is_open_keeps_its_reader_however_old_it_is(app: &TestApp) {
    app.small_network();
    let reader = reader(app);
    let kept = lend(app, &reader);
    days_later(app, 400);
    run(app, "a");
    assert_eq!(links(app).0, 1);
    let events = links(app).1;
    assert!(events > 0, "its events, too");
    app.assert_sound();
    give_back(app, &kept);
    days_later(app, 181);
    run(app, "a");
    assert_eq!(
        links(app),
        (0, 0, 0),
        "with its end, events of more than a year ago go as well"
    );
    app.assert_sound();
}

fn a_late_return_keeps_its_reader_while_there_is_a_debt(app: &TestApp) {
    app.small_network();
    let reader = reader(app);
    let (late, in_time) = (lend(app, &reader), lend(app, &reader));
    give_back(app, &in_time);
    days_later(app, 60);
    give_back(app, &late);
    let owes = |fen: i64| {
        let sql = format!("UPDATE readers SET debt_fen = {fen} WHERE id = {}", reader.id);
        app.database.outside().run(&sql);
    };
    owes(500);
    days_later(app, 300);
    run(app, "a");
    assert_eq!(links(app).0, 1, "what was in time costs nothing");
    app.assert_sound();
    owes(0);
    days_later(app, 1);
    run(app, "a");
    assert_eq!(links(app), (0, 0, 0));
    app.assert_sound();
}

fn holds_requests_and_use_in_the_unit_are_unlinked_too(app: &TestApp) {
    app.small_network();
    let reader = reader(app);
    let own = app.reader_token(&reader.card);
    let (item, _) = app.item(app.bib("西游记", None), "B1", &json!({}));
    let bib = number(app, &format!("SELECT bib_id AS n FROM items WHERE id = {item}"));
    let body = json!({"delivery": "desk", "unit_code": "B1", "lines": [{"bib_id": bib}]});
    let asked = app.post(&own, "/api/v1/delivery-requests", &body).expect(201).body;
    let hold = asked["lines"][0]["hold"]["id"].as_i64().expect("an id");
    let path = format!("/api/v1/me/holds/{hold}");
    app.request("DELETE", &path).bearer(&own).send().expect(200);
    let named = "SELECT (SELECT count(*) FROM holds WHERE reader_id IS NOT NULL) \
        + (SELECT count(*) FROM delivery_requests WHERE reader_id IS NOT NULL) AS n";
    assert_eq!(number(app, named), 2);
    days_later(app, 182);
    run(app, "a");
    assert_eq!(number(app, named), 0);
    assert_eq!(links(app), (0, 0, 0));
    app.assert_sound();
}

fn a_run_that_was_cut_short_is_finished_by_another_node(app: &TestApp) {
    app.small_network();
    for _ in 0..2 {
        let barcode = lend(app, &reader(app));
        give_back(app, &barcode);
    }
    days_later(app, 182);
    seal(app);
    let pass = Arc::new(UnlinkReaders { days: DAYS });
    let stopped = app.block_on(run_job(&app.app.store, "a", UNLINKING, &pass, || true));
    assert_eq!(stopped.expect("runs"), Ran::Stopped);
    assert_eq!(links(app).0, 2);
    let border = "SELECT count(*) AS n FROM unlinking WHERE unlinked_before IS NOT NULL";
    assert_eq!(number(app, border), 0);
    assert_eq!(
        run(app, "b"),
        Ran::Finished {
            looked_at: 2,
            changed: 2
        }
    );
    assert_eq!(links(app), (0, 0, 0));
    assert_eq!(number(app, border), 1, "the audit knows from when on it may complain");
    // And does.
    let id = number(app, "SELECT min(id) AS n FROM readers");
    app.database.outside().run(&format!(
        "UPDATE loans SET reader_id = {id} WHERE id = (SELECT min(id) FROM loans)"
    ));
    let findings = app.block_on(tongjie::usecase::check::check(
        &app.app.store,
        &tongjie::usecase::progress::Silent,
    ));
    let findings = findings.expect("read");
    assert!(
        findings
            .iter()
            .any(|finding| finding.invariant == 9 && finding.violations == 1)
    );
}

fn registration_is_no_visit_and_stays_known(app: &TestApp) {
    app.small_network();
    let reader = reader(app);
    give_back(app, &lend(app, &reader));
    days_later(app, 182);
    run(app, "a");
    let of_register = format!(
        "SELECT count(*) AS n FROM event_personal p JOIN events e ON e.seq = p.seq \
         WHERE p.reader_id = {} AND e.kind = 'reader_registered' AND e.visit_id IS NULL",
        reader.id
    );
    assert_eq!(number(app, &of_register), 1);
    // Nothing that still names the reader shares a visit with what does not.
    let shared = "SELECT count(*) AS n FROM event_personal p JOIN events e ON e.seq = p.seq \
        WHERE p.reader_id IS NOT NULL AND e.visit_id IS NOT NULL";
    assert_eq!(number(app, shared), 0);
}
