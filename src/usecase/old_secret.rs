//! Changing one's own secret takes the old one: whoever finds a session open cannot take the account over.
//! Not here: what a new secret must be like, and setting it.

use std::net::IpAddr;
use std::sync::Arc;

use secrecy::SecretString;

use super::log_in_attempt::Attempt;
use super::session::SessionTools;
use super::{Result, UseCaseError};
use crate::auth::{Audience, PasswordService};
use crate::store::Store;
use crate::store::tx::WriteTx;

/// The old secret as it was given, and what it is held against.
pub(super) struct OldSecret {
    pub audience: Audience,
    pub account: i64,
    /// The member of the request that gives it.
    pub field: &'static str,
    pub given: Option<SecretString>,
    pub new: SecretString,
    /// Of the secret in force.
    pub hash: Option<String>,
    /// The call has a key. A replay was allowed when it was made: by then the old secret is the new one.
    pub replayable: bool,
}

/// The old secret was right when it was judged.
pub(super) struct Proof {
    attempt: Attempt,
    field: &'static str,
    hash: Option<String>,
}

impl Proof {
    /// For the transaction that sets the new one; `in_force` reads the hash there. Somebody who set it in the meantime ended what
    /// was known of it.
    ///
    /// # Errors
    /// `Invalid` when it is another one by now; a failure of the store.
    pub(super) fn settle(
        &self,
        tx: &mut WriteTx<'_>,
        in_force: impl FnOnce(&mut WriteTx<'_>) -> Result<Option<String>>,
    ) -> Result<()> {
        self.attempt.succeeded(tx)?;
        if in_force(tx)? == self.hash {
            Ok(())
        } else {
            Err(wrong(self.field))
        }
    }
}

impl OldSecret {
    /// Counted like a log-in: whoever has a stolen token guesses no faster here.
    ///
    /// # Errors
    /// `Invalid` when it is missing or not right; `TooManyLogIns` after too many of those; `Busy`.
    pub(super) async fn prove(self, store: &Arc<Store>, tools: SessionTools<'_>, address: IpAddr) -> Result<Proof> {
        let ids = store.take_ids::<UseCaseError>(1).await?;
        let account = format!("{} of {}", self.field.replace('_', " "), self.account);
        let attempt = Attempt::begin(store, tools, (self.audience, &account), address).await?;
        let (field, hash) = (self.field, self.hash.clone());
        let (judged, why) = match self.held(tools.passwords).await {
            Ok(true) => return Ok(Proof { attempt, field, hash }),
            Ok(false) => (UseCaseError::Unauthenticated, wrong(field)),
            Err(why) => (UseCaseError::Busy, why),
        };
        attempt.ended(store, &judged, ids).await?;
        Err(why)
    }

    async fn held(self, passwords: &PasswordService) -> Result<bool> {
        let given = self.given;
        let given = given.ok_or_else(|| UseCaseError::field(self.field, "is needed"))?;
        if passwords.verify(given, self.hash.clone()).await? {
            return Ok(true);
        }
        Ok(self.replayable && passwords.verify(self.new, self.hash).await?)
    }
}

/// What is said of an old secret that is none.
fn wrong(field: &'static str) -> UseCaseError {
    UseCaseError::field(field, "is not right")
}
