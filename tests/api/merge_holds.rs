//! What becomes of holds when bibs are merged: one queue, nobody in it twice, and whatever is set aside stays so.

use serde_json::{Value, json};

use crate::app::TestApp;
use crate::merge_scene::{Scene, shown};

on_both!(
    queues_join_by_class_and_then_by_time,
    who_waited_twice_keeps_the_better_place,
    a_copy_set_aside_is_kept_and_the_place_in_the_other_queue_is_given_up,
    two_copies_set_aside_for_one_reader_both_stay,
    a_hold_on_one_copy_follows_it,
    a_copy_on_its_way_to_a_hold_arrives,
    a_copy_of_the_duplicate_serves_the_survivors_queue,
    a_voided_loan_reopens_its_hold_at_the_survivor,
    a_hold_is_cancelled_after_the_merge_as_ever,
);

fn queues_join_by_class_and_then_by_time(app: &TestApp) {
    let scene = Scene::new(app);
    let bibs = [(); 3].map(|()| app.bib("史记", None));
    bibs.iter().for_each(|bib| drop(scene.lent_copy(*bib)));
    let readers = [(); 6].map(|()| scene.reader());
    // In turn on the three bibs; one comes second to last and is of a better class.
    let holds: Vec<i64> = (0..6).map(|n| scene.hold(&readers[n].1, bibs[n % 3])).collect();
    app.database
        .outside()
        .run(&format!("UPDATE holds SET priority = -1 WHERE id = {}", holds[4]));
    let [survivor, ..] = bibs;
    let merged = scene.merge(survivor, &bibs[1..]);
    assert_eq!(merged["holds_moved"], json!([holds[4], holds[1], holds[2], holds[5]]));
    assert_eq!(
        (&merged["bib"]["open_holds"], &merged["holds_cancelled"]),
        (&json!(6), &json!([]))
    );
    for (place, n) in (1..).zip([4, 0, 1, 2, 3, 5]) {
        let expected = shown(holds[n], survivor, "waiting", Some(place));
        assert_eq!(scene.holds(readers[n].0), [expected], "place {place}");
    }
    for bib in &bibs[1..] {
        assert_eq!(scene.bib(*bib)["open_holds"], 0);
    }
}

fn who_waited_twice_keeps_the_better_place(app: &TestApp) {
    let scene = Scene::new(app);
    let bibs = [(); 3].map(|()| app.bib("史记", None));
    bibs.iter().for_each(|bib| drop(scene.lent_copy(*bib)));
    let [survivor, b, c] = bibs;
    let ((early, early_card), (late, late_card)) = (scene.reader(), scene.reader());
    let kept = scene.hold(&early_card, b);
    let also = [scene.hold(&late_card, survivor), scene.hold(&early_card, survivor)];
    let third = [scene.hold(&early_card, c), scene.hold(&late_card, c)];
    let merged = scene.merge(survivor, &[b, c]);
    let replaced = |hold: i64, by: i64| json!({"hold_id": hold, "replaced_by": by});
    let cancelled = [
        replaced(also[1], kept),
        replaced(third[0], kept),
        replaced(third[1], also[0]),
    ];
    assert_eq!(
        (&merged["holds_cancelled"], &merged["holds_moved"]),
        (&json!(cancelled), &json!([kept]))
    );
    assert_eq!(
        scene.holds(early),
        [
            shown(third[0], c, "cancelled", None),
            shown(also[1], survivor, "cancelled", None),
            shown(kept, survivor, "waiting", Some(1))
        ]
    );
    let told = scene.get(&format!("/api/v1/readers/{early}/holds?status=all&reason=asked"));
    assert_eq!(told["items"][0]["replaced_by"], kept);
    for reader in [early, late] {
        assert_eq!(scene.get(&format!("/api/v1/readers/{reader}"))["open_holds"], 1);
    }
    assert_eq!(merged["bib"]["open_holds"], 2);
    let told = "SELECT count(*) AS n FROM events WHERE kind = 'hold_cancelled' AND detail LIKE '%bibs_merged%'";
    assert_eq!(app.database.outside().number(told), 3);
}

/// A hold whose copy stands on the shelf of B1: reader, card, hold, item and barcode.
struct Waiting {
    reader: i64,
    card: String,
    hold: i64,
    item: i64,
    barcode: String,
}

fn on_hold_shelf(scene: &Scene<'_>, bib: i64, who: Option<(i64, String)>) -> Waiting {
    let (item, barcode, _) = scene.lent_copy(bib);
    let (reader, card) = who.unwrap_or_else(|| scene.reader());
    let hold = scene.hold(&card, bib);
    assert_eq!(scene.back(&scene.desk, &barcode)["kind"], "hold_shelf");
    Waiting {
        reader,
        card,
        hold,
        item,
        barcode,
    }
}

fn a_copy_set_aside_is_kept_and_the_place_in_the_other_queue_is_given_up(app: &TestApp) {
    let scene = Scene::new(app);
    let [survivor, b] = [(); 2].map(|()| app.bib("史记", None));
    scene.lent_copy(survivor);
    let (reader, card) = scene.reader();
    let first = scene.hold(&card, survivor);
    let ready = on_hold_shelf(&scene, b, Some((reader, card)));
    let merged = scene.merge(survivor, &[b]);
    assert_eq!(
        merged["holds_cancelled"],
        json!([{"hold_id": first, "replaced_by": ready.hold}])
    );
    assert_eq!(
        scene.holds(reader),
        [
            shown(ready.hold, survivor, "captured", None),
            shown(first, survivor, "cancelled", None)
        ]
    );
    assert_eq!(scene.item_status(ready.item), "on_hold_shelf");
    scene.lend(&ready.card, &ready.barcode);
    assert_eq!(scene.holds(reader)[0], shown(ready.hold, survivor, "filled", None));
    app.assert_sound();
}

fn two_copies_set_aside_for_one_reader_both_stay(app: &TestApp) {
    let scene = Scene::new(app);
    let [survivor, b] = [(); 2].map(|()| app.bib("史记", None));
    let first = on_hold_shelf(&scene, survivor, None);
    let who = Some((first.reader, first.card.clone()));
    let second = on_hold_shelf(&scene, b, who);
    let named = scene.hold_on(&first.card, b, Some(second.item), "B1");
    let merged = scene.merge(survivor, &[b]);
    assert_eq!(merged["holds_bound"], json!([second.hold]));
    assert_eq!(
        merged["holds_cancelled"],
        json!([{"hold_id": named, "replaced_by": second.hold}])
    );
    assert_eq!(
        scene.holds(first.reader),
        [
            shown(named, b, "cancelled", None),
            shown(second.hold, survivor, "captured", None),
            shown(first.hold, survivor, "captured", None)
        ]
    );
    let path = format!("/api/v1/holds/{}", second.hold);
    let given_up = app.request("DELETE", &path).bearer(&scene.desk).send().expect(200);
    assert_eq!(given_up.body["next_step"]["kind"], "shelf_here");
    scene.lend(&first.card, &first.barcode);
    app.assert_sound();
    assert_eq!(scene.bib(survivor)["open_holds"], 0);
}

fn a_hold_on_one_copy_follows_it(app: &TestApp) {
    let scene = Scene::new(app);
    let [survivor, b] = [(); 2].map(|()| app.bib("史记", None));
    scene.lent_copy(survivor);
    let (item, barcode, _) = scene.lent_copy(b);
    let (reader, card) = scene.reader();
    let any = scene.hold(&card, survivor);
    let named = scene.hold_on(&card, b, Some(item), "B1");
    let merged = scene.merge(survivor, &[b]);
    assert_eq!(
        (&merged["holds_moved"], &merged["holds_cancelled"]),
        (&json!([named]), &json!([]))
    );
    assert_eq!(
        scene.holds(reader),
        [
            shown(named, survivor, "waiting", Some(2)),
            shown(any, survivor, "waiting", Some(1))
        ]
    );
    let next = scene.back(&scene.desk, &barcode);
    assert_eq!((&next["kind"], &next["hold_id"]), (&json!("hold_shelf"), &json!(any)));
    app.assert_sound();
}

fn a_copy_on_its_way_to_a_hold_arrives(app: &TestApp) {
    let scene = Scene::new(app);
    let [survivor, b] = [(); 2].map(|()| app.bib("史记", None));
    let (item, barcode, _) = scene.lent_copy(b);
    let (reader, card) = scene.reader();
    let hold = scene.hold_on(&card, b, None, "B2");
    assert_eq!(scene.back(&scene.desk, &barcode)["kind"], "crate");
    scene.merge(survivor, &[b]);
    assert_eq!(scene.item_status(item), "awaiting_dispatch");
    let transit = scene.ids("/api/v1/transits?to_unit_code=B2")[0];
    let path = format!("/api/v1/transits/{transit}/receive");
    let received = app.request("POST", &path).bearer(&scene.far).send().expect(200).body;
    assert_eq!(
        (&received["next_step"]["kind"], &received["bib_id"]),
        (&json!("hold_shelf"), &json!(survivor))
    );
    assert_eq!(scene.holds(reader), [shown(hold, survivor, "captured", None)]);
    app.assert_sound();
}

fn a_copy_of_the_duplicate_serves_the_survivors_queue(app: &TestApp) {
    let scene = Scene::new(app);
    let [survivor, b] = [(); 2].map(|()| app.bib("史记", None));
    scene.lent_copy(survivor);
    let (_, barcode, _) = scene.lent_copy(b);
    let (reader, card) = scene.reader();
    let hold = scene.hold(&card, survivor);
    scene.merge(survivor, &[b]);
    assert_eq!(scene.back(&scene.desk, &barcode)["hold_id"], hold);
    assert_eq!(scene.holds(reader), [shown(hold, survivor, "captured", None)]);
    app.assert_sound();
}

fn a_voided_loan_reopens_its_hold_at_the_survivor(app: &TestApp) {
    let scene = Scene::new(app);
    let [survivor, b] = [(); 2].map(|()| app.bib("史记", None));
    let ready = on_hold_shelf(&scene, b, None);
    let loan = scene.lend(&ready.card, &ready.barcode);
    scene.merge(survivor, &[b]);
    let path = format!("/api/v1/loans/{loan}/void");
    app.post(&scene.desk, &path, &json!({"reason": "门没有打开"}))
        .expect(200);
    assert_eq!(
        scene.holds(ready.reader),
        [shown(ready.hold, survivor, "captured", None)]
    );
    assert_eq!(scene.item_status(ready.item), "on_hold_shelf");
    assert_eq!(scene.bib(survivor)["open_holds"], 1);
    app.assert_sound();
}

fn a_hold_is_cancelled_after_the_merge_as_ever(app: &TestApp) {
    let scene = Scene::new(app);
    let [survivor, b] = [(); 2].map(|()| app.bib("史记", None));
    let ready = on_hold_shelf(&scene, b, None);
    let waiting = scene.hold(&scene.reader().1, b);
    scene.merge(survivor, &[b]);
    let path = format!("/api/v1/holds/{}", ready.hold);
    let reader = app.reader_token(&ready.card);
    let ended = app.request("DELETE", &path).bearer(&reader).send().expect(200).body;
    assert_eq!(
        ended["next_step"]["hold_id"], waiting,
        "the next of the queue gets the copy"
    );
    assert_eq!(ended["hold"]["replaced_by"], Value::Null);
    app.assert_sound();
}
