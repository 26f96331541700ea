//! How a reader is named at a desk or machine: by the number of a card, or by the token of an electronic one. The first use of a
//! token opens a session of this caller and this card; the nonce is refused to anybody else.

use std::sync::Arc;

use chrono::{DateTime, Utc};

use super::{Caller, Result, UseCaseError};
use crate::domain::act::Act;
use crate::domain::barcode::CardNumber;
use crate::domain::card_token::{self, Admission, CardToken, Fault, Look, admit};
use crate::domain::ids::UnitId;
use crate::domain::network::Network;
use crate::domain::refusal::Verb;
use crate::store::Store;
use crate::store::card_tokens::ShownCard;
use crate::store::tx::WriteTx;

/// What was scanned or typed.
#[derive(Debug, Clone)]
pub enum CardShown {
    Number(CardNumber),
    /// What a token says; `None`: it is none of ours.
    Token(Option<Box<CardToken>>),
}

impl From<CardNumber> for CardShown {
    fn from(number: CardNumber) -> Self {
        Self::Number(number)
    }
}

/// A card that was shown by a token, and what becomes of that.
pub(super) struct Judged<'t> {
    pub token: &'t CardToken,
    pub card: ShownCard,
    pub admitted: std::result::Result<Admission, Fault>,
}

/// Looks a token up. Two statements with the note that it was used.
///
/// # Errors
/// The fault of what is no token of a card.
pub(super) fn judge<'t>(
    tx: &mut WriteTx<'_>,
    caller: &Caller,
    unit: UnitId,
    network: &Network,
    token: Option<&'t CardToken>,
) -> Result<std::result::Result<Judged<'t>, Fault>> {
    let Some(token) = token else {
        return Ok(Err(Fault::NotGenuine));
    };
    // A card that is not there: merged away with its reader, or of another network with our keys.
    let Some(card) = tx.shown_card(token)? else {
        return Ok(Err(Fault::NotGenuine));
    };
    let scopes = scopes(network, unit);
    let look = Look {
        now: tx.now(),
        scopes: &scopes,
        void_until: card.void_until,
        leeway_s: 0,
    };
    let admitted = admit(token, card.session.as_ref(), &caller.client(), &look);
    Ok(Ok(Judged { token, card, admitted }))
}

/// The codes a token may name to count at a unit.
pub(super) fn scopes(network: &Network, unit: UnitId) -> Vec<&str> {
    let line = network.units().ancestors(unit).iter();
    line.filter_map(|above| network.unit(*above).map(|unit| unit.code.as_str()))
        .collect()
}

impl Judged<'_> {
    /// Notes the use.
    ///
    /// # Errors
    /// `Used` when somebody else was shown the code in this very moment.
    pub(super) fn note(
        &self,
        tx: &mut WriteTx<'_>,
        caller: &Caller,
        admission: Admission,
        now: DateTime<Utc>,
    ) -> Result<std::result::Result<(), Fault>> {
        match admission {
            Admission::Continues => tx.use_card_session(self.token, now)?,
            Admission::Opens if tx.open_card_session(self.token, &caller.client(), now)? => {}
            Admission::Opens => {
                let shown = tx.shown_card(self.token)?.and_then(|card| card.session);
                if shown.is_none_or(|session| session.client != caller.client()) {
                    return Ok(Err(Fault::Used));
                }
            }
        }
        Ok(Ok(()))
    }
}

/// The number of the card that was shown, as it is kept: a hash where it is a person's.
///
/// # Errors
/// `Refused` for a token that does not count.
pub(super) fn card_number(
    tx: &mut WriteTx<'_>,
    caller: &Caller,
    unit: UnitId,
    network: &Network,
    shown: &CardShown,
) -> Result<String> {
    let token = match shown {
        CardShown::Number(number) => return Ok(number.as_str().to_owned()),
        CardShown::Token(token) => token.as_deref(),
    };
    let refused = |fault: Fault| {
        let act = Act::at(unit, caller.channel());
        UseCaseError::from(card_token::refusals(fault, Verb::CheckOut, &act))
    };
    let judged = judge(tx, caller, unit, network, token)?.map_err(refused)?;
    let admission = judged.admitted.map_err(refused)?;
    let now = tx.now();
    judged.note(tx, caller, admission, now)?.map_err(refused)?;
    Ok(judged.card.number)
}

/// After a refusal: the code was shown, so it is this caller's, although nothing else of the act is left.
pub(super) async fn spend(store: &Arc<Store>, caller: &Caller, unit: UnitId, shown: &CardShown) -> Result<()> {
    let CardShown::Token(Some(_)) = shown else {
        return Ok(());
    };
    let (who, shown) = (caller.clone(), shown.clone());
    let spent = store
        .write(move |tx| -> Result<()> {
            let network = tx.network()?;
            card_number(tx, &who, unit, &network, &shown).map(|_| ())
        })
        .await;
    match spent {
        // It was refused for that very reason.
        Err(UseCaseError::Refused(_)) => Ok(()),
        other => other,
    }
}
