//! What a device takes along: blocked cards as hashes, keys, rules and stock; a snapshot, then what changed.

use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use tongjie::domain::machine_jobs::{OFFLINE_BLOCKS, OFFLINE_COMPARISON};
use tongjie::usecase::follow_blocks::{CompareBlocks, FollowBlocks};
use tongjie::usecase::run_job::{Ran, run_job};

use crate::app::TestApp;
use crate::journal_scene::{Scene, pass, scene};

on_both!(
    the_first_pack_has_everything_and_the_next_what_changed,
    a_blocked_card_is_told_as_a_hash_and_told_again_when_it_is_not,
    the_nightly_comparison_finds_what_no_event_tells,
    a_cursor_that_is_none_of_ours_is_answered_with_everything,
    what_a_machine_has_inside_is_told_when_it_changes,
    only_a_device_at_work_takes_a_pack,
);

fn pack(app: &TestApp, token: &str, cursor: Option<&Value>) -> Value {
    let query = cursor.map_or_else(String::new, |cursor| {
        format!("?cursor={}", cursor.as_str().expect("a text"))
    });
    let path = format!("/api/v1/device/offline-pack{query}");
    app.get(token, &path).expect(200).body
}

fn compared(app: &TestApp) {
    let ran = app
        .block_on(run_job(
            &app.app.store,
            "node",
            OFFLINE_COMPARISON,
            &std::sync::Arc::new(CompareBlocks),
            || false,
        ))
        .expect("the job runs");
    assert!(matches!(ran, Ran::Finished { .. }), "{ran:?}");
}

/// Follows until the list has so many lines: on a cluster that other tests use too, an event settles only when what ran beside it
/// has ended.
fn followed(app: &TestApp, token: &str, cursor: &Value, lines: usize) -> Value {
    for _ in 0..2000 {
        app.block_on(run_job(
            &app.app.store,
            "node",
            OFFLINE_BLOCKS,
            &std::sync::Arc::new(FollowBlocks),
            || false,
        ))
        .expect("the job runs");
        let told = pack(app, token, Some(cursor));
        let of = |part: &str| told["blocked"][part].as_array().expect("hashes").len();
        if of("add") + of("remove") >= lines {
            return told;
        }
        pass(app, 1);
    }
    panic!("no {lines} lines in the block list");
}

fn hash(salt: &Value, card: &str) -> Value {
    let salt = salt.as_str().expect("hexadecimal");
    let mut text: Vec<u8> = (0..salt.len() / 2)
        .map(|n| u8::from_str_radix(&salt[2 * n..2 * n + 2], 16).expect("a byte"))
        .collect();
    text.push(b'\n');
    text.extend(card.as_bytes());
    let digest = Sha256::digest(&text);
    json!(digest[..8].iter().map(|byte| format!("{byte:02x}")).collect::<String>())
}

fn suspend(app: &TestApp, scene: &Scene, status: &str) {
    app.database.outside().run(&format!(
        "UPDATE readers SET status = '{status}' WHERE id = {}",
        scene.reader
    ));
}

fn the_first_pack_has_everything_and_the_next_what_changed(app: &TestApp) {
    let scene = scene(app);
    let first = pack(app, &scene.machine.token, None);
    assert_eq!(
        (&first["blocked"]["reset"], &first["more"]),
        (&json!(true), &json!(false))
    );
    assert_eq!(first["keys"]["path"], "/.well-known/jwks.json");
    assert!(!first["keys"]["key_ids"].as_array().expect("ids").is_empty());
    assert_eq!(first["scopes"][0], "B1");
    assert_eq!(first["stock"], json!([]));
    let terms = first["rules"]["terms"].as_array().expect("terms").iter();
    let mut books = terms.filter(|line| line["category"] == "adult" && line["item_type"] == "book");
    let line = books.next().expect("a line");
    assert!(
        line["lendable"] == true && line["loan_days"].as_i64() > Some(0),
        "{line}"
    );
    let next = pack(app, &scene.machine.token, Some(&first["cursor"]));
    assert_eq!(next["cursor"], first["cursor"]);
    assert_eq!(
        (&next["blocked"]["reset"], &next["rules"], &next["stock"]),
        (&json!(false), &Value::Null, &Value::Null)
    );
}

fn a_blocked_card_is_told_as_a_hash_and_told_again_when_it_is_not(app: &TestApp) {
    let scene = scene(app);
    let first = pack(app, &scene.machine.token, None);
    let card = app
        .database
        .outside()
        .number(&format!("SELECT id AS n FROM cards WHERE reader_id = {}", scene.reader));
    let path = format!("/api/v1/cards/{card}/loss");
    app.post(&scene.desk, &path, &json!({})).expect(200);
    let told = followed(app, &scene.machine.token, &first["cursor"], 1);
    assert_eq!(
        told["blocked"]["add"],
        json!([hash(&told["blocked"]["salt"], &scene.card)])
    );
    assert_eq!(told["blocked"]["reset"], false);
    app.post(&scene.desk, &format!("{path}/end"), &json!({})).expect(200);
    let freed = followed(app, &scene.machine.token, &told["cursor"], 1);
    assert_eq!(freed["blocked"]["remove"], told["blocked"]["add"]);
    let anew = pack(app, &scene.machine.token, None);
    assert_eq!(
        anew["blocked"]["add"],
        json!([]),
        "what is free is no part of a snapshot"
    );
}

fn the_nightly_comparison_finds_what_no_event_tells(app: &TestApp) {
    let scene = scene(app);
    suspend(app, &scene, "suspended");
    compared(app);
    let told = pack(app, &scene.machine.token, None);
    assert_eq!(
        told["blocked"]["add"],
        json!([hash(&told["blocked"]["salt"], &scene.card)])
    );
    pass(app, 86_400);
    suspend(app, &scene, "active");
    compared(app);
    let machine = scene.machine.copied().again(app);
    let freed = pack(app, &machine.token, Some(&told["cursor"]));
    assert_eq!(freed["blocked"]["remove"], told["blocked"]["add"]);
}

fn a_cursor_that_is_none_of_ours_is_answered_with_everything(app: &TestApp) {
    let scene = scene(app);
    for cursor in [
        "yesterday",
        "99999.0.a.b.0",
        "0.99999.a.b.0",
        "-1.0.a.b.0",
        "0.0.a.b",
        "1.2.3.4.5",
    ] {
        let told = pack(app, &scene.machine.token, Some(&json!(cursor)));
        assert_eq!(told["blocked"]["reset"], true, "{cursor}");
        assert!(told["rules"].is_object() && told["stock"].is_array(), "{cursor}");
    }
    let long = format!("/api/v1/device/offline-pack?cursor={}", "1".repeat(200));
    app.get(&scene.machine.token, &long).expect(400);
}

fn what_a_machine_has_inside_is_told_when_it_changes(app: &TestApp) {
    let scene = scene(app);
    let first = pack(app, &scene.machine.token, None);
    app.database.outside().run(&format!(
        "INSERT INTO compartments (id, device_id, number, size, purpose, state, item_id, turn, changed_at) \
         VALUES (900001, {}, 7, 'medium', 'browsing', 'occupied', {}, 1, 0)",
        scene.machine.id, scene.item
    ));
    let told = pack(app, &scene.machine.token, Some(&first["cursor"]));
    assert_eq!(
        (
            &told["stock"][0]["compartment"],
            &told["stock"][0]["item_tag"],
            &told["rules"]
        ),
        (&json!(7), &json!(scene.tag), &Value::Null)
    );
}

fn only_a_device_at_work_takes_a_pack(app: &TestApp) {
    let scene = scene(app);
    let path = "/api/v1/device/offline-pack";
    app.get(&scene.desk, path).expect_problem(403, "forbidden");
    app.post(
        &scene.manager,
        &format!("/api/v1/devices/{}/suspension", scene.machine.id),
        &json!({}),
    )
    .expect(200);
    app.get(&scene.machine.token, path).expect_problem(403, "forbidden");
}
