//! A tag passes the gate on its way out: let it pass, or alarm, and why. The table is printed in docs/DEVICES.md.
//! Not for: who carries it. A gate asks about a book, never about a person.

use std::fmt::Write;

use super::item::ItemStatus;
use super::two_phase::LoanPhase;
use super::words::words;

words! {
    /// What the gate does.
    ExitDecision:
    Allow = "allow",
    Alarm = "alarm";

    /// Why.
    ExitReason:
    Lent = "lent",
    LentUnconfirmed = "lent_unconfirmed",
    ClaimedReturned = "claimed_returned",
    LentOfflinePerhaps = "lent_offline_perhaps",
    NotLent = "not_lent",
    OnHoldShelf = "on_hold_shelf",
    UnderWay = "under_way",
    LostFound = "lost_found",
    NotStock = "not_stock",
    NotOurs = "not_ours",
    Ambiguous = "ambiguous",
    RecordFault = "record_fault";

    /// What the security bit of the tag says, AFI or EAS.
    TagBit:
    /// In the house.
    Secured = "secured",
    /// Lent.
    Released = "released",
    /// Not read, or the network uses none.
    Unknown = "unknown";

    /// Who has decided about a passage.
    DecidedBy:
    /// We did; the gate tells it again, in case it was lost with a node.
    Asked = "asked",
    /// The gate itself: nobody answered.
    Locally = "locally";

    /// What became of an alarm.
    AlarmOutcome:
    Stopped = "stopped",
    /// It was no reason to alarm.
    Mistaken = "mistaken",
    LetGo = "let_go",
    NobodySeen = "nobody_seen";
}

impl ExitReason {
    /// What the gate does for it.
    pub const fn decision(self) -> ExitDecision {
        match self {
            Self::Lent
            | Self::LentUnconfirmed
            | Self::LentOfflinePerhaps
            | Self::UnderWay
            | Self::NotStock
            | Self::NotOurs
            | Self::Ambiguous
            | Self::RecordFault => ExitDecision::Allow,
            Self::ClaimedReturned | Self::NotLent | Self::OnHoldShelf | Self::LostFound => ExitDecision::Alarm,
        }
    }

    /// Kept for a person: alarms, and what was let pass with a doubt.
    pub const fn is_kept(self) -> bool {
        matches!(self.decision(), ExitDecision::Alarm) || matches!(self, Self::LentOfflinePerhaps | Self::RecordFault)
    }

    /// When, for docs/DEVICES.md.
    const fn when(self) -> &'static str {
        match self {
            Self::Lent => "it is on loan",
            Self::LentUnconfirmed => "a machine has reserved it for a reader, or has not said whether it was taken",
            Self::ClaimedReturned => "its reader says it was given back, and here it goes out",
            Self::LentOfflinePerhaps => {
                "it is not on loan, but its tag says lent and a machine of this unit has not reported for a while"
            }
            Self::NotLent => "it is in the house and not on loan",
            Self::OnHoldShelf => "it is set aside for somebody",
            Self::UnderWay => "it is in a crate that has left: a courier",
            Self::LostFound => "it counts as missing or lost",
            Self::NotStock => "it was withdrawn",
            Self::NotOurs => "no item has this tag: another library's book",
            Self::Ambiguous => "the barcode means several items",
            Self::RecordFault => "its records contradict each other: no reason to stop a reader",
        }
    }
}

/// One item as the gate's question finds it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ItemSeen {
    pub status: ItemStatus,
    pub has_open_loan: bool,
    /// Of a loan at a machine.
    pub phase: Option<LoanPhase>,
}

/// What has that tag or barcode.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Found {
    Nothing,
    One(ItemSeen),
    Several,
}

/// Everything the decision reads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Facts {
    pub found: Found,
    pub bit: TagBit,
    /// A device of this unit that lends offline is silent, or has acts that are not uploaded.
    pub offline_here: bool,
}

/// Decides an exit. An open loan lets pass whatever else is said: it was committed before anybody was told of it.
///
/// ```
/// use tongjie::domain::gate_exit::{ExitReason, Facts, Found, ItemSeen, TagBit, decide};
/// use tongjie::domain::item::ItemStatus;
/// let shelved = ItemSeen { status: ItemStatus::OnShelf, has_open_loan: false, phase: None };
/// let facts = Facts { found: Found::One(shelved), bit: TagBit::Unknown, offline_here: false };
/// assert_eq!(decide(&facts), ExitReason::NotLent);
/// let lent = ItemSeen { status: ItemStatus::OnLoan, has_open_loan: true, phase: None };
/// assert_eq!(decide(&Facts { found: Found::One(lent), ..facts }), ExitReason::Lent);
/// ```
pub const fn decide(facts: &Facts) -> ExitReason {
    let item = match facts.found {
        Found::Nothing => return ExitReason::NotOurs,
        Found::Several => return ExitReason::Ambiguous,
        Found::One(item) => item,
    };
    if item.has_open_loan {
        return match (item.status, item.phase) {
            (ItemStatus::ClaimedReturned, _) => ExitReason::ClaimedReturned,
            (_, Some(LoanPhase::Reserved | LoanPhase::Unconfirmed)) => ExitReason::LentUnconfirmed,
            _ => ExitReason::Lent,
        };
    }
    let in_the_house = match item.status {
        ItemStatus::Withdrawn => return ExitReason::NotStock,
        ItemStatus::InTransit => return ExitReason::UnderWay,
        ItemStatus::OnLoan | ItemStatus::ClaimedReturned => return ExitReason::RecordFault,
        ItemStatus::OnHoldShelf => ExitReason::OnHoldShelf,
        ItemStatus::Missing | ItemStatus::Lost => ExitReason::LostFound,
        ItemStatus::OnShelf
        | ItemStatus::AwaitingDispatch
        | ItemStatus::InProcessing
        | ItemStatus::Damaged
        | ItemStatus::NeedsAttention => ExitReason::NotLent,
    };
    if facts.offline_here && matches!(facts.bit, TagBit::Released) {
        ExitReason::LentOfflinePerhaps
    } else {
        in_the_house
    }
}

/// What a gate does by itself when nobody answers: its own bit, and let pass where it says nothing. Nobody is locked in by a
/// server that is down.
pub const fn decide_locally(bit: TagBit) -> ExitDecision {
    match bit {
        TagBit::Secured => ExitDecision::Alarm,
        TagBit::Released | TagBit::Unknown => ExitDecision::Allow,
    }
}

/// The table as docs/DEVICES.md has it.
pub fn table() -> String {
    let mut text = String::from("| reason | decision | when |\n|---|---|---|\n");
    for reason in ExitReason::ALL {
        let _ = writeln!(text, "| `{reason}` | {} | {} |", reason.decision(), reason.when());
    }
    text
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use proptest::sample::select;

    use super::*;

    fn asked(status: ItemStatus, has_open_loan: bool) -> Facts {
        Facts {
            found: Found::One(ItemSeen {
                status,
                has_open_loan,
                phase: None,
            }),
            bit: TagBit::Unknown,
            offline_here: false,
        }
    }

    #[test]
    fn the_documentation_has_the_table_of_the_code() {
        let (page, table) = (include_str!("../../docs/DEVICES.md"), table());
        assert!(page.contains(&table), "docs/DEVICES.md should have\n\n{table}");
    }

    #[test]
    fn each_state_of_an_item_without_a_loan() {
        for (status, reason) in [
            (ItemStatus::OnShelf, ExitReason::NotLent),
            (ItemStatus::OnLoan, ExitReason::RecordFault),
            (ItemStatus::AwaitingDispatch, ExitReason::NotLent),
            (ItemStatus::InTransit, ExitReason::UnderWay),
            (ItemStatus::OnHoldShelf, ExitReason::OnHoldShelf),
            (ItemStatus::InProcessing, ExitReason::NotLent),
            (ItemStatus::Damaged, ExitReason::NotLent),
            (ItemStatus::NeedsAttention, ExitReason::NotLent),
            (ItemStatus::Missing, ExitReason::LostFound),
            (ItemStatus::Lost, ExitReason::LostFound),
            (ItemStatus::ClaimedReturned, ExitReason::RecordFault),
            (ItemStatus::Withdrawn, ExitReason::NotStock),
        ] {
            assert_eq!(decide(&asked(status, false)), reason, "{}", status.code());
        }
    }

    #[test]
    fn what_is_no_item_of_ours_passes() {
        let facts = asked(ItemStatus::OnShelf, false);
        let of = |found| decide(&Facts { found, ..facts });
        assert_eq!(of(Found::Nothing), ExitReason::NotOurs);
        assert_eq!(of(Found::Several), ExitReason::Ambiguous);
    }

    #[test]
    fn the_bit_of_a_tag_counts_only_while_somebody_may_have_lent_offline() {
        let facts = asked(ItemStatus::OnShelf, false);
        for (bit, offline_here, reason) in [
            (TagBit::Released, true, ExitReason::LentOfflinePerhaps),
            (TagBit::Released, false, ExitReason::NotLent),
            (TagBit::Secured, true, ExitReason::NotLent),
            (TagBit::Unknown, true, ExitReason::NotLent),
        ] {
            let decided = decide(&Facts {
                bit,
                offline_here,
                ..facts
            });
            assert_eq!(decided, reason, "{bit} {offline_here}");
        }
    }

    #[test]
    fn alone_a_gate_alarms_only_at_a_secured_tag() {
        for bit in TagBit::ALL {
            let alarms = decide_locally(*bit) == ExitDecision::Alarm;
            assert_eq!(alarms, *bit == TagBit::Secured, "{bit}");
        }
    }

    proptest! {
        #[test]
        fn a_loan_that_nobody_disputes_is_never_alarmed(
            status in select(ItemStatus::ALL.to_vec()),
            phase in select(vec![None, Some(LoanPhase::Reserved), Some(LoanPhase::Unconfirmed), Some(LoanPhase::Confirmed)]),
            bit in select(TagBit::ALL), offline_here in any::<bool>(),
        ) {
            let found = Found::One(ItemSeen { status, has_open_loan: true, phase });
            let reason = decide(&Facts { found, bit, offline_here });
            let disputed = status == ItemStatus::ClaimedReturned;
            prop_assert_eq!(reason.decision() == ExitDecision::Alarm, disputed);
        }

        #[test]
        fn a_book_just_returned_is_always_alarmed(bit in select(vec![TagBit::Secured, TagBit::Unknown]), offline_here in any::<bool>(),
            status in select(vec![ItemStatus::OnShelf, ItemStatus::OnHoldShelf, ItemStatus::AwaitingDispatch])) {
            let found = Found::One(ItemSeen { status, has_open_loan: false, phase: Some(LoanPhase::Confirmed) });
            let reason = decide(&Facts { found, bit, offline_here });
            prop_assert_eq!(reason.decision(), ExitDecision::Alarm);
            prop_assert!(reason.is_kept());
        }
    }
}
