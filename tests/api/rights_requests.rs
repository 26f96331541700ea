//! How each operation of the rights matrix is asked for, so that whoever may do it gets it done.

use serde_json::{Value, json};

use crate::app::{PASSWORD, PIN, ROOT_USER, TestApp};
use crate::rights_scene::{Scene, Things, record};

/// What is asked about, and by whom.
pub struct About<'s> {
    pub app: &'s TestApp,
    pub scene: &'s Scene,
    pub things: &'s Things,
    /// A reader names nobody when it speaks of itself.
    pub itself: bool,
}

/// What fills the path, and the rest of the request.
pub struct Asked {
    pub id: i64,
    pub code: String,
    pub query: String,
    pub body: Option<Value>,
}

type Group = fn(&str, &About<'_>) -> Option<Asked>;

const GROUPS: [Group; 9] = [
    sessions,
    circulation,
    looking,
    records,
    copies,
    batches,
    network,
    calendars,
    accounts,
];

/// The path's parts, the query and the body that ask for an operation on some things.
pub fn asked(operation: &str, about: &About<'_>) -> Asked {
    GROUPS
        .iter()
        .find_map(|group| group(operation, about))
        .unwrap_or_else(|| panic!("say here how {operation} is asked for"))
}

impl About<'_> {
    fn unit(&self) -> &str {
        &self.things.unit_code
    }

    /// The unit of the things; an id if the path has one.
    fn id(&self, id: i64) -> Asked {
        Asked {
            id,
            code: self.unit().to_owned(),
            query: String::new(),
            body: None,
        }
    }

    fn query(&self, query: String) -> Asked {
        Asked { query, ..self.id(0) }
    }

    fn body(&self, body: Value) -> Asked {
        self.with(0, body)
    }

    fn with(&self, id: i64, body: Value) -> Asked {
        Asked {
            body: Some(body),
            ..self.id(id)
        }
    }

    /// Another code in the path than the unit's.
    fn named(&self, code: &str, body: Value) -> Asked {
        Asked {
            code: code.to_owned(),
            ..self.body(body)
        }
    }

    /// On the shelf at the unit of the things.
    fn new_item(&self) -> i64 {
        self.app.item(self.scene.bib, self.unit(), &json!({})).0
    }

    /// A day of its own, long after every due date.
    fn new_day(&self) -> String {
        let new = self.app.next();
        format!("2030-{:02}-{:02}", 1 + new / 28 % 12, 1 + new % 28)
    }
}

fn sessions(operation: &str, about: &About<'_>) -> Option<Asked> {
    Some(match operation {
        "healthLive" | "healthReady" | "logOut" | "logOutEverywhere" => about.id(0),
        "logIn" => about.body(json!({"username": ROOT_USER, "password": PASSWORD})),
        "refreshToken" => about.body(json!({"refresh_token": fresh_refresh_token(about.app)})),
        "logOutEverywhere:staff" => about.query(format!("?staff_id={}", about.things.member)),
        "logOutEverywhere:reader" => about.query(format!("?reader_id={}", about.things.reader)),
        _ => return None,
    })
}

fn circulation(operation: &str, about: &About<'_>) -> Option<Asked> {
    let (things, unit) = (about.things, about.unit());
    Some(match operation {
        "checkIn" => about.body(json!({"item_barcode": things.shelf_barcode})),
        "checkOut" => about.body(json!({"item_barcode": things.shelf_barcode, "card_number": things.card})),
        "placeHold" if about.itself => about.body(json!({"bib_id": things.bib, "pickup_unit_code": unit})),
        "placeHold" => about.body(json!({"bib_id": things.bib, "pickup_unit_code": unit, "card_number": things.card})),
        "cancelHold" => about.id(things.hold),
        "renewLoan" => about.id(things.loan),
        "voidLoan" => about.with(things.loan, json!({"reason": "门没有打开"})),
        "receiveTransit" => about.id(things.transit),
        _ => return None,
    })
}

fn looking(operation: &str, about: &About<'_>) -> Option<Asked> {
    let (things, unit) = (about.things, about.unit());
    Some(match operation {
        "explainRule" => about.query(format!(
            "?unit_code={unit}&category=adult&item_type=book&owner_unit_code=M1"
        )),
        "searchBibs" => about.query("?q=a".to_owned()),
        "listUnits" => about.query(format!("?parent={unit}")),
        "listTransits" => about.query(format!("?to_unit_code={unit}")),
        "getUnit" | "listCollections" | "listItemTypes" | "listJobs" | "listReaderCategories" | "listStaff" => {
            about.id(0)
        }
        "getBib" | "listBibItems" => about.id(things.bib),
        "getItem" => about.id(things.item),
        "getReader" | "listReaderHolds" | "listReaderLoans" => about.id(things.reader),
        "getBibVersion" | "listBibVersions" => about.id(about.scene.record),
        _ => return None,
    })
}

fn records(operation: &str, about: &About<'_>) -> Option<Asked> {
    let record = record("Kind of blue");
    Some(match operation {
        "createBib" => about.body(record),
        // Its version is the first, which `If-Match` names.
        "updateBib" => {
            let made = about.app.post(&about.scene.root_token, "/api/v1/bibs", &record);
            let id = made.expect(201).body["bib"]["id"].as_i64().expect("an id");
            about.with(id, record)
        }
        "mergeBibs" => {
            let duplicate = about.app.bib("史记", None);
            about.with(about.app.bib("史记", None), json!({"duplicates": [duplicate]}))
        }
        _ => return None,
    })
}

fn new_item(about: &About<'_>) -> Value {
    json!({"bib_id": about.scene.bib, "barcode": format!("m{}", about.app.next()), "owner_unit_code": about.unit(),
        "item_type": "book"})
}

fn copies(operation: &str, about: &About<'_>) -> Option<Asked> {
    Some(match operation {
        "addItem" => about.body(new_item(about)),
        "updateItem" => about.with(about.things.item, json!({"call_number": "I242.4"})),
        // Always to M1: it is the owner that counts, not where the item goes.
        "moveItem" => about.with(about.new_item(), json!({"home_unit_code": "M1"})),
        "withdrawItem" => about.with(about.new_item(), json!({"reason": "破损"})),
        _ => return None,
    })
}

/// One row each; its answer is judged.
fn batches(operation: &str, about: &About<'_>) -> Option<Asked> {
    let row = match operation {
        "itemBatch:add" => {
            let mut row = new_item(about);
            row["op"] = "add".into();
            row
        }
        "itemBatch:update" => json!({"op": "update", "item_id": about.things.item, "call_number": "I242.4"}),
        "itemBatch:move" => json!({"op": "move", "item_id": about.new_item(), "home_unit_code": "M1"}),
        "itemBatch:withdraw" => json!({"op": "withdraw", "item_id": about.new_item(), "reason": "破损"}),
        _ => return None,
    };
    Some(about.body(json!({"rows": [row]})))
}

fn network(operation: &str, about: &About<'_>) -> Option<Asked> {
    Some(match operation {
        "createUnit" => about.body(
            json!({"code": format!("P{}", about.app.next()), "name": "点", "kind": "point",
            "parent_code": about.unit()}),
        ),
        // A new point, from this unit to one in the same district: both places count.
        "moveUnit" => {
            let code = format!("P{}", about.app.next());
            about.app.unit(&code, "point", about.unit(), &json!({}));
            let to = match about.unit() {
                "M1" => "B1",
                "B1" => "M1",
                _ => "B2",
            };
            about.named(&code, json!({"parent_code": to}))
        }
        "updateUnit" => about.body(json!({"name": "江汉路分馆"})),
        "setCollection" => about.body(json!({"name": "普通", "return_policy": "home"})),
        "setItemType" => about.named(
            "comic",
            json!({"name_zh": "漫画", "name_en": "Comic", "parent": "book"}),
        ),
        "setReaderCategory" => about.named(
            "senior_2",
            json!({"name_zh": "老年", "name_en": "Senior", "min_age_years": 60}),
        ),
        _ => return None,
    })
}

fn calendars(operation: &str, about: &About<'_>) -> Option<Asked> {
    let day = about.new_day();
    let closed = json!({"closed_days": [{"first": day, "last": day, "reason": "检修"}]});
    let hours = json!([{"opens": "09:00:00", "closes": "17:00:00"}]);
    let opening = json!({"openings": [{"first": day, "last": day, "hours": hours, "reason": "展览"}]});
    let amnesty = json!({"first": day, "last": day, "reason": "世界读书日"});
    let closing = json!({"unit_code": about.unit(), "first": "2026-09-09", "last": "2026-09-09", "reason": "台风"});
    Some(match operation {
        // Those of the unit above, as before.
        "setUnitHours" => about.body(json!({})),
        "addClosedDays" => about.body(closed),
        "importCalendar" => about.body(json!({"text": format!("first,last,reason\n{day},{day},检修\n")})),
        "addOpenings" => about.body(opening),
        "removeOpenings" => {
            let path = format!("/api/v1/units/{}/openings", about.unit());
            about.app.post(&about.scene.root_token, &path, &opening).expect(200);
            about.query(format!("?first={day}&last={day}"))
        }
        "addAmnesty" => about.body(amnesty),
        "removeAmnesty" => {
            let path = format!("/api/v1/units/{}/amnesties", about.unit());
            about.app.post(&about.scene.root_token, &path, &amnesty).expect(200);
            about.query(format!("?first={day}&last={day}"))
        }
        "closeUnits" => about.body(closing),
        "undoClosing" => {
            let token = &about.scene.root_token;
            let made = about.app.post(token, "/api/v1/closings", &closing).expect(200).body;
            about.id(made["closing"]["id"].as_i64().expect("an id"))
        }
        "listClosings" => about.query(format!("?unit_code={}", about.unit())),
        "listAmnesties" => about.id(0),
        "explainCalendar" => about.query(format!("?first={day}&last={day}")),
        "removeClosedDays" => {
            let path = format!("/api/v1/units/{}/closed-days", about.unit());
            about.app.post(&about.scene.root_token, &path, &closed).expect(200);
            about.query(format!("?first={day}&last={day}"))
        }
        _ => return None,
    })
}

fn accounts(operation: &str, about: &About<'_>) -> Option<Asked> {
    let (things, unit) = (about.things, about.unit());
    let new = about.app.next();
    Some(match operation {
        "createStaff" => about.body(
            json!({"username": format!("m{new}"), "name": "王", "password": PASSWORD,
            "roles": [{"role": "read_only", "unit_code": unit}]}),
        ),
        "updateStaff" => about.with(things.member, json!({"name": "王"})),
        "updateStaff:system" => about.with(things.chief, json!({"name": "王"})),
        "setStaffPassword" => about.with(things.member, json!({"password": PASSWORD})),
        "setStaffPassword:system" => about.with(things.chief, json!({"password": PASSWORD})),
        "registerReader" => about.body(json!({"name": "李", "category": "adult", "home_unit_code": unit,
            "card_number": format!("m{new}"), "pin": PIN})),
        "setPin" if about.itself => about.with(things.reader, json!({"pin": PIN, "old_pin": PIN})),
        "setPin" => about.with(things.reader, json!({"pin": PIN})),
        _ => return None,
    })
}

fn fresh_refresh_token(app: &TestApp) -> String {
    let session = app.log_in(&json!({"username": ROOT_USER, "password": PASSWORD}));
    let token = session.expect(201).body["refresh_token"].clone();
    token.as_str().expect("a token").to_owned()
}
