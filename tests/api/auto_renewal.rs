//! Loans that are renewed by themselves shortly before they are due.

use std::sync::Arc;

use chrono::TimeDelta;
use serde_json::{Value, json};
use tongjie::domain::ids::LoanId;
use tongjie::domain::schedule::AUTOMATIC_RENEWAL;
use tongjie::store::StoreError;
use tongjie::usecase::auto_renew::AutoRenew;
use tongjie::usecase::run_job::{Pass, Ran, run_job};

use crate::app::TestApp;
use crate::rule_sets::{changed, draft, published};

on_both!(
    a_loan_is_renewed_by_itself_the_day_before_it_is_due,
    without_the_term_nothing_is_renewed_by_itself,
    what_others_wait_for_is_not_renewed_and_the_reader_can_see_why,
    what_is_recalled_claimed_or_overdue_is_not_renewed,
    a_limit_of_its_own_leaves_the_rest_to_the_reader,
    two_nodes_at_once_renew_each_loan_once,
    what_a_dead_node_left_is_renewed_by_another,
    libraries_switch_it_on_where_the_network_lets_them,
    what_makes_no_sense_in_the_rules_is_told,
);

const PRESET: &str = "loan_days = 30\nrenewable = true\nrenewals = 1";

/// The network's rules, with these terms for adults' books.
fn publish(app: &TestApp, terms: &str) {
    let text = changed(app, PRESET, &format!("loan_days = 30\nrenewable = true\n{terms}"), "");
    published(app, &app.root_token(), None, &text);
}

struct Reader {
    id: i64,
    card: String,
    bib: i64,
    item: i64,
    barcode: String,
    loan: i64,
}

/// Somebody borrows a book of B1's, due in 30 days.
fn borrower(app: &TestApp) -> Reader {
    let (id, card) = app.reader("adult", "B1");
    let bib = app.bib("三国演义", None);
    let (item, barcode) = app.item(bib, "B1", &json!({}));
    let body = json!({"item_barcode": barcode, "card_number": card});
    let desk = app.staff("librarian", "B1");
    let lent = app.post(&desk, "/api/v1/check-outs", &body).expect(201).body;
    let loan = lent["loan"]["id"].as_i64().expect("an id");
    Reader {
        id,
        card,
        bib,
        item,
        barcode,
        loan,
    }
}

impl Reader {
    fn loan(&self, app: &TestApp) -> Value {
        let path = format!("/api/v1/readers/{}/loans?status=all", self.id);
        app.get(&app.reader_token(&self.card), &path).expect(200).body["items"][0].clone()
    }

    /// Due date, renewals, those made by themselves, and why there was none.
    fn told(&self, app: &TestApp) -> (String, i64, i64, Value) {
        let loan = self.loan(app);
        let number = |name: &str| loan[name].as_i64().expect("a number");
        let due = loan["due_at"]
            .as_str()
            .expect("a moment")
            .get(..10)
            .expect("a day")
            .to_owned();
        (
            due,
            number("renewals"),
            number("auto_renewals"),
            loan["auto_renewal_refusals"].clone(),
        )
    }

    fn renew(&self, app: &TestApp) -> crate::client::Answer {
        let path = format!("/api/v1/loans/{}/renewals", self.loan);
        app.post(&app.reader_token(&self.card), &path, &json!({}))
    }
}

fn run(app: &TestApp, node: &str) -> Ran {
    let pass = Arc::new(AutoRenew { days: 1 });
    let run = run_job(&app.app.store, node, AUTOMATIC_RENEWAL, &pass, || false);
    app.block_on(run).expect("runs")
}

fn finished(looked_at: i64, changed: i64) -> Ran {
    Ran::Finished { looked_at, changed }
}

fn days_later(app: &TestApp, days: i64) {
    app.clock.set(app.clock.now() + TimeDelta::days(days));
}

fn events(app: &TestApp, kind: &'static str) -> i64 {
    let count = app.app.store.read::<_, StoreError, _>(move |tx| tx.count_events(kind));
    app.block_on(count).expect("counted")
}

fn a_loan_is_renewed_by_itself_the_day_before_it_is_due(app: &TestApp) {
    app.small_network();
    publish(app, "renewals = 1\nauto_renew = true");
    let reader = borrower(app);
    assert_eq!(reader.told(app), ("2026-04-03".to_owned(), 0, 0, json!([])));
    days_later(app, 28);
    assert_eq!(run(app, "a"), finished(1, 0), "two days before");
    days_later(app, 1);
    assert_eq!(run(app, "a"), finished(1, 1));
    assert_eq!(reader.told(app), ("2026-05-03".to_owned(), 1, 1, json!([])));
    assert_eq!((events(app, "loan_renewed"), events(app, "loan_not_renewed")), (1, 0));
    days_later(app, 1);
    assert_eq!(run(app, "a"), finished(1, 0), "a month is left");
    // The renewals are used up: told once, and the loan stays as it is.
    for _ in 0..2 {
        days_later(app, if events(app, "loan_not_renewed") == 0 { 29 } else { 1 });
        assert_eq!(run(app, "a"), finished(1, 0));
        assert_eq!(
            reader.told(app),
            ("2026-05-03".to_owned(), 1, 1, json!(["renewal_limit"]))
        );
        assert_eq!(events(app, "loan_not_renewed"), 1);
    }
    app.assert_sound();
}

fn without_the_term_nothing_is_renewed_by_itself(app: &TestApp) {
    app.small_network();
    let reader = borrower(app);
    days_later(app, 29);
    assert_eq!(run(app, "a"), finished(0, 0), "no loan is looked at");
    assert_eq!(reader.told(app), ("2026-04-03".to_owned(), 0, 0, json!([])));
}

fn what_others_wait_for_is_not_renewed_and_the_reader_can_see_why(app: &TestApp) {
    app.small_network();
    publish(app, "renewals = 2\nauto_renew = true");
    let reader = borrower(app);
    let (_, other) = app.reader("adult", "B1");
    let hold = json!({"bib_id": reader.bib, "pickup_unit_code": "B1"});
    let hold = app
        .post(&app.reader_token(&other), "/api/v1/holds", &hold)
        .expect(201)
        .body["hold"]["id"]
        .clone();
    days_later(app, 29);
    assert_eq!(run(app, "a"), finished(1, 0));
    assert_eq!(
        reader.told(app),
        ("2026-04-03".to_owned(), 0, 0, json!(["wanted_by_others"]))
    );
    // Nobody waits any more. The job does not try twice; the reader may.
    let own = app.reader_token(&other);
    app.request("DELETE", &format!("/api/v1/holds/{hold}"))
        .bearer(&own)
        .send()
        .expect(200);
    days_later(app, 1);
    assert_eq!(run(app, "a"), finished(1, 0));
    reader.renew(app).expect(200);
    assert_eq!(
        reader.told(app),
        ("2026-05-03".to_owned(), 1, 0, json!([])),
        "of another due date"
    );
    days_later(app, 29);
    assert_eq!(run(app, "a"), finished(1, 1));
    app.assert_sound();
}

fn what_is_recalled_claimed_or_overdue_is_not_renewed(app: &TestApp) {
    app.small_network();
    publish(app, "renewals = 2\nauto_renew = true");
    let (recalled, claimed, returned, plain) = (borrower(app), borrower(app), borrower(app), borrower(app));
    days_later(app, 29);
    let desk = app.staff("librarian", "B1");
    let recall = format!("/api/v1/items/{}/recall", recalled.item);
    app.post(&desk, &recall, &json!({"reason": "教学急需"})).expect(200);
    app.post(&desk, &format!("/api/v1/loans/{}/claims", claimed.loan), &json!({}))
        .expect(200);
    app.post(&desk, "/api/v1/check-ins", &json!({"item_barcode": returned.barcode}))
        .expect(200);
    assert_eq!(run(app, "a"), finished(3, 1));
    assert_eq!(recalled.told(app).3, json!(["recalled"]));
    assert_eq!(claimed.told(app).3, json!(["item_claimed_returned"]));
    assert_eq!((returned.told(app).2, plain.told(app).2), (0, 1));
    // A month later nobody ran the job in time: what is overdue is not made good again.
    days_later(app, 35);
    assert_eq!(run(app, "a"), finished(3, 0));
    assert_eq!(plain.told(app), ("2026-05-03".to_owned(), 1, 1, json!([])));
    app.assert_sound();
}

fn a_limit_of_its_own_leaves_the_rest_to_the_reader(app: &TestApp) {
    app.small_network();
    publish(app, "renewals = 2\nauto_renew = true\nauto_renewals = 1");
    let reader = borrower(app);
    days_later(app, 29);
    assert_eq!(run(app, "a"), finished(1, 1));
    days_later(app, 30);
    assert_eq!(run(app, "a"), finished(1, 0));
    assert_eq!(reader.told(app), ("2026-05-03".to_owned(), 1, 1, json!([])));
    reader.renew(app).expect(200);
    assert_eq!(reader.told(app), ("2026-06-02".to_owned(), 2, 1, json!([])));
    app.assert_sound();
}

fn two_nodes_at_once_renew_each_loan_once(app: &TestApp) {
    app.small_network();
    publish(app, "renewals = 5\nauto_renew = true");
    let readers: Vec<Reader> = (0..4).map(|_| borrower(app)).collect();
    days_later(app, 29);
    let (store, pass) = (&app.app.store, AutoRenew { days: 1 });
    let loans: Vec<LoanId> = readers.iter().map(|reader| LoanId::new(reader.loan)).collect();
    // Without the lease, which only saves work.
    let steps = async { tokio::join!(pass.act(store, loans.clone()), pass.act(store, loans.clone())) };
    let (one, other) = app.block_on(steps);
    assert_eq!(one.expect("runs") + other.expect("runs"), 4);
    let told: Vec<_> = readers.iter().map(|reader| reader.told(app)).collect();
    assert!(
        told.iter()
            .all(|told| *told == ("2026-05-03".to_owned(), 1, 1, json!([]))),
        "{told:?}"
    );
    assert_eq!(events(app, "loan_renewed"), 4);
    // With it one of them runs.
    days_later(app, 30);
    let both = [Arc::new(pass), Arc::new(pass)];
    let nodes = async {
        tokio::join!(
            run_job(store, "a", AUTOMATIC_RENEWAL, &both[0], || false),
            run_job(store, "b", AUTOMATIC_RENEWAL, &both[1], || false)
        )
    };
    let (a, b) = app.block_on(nodes);
    let mut ran = [a.expect("asked"), b.expect("asked")];
    ran.sort_by_key(|ran| *ran == Ran::NotNow);
    assert_eq!(ran, [finished(4, 4), Ran::NotNow]);
    app.assert_sound();
}

fn what_a_dead_node_left_is_renewed_by_another(app: &TestApp) {
    app.small_network();
    publish(app, "renewals = 5\nauto_renew = true");
    let readers: Vec<Reader> = (0..4).map(|_| borrower(app)).collect();
    days_later(app, 29);
    // It took the job, renewed two, and said nothing more.
    let until = app.clock.now() + TimeDelta::seconds(60);
    let store = &app.app.store;
    let take = store.write::<_, StoreError, _>(move |tx| tx.take_job(AUTOMATIC_RENEWAL.name, "dead", Some(4), until));
    assert!(app.block_on(take).expect("written").is_some());
    let two = readers[..2].iter().map(|reader| LoanId::new(reader.loan)).collect();
    assert_eq!(app.block_on(AutoRenew { days: 1 }.act(store, two)).expect("runs"), 2);
    assert_eq!(run(app, "b"), Ran::NotNow, "its lease lasts a minute");
    app.clock.set(until + TimeDelta::seconds(1));
    assert_eq!(run(app, "b"), finished(4, 2));
    let renewed: Vec<i64> = readers.iter().map(|reader| reader.told(app).2).collect();
    assert_eq!(renewed, [1, 1, 1, 1]);
    app.assert_sound();
}

fn libraries_switch_it_on_where_the_network_lets_them(app: &TestApp) {
    app.small_network();
    let root = app.root_token();
    let open = "[[delegate]]\nkind = \"main\"\nterms = { auto_renew = {}, auto_renewals = { max = 3 } }\n";
    published(app, &root, None, &changed(app, PRESET, PRESET, open));
    let own = "[[terms]]\nwhen = { unit = \"B1\" }\nauto_renew = true\nauto_renewals = 2\n";
    published(app, &app.staff("unit_manager", "M1"), Some("M1"), own);
    let path = "/api/v1/rules/explain?category=adult&item_type=book&owner_unit_code=B1&unit_code=B1";
    let explained = app.get(&root, path).expect(200).body;
    let terms = &explained["terms"];
    assert_eq!(
        (&terms["auto_renew"], &terms["auto_renewals"]),
        (&json!(true), &json!(2))
    );
    assert_eq!(explained["own_fields"], json!(["auto_renew", "auto_renewals"]));
    let reader = borrower(app);
    days_later(app, 29);
    assert_eq!(run(app, "a"), finished(1, 1));
    assert_eq!(reader.told(app).2, 1);
    app.assert_sound();
}

fn what_makes_no_sense_in_the_rules_is_told(app: &TestApp) {
    app.small_network();
    let root = app.root_token();
    let judged = |terms: &str| {
        let (id, _) = draft(app, &root, None, &changed(app, PRESET, terms, ""));
        app.get(&root, &format!("/api/v1/rule-drafts/{id}/validation"))
            .expect(200)
            .body
    };
    let wrong = judged(&format!("{PRESET}\nauto_renewals = 100\nrecall_holds = -1"));
    let fields: Vec<&Value> = wrong["faults"]
        .as_array()
        .expect("faults")
        .iter()
        .map(|one| &one["field"])
        .collect();
    assert_eq!(fields, [&json!("auto_renewals"), &json!("recall_holds")]);
    let odd = judged("loan_days = 30\nrenewable = false\nrenewals = 0\nauto_renew = true");
    assert_eq!(odd["valid"], true);
    assert!(
        odd["rule_warnings"]
            .to_string()
            .contains("is true though not renewable"),
        "{odd}"
    );
    let odd = judged(&format!("{PRESET}\nauto_renewals = 1"));
    assert!(
        odd["rule_warnings"]
            .to_string()
            .contains("is 1 though auto_renew is false"),
        "{odd}"
    );
}
