//! All facts of one item, reader and hold, from which each decision takes what it needs.

use std::collections::BTreeSet;
use std::sync::LazyLock;

use chrono::{DateTime, NaiveDate, Utc};
use tongjie::domain::act::{Act, Overrides, Passed};
use tongjie::domain::card_token::{self, Admission, Fault};
use tongjie::domain::example::{self, BRANCH, MAIN, World};
use tongjie::domain::guardian::Standing;
use tongjie::domain::hold::{CopyFacts, HoldCandidate, HoldFacts, HoldStatus, Target, Wish};
use tongjie::domain::ids::{BibId, CrateId, HoldId, ItemId, LoanId, ReaderId, TransitId, UnitId};
use tongjie::domain::item::{CapturedHold, ItemFacts, ItemStatus, OpenTransit, TransitReason};
use tongjie::domain::loan::OpenLoan;
use tongjie::domain::network::{Network, NetworkParts};
use tongjie::domain::pack_item::CrateFacts;
use tongjie::domain::reader::{Channel, LoanOfReader, ReaderFacts};
use tongjie::domain::refusal::{Code, Refusals, Verb};
use tongjie::domain::suspend_hold::Sleep;
use tongjie::domain::transit::TransitStatus;
use tongjie::domain::volume::Volume;
use tongjie::domain::{
    cancel_hold, change_pickup, check_in, check_out, hand_over, pack_item, place_hold, proxy, renew, reorder_hold,
    suspend_hold, void_loan,
};

/// Built once: reading the preset costs more than a decision.
pub static WORLD: LazyLock<World> = LazyLock::new(example::world);
pub static PARTS: LazyLock<NetworkParts> = LazyLock::new(example::parts);

#[derive(Debug, Clone)]
pub struct Scene {
    pub world: World,
    pub now: DateTime<Utc>,
    pub act: Act,
    pub reader: ReaderFacts,
    pub item: ItemFacts,
    pub loan: Option<OpenLoan>,
    pub waiting: u32,
    pub like_copies: u32,
    pub other_copies: u32,
    pub own_hold: Option<check_out::OwnHold>,
    pub returned_at: DateTime<Utc>,
    pub next_hold: Option<HoldCandidate>,
    pub hold: Option<HoldFacts>,
    pub by_reader: Option<ReaderId>,
    pub filled_hold: Option<void_loan::FilledHold>,
    pub hold_item: Option<ItemId>,
    pub hold_volume: Option<Volume>,
    pub copies: Vec<CopyFacts>,
    pub pickup: UnitId,
    pub existing: place_hold::Existing,
    pub online: Option<tongjie::domain::delivery::Online>,
    pub compartment_fits: bool,
    pub hold_types: Vec<Vec<tongjie::domain::ids::ItemTypeId>>,
    pub holds_today: u32,
    pub not_before: Option<NaiveDate>,
    pub wanted_until: Option<NaiveDate>,
    pub for_delivery: bool,
    /// The crate an item is scanned into, or that is handed over.
    pub into: CrateFacts,
    /// The crate its journey lies in.
    pub lies_in: Option<(CrateId, String)>,
    pub sleep: Sleep,
    /// What is wrong with the electronic card that is shown.
    pub card_fault: Option<Fault>,
    /// Somebody else's card is shown for the reader: the link between the two, if there is one.
    pub proxy: Option<Option<Standing>>,
}

impl Scene {
    /// The adult at the desk of the branch, with a book from its shelf.
    pub fn new() -> Self {
        let world = WORLD.clone();
        let item = world.item();
        Self {
            into: CrateFacts {
                id: CrateId::new(5),
                from: BRANCH,
                to: MAIN,
                items: 0,
            },
            lies_in: None,
            card_fault: None,
            proxy: None,
            now: world.now,
            act: world.at_desk(),
            reader: world.reader(),
            loan: None,
            waiting: 0,
            like_copies: 0,
            other_copies: 0,
            own_hold: None,
            returned_at: world.now,
            next_hold: None,
            hold: Some(world.hold()),
            by_reader: None,
            filled_hold: None,
            hold_item: None,
            hold_volume: None,
            copies: Vec::new(),
            pickup: BRANCH,
            existing: place_hold::Existing::default(),
            online: None,
            compartment_fits: true,
            hold_types: Vec::new(),
            holds_today: 0,
            not_before: None,
            wanted_until: None,
            for_delivery: false,
            sleep: Sleep::UntilResumed,
            item,
            world,
        }
    }

    pub const fn network(&self) -> &Network {
        &self.world.network
    }

    /// Rebuilds the network from changed rows.
    pub fn reconfigure(&mut self, change: impl FnOnce(&mut NetworkParts)) {
        let mut parts = PARTS.clone();
        change(&mut parts);
        self.world.network = Network::build(parts).expect("the changed network is valid");
    }

    /// The item is on loan to its reader since now.
    pub fn lend(&mut self) {
        let loan = self.world.loan();
        self.item = ItemFacts {
            last_event_at: self.item.last_event_at,
            ..self.world.item_on_loan(&loan)
        };
        self.loan = Some(loan);
    }

    /// The open loan belongs to somebody else.
    pub fn lend_to_other(&mut self) {
        self.lend();
        if let (Some(loan), Some(open)) = (&mut self.loan, &mut self.item.open_loan) {
            loan.reader = ReaderId::new(2);
            open.reader = ReaderId::new(2);
        }
    }

    /// The item is set aside for a reader's hold, with this status.
    pub fn capture(&mut self, reader: i64, pickup: UnitId, status: ItemStatus) {
        let placed = (status == ItemStatus::OnHoldShelf).then_some(17);
        self.item.captured_for = Some(CapturedHold {
            id: HoldId::new(7),
            reader: ReaderId::new(reader),
            pickup,
            category: self.reader.category,
            band: self.reader.band,
            shelf_number: placed,
            expires_on: placed.and_then(|_| NaiveDate::from_ymd_opt(2026, 3, 11)),
        });
        self.item.status = status;
    }

    /// The item is on its way.
    pub fn send(&mut self, from: UnitId, to: UnitId, reason: TransitReason, status: ItemStatus) {
        self.item.transit = Some(OpenTransit {
            id: TransitId::new(3),
            from,
            to,
            reason,
            status: match status {
                ItemStatus::InTransit => TransitStatus::Sent,
                ItemStatus::Missing => TransitStatus::Missing,
                _ => TransitStatus::AwaitingDispatch,
            },
        });
        self.item.status = status;
    }

    /// Somebody waits for the bib, pickup there.
    pub fn queue(&mut self, pickup: UnitId) {
        let reader = &self.reader;
        let wish = Wish {
            target: Target::Bib(self.item.bib_id),
            pickup,
            category: reader.category,
            band: reader.band,
            child: false,
            reader_home: reader.home,
            birth_date: reader.birth_date,
            waived: tongjie::domain::hold_terms::Waived::default(),
        };
        self.next_hold = Some(HoldCandidate {
            id: HoldId::new(8),
            reader: ReaderId::new(3),
            wish,
            pulled: false,
        });
    }

    /// So many other loans of the reader.
    pub fn with_loans(&mut self, count: i64) {
        self.reader.loans = self.world.reader_with_loans(count).loans;
    }

    /// The reader has this one too.
    pub fn add_loan(&mut self, loan: LoanOfReader) {
        self.reader.loans.push(loan);
    }

    /// Staff with the right override these codes.
    pub fn override_codes(&mut self, codes: &[Code]) {
        self.act.may_override = true;
        self.act.overrides = Overrides {
            codes: codes.iter().copied().collect(),
            reason: "looked into it".to_owned(),
        };
    }

    /// Staff confirm these codes.
    pub fn confirm(&mut self, codes: &[Code]) {
        self.act.confirmed = codes.iter().copied().collect();
    }

    pub fn at(&mut self, unit: UnitId, channel: Channel) {
        self.act = Act {
            unit,
            channel,
            ..self.act.clone()
        };
    }

    pub fn check_out(&self) -> Result<check_out::Plan, Refusals> {
        let demand = check_out::Demand {
            waiting_for_bib: self.waiting,
            copies: self.like_copies,
            own_hold: self.own_hold,
        };
        let (act, network, reader, item) = (&self.act, self.network(), &self.reader, &self.item);
        // Without a genuine token nobody knows which reader it is, so this is said alone.
        if let Some(fault) = self.card_fault {
            return Err(card_token::refusals(fault, Verb::CheckOut, act));
        }
        if let Some(link) = &self.proxy {
            let (card, link) = (&reader.card, link.as_ref());
            proxy::decide(
                &proxy::Facts {
                    act,
                    network,
                    card,
                    link,
                },
                self.now,
            )?;
        }
        check_out::decide(
            &check_out::Facts {
                act,
                network,
                reader,
                item,
                demand,
            },
            self.now,
        )
    }

    pub fn check_in(&self) -> Result<check_in::Plan, Refusals> {
        let facts = check_in::Facts {
            act: &self.act,
            network: self.network(),
            item: &self.item,
            loan: self.loan.as_ref(),
            next_hold: self.next_hold.as_ref(),
            next_shelf_number: 42,
            returned_at: self.returned_at,
        };
        check_in::decide(&facts, self.now)
    }

    pub fn renew(&self) -> Result<renew::Plan, Refusals> {
        let facts = renew::Facts {
            act: &self.act,
            network: self.network(),
            reader: &self.reader,
            item: &self.item,
            loan: self.loan.as_ref(),
            demand: renew::Demand {
                waiting: self.waiting,
                other_copies: self.other_copies,
            },
        };
        renew::decide(&facts, self.now)
    }

    pub fn place_hold(&self) -> Result<place_hold::Plan, Refusals> {
        let facts = place_hold::Facts {
            act: &self.act,
            network: self.network(),
            reader: &self.reader,
            bib: BibId::new(1),
            item: self.hold_item,
            volume: self.hold_volume,
            copies: &self.copies,
            pickup: self.pickup,
            existing: self.existing,
            hold_types: &self.hold_types,
            holds_today: self.holds_today,
            queue_length: self.waiting,
            not_before: self.not_before,
            wanted_until: self.wanted_until,
            online: self.online,
            compartment_fits: self.compartment_fits,
        };
        place_hold::decide(&facts, self.now)
    }

    pub fn cancel_hold(&self) -> Result<cancel_hold::Plan, Refusals> {
        let facts = cancel_hold::Facts {
            act: &self.act,
            network: self.network(),
            hold: self.hold.as_ref(),
            by_reader: self.by_reader,
            item: self.item.captured_for.as_ref().map(|_| &self.item),
            next_hold: self.next_hold.as_ref(),
        };
        cancel_hold::decide(&facts, self.now)
    }

    pub fn pack_item(&self) -> Result<Passed, Refusals> {
        let facts = pack_item::Facts {
            act: &self.act,
            network: self.network(),
            item: &self.item,
            into: &self.into,
            lies_in: self.lies_in.as_ref(),
        };
        pack_item::decide(&facts).map(|plan| plan.passed)
    }

    pub fn hand_over(&self) -> Result<Passed, Refusals> {
        hand_over::decide(&hand_over::Facts {
            act: &self.act,
            network: self.network(),
            to: self.into.to,
            leg_to: None,
        })
    }

    pub fn open_card(&self) -> Result<Passed, Refusals> {
        let facts = card_token::Facts {
            act: &self.act,
            network: self.network(),
            admitted: self.card_fault.map_or(Ok(Admission::Opens), Err),
            card: &self.reader.card,
        };
        card_token::decide(&facts, self.now).map(|_| Passed::default())
    }

    /// The hold is in this state.
    pub fn hold_is(&mut self, status: HoldStatus) {
        self.hold = self.hold.take().map(|hold| HoldFacts { status, ..hold });
    }

    /// So many days after today.
    pub fn day_after(&self, days: u64) -> NaiveDate {
        self.network().local_day(self.now) + chrono::Days::new(days)
    }

    pub fn suspend_hold(&self) -> Result<Passed, Refusals> {
        let hold = self.hold.as_ref().expect("there is one");
        let facts = suspend_hold::Facts {
            act: &self.act,
            network: self.network(),
            hold,
            by_reader: self.by_reader,
            wanted_until: self.wanted_until,
            sleep: self.sleep,
        };
        suspend_hold::decide(&facts, self.now)
    }

    pub fn change_pickup(&self) -> Result<change_pickup::Plan, Refusals> {
        let reader = &self.reader;
        let wish = Wish {
            target: Target::Bib(BibId::new(1)),
            pickup: self.pickup,
            category: reader.category,
            band: reader.band,
            child: reader.child,
            reader_home: reader.home,
            birth_date: reader.birth_date,
            waived: tongjie::domain::hold_terms::Waived::default(),
        };
        let facts = change_pickup::Facts {
            act: &self.act,
            network: self.network(),
            hold: self.hold.as_ref().expect("there is one"),
            for_delivery: self.for_delivery,
            by_reader: self.by_reader,
            wish: &wish,
            copies: &self.copies,
            item: self.item.captured_for.as_ref().map(|_| &self.item),
        };
        change_pickup::decide(&facts, self.now)
    }

    pub fn reorder_hold(&self, place: usize) -> Result<reorder_hold::Plan, Refusals> {
        let hold = self.hold.as_ref().expect("there is one");
        reorder_hold::decide(&self.act, hold, &[], place)
    }

    pub fn void_loan(&self) -> Result<void_loan::Plan, Refusals> {
        let facts = void_loan::Facts {
            act: &self.act,
            network: self.network(),
            item: &self.item,
            loan: self.loan.as_ref(),
            filled_hold: self.filled_hold.as_ref(),
        };
        void_loan::decide(&facts, self.now)
    }
}

/// Another loan of the reader, of a book of another bib, due in so many days.
pub fn other_loan(scene: &Scene, id: i64, item_type: &str, due_in_days: i64) -> LoanOfReader {
    LoanOfReader {
        id: LoanId::new(id),
        bib_id: BibId::new(500 + id),
        item_type: scene.world.item_type(item_type),
        owner: example::MAIN,
        unit: BRANCH,
        channel: Channel::Desk,
        due_at: scene.now + chrono::TimeDelta::days(due_in_days),
        reading_room: false,
        given_back: false,
        session: None,
    }
}

/// What a decision said: the refusals, or else the notices.
pub fn said(answer: Result<Passed, Refusals>) -> BTreeSet<Code> {
    match answer {
        Ok(passed) => passed.notices.iter().map(|notice| notice.code).collect(),
        Err(refusals) => refusals.codes().into_iter().collect(),
    }
}
