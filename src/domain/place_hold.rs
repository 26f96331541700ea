//! Placing a hold: may this reader queue for this bib or item, to be picked up there.
//! Not for: capturing (see `check_in`) or ordering the queue.

use chrono::{DateTime, NaiveDate, Utc};

use super::act::{Act, Findings, Passed};
use super::delivery::{Delivery, Online};
use super::entry_gate::judge_entry;
use super::hold::{CopyFacts, Target, Unfit, Wish, may_fill, pickup_channel, wish_situation};
use super::hold_terms::{Waived, judge_kept};
use super::ids::{BibId, HoldId, ItemId, ItemTypeId, RuleId, UnitId};
use super::item::ItemStatus;
use super::judge_reader::{judge_account, judge_consent, judge_limits, unit_name};
use super::limit::{LimitKind, Usage};
use super::network::Network;
use super::policy::Situation;
use super::reader::{Channel, ReaderFacts};
use super::refusal::{Code, Refusals, Verb};
use super::volume::Volume;

/// Everything the decision reads.
#[derive(Debug, Clone, Copy)]
pub struct Facts<'a> {
    pub act: &'a Act,
    pub network: &'a Network,
    pub reader: &'a ReaderFacts,
    pub bib: BibId,
    /// The chosen copy, or `None` for any copy of the bib.
    pub item: Option<ItemId>,
    /// The chosen volume, where any copy of it will do.
    pub volume: Option<Volume>,
    /// All copies of the bib.
    pub copies: &'a [CopyFacts],
    pub pickup: UnitId,
    pub existing: Existing,
    /// See [`Usage::hold_types`].
    pub hold_types: &'a [Vec<ItemTypeId>],
    /// Holds this reader placed today, local day, whatever became of them.
    pub holds_today: u32,
    /// Waiting holds on the same target.
    pub queue_length: u32,
    /// The hold sleeps until this local day.
    pub not_before: Option<NaiveDate>,
    /// The last local day the reader still wants it.
    pub wanted_until: Option<NaiveDate>,
    /// Asked for online, to be delivered; `None` for a hold of its own.
    pub online: Option<Online>,
    /// The machine at the pickup unit, if one is there, has a compartment that is large enough.
    pub compartment_fits: bool,
}

/// Open holds of the same reader.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Existing {
    /// On exactly the same target (the database refuses a second one).
    pub same_target: Option<HoldId>,
    /// Open holds on this bib or any copy of it, the same target included.
    pub of_bib: u32,
}

/// What the store does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Plan {
    pub target: Target,
    pub pickup: UnitId,
    /// Place in the queue, from 1.
    pub position: u32,
    pub not_before: Option<NaiveDate>,
    pub wanted_until: Option<NaiveDate>,
    /// The row of terms under which the best copy would be held.
    pub rule: RuleId,
    pub rules_version: i64,
    /// What staff passed over: the hold is served in spite of it.
    pub waived: Waived,
    pub passed: Passed,
}

/// Decides whether a hold may be placed.
///
/// # Errors
/// Every refusal that the caller may not pass, all at once. Source: each refusal's row in the table of
/// [`refusal`](super::refusal); the limits are the rules the refusal names.
///
/// ```
/// # use tongjie::domain::example;
/// use tongjie::domain::hold::CopyFacts;
/// use tongjie::domain::place_hold::{decide, Existing, Facts};
/// use tongjie::domain::reader::ReaderFacts;
/// use tongjie::domain::refusal::Code;
/// let world = example::world();
/// let (act, loan) = (world.at_desk(), world.loan());
/// let copies = [CopyFacts::of(&world.item_on_loan(&loan))];
/// let reader = ReaderFacts { open_holds: 2, ..world.reader() };
/// let facts = Facts {
///     act: &act, network: &world.network, reader: &reader, bib: copies[0].bib, item: None, volume: None, copies: &copies,
///     pickup: act.unit, existing: Existing::default(), hold_types: &[], holds_today: 0, queue_length: 4,
///     not_before: None, wanted_until: None, online: None, compartment_fits: true,
/// };
/// // The third hold is an adult's last.
/// assert_eq!(decide(&facts, world.now)?.position, 5);
/// let full = ReaderFacts { open_holds: 3, ..world.reader() };
/// let refused = decide(&Facts { reader: &full, ..facts }, world.now).unwrap_err();
/// assert_eq!(refused.codes(), [Code::LimitHolds]);
/// # Ok::<(), tongjie::domain::refusal::Refusals>(())
/// ```
pub fn decide(facts: &Facts<'_>, now: DateTime<Utc>) -> Result<Plan, Refusals> {
    let Facts {
        act, network, reader, ..
    } = *facts;
    let mut found = Findings::new(Verb::PlaceHold, act.channel);
    judge_account(&mut found, network, reader, now);
    judge_entry(&mut found, network, reader);
    judge_consent(&mut found, network, reader, now);
    let by_parcel = facts.online.is_some_and(|online| online.delivery == Delivery::Parcel);
    judge_pickup(&mut found, network, facts.pickup, reader.child, by_parcel);
    if !facts.compartment_fits {
        found.add(Code::CompartmentUnfit);
    }
    judge_dates(&mut found, facts, now);
    judge_existing(&mut found, facts);
    let best = judge_copies(&mut found, facts, now);
    let situation = situation(facts, best);
    judge_delivery(&mut found, facts, &situation);
    let usage = Usage {
        loans: &reader.loans,
        except_loan: None,
        session: None,
        now,
        debt_fen: reader.debt_fen,
        holds: reader.open_holds,
        hold_types: facts.hold_types,
        holds_of_bib: facts.existing.of_bib,
        holds_today: facts.holds_today,
    };
    judge_limits(&mut found, network, &situation, &LIMITS, &usage);
    let passed = found.subtract(act)?;
    Ok(Plan {
        target: target(facts),
        pickup: facts.pickup,
        position: facts.queue_length.saturating_add(1),
        not_before: facts.not_before,
        wanted_until: facts.wanted_until,
        rule: network.winner(&situation).id,
        rules_version: network.rules().version,
        waived: Waived::default().and(&passed.overridden),
        passed,
    })
}

const LIMITS: [LimitKind; 5] = [
    LimitKind::Holds,
    LimitKind::HoldsPerBib,
    LimitKind::HoldsPerDay,
    LimitKind::OverdueLoans,
    LimitKind::DebtFen,
];

fn target(facts: &Facts<'_>) -> Target {
    match (facts.item, facts.volume) {
        (Some(item), _) => Target::Item(item),
        (None, Some(volume)) => Target::Volume(facts.bib, volume),
        (None, None) => Target::Bib(facts.bib),
    }
}

fn wish(facts: &Facts<'_>) -> Wish {
    let reader = facts.reader;
    Wish {
        target: target(facts),
        pickup: facts.pickup,
        category: reader.category,
        band: reader.band,
        child: reader.child,
        reader_home: reader.home,
        birth_date: reader.birth_date,
        waived: Waived::default(),
    }
}

/// The terms of the best copy; without any copy, what holds for no item type in particular.
fn situation(facts: &Facts<'_>, best: Option<&CopyFacts>) -> Situation {
    match best {
        Some(copy) => wish_situation(facts.network, copy, &wish(facts)),
        None => Situation {
            unit: facts.pickup,
            category: facts.reader.category,
            item_type: ItemTypeId::new(0),
            owner: facts.pickup,
            channel: pickup_channel(facts.network, facts.pickup),
            band: facts.reader.band,
        },
    }
}

/// Whether a hold may be picked up at a unit, by a reader with a child's card or without; what goes on by parcel is not.
pub(super) fn judge_pickup(found: &mut Findings, network: &Network, pickup: UnitId, child: bool, by_parcel: bool) {
    match network.unit(pickup) {
        None => {
            found.add(Code::PickupUnknown).with("unit", pickup.get());
        }
        Some(unit) => {
            if !unit.active {
                found.add(Code::UnitInactive).with("unit", unit.name.as_str());
            }
            if !unit.pickup_point && !by_parcel {
                found.add(Code::NotAPickupPoint).with("unit", unit.name.as_str());
            }
            if child && unit.adult_only {
                found.add(Code::AdultOnlyUnit).with("unit", unit.name.as_str());
            }
        }
    }
}

/// An online request is delivered as the terms allow; a parcel is packed by a unit that does that.
fn judge_delivery(found: &mut Findings, facts: &Facts<'_>, situation: &Situation) {
    let Some(online) = facts.online else { return };
    if online.delivery == Delivery::Parcel && !online.packs {
        found
            .add(Code::NotAPackingUnit)
            .with("unit", unit_name(facts.network, facts.pickup));
    }
    let row = facts.network.winner(situation);
    if !row.terms.delivery.allow(online.delivery) {
        found
            .add(Code::DeliveryNotAllowed)
            .with("delivery", online.delivery.code())
            .by(row.id);
    }
}

fn judge_dates(found: &mut Findings, facts: &Facts<'_>, now: DateTime<Utc>) {
    let today = facts.network.local_day(now);
    let over = facts.wanted_until.is_some_and(|until| until < today);
    let backwards = facts
        .not_before
        .zip(facts.wanted_until)
        .is_some_and(|(from, until)| from > until);
    if over || backwards {
        found.add(Code::HoldDatesInvalid);
    }
}

fn judge_existing(found: &mut Findings, facts: &Facts<'_>) {
    if facts.existing.same_target.is_some() {
        found.add(Code::AlreadyHeld);
    } else if facts.existing.of_bib > 0 {
        found.add(Code::BibAlreadyHeld);
    }
    if facts.reader.loans.iter().any(|loan| loan.bib_id == facts.bib) {
        found.add(Code::BibAlreadyOnLoan);
    }
}

/// Looks at every copy; gives back the one that would serve best: nearest to the pickup unit, then the smallest id.
fn judge_copies<'a>(found: &mut Findings, facts: &Facts<'a>, now: DateTime<Utc>) -> Option<&'a CopyFacts> {
    let (network, wish, today) = (facts.network, wish(facts), facts.network.local_day(now));
    let aimed = || {
        let of_bib = facts.copies.iter().filter(|copy| copy.bib == facts.bib);
        let of_volume = of_bib.filter(|copy| facts.volume.is_none_or(|volume| copy.volume == Some(volume)));
        of_volume.filter(|copy| facts.item.is_none_or(|item| copy.item == item))
    };
    let distance = |copy: &CopyFacts| network.units().distance(copy.current, facts.pickup);
    let far = |copy: &&CopyFacts| (distance(copy).unwrap_or(usize::MAX), copy.item);
    let fit = || aimed().filter(|copy| may_fill(network, copy, &wish, today).is_ok());
    let best = fit().filter(|copy| copy.circulates()).min_by_key(far);
    let waived = Wish {
        waived: Waived::ALL,
        ..wish.clone()
    };
    let kept = || aimed().filter(|copy| copy.circulates() && may_fill(network, copy, &waived, today).is_ok());
    if let Some(kept) = kept().min_by_key(far).filter(|_| best.is_none()) {
        judge_kept(found, network, kept, &wish, today);
    } else if best.is_none() {
        judge_unfit(found, facts, &aimed().collect::<Vec<_>>(), today);
    }
    // A hold placed online may take a copy from the shelf; a walk-in reader can.
    let here = |copy: &&CopyFacts| copy.is_on_shelf() && copy.current == facts.act.unit;
    if facts.act.channel != Channel::Portal && facts.online.is_none() && fit().any(|copy| here(&copy)) {
        found
            .add(Code::CopyOnShelfHere)
            .with("unit", unit_name(network, facts.act.unit));
    }
    best.or_else(|| kept().min_by_key(far))
        .or_else(|| aimed().min_by_key(far))
}

/// Says why none of the copies will do: the common reason if there is one.
fn judge_unfit(found: &mut Findings, facts: &Facts<'_>, aimed: &[&CopyFacts], today: NaiveDate) {
    let Some(first) = aimed.first() else {
        let code = if facts.item.is_some() {
            Code::ItemNotOfBib
        } else {
            Code::NoCopyCanFill
        };
        found.add(code);
        return;
    };
    if facts.item.is_some() && !first.circulates() {
        found.add(status_code(first.status));
    }
    let wish = wish(facts);
    let circulating = || aimed.iter().filter(|copy| copy.circulates() || facts.item.is_some());
    let mut unfit = circulating().map(|copy| may_fill(facts.network, copy, &wish, today).err());
    let common = unfit
        .next()
        .flatten()
        .filter(|reason| unfit.all(|other| other == Some(*reason)));
    match common {
        Some(reason @ (Unfit::TooYoung | Unfit::AgeUnknown)) => {
            let code = if reason == Unfit::TooYoung {
                Code::BelowAge
            } else {
                Code::AgeUnknown
            };
            found
                .add(code)
                .with("min_age", u16::from(first.min_age_years.unwrap_or(0)));
        }
        Some(Unfit::NotForChildren) => {
            found.add(Code::NotForChildren);
        }
        Some(Unfit::ByRule) => {
            let rule = facts.network.winner(&situation(facts, Some(first))).id;
            found.add(Code::NotHoldable).by(rule);
        }
        Some(Unfit::KindNotTaken) => {
            let rule = facts.network.winner(&situation(facts, Some(first))).id;
            found
                .add(Code::HoldKindNotAllowed)
                .by(rule)
                .with("kind", target(facts).kind_code());
        }
        Some(Unfit::NotForLoan) => {
            found.add(Code::ItemNotForLoan);
        }
        Some(Unfit::OwnerNotForReader) => {
            found
                .add(Code::OwnerNotForReader)
                .with("owner", unit_name(facts.network, first.owner));
        }
        // The only copy wished for is fit but does not circulate: its status was said.
        None if facts.item.is_some() => {}
        Some(Unfit::StaysLocal) if facts.network.unit(facts.pickup).is_some() => {
            found
                .add(Code::StaysLocal)
                .with("owner", unit_name(facts.network, first.owner));
        }
        Some(Unfit::StaysLocal | Unfit::OtherTarget | Unfit::HomeOnly | Unfit::New) | None => {
            found.add(Code::NoCopyCanFill);
        }
    }
}

/// What is said of a single copy that does not circulate.
const fn status_code(status: ItemStatus) -> Code {
    match status {
        ItemStatus::Damaged => Code::ItemDamaged,
        ItemStatus::NeedsAttention => Code::ItemNeedsAttention,
        ItemStatus::Missing => Code::ItemMissing,
        ItemStatus::Lost => Code::ItemLost,
        ItemStatus::ClaimedReturned => Code::ItemClaimedReturned,
        ItemStatus::Withdrawn => Code::ItemWithdrawn,
        ItemStatus::OnShelf
        | ItemStatus::OnLoan
        | ItemStatus::AwaitingDispatch
        | ItemStatus::InTransit
        | ItemStatus::OnHoldShelf
        | ItemStatus::InProcessing => Code::NoCopyCanFill,
    }
}
