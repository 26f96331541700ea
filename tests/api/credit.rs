//! Credit through the API: ledgers move by what is lent and returned, by staff, and by other systems.

use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, Utc};
use serde_json::{Value, json};
use tongjie::domain::schedule::{CREDIT_LAPSES, CREDIT_NIGHT};
use tongjie::usecase::follow_credit::FollowCredit;
use tongjie::usecase::nightly_credit::{LapseCredit, NightlyCredit};
use tongjie::usecase::run_job::{Pass, run_job};
use tongjie::usecase::seal_events::seal_events;

use crate::app::{REPORT_SECRET, TestApp};
use crate::client::Answer;

on_both!(
    a_new_reader_begins_with_the_programmes_points,
    loans_give_points_within_the_cap_of_a_day_and_a_void_takes_them_back,
    a_day_overdue_costs_a_point_once_by_the_night_or_the_return,
    a_book_drop_emptied_late_gives_back_what_was_charged_too_much,
    staff_post_by_rule_and_by_hand_and_the_floor_freezes,
    a_line_is_undone_once_and_never_deleted,
    an_appeal_is_decided_once_and_upholding_it_undoes_the_line,
    a_freeze_by_staff_stops_lending_until_its_day_is_over,
    reports_count_once_and_one_that_is_wrong_stops_no_other,
    a_report_with_a_bad_signature_changes_nothing,
    a_deduction_is_given_back_after_five_years,
    what_cannot_be_posted_is_refused_by_its_field,
    which_loan_that_has_ended_a_line_is_about_is_shown_for_a_right_and_a_reason,
    lines_are_numbered_as_they_follow_each_other,
);

pub struct Town {
    pub desk: String,
    pub reader: i64,
    pub card: String,
    pub token: String,
}

pub fn town(app: &TestApp) -> Town {
    app.small_network();
    let (reader, card) = app.reader("adult", "B1");
    Town {
        desk: app.staff("librarian", "B1"),
        token: app.reader_token(&card),
        reader,
        card,
    }
}

impl Town {
    pub fn credit(&self, app: &TestApp) -> (i64, String) {
        let token = app.reader_token(&self.card);
        let seen = app.get(&token, "/api/v1/me/credit").expect(200).body;
        let balance = seen["balance"].as_i64().expect("a balance");
        (balance, seen["credit_band"].as_str().expect("a band").to_owned())
    }

    pub fn lines(&self, app: &TestApp) -> Vec<Value> {
        let token = app.reader_token(&self.card);
        let seen = app.get(&token, "/api/v1/me/credit/entries?limit=200").expect(200).body;
        seen["items"].as_array().expect("lines").clone()
    }

    pub fn lend(&self, app: &TestApp) -> (i64, String) {
        let (_, barcode) = app.item(app.bib("红楼梦", None), "B1", &json!({}));
        let body = json!({"item_barcode": barcode, "card_number": self.card});
        let lent = app.post(&self.desk, "/api/v1/check-outs", &body).expect(201).body;
        (lent["loan"]["id"].as_i64().expect("a loan"), barcode)
    }

    pub fn post(&self, app: &TestApp, body: &Value) -> Answer {
        app.post(
            &self.desk,
            &format!("/api/v1/readers/{}/credit-entries", self.reader),
            body,
        )
    }
}

/// Seals and follows until a reader's ledger has so many lines: on a cluster that other tests use too, an event settles only when
/// what ran beside it has ended.
pub fn follow(app: &TestApp, town: &Town, lines: usize) {
    for _ in 0..3_000 {
        follow_some(app);
        let found = town.lines(app).len();
        assert!(found <= lines, "no event counts twice");
        if found == lines {
            return;
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    panic!("the ledger has not {lines} lines");
}

/// Seals and follows what is settled.
pub fn follow_some(app: &TestApp) {
    let store = &app.app.store;
    let step = async || {
        seal_events(store).await.expect("seals");
        loop {
            let look = store.read(FollowCredit.look(0, app.clock.now())).await.expect("reads");
            if look.after.is_none() {
                return;
            }
            FollowCredit.act(store, look.work).await.expect("follows");
        }
    };
    app.block_on(step());
}

pub fn night(app: &TestApp) {
    app.block_on(run_job(
        &app.app.store,
        "a",
        CREDIT_NIGHT,
        &Arc::new(NightlyCredit),
        || false,
    ))
    .expect("runs");
}

pub fn at(text: &str) -> DateTime<Utc> {
    text.parse().expect("a moment")
}

fn a_new_reader_begins_with_the_programmes_points(app: &TestApp) {
    let town = town(app);
    assert_eq!(town.credit(app), (100, "b".to_owned()));
    let lines = town.lines(app);
    assert_eq!(lines.len(), 1);
    assert_eq!((&lines[0]["kind"], &lines[0]["number"]), (&json!("opening"), &json!(1)));
    assert_eq!(lines[0]["why_zh"], "初始积分");
    app.assert_sound();
}

fn loans_give_points_within_the_cap_of_a_day_and_a_void_takes_them_back(app: &TestApp) {
    let town = town(app);
    let loans: Vec<i64> = (0..7).map(|_| town.lend(app).0).collect();
    follow(app, &town, 6);
    assert_eq!(town.credit(app).0, 105, "five a day");
    let path = format!("/api/v1/loans/{}/void", loans[0]);
    app.post(&town.desk, &path, &json!({"reason": "门没有打开"}))
        .expect(200);
    follow(app, &town, 7);
    assert_eq!(town.credit(app).0, 104);
    let last = &town.lines(app)[0];
    assert_eq!((&last["kind"], &last["points"]), (&json!("reversal"), &json!(-1)));
    town.lend(app);
    follow(app, &town, 8);
    assert_eq!(town.credit(app).0, 105, "the day has room again");
    app.assert_sound();
}

fn a_day_overdue_costs_a_point_once_by_the_night_or_the_return(app: &TestApp) {
    let town = town(app);
    let (_, barcode) = town.lend(app);
    follow(app, &town, 2);
    // Due on 3 April, at the end of the day; the 6th is over when the night of the 7th runs.
    app.clock.set(at("2026-04-06T17:00:00Z"));
    night(app);
    night(app);
    let overdue = |app: &TestApp| town.lines(app).iter().filter(|line| line["event"] == "overdue").count();
    let charged = overdue(app);
    assert_eq!(charged, 3, "three days are over");
    app.clock.set(at("2026-04-08T04:00:00Z"));
    let desk = app.staff("librarian", "B1");
    app.post(&desk, "/api/v1/check-ins", &json!({"item_barcode": barcode}))
        .expect(200);
    follow(app, &town, 2 + 5);
    assert_eq!(town.credit(app).0, 101 - 5);
    night(app);
    assert_eq!(overdue(app), 5);
    app.assert_sound();
}

fn a_book_drop_emptied_late_gives_back_what_was_charged_too_much(app: &TestApp) {
    let town = town(app);
    let (_, barcode) = town.lend(app);
    follow(app, &town, 2);
    app.clock.set(at("2026-04-06T17:00:00Z"));
    night(app);
    assert_eq!(town.credit(app).0, 98);
    let desk = app.staff("librarian", "B1");
    let body = json!({"item_barcode": barcode, "returned_at": "2026-04-04T04:00:00Z"});
    app.post(&desk, "/api/v1/check-ins", &body).expect(200);
    follow(app, &town, 2 + 3 + 2);
    assert_eq!(town.credit(app).0, 100, "one day late: one point");
    app.assert_sound();
}

fn staff_post_by_rule_and_by_hand_and_the_floor_freezes(app: &TestApp) {
    let town = town(app);
    let (loan, _) = town.lend(app);
    let body = json!({"event": "damage", "loan_id": loan, "reason": "封面撕裂"});
    let posted = town.post(app, &body).expect(201).body;
    assert_eq!(
        (&posted["entry"]["points"], &posted["credit"]["balance"]),
        (&json!(-5), &json!(95))
    );
    assert_eq!(posted["entry"]["note"], "封面撕裂");
    let fall = town
        .post(app, &json!({"points": -500, "reason": "多次损坏"}))
        .expect(201)
        .body;
    assert_eq!(
        (&fall["entry"]["points"], &fall["entry"]["asked"]),
        (&json!(-95), &json!(-500))
    );
    assert_eq!(fall["entry"]["limited_by"], json!(["floor"]));
    assert_eq!(fall["credit"]["credit_band"], "frozen");
    assert_eq!(fall["credit"]["freezes"][0]["restart"], 30);
    let (_, barcode) = app.item(app.bib("西游记", None), "B1", &json!({}));
    let body = json!({"item_barcode": barcode, "card_number": town.card});
    let refused = app.post(&town.desk, "/api/v1/check-outs", &body).expect(409).body;
    assert!(refused["refusals"].to_string().contains("credit_frozen"), "{refused}");
    app.clock.set(at("2026-04-04T17:00:00Z"));
    night(app);
    assert_eq!(
        town.credit(app),
        (30, "c".to_owned()),
        "thirty days later it begins again"
    );
    app.assert_sound();
}

fn a_line_is_undone_once_and_never_deleted(app: &TestApp) {
    let town = town(app);
    let posted = town
        .post(app, &json!({"points": -500, "reason": "误记"}))
        .expect(201)
        .body;
    assert_eq!(town.credit(app), (0, "frozen".to_owned()));
    let path = format!("/api/v1/credit-entries/{}/reversal", posted["entry"]["id"]);
    let undone = app
        .post(&town.desk, &path, &json!({"reason": "他人所为"}))
        .expect(201)
        .body;
    assert_eq!(undone["entry"]["undoes_id"], posted["entry"]["id"]);
    assert_eq!(
        town.credit(app),
        (100, "b".to_owned()),
        "and the freeze it led to is over"
    );
    app.post(&town.desk, &path, &json!({"reason": "他人所为"})).expect(409);
    let own = format!("/api/v1/credit-entries/{}/reversal", undone["entry"]["id"]);
    app.post(&town.desk, &own, &json!({"reason": "反悔"})).expect(409);
    assert_eq!(town.lines(app).len(), 3);
    app.assert_sound();
}

fn an_appeal_is_decided_once_and_upholding_it_undoes_the_line(app: &TestApp) {
    let town = town(app);
    let line = |app: &TestApp| {
        let posted = town
            .post(app, &json!({"event": "damage", "reason": "污损"}))
            .expect(201)
            .body;
        posted["entry"]["id"].as_i64().expect("a line")
    };
    let appeal = |app: &TestApp, line: i64, status: u16| {
        let path = format!("/api/v1/me/credit/entries/{line}/appeals");
        app.post(&town.token, &path, &json!({"reason": "借出时已有污损"}))
            .expect(status)
            .body
    };
    let (first, second) = (line(app), line(app));
    let (one, other) = (appeal(app, first, 201), appeal(app, second, 201));
    appeal(app, first, 409);
    let (_, stranger) = app.reader("adult", "B1");
    let path = format!("/api/v1/me/credit/entries/{first}/appeals");
    app.post(&app.reader_token(&stranger), &path, &json!({"reason": "替朋友"}))
        .expect(404);
    let decide = |appeal: &Value, upheld: bool, status: u16| {
        let path = format!("/api/v1/credit-appeals/{}/decision", appeal["id"]);
        app.post(&town.desk, &path, &json!({"upheld": upheld, "answer": "已核对"}))
            .expect(status)
            .body
    };
    assert_eq!(decide(&one, true, 200)["status"], "upheld");
    assert_eq!(decide(&other, false, 200)["status"], "rejected");
    decide(&one, false, 409);
    assert_eq!(town.credit(app).0, 95, "one of two stands");
    let open = app.get(&town.desk, "/api/v1/credit-appeals").expect(200).body;
    assert_eq!(open["items"], json!([]));
    app.assert_sound();
}

fn a_freeze_by_staff_stops_lending_until_its_day_is_over(app: &TestApp) {
    let town = town(app);
    let path = format!("/api/v1/readers/{}/credit-freezes", town.reader);
    let wrong = app
        .post(&town.desk, &path, &json!({"until": "2026-03-01", "reason": "占座"}))
        .expect(422)
        .body;
    assert_eq!(wrong["errors"][0]["field"], "until");
    let body = json!({"until": "2026-03-06", "reason": "占座"});
    app.post(&town.desk, &path, &body).expect(201);
    app.post(&town.desk, &path, &body).expect(409);
    assert_eq!(town.credit(app), (100, "frozen".to_owned()));
    let thaw = format!("/api/v1/readers/{}/credit-thaw", town.reader);
    app.post(&town.desk, &thaw, &json!({"because": "quiz", "reason": "答题"}))
        .expect(409);
    app.clock.set(at("2026-03-06T15:00:00Z"));
    night(app);
    assert_eq!(town.credit(app).1, "frozen");
    app.clock.set(at("2026-03-06T17:00:00Z"));
    night(app);
    assert_eq!(
        town.credit(app),
        (100, "b".to_owned()),
        "a freeze by staff costs no points"
    );
    app.assert_sound();
}

pub fn report(app: &TestApp, secret: &str, reports: &Value) -> Answer {
    let now = app.clock.now();
    let body = json!({"source": "volunteers", "reports": reports}).to_string();
    let signature = tongjie::http::signed::signature(secret.as_bytes(), now.timestamp(), body.as_bytes());
    app.request("POST", "/api/v1/credit-events")
        .header("Content-Type", "application/json")
        .header("Tongjie-Timestamp", &now.timestamp().to_string())
        .header("Tongjie-Signature", &signature)
        .bytes(body.as_bytes())
        .send()
}

fn reports_count_once_and_one_that_is_wrong_stops_no_other(app: &TestApp) {
    let town = town(app);
    let hours = |id: &str, card: &str, hours: u32| {
        json!({"report_id": id, "card_number": card, "event": "volunteer_hour", "quantity": hours,
            "occurred_at": "2026-03-04T03:00:00Z", "note": "周末整架"})
    };
    let all = json!([
        hours("1", &town.card, 2),
        hours("2", "JC999999", 2),
        hours("3", &town.card, 20),
        hours("4", &town.card, 1)
    ]);
    let outcomes = |answer: Value| -> Vec<String> {
        let list = answer["reports"].as_array().expect("a line each").clone();
        list.iter()
            .map(|one| one["outcome"].as_str().expect("a word").to_owned())
            .collect()
    };
    let first = report(app, REPORT_SECRET, &all).expect(200).body;
    assert_eq!(outcomes(first), ["posted", "unknown_card", "posted", "capped"]);
    assert_eq!(town.credit(app).0, 130, "thirty a month");
    let again = report(app, REPORT_SECRET, &all).expect(200).body;
    assert_eq!(again["reports"][0]["repeated"], true);
    assert_eq!(outcomes(again), ["posted", "unknown_card", "posted", "capped"]);
    let other = report(app, REPORT_SECRET, &json!([hours("1", &town.card, 3)]))
        .expect(200)
        .body;
    assert_eq!(outcomes(other), ["contradicts"]);
    assert_eq!(town.credit(app).0, 130);
    assert_eq!(town.lines(app)[0]["note"], "周末整架");
    app.assert_sound();
}

fn a_report_with_a_bad_signature_changes_nothing(app: &TestApp) {
    let town = town(app);
    let one = json!([{"report_id": "1", "card_number": town.card, "event": "volunteer_hour",
        "occurred_at": "2026-03-04T03:00:00Z"}]);
    report(app, "another secret of thirty-two bytes", &one).expect(401);
    assert_eq!(town.lines(app).len(), 1);
}

fn a_deduction_is_given_back_after_five_years(app: &TestApp) {
    let town = town(app);
    town.post(app, &json!({"event": "damage", "reason": "污损"}))
        .expect(201);
    let lapse = |app: &TestApp| {
        app.block_on(run_job(
            &app.app.store,
            "a",
            CREDIT_LAPSES,
            &Arc::new(LapseCredit),
            || false,
        ))
        .expect("runs");
    };
    app.clock.set(at("2031-03-03T04:00:00Z"));
    lapse(app);
    assert_eq!(town.credit(app).0, 95);
    app.clock.set(at("2031-03-05T04:00:00Z"));
    lapse(app);
    assert_eq!(town.credit(app).0, 100);
    assert_eq!(town.lines(app)[0]["kind"], "lapse");
    app.clock.set(at("2031-03-06T04:00:00Z"));
    lapse(app);
    assert_eq!(town.credit(app).0, 100, "once");
    app.assert_sound();
}

fn what_cannot_be_posted_is_refused_by_its_field(app: &TestApp) {
    let town = town(app);
    let (_, stranger) = app.reader("adult", "B1");
    let (_, barcode) = app.item(app.bib("红楼梦", None), "B1", &json!({}));
    let out = json!({"item_barcode": barcode, "card_number": stranger});
    let lent = app.post(&town.desk, "/api/v1/check-outs", &out).expect(201).body;
    for (body, status, field) in [
        (json!({"points": 0, "reason": "无"}), 422, "points"),
        (json!({"points": 1001, "reason": "太多"}), 422, "points"),
        (json!({"event": "no_show", "reason": "未到"}), 422, "event"),
        (json!({"event": "overdue", "reason": "逾期"}), 422, "event"),
        (json!({"event": "loan", "reason": "借阅"}), 422, "event"),
        (
            json!({"event": "damage", "loan_id": lent["loan"]["id"], "reason": "不是他的"}),
            422,
            "loan_id",
        ),
        (
            json!({"event": "damage", "points": -1, "reason": "两样"}),
            400,
            "points",
        ),
        (json!({"reason": "没说"}), 400, "event"),
        (
            json!({"event": "damage", "quantity": 0, "reason": "没有"}),
            400,
            "quantity",
        ),
    ] {
        let refused = town.post(app, &body).expect(status).body;
        assert_eq!(refused["errors"][0]["field"], field, "{refused}");
    }
    assert_eq!(town.lines(app).len(), 1);
    app.assert_sound();
}

fn which_loan_that_has_ended_a_line_is_about_is_shown_for_a_right_and_a_reason(app: &TestApp) {
    let town = town(app);
    let (ended, barcode) = town.lend(app);
    let (open, _) = town.lend(app);
    let body = json!({"event": "damage", "loan_id": ended, "reason": "封面撕裂"});
    let posted = town.post(app, &body).expect(201).body;
    assert_eq!(posted["entry"]["loan_id"], ended, "it is open");
    app.post(&town.desk, "/api/v1/check-ins", &json!({"item_barcode": barcode}))
        .expect(200);
    follow(app, &town, 4);
    let path = |query: &str| format!("/api/v1/readers/{}/credit-entries{query}", town.reader);
    let loans = |token: &str, path: &str| -> Vec<Value> {
        let seen = app.get(token, path).expect(200).body;
        let lines = seen["items"].as_array().expect("lines").clone();
        let about = lines.iter().filter(|line| line["kind"] == "rule");
        about.map(|line| json!([line["event"], line["loan_id"]])).collect()
    };
    let hidden = [json!(["loan", open]), json!(["loan", null]), json!(["damage", null])];
    let shown = [json!(["loan", open]), json!(["loan", ended]), json!(["damage", ended])];
    let manager = app.staff("unit_manager", "B1");
    assert_eq!(loans(&town.desk, &path("")), hidden);
    assert_eq!(loans(&manager, &path("")), hidden);
    app.get(&town.desk, &path("?reason=asked"))
        .expect_problem(403, "forbidden");
    app.get(&manager, &path("?reason=")).expect_fields(400, &["reason"]);
    let looks = || {
        let seen = app.get(&town.token, "/api/v1/me/accesses").expect(200).body;
        let looks = seen["items"].as_array().expect("looks").clone();
        let history = looks.iter().filter(|look| look["what"] == "history");
        history.map(|look| look["reason"].clone()).collect::<Vec<Value>>()
    };
    assert!(looks().is_empty());
    assert_eq!(loans(&manager, &path("?reason=asked")), shown);
    assert_eq!(looks(), ["asked"]);
    assert_eq!(
        loans(&town.token, "/api/v1/me/credit/entries"),
        shown,
        "it is the reader's own"
    );
    // Undoing such a line says no more.
    let damage = format!("/api/v1/credit-entries/{}/reversal", posted["entry"]["id"]);
    let undone = app
        .post(&town.desk, &damage, &json!({"reason": "误记"}))
        .expect(201)
        .body;
    assert_eq!(
        (&undone["entry"]["event"], &undone["entry"]["loan_id"]),
        (&json!("damage"), &Value::Null)
    );
    app.assert_sound();
}

/// Also of those that one write makes.
fn lines_are_numbered_as_they_follow_each_other(app: &TestApp) {
    let town = town(app);
    let (loans, barcodes): (Vec<i64>, Vec<String>) = (0..3).map(|_| town.lend(app)).unzip();
    app.post(
        &town.desk,
        &format!("/api/v1/loans/{}/void", loans[0]),
        &json!({"reason": "门没有打开"}),
    )
    .expect(200);
    follow(app, &town, 5);
    app.clock.set(at("2026-04-06T17:00:00Z"));
    night(app);
    let desk = app.staff("librarian", "B1");
    for barcode in &barcodes[1..] {
        app.post(&desk, "/api/v1/check-ins", &json!({"item_barcode": barcode}))
            .expect(200);
    }
    follow(app, &town, 5 + 2 * 4);
    let lines = town.lines(app);
    let numbers: Vec<(&Value, &Value)> = lines.iter().map(|line| (&line["number"], &line["id"])).collect();
    let ascend =
        |pair: &[(&Value, &Value)]| pair[0].0.as_i64() > pair[1].0.as_i64() && pair[0].1.as_i64() > pair[1].1.as_i64();
    assert!(numbers.windows(2).all(ascend), "the newest first: {numbers:?}");
}
