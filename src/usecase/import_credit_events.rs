//! What volunteer and event systems report: hours, attendance, no-shows. Each report counts once, and by itself; the caller has
//! shown that it is such a system.

use std::sync::Arc;

use chrono::{DateTime, TimeDelta, Utc};
use serde::{Deserialize, Serialize};
use serde_json::json;
use sha2::{Digest, Sha256};
use utoipa::ToSchema;

use super::credit_ledger::{Books, IDS_PER_POSTING, Line};
use super::{Caller, Result, UseCaseError};
use crate::domain::barcode::CardNumber;
use crate::domain::credit::{CreditEvent, EntryCause};
use crate::domain::event::EventKind;
use crate::domain::ids::ReaderId;
use crate::store::Store;
use crate::store::credit::freezes::{CreditReportRow, FreezeEnd};
use crate::store::credit::{CreditAccount, CreditReason};
use crate::store::ids::IdRun;
use crate::store::tx::WriteTx;

/// How far another system's clock may be ahead.
const CLOCK_MINUTES: i64 = 5;
/// What happened longer ago is for staff to post.
const OLDEST_DAYS: i64 = 60;
/// Freezes that work may end.
const FREEZES: i64 = 3;

/// One report.
#[derive(Debug, Clone)]
pub struct CreditReport {
    /// Theirs: the same one counts once.
    pub report_id: String,
    pub card_number: CardNumber,
    pub event: CreditEvent,
    /// Hours, an organiser's points, or times.
    pub quantity: u32,
    pub occurred_at: DateTime<Utc>,
    /// The reader reads it.
    pub note: Option<String>,
}

/// What became of a report.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct CreditReportOutcome {
    /// The sender's.
    #[schema(example = "2026-03-04-0017")]
    pub report_id: String,
    /// `posted`; `capped` (nothing came of it); `no_rule` (the programme does not know the event); `unknown_card`; `too_old` (more than 60
    /// days); `in_the_future`; `contradicts` (the same id said something else before, which stands).
    #[schema(example = "posted")]
    pub outcome: String,
    /// It came before, and this is what became of it then.
    #[schema(example = false)]
    pub repeated: bool,
    /// The line of the ledger.
    #[schema(example = 1042)]
    pub entry_id: Option<i64>,
}

/// What became of all.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct CreditReportOutcomes {
    /// In the order of the reports.
    pub reports: Vec<CreditReportOutcome>,
}

/// Takes reports, each in a write of its own: one that is wrong stops no other, and all may be sent again.
///
/// # Errors
/// `State` without a programme; a failure of the store, after which what was taken stays taken.
pub async fn import_credit_events(
    store: &Arc<Store>,
    source: String,
    reports: Vec<CreditReport>,
) -> Result<CreditReportOutcomes> {
    let mut outcomes = Vec::new();
    for report in reports {
        let ids = store.take_ids::<UseCaseError>((FREEZES + 2) * IDS_PER_POSTING).await?;
        let from = source.clone();
        outcomes.push(store.write(move |tx| apply(tx, &from, &report, ids.clone())).await?);
    }
    Ok(CreditReportOutcomes { reports: outcomes })
}

fn apply(tx: &mut WriteTx<'_>, source: &str, report: &CreditReport, mut ids: IdRun) -> Result<CreditReportOutcome> {
    let outcome = |outcome: &str, repeated, entry_id| CreditReportOutcome {
        report_id: report.report_id.clone(),
        outcome: outcome.to_owned(),
        repeated,
        entry_id,
    };
    let fingerprint = fingerprint(report);
    if let Some(known) = tx.credit_report(source, &report.report_id)? {
        return Ok(match known.fingerprint == fingerprint {
            true => outcome(&known.outcome, true, known.entry_id),
            false => outcome("contradicts", false, None),
        });
    }
    let now = tx.now();
    // These are not kept: the same report may be right tomorrow, or with the right card.
    if report.occurred_at > now + TimeDelta::minutes(CLOCK_MINUTES) {
        return Ok(outcome("in_the_future", false, None));
    }
    let Some(reader) = tx.reader_of_card(report.card_number.as_str())? else {
        return Ok(outcome("unknown_card", false, None));
    };
    let (word, entry) = if now - report.occurred_at > TimeDelta::days(OLDEST_DAYS) {
        ("too_old", None)
    } else {
        post(tx, report, reader, now, &mut ids)?
    };
    tx.insert_credit_report(&CreditReportRow {
        source: source.to_owned(),
        report_id: report.report_id.clone(),
        fingerprint,
        outcome: word.to_owned(),
        entry_id: entry,
        reported_at: now.timestamp_millis(),
    })?;
    Ok(outcome(word, false, entry))
}

fn post(
    tx: &mut WriteTx<'_>,
    report: &CreditReport,
    reader: ReaderId,
    now: DateTime<Utc>,
    ids: &mut IdRun,
) -> Result<(&'static str, Option<i64>)> {
    let (network, caller) = (tx.network()?, Caller::system());
    let network = tx.as_of(network, report.occurred_at)?;
    let rules = super::credit_ledger::programme(&network)?;
    if rules.rule(report.event).is_none() {
        return Ok(("no_rule", None));
    }
    let mut books = Books {
        tx,
        network: &network,
        rules,
        caller: &caller,
        now,
        ids,
    };
    let mut account = books.open(reader)?;
    let reason = CreditReason {
        note: report.note.clone(),
        ..CreditReason::default()
    };
    let day = network.local_day(report.occurred_at);
    let line = Line::by_rule(report.event, EntryCause::Hook, day, reason);
    let entry = books.by_rule(&mut account, report.quantity, line)?;
    if report.event == CreditEvent::VolunteerHour {
        books.work_off(&mut account, report)?;
    }
    let detail = json!({"entry_id": entry, "event": report.event.code(), "balance": account.balance});
    books.tell(&account, EventKind::CreditPosted, detail, None)?;
    Ok((if entry.is_some() { "posted" } else { "capped" }, entry))
}

impl Books<'_, '_> {
    /// Hours that were worked since a freeze began count for its end.
    fn work_off(&mut self, account: &mut CreditAccount, report: &CreditReport) -> Result<()> {
        let minutes = i32::try_from(report.quantity.saturating_mul(60)).unwrap_or(i32::MAX);
        let open = self.tx.open_freezes(account.reader)?;
        let since = |started_at: i64| started_at <= report.occurred_at.timestamp_millis();
        for freeze in open.iter().filter(|one| since(one.started_at)).take(3) {
            let Some(needed) = freeze.minutes_needed else { continue };
            self.tx.add_freeze_minutes(freeze.id, minutes)?;
            if freeze.minutes_done.saturating_add(minutes) >= needed {
                self.lift(account, freeze, FreezeEnd::Work, None)?;
            }
        }
        Ok(())
    }
}

fn fingerprint(report: &CreditReport) -> Vec<u8> {
    let mut hash = Sha256::new();
    let mut put = |bytes: &[u8]| {
        hash.update((bytes.len() as u64).to_be_bytes());
        hash.update(bytes);
    };
    put(report.card_number.as_str().as_bytes());
    put(report.event.code().as_bytes());
    put(&report.quantity.to_be_bytes());
    put(&report.occurred_at.timestamp_millis().to_be_bytes());
    put(report.note.as_deref().unwrap_or_default().as_bytes());
    hash.finalize().to_vec()
}
