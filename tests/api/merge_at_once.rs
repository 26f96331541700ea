//! Merging while others work with the same bibs: nothing gets lost, nothing is left behind, and nobody is told that a thing
//! is not there which only moved.

use std::sync::Barrier;

use serde_json::{Value, json};

use crate::app::{TestApp, run_with};
use crate::client::{Answer, Request};
use crate::database::Engine;
use crate::merge_scene::{Scene, shown};

on_both!(
    everybody_works_on_while_bibs_are_merged,
    of_two_merges_that_contradict_each_other_one_is_done,
);

/// All requests at once; the answers in their order.
fn at_once(requests: Vec<Request>) -> Vec<Answer> {
    let gate = Barrier::new(requests.len());
    std::thread::scope(|scope| {
        let running: Vec<_> = requests
            .into_iter()
            .map(|request| {
                let gate = &gate;
                scope.spawn(move || {
                    gate.wait();
                    request.send()
                })
            })
            .collect();
        running.into_iter().map(|one| one.join().expect("no panic")).collect()
    })
}

fn post(app: &TestApp, token: &str, path: &str, body: &Value) -> Request {
    app.request("POST", path).bearer(token).json(body)
}

fn new_hold(scene: &Scene<'_>, bib: i64) -> Request {
    let body = json!({"card_number": scene.reader().1, "bib_id": bib, "pickup_unit_code": "B1"});
    post(scene.app, &scene.desk, "/api/v1/holds", &body)
}

fn new_item(scene: &Scene<'_>, bib: i64) -> Request {
    let barcode = format!("new{}", scene.app.next());
    let body = json!({"bib_id": bib, "barcode": barcode, "owner_unit_code": "B1", "item_type": "book"});
    post(scene.app, &scene.cataloguer, "/api/v1/items", &body)
}

fn new_record(scene: &Scene<'_>, bib: i64) -> Request {
    let request = scene.app.request("PUT", &format!("/api/v1/bibs/{bib}"));
    let request = request.bearer(&scene.cataloguer).header("If-Match", "\"1\"");
    request.json(&crate::rights_scene::record("史记"))
}

fn check_in(scene: &Scene<'_>, barcode: &str) -> Request {
    let body = json!({"item_barcode": barcode});
    post(scene.app, &scene.desk, "/api/v1/check-ins", &body)
}

fn correction(scene: &Scene<'_>, item: i64) -> Request {
    let request = scene.app.request("PATCH", &format!("/api/v1/items/{item}"));
    request
        .bearer(&scene.cataloguer)
        .json(&json!({"call_number": "K204.2"}))
}

fn cancellation(scene: &Scene<'_>, hold: i64) -> Request {
    scene
        .app
        .request("DELETE", &format!("/api/v1/holds/{hold}"))
        .bearer(&scene.desk)
}

fn renewal(scene: &Scene<'_>, loan: i64) -> Request {
    let request = scene.app.request("POST", &format!("/api/v1/loans/{loan}/renewals"));
    request.bearer(&scene.desk).json(&json!({}))
}

fn everybody_works_on_while_bibs_are_merged(app: &TestApp) {
    let scene = Scene::new(app);
    for round in 0..3 {
        let bibs = [(); 3].map(|()| app.bib("史记", None));
        let [survivor, b, c] = bibs;
        let duplicates = json!({"duplicates": [b, c]});
        let mut requests = vec![scene.asked(survivor, "\"1\"", &duplicates)];
        for bib in bibs {
            let copies = [(); 3].map(|()| scene.lent_copy(bib));
            let hold = scene.hold(&scene.reader().1, bib);
            requests.extend([
                new_hold(&scene, bib),
                check_in(&scene, &copies[0].1),
                correction(&scene, copies[1].0),
                cancellation(&scene, hold),
                renewal(&scene, copies[2].2),
                new_item(&scene, bib),
                new_record(&scene, bib),
            ]);
        }
        let answers = at_once(requests);
        for answer in &answers {
            let moved = answer.body["code"] == "bib_merged";
            let told = String::from_utf8_lossy(&answer.bytes);
            let refused = matches!(answer.body["code"].as_str(), Some("refused" | "precondition_failed"));
            assert!(
                [200, 201].contains(&answer.status) || moved || refused,
                "round {round}: {told}"
            );
        }
        if answers[0].status == 412 {
            let merge = scene.asked(survivor, "\"2\"", &duplicates);
            merge.send().expect(200);
        }
        app.assert_sound();
        let items = |bib: i64| scene.ids(&format!("/api/v1/bibs/{bib}/items")).len();
        assert!(items(survivor) >= 9 && items(b) + items(c) == 0, "round {round}");
    }
}

fn of_two_merges_that_contradict_each_other_one_is_done(app: &TestApp) {
    let scene = Scene::new(app);
    for _ in 0..3 {
        let [a, b, c] = [(); 3].map(|()| app.bib("史记", None));
        let merge = |into: i64, from: i64| scene.asked(into, "\"1\"", &json!({"duplicates": [from]}));
        let answers = at_once(vec![
            merge(a, b),
            merge(b, a),
            merge(b, c),
            merge(c, b),
            merge(c, a),
            merge(a, c),
        ]);
        let done = answers.iter().filter(|answer| answer.status == 200).count();
        let refused = answers
            .iter()
            .filter(|answer| [409, 422].contains(&answer.status))
            .count();
        assert_eq!((done, refused), (2, 4), "three become one in two steps");
        let standing = [a, b, c]
            .into_iter()
            .filter(|bib| scene.bib(*bib)["merged_into"].is_null());
        assert_eq!(standing.count(), 1);
        app.assert_sound();
    }
}

/// On PostgreSQL everybody who waits for the duplicate's lock behind the merge wakes up when its things have moved.
#[test]
fn who_waited_behind_the_merge_finds_what_moved() {
    let roomy = |config: &mut tongjie::config::Config| {
        config.database.pool_size = 16;
        config.database.write_workers = 10;
    };
    run_with(Engine::Postgres, roomy, |app| {
        let scene = Scene::new(app);
        let [survivor, b] = [(); 2].map(|()| app.bib("史记", None));
        let copies = [(); 3].map(|()| scene.lent_copy(b));
        let (reader, card) = scene.reader();
        let ended = scene.hold(&card, b);
        let merge = scene.asked(survivor, "\"1\"", &json!({"duplicates": [b]}));
        let others = vec![
            cancellation(&scene, ended),
            check_in(&scene, &copies[0].1),
            correction(&scene, copies[1].0),
            renewal(&scene, copies[2].2),
            new_hold(&scene, b),
            new_item(&scene, b),
            new_record(&scene, b),
        ];
        let (mut holder, mut watcher) = (app.database.outside(), app.database.outside());
        holder.run("BEGIN");
        holder.run(&format!("SELECT id FROM bibs WHERE id = {b} FOR UPDATE"));
        let (merged, answers) = std::thread::scope(|scope| {
            let merged = scope.spawn(|| merge.send());
            watcher.until_waiting(1);
            let behind = others.len();
            let answers = scope.spawn(|| at_once(others));
            watcher.until_waiting(1 + i64::try_from(behind).expect("a few"));
            holder.run("COMMIT");
            (merged.join().expect("no panic"), answers.join().expect("no panic"))
        });
        merged.expect(200);
        let statuses: Vec<u16> = answers.iter().map(|answer| answer.status).collect();
        // Whether the renewal meets the hold that is being cancelled is a matter of luck.
        assert!([200, 409].contains(&statuses[3]), "{:?}", answers[3].body);
        assert_eq!(
            [&statuses[..3], &statuses[4..]].concat(),
            [200, 200, 200, 409, 409, 409]
        );
        assert_eq!(answers[1].body["bib_id"], survivor);
        for answer in &answers[4..] {
            assert_eq!(answer.body["merged_into"], survivor);
        }
        assert_eq!(scene.holds(reader), [shown(ended, survivor, "cancelled", None)]);
        app.assert_sound();
    });
}
