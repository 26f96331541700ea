//! Applications that wait for a desk: listing them, registering their applicants, refusing them. At the unit that was applied to, or
//! above it.

use std::sync::Arc;

use chrono::{DateTime, NaiveDate, Utc};
use serde::{Deserialize, Serialize};
use serde_json::json;
use utoipa::ToSchema;

use super::add_guardian::AddGuardian;
use super::confirm_application::{Applicant, register};
use super::once::once;
use super::page::{Page, PageRequest};
use super::register_reader::{REGISTRATION_IDS, RegisteredReader};
use super::view::unit_code;
use super::{Caller, IdempotencyKey, Result, UseCaseError};
use crate::auth::{Right, one_time};
use crate::clock::from_millis;
use crate::domain::event::EventKind;
use crate::domain::ids::{ReaderId, UnitId};
use crate::domain::network::Network;
use crate::domain::resident_id::ResidentId;
use crate::store::applications::{ApplicationRow, Decided, WAITING};
use crate::store::events::Event;
use crate::store::idempotency::Outcome;
use crate::store::ids::IdRun;
use crate::store::tx::{ReadTx, WriteTx};
use crate::store::{Once, Store};

/// An application, as a desk sees it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct ApplicationView {
    pub id: i64,
    #[schema(example = "李晓明")]
    pub name: String,
    /// As the ID number says.
    pub birth_date: Option<NaiveDate>,
    /// The last four characters of the ID number.
    #[schema(example = "002X")]
    pub id_number_tail: String,
    #[schema(example = "B01")]
    pub home_unit_code: String,
    /// By which the address was proved: `mail` or `sms`.
    #[schema(example = "mail")]
    pub channel: String,
    /// The address in part.
    #[schema(example = "l***@example.org")]
    pub shown: String,
    /// Why it waits: `unit_decides`, `under_age`, `registered_already`, `namesake`, `no_category`.
    #[schema(example = json!(["namesake"]))]
    pub reasons: Vec<String>,
    /// The reader who has this ID number.
    #[schema(example = 4711)]
    pub registered_reader_id: Option<i64>,
    /// Readers of the same name and day of birth.
    #[schema(example = json!([4712]))]
    pub namesake_ids: Vec<i64>,
    pub made_at: DateTime<Utc>,
}

/// What is asked for.
#[derive(Debug, Clone)]
pub struct ApproveApplication {
    pub id: i64,
    /// `None`: the category of the applicant's age.
    pub category: Option<String>,
    /// Who answers for an applicant who is not of age; the ward is the reader who is made.
    pub guardian: Option<AddGuardian>,
}

/// What is asked for.
#[derive(Debug, Clone)]
pub struct RefuseApplication {
    pub id: i64,
    pub reason: String,
}

/// An application was refused; nothing personal is left of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ApplicationRefused {
    pub id: i64,
    #[schema(example = "姓名与证件不符")]
    pub reason: String,
}

impl Outcome for ApplicationRefused {}

/// Applications that wait at units where the caller registers readers, the oldest first. A page may be short.
///
/// # Errors
/// `Forbidden`; a failure of the store.
pub async fn list_applications(
    store: &Arc<Store>,
    caller: &Caller,
    page: PageRequest,
) -> Result<Page<ApplicationView>> {
    caller.require_somewhere(Right::RegisterReader)?;
    let who = caller.clone();
    store
        .read(move |tx| {
            let network = tx.network()?;
            let rows = tx.waiting_applications(page.after_id(), page.fetch())?;
            let Page { items, next } = page.cut(rows, |row| row.id);
            let below = |row: &ApplicationRow| who.may(Right::RegisterReader, UnitId::new(row.unit_id), &network);
            let items = items.into_iter().filter(below).map(|row| view(tx, row, &network));
            Ok(Page {
                items: items.collect::<Result<_>>()?,
                next,
            })
        })
        .await
}

fn view(tx: &mut ReadTx<'_>, row: ApplicationRow, network: &Network) -> Result<ApplicationView> {
    let today = network.local_day(tx.now());
    let birth_date: Option<NaiveDate> = row.birth_date.as_deref().and_then(|text| text.parse().ok());
    let number = tx.open_applicant(&row)?.map(|(number, _)| number);
    let person = number.and_then(|number| ResidentId::parse(&number, today).ok());
    let registered = match &person {
        Some(person) => tx.reader_of_identity(person)?,
        None => None,
    };
    let name = row.name.unwrap_or_default();
    let namesake_ids = match birth_date {
        Some(born) => tx.namesakes(&name, born)?,
        None => Vec::new(),
    };
    Ok(ApplicationView {
        id: row.id,
        name,
        birth_date,
        id_number_tail: row.id_tail.unwrap_or_default(),
        home_unit_code: unit_code(network, row.unit_id),
        channel: row.channel,
        shown: row.address_shown.unwrap_or_default(),
        reasons: row.reasons.split(',').map(str::to_owned).collect(),
        registered_reader_id: registered.map(ReaderId::get),
        namesake_ids,
        made_at: from_millis(row.made_at),
    })
}

/// Registers the applicant, with an electronic card.
///
/// # Errors
/// `NotFound`; `Forbidden` for an application to a unit outside the caller's subtree; `State` for one that does not wait;
/// `DuplicateReader` where the ID number is a reader's; `Invalid` naming `category` or `guardian`; a failure of the store.
pub async fn approve_application(
    store: &Arc<Store>,
    caller: &Caller,
    command: ApproveApplication,
    key: Option<IdempotencyKey>,
) -> Result<Once<RegisteredReader>> {
    caller.require_somewhere(Right::RegisterReader)?;
    let number = one_time::new_number();
    once(
        store,
        caller,
        key,
        REGISTRATION_IDS,
        command,
        move |tx, caller, command, ids| approve(tx, caller, command, (number, ids)),
    )
    .await
}

fn approve(
    tx: &mut WriteTx<'_>,
    caller: &Caller,
    command: &ApproveApplication,
    numbers: (i64, IdRun),
) -> Result<RegisteredReader> {
    let (row, network) = (taken(tx, caller, command.id)?, tx.network()?);
    let applicant = Applicant::of(tx, &row, &network, network.local_day(tx.now()))?;
    let category = command.category.as_ref().or(applicant.category.as_ref());
    let category = category.ok_or_else(|| UseCaseError::field("category", "is needed: none is for this age"))?;
    register(
        tx,
        caller,
        &row,
        &applicant,
        (category, command.guardian.as_ref()),
        numbers,
    )
}

/// Refuses an application, for a reason that the applicant is shown.
///
/// # Errors
/// `NotFound`; `Forbidden`; `State` for one that does not wait; a failure of the store.
pub async fn refuse_application(
    store: &Arc<Store>,
    caller: &Caller,
    command: RefuseApplication,
    key: Option<IdempotencyKey>,
) -> Result<Once<ApplicationRefused>> {
    caller.require_somewhere(Right::RegisterReader)?;
    once(store, caller, key, 1, command, refuse).await
}

fn refuse(
    tx: &mut WriteTx<'_>,
    caller: &Caller,
    command: &RefuseApplication,
    mut ids: IdRun,
) -> Result<ApplicationRefused> {
    let row = taken(tx, caller, command.id)?;
    tx.end_application(row.id, &Decided::Refused(command.reason.clone()))?;
    let at = UnitId::new(row.unit_id);
    let event = Event::new(EventKind::ApplicationRefused, tx.now(), at, caller.own_channel())
        .by(caller.staff(), caller.device())
        .detail(json!({"application_id": row.id, "waited_for": row.reasons}));
    tx.append_event(ids.next(), &event)?;
    Ok(ApplicationRefused {
        id: row.id,
        reason: command.reason.clone(),
    })
}

/// The application, for somebody who may decide it, and nobody else until the transaction ends.
fn taken(tx: &mut WriteTx<'_>, caller: &Caller, id: i64) -> Result<ApplicationRow> {
    let network = tx.network()?;
    let seen = tx.application(id)?.ok_or(UseCaseError::NotFound("application"))?;
    caller.require(Right::RegisterReader, UnitId::new(seen.unit_id), &network)?;
    let taken = tx.take_application(id)?;
    taken.ok_or_else(|| {
        let state = if seen.state == WAITING { "decided" } else { &seen.state };
        UseCaseError::State(format!("the application is {state}; only one that waits is decided"))
    })
}
