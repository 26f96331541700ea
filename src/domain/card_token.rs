//! What an electronic card shows: where and until when it counts, and who may go on using it.
//! Not for: signatures and keys (see `auth::card_token`), or whether the reader may borrow.

use chrono::{DateTime, TimeDelta, Utc};

use super::act::{Act, Findings};
use super::ids::CardId;
use super::judge_reader::judge_card;
use super::network::Network;
use super::reader::CardFacts;
use super::refusal::{Code, Refusals, Verb};

/// The life of a token, in seconds. No longer one is believed, whoever signed it.
pub const LIFE_S: i64 = 60;

/// How far two clocks that are kept may differ, in seconds.
pub const LEEWAY_S: i64 = 5;

/// A session at a machine ends when it was not used for so long.
pub const IDLE: TimeDelta = TimeDelta::seconds(120);

/// And after so long in any case.
pub const AT_MOST: TimeDelta = TimeDelta::minutes(15);

/// What a genuine token says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CardToken {
    pub card: CardId,
    /// Code of the unit at and below which it counts.
    pub scope: String,
    pub issued_at: DateTime<Utc>,
    pub expires_at: DateTime<Utc>,
    pub nonce: String,
    /// Which key signed it.
    pub key_id: String,
}

/// Why a token does not count.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// No token, of a key that is not known, or changed.
    NotGenuine,
    Expired,
    /// Dated in the future.
    Early,
    OtherUnit,
    Revoked,
    /// Somebody else was shown it first.
    Used,
}

impl Fault {
    /// As a reason to say no.
    pub const fn code(self) -> Code {
        match self {
            Self::NotGenuine => Code::CardTokenInvalid,
            Self::Expired => Code::CardTokenExpired,
            Self::Early => Code::CardTokenEarly,
            Self::OtherUnit => Code::CardTokenOtherUnit,
            Self::Revoked => Code::CardTokenRevoked,
            Self::Used => Code::CardTokenUsed,
        }
    }
}

/// Where and when a token is looked at.
#[derive(Debug, Clone, Copy)]
pub struct Look<'a> {
    pub now: DateTime<Utc>,
    /// Codes that count here: of the unit and of those above it.
    pub scopes: &'a [&'a str],
    /// Tokens of this card made until then are void.
    pub void_until: Option<DateTime<Utc>>,
    /// How long past its end it is believed: nothing where the server that made it looks, [`LEEWAY_S`] on a device.
    pub leeway_s: i64,
}

impl CardToken {
    /// What anybody can say who has the keys and the list of what was revoked.
    ///
    /// # Errors
    /// The first fault, the one that explains the others.
    pub fn judge(&self, look: &Look<'_>) -> Result<(), Fault> {
        self.judge_place(look)?;
        if look.now < self.issued_at - TimeDelta::seconds(LEEWAY_S) {
            return Err(Fault::Early);
        }
        if look.now >= self.expires_at + TimeDelta::seconds(look.leeway_s) {
            return Err(Fault::Expired);
        }
        Ok(())
    }

    /// The same without the clock: what still matters once it has opened a session.
    fn judge_place(&self, look: &Look<'_>) -> Result<(), Fault> {
        if look.void_until.is_some_and(|until| self.issued_at <= until) {
            return Err(Fault::Revoked);
        }
        if !look.scopes.contains(&self.scope.as_str()) {
            return Err(Fault::OtherUnit);
        }
        Ok(())
    }
}

/// The session that a token opened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CardSession {
    /// The caller it was opened for.
    pub client: String,
    pub opened_at: DateTime<Utc>,
    pub used_at: DateTime<Utc>,
}

impl CardSession {
    /// When it ends if it is not used again.
    pub fn ends_at(&self) -> DateTime<Utc> {
        (self.used_at + IDLE).min(self.opened_at + AT_MOST)
    }
}

/// What becomes of a use of a token.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Admission {
    /// The first use.
    Opens,
    /// One of those after.
    Continues,
}

/// Whether a caller may use a token, online.
///
/// # Errors
/// Why not.
///
/// ```
/// # use chrono::{DateTime, TimeDelta, Utc};
/// # use tongjie::domain::card_token::{Admission, CardSession, CardToken, Fault, Look, admit};
/// # use tongjie::domain::ids::CardId;
/// let at = DateTime::<Utc>::UNIX_EPOCH;
/// let token = CardToken { card: CardId::new(7), scope: "M1".into(), issued_at: at, expires_at: at + TimeDelta::seconds(60),
///     nonce: "n".into(), key_id: "k".into() };
/// let look = Look { now: at, scopes: &["B1", "M1", "network"], void_until: None, leeway_s: 0 };
/// assert_eq!(admit(&token, None, "device:1", &look), Ok(Admission::Opens));
/// let session = CardSession { client: "device:1".into(), opened_at: at, used_at: at };
/// let later = Look { now: at + TimeDelta::seconds(100), ..look };
/// assert_eq!(admit(&token, Some(&session), "device:1", &later), Ok(Admission::Continues));
/// assert_eq!(admit(&token, Some(&session), "device:2", &look), Err(Fault::Used));
/// ```
pub fn admit(
    token: &CardToken,
    session: Option<&CardSession>,
    client: &str,
    look: &Look<'_>,
) -> Result<Admission, Fault> {
    let Some(session) = session else {
        return token.judge(look).map(|()| Admission::Opens);
    };
    token.judge_place(look)?;
    if session.client != client {
        return Err(Fault::Used);
    }
    if look.now >= session.ends_at() {
        return Err(Fault::Expired);
    }
    Ok(Admission::Continues)
}

/// The refusal of a fault. There is nothing else to find: nobody knows whose card it would be.
pub fn refusals(fault: Fault, verb: Verb, act: &Act) -> Refusals {
    let mut found = Findings::new(verb, act.channel);
    found.add(fault.code());
    found.refuse(act)
}

/// What the opening of a session reads.
#[derive(Debug, Clone, Copy)]
pub struct Facts<'a> {
    pub act: &'a Act,
    pub network: &'a Network,
    /// What [`admit`] said.
    pub admitted: Result<Admission, Fault>,
    pub card: &'a CardFacts,
}

/// Decides whether a session is opened with a card: whether a gate lets its reader in.
///
/// # Errors
/// The fault of the token alone, else whatever is wrong with the card. What stands against borrowing is no reason.
pub fn decide(facts: &Facts<'_>, now: DateTime<Utc>) -> Result<Admission, Refusals> {
    let admission = facts
        .admitted
        .map_err(|fault| refusals(fault, Verb::OpenCard, facts.act))?;
    let mut found = Findings::new(Verb::OpenCard, facts.act.channel);
    judge_card(&mut found, facts.network, facts.card, now);
    found.subtract(facts.act).map(|_| admission)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: i64) -> DateTime<Utc> {
        DateTime::UNIX_EPOCH + TimeDelta::seconds(seconds)
    }

    fn token() -> CardToken {
        CardToken {
            card: CardId::new(7),
            scope: "M1".to_owned(),
            issued_at: at(1000),
            expires_at: at(1060),
            nonce: "nonce".to_owned(),
            key_id: "key".to_owned(),
        }
    }

    fn look(seconds: i64) -> Look<'static> {
        Look {
            now: at(seconds),
            scopes: &["B1", "M1", "network"],
            void_until: None,
            leeway_s: 0,
        }
    }

    #[test]
    fn a_token_counts_for_its_minute() {
        for (now, said) in [
            (994, Err(Fault::Early)),
            (995, Ok(())),
            (1059, Ok(())),
            (1060, Err(Fault::Expired)),
        ] {
            assert_eq!(token().judge(&look(now)), said, "at {now}");
        }
        let device = |now| Look {
            leeway_s: LEEWAY_S,
            ..look(now)
        };
        assert_eq!(token().judge(&device(1064)), Ok(()));
        assert_eq!(token().judge(&device(1065)), Err(Fault::Expired));
    }

    #[test]
    fn a_token_counts_at_its_unit_and_below() {
        let at = |scopes| Look { scopes, ..look(1000) };
        assert_eq!(token().judge(&at(&["M1"])), Ok(()));
        assert_eq!(token().judge(&at(&["B2", "M2", "network"])), Err(Fault::OtherUnit));
        assert_eq!(token().judge(&at(&[])), Err(Fault::OtherUnit));
    }

    #[test]
    fn what_was_made_until_a_revocation_is_void_and_what_is_made_after_is_not() {
        let void = |until| Look {
            void_until: Some(at(until)),
            ..look(1010)
        };
        assert_eq!(token().judge(&void(999)), Ok(()));
        assert_eq!(token().judge(&void(1000)), Err(Fault::Revoked));
        let session = CardSession {
            client: "device:1".to_owned(),
            opened_at: at(1001),
            used_at: at(1001),
        };
        let said = admit(&token(), Some(&session), "device:1", &void(1005));
        assert_eq!(said, Err(Fault::Revoked), "also within a session");
    }

    #[test]
    fn a_session_is_one_callers_until_it_rests_or_lasts_too_long() {
        let session = |used| CardSession {
            client: "device:1".to_owned(),
            opened_at: at(1010),
            used_at: at(used),
        };
        let said = |used, now| admit(&token(), Some(&session(used)), "device:1", &look(now));
        assert_eq!(said(1010, 1129), Ok(Admission::Continues));
        assert_eq!(said(1010, 1130), Err(Fault::Expired));
        assert_eq!(said(1900, 1909), Ok(Admission::Continues));
        assert_eq!(said(1900, 1910), Err(Fault::Expired));
        let other = admit(&token(), Some(&session(1010)), "device:2", &look(1011));
        assert_eq!(other, Err(Fault::Used));
        let after_its_end = admit(&token(), Some(&session(1010)), "device:2", &look(5000));
        assert_eq!(after_its_end, Err(Fault::Used));
    }
}
