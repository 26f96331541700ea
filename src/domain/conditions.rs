//! Where each refusal is found: the rows of docs/CIRCULATION.md. Beside it what the table of refusals does not hold: what
//! happens by itself, what is answered before the rules are asked, and what waits for a part that is not there yet.
//! Not for: texts and outcomes of refusals, which are in `refusal_table`.

use super::refusal::{Code, Outcome, Verb};

/// The decisions in which a code is found. A test holds it against what the decisions really find.
#[rustfmt::skip]
pub const fn found_at(code: Code) -> &'static [Verb] {
    use Verb::{CancelHold, ChangeHold, CheckIn, CheckOut, HandOver, OpenCard, PackItem, PlaceHold, Renew, VoidLoan};
    match code {
        Code::CardTokenInvalid | Code::CardTokenExpired | Code::CardTokenEarly | Code::CardTokenOtherUnit
        | Code::CardTokenUsed | Code::CardTokenRevoked => &[CheckOut, OpenCard],
        Code::CardLost | Code::CardReplaced | Code::CardCancelled | Code::CardNotIssued | Code::CardExpired => {
            &[CheckOut, Renew, PlaceHold, OpenCard]
        }
        Code::ReaderInactive | Code::Barred | Code::ManualBlock | Code::CreditFrozen | Code::CategoryUnknown | Code::OverdueItems
        | Code::TooManyOverdue => &[CheckOut, Renew, PlaceHold],
        Code::ReaderSuspended => &[CheckOut, CheckIn, Renew, PlaceHold],
        Code::UnitUnknown | Code::ItemDataFault | Code::ItemInProcessing | Code::ItemAlert | Code::ItemFoundElsewhere
        | Code::CountParts | Code::PartOfBoundSet => &[CheckOut, CheckIn],
        Code::ItemDamaged | Code::ItemNeedsAttention | Code::ItemWithdrawn => &[CheckOut, CheckIn, PlaceHold],
        Code::ItemLost | Code::ItemClaimedReturned => &[CheckOut, Renew, PlaceHold],
        Code::DueWithoutRight | Code::DueInPast | Code::CardExpiresBeforeDue | Code::WantedByOthers | Code::Recalled
        | Code::ReadingRoomOnly | Code::LoanUnconfirmed => &[CheckOut, Renew],
        Code::UnitInactive | Code::AdultOnlyUnit => &[CheckOut, PlaceHold, ChangeHold],
        Code::NotForChildren | Code::HasDebt | Code::DebtOverLimit
        | Code::BelowAge | Code::AgeUnknown | Code::OwnerNotForReader | Code::ItemMissing | Code::ItemNotForLoan
        | Code::BibAlreadyOnLoan | Code::StaysLocal | Code::EntryGate | Code::EntryDeposit
        | Code::GuardianConsentMissing => &[CheckOut, PlaceHold],
        Code::UnitDoesNotLend | Code::ItemTypeUnknown | Code::OlderThanLastEvent | Code::ReaderNote
        | Code::CategoryOutgrown | Code::LimitLoans | Code::LimitItemType | Code::LimitOwner | Code::LimitUnit
        | Code::LimitChannel | Code::LimitSession | Code::LimitCreditBand | Code::LimitIsZero
        | Code::OnLoanNotReturnableHere | Code::NotLendableByRule | Code::ItemInTransit | Code::OnLoanToSameReader
        | Code::OnLoanToOther | Code::HeldOnShelfForOther | Code::CapturedForOther | Code::OthersWaiting
        | Code::LoanShortened | Code::OwnHoldElsewhere | Code::ItemRestricted | Code::ReadingRoomLimit
        | Code::CopiesToHolds | Code::ProxyNotLinked => &[CheckOut],
        Code::NotReturnableHere | Code::ClaimUnresolved | Code::LostFound | Code::MissingFound | Code::AlreadyOnShelf
        | Code::HoldMatched | Code::ReturnedOverdue | Code::ReturnTimeAdjusted | Code::TransitRepaired
        | Code::ScannedTwice | Code::TransitFound | Code::RecallMatched => &[CheckIn],
        Code::NotOnLoan => &[CheckIn, Renew, VoidLoan],
        Code::LoanOfAnother | Code::NotRenewable | Code::RenewalLimit | Code::RenewalTooSoon | Code::LoanOverdue
        | Code::NotLater | Code::OutsideFixedTerm => &[Renew],
        Code::LimitHolds | Code::LimitHoldsPerBib | Code::LimitHoldsPerDay | Code::ItemNotOfBib | Code::AlreadyHeld
        | Code::BibAlreadyHeld | Code::NotHoldable | Code::CopyOnShelfHere | Code::NotAPackingUnit
        | Code::DeliveryNotAllowed | Code::HoldKindNotAllowed | Code::CompartmentUnfit => &[PlaceHold],
        Code::PickupUnknown | Code::NotAPickupPoint | Code::HoldDatesInvalid | Code::NoCopyCanFill | Code::HomeOnly
        | Code::NewItemProtected => {
            &[PlaceHold, ChangeHold]
        }
        Code::HoldNotOpen | Code::HoldOfAnother => &[CancelHold, ChangeHold],
        Code::HoldAlreadyCaptured | Code::HoldForDelivery => &[ChangeHold],
        Code::NotTravelling | Code::WaitsElsewhere | Code::PackedAlready | Code::WrongCrate | Code::CrateFull => {
            &[PackItem]
        }
        Code::CrateForElsewhere => &[HandOver],
        Code::VoidTooLate => &[VoidLoan],
    }
}

/// A condition that is decided once the part it belongs to is there.
#[derive(Debug, Clone, Copy)]
pub struct Pending {
    pub code: &'static str,
    pub at: &'static [Verb],
    pub outcome: Outcome,
    /// The part it waits for.
    pub waits_for: &'static str,
    /// Chinese message and remedy.
    pub zh: [&'static str; 2],
    /// English message and remedy.
    pub en: [&'static str; 2],
}

/// Something that happens by itself.
#[derive(Debug, Clone, Copy)]
pub struct ByItself {
    pub name: &'static str,
    pub at: &'static [Verb],
    pub zh: &'static str,
    pub en: &'static str,
    /// The member of the answer, the refusal told or the event that shows it.
    pub seen_in: &'static str,
}

pub use super::conditions_table::{BEFORE_THE_RULES, BY_ITSELF, PENDING};
