//! The network that is simulated: the root, a central, two mains, branches, a 24-hour machine and a vehicle; couriers with
//! their routes; readers of several categories; copies with and without volumes.

use std::sync::Arc;

use chrono::{NaiveDate, Weekday};
use tongjie::auth::journal_signature::JournalKey;
use tongjie::auth::{Grant, Role};
use tongjie::domain::barcode::{Barcode, CardNumber};
use tongjie::domain::calendar::WeeklyHours;
use tongjie::domain::ids::{BibId, CollectionId, DeviceId, ItemId, ReaderId, StaffId, UnitId};
use tongjie::domain::item::ReturnPolicy;
use tongjie::domain::network::Collection;
use tongjie::domain::reader::Channel;
use tongjie::domain::unit::{Unit, UnitKind};
use tongjie::store::devices::NewDevice;
use tongjie::store::devices::keys::KeyRow;
use tongjie::store::ids::IdRun;
use tongjie::store::readers::NewReader;
use tongjie::store::readers::guardians::GuardianRow;
use tongjie::store::staff::NewStaff;
use tongjie::store::tx::WriteTx;
use tongjie::store::{Store, StoreError};
use tongjie::usecase::{Caller, Who, bootstrap};

use super::alone::public;
use super::random::Random;
use super::rows::{new_bib, new_card, new_item, new_reader, span, stop};

/// Code, parent and kind; the order is that of [`Town::units`].
const UNITS: [(&str, &str, UnitKind); 13] = [
    ("C1", "network", UnitKind::Central),
    ("M1", "network", UnitKind::Main),
    ("M2", "network", UnitKind::Main),
    ("B11", "M1", UnitKind::Branch),
    ("B12", "M1", UnitKind::Branch),
    ("B13", "M1", UnitKind::Branch),
    ("B14", "M1", UnitKind::Branch),
    ("B21", "M2", UnitKind::Branch),
    ("B22", "M2", UnitKind::Branch),
    ("B23", "M2", UnitKind::Branch),
    ("B24", "C1", UnitKind::Branch),
    ("P1", "B11", UnitKind::Point),
    ("V1", "M2", UnitKind::Point),
];
const BIBS: usize = 60;
const ITEMS: usize = 150;
const READERS: usize = 60;
pub const COURIERS: usize = 2;
/// Of every reader.
pub const PIN: &str = "135790";
const CATEGORIES: [&str; 6] = ["adult", "adult", "adult", "child", "senior", "institution_200"];
const ITEM_TYPES: [&str; 8] = [
    "book",
    "book",
    "book",
    "book",
    "book",
    "book_children",
    "av_disc",
    "periodical",
];

/// One place of the network.
#[derive(Debug, Clone)]
pub struct Place {
    pub id: UnitId,
    pub code: String,
    /// The staff member who works there.
    pub staff: StaffId,
}

/// What there is. Copies, bibs, readers are named by their place in the lists.
#[derive(Debug, Clone)]
pub struct Town {
    pub root: UnitId,
    pub units: Vec<Place>,
    pub machine: DeviceId,
    /// The machines with doors at the service point: id, code, and the machine as a caller.
    pub doored: Vec<(DeviceId, String, Caller)>,
    pub couriers: Vec<StaffId>,
    pub bibs: Vec<BibId>,
    pub items: Vec<ItemId>,
    pub barcodes: Vec<Barcode>,
    pub readers: Vec<ReaderId>,
    pub cards: Vec<CardNumber>,
}

impl Town {
    /// Builds it in an empty database.
    pub async fn build(store: &Arc<Store>, random: &mut Random, today: NaiveDate, pin: String) -> Self {
        bootstrap::bootstrap(store)
            .await
            .expect("an empty database takes the preset");
        let ids = store.take_ids::<StoreError>(2_000).await.expect("ids");
        let chance = random.clone();
        store
            .write(move |tx| {
                Builder {
                    tx,
                    ids: ids.clone(),
                    random: chance.clone(),
                    today,
                    pin: pin.clone(),
                }
                .town()
            })
            .await
            .expect("the town is built")
    }

    /// Somebody at the desk of a unit, with every right there that a desk may have.
    pub fn desk(&self, unit: usize) -> Caller {
        let place = &self.units[unit];
        staff(
            place.staff,
            &[Role::Librarian, Role::Cataloguer],
            place.id,
            Some(place.id),
        )
    }

    /// The network's own administrator, working at a unit.
    pub fn system(&self, unit: usize) -> Caller {
        staff(
            StaffId::new(self.units[0].staff.get()),
            &[Role::System, Role::Librarian],
            self.root,
            Some(self.units[unit].id),
        )
    }

    pub fn courier(&self, number: usize) -> Caller {
        staff(self.couriers[number], &[Role::Courier], self.root, None)
    }

    pub fn reader(&self, reader: usize) -> Caller {
        Caller {
            who: Who::Reader {
                id: self.readers[reader],
            },
            unit: None,
            session: 1,
        }
    }

    /// The 24-hour machine.
    pub fn kiosk(&self) -> Caller {
        let unit = self.unit("P1");
        Caller {
            who: Who::Device {
                id: self.machine,
                channel: Channel::Kiosk,
            },
            unit: Some(self.units[unit].id),
            session: 1,
        }
    }

    pub fn unit(&self, code: &str) -> usize {
        self.units
            .iter()
            .position(|unit| unit.code == code)
            .expect("a code of the town")
    }

    /// What is on the tag of a copy.
    pub fn tag(&self, item: usize) -> String {
        tag(self.items[item].get())
    }

    pub fn item(&self, id: ItemId) -> Option<usize> {
        self.items.iter().position(|item| *item == id)
    }
}

fn staff(id: StaffId, roles: &[Role], at: UnitId, unit: Option<UnitId>) -> Caller {
    let grants = roles
        .iter()
        .map(|role| Grant {
            role: *role,
            unit: at.get(),
        })
        .collect();
    Caller {
        who: Who::Staff { id, grants },
        unit,
        session: 1,
    }
}

fn tag(item: i64) -> String {
    format!("E00401{item:010}")
}

struct Builder<'a, 'tx> {
    tx: &'a mut WriteTx<'tx>,
    ids: IdRun,
    random: Random,
    today: NaiveDate,
    /// The hash of every reader's PIN.
    pin: String,
}

impl Builder<'_, '_> {
    fn town(mut self) -> Result<Town, StoreError> {
        let root = self
            .tx
            .network()?
            .units()
            .root()
            .expect("the bootstrap made it")
            .clone();
        let mut units = Vec::new();
        let mut made = vec![root.clone()];
        for (code, parent, kind) in UNITS {
            let parent = made
                .iter()
                .find(|unit| unit.code == parent)
                .expect("parents come first")
                .clone();
            let unit = self.unit(code, kind, &parent)?;
            units.push(Place {
                id: unit.id,
                code: code.to_owned(),
                staff: self.staff(&format!("at-{code}"), Role::Librarian, unit.id)?,
            });
            made.push(unit);
        }
        let couriers = (0..COURIERS)
            .map(|n| self.staff(&format!("courier-{n}"), Role::Courier, root.id))
            .collect::<Result<_, _>>()?;
        let machine = self.machine(&units, ("K1", "kiosk"), "")?;
        let doored = [("L1", "locker"), ("K2", "kiosk")]
            .into_iter()
            .map(|kind| self.doored(&units, kind))
            .collect::<Result<_, _>>()?;
        let bibs = (0..BIBS).map(|_| self.bib()).collect::<Result<_, _>>()?;
        let mut town = Town {
            root: root.id,
            units,
            machine,
            doored,
            couriers,
            bibs,
            items: Vec::new(),
            barcodes: Vec::new(),
            readers: Vec::new(),
            cards: Vec::new(),
        };
        self.stock(&mut town)?;
        self.readers(&mut town)?;
        Ok(town)
    }

    fn unit(&mut self, code: &str, kind: UnitKind, parent: &Unit) -> Result<Unit, StoreError> {
        let id = UnitId::new(self.ids.next());
        let unit = Unit {
            id,
            code: code.to_owned(),
            name: code.to_owned(),
            kind,
            parent: Some(parent.id),
            path: Unit::path_under(Some(parent), id),
            active: true,
            lends: true,
            pickup_point: true,
            adult_only: code == "B13",
            latitude: None,
            longitude: None,
            always_open: code == "P1",
            hours: self.hours(kind),
            closed: Vec::new(),
            return_policy: self.policy(),
            mobile: code == "V1",
            stops: if code == "V1" {
                [Weekday::Tue, Weekday::Fri].map(|day| stop(day, self.today)).to_vec()
            } else {
                Vec::new()
            },
            dated: tongjie::domain::dated::Dated::default(),
        };
        self.tx.insert_unit(&unit, &mut || self.ids.next())?;
        Ok(unit)
    }

    /// Points inherit; most units are closed on some day of the week.
    fn hours(&mut self, kind: UnitKind) -> Option<WeeklyHours> {
        let closed = self.random.below(9);
        let spans = std::array::from_fn(|day| if day == closed { Vec::new() } else { vec![span(9, 18)] });
        (kind != UnitKind::Point).then(|| WeeklyHours::new(spans).expect("hours"))
    }

    fn policy(&mut self) -> Option<ReturnPolicy> {
        let policies = [
            None,
            None,
            Some(ReturnPolicy::Home),
            Some(ReturnPolicy::Float),
            Some(ReturnPolicy::FloatWithCap { cap: 2 }),
            Some(ReturnPolicy::Restricted),
        ];
        *self.random.pick(&policies)
    }

    fn staff(&mut self, username: &str, role: Role, at: UnitId) -> Result<StaffId, StoreError> {
        let id = self.ids.next();
        let member = NewStaff {
            id,
            username: username.to_owned(),
            name: username.to_owned(),
            password_hash: "none".to_owned(),
            active: true,
            demo: false,
            created_at: 0,
        };
        self.tx.insert_staff(&member, &[(role.to_string(), at)])?;
        Ok(StaffId::new(id))
    }

    /// A machine with doors, and the key of its journal.
    fn doored(
        &mut self,
        units: &[Place],
        (code, kind): (&str, &str),
    ) -> Result<(DeviceId, String, Caller), StoreError> {
        let capabilities = "door_bank,item_sensor,tag_reader,card_reader,two_phase_loans";
        let id = self.machine(units, (code, kind), capabilities)?;
        let public = public(code);
        self.tx.insert_device_key(&KeyRow {
            id: self.ids.next(),
            device_id: id.get(),
            key_id: JournalKey::of(&public).expect("a key").id(),
            public_key: public.to_vec(),
            journal: 1,
            first_sequence: 1,
            given_at: 0,
            revoked_at: None,
        })?;
        let channel = if kind == "locker" {
            Channel::Locker
        } else {
            Channel::Kiosk
        };
        let point = units.iter().find(|unit| unit.code == "P1").expect("the service point");
        let caller = Caller {
            who: Who::Device { id, channel },
            unit: Some(point.id),
            session: 1,
        };
        Ok((id, code.to_owned(), caller))
    }

    fn machine(
        &mut self,
        units: &[Place],
        (code, kind): (&str, &str),
        capabilities: &str,
    ) -> Result<DeviceId, StoreError> {
        let at = units
            .iter()
            .find(|unit| unit.code == "P1")
            .expect("a point of the town");
        let id = self.ids.next();
        self.tx.insert_device(&NewDevice {
            id,
            code: code.to_owned(),
            unit_id: at.id.get(),
            kind: kind.to_owned(),
            secret_hash: "none".to_owned(),
            active: true,
            name: String::new(),
            capabilities: capabilities.to_owned(),
            registered_at: Some(0),
            approved_at: Some(0),
        })?;
        Ok(DeviceId::new(id))
    }

    fn bib(&mut self) -> Result<BibId, StoreError> {
        let id = BibId::new(self.ids.next());
        self.tx.insert_bib(&new_bib(id), &[])?;
        Ok(id)
    }

    fn stock(&mut self, town: &mut Town) -> Result<(), StoreError> {
        let network = self.tx.network()?;
        let mut collections = Vec::new();
        for place in &town.units {
            let id = CollectionId::new(self.ids.next());
            let (unit, code) = (place.id, "general".to_owned());
            let return_policy = self.policy();
            self.tx.insert_collection(&Collection {
                id,
                unit,
                name: code.clone(),
                code,
                return_policy,
            })?;
            collections.push(id);
        }
        for number in 0..ITEMS {
            let home = self.random.below(town.units.len());
            let owner = network_owner(town, home);
            let code = ITEM_TYPES[self.random.below(ITEM_TYPES.len())];
            let item_type = network.item_types().by_code(code).expect("of the preset").id;
            let mut item = new_item(self.ids.next(), *self.random.pick(&town.bibs), item_type.get(), number);
            item.rfid_tag = Some(tag(item.id));
            item.owner_unit_id = owner.get();
            item.home_unit_id = town.units[home].id.get();
            item.current_unit_id = item.home_unit_id;
            item.collection_id = self.random.percent(60).then(|| collections[home].get());
            item.volume = (number % 5 == 0).then(|| format!("第{}卷", 1 + number % 2));
            item.alert_note = (number % 29 == 7).then(|| "附光盘".to_owned());
            item.parts = if number % 31 == 9 { 2 } else { 1 };
            self.tx.insert_item(&item)?;
            town.items.push(ItemId::new(item.id));
            town.barcodes.push(Barcode::parse(&item.barcode).expect("a barcode"));
        }
        Ok(())
    }

    fn readers(&mut self, town: &mut Town) -> Result<(), StoreError> {
        let network = self.tx.network()?;
        let (mut children, mut adult) = (Vec::new(), None);
        for number in 0..READERS {
            let category = network
                .category_by_code(CATEGORIES[self.random.below(CATEGORIES.len())])
                .expect("of the preset");
            let home = self.random.pick(&town.units).id;
            let card_end = self.random.percent(25).then(|| self.random.between(3, 40));
            let (id, card) = (self.ids.next(), self.ids.next());
            let reader = NewReader {
                birth_date: Some(if category.child { "2018-05-01" } else { "1950-05-01" }.to_owned()),
                pin_hash: Some(self.pin.clone()),
                ..new_reader(id, home, category.id.get())
            };
            let expires = card_end.map(|days| (self.today + chrono::TimeDelta::days(days)).to_string());
            let card = new_card(card, id, number, expires);
            self.tx.insert_reader(&reader, &card)?;
            if category.child {
                children.push(id);
            } else {
                adult = adult.or(Some(id));
            }
            town.readers.push(ReaderId::new(id));
            town.cards.push(CardNumber::parse(&card.number).expect("a card number"));
        }
        for child in children {
            let link = GuardianRow {
                id: self.ids.next(),
                guardian_reader_id: adult.expect("somebody is of age"),
                ward_reader_id: child,
                relation: "parent".to_owned(),
                may_act: true,
                consent_form: Some("1".to_owned()),
                consented_on: Some("2020-01-01".to_owned()),
                started_at: 0,
                ended_at: None,
            };
            self.tx.insert_guardianship(&link)?;
        }
        Ok(())
    }
}

/// What stands in a branch belongs to the main or central above it.
fn network_owner(town: &Town, home: usize) -> UnitId {
    let mut code = UNITS[home].0;
    while let Some((_, parent, _)) = UNITS
        .iter()
        .find(|(one, ..)| *one == code)
        .filter(|(_, up, _)| *up != "network")
    {
        code = parent;
    }
    town.units[town.unit(code)].id
}
