//! A crate arrives at a unit: is this where it belongs? Asked when the courier hands it over and when it is unpacked.
//! Not for: what becomes of the items; each is decided by its check-in.

use super::act::{Act, Findings, Passed};
use super::ids::UnitId;
use super::judge_reader::unit_name;
use super::network::Network;
use super::refusal::{Code, Refusals, Verb};

/// Everything the decision reads.
#[derive(Debug, Clone, Copy)]
pub struct Facts<'a> {
    pub act: &'a Act,
    pub network: &'a Network,
    /// Where the crate goes.
    pub to: UnitId,
    /// Where its courier was to hand it over: there, or where routes meet.
    pub leg_to: Option<UnitId>,
}

/// Decides whether a crate may be handed over, or unpacked, at the unit of the act.
///
/// # Errors
/// It goes elsewhere, and nobody has confirmed that it stays here. Source: the row of
/// [`CrateForElsewhere`](Code::CrateForElsewhere).
pub fn decide(facts: &Facts<'_>) -> Result<Passed, Refusals> {
    let here = facts.act.unit;
    let mut found = Findings::new(Verb::HandOver, facts.act.channel);
    if facts.to != here && facts.leg_to != Some(here) {
        found
            .add(Code::CrateForElsewhere)
            .with("to", unit_name(facts.network, facts.to))
            .with("here", unit_name(facts.network, here));
    }
    found.subtract(facts.act)
}
