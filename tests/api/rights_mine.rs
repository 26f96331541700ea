//! How the rights matrix asks for what readers do alone, and for what protects readers and accounts.

use serde_json::json;

use crate::rights_requests::{About, Asked};
use crate::rights_scene::lent;

pub fn portal(operation: &str, about: &About<'_>) -> Option<Asked> {
    Some(match operation {
        "listMyLoans" | "listMyHolds" => about.id(0),
        "renewMyLoan" if about.itself => about.with(own_loan(about), json!({})),
        "renewMyLoan" => about.with(about.things.loan, json!({})),
        "placeMyHold" => {
            let unit = about.unit();
            let bib = lent(about.app, about.scene.desks(unit).0, unit).bib;
            about.body(json!({"bib_id": bib, "pickup_unit_code": unit}))
        }
        "cancelMyHold" => about.id(about.hold()),
        _ => return None,
    })
}

/// Of the reader who asks, made just now.
fn own_loan(about: &About<'_>) -> i64 {
    let (app, unit) = (about.app, about.unit());
    let (_, barcode) = app.item(app.bib("镜花缘", None), unit, &json!({}));
    let out = json!({"item_barcode": barcode, "card_number": about.things.card});
    let made = app.post(about.scene.desks(unit).0, "/api/v1/check-outs", &out);
    made.expect(201).body["loan"]["id"].as_i64().expect("an id")
}
