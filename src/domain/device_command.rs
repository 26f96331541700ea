//! The life of an order to a device, and what an acknowledgement does to it. Acknowledgements come late, twice, and from whoever
//! saw one on the way.
//! Not for: what the order is, or who may give it.

use chrono::{DateTime, TimeDelta, Utc};

use super::words::words;

words! {
    /// What is ordered.
    CommandKind:
    OpenCompartment = "open_compartment",
    LockCompartment = "lock_compartment",
    TakeInventory = "take_inventory",
    Restart = "restart",
    FetchConfiguration = "fetch_configuration",
    FetchOfflinePack = "fetch_offline_pack",
    UploadJournal = "upload_journal",
    ShowMessage = "show_message",
    RejectItem = "reject_item",
    Print = "print";

    /// Where an order is in its life.
    CommandStatus:
    Queued = "queued",
    Delivered = "delivered",
    Done = "done",
    Failed = "failed",
    /// Its time was over before an answer.
    Expired = "expired",
    Cancelled = "cancelled";
}

impl CommandKind {
    /// How long it makes sense. A door that opens a minute late opens for nobody.
    pub const fn life(self) -> TimeDelta {
        match self {
            Self::OpenCompartment => TimeDelta::seconds(20),
            Self::RejectItem => TimeDelta::seconds(10),
            Self::LockCompartment | Self::ShowMessage | Self::Print => TimeDelta::minutes(2),
            Self::TakeInventory | Self::Restart => TimeDelta::minutes(15),
            Self::FetchConfiguration | Self::FetchOfflinePack | Self::UploadJournal => TimeDelta::hours(24),
        }
    }
}

impl CommandStatus {
    /// Nothing more is expected of it.
    pub const fn is_ended(self) -> bool {
        !matches!(self, Self::Queued | Self::Delivered)
    }
}

/// The state after it was told to the device, as it is told again.
pub const fn delivered(status: CommandStatus) -> Option<CommandStatus> {
    match status {
        CommandStatus::Queued | CommandStatus::Delivered => Some(CommandStatus::Delivered),
        CommandStatus::Done | CommandStatus::Failed | CommandStatus::Expired | CommandStatus::Cancelled => None,
    }
}

/// Whether it may still be called back: what the device knows of, it may be doing.
pub const fn may_cancel(status: CommandStatus) -> bool {
    matches!(status, CommandStatus::Queued)
}

/// Whether its time is over.
pub fn is_overdue(status: CommandStatus, expires_at: DateTime<Utc>, now: DateTime<Utc>) -> bool {
    !status.is_ended() && expires_at <= now
}

/// One order and the answer that came to it.
#[derive(Debug, Clone, Copy)]
pub struct Facts<'a> {
    pub status: CommandStatus,
    pub expires_at: DateTime<Utc>,
    /// The stored result, if it has ended by an answer.
    pub result: Option<&'a str>,
    /// The receipt of the answer is the one that was delivered.
    pub receipt_fits: bool,
    pub said_done: bool,
    pub said_result: &'a str,
}

/// What an acknowledgement does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Acknowledged {
    /// It ends the order.
    Ends(CommandStatus),
    /// Said before: answered as then.
    Again,
    /// Too late: kept beside, it changes nothing by itself.
    Late,
    /// It says otherwise than the first.
    Contradicts,
    /// Not by the device the order was delivered to, or of another delivery.
    Forged,
}

/// Judges an acknowledgement. The receipt comes first: who does not have it is told nothing about the order.
///
/// ```
/// use chrono::{DateTime, TimeDelta, Utc};
/// use tongjie::domain::device_command::{Acknowledged, CommandStatus, Facts, acknowledge};
/// let now = DateTime::<Utc>::UNIX_EPOCH;
/// let facts = Facts {
///     status: CommandStatus::Delivered, expires_at: now + TimeDelta::seconds(20), result: None,
///     receipt_fits: true, said_done: true, said_result: "{}",
/// };
/// assert_eq!(acknowledge(&facts, now), Acknowledged::Ends(CommandStatus::Done));
/// assert_eq!(acknowledge(&Facts { receipt_fits: false, ..facts }, now), Acknowledged::Forged);
/// ```
pub fn acknowledge(facts: &Facts<'_>, now: DateTime<Utc>) -> Acknowledged {
    let said = if facts.said_done {
        CommandStatus::Done
    } else {
        CommandStatus::Failed
    };
    // What was never delivered has no receipt that anybody could know.
    if !facts.receipt_fits || facts.status == CommandStatus::Queued {
        return Acknowledged::Forged;
    }
    match facts.status {
        CommandStatus::Delivered if facts.expires_at <= now => Acknowledged::Late,
        CommandStatus::Queued | CommandStatus::Delivered => Acknowledged::Ends(said),
        CommandStatus::Done | CommandStatus::Failed => {
            if facts.status == said && facts.result == Some(facts.said_result) {
                Acknowledged::Again
            } else {
                Acknowledged::Contradicts
            }
        }
        CommandStatus::Expired | CommandStatus::Cancelled => Acknowledged::Late,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: DateTime<Utc> = DateTime::<Utc>::UNIX_EPOCH;

    fn facts(status: CommandStatus) -> Facts<'static> {
        Facts {
            status,
            expires_at: NOW + TimeDelta::seconds(1),
            result: Some("{}"),
            receipt_fits: true,
            said_done: true,
            said_result: "{}",
        }
    }

    #[test]
    fn an_answer_counts_once_and_in_its_time() {
        use CommandStatus::{Cancelled, Delivered, Done, Expired, Failed, Queued};
        for (status, expected) in [
            (Queued, Acknowledged::Forged),
            (Delivered, Acknowledged::Ends(Done)),
            (Done, Acknowledged::Again),
            (Failed, Acknowledged::Contradicts),
            (Expired, Acknowledged::Late),
            (Cancelled, Acknowledged::Late),
        ] {
            assert_eq!(acknowledge(&facts(status), NOW), expected, "{status}");
        }
        let late = facts(Delivered);
        assert_eq!(acknowledge(&late, late.expires_at), Acknowledged::Late);
        let failed = Facts {
            said_done: false,
            ..facts(Delivered)
        };
        assert_eq!(acknowledge(&failed, NOW), Acknowledged::Ends(Failed));
        let other = Facts {
            said_result: "{\"door\":\"open\"}",
            ..facts(Done)
        };
        assert_eq!(acknowledge(&other, NOW), Acknowledged::Contradicts);
    }

    #[test]
    fn without_the_receipt_nothing_is_told_in_any_state() {
        for status in CommandStatus::ALL {
            let forged = Facts {
                receipt_fits: false,
                ..facts(*status)
            };
            assert_eq!(acknowledge(&forged, NOW), Acknowledged::Forged, "{status}");
        }
    }

    #[test]
    fn what_ended_is_neither_delivered_cancelled_nor_overdue() {
        for status in CommandStatus::ALL {
            assert_eq!(delivered(*status).is_none(), status.is_ended(), "{status}");
            assert!(!(may_cancel(*status) && status.is_ended()), "{status}");
            assert_eq!(is_overdue(*status, NOW, NOW), !status.is_ended(), "{status}");
        }
    }

    #[test]
    fn a_door_is_not_ordered_open_for_long() {
        for kind in CommandKind::ALL {
            assert!(CommandKind::OpenCompartment.life() <= kind.life() || *kind == CommandKind::RejectItem);
        }
    }
}
