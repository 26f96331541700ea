//! A tiny network with the city preset: what the examples in these docs and the tests stand on.
//! Not for: the demo, which seeds a database.

use chrono::{DateTime, Days, TimeZone, Utc};

use super::act::Act;
use super::calendar::{ClosedRange, OpenSpan, WeeklyHours};
use super::entry_gate::Entry;
use super::hold::{HoldFacts, HoldStatus, Target};
use super::ids::{BibId, CardId, CategoryId, HoldId, ItemId, ItemTypeId, LoanId, ReaderId, UnitId};
use super::item::{ItemFacts, ItemStatus, Lending, OpenLoanOfItem, ReturnPolicy};
use super::item_type::ItemType;
use super::loan::OpenLoan;
use super::network::{Category, Network, NetworkParts};
use super::reader::{CardFacts, CardStatus, Channel, CreditBand, LoanOfReader, ReaderFacts, ReaderStatus};
use super::rules_toml::{CN_CITY_DEFAULT, CodeBook, Preset};
use super::self_registration::SelfRegistrations;
use super::sending::Sending;
use super::unit::{Unit, UnitKind};

/// The root.
pub const ROOT: UnitId = UnitId::new(1);
/// The central under the root.
pub const CENTRAL: UnitId = UnitId::new(2);
/// A main under the central.
pub const MAIN: UnitId = UnitId::new(5);
/// A branch under the main; closed on Mondays. Acts happen here.
pub const BRANCH: UnitId = UnitId::new(20);
/// A second branch under the main.
pub const BRANCH_2: UnitId = UnitId::new(21);
/// A locker at the branch.
pub const LOCKER: UnitId = UnitId::new(30);
/// Another main under the root.
pub const OTHER_MAIN: UnitId = UnitId::new(6);
/// Its branch, for adults only.
pub const OTHER_BRANCH: UnitId = UnitId::new(60);

/// The example network and the moment of the examples.
#[derive(Clone)]
pub struct World {
    pub network: Network,
    /// Wednesday, 4 March 2026, 10:00 in the network's zone.
    pub now: DateTime<Utc>,
}

impl std::fmt::Debug for World {
    /// Without the network: a failing test would print hundreds of lines of rules.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("World").field("now", &self.now).finish_non_exhaustive()
    }
}

/// The rows of the example network, to be changed before building.
///
/// # Panics
/// Never: the preset that ships with the program is valid, which a test shows.
pub fn parts() -> NetworkParts {
    let preset = Preset::parse(CN_CITY_DEFAULT).expect("the preset that ships is readable");
    let (item_types, categories) = (item_types(&preset), categories(&preset));
    let book = CodeBook {
        unit: &|_| None,
        category: &|code| categories.iter().find(|one| one.code == code).map(|one| one.id),
        item_type: &|code| item_types.iter().find(|one| one.code == code).map(|one| one.id),
        root: ROOT,
    };
    let rules = preset
        .rule_set(1, DateTime::UNIX_EPOCH, &book)
        .expect("the preset knows its own codes");
    let memberships = preset.memberships(&book).expect("the preset knows its own codes");
    NetworkParts {
        version: 1,
        zone: chrono_tz::Asia::Shanghai,
        units: units(),
        item_types,
        categories,
        collections: Vec::new(),
        memberships,
        rules,
        rules_first: true,
        rules_until: None,
        sending: Sending::default(),
        self_registrations: SelfRegistrations::default(),
    }
}

/// The example network.
///
/// # Panics
/// Never: its parts are valid, which a test shows.
pub fn world() -> World {
    let network = Network::build(parts()).expect("the example network is valid");
    let now = Utc
        .with_ymd_and_hms(2026, 3, 4, 2, 0, 0)
        .single()
        .unwrap_or(DateTime::UNIX_EPOCH);
    World { network, now }
}

fn item_types(preset: &Preset) -> Vec<ItemType> {
    let types = &preset.item_types;
    let id = |code: &str| {
        let numbered = types.iter().zip(1..).find(|(one, _)| one.code == code);
        numbered.map(|(_, id)| ItemTypeId::new(id))
    };
    let row = |(one, number): (&super::rules_toml::PresetItemType, i64)| ItemType {
        id: ItemTypeId::new(number),
        code: one.code.clone(),
        parent: one.parent.as_deref().and_then(id),
        name_zh: one.name_zh.clone(),
        name_en: one.name_en.clone(),
    };
    types.iter().zip(1..).map(row).collect()
}

fn categories(preset: &Preset) -> Vec<Category> {
    let row = |(one, number): (&super::rules_toml::PresetCategory, i64)| Category {
        id: CategoryId::new(number),
        code: one.code.clone(),
        name_zh: one.name_zh.clone(),
        name_en: one.name_en.clone(),
        reading_only: one.reading_only,
        child: one.child,
        institutional: one.institutional,
        min_age_years: one.min_age_years,
        max_age_years: one.max_age_years,
    };
    preset.categories.iter().zip(1..).map(row).collect()
}

/// Nine to nine, every day but the weekdays named (Monday is 0).
fn hours_except(closed: &[usize]) -> Option<WeeklyHours> {
    let at = |hour| chrono::NaiveTime::from_hms_opt(hour, 0, 0).unwrap_or_default();
    let span = OpenSpan {
        opens: at(9),
        closes: at(21),
    };
    let day = |index: usize| {
        if closed.contains(&index) {
            Vec::new()
        } else {
            vec![span]
        }
    };
    WeeklyHours::new(std::array::from_fn(day)).ok()
}

fn units() -> Vec<Unit> {
    let unit = |id: UnitId, code: &str, kind, parent: Option<UnitId>, path: &str| Unit {
        id,
        code: code.to_owned(),
        name: code.to_owned(),
        kind,
        parent,
        path: path.to_owned(),
        active: true,
        lends: kind != UnitKind::Network,
        pickup_point: kind != UnitKind::Network,
        adult_only: false,
        latitude: None,
        longitude: None,
        always_open: false,
        hours: None,
        closed: Vec::new(),
        return_policy: None,
        mobile: false,
        stops: Vec::new(),
        dated: crate::domain::dated::Dated::default(),
    };
    let day = |month, day| chrono::NaiveDate::from_ymd_opt(2026, month, day).unwrap_or_default();
    let holiday = ClosedRange {
        first: day(5, 1),
        last: day(5, 5),
        reason: "Labour Day".to_owned(),
    };
    vec![
        Unit {
            hours: hours_except(&[]),
            closed: vec![holiday],
            ..unit(ROOT, "JC", UnitKind::Network, None, "/1/")
        },
        unit(CENTRAL, "JC-C", UnitKind::Central, Some(ROOT), "/1/2/"),
        unit(MAIN, "JC-M1", UnitKind::Main, Some(CENTRAL), "/1/2/5/"),
        Unit {
            hours: hours_except(&[0]),
            ..unit(BRANCH, "JC-M1-B1", UnitKind::Branch, Some(MAIN), "/1/2/5/20/")
        },
        unit(BRANCH_2, "JC-M1-B2", UnitKind::Branch, Some(MAIN), "/1/2/5/21/"),
        Unit {
            always_open: true,
            ..unit(LOCKER, "JC-M1-B1-L", UnitKind::Point, Some(BRANCH), "/1/2/5/20/30/")
        },
        unit(OTHER_MAIN, "JC-M2", UnitKind::Main, Some(ROOT), "/1/6/"),
        Unit {
            adult_only: true,
            ..unit(OTHER_BRANCH, "JC-M2-B1", UnitKind::Branch, Some(OTHER_MAIN), "/1/6/60/")
        },
    ]
}

impl World {
    /// An act at the desk of the branch, without special rights.
    pub const fn at_desk(&self) -> Act {
        Act::at(BRANCH, Channel::Desk)
    }

    /// A category by code.
    pub fn category(&self, code: &str) -> CategoryId {
        self.network
            .category_by_code(code)
            .map_or(CategoryId::new(0), |category| category.id)
    }

    /// An item type by code.
    pub fn item_type(&self, code: &str) -> ItemTypeId {
        self.network
            .item_types()
            .by_code(code)
            .map_or(ItemTypeId::new(0), |item_type| item_type.id)
    }

    /// An adult of the branch in credit band B, with nothing on loan and a card without end.
    pub fn reader(&self) -> ReaderFacts {
        ReaderFacts {
            id: ReaderId::new(1),
            category: self.category("adult"),
            reading_only: false,
            child: false,
            home: BRANCH,
            status: ReaderStatus::Active,
            barred: false,
            block: None,
            birth_date: chrono::NaiveDate::from_ymd_opt(1990, 6, 1),
            band: CreditBand::B,
            entry: Entry {
                admitted: false,
                registered_at: self.now - Days::new(365),
            },
            debt_fen: 0,
            note: None,
            card: CardFacts {
                id: CardId::new(1),
                status: CardStatus::Active,
                expires_on: None,
                holder_name: None,
            },
            loans: Vec::new(),
            open_holds: 0,
            consented: false,
        }
    }

    /// The same reader with so many other books on loan from the branch, due in a week.
    pub fn reader_with_loans(&self, count: i64) -> ReaderFacts {
        let loan = |number| LoanOfReader {
            id: LoanId::new(1_000 + number),
            bib_id: BibId::new(1_000 + number),
            item_type: self.item_type("book"),
            owner: MAIN,
            unit: BRANCH,
            channel: Channel::Desk,
            due_at: self.now + Days::new(7),
            reading_room: false,
            given_back: false,
            session: None,
        };
        ReaderFacts {
            loans: (0..count).map(loan).collect(),
            ..self.reader()
        }
    }

    /// A book of the main, at home and on the shelf at the branch.
    pub fn item(&self) -> ItemFacts {
        ItemFacts {
            id: ItemId::new(1),
            bib_id: BibId::new(1),
            barcode: "JC0000001".to_owned(),
            owner: MAIN,
            home: BRANCH,
            home_of_record: BRANCH,
            deposit: None,
            current: BRANCH,
            collection: None,
            return_policy: ReturnPolicy::Home,
            floating_here: 0,
            item_type: self.item_type("book"),
            status: ItemStatus::OnShelf,
            lending: Lending::Normal,
            bound_into: None,
            not_for_loan: false,
            min_age_years: None,
            for_children: false,
            alert_note: None,
            parts: 1,
            clc_class: None,
            volume: None,
            unscanned: None,
            added_at: self.now - Days::new(60),
            last_event_at: self.now - Days::new(60),
            open_loan: None,
            captured_for: None,
            transit: None,
        }
    }

    /// The loan of that book to the adult, made now and due in 30 days at the end of the day.
    pub fn loan(&self) -> OpenLoan {
        OpenLoan {
            id: LoanId::new(1),
            item: ItemId::new(1),
            reader: ReaderId::new(1),
            reader_status: ReaderStatus::Active,
            category: self.category("adult"),
            unit: BRANCH,
            channel: Channel::Desk,
            loaned_at: self.now,
            due_at: super::calendar::end_of_day(self.network.zone(), self.network.local_day(self.now + Days::new(30))),
            renewals: 0,
            claimed_returned_at: None,
            recalled_at: None,
            reading_room: false,
            unconfirmed: false,
        }
    }

    /// The book while it is on that loan.
    pub fn item_on_loan(&self, loan: &OpenLoan) -> ItemFacts {
        let open_loan = OpenLoanOfItem {
            id: loan.id,
            reader: loan.reader,
            loaned_at: loan.loaned_at,
            due_at: loan.due_at,
            unit: loan.unit,
            recalled_at: loan.recalled_at,
            unconfirmed: loan.unconfirmed,
        };
        ItemFacts {
            status: ItemStatus::OnLoan,
            open_loan: Some(open_loan),
            ..self.item()
        }
    }

    /// A waiting hold of the adult on the book's bib, pickup at the branch.
    pub const fn hold(&self) -> HoldFacts {
        HoldFacts {
            id: HoldId::new(1),
            reader: ReaderId::new(1),
            target: Target::Bib(BibId::new(1)),
            pickup: BRANCH,
            status: HoldStatus::Waiting,
        }
    }
}
