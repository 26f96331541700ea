//! What a reader was told: the notices, by which channels they went, and how that ended.

use std::sync::Arc;

use chrono::{DateTime, Utc};
use serde::Serialize;
use utoipa::ToSchema;

use super::page::{Page, PageRequest};
use super::view::unit_code;
use super::{Caller, Result, UseCaseError};
use crate::clock::from_millis;
use crate::domain::network::Network;
use crate::store::Store;
use crate::store::notices::{Notice, SendingState};

/// One channel of a notice.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct NoticeSendingView {
    /// `mail`, `sms` or `wechat`.
    #[schema(example = "mail")]
    pub channel: String,
    /// `waiting`, `retrying`, `sent`, `bounced` (there is no such address), `failed` (given up) or `dropped` (there was
    /// nothing to tell any more).
    #[schema(example = "sent")]
    pub state: String,
    /// When it was handed over (UTC).
    #[schema(example = "2026-03-04T08:16:00Z")]
    pub sent_at: Option<DateTime<Utc>>,
}

/// One message to a reader.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct NoticeView {
    #[schema(example = 4711)]
    pub id: i64,
    /// The kind of notice.
    #[schema(example = "hold_ready")]
    pub kind: String,
    /// The unit it comes from.
    #[schema(example = "B0101")]
    pub unit_code: String,
    /// When it was made (UTC).
    #[schema(example = "2026-03-04T08:15:00Z")]
    pub made_at: DateTime<Utc>,
    /// How many things it tells of.
    #[schema(example = 2)]
    pub lines: i64,
    /// By which channels it goes; none: it is told here only.
    pub sendings: Vec<NoticeSendingView>,
}

/// Lists the calling reader's notices, the newest first.
///
/// # Errors
/// `Forbidden` for anybody but a reader; a failure of the store.
pub async fn list_my_notices(store: &Arc<Store>, caller: &Caller, page: PageRequest) -> Result<Page<NoticeView>> {
    let reader = caller.reader().ok_or(UseCaseError::Forbidden)?;
    store
        .read(move |tx| {
            let network = tx.network()?;
            let rows = tx.notices_of(reader, page.before_id(), page.fetch())?;
            let cut = page.cut(rows, |row| row.id);
            let ids: Vec<i64> = cut.items.iter().map(|row| row.id).collect();
            let sendings = tx.sendings_of(&ids)?;
            let mut views = Vec::with_capacity(ids.len());
            for row in cut.items {
                let (_, lines) = tx.notice_lines(row.id, 1)?;
                views.push(view(row, lines, &sendings, &network));
            }
            Ok(Page {
                items: views,
                next: cut.next,
            })
        })
        .await
}

fn view(row: Notice, lines: i64, sendings: &[SendingState], network: &Network) -> NoticeView {
    let of_this = sendings.iter().filter(|(sending, _)| sending.notice_id == row.id);
    NoticeView {
        id: row.id,
        kind: row.kind.code().to_owned(),
        unit_code: unit_code(network, row.unit.get()),
        made_at: from_millis(row.made_at),
        lines,
        sendings: of_this.map(sending_view).collect(),
    }
}

fn sending_view((sending, outbox): &SendingState) -> NoticeSendingView {
    let state = match (sending.bounced_at, sending.sent_at, outbox) {
        (Some(_), _, _) => "bounced",
        (None, Some(_), _) => "sent",
        (None, None, Some((_, Some(_), _))) => "failed",
        (None, None, Some((None, None, 0))) => "waiting",
        (None, None, Some((None, None, _))) => "retrying",
        (None, None, Some((Some(_), None, _)) | None) => "dropped",
    };
    NoticeSendingView {
        channel: sending.channel.clone(),
        state: state.to_owned(),
        sent_at: sending.sent_at.map(from_millis),
    }
}
