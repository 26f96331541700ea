//! Somebody shows their own card for a ward: may they, so that the item is lent to the ward?
//! Not for: what the ward may borrow, which `check_out` decides as if the ward stood there.

use chrono::{DateTime, Utc};

use super::act::{Act, Findings};
use super::guardian::{Standing, may_stand_in};
use super::judge_reader::judge_card;
use super::network::Network;
use super::reader::CardFacts;
use super::refusal::{Code, Refusals, Verb};

/// What the decision reads.
#[derive(Debug, Clone, Copy)]
pub struct Facts<'a> {
    pub act: &'a Act,
    pub network: &'a Network,
    /// The card that was shown.
    pub card: &'a CardFacts,
    /// The open link between its holder and the ward; none where they are the same person.
    pub link: Option<&'a Standing>,
}

impl Facts<'_> {
    /// Whether the holder of the card may act for the ward.
    pub fn is_linked(&self, now: DateTime<Utc>) -> bool {
        let today = self.network.local_day(now);
        self.link.is_some_and(|standing| may_stand_in(standing, today).is_ok())
    }
}

/// Decides whether the holder of a card stands in for a ward. Whoever does not is told nothing about the other reader.
///
/// # Errors
/// What is wrong with the card, and `proxy_not_linked`.
///
/// ```
/// # use tongjie::domain::example;
/// use tongjie::domain::proxy::{Facts, decide};
/// use tongjie::domain::refusal::Code;
/// let world = example::world();
/// let (act, reader) = (world.at_desk(), world.reader());
/// let facts = Facts { act: &act, network: &world.network, card: &reader.card, link: None };
/// assert_eq!(decide(&facts, world.now).unwrap_err().codes(), [Code::ProxyNotLinked]);
/// ```
pub fn decide(facts: &Facts<'_>, now: DateTime<Utc>) -> Result<(), Refusals> {
    let mut found = Findings::new(Verb::CheckOut, facts.act.channel);
    judge_card(&mut found, facts.network, facts.card, now);
    if !facts.is_linked(now) {
        found.add(Code::ProxyNotLinked);
    }
    found.subtract(facts.act).map(drop)
}
