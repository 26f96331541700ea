//! Distribution: what districts send each other in crates, from the first scan to the last, and what goes wrong on the way.

use serde_json::{Value, json};
use tongjie::usecase::check::check;
use tongjie::usecase::progress::Silent;

use crate::app::{ROOT, TestApp};
use crate::client::Answer;
use crate::database::Engine;

on_both!(
    a_crate_is_packed_sent_and_unpacked_with_its_differences,
    an_item_goes_only_into_a_crate_for_where_it_goes,
    an_item_scanned_into_two_crates_at_once_lies_in_one,
    a_crate_unpacked_elsewhere_is_redirected_item_by_item,
    a_crate_unpacked_while_its_items_are_checked_in_elsewhere_loses_nothing,
    unpacking_that_was_cut_short_goes_on_where_it_ended,
    a_cut_short_call_sent_again_takes_nothing_in_twice,
    what_nobody_scanned_is_left_to_whoever_took_it_out,
    a_crates_event_counts_all_that_came_out_of_it,
    a_crate_has_a_slip_and_a_label_and_is_found_by_it,
    what_is_out_of_turn_is_refused_and_changes_nothing,
    a_cancelled_hold_lets_a_packed_copy_travel_and_its_arrival_decide,
    the_audit_finds_crates_that_contradict_their_journeys,
    a_database_of_before_keeps_its_journeys_both_ways,
);

/// The districts `M1` and `M2` with a branch each, all of which lend and take back each other's items.
pub fn network(app: &TestApp) {
    let joined = json!({"membership": [{"lend_away": true, "return_away": true, "readers_away": true}]});
    app.unit("C1", "central", ROOT, &joined);
    for n in ["1", "2"] {
        app.unit(&format!("M{n}"), "main", "C1", &json!({"name": format!("{n}区图书馆")}));
        app.unit(&format!("B{n}"), "branch", &format!("M{n}"), &json!({}));
    }
}

/// An item of `home`, given back at `at`: it waits there to be sent home.
pub fn returned(app: &TestApp, home: &str, at: &str) -> (i64, String) {
    let (id, barcode) = app.item(app.bib("三国演义", None), home, &json!({}));
    let back = scan(app, &app.staff_token("root", Some(at)), &barcode).expect(200);
    assert_eq!(back.body["next_step"]["to_unit_code"], home, "{}", back.body);
    (id, barcode)
}

/// A check-in.
pub fn scan(app: &TestApp, desk: &str, barcode: &str) -> Answer {
    app.post(desk, "/api/v1/check-ins", &json!({"item_barcode": barcode}))
}

/// A new crate; answers its address.
pub fn open(app: &TestApp, from: &str, to: &str) -> String {
    let body = json!({"from_unit_code": from, "to_unit_code": to});
    let made = app.post(&app.root_token(), "/api/v1/shipments", &body).expect(201);
    let address = format!("/api/v1/shipments/{}", made.id());
    assert_eq!(made.header("location"), Some(address.as_str()));
    address
}

pub fn pack(app: &TestApp, address: &str, barcode: &str) -> Answer {
    app.post(
        &app.root_token(),
        &format!("{address}/pack"),
        &json!({"item_barcode": barcode}),
    )
}

/// `close`, `send` and the like, by the root.
pub fn step(app: &TestApp, address: &str, act: &str) -> Answer {
    let token = app.staff_token("root", Some(ROOT));
    app.request("POST", &format!("{address}/{act}")).bearer(&token).send()
}

/// A sealed crate with these items on its way.
pub fn sent(app: &TestApp, from: &str, to: &str, barcodes: &[&str]) -> String {
    let address = open(app, from, to);
    for barcode in barcodes {
        pack(app, &address, barcode).expect(200);
    }
    step(app, &address, "close").expect(200);
    step(app, &address, "send").expect(200);
    address
}

pub fn look(app: &TestApp, address: &str) -> Value {
    app.get(&app.root_token(), address).expect(200).body
}

pub fn item_status(app: &TestApp, id: i64) -> String {
    let item = app.get(&app.root_token(), &format!("/api/v1/items/{id}")).expect(200);
    item.body["status"].as_str().expect("a status").to_owned()
}

/// The codes of a refusal.
#[track_caller]
pub fn refused(answer: Answer) -> Vec<String> {
    let answer = answer.expect_problem(409, "refused");
    let refusals = answer.body["refusals"].as_array().expect("refusals");
    refusals
        .iter()
        .filter_map(|one| one["code"].as_str().map(str::to_owned))
        .collect()
}

/// The audit finds nothing.
#[track_caller]
pub fn sound(app: &TestApp) {
    let findings = app.block_on(check(&app.app.store, &Silent)).expect("audited");
    let bad: Vec<_> = findings.iter().filter(|finding| finding.violations > 0).collect();
    assert!(bad.is_empty(), "{bad:?}");
}

fn results(receipt: &Value) -> Vec<(String, String)> {
    let items = receipt["items"].as_array().expect("items");
    let text = |value: &Value| value.as_str().expect("a text").to_owned();
    items
        .iter()
        .map(|one| (text(&one["item_barcode"]), text(&one["result"])))
        .collect()
}

fn a_crate_is_packed_sent_and_unpacked_with_its_differences(app: &TestApp) {
    network(app);
    let packer = app.staff("librarian", "M1");
    let items: Vec<(i64, String)> = (0..3).map(|_| returned(app, "M2", "M1")).collect();
    let (_, surplus) = returned(app, "M2", "M1");
    let made = app
        .post(&packer, "/api/v1/shipments", &json!({"to_unit_code": "M2"}))
        .expect(201)
        .body;
    assert_eq!(
        (&made["from_unit_code"], &made["status"]),
        (&json!("M1"), &json!("open"))
    );
    let address = format!("/api/v1/shipments/{}", made["id"]);
    for (_, barcode) in &items {
        let body = json!({"item_barcode": barcode});
        let packed = app.post(&packer, &format!("{address}/pack"), &body).expect(200).body;
        assert_eq!(
            (&packed["item"]["status"], &packed["repeated"]),
            (&json!("packed"), &json!(false))
        );
    }
    let again = pack(app, &address, &items[0].1).expect(200).body;
    assert_eq!(
        (&again["repeated"], &again["crate"]["items"]),
        (&json!(true), &json!(3))
    );
    assert_eq!(item_status(app, items[0].0), "awaiting_dispatch");
    step(app, &address, "close").expect(200);
    let sent = step(app, &address, "send").expect(200).body;
    assert_eq!((&sent["status"], &sent["items_sent"]), (&json!("sent"), &json!(3)));
    assert_eq!(item_status(app, items[0].0), "in_transit");
    sound(app);
    // At the other end: one is not in it, one is that is not on its list, and one barcode is nobody's.
    let desk = app.staff("librarian", "M2");
    let scans = json!({"item_barcodes": [items[0].1, items[1].1, surplus, "nobodys", items[0].1]});
    let receipt = app.post(&desk, &format!("{address}/receive"), &scans).expect(200).body;
    let said = |barcode: &str, result: &str| (barcode.to_owned(), result.to_owned());
    assert_eq!(
        results(&receipt),
        [
            said(&items[0].1, "received"),
            said(&items[1].1, "received"),
            said(&surplus, "surplus"),
            said("nobodys", "unknown"),
        ]
    );
    assert_eq!((&receipt["received"], &receipt["surplus"]), (&json!(2), &json!(1)));
    assert_eq!(receipt["outstanding"], json!([items[2].1]));
    assert_eq!(receipt["items"][0]["check_in"]["next_step"]["kind"], "shelf_here");
    assert_eq!(receipt["crate"]["status"], "received");
    assert_eq!(
        (item_status(app, items[1].0), item_status(app, items[2].0)),
        ("on_shelf".to_owned(), "in_transit".to_owned())
    );
    // It turns up on the floor of the van.
    let late = scan(app, &desk, &items[2].1).expect(200).body;
    assert_eq!(late["next_step"]["kind"], "shelf_here");
    sound(app);
}

fn an_item_goes_only_into_a_crate_for_where_it_goes(app: &TestApp) {
    network(app);
    let (_, home) = returned(app, "M2", "M1");
    let crate_to_c1 = open(app, "M1", "C1");
    let answer = pack(app, &crate_to_c1, &home).expect_problem(409, "refused");
    let refusal = &answer.body["refusals"][0];
    assert_eq!(refusal["code"], "wrong_crate");
    assert_eq!(refusal["params"], json!({"to": "2区图书馆", "crate_to": "C1 馆"}));
    assert_eq!(refusal["remedy_zh"], "请装入运往2区图书馆的周转箱");
    let (_, elsewhere) = returned(app, "M2", "C1");
    let right = open(app, "M1", "M2");
    assert_eq!(refused(pack(app, &right, &elsewhere)), ["waits_elsewhere"]);
    let (_, shelf) = app.item(app.bib("水浒传", None), "M1", &json!({}));
    assert_eq!(refused(pack(app, &right, &shelf)), ["not_travelling"]);
    pack(app, &right, "no-such").expect_fields(422, &["item_barcode"]);
    pack(app, &right, &home).expect(200);
    let other = open(app, "M1", "M2");
    assert_eq!(refused(pack(app, &other, &home)), ["packed_already"]);
    // Out of one, into the other.
    let out = json!({"item_barcode": home});
    let unpack = |address: &str| app.post(&app.root_token(), &format!("{address}/unpack"), &out);
    assert_eq!(unpack(&right).expect(200).body["items"], 0);
    unpack(&right).expect_problem(409, "wrong_state");
    pack(app, &other, &home).expect(200);
    // A closed crate opens when something is taken out of it.
    step(app, &other, "close").expect(200);
    let full = returned(app, "M2", "M1").1;
    pack(app, &other, &full).expect_problem(409, "wrong_state");
    assert_eq!(unpack(&other).expect(200).body["status"], "open");
    // A scan at the desk while it lies in a crate changes nothing.
    pack(app, &other, &home).expect(200);
    let desk = app.staff_token("root", Some("M1"));
    let again = scan(app, &desk, &home).expect(200).body;
    assert_eq!(again["next_step"]["to_unit_code"], "M2");
    assert_eq!(look(app, &other)["contents"][0]["status"], "packed");
    sound(app);
}

fn an_item_scanned_into_two_crates_at_once_lies_in_one(app: &TestApp) {
    network(app);
    for _ in 0..4 {
        let (_, barcode) = returned(app, "M2", "M1");
        let addresses = [open(app, "M1", "M2"), open(app, "M1", "M2")];
        let gate = std::sync::Barrier::new(2);
        let token = app.root_token();
        let mut statuses: Vec<u16> = std::thread::scope(|scope| {
            let both: Vec<_> = addresses
                .iter()
                .map(|address| {
                    let request = app
                        .request("POST", &format!("{address}/pack"))
                        .bearer(&token)
                        .json(&json!({"item_barcode": barcode}));
                    let gate = &gate;
                    scope.spawn(move || {
                        gate.wait();
                        request.send().status
                    })
                })
                .collect();
            both.into_iter().map(|one| one.join().expect("no panic")).collect()
        });
        statuses.sort_unstable();
        assert_eq!(statuses, [200, 409]);
        let lying: usize = addresses
            .iter()
            .map(|address| look(app, address)["contents"].as_array().expect("a list").len())
            .sum();
        assert_eq!(lying, 1);
    }
    sound(app);
}

fn a_crate_unpacked_elsewhere_is_redirected_item_by_item(app: &TestApp) {
    network(app);
    let (id, barcode) = returned(app, "M2", "M1");
    let address = sent(app, "M1", "M2", &[&barcode]);
    let desk = app.staff("librarian", "C1");
    let receive = |body: Value| app.post(&desk, &format!("{address}/receive"), &body);
    assert_eq!(refused(receive(json!({"all": true}))), ["crate_for_elsewhere"]);
    assert_eq!(item_status(app, id), "in_transit");
    let confirmed = json!({"all": true, "confirm": ["crate_for_elsewhere"]});
    let receipt = app
        .post_consenting(&desk, &format!("{address}/receive"), &confirmed)
        .expect(200)
        .body;
    let step = &receipt["items"][0]["check_in"]["next_step"];
    assert_eq!(
        (&step["kind"], &step["to_unit_code"], &step["reason"]),
        (&json!("crate"), &json!("M2"), &json!("redirect"))
    );
    // Scanned there once more it keeps its new journey, and it may be packed on.
    let again = scan(app, &desk, &barcode).expect(200).body;
    assert_eq!(
        (&again["repeated"], &again["next_step"]["reason"]),
        (&json!(true), &json!("redirect"))
    );
    let on = sent(app, "C1", "M2", &[&barcode]);
    let home = app.staff("librarian", "M2");
    let receipt = app
        .post(&home, &format!("{on}/receive"), &json!({"all": true}))
        .expect(200)
        .body;
    assert_eq!(receipt["items"][0]["check_in"]["next_step"]["kind"], "shelf_here");
    sound(app);
}

fn a_crate_unpacked_while_its_items_are_checked_in_elsewhere_loses_nothing(app: &TestApp) {
    network(app);
    let items: Vec<(i64, String)> = (0..6).map(|_| returned(app, "M2", "M1")).collect();
    let barcodes: Vec<&str> = items.iter().map(|(_, barcode)| barcode.as_str()).collect();
    let address = sent(app, "M1", "M2", &barcodes);
    let (desk, elsewhere) = (app.staff("librarian", "M2"), app.staff("librarian", "C1"));
    let gate = std::sync::Barrier::new(2);
    let receipt = std::thread::scope(|scope| {
        let unpacking = scope.spawn(|| {
            gate.wait();
            app.request("POST", &format!("{address}/receive"))
                .bearer(&desk)
                .json(&json!({"all": true}))
                .send()
        });
        let scanning = scope.spawn(|| {
            gate.wait();
            let scans = barcodes.iter().rev().map(|barcode| {
                let body = json!({"item_barcode": barcode});
                let request = app.request("POST", "/api/v1/check-ins").bearer(&elsewhere);
                request.json(&body).send()
            });
            scans.map(|answer| answer.status).collect::<Vec<u16>>()
        });
        let scanned = scanning.join().expect("no panic");
        assert!(scanned.iter().all(|status| *status == 200), "{scanned:?}");
        unpacking.join().expect("no panic")
    });
    receipt.expect(200);
    // Each is in one place: on the shelf at home, or on its way there from where it was scanned last.
    for (id, _) in &items {
        let status = item_status(app, *id);
        assert!(["on_shelf", "awaiting_dispatch"].contains(&status.as_str()), "{status}");
    }
    sound(app);
}

fn unpacking_that_was_cut_short_goes_on_where_it_ended(app: &TestApp) {
    network(app);
    let items: Vec<(i64, String)> = (0..2).map(|_| returned(app, "M2", "M1")).collect();
    let address = sent(app, "M1", "M2", &[&items[0].1, &items[1].1]);
    let desk = app.staff("librarian", "M2");
    // One item of a call that did not live to its end: what it wrote is what this writes.
    let body = json!({"item_barcodes": [items[0].1], "finish": false});
    let part = app.post(&desk, &format!("{address}/receive"), &body).expect(200).body;
    assert_eq!(
        (&part["received"], &part["crate"]["status"]),
        (&json!(1), &json!("sent"))
    );
    let call = || {
        app.request("POST", &format!("{address}/receive"))
            .bearer(&desk)
            .key("unpack-1")
            .json(&json!({"all": true}))
            .send()
            .expect(200)
    };
    let first = call();
    assert_eq!(
        (&first.body["received"], &first.body["outstanding"]),
        (&json!(1), &json!([]))
    );
    let events = "SELECT count(*) AS n FROM events";
    let before = app.database.outside().number(events);
    let second = call();
    assert_eq!(second.header("idempotency-replayed"), Some("true"));
    assert_eq!(
        (second.body, app.database.outside().number(events)),
        (first.body, before)
    );
    // The key of one crate is not good for another, and nothing comes out of that one.
    let (other, barcode) = returned(app, "M2", "M1");
    let second = sent(app, "M1", "M2", &[&barcode]);
    let reused = app
        .request("POST", &format!("{second}/receive"))
        .bearer(&desk)
        .key("unpack-1");
    reused
        .json(&json!({"all": true}))
        .send()
        .expect_problem(422, "idempotency_key_reused");
    assert_eq!(item_status(app, other), "in_transit");
    // Without the key it is simply over.
    app.post(&desk, &format!("{address}/receive"), &json!({"all": true}))
        .expect_problem(409, "wrong_state");
    sound(app);
}

/// What a call writes that dies before its end: all but its own answer.
fn forget(app: &TestApp, outcomes: &str) {
    let sql = format!("DELETE FROM idempotency_keys WHERE outcome LIKE '%\"{outcomes}\"%'");
    app.database.outside().run(&sql);
}

fn lend(app: &TestApp, desk: &str, barcode: &str) -> String {
    let (reader, card) = app.reader("adult", "M2");
    let body = json!({"item_barcode": barcode, "card_number": card});
    app.post(desk, "/api/v1/check-outs", &body).expect(201);
    format!("/api/v1/readers/{reader}/loans")
}

fn a_cut_short_call_sent_again_takes_nothing_in_twice(app: &TestApp) {
    network(app);
    let items: Vec<(i64, String)> = (0..2).map(|_| returned(app, "M2", "M1")).collect();
    let address = sent(app, "M1", "M2", &[&items[0].1, &items[1].1]);
    let desk = app.staff("librarian", "M2");
    let call = |key: &str, body: &Value| {
        let request = app.request("POST", &format!("{address}/receive")).bearer(&desk);
        request.key(key).json(body).send().expect(200).body
    };
    for (key, body) in [
        ("a", json!({"item_barcodes": [items[0].1, items[1].1], "finish": false})),
        (
            "b",
            json!({"item_barcodes": [items[0].1], "all": true, "finish": false}),
        ),
    ] {
        let first = call(key, &body);
        forget(app, "outstanding");
        let loans = lend(app, &desk, &items[0].1);
        let events = "SELECT count(*) AS n FROM events";
        let before = app.database.outside().number(events);
        assert_eq!(call(key, &body), first, "answered as it was");
        assert_eq!(app.database.outside().number(events), before);
        assert_eq!(item_status(app, items[0].0), "on_loan");
        assert_eq!(
            app.get(&desk, &loans).expect(200).body["items"][0]["status"],
            "open",
            "{key}"
        );
        app.clock.set(app.clock.now() + chrono::TimeDelta::minutes(2));
        scan(app, &desk, &items[0].1).expect(200);
        app.clock.set(app.clock.now() + chrono::TimeDelta::minutes(2));
    }
    sound(app);
}

fn what_nobody_scanned_is_left_to_whoever_took_it_out(app: &TestApp) {
    network(app);
    let items: Vec<(i64, String)> = (0..2).map(|_| returned(app, "M2", "M1")).collect();
    let address = sent(app, "M1", "M2", &[&items[0].1, &items[1].1]);
    let desk = app.staff("librarian", "M2");
    let call = || {
        let request = app.request("POST", &format!("{address}/receive")).bearer(&desk);
        let body = json!({"all": true, "finish": false});
        request.key("a").json(&body).send().expect(200).body
    };
    assert_eq!(call()["received"], 2);
    // The list of a call is as old as its beginning: another desk has lent one by the time its turn comes.
    forget(app, "outstanding");
    forget(app, "awaited");
    let loans = lend(app, &desk, &items[0].1);
    let again = call();
    assert_eq!((&again["items"], &again["surplus"]), (&json!([]), &json!(0)));
    assert_eq!(app.get(&desk, &loans).expect(200).body["items"][0]["status"], "open");
    sound(app);
}

fn a_crates_event_counts_all_that_came_out_of_it(app: &TestApp) {
    network(app);
    let items: Vec<(i64, String)> = (0..3).map(|_| returned(app, "M2", "M1")).collect();
    let barcodes: Vec<&str> = items.iter().map(|(_, barcode)| barcode.as_str()).collect();
    let address = sent(app, "M1", "M2", &barcodes);
    let desk = app.staff("librarian", "M2");
    let receive = |body: &Value| app.post(&desk, &format!("{address}/receive"), body).expect(200).body;
    receive(&json!({"item_barcodes": [barcodes[0]], "finish": false}));
    assert_eq!(receive(&json!({"item_barcodes": [barcodes[1]]}))["received"], 1);
    let told = "SELECT count(*) AS n FROM events WHERE kind = 'crate_received' \
                AND detail LIKE '%\"received\":2%' AND detail LIKE '%\"outstanding\":1%'";
    assert_eq!(app.database.outside().number(told), 1);
}

fn a_crate_has_a_slip_and_a_label_and_is_found_by_it(app: &TestApp) {
    network(app);
    let (_, barcode) = returned(app, "M2", "M1");
    let address = open(app, "M1", "M2");
    pack(app, &address, &barcode).expect(200);
    let desk = app.staff("librarian", "M1");
    let label = app.get(&desk, &format!("{address}/label")).expect(200).body;
    assert_eq!(
        (&label["to_unit_name"], &label["item_barcodes"]),
        (&json!("2区图书馆"), &json!([barcode]))
    );
    let text = label["label"].as_str().expect("a label");
    let slip = app.get(&desk, &format!("{address}/slip")).expect(200);
    assert_eq!(slip.header("content-type"), Some("application/pdf"));
    assert!(slip.bytes.starts_with(b"%PDF-"));
    let find = |token: &str, query: &str| app.get(token, &format!("/api/v1/shipments{query}"));
    let found = find(&desk, &format!("?label={}", text.to_lowercase())).expect(200).body;
    assert_eq!(found["items"][0]["label"], text);
    let mistyped = format!("{}9", &text[..text.len() - 1]);
    let wrong = if mistyped == text {
        text.replace('0', "1")
    } else {
        mistyped
    };
    find(&desk, &format!("?label={wrong}")).expect_fields(422, &["label"]);
    // The other end sees it, and nobody else.
    let (there, elsewhere) = (app.staff("librarian", "M2"), app.staff("librarian", "B1"));
    find(&there, "?to_unit_code=M2").expect(200);
    assert_eq!(
        app.get(&there, &address).expect(200).body["contents"][0]["item_barcode"],
        barcode
    );
    app.get(&elsewhere, &address).expect_problem(403, "forbidden");
    find(&elsewhere, "?to_unit_code=M2").expect_problem(403, "forbidden");
    let hidden = find(&elsewhere, &format!("?label={text}")).expect(200).body;
    assert_eq!(hidden["items"], json!([]));
    find(&desk, "?status=eaten").expect_fields(422, &["status"]);
}

fn what_is_out_of_turn_is_refused_and_changes_nothing(app: &TestApp) {
    network(app);
    let (_, barcode) = returned(app, "M2", "M1");
    let address = open(app, "M1", "M2");
    for act in ["send", "close"] {
        step(app, &address, act).expect_problem(409, "wrong_state");
    }
    let receive = |desk: &str| app.post(desk, &format!("{address}/receive"), &json!({"all": true}));
    let desk = app.staff("librarian", "M2");
    receive(&desk).expect_problem(409, "wrong_state");
    pack(app, &address, &barcode).expect(200);
    step(app, &address, "cancel").expect_problem(409, "wrong_state");
    step(app, &address, "close").expect(200);
    let at_home = app.staff("librarian", "M1");
    receive(&at_home).expect_problem(409, "wrong_state");
    // It was carried over without being sent: it is here all the same.
    assert_eq!(receive(&desk).expect(200).body["received"], 1);
    for act in ["send", "close", "cancel"] {
        step(app, &address, act).expect_problem(409, "wrong_state");
    }
    let empty = open(app, "M1", "M2");
    assert_eq!(step(app, &empty, "cancel").expect(200).body["status"], "cancelled");
    let new = |body: Value| app.post(&at_home, "/api/v1/shipments", &body);
    new(json!({"to_unit_code": "M1"})).expect_fields(422, &["to_unit_code"]);
    new(json!({"to_unit_code": "X"})).expect_fields(422, &["to_unit_code"]);
    new(json!({})).expect_fields(422, &["to_unit_code"]);
    new(json!({"route_code": "R9", "stop": 1})).expect_fields(422, &["route_code"]);
    new(json!({"from_unit_code": "M2", "to_unit_code": "M1"})).expect_problem(403, "forbidden");
    step(app, "/api/v1/shipments/1", "close").expect_problem(404, "not_found");
    sound(app);
}

fn a_cancelled_hold_lets_a_packed_copy_travel_and_its_arrival_decide(app: &TestApp) {
    network(app);
    let bib = app.bib("西游记", None);
    let (item, barcode) = app.item(bib, "M1", &json!({}));
    let (_, borrower) = app.reader("adult", "M1");
    let (_, holder) = app.reader("adult", "M2");
    let (desk, there) = (app.staff("librarian", "M1"), app.staff("librarian", "M2"));
    let out = json!({"item_barcode": barcode, "card_number": borrower});
    app.post(&desk, "/api/v1/check-outs", &out).expect(201);
    let hold = json!({"bib_id": bib, "pickup_unit_code": "M2", "card_number": holder});
    let hold = app.post(&there, "/api/v1/holds", &hold).expect(201).body["hold"]["id"].clone();
    scan(app, &desk, &barcode).expect(200);
    let address = open(app, "M1", "M2");
    pack(app, &address, &barcode).expect(200);
    let path = format!("/api/v1/holds/{hold}");
    app.request("DELETE", &path).bearer(&there).send().expect(200);
    assert_eq!(look(app, &address)["contents"][0]["status"], "packed");
    step(app, &address, "close").expect(200);
    step(app, &address, "send").expect(200);
    sound(app);
    let receipt = app
        .post(&there, &format!("{address}/receive"), &json!({"all": true}))
        .expect(200)
        .body;
    assert_eq!(receipt["items"][0]["check_in"]["next_step"]["to_unit_code"], "M1");
    assert_eq!(item_status(app, item), "awaiting_dispatch");
    sound(app);
}

fn the_audit_finds_crates_that_contradict_their_journeys(app: &TestApp) {
    network(app);
    let (_, travelling) = returned(app, "M2", "M1");
    let (_, packed) = returned(app, "M2", "M1");
    let gone = sent(app, "M1", "M2", &[&travelling]);
    let here = open(app, "M1", "M2");
    pack(app, &here, &packed).expect(200);
    let id = |address: &str| address.rsplit('/').next().expect("an id").to_owned();
    let damage = [
        (
            format!(
                "UPDATE crates SET status = 'open', sent_at = NULL WHERE id = {}",
                id(&gone)
            ),
            "has not left",
        ),
        (
            format!(
                "UPDATE crates SET status = 'sent', sent_at = 1 WHERE id = {}",
                id(&here)
            ),
            "is not being packed",
        ),
    ];
    for (sql, words) in damage {
        app.database.outside().run(&sql);
        let findings = app.block_on(check(&app.app.store, &Silent)).expect("audited");
        let told = findings.iter().flat_map(|finding| &finding.examples);
        assert!(told.clone().any(|line| line.contains(words)), "{sql}: {findings:?}");
    }
}

/// The statements of a migration, one by one.
fn statements(sql: &str) -> Vec<String> {
    let code = sql.lines().map(|line| line.split("--").next().unwrap_or_default());
    let code: Vec<&str> = code.collect();
    let parts = code.join("\n");
    parts
        .split(';')
        .map(str::trim)
        .filter(|part| !part.is_empty())
        .map(str::to_owned)
        .collect()
}

fn a_database_of_before_keeps_its_journeys_both_ways(app: &TestApp) {
    // Bins of sorters name routes: they go first and come back last.
    let there_and_back = match app.database.engine {
        Engine::Sqlite => [
            include_str!("../../migrations/sqlite/2026-11-22-000054_sorters/down.sql"),
            include_str!("../../migrations/sqlite/2026-11-22-000012_distribution/down.sql"),
            include_str!("../../migrations/sqlite/2026-11-22-000012_distribution/up.sql"),
            include_str!("../../migrations/sqlite/2026-11-22-000054_sorters/up.sql"),
        ],
        Engine::Postgres => [
            include_str!("../../migrations/postgres/2026-11-22-000054_sorters/down.sql"),
            include_str!("../../migrations/postgres/2026-11-22-000012_distribution/down.sql"),
            include_str!("../../migrations/postgres/2026-11-22-000012_distribution/up.sql"),
            include_str!("../../migrations/postgres/2026-11-22-000054_sorters/up.sql"),
        ],
    };
    network(app);
    let (waits, _) = returned(app, "M2", "M1");
    let (travels, travelling) = returned(app, "M2", "M1");
    let (packed, boxed) = returned(app, "M2", "M1");
    let (arrived, there) = returned(app, "M2", "M1");
    sent(app, "M1", "M2", &[&travelling]);
    pack(app, &open(app, "M1", "M2"), &boxed).expect(200);
    scan(app, &app.staff("librarian", "M2"), &there).expect(200);
    let mut outside = app.database.outside();
    let steps = there_and_back.into_iter().flat_map(statements);
    steps.for_each(|one| outside.run(&one));
    for (item, status) in [
        (waits, "awaiting_dispatch"),
        (travels, "sent"),
        (packed, "awaiting_dispatch"),
        (arrived, "received"),
    ] {
        let found = format!("SELECT count(*) AS n FROM transits WHERE item_id = {item} AND status = '{status}'");
        assert_eq!(app.database.outside().number(&found), 1, "{status}");
    }
    sound(app);
    // And the program goes on with it.
    let home = app.staff("librarian", "M2");
    assert_eq!(
        scan(app, &home, &travelling).expect(200).body["next_step"]["kind"],
        "shelf_here"
    );
}
