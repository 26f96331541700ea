//! Log-out everywhere: every session of one person or device ends, whichever log-in began it. Their refresh tokens end at
//! once, their access tokens within their minutes.

use std::sync::Arc;

use serde::Serialize;
use serde_json::json;
use utoipa::ToSchema;

use super::create_staff::require_grantable;
use super::session::audience_code;
use super::{Caller, Result, UseCaseError, Who};
use crate::auth::{Audience, Right, Role};
use crate::domain::event::EventKind;
use crate::domain::ids::{ReaderId, StaffId};
use crate::store::Store;
use crate::store::events::Event;
use crate::store::tx::WriteTx;

/// Whose sessions end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Whose {
    Own,
    Staff(StaffId),
    Reader(ReaderId),
}

/// What ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
pub struct EndedSessions {
    /// Sessions that could still have been refreshed.
    #[schema(example = 2)]
    pub sessions: i64,
}

/// Ends all sessions of the caller, of a member of staff whose every role the caller could have given, or of a reader (with
/// the right to register readers). Doing it twice changes nothing.
///
/// # Errors
/// `NotFound` for an unknown person; `Forbidden`; a failure of the store.
pub async fn log_out_everywhere(store: &Arc<Store>, caller: &Caller, whose: Whose) -> Result<EndedSessions> {
    match whose {
        Whose::Own => {}
        Whose::Staff(_) => caller.require_somewhere(Right::ManageStaff)?,
        // For a reader nobody else exists, and a reader registers nobody.
        Whose::Reader(_) => caller.require_somewhere(Right::RegisterReader)?,
    }
    let mut ids = store.take_ids::<UseCaseError>(1).await?;
    let (who, id) = (caller.clone(), ids.next());
    store.write(move |tx| apply(tx, &who, whose, id)).await
}

fn apply(tx: &mut WriteTx<'_>, caller: &Caller, whose: Whose, id: i64) -> Result<EndedSessions> {
    let (audience, subject) = match whose {
        Whose::Own => own(caller)?,
        Whose::Staff(member) => {
            require_managed(tx, caller, member)?;
            (Audience::Staff, member.get())
        }
        Whose::Reader(reader) => {
            tx.reader_view(reader)?.ok_or(UseCaseError::NotFound("reader"))?;
            (Audience::Reader, reader.get())
        }
    };
    let now = tx.now();
    let sessions = tx.revoke_subject(audience_code(audience), subject, now.timestamp_millis())?;
    // Of readers nothing is kept, as with their log-ins.
    if let Whose::Staff(member) = whose {
        let event = Event::new(
            EventKind::StaffChanged,
            now,
            caller.working_unit()?,
            caller.channel().code(),
        )
        .by(caller.staff(), caller.device())
        .detail(json!({"changed": "sessions ended"}))
        .personal(json!({"changed_staff_id": member}));
        tx.append_event(id, &event)?;
    }
    Ok(EndedSessions { sessions })
}

/// Whose sessions the caller's own are.
pub(super) fn own(caller: &Caller) -> Result<(Audience, i64)> {
    match &caller.who {
        Who::Staff { id, .. } => Ok((Audience::Staff, id.get())),
        Who::Reader { id } => Ok((Audience::Reader, id.get())),
        Who::Device { id, .. } => Ok((Audience::Device, id.get())),
        Who::Guardian { .. } | Who::Operator { .. } | Who::System => Err(UseCaseError::Forbidden),
    }
}

fn require_managed(tx: &mut WriteTx<'_>, caller: &Caller, member: StaffId) -> Result<()> {
    let network = tx.network()?;
    let roles = tx
        .roles_of_known(member)?
        .ok_or(UseCaseError::NotFound("member of staff"))?;
    for (role, unit) in roles {
        let role: Role = role
            .parse()
            .map_err(|_| UseCaseError::Internal("a member of staff has an unknown role".into()))?;
        require_grantable(caller, role, unit, &network)?;
    }
    Ok(())
}
