//! The life of a journey and of a crate: states, acts, and one exhaustive table of what may follow what.
//! Not for: who may do it, or where an item goes next (see `route`).

use super::item::ItemStatus;
use super::words::words;

words! {
    /// Where a journey is.
    TransitStatus:
    /// The item lies at the unit it leaves, in no crate.
    AwaitingDispatch = "awaiting_dispatch",
    /// It lies in a crate that has not left.
    Packed = "packed",
    /// It left.
    Sent = "sent",
    /// It left and did not arrive in time.
    Missing = "missing",
    /// It arrived. The end.
    Received = "received",
    /// It was called off, or the item turned up elsewhere. The end.
    Cancelled = "cancelled";

    /// What happens to a journey.
    TransitAct:
    /// Scanned into a crate.
    Pack = "pack",
    /// Taken out of it again.
    Unpack = "unpack",
    /// The crate leaves.
    Send = "send",
    /// The item is scanned where it was going.
    Receive = "receive",
    /// The item is scanned anywhere else, or nobody needs it there any more.
    CallOff = "call_off",
    /// Too many days since it left.
    GiveUp = "give_up";

    /// Where a crate is.
    CrateStatus:
    /// Being packed.
    Open = "open",
    /// Ready to be fetched.
    Closed = "closed",
    /// On a vehicle.
    Sent = "sent",
    /// Handed over at a stop, not unpacked.
    Delivered = "delivered",
    /// Unpacked. The end.
    Received = "received",
    /// Given up empty. The end.
    Cancelled = "cancelled";

    /// What happens to a crate.
    CrateAct:
    /// An item is put in.
    Pack = "pack",
    /// An item is taken out.
    Unpack = "unpack",
    Close = "close",
    /// It is loaded, or leaves with whoever drives by.
    Send = "send",
    /// The courier hands it over against a signature.
    HandOver = "hand_over",
    /// It is unpacked where it stands.
    Receive = "receive",
    /// It is given up; only when empty.
    Cancel = "cancel";
}

/// An act that does not fit the state.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the {thing} is {state}: {act} is not possible")]
pub struct OutOfTurn {
    pub thing: &'static str,
    pub state: &'static str,
    pub act: &'static str,
}

impl TransitStatus {
    /// The state after an act.
    ///
    /// ```
    /// use tongjie::domain::transit::{TransitAct::*, TransitStatus::*};
    /// assert_eq!(Packed.after(Send), Ok(Sent));
    /// assert!(Received.after(Send).is_err());
    /// ```
    ///
    /// # Errors
    /// The act does not fit the state.
    pub const fn after(self, act: TransitAct) -> Result<Self, OutOfTurn> {
        use TransitAct as Act;
        match (self, act) {
            (Self::AwaitingDispatch, Act::Pack) => Ok(Self::Packed),
            (Self::Packed, Act::Unpack) => Ok(Self::AwaitingDispatch),
            (Self::Packed, Act::Send) => Ok(Self::Sent),
            (Self::Sent, Act::GiveUp) => Ok(Self::Missing),
            (Self::AwaitingDispatch | Self::Packed | Self::Sent | Self::Missing, Act::Receive) => Ok(Self::Received),
            (Self::AwaitingDispatch | Self::Packed | Self::Sent | Self::Missing, Act::CallOff) => Ok(Self::Cancelled),
            (Self::AwaitingDispatch, Act::Unpack | Act::Send | Act::GiveUp)
            | (Self::Packed, Act::Pack | Act::GiveUp)
            | (Self::Sent, Act::Pack | Act::Unpack | Act::Send)
            | (Self::Missing, Act::Pack | Act::Unpack | Act::Send | Act::GiveUp)
            | (
                Self::Received | Self::Cancelled,
                Act::Pack | Act::Unpack | Act::Send | Act::Receive | Act::CallOff | Act::GiveUp,
            ) => Err(OutOfTurn {
                thing: "journey",
                state: self.code(),
                act: act.code(),
            }),
        }
    }

    /// What the item is while its journey is here; `None` once the journey has ended.
    pub const fn item_status(self) -> Option<ItemStatus> {
        match self {
            Self::AwaitingDispatch | Self::Packed => Some(ItemStatus::AwaitingDispatch),
            Self::Sent => Some(ItemStatus::InTransit),
            Self::Missing => Some(ItemStatus::Missing),
            Self::Received | Self::Cancelled => None,
        }
    }

    /// It left and has not ended.
    pub const fn is_under_way(self) -> bool {
        matches!(self, Self::Sent | Self::Missing)
    }
}

impl CrateStatus {
    /// The state after an act. What an act needs besides (something in the crate, or nothing) its use case looks at.
    ///
    /// # Errors
    /// The act does not fit the state.
    pub const fn after(self, act: CrateAct) -> Result<Self, OutOfTurn> {
        use CrateAct as Act;
        match (self, act) {
            (Self::Open, Act::Pack) | (Self::Open | Self::Closed, Act::Unpack) => Ok(Self::Open),
            (Self::Open, Act::Close) => Ok(Self::Closed),
            // From the wrong stop, or from where two routes meet, it goes on unopened.
            (Self::Closed | Self::Delivered, Act::Send) => Ok(Self::Sent),
            // The courier forgot to scan it when it was loaded; it is here all the same.
            (Self::Closed | Self::Sent, Act::HandOver) => Ok(Self::Delivered),
            (Self::Closed | Self::Sent | Self::Delivered, Act::Receive) => Ok(Self::Received),
            (Self::Open | Self::Closed, Act::Cancel) => Ok(Self::Cancelled),
            (Self::Open, Act::Send | Act::HandOver | Act::Receive)
            | (Self::Closed, Act::Pack | Act::Close)
            | (Self::Sent, Act::Pack | Act::Unpack | Act::Close | Act::Send | Act::Cancel)
            | (Self::Delivered, Act::Pack | Act::Unpack | Act::Close | Act::HandOver | Act::Cancel)
            | (
                Self::Received | Self::Cancelled,
                Act::Pack | Act::Unpack | Act::Close | Act::Send | Act::HandOver | Act::Receive | Act::Cancel,
            ) => Err(OutOfTurn {
                thing: "crate",
                state: self.code(),
                act: act.code(),
            }),
        }
    }
}

/// Both tables as Markdown, for docs/DISTRIBUTION.md: states down, acts across.
pub fn printed_tables() -> String {
    let journeys = table(
        TransitStatus::ALL,
        TransitAct::ALL,
        TransitStatus::code,
        TransitAct::code,
        |state, act| state.after(act).ok().map(TransitStatus::code),
    );
    let crates = table(
        CrateStatus::ALL,
        CrateAct::ALL,
        CrateStatus::code,
        CrateAct::code,
        |state, act| state.after(act).ok().map(CrateStatus::code),
    );
    let mut items = String::from("| journey | item |\n|---|---|\n");
    for status in TransitStatus::ALL {
        let item = status.item_status().map_or("as the check-in decides", ItemStatus::code);
        items += &format!("| {status} | {item} |\n");
    }
    format!("Journeys:\n\n{journeys}\nThe item follows:\n\n{items}\nCrates:\n\n{crates}")
}

fn table<S: Copy, A: Copy>(
    states: &[S],
    acts: &[A],
    state_code: fn(S) -> &'static str,
    act_code: fn(A) -> &'static str,
    after: fn(S, A) -> Option<&'static str>,
) -> String {
    let mut text = String::from("| |");
    acts.iter().for_each(|act| text += &format!(" {} |", act_code(*act)));
    text += &format!("\n|---|{}\n", "---|".repeat(acts.len()));
    for state in states {
        text += &format!("| {} |", state_code(*state));
        acts.iter()
            .for_each(|act| text += &format!(" {} |", after(*state, *act).unwrap_or("-")));
        text.push('\n');
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_printed_tables_are_those_of_the_docs() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/DISTRIBUTION.md");
        let docs = std::fs::read_to_string(path).unwrap();
        assert!(
            docs.contains(&printed_tables()),
            "print this into it:\n{}",
            printed_tables()
        );
    }

    #[test]
    fn what_has_ended_stays_ended_and_everything_else_can_end() {
        for act in TransitAct::ALL {
            assert!(TransitStatus::Received.after(*act).is_err());
            assert!(TransitStatus::Cancelled.after(*act).is_err());
        }
        for status in TransitStatus::ALL
            .iter()
            .filter(|status| status.item_status().is_some())
        {
            assert_eq!(status.after(TransitAct::Receive), Ok(TransitStatus::Received));
            assert_eq!(status.after(TransitAct::CallOff), Ok(TransitStatus::Cancelled));
        }
        for act in CrateAct::ALL {
            assert!(CrateStatus::Received.after(*act).is_err());
            assert!(CrateStatus::Cancelled.after(*act).is_err());
        }
    }
}
