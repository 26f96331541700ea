//! Scanning an item into a crate: refused where it would travel to the wrong unit, with what would be right.
//! Not for: opening, closing or sending crates (see `transit`), or routing the item (see `route`).

use super::act::{Act, Findings, Passed};
use super::ids::{CrateId, UnitId};
use super::item::ItemFacts;
use super::judge_reader::unit_name;
use super::network::Network;
use super::refusal::{Code, Refusals, Verb};
use super::transit::TransitStatus;

/// Most items of one crate: what one person lifts, and what one short write sends.
pub const CRATE_MAX: u32 = 200;

/// A crate that is being packed, under its lock.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CrateFacts {
    pub id: CrateId,
    pub from: UnitId,
    pub to: UnitId,
    /// How many items are in it.
    pub items: u32,
}

/// Everything the decision reads.
#[derive(Debug, Clone, Copy)]
pub struct Facts<'a> {
    pub act: &'a Act,
    pub network: &'a Network,
    pub item: &'a ItemFacts,
    pub into: &'a CrateFacts,
    /// The crate its journey lies in now: number and label.
    pub lies_in: Option<&'a (CrateId, String)>,
}

/// What the store does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Plan {
    /// It is in this crate already: nothing changes.
    pub repeated: bool,
    pub passed: Passed,
}

/// Decides whether an item goes into a crate.
///
/// # Errors
/// It does not wait here for a crate to where this one goes, lies in another, or the crate is full. Source: their rows in the
/// table of [`refusal`](super::refusal).
pub fn decide(facts: &Facts<'_>) -> Result<Plan, Refusals> {
    let (item, into) = (facts.item, facts.into);
    let mut found = Findings::new(Verb::PackItem, facts.act.channel);
    let open = item.transit.as_ref().filter(|open| !open.status.is_under_way());
    let Some(open) = open else {
        found.add(Code::NotTravelling);
        return Err(found.refuse(facts.act));
    };
    let packed = open.status == TransitStatus::Packed;
    let repeated = packed && facts.lies_in.is_some_and(|(id, _)| *id == into.id);
    if !repeated {
        judge(&mut found, facts, packed);
        if open.from != into.from {
            found
                .add(Code::WaitsElsewhere)
                .with("unit", unit_name(facts.network, open.from));
        }
        if open.to != into.to {
            found
                .add(Code::WrongCrate)
                .with("to", unit_name(facts.network, open.to))
                .with("crate_to", unit_name(facts.network, into.to));
        }
    }
    let passed = found.subtract(facts.act)?;
    Ok(Plan { repeated, passed })
}

fn judge(found: &mut Findings, facts: &Facts<'_>, packed: bool) {
    if packed {
        let label = facts.lies_in.map_or("", |(_, label)| label.as_str());
        found.add(Code::PackedAlready).with("label", label);
    }
    if facts.into.items >= CRATE_MAX {
        found.add(Code::CrateFull).with("max", CRATE_MAX);
    }
}
