//! What acts without the network say against the records, and what people answer.

use serde_json::{Value, json};
use tongjie::domain::machine_jobs::MACHINE_ERASURE;
use tongjie::usecase::erase_machine_records::EraseMachineRecords;
use tongjie::usecase::run_job::run_job;

use crate::app::TestApp;
use crate::journal_scene::{Scene, ago, back, book, lent, loans, pass, renewed, scene};

on_both!(
    an_item_lent_to_somebody_else_is_shown_from_both_sides,
    the_act_stands_and_the_other_loan_ends_as_of_then,
    the_record_stands_and_nothing_is_recorded,
    the_item_is_here_and_whatever_is_open_ends,
    nobody_has_the_card_until_a_person_says_whose_it_was,
    no_item_has_the_tag_until_a_person_says_which_it_was,
    a_withdrawn_item_that_was_lent_is_lent_when_a_person_says_so,
    an_item_that_moved_on_is_not_touched,
    an_answer_counts_once_and_has_to_fit,
    a_repeated_answer_with_its_key_is_answered_as_before,
    a_renewal_of_a_loan_that_is_not_theirs_is_looked_into,
    what_a_machine_says_of_a_compartment_goes_to_a_person,
    what_nobody_answered_for_half_a_year_loses_its_text,
    the_queue_of_another_unit_is_not_there,
    of_a_reader_who_was_erased_nothing_is_recorded_any_more,
    a_conflict_goes_along_when_its_reader_is_merged,
);

/// Somebody else has it: the reader took it alone at the machine, an hour after it was lent at the desk.
fn contradiction(app: &TestApp) -> (Scene, Value, i64, String) {
    let scene = scene(app);
    let (other, card) = app.reader("adult", "B1");
    scene.lend(app, &card);
    pass(app, 7200);
    let machine = scene.machine.copied().again(app);
    let told = machine.tell(app, &[machine.entry(1, &lent(ago(app, 3600), &scene.tag, &scene.card))]);
    assert_eq!(told, ["conflict"]);
    let conflict = scene.conflicts(app, "")[0].clone();
    (scene, conflict, other, card)
}

fn answer(resolution: &str) -> Value {
    json!({"resolution": resolution, "reason": "读者已确认"})
}

fn an_item_lent_to_somebody_else_is_shown_from_both_sides(app: &TestApp) {
    let (scene, conflict, other, _) = contradiction(app);
    assert_eq!(
        (
            &conflict["reason"],
            &conflict["item_id"],
            &conflict["reader_id"],
            &conflict["device_code"]
        ),
        (
            &json!("on_loan_to_other"),
            &json!(scene.item),
            &json!(scene.reader),
            &json!(scene.machine.code)
        )
    );
    assert_eq!(conflict["loan"]["reader_id"], other);
    assert_eq!(
        (&conflict["act"]["kind"], &conflict["act"]["card_number"]),
        (&json!("check_out"), &json!("***"))
    );
    assert_eq!(conflict["answers"], json!(["act_stands", "record_stands", "item_here"]));
    assert_eq!(scene.status(app), "needs_attention", "never on the shelf");
    assert_eq!(scene.loans(app).len(), 0, "no item is on loan to two");
    app.assert_sound();
}

fn the_act_stands_and_the_other_loan_ends_as_of_then(app: &TestApp) {
    let (scene, conflict, other, card) = contradiction(app);
    let done = scene.resolve(app, &conflict, &answer("act_stands")).expect(200).body;
    assert_eq!(
        (&done["verdict"], &done["conflict"]["act"]),
        (&json!("accepted"), &Value::Null)
    );
    let mine = scene.loans(app);
    assert_eq!(
        (&mine[0]["id"], &mine[0]["status"], &mine[0]["loaned_at"]),
        (&done["loan_id"], &json!("open"), &json!(ago(app, 3600)))
    );
    assert_eq!(loans(app, other, &card)[0]["closed_at"], json!(ago(app, 3600)));
    assert_eq!(scene.status(app), "on_loan");
    assert_eq!(scene.conflicts(app, ""), Vec::<Value>::new());
    assert_eq!(scene.conflicts(app, "&resolved=true")[0]["resolution"], "act_stands");
    app.assert_sound();
}

fn the_record_stands_and_nothing_is_recorded(app: &TestApp) {
    let (scene, conflict, other, card) = contradiction(app);
    let done = scene.resolve(app, &conflict, &answer("record_stands")).expect(200).body;
    assert_eq!(done["verdict"], Value::Null);
    assert_eq!(scene.loans(app).len(), 0);
    assert_eq!(loans(app, other, &card)[0]["status"], "open");
    assert_eq!(scene.status(app), "on_loan");
    app.assert_sound();
}

fn the_item_is_here_and_whatever_is_open_ends(app: &TestApp) {
    let (scene, conflict, other, card) = contradiction(app);
    // It is checked in where they work who have it.
    let manager = app.staff("unit_manager", "B1");
    let path = format!("/api/v1/conflicts/{}/resolution", conflict["id"]);
    app.post(&manager, &path, &answer("item_here")).expect(200);
    assert_eq!(loans(app, other, &card)[0]["status"], "returned");
    assert_eq!(scene.status(app), "on_shelf");
    app.assert_sound();
}

fn nobody_has_the_card_until_a_person_says_whose_it_was(app: &TestApp) {
    let scene = scene(app);
    let told = scene.machine.tell(
        app,
        &[scene.machine.entry(1, &lent(ago(app, 600), &scene.tag, "NOBODY"))],
    );
    assert_eq!(told, ["conflict"]);
    assert_eq!(scene.status(app), "needs_attention");
    let conflict = scene.conflicts(app, "")[0].clone();
    assert_eq!(conflict["reason"], "reader_unknown");
    let mut said = answer("reader_is");
    scene
        .resolve(app, &conflict, &said)
        .expect_fields(422, &["card_number"]);
    said["card_number"] = "NOBODY EITHER".replace(' ', "").into();
    scene
        .resolve(app, &conflict, &said)
        .expect_fields(422, &["card_number"]);
    said["card_number"] = scene.card.clone().into();
    let done = scene.resolve(app, &conflict, &said).expect(200).body;
    assert_eq!((&done["verdict"], &done["codes"]), (&json!("accepted"), &json!([])));
    assert_eq!(scene.loans(app)[0]["loaned_at"], json!(ago(app, 600)));
    assert_eq!(scene.status(app), "on_loan");
    app.assert_sound();
}

fn no_item_has_the_tag_until_a_person_says_which_it_was(app: &TestApp) {
    let scene = scene(app);
    let entries = [
        scene.machine.entry(1, &lent(ago(app, 600), "E0FFFFFF", &scene.card)),
        scene.machine.entry(2, &back(ago(app, 500), "E0EEEEEE")),
    ];
    assert_eq!(scene.machine.tell(app, &entries), ["conflict", "conflict"]);
    let found = scene.conflicts(app, "");
    let mut said = answer("item_is");
    scene
        .resolve(app, &found[1], &said)
        .expect_fields(422, &["item_barcode"]);
    said["item_barcode"] = scene.barcode.clone().into();
    let done = scene.resolve(app, &found[1], &said).expect(200).body;
    assert_eq!(done["verdict"], "accepted");
    assert_eq!(scene.loans(app)[0]["loaned_at"], json!(ago(app, 600)));
    let done = scene.resolve(app, &found[0], &said).expect(200).body;
    assert_eq!(done["verdict"], "accepted");
    assert_eq!(scene.loans(app)[0]["closed_at"], json!(ago(app, 500)));
    app.assert_sound();
}

fn a_withdrawn_item_that_was_lent_is_lent_when_a_person_says_so(app: &TestApp) {
    let scene = scene(app);
    app.database.outside().run(&format!(
        "UPDATE items SET status = 'withdrawn' WHERE id = {}",
        scene.item
    ));
    let told = scene.machine.tell(
        app,
        &[scene.machine.entry(1, &lent(ago(app, 600), &scene.tag, &scene.card))],
    );
    assert_eq!(told, ["conflict"]);
    assert_eq!(scene.status(app), "withdrawn", "it is not on the shelf");
    let conflict = scene.conflicts(app, "")[0].clone();
    scene.resolve(app, &conflict, &answer("act_stands")).expect(200);
    assert_eq!(scene.status(app), "on_loan");
    app.assert_sound();
}

fn an_item_that_moved_on_is_not_touched(app: &TestApp) {
    let scene = scene(app);
    // Scanned at B2, of which no return is known: it lies in a crate.
    let away = app.staff("librarian", "B2");
    app.post(&away, "/api/v1/check-ins", &json!({"item_tag": scene.tag}))
        .expect(200);
    let told = scene.machine.tell(
        app,
        &[scene.machine.entry(1, &lent(ago(app, 600), &scene.tag, &scene.card))],
    );
    assert_eq!(told, ["conflict"]);
    assert_eq!(scene.status(app), "awaiting_dispatch");
    let conflict = scene.conflicts(app, "")[0].clone();
    assert_eq!(conflict["reason"], "moved_on");
    scene.resolve(app, &conflict, &answer("act_stands")).expect(200);
    assert_eq!(scene.status(app), "on_loan");
    app.assert_sound();
}

fn an_answer_counts_once_and_has_to_fit(app: &TestApp) {
    let (scene, conflict, ..) = contradiction(app);
    scene
        .resolve(app, &conflict, &answer("item_is"))
        .expect_fields(422, &["resolution"]);
    let mut odd = answer("record_stands");
    odd["card_number"] = scene.card.clone().into();
    scene.resolve(app, &conflict, &odd).expect_fields(422, &["card_number"]);
    let mut silent = answer("record_stands");
    silent["reason"] = "  ".into();
    scene.resolve(app, &conflict, &silent).expect(400);
    scene.resolve(app, &conflict, &answer("record_stands")).expect(200);
    let second = scene.resolve(app, &conflict, &answer("act_stands"));
    let second = second.expect_problem(409, "wrong_state");
    assert!(
        second.body["detail"].as_str().expect("words").contains("record_stands"),
        "{:?}",
        second.body
    );
    app.assert_sound();
}

fn a_repeated_answer_with_its_key_is_answered_as_before(app: &TestApp) {
    let (scene, conflict, ..) = contradiction(app);
    let path = format!("/api/v1/conflicts/{}/resolution", conflict["id"]);
    let send = || {
        let request = app
            .request("POST", &path)
            .bearer(&app.root_token())
            .header("Idempotency-Key", "once");
        request.json(&answer("act_stands")).send()
    };
    let first = send().expect(200).body;
    let traces = app.database.outside().traces();
    assert_eq!(send().expect(200).body, first);
    assert_eq!(app.database.outside().traces()[0], traces[0]);
    assert_eq!(scene.loans(app).len(), 1);
}

fn a_renewal_of_a_loan_that_is_not_theirs_is_looked_into(app: &TestApp) {
    let scene = scene(app);
    let told = scene.machine.tell(
        app,
        &[scene.machine.entry(1, &renewed(ago(app, 600), &scene.tag, &scene.card))],
    );
    assert_eq!(told, ["conflict"]);
    let conflict = scene.conflicts(app, "")[0].clone();
    assert_eq!(
        (&conflict["reason"], &conflict["answers"]),
        (&json!("not_their_loan"), &json!(["record_stands"]))
    );
    assert_eq!(scene.status(app), "on_shelf");
    scene.resolve(app, &conflict, &answer("record_stands")).expect(200);
    app.assert_sound();
}

fn what_a_machine_says_of_a_compartment_goes_to_a_person(app: &TestApp) {
    let scene = scene(app);
    let told = json!({"kind": "compartment", "at": ago(app, 60), "number": 3, "turn": 4, "door": "closed"});
    let taken = json!({"kind": "loan_taken", "at": ago(app, 50), "loan_id": 1});
    let entries = [scene.machine.entry(1, &told), scene.machine.entry(2, &taken)];
    assert_eq!(scene.machine.tell(app, &entries), ["conflict", "conflict"]);
    let found = scene.conflicts(app, "");
    assert_eq!(found[0]["reason"], "said_otherwise");
    scene
        .resolve(app, &found[0], &answer("item_here"))
        .expect_problem(409, "wrong_state");
    scene.resolve(app, &found[0], &answer("record_stands")).expect(200);
}

fn what_nobody_answered_for_half_a_year_loses_its_text(app: &TestApp) {
    let (scene, conflict, _, _) = contradiction(app);
    let found = |days: i64| {
        let at = ago(app, days * 86_400 + 1).timestamp_millis();
        let sql = format!("UPDATE journal_conflicts SET raised_at = {at}");
        app.database.outside().run(&sql);
        let job = std::sync::Arc::new(EraseMachineRecords { days: 180 });
        app.block_on(run_job(&app.app.store, "node", MACHINE_ERASURE, &job, || false))
            .expect("the job runs");
        // Until it runs again.
        pass(app, 86_400);
        scene.conflicts(app, "")[0]["act"].clone()
    };
    assert_eq!(found(179)["kind"], "check_out");
    assert_eq!(found(180), Value::Null);
    scene
        .resolve(app, &conflict, &answer("act_stands"))
        .expect_problem(409, "wrong_state");
    scene.resolve(app, &conflict, &answer("record_stands")).expect(200);
    app.assert_sound();
}

fn the_queue_of_another_unit_is_not_there(app: &TestApp) {
    let (scene, conflict, ..) = contradiction(app);
    let stranger = app.staff("unit_manager", "M2");
    let path = format!("/api/v1/conflicts/{}/resolution", conflict["id"]);
    app.post(&stranger, &path, &answer("record_stands"))
        .expect_problem(404, "not_found");
    app.get(&stranger, "/api/v1/conflicts?unit_code=B1")
        .expect_problem(403, "forbidden");
    let machine = scene.machine.copied().again(app);
    app.get(&machine.token, "/api/v1/conflicts")
        .expect_problem(403, "forbidden");
    assert_eq!(book(app, "B1").2.len(), 16);
}

fn of_a_reader_who_was_erased_nothing_is_recorded_any_more(app: &TestApp) {
    let (scene, conflict, other, card) = contradiction(app);
    let token = app.reader_token(&scene.card);
    let pin = json!({"pin": crate::app::PIN});
    app.post(&token, "/api/v1/me/erasure", &pin).expect(200);
    let refused = scene.resolve(app, &conflict, &answer("act_stands"));
    let refused = refused.expect_problem(409, "wrong_state").body;
    let why = refused["detail"].as_str().expect("words");
    assert!(why.contains("erased") && why.contains("record_stands"), "{why}");
    let shown = scene.conflicts(app, "")[0].clone();
    assert_eq!((&shown["reader_id"], &shown["act"]), (&Value::Null, &Value::Null));
    assert_eq!(loans(app, other, &card)[0]["status"], "open");
    scene.resolve(app, &conflict, &answer("record_stands")).expect(200);
    app.assert_sound();
}

fn a_conflict_goes_along_when_its_reader_is_merged(app: &TestApp) {
    let (scene, conflict, ..) = contradiction(app);
    let (stays, card) = app.reader("adult", "B1");
    let body = json!({"duplicate_id": scene.reader, "reason": "身份证核对一致"});
    app.post(&app.root_token(), &format!("/api/v1/readers/{stays}/merges"), &body)
        .expect(200);
    assert_eq!(scene.conflicts(app, "")[0]["reader_id"], stays);
    let done = scene.resolve(app, &conflict, &answer("act_stands")).expect(200).body;
    assert_eq!(done["verdict"], "accepted");
    assert_eq!(loans(app, stays, &card)[0]["item_id"], scene.item);
    app.assert_sound();
}
