//! Administration: units, calendars, collections, item types, reader categories, staff, PINs.

use serde_json::{Value, json};

use crate::app::{PASSWORD, PIN, ROOT, TestApp};
use crate::client::Answer;

on_both!(
    a_unit_is_changed_in_its_subtree_and_other_fields_stay,
    a_unit_closes_for_good_when_nothing_hangs_on_it,
    new_hours_move_due_dates_off_days_that_have_become_closed,
    closed_days_are_tried_added_and_removed,
    a_calendar_file_closes_days_and_leaves_out_what_lies_behind,
    collections_item_types_and_categories_are_set_by_their_code,
    staff_are_listed_and_changed_only_from_above,
    a_pin_is_set_by_its_reader_or_by_staff,
    an_old_pin_is_guessed_no_faster_than_at_log_in,
);

fn send(app: &TestApp, method: &str, token: &str, path: &str, body: &Value) -> Answer {
    app.request(method, path).bearer(token).json(body).send()
}

/// The system user, at a desk.
fn desk(app: &TestApp) -> String {
    app.staff_token("root", Some(ROOT))
}

fn a_unit_is_changed_in_its_subtree_and_other_fields_stay(app: &TestApp) {
    app.small_network();
    let (root, manager) = (app.root_token(), app.staff("unit_manager", "M1"));
    let change = json!({"name": "新馆", "lends": false, "latitude": 30.5, "longitude": 114.3});
    let unit = send(app, "PATCH", &manager, "/api/v1/units/B1", &change)
        .expect(200)
        .body;
    assert_eq!(
        (&unit["name"], &unit["lends"], &unit["pickup_point"]),
        (&json!("新馆"), &json!(false), &json!(true))
    );
    let seen = app.get(&root, "/api/v1/units/B1").expect(200).body;
    assert_eq!((&seen["latitude"], &seen["active"]), (&json!(30.5), &json!(true)));
    send(app, "PATCH", &manager, "/api/v1/units/B2", &change).expect_problem(403, "forbidden");
    send(app, "PATCH", &app.staff("librarian", "M1"), "/api/v1/units/B1", &change).expect_problem(403, "forbidden");
    send(app, "PATCH", &root, "/api/v1/units/B9", &change).expect_problem(404, "not_found");
    let wrong = json!({"latitude": 91, "active": false});
    send(app, "PATCH", &root, &format!("/api/v1/units/{ROOT}"), &wrong)
        .expect_fields(422, &["latitude", "longitude", "active"]);
    let keyed = || {
        app.request("PATCH", "/api/v1/units/B1")
            .bearer(&root)
            .key("k")
            .json(&json!({"active": false}))
            .send()
    };
    keyed().expect(200);
    assert_eq!(keyed().expect(200).header("idempotency-replayed"), Some("true"));
    assert_eq!(app.get(&root, "/api/v1/units/B1").expect(200).body["active"], false);
}

fn a_unit_closes_for_good_when_nothing_hangs_on_it(app: &TestApp) {
    app.small_network();
    let root = app.root_token();
    let close = || send(app, "PATCH", &root, "/api/v1/units/B1", &json!({"active": false}));
    let told = |what: &str| {
        let answer = close().expect_problem(409, "wrong_state");
        assert!(
            answer.body["detail"].as_str().is_some_and(|told| told.contains(what)),
            "{}",
            answer.body
        );
    };
    // To be packed for B1, and a crate that goes there.
    let bib = app.bib("三国演义", None);
    let (item, barcode) = app.item(bib, "M1", &json!({}));
    let deposit = json!({"from_unit_code": "M1", "to_unit_code": "B1", "until": "2026-06-01", "reason": "轮换",
        "item_ids": [item]});
    let deposit = app.post(&root, "/api/v1/deposits", &deposit).expect(201).id();
    told("deposits from or to it: 1; journeys there: 1");
    app.post(
        &root,
        &format!("/api/v1/deposits/{deposit}/recall"),
        &json!({"reason": "x"}),
    )
    .expect(200);
    let (own, _) = app.item(bib, "B1", &json!({}));
    told("copies at home there: 1");
    app.post(
        &root,
        &format!("/api/v1/items/{own}/withdrawal"),
        &json!({"reason": "x"}),
    )
    .expect(200);
    let body = json!({"from_unit_code": "M1", "to_unit_code": "B1"});
    let shipment = app.post(&root, "/api/v1/shipments", &body).expect(201).id();
    told("crates that stand there or go there: 1");
    let at_root = app.staff_token("root", Some(crate::app::ROOT));
    send(
        app,
        "POST",
        &at_root,
        &format!("/api/v1/shipments/{shipment}/cancel"),
        &json!({}),
    )
    .expect(200);
    let stop = |unit: &str, time: &str| json!({"unit_code": unit, "time": time});
    let mut route = json!({"name": "环线", "unit_code": "C1", "weekdays": [1], "stops": [stop("M1", "09:00:00"),
        stop("B1", "10:00:00")]});
    let made = send(app, "PUT", &root, "/api/v1/routes/R1", &route).expect(200);
    told("routes that stop there: 1");
    route["stops"][1] = stop("B2", "10:00:00");
    let change = app.request("PUT", "/api/v1/routes/R1").bearer(&root);
    let change = change.header("If-Match", made.header("etag").expect("a tag"));
    change.json(&route).send().expect(200);
    let desk = app.staff("librarian", "M1");
    let (_, card) = app.reader("adult", "M1");
    let (_, other) = app.reader("adult", "M1");
    let loan = json!({"item_barcode": barcode, "card_number": other});
    app.post(&desk, "/api/v1/check-outs", &loan).expect(201);
    let hold = json!({"bib_id": bib, "pickup_unit_code": "B1", "card_number": card});
    let hold = app.post(&desk, "/api/v1/holds", &hold).expect(201);
    told("holds to be picked up there: 1");
    let path = format!("/api/v1/holds/{}", hold.body["hold"]["id"]);
    app.request("DELETE", &path).bearer(&desk).send().expect(200);
    assert_eq!(close().expect(200).body["active"], false);
    close().expect(200);
}

/// An open loan at a unit; answers where its reader's loans are listed, and the day it is due.
fn lend(app: &TestApp, unit: &str) -> (String, String) {
    let (reader, card) = app.reader("adult", unit);
    let (_, barcode) = app.item(app.bib("A", None), unit, &json!({}));
    let token = app.staff_token("root", Some(unit));
    app.post(
        &token,
        "/api/v1/check-outs",
        &json!({"card_number": card, "item_barcode": barcode}),
    )
    .expect(201);
    let path = format!("/api/v1/readers/{reader}/loans");
    let due = due(app, &path);
    (path, due)
}

/// The local day the only loan is due.
fn due(app: &TestApp, path: &str) -> String {
    let loans = app.get(&app.root_token(), path).expect(200).body;
    let at = loans["items"][0]["due_at"].as_str().expect("a moment").to_owned();
    assert!(at.contains("T15:59:59"), "the end of a day in Jiangcheng: {at}");
    at[..10].to_owned()
}

fn next_day(day: &str) -> String {
    let day: chrono::NaiveDate = day.parse().expect("a day");
    day.succ_opt().expect("another").to_string()
}

fn new_hours_move_due_dates_off_days_that_have_become_closed(app: &TestApp) {
    app.small_network();
    let (path, before) = lend(app, "B1");
    let (elsewhere, there) = lend(app, "B2");
    let day: chrono::NaiveDate = before.parse().expect("a day");
    let weekday = usize::try_from(chrono::Datelike::weekday(&day).num_days_from_monday()).expect("small");
    let span = json!([{"opens": "09:00:00", "closes": "17:00:00"}]);
    let mut week = vec![span; 7];
    week[weekday] = json!([]);
    let manager = app.staff("unit_manager", "M1");
    let set = send(app, "PUT", &manager, "/api/v1/units/M1/hours", &json!({"hours": week}))
        .expect(200)
        .body;
    assert_eq!(
        (&set["moved_loans"], &set["loans"][0]["due_day"]),
        (&json!(1), &json!(before))
    );
    assert_eq!(set["unit"]["hours"], json!(week));
    assert_eq!(due(app, &path), next_day(&before));
    assert_eq!(due(app, &elsewhere), there);
    send(app, "PUT", &manager, "/api/v1/units/M2/hours", &json!({"hours": week})).expect_problem(403, "forbidden");
    send(app, "PUT", &manager, "/api/v1/units/M1/hours", &json!({"hours": [[]]})).expect_fields(422, &["hours"]);
    send(
        app,
        "PUT",
        &app.root_token(),
        &format!("/api/v1/units/{ROOT}/hours"),
        &json!({}),
    )
    .expect_fields(422, &["hours"]);
    let set = send(app, "PUT", &manager, "/api/v1/units/M1/hours", &json!({}))
        .expect(200)
        .body;
    assert_eq!((&set["unit"]["hours"], &set["moved_loans"]), (&Value::Null, &json!(0)));
}

fn closed_days_are_tried_added_and_removed(app: &TestApp) {
    app.small_network();
    let (path, before) = lend(app, "B1");
    let manager = app.staff("unit_manager", "M1");
    let days = json!([{"first": before, "last": before, "reason": "停电"}]);
    let add = |body: Value| send(app, "POST", &manager, "/api/v1/units/M1/closed-days", &body);
    let tried = add(json!({"closed_days": days, "dry_run": true})).expect(200).body;
    assert_eq!(
        (&tried["affected_loans"], &tried["loans"][0]["unit_code"]),
        (&json!(1), &json!("B1"))
    );
    assert_eq!(due(app, &path), before);
    let added = add(json!({"closed_days": days})).expect(200).body;
    assert_eq!((&added["affected_loans"], &added["added"]), (&json!(1), &days));
    let moved = due(app, &path);
    assert!(moved > before, "{moved}");
    let again = add(json!({"closed_days": days})).expect(200).body;
    assert_eq!(
        (&again["already_there"], &again["affected_loans"]),
        (&json!(1), &json!(0))
    );
    add(json!({"closed_days": [{"first": "2026-03-01", "last": "2026-03-02", "reason": "x"}]}))
        .expect_fields(422, &["closed_days"]);
    // As many as the document says.
    for count in [0, 401] {
        add(json!({"closed_days": vec![days[0].clone(); count]})).expect_fields(400, &["closed_days"]);
    }
    send(
        app,
        "POST",
        &manager,
        "/api/v1/units/M2/closed-days",
        &json!({"closed_days": days}),
    )
    .expect_problem(403, "forbidden");
    let range = format!("/api/v1/units/M1/closed-days?first={before}&last={before}");
    let unit = send(app, "DELETE", &manager, &range, &json!({})).expect(200).body;
    assert_eq!(unit["closed_days"], json!([]));
    assert_eq!(due(app, &path), moved, "readers were told");
    let past = "/api/v1/units/M1/closed-days?first=2026-03-03&last=2026-03-03";
    send(app, "DELETE", &manager, past, &json!({})).expect_fields(422, &["first"]);
    send(app, "DELETE", &manager, &range, &json!({})).expect_problem(404, "not_found");
    send(
        app,
        "DELETE",
        &manager,
        "/api/v1/units/M1/closed-days?first=x&last=2026-04-01",
        &json!({}),
    )
    .expect_fields(400, &["first"]);
}

fn a_calendar_file_closes_days_and_leaves_out_what_lies_behind(app: &TestApp) {
    app.small_network();
    let (path, before) = lend(app, "B2");
    let (first, last) = (before.replace('-', ""), next_day(&before).replace('-', ""));
    let text = format!(
        "BEGIN:VCALENDAR\r\nBEGIN:VEVENT\r\nDTSTART;VALUE=DATE:20260101\r\nSUMMARY:元旦\r\nEND:VEVENT\r\n\
         BEGIN:VEVENT\r\nDTSTART;VALUE=DATE:{first}\r\nDTEND;VALUE=DATE:{last}\r\nSUMMARY:清明\r\nEND:VEVENT\r\n\
         END:VCALENDAR\r\n"
    );
    let token = app.root_token();
    let import = |text: &str, dry_run: bool| {
        let body = json!({"text": text, "dry_run": dry_run});
        send(app, "POST", &token, "/api/v1/units/C1/calendar-imports", &body)
    };
    let told = import(&text, true).expect(200).body;
    assert_eq!((&told["past"], &told["affected_loans"]), (&json!(1), &json!(1)));
    assert_eq!(
        told["added"],
        json!([{"first": before, "last": before, "reason": "清明"}])
    );
    assert_eq!(due(app, &path), before);
    import(&text, false).expect(200);
    assert!(due(app, &path) > before);
    let csv = format!("first,last,reason\n{before},{before},x\n2026-10-01,2026-10-07,国庆节\n");
    let told = import(&csv, false).expect(200).body;
    assert_eq!(
        (&told["already_there"], told["added"].as_array().map(Vec::len)),
        (&json!(1), Some(1))
    );
    for bad in ["first\nsoon\n", "a,b\n1,2\n", "BEGIN:VCALENDAR\nEND:VCALENDAR\n"] {
        import(bad, true).expect_fields(422, &["text"]);
    }
}

fn collections_item_types_and_categories_are_set_by_their_code(app: &TestApp) {
    app.small_network();
    let (root, manager) = (app.root_token(), app.staff("unit_manager", "M1"));
    let put = |token: &str, path: &str, body: Value| send(app, "PUT", token, path, &body);
    let floats = json!({"name": "漂流", "return_policy": "float_with_cap", "float_cap": 3});
    let made = put(&manager, "/api/v1/units/B1/collections/f", floats).expect(200).body;
    let changed = put(
        &manager,
        "/api/v1/units/B1/collections/f",
        json!({"name": "普通", "return_policy": "home"}),
    );
    let changed = changed.expect(200).body;
    assert_eq!((&changed["id"], &changed["float_cap"]), (&made["id"], &Value::Null));
    assert_eq!(
        app.get(&manager, "/api/v1/units/B1/collections").expect(200).body["items"],
        json!([changed])
    );
    put(
        &manager,
        "/api/v1/units/B2/collections/f",
        json!({"name": "x", "return_policy": "home"}),
    )
    .expect_problem(403, "forbidden");
    put(
        &manager,
        "/api/v1/units/B1/collections/f",
        json!({"name": "x", "return_policy": "float", "float_cap": 1}),
    )
    .expect_fields(422, &["float_cap"]);

    let manga = json!({"name_zh": "漫画", "name_en": "Comic", "parent": "book"});
    put(&manager, "/api/v1/item-types/comic", manga.clone()).expect_problem(403, "forbidden");
    put(&root, "/api/v1/item-types/comic", manga.clone()).expect(200);
    put(
        &root,
        "/api/v1/item-types/book",
        json!({"name_zh": "书", "name_en": "Book", "parent": "comic"}),
    )
    .expect_fields(422, &["parent"]);
    put(
        &root,
        "/api/v1/item-types/x%20y",
        json!({"name_zh": "书", "name_en": "Book", "parent": "scroll"}),
    )
    .expect_fields(422, &["code", "parent"]);
    let types = app.get(&root, "/api/v1/item-types").expect(200).body;
    let found = types["items"]
        .as_array()
        .expect("items")
        .iter()
        .find(|one| one["code"] == "comic");
    assert_eq!(found.expect("listed")["parent"], "book");
    app.item(app.bib("A", None), "B1", &json!({"item_type": "comic"}));

    let senior = json!({"name_zh": "老年", "name_en": "Senior", "min_age_years": 60});
    put(&root, "/api/v1/reader-categories/senior_2", senior.clone()).expect(200);
    put(&manager, "/api/v1/reader-categories/senior_2", senior).expect_problem(403, "forbidden");
    let wrong = json!({"name_zh": "x", "name_en": "x", "min_age_years": 9, "max_age_years": 8});
    put(&root, "/api/v1/reader-categories/senior_2", wrong).expect_fields(422, &["min_age_years"]);
    app.reader("senior_2", "B1");
    let all = app.get(&root, "/api/v1/reader-categories").expect(200).body;
    assert!(
        all["items"]
            .as_array()
            .expect("items")
            .iter()
            .any(|one| one["code"] == "senior_2")
    );
}

fn staff_are_listed_and_changed_only_from_above(app: &TestApp) {
    app.small_network();
    let (root, manager) = (desk(app), app.staff("unit_manager", "M1"));
    let body = json!({"username": "li", "name": "李", "password": PASSWORD, "roles": [{"role": "librarian", "unit_code": "B1"}]});
    let id = app.post(&manager, "/api/v1/staff", &body).expect(201).id();
    let path = format!("/api/v1/staff/{id}");
    let listed = |token: &str| -> Vec<String> {
        let page = app.get(token, "/api/v1/staff").expect(200).body;
        let items = page["items"].as_array().expect("items").clone();
        items
            .iter()
            .map(|one| one["username"].as_str().expect("a name").to_owned())
            .collect()
    };
    assert!(listed(&root).contains(&"root".to_owned()));
    let seen = listed(&manager);
    assert!(
        seen.contains(&"li".to_owned()) && !seen.contains(&"root".to_owned()),
        "{seen:?}"
    );
    app.get(&app.staff("librarian", "M1"), "/api/v1/staff")
        .expect_problem(403, "forbidden");

    let patch = |token: &str, path: &str, body: Value| send(app, "PATCH", token, path, &body);
    let roles = json!([{"role": "courier", "unit_code": "M1"}]);
    let changed = patch(&manager, &path, json!({"name": "李老师", "roles": roles}))
        .expect(200)
        .body;
    assert_eq!(
        (&changed["name"], &changed["roles"], &changed["active"]),
        (&json!("李老师"), &roles, &json!(true))
    );
    patch(
        &manager,
        &path,
        json!({"roles": [{"role": "courier", "unit_code": "M2"}]}),
    )
    .expect_problem(403, "forbidden");
    patch(&manager, &path, json!({"roles": [{"role": "king", "unit_code": "M1"}]})).expect_fields(422, &["roles"]);
    let above = app.get(&root, "/api/v1/staff").expect(200).body["items"][0]["id"].clone();
    patch(&manager, &format!("/api/v1/staff/{above}"), json!({"active": false})).expect_problem(403, "forbidden");
    patch(&root, &format!("/api/v1/staff/{above}"), json!({"active": false})).expect_fields(422, &["active"]);
    patch(&root, "/api/v1/staff/1", json!({"active": false})).expect_problem(404, "not_found");

    let session = app
        .log_in(&json!({"username": "li", "password": PASSWORD, "unit_code": "M1"}))
        .expect(201)
        .body;
    let other = "another long password";
    let reset = |token: &str| {
        send(
            app,
            "PUT",
            token,
            &format!("{path}/password"),
            &json!({"password": other}),
        )
    };
    reset(&app.staff("unit_manager", "M2")).expect_problem(403, "forbidden");
    reset(&manager).expect(200);
    let refresh = json!({"refresh_token": session["refresh_token"]});
    app.request("POST", "/api/v1/sessions/refresh")
        .json(&refresh)
        .send()
        .expect_problem(401, "unauthenticated");
    app.log_in(&json!({"username": "li", "password": PASSWORD}))
        .expect_problem(401, "unauthenticated");
    app.log_in(&json!({"username": "li", "password": other})).expect(201);
    patch(&manager, &path, json!({"active": false})).expect(200);
    app.log_in(&json!({"username": "li", "password": other}))
        .expect_problem(401, "unauthenticated");
    send(
        app,
        "PUT",
        &manager,
        &format!("{path}/password"),
        &json!({"password": "short"}),
    )
    .expect_fields(422, &["password"]);
}

fn a_pin_is_set_by_its_reader_or_by_staff(app: &TestApp) {
    app.small_network();
    let (id, card) = app.reader("adult", "B1");
    let (other, _) = app.reader("adult", "B1");
    let token = app.reader_token(&card);
    let put = |token: &str, id: i64, body: Value| send(app, "PUT", token, &format!("/api/v1/readers/{id}/pin"), &body);
    put(&token, id, json!({"pin": "730915"})).expect_fields(422, &["old_pin"]);
    put(&token, id, json!({"pin": "730915", "old_pin": "999000"})).expect_fields(422, &["old_pin"]);
    put(&token, id, json!({"pin": "123456", "old_pin": PIN})).expect_fields(422, &["pin"]);
    put(&token, other, json!({"pin": "730915", "old_pin": PIN})).expect_problem(404, "not_found");
    let keyed = || {
        let request = app
            .request("PUT", &format!("/api/v1/readers/{id}/pin"))
            .bearer(&token)
            .key("k");
        request
            .json(&json!({"pin": "730915", "old_pin": PIN}))
            .send()
            .expect(200)
    };
    assert_eq!(keyed().body, json!({"reader_id": id}));
    assert_eq!(keyed().header("idempotency-replayed"), Some("true"));
    app.log_in(&json!({"card_number": card, "pin": PIN}))
        .expect_problem(401, "unauthenticated");
    app.log_in(&json!({"card_number": card, "pin": "730915"})).expect(201);

    put(&app.staff("librarian", "B1"), id, json!({"pin": "481516"})).expect(200);
    app.log_in(&json!({"card_number": card, "pin": "481516"})).expect(201);
    put(&app.staff("courier", "B1"), id, json!({"pin": "481517"})).expect_problem(403, "forbidden");
    put(&app.root_token(), 1, json!({"pin": "481517"})).expect_problem(404, "not_found");
    let unit = app.get(&app.root_token(), "/api/v1/units/B1").expect(200).body["id"]
        .as_i64()
        .expect("an id");
    app.device("K1", unit, "a secret of a device");
    let device = app
        .log_in(&json!({"device_code": "K1", "secret": "a secret of a device"}))
        .expect(201)
        .body;
    let device = device["access_token"].as_str().expect("a token").to_owned();
    put(&device, id, json!({"pin": "481517"})).expect_problem(403, "forbidden");
}

fn an_old_pin_is_guessed_no_faster_than_at_log_in(app: &TestApp) {
    app.small_network();
    let (id, card) = app.reader("adult", "B1");
    let token = app.reader_token(&card);
    let put = |body: Value| send(app, "PUT", &token, &format!("/api/v1/readers/{id}/pin"), &body);
    let wrong = || put(json!({"pin": "730915", "old_pin": "999000"}));
    let slowed = (0..20).map(|_| wrong()).find(|answer| answer.status == 429);
    let slowed = slowed.expect("slowed down within 20 guesses");
    assert!(slowed.header("retry-after").is_some());
    // The right one has to wait too, and then is taken; log-in was never in question.
    put(json!({"pin": "730915", "old_pin": PIN})).expect_problem(429, "too_many_log_ins");
    app.log_in(&json!({"card_number": card, "pin": PIN})).expect(201);
    app.clock.set(TestApp::now() + chrono::TimeDelta::minutes(14));
    put(json!({"pin": "730915", "old_pin": PIN})).expect(200);
}
