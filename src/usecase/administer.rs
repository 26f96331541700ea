//! What an operator does at the command line of the machine itself: the first administrator, other staff, passwords,
//! the signing key. Whoever can read the database's files needs no right inside it; the events name no member of staff and the
//! channel `command`.

use std::sync::Arc;

use secrecy::{ExposeSecret, SecretString};
use serde_json::json;

use super::create_staff::{Author, CreateStaff, StaffView, insert};
use super::session::audience_code;
use super::{Caller, Result, UseCaseError, Who};
use crate::auth::passwords::check_staff_password;
use crate::auth::{Audience, Grant, PasswordService, Role};
use crate::domain::event::EventKind;
use crate::domain::ids::UnitId;
use crate::store::Store;
use crate::store::events::{COMMAND_CHANNEL, Event};

/// Creates a member of staff.
///
/// # Errors
/// As [`create_staff`](super::create_staff::create_staff), but for the right.
pub async fn add_staff(store: &Arc<Store>, passwords: &PasswordService, command: CreateStaff) -> Result<StaffView> {
    let operator = Author {
        at: root(store).await?,
        channel: COMMAND_CHANNEL,
        staff: None,
    };
    Ok(insert(store, passwords, operator, command, None).await?.value)
}

/// The caller who is nobody's log-in.
///
/// # Errors
/// A failure of the store.
pub async fn operator(store: &Arc<Store>) -> Result<Caller> {
    let root = root(store).await?;
    let grants = vec![Grant {
        role: Role::System,
        unit: root.get(),
    }];
    Ok(Caller {
        who: Who::Operator { grants },
        unit: Some(root),
        session: 0,
    })
}

/// Creates the first administrator, for the whole network.
///
/// # Errors
/// As [`add_staff`].
pub async fn add_system(
    store: &Arc<Store>,
    passwords: &PasswordService,
    username: String,
    password: SecretString,
) -> Result<StaffView> {
    let root = root(store).await?;
    let code = store
        .read(move |tx| -> Result<_> { Ok(tx.network()?.unit(root).map(|unit| unit.code.clone())) })
        .await?;
    let roles = vec![(Role::System.to_string(), code.unwrap_or_default())];
    add_staff(
        store,
        passwords,
        CreateStaff {
            name: username.clone(),
            username,
            password,
            roles,
        },
    )
    .await
}

/// Gives a member of staff another password and ends all of their sessions.
///
/// # Errors
/// `Invalid` for a password that is not good enough; `NotFound` for an unknown user name; `Busy`.
pub async fn set_password(
    store: &Arc<Store>,
    passwords: &PasswordService,
    username: String,
    password: SecretString,
) -> Result<()> {
    check_staff_password(password.expose_secret())
        .map_err(|violation| UseCaseError::field("password", violation.to_string()))?;
    let hash = passwords.hash(password).await?;
    let root = root(store).await?;
    let ids = store.take_ids::<UseCaseError>(1).await?;
    store
        .write(move |tx| -> Result<()> {
            let member = tx
                .staff_by_username(&username)?
                .ok_or(UseCaseError::NotFound("user name"))?;
            tx.set_password_hash(&username, &hash)?;
            let now = tx.now();
            tx.end_sessions_of(
                audience_code(Audience::Staff),
                member.id.get(),
                None,
                now.timestamp_millis(),
            )?;
            let event = Event::new(EventKind::StaffChanged, now, root, COMMAND_CHANNEL)
                .detail(json!({"changed": "password"}))
                .personal(json!({"changed_staff_id": member.id}));
            Ok(tx.append_event(ids.clone().next(), &event)?)
        })
        .await
}

/// Says that the key in the data directory was replaced by this one.
///
/// # Errors
/// A failure of the store.
pub async fn note_rotated_key(store: &Arc<Store>, key_id: String) -> Result<()> {
    note_key(store, EventKind::SigningKeyRotated, key_id).await
}

/// Says that this key was added to those that seal ID numbers.
///
/// # Errors
/// A failure of the store.
pub async fn note_rotated_identity_key(store: &Arc<Store>, key_id: String) -> Result<()> {
    note_key(store, EventKind::IdentityKeyRotated, key_id).await
}

async fn note_key(store: &Arc<Store>, kind: EventKind, key_id: String) -> Result<()> {
    let root = root(store).await?;
    let ids = store.take_ids::<UseCaseError>(1).await?;
    store
        .write(move |tx| -> Result<()> {
            let event = Event::new(kind, tx.now(), root, COMMAND_CHANNEL).detail(json!({"key_id": key_id}));
            Ok(tx.append_event(ids.clone().next(), &event)?)
        })
        .await
}

/// Says that there is another key for electronic cards.
///
/// # Errors
/// A failure of the store.
pub async fn note_card_key(store: &Arc<Store>, key_id: String, leaked: bool) -> Result<()> {
    let root = root(store).await?;
    let ids = store.take_ids::<UseCaseError>(1).await?;
    store
        .write(move |tx| -> Result<()> {
            let event = Event::new(EventKind::CardKeyRotated, tx.now(), root, COMMAND_CHANNEL)
                .detail(json!({"key_id": key_id, "leaked": leaked}));
            Ok(tx.append_event(ids.clone().next(), &event)?)
        })
        .await
}

async fn root(store: &Arc<Store>) -> Result<UnitId> {
    let root = store
        .read(|tx| -> Result<_> { Ok(tx.network()?.units().root().map(|unit| unit.id)) })
        .await?;
    root.ok_or_else(|| UseCaseError::Internal("there is no root unit".into()))
}
