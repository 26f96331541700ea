//! Who works where: listing members of staff, changing name, state and roles. Nobody touches an account that stands
//! above their own or has a role outside their subtree.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::json;
use utoipa::ToSchema;

use super::create_staff::{RoleView, check_roles, require_grantable};
use super::named::Wrong;
use super::once::once;
use super::page::{Page, PageRequest};
use super::session::audience_code;
use super::view::unit_code;
use super::{Caller, IdempotencyKey, Result, UseCaseError};
use crate::auth::{Audience, Right};
use crate::domain::event::EventKind;
use crate::domain::ids::StaffId;
use crate::domain::network::Network;
use crate::store::accounts::StaffRow;
use crate::store::events::Event;
use crate::store::idempotency::Outcome;
use crate::store::ids::IdRun;
use crate::store::tx::{ReadTx, WriteTx};
use crate::store::{Once, Store};

/// A member of staff, whole.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct StaffMember {
    pub id: i64,
    #[schema(example = "b01.desk")]
    pub username: String,
    pub name: String,
    /// May log in.
    pub active: bool,
    pub roles: Vec<RoleView>,
    /// Where codes go when the password is forgotten, in part; absent: an administrator sets another.
    #[schema(example = "l***@example.org")]
    #[serde(default)]
    pub mail: Option<String>,
}

/// What is asked for; `None` stays as it is.
#[derive(Debug, Clone)]
pub struct UpdateStaff {
    pub id: StaffId,
    pub name: Option<String>,
    pub active: Option<bool>,
    /// Role and the code of its unit; all roles anew.
    pub roles: Option<Vec<(String, String)>>,
}

impl StaffMember {
    pub(super) fn of(row: StaffRow, network: &Network) -> Self {
        let role = |(role, unit): (String, crate::domain::ids::UnitId)| RoleView {
            role,
            unit_code: unit_code(network, unit.get()),
        };
        Self {
            id: row.id,
            username: row.username,
            name: row.name,
            active: row.active,
            roles: row.roles.into_iter().map(role).collect(),
            mail: row.mail,
        }
    }
}

/// Lists members of staff with a role in the caller's subtree, each with those roles only, in the order of their ids. A page
/// may be short.
///
/// # Errors
/// `Forbidden`; a failure of the store.
pub async fn list_staff(store: &Arc<Store>, caller: &Caller, page: PageRequest) -> Result<Page<StaffMember>> {
    caller.require_somewhere(Right::ManageStaff)?;
    let who = caller.clone();
    store
        .read(move |tx| {
            let network = tx.network()?;
            let rows = tx.staff_after(page.after_id(), page.fetch())?;
            let mut page = page.cut(rows, |row| row.id);
            let below = |unit| who.may(Right::ManageStaff, unit, &network);
            page.items.retain_mut(|row| {
                row.roles.retain(|(_, unit)| below(*unit));
                !row.roles.is_empty()
            });
            Ok(page.map(|row| StaffMember::of(row, &network)))
        })
        .await
}

/// Changes a member of staff. One who is no longer active, or whose roles changed, is logged out everywhere.
///
/// # Errors
/// `NotFound`; `Forbidden` for an account or a role above the caller's; `Invalid` naming every wrong field.
pub async fn update_staff(
    store: &Arc<Store>,
    caller: &Caller,
    command: UpdateStaff,
    key: Option<IdempotencyKey>,
) -> Result<Once<StaffMember>> {
    caller.require_somewhere(Right::ManageStaff)?;
    once(store, caller, key, 1, command, apply).await
}

fn apply(tx: &mut WriteTx<'_>, caller: &Caller, command: &UpdateStaff, mut ids: IdRun) -> Result<StaffMember> {
    let network = tx.network()?;
    let mut row = manageable(tx, caller, command.id, &network)?;
    let mut wrong = Wrong::default();
    let own = caller.staff() == Some(command.id);
    if own && command.active == Some(false) {
        wrong.say("active", "nobody locks themselves out");
    }
    if own && command.roles.is_some() {
        wrong.say("roles", "nobody changes their own roles");
    }
    wrong.check()?;
    row.name = command.name.clone().unwrap_or(row.name);
    row.active = command.active.unwrap_or(row.active);
    if let Some(asked) = &command.roles {
        let mut wrong = Wrong::default();
        let roles = check_roles(asked, &network, &mut wrong);
        wrong.check()?;
        for (role, unit) in &roles {
            require_grantable(caller, *role, *unit, &network)?;
        }
        row.roles = roles.iter().map(|(role, unit)| (role.to_string(), *unit)).collect();
    }
    tx.update_staff(&row)?;
    let now = tx.now();
    if !row.active || command.roles.is_some() {
        tx.end_sessions_of(audience_code(Audience::Staff), row.id, None, now.timestamp_millis())?;
    }
    let detail = json!({"changed": "staff", "active": row.active, "roles": row.roles.iter()
        .map(|(role, unit)| json!({"role": role, "unit_id": unit})).collect::<Vec<_>>()});
    let event = Event::new(
        EventKind::StaffChanged,
        now,
        caller.working_unit()?,
        caller.channel().code(),
    )
    .by(caller.staff(), caller.device())
    .detail(detail)
    .personal(json!({"changed_staff_id": row.id}));
    tx.append_event(ids.next(), &event)?;
    Ok(StaffMember::of(row, &network))
}

/// The account, if the caller could have given every role it has.
pub(super) fn manageable(tx: &mut ReadTx<'_>, caller: &Caller, id: StaffId, network: &Network) -> Result<StaffRow> {
    let row = tx.staff_member(id)?.ok_or(UseCaseError::NotFound("member of staff"))?;
    for (role, unit) in &row.roles {
        let role = role.parse().map_err(|_| UseCaseError::Forbidden)?;
        require_grantable(caller, role, *unit, network)?;
    }
    Ok(row)
}

impl Outcome for StaffMember {}
