//! Security gates: may this book go out, and who went through.

use actix_web::web::{self, ServiceConfig, get, post, resource};
use serde::Deserialize;
use utoipa::{IntoParams, ToSchema};

use crate::app::App;
use crate::domain::barcode::Barcode;
use crate::domain::gate_exit::{AlarmOutcome, DecidedBy, ExitDecision, ExitReason, TagBit};
use crate::domain::item_shown::ItemShown;
use crate::http::answer::{self, Answer};
use crate::http::extract::{Changing, Operates, SettlesMachines};
use crate::http::input::{CodeText, Cursor, Limit, List, Moment, PageBody, Remark, Text, page, text};
use crate::http::openapi::{ChangeFailures, ChangeOneFailures, IdempotencyHeader, ListFailures};
use crate::http::problem::Problem;
use crate::http::query::Parameters;
use crate::usecase::UseCaseError;
use crate::usecase::check_gate_exit::{self, CheckGateExit, GateDecision};
use crate::usecase::list_gate_alarms::{self, GateAlarmView, ListGateAlarms};
use crate::usecase::report_gate_passages::{
    self, Decided, HourOfGate, MAX_CHECKS, MAX_HOURS, Passages, PassagesCounted, ToldCheck,
};
use crate::usecase::settle_gate_alarm::{self, SettleGateAlarm};

#[derive(utoipa::OpenApi)]
#[openapi(paths(check_gate_exit, report_gate_passages, list_gate_alarms, settle_gate_alarm))]
pub struct Document;

/// Routes below `/api/v1`.
pub fn routes(config: &mut ServiceConfig) {
    config
        .service(resource("/device/gate-checks").route(post().to(check_gate_exit)))
        .service(resource("/device/gate-passages").route(post().to(report_gate_passages)))
        .service(resource("/gate-alarms").route(get().to(list_gate_alarms)))
        .service(resource("/gate-alarms/{id}/settlement").route(post().to(settle_gate_alarm)));
}

const fn unknown() -> TagBit {
    TagBit::Unknown
}

/// A book passes on its way out.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"check_id": "g1-000017", "tag": "E0040150000004A1", "tag_bit": "secured"}))]
pub struct GateQuestion {
    /// The gate's own number of the passage: the same one makes no second alarm.
    #[schema(value_type = String, min_length = 1, max_length = 64, example = "g1-000017")]
    check_id: Text<64>,
    /// The identifier of its RFID tag; this or `barcode`.
    #[schema(value_type = Option<String>, max_length = 64, example = "E0040150000004A1")]
    tag: Option<Text<64>>,
    /// This or `tag`.
    #[schema(value_type = Option<String>, max_length = 64)]
    barcode: Option<Barcode>,
    /// What the security bit of the tag says: `secured` (in the house), `released` (lent) or `unknown` (the default).
    #[serde(default = "unknown")]
    #[schema(value_type = String, pattern = "^(secured|released|unknown)$", example = "secured")]
    tag_bit: TagBit,
}

/// What the gate read: exactly one of both.
fn read_at_gate(at: &str, tag: Option<Text<64>>, barcode: Option<Barcode>) -> Result<ItemShown, Problem> {
    match (tag, barcode) {
        (Some(tag), None) => Ok(ItemShown::Tag(tag.into())),
        (None, Some(barcode)) => Ok(barcode.into()),
        (None, None) => Err(UseCaseError::field(format!("{at}tag"), "is needed, or barcode").into()),
        (Some(_), Some(_)) => {
            Err(UseCaseError::field(format!("{at}barcode"), "is given beside tag: one is enough").into())
        }
    }
}

/// Asks whether a book may go out. Changes nothing but the log of alarms, and takes no idempotency key. A gate that has no answer
/// within 300 ms decides by the tag's own bit.
#[utoipa::path(post, path = "/api/v1/device/gate-checks", operation_id = "checkGateExit", tag = "devices",
    request_body = GateQuestion, security(("bearer" = [])),
    responses((status = 200, description = "What the gate is to do", body = GateDecision), ChangeFailures))]
pub async fn check_gate_exit(app: web::Data<App>, who: Operates, request: Changing<GateQuestion>) -> Answer {
    let asked = request.body;
    let question = CheckGateExit {
        check_id: asked.check_id.into(),
        read: read_at_gate("", asked.tag, asked.barcode)?,
        bit: asked.tag_bit,
    };
    answer::ok(&check_gate_exit::check_gate_exit(&app.store, &who.caller, question).await?)
}

/// How many passed in one hour. What is told of the same hour in another batch is added.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct GateHour {
    /// The full hour (UTC).
    #[schema(value_type = chrono::DateTime<chrono::Utc>, example = "2026-03-04T03:00:00Z")]
    hour: Moment,
    /// Into the unit.
    #[serde(rename = "in")]
    #[schema(value_type = u32, minimum = 0, maximum = 100000, example = 12)]
    went_in: Passed,
    /// Out of it.
    #[serde(rename = "out")]
    #[schema(value_type = u32, minimum = 0, maximum = 100000, example = 9)]
    went_out: Passed,
}

/// People who passed in an hour.
#[derive(Debug, Clone, Copy)]
pub struct Passed(u32);

impl<'de> Deserialize<'de> for Passed {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let passed = u32::deserialize(deserializer)?;
        let fits = passed <= 100_000;
        fits.then_some(Self(passed))
            .ok_or_else(|| serde::de::Error::custom("must be 0 to 100000"))
    }
}

/// A passage that is told afterwards: each that the gate decided alone, and each alarm once more.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct GatePassage {
    /// The number under which it was asked, or would have been.
    #[schema(value_type = String, min_length = 1, max_length = 64, example = "g1-000017")]
    check_id: Text<64>,
    /// When it was (RFC 3339).
    #[schema(value_type = chrono::DateTime<chrono::Utc>, example = "2026-03-04T03:12:09Z")]
    at: Moment,
    /// The identifier of its RFID tag; this or `barcode`.
    #[schema(value_type = Option<String>, max_length = 64, example = "E0040150000004A1")]
    tag: Option<Text<64>>,
    /// This or `tag`.
    #[schema(value_type = Option<String>, max_length = 64)]
    barcode: Option<Barcode>,
    /// As in checkGateExit.
    #[serde(default = "unknown")]
    #[schema(value_type = String, pattern = "^(secured|released|unknown)$", example = "secured")]
    tag_bit: TagBit,
    /// `asked`: we answered, and this is our answer; `locally`: nobody did.
    #[schema(value_type = String, pattern = "^(asked|locally)$", example = "locally")]
    decided: DecidedBy,
    /// `allow` or `alarm`.
    #[schema(value_type = String, pattern = "^(allow|alarm)$", example = "alarm")]
    decision: ExitDecision,
    /// Of what was asked: the reason that was answered.
    #[schema(value_type = Option<String>, max_length = 40, example = "not_lent")]
    reason: Option<ExitReason>,
}

impl GatePassage {
    fn parsed(self, place: usize) -> Result<ToldCheck, Problem> {
        let wrong = |member: &str, reason: &str| UseCaseError::field(format!("checks[{place}].{member}"), reason);
        let decided = match (self.decided, self.reason) {
            (DecidedBy::Locally, None) => Decided::Locally(self.decision),
            (DecidedBy::Locally, Some(_)) => {
                return Err(wrong("reason", "is not known to a gate that decides alone: leave it out").into());
            }
            (DecidedBy::Asked, None) => return Err(wrong("reason", "is needed: the one that was answered").into()),
            (DecidedBy::Asked, Some(reason)) if reason.decision() != self.decision => {
                return Err(wrong("decision", "is not the one that goes with this reason").into());
            }
            (DecidedBy::Asked, Some(reason)) => Decided::Asked(reason),
        };
        Ok(ToldCheck {
            check_id: self.check_id.into(),
            at: self.at.0,
            read: read_at_gate(&format!("checks[{place}]."), self.tag, self.barcode)?,
            bit: self.tag_bit,
            decided,
        })
    }
}

/// A batch of a gate.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct GateBatch {
    /// The gate's own number of the batch: sent twice it counts once.
    #[schema(value_type = String, min_length = 1, max_length = 64, example = "g1-b000042")]
    batch: Text<64>,
    /// Counts, by hour.
    #[serde(default)]
    #[schema(value_type = Vec<GateHour>, max_items = 1080)]
    hours: List<GateHour, 0, MAX_HOURS>,
    /// Passages that are told one by one.
    #[serde(default)]
    #[schema(value_type = Vec<GatePassage>, max_items = 200)]
    checks: List<GatePassage, 0, MAX_CHECKS>,
}

/// Tells how many passed, and what the gate decided alone. Lines that cannot be believed are named; all others are taken.
#[utoipa::path(post, path = "/api/v1/device/gate-passages", operation_id = "reportGatePassages", tag = "devices",
    params(IdempotencyHeader), request_body = GateBatch, security(("bearer" = [])),
    responses((status = 200, description = "What was counted", body = PassagesCounted), ChangeFailures))]
pub async fn report_gate_passages(app: web::Data<App>, who: Operates, request: Changing<GateBatch>) -> Answer {
    let GateBatch { batch, hours, checks } = request.body;
    let hours = hours.0.into_iter().map(|hour| HourOfGate {
        hour: hour.hour.0,
        went_in: hour.went_in.0,
        went_out: hour.went_out.0,
    });
    let checks = checks.0.into_iter().enumerate();
    let checks: Result<Vec<ToldCheck>, Problem> = checks.map(|(place, check)| check.parsed(place)).collect();
    let report = Passages {
        batch: batch.into(),
        hours: hours.collect(),
        checks: checks?,
    };
    answer::done(&report_gate_passages::report_gate_passages(&app.store, &who.caller, report, request.key).await?)
}

#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct GateAlarmFilter {
    /// Gates at or below this unit; the caller's own by default.
    #[param(value_type = Option<String>, max_length = 32)]
    unit_code: Option<CodeText>,
    /// True: those that are settled, instead of those that are not.
    #[serde(default)]
    #[param(example = false)]
    settled: bool,
    /// `next_cursor` of the page before.
    #[param(value_type = Option<String>)]
    cursor: Option<Cursor>,
    /// Rows of a page; 50 by default.
    #[param(value_type = Option<u16>, minimum = 1, maximum = 200)]
    limit: Option<Limit>,
}

/// Lists what gates alarmed and what they let pass with a doubt, the newest first: books, never people.
#[utoipa::path(get, path = "/api/v1/gate-alarms", operation_id = "listGateAlarms", tag = "devices",
    params(GateAlarmFilter), security(("bearer" = [])),
    responses((status = 200, description = "A page of alarms", body = PageBody<GateAlarmView>), ListFailures))]
pub async fn list_gate_alarms(
    app: web::Data<App>,
    who: SettlesMachines,
    filter: Parameters<GateAlarmFilter>,
) -> Answer {
    let GateAlarmFilter {
        unit_code,
        settled,
        cursor,
        limit,
    } = filter.0;
    let query = ListGateAlarms {
        unit_code: text(unit_code),
        settled,
        page: page(cursor, limit),
    };
    let alarms = list_gate_alarms::list_gate_alarms(&app.store, &who.caller, query).await?;
    answer::ok(&PageBody::from(alarms))
}

/// What became of an alarm.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct GateAlarmSettlement {
    /// `stopped`, `mistaken` (no reason to alarm), `let_go` or `nobody_seen`.
    #[schema(value_type = String, pattern = "^(stopped|mistaken|let_go|nobody_seen)$", example = "stopped")]
    outcome: AlarmOutcome,
    /// About the book, not about anybody.
    #[schema(value_type = Option<String>, min_length = 1, max_length = 500, example = "已补办借阅")]
    note: Option<Remark<500>>,
}

/// Says what became of an alarm. Said again the same is answered as before; another outcome is refused (409 `wrong_state`).
#[utoipa::path(post, path = "/api/v1/gate-alarms/{id}/settlement", operation_id = "settleGateAlarm", tag = "devices",
    params(("id" = i64, Path), IdempotencyHeader), request_body = GateAlarmSettlement, security(("bearer" = [])),
    responses((status = 200, description = "The alarm", body = GateAlarmView), ChangeOneFailures))]
pub async fn settle_gate_alarm(
    app: web::Data<App>,
    who: SettlesMachines,
    id: web::Path<i64>,
    request: Changing<GateAlarmSettlement>,
) -> Answer {
    let command = SettleGateAlarm {
        alarm: *id,
        outcome: request.body.outcome,
        note: text(request.body.note),
    };
    answer::done(&settle_gate_alarm::settle_gate_alarm(&app.store, &who.caller, command, request.key).await?)
}
