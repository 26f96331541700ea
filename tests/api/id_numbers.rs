//! ID numbers: checked, never shown, and the same person only once.

use serde_json::{Value, json};
use tongjie::domain::schedule::RESEAL_IDENTITIES;
use tongjie::usecase::reseal_identities::ResealIdentities;
use tongjie::usecase::run_job::{Ran, run_job};

use crate::app::TestApp;

on_both!(
    a_reader_is_registered_with_an_id_number_that_is_never_shown,
    a_number_that_is_none_is_refused_and_says_why,
    the_same_person_is_registered_once,
    a_number_is_recorded_later_and_only_once,
    a_number_that_was_read_wrongly_is_corrected_with_a_reason,
    a_number_that_is_lost_once_opens_nothing_twice,
    an_id_card_opens_a_loan_at_a_desk,
    of_two_registrations_of_one_person_at_once_one_is_refused,
    numbers_are_sealed_anew_when_nothing_changed_nothing_is_done,
);

/// A number of a person born on 1 January 1980, another one for each `n` below a thousand.
pub fn id_number(n: u32) -> String {
    checked(&format!("11010519800101{:03}", n % 1000))
}

/// 17 digits with the check character that fits them.
pub fn checked(digits: &str) -> String {
    const WEIGHTS: [u32; 17] = [7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2];
    let sum: u32 = digits
        .bytes()
        .zip(WEIGHTS)
        .map(|(digit, weight)| u32::from(digit - b'0') * weight)
        .sum();
    format!("{digits}{}", char::from(b"10X98765432"[(sum % 11) as usize]))
}

pub fn person(app: &TestApp, number: &str) -> Value {
    json!({"name": "李读者", "category": "adult", "home_unit_code": "B1", "card_number": format!("JC{:06}", app.next()),
        "id_number": number})
}

fn a_reader_is_registered_with_an_id_number_that_is_never_shown(app: &TestApp) {
    app.small_network();
    let desk = app.staff("librarian", "B1");
    let number = id_number(7);
    let made = app.post(&desk, "/api/v1/readers", &person(app, &number)).expect(201);
    let shown = app
        .get(&desk, &format!("/api/v1/readers/{}", made.id()))
        .expect(200)
        .body;
    assert_eq!(shown["id_number_tail"], json!(number[14..]));
    assert_eq!(shown["birth_date"], json!("1980-01-01"));
    let told = format!("{}{shown}", made.body);
    assert!(!told.contains(&number) && !told.contains(&number[..14]), "{told}");
}

fn a_number_that_is_none_is_refused_and_says_why(app: &TestApp) {
    app.small_network();
    let token = app.root_token();
    let post = |number: &str| app.post(&token, "/api/v1/readers", &person(app, number));
    for (number, why) in [
        ("110105194912310021", "check character"),
        ("110105194902290021", "never was"),
        ("11010519491231002", "17 characters"),
        ("1101051949123100AX", "position 17"),
        ("110105203001010024", "future"),
    ] {
        let refused = post(number).expect_fields(422, &["id_number"]).body.to_string();
        assert!(refused.contains(why), "{number}: {refused}");
        assert!(!refused.contains(number), "it is not repeated: {refused}");
    }
    let mut differs = person(app, &id_number(1));
    differs["birth_date"] = json!("1980-01-02");
    app.post(&token, "/api/v1/readers", &differs)
        .expect_fields(422, &["birth_date"]);
}

fn the_same_person_is_registered_once(app: &TestApp) {
    app.small_network();
    let token = app.root_token();
    let senior = |number: &str| {
        let mut body = person(app, number);
        body["category"] = json!("senior");
        app.post(&token, "/api/v1/readers", &body)
    };
    let first = senior("11010519491231002X").expect(201);
    // In small letters, and as it was before 1999.
    for again in ["11010519491231002x", "110105491231002"] {
        let refused = senior(again).expect_problem(409, "duplicate_reader");
        assert_eq!(refused.body["existing_reader_id"], json!(first.id()));
    }
    app.post(&token, "/api/v1/readers", &person(app, &id_number(3)))
        .expect(201);
}

fn a_number_is_recorded_later_and_only_once(app: &TestApp) {
    app.small_network();
    let token = app.root_token();
    let record = |reader: i64, number: &str| {
        let path = format!("/api/v1/readers/{reader}/id-number");
        let body = json!({"id_number": number});
        app.request("PUT", &path).bearer(&token).json(&body).send()
    };
    let (one, _) = app.reader("adult", "B1");
    let (other, _) = app.reader("adult", "B1");
    record(one, &id_number(1)).expect(200);
    let shown = app.get(&token, &format!("/api/v1/readers/{one}")).expect(200).body;
    assert_eq!(shown["birth_date"], json!("1980-01-01"));
    record(one, &id_number(2)).expect_problem(409, "wrong_state");
    let refused = record(other, &id_number(1)).expect_problem(409, "duplicate_reader");
    assert_eq!(refused.body["existing_reader_id"], json!(one));
    record(other, "110105194912310021").expect_fields(422, &["id_number"]);
    record(1, &id_number(4)).expect_problem(404, "not_found");
}

fn a_number_that_was_read_wrongly_is_corrected_with_a_reason(app: &TestApp) {
    app.small_network();
    let desk = app.staff("librarian", "B1");
    let made = app.post(&desk, "/api/v1/readers", &person(app, &id_number(1)));
    let reader = made.expect(201).id();
    let other = app.post(&desk, "/api/v1/readers", &person(app, &id_number(3)));
    let other = other.expect(201).id();
    let cards = format!("/api/v1/readers/{reader}/cards");
    app.post(&desk, &cards, &json!({"kind": "id_card"})).expect(201);
    let correct = |reader: i64, number: &str, why: Option<&str>| {
        let path = format!("/api/v1/readers/{reader}/id-number");
        let body = json!({"id_number": number, "correction": why});
        app.request("PUT", &path).bearer(&desk).json(&body).send()
    };
    let (right, why) = (checked("11010519810202001"), Some("录入时读错"));
    correct(reader, &right, None).expect_problem(409, "wrong_state");
    correct(reader, &id_number(1), why).expect_problem(409, "wrong_state");
    correct(reader, &id_number(3), why).expect_problem(409, "duplicate_reader");
    correct(reader, &right, Some("应为11010519491231002X")).expect_fields(400, &["correction"]);
    let (nameless, _) = app.reader("adult", "B1");
    correct(nameless, &right, why).expect_problem(409, "wrong_state");
    let done = correct(reader, &right, why).expect(200).body;
    assert_eq!(done["cards_cancelled"], json!(1));
    let shown = app.get(&desk, &format!("/api/v1/readers/{reader}")).expect(200).body;
    assert_eq!(
        (&shown["id_number_tail"], &shown["birth_date"]),
        (&json!(right[14..]), &json!("1981-02-02"))
    );
    assert_eq!(shown["cards"][1]["status"], json!("cancelled"));
    // The wrong number is free for whose it is, and the right one makes credentials.
    correct(other, &id_number(1), why).expect(200);
    for (reader, number) in [(reader, &right), (other, &id_number(1))] {
        let cards = format!("/api/v1/readers/{reader}/cards");
        app.post(&desk, &cards, &json!({"kind": "id_card"})).expect(201);
        let (_, barcode) = app.item(app.bib("红楼梦", None), "B1", &json!({}));
        let loan = json!({"item_barcode": barcode, "card_number": number});
        let lent = app.post(&desk, "/api/v1/check-outs", &loan).expect(201).body;
        assert_eq!(lent["loan"]["reader_id"], json!(reader));
    }
    app.assert_sound();
}

fn a_number_that_is_lost_once_opens_nothing_twice(app: &TestApp) {
    app.small_network();
    let desk = app.staff("librarian", "B1");
    let number = id_number(9);
    let made = app.post(&desk, "/api/v1/readers", &person(app, &number)).expect(201);
    let cards = format!("/api/v1/readers/{}/cards", made.id());
    let [id_card, _] = ["id_card", "social_security"].map(|kind| {
        let issued = app.post(&desk, &cards, &json!({"kind": kind})).expect(201);
        issued.body["card_id"].clone()
    });
    let lend = || {
        let (_, barcode) = app.item(app.bib("红楼梦", None), "B1", &json!({}));
        let loan = json!({"item_barcode": barcode, "card_number": number});
        app.post(&desk, "/api/v1/check-outs", &loan)
    };
    lend().expect(201);
    let loss = format!("/api/v1/cards/{id_card}/loss");
    app.post(&desk, &loss, &json!({})).expect(200);
    let refused = lend().expect_problem(409, "refused").body;
    assert!(refused.to_string().contains("card_lost"), "{refused}");
    app.post(&desk, &format!("{loss}/end"), &json!({})).expect(200);
    lend().expect(201);
}

fn an_id_card_opens_a_loan_at_a_desk(app: &TestApp) {
    app.small_network();
    let desk = app.staff("librarian", "B1");
    let number = id_number(8);
    let reader = app
        .post(&desk, "/api/v1/readers", &person(app, &number))
        .expect(201)
        .id();
    let (_, barcode) = app.item(app.bib("红楼梦", None), "B1", &json!({}));
    let loan = json!({"item_barcode": barcode, "card_number": number});
    app.post(&desk, "/api/v1/check-outs", &loan)
        .expect_fields(422, &["card_number"]);
    let cards = format!("/api/v1/readers/{reader}/cards");
    app.post(&desk, &cards, &json!({"kind": "id_card", "number": "JC9"}))
        .expect_fields(422, &["number"]);
    for kind in ["id_card", "social_security"] {
        app.post(&desk, &cards, &json!({"kind": kind})).expect(201);
        app.post(&desk, &cards, &json!({"kind": kind}))
            .expect_fields(422, &["kind"]);
    }
    let lent = app.post(&desk, "/api/v1/check-outs", &loan).expect(201).body;
    assert!(!lent.to_string().contains(&number), "{lent}");
    let shown = app.get(&desk, &format!("/api/v1/readers/{reader}")).expect(200).body;
    assert_eq!(shown["open_loans"], json!(1));
    assert_eq!(shown["cards"][1]["number"], json!(format!("****{}", &number[14..])));
    // Without an ID number there is no such credential.
    let (other, _) = app.reader("adult", "B1");
    app.post(
        &desk,
        &format!("/api/v1/readers/{other}/cards"),
        &json!({"kind": "id_card"}),
    )
    .expect_problem(409, "wrong_state");
}

fn of_two_registrations_of_one_person_at_once_one_is_refused(app: &TestApp) {
    app.small_network();
    let token = app.root_token();
    let number = id_number(5);
    let bodies = [person(app, &number), person(app, &number)];
    let mut statuses: Vec<u16> = std::thread::scope(|scope| {
        let send = |body: &Value| app.request("POST", "/api/v1/readers").bearer(&token).json(body);
        let calls = bodies.each_ref().map(|body| {
            let request = send(body);
            scope.spawn(move || request.send().status)
        });
        calls.into_iter().map(|call| call.join().expect("answered")).collect()
    });
    statuses.sort_unstable();
    assert_eq!(statuses, [201, 409]);
}

fn numbers_are_sealed_anew_when_nothing_changed_nothing_is_done(app: &TestApp) {
    app.small_network();
    let token = app.root_token();
    app.post(&token, "/api/v1/readers", &person(app, &id_number(6)))
        .expect(201);
    let pass = std::sync::Arc::new(ResealIdentities);
    let ran = app.block_on(run_job(&app.app.store, "a", RESEAL_IDENTITIES, &pass, || false));
    let nothing = Ran::Finished {
        looked_at: 0,
        changed: 0,
    };
    assert_eq!(ran.expect("it runs"), nothing);
}
