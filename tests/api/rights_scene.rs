//! The network the rights matrix is tried on: the same things at three places, and everybody who may ask for them.

use serde_json::{Value, json};
use tongjie::auth::{Audience, Grant, Role};

use crate::app::{PASSWORD, ROOT, TestApp};
use crate::gates::machine;

/// Where something is, seen from a member of staff of M1.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// M1.
    Own,
    /// B1, below it.
    Below,
    /// M2.
    Elsewhere,
}

impl Place {
    pub const ALL: [Self; 3] = [Self::Own, Self::Below, Self::Elsewhere];

    fn code(self) -> &'static str {
        match self {
            Self::Own => "M1",
            Self::Below => "B1",
            Self::Elsewhere => "M2",
        }
    }

    /// Far enough for a transit.
    fn away(self) -> Self {
        match self {
            Self::Own | Self::Below => Self::Elsewhere,
            Self::Elsewhere => Self::Own,
        }
    }
}

/// What requests speak of.
#[derive(Debug, Clone)]
pub struct Things {
    pub unit_code: String,
    /// Who works here.
    pub member: i64,
    /// Who has the highest role here.
    pub chief: i64,
    pub reader: i64,
    pub card: String,
    /// A bib whose only item is out, with a hold on it.
    pub bib: i64,
    pub item: i64,
    pub loan: i64,
    pub hold: i64,
    /// To be fetched from a shelf here.
    pub pull: i64,
    /// On its way here.
    pub transit: i64,
    pub shelf_barcode: String,
}

pub struct Scene {
    places: Vec<Things>,
    /// The token of a librarian at each place.
    desks: [String; 3],
    /// What belongs to the reader who asks.
    pub own: Things,
    /// A bib for new items.
    pub bib: i64,
    /// A bib whose record can be read.
    pub record: i64,
    /// At the root.
    pub root_token: String,
    pub reader_token: String,
    pub device_token: String,
    /// The card of a reader of M1 about whom nothing else is asked.
    pub visitor: String,
    /// A gate of M1.
    gate_token: String,
    /// A kiosk of M1 that never logs out: what outlives a session asks for one that stands.
    standing_token: String,
    /// Role and desk to token, and the account behind it.
    staff: Vec<(Role, Place, String, i64)>,
}

impl Scene {
    pub fn new(app: &TestApp) -> Self {
        let joined = json!({"lend_away": true, "return_away": true, "readers_away": true});
        app.unit("C1", "central", ROOT, &json!({"membership": [joined]}));
        for code in ["M1", "M2"] {
            app.unit(code, "main", "C1", &json!({}));
        }
        app.unit("B1", "branch", "M1", &json!({}));
        // Where deposits go: under nobody who asks.
        app.unit("B3", "branch", "C1", &json!({}));
        let desks = Place::ALL.map(|place| app.staff("librarian", place.code()));
        let places: Vec<Things> = Place::ALL.iter().map(|place| things(app, &desks, *place)).collect();
        let own = things(app, &desks, Place::Own);
        let unit = app.get(&app.root_token(), "/api/v1/units/M1").expect(200).id();
        app.device("kiosk-m1", unit, "a random secret");
        let device = app.log_in(&json!({"device_code": "kiosk-m1", "secret": "a random secret"}));
        let root_token = app.root_token();
        let made = app.post(&root_token, "/api/v1/bibs", &record("Sketches of Spain"));
        Self {
            visitor: app.reader("adult", "M1").1,
            gate_token: machine(app, "gate", "M1", "gate"),
            standing_token: machine(app, "kiosk", "M1", "tag_reader"),
            reader_token: app.reader_token(&own.card),
            device_token: device.expect(201).body["access_token"]
                .as_str()
                .expect("a token")
                .to_owned(),
            places,
            desks,
            own,
            bib: app.bib("西游记", None),
            record: made.expect(201).body["bib"]["id"].as_i64().expect("an id"),
            root_token,
            staff: staff(app),
        }
    }

    pub fn at(&self, place: Place) -> &Things {
        &self.places[place as usize]
    }

    /// A desk at the unit with this code, and one at another.
    pub fn desks(&self, code: &str) -> (&str, &str) {
        let here = Place::ALL.into_iter().find(|place| place.code() == code);
        let here = here.expect("a unit of the scene");
        (&self.desks[here as usize], &self.desks[here.away() as usize])
    }

    /// The device of M1 whose work an operation is.
    pub fn device_for(&self, operation: &str) -> &str {
        match operation {
            "checkGateExit" | "reportGatePassages" => &self.gate_token,
            "renewDeviceSecret" | "setDeviceKey" => &self.standing_token,
            _ => &self.device_token,
        }
    }

    /// The token of a role's holder at a desk, and the id of the account.
    pub fn staff(&self, role: Role, desk: Place) -> (&str, i64) {
        let found = self.staff.iter().find(|(of, at, ..)| (*of, *at) == (role, desk));
        let (_, _, token, account) = found.expect("everybody is at every desk");
        (token, *account)
    }
}

/// A record as cataloguers send it.
pub fn record(title: &str) -> Value {
    json!({"format": "marc21", "leader": "00000nam a2200000   4500", "fields": [
        {"245": {"ind1": "1", "ind2": "0", "subfields": [{"a": title}]}},
    ]})
}

/// Everything once, at a place.
fn things(app: &TestApp, desks: &[String; 3], place: Place) -> Things {
    let code = place.code();
    let desk = &desks[place as usize];
    let (reader, card) = app.reader("adult", code);
    let bib = app.bib("三国演义", None);
    let (item, barcode) = app.item(bib, code, &json!({}));
    let out = json!({"item_barcode": barcode, "card_number": card});
    let lent = app.post(desk, "/api/v1/check-outs", &out).expect(201);
    let wanted = app.bib("水浒传", None);
    let (_, barcode) = app.item(wanted, code, &json!({}));
    let (_, other) = app.reader("adult", code);
    let out = json!({"item_barcode": barcode, "card_number": other});
    app.post(desk, "/api/v1/check-outs", &out).expect(201);
    let hold = json!({"bib_id": wanted, "pickup_unit_code": code, "card_number": card});
    let hold = app.post(desk, "/api/v1/holds", &hold).expect(201).body["hold"]["id"].clone();
    let pull = pull_at(app, code);
    let (_, shelf_barcode) = app.item(app.bib("红楼梦", None), code, &json!({}));
    Things {
        unit_code: code.to_owned(),
        member: member(app, "read_only", code),
        chief: member(app, "system", code),
        reader,
        card,
        bib,
        item,
        loan: lent.body["loan"]["id"].as_i64().expect("an id"),
        hold: hold.as_i64().expect("an id"),
        pull,
        transit: transit_to(app, &desks[place.away() as usize], code),
        shelf_barcode,
    }
}

fn member(app: &TestApp, role: &str, code: &str) -> i64 {
    let body = json!({"username": format!("works.{}", app.next()), "name": "王老师", "password": PASSWORD,
        "roles": [{"role": role, "unit_code": code}]});
    app.post(&app.root_token(), "/api/v1/staff", &body).expect(201).id()
}

/// A bib, its only copy, and the loan that copy is out on.
#[derive(Debug, Clone, Copy)]
pub struct Lent {
    pub bib: i64,
    pub item: i64,
    pub loan: i64,
}

/// A new item out to a new reader.
pub fn lent(app: &TestApp, desk: &str, code: &str) -> Lent {
    let bib = app.bib("三国演义", None);
    let (item, barcode) = app.item(bib, code, &json!({}));
    let (_, card) = app.reader("adult", code);
    let out = json!({"item_barcode": barcode, "card_number": card});
    let loan = app.post(desk, "/api/v1/check-outs", &out).expect(201).body["loan"]["id"].clone();
    let loan = loan.as_i64().expect("an id");
    Lent { bib, item, loan }
}

/// A reader of the place waits at home for what stands on a shelf there.
pub fn pull_at(app: &TestApp, code: &str) -> i64 {
    let (_, card) = app.reader("adult", code);
    let bib = app.bib("镜花缘", None);
    app.item(bib, code, &json!({}));
    let hold = json!({"bib_id": bib, "pickup_unit_code": code});
    app.post(&app.reader_token(&card), "/api/v1/holds", &hold).expect(201);
    let path = format!("/api/v1/units/{code}/pulls");
    let pulls = app.get(&app.root_token(), &path).expect(200).body["items"].clone();
    let last = pulls
        .as_array()
        .and_then(|pulls| pulls.last())
        .expect("it is to be fetched");
    last["id"].as_i64().expect("an id")
}

/// Something of a place is given back at another, at whose desk it is scanned.
pub fn transit_to(app: &TestApp, desk: &str, code: &str) -> i64 {
    let (_, barcode) = app.item(app.bib("西厢记", None), code, &json!({}));
    let scanned = app.post(desk, "/api/v1/check-ins", &json!({"item_barcode": barcode}));
    scanned.expect(200).body["transit_id"].as_i64().expect("it travels")
}

fn staff(app: &TestApp) -> Vec<(Role, Place, String, i64)> {
    let root = app.root_token();
    let unit = |code: &str| app.get(&root, &format!("/api/v1/units/{code}")).expect(200).id();
    let (own, elsewhere) = (unit("M1"), unit("M2"));
    let mut all = Vec::new();
    for role in Role::ALL {
        let username = format!("matrix.{role}");
        let body = json!({"username": username, "name": "王老师", "password": PASSWORD,
            "roles": [{"role": role, "unit_code": "M1"}]});
        let account = app.post(&root, "/api/v1/staff", &body).expect(201).id();
        for place in [Place::Own, Place::Below] {
            all.push((role, place, app.staff_token(&username, Some(place.code())), account));
        }
        // No log-in gives this one.
        let refused = json!({"username": username, "password": PASSWORD, "unit_code": "M2"});
        app.log_in(&refused).expect_fields(422, &["unit_code"]);
        let grants = vec![Grant { role, unit: own }];
        all.push((
            role,
            Place::Elsewhere,
            app.issue(Audience::Staff, Some(elsewhere), grants),
            account,
        ));
    }
    all
}
