//! The kinds of events and the coarse traits they keep of a reader.
//! Not for: writing or sealing events. An event keeps an age band, never a birth date.

use chrono::{Datelike, NaiveDate};

use super::words::words;

words! {
    /// What happened.
    EventKind:
    LoanMade = "loan_made",
    LoanReturned = "loan_returned",
    LoanRenewed = "loan_renewed",
    /// The job could not renew it; told once for each due date.
    LoanNotRenewed = "loan_not_renewed",
    /// Its due date passed; told once for each due date.
    LoanOverdue = "loan_overdue",
    /// Undone, not returned: it does not count in statistics.
    LoanVoided = "loan_voided",
    /// The reader says that it was given back.
    LoanClaimedReturned = "loan_claimed_returned",
    /// Staff do not believe it: the loan goes on.
    ClaimRejected = "claim_rejected",
    /// Wanted back before its time.
    LoanRecalled = "loan_recalled",
    /// The item will not come back from its reader.
    LoanLost = "loan_lost",
    /// Used in the unit without a loan.
    LocalUse = "local_use",
    HoldPlaced = "hold_placed",
    HoldCaptured = "hold_captured",
    /// A captured hold lost its item and waits again.
    HoldReleased = "hold_released",
    HoldFilled = "hold_filled",
    HoldCancelled = "hold_cancelled",
    HoldExpired = "hold_expired",
    /// The copy stands at its number on the hold shelf of the pickup unit: the reader may be told.
    HoldReady = "hold_ready",
    HoldSuspended = "hold_suspended",
    HoldResumed = "hold_resumed",
    /// Another pickup unit.
    HoldRedirected = "hold_redirected",
    /// Staff gave it another place in the queue.
    HoldReordered = "hold_reordered",
    /// A unit will not or cannot fetch a copy from its shelf.
    PullRefused = "pull_refused",
    DeliveryRequested = "delivery_requested",
    ParcelPacked = "parcel_packed",
    ParcelDispatched = "parcel_dispatched",
    /// The carrier is told of a parcel once more, or staff gave it to one themselves.
    ParcelRebooked = "parcel_rebooked",
    /// Nothing was left in a parcel when it should have been dispatched.
    ParcelCancelled = "parcel_cancelled",
    /// What the carrier reported.
    ParcelReported = "parcel_reported",
    /// A reader sends items back by parcel.
    ReturnAnnounced = "return_announced",
    /// A parcel came to a unit and everything in it was checked in.
    ParcelReceived = "parcel_received",
    /// Nobody has heard of a parcel for days.
    ParcelAlarmed = "parcel_alarmed",
    /// Staff do not wait for a parcel any longer.
    ParcelGivenUp = "parcel_given_up",
    TransitOpened = "transit_opened",
    TransitReceived = "transit_received",
    /// Turned up where it was not expected, or is no longer needed.
    TransitCancelled = "transit_cancelled",
    /// Scanned into a crate.
    TransitPacked = "transit_packed",
    TransitUnpacked = "transit_unpacked",
    /// Its crate left; what districts settle by.
    TransitSent = "transit_sent",
    /// Not arrived in time; the item is missing.
    TransitMissing = "transit_missing",
    CrateOpened = "crate_opened",
    CrateClosed = "crate_closed",
    CrateSent = "crate_sent",
    /// Handed over at a stop against a signature.
    CrateDelivered = "crate_delivered",
    CrateReceived = "crate_received",
    CrateCancelled = "crate_cancelled",
    RouteChanged = "route_changed",
    OwnershipProposed = "ownership_proposed",
    OwnershipSettled = "ownership_settled",
    /// One item has another owner, by a document.
    OwnerChanged = "owner_changed",
    /// A batch of copies is to stand at another unit for a time.
    DepositCreated = "deposit_created",
    DepositChanged = "deposit_changed",
    DepositRecalled = "deposit_recalled",
    /// One copy belongs to the unit of its deposit now.
    ItemDeposited = "item_deposited",
    /// It is back, or will not come back.
    ItemDepositEnded = "item_deposit_ended",
    ItemAdded = "item_added",
    ItemChanged = "item_changed",
    /// Taken into custody, but somebody must look at it.
    ItemNeedsAttention = "item_needs_attention",
    ItemMissing = "item_missing",
    /// Was missing or lost and turned up.
    ItemFound = "item_found",
    ItemLost = "item_lost",
    ItemDamaged = "item_damaged",
    ItemRepaired = "item_repaired",
    /// To be bound, labelled or mended by the cataloguers.
    ItemInProcessing = "item_in_processing",
    ItemProcessed = "item_processed",
    /// Withdrawn by mistake: it is stock again.
    ItemReinstated = "item_reinstated",
    /// Staff passed over refusals of an act that has no event of its own for it.
    RefusalsPassed = "refusals_passed",
    BibCreated = "bib_created",
    BibChanged = "bib_changed",
    BibMerged = "bib_merged",
    ReaderRegistered = "reader_registered",
    /// A desk refused somebody who had registered by themselves: nothing of them is left.
    ApplicationRefused = "application_refused",
    ReaderChanged = "reader_changed",
    /// Two rows turned out to be one person.
    ReaderMerged = "reader_merged",
    /// At their own wish: nothing personal is left.
    ReaderErased = "reader_erased",
    CardIssued = "card_issued",
    CardLost = "card_lost",
    CardFound = "card_found",
    /// Its last day was set anew.
    CardRenewed = "card_renewed",
    CardReplaced = "card_replaced",
    CardExpired = "card_expired",
    CardCancelled = "card_cancelled",
    /// An electronic card was shown at a gate or a machine: a visit.
    CardShown = "card_shown",
    /// A phone was lost: what it showed is void.
    CardTokensRevoked = "card_tokens_revoked",
    /// Staff or another system moved a reader's credit.
    CreditPosted = "credit_posted",
    /// A line of the ledger was undone.
    CreditReversed = "credit_reversed",
    ReaderFrozen = "reader_frozen",
    ReaderThawed = "reader_thawed",
    /// A reader objects to a line of the ledger.
    CreditAppealed = "credit_appealed",
    CreditAppealDecided = "credit_appeal_decided",
    /// A reader asks a provider to be let in without a deposit.
    AdmissionAsked = "admission_asked",
    /// A provider, a deposit or staff let a reader in.
    ReaderAdmitted = "reader_admitted",
    /// A provider said no, or the reader did not agree there.
    AdmissionRefused = "admission_refused",
    /// A reader takes it back.
    AdmissionEnded = "admission_ended",
    /// A member of staff looked at what a reader has borrowed before.
    HistoryRead = "history_read",
    ConsentGiven = "consent_given",
    ConsentWithdrawn = "consent_withdrawn",
    StaffCreated = "staff_created",
    StaffChanged = "staff_changed",
    DeviceRegistered = "device_registered",
    DeviceApproved = "device_approved",
    /// Another configuration, another set of compartments or bins.
    DeviceConfigured = "device_configured",
    DeviceSuspended = "device_suspended",
    DeviceResumed = "device_resumed",
    DeviceRetired = "device_retired",
    /// Another secret to log in with.
    DeviceSecretChanged = "device_secret_changed",
    /// A key of its journal was given or revoked.
    DeviceKeyChanged = "device_key_changed",
    /// A person ordered something of it.
    DeviceOrdered = "device_ordered",
    /// A person dealt with an alarm of a device or a gate.
    AlarmSettled = "alarm_settled",
    /// A book was put into a compartment.
    CompartmentLoaded = "compartment_loaded",
    /// A book was taken out of it, not by a reader who borrows.
    CompartmentUnloaded = "compartment_unloaded",
    /// Something in a compartment waits for staff.
    CompartmentHeld = "compartment_held",
    /// Staff said what is in it.
    CompartmentSettled = "compartment_settled",
    /// The machine has not said whether the book was taken.
    LoanUnconfirmed = "loan_unconfirmed",
    LoanConfirmed = "loan_confirmed",
    /// An act without the network contradicts the records.
    ConflictRaised = "conflict_raised",
    ConflictResolved = "conflict_resolved",
    /// Entries of a journal are not believed, or are missing.
    JournalQuarantined = "journal_quarantined",
    QuarantineSettled = "quarantine_settled",
    /// By `tongjie admin rotate-key`.
    SigningKeyRotated = "signing_key_rotated",
    /// By `tongjie admin rotate-identity-key`.
    IdentityKeyRotated = "identity_key_rotated",
    /// By `tongjie admin rotate-card-key`.
    CardKeyRotated = "card_key_rotated",
    UnitCreated = "unit_created",
    UnitChanged = "unit_changed",
    RulesChanged = "rules_changed",
    LoggedIn = "logged_in",
    LogInFailed = "log_in_failed";
}

words! {
    /// How old a reader was, coarse enough for statistics that outlive the link to the reader.
    AgeBand:
    Under7 = "under_7",
    From7To13 = "7_13",
    From14To17 = "14_17",
    From18To34 = "18_34",
    From35To59 = "35_59",
    From60 = "60_plus",
    /// No birth date, or one in the future: institutions, old records.
    Unknown = "unknown";
}

impl EventKind {
    /// Whether it tells what a reader did at a unit: such an event has a visit number, and is unlinked from its reader after
    /// some time. What is not of a visit belongs to the register of readers and accounts.
    pub const fn is_of_visit(self) -> bool {
        !matches!(
            self,
            Self::ReaderRegistered
                | Self::ApplicationRefused
                | Self::ReaderChanged
                | Self::ReaderErased
                | Self::CardIssued
                | Self::LoggedIn
                | Self::LogInFailed
                | Self::HistoryRead
                | Self::ConsentGiven
                | Self::ConsentWithdrawn
        )
    }
}

impl AgeBand {
    /// The band on a day.
    ///
    /// ```
    /// use chrono::NaiveDate;
    /// use tongjie::domain::event::AgeBand;
    /// let born = NaiveDate::from_ymd_opt(2012, 5, 1);
    /// let on = |y, m, d| NaiveDate::from_ymd_opt(y, m, d).expect("a real day");
    /// assert_eq!(AgeBand::on(born, on(2026, 4, 30)), AgeBand::From7To13);
    /// assert_eq!(AgeBand::on(born, on(2026, 5, 1)), AgeBand::From14To17);
    /// assert_eq!(AgeBand::on(None, on(2026, 5, 1)), AgeBand::Unknown);
    /// ```
    pub fn on(birth_date: Option<NaiveDate>, day: NaiveDate) -> Self {
        match birth_date.and_then(|born| age_years(born, day)) {
            None => Self::Unknown,
            Some(0..=6) => Self::Under7,
            Some(7..=13) => Self::From7To13,
            Some(14..=17) => Self::From14To17,
            Some(18..=34) => Self::From18To34,
            Some(35..=59) => Self::From35To59,
            Some(_) => Self::From60,
        }
    }
}

/// Whole years of age on a day; `None` before the birth. Somebody born on 29 February turns a year older on 1 March
/// of a common year.
pub fn age_years(born: NaiveDate, day: NaiveDate) -> Option<u32> {
    let had_birthday = (day.month(), day.day()) >= (born.month(), born.day());
    u32::try_from(day.year() - born.year() - i32::from(!had_birthday)).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn age_bands_begin_on_the_birthday() {
        let born = NaiveDate::from_ymd_opt(2000, 2, 29);
        let on = |text: &str| AgeBand::on(born, text.parse().unwrap());
        for (day, band) in [
            ("1999-12-31", AgeBand::Unknown),
            ("2000-02-29", AgeBand::Under7),
            ("2007-02-28", AgeBand::Under7),
            ("2007-03-01", AgeBand::From7To13),
            ("2014-03-01", AgeBand::From14To17),
            ("2018-03-01", AgeBand::From18To34),
            ("2035-03-01", AgeBand::From35To59),
            ("2060-02-29", AgeBand::From60),
        ] {
            assert_eq!(on(day), band, "{day}");
        }
    }

    #[test]
    fn words_are_read_back() {
        for kind in EventKind::ALL {
            assert_eq!(EventKind::from_code(kind.code()), Some(*kind));
        }
        for band in AgeBand::ALL {
            assert_eq!(AgeBand::from_code(band.code()), Some(*band));
        }
    }
}
