//! Things in the state an operation of the rights matrix needs, so that whoever may do it gets it done.

use serde_json::{Value, json};

use crate::rights_requests::About;
use crate::rule_sets::{changed, draft, exported, published};

/// Where crates of the matrix come from and go to: nobody of the table works there.
pub const CENTRAL: &str = "C1";

impl About<'_> {
    fn done(&self, path: &str, body: &Value, status: u16) -> Value {
        let answer = self.app.post(&self.scene.root_token, path, body);
        answer.expect(status).body
    }

    /// Scanned at the central, by somebody who works there.
    fn scanned_at_central(&self, barcode: &str) {
        let desk = self.app.staff("librarian", CENTRAL);
        let scan = json!({"item_barcode": barcode});
        self.app.post(&desk, "/api/v1/check-ins", &scan).expect(200);
    }
}

/// A copy that stood on the shelf, after an act of its life.
pub fn item_after(about: &About<'_>, act: &str) -> i64 {
    let id = about.new_item();
    let body = match act {
        "withdrawal" => json!({"reason": "封面破损"}),
        _ => json!({}),
    };
    about.done(&format!("/api/v1/items/{id}/{act}"), &body, 200);
    id
}

/// A loan whose reader says that the copy was given back.
pub fn claimed(about: &About<'_>) -> i64 {
    let loan = about.lent().loan;
    if about.allowed {
        about.done(&format!("/api/v1/loans/{loan}/claims"), &json!({}), 200);
    }
    loan
}

/// Rules of the unit's own, which the network leaves open to it.
pub fn own_rules(about: &About<'_>) {
    if !about.allowed {
        return;
    }
    let (app, root) = (about.app, &about.scene.root_token);
    let open = "terms = { loan_days = { min = 14, max = 60 } }";
    let open = format!("[[delegate]]\nkind = \"main\"\n{open}\n\n[[delegate]]\nkind = \"branch\"\n{open}\n");
    published(app, root, None, &changed(app, "loan_days", "loan_days", &open));
    let own = format!("[[terms]]\nwhen = {{ unit = \"{}\" }}\nloan_days = 21\n", about.unit());
    published(app, root, Some(about.unit()), &own);
}

/// The network's rules of today, published anew for a day that has not come: the version. Who may not asks about the first.
pub fn waiting_rules(about: &About<'_>) -> i64 {
    if !about.allowed {
        return 1;
    }
    let (app, root) = (about.app, &about.scene.root_token);
    let (id, tag) = draft(app, root, None, &exported(app, 1));
    let publication = app.request("POST", &format!("/api/v1/rule-drafts/{id}/publication"));
    let publication = publication.bearer(root).header("If-Match", &tag);
    let publication = publication.json(&json!({"effective_from": "2030-01-01T00:00:00Z"}));
    let published = publication.send().expect(201).body;
    published["rule_set"]["version"].as_i64().expect("a version")
}

fn made(about: &About<'_>, from: &str, to: &str) -> i64 {
    let new = json!({"from_unit_code": from, "to_unit_code": to});
    let made = about.app.post(&about.scene.root_token, "/api/v1/shipments", &new);
    made.expect(201).id()
}

pub fn crate_open(about: &About<'_>) -> i64 {
    made(about, about.unit(), CENTRAL)
}

/// A copy of the central that waits at the unit of the things for its way home.
pub fn leaving(about: &About<'_>) -> String {
    if !about.allowed {
        return about.things.shelf_barcode.clone();
    }
    let (_, barcode) = about.app.item(about.scene.bib, CENTRAL, &json!({}));
    let desk = about.scene.desks(about.unit()).0;
    let scan = json!({"item_barcode": barcode});
    about.app.post(desk, "/api/v1/check-ins", &scan).expect(200);
    barcode
}

/// With one copy in it; an empty one for who may not.
pub fn crate_packed(about: &About<'_>) -> (i64, String) {
    let (id, barcode) = (crate_open(about), leaving(about));
    if about.allowed {
        about.done(
            &format!("/api/v1/shipments/{id}/pack"),
            &json!({"item_barcode": barcode}),
            200,
        );
    }
    (id, barcode)
}

pub fn crate_closed(about: &About<'_>) -> i64 {
    let (id, _) = crate_packed(about);
    if about.allowed {
        about.done(&format!("/api/v1/shipments/{id}/close"), &json!({}), 200);
    }
    id
}

/// On its way from the central to the unit of the things, with a copy of that unit.
pub fn crate_arriving(about: &About<'_>) -> i64 {
    let id = made(about, CENTRAL, about.unit());
    if about.allowed {
        let (_, barcode) = about.app.item(about.scene.bib, about.unit(), &json!({}));
        about.scanned_at_central(&barcode);
        about.done(
            &format!("/api/v1/shipments/{id}/pack"),
            &json!({"item_barcode": barcode}),
            200,
        );
        for act in ["close", "send"] {
            about.done(&format!("/api/v1/shipments/{id}/{act}"), &json!({}), 200);
        }
    }
    id
}

/// The code that proves the mail address of the reader of the matrix; any where nobody may prove one.
pub fn sent_code(about: &About<'_>) -> String {
    if !about.allowed {
        return "000000".to_owned();
    }
    let reader = about.scene.own.reader;
    let path = format!("/api/v1/readers/{reader}/contacts/mail");
    let phone = about.app.reader_token(&about.scene.own.card);
    let request = about.app.request("PUT", &path).bearer(&phone);
    request.json(&json!({"address": "li@example.org"})).send().expect(200);
    let sql = format!("SELECT id AS n FROM one_time_codes WHERE reader_id = {reader} AND ended_at IS NULL");
    about.app.app.derived().code(about.app.database.outside().number(&sql))
}

/// A webhook for events at the unit of the things.
pub fn webhook(about: &About<'_>) -> i64 {
    let body = json!({"unit_code": about.unit(), "url": "https://a.example/x", "kinds": ["*"]});
    if !about.allowed {
        return 1;
    }
    about.done("/api/v1/webhooks", &body, 201)["webhook"]["id"]
        .as_i64()
        .expect("an id")
}

/// A delivery of a webhook that was given up.
pub fn told(about: &About<'_>, webhook: i64) -> i64 {
    if !about.allowed {
        return 1;
    }
    let id = webhook + 1_000_000_000;
    let mut outside = about.app.database.outside();
    outside.number(&format!(
        "INSERT INTO outbox (id, consumer, subject_id, message_key, created_at, dead_at) \
         VALUES ({id}, 'webhook', {webhook}, 'k{id}', 0, 0) RETURNING id AS n"
    ));
    outside.number(&format!(
        "INSERT INTO webhook_deliveries (id, webhook_id, event_seq, made_at) VALUES ({id}, {webhook}, 1, 0) RETURNING id AS n"
    ))
}

/// An alarm at a gate of the unit.
pub fn gate_alarm(about: &About<'_>) -> i64 {
    let id = 900_000 + i64::from(about.app.next());
    about.app.database.outside().run(&format!(
        "INSERT INTO gate_checks (id, device_id, check_id, unit_id, at, decision, reason, decided) \
         SELECT {id}, (SELECT MIN(id) FROM devices), 'x{id}', id, 0, 'alarm', 'not_lent', 'asked' FROM units \
         WHERE code = '{}'",
        about.unit()
    ));
    id
}
