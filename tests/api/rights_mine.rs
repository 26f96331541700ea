//! How the rights matrix asks for what readers do alone, and for what protects readers and accounts.

use serde_json::{Value, json};
use tongjie::auth::one_time::TotpSecret;

use crate::app::{PASSWORD, PIN};
use crate::id_numbers::checked;
use crate::rights_requests::{About, Asked};
use crate::rights_scene::lent;

pub fn portal(operation: &str, about: &About<'_>) -> Option<Asked> {
    Some(match operation {
        "listMyLoans" | "listMyHolds" => about.id(0),
        "renewMyLoan" if about.itself => about.with(own_loan(about), json!({})),
        "renewMyLoan" => about.with(about.things.loan, json!({})),
        "placeMyHold" => {
            let unit = about.unit();
            if about.allowed {
                cancel_own_holds(about);
            }
            let bib = lent(about.app, about.scene.desks(unit).0, unit).bib;
            about.body(json!({"bib_id": bib, "pickup_unit_code": unit}))
        }
        "cancelMyHold" => about.id(about.hold()),
        "exportMyData" | "listMyConsents" | "listMyAccesses" => about.id(0),
        "giveMyConsent" => about.body(json!({"kind": "research", "text_version": "1"})),
        "withdrawMyConsent" => {
            let given = json!({"kind": "research", "text_version": "1"});
            let token = &about.scene.reader_token;
            about.app.post(token, "/api/v1/me/consents", &given).expect(201);
            about.id(0)
        }
        "listReaderLoans:history" | "listReaderHolds:history" => Asked {
            query: "?status=all&reason=asked".to_owned(),
            ..about.id(about.things.reader)
        },
        // Something of the reader's is out: it is refused.
        "eraseMe" => about.body(json!({"pin": PIN})),
        _ => return None,
    })
}

/// Sessions, one-time passwords, forgotten secrets.
pub fn accounts(operation: &str, about: &About<'_>) -> Option<Asked> {
    Some(match operation {
        "listSessions" => about.id(0),
        "endSession" => about.id(session_of(about)),
        "enrolTotp" => about.body(json!({"password": PASSWORD})),
        "confirmTotp" => about.body(json!({"code": first_code(about)})),
        "disableTotp" => about.id(about.things.member),
        "applyForCard" => about.body(new_application(about)),
        "confirmApplication" => {
            let (application, code) = applied(about);
            about.body(json!({"application": application, "code": code}))
        }
        "getMyApplication" => about.body(json!({"application": applied(about).0})),
        "listApplications" | "getSelfRegistration" => about.id(0),
        "approveApplication" => about.with(waiting_application(about), json!({})),
        "refuseApplication" => about.with(waiting_application(about), json!({"reason": "姓名与证件不符"})),
        "setSelfRegistration" => about.body(json!({})),
        "setStaffContact" => about.with(about.things.member, json!({"mail": "wang@example.org"})),
        "setStaffContact:own" => about.with(about.account, json!({"mail": "wang@example.org", "password": PASSWORD})),
        "requestReset" => about.body(json!({"card_number": format!("JC9{}", about.app.next())})),
        "redeemReset" => {
            let (reader, card) = about.app.reader("adult", about.unit());
            let (id, now) = (about.app.next(), about.app.clock.now().timestamp_millis());
            about.app.database.outside().run(&format!(
                "INSERT INTO one_time_codes (id, reader_id, purpose, channel, made_at, expires_at) \
                 VALUES ({id}, {reader}, 'reset_pin', 'mail', {now}, {})",
                now + 1
            ));
            let code = about.app.app.derived().code(id.into());
            about.body(json!({"card_number": card, "code": code, "new_pin": "581093"}))
        }
        _ => return None,
    })
}

/// Of somebody new, at the unit of the things.
fn new_application(about: &About<'_>) -> Value {
    let n = about.app.next();
    json!({"name": "张申请", "id_number": checked(&format!("1101051981{:02}01{:03}", 1 + n / 1000 % 12, n % 1000)),
        "mail": format!("a{n}@example.org"), "home_unit_code": about.unit(), "pin": PIN})
}

/// What an application is known by, and the code that was sent.
fn applied(about: &About<'_>) -> (Value, String) {
    let request = about.app.request("POST", "/api/v1/applications");
    let made = request.json(&new_application(about)).send().expect(201);
    let code = crate::applications::code(about.app, &made.body["application"]);
    (made.body["application"].clone(), code)
}

/// One that waits at the unit of the things; nobody decides it who may not.
fn waiting_application(about: &About<'_>) -> i64 {
    let unit = about.unit();
    let seen = format!(
        "SELECT coalesce(max(a.id), 0) AS n FROM card_applications a JOIN units u ON u.id = a.unit_id \
         WHERE a.state = 'waiting' AND u.code = '{unit}'"
    );
    let there = about.app.database.outside().number(&seen);
    if !about.allowed && there > 0 {
        return there;
    }
    let (application, code) = applied(about);
    let request = about.app.request("POST", "/api/v1/applications/confirmation");
    let body = json!({"application": application, "code": code});
    request.json(&body).send().expect(200);
    about.app.database.outside().number(&seen)
}

/// One of whoever may ask; of somebody else otherwise.
fn session_of(about: &About<'_>) -> i64 {
    let whose = match (about.account, about.itself, about.allowed) {
        (0, true, _) => format!("audience = 'reader' AND subject_id = {}", about.things.reader),
        (0, false, true) => {
            "audience = 'device' AND subject_id = (SELECT id FROM devices WHERE code = 'kiosk-m1')".to_owned()
        }
        (0, false, false) => "audience = 'staff'".to_owned(),
        (account, ..) => format!("audience = 'staff' AND subject_id = {account}"),
    };
    let sql = format!("SELECT max(family) AS n FROM refresh_tokens WHERE {whose}");
    about.app.database.outside().number(&sql)
}

/// Of a secret that waits for it, as the account's authenticator shows it.
fn first_code(about: &About<'_>) -> String {
    let (app, id) = (about.app, about.account);
    if id > 0 {
        let mut outside = app.database.outside();
        outside.run(&format!("DELETE FROM staff_totp WHERE staff_id = {id}"));
        outside.run(&format!(
            "INSERT INTO staff_totp (staff_id, pending, last_step) VALUES ({id}, 7, 0)"
        ));
    }
    TotpSecret::derive(&app.app.tokens, id, 7).code_at(app.clock.now())
}

/// A reader has few holds at a time: room for another.
fn cancel_own_holds(about: &About<'_>) {
    let (app, token) = (about.app, &*about.scene.reader_token);
    let holds = app.get(token, "/api/v1/me/holds").expect(200).body;
    for hold in holds["items"].as_array().expect("holds") {
        let path = format!("/api/v1/me/holds/{}", hold["id"]);
        app.request("DELETE", &path).bearer(token).send().expect(200);
    }
}

/// Of the reader who asks, made just now.
fn own_loan(about: &About<'_>) -> i64 {
    let (app, unit) = (about.app, about.unit());
    let (_, barcode) = app.item(app.bib("镜花缘", None), unit, &json!({}));
    let out = json!({"item_barcode": barcode, "card_number": about.things.card});
    let made = app.post(about.scene.desks(unit).0, "/api/v1/check-outs", &out);
    made.expect(201).body["loan"]["id"].as_i64().expect("an id")
}
