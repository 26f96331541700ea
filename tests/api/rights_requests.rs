//! How each operation of the rights matrix is asked for, so that whoever may do it gets it done.

use serde_json::{Value, json};
use tongjie::domain::ids::CardId;

use crate::app::{PASSWORD, PIN, ROOT, ROOT_USER, TestApp};
use crate::id_numbers::id_number;
use crate::rights_ready as ready;
use crate::rights_scene::{Lent, Place, Scene, Things, lent, pull_at, record, transit_to};

/// What is asked about, and by whom.
pub struct About<'s> {
    pub app: &'s TestApp,
    pub scene: &'s Scene,
    pub things: &'s Things,
    /// A reader names nobody when it speaks of itself.
    pub itself: bool,
    /// The id of the member of staff who asks.
    pub account: i64,
    /// Whoever may is asked about things of their own, so that it can be done; whoever may not, about what is there.
    pub allowed: bool,
}

/// What fills the path, and the rest of the request.
pub struct Asked {
    pub id: i64,
    /// Of a record or of the rules: the first, which everything has.
    pub version: i64,
    pub code: String,
    pub query: String,
    pub body: Option<Value>,
}

type Group = fn(&str, &About<'_>) -> Option<Asked>;

const GROUPS: &[Group] = &[
    sessions,
    circulation,
    cards,
    holds,
    deliveries,
    lives,
    looking,
    records,
    copies,
    batches,
    crates,
    routes,
    transfers,
    network,
    calendars,
    stock,
    accounts,
    notices,
    rules,
    credit,
    crate::rights_machines::registry,
    crate::rights_machines::calls,
    crate::rights_lockers::doors,
    crate::rights_lockers::readers,
    crate::rights_machines::journals,
    machines,
    crate::rights_mine::portal,
    crate::rights_mine::accounts,
];

/// The path's parts, the query and the body that ask for an operation on some things.
pub fn asked(operation: &str, about: &About<'_>) -> Asked {
    GROUPS
        .iter()
        .find_map(|group| group(operation, about))
        .unwrap_or_else(|| panic!("say here how {operation} is asked for"))
}

impl About<'_> {
    pub fn unit(&self) -> &str {
        &self.things.unit_code
    }

    /// The unit of the things; an id if the path has one.
    pub fn id(&self, id: i64) -> Asked {
        Asked {
            id,
            version: 1,
            code: self.unit().to_owned(),
            query: String::new(),
            body: None,
        }
    }

    /// What the reader's phone would show.
    fn card_token(&self) -> String {
        let path = format!("/api/v1/readers/{}", self.things.reader);
        let reader = self.app.get(&self.scene.root_token, &path).expect(200).body;
        let card = CardId::new(reader["cards"][0]["id"].as_i64().expect("a card"));
        let made = self.app.app.cards.make(card, ROOT, self.app.clock.now());
        made.expect("made").token
    }

    pub fn query(&self, query: String) -> Asked {
        Asked { query, ..self.id(0) }
    }

    pub fn body(&self, body: Value) -> Asked {
        self.with(0, body)
    }

    pub fn with(&self, id: i64, body: Value) -> Asked {
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
    pub fn new_item(&self) -> i64 {
        self.app.item(self.scene.bib, self.unit(), &json!({})).0
    }

    fn item_of_m1(&self) -> i64 {
        self.app.item(self.scene.bib, "M1", &json!({})).0
    }

    /// The item of nobody else's cell, on the shelf at the unit of the things.
    fn shelf_barcode(&self) -> String {
        if !self.allowed {
            return self.things.shelf_barcode.clone();
        }
        self.app.item(self.scene.bib, self.unit(), &json!({})).1
    }

    /// The card of a reader without loans or holds.
    fn card(&self) -> String {
        if !self.allowed {
            return self.things.card.clone();
        }
        self.app.reader("adult", self.unit()).1
    }

    /// A bib whose only copy is out.
    pub fn lent(&self) -> Lent {
        if !self.allowed || self.itself {
            let Things { bib, item, loan, .. } = *self.things;
            return Lent { bib, item, loan };
        }
        lent(self.app, self.scene.desks(self.unit()).0, self.unit())
    }

    /// To be fetched from a shelf of the unit of the things.
    fn pull(&self) -> i64 {
        if !self.allowed {
            return self.things.pull;
        }
        pull_at(self.app, self.unit())
    }

    /// On a bib whose only copy is out. A reader has few, so its own stands until it is cancelled.
    pub fn hold(&self) -> i64 {
        if !self.allowed {
            return self.things.hold;
        }
        let (desk, unit) = (self.scene.desks(self.unit()).0, self.unit());
        if self.itself {
            let path = format!("/api/v1/readers/{}/holds", self.things.reader);
            let holds = self.app.get(desk, &path).expect(200).body["items"].clone();
            if let Some(open) = holds[0]["id"].as_i64() {
                return open;
            }
        }
        let card = if self.itself {
            self.things.card.clone()
        } else {
            self.card()
        };
        let bib = lent(self.app, desk, unit).bib;
        let hold = json!({"bib_id": bib, "pickup_unit_code": unit, "card_number": card});
        let placed = self.app.post(desk, "/api/v1/holds", &hold);
        placed.expect(201).body["hold"]["id"].as_i64().expect("an id")
    }

    fn transit(&self) -> i64 {
        if !self.allowed {
            return self.things.transit;
        }
        transit_to(self.app, self.scene.desks(self.unit()).1, self.unit())
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

fn cards(operation: &str, about: &About<'_>) -> Option<Asked> {
    Some(match operation {
        "getCardKeys" | "getMyCard" | "listCardRevocations" => about.id(0),
        "openCardSession" => about.body(json!({"card_token": about.card_token()})),
        "revokeCardTokens" => about.id(about.things.reader),
        _ => return None,
    })
}

fn circulation(operation: &str, about: &About<'_>) -> Option<Asked> {
    let (things, unit) = (about.things, about.unit());
    Some(match operation {
        "checkIn" => about.body(json!({"item_barcode": about.shelf_barcode()})),
        "checkOut" => about.body(json!({"item_barcode": about.shelf_barcode(), "card_number": about.card()})),
        // The only copy of its own bib is in its own hands.
        "placeHold" if about.itself => {
            let bib = about.scene.at(Place::Own).bib;
            about.body(json!({"bib_id": bib, "pickup_unit_code": unit}))
        }
        "placeHold" => about.body(json!({"bib_id": things.bib, "pickup_unit_code": unit, "card_number": about.card()})),
        "cancelHold" => about.id(about.hold()),
        "renewLoan" => about.id(about.lent().loan),
        "voidLoan" => about.with(about.lent().loan, json!({"reason": "门没有打开"})),
        "receiveTransit" => about.id(about.transit()),
        _ => return None,
    })
}

fn holds(operation: &str, about: &About<'_>) -> Option<Asked> {
    let (things, unit) = (about.things, about.unit());
    Some(match operation {
        "getHold" | "resumeHold" => about.id(about.hold()),
        "suspendHold" => about.with(about.hold(), json!({})),
        "moveHold" => about.with(about.hold(), json!({"pickup_unit_code": unit})),
        "reorderHold" => about.with(about.hold(), json!({"place": 1, "reason": "课程指定参考书"})),
        "listBibHolds" => about.id(things.bib),
        "refusePull" => about.with(about.pull(), json!({"reason": "in_use"})),
        "listPullList" | "listHoldShelf" | "listShelfClearings" | "getUnitSending" | "listTransportCosts" => {
            about.id(0)
        }
        "setUnitSending" => about.body(json!({})),
        "setTransportCost" => about.body(json!({"to_unit_code": "C1"})),
        _ => return None,
    })
}

/// Parcels of their own each time: a reader sends a book back.
fn deliveries(operation: &str, about: &About<'_>) -> Option<Asked> {
    let (app, unit, root) = (about.app, about.unit(), &about.scene.root_token);
    let online = |card: &str| {
        let bib = app.bib("聊斋志异", None);
        app.item(bib, unit, &json!({}));
        json!({"card_number": card, "delivery": "desk", "unit_code": unit, "lines": [{"bib_id": bib}]})
    };
    let without_card = |mut body: Value| {
        if about.itself {
            body.as_object_mut().expect("an object").remove("card_number");
        }
        body
    };
    Some(match operation {
        "requestDelivery" if about.itself => about.body(without_card(online("itself"))),
        "requestDelivery" => about.body(online(&app.reader("adult", unit).1)),
        "announceReturn" => about.body(without_card(sent_back(about).0)),
        "setPacking" => about.body(json!({"packs": true})),
        "listPackingList" | "listParcels" => about.query(format!("?unit_code={unit}")),
        "packParcel" => {
            let (request, barcode) = ready(about);
            about.with(request, json!({"item_barcodes": [barcode]}))
        }
        "dispatchParcel" => {
            let (request, barcode) = ready(about);
            let path = format!("/api/v1/delivery-requests/{request}/parcels");
            let packed = app.post(root, &path, &json!({"item_barcodes": [barcode]})).expect(201);
            let parcel = packed.body["parcel"]["id"].as_i64().expect("an id");
            about.with(parcel, json!({"tracking_number": "SF1"}))
        }
        "getParcel" | "receiveParcel" | "giveUpParcel" => {
            let (body, barcode) = sent_back(about);
            let parcel = app.post(root, "/api/v1/return-parcels", &body).expect(201).id();
            match operation {
                "giveUpParcel" => {
                    for step in ["in_transit", "lost"] {
                        crate::parcel_scene::reported(app, &format!("{step}{parcel}"), parcel, step).expect(200);
                    }
                    about.with(parcel, json!({"reason": "查无此件"}))
                }
                "receiveParcel" => about.with(parcel, json!({"item_barcode": barcode})),
                _ => about.id(parcel),
            }
        }
        "reportParcel" => about.body(json!({})),
        _ => return None,
    })
}

/// Things of their own each time, in the state the act needs.
fn lives(operation: &str, about: &About<'_>) -> Option<Asked> {
    let reason = json!({"reason": "读者告知"});
    Some(match operation {
        "reportMissing" | "reportDamaged" | "startProcessing" => about.id(about.new_item()),
        "finishProcessing" => about.id(ready::item_after(about, "processing")),
        "finishRepair" => about.id(ready::item_after(about, "damage")),
        "reinstateItem" => about.id(ready::item_after(about, "withdrawal")),
        "recallItem" | "declareLost" => about.with(about.lent().item, reason),
        "reportClaimedReturned" => about.id(about.lent().loan),
        "rejectClaim" => about.with(ready::claimed(about), reason),
        _ => return None,
    })
}

/// A book that lies ready at the unit, to be packed for a request.
fn ready(about: &About<'_>) -> (i64, String) {
    let (app, unit, root) = (about.app, about.unit(), &about.scene.root_token);
    packs(about);
    let bib = app.bib("聊斋志异", None);
    let (_, barcode) = app.item(bib, unit, &json!({}));
    let body = json!({"card_number": app.reader("adult", unit).1, "delivery": "parcel", "unit_code": unit,
        "address": crate::parcel_scene::address(), "lines": [{"bib_id": bib}]});
    let request = app.post(root, "/api/v1/delivery-requests", &body).expect(201).id();
    let desk = about.scene.desks(unit).0;
    app.post(desk, "/api/v1/check-ins", &json!({"item_barcode": barcode}))
        .expect(200);
    (request, barcode)
}

fn packs(about: &About<'_>) {
    let path = format!("/api/v1/units/{}/packing", about.unit());
    let packing = about.app.request("PUT", &path).bearer(&about.scene.root_token);
    packing.json(&json!({"packs": true})).send().expect(200);
}

/// A reader of the unit has a book: what announces its return, and the book's barcode.
fn sent_back(about: &About<'_>) -> (Value, String) {
    let (app, unit) = (about.app, about.unit());
    packs(about);
    let card = if about.itself {
        about.things.card.clone()
    } else {
        app.reader("adult", unit).1
    };
    let (_, barcode) = app.item(app.bib("聊斋志异", None), unit, &json!({}));
    let out = json!({"item_barcode": barcode, "card_number": card});
    let lent = app
        .post(about.scene.desks(unit).0, "/api/v1/check-outs", &out)
        .expect(201);
    let loan = &lent.body["loan"]["id"];
    (
        json!({"card_number": card, "loan_ids": [loan], "unit_code": unit}),
        barcode,
    )
}

fn looking(operation: &str, about: &About<'_>) -> Option<Asked> {
    let (things, unit) = (about.things, about.unit());
    Some(match operation {
        "explainRule" if about.itself => about.query(format!("?unit_code={unit}&item_type=book&owner_unit_code=M1")),
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

/// Of M1, on the shelf of the unit of the things.
fn elsewhere(about: &About<'_>) -> Value {
    let mut item = new_item(about);
    item["owner_unit_code"] = "M1".into();
    item["home_unit_code"] = about.unit().into();
    item
}

fn copies(operation: &str, about: &About<'_>) -> Option<Asked> {
    Some(match operation {
        "addItem" => about.body(new_item(about)),
        "addItem:home" => about.body(elsewhere(about)),
        "updateItem" => about.with(about.things.item, json!({"call_number": "I242.4"})),
        "moveItem" => about.with(about.new_item(), json!({"home_unit_code": "M1"})),
        "moveItem:home" => about.with(about.item_of_m1(), json!({"home_unit_code": about.unit()})),
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
        "itemBatch:add_home" => {
            let mut row = elsewhere(about);
            row["op"] = "add".into();
            row
        }
        "itemBatch:move_home" => json!({"op": "move", "item_id": about.item_of_m1(), "home_unit_code": about.unit()}),
        "itemBatch:update" => json!({"op": "update", "item_id": about.things.item, "call_number": "I242.4"}),
        "itemBatch:move" => json!({"op": "move", "item_id": about.new_item(), "home_unit_code": "M1"}),
        "itemBatch:withdraw" => json!({"op": "withdraw", "item_id": about.new_item(), "reason": "破损"}),
        _ => return None,
    };
    Some(about.body(json!({"rows": [row]})))
}

/// A crate of its own each time, between the unit of the things and the central.
fn crates(operation: &str, about: &About<'_>) -> Option<Asked> {
    Some(match operation {
        "createShipment" => about.body(json!({"from_unit_code": about.unit(), "to_unit_code": ready::CENTRAL})),
        "listShipments" => about.query(format!("?from_unit_code={}", about.unit())),
        "getShipment" | "getShipmentLabel" | "getShipmentSlip" | "cancelShipment" => about.id(ready::crate_open(about)),
        "closeShipment" => about.id(ready::crate_packed(about).0),
        "sendShipment" => about.id(ready::crate_closed(about)),
        "packItem" => about.with(ready::crate_open(about), json!({"item_barcode": ready::leaving(about)})),
        "unpackItem" => {
            let (id, barcode) = ready::crate_packed(about);
            about.with(id, json!({"item_barcode": barcode}))
        }
        "receiveShipment" => about.with(ready::crate_arriving(about), json!({"all": true})),
        _ => return None,
    })
}

fn routes(operation: &str, about: &About<'_>) -> Option<Asked> {
    let unit = about.unit();
    let crates = json!([{"label": "X000000104276"}]);
    Some(match operation {
        "listMyStops" | "listRoutes" => about.id(0),
        "listIncoming" => about.query(format!("?unit_code={unit}")),
        "reportFlows" | "reportFlowsCsv" => about.query(format!("?month=2026-03&unit_code={unit}")),
        "setRoute" => about.named(
            &format!("R{}", about.app.next()),
            json!({"name": "线", "unit_code": unit, "weekdays": [1],
                "stops": [{"unit_code": "C1", "time": "08:00:00"}, {"unit_code": unit, "time": "09:00:00"}]}),
        ),
        "loadShipments" => about.body(json!({"unit_code": unit, "crates": crates})),
        "handOverShipments" => {
            about.body(json!({"unit_code": unit, "crates": crates, "signed_by_staff_id": about.things.member}))
        }
        _ => return None,
    })
}

/// From the unit of the things to the other main, or the other way round where the receiving side has the word.
fn transfers(operation: &str, about: &About<'_>) -> Option<Asked> {
    let other = if about.unit() == "M2" { "M1" } else { "M2" };
    let proposal = |from: &str, to: &str| {
        let (item, _) = about.app.item(about.scene.bib, from, &json!({}));
        json!({"document_number": format!("{}号", about.app.next()), "document_day": "2026-03-01", "reason": "调拨",
            "from_owner_unit_code": from, "to_owner_unit_code": to, "item_ids": [item]})
    };
    let made = |from: &str, to: &str| {
        let token = &about.scene.root_token;
        let made = about
            .app
            .post(token, "/api/v1/ownership-transfers", &proposal(from, to));
        made.expect(201).id()
    };
    let unit = about.unit();
    let answer = json!({"reason": "缺页"});
    // The central is everybody's other side here: nobody of the table works there.
    Some(match operation {
        "listTransfers" => about.id(0),
        "getTransfer" => about.id(made(unit, "C1")),
        "proposeTransfer" => about.body(proposal(unit, other)),
        "acceptTransfer" => about.id(made("C1", unit)),
        "declineTransfer" => about.with(made("C1", unit), answer),
        "withdrawTransfer" => about.with(made(unit, "C1"), answer),
        _ => return None,
    })
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

fn stock(operation: &str, about: &About<'_>) -> Option<Asked> {
    let unit = about.unit();
    let deposit = || {
        let body = json!({"from_unit_code": unit, "to_unit_code": "B3", "until": "2026-04-01", "reason": "轮换",
            "item_ids": [about.new_item()]});
        about
            .app
            .post(&about.scene.root_token, "/api/v1/deposits", &body)
            .expect(201)
            .id()
    };
    let vehicle = || {
        let code = format!("P{}", about.app.next());
        about.app.unit(&code, "point", unit, &json!({"mobile": true}));
        code
    };
    Some(match operation {
        "createDeposit" => about.body(
            json!({"from_unit_code": unit, "to_unit_code": "B3", "until": "2026-04-01",
            "reason": "轮换", "item_ids": [about.new_item()]}),
        ),
        "getDeposit" | "listDepositCopies" => about.id(deposit()),
        "updateDeposit" => about.with(deposit(), json!({"until": "2026-05-01"})),
        "recallDeposit" => about.with(deposit(), json!({"reason": "提前结束"})),
        "listDeposits" => about.query(format!("?from_unit_code={unit}")),
        "listStops" => about.id(0),
        "nextStops" => about.query(format!("?unit_code={unit}")),
        "setReturnPolicy" => about.body(json!({})),
        "setStops" => about.named(&vehicle(), json!({"stops": []})),
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
        "setStaffPassword:own" => about.with(about.account, json!({"password": PASSWORD, "old_password": PASSWORD})),
        "setStaffPassword:system" => about.with(things.chief, json!({"password": PASSWORD})),
        "registerReader" => about.body(json!({"name": "李", "category": "adult", "home_unit_code": unit,
            "card_number": format!("m{new}"), "pin": PIN})),
        "issueCard" => about.with(things.reader, json!({"kind": "physical", "number": format!("m{new}")})),
        "reportCardLost" | "renewCard" => about.with(spare_card(about), json!({})),
        "cancelCard" => about.with(card_without_loans(about), json!({})),
        "replaceCard" => about.with(spare_card(about), json!({"number": format!("n{new}")})),
        "reportCardFound" => {
            let card = spare_card(about);
            let path = format!("/api/v1/cards/{card}/loss");
            about.app.post(&about.scene.root_token, &path, &json!({})).expect(200);
            about.with(card, json!({}))
        }
        "getMe" | "listMyGuardianActs" | "listMyWards" => about.id(0),
        "addGuardian" => {
            let guardian = about.app.reader("adult", "B1").0;
            let consent = json!({"guardian_reader_id": guardian, "relation": "parent", "consent_form": "1",
                "consented_on": "2026-03-04"});
            about.with(about.app.reader("child", "B1").0, consent)
        }
        "endGuardianship" => about.id(some_link(about)),
        "recordIdNumber" => {
            let reader = about.app.reader("adult", "B1").0;
            about.with(reader, json!({"id_number": id_number(new)}))
        }
        "mergeReaders" => {
            let duplicate = about.app.reader("adult", "B1").0;
            about.with(things.reader, json!({"duplicate_id": duplicate, "reason": "同一读者"}))
        }
        "setPin" if about.itself => about.with(things.reader, json!({"pin": PIN, "old_pin": PIN})),
        "setPin" => about.with(things.reader, json!({"pin": PIN})),
        _ => return None,
    })
}

/// A guardian of a child.
fn some_link(about: &About<'_>) -> i64 {
    let (guardian, ward) = (about.app.reader("adult", "B1").0, about.app.reader("child", "B1").0);
    let body = json!({"guardian_reader_id": guardian, "relation": "parent", "consent_form": "1",
        "consented_on": "2026-03-04"});
    let path = format!("/api/v1/readers/{ward}/guardians");
    about.app.post(&about.scene.root_token, &path, &body).expect(201).id()
}

/// Another card of the reader of the things.
fn spare_card(about: &About<'_>) -> i64 {
    let body = json!({"kind": "physical", "number": format!("s{}", about.app.next())});
    let path = format!("/api/v1/readers/{}/cards", about.things.reader);
    let made = about.app.post(&about.scene.root_token, &path, &body).expect(201);
    made.body["card_id"].as_i64().expect("an id")
}

/// The card of a reader with nothing on loan; where nobody may cancel one, any card.
fn card_without_loans(about: &About<'_>) -> i64 {
    if !about.allowed {
        return spare_card(about);
    }
    let (reader, _) = about.app.reader("adult", about.unit());
    let path = format!("/api/v1/readers/{reader}");
    let shown = about.app.get(&about.scene.root_token, &path).expect(200).body;
    shown["cards"][0]["id"].as_i64().expect("an id")
}

fn notices(operation: &str, about: &About<'_>) -> Option<Asked> {
    let template = json!({"subject": "s", "text": "t", "html": "h"});
    Some(match operation {
        "listMyNotices" | "getMyPreferences" | "listWebhooks" | "getNoticeTemplate" => about.id(0),
        "updateMyPreferences" => about.body(json!({"gathers": true})),
        "confirmMyContact" => about.body(json!({"code": ready::sent_code(about)})),
        "listReaderContacts" => about.id(about.things.reader),
        "setReaderContact" => about.with(about.things.reader, json!({"address": "li@example.org"})),
        "reportBounce" | "resetNoticeTemplate" | "previewNoticeTemplate" => about.body(json!({})),
        "setNoticeTemplate" => about.body(template),
        "createWebhook" => about.body(json!({"unit_code": about.unit(), "url": "https://a.example/x", "kinds": ["*"]})),
        "updateWebhook" => about.with(ready::webhook(about), json!({"active": false})),
        "removeWebhook" | "rotateWebhookSecret" | "replayWebhookDeliveries" => {
            about.with(ready::webhook(about), json!({}))
        }
        "listWebhookDeliveries" => about.id(ready::webhook(about)),
        "replayWebhookDelivery" => {
            let webhook = ready::webhook(about);
            Asked {
                version: ready::told(about, webhook),
                ..about.with(webhook, json!({}))
            }
        }
        _ => return None,
    })
}

fn rules(operation: &str, about: &About<'_>) -> Option<Asked> {
    let unit = about.unit();
    Some(match operation {
        "listRuleSets" | "getRuleSet" | "exportRuleSet" | "listRuleDrafts" => about.id(0),
        "createRuleDraft" => about.body(json!({"unit_code": unit, "toml": ""})),
        "getRuleDraft" | "validateRuleDraft" | "previewRules" | "previewRuleMatrix" => about.id(some_draft(about)),
        "updateRuleDraft" => about.with(new_draft(about), json!({"toml": "# 空"})),
        "discardRuleDraft" => about.id(new_draft(about)),
        "publishRules" => about.with(new_draft(about), json!({})),
        // To the version before any of its own.
        "rollBackRules" => {
            ready::own_rules(about);
            about.body(json!({"unit_code": unit, "note": "试行结束"}))
        }
        "withdrawRuleSet" => Asked {
            version: ready::waiting_rules(about),
            ..about.id(0)
        },
        _ => return None,
    })
}

/// A draft of own rules of the unit of the things, which may be looked at more than once.
fn some_draft(about: &About<'_>) -> i64 {
    let drafts = about
        .app
        .get(&about.scene.root_token, "/api/v1/rule-drafts?limit=200")
        .expect(200)
        .body;
    let drafts = drafts["items"].as_array().expect("drafts").clone();
    let known = drafts.iter().find(|draft| draft["of_unit"] == about.unit());
    known.map_or_else(|| new_draft(about), |draft| draft["id"].as_i64().expect("an id"))
}

fn new_draft(about: &About<'_>) -> i64 {
    let body = json!({"unit_code": about.unit(), "toml": ""});
    let made = about.app.post(&about.scene.root_token, "/api/v1/rule-drafts", &body);
    made.expect(201).id()
}

fn fresh_refresh_token(app: &TestApp) -> String {
    let session = app.log_in(&json!({"username": ROOT_USER, "password": PASSWORD}));
    let token = session.expect(201).body["refresh_token"].clone();
    token.as_str().expect("a token").to_owned()
}

/// Lines of their own each time.
fn credit(operation: &str, about: &About<'_>) -> Option<Asked> {
    let (app, root) = (about.app, &about.scene.root_token);
    let reader = about.things.reader;
    let posting = || json!({"points": -1, "reason": "占座"});
    let line = || {
        let path = format!("/api/v1/readers/{reader}/credit-entries");
        let posted = app.post(root, &path, &posting()).expect(201);
        posted.body["entry"]["id"].as_i64().expect("a line")
    };
    Some(match operation {
        "getReaderCredit" | "listReaderCreditEntries" => about.id(reader),
        "getMyCredit" | "listMyCreditEntries" | "listCreditAppeals" => about.id(0),
        "appealMyCreditEntry" => about.with(line(), json!({"reason": "没有占座"})),
        "postCreditEntry" => about.with(reader, posting()),
        "reverseCreditEntry" => about.with(line(), json!({"reason": "误记"})),
        "freezeReader" => about.with(app.reader("adult", about.unit()).0, json!({"reason": "多次占座"})),
        "thawReader" => {
            let frozen = app.reader("adult", about.unit()).0;
            let path = format!("/api/v1/readers/{frozen}/credit-freezes");
            app.post(root, &path, &json!({"reason": "多次占座"})).expect(201);
            about.with(frozen, json!({"reason": "已说明"}))
        }
        "decideCreditAppeal" => {
            let token = app.reader_token(&about.things.card);
            let path = format!("/api/v1/me/credit/entries/{}/appeals", line());
            let appeal = app.post(&token, &path, &json!({"reason": "没有占座"})).expect(201).id();
            about.with(appeal, json!({"upheld": true, "answer": "属实"}))
        }
        "importCreditEvents" | "reportAdmission" => about.body(json!({})),
        "getReaderAdmission" => about.id(reader),
        "getMyAdmission" => about.id(0),
        // Without a gate there is nothing to ask, which the rules say (409).
        "askMyAdmission" | "agreeMyAdmission" | "endMyAdmission" => about.body(json!({})),
        "admitReader" => {
            let newcomer = app.reader("adult", about.unit()).0;
            about.with(newcomer, json!({"by": "staff", "reason": "单位担保"}))
        }
        _ => return None,
    })
}

fn machines(operation: &str, about: &About<'_>) -> Option<Asked> {
    let new = about.app.next();
    Some(match operation {
        "checkGateExit" => about.body(json!({"check_id": format!("c{new}"), "barcode": about.things.shelf_barcode})),
        "reportGatePassages" => about.body(json!({"batch": format!("b{new}")})),
        "listGateAlarms" => about.query(format!("?unit_code={}", about.unit())),
        "settleGateAlarm" => about.with(ready::gate_alarm(about), json!({"outcome": "stopped"})),
        "getBins" => about.id(0),
        "setBins" => about.body(json!({"lines": []})),
        _ => return None,
    })
}
