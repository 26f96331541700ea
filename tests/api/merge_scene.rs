//! Where bibs are merged: two branches that lend each other's copies, desks, and a cataloguer.

use serde_json::{Value, json};

use crate::app::{ROOT, TestApp};
use crate::client::{Answer, Request};

pub struct Scene<'a> {
    pub app: &'a TestApp,
    /// A librarian at B1.
    pub desk: String,
    /// A librarian at B2.
    pub far: String,
    pub cataloguer: String,
}

/// A hold as its reader sees it: number, bib, status, place in the queue.
pub type Shown = (i64, i64, String, Option<i64>);

pub fn shown(id: i64, bib: i64, status: &str, position: Option<i64>) -> Shown {
    (id, bib, status.to_owned(), position)
}

impl<'a> Scene<'a> {
    pub fn new(app: &'a TestApp) -> Self {
        let joined = json!({"lend_away": true, "return_away": true, "readers_away": true});
        app.unit("C1", "central", ROOT, &json!({"membership": [joined]}));
        for n in ["1", "2"] {
            app.unit(&format!("M{n}"), "main", "C1", &json!({}));
            app.unit(&format!("B{n}"), "branch", &format!("M{n}"), &json!({}));
        }
        Self {
            app,
            desk: app.staff("librarian", "B1"),
            far: app.staff("librarian", "B2"),
            cataloguer: app.staff("cataloguer", "B1"),
        }
    }

    /// A reader of B1: number and card.
    pub fn reader(&self) -> (i64, String) {
        self.app.reader("adult", "B1")
    }

    /// Lends a copy at B1; answers the loan.
    pub fn lend(&self, card: &str, barcode: &str) -> i64 {
        let body = json!({"item_barcode": barcode, "card_number": card});
        let lent = self.app.post(&self.desk, "/api/v1/check-outs", &body).expect(201).body;
        lent["loan"]["id"].as_i64().expect("an id")
    }

    /// A copy of B1 that somebody has: item, barcode and loan.
    pub fn lent_copy(&self, bib: i64) -> (i64, String, i64) {
        let (item, barcode) = self.app.item(bib, "B1", &json!({}));
        let loan = self.lend(&self.reader().1, &barcode);
        (item, barcode, loan)
    }

    /// A copy comes back; answers the next step.
    pub fn back(&self, desk: &str, barcode: &str) -> Value {
        let body = json!({"item_barcode": barcode});
        self.app.post(desk, "/api/v1/check-ins", &body).expect(200).body["next_step"].clone()
    }

    pub fn try_hold(&self, card: &str, bib: i64, item: Option<i64>, pickup: &str) -> Answer {
        let body = json!({"card_number": card, "bib_id": bib, "item_id": item, "pickup_unit_code": pickup,
            "overrides": {"codes": ["bib_already_on_loan", "bib_already_held"], "reason": "wanted all the same"}});
        self.app.post_consenting(&self.desk, "/api/v1/holds", &body)
    }

    /// A hold to be picked up at B1, a second after whatever came before.
    pub fn hold(&self, card: &str, bib: i64) -> i64 {
        self.app.tick();
        self.hold_on(card, bib, None, "B1")
    }

    pub fn hold_on(&self, card: &str, bib: i64, item: Option<i64>, pickup: &str) -> i64 {
        let placed = self.try_hold(card, bib, item, pickup).expect(201).body;
        placed["hold"]["id"].as_i64().expect("an id")
    }

    pub fn asked(&self, survivor: i64, tag: &str, body: &Value) -> Request {
        let path = format!("/api/v1/bibs/{survivor}/merges");
        let request = self.app.request("POST", &path).bearer(&self.cataloguer);
        request.header("If-Match", tag).json(body)
    }

    /// Merges as somebody who has just looked.
    pub fn try_merge(&self, survivor: i64, duplicates: &[i64]) -> Answer {
        self.asked(survivor, "\"1\"", &json!({"duplicates": duplicates})).send()
    }

    pub fn merge(&self, survivor: i64, duplicates: &[i64]) -> Value {
        let merged = self.try_merge(survivor, duplicates).expect(200).body;
        self.app.assert_sound();
        merged
    }

    pub fn get(&self, path: &str) -> Value {
        self.app.get(&self.app.root_token(), path).expect(200).body
    }

    pub fn bib(&self, id: i64) -> Value {
        self.get(&format!("/api/v1/bibs/{id}"))
    }

    pub fn item_status(&self, id: i64) -> Value {
        self.get(&format!("/api/v1/items/{id}"))["status"].clone()
    }

    /// The numbers of what a list shows.
    pub fn ids(&self, path: &str) -> Vec<i64> {
        let page = self.get(path);
        let items = page["items"].as_array().expect("a list");
        items.iter().filter_map(|one| one["id"].as_i64()).collect()
    }

    /// A reader's holds, the newest first.
    pub fn holds(&self, reader: i64) -> Vec<Shown> {
        let page = self.get(&format!("/api/v1/readers/{reader}/holds?status=all&reason=asked"));
        let shown = |hold: &Value| {
            let number = |name: &str| hold[name].as_i64();
            let status = hold["status"].as_str().expect("a status").to_owned();
            let (id, bib) = (number("id").expect("an id"), number("bib_id").expect("a bib"));
            (id, bib, status, number("position"))
        };
        page["items"].as_array().expect("a list").iter().map(shown).collect()
    }
}
