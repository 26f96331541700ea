//! Machines at the service point: a pickup locker and a browsing machine. Staff load them, readers take out and bring back, doors
//! stick, reports are lost, come late, or tell of something else than was expected.

use std::collections::BTreeSet;
use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;
use std::time::Duration;

use tongjie::auth::{CardKeyRing, CardTokens, PasswordService, TokenService};
use tongjie::config::Config;
use tongjie::domain::compartment_choice::Size;
use tongjie::domain::compartment_report::{Door, Inside};
use tongjie::domain::ids::{DeviceId, LoanId, LockerSessionId};
use tongjie::usecase::Caller;
use tongjie::usecase::confirm_loan::{ConfirmLoan, confirm_loan};
use tongjie::usecase::device_board::DeviceBoard;
use tongjie::usecase::load_compartment::{LoadCompartment, load_compartment};
use tongjie::usecase::locker_pick_up::{LockerPickUp, Wanted, locker_pick_up};
use tongjie::usecase::locker_return::{LockerReturn, locker_return};
use tongjie::usecase::locker_session::{
    Identified, LockerSessionView, StartLockerSession, end_locker_session, start_locker_session,
};
use tongjie::usecase::open_compartment::{OpenCompartment, WhyOpen, open_compartment};
use tongjie::usecase::report_compartment::{ReportCompartment, report_compartment};
use tongjie::usecase::session::SessionTools;
use tongjie::usecase::set_compartments::{CompartmentBuilt, SetCompartments, set_compartments};
use tongjie::usecase::settle_compartment::{SettleCompartment, settle_compartment};

use super::alone::Journal;
use super::run::Simulation;
use super::town::{PIN, Town};
use crate::database::Database;

/// Doors of each machine.
const DOORS: u16 = 5;

/// What machines and their doors need beside the store.
pub struct Machines {
    pub board: Arc<DeviceBoard>,
    pub cards: Arc<CardTokens>,
    passwords: Arc<PasswordService>,
    tokens: Arc<TokenService>,
    pub all: Vec<Machine>,
    /// Reports that are still under way, and whose copies they are about.
    late: Vec<(usize, ReportCompartment, Vec<i64>)>,
}

/// One of them.
pub struct Machine {
    pub id: DeviceId,
    pub caller: Caller,
    /// Lends what is behind a door to whoever comes by.
    browsing: bool,
    pub journal: Journal,
}

/// How PINs are hashed in the simulation: as in all tests.
pub fn passwords(db: &Database) -> PasswordService {
    let config = Config::for_tests(db.dir(), &db.url());
    PasswordService::new(&config.auth).expect("a hasher")
}

impl Machines {
    pub fn new(db: &Database, town: &Town, tokens: Arc<TokenService>) -> Self {
        let config = Config::for_tests(db.dir(), &db.url());
        let all = town.doored.iter().map(|(id, code, caller)| Machine {
            id: *id,
            caller: caller.clone(),
            browsing: code.starts_with('K'),
            journal: Journal::of(code),
        });
        Self {
            board: Arc::default(),
            cards: Arc::new(CardTokens::new(CardKeyRing::load(&config).expect("keys"))),
            passwords: Arc::new(passwords(db)),
            tokens,
            all: all.collect(),
            late: Vec::new(),
        }
    }
}

impl Simulation {
    pub async fn set_doors(&mut self) {
        for machine in 0..self.machines.all.len() {
            let purpose = if self.machines.all[machine].browsing {
                "browsing"
            } else {
                "any"
            };
            let doors = (1..=DOORS).map(|number| CompartmentBuilt {
                number,
                size: if number == 1 { "small" } else { "large" }.to_owned(),
                purpose: if number == DOORS { "return" } else { purpose }.to_owned(),
            });
            let command = SetCompartments {
                device: self.machines.all[machine].id,
                seen: None,
                compartments: doors.collect(),
            };
            let caller = self.town.system(0);
            self.call("set_compartments", |store, key| {
                let (caller, command) = (caller.clone(), command.clone());
                async move { set_compartments(&store, &caller, command, key).await }
            })
            .await;
        }
    }

    fn some_machine(&mut self) -> usize {
        self.random.below(self.machines.all.len())
    }

    fn some_door(&mut self) -> u16 {
        u16::try_from(self.random.between(1, i64::from(DOORS))).expect("few doors")
    }

    /// The copies that are at the service point and on nobody's loan.
    pub fn at_point(&mut self) -> Vec<usize> {
        let point = self.town.units[self.town.unit("P1")].id;
        let there = format!(
            "SELECT id AS a, id AS b, id AS c FROM items WHERE current_unit_id = {point} AND status NOT IN ('on_loan', 'withdrawn')"
        );
        let rows = self.db.outside().triples(&there).into_iter();
        rows.filter_map(|(id, ..)| self.town.items.iter().position(|item| item.get() == id))
            .collect()
    }

    /// What is to go to the service point for somebody who fetches it there; by crate it seldom comes before its hold is over, so a courier
    /// takes what is not sent yet along.
    fn sent_to_point(&mut self) -> Vec<usize> {
        let point = self.town.units[self.town.unit("P1")].id;
        let sent = format!(
            "SELECT item_id AS a, id AS b, id AS c FROM transits WHERE to_unit_id = {point} AND reason = 'hold' \
             AND status IN ('awaiting_dispatch', 'packed', 'sent')"
        );
        let rows = self.db.outside().triples(&sent).into_iter();
        rows.filter_map(|(id, ..)| self.town.items.iter().position(|item| item.get() == id))
            .collect()
    }

    /// Staff put a copy behind a door.
    pub async fn load_a_door(&mut self) {
        let sent = self.sent_to_point();
        let door = self.empty_door();
        let for_somebody = self.random.any(&sent).zip(door).filter(|_| self.random.percent(80));
        if let Some((item, door)) = for_somebody {
            self.load(0, door, item).await;
            // Many stand there already when the courier comes.
            if self.random.percent(60) {
                self.visit_a_machine().await;
            }
            return;
        }
        let there = self.at_point();
        let machine = self.some_machine();
        let (Some(item), number) = (self.random.any(&there), self.some_door()) else {
            return;
        };
        self.load(machine, number, item).await;
    }

    /// One of the locker for whatever comes.
    fn empty_door(&mut self) -> Option<u16> {
        let locker = self.machines.all[0].id;
        let empty = format!(
            "SELECT CAST(number AS BIGINT) AS a, id AS b, id AS c FROM compartments WHERE device_id = {locker} AND state = 'empty' \
             AND size = 'large' AND purpose = 'any'"
        );
        let rows = self.db.outside().triples(&empty);
        let (number, ..) = self.random.any(&rows)?;
        u16::try_from(number).ok()
    }

    async fn load(&mut self, machine: usize, number: u16, item: usize) {
        let command = LoadCompartment {
            device: self.machines.all[machine].id,
            number,
            item_barcode: self.town.barcodes[item].clone(),
            owner_unit_code: None,
            round: None,
        };
        let (caller, board) = (self.town.system(self.town.unit("P1")), self.machines.board.clone());
        let ordered = self
            .call("load_compartment", |store, key| {
                let (caller, command, board) = (caller.clone(), command.clone(), board.clone());
                async move { load_compartment(&store, &board, &caller, command, key).await }
            })
            .await;
        if let Some(ordered) = ordered {
            self.note_in_hand(self.town.items[item].get());
            self.door_says(machine, (ordered.number, ordered.turn), item, true)
                .await;
        }
    }

    /// Staff open a door, and take out what is there or leave it.
    pub async fn open_a_door(&mut self) {
        let (machine, number) = (self.some_machine(), self.some_door());
        let why = if self.random.percent(50) {
            WhyOpen::Unload(None)
        } else {
            WhyOpen::Reason("巡查".to_owned())
        };
        let command = OpenCompartment {
            device: self.machines.all[machine].id,
            number,
            why,
        };
        let (caller, board) = (self.town.system(self.town.unit("P1")), self.machines.board.clone());
        let ordered = self
            .call("open_compartment", |store, key| {
                let (caller, command, board) = (caller.clone(), command.clone(), board.clone());
                async move { open_compartment(&store, &board, &caller, command, key).await }
            })
            .await;
        if let Some(ordered) = ordered {
            // What lay there may be in question: it is seen, or scanned later by whoever has it in hand.
            let asked = ordered.in_question.as_ref().map(|book| book.item_id);
            let lay = asked.and_then(|asked| self.town.items.iter().position(|item| item.get() == asked));
            let item = match lay {
                Some(item) => item,
                None => self.some_item(),
            };
            let stays = self.random.percent(30);
            self.door_says(machine, (ordered.number, ordered.turn), item, stays)
                .await;
        }
    }

    /// A reader comes, identifies, takes what is there, and goes, with or without saying so.
    pub async fn visit_a_machine(&mut self) {
        let expected = self.awaited_reader();
        let (machine, reader) = match expected.filter(|_| self.random.percent(80)) {
            Some(reader) => (0, reader),
            None => (self.some_machine(), self.some_reader()),
        };
        let Some(session) = self.identify(machine, reader).await else {
            return;
        };
        let what = match (session.ready.first(), session.to_borrow.first()) {
            (Some(_), _) if self.random.percent(80) => Wanted::Ready(Vec::new()),
            (_, Some(first)) => Wanted::Compartment(first.compartment),
            _ => Wanted::Compartment(self.some_door()),
        };
        self.take_out(machine, session.id, what).await;
        if self.random.percent(70) {
            let (caller, session) = (
                self.machines.all[machine].caller.clone(),
                LockerSessionId::new(session.id),
            );
            self.call("end_locker_session", |store, key| {
                let caller = caller.clone();
                async move { end_locker_session(&store, &caller, session, key).await }
            })
            .await;
        }
    }

    /// Somebody for whom something lies in the locker.
    fn awaited_reader(&mut self) -> Option<usize> {
        let waits = "SELECT h.reader_id AS a, h.id AS b, c.id AS c FROM holds h \
            JOIN compartments c ON c.item_id = h.captured_item_id WHERE h.closed_at IS NULL AND h.reader_id IS NOT NULL";
        let rows = self.db.outside().triples(waits);
        let (reader, ..) = self.random.any(&rows)?;
        self.town.readers.iter().position(|one| one.get() == reader)
    }

    async fn identify(&mut self, machine: usize, reader: usize) -> Option<LockerSessionView> {
        let pin = if self.random.percent(4) { "000000" } else { PIN };
        let command = StartLockerSession {
            who: Identified::Pin(self.town.cards[reader].clone(), pin.into()),
            screen: 1,
        };
        let caller = self.machines.all[machine].caller.clone();
        let (tokens, passwords) = (self.machines.tokens.clone(), self.machines.passwords.clone());
        self.call("start_locker_session", |store, key| {
            let (caller, command) = (caller.clone(), command.clone());
            let (tokens, passwords) = (tokens.clone(), passwords.clone());
            async move {
                let tools = SessionTools {
                    tokens: &tokens,
                    passwords: &passwords,
                    refresh_life: Duration::from_secs(3600),
                };
                let address = IpAddr::V4(Ipv4Addr::LOCALHOST);
                start_locker_session(&store, tools, &caller, command, address, key).await
            }
        })
        .await
    }

    async fn take_out(&mut self, machine: usize, session: i64, what: Wanted) {
        let verb = match what {
            Wanted::Ready(_) => "locker_pick_up",
            _ => "locker_borrow",
        };
        let command = LockerPickUp {
            session: LockerSessionId::new(session),
            what,
        };
        let (caller, board) = (self.machines.all[machine].caller.clone(), self.machines.board.clone());
        let lent = self
            .call(verb, |store, key| {
                let (caller, command, board) = (caller.clone(), command.clone(), board.clone());
                async move { locker_pick_up(&store, &board, &caller, command, key).await }
            })
            .await;
        for grant in lent.into_iter().flat_map(|lent| lent.granted) {
            self.note_loan(&grant.loan, false);
            let item = self.town.items.iter().position(|item| item.get() == grant.loan.item_id);
            let stays = self.random.percent(20);
            let item = item.expect("a copy of the town");
            self.door_says(machine, (grant.compartment, grant.turn), item, stays)
                .await;
        }
    }

    /// A reader brings something back.
    pub async fn bring_to_a_machine(&mut self) {
        let machine = self.some_machine();
        let known = self
            .some_loan()
            .and_then(|(item, ..)| self.town.items.iter().position(|one| one.get() == item));
        let item = match known.filter(|_| self.random.percent(85)) {
            Some(item) => item,
            None => self.some_item(),
        };
        let command = LockerReturn {
            size: Size::UNRECORDED,
            session: None,
        };
        let (caller, board) = (self.machines.all[machine].caller.clone(), self.machines.board.clone());
        let opened = self
            .call("locker_return", |store, key| {
                let (caller, command, board) = (caller.clone(), command.clone(), board.clone());
                async move { locker_return(&store, &board, &caller, command, key).await }
            })
            .await;
        if let Some(opened) = opened {
            self.door_says(machine, (opened.compartment, opened.turn), item, true)
                .await;
        }
    }

    /// What the machine says of a door that was ordered open. `there`: the copy is behind it afterwards, if all went well.
    async fn door_says(&mut self, machine: usize, (number, turn): (u16, i64), item: usize, there: bool) {
        let mut tags = if there { vec![item] } else { Vec::new() };
        if self.random.percent(6) {
            let another = self.some_item();
            tags.push(another);
        }
        let door = match self.random.below(20) {
            0 => Door::Jammed,
            1 => Door::Open,
            _ => Door::Closed,
        };
        let inside = match self.random.below(20) {
            0 => Inside::Unread,
            1 => Inside::Something,
            2 => Inside::NoSensor,
            _ if tags.is_empty() => Inside::Empty,
            _ => Inside::Tags(tags.iter().map(|tag| self.town.tag(*tag)).collect()),
        };
        let told = ReportCompartment {
            number,
            turn,
            door,
            inside,
            at: None,
        };
        let about: BTreeSet<i64> = tags
            .iter()
            .chain([&item])
            .map(|item| self.town.items[*item].get())
            .collect();
        let about: Vec<i64> = about.into_iter().collect();
        match self.random.below(10) {
            0 => {}
            1 => self.machines.late.push((machine, told, about)),
            _ => self.report_a_door(machine, told, &about).await,
        }
    }

    /// What was under way arrives.
    pub async fn late_report(&mut self) {
        if let Some((machine, told, about)) = self.machines.late.pop() {
            self.report_a_door(machine, told, &about).await;
        }
    }

    async fn report_a_door(&mut self, machine: usize, told: ReportCompartment, about: &[i64]) {
        let caller = self.machines.all[machine].caller.clone();
        let done = self
            .call("report_compartment", |store, key| {
                let (caller, told) = (caller.clone(), told.clone());
                async move { report_compartment(&store, &caller, told, key).await }
            })
            .await;
        if let Some(done) = done {
            // A loan that nobody took up is undone, and what lies there came back.
            self.read_again(about);
            // Of a door that was opened for a person since it may be of another copy.
            let undone = done.loan_id.filter(|_| done.loan_outcome.as_deref() == Some("voided"));
            self.ledger.out.retain(|_, (loan, _)| Some(*loan) != undone);
        }
    }

    /// A person looks behind a door about which nobody knew.
    pub async fn settle_a_door(&mut self) {
        let (machine, number) = (self.some_machine(), self.some_door());
        let there = self.at_point();
        let found = self.random.any(&there).filter(|_| self.random.percent(50));
        let command = SettleCompartment {
            device: self.machines.all[machine].id,
            number,
            found: found.map(|item| self.town.barcodes[item].clone()),
            owner_unit_code: None,
            reason: "开门查看".to_owned(),
        };
        let caller = self.town.system(self.town.unit("P1"));
        let done = self
            .call("settle_compartment", |store, key| {
                let (caller, command) = (caller.clone(), command.clone());
                async move { settle_compartment(&store, &caller, command, key).await }
            })
            .await;
        if done.is_some() {
            self.read_all_again();
        }
    }

    /// A person says what became of a loan in question.
    pub async fn settle_a_loan(&mut self) {
        let open = "SELECT c.loan_id AS a, l.item_id AS b, l.id AS c FROM loan_confirmations c JOIN loans l ON l.id = c.loan_id \
            WHERE c.state IN ('reserved', 'unconfirmed')";
        let rows = self.db.outside().triples(open);
        let Some((loan, item, _)) = self.random.any(&rows) else {
            return;
        };
        let command = ConfirmLoan {
            loan: LoanId::new(loan),
            taken: self.random.percent(60),
            reason: Some("看过录像".to_owned()),
        };
        let caller = self.town.system(self.town.unit("P1"));
        let said = self
            .call("confirm_loan", |store, key| {
                let (caller, command) = (caller.clone(), command.clone());
                async move { confirm_loan(&store, &caller, command, key).await }
            })
            .await;
        if said.is_some() {
            self.read_again(&[item]);
        }
    }

    /// Takes over what the database says of every copy.
    pub fn read_all_again(&mut self) {
        let all: Vec<i64> = self.town.items.iter().map(|item| item.get()).collect();
        self.read_again(&all);
    }
}
