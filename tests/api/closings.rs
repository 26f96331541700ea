//! Emergency closings: what moves, what does not, what goes back, and who came in between.

use std::sync::Arc;
use std::time::Duration;

use chrono::TimeDelta;
use serde_json::{Value, json};
use tongjie::domain::calendar::end_of_day;
use tongjie::domain::schedule::CALENDAR_WALKS;
use tongjie::usecase::UseCaseError;
use tongjie::usecase::calendar_walk::{CalendarWalks, carry_on};
use tongjie::usecase::run_job::run_job;

use crate::app::{ROOT, TestApp};
use crate::client::Answer;
use crate::database::Engine;

on_both!(
    a_closing_moves_due_dates_and_shelves_below_it_and_is_undone,
    a_closing_extended_day_by_day_moves_what_it_moved_before,
    no_due_date_passes_the_cards_end,
    what_was_changed_since_is_not_put_back,
    a_closing_undone_after_its_first_days_makes_nobody_late,
    days_that_cannot_be_closed_are_refused_by_name,
    a_dry_run_waits_for_no_write,
    a_walk_goes_on_where_it_stood_whoever_takes_it_up,
    check_outs_while_units_are_closed_never_end_on_a_closed_day,
    a_check_out_is_right_whether_a_closing_waits_for_it_or_it_for_the_closing,
    what_another_program_was_writing_meanwhile_is_looked_at_again,
);

/// A book lent at a unit, due in 30 days, on 3 April 2026 (a Friday).
struct Lent {
    reader: i64,
    card: String,
    barcode: String,
    loan: i64,
}

const DUE: &str = "2026-04-03";

fn lent(app: &TestApp, unit: &str) -> Lent {
    let (reader, card) = app.reader("adult", unit);
    let (_, barcode) = app.item(app.bib("A", None), unit, &json!({}));
    let token = app.staff_token("root", Some(unit));
    let body = json!({"card_number": card, "item_barcode": barcode});
    let loan = app.post(&token, "/api/v1/check-outs", &body).expect(201).body["loan"]["id"].clone();
    let lent = Lent {
        reader,
        card,
        barcode,
        loan: loan.as_i64().expect("an id"),
    };
    assert_eq!(due(app, &lent), DUE);
    lent
}

fn due(app: &TestApp, lent: &Lent) -> String {
    let loans = app.get(&app.root_token(), &format!("/api/v1/readers/{}/loans", lent.reader));
    loans.expect(200).body["items"][0]["due_at"].as_str().expect("a moment")[..10].to_owned()
}

fn close(app: &TestApp, unit: &str, first: &str, last: &str, dry_run: bool) -> Answer {
    let body = json!({"unit_code": unit, "first": first, "last": last, "reason": "台风", "dry_run": dry_run});
    app.post(&app.root_token(), "/api/v1/closings", &body)
}

fn undo(app: &TestApp, closed: &Value) -> Answer {
    let path = format!("/api/v1/closings/{}/undo", closed["closing"]["id"]);
    app.post(&app.root_token(), &path, &json!({}))
}

fn days_later(app: &TestApp, days: i64) {
    app.clock.set(app.clock.now() + TimeDelta::days(days));
}

fn job(app: &TestApp) {
    let pass = Arc::new(CalendarWalks);
    let run = run_job(&app.app.store, "b", CALENDAR_WALKS, &pass, || false);
    app.block_on(run).expect("the job runs");
}

/// A copy on the hold shelf of B1; answers how its last day there is read.
fn shelved(app: &TestApp) -> impl Fn() -> String {
    let desk = app.staff_token("root", Some("B1"));
    let bib = app.bib("红楼梦", None);
    let (_, first) = app.reader("adult", "B1");
    let (waiting, card) = app.reader("adult", "B1");
    let (_, barcode) = app.item(bib, "B1", &json!({}));
    let body = json!({"card_number": first, "item_barcode": barcode});
    app.post(&desk, "/api/v1/check-outs", &body).expect(201);
    let body = json!({"bib_id": bib, "pickup_unit_code": "B1", "card_number": card});
    app.post(&desk, "/api/v1/holds", &body).expect(201);
    app.post(&desk, "/api/v1/check-ins", &json!({"item_barcode": barcode}))
        .expect(200);
    let path = format!("/api/v1/readers/{waiting}/holds");
    move || {
        let holds = app.get(&app.root_token(), &path).expect(200).body;
        holds["items"][0]["shelf_until"].as_str().expect("a day").to_owned()
    }
}

fn a_closing_moves_due_dates_and_shelves_below_it_and_is_undone(app: &TestApp) {
    app.small_network();
    let (here, elsewhere, by_hand) = (lent(app, "B1"), lent(app, "B2"), lent(app, "B1"));
    app.database.outside().run(&format!(
        "UPDATE loans SET due_by_hand = TRUE WHERE id = {}",
        by_hand.loan
    ));
    let until = shelved(app);
    let before = until();
    let told = close(app, "M1", "2026-03-05", DUE, true).expect(200).body;
    assert_eq!(
        (&told["affected_loans"], &told["affected_holds"], &told["closing"]),
        (&json!(1), &json!(1), &Value::Null)
    );
    assert_eq!(
        told["loans"],
        json!([{"loan_id": here.loan, "unit_code": "B1", "due_day": DUE}])
    );
    assert_eq!(
        (due(app, &here), until()),
        (DUE.to_owned(), before.clone()),
        "only told"
    );

    let closed = close(app, "M1", "2026-03-05", DUE, false).expect(200).body;
    assert_eq!(
        (&closed["affected_loans"], &closed["loans"]),
        (&told["affected_loans"], &told["loans"])
    );
    assert_eq!(closed["closing"]["moves"]["status"], "done");
    assert_eq!(due(app, &here), "2026-04-04");
    assert_eq!([due(app, &elsewhere), due(app, &by_hand)], [DUE, DUE]);
    // Every open day it had is lost, and comes again after the closing: the example's shelf waits seven.
    let lost: chrono::NaiveDate = before.parse().expect("a day");
    let lost = lost - "2026-03-04".parse::<chrono::NaiveDate>().expect("a day");
    let reopened: chrono::NaiveDate = DUE.parse().expect("a day");
    assert_eq!(until(), (reopened + lost).to_string());
    app.assert_sound();

    let listed = app.get(&app.staff("unit_manager", "M1"), "/api/v1/closings?unit_code=B1");
    assert_eq!(listed.expect(200).body["items"], json!([closed["closing"]]));
    let other = app
        .get(&app.staff("unit_manager", "M2"), "/api/v1/closings")
        .expect(200);
    assert_eq!(other.body["items"], json!([]));
    let back = undo(app, &closed).expect(200).body;
    assert_eq!(
        (&back["moves"]["status"], &back["put_back"]),
        (&json!("undone"), &json!(2))
    );
    assert_eq!((due(app, &here), until()), (DUE.to_owned(), before));
    undo(app, &closed).expect_fields(422, &["id"]);
    app.assert_sound();
}

fn a_closing_extended_day_by_day_moves_what_it_moved_before(app: &TestApp) {
    app.small_network();
    let lent = lent(app, "B1");
    let until = shelved(app);
    let before: chrono::NaiveDate = until().parse().expect("a day");
    let first = close(app, "M1", "2026-04-01", DUE, false).expect(200).body;
    assert_eq!(due(app, &lent), "2026-04-04");
    let second = close(app, "B1", "2026-04-04", "2026-04-04", false).expect(200).body;
    let third = close(app, "B1", "2026-04-04", "2026-04-05", false).expect(200).body;
    assert_eq!(due(app, &lent), "2026-04-06");
    assert_eq!(until(), before.to_string(), "nothing was closed before its day");
    let days = [("2026-03-06", "2026-03-06"), ("2026-03-06", "2026-03-07")];
    for (day, last) in days {
        close(app, "B1", day, last, false).expect(200);
    }
    assert_eq!(
        until(),
        (before + TimeDelta::days(2)).to_string(),
        "two days, each of them once"
    );
    app.assert_sound();
    // The last declared goes first.
    for (closing, day) in [(&third, "2026-04-05"), (&second, "2026-04-04"), (&first, DUE)] {
        undo(app, closing).expect(200);
        assert_eq!(due(app, &lent), day);
        app.assert_sound();
    }
}

fn no_due_date_passes_the_cards_end(app: &TestApp) {
    app.small_network();
    let (capped, free) = (lent(app, "B1"), lent(app, "B1"));
    app.database.outside().run(&format!(
        "UPDATE cards SET expires_on = '2026-04-04' WHERE number = '{}'",
        capped.card
    ));
    close(app, ROOT, "2026-04-02", "2026-04-06", false).expect(200);
    assert_eq!(due(app, &capped), "2026-04-01", "the last open day before it");
    assert_eq!(due(app, &free), "2026-04-07");
    app.assert_sound();
    // Closed until its very end: then its end.
    close(app, ROOT, "2026-03-04", "2026-04-06", false).expect(200);
    assert_eq!(due(app, &capped), "2026-04-04");
    app.assert_sound();
}

fn what_was_changed_since_is_not_put_back(app: &TestApp) {
    app.small_network();
    let [renewed, returned, moved, left] = [(); 4].map(|()| lent(app, "B1"));
    let desk = app.staff_token("root", Some("B1"));
    let closed = close(app, "B1", DUE, DUE, false).expect(200).body;
    assert_eq!(closed["affected_loans"], 4);
    let renewal = app.post(&desk, &format!("/api/v1/loans/{}/renewals", renewed.loan), &json!({}));
    renewal.expect(200);
    let later = due(app, &renewed);
    app.post(&desk, "/api/v1/check-ins", &json!({"item_barcode": returned.barcode}))
        .expect(200);
    let by_hand = "2026-05-09T15:59:59Z";
    let by_hand_ms = by_hand
        .parse::<chrono::DateTime<chrono::Utc>>()
        .expect("a moment")
        .timestamp_millis();
    app.database.outside().run(&format!(
        "UPDATE loans SET due_by_hand = TRUE, due_at = {by_hand_ms} WHERE id = {}",
        moved.loan
    ));
    let back = undo(app, &closed).expect(200).body;
    assert_eq!(back["put_back"], 1, "{back}");
    assert_eq!(
        [due(app, &renewed), due(app, &moved), due(app, &left)],
        [later.as_str(), "2026-05-09", DUE]
    );
}

fn a_closing_undone_after_its_first_days_makes_nobody_late(app: &TestApp) {
    app.small_network();
    let early = lent(app, "B1");
    days_later(app, 3);
    let (reader, card) = app.reader("adult", "B1");
    let (_, barcode) = app.item(app.bib("B", None), "B1", &json!({}));
    let token = app.staff_token("root", Some("B1"));
    let body = json!({"card_number": card, "item_barcode": barcode});
    let made = app.post(&token, "/api/v1/check-outs", &body).expect(201);
    let loan = made.body["loan"]["id"].as_i64().expect("an id");
    let late = Lent {
        reader,
        card,
        barcode,
        loan,
    };
    assert_eq!(due(app, &late), "2026-04-06");
    let closed = close(app, "B1", "2026-04-01", "2026-04-20", false).expect(200).body;
    days_later(app, 29); // 5 April
    assert_eq!([due(app, &early), due(app, &late)], ["2026-04-21", "2026-04-21"]);
    undo(app, &closed).expect(200);
    assert_eq!([due(app, &early), due(app, &late)], ["2026-04-06", "2026-04-06"]);
    let path = "/api/v1/units/B1/calendar?first=2026-04-04&last=2026-04-05";
    let days = app.get(&app.root_token(), path).expect(200).body;
    let told: Vec<(&Value, &Value)> = days["items"]
        .as_array()
        .expect("days")
        .iter()
        .map(|day| (&day["open"], &day["because"]))
        .collect();
    assert_eq!(
        told,
        [
            (&json!(false), &json!("emergency_closing")),
            (&json!(true), &json!("no_hours"))
        ],
        "what was closed was closed"
    );
    days_later(app, 30);
    undo(app, &closed).expect_fields(422, &["id"]);
    app.assert_sound();
}

fn days_that_cannot_be_closed_are_refused_by_name(app: &TestApp) {
    app.small_network();
    for (unit, first, last, fields) in [
        ("M1", "2026-03-03", "2026-03-05", &["first"][..]),
        ("M1", "2026-03-06", "2026-03-05", &["last"]),
        ("M1", "2026-03-06", "2027-05-01", &["last"]),
        ("M1", "2026-03-04", "2027-03-05", &["last"]), // no open day in a year
        ("M9", "2026-03-03", "2026-03-05", &["unit_code", "first"]),
    ] {
        for dry_run in [true, false] {
            close(app, unit, first, last, dry_run).expect_fields(422, fields);
        }
    }
    let manager = app.staff("unit_manager", "M1");
    let body = json!({"unit_code": "M2", "first": DUE, "last": DUE, "reason": "x", "dry_run": true});
    app.post(&manager, "/api/v1/closings", &body)
        .expect_problem(403, "forbidden");
    app.post(&app.root_token(), "/api/v1/closings/1/undo", &json!({}))
        .expect_problem(404, "not_found");
    let listed = app.get(&app.root_token(), "/api/v1/closings").expect(200).body;
    assert_eq!(listed["items"], json!([]), "nothing was half done");
}

fn a_dry_run_waits_for_no_write(app: &TestApp) {
    app.small_network();
    lent(app, "B1");
    let token = app.root_token();
    let (go, wait) = std::sync::mpsc::channel::<()>();
    let (said, begun) = std::sync::mpsc::channel::<()>();
    let (go_wait, store) = (std::sync::Mutex::new(wait), Arc::clone(&app.app.store));
    std::thread::scope(|scope| {
        let busy = scope.spawn(move || {
            let write = store.write(move |_| -> Result<(), UseCaseError> {
                said.send(()).expect("somebody waits");
                go_wait.lock().expect("alone").recv().expect("told to go on");
                Ok(())
            });
            let runtime = tokio::runtime::Builder::new_current_thread()
                .build()
                .expect("a runtime");
            runtime.block_on(write).expect("written");
        });
        begun.recv().expect("the writer is busy");
        let closing = json!({"unit_code": "B1", "first": DUE, "last": DUE, "reason": "x", "dry_run": true});
        let told = app.post(&token, "/api/v1/closings", &closing).expect(200).body;
        assert_eq!(told["affected_loans"], 1);
        let days = json!({"closed_days": [{"first": DUE, "last": DUE, "reason": "x"}], "dry_run": true});
        let told = app.post(&token, "/api/v1/units/B1/closed-days", &days).expect(200).body;
        assert_eq!(told["affected_loans"], 1);
        let file = json!({"text": format!("first\n{DUE}\n"), "dry_run": true});
        let told = app
            .post(&token, "/api/v1/units/B1/calendar-imports", &file)
            .expect(200)
            .body;
        assert_eq!(told["affected_loans"], 1);
        let span = json!([{"opens": "09:00:00", "closes": "17:00:00"}]);
        let hours = json!({"hours": [span, span, span, span, [], span, span], "dry_run": true});
        let told = app
            .request("PUT", "/api/v1/units/B1/hours")
            .bearer(&token)
            .json(&hours)
            .send();
        let told = told.expect(200).body;
        assert_eq!(
            (&told["moved_loans"], &told["unit"]["hours"]),
            (&json!(1), &Value::Null)
        );
        go.send(()).expect("it waits");
        busy.join().expect("ended");
    });
}

/// A closing as the store notes it, whose walk has not begun.
fn declared(app: &TestApp, days: (&str, &str)) -> i64 {
    let days = (days.0.parse().expect("a day"), days.1.parse().expect("a day"));
    let store = &app.app.store;
    let work = async {
        let mut ids = store.take_ids::<UseCaseError>(1).await?;
        let id = ids.next();
        let write = move |tx: &mut tongjie::store::tx::WriteTx<'_>| -> Result<(), UseCaseError> {
            let network = tx.network()?;
            let unit = network.units().by_code("C1").expect("there").id;
            Ok(tx.insert_closing(id, unit, days, "台风")?)
        };
        store.write(write).await?;
        Ok::<_, UseCaseError>(id)
    };
    app.block_on(work).expect("declared")
}

fn a_walk_goes_on_where_it_stood_whoever_takes_it_up(app: &TestApp) {
    app.small_network();
    let loans: Vec<Lent> = (0..5).map(|_| lent(app, "B1")).collect();
    let closing = declared(app, (DUE, DUE));
    let step = || {
        app.block_on(carry_on(&app.app.store, closing, Duration::ZERO))
            .expect("a step")
    };
    // It begins, looks at the shelves, and is left alone.
    assert_eq!([step(), step()], [0, 0]);
    let status = || {
        let listed = app.get(&app.root_token(), "/api/v1/closings").expect(200).body;
        listed["items"][0]["moves"].clone()
    };
    assert_eq!(
        (&status()["status"], &status()["moved_loans"]),
        (&json!("moving"), &json!(0))
    );
    assert_eq!(due(app, &loans[0]), DUE);
    app.assert_sound();
    job(app);
    assert_eq!(
        (&status()["status"], &status()["moved_loans"]),
        (&json!("done"), &json!(5))
    );
    assert!(loans.iter().all(|lent| due(app, lent) == "2026-04-04"));
    assert_eq!(step(), 0, "it is done");
    app.assert_sound();
}

fn check_outs_while_units_are_closed_never_end_on_a_closed_day(app: &TestApp) {
    const THREADS: usize = 4;
    const LOANS: usize = 12;
    app.small_network();
    let token = app.staff_token("root", Some("B1"));
    let due: chrono::NaiveDate = DUE.parse().expect("a day");
    let bodies: Vec<Vec<Value>> = (0..THREADS)
        .map(|_| {
            let body = |_| {
                let (_, card) = app.reader("adult", "B1");
                let (_, barcode) = app.item(app.bib("A", None), "B1", &json!({}));
                json!({"card_number": card, "item_barcode": barcode})
            };
            (0..LOANS).map(body).collect()
        })
        .collect();
    std::thread::scope(|scope| {
        for bodies in &bodies {
            let token = &token;
            scope.spawn(move || {
                for body in bodies {
                    app.post(token, "/api/v1/check-outs", body).expect(201);
                }
            });
        }
        scope.spawn(|| {
            for day in 0..6 {
                let day = (due + TimeDelta::days(day)).to_string();
                close(app, if day.ends_with('4') { ROOT } else { "M1" }, &day, &day, false).expect(200);
            }
        });
    });
    job(app);
    let listed = app.get(&app.root_token(), "/api/v1/closings").expect(200).body;
    let done = listed["items"]
        .as_array()
        .expect("items")
        .iter()
        .all(|one| one["moves"]["status"] == "done");
    assert!(done, "{listed}");
    let open = end_of_day(chrono_tz::Asia::Shanghai, due + TimeDelta::days(6)).timestamp_millis();
    let sql = format!("SELECT count(*) AS n FROM loans WHERE closed_at IS NULL AND due_at = {open}");
    assert_eq!(app.database.outside().number(&sql), (THREADS * LOANS) as i64);
    app.assert_sound();
}

/// A check-out that has read the calendar and is not done yet, then a closing, then check-outs that wait for it. On PostgreSQL the
/// closing waits for the first, and holds up the others for its own short write; on SQLite writers follow one another.
fn a_check_out_is_right_whether_a_closing_waits_for_it_or_it_for_the_closing(app: &TestApp) {
    const LAST: &str = "2026-04-10";
    app.small_network();
    let (before, token) = (lent(app, "B1"), app.staff_token("root", Some("B1")));
    let during: Vec<(i64, Value)> = (0..2)
        .map(|_| {
            let (reader, card) = app.reader("adult", "B1");
            let (_, barcode) = app.item(app.bib("A", None), "B1", &json!({}));
            (reader, json!({"card_number": card, "item_barcode": barcode}))
        })
        .collect();
    let late = end_of_day(chrono_tz::Asia::Shanghai, LAST.parse().expect("a day"));
    let (go, wait) = std::sync::mpsc::channel::<()>();
    let (said, begun) = std::sync::mpsc::channel::<()>();
    let (wait, store, loan) = (std::sync::Mutex::new(wait), Arc::clone(&app.app.store), before.loan);
    let waits = |sessions| {
        if app.database.engine == Engine::Postgres {
            app.database.outside().until_waiting(sessions);
        }
    };
    let (bodies, token) = (&during, &token);
    std::thread::scope(move |scope| {
        let slow = scope.spawn(move || {
            let write = store.write(move |tx| -> Result<(), UseCaseError> {
                let network = tx.network()?;
                let unit = network.units().by_code("B1").expect("there").id;
                let day = LAST.parse().expect("a day");
                assert!(network.calendar(unit).is_open(day), "it knows nothing of the closing");
                said.send(()).expect("somebody waits");
                wait.lock().expect("alone").recv().expect("told to go on");
                let id = tongjie::domain::ids::LoanId::new(loan);
                Ok(tx.renew_loan(id, late, false)?)
            });
            let runtime = tokio::runtime::Builder::new_current_thread()
                .build()
                .expect("a runtime");
            runtime.block_on(write).expect("written");
        });
        begun.recv().expect("it has read the calendar");
        let closing = scope.spawn(move || close(app, "B1", DUE, LAST, false).expect(200));
        waits(1);
        let outs: Vec<_> = bodies
            .iter()
            .map(|(_, body)| scope.spawn(move || app.post(token, "/api/v1/check-outs", body).expect(201)))
            .collect();
        waits(2);
        go.send(()).expect("it waits");
        slow.join().expect("ended");
        closing.join().expect("closed");
        for out in outs {
            out.join().expect("lent");
        }
    });
    job(app);
    let listed = app.get(&app.root_token(), "/api/v1/closings").expect(200).body;
    assert_eq!(listed["items"][0]["moves"]["status"], "done", "{listed}");
    assert_eq!(due(app, &before), "2026-04-11");
    for (reader, _) in during {
        let loans = app.get(&app.root_token(), &format!("/api/v1/readers/{reader}/loans"));
        let due = loans.expect(200).body["items"][0]["due_at"].as_str().expect("a moment")[..10].to_owned();
        assert_eq!(due, "2026-04-11");
    }
    app.assert_sound();
}

/// PostgreSQL: what does not hold the lock of all writes (another program, by hand) may commit after the walk has passed.
fn what_another_program_was_writing_meanwhile_is_looked_at_again(app: &TestApp) {
    if app.database.engine != Engine::Postgres {
        return;
    }
    app.small_network();
    let lent = lent(app, "B1");
    let late = end_of_day(chrono_tz::Asia::Shanghai, "2026-04-10".parse().expect("a day")).timestamp_millis();
    let mut other = app.database.outside();
    other.run("BEGIN");
    other.run(&format!("UPDATE loans SET due_at = {late} WHERE id = {}", lent.loan));
    let closed = close(app, "B1", "2026-04-10", "2026-04-10", false).expect(200).body;
    assert_eq!(closed["closing"]["moves"]["status"], "settling", "{closed}");
    other.run("COMMIT");
    assert_eq!(due(app, &lent), "2026-04-10");
    job(app);
    assert_eq!(due(app, &lent), "2026-04-11");
    let listed = app.get(&app.root_token(), "/api/v1/closings").expect(200).body;
    assert_eq!(listed["items"][0]["moves"]["status"], "done");
    app.assert_sound();
}
