//! Calendars: who may change them is asked first, and a loan made at the same moment is due on an open day.

use serde_json::{Value, json};

use crate::app::{TestApp, run_with};
use crate::database::Engine;

on_both!(
    a_calendar_file_is_read_for_those_only_who_may_close_the_unit,
    many_due_dates_move_each_by_its_own_calendar,
);

fn a_calendar_file_is_read_for_those_only_who_may_close_the_unit(app: &TestApp) {
    app.small_network();
    let import = |token: &str, unit: &str, text: &str| {
        app.post(
            token,
            &format!("/api/v1/units/{unit}/calendar-imports"),
            &json!({"text": text}),
        )
    };
    let (manager, librarian) = (app.staff("unit_manager", "M1"), app.staff("librarian", "M1"));
    let good = "first,last,reason\n2030-10-01,2030-10-07,国庆节\n";
    for text in [good, "nonsense", "first\nsoon\n", ""] {
        import(&librarian, "M1", text).expect_problem(403, "forbidden");
        import(&manager, "M2", text).expect_problem(403, "forbidden");
    }
    import(&manager, "M1", "first\nsoon\n").expect_fields(422, &["text"]);
    import(&manager, "nowhere", "first\nsoon\n").expect_problem(404, "not_found");
    import(&manager, "M1", good).expect(200);
}

fn due_day(app: &TestApp, reader: i64) -> String {
    let loans = app
        .get(&app.root_token(), &format!("/api/v1/readers/{reader}/loans"))
        .expect(200)
        .body;
    loans["items"][0]["due_at"].as_str().expect("a moment")[..10].to_owned()
}

fn lend(app: &TestApp, unit: &str) -> (i64, Value) {
    let (reader, card) = app.reader("adult", unit);
    let (_, barcode) = app.item(app.bib("三国演义", None), unit, &json!({}));
    (reader, json!({"item_barcode": barcode, "card_number": card}))
}

fn many_due_dates_move_each_by_its_own_calendar(app: &TestApp) {
    app.small_network();
    let lent: Vec<(i64, String)> = ["B1", "B1", "M1", "B2"]
        .into_iter()
        .map(|unit| {
            let (reader, body) = lend(app, unit);
            app.post(&app.staff("librarian", unit), "/api/v1/check-outs", &body)
                .expect(201);
            (reader, due_day(app, reader))
        })
        .collect();
    let day = lent[0].1.clone();
    let next: chrono::NaiveDate = day.parse().expect("a day");
    let next = next.succ_opt().expect("another").to_string();
    let close = |unit: &str, day: &str| {
        let body = json!({"closed_days": [{"first": day, "last": day, "reason": "检修"}]});
        app.post(&app.root_token(), &format!("/api/v1/units/{unit}/closed-days"), &body)
            .expect(200)
            .body
    };
    assert_eq!(close("B1", &next)["affected_loans"], 0);
    assert_eq!(close("C1", &day)["affected_loans"], 4);
    let after: Vec<String> = lent.iter().map(|(reader, _)| due_day(app, *reader)).collect();
    assert_eq!(after[0], after[1]);
    assert!(after[0] > after[2], "B1 is closed a day longer: {after:?}");
    assert!(after[2] > day && after[3] > day, "{after:?}");
}

/// A check-out that has read the calendar waits for its reader; a change of calendars that comes now must wait for it.
#[test]
fn a_loan_made_while_days_are_closed_is_not_due_on_them() {
    let patient = |config: &mut tongjie::config::Config| config.database.lock_timeout_ms = 60_000;
    run_with(Engine::Postgres, patient, |app| {
        app.small_network();
        let (reader, body) = lend(app, "B1");
        let (earlier, other) = lend(app, "B1");
        let desk = app.staff("librarian", "B1");
        app.post(&desk, "/api/v1/check-outs", &other).expect(201);
        let day = due_day(app, earlier);
        let root = app.root_token();
        let closing = json!({"closed_days": [{"first": day, "last": day, "reason": "停电"}]});
        let (mut outside, mut watching) = (app.database.outside(), app.database.outside());
        outside.run("BEGIN");
        outside.run(&format!("SELECT id FROM readers WHERE id = {reader} FOR UPDATE"));
        std::thread::scope(|scope| {
            let lending = scope.spawn(|| {
                app.request("POST", "/api/v1/check-outs")
                    .bearer(&desk)
                    .json(&body)
                    .send()
            });
            watching.until_waiting(1);
            let closed = scope.spawn(|| {
                let path = "/api/v1/units/B1/closed-days";
                app.request("POST", path).bearer(&root).json(&closing).send()
            });
            watching.until_waiting(2);
            outside.run("COMMIT");
            lending.join().expect("no panic").expect(201);
            let closed = closed.join().expect("no panic").expect(200).body;
            assert_eq!(closed["affected_loans"], 2, "the one under way counts");
        });
        assert!(due_day(app, reader) > day, "{}", due_day(app, reader));
    });
}
