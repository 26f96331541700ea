//! Makes a notice of lines: those that were made before are left out, the others join what still gathers, or are a new notice with
//! its sendings. Nothing is put into words here.

use super::Result;
use crate::domain::ids::{ReaderId, UnitId};
use crate::domain::notice::{NoticeKind, SendChannel};
use crate::domain::notice_time::send_at;
use crate::store::ids::IdRun;
use crate::store::notices::{Line, Notice};
use crate::store::tx::WriteTx;

/// Ids that one notice may need: its own, and one for each channel.
pub const NOTICE_IDS: i64 = 4;

/// What a reader is to be told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewNotice {
    pub reader: ReaderId,
    pub kind: NoticeKind,
    /// Whose templates speak.
    pub unit: UnitId,
    pub lines: Vec<Line>,
}

/// Makes it. False: all of it was made before.
///
/// # Errors
/// A failure of the store.
pub(super) fn make_notice(tx: &mut WriteTx<'_>, ids: &mut IdRun, new: &NewNotice) -> Result<bool> {
    let known = tx.known_lines(new.kind, &new.lines)?;
    let fresh: Vec<Line> = new.lines.iter().copied().filter(|line| !known.contains(line)).collect();
    if fresh.is_empty() {
        return Ok(false);
    }
    let (wishes, _) = tx.wishes_of(new.reader)?;
    let gathers = wishes.gathers && !new.kind.is_urgent();
    let open = if gathers {
        tx.gathering_notice(new.reader, new.kind, new.unit)?
    } else {
        None
    };
    if let Some(notice) = open {
        for line in fresh {
            tx.insert_notice_line(notice, new.kind, line)?;
        }
        return Ok(true);
    }
    let now = tx.now();
    let zone = tx.zone();
    let made = Notice {
        id: ids.next(),
        reader: new.reader,
        kind: new.kind,
        unit: new.unit,
        made_at: now.timestamp_millis(),
        send_at: send_at(new.kind, wishes.gathers, wishes.quiet, now, zone).timestamp_millis(),
    };
    tx.insert_notice(&made, gathers)?;
    for line in fresh {
        tx.insert_notice_line(made.id, new.kind, line)?;
    }
    let contacts = tx.contacts_of(new.reader)?;
    let good = contacts.iter().filter(|contact| contact.is_good());
    let reachable: Vec<SendChannel> = good
        .filter_map(|contact| SendChannel::from_code(&contact.channel))
        .collect();
    for channel in wishes.channels_of(new.kind, &reachable) {
        tx.insert_sending(ids.next(), &made, channel)?;
    }
    Ok(true)
}
