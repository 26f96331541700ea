//! When notices wait, and whose words they are in: quiet hours, and templates of units that count for those below.

use serde_json::{Value, json};

use crate::app::TestApp;
use crate::credit::at;
use crate::notices::{Letters, basket, notices, remind, sent};

on_both!(
    a_notice_waits_until_quiet_hours_end_and_a_code_does_not,
    quiet_hours_are_as_the_reader_says,
    a_template_counts_for_its_unit_and_below_until_one_nearer_says_otherwise,
);

/// A reader asks for a code to an address; what is sent then.
fn asked_for_code(app: &TestApp, reader: i64, card: &str, address: &str) -> Vec<(String, String)> {
    let path = format!("/api/v1/readers/{reader}/contacts/mail");
    let said = app.request("PUT", &path).bearer(&app.reader_token(card));
    said.json(&json!({"address": address})).send().expect(200);
    let mails = sent(app, Letters::default());
    let shown = mails
        .into_iter()
        .map(|mail| (mail.to.as_str().to_owned(), mail.letter.text));
    shown.collect()
}

fn only_reader(app: &TestApp) -> i64 {
    app.database.outside().number("SELECT max(id) AS n FROM readers")
}

fn a_notice_waits_until_quiet_hours_end_and_a_code_does_not(app: &TestApp) {
    let (card, _) = basket(app, 1);
    // Ten in the evening: quiet are nine to eight, where the reader says nothing else.
    app.clock.set(at("2026-04-01T14:00:00Z"));
    remind(app);
    let waits = notices(app, &card);
    assert_eq!(waits[0]["sendings"][0]["state"], "waiting");
    assert_eq!(sent(app, Letters::default()), [], "nobody is woken up");
    let codes = asked_for_code(app, only_reader(app), &card, "wang@example.org");
    assert_eq!(codes.len(), 1, "{codes:?}");
    assert_eq!(codes[0].0, "wang@example.org");
    app.clock.set(at("2026-04-01T23:57:00Z"));
    assert_eq!(sent(app, Letters::default()), [], "a minute to eight");
    app.clock.set(at("2026-04-01T23:58:00Z"));
    let mails = sent(app, Letters::default());
    assert_eq!(mails.len(), 1, "{mails:?}");
    assert_eq!(mails[0].to.as_str(), "li@example.org");
    assert!(mails[0].letter.text.contains("三国演义"), "{mails:?}");
    assert_eq!(
        notices(app, &card)
            .last()
            .map(|one| one["sendings"][0]["state"].clone()),
        Some(json!("sent"))
    );
}

fn quiet_hours_are_as_the_reader_says(app: &TestApp) {
    let (card, _) = basket(app, 1);
    let token = app.reader_token(&card);
    let wishes = app.request("PATCH", "/api/v1/me/preferences").bearer(&token);
    let wishes = wishes
        .json(&json!({"quiet_from": "12:00", "quiet_until": "14:30"}))
        .send();
    assert_eq!(wishes.expect(200).body["quiet_until"], "14:30");
    // Half past twelve.
    app.clock.set(at("2026-04-01T04:30:00Z"));
    remind(app);
    app.clock.set(at("2026-04-01T06:27:00Z"));
    assert_eq!(sent(app, Letters::default()), []);
    assert_eq!(sent(app, Letters::default()).len(), 1, "half past two");
}

fn a_template_counts_for_its_unit_and_below_until_one_nearer_says_otherwise(app: &TestApp) {
    app.small_network();
    let root = app.root_token();
    let path = |unit: &str| format!("/api/v1/units/{unit}/notice-templates/verification_code/zh-CN");
    let set = |unit: &str| {
        let text = format!("{unit}说：{{% for line in lines %}}{{{{ line.code }}}}{{% endfor %}}");
        let body = json!({"subject": "验证码", "text": text, "html": "<p>{{ count }}</p>"});
        app.request("PUT", &path(unit))
            .bearer(&root)
            .json(&body)
            .send()
            .expect(200);
    };
    let (near, near_card) = app.reader("adult", "B1");
    let (far, far_card) = app.reader("adult", "M2");
    let mut asked = 0;
    let mut words = |reader: i64, card: &str| {
        asked += 1;
        let codes = asked_for_code(app, reader, card, &format!("li{asked}@example.org"));
        assert_eq!(codes.len(), 1, "{codes:?}");
        codes[0].1.clone()
    };
    set("M1");
    assert!(words(near, &near_card).starts_with("M1说："), "below M1");
    assert!(
        !words(far, &far_card).contains("说："),
        "M2 is beside it: the built-in one"
    );
    set("C1");
    assert!(words(far, &far_card).starts_with("C1说："));
    assert!(words(near, &near_card).starts_with("M1说："), "the nearest");
    set("B1");
    assert!(words(near, &near_card).starts_with("B1说："));
    for unit in ["B1", "M1"] {
        app.request("DELETE", &path(unit)).bearer(&root).send().expect(200);
    }
    assert!(
        words(near, &near_card).starts_with("C1说："),
        "what was taken back counts no more"
    );
    let seen: Value = app.get(&root, &path("B1")).expect(200).body;
    assert!(
        seen["text"].as_str().is_some_and(|text| text.starts_with("C1说")),
        "{seen}"
    );
}
