//! Two people at once: two packers, and a cancellation while a parcel is dispatched.

use serde_json::json;

use crate::app::TestApp;
use crate::parcel_scene::Shop;

on_both!(
    two_packers_pack_a_copy_once,
    a_parcel_is_dispatched_once,
    a_cancellation_meets_the_dispatch_of_its_parcel,
    a_double_click_makes_one_request,
);

fn two_packers_pack_a_copy_once(app: &TestApp) {
    let shop = Shop::open(app);
    let (request, barcodes) = shop.asked(app, 2, "follow");
    let path = format!("/api/v1/delivery-requests/{request}/parcels");
    let body = json!({"item_barcodes": barcodes});
    let pack = || app.request("POST", &path).bearer(&shop.desk).json(&body);
    let (first, second) = (pack(), pack());
    let mut statuses = std::thread::scope(|scope| {
        let both = [
            scope.spawn(|| first.send().status),
            scope.spawn(|| second.send().status),
        ];
        both.map(|one| one.join().expect("answered"))
    });
    statuses.sort_unstable();
    assert_eq!(statuses, [201, 422]);
    app.assert_sound();
}

fn a_parcel_is_dispatched_once(app: &TestApp) {
    let shop = Shop::open(app);
    let (request, barcodes) = shop.asked(app, 2, "follow");
    let id = shop.packed(app, request, &barcodes).body["parcel"]["id"]
        .as_i64()
        .expect("an id");
    let path = format!("/api/v1/parcels/{id}/dispatch");
    let body = json!({"tracking_number": "SF1"});
    let send = || app.request("POST", &path).bearer(&shop.desk).json(&body);
    let requests = [send(), send(), send()];
    let mut statuses = std::thread::scope(|scope| {
        let all = requests.map(|request| scope.spawn(|| request.send().status));
        all.map(|one| one.join().expect("answered"))
    });
    statuses.sort_unstable();
    assert_eq!(statuses, [200, 409, 409]);
    let loans = app
        .get(&shop.desk, &format!("/api/v1/readers/{}/loans", shop.reader))
        .expect(200);
    assert_eq!(loans.body["items"].as_array().map(Vec::len), Some(2));
    app.assert_sound();
}

fn a_cancellation_meets_the_dispatch_of_its_parcel(app: &TestApp) {
    let shop = Shop::open(app);
    for _ in 0..4 {
        let (request, barcodes) = shop.asked(app, 1, "follow");
        let parcel = shop.packed(app, request, &barcodes);
        let id = parcel.body["parcel"]["id"].as_i64().expect("an id");
        let hold = &parcel.body["parcel"]["lines"][0]["hold_id"];
        let dispatch = app
            .request("POST", &format!("/api/v1/parcels/{id}/dispatch"))
            .bearer(&shop.desk);
        let dispatch = dispatch.json(&json!({"tracking_number": "SF1"}));
        let cancel = app
            .request("DELETE", &format!("/api/v1/holds/{hold}"))
            .bearer(&shop.desk);
        let (sent, cancelled) = std::thread::scope(|scope| {
            let (sent, cancelled) = (scope.spawn(|| dispatch.send()), scope.spawn(|| cancel.send().status));
            (sent.join().expect("answered"), cancelled.join().expect("answered"))
        });
        let state = sent.expect(200).body["parcel"]["state"].as_str().map(str::to_owned);
        match cancelled {
            200 => assert_eq!(state.as_deref(), Some("cancelled")),
            409 => assert_eq!(state.as_deref(), Some("dispatched")),
            other => panic!("{other}"),
        }
        app.assert_sound();
    }
}

fn a_double_click_makes_one_request(app: &TestApp) {
    let shop = Shop::open(app);
    let (bib, ..) = shop.book(app);
    let reader = app.reader_token(&shop.card);
    let body = json!({"delivery": "desk", "unit_code": "M1", "lines": [{"bib_id": bib}]});
    let ask = || {
        app.request("POST", "/api/v1/delivery-requests")
            .bearer(&reader)
            .key("k")
            .json(&body)
    };
    let (first, second) = (ask(), ask());
    let ids = std::thread::scope(|scope| {
        let both = [
            scope.spawn(|| first.send().expect(201).id()),
            scope.spawn(|| second.send().expect(201).id()),
        ];
        both.map(|one| one.join().expect("answered"))
    });
    assert_eq!(ids[0], ids[1]);
    app.assert_sound();
}
