//! The four programmes that ship, each lived through its worked example of docs/CREDIT.md at a desk: published by name, moved by loans,
//! returns, staff and reports, read from the ledger.

use serde_json::{Value, json};
use tongjie::domain::credit_rules::PRESETS;
use tongjie::usecase::expire_holds::expire_holds;

use crate::app::{REPORT_SECRET, TestApp};
use crate::credit::{Town, at, follow, night, report, town};
use crate::rule_sets::{exported, published};

on_both!(
    cn_points_100_from_nine_loans_to_a_freeze_and_back,
    gz_900_pays_overdue_days_with_points_and_leaves_the_rest_for_money,
    qz_300_freezes_whoever_does_not_collect_for_twenty_days,
    zp_200_ends_a_freeze_by_two_hours_or_a_quiz,
);

/// A reader whose ledger begins under the programme of this name.
fn under(app: &TestApp, name: &str) -> Town {
    let (_, programme) = PRESETS.iter().find(|(one, _)| *one == name).expect("it ships");
    let mut rules: toml::Table = exported(app, 1).parse().expect("TOML");
    let programme: toml::Table = programme.parse().expect("TOML");
    rules.insert("credit".to_owned(), programme["credit"].clone());
    published(app, &app.root_token(), None, &rules.to_string());
    let town = town(app);
    let seen = app.get(&town.token, "/api/v1/me/credit").expect(200).body;
    assert_eq!(seen["programme"], name);
    town
}

/// As many lines as there are, without what they begin with.
fn points(app: &TestApp, town: &Town, event: &str) -> Vec<i64> {
    let lines = town.lines(app);
    let of_event = lines.iter().filter(|line| line["event"] == event);
    of_event.map(|line| line["points"].as_i64().expect("points")).collect()
}

fn bring_back(app: &TestApp, barcodes: &[String]) {
    let desk = app.staff("librarian", "B1");
    for barcode in barcodes {
        app.post(&desk, "/api/v1/check-ins", &json!({"item_barcode": barcode}))
            .expect(200);
    }
}

/// Staff post; whoever is at the desk by now.
fn post(app: &TestApp, town: &Town, body: &Value) -> Value {
    let desk = app.staff("librarian", "B1");
    let path = format!("/api/v1/readers/{}/credit-entries", town.reader);
    app.post(&desk, &path, body).expect(201).body
}

/// Leaves the reader so many points.
fn left_with(app: &TestApp, town: &Town, points: i64) {
    let by = points - town.credit(app).0;
    let left = post(app, town, &json!({"points": by, "reason": "调整"}));
    assert_eq!(left["credit"]["balance"], points);
}

fn reported(app: &TestApp, town: &Town, id: &str, event: &str, quantity: u32) -> Value {
    let one = json!([{"report_id": id, "card_number": town.card, "event": event, "quantity": quantity,
        "occurred_at": app.clock.now()}]);
    report(app, REPORT_SECRET, &one).expect(200).body["reports"][0]["outcome"].clone()
}

/// The open freeze of the programme: its end, and the balance it ends with.
fn floor(app: &TestApp, town: &Town) -> (Value, Value) {
    let seen = app
        .get(&app.reader_token(&town.card), "/api/v1/me/credit")
        .expect(200)
        .body;
    assert_eq!(seen["credit_band"], "frozen");
    let freezes = seen["freezes"].as_array().expect("freezes");
    assert_eq!((freezes.len(), &freezes[0]["cause"]), (1, &json!("floor")));
    (freezes[0]["until"].clone(), freezes[0]["restart"].clone())
}

fn cn_points_100_from_nine_loans_to_a_freeze_and_back(app: &TestApp) {
    let town = under(app, "cn-points-100");
    assert_eq!(town.credit(app), (100, "b".to_owned()));
    let early: Vec<String> = (0..3).map(|_| town.lend(app).1).collect();
    follow(app, &town, 1 + 3);
    app.clock.set(at("2026-03-05T04:00:00Z"));
    let town = Town {
        desk: app.staff("librarian", "B1"),
        ..town
    };
    let late: Vec<String> = (0..6).map(|_| town.lend(app).1).collect();
    follow(app, &town, 1 + 3 + 5);
    assert_eq!(town.credit(app).0, 108, "five a day");
    // Due on 3 and 4 April, each back the day after.
    app.clock.set(at("2026-04-04T04:00:00Z"));
    bring_back(app, &early);
    follow(app, &town, 9 + 3);
    assert_eq!(town.credit(app).0, 105);
    app.clock.set(at("2026-04-05T04:00:00Z"));
    bring_back(app, &late);
    follow(app, &town, 12 + 5);
    assert_eq!(town.credit(app).0, 100, "five a day, however many items");
    assert_eq!(points(app, &town, "overdue"), [-1; 8]);
    assert_eq!(reported(app, &town, "1", "volunteer_hour", 2), "posted");
    assert_eq!(town.credit(app).0, 104);
    left_with(app, &town, 3);
    let fall = post(app, &town, &json!({"event": "loss", "reason": "遗失"}));
    assert_eq!(
        (&fall["entry"]["points"], &fall["entry"]["limited_by"]),
        (&json!(-3), &json!(["floor"]))
    );
    assert_eq!(floor(app, &town), (json!("2026-05-05T15:59:59Z"), json!(30)));
    app.clock.set(at("2026-05-05T17:00:00Z"));
    night(app);
    assert_eq!(town.credit(app), (30, "c".to_owned()), "thirty days later");
    app.assert_sound();
}

fn gz_900_pays_overdue_days_with_points_and_leaves_the_rest_for_money(app: &TestApp) {
    let town = under(app, "gz-900");
    assert_eq!(town.credit(app), (900, "b".to_owned()));
    town.lend(app);
    follow(app, &town, 2);
    assert_eq!(town.credit(app).0, 901);
    assert_eq!(reported(app, &town, "1", "attendance", 50), "posted");
    assert_eq!(town.credit(app).0, 931, "thirty a day");
    // Due on 3 April: forty days are over each time.
    for (over, balance) in [("2026-05-13", 891), ("2026-06-22", 851), ("2026-08-01", 831)] {
        app.clock.set(at(&format!("{over}T17:00:00Z")));
        night(app);
        assert_eq!(town.credit(app).0, balance, "{over}");
    }
    assert_eq!(
        points(app, &town, "overdue").iter().sum::<i64>(),
        -100,
        "a hundred an item"
    );
    assert_eq!(town.credit(app), (831, "b".to_owned()));
    let money = "SELECT CAST(sum(money_days) AS BIGINT) AS n FROM credit_overdue";
    assert_eq!(
        app.database.outside().number(money),
        20,
        "days that points have not paid"
    );
    left_with(app, &town, 0);
    assert_eq!(town.credit(app), (0, "b".to_owned()), "nobody is frozen for points");
    app.assert_sound();
}

/// Staff lend beyond the limit, with a reason.
fn lend_beyond(app: &TestApp, town: &Town) -> String {
    let (_, barcode) = app.item(app.bib("红楼梦", None), "B1", &json!({}));
    let body = json!({"item_barcode": barcode, "card_number": town.card});
    let told = app.post(&town.desk, "/api/v1/check-outs", &body).expect(409).body;
    let codes: Vec<&Value> = told["refusals"]
        .as_array()
        .expect("refusals")
        .iter()
        .map(|one| &one["code"])
        .collect();
    let body =
        json!({"item_barcode": barcode, "card_number": town.card, "overrides": {"codes": codes, "reason": "课题用书"}});
    app.post_consenting(&town.desk, "/api/v1/check-outs", &body).expect(201);
    barcode
}

fn qz_300_freezes_whoever_does_not_collect_for_twenty_days(app: &TestApp) {
    let town = under(app, "qz-300");
    assert_eq!(town.credit(app), (300, "b".to_owned()));
    let mut barcodes: Vec<String> = (0..10).map(|_| town.lend(app).1).collect();
    barcodes.extend((0..2).map(|_| lend_beyond(app, &town)));
    follow(app, &town, 1 + 12);
    assert_eq!(town.credit(app).0, 312);
    app.clock.set(at("2026-04-04T04:00:00Z"));
    bring_back(app, &barcodes);
    follow(app, &town, 13 + 10);
    assert_eq!(town.credit(app).0, 302, "ten a day, of twelve items");
    let damaged = post(app, &town, &json!({"event": "serious_damage", "reason": "缺页"}));
    assert_eq!(damaged["entry"]["points"], -30);
    left_with(app, &town, 5);
    // A hold that is set aside and not collected.
    let bib = app.bib("水浒传", None);
    let (_, barcode) = app.item(bib, "B1", &json!({}));
    let (_, other) = app.reader("adult", "B1");
    let out = json!({"item_barcode": barcode, "card_number": other});
    app.post(&app.staff("librarian", "B1"), "/api/v1/check-outs", &out)
        .expect(201);
    let wanted = json!({"bib_id": bib, "pickup_unit_code": "B1"});
    app.post(&app.reader_token(&town.card), "/api/v1/me/holds", &wanted)
        .expect(201);
    bring_back(app, &[barcode]);
    app.clock.set(at("2026-04-20T04:00:00Z"));
    assert_eq!(app.block_on(expire_holds(&app.app.store)).expect("runs"), 1);
    follow(app, &town, 23 + 2 + 1);
    assert_eq!(points(app, &town, "hold_not_collected"), [-5]);
    assert_eq!(floor(app, &town), (json!("2026-05-10T15:59:59Z"), json!(10)));
    app.clock.set(at("2026-05-10T17:00:00Z"));
    night(app);
    assert_eq!(town.credit(app), (10, "b".to_owned()), "twenty days later");
    app.assert_sound();
}

fn zp_200_ends_a_freeze_by_two_hours_or_a_quiz(app: &TestApp) {
    let town = under(app, "zp-200");
    for _ in 0..4 {
        town.lend(app);
    }
    follow(app, &town, 1 + 3);
    assert_eq!(town.credit(app), (203, "b".to_owned()), "three a day");
    let loss = post(app, &town, &json!({"event": "loss", "reason": "遗失"}));
    assert_eq!((&loss["entry"]["points"], town.credit(app).0), (&json!(-35), 168));
    left_with(app, &town, 0);
    assert_eq!(floor(app, &town), (json!("2026-05-03T15:59:59Z"), json!(50)));
    assert_eq!(reported(app, &town, "1", "volunteer_hour", 1), "posted");
    assert_eq!(town.credit(app), (5, "frozen".to_owned()), "an hour is not enough");
    assert_eq!(reported(app, &town, "2", "volunteer_hour", 4), "posted");
    assert_eq!(town.credit(app), (50, "b".to_owned()));
    assert_eq!(points(app, &town, "volunteer_hour"), [15, 5], "twenty a day");
    left_with(app, &town, 0);
    let thaw = format!("/api/v1/readers/{}/credit-thaw", town.reader);
    app.post(&town.desk, &thaw, &json!({"because": "quiz", "reason": "答题合格"}))
        .expect(200);
    assert_eq!(town.credit(app), (50, "b".to_owned()));
    app.assert_sound();
}
