//! Vehicles: their stops are their opening days, and tell readers where they are.

use serde_json::{Value, json};

use crate::app::TestApp;
use crate::client::Answer;

on_both!(
    a_vehicle_lends_until_a_day_with_a_stop,
    loans_follow_when_stops_change,
    a_hold_waits_until_the_vehicle_has_been_everywhere,
    where_vehicles_are_is_told_by_time_and_by_distance,
    a_timetable_that_cannot_be_is_refused_and_changes_nothing,
    a_vehicle_has_an_open_day_whoever_takes_it_away,
);

fn stop(place: &str, weekday: u8) -> Value {
    json!({"place": place, "weekday": weekday, "first": "2026-01-01", "opens": "09:30:00", "closes": "11:00:00"})
}

fn set(app: &TestApp, version: u32, stops: &[Value]) -> Answer {
    let token = app.root_token();
    let request = app.request("PUT", "/api/v1/units/CAR/stops").bearer(&token);
    let request = request.header("If-Match", &format!("\"{version}\""));
    request.json(&json!({"stops": stops})).send()
}

/// A vehicle of M1 and its desk.
fn vehicle(app: &TestApp) -> String {
    app.small_network();
    app.unit("CAR", "point", "M1", &json!({"mobile": true}));
    app.staff("librarian", "CAR")
}

fn lend(app: &TestApp, desk: &str) -> String {
    let (_, card) = app.reader("adult", "M1");
    let (_, barcode) = app.item(app.bib("三国演义", None), "CAR", &json!({}));
    let body = json!({"item_barcode": barcode, "card_number": card});
    let loan = app.post(desk, "/api/v1/check-outs", &body).expect(201).body["loan"]["due_at"].clone();
    loan.as_str().expect("a moment").to_owned()
}

fn a_vehicle_lends_until_a_day_with_a_stop(app: &TestApp) {
    let desk = vehicle(app);
    assert!(
        lend(app, &desk).starts_with("2026-04-03"),
        "a Friday, as M1 without stops"
    );
    set(app, 1, &[stop("南湖花园", 2)]).expect(200);
    assert!(lend(app, &desk).starts_with("2026-04-07"), "the Tuesday after");
    let mut left_out = stop("南湖花园", 2);
    left_out["cancelled"] = json!(["2026-04-07"]);
    set(app, 2, &[left_out]).expect(200);
    assert!(lend(app, &desk).starts_with("2026-04-14"));
    let days = json!({"closed_days": [{"first": "2026-04-14", "last": "2026-04-14", "reason": "馆庆"}]});
    app.post(&app.root_token(), "/api/v1/units/M1/closed-days", &days)
        .expect(200);
    assert!(lend(app, &desk).starts_with("2026-04-21"), "closed days above apply");
    app.assert_sound();
}

fn loans_follow_when_stops_change(app: &TestApp) {
    let desk = vehicle(app);
    set(app, 1, &[stop("南湖花园", 2)]).expect(200);
    lend(app, &desk);
    let changed = set(app, 2, &[stop("江滩", 4)]).expect(200).body;
    assert_eq!(
        (
            &changed["moved_loans"],
            &changed["loans"][0]["due_day"],
            &changed["version"]
        ),
        (&json!(1), &json!("2026-04-07"), &json!(3))
    );
    let due = app.database.outside().number("SELECT due_at AS n FROM loans");
    let due = chrono::DateTime::from_timestamp_millis(due).expect("a moment");
    assert!(due.to_rfc3339().starts_with("2026-04-09"), "{due}");
    set(app, 2, &[]).expect_problem(412, "precondition_failed");
    app.assert_sound();
}

fn a_hold_waits_until_the_vehicle_has_been_everywhere(app: &TestApp) {
    let desk = vehicle(app);
    let once = |day: &str| json!({"place": "乡村集市", "first": day, "opens": "09:00:00", "closes": "12:00:00"});
    // A festival in summer is not waited for.
    let stops = [
        stop("南湖花园", 2),
        stop("江滩", 4),
        once("2026-03-28"),
        once("2026-06-20"),
    ];
    set(app, 1, &stops).expect(200);
    let bib = app.bib("西游记", None);
    let (_, barcode) = app.item(bib, "CAR", &json!({}));
    let (_, card) = app.reader("adult", "M1");
    let (_, other) = app.reader("adult", "M1");
    let body = json!({"item_barcode": barcode, "card_number": other});
    app.post(&desk, "/api/v1/check-outs", &body).expect(201);
    let hold = json!({"bib_id": bib, "pickup_unit_code": "CAR", "card_number": card});
    app.post(&desk, "/api/v1/holds", &hold).expect(201);
    let back = app
        .post(&desk, "/api/v1/check-ins", &json!({"item_barcode": barcode}))
        .expect(200)
        .body;
    assert_eq!(
        (&back["next_step"]["kind"], &back["next_step"]["shelf_until"]),
        (&json!("hold_shelf"), &json!("2026-03-28"))
    );
    app.assert_sound();
}

fn where_vehicles_are_is_told_by_time_and_by_distance(app: &TestApp) {
    vehicle(app);
    app.unit("CAR2", "point", "M2", &json!({"mobile": true}));
    let at = |mut stop: Value, latitude: f64, longitude: f64| {
        (stop["latitude"], stop["longitude"]) = (latitude.into(), longitude.into());
        stop
    };
    let mut noon = at(stop("近处", 3), 30.60, 114.30);
    (noon["opens"], noon["closes"]) = (json!("11:30:00"), json!("12:30:00"));
    let early = at(stop("早上", 3), 30.60, 114.30);
    set(app, 1, &[noon, early, at(stop("远处", 4), 30.70, 114.30)]).expect(200);
    let times = |query: &str| -> Vec<Value> {
        let list = app
            .get(&app.root_token(), &format!("/api/v1/stop-times{query}"))
            .expect(200)
            .body;
        list["items"].as_array().expect("a list").clone()
    };
    let shown = |list: &[Value]| -> Vec<String> {
        let words = list.iter().map(|one| {
            format!(
                "{} {}",
                one["place"].as_str().unwrap_or(""),
                one["day"].as_str().unwrap_or("")
            )
        });
        words.collect()
    };
    // It is noon of a Wednesday: the morning is over, one stop is under way.
    let list = times("?to=2026-03-11&limit=3");
    assert_eq!(shown(&list), ["近处 2026-03-04", "远处 2026-03-05", "早上 2026-03-11"]);
    assert_eq!((&list[0]["now"], &list[1]["now"]), (&json!(true), &json!(false)));
    let list = times("?to=2026-03-06&latitude=30.71&longitude=114.3");
    assert_eq!(shown(&list), ["远处 2026-03-05", "近处 2026-03-04"]);
    let metres = list[0]["distance_m"].as_u64().expect("metres");
    assert!((1_100..1_125).contains(&metres), "{metres}");
    assert_eq!(times("?unit_code=M2"), Vec::<Value>::new());
    assert_eq!(times("?unit_code=M1&from=2026-03-12&to=2026-03-12").len(), 1);
    for (query, field) in [
        ("?latitude=30", "longitude"),
        ("?longitude=30", "latitude"),
        ("?latitude=91&longitude=0", "latitude"),
        ("?from=2026-03-12&to=2026-03-11", "to"),
        ("?from=2026-03-12&to=2027-03-11", "to"),
        ("?unit_code=x", "unit_code"),
    ] {
        app.get(&app.root_token(), &format!("/api/v1/stop-times{query}"))
            .expect_fields(422, &[field]);
    }
    let listed = app.get(&app.root_token(), "/api/v1/units/CAR/stops").expect(200);
    assert_eq!(
        (listed.header("etag"), listed.body["items"].as_array().map(Vec::len)),
        (Some("\"2\""), Some(3))
    );
}

fn a_vehicle_has_an_open_day_whoever_takes_it_away(app: &TestApp) {
    vehicle(app);
    let root = app.root_token();
    let close = |first: &str, last: &str| {
        let days = json!({"closed_days": [{"first": first, "last": last, "reason": "停运"}]});
        app.post(&root, "/api/v1/units/M1/closed-days", &days)
    };
    // It comes twice, in spring: what closes its parent then closes it for good.
    let once = |day: &str| json!({"place": "集市", "first": day, "opens": "09:00:00", "closes": "12:00:00"});
    set(app, 1, &[once("2026-04-11"), once("2026-04-18")]).expect(200);
    close("2026-04-18", "2026-04-18").expect(200);
    close("2026-04-10", "2026-04-12").expect_fields(422, &["closed_days"]);
    // The same the other way round.
    set(app, 2, &[once("2026-04-18")]).expect_fields(422, &["stops"]);
    let listed = app.get(&root, "/api/v1/units/CAR/stops").expect(200);
    assert_eq!(listed.header("etag"), Some("\"2\""));
    app.assert_sound();
}

fn a_timetable_that_cannot_be_is_refused_and_changes_nothing(app: &TestApp) {
    vehicle(app);
    let mut backwards = stop("A", 2);
    backwards["closes"] = "09:00:00".into();
    let mut over = stop("A", 2);
    over["last"] = "2026-03-01".into();
    let mut idle = stop("A", 2);
    idle["cancelled"] = json!(["2026-03-11"]);
    for stops in [
        vec![backwards],
        vec![over],
        vec![idle],
        vec![stop("A", 2), stop("B", 2)],
    ] {
        set(app, 1, &stops).expect_fields(422, &["stops"]);
    }
    set(app, 1, &[stop("A", 8)]).expect_fields(422, &["stops[0].weekday"]);
    let listed = app.get(&app.root_token(), "/api/v1/units/CAR/stops").expect(200);
    assert_eq!(
        (&listed.body["items"], listed.header("etag")),
        (&json!([]), Some("\"1\""))
    );
    let token = app.root_token();
    let elsewhere = app
        .request("PUT", "/api/v1/units/B1/stops")
        .bearer(&token)
        .header("If-Match", "\"1\"");
    elsewhere
        .json(&json!({"stops": []}))
        .send()
        .expect_problem(409, "wrong_state");
    let wrong = json!({"code": "X", "name": "X", "kind": "branch", "parent_code": "M1", "mobile": true});
    app.post(&token, "/api/v1/units", &wrong)
        .expect_fields(422, &["mobile"]);
    let both = json!({"mobile": true, "always_open": true});
    let change = app.request("PATCH", "/api/v1/units/CAR").bearer(&token).json(&both);
    change.send().expect_fields(422, &["mobile"]);
}
