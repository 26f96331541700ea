//! Acts that come late, judged as of their time, from several machines in any order.

use serde_json::{Value, json};

use crate::app::TestApp;
use crate::journal_scene::{Alone, Scene, ago, alone, back, book, lent, loans, pass, renewed, scene};

on_both!(
    what_rules_would_have_refused_is_recorded_and_told,
    a_loan_that_was_returned_elsewhere_meanwhile_is_recorded_with_its_end,
    a_return_of_an_earlier_loan_leaves_the_later_one_alone,
    one_copy_through_two_machines_ends_the_same_in_either_order,
    a_return_that_was_not_told_is_between_two_loans_of_one_reader,
    what_is_known_already_changes_nothing,
    a_renewal_counts_as_of_its_time,
    a_return_serves_whoever_waits,
    an_item_lent_alone_may_be_on_its_way_elsewhere,
    the_hold_of_the_reader_is_filled,
);

fn what_rules_would_have_refused_is_recorded_and_told(app: &TestApp) {
    let scene = scene(app);
    app.database.outside().run(&format!(
        "UPDATE cards SET status = 'lost' WHERE reader_id = {}",
        scene.reader
    ));
    let entry = scene.machine.entry(1, &lent(ago(app, 7200), &scene.tag, &scene.card));
    let answer = scene.machine.send(app, &[entry]).expect(200).body;
    let line = &answer["results"][0];
    assert_eq!(line["verdict"], "accepted_despite");
    assert_eq!(line["codes"], json!(["card_lost"]));
    assert_eq!(scene.status(app), "on_loan");
    app.assert_sound();
}

fn a_loan_that_was_returned_elsewhere_meanwhile_is_recorded_with_its_end(app: &TestApp) {
    let scene = scene(app);
    let other = alone(app, "B1");
    let told = other.tell(app, &[other.entry(1, &back(ago(app, 3600), &scene.tag))]);
    assert_eq!(told, ["accepted"]);
    let told = scene.machine.tell(
        app,
        &[scene.machine.entry(1, &lent(ago(app, 7200), &scene.tag, &scene.card))],
    );
    assert_eq!(told, ["accepted"]);
    let loan = scene.loans(app)[0].clone();
    assert_eq!(
        (&loan["loaned_at"], &loan["closed_at"]),
        (&json!(ago(app, 7200)), &json!(ago(app, 3600)))
    );
    assert_eq!(scene.status(app), "on_shelf");
    app.assert_sound();
}

fn a_return_of_an_earlier_loan_leaves_the_later_one_alone(app: &TestApp) {
    let scene = scene(app);
    scene.lend(app, &scene.card);
    let told = scene
        .machine
        .tell(app, &[scene.machine.entry(1, &back(ago(app, 600), &scene.tag))]);
    assert_eq!(told, ["accepted"]);
    assert_eq!(scene.loans(app)[0]["status"], "open");
    app.assert_sound();
}

/// The first reader took it at one machine, gave it back at the other, where the second took it.
fn one_copy_through_two_machines_ends_the_same_in_either_order(app: &TestApp) {
    let scene = scene(app);
    let other = alone(app, "B1");
    let (second, second_card) = app.reader("adult", "B1");
    let mut ends: Vec<Value> = Vec::new();
    for reversed in [false, true] {
        let (item, _, tag) = book(app, "B1");
        pass(app, 86_400);
        let (one, two) = (fresh(app, &scene.machine, reversed), fresh(app, &other, reversed));
        let first = [one.0.entry(one.1, &lent(ago(app, 7200), &tag, &scene.card))];
        let then = [
            two.0.entry(two.1, &back(ago(app, 5400), &tag)),
            two.0.entry(two.1 + 1, &lent(ago(app, 3600), &tag, &second_card)),
        ];
        if reversed {
            assert_eq!(two.0.tell(app, &then), ["accepted", "accepted"]);
            assert_eq!(one.0.tell(app, &first), ["accepted"]);
        } else {
            assert_eq!(one.0.tell(app, &first), ["accepted"]);
            assert_eq!(two.0.tell(app, &then), ["accepted", "accepted"]);
        }
        let of = |reader: i64, card: &str| {
            let mut found = loans(app, reader, card);
            found.retain(|loan| loan["item_id"] == item);
            found
        };
        let (mine, theirs) = (of(scene.reader, &scene.card), of(second, &second_card));
        assert_eq!((mine.len(), theirs.len()), (1, 1));
        ends.push(json!([
            mine[0]["status"],
            mine[0]["closed_at"] == json!(ago(app, 5400)),
            theirs[0]["status"]
        ]));
    }
    assert_eq!(ends[0], ends[1]);
    assert_eq!(ends[0], json!(["returned", true, "open"]));
    app.assert_sound();
}

/// A machine with a token that counts, and its next number.
fn fresh(app: &TestApp, machine: &Alone, second: bool) -> (Alone, i64) {
    let copy = machine.copied().again(app);
    let stands = app.get(&copy.token, "/api/v1/device/journal").expect(200).body;
    let next = stands["items"][0]["next"].as_i64().unwrap_or(1);
    assert_eq!(next > 1, second);
    (copy, next)
}

fn a_return_that_was_not_told_is_between_two_loans_of_one_reader(app: &TestApp) {
    let scene = scene(app);
    let old = scene.lend(app, &scene.card);
    pass(app, 7200);
    let machine = scene.machine.copied().again(app);
    let told = machine.tell(app, &[machine.entry(1, &lent(ago(app, 600), &scene.tag, &scene.card))]);
    assert_eq!(told, ["accepted"]);
    let found = scene.loans(app);
    assert_eq!(found.len(), 2);
    assert_eq!(
        (&found[0]["status"], &found[0]["loaned_at"]),
        (&json!("open"), &json!(ago(app, 600)))
    );
    assert_eq!(
        (&found[1]["id"], &found[1]["closed_at"]),
        (&json!(old), &json!(ago(app, 600)))
    );
    app.assert_sound();
}

fn what_is_known_already_changes_nothing(app: &TestApp) {
    let scene = scene(app);
    scene.lend(app, &scene.card);
    let entries = [
        // The same loan, told by the machine's slower clock.
        scene.machine.entry(1, &lent(ago(app, 3), &scene.tag, &scene.card)),
        scene.machine.entry(2, &back(ago(app, 2), &scene.tag)),
    ];
    assert_eq!(scene.machine.tell(app, &entries), ["accepted", "accepted"]);
    assert_eq!(scene.loans(app).len(), 1);
    assert_eq!(scene.status(app), "on_loan");
    app.assert_sound();
}

fn a_renewal_counts_as_of_its_time(app: &TestApp) {
    let scene = scene(app);
    scene.lend(app, &scene.card);
    let due = scene.loans(app)[0]["due_at"].clone();
    pass(app, 20 * 86_400);
    let machine = scene.machine.copied().again(app);
    let entries = [
        machine.entry(1, &renewed(ago(app, 3600), &scene.tag, &scene.card)),
        machine.entry(2, &renewed(ago(app, 1800), &scene.tag, &scene.card)),
        machine.entry(3, &renewed(ago(app, 900), &scene.tag, &app.reader("adult", "B1").1)),
    ];
    let answer = machine.send(app, &entries).expect(200).body;
    let words = crate::journal_scene::verdicts(&answer);
    assert_eq!(words, ["accepted", "accepted_despite", "conflict"]);
    assert!(
        answer["results"][1]["codes"]
            .as_array()
            .expect("codes")
            .contains(&json!("renewal_limit")),
        "the rules grant one"
    );
    let now = scene.loans(app)[0].clone();
    assert_eq!(now["renewals"], 2);
    assert!(now["due_at"].as_str() > due.as_str());
    app.assert_sound();
}

fn a_return_serves_whoever_waits(app: &TestApp) {
    let scene = scene(app);
    scene.lend(app, &scene.card);
    let (_, waiting) = app.reader("adult", "B1");
    let bib = app
        .get(&app.root_token(), &format!("/api/v1/items/{}", scene.item))
        .expect(200)
        .body["bib_id"]
        .clone();
    let hold = json!({"bib_id": bib, "card_number": waiting, "pickup_unit_code": "B1"});
    app.post(&scene.desk, "/api/v1/holds", &hold).expect(201);
    pass(app, 7200);
    let machine = scene.machine.copied().again(app);
    let told = machine.tell(app, &[machine.entry(1, &back(ago(app, 3600), &scene.tag))]);
    assert_eq!(told, ["accepted"]);
    assert_eq!(scene.loans(app)[0]["closed_at"], json!(ago(app, 3600)));
    assert_eq!(scene.status(app), "on_hold_shelf");
    app.assert_sound();
}

fn an_item_lent_alone_may_be_on_its_way_elsewhere(app: &TestApp) {
    let scene = scene(app);
    // Given back at B2, it is on its way home.
    let away = app.staff("librarian", "B2");
    app.post(&away, "/api/v1/check-ins", &json!({"item_tag": scene.tag}))
        .expect(200);
    assert_eq!(scene.status(app), "awaiting_dispatch");
    pass(app, 7200);
    let machine = scene.machine.copied().again(app);
    let entry = machine.entry(1, &lent(ago(app, 600), &scene.tag, &scene.card));
    let answer = machine.send(app, &[entry]).expect(200).body;
    assert!(
        answer["results"][0]["verdict"]
            .as_str()
            .expect("a word")
            .starts_with("accepted")
    );
    assert_eq!(scene.status(app), "on_loan");
    app.assert_sound();
}

fn the_hold_of_the_reader_is_filled(app: &TestApp) {
    let scene: Scene = scene(app);
    let bib = app
        .get(&app.root_token(), &format!("/api/v1/items/{}", scene.item))
        .expect(200)
        .body["bib_id"]
        .clone();
    let hold = json!({"bib_id": bib, "card_number": scene.card, "pickup_unit_code": "B1"});
    app.post_consenting(&scene.desk, "/api/v1/holds", &hold);
    pass(app, 7200);
    let machine = scene.machine.copied().again(app);
    let answer = machine
        .send(app, &[machine.entry(1, &lent(ago(app, 600), &scene.tag, &scene.card))])
        .expect(200)
        .body;
    assert!(
        answer["results"][0]["verdict"]
            .as_str()
            .expect("a word")
            .starts_with("accepted")
    );
    let open = app
        .database
        .outside()
        .number("SELECT count(*) AS n FROM holds WHERE closed_at IS NULL");
    assert_eq!(open, 0);
    app.assert_sound();
}
