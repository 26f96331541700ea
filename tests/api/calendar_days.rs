//! Calendars: which entry of a day wins, exceptional openings, amnesties, and calendars that would never open.

use serde_json::{Value, json};

use crate::app::{ROOT, TestApp};
use crate::client::Answer;

on_both!(
    the_nearest_unit_that_says_anything_of_a_day_decides,
    an_opening_is_removed_and_what_was_due_then_moves,
    openings_that_are_none_are_refused,
    days_of_an_amnesty_do_not_count_as_overdue,
    no_calendar_is_left_without_an_open_day,
);

fn send(app: &TestApp, method: &str, path: &str, body: &Value) -> Answer {
    app.request(method, path).bearer(&app.root_token()).json(body).send()
}

fn open_on(app: &TestApp, unit: &str, first: &str, last: &str, opens: &str) -> Answer {
    let hours = json!([{"opens": opens, "closes": "16:00:00"}]);
    let body = json!({"openings": [{"first": first, "last": last, "hours": hours, "reason": "展览"}]});
    send(app, "POST", &format!("/api/v1/units/{unit}/openings"), &body)
}

fn closed_on(app: &TestApp, unit: &str, first: &str, last: &str) -> Answer {
    let body = json!({"closed_days": [{"first": first, "last": last, "reason": "闭馆"}]});
    send(app, "POST", &format!("/api/v1/units/{unit}/closed-days"), &body)
}

/// What decides about a day, whose word it is, and whether it is open.
fn told(app: &TestApp, unit: &str, day: &str) -> (String, String, bool) {
    let path = format!("/api/v1/units/{unit}/calendar?first={day}&last={day}");
    let day = app.get(&app.root_token(), &path).expect(200).body["items"][0].clone();
    let text = |name: &str| day[name].as_str().unwrap_or_default().to_owned();
    assert_eq!(day["open"] == true, !day["hours"].as_array().expect("hours").is_empty());
    (text("because"), text("because_of"), day["open"] == true)
}

fn the_nearest_unit_that_says_anything_of_a_day_decides(app: &TestApp) {
    app.small_network();
    app.unit("P1", "point", "B1", &json!({"always_open": true}));
    let hours = json!({"hours": vec![json!([{"opens": "09:00:00", "closes": "17:00:00"}]); 7]});
    send(app, "PUT", &format!("/api/v1/units/{ROOT}/hours"), &hours).expect(200);
    let day = "2026-06-19";
    let say = |word: &str, of: &str, open| (word.to_owned(), of.to_owned(), open);
    assert_eq!(told(app, "B1", day), say("weekly_hours", ROOT, true));
    closed_on(app, "C1", day, day).expect(200);
    assert_eq!(told(app, "B1", day), say("closed_days", "C1", false));
    open_on(app, "M1", day, day, "09:00:00").expect(200);
    assert_eq!(told(app, "B1", day), say("opening", "M1", true));
    assert_eq!(told(app, "B2", day), say("closed_days", "C1", false));
    closed_on(app, "B1", day, day).expect(200);
    assert_eq!(told(app, "B1", day), say("closed_days", "B1", false));
    // Of one unit, the opening.
    open_on(app, "B1", day, day, "13:00:00").expect(200);
    assert_eq!(told(app, "B1", day), say("opening", "B1", true));
    assert_eq!(
        told(app, "P1", day),
        say("opening", "B1", true),
        "a machine: its parent's"
    );
    let closing = json!({"unit_code": "P1", "first": day, "last": day, "reason": "故障"});
    send(app, "POST", "/api/v1/closings", &closing).expect(200);
    assert_eq!(told(app, "P1", day), say("emergency_closing", "P1", false));
    assert_eq!(told(app, "B1", day), say("opening", "B1", true));
    let closing = json!({"unit_code": "C1", "first": day, "last": day, "reason": "台风"});
    send(app, "POST", "/api/v1/closings", &closing).expect(200);
    assert_eq!(told(app, "B1", day), say("emergency_closing", "C1", false));
    for path in ["first=2026-06-19&last=2026-06-18", "first=2026-06-19&last=2028-06-18"] {
        app.get(&app.root_token(), &format!("/api/v1/units/B1/calendar?{path}"))
            .expect_fields(422, &["last"]);
    }
}

/// A book lent at B1; answers its barcode and where its due date is read.
fn lend(app: &TestApp) -> (String, String) {
    let (reader, card) = app.reader("adult", "B1");
    let (_, barcode) = app.item(app.bib("A", None), "B1", &json!({}));
    let token = app.staff_token("root", Some("B1"));
    let body = json!({"card_number": card, "item_barcode": barcode});
    app.post(&token, "/api/v1/check-outs", &body).expect(201);
    (barcode, format!("/api/v1/readers/{reader}/loans"))
}

fn due(app: &TestApp, path: &str) -> String {
    let loans = app.get(&app.root_token(), path).expect(200).body;
    loans["items"][0]["due_at"].as_str().expect("a moment")[..10].to_owned()
}

fn an_opening_is_removed_and_what_was_due_then_moves(app: &TestApp) {
    app.small_network();
    let day = "2026-04-03";
    closed_on(app, "C1", day, "2026-04-06").expect(200);
    let unit = open_on(app, "B1", day, "2026-04-04", "09:00:00").expect(200).body;
    assert_eq!(unit["openings"][0]["hours"][0]["closes"], "16:00:00");
    let (_, path) = lend(app);
    assert_eq!(due(app, &path), day);
    let ends = format!("/api/v1/units/B1/openings?first={day}&last=2026-04-04");
    let removed = send(app, "DELETE", &ends, &json!({})).expect(200).body;
    assert_eq!(
        (&removed["unit"]["openings"], &removed["moves"]["moved_loans"]),
        (&json!([]), &json!(1))
    );
    assert_eq!(due(app, &path), "2026-04-07");
    send(app, "DELETE", &ends, &json!({})).expect_problem(404, "not_found");
    app.assert_sound();
}

fn openings_that_are_none_are_refused(app: &TestApp) {
    app.small_network();
    app.unit("P1", "point", "B1", &json!({"always_open": true}));
    open_on(app, "B1", "2026-06-19", "2026-06-21", "09:00:00").expect(200);
    for (unit, first, last, opens) in [
        ("B1", "2026-06-19", "2026-06-18", "09:00:00"),
        ("B1", "2026-03-03", "2026-03-05", "09:00:00"),
        ("B1", "2026-06-21", "2026-06-22", "09:00:00"), // meets the other
        ("B1", "2026-07-01", "2027-07-02", "09:00:00"),
        ("B1", "2026-07-01", "2026-07-01", "17:00:00"), // closes before
        ("B1", "2026-07-01", "2026-07-01", "09:00:30"),
        ("P1", "2026-07-01", "2026-07-01", "09:00:00"),
    ] {
        open_on(app, unit, first, last, opens).expect_fields(422, &["openings"]);
    }
    closed_on(app, "P1", "2026-07-01", "2026-07-01").expect_fields(422, &["closed_days"]);
    let none = json!({"openings": [{"first": "2026-07-01", "last": "2026-07-01", "hours": [], "reason": "x"}]});
    send(app, "POST", "/api/v1/units/B1/openings", &none).expect_fields(400, &["openings[0].hours[0]"]);
    app.clock.set(app.clock.now() + chrono::TimeDelta::days(108)); // 20 June
    let begun = "/api/v1/units/B1/openings?first=2026-06-19&last=2026-06-21";
    send(app, "DELETE", begun, &json!({})).expect_fields(422, &["first"]);
}

fn days_of_an_amnesty_do_not_count_as_overdue(app: &TestApp) {
    app.small_network();
    let [(one, path), (other, _)] = [(); 2].map(|()| lend(app));
    assert_eq!(due(app, &path), "2026-04-03");
    let amnesty = |first: &str, last: &str| json!({"first": first, "last": last, "reason": "读书日"});
    let add = |unit: &str, body: &Value| send(app, "POST", &format!("/api/v1/units/{unit}/amnesties"), body);
    let made = add("C1", &amnesty("2026-04-05", "2026-04-08")).expect(200).body;
    add("M2", &amnesty("2026-04-01", "2026-04-30")).expect(200);
    add("C1", &amnesty("2026-04-05", "2026-04-08")).expect_fields(422, &["first"]);
    add("C1", &amnesty("2026-04-05", "2026-04-04")).expect_fields(422, &["last"]);
    let listed = app
        .get(&app.root_token(), "/api/v1/units/B1/amnesties")
        .expect(200)
        .body;
    assert_eq!(listed["items"], json!([made]), "its line's, not another district's");
    app.clock.set(app.clock.now() + chrono::TimeDelta::days(37)); // 10 April: seven days late
    let desk = app.staff_token("root", Some("B1"));
    let back = |barcode: &str| {
        let body = json!({"item_barcode": barcode});
        app.post(&desk, "/api/v1/check-ins", &body).expect(200).body["closed_loan"]["overdue_days"].clone()
    };
    assert_eq!(back(&one), 3, "the 4th, the 9th and the 10th");
    let path = "/api/v1/units/C1/amnesties?first=2026-04-05&last=2026-04-08";
    send(app, "DELETE", path, &json!({})).expect(200);
    send(app, "DELETE", path, &json!({})).expect_problem(404, "not_found");
    assert_eq!(back(&other), 7);
}

fn no_calendar_is_left_without_an_open_day(app: &TestApp) {
    app.small_network();
    let year = closed_on(app, "M1", "2026-03-04", "2027-03-04").expect_fields(422, &["closed_days"]);
    assert!(year.body.to_string().contains("M1"), "{year:?}");
    let never = vec![json!([]); 7];
    let hours = |unit: &str, days: &[Value]| {
        send(
            app,
            "PUT",
            &format!("/api/v1/units/{unit}/hours"),
            &json!({"hours": days}),
        )
    };
    hours("B1", &never).expect_fields(422, &["hours"]);
    let unit = json!({"code": "B9", "name": "x", "kind": "branch", "parent_code": "M1", "hours": never});
    send(app, "POST", "/api/v1/units", &unit).expect_fields(422, &["hours"]);
    // Open on Mondays only, and somebody above closes every Monday of the year.
    let mut mondays = never.clone();
    mondays[0] = json!([{"opens": "09:00:00", "closes": "17:00:00"}]);
    hours("B1", &mondays).expect(200);
    let first: chrono::NaiveDate = "2026-03-09".parse().expect("a Monday");
    let days: Vec<Value> = (0..52)
        .map(|week| (first + chrono::TimeDelta::weeks(week)).to_string())
        .map(|day| json!({"first": day, "last": day, "reason": "x"}))
        .collect();
    let path = "/api/v1/units/C1/closed-days";
    let refused = send(app, "POST", path, &json!({"closed_days": days})).expect_fields(422, &["closed_days"]);
    assert!(refused.body.to_string().contains("B1"), "{refused:?}");
    send(app, "POST", path, &json!({"closed_days": days[1..]})).expect(200);
    // One that came to be so all the same lends.
    app.database
        .outside()
        .run("DELETE FROM unit_hours WHERE unit_id <> (SELECT id FROM units WHERE code = 'B1')");
    app.database
        .outside()
        .run("UPDATE unit_closed_days SET first_day = '2026-03-04', last_day = '2028-12-31'");
    app.database
        .outside()
        .run("UPDATE network_state SET config_version = config_version + 1");
    let (_, path) = lend(app);
    assert_eq!(due(app, &path), "2026-04-03");
}
