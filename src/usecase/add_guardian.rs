//! Guardian links: a reader answers for another one, with the consent that is on record; and the end of a link.

use std::sync::Arc;

use chrono::{DateTime, NaiveDate, Utc};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use utoipa::ToSchema;

use super::caller::with_link;
use super::error::FieldError;
use super::issue_card::open_reader;
use super::once::once;
use super::{Caller, IdempotencyKey, Result, UseCaseError};
use crate::auth::Right;
use crate::clock::from_millis;
use crate::domain::event::{AgeBand, EventKind};
use crate::domain::guardian::{self, Consent, Facts, Relation};
use crate::domain::ids::{CategoryId, ReaderId, UnitId};
use crate::domain::network::Network;
use crate::domain::reader::ReaderStatus;
use crate::store::events::Event;
use crate::store::idempotency::Outcome;
use crate::store::ids::IdRun;
use crate::store::readers::guardians::GuardianRow;
use crate::store::readers::{ReaderView, day_text};
use crate::store::tx::WriteTx;
use crate::store::{Once, Store};

/// Readers above a guardian that are looked at: more than there ever are.
const MOST_LOOKED_AT: usize = 64;

/// What is asked for.
#[derive(Debug, Clone)]
pub struct AddGuardian {
    pub ward: ReaderId,
    pub guardian: ReaderId,
    pub relation: String,
    pub may_act: bool,
    /// The number of the signed form, and its day.
    pub consent: Option<(String, NaiveDate)>,
}

/// A link between a guardian and a ward.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct GuardianshipView {
    /// Number of the link.
    #[schema(example = 1060)]
    pub id: i64,
    /// The reader who answers.
    #[schema(example = 1042)]
    pub guardian_reader_id: i64,
    /// The reader who is answered for.
    #[schema(example = 1051)]
    pub ward_reader_id: i64,
    /// `parent`, `guardian`, `school` or `other`.
    #[schema(example = "parent")]
    pub relation: String,
    /// Whether the guardian may borrow, renew and hold for the ward.
    #[schema(example = true)]
    pub may_act: bool,
    /// When it began (UTC).
    #[schema(example = "2026-03-04T04:00:00Z")]
    pub started_at: DateTime<Utc>,
    /// When it ended (UTC).
    #[schema(example = json!(null))]
    pub ended_at: Option<DateTime<Utc>>,
}

impl GuardianshipView {
    pub(super) fn of(row: &GuardianRow) -> Self {
        Self {
            id: row.id,
            guardian_reader_id: row.guardian_reader_id,
            ward_reader_id: row.ward_reader_id,
            relation: row.relation.clone(),
            may_act: row.may_act,
            started_at: from_millis(row.started_at),
            ended_at: row.ended_at.map(from_millis),
        }
    }
}

impl Outcome for GuardianshipView {
    fn reader_id(&self) -> Option<i64> {
        Some(self.ward_reader_id)
    }
}

/// Links a guardian to a ward.
///
/// # Errors
/// `Invalid` naming every wrong field; `State` for a reader who was merged, or a link that is there; `NotFound`; `Forbidden`; a failure of
/// the store.
pub async fn add_guardian(
    store: &Arc<Store>,
    caller: &Caller,
    command: AddGuardian,
    key: Option<IdempotencyKey>,
) -> Result<Once<GuardianshipView>> {
    caller.require_somewhere(Right::RegisterReader)?;
    once(store, caller, key, IDS_PER_LINK, command, add).await
}

/// Ends a link.
///
/// # Errors
/// `State` for one that ended before; `NotFound`; `Forbidden`; a failure of the store.
pub async fn end_guardianship(
    store: &Arc<Store>,
    caller: &Caller,
    id: i64,
    key: Option<IdempotencyKey>,
) -> Result<Once<GuardianshipView>> {
    caller.require_somewhere(Right::RegisterReader)?;
    once(store, caller, key, 1, id, end).await
}

/// Ids that a link uses up: its own and its event's.
pub(super) const IDS_PER_LINK: i64 = 2;

fn add(tx: &mut WriteTx<'_>, caller: &Caller, command: &AddGuardian, mut ids: IdRun) -> Result<GuardianshipView> {
    link(tx, caller, command, &mut ids)
}

/// Adds a link; the ward may be registered in the same write.
pub(super) fn link(
    tx: &mut WriteTx<'_>,
    caller: &Caller,
    command: &AddGuardian,
    ids: &mut IdRun,
) -> Result<GuardianshipView> {
    let network = tx.network()?;
    if command.ward == command.guardian {
        return Err(UseCaseError::field("guardian_reader_id", "is the ward"));
    }
    tx.lock_readers(&[command.ward, command.guardian])?;
    let ward = open_reader(tx, command.ward)?;
    if ward.status == ReaderStatus::Inactive.code() {
        return Err(UseCaseError::State("the ward's account is closed".to_owned()));
    }
    let missing = || UseCaseError::field("guardian_reader_id", "there is no such reader");
    let (guardian, _) = tx.reader_view(command.guardian)?.ok_or_else(missing)?;
    if guardian.merged_into.is_some() {
        return Err(UseCaseError::field(
            "guardian_reader_id",
            "was merged into another reader: name that one",
        ));
    }
    let relation = check(tx, command, &ward, &guardian, &network)?;
    let now = tx.now();
    let row = GuardianRow {
        id: ids.next(),
        guardian_reader_id: command.guardian.get(),
        ward_reader_id: command.ward.get(),
        relation: relation.code().to_owned(),
        may_act: command.may_act,
        consent_form: command.consent.as_ref().map(|(form, _)| form.clone()),
        consented_on: command.consent.as_ref().map(|(_, on)| day_text(*on)),
        started_at: now.timestamp_millis(),
        ended_at: None,
    };
    tx.insert_guardianship(&row)?;
    tell(
        tx,
        caller,
        &ward,
        json!({"changed": "guardian_added"}),
        &row,
        ids.next(),
    )?;
    Ok(GuardianshipView::of(&row))
}

fn check(
    tx: &mut WriteTx<'_>,
    command: &AddGuardian,
    ward: &ReaderView,
    guardian: &ReaderView,
    network: &Network,
) -> Result<Relation> {
    let known = || {
        Relation::ALL
            .iter()
            .map(|one| one.code())
            .collect::<Vec<_>>()
            .join(", ")
    };
    let relation = Relation::from_code(&command.relation)
        .ok_or_else(|| UseCaseError::field("relation", format!("must be one of {}", known())))?;
    let present = tx.guardians_of(command.ward)?;
    if present
        .iter()
        .any(|link| link.guardian_reader_id == command.guardian.get())
    {
        return Err(UseCaseError::State("the two are linked already".to_owned()));
    }
    let born = |reader: &ReaderView| reader.birth_date.as_deref().and_then(|text| text.parse().ok());
    let category = network.category(CategoryId::new(guardian.category_id));
    let facts = Facts {
        relation,
        ward_born: born(ward),
        guardian_born: born(guardian),
        guardian_institutional: category.is_some_and(|category| category.institutional),
        closed: guardian.status == ReaderStatus::Inactive.code(),
        reversed: answers_for(tx, command.ward, command.guardian)?,
        guardians: present.len(),
        consent: command.consent.as_ref().map(|(_, on)| Consent { on: *on }),
    };
    let faults = guardian::faults(&facts, network.local_day(tx.now()));
    if faults.is_empty() {
        return Ok(relation);
    }
    let named = faults
        .into_iter()
        .map(|wrong| FieldError::new(wrong.field(), wrong.to_string()));
    Err(UseCaseError::Invalid(named.collect()))
}

/// Whether a reader answers for another one, also through others.
fn answers_for(tx: &mut WriteTx<'_>, reader: ReaderId, other: ReaderId) -> Result<bool> {
    let mut below = vec![other];
    let mut at = 0;
    while let Some(ward) = below.get(at).copied().filter(|_| at < MOST_LOOKED_AT) {
        at += 1;
        for link in tx.guardians_of(ward)? {
            let guardian = ReaderId::new(link.guardian_reader_id);
            if guardian == reader {
                return Ok(true);
            }
            if !below.contains(&guardian) {
                below.push(guardian);
            }
        }
    }
    Ok(false)
}

fn end(tx: &mut WriteTx<'_>, caller: &Caller, id: &i64, mut ids: IdRun) -> Result<GuardianshipView> {
    let missing = || UseCaseError::NotFound("guardianship");
    let link = tx.guardianship(*id)?.ok_or_else(missing)?;
    let ward = ReaderId::new(link.ward_reader_id);
    tx.lock_readers(&[ward])?;
    let (reader, _) = tx.reader_view(ward)?.ok_or_else(missing)?;
    let now = tx.now();
    if !tx.end_guardianship(*id, now)? {
        return Err(UseCaseError::State("the link has ended already".to_owned()));
    }
    let ended = tx.guardianship(*id)?.ok_or_else(missing)?;
    tell(
        tx,
        caller,
        &reader,
        json!({"changed": "guardian_ended"}),
        &ended,
        ids.next(),
    )?;
    Ok(GuardianshipView::of(&ended))
}

/// Ends the open links of a ward who is of age; answers how many.
pub(super) fn end_at_age(tx: &mut WriteTx<'_>, caller: &Caller, ward: &ReaderView, ids: &mut IdRun) -> Result<usize> {
    let now = tx.now();
    let open = tx.guardians_of(ReaderId::new(ward.id))?;
    for link in &open {
        tx.end_guardianship(link.id, now)?;
        let detail = json!({"changed": "guardian_ended", "why": "of_age"});
        tell(tx, caller, ward, detail, link, ids.next())?;
    }
    Ok(open.len())
}

/// Whether a child's card waits for a guardian's consent. No statement for anybody else.
pub(super) fn lacks_consent(tx: &mut WriteTx<'_>, reader: &ReaderView, network: &Network) -> Result<bool> {
    let born = reader.birth_date.as_deref().and_then(|text| text.parse().ok());
    let category = network.category(CategoryId::new(reader.category_id));
    let child = category.is_some_and(|category| category.child);
    if !guardian::needs_consent(born, child, network.local_day(tx.now())) {
        return Ok(false);
    }
    let open = tx.guardians_of(ReaderId::new(reader.id))?;
    Ok(open.iter().all(|link| link.consent_form.is_none()))
}

/// Which link it was stands in the erasable part; the guardian and the form stand in the link only, where they can be erased.
fn tell(
    tx: &mut WriteTx<'_>,
    caller: &Caller,
    ward: &ReaderView,
    detail: Value,
    link: &GuardianRow,
    event_id: i64,
) -> Result<()> {
    let (network, now) = (tx.network()?, tx.now());
    let born = ward.birth_date.as_deref().and_then(|text| text.parse().ok());
    let at = caller.unit.unwrap_or(UnitId::new(ward.home_unit_id));
    let event = Event::new(EventKind::ReaderChanged, now, at, caller.own_channel())
        .of_reader(
            ReaderId::new(ward.id),
            CategoryId::new(ward.category_id),
            AgeBand::on(born, network.local_day(now)),
        )
        .by(caller.staff(), caller.device())
        .detail(detail)
        .personal(with_link(Value::Null, Some(link.id)));
    Ok(tx.append_event(event_id, &event)?)
}
