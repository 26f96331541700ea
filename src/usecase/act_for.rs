//! A guardian who acts for a ward: one place decides whether the link between the two lets them, for what is read and, in the
//! transaction itself, for what is changed. At a desk, where the guardian's card is shown, `lend_to` asks the same.

use std::borrow::Cow;

use super::{Caller, Result, UseCaseError, Who};
use crate::domain::guardian::{self, NoProxy};
use crate::store::tx::ReadTx;

/// The caller as it may act: with the number of the link, where a guardian acts for a ward. No statement for anybody else.
///
/// # Errors
/// `Invalid` naming `ward`.
pub(super) fn resolved<'c>(tx: &mut ReadTx<'_>, caller: &'c Caller) -> Result<Cow<'c, Caller>> {
    let Who::Guardian { id, ward, .. } = caller.who else {
        return Ok(Cow::Borrowed(caller));
    };
    let today = tx.day_of(tx.now());
    let link = match tx.link_between(id, ward)? {
        Some((link, standing)) => guardian::may_stand_in(&standing, today).map(|()| link),
        None => Err(NoProxy::NotLinked),
    };
    let link = link.map_err(|why| UseCaseError::field("ward", why.to_string()))?;
    Ok(Cow::Owned(Caller {
        who: Who::Guardian {
            id,
            ward,
            link: Some(link),
        },
        ..caller.clone()
    }))
}
