//! Where readers are reached: what comes back says something of the address it went to and of no other, and a new address loses nothing.

use serde_json::{Value, json};
use tongjie::usecase::send_notice::Mail;

use crate::app::{REPORT_SECRET, TestApp};
use crate::notices::{Letters, basket, later, notices, remind, sent};

on_both!(
    a_mail_that_comes_back_marks_the_address_it_went_to_and_no_later_one,
    what_comes_back_for_a_while_may_come_back_for_good,
    an_address_fails_by_the_third_mail_that_comes_back_within_a_month,
    a_bounce_with_a_mark_that_we_did_not_give_out_changes_nothing,
    what_waits_for_an_address_goes_out_once_it_is_confirmed,
);

/// The mail system tells that a mail came back. True: that was not known.
fn came_back(app: &TestApp, mail: &Mail, status: &str) -> bool {
    let address = format!("bounce+{}-{}@bounces.example.org", mail.sending, mail.bounce_mark);
    let told = report(app, &address, status).expect(200).body;
    told["first"].as_bool().expect("a word")
}

fn report(app: &TestApp, address: &str, status: &str) -> crate::client::Answer {
    let now = app.clock.now();
    let body = json!({"address": address, "status": status}).to_string();
    let signature = tongjie::http::signed::signature(REPORT_SECRET.as_bytes(), now.timestamp(), body.as_bytes());
    app.request("POST", "/api/v1/mail-bounces")
        .header("Content-Type", "application/json")
        .header("Tongjie-Timestamp", &now.timestamp().to_string())
        .header("Tongjie-Signature", &signature)
        .bytes(body.as_bytes())
        .send()
}

fn reader_of(app: &TestApp) -> i64 {
    app.database.outside().number("SELECT max(reader_id) AS n FROM loans")
}

fn set_address(app: &TestApp, token: &str, address: &Value) {
    let path = format!("/api/v1/readers/{}/contacts/mail", reader_of(app));
    let said = app
        .request("PUT", &path)
        .bearer(token)
        .json(&json!({"address": address}));
    said.send().expect(200);
}

/// Since when nothing goes to the reader's mail address.
fn failing(app: &TestApp, card: &str) -> bool {
    let path = format!("/api/v1/readers/{}/contacts", reader_of(app));
    let listed = app.get(&app.reader_token(card), &path).expect(200).body;
    let contacts = listed["items"].as_array().expect("items");
    let mail = contacts.iter().find(|one| one["channel"] == "mail").expect("mail");
    !mail["failing_since"].is_null()
}

/// After so many more days what is due is told.
fn told_after(app: &TestApp, days: i64) -> Vec<Mail> {
    later(app, days * 86_400);
    remind(app);
    sent(app, Letters::default())
}

fn a_mail_that_comes_back_marks_the_address_it_went_to_and_no_later_one(app: &TestApp) {
    let (card, _) = basket(app, 1);
    let first = told_after(app, 28);
    set_address(app, &app.staff("librarian", "M1"), &json!("wang@example.org"));
    assert!(came_back(app, &first[0], "5.1.1"));
    assert!(!failing(app, &card), "nothing came back from there");
    assert_eq!(notices(app, &card)[0]["sendings"][0]["state"], "bounced");
    let second = told_after(app, 4);
    assert_eq!(second[0].to.as_str(), "wang@example.org");
    assert!(came_back(app, &second[0], "5.1.1"));
    assert!(failing(app, &card));
    assert_eq!(told_after(app, 7), [], "nothing goes there any more");
}

fn what_comes_back_for_a_while_may_come_back_for_good(app: &TestApp) {
    let (card, _) = basket(app, 1);
    let mails = told_after(app, 28);
    assert!(came_back(app, &mails[0], "4.4.7"));
    assert!(!came_back(app, &mails[0], "4.4.7"), "that is known");
    assert!(!failing(app, &card));
    assert!(came_back(app, &mails[0], "5.1.1"));
    assert!(failing(app, &card));
    assert!(!came_back(app, &mails[0], "4.4.7"), "the last word was said");
}

fn an_address_fails_by_the_third_mail_that_comes_back_within_a_month(app: &TestApp) {
    let (card, _) = basket(app, 1);
    for (days, fails) in [(28, false), (4, false), (7, true)] {
        let mails = told_after(app, days);
        assert_eq!(mails.len(), 1);
        // Too big, or refused for what is in it: not the address's fault by itself.
        assert!(came_back(app, &mails[0], "5.7.1"));
        assert_eq!(failing(app, &card), fails, "after {days} more days");
    }
}

fn a_bounce_with_a_mark_that_we_did_not_give_out_changes_nothing(app: &TestApp) {
    let (card, _) = basket(app, 1);
    let mails = told_after(app, 28);
    let address = format!("bounce+{}-{}@bounces.example.org", mails[0].sending, "0".repeat(16));
    report(app, &address, "5.1.1").expect(404);
    report(app, "li@example.org", "5.1.1").expect(404);
    report(app, &address, "2.0.0").expect_fields(422, &["status"]);
    assert!(!failing(app, &card));
}

fn what_waits_for_an_address_goes_out_once_it_is_confirmed(app: &TestApp) {
    let (card, _) = basket(app, 1);
    later(app, 28 * 86_400);
    remind(app);
    let token = app.reader_token(&card);
    set_address(app, &token, &Value::Null);
    set_address(app, &token, &json!("wang@example.org"));
    let mails = sent(app, Letters::default());
    assert_eq!(mails.len(), 1, "only the code: {mails:?}");
    let digits = mails[0].letter.text.chars().filter(char::is_ascii_digit);
    let code: String = digits.take(6).collect();
    let token = app.reader_token(&card);
    app.post(&token, "/api/v1/me/contacts/mail/confirmation", &json!({"code": code}))
        .expect(200);
    let mails = sent(app, Letters::default());
    assert_eq!(mails.len(), 1, "{mails:?}");
    assert_eq!(mails[0].to.as_str(), "wang@example.org");
    assert!(mails[0].letter.text.contains("三国演义"), "{mails:?}");
}
