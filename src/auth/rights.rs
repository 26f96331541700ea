//! Who may do what: the one table of role × right, for every adapter.
//!
//! A grant gives a role for a unit and everything below it. How far that reaches is a question to the unit tree,
//! which is passed in as a closure. Readers and devices hold no grants; what they may do at all is listed beside
//! the table, and that a reader acts for nobody but itself is checked where the record is at hand.
//!
//! Not here: the rules of lending. A right says that a caller may ask for a check-out, not that it is allowed.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// What a staff member is in a unit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    System,
    UnitManager,
    Librarian,
    Cataloguer,
    Courier,
    Cashier,
    Auditor,
    ReadOnly,
}

impl Role {
    /// In the order of the columns of the table below.
    pub const ALL: [Self; 8] = [
        Self::System,
        Self::UnitManager,
        Self::Librarian,
        Self::Cataloguer,
        Self::Courier,
        Self::Cashier,
        Self::Auditor,
        Self::ReadOnly,
    ];

    /// The name in the database, in tokens and in the API.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::System => "system",
            Self::UnitManager => "unit_manager",
            Self::Librarian => "librarian",
            Self::Cataloguer => "cataloguer",
            Self::Courier => "courier",
            Self::Cashier => "cashier",
            Self::Auditor => "auditor",
            Self::ReadOnly => "read_only",
        }
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("there is no role of that name")]
pub struct UnknownRole;

impl FromStr for Role {
    type Err = UnknownRole;

    fn from_str(name: &str) -> Result<Self, UnknownRole> {
        let mut all = Self::ALL.into_iter();
        all.find(|role| role.as_str() == name).ok_or(UnknownRole)
    }
}

/// A role, for a unit and everything below it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Grant {
    pub role: Role,
    pub unit: i64,
}

/// One kind of thing to be done. Several operations may need the same one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Right {
    /// listUnits, getUnit, listCollections, listItemTypes, listReaderCategories, explainCalendar, listStops, nextStops,
    /// getUnitSending, listTransportCosts
    ReadUnits,
    /// createUnit, updateUnit, moveUnit (at both places), setUnitHours, addClosedDays, removeClosedDays, addOpenings,
    /// removeOpenings, addAmnesty, listAmnesties, removeAmnesty, closeUnits, undoClosing, listClosings, importCalendar, setStops,
    /// setCollection, setReturnPolicy, setPacking, setUnitSending; at the root: setItemType, setReaderCategory, setTransportCost
    ManageUnits,
    /// createStaff, listStaff, updateStaff, setStaffPassword
    ManageStaff,
    /// registerReader, recordIdNumber, addGuardian, endGuardianship; setPin, revokeCardTokens of a reader (readers their own)
    RegisterReader,
    /// issueCard, reportCardFound, renewCard, replaceCard, cancelCard
    ManageCards,
    /// reportCardLost (readers their own)
    ReportCardLost,
    /// mergeReaders
    MergeReaders,
    /// getReader
    ReadReader,
    /// listReaderLoans, listReaderHolds, getHold: what a person reads is more private than that they are a reader.
    ReadBorrowing,
    /// listReaderLoans, listReaderHolds, where they show what has ended; of staff for a reason only.
    ReadHistory,
    /// searchBibs, getBib, listBibItems, getItem; of staff also listBibVersions and getBibVersion, which say who changed a record
    ReadCatalogue,
    /// createBib, updateBib, mergeBibs, addItem, updateItem, moveItem, withdrawItem, reinstateItem, itemBatch: cataloguers' work;
    /// createDeposit, updateDeposit, recallDeposit: over the stock of the unit they are from
    ManageItems,
    /// checkOut, openCardSession, listCardRevocations
    CheckOut,
    /// checkIn
    CheckIn,
    /// renewLoan
    Renew,
    /// voidLoan, listUnconfirmedLoans
    VoidLoan,
    /// confirmLoan; who may not void besides (couriers) says it of what a door was opened to them for.
    ConfirmLoan,
    /// placeHold, requestDelivery, announceReturn
    PlaceHold,
    /// cancelHold
    CancelHold,
    /// listBibHolds, reorderHold, listPullList, refusePull, listHoldShelf, listShelfClearings
    ManageHolds,
    /// listTransits, listIncoming, listShipments, getShipment, getShipmentLabel, getShipmentSlip, listRoutes, reportFlows, listTransfers,
    /// getTransfer, listDeposits, getDeposit, listDepositCopies
    ReadTransits,
    /// receiveTransit, receiveShipment, openCompartment, loadCompartment, unloadCompartment, startLoadingRound
    ReceiveTransit,
    /// Going on in spite of a refusal that staff may override, with a written reason.
    OverrideRefusal,
    /// explainRule (readers about themselves only), and of staff listRuleSets, getRuleSet, exportRuleSet
    ExplainRule,
    /// listJobs
    ReadJobs,
    /// openCrate, packItem, unpackItem, closeCrate, sendCrate, cancelCrate
    PackCrates,
    /// listMyStops, loadShipments, handOverShipments
    DriveRoutes,
    /// setRoute
    ManageRoutes,
    /// proposeTransfer, acceptTransfer, declineTransfer, withdrawTransfer: moving what a library owns.
    TransferItems,
    /// createRuleDraft, listRuleDrafts, getRuleDraft, updateRuleDraft, discardRuleDraft, validateRuleDraft,
    /// previewRules, previewRuleMatrix: at the unit whose rules they are, at the root for the network's
    DraftRules,
    /// publishRules, rollBackRules, withdrawRuleSet: there, too
    PublishRules,
    /// reportMissing, reportDamaged, startProcessing, finishProcessing, finishRepair, where the item is
    MindItems,
    /// reportClaimedReturned
    ClaimReturned,
    /// rejectClaim, declareLost, recallItem
    SettleLoan,
    /// listPackingList, packParcel, dispatchParcel, listParcels, getParcel, receiveParcel, giveUpParcel
    HandleParcels,
    /// getReaderCredit, listReaderCreditEntries, getReaderAdmission; of readers getMyCredit, listMyCreditEntries, getMyAdmission
    ReadCredit,
    /// postCreditEntry, reverseCreditEntry, freezeReader, thawReader, listCreditAppeals, decideCreditAppeal, admitReader
    ManageCredit,
    /// appealMyCreditEntry, askMyAdmission, agreeMyAdmission, endMyAdmission
    AppealCredit,
    /// registerDevice
    RegisterDevices,
    /// approveDevice, configureDevice, suspendDevice, retireDevice, rotateDeviceSecret, sendCommand, setCompartments, setBins
    ManageDevices,
    /// listDevices, getDevice, listCommands, listDeviceAlarms, listCompartments, getBins; of devices their own
    ReadDevices,
    /// What devices do for themselves: heartbeat, pullCommands, checkGateExit, startLockerSession, uploadJournal and the like
    OperateDevice,
    /// settleCompartment, settleDeviceAlarm, listGateAlarms, listConflicts, resolveConflict, listQuarantine, settleQuarantine
    SettleMachines,
}

impl Right {
    pub const ALL: [Self; 43] = [
        Self::ReadUnits,
        Self::ManageUnits,
        Self::ManageStaff,
        Self::RegisterReader,
        Self::ManageCards,
        Self::ReportCardLost,
        Self::MergeReaders,
        Self::ReadReader,
        Self::ReadBorrowing,
        Self::ReadHistory,
        Self::ReadCatalogue,
        Self::ManageItems,
        Self::CheckOut,
        Self::CheckIn,
        Self::Renew,
        Self::VoidLoan,
        Self::ConfirmLoan,
        Self::PlaceHold,
        Self::CancelHold,
        Self::ManageHolds,
        Self::ReadTransits,
        Self::ReceiveTransit,
        Self::OverrideRefusal,
        Self::ExplainRule,
        Self::ReadJobs,
        Self::PackCrates,
        Self::DriveRoutes,
        Self::ManageRoutes,
        Self::TransferItems,
        Self::DraftRules,
        Self::PublishRules,
        Self::MindItems,
        Self::ClaimReturned,
        Self::SettleLoan,
        Self::HandleParcels,
        Self::ReadCredit,
        Self::ManageCredit,
        Self::AppealCredit,
        Self::RegisterDevices,
        Self::ManageDevices,
        Self::ReadDevices,
        Self::OperateDevice,
        Self::SettleMachines,
    ];
}

/// The table. A new right without a line, or a new role without a column, does not compile.
#[must_use]
#[rustfmt::skip]
pub const fn allows(role: Role, right: Right) -> bool {
    const Y: bool = true;
    const N: bool = false;
    let row: [bool; Role::ALL.len()] = match right {
        //                     system manager librarian cataloguer courier cashier auditor read_only
        Right::ReadUnits       => [Y, Y, Y, Y, Y, Y, Y, Y],
        Right::ManageUnits     => [Y, Y, N, N, N, N, N, N],
        Right::ManageStaff     => [Y, Y, N, N, N, N, N, N],
        Right::RegisterReader  => [Y, Y, Y, N, N, N, N, N],
        Right::ManageCards     => [Y, Y, Y, N, N, N, N, N],
        Right::ReportCardLost  => [Y, Y, Y, N, N, N, N, N],
        Right::MergeReaders    => [Y, Y, N, N, N, N, N, N],
        Right::ReadReader      => [Y, Y, Y, N, N, Y, N, N],
        Right::ReadBorrowing   => [Y, Y, Y, N, N, N, N, N],
        Right::ReadHistory     => [Y, Y, N, N, N, N, N, N],
        Right::ReadCatalogue   => [Y, Y, Y, Y, Y, Y, Y, Y],
        Right::ManageItems     => [Y, Y, N, Y, N, N, N, N],
        Right::CheckOut        => [Y, Y, Y, N, N, N, N, N],
        Right::CheckIn         => [Y, Y, Y, N, N, N, N, N],
        Right::Renew           => [Y, Y, Y, N, N, N, N, N],
        Right::VoidLoan        => [Y, Y, Y, N, N, N, N, N],
        Right::ConfirmLoan     => [Y, Y, Y, N, Y, N, N, N],
        Right::PlaceHold       => [Y, Y, Y, N, N, N, N, N],
        Right::CancelHold      => [Y, Y, Y, N, N, N, N, N],
        Right::ManageHolds     => [Y, Y, Y, N, N, N, N, N],
        Right::ReadTransits    => [Y, Y, Y, N, Y, N, Y, Y],
        Right::ReceiveTransit  => [Y, Y, Y, N, Y, N, N, N],
        Right::OverrideRefusal => [Y, Y, Y, N, N, N, N, N],
        Right::ExplainRule     => [Y, Y, Y, Y, N, Y, Y, Y],
        Right::ReadJobs        => [Y, Y, N, N, N, N, Y, N],
        Right::PackCrates      => [Y, Y, Y, N, Y, N, N, N],
        Right::DriveRoutes     => [Y, Y, N, N, Y, N, N, N],
        Right::ManageRoutes    => [Y, Y, N, N, N, N, N, N],
        Right::TransferItems   => [Y, Y, N, N, N, N, N, N],
        Right::DraftRules      => [Y, Y, Y, N, N, N, N, N],
        Right::PublishRules    => [Y, Y, N, N, N, N, N, N],
        Right::MindItems       => [Y, Y, Y, Y, N, N, N, N],
        Right::ClaimReturned   => [Y, Y, Y, N, N, N, N, N],
        Right::SettleLoan      => [Y, Y, Y, N, N, N, N, N],
        Right::HandleParcels   => [Y, Y, Y, N, N, N, N, N],
        Right::ReadCredit      => [Y, Y, Y, N, N, N, N, N],
        Right::ManageCredit    => [Y, Y, Y, N, N, N, N, N],
        Right::AppealCredit    => [N, N, N, N, N, N, N, N],
        Right::RegisterDevices => [Y, Y, Y, N, N, N, N, N],
        Right::ManageDevices   => [Y, Y, N, N, N, N, N, N],
        Right::ReadDevices     => [Y, Y, Y, N, Y, N, Y, N],
        Right::OperateDevice   => [N, N, N, N, N, N, N, N],
        Right::SettleMachines  => [Y, Y, Y, N, N, N, N, N],
    };
    row[role as usize]
}

/// What a reader may do at all, for itself.
#[must_use]
pub const fn reader_may(right: Right) -> bool {
    match right {
        Right::ReadUnits
        | Right::ReadCatalogue
        | Right::ReadReader
        | Right::ReadBorrowing
        | Right::ReadHistory
        | Right::Renew
        | Right::PlaceHold
        | Right::CancelHold
        | Right::ClaimReturned
        | Right::ReportCardLost
        | Right::ReadCredit
        | Right::AppealCredit => true,
        Right::ManageUnits
        | Right::ManageStaff
        | Right::RegisterReader
        | Right::ManageCards
        | Right::MergeReaders
        | Right::ManageItems
        | Right::CheckOut
        | Right::CheckIn
        | Right::VoidLoan
        | Right::ConfirmLoan
        | Right::ManageHolds
        | Right::ReadTransits
        | Right::ReceiveTransit
        | Right::OverrideRefusal
        | Right::ReadJobs
        | Right::PackCrates
        | Right::DriveRoutes
        | Right::ManageRoutes
        | Right::TransferItems
        | Right::DraftRules
        | Right::PublishRules
        | Right::ExplainRule
        | Right::MindItems
        | Right::SettleLoan
        | Right::HandleParcels
        | Right::ManageCredit
        | Right::RegisterDevices
        | Right::ManageDevices
        | Right::ReadDevices
        | Right::OperateDevice
        | Right::SettleMachines => false,
    }
}

/// What a device may do at all, at its unit. It voids the loan whose door did not open; it overrides nothing.
#[must_use]
pub const fn device_may(right: Right) -> bool {
    match right {
        Right::ReadUnits
        | Right::ReadCatalogue
        | Right::CheckOut
        | Right::CheckIn
        | Right::Renew
        | Right::VoidLoan
        | Right::ConfirmLoan
        | Right::ReadDevices
        | Right::OperateDevice => true,
        Right::ManageUnits
        | Right::ManageStaff
        | Right::RegisterReader
        | Right::ManageCards
        | Right::ReportCardLost
        | Right::MergeReaders
        | Right::ReadReader
        | Right::ReadBorrowing
        | Right::ReadHistory
        | Right::ManageItems
        | Right::PlaceHold
        | Right::CancelHold
        | Right::ManageHolds
        | Right::ReadTransits
        | Right::ReceiveTransit
        | Right::OverrideRefusal
        | Right::ExplainRule
        | Right::ReadJobs
        | Right::PackCrates
        | Right::DriveRoutes
        | Right::ManageRoutes
        | Right::TransferItems
        | Right::DraftRules
        | Right::PublishRules
        | Right::MindItems
        | Right::ClaimReturned
        | Right::SettleLoan
        | Right::HandleParcels
        | Right::ReadCredit
        | Right::ManageCredit
        | Right::AppealCredit
        | Right::RegisterDevices
        | Right::ManageDevices
        | Right::SettleMachines => false,
    }
}

/// Whether one of `grants` gives `right` where it is wanted. `covers` says whether the place in question is the
/// given unit or lies below it.
///
/// ```
/// # use tongjie::auth::rights::{Grant, Right, Role, granted};
/// let grants = [Grant { role: Role::Librarian, unit: 7 }];
/// assert!(granted(&grants, Right::CheckOut, |unit| unit == 7));
/// assert!(!granted(&grants, Right::CheckOut, |unit| unit == 8));
/// assert!(!granted(&grants, Right::ManageUnits, |_| true));
/// ```
#[must_use]
pub fn granted(grants: &[Grant], right: Right, covers: impl Fn(i64) -> bool) -> bool {
    grants
        .iter()
        .any(|grant| allows(grant.role, right) && covers(grant.unit))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The table as it is published in the documentation; change both together.
    const MATRIX: &str = "\
right           system unit_manager librarian cataloguer courier cashier auditor read_only | reader device
ReadUnits            x            x         x          x       x       x       x         x |      x      x
ManageUnits          x            x         -          -       -       -       -         - |      -      -
ManageStaff          x            x         -          -       -       -       -         - |      -      -
RegisterReader       x            x         x          -       -       -       -         - |      -      -
ManageCards          x            x         x          -       -       -       -         - |      -      -
ReportCardLost       x            x         x          -       -       -       -         - |      x      -
MergeReaders         x            x         -          -       -       -       -         - |      -      -
ReadReader           x            x         x          -       -       x       -         - |      x      -
ReadBorrowing        x            x         x          -       -       -       -         - |      x      -
ReadHistory          x            x         -          -       -       -       -         - |      x      -
ReadCatalogue        x            x         x          x       x       x       x         x |      x      x
ManageItems          x            x         -          x       -       -       -         - |      -      -
CheckOut             x            x         x          -       -       -       -         - |      -      x
CheckIn              x            x         x          -       -       -       -         - |      -      x
Renew                x            x         x          -       -       -       -         - |      x      x
VoidLoan             x            x         x          -       -       -       -         - |      -      x
ConfirmLoan          x            x         x          -       x       -       -         - |      -      x
PlaceHold            x            x         x          -       -       -       -         - |      x      -
CancelHold           x            x         x          -       -       -       -         - |      x      -
ManageHolds          x            x         x          -       -       -       -         - |      -      -
ReadTransits         x            x         x          -       x       -       x         x |      -      -
ReceiveTransit       x            x         x          -       x       -       -         - |      -      -
OverrideRefusal      x            x         x          -       -       -       -         - |      -      -
ExplainRule          x            x         x          x       -       x       x         x |      -      -
ReadJobs             x            x         -          -       -       -       x         - |      -      -
PackCrates           x            x         x          -       x       -       -         - |      -      -
DriveRoutes          x            x         -          -       x       -       -         - |      -      -
ManageRoutes         x            x         -          -       -       -       -         - |      -      -
TransferItems        x            x         -          -       -       -       -         - |      -      -
DraftRules           x            x         x          -       -       -       -         - |      -      -
PublishRules         x            x         -          -       -       -       -         - |      -      -
MindItems            x            x         x          x       -       -       -         - |      -      -
ClaimReturned        x            x         x          -       -       -       -         - |      x      -
SettleLoan           x            x         x          -       -       -       -         - |      -      -
HandleParcels        x            x         x          -       -       -       -         - |      -      -
ReadCredit           x            x         x          -       -       -       -         - |      x      -
ManageCredit         x            x         x          -       -       -       -         - |      -      -
AppealCredit         -            -         -          -       -       -       -         - |      x      -
RegisterDevices      x            x         x          -       -       -       -         - |      -      -
ManageDevices        x            x         -          -       -       -       -         - |      -      -
ReadDevices          x            x         x          -       x       -       x         - |      -      x
OperateDevice        -            -         -          -       -       -       -         - |      -      x
SettleMachines       x            x         x          -       -       -       -         - |      -      -
";

    #[test]
    fn the_matrix_is_the_published_one() {
        let mut printed = String::from("right          ");
        for role in Role::ALL {
            printed += &format!(" {role}");
        }
        printed += " | reader device\n";
        let mark = |allowed: bool| if allowed { 'x' } else { '-' };
        for right in Right::ALL {
            printed += &format!("{:<15}", format!("{right:?}"));
            for role in Role::ALL {
                printed += &format!(" {:>width$}", mark(allows(role, right)), width = role.as_str().len());
            }
            printed += &format!(" | {:>6} {:>6}\n", mark(reader_may(right)), mark(device_may(right)));
        }
        assert_eq!(printed, MATRIX, "\n{printed}");
    }

    #[test]
    fn names_are_the_same_everywhere() {
        for (position, role) in Role::ALL.into_iter().enumerate() {
            assert_eq!(role as usize, position, "the order of the columns");
            assert_eq!(role.as_str().parse(), Ok(role));
            assert_eq!(serde_json::to_value(role).expect("serialises"), role.as_str());
        }
        assert_eq!("Librarian".parse::<Role>(), Err(UnknownRole));
    }

    #[test]
    fn a_grant_counts_only_where_it_reaches() {
        let grants = [
            Grant {
                role: Role::Courier,
                unit: 1,
            },
            Grant {
                role: Role::Librarian,
                unit: 2,
            },
        ];
        assert!(granted(&grants, Right::ReceiveTransit, |unit| unit == 1));
        assert!(!granted(&grants, Right::CheckOut, |unit| unit == 1));
        assert!(granted(&grants, Right::CheckOut, |unit| unit == 2));
        assert!(!granted(&[], Right::ReadUnits, |_| true));
    }
}
