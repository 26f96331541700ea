//! What a fault of our own records keeps from being judged, and what nobody ever settled.

use std::sync::Arc;

use serde_json::{Value, json};
use tongjie::domain::machine_jobs::{JOURNAL_DRAINING, MACHINE_ERASURE};
use tongjie::usecase::drain_journal::DrainJournals;
use tongjie::usecase::erase_machine_records::EraseMachineRecords;
use tongjie::usecase::run_job::run_job;

use crate::app::TestApp;
use crate::journal_scene::{Scene, ago, back, book, lent, pass, scene, verdicts};

on_both!(
    an_entry_that_cannot_be_judged_goes_to_a_person_after_an_hour,
    what_is_repaired_within_the_hour_is_judged_as_if_nothing_had_been,
    what_is_released_before_the_repair_comes_back_to_the_same_line,
    texts_that_nobody_settled_go_without_any_journal,
);

fn drained(app: &TestApp) {
    let pass = Arc::new(DrainJournals {
        cards: Arc::clone(&app.app.cards),
    });
    app.block_on(run_job(&app.app.store, "node", JOURNAL_DRAINING, &pass, || false))
        .expect("the job runs");
}

/// The copy's designation as no program of ours writes it: whoever reads the copy finds a fault of the records.
fn broken(app: &TestApp, scene: &Scene, is: bool) {
    let volume = if is { "''" } else { "NULL" };
    let sql = format!("UPDATE items SET volume = {volume} WHERE id = {}", scene.item);
    app.database.outside().run(&sql);
}

/// Two acts of which the first cannot be judged: the batch.
fn two_acts(app: &TestApp, scene: &Scene) -> Vec<Value> {
    let (_, _, other) = book(app, "B1");
    broken(app, scene, true);
    let entries = vec![
        scene.machine.entry(1, &lent(ago(app, 120), &scene.tag, &scene.card)),
        scene.machine.entry(2, &back(ago(app, 60), &other)),
    ];
    assert_eq!(
        scene.machine.tell(app, &entries),
        ["waiting", "accepted"],
        "the rest goes on"
    );
    entries
}

fn tried_after(app: &TestApp, seconds: i64) {
    pass(app, seconds);
    drained(app);
}

fn an_entry_that_cannot_be_judged_goes_to_a_person_after_an_hour(app: &TestApp) {
    let scene = scene(app);
    let entries = two_acts(app, &scene);
    let happened_at = ago(app, 120);
    tried_after(app, 3_569);
    assert!(scene.quarantine(app, "").is_empty(), "it is tried for an hour");
    assert_eq!(scene.alarms(app), []);
    // The job runs twice a minute.
    tried_after(app, 31);
    let line = scene.quarantine(app, "")[0].clone();
    assert_eq!(
        (
            &line["reason"],
            &line["sequence"],
            &line["shifted_at"],
            &line["answers"]
        ),
        (
            &json!("record_fault"),
            &json!(1),
            &json!(happened_at),
            &json!(["released", "discarded"])
        )
    );
    assert!(line["body"].as_str().is_some_and(|body| body.contains(&scene.tag)));
    let told = ("journal_quarantined".to_owned(), "record_fault".to_owned());
    assert_eq!(scene.alarms(app), [told]);
    // The device, if it asks again, and what comes after.
    let scene = Scene {
        machine: scene.machine.again(app),
        ..scene
    };
    let further = scene.machine.entry(3, &back(ago(app, 30), &book(app, "B1").2));
    let all = [entries.clone(), vec![further]].concat();
    let answer = scene.machine.send(app, &all).expect(200).body;
    assert_eq!(verdicts(&answer), ["duplicate", "duplicate", "accepted"]);
    assert_eq!(answer["results"][0]["first"], "quarantined");
    // Repaired and released, it is judged as of its time.
    broken(app, &scene, false);
    let settled = scene
        .settle(app, &line, &json!({"settlement": "released"}))
        .expect(200)
        .body;
    assert_eq!(settled["verdict"], "accepted");
    assert_eq!(scene.loans(app)[0]["loaned_at"], json!(happened_at));
    assert_eq!(scene.alarms(app), []);
    assert_eq!(
        verdicts(&scene.machine.send(app, &entries).expect(200).body),
        ["duplicate", "duplicate"]
    );
    assert_eq!(scene.loans(app).len(), 1);
    app.assert_sound();
}

fn what_is_repaired_within_the_hour_is_judged_as_if_nothing_had_been(app: &TestApp) {
    let scene = scene(app);
    two_acts(app, &scene);
    let happened_at = ago(app, 120);
    tried_after(app, 1_800);
    broken(app, &scene, false);
    tried_after(app, 1_800);
    assert_eq!(scene.loans(app)[0]["loaned_at"], json!(happened_at));
    assert!(scene.quarantine(app, "").is_empty());
    app.assert_sound();
}

fn what_is_released_before_the_repair_comes_back_to_the_same_line(app: &TestApp) {
    let scene = scene(app);
    two_acts(app, &scene);
    tried_after(app, 3_600);
    let line = scene.quarantine(app, "")[0].clone();
    let released = scene
        .settle(app, &line, &json!({"settlement": "released"}))
        .expect(200)
        .body;
    assert_eq!(released["verdict"], "waiting");
    assert!(scene.quarantine(app, "").is_empty());
    tried_after(app, 3_600);
    let again = scene.quarantine(app, "");
    assert_eq!(again.len(), 1);
    assert_eq!(
        (&again[0]["id"], &again[0]["sequence"]),
        (&line["id"], &line["sequence"])
    );
    assert_eq!(again[0]["reason"], "record_fault");
    let discard = json!({"settlement": "discarded", "reason": "书目数据已重建"});
    scene.settle(app, &again[0], &discard).expect(200);
    assert_eq!(scene.alarms(app), []);
    broken(app, &scene, false);
    drained(app);
    assert!(scene.loans(app).is_empty());
    app.assert_sound();
}

/// More lines than one write takes.
const MANY: i64 = 450;

fn texts_that_nobody_settled_go_without_any_journal(app: &TestApp) {
    let scene = scene(app);
    let nobody =
        json!({"kind": "check_out", "at": ago(app, 60), "item": {"tag": scene.tag}, "card_number": "NOBODY01"});
    let mut wrong = scene
        .machine
        .batch(app, &[scene.machine.entry(2, &back(ago(app, 60), &scene.tag))]);
    assert_eq!(
        scene.machine.tell(app, &[scene.machine.entry(1, &nobody)]),
        ["conflict"]
    );
    wrong["sent_at"] = json!(ago(app, -7_200));
    app.post(&scene.machine.token, "/api/v1/device/journal", &wrong)
        .expect(200);
    let mut outside = app.database.outside();
    let first = outside.number("SELECT max(id) + 1 AS n FROM journal_quarantine") + 1_000_000_000;
    for more in 0..MANY {
        outside.run(&format!(
            "INSERT INTO journal_quarantine (id, device_id, journal, sequence, to_sequence, reason, body, received_at) \
             SELECT {}, device_id, 9, {more}, {more}, 'too_old', body, received_at FROM journal_quarantine \
             WHERE journal = 1",
            first + more
        ));
    }
    let texts = |app: &TestApp| {
        let mut outside = app.database.outside();
        ["journal_quarantine", "journal_conflicts"]
            .map(|table| outside.number(&format!("SELECT count(*) AS n FROM {table} WHERE body IS NOT NULL")))
    };
    let erased = |app: &TestApp| {
        let job = Arc::new(EraseMachineRecords { days: 180 });
        app.block_on(run_job(&app.app.store, "node", MACHINE_ERASURE, &job, || false))
            .expect("the job runs");
        texts(app)
    };
    assert_eq!(texts(app), [MANY + 1, 1]);
    pass(app, 180 * 86_400);
    assert_eq!(erased(app), [MANY + 1, 1], "not a moment too early");
    pass(app, 86_400);
    assert_eq!(erased(app), [0, 0]);
    app.assert_sound();
}
