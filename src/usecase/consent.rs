//! What staff say to refusals counts only for the case they were told of: the first answer carries a token over verb,
//! caller, unit, reader, item and the codes found, and overrides and confirmations count together with it, for some minutes.
//! Not for: which refusals may be passed at all; that is the table's and the decision's.

use std::collections::BTreeSet;
use std::sync::Arc;

use chrono::{DateTime, Utc};

use super::{Caller, Result, UseCaseError};
use crate::auth::ConsentSeal;
use crate::domain::act::{Act, Overrides};
use crate::domain::ids::{BibId, ItemId, ReaderId};
use crate::domain::item::ItemFacts;
use crate::domain::refusal::{Code, Outcome, Refusals, Verb};
use crate::store::holds::LoadedHold;

/// What staff said, and what binds it. The default says nothing and can give no token.
#[derive(Debug, Clone, Default)]
pub struct Consent {
    pub overrides: Overrides,
    pub confirmed: BTreeSet<Code>,
    /// From the answer that told the refusals.
    pub token: Option<String>,
    pub seal: Option<Arc<ConsentSeal>>,
}

/// A token for what was found, and its end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Offer {
    pub token: String,
    pub expires_at: DateTime<Utc>,
}

/// Why what staff said does not count.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// There is no token with it.
    Missing,
    Expired,
    /// The token is not of this case, or something was found that it does not cover.
    DoesNotFit,
}

/// The case a token is bound to.
#[derive(Debug, Clone, Copy)]
pub struct About<'a> {
    pub caller: &'a Caller,
    pub verb: Verb,
    pub reader: Option<ReaderId>,
    pub bib: Option<BibId>,
    pub item: Option<ItemId>,
    /// What else the case is: the label of a crate, the lines of a request, what a hold changes to.
    pub also: &'a str,
}

impl<'a> About<'a> {
    /// An act on an item, for a reader if there is one.
    pub fn item(caller: &'a Caller, verb: Verb, reader: Option<ReaderId>, item: &ItemFacts) -> Self {
        Self {
            caller,
            verb,
            reader,
            bib: Some(item.bib_id),
            item: Some(item.id),
            also: "",
        }
    }

    /// A change of a hold.
    pub const fn hold(caller: &'a Caller, verb: Verb, hold: &LoadedHold) -> Self {
        Self {
            caller,
            verb,
            reader: Some(hold.facts.reader),
            bib: Some(hold.bib),
            item: hold.captured_item,
            also: "",
        }
    }

    /// The same act, with what it is to come to: another wish is another case.
    #[must_use]
    pub const fn with(self, also: &'a str) -> Self {
        Self { also, ..self }
    }

    /// A crate that arrives.
    pub const fn crate_of(caller: &'a Caller, verb: Verb, label: &'a str) -> Self {
        Self {
            caller,
            verb,
            reader: None,
            bib: None,
            item: None,
            also: label,
        }
    }

    fn text(&self, act: &Act) -> String {
        let number = |id: Option<i64>| id.map_or_else(|| "-".to_owned(), |id| id.to_string());
        let (reader, bib) = (self.reader.map(ReaderId::get), self.bib.map(BibId::get));
        let ids = [Some(act.unit.get()), reader, bib, self.item.map(ItemId::get)].map(number);
        let due_at = number(act.due_by_hand.map(|at| at.timestamp_millis()));
        format!(
            "{} {} {} {due_at} {}",
            self.verb.code(),
            self.caller.client(),
            ids.join(" "),
            self.also
        )
    }
}

/// Decides, with what staff said counting only as far as it is bound to this very case.
///
/// # Errors
/// Everything that was found, whether or not staff had spoken of it; with a token if the caller may pass all of it.
pub fn settle<P>(
    consent: &Consent,
    about: &About<'_>,
    act: &Act,
    now: DateTime<Utc>,
    decide: impl Fn(&Act) -> std::result::Result<P, Refusals>,
) -> Result<P> {
    let said = !act.overrides.codes.is_empty() || !act.confirmed.is_empty();
    if !said {
        return decide(act).map_err(|found| tell(consent, about, act, None, found, now));
    }
    let bare = Act {
        overrides: Overrides::default(),
        confirmed: BTreeSet::new(),
        ..act.clone()
    };
    // Where nothing refuses, nothing is passed, whatever was said.
    let found = match decide(&bare) {
        Ok(plan) => return Ok(plan),
        Err(found) => found,
    };
    if let Some(fault) = fault(consent, &about.text(act), &found, now) {
        return Err(tell(consent, about, act, Some(fault), found, now));
    }
    decide(act).map_err(|_| tell(consent, about, act, None, found, now))
}

fn fault(consent: &Consent, about: &str, found: &Refusals, now: DateTime<Utc>) -> Option<Fault> {
    let Some(token) = &consent.token else {
        return Some(Fault::Missing);
    };
    let opened = consent.seal.as_ref().and_then(|seal| seal.open(about, token));
    match opened {
        Some(sealed) if !weighed(found).is_subset(&sealed.codes) => Some(Fault::DoesNotFit),
        Some(sealed) if sealed.expires_at < now => Some(Fault::Expired),
        Some(_) => None,
        None => Some(Fault::DoesNotFit),
    }
}

/// The refusal, with a token if this caller may pass all of it here.
pub fn tell(
    consent: &Consent,
    about: &About<'_>,
    act: &Act,
    fault: Option<Fault>,
    found: Refusals,
    now: DateTime<Utc>,
) -> UseCaseError {
    let seal = consent.seal.as_ref().filter(|_| may_pass(act, &found));
    let Some(seal) = seal else {
        return UseCaseError::Refused(found);
    };
    let (token, expires_at) = seal.give(&about.text(act), &weighed(&found), now);
    UseCaseError::Passable {
        fault,
        refusals: found,
        offer: Offer { token, expires_at },
    }
}

/// Nobody stands at a machine to look at anything: there is no consent at all.
fn may_pass(act: &Act, found: &Refusals) -> bool {
    act.channel.is_staffed()
        && found.0.iter().all(|refusal| match refusal.outcome {
            Outcome::Blocked => false,
            Outcome::Override => act.may_override,
            Outcome::Confirm | Outcome::Info => true,
        })
}

/// The codes with what they ask for: an override is no confirmation.
fn weighed(found: &Refusals) -> BTreeSet<String> {
    let each = found.0.iter();
    each.map(|refusal| format!("{}:{}", refusal.code, refusal.outcome.code()))
        .collect()
}
