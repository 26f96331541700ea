//! How a use case ends when it does not succeed. "Refused" (a rule said no) and "failed" (something broke) are different.

use std::borrow::Cow;

use super::consent::{Fault, Offer};
use crate::domain::compartment_choice::Size;
use crate::domain::compartment_life::Obstacle;
use crate::domain::locker_session::SessionEnd;
use crate::domain::refusal::Refusals;
use crate::store::StoreError;
use crate::store::job::FromStore;

/// One wrong field of a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FieldError {
    /// As the API names it.
    pub field: Cow<'static, str>,
    /// What is wrong, and what would be right.
    pub reason: String,
}

impl FieldError {
    pub fn new(field: impl Into<Cow<'static, str>>, reason: impl Into<String>) -> Self {
        Self {
            field: field.into(),
            reason: reason.into(),
        }
    }
}

/// One owner of an item that a scanned barcode may mean.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OwnerChoice {
    pub item_id: i64,
    pub owner_unit_code: String,
    pub owner_unit_name: String,
}

/// Everything that is not success.
#[derive(Debug, thiserror::Error)]
pub enum UseCaseError {
    /// The rules say no; every reason at once.
    #[error("refused: {}", .0.codes().iter().map(|code| code.code()).collect::<Vec<_>>().join(", "))]
    Refused(Refusals),
    /// The rules say no, but this caller may pass all of it: with the token, when they have looked at it.
    #[error("refused: {}; it may be passed", .refusals.codes().iter().map(|code| code.code()).collect::<Vec<_>>().join(", "))]
    Passable {
        /// Why what staff said does not count; `None` if they said nothing, or not enough.
        fault: Option<Fault>,
        refusals: Refusals,
        offer: Offer,
    },
    /// A field of the request names nothing, or cannot be what it says.
    #[error("the request is not valid")]
    Invalid(Vec<FieldError>),
    /// The addressed thing does not exist (or not for this caller).
    #[error("there is no such {0}")]
    NotFound(&'static str),
    /// The barcode belongs to items of several owners.
    #[error("the barcode belongs to several owners")]
    Ambiguous {
        field: &'static str,
        choices: Vec<OwnerChoice>,
    },
    /// The caller's rights do not cover this.
    #[error("the caller may not do this here")]
    Forbidden,
    /// The log-in, token or secret is not good. Never says why.
    #[error("not authenticated")]
    Unauthenticated,
    /// The password is right, and the account has one-time passwords: the log-in lacks its code.
    #[error("a one-time password is needed, too")]
    SecondFactorNeeded,
    /// The secret is right, and nobody has approved the device.
    #[error("the device is not approved yet")]
    DeviceNotApproved,
    /// The secret is right, and the device is suspended.
    #[error("the device is suspended")]
    DeviceSuspended,
    /// An acknowledgement without the receipt of what was delivered.
    #[error("the acknowledgement has not the receipt of this command")]
    AcknowledgementForged,
    /// Something else was said before, and stands.
    #[error("{0}")]
    SaidOtherwise(String),
    /// Another reader is at this screen; somebody else may try again after so many seconds.
    #[error("another reader is at this screen")]
    LockerInUse { wait_s: u32 },
    /// The reader's session at the machine is over.
    #[error("the session is over: {0}")]
    LockerSessionEnded(SessionEnd),
    /// No compartment is empty and large enough; the sizes that are.
    #[error("no empty compartment fits")]
    NoCompartmentFits { free: Vec<Size> },
    /// The compartment is in a state that excludes this.
    #[error("{0}")]
    CompartmentState(Obstacle),
    /// What is said is of an earlier turn of the compartment, or of none.
    #[error("the compartment is at turn {present}")]
    CompartmentTurn { present: i64 },
    /// The copy belongs into a compartment: it is loaded there.
    #[error("the copy is fetched from a compartment here: load it")]
    LoadIt,
    /// Log-ins failed too often: the next may be tried after so many seconds.
    #[error("too many log-ins failed; try again in {wait_s} s")]
    TooManyLogIns { wait_s: u32 },
    /// The thing is in a state that excludes this.
    #[error("{0}")]
    State(String),
    /// The bib was merged into another one, which stands for it.
    #[error("bib {bib} was merged into bib {into}: use that one")]
    Merged { bib: i64, into: i64 },
    /// The same person is registered already.
    #[error("this person is registered already, as reader {reader}: give that reader another card, or merge the two")]
    DuplicateReader { reader: i64 },
    /// The thing is not any more what the caller saw.
    #[error("it is at version {0} now")]
    Stale(i64),
    /// The change would replace what the caller has not said to have seen.
    #[error("it is there already: say which version is to be replaced")]
    Unseen,
    /// Too many secrets are being checked just now.
    #[error("too much work is waiting")]
    Busy,
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// Something that should not happen.
    #[error("{0}")]
    Internal(String),
}

impl UseCaseError {
    /// One wrong field.
    pub fn field(field: impl Into<Cow<'static, str>>, reason: impl Into<String>) -> Self {
        Self::Invalid(vec![FieldError::new(field, reason)])
    }

    /// The same where the fields stand in a member of the request: `id` is the member itself.
    pub fn below(self, member: &str) -> Self {
        let Self::Invalid(fields) = self else { return self };
        let below = |one: FieldError| FieldError {
            field: match one.field.as_ref() {
                "id" => member.to_owned().into(),
                field => format!("{member}.{field}").into(),
            },
            ..one
        };
        Self::Invalid(fields.into_iter().map(below).collect())
    }

    /// What the rules refused, and why what staff said to it does not count.
    ///
    /// # Errors
    /// Any other failure, as it was.
    pub fn into_refusals(self) -> Result<(Refusals, Option<Fault>), Self> {
        match self {
            Self::Refused(refusals) => Ok((refusals, None)),
            Self::Passable { fault, refusals, .. } => Ok((refusals, fault)),
            other => Err(other),
        }
    }
}

impl From<Refusals> for UseCaseError {
    fn from(refusals: Refusals) -> Self {
        Self::Refused(refusals)
    }
}

impl FromStore for UseCaseError {
    fn store_error(&self) -> Option<&StoreError> {
        match self {
            Self::Store(error) => Some(error),
            _ => None,
        }
    }
}
