//! What scenarios of internet borrowing begin with.

use serde_json::{Value, json};
use tongjie::domain::delivery::DeliveryTerms;
use tongjie::domain::rules_toml::{CN_CITY_DEFAULT, Preset};
use tongjie::store::rule_sets::NewRuleSet;
use tongjie::store::tx::WriteTx;
use tongjie::usecase::UseCaseError;

use crate::app::{REPORT_SECRET, TestApp};
use crate::client::Answer;

/// A main library that packs, somebody at its desk, and a reader.
pub struct Shop {
    pub desk: String,
    pub reader: i64,
    pub card: String,
}

pub fn address() -> Value {
    json!({"name": "李读者收", "phone": "138 0013 8000", "region": "湖北省江城市", "street": "江汉路 1 号 2 栋 301"})
}

/// The carrier says something of a parcel, now.
pub fn reported(app: &TestApp, report: &str, parcel: i64, step: &str) -> Answer {
    let now = app.clock.now();
    let body = json!({"report_id": report, "parcel_id": parcel, "step": step, "occurred_at": now}).to_string();
    let signature = tongjie::http::signed::signature(REPORT_SECRET.as_bytes(), now.timestamp(), body.as_bytes());
    app.request("POST", "/api/v1/parcel-reports")
        .header("Content-Type", "application/json")
        .header("Tongjie-Timestamp", &now.timestamp().to_string())
        .header("Tongjie-Signature", &signature)
        .bytes(body.as_bytes())
        .send()
}

/// From now on every row of the rules says this of deliveries.
pub fn rule(app: &TestApp, delivery: DeliveryTerms) {
    let mut preset = Preset::parse(CN_CITY_DEFAULT).expect("the preset");
    for row in &mut preset.terms {
        row.delivery = delivery;
    }
    let mut rules: toml::Table = preset.to_toml().expect("TOML").parse().expect("TOML");
    for row in rules["terms"].as_array_mut().expect("rows") {
        let row = row.as_table_mut().expect("a row");
        let said = row.remove("delivery").expect("what was said of deliveries");
        for (field, value) in said.as_table().expect("fields") {
            row.insert(format!("delivery_{field}"), value.clone());
        }
    }
    let text = rules.to_string();
    let work = move |tx: &mut WriteTx<'_>| {
        let now = tx.now();
        let version = tx.network()?.rules().version + 1;
        let set = NewRuleSet {
            version,
            effective_from: now,
            source: text.clone(),
            published_at: now,
            unit: None,
            note: "parcels".to_owned(),
        };
        tx.insert_rule_set(&set).map_err(UseCaseError::from)
    };
    app.block_on(app.app.store.write(work)).expect("new rules");
}

impl Shop {
    pub fn open(app: &TestApp) -> Self {
        app.small_network();
        let packs = app.request("PUT", "/api/v1/units/M1/packing").bearer(&app.root_token());
        packs.json(&json!({"packs": true})).send().expect(200);
        let (reader, card) = app.reader("adult", "M1");
        Self {
            desk: app.staff("librarian", "M1"),
            reader,
            card,
        }
    }

    /// A book on the shelf of M1: bib, item, barcode.
    pub fn book(&self, app: &TestApp) -> (i64, i64, String) {
        let bib = app.bib("三国演义", None);
        let (item, barcode) = app.item(bib, "M1", &json!({}));
        (bib, item, barcode)
    }

    /// A request for a parcel with so many books, which lie ready on the hold shelf.
    pub fn asked(&self, app: &TestApp, books: usize, rest: &str) -> (i64, Vec<String>) {
        let books: Vec<_> = (0..books).map(|_| self.book(app)).collect();
        let lines: Vec<Value> = books.iter().map(|(bib, ..)| json!({"bib_id": bib})).collect();
        let body = json!({"card_number": self.card, "delivery": "parcel", "unit_code": "M1", "address": address(),
            "rest": rest, "lines": lines});
        let asked = app.post(&self.desk, "/api/v1/delivery-requests", &body).expect(201);
        let barcodes: Vec<String> = books.into_iter().map(|(_, _, barcode)| barcode).collect();
        for barcode in &barcodes {
            let step = app
                .post(&self.desk, "/api/v1/check-ins", &json!({"item_barcode": barcode}))
                .expect(200);
            assert_eq!(step.body["next_step"]["kind"], "hold_shelf");
        }
        (asked.id(), barcodes)
    }

    pub fn packed(&self, app: &TestApp, request: i64, barcodes: &[String]) -> Answer {
        let path = format!("/api/v1/delivery-requests/{request}/parcels");
        app.post(&self.desk, &path, &json!({"item_barcodes": barcodes}))
            .expect(201)
    }

    pub fn dispatch(&self, app: &TestApp, parcel: i64, body: Value) -> Answer {
        app.post(&self.desk, &format!("/api/v1/parcels/{parcel}/dispatch"), &body)
    }

    /// A parcel on its way, and what is in it.
    pub fn sent(&self, app: &TestApp, books: usize) -> (i64, Vec<String>) {
        let (request, barcodes) = self.asked(app, books, "follow");
        let parcel = self.packed(app, request, &barcodes).body["parcel"]["id"]
            .as_i64()
            .expect("an id");
        self.dispatch(app, parcel, json!({"tracking_number": "SF1234567890"}))
            .expect(200);
        (parcel, barcodes)
    }

    /// A book that the reader has: barcode and loan.
    pub fn lent(&self, app: &TestApp) -> (String, i64) {
        let (_, _, barcode) = self.book(app);
        let out = json!({"item_barcode": barcode, "card_number": self.card});
        let lent = app.post(&self.desk, "/api/v1/check-outs", &out).expect(201);
        (barcode, lent.body["loan"]["id"].as_i64().expect("an id"))
    }
}
