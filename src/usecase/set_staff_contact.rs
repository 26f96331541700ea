//! Where a member of staff is reached when the password is forgotten: said by its owner, who knows the password, or by a manager of
//! accounts below. Kept sealed and shown in part.

use std::net::IpAddr;
use std::sync::Arc;

use secrecy::SecretString;
use serde_json::json;

use super::old_secret::OldSecret;
use super::session::SessionTools;
use super::set_staff_password::look;
use super::update_staff::{StaffMember, manageable};
use super::{Caller, IdempotencyKey, Result, UseCaseError};
use crate::auth::Audience;
use crate::domain::event::EventKind;
use crate::domain::ids::StaffId;
use crate::domain::mail_address::MailAddress;
use crate::store::events::Event;
use crate::store::ids::IdRun;
use crate::store::tx::WriteTx;
use crate::store::{Once, Store};

/// What is asked for.
#[derive(Debug, Clone)]
pub struct SetStaffContact {
    pub id: StaffId,
    /// `None`: there is none any more.
    pub mail: Option<String>,
    /// Of the caller, for the caller's own address: whoever finds a session open cannot take the account over.
    pub password: Option<SecretString>,
}

/// Says where a member of staff is reached. Codes that were sent before count no longer.
///
/// # Errors
/// `NotFound`; `Forbidden` for an account that is neither the caller's nor below; `Invalid` for what is no address, or a password that is
/// not right; `TooManyLogIns` after too many of those; `Busy`; a failure of the store.
pub async fn set_staff_contact(
    store: &Arc<Store>,
    tools: SessionTools<'_>,
    caller: &Caller,
    command: SetStaffContact,
    key: Option<IdempotencyKey>,
    address: IpAddr,
) -> Result<Once<StaffMember>> {
    let (id, own) = (command.id, caller.staff() == Some(command.id));
    let hash = look(store, caller, id, own).await?;
    let mail = command.mail.as_deref().map(MailAddress::parse).transpose();
    let mail = mail.map_err(|reason| UseCaseError::field("mail", reason))?;
    let proof = match (own, command.password) {
        (true, password) => {
            let old = OldSecret {
                audience: Audience::Staff,
                account: id.get(),
                field: "password",
                new: password.clone().unwrap_or_default(),
                given: password,
                hash: Some(hash),
                replayable: false,
            };
            Some(old.prove(store, tools, address).await?)
        }
        (false, Some(_)) => return Err(UseCaseError::field("password", "is for the caller's own address only")),
        (false, None) => None,
    };
    let ids = store.take_ids::<UseCaseError>(1).await?;
    let who = caller.clone();
    let claim = key.map(|key| key.claim(caller));
    store
        .write_once(claim, move |tx| {
            if let Some(proof) = &proof {
                proof.settle(tx, |tx| Ok(tx.password_of_staff(id)?))?;
            }
            apply(tx, &who, id, mail.as_ref(), ids.clone())
        })
        .await
}

fn apply(
    tx: &mut WriteTx<'_>,
    caller: &Caller,
    id: StaffId,
    mail: Option<&MailAddress>,
    mut ids: IdRun,
) -> Result<StaffMember> {
    let network = tx.network()?;
    tx.lock_staff(id)?;
    let mut row = match caller.staff() == Some(id) {
        true => tx.staff_member(id)?.ok_or(UseCaseError::NotFound("member of staff"))?,
        false => manageable(tx, caller, id, &network)?,
    };
    tx.set_mail_of_staff(id, mail.map(|mail| (mail.as_str(), mail.shown())))?;
    tx.end_resets_of_staff(id)?;
    row.mail = mail.map(MailAddress::shown);
    let at = caller.working_unit()?;
    let event = Event::new(EventKind::StaffChanged, tx.now(), at, caller.channel().code())
        .by(caller.staff(), caller.device())
        .detail(json!({"changed": "contact", "removed": mail.is_none()}))
        .personal(json!({"changed_staff_id": row.id}));
    tx.append_event(ids.next(), &event)?;
    Ok(StaffMember::of(row, &network))
}
