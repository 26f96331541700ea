//! A device says what came of a command. Acknowledgements come late, twice, and from whoever saw one on the way.

use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::acting_device::acting_device;
use super::list_commands::{CommandView, view};
use super::once::once;
use super::{Caller, IdempotencyKey, Result, Store, UseCaseError, alarm};
use crate::domain::device_command::{Acknowledged, CommandStatus, Facts, acknowledge};
use crate::domain::device_heartbeat::AlarmKind;
use crate::domain::ids::CommandId;
use crate::store::Once;
use crate::store::devices::commands::Command;
use crate::store::idempotency::Outcome;
use crate::store::ids::IdRun;
use crate::store::tx::WriteTx;

/// Longest result, as JSON.
const MAX_RESULT: usize = 4_096;

/// What the device says.
#[derive(Debug, Clone)]
pub struct AcknowledgeCommand {
    pub command: CommandId,
    pub receipt: String,
    pub done: bool,
    /// An object.
    pub result: Value,
}

/// What the write decided. A forged one is an `Ok` of the write: its alarm must be committed.
#[derive(Debug, Clone, Serialize, Deserialize)]
enum Answered {
    Taken(Box<CommandView>),
    Forged,
}

impl Outcome for Answered {}

/// Takes an acknowledgement. One that comes too late is kept and changes nothing; the same again is answered as the first.
///
/// # Errors
/// `Forbidden` for whoever is no device at work; `NotFound`, also for another device's; `AcknowledgementForged`; `SaidOtherwise`;
/// `Invalid` for a result that is none; a failure of the store.
pub async fn acknowledge_command(
    store: &Arc<Store>,
    caller: &Caller,
    command: AcknowledgeCommand,
    key: Option<IdempotencyKey>,
) -> Result<Once<CommandView>> {
    let done = once(store, caller, key, 1, command, take).await?;
    match done.value {
        Answered::Taken(value) => Ok(Once {
            value: *value,
            replayed: done.replayed,
        }),
        Answered::Forged => Err(UseCaseError::AcknowledgementForged),
    }
}

fn take(tx: &mut WriteTx<'_>, caller: &Caller, asked: &AcknowledgeCommand, mut ids: IdRun) -> Result<Answered> {
    let device = acting_device(tx, caller, None)?;
    let command = tx
        .lock_command(asked.command)?
        .filter(|command| command.device == device.id)
        .ok_or(UseCaseError::NotFound("command"))?;
    let result = result_text(&asked.result)?;
    let now = tx.now();
    let facts = Facts {
        status: command.status,
        expires_at: command.expires_at,
        result: command.result.as_deref(),
        receipt_fits: URL_SAFE_NO_PAD.decode(&asked.receipt).ok().as_deref() == Some(&*command.receipt),
        said_done: asked.done,
        said_result: &result,
    };
    match acknowledge(&facts, now) {
        Acknowledged::Ends(status) => {
            tx.end_command(command.id, status, Some(&result), now)?;
        }
        Acknowledged::Late => late(tx, &command, &result)?,
        Acknowledged::Again => {}
        Acknowledged::Contradicts => {
            let first = format!(
                "the device said {} before, with another result: that stands",
                command.status
            );
            return Err(UseCaseError::SaidOtherwise(first));
        }
        Acknowledged::Forged => {
            let subject = command.id.to_string();
            alarm::raise(tx, device.id, AlarmKind::AcknowledgementForged, &subject, &mut ids)?;
            return Ok(Answered::Forged);
        }
    }
    let command = tx.command(command.id)?.ok_or(UseCaseError::NotFound("command"))?;
    view(&command).map(Box::new).map(Answered::Taken)
}

/// Its time was over before the job said so: it ends here, and what came is kept beside.
fn late(tx: &mut WriteTx<'_>, command: &Command, result: &str) -> Result<()> {
    let now = tx.now();
    if !command.status.is_ended() {
        tx.end_command(command.id, CommandStatus::Expired, None, now)?;
    }
    Ok(tx.keep_late_result(command.id, result)?)
}

fn result_text(result: &Value) -> Result<String> {
    let text = result.to_string();
    if !result.is_object() {
        return Err(UseCaseError::field("result", "must be an object"));
    }
    if text.len() > MAX_RESULT {
        return Err(UseCaseError::field(
            "result",
            format!("is longer than {MAX_RESULT} bytes"),
        ));
    }
    Ok(text)
}
