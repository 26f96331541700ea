//! Commands whose time is over end. Run by a job; a device is told of none of them even before that.

use std::sync::Arc;

use chrono::{DateTime, Utc};

use super::run_job::{Look, Pass, of_one};
use super::{Result, Store};
use crate::domain::device_command::{CommandStatus, is_overdue};
use crate::domain::ids::CommandId;
use crate::store::tx::{ReadTx, WriteTx};

/// Commands looked up at a time.
const PAGE: i64 = 200;

/// The walk over commands that were neither acknowledged nor cancelled in their time.
#[derive(Debug, Clone, Copy)]
pub struct ExpireCommands;

impl Pass for ExpireCommands {
    type Work = CommandId;

    fn look(
        &self,
        after: i64,
        now: DateTime<Utc>,
    ) -> impl FnOnce(&mut ReadTx<'_>) -> Result<Look<CommandId>> + Send + 'static {
        move |tx| {
            let work = tx.overdue_commands(now, after, PAGE)?;
            Ok(Look {
                looked_at: i64::try_from(work.len()).unwrap_or(i64::MAX),
                after: work.last().map(|command| command.get()),
                work,
            })
        }
    }

    async fn act(&self, store: &Arc<Store>, work: Vec<CommandId>) -> Result<i64> {
        let mut expired = 0;
        for command in work {
            let done = store.write(move |tx| expire(tx, command)).await;
            expired += i64::from(of_one(done, "command", command.get())? == Some(true));
        }
        Ok(expired)
    }
}

/// It may have been acknowledged meanwhile.
fn expire(tx: &mut WriteTx<'_>, id: CommandId) -> Result<bool> {
    let now = tx.now();
    let overdue = tx
        .lock_command(id)?
        .is_some_and(|command| is_overdue(command.status, command.expires_at, now));
    Ok(overdue && tx.end_command(id, CommandStatus::Expired, None, now)?)
}
