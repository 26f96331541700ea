//! Two people do different things to one item at the same time: one of them is first, and nothing contradicts itself.

use std::thread;

use serde_json::{Value, json};

use crate::app::TestApp;
use crate::item_life::{World, world};

on_both!(
    a_claim_meets_a_check_in,
    a_missing_item_meets_a_check_out,
    two_report_the_same_item_missing
);

const ROUNDS: usize = 6;

/// Sends both at once; answers their status codes.
fn both(app: &TestApp, first: (&str, &str, &Value), second: (&str, &str, &Value)) -> (u16, u16) {
    let address = app.address;
    let send = move |(token, path, body): (&str, &str, &Value)| {
        let request = crate::client::Request::new(address, "POST", path)
            .bearer(token)
            .json(body);
        request.send().status
    };
    thread::scope(|scope| {
        let other = scope.spawn(move || send(second));
        (send(first), other.join().expect("sent"))
    })
}

fn status(app: &TestApp, world: &World) -> String {
    let item = app
        .get(&world.desk, &format!("/api/v1/items/{}", world.item))
        .expect(200);
    item.body["status"].as_str().expect("a status").to_owned()
}

fn a_claim_meets_a_check_in(app: &TestApp) {
    let world = world(app);
    let (own, back) = (app.reader_token(&world.card), json!({"item_barcode": world.barcode}));
    for _ in 0..ROUNDS {
        let loan = world.lend(app, &world.card);
        let claims = format!("/api/v1/loans/{loan}/claims");
        let said = json!({});
        let answers = both(app, (&own, &claims, &said), (&world.desk, "/api/v1/check-ins", &back));
        // Either the return was first and there is nothing to claim, or the claim stops the desk, which has to look.
        let expected = if status(app, &world) == "claimed_returned" {
            (200, 409)
        } else {
            (409, 200)
        };
        assert_eq!(answers, expected);
        app.assert_sound();
        world
            .check_in(app, &json!({"confirm": ["claim_unresolved"]}))
            .expect(200);
        assert_eq!(status(app, &world), "on_shelf");
    }
}

fn a_missing_item_meets_a_check_out(app: &TestApp) {
    let world = world(app);
    let out = json!({"item_barcode": world.barcode, "card_number": world.card});
    let missing = format!("/api/v1/items/{}/missing", world.item);
    for _ in 0..ROUNDS {
        let nothing = json!({});
        let answers = both(
            app,
            (&world.desk, &missing, &nothing),
            (&world.desk, "/api/v1/check-outs", &out),
        );
        let gone = status(app, &world) == "missing";
        assert_eq!(answers, if gone { (200, 409) } else { (409, 201) });
        app.assert_sound();
        let said = json!({"overrides": {"codes": ["missing_found"], "reason": "找到了"}});
        world.check_in(app, &said).expect(200);
    }
}

fn two_report_the_same_item_missing(app: &TestApp) {
    let world = world(app);
    let missing = format!("/api/v1/items/{}/missing", world.item);
    let nothing = json!({});
    let mut answers: [u16; 2] = both(
        app,
        (&world.desk, &missing, &nothing),
        (&world.desk, &missing, &nothing),
    )
    .into();
    answers.sort_unstable();
    assert_eq!(answers, [200, 409]);
    app.assert_sound();
}
