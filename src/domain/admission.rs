//! The life of asking a provider whether a reader may borrow without a deposit, and who lets readers in.
//! Not for: whether a reader has to ask (see `entry_gate`).

use super::words::words;

words! {
    /// Who let a reader in.
    AdmittedBy:
    ExternalScore = "external_score",
    Deposit = "deposit",
    /// By their own decision.
    Staff = "staff";
}

words! {
    /// Where a request is in its life.
    AdmissionState:
    /// The provider is to open an order.
    Asked = "asked",
    /// The reader has said that the provider may be asked.
    Agreed = "agreed",
    Passed = "passed",
    Refused = "refused",
    /// It came to nothing: the reader may ask again at once.
    Failed = "failed";
}

words! {
    /// What a provider decides.
    Decision:
    Passed = "passed",
    Refused = "refused",
    /// The reader did not agree there in time.
    Expired = "expired";
}

words! {
    /// What a provider is told of a reader it let in. Nothing of what was borrowed.
    Conduct:
    /// Credit here fell to the floor.
    Broken = "broken",
    /// That is over.
    Kept = "kept";
}

impl AdmissionState {
    /// Nothing was decided yet.
    pub const fn is_open(self) -> bool {
        matches!(self, Self::Asked | Self::Agreed)
    }

    /// The state after a decision; `None` when it was decided before.
    ///
    /// ```
    /// use tongjie::domain::admission::{AdmissionState, Decision};
    /// let asked = AdmissionState::Asked;
    /// assert_eq!(asked.after(Decision::Passed), Some(AdmissionState::Passed));
    /// assert_eq!(AdmissionState::Refused.after(Decision::Passed), None);
    /// ```
    pub const fn after(self, decision: Decision) -> Option<Self> {
        match (self, decision) {
            (Self::Asked | Self::Agreed, Decision::Passed) => Some(Self::Passed),
            (Self::Asked | Self::Agreed, Decision::Refused) => Some(Self::Refused),
            (Self::Asked | Self::Agreed, Decision::Expired) => Some(Self::Failed),
            (Self::Passed | Self::Refused | Self::Failed, _) => None,
        }
    }
}
