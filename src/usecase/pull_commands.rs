//! A device asks what it is to do, and waits a while for it. What was delivered and not acknowledged comes again with the same
//! receipt.

use std::sync::Arc;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chrono::{DateTime, Utc};
use serde::Serialize;
use serde_json::Value;
use tokio::time::Instant;
use utoipa::ToSchema;

use super::acting_device::acting_device;
use super::device_board::DeviceBoard;
use super::driven_devices::is_driven;
use super::{Caller, Result, Store, UseCaseError};
use crate::domain::device_command::CommandStatus;
use crate::domain::ids::DeviceId;
use crate::store::devices::commands::Command;

/// Commands told at once.
const AT_ONCE: i64 = 16;

/// Longest wait.
pub const MAX_WAIT_SECONDS: u16 = 10;

/// One command, as its device is told.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub struct DeliveredCommand {
    #[schema(example = 9001)]
    pub id: i64,
    /// The acknowledgement repeats it. The same each time the command is told.
    #[schema(example = "q83vEjRWeJCrze8SNFZ4kA")]
    pub receipt: String,
    /// What is ordered; an unknown kind is acknowledged as failed.
    #[schema(example = "open_compartment")]
    pub kind: String,
    /// What it is about, by its kind.
    #[schema(value_type = Object, example = json!({"number": 7, "turn": 12}))]
    pub body: Value,
    /// It is not begun later than so many milliseconds after it arrived.
    #[schema(example = 19_500)]
    pub expires_in_ms: i64,
}

/// Answers everything that is open, the oldest first, or waits for it.
///
/// # Errors
/// `Forbidden` for whoever is no device at work, also once it is suspended while it waits; a failure of the store.
pub async fn pull_commands(
    store: &Arc<Store>,
    board: &DeviceBoard,
    caller: &Caller,
    wait: Duration,
) -> Result<Vec<DeliveredCommand>> {
    let device = caller.device().ok_or(UseCaseError::Forbidden)?;
    let look = || hand_out(store, board, caller, device);
    wait_for_some(board, device, wait, || board.is_stopped(), look).await
}

/// Looks, and looks again whenever the device is woken, until there is something, the time is over, or whoever asks has enough. A look
/// that was begun is ended: it may have taken something.
pub(super) async fn wait_for_some<L, F>(
    board: &DeviceBoard,
    device: DeviceId,
    wait: Duration,
    enough: impl Fn() -> bool,
    mut look: L,
) -> Result<Vec<DeliveredCommand>>
where
    L: FnMut() -> F,
    F: Future<Output = Result<Vec<DeliveredCommand>>>,
{
    let until = Instant::now() + wait;
    let listening = board.listen(device);
    loop {
        // Listen first: what is ordered between looking and waiting is not missed.
        let mut woken = std::pin::pin!(listening.notified());
        woken.as_mut().enable();
        let open = look().await?;
        if !open.is_empty() || enough() || Instant::now() >= until {
            return Ok(open);
        }
        tokio::select! {
            () = woken => {}
            () = tokio::time::sleep_until(until) => {}
        }
        if enough() {
            return Ok(open);
        }
    }
}

async fn hand_out(
    store: &Arc<Store>,
    board: &DeviceBoard,
    caller: &Caller,
    device: DeviceId,
) -> Result<Vec<DeliveredCommand>> {
    let who = caller.clone();
    let open = store
        .read(move |tx| {
            acting_device(tx, &who, None)?;
            // What a driver of ours carries out is not carried out by the device as well.
            if is_driven(tx, device)? {
                return Ok(Vec::new());
            }
            tx.open_commands(device, AT_ONCE).map_err(UseCaseError::from)
        })
        .await?;
    let queued = open.iter().any(|command| command.status == CommandStatus::Queued);
    let open = if queued {
        deliver(store, caller, device).await?
    } else {
        open
    };
    if open.len() < usize::try_from(AT_ONCE).unwrap_or(usize::MAX) {
        board.told(device);
    }
    let now = store.clock().now();
    open.iter().map(|command| told(command, now)).collect()
}

/// In the write that hands them out: what is told counts as told.
async fn deliver(store: &Arc<Store>, caller: &Caller, device: DeviceId) -> Result<Vec<Command>> {
    let who = caller.clone();
    store
        .write(move |tx| -> Result<Vec<Command>> {
            acting_device(tx, &who, None)?;
            let (open, now) = (tx.open_commands(device, AT_ONCE)?, tx.now());
            let ids: Vec<i64> = open.iter().map(|command| command.id.get()).collect();
            tx.deliver_commands(device, &ids, now)?;
            // What was cancelled meanwhile is not told.
            Ok(tx.open_among(device, &ids)?)
        })
        .await
}

pub(super) fn told(command: &Command, now: DateTime<Utc>) -> Result<DeliveredCommand> {
    let fault = |error: serde_json::Error| UseCaseError::Internal(format!("command {}: {error}", command.id));
    Ok(DeliveredCommand {
        id: command.id.get(),
        receipt: URL_SAFE_NO_PAD.encode(&command.receipt),
        kind: command.kind.code().to_owned(),
        body: serde_json::from_str(&command.body).map_err(fault)?,
        expires_in_ms: (command.expires_at - now).num_milliseconds().max(0),
    })
}
