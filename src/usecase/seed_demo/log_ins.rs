//! Which staff and readers of the demo may log in, and the lists that scripts work with.

use chrono::NaiveDate;

use super::SeedOptions;
use super::accounts::{
    BenchCards, DemoAccounts, DeviceAccount, DevicePlan, LastStep, LoanItem, ReaderAccount, Secret, ShelfItem,
    StaffAccount, StaffPlan,
};
use super::network::Place;
use super::plan::World;
use super::readers::{FRESH_READER, HISTORY_READER, Reader, card_number};
use crate::auth::{Role, tokens};
use crate::domain::ids::{ReaderId, UnitId};
use crate::domain::network::Network;
use crate::domain::unit::UnitKind;

/// Readers who may log in, by category; none of them has a loan.
const FREE: &[(&str, usize)] = &[
    ("adult", 410),
    ("child", 8),
    ("senior", 8),
    ("disabled", 4),
    ("reading_only", 2),
];
/// Readers with something on loan who may log in.
const BORROWERS: usize = 24;

/// PINs to make: those readers, and the two institutions.
pub(super) fn pins(options: SeedOptions) -> usize {
    FREE.iter().map(|(_, count)| options.scaled(*count)).sum::<usize>() + BORROWERS + 2
}

/// The first readers of each category with a card that is good.
pub(super) fn choose(readers: &[Reader], options: SeedOptions, today: NaiveDate) -> Vec<usize> {
    let mut chosen = Vec::new();
    for (category, count) in FREE {
        let good = |reader: &Reader| {
            reader.category_code == *category
                && reader.band.code() == "b"
                && reader.card_end.is_none_or(|end| end > today + chrono::Days::new(90))
        };
        let found = readers
            .iter()
            .enumerate()
            .filter(|(_, reader)| good(reader))
            .map(|(index, _)| index);
        chosen.extend(found.take(options.scaled(*count)));
    }
    chosen
}

/// Staff for every role: librarians in all large houses and in the first branch of each district.
pub(super) fn staff(places: &[Place], root: UnitId) -> Vec<StaffPlan> {
    let plan = |username: String, name: &str, role, unit| StaffPlan {
        username,
        name: name.to_owned(),
        role,
        unit,
    };
    let mut staff = vec![
        plan("demo-system".to_owned(), "系统管理员", Role::System, root),
        plan("demo-auditor".to_owned(), "审计员", Role::Auditor, root),
        plan("demo-courier".to_owned(), "物流员", Role::Courier, root),
    ];
    for place in places {
        let code = place.code.to_ascii_lowercase();
        let large = matches!(place.kind, UnitKind::Central | UnitKind::Main);
        if large || place.code.ends_with("-01") {
            staff.push(plan(
                format!("demo-librarian-{code}"),
                "馆员",
                Role::Librarian,
                place.id,
            ));
        }
        if large {
            staff.push(plan(
                format!("demo-manager-{code}"),
                "馆长",
                Role::UnitManager,
                place.id,
            ));
        }
    }
    let central = places.first().map_or(root, |place| place.id);
    let others = [
        ("demo-cataloguer", "编目员", Role::Cataloguer),
        ("demo-cashier", "收费员", Role::Cashier),
        ("demo-read-only", "查询员", Role::ReadOnly),
    ];
    staff.extend(others.map(|(username, name, role)| plan(username.to_owned(), name, role, central)));
    staff
}

/// The accounts file and what the last write does; `secrets` are those of the staff, then PINs.
pub(super) fn assemble(
    world: &World,
    staff: Vec<StaffPlan>,
    secrets: Vec<Secret>,
    network: &Network,
) -> (DemoAccounts, LastStep) {
    let mut secrets = secrets.into_iter();
    let staff: Vec<(StaffPlan, Secret)> = staff.into_iter().zip(secrets.by_ref()).collect();
    let mut readers = vec![HISTORY_READER, FRESH_READER];
    readers.extend(&world.free_readers);
    let on_loan: Vec<(usize, usize)> = borrowers(world);
    for (_, reader) in &on_loan {
        if !readers.contains(reader) {
            readers.push(*reader);
        }
    }
    let pins: Vec<(usize, Secret)> = readers.into_iter().zip(secrets).collect();
    let unit_code = |unit: UnitId| network.unit(unit).map(|unit| unit.code.clone()).unwrap_or_default();
    let devices = devices(&world.places);
    let accounts = DemoAccounts {
        base_url: String::new(),
        staff: staff
            .iter()
            .map(|(plan, secret)| account(plan, secret, unit_code(plan.unit)))
            .collect(),
        readers: pins
            .iter()
            .map(|(reader, pin)| reader_account(world, *reader, pin))
            .collect(),
        items_on_shelf: world.listed.iter().map(|item| shelf_item(world, *item)).collect(),
        items_on_loan: on_loan
            .iter()
            .map(|(item, reader)| loan_item(world, *item, *reader))
            .collect(),
        bench: BenchCards {
            history_card: card_number(HISTORY_READER),
            fresh_card: card_number(FRESH_READER),
        },
        devices: devices.iter().map(|device| device.account.clone()).collect(),
    };
    let pins = pins
        .into_iter()
        .map(|(reader, pin)| (ReaderId::new(world.readers[reader].id), pin))
        .collect();
    (accounts, LastStep { staff, pins, devices })
}

/// One open loan each of some persons, with a barcode that means one item.
fn borrowers(world: &World) -> Vec<(usize, usize)> {
    let mut chosen: Vec<(usize, usize)> = Vec::new();
    for (item, reader) in &world.on_loan {
        let grown_up = matches!(world.readers[*reader].category_code, "adult" | "senior");
        if grown_up && chosen.len() < BORROWERS && chosen.iter().all(|(_, other)| other != reader) {
            chosen.push((*item, *reader));
        }
    }
    chosen
}

fn account(plan: &StaffPlan, secret: &Secret, unit_code: String) -> StaffAccount {
    let (username, password) = (plan.username.clone(), secret.plain.clone());
    StaffAccount {
        username,
        password,
        unit_code,
        role: plan.role.to_string(),
    }
}

fn reader_account(world: &World, reader: usize, pin: &Secret) -> ReaderAccount {
    let category = world.readers[reader].category_code.to_owned();
    ReaderAccount {
        card_number: card_number(reader),
        pin: pin.plain.clone(),
        category,
    }
}

fn shelf_item(world: &World, item: usize) -> ShelfItem {
    let item = &world.items[item];
    ShelfItem {
        barcode: item.barcode(),
        unit_code: world.places[item.place].code.clone(),
    }
}

fn loan_item(world: &World, item: usize, reader: usize) -> LoanItem {
    LoanItem {
        barcode: world.items[item].barcode(),
        card_number: card_number(reader),
    }
}

/// A gate, a kiosk and a browsing machine in the general central, a locker outside.
fn devices(places: &[Place]) -> Vec<DevicePlan> {
    let at = |code: &str| {
        places
            .iter()
            .find(|place| place.code == code)
            .or(places.first())
            .map(|place| place.id)
    };
    let doors = "door_bank,item_sensor,tag_reader,card_reader,two_phase_loans";
    [
        ("demo-gate", "gate", "gate,tag_reader", "JC"),
        ("demo-kiosk", "kiosk", "tag_reader,card_reader,printer", "JC"),
        ("demo-locker", "locker", doors, "LJ-L1"),
        ("demo-shelves", "kiosk", doors, "JC"),
    ]
    .into_iter()
    .filter_map(|(code, kind, capabilities, unit)| {
        let account = DeviceAccount {
            code: code.to_owned(),
            secret: tokens::new_refresh().0,
            kind: kind.to_owned(),
        };
        at(unit).map(|unit| DevicePlan {
            account,
            capabilities,
            unit,
        })
    })
    .collect()
}
