//! A device says what came of a command. Acknowledgements come late, twice, and from whoever saw one on the way.

use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::acting_device::{ActingDevice, acting_device};
use super::list_commands::{CommandView, view};
use super::once::once;
use super::report_compartment::{DoorReport, ReportedBy, apply_report};
use super::{Caller, IdempotencyKey, Result, Store, UseCaseError, alarm, compartment_record};
use crate::domain::compartment_report::{Door, Inside};
use crate::domain::device_command::{Acknowledged, CommandKind, CommandStatus, Facts, acknowledge};
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

/// What the write decided. A forged one is an `Ok` of the write: its alarm must be committed. Tagged, as an outcome is an object.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(tag = "answered")]
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
    let done = once(store, caller, key, compartment_record::IDS, command, take).await?;
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
        said_done: asked.done || nobody_knows(&command, &asked.result),
        said_result: &result,
    };
    match acknowledge(&facts, now) {
        Acknowledged::Ends(status) => {
            tx.end_command(command.id, status, Some(&result), now)?;
            if status == CommandStatus::Failed && command.kind == CommandKind::OpenCompartment {
                did_not_open(tx, &device, &command, &mut ids)?;
            }
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

/// Whether its door opened the device does not know: that is no door that stayed shut. Its deadline, or what is seen of it until then,
/// decides.
fn nobody_knows(command: &Command, result: &Value) -> bool {
    command.kind == CommandKind::OpenCompartment && result["outcome"] == "unknown"
}

/// The door that was ordered open stayed closed. One of an earlier turn says nothing of the present one.
fn did_not_open(tx: &mut WriteTx<'_>, device: &ActingDevice, command: &Command, ids: &mut IdRun) -> Result<()> {
    let body: Value = serde_json::from_str(&command.body).unwrap_or_default();
    let number = body["number"].as_u64().and_then(|number| u16::try_from(number).ok());
    let (Some(number), Some(turn)) = (number, body["turn"].as_i64()) else {
        return Ok(());
    };
    let network = tx.network()?;
    let report = DoorReport {
        number,
        turn,
        door: Door::Jammed,
        inside: Inside::NoSensor,
        at: tx.now(),
        by: ReportedBy::Report,
    };
    match apply_report(tx, device, &report, &network, ids) {
        Ok(_) | Err(UseCaseError::CompartmentTurn { .. } | UseCaseError::NotFound(_)) => Ok(()),
        Err(error) => Err(error),
    }
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
