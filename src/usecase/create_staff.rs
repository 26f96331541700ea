//! A new member of staff with roles, each valid in the subtree of a unit.

use std::sync::Arc;

use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};
use serde_json::json;
use utoipa::ToSchema;

use super::named::Wrong;
use super::{Caller, IdempotencyKey, Result, UseCaseError, Who};
use crate::auth::passwords::check_staff_password;
use crate::auth::rights::allows;
use crate::auth::{PasswordService, Right, Role};
use crate::domain::event::EventKind;
use crate::domain::ids::{StaffId, UnitId};
use crate::domain::network::Network;
use crate::store::events::Event;
use crate::store::idempotency::{Claim, Outcome};
use crate::store::ids::IdRun;
use crate::store::staff::NewStaff;
use crate::store::tx::WriteTx;
use crate::store::{Once, Store};

/// What is asked for.
#[derive(Debug, Clone)]
pub struct CreateStaff {
    pub username: String,
    pub name: String,
    pub password: SecretString,
    /// Role and the code of the unit in whose subtree it is valid.
    pub roles: Vec<(String, String)>,
}

/// A member of staff.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct StaffView {
    pub id: i64,
    pub username: String,
    pub roles: Vec<RoleView>,
}

/// A role, valid at a unit and everything below it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RoleView {
    /// `system`, `unit_manager`, `librarian`, `cataloguer`, `courier`, `cashier`, `auditor` or `read_only`.
    #[schema(example = "librarian")]
    pub role: String,
    #[schema(example = "B01")]
    pub unit_code: String,
}

/// Creates a member of staff.
///
/// # Errors
/// `Invalid` naming every wrong field; `Forbidden` for a role above the caller's or outside its subtree; `Busy`.
pub async fn create_staff(
    store: &Arc<Store>,
    passwords: &PasswordService,
    caller: &Caller,
    command: CreateStaff,
    key: Option<IdempotencyKey>,
) -> Result<Once<StaffView>> {
    caller.require_somewhere(Right::ManageStaff)?;
    let network = store.read(|tx| tx.network().map_err(UseCaseError::from)).await?;
    let (roles, wrong) = check(&command, &network);
    for (role, unit) in &roles {
        require_grantable(caller, *role, *unit, &network)?;
    }
    wrong.check()?;
    let claim = key.map(|key| key.claim(caller));
    insert(store, passwords, Author::of(caller)?, command, claim).await
}

/// Who creates an account, as its event says.
#[derive(Debug, Clone, Copy)]
pub(super) struct Author {
    pub at: UnitId,
    pub channel: &'static str,
    /// Nobody at the command line.
    pub staff: Option<StaffId>,
}

impl Author {
    fn of(caller: &Caller) -> Result<Self> {
        Ok(Self {
            at: caller.working_unit()?,
            channel: caller.channel().code(),
            staff: caller.staff(),
        })
    }
}

/// Creates a member of staff, whoever `author` is: their right was asked for before.
///
/// # Errors
/// `Invalid` naming every wrong field; `Busy`.
pub(super) async fn insert(
    store: &Arc<Store>,
    passwords: &PasswordService,
    author: Author,
    command: CreateStaff,
    claim: Option<Claim>,
) -> Result<Once<StaffView>> {
    let network = store.read(|tx| tx.network().map_err(UseCaseError::from)).await?;
    let (roles, wrong) = check(&command, &network);
    wrong.check()?;
    // Slow on purpose, so outside the transaction.
    let password_hash = passwords.hash(command.password.clone()).await?;
    let ids = store.take_ids::<UseCaseError>(2).await?;
    let work = move |tx: &mut WriteTx<'_>| apply(tx, author, &command, &roles, &password_hash, ids.clone());
    store.write_once(claim, work).await
}

fn apply(
    tx: &mut WriteTx<'_>,
    author: Author,
    command: &CreateStaff,
    roles: &[(Role, UnitId)],
    password_hash: &str,
    mut ids: IdRun,
) -> Result<StaffView> {
    let taken = || UseCaseError::field("username", "another member of staff has this user name");
    if tx.username_exists(&command.username)? {
        return Err(taken());
    }
    let (id, now) = (StaffId::new(ids.next()), tx.now());
    let member = NewStaff {
        id: id.get(),
        username: command.username.clone(),
        name: command.name.clone(),
        password_hash: password_hash.to_owned(),
        active: true,
        demo: false,
        created_at: now.timestamp_millis(),
    };
    let rows: Vec<(String, UnitId)> = roles.iter().map(|(role, unit)| (role.to_string(), *unit)).collect();
    tx.insert_staff(&member, &rows)?;
    let given: Vec<_> = roles
        .iter()
        .map(|(role, unit)| json!({"role": role, "unit_id": unit}))
        .collect();
    let event = Event::new(EventKind::StaffCreated, now, author.at, author.channel)
        .by(author.staff, None)
        .detail(json!({"roles": given}))
        .personal(json!({"created_staff_id": id}));
    tx.append_event(ids.next(), &event)?;
    Ok(view(id, command))
}

fn view(id: StaffId, command: &CreateStaff) -> StaffView {
    let role = |(role, unit_code): &(String, String)| RoleView {
        role: role.clone(),
        unit_code: unit_code.clone(),
    };
    StaffView {
        id: id.get(),
        username: command.username.clone(),
        roles: command.roles.iter().map(role).collect(),
    }
}

/// The roles, and everything that is wrong.
fn check(command: &CreateStaff, network: &Network) -> (Vec<(Role, UnitId)>, Wrong) {
    let mut wrong = Wrong::default();
    let fits = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.' | '@');
    if command.username.is_empty() || !command.username.chars().all(fits) {
        wrong.say("username", "must be letters, digits or any of - _ . @ (ASCII)");
    }
    if let Err(violation) = check_staff_password(command.password.expose_secret()) {
        wrong.say("password", violation.to_string());
    }
    let roles = check_roles(&command.roles, network, &mut wrong);
    (roles, wrong)
}

/// Roles with the codes of their units, all of which must be there and none twice.
pub(super) fn check_roles(asked: &[(String, String)], network: &Network, wrong: &mut Wrong) -> Vec<(Role, UnitId)> {
    if asked.is_empty() {
        wrong.say("roles", "at least one role is needed");
    }
    let mut roles: Vec<(Role, UnitId)> = Vec::with_capacity(asked.len());
    for (role, unit_code) in asked {
        let unit = wrong.unit(network, "roles", unit_code);
        match (role.parse::<Role>(), unit) {
            (Err(_), _) => wrong.say("roles", "there is no role of that name"),
            (Ok(role), Some(unit)) if roles.contains(&(role, unit.id)) => wrong.say("roles", "a role is listed twice"),
            (Ok(role), Some(unit)) => roles.push((role, unit.id)),
            (Ok(_), None) => {}
        }
    }
    roles
}

/// Nobody gives more than they have: the role must not stand above the one that lets the caller give it, and its unit
/// must lie in that one's subtree.
pub(super) fn require_grantable(caller: &Caller, role: Role, unit: UnitId, network: &Network) -> Result<()> {
    let Who::Staff { grants, .. } = &caller.who else {
        return Err(UseCaseError::Forbidden);
    };
    let gives = grants.iter().any(|grant| {
        allows(grant.role, Right::ManageStaff)
            && height(grant.role) >= height(role)
            && network.units().is_within(unit, UnitId::new(grant.unit))
    });
    if gives { Ok(()) } else { Err(UseCaseError::Forbidden) }
}

/// Who stands above whom; the working roles stand side by side.
const fn height(role: Role) -> u8 {
    match role {
        Role::System => 2,
        Role::UnitManager => 1,
        Role::Librarian | Role::Cataloguer | Role::Courier | Role::Cashier | Role::Auditor | Role::ReadOnly => 0,
    }
}

impl Outcome for StaffView {}
