//! The outbox and the carrier behind it: down, slow, talking nonsense, answering twice, and simulated.

use std::io::{Read, Write};
use std::net::TcpListener;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

use chrono::TimeDelta;
use serde_json::{Value, json};
use tongjie::config::Config;
use tongjie::delivery::http_carrier::{HttpCarrier, SharedCarrier};
use tongjie::delivery::simulator::{self, Behaviour};
use tongjie::domain::schedule::{ADDRESS_ERASURE, CARRIER_OUTBOX};
use tongjie::usecase::UseCaseError;
use tongjie::usecase::book_carrier::{BookCarrier, CARRIER};
use tongjie::usecase::deliver_outbox::DeliverOutbox;
use tongjie::usecase::erase_addresses::EraseAddresses;
use tongjie::usecase::expire_keys::expire_keys;
use tongjie::usecase::run_job::{Ran, run_job};

use crate::app::{REPORT_SECRET, TestApp, run_with};
use crate::database::Engine;
use crate::parcel_scene::{Shop, address, reported};

macro_rules! with_carrier {
    ($($scenario:ident),* $(,)?) => {
        mod sqlite {
            $(#[test] fn $scenario() { super::with_carrier(crate::database::Engine::Sqlite, super::$scenario); })*
        }
        mod postgres {
            $(#[test] fn $scenario() { super::with_carrier(crate::database::Engine::Postgres, super::$scenario); })*
        }
    };
}

with_carrier!(
    a_carrier_that_is_down_or_talks_nonsense_is_asked_again_under_the_same_key,
    a_carrier_that_says_no_is_not_asked_again_until_staff_say_so,
    a_node_that_died_while_it_sent_leaves_a_row_that_is_tried_again,
    two_nodes_tell_a_row_once,
    a_return_is_fetched_from_the_readers_address,
    addresses_go_thirty_days_after_the_end,
    a_number_given_by_staff_ends_a_booking_that_was_not_made,
    a_fetch_that_the_carrier_refused_is_booked_again,
    a_carrier_that_does_not_know_us_is_asked_again,
    an_address_that_cannot_be_read_keeps_nothing_behind_it_waiting,
    what_was_told_is_forgotten_after_ninety_days,
);

const OK: &str = r#"{"tracking_number": "SF42"}"#;

fn with_carrier(engine: Engine, scenario: fn(&TestApp)) {
    run_with(
        engine,
        |config| config.delivery.carrier_url = Some("http://127.0.0.1:9".into()),
        scenario,
    );
}

/// A carrier that answers each booking with the next of these: status and body. Status 0: it says nothing at all.
fn scripted(answers: Vec<(u16, &'static str)>) -> (String, Receiver<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let url = format!("http://{}", listener.local_addr().expect("an address"));
    let (asked, requests) = channel();
    std::thread::spawn(move || {
        let mut silent = Vec::new();
        for (status, body) in answers {
            let (mut stream, _) = listener.accept().expect("asked");
            let mut request = String::new();
            let mut some = [0; 4096];
            while !request.ends_with('}') {
                let n = stream.read(&mut some).expect("readable");
                request.push_str(&String::from_utf8_lossy(&some[..n]));
            }
            asked.send(request).expect("the test looks");
            if status == 0 {
                silent.push(stream);
                continue;
            }
            let head = format!(
                "HTTP/1.1 {status} X\r\nContent-Length: {}\r\nConnection: close\r\n\r\n",
                body.len()
            );
            stream.write_all((head + body).as_bytes()).expect("answered");
        }
    });
    (url, requests)
}

fn carrier(app: &TestApp, url: &str) -> Arc<DeliverOutbox<BookCarrier<SharedCarrier>>> {
    let mut config: Config = app.app.config.clone();
    config.delivery.carrier_url = Some(url.to_owned());
    config.delivery.timeout_ms = 300;
    let carrier = HttpCarrier::of(&config.delivery).expect("configured");
    Arc::new(DeliverOutbox(BookCarrier(SharedCarrier(carrier))))
}

fn tell(app: &TestApp, pass: &Arc<DeliverOutbox<BookCarrier<SharedCarrier>>>) -> Ran {
    let run = run_job(&app.app.store, "a", CARRIER_OUTBOX, pass, || false);
    app.block_on(run).expect("runs")
}

fn later(app: &TestApp, seconds: i64) {
    app.clock.set(app.clock.now() + TimeDelta::seconds(seconds));
}

fn dispatched(app: &TestApp) -> (Shop, i64) {
    let shop = Shop::open(app);
    let (request, barcodes) = shop.asked(app, 1, "follow");
    let parcel = shop.packed(app, request, &barcodes).body["parcel"]["id"]
        .as_i64()
        .expect("an id");
    let sent = shop.dispatch(app, parcel, json!({})).expect(200);
    assert_eq!(sent.body["parcel"]["booking"], "waiting");
    (shop, parcel)
}

fn shown(app: &TestApp, id: i64) -> Value {
    let desk = app.staff("librarian", "M1");
    app.get(&desk, &format!("/api/v1/parcels/{id}")).expect(200).body["parcel"].clone()
}

fn a_carrier_that_is_down_or_talks_nonsense_is_asked_again_under_the_same_key(app: &TestApp) {
    let (_, id) = dispatched(app);
    let down = carrier(app, "http://127.0.0.1:1");
    tell(app, &down);
    assert_eq!(shown(app, id)["booking"], "retrying");
    let answers = vec![
        (503, "busy"),
        (0, ""),
        (200, "<html>"),
        (200, r#"{"tracking_number": "a b"}"#),
        (201, OK),
    ];
    let (url, requests) = scripted(answers);
    let pass = carrier(app, &url);
    let mut keys = Vec::new();
    for turn in 0..5 {
        later(app, 4_000);
        tell(app, &pass);
        let request = requests.recv_timeout(Duration::from_secs(20)).expect("asked");
        let key = request
            .lines()
            .find(|line| line.to_ascii_lowercase().starts_with("idempotency-key"));
        keys.push(key.expect("a key").to_ascii_lowercase());
        if turn < 4 {
            let parcel = shown(app, id);
            assert_eq!(
                (&parcel["booking"], &parcel["tracking_number"]),
                (&json!("retrying"), &Value::Null),
                "{turn}"
            );
            assert!(!parcel["booking_error"].to_string().contains("江汉路"));
        } else {
            assert!(
                request.contains("江汉路 1 号") && request.contains("+8613800138000"),
                "{request}"
            );
        }
    }
    keys.dedup();
    assert_eq!(keys, [format!("idempotency-key: parcel-{id}")]);
    let parcel = shown(app, id);
    assert_eq!(
        (&parcel["booking"], &parcel["tracking_number"]),
        (&json!("done"), &json!("SF42"))
    );
    later(app, 4_000);
    assert_eq!(
        tell(app, &pass),
        Ran::Finished {
            looked_at: 0,
            changed: 0
        },
        "told once"
    );
    app.assert_sound();
}

fn a_carrier_that_says_no_is_not_asked_again_until_staff_say_so(app: &TestApp) {
    let (_, id) = dispatched(app);
    let (url, requests) = scripted(vec![(422, "{}"), (201, OK)]);
    let pass = carrier(app, &url);
    tell(app, &pass);
    requests.recv_timeout(Duration::from_secs(20)).expect("asked");
    let parcel = shown(app, id);
    assert_eq!(
        (&parcel["booking"], &parcel["booking_error"]),
        (&json!("failed"), &json!("the carrier answered 422"))
    );
    later(app, 100_000);
    assert_eq!(
        tell(app, &pass),
        Ran::Finished {
            looked_at: 0,
            changed: 0
        }
    );
    let desk = app.staff("librarian", "M1");
    let again = app
        .post(&desk, &format!("/api/v1/parcels/{id}/dispatch"), &json!({}))
        .expect(200);
    assert_eq!(again.body["parcel"]["booking"], "waiting");
    later(app, 10);
    tell(app, &pass);
    assert_eq!(shown(app, id)["booking"], "done");
    app.assert_sound();
}

fn a_node_that_died_while_it_sent_leaves_a_row_that_is_tried_again(app: &TestApp) {
    let (_, id) = dispatched(app);
    // It claimed the row, and was killed.
    let claimed = app.block_on(app.app.store.write(move |tx| {
        let row = tx.outbox_of(CARRIER, id)?.expect("a row");
        let again_at = tx.now() + TimeDelta::seconds(30);
        tx.claim_outbox(&row, again_at).map_err(UseCaseError::from)
    }));
    assert!(claimed.expect("written"));
    let (url, requests) = scripted(vec![(200, OK)]);
    let pass = carrier(app, &url);
    assert_eq!(
        tell(app, &pass),
        Ran::Finished {
            looked_at: 0,
            changed: 0
        },
        "it might still be sending"
    );
    later(app, 31);
    assert_eq!(
        tell(app, &pass),
        Ran::Finished {
            looked_at: 1,
            changed: 1
        }
    );
    let request = requests.recv_timeout(Duration::from_secs(20)).expect("asked");
    assert!(request.contains(&format!("parcel-{id}")));
    assert_eq!(shown(app, id)["booking"], "done");
}

fn two_nodes_tell_a_row_once(app: &TestApp) {
    let (_, id) = dispatched(app);
    let take = || {
        app.app.store.write(move |tx| {
            // Both have seen the row as it was.
            let row = tx.outbox_of(CARRIER, id)?.expect("a row");
            let seen = tongjie::store::outbox::OutboxRow {
                attempts: 0,
                next_at: Some(row.created_at),
                ..row
            };
            let again_at = tx.now() + TimeDelta::seconds(30);
            tx.claim_outbox(&seen, again_at).map_err(UseCaseError::from)
        })
    };
    let (one, other) = app.block_on(async { tokio::join!(take(), take()) });
    assert_ne!(one.expect("written"), other.expect("written"));
}

fn a_return_is_fetched_from_the_readers_address(app: &TestApp) {
    let shop = Shop::open(app);
    let (_, loan) = shop.lent(app);
    let body = json!({"card_number": shop.card, "loan_ids": [loan], "unit_code": "M1", "address": address()});
    let id = app.post(&shop.desk, "/api/v1/return-parcels", &body).expect(201).id();
    let behaviour = Behaviour {
        report_to: None,
        secret: REPORT_SECRET.to_owned(),
        pace: Duration::ZERO,
        refuse_every: 0,
    };
    let (ready, started) = channel();
    let serving = std::thread::spawn(move || {
        actix_web::rt::System::new().block_on(async move {
            let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
            let (server, address) = simulator::serve(listener, behaviour).expect("served");
            ready.send((address, server.handle())).expect("the test waits");
            server.await.expect("ended well");
        });
    });
    let (at, handle) = started.recv().expect("started");
    let pass = carrier(app, &format!("http://{at}"));
    tell(app, &pass);
    assert_eq!(shown(app, id)["tracking_number"], "SIM000000001");
    drop(handle.stop(false));
    serving.join().expect("stopped");
    app.assert_sound();
}

fn addresses_go_thirty_days_after_the_end(app: &TestApp) {
    let (shop, id) = dispatched(app);
    let (waiting, _) = shop.asked(app, 1, "follow");
    let pass = Arc::new(EraseAddresses);
    let erase = || {
        let run = run_job(&app.app.store, "a", ADDRESS_ERASURE, &pass, || false);
        app.block_on(run).expect("runs")
    };
    app.tick();
    reported(app, "d", id, "delivered").expect(200);
    later(app, 29 * 86_400);
    assert_eq!(
        erase(),
        Ran::Finished {
            looked_at: 2,
            changed: 0
        }
    );
    later(app, 2 * 86_400);
    assert_eq!(
        erase(),
        Ran::Finished {
            looked_at: 2,
            changed: 1
        }
    );
    let left = app.block_on(
        app.app
            .store
            .read(move |tx| tx.delivery_address(waiting).map_err(UseCaseError::from)),
    );
    assert!(left.expect("read").is_some(), "its copies still wait to be packed");
    app.assert_sound();
}

const NOTHING: Ran = Ran::Finished {
    looked_at: 0,
    changed: 0,
};

fn again(app: &TestApp, id: i64, body: &Value) -> Value {
    let desk = app.staff("librarian", "M1");
    let path = format!("/api/v1/parcels/{id}/dispatch");
    app.post(&desk, &path, body).expect(200).body["parcel"].clone()
}

fn a_number_given_by_staff_ends_a_booking_that_was_not_made(app: &TestApp) {
    let (_, id) = dispatched(app);
    let parcel = again(app, id, &json!({"tracking_number": "SF7"}));
    assert_eq!(
        (&parcel["booking"], &parcel["tracking_number"]),
        (&json!("done"), &json!("SF7"))
    );
    later(app, 4_000);
    assert_eq!(
        tell(app, &carrier(app, "http://127.0.0.1:1")),
        NOTHING,
        "no second carrier"
    );
    let desk = app.staff("librarian", "M1");
    let body = json!({"tracking_number": "SF8"});
    app.post(&desk, &format!("/api/v1/parcels/{id}/dispatch"), &body)
        .expect_problem(409, "wrong_state");
    app.assert_sound();
}

fn a_fetch_that_the_carrier_refused_is_booked_again(app: &TestApp) {
    let shop = Shop::open(app);
    let (_, loan) = shop.lent(app);
    let body = json!({"card_number": shop.card, "loan_ids": [loan], "unit_code": "M1", "address": address()});
    let id = app.post(&shop.desk, "/api/v1/return-parcels", &body).expect(201).id();
    let (url, requests) = scripted(vec![(422, "{}"), (201, OK)]);
    let pass = carrier(app, &url);
    tell(app, &pass);
    requests.recv_timeout(Duration::from_secs(20)).expect("asked");
    assert_eq!(shown(app, id)["booking"], "failed");
    assert_eq!(again(app, id, &json!({}))["booking"], "waiting");
    later(app, 10);
    tell(app, &pass);
    assert_eq!(shown(app, id)["tracking_number"], "SF42");
    app.assert_sound();
}

fn a_carrier_that_does_not_know_us_is_asked_again(app: &TestApp) {
    let (_, id) = dispatched(app);
    let (url, requests) = scripted(vec![(401, "{}"), (302, "{}"), (201, OK)]);
    let pass = carrier(app, &url);
    for state in ["retrying", "retrying", "done"] {
        tell(app, &pass);
        requests.recv_timeout(Duration::from_secs(20)).expect("asked");
        assert_eq!(shown(app, id)["booking"], state);
        later(app, 4_000);
    }
}

fn an_address_that_cannot_be_read_keeps_nothing_behind_it_waiting(app: &TestApp) {
    let (shop, broken) = dispatched(app);
    app.database.outside().run("UPDATE delivery_addresses SET phone = '?'");
    let (request, barcodes) = shop.asked(app, 1, "follow");
    let whole = shop.packed(app, request, &barcodes).body["parcel"]["id"]
        .as_i64()
        .expect("an id");
    shop.dispatch(app, whole, json!({})).expect(200);
    let (url, _requests) = scripted(vec![(201, OK)]);
    let told = Ran::Finished {
        looked_at: 2,
        changed: 1,
    };
    assert_eq!(tell(app, &carrier(app, &url)), told);
    let booked = |id| app.block_on(app.app.store.read(move |tx| tx.outbox_of(CARRIER, id)));
    let states = [broken, whole].map(|id| booked(id).expect("read").expect("a row").status());
    assert_eq!(states, ["retrying", "done"]);
}

fn what_was_told_is_forgotten_after_ninety_days(app: &TestApp) {
    let (_, id) = dispatched(app);
    again(app, id, &json!({"tracking_number": "SF7"}));
    let forgotten = || app.block_on(expire_keys(&app.app.store, 30)).expect("runs").told;
    later(app, 89 * 86_400);
    assert_eq!(forgotten(), 0);
    later(app, 2 * 86_400);
    assert_eq!(forgotten(), 1);
    assert_eq!(shown(app, id)["tracking_number"], "SF7");
    app.assert_sound();
}
