//! What came back of a mail: the envelope's sender has the number of the sending and a keyed mark, so that nobody else can say it.

use std::sync::Arc;

use super::{Result, UseCaseError};
use crate::auth::DerivedSecrets;
use crate::domain::notice::SendChannel;
use crate::store::Store;

/// What came back.
#[derive(Debug, Clone)]
pub struct ReportBounce {
    /// The address it came to: `bounce+NUMBER-MARK@…`.
    pub address: String,
    /// The status of RFC 3463: 4.x.x for a while, 5.x.x for good.
    pub status: String,
}

/// Keeps that a mail came back, once. True: that was not known.
///
/// # Errors
/// `Invalid` for a status that is none; `NotFound` for an address that we did not give out; a failure of the store.
pub async fn report_bounce(store: &Arc<Store>, secrets: &DerivedSecrets, report: ReportBounce) -> Result<bool> {
    if !is_status(&report.status) {
        return Err(UseCaseError::field(
            "status",
            "must be a status of RFC 3463 that tells of a failure, such as 5.1.1",
        ));
    }
    let sending = sending_of(&report.address, secrets).ok_or(UseCaseError::NotFound("notice"))?;
    store
        .write(move |tx| {
            let found = tx.sending(sending)?.ok_or(UseCaseError::NotFound("notice"))?;
            let channel = SendChannel::from_code(&found.channel).ok_or(UseCaseError::NotFound("notice"))?;
            let first = tx.note_bounced(sending, &report.status)?;
            if first && let Some(notice) = tx.notice(found.notice_id)? {
                tx.note_notice_failed(&notice, channel, report.status.starts_with('5'))?;
            }
            Ok(first)
        })
        .await
}

/// The sending of an address that we gave out.
fn sending_of(address: &str, secrets: &DerivedSecrets) -> Option<i64> {
    let (local, _) = address.split_once('@')?;
    let (number, mark) = local.strip_prefix("bounce+")?.split_once('-')?;
    let number: i64 = number.parse().ok()?;
    secrets.is_bounce_mark(number, mark).then_some(number)
}

fn is_status(text: &str) -> bool {
    let parts: Vec<&str> = text.split('.').collect();
    let number = |part: &&str| (1..=3).contains(&part.len()) && part.bytes().all(|byte| byte.is_ascii_digit());
    parts.len() == 3 && matches!(parts.first(), Some(&"4" | &"5")) && parts.iter().all(number)
}
