//! Ownership: proposed with a document, accepted by the other side, one event each; and never changed by floating.

use serde_json::{Value, json};
use tongjie::usecase::settle_transfer::carry_on_transfers;

use crate::app::TestApp;
use crate::client::Answer;
use crate::distribution::{network, scan, sound};

on_both!(
    items_change_owners_when_the_other_side_accepts,
    a_proposal_that_is_declined_or_withdrawn_changes_nothing,
    every_wrong_item_of_a_proposal_is_named,
    a_bound_set_changes_owners_whole,
    what_happened_meanwhile_is_told_item_by_item,
    floating_never_changes_the_owner,
);

fn proposal(app: &TestApp, items: &[i64]) -> Value {
    json!({"document_number": format!("产〔2026〕{}号", app.next()), "document_day": "2026-03-01", "reason": "调拨至新馆",
        "from_owner_unit_code": "M1", "to_owner_unit_code": "M2", "item_ids": items})
}

fn propose(app: &TestApp, token: &str, body: &Value) -> Answer {
    app.post(token, "/api/v1/ownership-transfers", body)
}

fn address(answer: &Answer) -> String {
    format!("/api/v1/ownership-transfers/{}", answer.id())
}

fn owner(app: &TestApp, item: i64) -> String {
    let item = app.get(&app.root_token(), &format!("/api/v1/items/{item}")).expect(200);
    item.body["owner_unit_code"].as_str().expect("a code").to_owned()
}

/// Items of M1.
fn items(app: &TestApp, count: usize) -> Vec<i64> {
    let bib = app.bib("三国演义", None);
    (0..count).map(|_| app.item(bib, "M1", &json!({})).0).collect()
}

fn items_change_owners_when_the_other_side_accepts(app: &TestApp) {
    network(app);
    let owned = items(app, 60);
    let (giver, taker) = (app.staff("unit_manager", "M1"), app.staff("unit_manager", "M2"));
    // One is out on loan: it changes owners all the same, and its loan goes on.
    let (reader, card) = app.reader("adult", "M1");
    let item = app.get(&giver, &format!("/api/v1/items/{}", owned[0])).expect(200).body;
    let out = json!({"item_barcode": item["barcode"], "card_number": card});
    app.post(&app.staff("librarian", "M1"), "/api/v1/check-outs", &out)
        .expect(201);
    propose(app, &taker, &proposal(app, &owned)).expect_problem(403, "forbidden");
    let body = proposal(app, &owned);
    let made = propose(app, &giver, &body).expect(201);
    assert_eq!(
        (&made.body["status"], &made.body["pending"], &made.body["moved"]),
        (&json!("proposed"), &json!(60), &json!(0))
    );
    assert_eq!(owner(app, owned[0]), "M1");
    let address = address(&made);
    let accept = || {
        app.request("POST", &format!("{address}/accept"))
            .bearer(&taker)
            .key("accept-1")
            .send()
    };
    app.post(&giver, &format!("{address}/accept"), &json!({}))
        .expect_problem(403, "forbidden");
    let accepted = accept().expect(200).body;
    assert_eq!(
        (
            &accepted["status"],
            &accepted["pending"],
            &accepted["moved"],
            &accepted["not_moved"]
        ),
        (&json!("accepted"), &json!(0), &json!(60), &json!(0))
    );
    assert!(owned.iter().all(|item| owner(app, *item) == "M2"));
    let events = "SELECT count(*) AS n FROM events WHERE kind = 'owner_changed'";
    assert_eq!(app.database.outside().number(events), 60);
    assert_eq!(accept().expect(200).header("idempotency-replayed"), Some("true"));
    assert_eq!(app.database.outside().number(events), 60);
    app.post(&taker, &format!("{address}/accept"), &json!({}))
        .expect_problem(409, "wrong_state");
    // The items stand where they stood; the statistics of the new owner begin with its first event.
    let stays = app.get(&taker, &format!("/api/v1/items/{}", owned[1])).expect(200).body;
    assert_eq!(
        (&stays["home_unit_code"], &stays["status"]),
        (&json!("M1"), &json!("on_shelf"))
    );
    let loans = app
        .get(&app.root_token(), &format!("/api/v1/readers/{reader}/loans"))
        .expect(200);
    assert_eq!(loans.body["items"].as_array().map(Vec::len), Some(1));
    let listed = app
        .get(&taker, "/api/v1/ownership-transfers?status=accepted")
        .expect(200)
        .body;
    assert_eq!(listed["items"][0]["document_number"], body["document_number"]);
    let elsewhere = app.staff("unit_manager", "B1");
    assert_eq!(
        app.get(&elsewhere, "/api/v1/ownership-transfers").expect(200).body["items"],
        json!([])
    );
    app.get(&elsewhere, &address).expect_problem(403, "forbidden");
    sound(app);
}

fn a_proposal_that_is_declined_or_withdrawn_changes_nothing(app: &TestApp) {
    network(app);
    let owned = items(app, 2);
    let (giver, taker) = (app.staff("unit_manager", "M1"), app.staff("unit_manager", "M2"));
    let why = json!({"reason": "缺页"});
    let first = address(&propose(app, &giver, &proposal(app, &owned)).expect(201));
    app.post(&giver, &format!("{first}/decline"), &why)
        .expect_problem(403, "forbidden");
    let declined = app.post(&taker, &format!("{first}/decline"), &why).expect(200).body;
    assert_eq!(
        (&declined["status"], &declined["answer"], &declined["not_moved"]),
        (&json!("declined"), &json!("缺页"), &json!(2))
    );
    app.post(&taker, &format!("{first}/accept"), &json!({}))
        .expect_problem(409, "wrong_state");
    // The items are free for another proposal.
    let second = address(&propose(app, &giver, &proposal(app, &owned)).expect(201));
    app.post(&taker, &format!("{second}/withdraw"), &why)
        .expect_problem(403, "forbidden");
    app.post(&giver, &format!("{second}/withdraw"), &why).expect(200);
    app.post(&giver, &format!("{second}/withdraw"), &json!({"reason": " "}))
        .expect_fields(400, &["reason"]);
    let detail = app.get(&giver, &second).expect(200).body;
    assert_eq!(detail["items"][1]["outcome"], "kept");
    assert_eq!(
        (owner(app, owned[0]), owner(app, owned[1])),
        ("M1".to_owned(), "M1".to_owned())
    );
    sound(app);
}

fn every_wrong_item_of_a_proposal_is_named(app: &TestApp) {
    network(app);
    let giver = app.staff("unit_manager", "M1");
    let owned = items(app, 3);
    let bib = app.bib("水浒传", None);
    let (theirs, _) = app.item(bib, "M2", &json!({}));
    let (taken, barcode) = app.item(bib, "M1", &json!({}));
    app.item(bib, "M2", &json!({"barcode": barcode}));
    let (gone, _) = app.item(bib, "M1", &json!({}));
    let path = format!("/api/v1/items/{gone}/withdrawal");
    app.post(&app.root_token(), &path, &json!({"reason": "破损"}))
        .expect(200);
    propose(app, &giver, &proposal(app, &owned[..1])).expect(201);
    let bad = [owned[0], owned[1], owned[1], theirs, taken, gone, 1];
    let answer = propose(app, &giver, &proposal(app, &bad)).expect_problem(422, "invalid_fields");
    let reasons: Vec<&str> = answer.body["errors"]
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(|error| error["reason"].as_str())
        .collect();
    let of = |item: i64, fault: &str| format!("item {item}: {fault}");
    assert_eq!(
        reasons,
        [
            of(owned[0], "is part of another open proposal"),
            of(owned[1], "is named twice"),
            of(theirs, "is not the giving owner's"),
            of(taken, "the new owner has an item with its barcode"),
            of(gone, "is withdrawn"),
            of(1, "there is no such item"),
        ]
    );
    let with = |member: &str, value: Value| {
        let mut body = proposal(app, &owned[1..]);
        body[member] = value;
        propose(app, &giver, &body)
    };
    with("item_ids", json!([])).expect_fields(422, &["item_ids"]);
    with("to_owner_unit_code", json!("M1")).expect_fields(422, &["to_owner_unit_code"]);
    with("document_day", json!("2026-03-05")).expect_fields(422, &["document_day"]);
    let twice = proposal(app, &owned[1..2]);
    propose(app, &giver, &twice).expect(201);
    let mut again = proposal(app, &owned[2..]);
    again["document_number"] = twice["document_number"].clone();
    propose(app, &giver, &again).expect_fields(422, &["document_number"]);
}

fn a_bound_set_changes_owners_whole(app: &TestApp) {
    network(app);
    let (giver, taker) = (app.staff("unit_manager", "M1"), app.staff("unit_manager", "M2"));
    let owned = items(app, 4);
    let bind = |part: i64, host: i64| {
        let path = format!("/api/v1/items/{part}");
        let body = json!({"bound_into_item_id": host});
        app.request("PATCH", &path)
            .bearer(&giver)
            .json(&body)
            .send()
            .expect(200);
    };
    bind(owned[1], owned[0]);
    for half in [&owned[..1], &owned[1..2]] {
        propose(app, &giver, &proposal(app, half)).expect_fields(422, &["item_ids"]);
    }
    let made = propose(app, &giver, &proposal(app, &owned[..3])).expect(201);
    // Bound with one that is not named, after it was proposed.
    bind(owned[2], owned[3]);
    app.post(&taker, &format!("{}/accept", address(&made)), &json!({}))
        .expect(200);
    let owners: Vec<String> = owned.iter().map(|item| owner(app, *item)).collect();
    assert_eq!(owners, ["M2", "M2", "M1", "M1"]);
    sound(app);
}

fn what_happened_meanwhile_is_told_item_by_item(app: &TestApp) {
    network(app);
    let (giver, taker) = (app.staff("unit_manager", "M1"), app.staff("unit_manager", "M2"));
    let bib = app.bib("水浒传", None);
    let (fine, _) = app.item(bib, "M1", &json!({}));
    let (taken, barcode) = app.item(bib, "M1", &json!({}));
    let (gone, _) = app.item(bib, "M1", &json!({}));
    let address = address(&propose(app, &giver, &proposal(app, &[fine, taken, gone])).expect(201));
    app.item(bib, "M2", &json!({"barcode": barcode}));
    let path = format!("/api/v1/items/{gone}/withdrawal");
    app.post(&app.root_token(), &path, &json!({"reason": "破损"}))
        .expect(200);
    let accepted = app
        .post(&taker, &format!("{address}/accept"), &json!({}))
        .expect(200)
        .body;
    assert_eq!((&accepted["moved"], &accepted["not_moved"]), (&json!(1), &json!(2)));
    let detail = app.get(&taker, &address).expect(200).body;
    let outcomes: Vec<&str> = detail["items"]
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(|item| item["outcome"].as_str())
        .collect();
    assert_eq!(outcomes, ["moved", "barcode_taken", "kept"]);
    // A power cut after the word was given: the job does what is left.
    let rest = items(app, 2);
    let made = propose(app, &giver, &proposal(app, &rest)).expect(201);
    app.database.outside().run(&format!(
        "UPDATE ownership_transfers SET status = 'accepted', settled_at = proposed_at WHERE id = {}",
        made.id()
    ));
    app.block_on(carry_on_transfers(&app.app.store)).expect("runs");
    app.block_on(carry_on_transfers(&app.app.store)).expect("runs again");
    assert!(rest.iter().all(|item| owner(app, *item) == "M2"));
    sound(app);
}

fn floating_never_changes_the_owner(app: &TestApp) {
    let joined = json!({"membership": [{"lend_away": true, "return_away": true, "readers_away": true}]});
    app.unit("C1", "central", crate::app::ROOT, &joined);
    let floats = json!({"collections": [{"code": "f", "name": "漂流", "return_policy": "float"}]});
    app.unit("M1", "main", "C1", &floats);
    app.unit("M2", "main", "C1", &json!({}));
    let (item, barcode) = app.item(app.bib("西游记", None), "M1", &json!({"collection_code": "f"}));
    let (_, card) = app.reader("adult", "M1");
    for desk in ["M1", "M2"] {
        let out = json!({"item_barcode": barcode, "card_number": card});
        app.post(&app.staff("librarian", desk), "/api/v1/check-outs", &out)
            .expect(201);
        let back = scan(app, &app.staff("librarian", "M2"), &barcode).expect(200).body;
        assert_eq!(back["next_step"]["kind"], "shelf_here");
        let item = app
            .get(&app.root_token(), &format!("/api/v1/items/{item}"))
            .expect(200)
            .body;
        assert_eq!(
            (
                &item["owner_unit_code"],
                &item["home_unit_code"],
                &item["current_unit_code"]
            ),
            (&json!("M1"), &json!("M1"), &json!("M2"))
        );
        app.clock.set(app.clock.now() + chrono::TimeDelta::minutes(5));
    }
    sound(app);
}
