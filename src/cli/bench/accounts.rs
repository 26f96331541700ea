//! The demo's accounts file, and how its items and readers are dealt out to the clients.
//!
//! Every item is lent by staff of the unit it stands in, so that nothing starts to travel, and belongs to one
//! client only, so that clients never refuse each other.

use std::collections::{HashMap, HashSet};
use std::path::Path;
use std::rc::Rc;

use serde::Deserialize;

use super::BenchError;
use crate::auth::rights::{Right, Role, allows};

/// Categories that may borrow any ordinary item. Others (children) are taken only when none of these is listed.
const GROWN_UP: [&str; 3] = ["adult", "senior", "disabled"];

#[derive(Debug, Deserialize)]
struct AccountsFile {
    staff: Vec<StaffAccount>,
    readers: Vec<ReaderAccount>,
    items_on_shelf: Vec<ShelfItem>,
    #[serde(default)]
    items_on_loan: Vec<LoanItem>,
    bench: Option<HistoryCards>,
    #[serde(default)]
    devices: Vec<Device>,
}

#[derive(Debug, Deserialize)]
struct Device {
    code: String,
    secret: String,
    kind: String,
}

#[derive(Debug, Clone, Deserialize)]
pub(super) struct StaffAccount {
    pub username: String,
    pub password: String,
    pub unit_code: String,
    role: String,
}

#[derive(Debug, Deserialize)]
struct ReaderAccount {
    card_number: String,
    #[serde(default)]
    category: String,
}

#[derive(Debug, Deserialize)]
struct ShelfItem {
    barcode: String,
    unit_code: String,
}

#[derive(Debug, Deserialize)]
struct LoanItem {
    barcode: String,
    card_number: String,
}

/// Two institutions: one with 2,000 past and 50 open loans, one that never borrowed.
#[derive(Debug, Clone, Deserialize)]
pub(super) struct HistoryCards {
    pub history_card: String,
    pub fresh_card: String,
}

/// A gate, and what goes through it.
#[derive(Debug, Default)]
pub(super) struct GateAccount {
    pub code: String,
    pub secret: String,
    pub lent: Vec<Rc<str>>,
    pub on_shelf: Vec<Rc<str>>,
}

/// An item and the desk that lends it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Item {
    pub desk: usize,
    pub barcode: Rc<str>,
}

/// What one client works with.
#[derive(Debug, Default, Clone)]
pub(super) struct Share {
    pub items: Vec<Item>,
    /// Card numbers.
    pub readers: Vec<Rc<str>>,
}

#[derive(Debug)]
pub(super) struct Workload {
    pub desks: Vec<StaffAccount>,
    pub shares: Vec<Share>,
    pub history: Option<HistoryCards>,
    /// Who may change the network's rules.
    pub system: Option<StaffAccount>,
    pub gate: Option<Rc<GateAccount>>,
}

impl Workload {
    pub fn load(path: &Path, clients: usize) -> Result<Self, BenchError> {
        let text = std::fs::read(path).map_err(|source| BenchError::Accounts {
            path: path.to_owned(),
            source,
        })?;
        let file = serde_json::from_slice(&text).map_err(|source| BenchError::NotAccounts {
            path: path.to_owned(),
            source,
        })?;
        Self::deal(file, clients)
    }

    fn deal(file: AccountsFile, clients: usize) -> Result<Self, BenchError> {
        let system = file.staff.iter().find(|staff| staff.role == "system").cloned();
        let gate = gate_of(&file).map(Rc::new);
        let (desks, items) = items_by_turns(file.staff, file.items_on_shelf);
        let readers = pick_readers(&file.readers, &file.items_on_loan);
        if items.len() < clients || readers.is_empty() {
            return Err(BenchError::TooLittle {
                items: items.len(),
                readers: readers.len(),
                clients,
            });
        }
        let mut shares: Vec<Share> = (0..clients).map(|_| Share::default()).collect();
        for (turn, item) in items.into_iter().enumerate() {
            shares[turn % clients].items.push(item);
        }
        // With fewer readers than clients some are shared; with more, every client has several of its own.
        for turn in 0..readers.len().max(clients) {
            shares[turn % clients]
                .readers
                .push(Rc::clone(&readers[turn % readers.len()]));
        }
        Ok(Self {
            desks,
            shares,
            history: file.bench,
            system,
            gate,
        })
    }
}

/// The first gate, with the books that nobody else asks about and those that may be lent meanwhile.
fn gate_of(file: &AccountsFile) -> Option<GateAccount> {
    let gate = file.devices.iter().find(|device| device.kind == "gate")?;
    Some(GateAccount {
        code: gate.code.clone(),
        secret: gate.secret.clone(),
        lent: file
            .items_on_loan
            .iter()
            .map(|item| item.barcode.as_str().into())
            .collect(),
        on_shelf: file
            .items_on_shelf
            .iter()
            .map(|item| item.barcode.as_str().into())
            .collect(),
    })
}

/// One desk per unit that has both items and staff who may lend; its items, one of each desk in turn.
fn items_by_turns(staff: Vec<StaffAccount>, on_shelf: Vec<ShelfItem>) -> (Vec<StaffAccount>, Vec<Item>) {
    let lends = |account: &StaffAccount| {
        account
            .role
            .parse::<Role>()
            .is_ok_and(|role| allows(role, Right::CheckOut) && allows(role, Right::CheckIn))
    };
    let wanted: HashSet<&str> = on_shelf.iter().map(|item| item.unit_code.as_str()).collect();
    let mut desks: Vec<StaffAccount> = Vec::new();
    let mut desk_of: HashMap<String, usize> = HashMap::new();
    for account in staff
        .into_iter()
        .filter(|account| lends(account) && wanted.contains(account.unit_code.as_str()))
    {
        desk_of.entry(account.unit_code.clone()).or_insert_with(|| {
            desks.push(account);
            desks.len() - 1
        });
    }
    let mut shelves: Vec<Vec<Item>> = desks.iter().map(|_| Vec::new()).collect();
    for item in on_shelf {
        if let Some(&desk) = desk_of.get(&item.unit_code) {
            shelves[desk].push(Item {
                desk,
                barcode: item.barcode.into(),
            });
        }
    }
    let longest = shelves.iter().map(Vec::len).max().unwrap_or(0);
    let by_turns = (0..longest).flat_map(|row| shelves.iter().filter_map(move |shelf| shelf.get(row).cloned()));
    let items = by_turns.collect();
    (desks, items)
}

/// Readers without loans of the demo's own (they may be overdue), grown-ups if there are any.
fn pick_readers(readers: &[ReaderAccount], on_loan: &[LoanItem]) -> Vec<Rc<str>> {
    let borrowing: HashSet<&str> = on_loan.iter().map(|loan| loan.card_number.as_str()).collect();
    let grown_up = |reader: &&ReaderAccount| GROWN_UP.contains(&reader.category.as_str());
    let free = |reader: &&ReaderAccount| !borrowing.contains(reader.card_number.as_str());
    let cards = |keep: &dyn Fn(&&ReaderAccount) -> bool| -> Vec<Rc<str>> {
        readers
            .iter()
            .filter(keep)
            .map(|reader| reader.card_number.as_str().into())
            .collect()
    };
    let choices: [&dyn Fn(&&ReaderAccount) -> bool; 3] = [&|r| free(r) && grown_up(r), &free, &|_| true];
    choices
        .into_iter()
        .map(cards)
        .find(|cards| !cards.is_empty())
        .unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn file() -> AccountsFile {
        let staff = |username: &str, unit: &str, role: &str| json!({"username": username, "password": "p", "unit_code": unit, "role": role});
        let item = |barcode: &str, unit: &str| json!({"barcode": barcode, "unit_code": unit});
        let reader = |card: &str, category: &str| json!({"card_number": card, "pin": "1", "category": category});
        serde_json::from_value(json!({
            "base_url": "http://127.0.0.1:8080",
            "staff": [
                staff("catalogue", "A", "cataloguer"), staff("a", "A", "librarian"), staff("a2", "A", "system"),
                staff("b", "B", "unit_manager"), staff("nothing on the shelf", "C", "librarian"),
            ],
            "readers": [reader("r1", "child"), reader("r2", "adult"), reader("r3", "adult"), reader("r4", "adult")],
            "items_on_shelf": [
                item("a1", "A"), item("a2", "A"), item("a3", "A"), item("b1", "B"), item("nobody there", "D"),
            ],
            "items_on_loan": [{"barcode": "x", "card_number": "r3"}],
        }))
        .expect("an accounts file")
    }

    fn barcodes(share: &Share) -> Vec<&str> {
        share.items.iter().map(|item| &*item.barcode).collect()
    }

    #[test]
    fn items_go_to_the_staff_of_their_unit_and_to_one_client() {
        let workload = Workload::deal(file(), 2).expect("enough");
        let desks: Vec<&str> = workload.desks.iter().map(|desk| desk.username.as_str()).collect();
        assert_eq!(desks, ["a", "b"]);
        assert_eq!(barcodes(&workload.shares[0]), ["a1", "a2"]);
        assert_eq!(barcodes(&workload.shares[1]), ["b1", "a3"]);
        assert_eq!(workload.shares[1].items[0].desk, 1);
        assert_eq!(workload.shares[0].readers, ["r2".into()]);
        assert_eq!(workload.shares[1].readers, ["r4".into()]);
    }

    #[test]
    fn too_few_items_are_said_so() {
        let error = Workload::deal(file(), 5).expect_err("four items for five clients");
        assert!(error.to_string().contains("lists 4 items"), "{error}");
    }

    #[test]
    fn children_borrow_only_when_nobody_else_can() {
        let mut file = file();
        file.readers.truncate(1);
        assert_eq!(
            Workload::deal(file, 1).expect("enough").shares[0].readers,
            ["r1".into()]
        );
    }
}
