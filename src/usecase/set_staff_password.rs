//! A password of the staff: changed by its owner, who knows the old one, or given by a manager to an account below.

use std::net::IpAddr;
use std::sync::Arc;

use secrecy::{ExposeSecret, SecretString};
use serde_json::json;

use super::old_secret::OldSecret;
use super::session::{SessionTools, audience_code};
use super::update_staff::{StaffMember, manageable};
use super::{Caller, IdempotencyKey, Result, UseCaseError};
use crate::auth::passwords::check_staff_password;
use crate::auth::{Audience, Right};
use crate::domain::event::EventKind;
use crate::domain::ids::StaffId;
use crate::store::events::Event;
use crate::store::ids::IdRun;
use crate::store::tx::WriteTx;
use crate::store::{Once, Store};

/// What is asked for.
#[derive(Debug, Clone)]
pub struct SetStaffPassword {
    pub id: StaffId,
    pub password: SecretString,
    /// Needed for the caller's own, whatever roles the caller has.
    pub old_password: Option<SecretString>,
}

/// Sets a password and ends that member's sessions: all of them, or all but the one in which the owner changes it.
///
/// # Errors
/// `NotFound`; `Forbidden` for an account that is neither the caller's nor below; `Invalid` for a password that is not good
/// enough or an old one that is not right; `TooManyLogIns` after too many of those; `Busy`.
pub async fn set_staff_password(
    store: &Arc<Store>,
    tools: SessionTools<'_>,
    caller: &Caller,
    command: SetStaffPassword,
    key: Option<IdempotencyKey>,
    address: IpAddr,
) -> Result<Once<StaffMember>> {
    let (id, own) = (command.id, caller.staff() == Some(command.id));
    let old_hash = look(store, caller, id, own).await?;
    check_staff_password(command.password.expose_secret())
        .map_err(|violation| UseCaseError::field("password", violation.to_string()))?;
    let old = OldSecret {
        audience: Audience::Staff,
        account: id.get(),
        field: "old_password",
        given: command.old_password,
        new: command.password.clone(),
        hash: Some(old_hash),
        replayable: key.is_some(),
    };
    let proof = match own {
        true => Some(old.prove(store, tools, address).await?),
        false => None,
    };
    // Slow on purpose, so outside the transaction.
    let hash = tools.passwords.hash(command.password).await?;
    let ids = store.take_ids::<UseCaseError>(1).await?;
    let who = caller.clone();
    let claim = key.map(|key| key.claim(caller));
    store
        .write_once(claim, move |tx| {
            if let Some(proof) = &proof {
                proof.settle(tx, |tx| Ok(tx.password_of_staff(id)?))?;
            }
            apply(tx, &who, id, &hash, ids.clone())
        })
        .await
}

/// The hash in force, for somebody who may change it.
pub(super) async fn look(store: &Arc<Store>, caller: &Caller, id: StaffId, own: bool) -> Result<String> {
    if !own {
        caller.require_somewhere(Right::ManageStaff)?;
    }
    let who = caller.clone();
    store
        .read(move |tx| {
            if !own {
                let network = tx.network()?;
                manageable(tx, &who, id, &network)?;
            }
            tx.password_of_staff(id)?
                .ok_or(UseCaseError::NotFound("member of staff"))
        })
        .await
}

fn apply(tx: &mut WriteTx<'_>, caller: &Caller, id: StaffId, hash: &str, mut ids: IdRun) -> Result<StaffMember> {
    let network = tx.network()?;
    let own = caller.staff() == Some(id);
    let row = match own {
        true => tx.staff_member(id)?.ok_or(UseCaseError::NotFound("member of staff"))?,
        false => manageable(tx, caller, id, &network)?,
    };
    let (now, kept) = (tx.now(), own.then_some(caller.session));
    tx.set_password_hash(&row.username, hash)?;
    tx.end_sessions_of(audience_code(Audience::Staff), row.id, kept, now.timestamp_millis())?;
    let at = caller.working_unit()?;
    let event = Event::new(EventKind::StaffChanged, now, at, caller.channel().code())
        .by(caller.staff(), caller.device())
        .detail(json!({"changed": "password"}))
        .personal(json!({"changed_staff_id": row.id}));
    tx.append_event(ids.next(), &event)?;
    Ok(StaffMember::of(row, &network))
}
