//! Rounds and couriers: the day, loading, handing over against a signature; what is on the way; what never arrives; what
//! districts settle by.

use std::collections::BTreeMap;

use chrono::{DateTime, TimeDelta, Utc};
use serde_json::{Value, json};
use tongjie::usecase::give_up_transits::give_up_transits;

use crate::app::{PASSWORD, TestApp};
use crate::client::Answer;
use crate::distribution::{item_status, look, network, open, pack, returned, scan, sent, sound, step};

on_both!(
    a_courier_loads_hands_over_and_has_it_signed_for,
    a_crate_left_at_the_wrong_stop_goes_on_from_there,
    a_crate_that_changes_rounds_is_not_unpacked_there_unasked,
    what_a_courier_scanned_without_a_network_is_taken_as_it_happened,
    a_list_sent_again_is_answered_whoever_drives_or_signs_by_then,
    a_route_is_set_as_a_whole_and_every_wrong_field_is_named,
    a_route_is_replaced_only_by_who_saw_it,
    a_closed_unit_is_skipped_and_what_is_on_the_way_is_expected_a_day_later,
    a_journey_that_does_not_arrive_is_missing_and_its_hold_is_served_again,
    districts_settle_by_what_the_events_say,
);

/// A member of staff with one role; answers number and token.
fn member(app: &TestApp, role: &str, unit: &str) -> (i64, String) {
    let username = format!("{role}.{}", app.next());
    let body = json!({"username": username, "name": "王老师", "password": PASSWORD,
        "roles": [{"role": role, "unit_code": unit}]});
    let made = app.post(&app.root_token(), "/api/v1/staff", &body).expect(201);
    (made.id(), app.staff_token(&username, Some(unit)))
}

fn put_route(app: &TestApp, token: &str, code: &str, body: &Value) -> Answer {
    let path = format!("/api/v1/routes/{code}");
    app.request("PUT", &path).bearer(token).json(body).send()
}

/// Replaces the version of a route that was seen.
fn replace_route(app: &TestApp, token: &str, (code, seen): (&str, i64), body: &Value) -> Answer {
    let request = app.request("PUT", &format!("/api/v1/routes/{code}")).bearer(token);
    request.header("If-Match", &format!("\"{seen}\"")).json(body).send()
}

/// Every day C1 8:00, M1 9:00, M2 10:00, C1 11:00; driven by somebody of B1.
fn route(app: &TestApp) -> (i64, String) {
    let (courier, token) = member(app, "courier", "B1");
    let stop = |unit: &str, time: &str| json!({"unit_code": unit, "time": time});
    let body = json!({"name": "环线", "unit_code": "C1", "weekdays": [1, 2, 3, 4, 5, 6, 7], "vehicle": "鄂A·12345",
        "courier_staff_id": courier, "stops": [stop("C1", "08:00:00"), stop("M1", "09:00:00"),
        stop("M2", "10:00:00"), stop("C1", "11:00:00")]});
    put_route(app, &app.root_token(), "R1", &body).expect(200);
    (courier, token)
}

fn at(text: &str) -> DateTime<Utc> {
    text.parse().expect("a moment")
}

fn day(app: &TestApp, token: &str) -> Value {
    app.get(token, "/api/v1/courier/day?day=2026-03-05").expect(200).body
}

/// Unit, labels to load, labels to hand over, of every stop.
fn plan(day: &Value) -> Vec<(String, Vec<String>, Vec<String>)> {
    let labels = |crates: &Value| {
        let crates = crates.as_array().expect("crates");
        crates
            .iter()
            .map(|one| one["label"].as_str().expect("a label").to_owned())
            .collect()
    };
    let stops = day["stops"].as_array().expect("stops");
    stops
        .iter()
        .map(|stop| {
            let unit = stop["unit_code"].as_str().expect("a code").to_owned();
            (unit, labels(&stop["load"]), labels(&stop["hand_over"]))
        })
        .collect()
}

/// A closed crate with one item; answers address and label.
fn closed(app: &TestApp, from: &str, to: &str) -> (String, String) {
    let (_, barcode) = returned(app, to, from);
    let address = open(app, from, to);
    pack(app, &address, &barcode).expect(200);
    let label = step(app, &address, "close").expect(200).body["label"].clone();
    (address, label.as_str().expect("a label").to_owned())
}

fn load(app: &TestApp, token: &str, unit: &str, label: &str) -> Value {
    let body = json!({"unit_code": unit, "crates": [{"label": label}]});
    let answer = app.post(token, "/api/v1/courier/loads", &body).expect(200);
    answer.body["rows"][0].clone()
}

fn hand(app: &TestApp, token: &str, unit: &str, signed_by: i64, label: &str, confirm: &[&str]) -> Value {
    let with = |consent: Option<&Value>| {
        let body = json!({"unit_code": unit, "signed_by_staff_id": signed_by,
            "crates": [{"label": label, "consent_token": consent}], "confirm": confirm});
        let answer = app.post(token, "/api/v1/courier/hand-overs", &body).expect(200);
        answer.body["rows"][0].clone()
    };
    let told = with(None);
    match told["problem"].get("consent_token") {
        Some(consent) if !confirm.is_empty() => with(Some(consent)),
        _ => told,
    }
}

fn a_courier_loads_hands_over_and_has_it_signed_for(app: &TestApp) {
    network(app);
    let (courier, van) = route(app);
    let (first, first_label) = closed(app, "C1", "M1");
    let (second, second_label) = closed(app, "M1", "M2");
    let (third, third_label) = closed(app, "M2", "M1");
    let text = str::to_owned;
    assert_eq!(
        plan(&day(app, &van)),
        [
            (text("C1"), vec![first_label.clone()], vec![]),
            (text("M1"), vec![second_label.clone()], vec![first_label.clone()]),
            // It goes to C1, where the same round takes it on the next day.
            (text("M2"), vec![third_label], vec![second_label.clone()]),
            (
                text("C1"),
                vec![],
                vec![look(app, &third)["label"].as_str().expect("a label").to_owned()]
            ),
        ]
    );
    assert_eq!(day(app, &van)["vehicles"], json!(["鄂A·12345"]));
    let loaded = load(app, &van, "C1", &first_label);
    assert_eq!(
        (
            &loaded["status"],
            &loaded["crate"]["status"],
            &loaded["crate"]["leg_to_unit_code"]
        ),
        (&json!(200), &json!("sent"), &json!("M1"))
    );
    assert_eq!(loaded["crate"]["courier_staff_id"], courier);
    let (signer, _) = member(app, "librarian", "M1");
    let (stranger, _) = member(app, "librarian", "M2");
    let signed = |by: i64| {
        let body = json!({"unit_code": "M1", "signed_by_staff_id": by, "crates": [{"label": first_label}]});
        app.request("POST", "/api/v1/courier/hand-overs")
            .bearer(&van)
            .key(&format!("hand-{by}"))
            .json(&body)
            .send()
    };
    for wrong in [stranger, courier, 1] {
        signed(wrong).expect_fields(422, &["signed_by_staff_id"]);
    }
    let row = signed(signer).expect(200).body["rows"][0].clone();
    assert_eq!(
        (
            &row["crate"]["status"],
            &row["crate"]["signed_by_staff_id"],
            &row["replayed"]
        ),
        (&json!("delivered"), &json!(signer), &json!(false))
    );
    let again = signed(signer).expect(200).body["rows"][0].clone();
    assert_eq!((&again["replayed"], &again["crate"]), (&json!(true), &row["crate"]));
    // A load that comes late does not take the crate away again.
    let late = load(app, &van, "C1", &first_label);
    assert_eq!(
        (&late["status"], &late["problem"]["code"]),
        (&json!(409), &json!("wrong_state"))
    );
    assert_eq!(look(app, &first)["status"], "delivered");
    let unpacked = step(app, &first, "receive").expect_problem(409, "refused");
    assert_eq!(unpacked.body["refusals"][0]["code"], "crate_for_elsewhere");
    let desk = app.staff("librarian", "M1");
    let receipt = app
        .post(&desk, &format!("{first}/receive"), &json!({"all": true}))
        .expect(200);
    assert_eq!(receipt.body["received"], 1);
    // Who drives nothing here may not.
    let other = app.staff("courier", "B2");
    let body = json!({"unit_code": "M1", "crates": [{"label": second_label}]});
    app.post(&other, "/api/v1/courier/loads", &body)
        .expect_problem(403, "forbidden");
    assert_eq!(look(app, &second)["status"], "closed");
    let unknown = load(app, &van, "M1", "X000000000001");
    assert_eq!(
        (&unknown["status"], &unknown["problem"]["errors"][0]["field"]),
        (&json!(422), &json!("label"))
    );
    sound(app);
}

fn a_crate_left_at_the_wrong_stop_goes_on_from_there(app: &TestApp) {
    network(app);
    let (_, van) = route(app);
    let (signer, desk) = member(app, "librarian", "C1");
    let (address, label) = closed(app, "M1", "M2");
    load(app, &van, "M1", &label);
    let row = hand(app, &van, "C1", signer, &label, &[]);
    assert_eq!(
        (&row["status"], &row["problem"]["refusals"][0]["code"]),
        (&json!(409), &json!("crate_for_elsewhere"))
    );
    assert_eq!(look(app, &address)["status"], "sent");
    let row = hand(app, &van, "C1", signer, &label, &["crate_for_elsewhere"]);
    assert_eq!(
        (&row["crate"]["status"], &row["crate"]["at_unit_code"]),
        (&json!("delivered"), &json!("C1"))
    );
    // It stands in the next day's plan of that stop, and goes on unopened.
    let next = plan(&day(app, &van));
    assert_eq!(next[0], ("C1".to_owned(), vec![label.clone()], vec![]));
    load(app, &van, "C1", &label);
    let (signer, home) = member(app, "librarian", "M2");
    assert_eq!(hand(app, &van, "M2", signer, &label, &[])["status"], 200);
    step(app, &address, "send").expect_problem(409, "wrong_state");
    let receipt = app
        .post(&home, &format!("{address}/receive"), &json!({"all": true}))
        .expect(200)
        .body;
    assert_eq!(receipt["items"][0]["check_in"]["next_step"]["kind"], "shelf_here");
    // Or it is unpacked where it was left: once confirmed by the courier, not again.
    let (other, label) = closed(app, "M1", "M2");
    load(app, &van, "M1", &label);
    let (signer, _) = member(app, "librarian", "C1");
    hand(app, &van, "C1", signer, &label, &["crate_for_elsewhere"]);
    let receipt = app
        .post(&desk, &format!("{other}/receive"), &json!({"all": true}))
        .expect(200)
        .body;
    assert_eq!(receipt["items"][0]["check_in"]["next_step"]["reason"], "redirect");
    sound(app);
}

fn a_crate_that_changes_rounds_is_not_unpacked_there_unasked(app: &TestApp) {
    network(app);
    let (_, van) = route(app);
    let (signer, desk) = member(app, "librarian", "C1");
    // From M2 to M1 the round has to be changed at C1.
    let (address, label) = closed(app, "M2", "M1");
    assert_eq!(load(app, &van, "M2", &label)["crate"]["leg_to_unit_code"], "C1");
    assert_eq!(hand(app, &van, "C1", signer, &label, &[])["status"], 200);
    let receive = json!({"all": true});
    let told = app.post(&desk, &format!("{address}/receive"), &receive);
    let told = told.expect_problem(409, "refused");
    assert_eq!(told.body["refusals"][0]["code"], "crate_for_elsewhere");
    assert_eq!(look(app, &address)["status"], "delivered");
    let confirmed = json!({"all": true, "confirm": ["crate_for_elsewhere"]});
    app.post_consenting(&desk, &format!("{address}/receive"), &confirmed)
        .expect(200);
    sound(app);
}

fn what_a_courier_scanned_without_a_network_is_taken_as_it_happened(app: &TestApp) {
    network(app);
    let (_, van) = route(app);
    let (signer, _) = member(app, "librarian", "M2");
    let (address, label) = closed(app, "M1", "M2");
    app.clock.set(TestApp::now() + TimeDelta::minutes(10));
    // The scan at loading was lost; what is handed over was loaded all the same.
    let body = json!({"unit_code": "M2", "signed_by_staff_id": signer,
        "crates": [{"label": label, "scanned_at": "2026-03-04T04:05:00Z"}, {"label": "X000000104275"}]});
    let send = || {
        app.request("POST", "/api/v1/courier/hand-overs")
            .bearer(&van)
            .key("van-17-42")
            .json(&body)
            .send()
            .expect(200)
            .body
    };
    let answer = send();
    assert_eq!((&answer["done"], &answer["failed"]), (&json!(1), &json!(1)));
    let done = &answer["rows"][0]["crate"];
    assert_eq!(
        (&done["status"], &done["delivered_at"]),
        (&json!("delivered"), &json!("2026-03-04T04:05:00Z"))
    );
    assert_eq!(look(app, &address)["contents"][0]["status"], "sent");
    let events = "SELECT count(*) AS n FROM events";
    let before = app.database.outside().number(events);
    assert_eq!(send()["rows"][0]["replayed"], true);
    assert_eq!(app.database.outside().number(events), before);
    // A clock that is ahead is not believed.
    let (ahead, label) = closed(app, "M1", "M2");
    let body = json!({"unit_code": "M1", "crates": [{"label": label, "scanned_at": "2026-04-01T00:00:00Z"}]});
    app.post(&van, "/api/v1/courier/loads", &body).expect(200);
    assert_eq!(look(app, &ahead)["sent_at"], "2026-03-04T04:10:00Z");
    sound(app);
}

fn a_list_sent_again_is_answered_whoever_drives_or_signs_by_then(app: &TestApp) {
    network(app);
    let (_, van) = route(app);
    let (signer, _) = member(app, "librarian", "M2");
    let ((_, first), (_, second)) = (closed(app, "M1", "M2"), closed(app, "M1", "M2"));
    let scanned = |label: &str, at: Option<&str>| {
        let body = json!({"unit_code": "M2", "signed_by_staff_id": signer,
            "crates": [{"label": label, "scanned_at": at}]});
        app.request("POST", "/api/v1/courier/hand-overs")
            .bearer(&van)
            .key(label)
            .json(&body)
            .send()
    };
    scanned(&first, None).expect(200);
    let root = app.root_token();
    let gone = format!("/api/v1/staff/{signer}");
    app.request("PATCH", &gone)
        .bearer(&root)
        .json(&json!({"active": false}))
        .send()
        .expect(200);
    let again = scanned(&first, None).expect(200).body;
    assert_eq!(again["rows"][0]["replayed"], true);
    // Whoever signed then has left; now they could not sign.
    scanned(&second, None).expect_fields(422, &["signed_by_staff_id"]);
    app.tick();
    let then = scanned(&second, Some("2026-03-04T04:00:00Z")).expect(200).body;
    assert_eq!(then["rows"][0]["crate"]["signed_by_staff_id"], signer, "{then}");
    let told = "SELECT count(*) AS n FROM events WHERE kind = 'crate_delivered' \
                AND detail LIKE '%\"signer_is_known\":false%'";
    assert_eq!(app.database.outside().number(told), 1);
    sound(app);
}

fn a_route_is_set_as_a_whole_and_every_wrong_field_is_named(app: &TestApp) {
    network(app);
    let root = app.root_token();
    let (courier, _) = member(app, "courier", "M1");
    let (librarian, _) = member(app, "librarian", "M1");
    let stops = json!([{"unit_code": "M1", "time": "08:00:00"}, {"unit_code": "B1", "time": "08:30:00"}]);
    let good =
        json!({"name": "一线", "unit_code": "M1", "weekdays": [1, 3], "stops": stops, "courier_staff_id": courier});
    let manager = app.staff("unit_manager", "M1");
    let made = put_route(app, &manager, "M1-a", &good).expect(200).body;
    assert_eq!((&made["weekdays"], &made["stops"]), (&json!([1, 3]), &stops));
    let mut other = good.clone();
    other["stops"] = json!([{"unit_code": "M1", "time": "08:00:00"}, {"unit_code": "M2", "time": "09:30:00"}]);
    other["active"] = json!(false);
    assert_eq!(
        replace_route(app, &manager, ("M1-a", 1), &other).expect(200).body["active"],
        false
    );
    let listed = app.get(&manager, "/api/v1/routes").expect(200).body;
    assert_eq!(listed["items"].as_array().map(Vec::len), Some(1));
    // Given up: nothing can be sent with it.
    app.post(
        &root,
        "/api/v1/shipments",
        &json!({"from_unit_code": "M1", "route_code": "M1-a", "stop": 2}),
    )
    .expect_fields(422, &["route_code"]);
    replace_route(app, &manager, ("M1-a", 2), &good).expect(200);
    let by_stop = json!({"from_unit_code": "M1", "route_code": "M1-a", "stop": 2});
    let made = app.post(&root, "/api/v1/shipments", &by_stop).expect(201).body;
    assert_eq!(
        (&made["to_unit_code"], &made["route_code"]),
        (&json!("B1"), &json!("M1-a"))
    );
    app.post(
        &root,
        "/api/v1/shipments",
        &json!({"from_unit_code": "M1", "route_code": "M1-a", "stop": 3}),
    )
    .expect_fields(422, &["stop"]);
    let with = |member: &str, value: Value| {
        let mut body = good.clone();
        body[member] = value;
        put_route(app, &manager, "M1-b", &body)
    };
    with("weekdays", json!([8])).expect_fields(422, &["weekdays"]);
    with("weekdays", json!([])).expect_fields(422, &["weekdays"]);
    with("stops", json!([])).expect_fields(422, &["stops"]);
    let backwards = json!([{"unit_code": "M1", "time": "08:00:00"}, {"unit_code": "X", "time": "08:00:30"}]);
    with("stops", backwards).expect_fields(422, &["stops", "stops", "stops"]);
    with("courier_staff_id", json!(librarian)).expect_fields(422, &["courier_staff_id"]);
    with("unit_code", json!("M2")).expect_problem(403, "forbidden");
    put_route(app, &app.staff("unit_manager", "M2"), "M1-a", &good).expect_problem(403, "forbidden");
    put_route(app, &manager, "a%20b", &good).expect_fields(422, &["code"]);
}

fn a_route_is_replaced_only_by_who_saw_it(app: &TestApp) {
    network(app);
    let manager = app.staff("unit_manager", "M1");
    let stops = json!([{"unit_code": "M1", "time": "08:00:00"}, {"unit_code": "B1", "time": "08:30:00"}]);
    let named = |name: &str| json!({"name": name, "unit_code": "M1", "weekdays": [1], "stops": stops});
    replace_route(app, &manager, ("R9", 1), &named("一线")).expect_problem(412, "precondition_failed");
    let made = put_route(app, &manager, "R9", &named("一线")).expect(200);
    assert_eq!((made.header("etag"), &made.body["version"]), (Some("\"1\""), &json!(1)));
    put_route(app, &manager, "R9", &named("二线")).expect_problem(428, "precondition_required");
    let changed = replace_route(app, &manager, ("R9", 1), &named("三线")).expect(200);
    assert_eq!(changed.header("etag"), Some("\"2\""));
    replace_route(app, &manager, ("R9", 1), &named("四线")).expect_problem(412, "precondition_failed");
    let listed = || app.get(&manager, "/api/v1/routes").expect(200).body["items"][0].clone();
    assert_eq!((&listed()["name"], &listed()["version"]), (&json!("三线"), &json!(2)));
    // Several who saw the same: one replaces it, the others are told.
    let mut statuses: Vec<u16> = std::thread::scope(|scope| {
        let calls: Vec<_> = (0..4)
            .map(|n| {
                let request = app.request("PUT", "/api/v1/routes/R9").bearer(&manager);
                let request = request.header("If-Match", "\"2\"").json(&named(&format!("{n} 线")));
                scope.spawn(move || request.send().status)
            })
            .collect();
        calls.into_iter().map(|call| call.join().expect("no panic")).collect()
    });
    statuses.sort_unstable();
    assert_eq!((statuses, &listed()["version"]), (vec![200, 412, 412, 412], &json!(3)));
    app.assert_sound();
}

fn a_closed_unit_is_skipped_and_what_is_on_the_way_is_expected_a_day_later(app: &TestApp) {
    network(app);
    let (_, van) = route(app);
    let (_, waiting) = returned(app, "M2", "M1");
    let (_, travelling) = returned(app, "M2", "M1");
    sent(app, "M1", "M2", &[&travelling]);
    returned(app, "M2", "B2");
    let desk = app.staff("librarian", "M2");
    let incoming = || app.get(&desk, "/api/v1/transits/incoming").expect(200).body;
    let seen = incoming();
    assert_eq!(
        (&seen["unit_code"], &seen["sent"], &seen["waiting"], &seen["missing"]),
        (&json!("M2"), &json!(1), &json!(2), &json!(0))
    );
    // It is noon: the round passes M1 tomorrow at nine and is here at ten. Nothing comes by from B2.
    let arrivals = json!([
        {"route_code": "R1", "expected_at": "2026-03-05T02:00:00Z", "sent": 1, "waiting": 1, "from_unit_codes": ["M1"]},
        {"route_code": null, "expected_at": null, "sent": 0, "waiting": 1, "from_unit_codes": ["B2"]},
    ]);
    assert_eq!(seen["arrivals"], arrivals);
    let closed = json!({"closed_days": [{"first": "2026-03-05", "last": "2026-03-05", "reason": "停电"}]});
    app.post(&app.root_token(), "/api/v1/units/M2/closed-days", &closed)
        .expect(200);
    assert_eq!(incoming()["arrivals"][0]["expected_at"], "2026-03-06T02:00:00Z");
    let stops = day(app, &van)["stops"].clone();
    assert_eq!(
        (&stops[2]["unit_code"], &stops[2]["skipped"]),
        (&json!("M2"), &json!(true))
    );
    assert_eq!(stops[1]["skipped"], false);
    let elsewhere = app.staff("librarian", "B1");
    app.get(&elsewhere, "/api/v1/transits/incoming?unit_code=M2")
        .expect_problem(403, "forbidden");
    scan(app, &app.staff("librarian", "M2"), &waiting).expect(200);
    assert_eq!(incoming()["waiting"], 1);
}

fn a_journey_that_does_not_arrive_is_missing_and_its_hold_is_served_again(app: &TestApp) {
    network(app);
    let bib = app.bib("红楼梦", None);
    let (lost, barcode) = app.item(bib, "M1", &json!({}));
    let (_, card) = app.reader("adult", "M2");
    let (_, holder) = app.reader("adult", "M2");
    let desk = app.staff("librarian", "M1");
    let out = json!({"item_barcode": barcode, "card_number": card});
    app.post(&desk, "/api/v1/check-outs", &out).expect(201);
    let hold = json!({"bib_id": bib, "pickup_unit_code": "M2", "card_number": holder});
    let hold = app
        .post(&app.staff("librarian", "M2"), "/api/v1/holds", &hold)
        .expect(201)
        .body["hold"]["id"]
        .clone();
    assert_eq!(
        scan(app, &desk, &barcode).expect(200).body["next_step"]["reason"],
        "hold"
    );
    let address = sent(app, "M1", "M2", &[&barcode]);
    let run = |days: u32| app.block_on(give_up_transits(&app.app.store, days)).expect("runs");
    app.clock.set(TestApp::now() + TimeDelta::days(14));
    assert_eq!(run(14), 0, "not a moment too early");
    app.clock.set(TestApp::now() + TimeDelta::days(15));
    assert_eq!((run(14), run(14)), (1, 0));
    assert_eq!(item_status(app, lost), "missing");
    assert_eq!(look(app, &address)["contents"][0]["status"], "missing");
    sound(app);
    // The next copy goes to the reader who waits.
    let (_, other) = app.item(bib, "M1", &json!({}));
    let desk = app.staff("librarian", "M1");
    let step = scan(app, &desk, &other).expect(200).body["next_step"].clone();
    assert_eq!((&step["to_unit_code"], &step["hold_id"]), (&json!("M2"), &hold));
    // And the lost one turns up where nobody expected it: no override is needed, and it goes home.
    let found = scan(app, &app.staff("librarian", "M2"), &barcode).expect(200).body;
    let notices = found["notices"].to_string();
    assert!(notices.contains("transit_found"), "{notices}");
    assert_eq!(found["next_step"]["to_unit_code"], "M1");
    sound(app);
}

fn districts_settle_by_what_the_events_say(app: &TestApp) {
    network(app);
    let (_, a) = returned(app, "M2", "M1");
    let (_, b) = returned(app, "B2", "B1");
    let (_, c) = returned(app, "M1", "M2");
    let (_, never) = returned(app, "M2", "M1");
    sent(app, "M1", "M2", &[&a]);
    sent(app, "B1", "B2", &[&b]);
    sent(app, "M2", "M1", &[&c]);
    pack(app, &open(app, "M1", "M2"), &never).expect(200);
    app.clock.set(at("2026-03-31T16:00:00Z"));
    let (_, april) = returned(app, "M2", "M1");
    sent(app, "M1", "M2", &[&april]);
    let report = |token: &str, query: &str| app.get(token, &format!("/api/v1/reports/flows?{query}"));
    let root = app.root_token();
    let seen = |token: &str, query: &str| -> BTreeMap<String, u64> {
        let flows = report(token, query).expect(200).body["flows"].clone();
        let line = |flow: &Value| {
            let text = |name: &str| flow[name].as_str().expect("a text").to_owned();
            let key = [text("from_unit_code"), text("to_unit_code"), text("reason")].join(" ");
            (key, flow["items"].as_u64().expect("a number"))
        };
        flows.as_array().expect("flows").iter().map(line).collect()
    };
    let march = seen(&root, "month=2026-03");
    let expected = [("M1 M2 return_home".to_owned(), 2), ("M2 M1 return_home".to_owned(), 1)];
    assert_eq!(march, BTreeMap::from(expected));
    assert_eq!(
        seen(&root, "month=2026-04"),
        BTreeMap::from([("M1 M2 return_home".to_owned(), 1)])
    );
    let total = app
        .database
        .outside()
        .number("SELECT count(*) AS n FROM events WHERE kind = 'transit_sent' AND day < '2026-04-01'");
    assert_eq!(march.values().sum::<u64>(), u64::try_from(total).expect("small"));
    // A district sees its own; a branch nothing that is not its district's.
    assert_eq!(seen(&app.staff("auditor", "M2"), "month=2026-03&unit_code=M2").len(), 2);
    report(&app.staff("auditor", "M2"), "month=2026-03&unit_code=M1").expect_problem(403, "forbidden");
    report(&root, "month=2026-13").expect_fields(422, &["month"]);
    let csv = app.get(&root, "/api/v1/reports/flows.csv?month=2026-03").expect(200);
    assert_eq!(csv.header("content-type"), Some("text/csv; charset=utf-8"));
    let text = String::from_utf8(csv.bytes).expect("UTF-8");
    assert_eq!(
        text,
        "month,from_unit_code,from_unit_name,to_unit_code,to_unit_name,reason,items\n\
         2026-03,M1,1区图书馆,M2,2区图书馆,return_home,2\n\
         2026-03,M2,2区图书馆,M1,1区图书馆,return_home,1\n"
    );
}
