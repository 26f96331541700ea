//! An order to a device, in the transaction of what it belongs to. Whoever calls wakes the device once that is committed
//! ([`super::device_board::DeviceBoard::wake`]).

use serde_json::Value;

use super::Result;
use crate::domain::device_command::{CommandKind, CommandStatus};
use crate::domain::ids::{CommandId, DeviceId};
use crate::store::devices::commands::Command;
use crate::store::ids::IdRun;
use crate::store::tx::WriteTx;

/// Length of what an acknowledgement repeats.
pub const RECEIPT_BYTES: usize = 16;

/// Orders something. Takes one id. The receipt comes from outside the transaction, which may be run twice.
pub(super) fn order(
    tx: &mut WriteTx<'_>,
    device: DeviceId,
    kind: CommandKind,
    body: &Value,
    receipt: [u8; RECEIPT_BYTES],
    ids: &mut IdRun,
) -> Result<CommandId> {
    let (id, now) = (CommandId::new(ids.next()), tx.now());
    tx.insert_command(&Command {
        id,
        device,
        kind,
        body: body.to_string(),
        receipt: receipt.to_vec(),
        status: CommandStatus::Queued,
        queued_at: now,
        expires_at: now + kind.life(),
        delivered_at: None,
        ended_at: None,
        result: None,
        late_result: None,
    })?;
    Ok(id)
}

/// A receipt that nobody can guess.
///
/// # Panics
/// When the operating system has no randomness.
pub(super) fn new_receipt() -> [u8; RECEIPT_BYTES] {
    let mut receipt = [0; RECEIPT_BYTES];
    getrandom::fill(&mut receipt).expect("the operating system provides randomness");
    receipt
}
