//! Codes to people who are no readers: applicants, and the staff. A row of the outbox for mail or SMS names the code, and its consumer
//! ([`super::send_notice`]) finds here where it goes, in place of a notice. Once the code counts no longer there is nothing to send.

use serde_json::json;

use super::Result;
use super::notice_facts::{Facts, one_line};
use crate::auth::Audience;
use crate::clock::from_millis;
use crate::domain::ids::{StaffId, UnitId};
use crate::domain::network::Network;
use crate::domain::notice::{Language, NoticeKind, SendChannel};
use crate::domain::unit::Unit;
use crate::store::applications::{ApplicationRow, UNPROVED};
use crate::store::sessions::reset_codes::ResetRow;
use crate::store::tx::ReadTx;

/// What an applicant is called.
const APPLICANT: &str = "读者";

/// A code and where it goes.
pub(super) struct CodeToSend {
    pub facts: Facts,
    pub address: String,
}

/// The code with this number, if it counts and goes by this channel.
///
/// # Errors
/// A failure of the store.
pub(super) fn code_to_send(tx: &mut ReadTx<'_>, id: i64, channel: SendChannel) -> Result<Option<CodeToSend>> {
    if let Some(row) = tx.application(id)? {
        return to_applicant(tx, &row, channel);
    }
    match tx.reset(id)? {
        Some(row) if channel == SendChannel::Mail => to_staff(tx, &row),
        _ => Ok(None),
    }
}

fn to_applicant(tx: &mut ReadTx<'_>, row: &ApplicationRow, channel: SendChannel) -> Result<Option<CodeToSend>> {
    let counts = row.state == UNPROVED && row.channel == channel.code();
    let Some(minutes) = minutes_left(tx, row.code_expires_at).filter(|_| counts) else {
        return Ok(None);
    };
    let (network, opened) = (tx.network()?, tx.open_applicant(row)?);
    let Some((_, address)) = opened else {
        return Ok(None);
    };
    let unit = network.unit(UnitId::new(row.unit_id));
    // Nobody puts words into a mail to a stranger: what the applicant is called is not among them.
    let facts = facts(tx, row.id, (APPLICANT, minutes), unit, &network)?;
    Ok(Some(CodeToSend { facts, address }))
}

fn to_staff(tx: &mut ReadTx<'_>, row: &ResetRow) -> Result<Option<CodeToSend>> {
    let counts = row.ended_at.is_none() && row.audience == super::session::audience_code(Audience::Staff);
    let Some(minutes) = minutes_left(tx, row.expires_at).filter(|_| counts) else {
        return Ok(None);
    };
    let id = StaffId::new(row.subject_id);
    let (network, member) = (tx.network()?, tx.staff_member(id)?);
    let Some((member, address)) = member.zip(tx.mail_of_staff(id)?) else {
        return Ok(None);
    };
    let facts = facts(tx, row.id, (&member.name, minutes), network.units().root(), &network)?;
    Ok(Some(CodeToSend { facts, address }))
}

/// As a notice of a code is put together for a reader who wishes nothing.
fn facts(
    tx: &mut ReadTx<'_>,
    code: i64,
    (name, minutes): (&str, i64),
    unit: Option<&Unit>,
    network: &Network,
) -> Result<Facts> {
    let (kind, language) = (NoticeKind::VerificationCode, Language::Chinese);
    let units = unit
        .map(|unit| network.units().ancestors(unit.id).to_vec())
        .unwrap_or_default();
    let own = tx.nearest_template(&units, kind, language)?;
    Ok(Facts {
        notice: code,
        kind,
        language,
        own: own.map(|(_, template)| template),
        values: json!({
            "unit": {
                "code": unit.map(|unit| unit.code.as_str()).unwrap_or_default(),
                "name": unit.map(|unit| one_line(&unit.name)).unwrap_or_default(),
            },
            "reader": {"name": one_line(name)},
            "language": language.code(),
            "portal_url": "",
            "count": 1,
            "lines": [{"code": "", "minutes": minutes}],
        }),
        code: Some(code),
    })
}

/// Minutes until a moment; `None` once it has passed.
fn minutes_left(tx: &ReadTx<'_>, until: i64) -> Option<i64> {
    let left = from_millis(until) - tx.now();
    Some((left.num_seconds() + 59) / 60).filter(|minutes| *minutes > 0)
}
