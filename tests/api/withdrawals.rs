//! Copies that leave the stock, and two cataloguers at one record: nothing may point at what is gone.

use std::sync::Barrier;

use serde_json::{Value, json};

use crate::app::TestApp;
use crate::client::Answer;
use crate::distribution;
use crate::merge_scene::{Scene, shown};

on_both!(
    a_copy_on_the_hold_shelf_is_not_withdrawn,
    a_copy_on_its_way_to_a_hold_is_not_withdrawn,
    a_copy_on_its_way_home_is_not_withdrawn_until_it_arrives,
    a_withdrawn_copy_that_turns_up_serves_nobody,
    a_copy_is_withdrawn_or_waited_for_never_both,
    a_copy_is_withdrawn_or_lent_never_both,
    of_two_who_change_one_version_one_wins,
    the_database_is_sound_after_each_act_of_a_cataloguer,
);

fn withdraw(scene: &Scene<'_>, item: i64) -> Answer {
    let path = format!("/api/v1/items/{item}/withdrawal");
    scene.app.post(&scene.cataloguer, &path, &json!({"reason": "破损"}))
}

/// Refused for this reason, and nothing changed.
#[track_caller]
fn stays(scene: &Scene<'_>, item: i64, status: &str, because: &str) {
    let refused = withdraw(scene, item).expect_problem(409, "wrong_state").body;
    let detail = refused["detail"].as_str().expect("a detail");
    assert!(detail.contains(because), "{detail}");
    assert_eq!(scene.item_status(item), status);
    scene.app.assert_sound();
}

#[track_caller]
fn goes(scene: &Scene<'_>, item: i64) {
    assert_eq!(withdraw(scene, item).expect(200).body["status"], "withdrawn");
    scene.app.assert_sound();
}

fn cancel(scene: &Scene<'_>, hold: i64) -> Value {
    let path = format!("/api/v1/holds/{hold}");
    let ended = scene.app.request("DELETE", &path).bearer(&scene.desk).send();
    ended.expect(200).body["next_step"].clone()
}

fn a_copy_on_the_hold_shelf_is_not_withdrawn(app: &TestApp) {
    let scene = Scene::new(app);
    let bib = app.bib("三国演义", None);
    let (item, barcode, _) = scene.lent_copy(bib);
    let (reader, card) = scene.reader();
    let hold = scene.hold(&card, bib);
    scene.back(&scene.desk, &barcode);
    stays(&scene, item, "on_hold_shelf", "set aside for a hold");
    assert_eq!(scene.holds(reader), [shown(hold, bib, "captured", None)]);
    assert_eq!(cancel(&scene, hold)["kind"], "shelf_here");
    goes(&scene, item);
}

fn a_copy_on_its_way_to_a_hold_is_not_withdrawn(app: &TestApp) {
    let scene = Scene::new(app);
    let bib = app.bib("三国演义", None);
    let (item, barcode, _) = scene.lent_copy(bib);
    let (reader, card) = scene.reader();
    let hold = scene.hold_on(&card, bib, Some(item), "B2");
    assert_eq!(scene.back(&scene.desk, &barcode)["kind"], "crate");
    stays(&scene, item, "awaiting_dispatch", "set aside for a hold");
    let transit = scene.ids("/api/v1/transits?to_unit_code=B2")[0];
    app.request("POST", &format!("/api/v1/transits/{transit}/receive"))
        .bearer(&scene.far)
        .send()
        .expect(200);
    stays(&scene, item, "on_hold_shelf", "set aside for a hold");
    assert_eq!(scene.holds(reader), [shown(hold, bib, "captured", None)]);
    // Given up at B2, it travels home.
    assert_eq!(cancel(&scene, hold)["kind"], "crate");
    stays(&scene, item, "awaiting_dispatch", "on its way");
}

fn a_copy_on_its_way_home_is_not_withdrawn_until_it_arrives(app: &TestApp) {
    let scene = Scene::new(app);
    let (item, barcode, _) = scene.lent_copy(app.bib("三国演义", None));
    assert_eq!(scene.back(&scene.far, &barcode)["kind"], "crate");
    stays(&scene, item, "awaiting_dispatch", "on its way");
    distribution::sent(app, "B2", "B1", &[&barcode]);
    stays(&scene, item, "in_transit", "on its way");
    app.tick();
    assert_eq!(scene.back(&scene.desk, &barcode)["kind"], "shelf_here");
    goes(&scene, item);
}

fn a_withdrawn_copy_that_turns_up_serves_nobody(app: &TestApp) {
    let scene = Scene::new(app);
    let bib = app.bib("三国演义", None);
    let (gone, barcode) = app.item(bib, "B1", &json!({}));
    scene.lent_copy(bib);
    goes(&scene, gone);
    let (reader, card) = scene.reader();
    let hold = scene.hold(&card, bib);
    scene
        .try_hold(&card, bib, Some(gone), "B1")
        .expect_fields(422, &["item_id"]);
    let next = scene.back(&scene.desk, &barcode);
    assert_eq!(next["kind"], "exception", "{next}");
    assert_eq!(scene.holds(reader), [shown(hold, bib, "waiting", Some(1))]);
    app.assert_sound();
}

/// Two requests at once, some times over.
fn race(rounds: usize, mut each: impl FnMut() -> [crate::client::Request; 2], mut ended: impl FnMut([Answer; 2])) {
    for _ in 0..rounds {
        let [one, other] = each();
        let gate = Barrier::new(2);
        ended(std::thread::scope(|scope| {
            let running = [one, other].map(|request| {
                let gate = &gate;
                scope.spawn(move || {
                    gate.wait();
                    request.send()
                })
            });
            running.map(|one| one.join().expect("no panic"))
        }));
    }
}

fn a_copy_is_withdrawn_or_waited_for_never_both(app: &TestApp) {
    let scene = Scene::new(app);
    race(
        4,
        || {
            let bib = app.bib("三国演义", None);
            let (item, _) = app.item(bib, "B2", &json!({}));
            let hold =
                json!({"card_number": scene.reader().1, "bib_id": bib, "item_id": item, "pickup_unit_code": "B1"});
            let hold = app.request("POST", "/api/v1/holds").bearer(&scene.desk).json(&hold);
            let path = format!("/api/v1/items/{item}/withdrawal");
            let withdrawal = app.request("POST", &path).bearer(&app.root_token());
            [hold, withdrawal.json(&json!({"reason": "破损"}))]
        },
        |[hold, withdrawal]| {
            let outcome = (hold.status, withdrawal.status);
            assert!([(201, 409), (422, 200)].contains(&outcome), "{outcome:?}");
            app.assert_sound();
        },
    );
}

fn a_copy_is_withdrawn_or_lent_never_both(app: &TestApp) {
    let scene = Scene::new(app);
    race(
        4,
        || {
            let (item, barcode) = app.item(app.bib("三国演义", None), "B1", &json!({}));
            let loan = json!({"card_number": scene.reader().1, "item_barcode": barcode});
            let loan = app
                .request("POST", "/api/v1/check-outs")
                .bearer(&scene.desk)
                .json(&loan);
            let path = format!("/api/v1/items/{item}/withdrawal");
            let withdrawal = app.request("POST", &path).bearer(&scene.cataloguer);
            [loan, withdrawal.json(&json!({"reason": "破损"}))]
        },
        |[loan, withdrawal]| {
            let outcome = (loan.status, withdrawal.status);
            assert!([(201, 409), (409, 200)].contains(&outcome), "{outcome:?}");
            app.assert_sound();
        },
    );
}

fn of_two_who_change_one_version_one_wins(app: &TestApp) {
    let scene = Scene::new(app);
    let made = app.post(&scene.cataloguer, "/api/v1/bibs", &crate::rights_scene::record("初"));
    let bib = made.expect(201).body["bib"]["id"].as_i64().expect("an id");
    let path = format!("/api/v1/bibs/{bib}");
    let mut version = 1;
    race(
        4,
        || {
            let tag = format!("\"{}\"", scene.bib(bib)["version"]);
            ["甲", "乙"].map(|title| {
                let request = app.request("PUT", &path).bearer(&scene.cataloguer);
                request
                    .header("If-Match", &tag)
                    .json(&crate::rights_scene::record(title))
            })
        },
        |[one, other]| {
            version += 1;
            let won = if one.status == 200 { &one } else { &other };
            let statuses = [one.status, other.status];
            assert!([[200, 412], [412, 200]].contains(&statuses), "{statuses:?}");
            let present = scene.bib(bib);
            assert_eq!(
                (&present["version"], &present["title"]),
                (&json!(version), &won.body["bib"]["title"])
            );
        },
    );
    let versions = scene.get(&format!("{path}/versions"));
    assert_eq!(versions["items"].as_array().map(Vec::len), Some(5));
    app.assert_sound();
}

fn the_database_is_sound_after_each_act_of_a_cataloguer(app: &TestApp) {
    let scene = Scene::new(app);
    let bib = app.bib("三国演义", None);
    let (item, _) = app.item(bib, "B1", &json!({}));
    let token = &scene.cataloguer;
    let record = crate::rights_scene::record("水浒传");
    let acts: Vec<Box<dyn Fn() -> Answer>> = vec![
        Box::new(|| app.post(token, "/api/v1/bibs", &record).expect(201)),
        Box::new(|| {
            let request = app.request("PUT", &format!("/api/v1/bibs/{bib}")).bearer(token);
            request.header("If-Match", "\"1\"").json(&record).send().expect(200)
        }),
        Box::new(|| {
            let request = app.request("PATCH", &format!("/api/v1/items/{item}")).bearer(token);
            request
                .json(&json!({"barcode": "0199", "not_for_loan": true}))
                .send()
                .expect(200)
        }),
        Box::new(|| {
            let path = format!("/api/v1/items/{item}/moves");
            let there = json!({"home_unit_code": "B1", "shelf_location": "三楼 A 区"});
            app.post(token, &path, &there).expect(200)
        }),
        Box::new(|| withdraw(&scene, item).expect(200)),
    ];
    for act in acts {
        act();
        app.assert_sound();
    }
}
