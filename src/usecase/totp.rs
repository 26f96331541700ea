//! One-time passwords of the staff: begun with the password, on with the first code, asked for at every log-in from then on,
//! and taken away by an administrator when the device is lost.

use std::net::IpAddr;
use std::sync::Arc;

use secrecy::SecretString;
use serde::{Deserialize, Serialize};
use serde_json::json;
use utoipa::ToSchema;

use super::old_secret::OldSecret;
use super::once::once;
use super::session::SessionTools;
use super::update_staff::manageable;
use super::{Caller, IdempotencyKey, Result, UseCaseError};
use crate::auth::one_time::{self, RECOVERY_CODES, TotpSecret};
use crate::auth::{Audience, Right};
use crate::domain::event::EventKind;
use crate::domain::ids::StaffId;
use crate::store::events::Event;
use crate::store::idempotency::Outcome;
use crate::store::ids::IdRun;
use crate::store::sessions::totp::TotpRow;
use crate::store::tx::WriteTx;
use crate::store::{Once, Store};

/// What goes into an authenticator.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct TotpEnrolment {
    /// In Base32, to be typed in.
    #[schema(example = "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ")]
    pub secret: String,
    /// The same to be shown as a QR.
    #[schema(
        example = "otpauth://totp/Tongjie:b01.desk?secret=GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ&issuer=Tongjie&algorithm=SHA1&digits=6&period=30"
    )]
    pub uri: String,
}

/// What is kept of an enrolment under its idempotency key: the secret is derived from it.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Enrolled {
    staff_id: i64,
    username: String,
    number: i64,
}

impl Outcome for Enrolled {}

/// One-time passwords are on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct TotpConfirmed {
    /// Whose.
    #[schema(example = 1042)]
    pub staff_id: i64,
    /// Each opens one session instead of a code. Told once: empty when the answer is repeated.
    #[serde(default)]
    #[schema(example = json!(["K7M2PQ9XWT4H"]))]
    pub recovery_codes: Vec<String>,
}

impl Outcome for TotpConfirmed {}

/// One-time passwords are off.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct TotpDisabled {
    /// Whose.
    #[schema(example = 1042)]
    pub staff_id: i64,
    /// They were on, or begun.
    #[schema(example = true)]
    pub was_on: bool,
}

impl Outcome for TotpDisabled {}

/// Begins: answers a new secret, which counts from its first code on. What was in force stays so until then.
///
/// # Errors
/// `Forbidden` for anybody but staff; `Invalid` for a password that is not right; `TooManyLogIns` after too many of those; `Busy`.
pub async fn enrol_totp(
    store: &Arc<Store>,
    tools: SessionTools<'_>,
    caller: &Caller,
    password: SecretString,
    key: Option<IdempotencyKey>,
    address: IpAddr,
) -> Result<Once<TotpEnrolment>> {
    let id = caller.staff().ok_or(UseCaseError::Forbidden)?;
    let hash = store
        .read(move |tx| tx.password_of_staff(id).map_err(UseCaseError::from))
        .await?;
    let given = OldSecret {
        audience: Audience::Staff,
        account: id.get(),
        field: "password",
        given: Some(password.clone()),
        new: password,
        hash: Some(hash.ok_or(UseCaseError::NotFound("member of staff"))?),
        replayable: false,
    };
    let proof = given.prove(store, tools, address).await?;
    let claim = key.map(|key| key.claim(caller));
    let number = one_time::new_number();
    let done = store
        .write_once(claim, move |tx| -> Result<Enrolled> {
            proof.settle(tx, |tx| Ok(tx.password_of_staff(id)?))?;
            enrol(tx, id, number)
        })
        .await?;
    let Enrolled {
        staff_id,
        username,
        number,
    } = done.value;
    let secret = TotpSecret::derive(tools.tokens, staff_id, number);
    Ok(Once {
        value: TotpEnrolment {
            secret: secret.base32(),
            uri: secret.uri(&username),
        },
        replayed: done.replayed,
    })
}

fn enrol(tx: &mut WriteTx<'_>, id: StaffId, number: i64) -> Result<Enrolled> {
    tx.lock_staff(id)?;
    let member = tx.staff_member(id)?.ok_or(UseCaseError::NotFound("member of staff"))?;
    let before = tx.totp_of(id)?;
    tx.put_totp(TotpRow {
        staff_id: id.get(),
        number: before.and_then(|row| row.number),
        pending: Some(number),
        last_step: before.map_or(0, |row| row.last_step),
    })?;
    Ok(Enrolled {
        staff_id: member.id,
        username: member.username,
        number,
    })
}

/// The first code of a new secret: from now on it is asked for at every log-in, and recovery codes are told.
///
/// # Errors
/// `State` when nothing was begun; `Invalid` for a code that is not right; `TooManyLogIns` after too many of those; `Forbidden`.
pub async fn confirm_totp(
    store: &Arc<Store>,
    tools: SessionTools<'_>,
    caller: &Caller,
    code: String,
    key: Option<IdempotencyKey>,
    address: IpAddr,
) -> Result<Once<TotpConfirmed>> {
    let id = caller.staff().ok_or(UseCaseError::Forbidden)?;
    let attempt =
        super::log_in_attempt::Attempt::begin(store, tools, (Audience::Staff, &format!("totp of {id}")), address)
            .await?;
    let codes = one_time::new_recovery_codes();
    let hashes: Vec<[u8; 32]> = codes.iter().map(|(_, hash)| *hash).collect();
    let many = i64::try_from(RECOVERY_CODES).unwrap_or(0);
    let ids = store.take_ids::<UseCaseError>(many + 1).await?;
    let claim = key.map(|key| key.claim(caller));
    let (who, secrets) = (caller.clone(), Secrets::of(store, tools, id).await?);
    let done = store
        .write_once(claim, move |tx| {
            attempt.succeeded(tx)?;
            confirm(tx, &who, id, (&secrets, &code), &hashes, ids.clone())
        })
        .await?;
    let Once { mut value, replayed } = done;
    if !replayed {
        value.recovery_codes = codes.into_iter().map(|(code, _)| code).collect();
    }
    Ok(Once { value, replayed })
}

/// The pending secret as it was when the transaction began.
struct Secrets {
    pending: Option<(i64, TotpSecret)>,
}

impl Secrets {
    async fn of(store: &Arc<Store>, tools: SessionTools<'_>, id: StaffId) -> Result<Self> {
        let row = store.read(move |tx| tx.totp_of(id).map_err(UseCaseError::from)).await?;
        let pending = row.and_then(|row| row.pending);
        Ok(Self {
            pending: pending.map(|number| (number, TotpSecret::derive(tools.tokens, id.get(), number))),
        })
    }
}

fn confirm(
    tx: &mut WriteTx<'_>,
    caller: &Caller,
    id: StaffId,
    (secrets, code): (&Secrets, &str),
    hashes: &[[u8; 32]],
    mut ids: IdRun,
) -> Result<TotpConfirmed> {
    tx.lock_staff(id)?;
    let nothing = || UseCaseError::State("nothing waits for a code: begin first (enrolTotp)".to_owned());
    let row = tx.totp_of(id)?.ok_or_else(nothing)?;
    let (number, secret) = secrets.pending.as_ref().ok_or_else(nothing)?;
    if row.pending != Some(*number) {
        return Err(nothing());
    }
    let step = secret.step_of(code, tx.now(), row.last_step);
    let step = step.ok_or_else(|| UseCaseError::field("code", "is not right, or was used already"))?;
    tx.put_totp(TotpRow {
        staff_id: id.get(),
        number: Some(*number),
        pending: None,
        last_step: step,
    })?;
    let kept: Vec<(i64, [u8; 32])> = hashes.iter().map(|hash| (ids.next(), *hash)).collect();
    tx.replace_recovery_codes(id, &kept)?;
    append(tx, caller, id, "totp on", ids.next())?;
    Ok(TotpConfirmed {
        staff_id: id.get(),
        recovery_codes: Vec::new(),
    })
}

/// Takes one-time passwords away from somebody below: the device is lost. Nobody does it for themselves.
///
/// # Errors
/// `NotFound`; `Forbidden` for the caller's own account and for one that is not below; a failure of the store.
pub async fn disable_totp(
    store: &Arc<Store>,
    caller: &Caller,
    id: StaffId,
    key: Option<IdempotencyKey>,
) -> Result<Once<TotpDisabled>> {
    caller.require_somewhere(Right::ManageStaff)?;
    if caller.staff() == Some(id) {
        return Err(UseCaseError::Forbidden);
    }
    once(store, caller, key, 1, id, disable).await
}

fn disable(tx: &mut WriteTx<'_>, caller: &Caller, id: &StaffId, mut ids: IdRun) -> Result<TotpDisabled> {
    let network = tx.network()?;
    tx.lock_staff(*id)?;
    manageable(tx, caller, *id, &network)?;
    let was_on = tx.remove_totp(*id)?;
    if was_on {
        append(tx, caller, *id, "totp off", ids.next())?;
    }
    Ok(TotpDisabled {
        staff_id: id.get(),
        was_on,
    })
}

fn append(tx: &mut WriteTx<'_>, caller: &Caller, of: StaffId, changed: &str, id: i64) -> Result<()> {
    let event = Event::new(
        EventKind::StaffChanged,
        tx.now(),
        caller.working_unit()?,
        caller.channel().code(),
    )
    .by(caller.staff(), caller.device())
    .detail(json!({"changed": changed}))
    .personal(json!({"changed_staff_id": of}));
    Ok(tx.append_event(id, &event)?)
}
