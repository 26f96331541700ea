//! Parcels and what ends or moves beside them: due dates, recalls, reports that come late, bookings that staff settle by hand.

use std::sync::Arc;

use chrono::TimeDelta;
use serde_json::{Value, json};
use tongjie::domain::delivery::{DeliveryTerms, LoanClock};
use tongjie::domain::schedule::OVERDUE_MARKING;
use tongjie::usecase::mark_overdue::MarkOverdue;
use tongjie::usecase::run_job::{Ran, run_job};

use crate::app::TestApp;
use crate::parcel_scene::{Shop, address, reported, rule};

on_both!(
    what_was_posted_in_time_is_not_overdue_on_the_road,
    what_the_carrier_brought_back_counts_from_that_moment,
    a_recalled_loan_is_not_postponed_by_a_late_delivery,
    the_days_of_the_rules_begin_at_delivery_whatever_moved_the_first_due_date,
    a_parcel_of_which_something_was_received_is_not_delivered_any_more,
    a_parcel_of_which_nothing_is_left_is_told_as_cancelled,
    what_staff_write_when_they_override_a_request_is_kept,
);

fn days_later(app: &TestApp, days: i64) {
    app.clock.set(app.clock.now() + TimeDelta::days(days));
}

fn mark(app: &TestApp) -> Ran {
    let pass = Arc::new(MarkOverdue);
    let run = run_job(&app.app.store, "a", OVERDUE_MARKING, &pass, || false);
    app.block_on(run).expect("runs")
}

fn told(app: &TestApp, kind: &str) -> i64 {
    let sql = format!("SELECT count(*) AS n FROM events WHERE kind = '{kind}'");
    app.database.outside().number(&sql)
}

fn of_parcel(app: &TestApp, id: i64) -> Value {
    let desk = app.staff("librarian", "M1");
    app.get(&desk, &format!("/api/v1/parcels/{id}")).expect(200).body["parcel"].clone()
}

/// The day on which the parcel's only loan is due.
fn due(app: &TestApp, shop: &Shop, parcel: i64) -> String {
    let loan = of_parcel(app, parcel)["lines"][0]["loan_id"].clone();
    let desk = app.staff("librarian", "M1");
    let loans = app.get(&desk, &format!("/api/v1/readers/{}/loans", shop.reader));
    let all = loans.expect(200).body["items"].as_array().expect("loans").clone();
    let one = all.into_iter().find(|one| one["id"] == loan).expect("it is lent");
    one["due_at"].as_str().expect("a moment")[..10].to_owned()
}

fn pickup_clock(app: &TestApp) {
    let clock = LoanClock::Pickup;
    rule(
        app,
        DeliveryTerms {
            clock,
            ..DeliveryTerms::default()
        },
    );
}

/// Due on 3 April: one is posted the day before, the other two days after.
fn what_was_posted_in_time_is_not_overdue_on_the_road(app: &TestApp) {
    let shop = Shop::open(app);
    let parcels: Vec<i64> = (0..2)
        .map(|_| {
            let (_, loan) = shop.lent(app);
            let body = json!({"card_number": shop.card, "loan_ids": [loan], "unit_code": "M1"});
            app.post(&shop.desk, "/api/v1/return-parcels", &body).expect(201).id()
        })
        .collect();
    days_later(app, 29);
    reported(app, "in time", parcels[0], "picked_up").expect(200);
    days_later(app, 3);
    reported(app, "late", parcels[1], "picked_up").expect(200);
    let finished = Ran::Finished {
        looked_at: 2,
        changed: 1,
    };
    assert_eq!(mark(app), finished);
    assert_eq!(told(app, "loan_overdue"), 1);
    // One overdue item is one too many; once the late one is back the other does not count.
    let desk = app.staff("librarian", "M1");
    let (_, _, wanted) = shop.book(app);
    let out = json!({"item_barcode": wanted, "card_number": shop.card});
    let refused = app
        .post(&desk, "/api/v1/check-outs", &out)
        .expect_problem(409, "refused");
    assert!(refused.body.to_string().contains("overdue_items"), "{}", refused.body);
    let late = of_parcel(app, parcels[1])["lines"][0]["item_barcode"].clone();
    let receipts = format!("/api/v1/parcels/{}/receipts", parcels[1]);
    app.post(&desk, &receipts, &json!({"item_barcode": late})).expect(200);
    app.post(&desk, "/api/v1/check-outs", &out).expect(201);
    app.assert_sound();
}

fn what_the_carrier_brought_back_counts_from_that_moment(app: &TestApp) {
    let shop = Shop::open(app);
    let (id, barcodes) = shop.sent(app, 1);
    days_later(app, 5);
    let back_at = app.clock.now();
    reported(app, "r", id, "returned").expect(200);
    days_later(app, 60);
    let desk = app.staff("librarian", "M1");
    let receipts = format!("/api/v1/parcels/{id}/receipts");
    let back = app
        .post(&desk, &receipts, &json!({"item_barcode": barcodes[0]}))
        .expect(200);
    assert_eq!(
        (
            &back.body["closed_loan"]["returned_at"],
            &back.body["closed_loan"]["overdue_days"]
        ),
        (&json!(back_at), &json!(0))
    );
    app.assert_sound();
}

fn a_recalled_loan_is_not_postponed_by_a_late_delivery(app: &TestApp) {
    let shop = Shop::open(app);
    pickup_clock(app);
    let (id, _) = shop.sent(app, 1);
    let item = of_parcel(app, id)["lines"][0]["item_id"].clone();
    let recall = format!("/api/v1/items/{item}/recall");
    app.post(&shop.desk, &recall, &json!({"reason": "教学急需"}))
        .expect(200);
    assert_eq!(due(app, &shop, id), "2026-03-18");
    days_later(app, 21);
    reported(app, "d", id, "delivered").expect(200);
    assert_eq!(due(app, &shop, id), "2026-03-18", "somebody wants it back");
    app.assert_sound();
}

fn the_days_of_the_rules_begin_at_delivery_whatever_moved_the_first_due_date(app: &TestApp) {
    let shop = Shop::open(app);
    pickup_clock(app);
    let closed = json!({"closed_days": [{"first": "2026-04-03", "last": "2026-04-03", "reason": "闭馆"}]});
    app.post(&app.root_token(), "/api/v1/units/M1/closed-days", &closed)
        .expect(200);
    let (id, _) = shop.sent(app, 1);
    assert_eq!(due(app, &shop, id), "2026-04-04", "thirty days, and a closed one");
    days_later(app, 5);
    reported(app, "d", id, "delivered").expect(200);
    assert_eq!(due(app, &shop, id), "2026-04-08", "thirty days");
    app.assert_sound();
}

fn a_parcel_of_which_something_was_received_is_not_delivered_any_more(app: &TestApp) {
    let shop = Shop::open(app);
    let (id, barcodes) = shop.sent(app, 2);
    reported(app, "r", id, "refused").expect(200);
    let receipts = format!("/api/v1/parcels/{id}/receipts");
    app.post(&shop.desk, &receipts, &json!({"item_barcode": barcodes[0]}))
        .expect(200);
    app.tick();
    let late = reported(app, "d", id, "delivered").expect(200);
    assert_eq!(
        (&late.body["applied"], &late.body["state"]),
        (&json!(false), &json!("refused"))
    );
    let desk = app.staff("librarian", "M1");
    app.post(&desk, &receipts, &json!({"item_barcode": barcodes[1]}))
        .expect(200);
    assert_eq!(of_parcel(app, id)["state"], "received");
    app.assert_sound();
}

fn a_parcel_of_which_nothing_is_left_is_told_as_cancelled(app: &TestApp) {
    let shop = Shop::open(app);
    let (request, barcodes) = shop.asked(app, 1, "follow");
    let parcel = shop.packed(app, request, &barcodes).body["parcel"].clone();
    let hold = format!("/api/v1/holds/{}", parcel["lines"][0]["hold_id"]);
    app.request("DELETE", &hold).bearer(&shop.desk).send().expect(200);
    let id = parcel["id"].as_i64().expect("an id");
    shop.dispatch(app, id, json!({"tracking_number": "SF3"})).expect(200);
    assert_eq!((told(app, "parcel_dispatched"), told(app, "parcel_cancelled")), (0, 1));
    app.assert_sound();
}

fn what_staff_write_when_they_override_a_request_is_kept(app: &TestApp) {
    let shop = Shop::open(app);
    let (bib, _, barcode) = shop.book(app);
    let out = json!({"item_barcode": barcode, "card_number": shop.card});
    app.post(&shop.desk, "/api/v1/check-outs", &out).expect(201);
    let body = json!({"card_number": shop.card, "delivery": "parcel", "unit_code": "M1", "address": address(),
        "lines": [{"bib_id": bib}], "overrides": {"codes": ["bib_already_on_loan"], "reason": "读者自己的书丢了"}});
    app.post_consenting(&shop.desk, "/api/v1/delivery-requests", &body)
        .expect(201);
    let kept = "SELECT count(*) AS n FROM event_personal WHERE data LIKE '%读者自己的书丢了%'";
    assert_eq!(app.database.outside().number(kept), 1);
    app.assert_sound();
}
