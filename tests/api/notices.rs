//! What readers are told: from what happened to a mail, once, in the reader's language, and never of what is no longer so.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use chrono::{DateTime, TimeDelta};
use secrecy::ExposeSecret;
use serde_json::{Value, json};
use tongjie::auth::identity::IdentityKey;
use tongjie::domain::notice_time::Reminders;
use tongjie::domain::schedule::{
    ANNOUNCEMENTS, CREDIT_NIGHT, CREDIT_NOTICES, LOAN_REMINDERS, MAIL_OUTBOX, RESEAL_IDENTITIES,
};
use tongjie::usecase::announce_events::AnnounceEvents;
use tongjie::usecase::deliver_outbox::{DeliverOutbox, Fault};
use tongjie::usecase::nightly_credit::NightlyCredit;
use tongjie::usecase::remind_readers::RemindOfLoans;
use tongjie::usecase::reseal_identities::ResealIdentities;
use tongjie::usecase::run_job::{Pass, Ran, run_job};
use tongjie::usecase::send_notice::{Desk, Mail, Mailer, SendMail, Sent};
use tongjie::usecase::tell_credit::TellCredit;

use crate::app::TestApp;
use crate::holds::{check_in, queue};

on_both!(
    a_hold_that_is_ready_is_told_once,
    a_basket_is_one_mail,
    what_came_back_meanwhile_is_not_told,
    a_mail_that_was_refused_for_good_marks_the_address,
    a_mail_address_with_a_line_break_is_refused,
    a_template_that_does_not_render_is_refused_and_the_old_one_stays,
    a_reader_proves_an_address_with_the_code_that_was_sent_there,
    a_new_address_takes_the_place_of_a_good_one_when_it_is_proved,
    who_is_frozen_or_loses_points_by_staff_is_told_why,
    what_the_night_takes_is_told_once_in_the_morning,
    a_moment_with_more_lines_than_a_page_is_told_whole,
    an_address_is_read_again_after_its_key_was_replaced,
);

/// A mail server that keeps what it takes.
#[derive(Debug, Default)]
pub struct Letters {
    taken: Mutex<Vec<Mail>>,
    /// What is answered next, instead of taking it.
    answers: Mutex<Vec<Result<Sent, Fault>>>,
}

impl Letters {
    pub fn taken(&self) -> Vec<Mail> {
        self.taken.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub fn answering(self, answer: Result<Sent, Fault>) -> Self {
        self.answers.lock().unwrap_or_else(PoisonError::into_inner).push(answer);
        self
    }
}

impl Mailer for Letters {
    async fn send(&self, mail: Mail) -> Result<Sent, Fault> {
        if let Some(answer) = self.answers.lock().unwrap_or_else(PoisonError::into_inner).pop() {
            return answer;
        }
        self.taken.lock().unwrap_or_else(PoisonError::into_inner).push(mail);
        Ok(Sent::Taken)
    }

    fn at_once(&self) -> usize {
        8
    }

    fn is_ready(&self) -> bool {
        true
    }
}

pub fn announce(app: &TestApp) {
    later(app, 10);
    let pass = Arc::new(AnnounceEvents);
    let run = run_job(&app.app.store, "a", ANNOUNCEMENTS, &pass, || false);
    assert!(matches!(app.block_on(run).expect("runs"), Ran::Finished { .. }));
}

pub fn remind(app: &TestApp) {
    let pass = Arc::new(RemindOfLoans(Reminders {
        due_soon_days: 3,
        overdue_days: [1, 7, 30],
        hold_expiring_days: 1,
        card_expiring_days: 30,
    }));
    let run = run_job(&app.app.store, "a", LOAN_REMINDERS, &pass, || false);
    assert!(matches!(app.block_on(run).expect("runs"), Ran::Finished { .. }));
}

/// Two minutes later whatever gathered goes out.
pub fn sent(app: &TestApp, letters: Letters) -> Vec<Mail> {
    later(app, 120);
    let mailer = Arc::new(letters);
    let desk = Desk {
        secrets: app.app.derived(),
        portal_url: None,
    };
    let pass = Arc::new(DeliverOutbox(SendMail {
        desk,
        mailer: Arc::clone(&mailer),
    }));
    let run = run_job(&app.app.store, "a", MAIL_OUTBOX, &pass, || false);
    app.block_on(run).expect("runs");
    mailer.taken()
}

pub fn later(app: &TestApp, seconds: i64) {
    app.clock.set(app.clock.now() + TimeDelta::seconds(seconds));
}

/// Announces until so many lines of notices are there: on a cluster that other tests use too, an event settles only when what ran
/// beside it has ended. Then what gathered is sent.
pub fn announced(app: &TestApp, lines: i64) -> Vec<Mail> {
    let store = &app.app.store;
    let step = async || {
        let look = store
            .read(AnnounceEvents.look(0, app.clock.now()))
            .await
            .expect("reads");
        AnnounceEvents.act(store, look.work).await.expect("announces");
    };
    for _ in 0..3_000 {
        app.block_on(step());
        if app.database.outside().number("SELECT count(*) AS n FROM notice_lines") >= lines {
            return sent(app, Letters::default());
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    panic!("there are no {lines} lines of notices");
}

pub fn with_mail(app: &TestApp, reader: i64) {
    let desk = app.staff("librarian", "M1");
    let path = format!("/api/v1/readers/{reader}/contacts/mail");
    let said = app
        .request("PUT", &path)
        .bearer(&desk)
        .json(&json!({"address": "li@example.org"}))
        .send();
    assert_eq!(said.expect(200).body["shown"], "l***@example.org");
}

/// A reader with mail who has so many books from M1's desk, due in 30 days.
pub fn basket(app: &TestApp, books: usize) -> (String, Vec<String>) {
    app.small_network();
    let desk = app.staff("librarian", "M1");
    let (reader, card) = app.reader("adult", "M1");
    with_mail(app, reader);
    let lend = |n: usize| {
        let (_, barcode) = app.item(app.bib(&format!("三国演义 {n}"), None), "M1", &json!({}));
        let body = json!({"item_barcode": barcode, "card_number": card});
        app.post(&desk, "/api/v1/check-outs", &body).expect(201);
        barcode
    };
    (card.clone(), (0..books).map(lend).collect())
}

pub fn notices(app: &TestApp, card: &str) -> Vec<Value> {
    let token = app.reader_token(card);
    let listed = app.get(&token, "/api/v1/me/notices").expect(200).body;
    listed["items"].as_array().expect("items").clone()
}

fn a_hold_that_is_ready_is_told_once(app: &TestApp) {
    let queue = queue(app, 1);
    let reader = app.database.outside().number(&format!(
        "SELECT reader_id AS n FROM holds WHERE id = {}",
        queue.holds[0].1
    ));
    with_mail(app, reader);
    check_in(app, "B1", &queue.barcode);
    let mails = announced(app, 1);
    assert_eq!(mails.len(), 1, "{mails:?}");
    assert_eq!(mails[0].to.as_str(), "li@example.org");
    assert!(mails[0].letter.subject.contains("预约"), "{mails:?}");
    announce(app);
    assert_eq!(sent(app, Letters::default()), [], "once");
    app.assert_sound();
}

fn a_basket_is_one_mail(app: &TestApp) {
    let (card, _) = basket(app, 5);
    later(app, 28 * 86_400);
    remind(app);
    let mails = sent(app, Letters::default());
    assert_eq!(mails.len(), 1, "{mails:?}");
    assert_eq!(mails[0].letter.text.matches("三国演义").count(), 5);
    later(app, 86_400);
    remind(app);
    assert_eq!(sent(app, Letters::default()), [], "once for each due date");
    let told = notices(app, &card);
    assert_eq!(
        (told.len(), &told[0]["lines"], &told[0]["sendings"][0]["state"]),
        (1, &json!(5), &json!("sent"))
    );
}

fn what_came_back_meanwhile_is_not_told(app: &TestApp) {
    let (card, barcodes) = basket(app, 2);
    later(app, 28 * 86_400);
    remind(app);
    for barcode in &barcodes {
        check_in(app, "M1", barcode);
    }
    assert_eq!(sent(app, Letters::default()), []);
    assert_eq!(notices(app, &card)[0]["sendings"][0]["state"], "dropped");
}

fn a_mail_that_was_refused_for_good_marks_the_address(app: &TestApp) {
    let (card, _) = basket(app, 1);
    later(app, 28 * 86_400);
    remind(app);
    let nobody = Letters::default().answering(Ok(Sent::NoSuchAddress("5.1.1".into())));
    assert_eq!(sent(app, nobody), []);
    assert_eq!(notices(app, &card)[0]["sendings"][0]["state"], "bounced");
    later(app, 4 * 86_400);
    remind(app);
    assert_eq!(sent(app, Letters::default()), [], "nothing goes there any more");
    assert_eq!(
        notices(app, &card)[0]["sendings"],
        json!([]),
        "it is read in the portal"
    );
}

fn a_mail_address_with_a_line_break_is_refused(app: &TestApp) {
    app.small_network();
    let (reader, _) = app.reader("adult", "M1");
    let desk = app.staff("librarian", "M1");
    let path = format!("/api/v1/readers/{reader}/contacts/mail");
    for address in [
        "li@example.org\nBcc: all@example.org",
        "li@example.org\r\n",
        "li @example.org",
    ] {
        let said = app
            .request("PUT", &path)
            .bearer(&desk)
            .json(&json!({"address": address}))
            .send();
        assert!(matches!(said.status, 400 | 422), "{address:?}: {}", said.status);
        assert!(said.body.to_string().contains("address"), "{}", said.body);
    }
    let listed = app
        .get(&desk, &format!("/api/v1/readers/{reader}/contacts"))
        .expect(200);
    assert_eq!(listed.body["items"][0]["shown"], Value::Null);
}

fn a_template_that_does_not_render_is_refused_and_the_old_one_stays(app: &TestApp) {
    app.small_network();
    let head = app.staff("unit_manager", "M1");
    let path = "/api/v1/units/M1/notice-templates/due_soon/zh-CN";
    let put = |text: &str| {
        let body = json!({"subject": "到期", "text": text, "html": "<p>{{ count }}</p>"});
        app.request("PUT", path).bearer(&head).json(&body).send()
    };
    put("{{ reader.name }}有{{ count }}册").expect(200);
    for broken in [
        "{{ reader.name",
        "{{ nobody }}",
        "{% include 'x' %}",
        "{% for line in lines %}",
    ] {
        let refused = put(broken).expect(422);
        assert!(refused.body.to_string().contains("line 1"), "{}", refused.body);
    }
    let counts = app.get(&head, path).expect(200).body;
    assert_eq!(counts["text"], "{{ reader.name }}有{{ count }}册");
    let shown = app.post(&head, &format!("{path}/preview"), &json!({})).expect(200).body;
    assert_eq!(shown["text"], "李明有3册");
}

fn a_reader_proves_an_address_with_the_code_that_was_sent_there(app: &TestApp) {
    app.small_network();
    let (reader, card) = app.reader("adult", "M1");
    let token = app.reader_token(&card);
    let path = format!("/api/v1/readers/{reader}/contacts/mail");
    let said = app
        .request("PUT", &path)
        .bearer(&token)
        .json(&json!({"address": "li@example.org"}))
        .send();
    assert_eq!(said.expect(200).body["confirmed"], false);
    let mails = sent(app, Letters::default());
    let code: String = mails[0]
        .letter
        .text
        .chars()
        .filter(char::is_ascii_digit)
        .take(6)
        .collect();
    let confirm = |code: &str| app.post(&token, "/api/v1/me/contacts/mail/confirmation", &json!({"code": code}));
    confirm("x").expect(422);
    assert_eq!(confirm(&code).expect(200).body["confirmed"], true);
    confirm(&code).expect(422);
}

fn a_new_address_takes_the_place_of_a_good_one_when_it_is_proved(app: &TestApp) {
    app.small_network();
    let (reader, card) = app.reader("adult", "M1");
    with_mail(app, reader);
    let token = app.reader_token(&card);
    let path = format!("/api/v1/readers/{reader}/contacts/mail");
    let say = |address: &str| {
        let request = app.request("PUT", &path).bearer(&token);
        request.json(&json!({"address": address})).send().expect(200).body
    };
    let code = || {
        let mails = sent(app, Letters::default());
        assert_eq!(mails.len(), 1, "{mails:?}");
        let digits = mails[0].letter.text.chars().filter(char::is_ascii_digit);
        (mails[0].to.as_str().to_owned(), digits.take(6).collect::<String>())
    };
    let said = say("wang@example.org");
    assert_eq!(
        (&said["shown"], &said["confirmed"], &said["unproved"]),
        (&json!("l***@example.org"), &json!(true), &json!("w***@example.org"))
    );
    let (to, _) = code();
    assert_eq!(to, "wang@example.org");
    // Mistyped: it is never proved, and notices go where they went.
    let desk = app.staff("librarian", "M1");
    let frozen = format!("/api/v1/readers/{reader}/credit-freezes");
    app.post(&desk, &frozen, &json!({"reason": "占座"})).expect(201);
    assert_eq!(announced(app, 2)[0].to.as_str(), "li@example.org");
    say("wang@example.net");
    let (to, code) = code();
    assert_eq!(to, "wang@example.net");
    let confirmation = json!({"code": code});
    let proved = app.post(&token, "/api/v1/me/contacts/mail/confirmation", &confirmation);
    let proved = proved.expect(200).body;
    assert_eq!(
        (&proved["shown"], &proved["confirmed"], &proved["unproved"]),
        (&json!("w***@example.net"), &json!(true), &Value::Null)
    );
    app.assert_sound();
}

fn who_is_frozen_or_loses_points_by_staff_is_told_why(app: &TestApp) {
    app.small_network();
    let desk = app.staff("librarian", "M1");
    let (reader, card) = app.reader("adult", "M1");
    with_mail(app, reader);
    let act = |what: &str, body: &Value| app.post(&desk, &format!("/api/v1/readers/{reader}/{what}"), body);
    act("credit-entries", &json!({"points": -5, "reason": "污损"})).expect(201);
    act("credit-freezes", &json!({"reason": "占座"})).expect(201);
    let mails = announced(app, 2);
    assert_eq!(mails.len(), 2, "{mails:?}");
    let texts: Vec<&str> = mails.iter().map(|mail| mail.letter.text.as_str()).collect();
    let of = |word: &str| {
        texts
            .iter()
            .find(|text| text.contains(word))
            .copied()
            .unwrap_or_default()
    };
    assert!(
        of("信用积分").contains("-5 分，变动后 95 分：工作人员调整"),
        "{texts:?}"
    );
    assert!(of("已暂停").contains("由图书馆决定"), "{texts:?}");
    assert!(!texts.concat().contains("占座"), "words of staff are not sent");
    act("credit-thaw", &json!({"because": "decision", "reason": "已说明"})).expect(200);
    let thawed = announced(app, 3);
    assert_eq!(thawed.len(), 1, "{thawed:?}");
    assert!(thawed[0].letter.text.contains("已恢复"), "{thawed:?}");
    assert_eq!(notices(app, &card).len(), 3);
    app.assert_sound();
}

fn what_the_night_takes_is_told_once_in_the_morning(app: &TestApp) {
    let (card, _) = basket(app, 2);
    later(app, 34 * 86_400);
    let night = Arc::new(NightlyCredit);
    let run = run_job(&app.app.store, "a", CREDIT_NIGHT, &night, || false);
    app.block_on(run).expect("runs");
    let morning = || {
        let pass = Arc::new(TellCredit);
        let run = run_job(&app.app.store, "a", CREDIT_NOTICES, &pass, || false);
        assert!(matches!(app.block_on(run).expect("runs"), Ran::Finished { .. }));
        sent(app, Letters::default())
    };
    let mails = morning();
    assert_eq!(mails.len(), 1, "{mails:?}");
    assert!(mails[0].letter.text.matches("逾期一天").count() >= 2, "{mails:?}");
    later(app, 86_400);
    assert_eq!(morning(), [], "each line once");
    assert_eq!(notices(app, &card).len(), 1);
    app.assert_sound();
}

fn an_address_is_read_again_after_its_key_was_replaced(app: &TestApp) {
    app.small_network();
    let desk = app.staff("librarian", "M1");
    let (reader, _) = app.reader("adult", "M1");
    with_mail(app, reader);
    let first = app.app.config.auth.identity_key.as_ref().expect("a key");
    let first = IdentityKey::new(first.expose_secret().as_bytes(), DateTime::UNIX_EPOCH);
    let next = || IdentityKey::new(&[7; 32], DateTime::UNIX_EPOCH);
    app.app.identities.replace(vec![first, next()]);
    let pass = Arc::new(ResealIdentities);
    let run = run_job(&app.app.store, "a", RESEAL_IDENTITIES, &pass, || false);
    app.block_on(run).expect("runs");
    app.app.identities.replace(vec![next()]);
    let path = format!("/api/v1/readers/{reader}/credit-entries");
    app.post(&desk, &path, &json!({"points": -5, "reason": "污损"}))
        .expect(201);
    let mails = announced(app, 1);
    assert_eq!(mails.len(), 1, "{mails:?}");
    assert_eq!(mails[0].to.as_str(), "li@example.org");
}

fn a_moment_with_more_lines_than_a_page_is_told_whole(app: &TestApp) {
    app.small_network();
    let (reader, _) = app.reader("adult", "M1");
    let posted_at = app.clock.now().timestamp_millis();
    app.database.outside().run(&format!(
        "INSERT INTO credit_entries \
         (id, reader_id, number, posted_at, day, kind, event, points, asked, balance, rules_version, cause) \
         WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 5002) \
         SELECT 900000000 + i, {reader}, 1 + i, {posted_at}, '2026-03-04', 'rule', 'overdue', -1, -1, 100 - i, 1, 'loan' FROM n"
    ));
    let pass = Arc::new(TellCredit);
    let run = run_job(&app.app.store, "a", CREDIT_NOTICES, &pass, || false);
    assert!(matches!(app.block_on(run).expect("runs"), Ran::Finished { .. }));
    let told = "SELECT count(*) AS n FROM notice_lines WHERE kind = 'credit_changed'";
    assert_eq!(app.database.outside().number(told), 5002);
}
