//! The demo's units: 57 with the root, in a city that does not exist. Hours, closed days, collections with different
//! return policies, and one district that has not joined network circulation in full yet.

use std::sync::Arc;

use chrono::{DateTime, NaiveTime, Utc};

use super::super::{Result, UseCaseError};
use super::words::{DISTRICTS, SPRING_FESTIVALS};
use crate::domain::calendar::{ClosedRange, OpenSpan, WeeklyHours};
use crate::domain::event::EventKind;
use crate::domain::ids::{CollectionId, UnitId};
use crate::domain::item::ReturnPolicy;
use crate::domain::membership::{Joined, Membership};
use crate::domain::network::Collection;
use crate::domain::unit::{Unit, UnitKind};
use crate::store::Store;
use crate::store::events::{Event, SYSTEM_CHANNEL};
use crate::store::ids::IdRun;
use crate::store::tx::WriteTx;

/// The general central: its code and name tell a demo network from any other.
pub(super) const CENTRAL_CODE: &str = "JC";
pub(super) const CENTRAL_NAME: &str = "江城图书馆";
/// Far more ids than units, hours, closed days, collections and events need.
const IDS: i64 = 2_000;

/// A unit that holds stock.
#[derive(Debug, Clone)]
pub(super) struct Place {
    pub id: UnitId,
    pub code: String,
    pub kind: UnitKind,
    /// Who owns what stands here.
    pub owner: UnitId,
    pub pickup_point: bool,
    /// A machine: it lends by itself.
    pub always_open: bool,
    /// How much of the stock stands here.
    pub weight: usize,
    pub general: Option<CollectionId>,
    pub reference: Option<CollectionId>,
    pub for_children: bool,
}

/// What one unit is before it has an id.
struct Plan {
    code: String,
    name: String,
    kind: UnitKind,
    parent: Option<usize>,
    machine: bool,
    closed_weekday: Option<usize>,
    weight: usize,
}

/// Creates the units and what belongs to them, in one write; answers the places that hold stock.
pub(super) async fn seed(store: &Arc<Store>, at: DateTime<Utc>) -> Result<Vec<Place>> {
    let ids = store.take_ids::<UseCaseError>(IDS).await?;
    store.write(move |tx| write(tx, at, ids.clone())).await
}

fn write(tx: &mut WriteTx<'_>, at: DateTime<Utc>, mut ids: IdRun) -> Result<Vec<Place>> {
    let network = tx.network()?;
    let root = network
        .units()
        .root()
        .ok_or_else(|| UseCaseError::Internal("there is no root unit".into()))?
        .clone();
    let mut units: Vec<Unit> = Vec::new();
    let mut places = Vec::new();
    for (number, plan) in plans().into_iter().enumerate() {
        let parent = plan.parent.and_then(|index| units.get(index)).unwrap_or(&root);
        let unit = unit_of(&plan, number, parent, UnitId::new(ids.next()));
        tx.insert_unit(&unit, &mut || ids.next())?;
        let event = Event::new(EventKind::UnitCreated, at, unit.id, SYSTEM_CHANNEL);
        tx.append_event(ids.next(), &event)?;
        let owner = match unit.kind {
            UnitKind::Central | UnitKind::Main => unit.id,
            _ => owner_of(&units, plan.parent).unwrap_or(unit.id),
        };
        places.push(place_of(tx, &plan, &unit, owner, &mut ids)?);
        units.push(unit);
    }
    join_in_part(tx, &units, &mut ids)?;
    Ok(places)
}

/// The main or central above a unit.
fn owner_of(units: &[Unit], parent: Option<usize>) -> Option<UnitId> {
    let mut at = units.get(parent?)?;
    while matches!(at.kind, UnitKind::Branch | UnitKind::Point) {
        at = units.iter().find(|unit| Some(unit.id) == at.parent)?;
    }
    Some(at.id)
}

/// The two centrals, then district by district.
fn plans() -> Vec<Plan> {
    let central = |code: &str, name: &str, weight| Plan {
        closed_weekday: Some(0),
        ..Plan::new(code.to_owned(), name.to_owned(), UnitKind::Central, None, weight)
    };
    let mut plans = vec![
        central(CENTRAL_CODE, CENTRAL_NAME, 170),
        central("SE", "江城少年儿童图书馆", 90),
    ];
    for (number, district) in DISTRICTS.iter().enumerate() {
        plan_district(&mut plans, district, [Some(0), Some(1), None][number % 3]);
    }
    plans
}

/// A main, a branch in each street, and four points: a locker and a kiosk, and two with people in them.
fn plan_district(
    plans: &mut Vec<Plan>,
    (code, name, streets): &(&str, &str, [&str; 4]),
    closed_weekday: Option<usize>,
) {
    let main = plans.len();
    let library = format!("{name}图书馆");
    plans.push(Plan {
        closed_weekday,
        ..Plan::new((*code).to_owned(), library, UnitKind::Main, None, 60)
    });
    for (street, number) in streets.iter().zip(1..) {
        let (code, name) = (format!("{code}-{number:02}"), format!("{name}{street}街道分馆"));
        plans.push(Plan {
            closed_weekday: (number == 4).then_some(0),
            ..Plan::new(code, name, UnitKind::Branch, Some(main), 13)
        });
    }
    let points = [
        ("L1", format!("{name}{}24小时自助图书馆", streets[0]), main + 1, true),
        ("K1", format!("地铁{}站自助借还机", streets[1]), main, true),
        ("P1", format!("{name}{}社区服务点", streets[2]), main + 3, false),
        ("P2", format!("{name}{}社区服务点", streets[3]), main + 4, false),
    ];
    for (suffix, name, parent, machine) in points {
        let code = format!("{code}-{suffix}");
        plans.push(Plan {
            machine,
            ..Plan::new(code, name, UnitKind::Point, Some(parent), 2)
        });
    }
}

impl Plan {
    /// Open every day, and no machine.
    fn new(code: String, name: String, kind: UnitKind, parent: Option<usize>, weight: usize) -> Self {
        Self {
            code,
            name,
            kind,
            parent,
            machine: false,
            closed_weekday: None,
            weight,
        }
    }
}

fn unit_of(plan: &Plan, number: usize, parent: &Unit, id: UnitId) -> Unit {
    let spread = |step: usize| f64::from(u32::try_from((number * step) % 41).unwrap_or(0)) * 0.004;
    Unit {
        id,
        code: plan.code.clone(),
        name: plan.name.clone(),
        kind: plan.kind,
        parent: Some(parent.id),
        path: Unit::path_under(Some(parent), id),
        active: true,
        lends: true,
        pickup_point: plan.kind != UnitKind::Point || plan.code.contains("-L"),
        adult_only: false,
        latitude: Some(31.18 + spread(7)),
        longitude: Some(115.62 + spread(11)),
        always_open: plan.machine,
        hours: hours_of(plan),
        closed: if plan.parent.is_none() { festivals() } else { Vec::new() },
        return_policy: None,
        mobile: false,
        stops: Vec::new(),
        dated: crate::domain::dated::Dated::default(),
    }
}

/// Points inherit their hours.
fn hours_of(plan: &Plan) -> Option<WeeklyHours> {
    let (opens, closes) = match plan.kind {
        UnitKind::Central => (9, 21),
        UnitKind::Main => (9, 20),
        UnitKind::Branch => (9, 18),
        UnitKind::Network | UnitKind::Point => return None,
    };
    let time = |hour| NaiveTime::from_hms_opt(hour, 0, 0).unwrap_or(NaiveTime::MIN);
    let span = OpenSpan {
        opens: time(opens),
        closes: time(closes),
    };
    let days = std::array::from_fn(|day| {
        if plan.closed_weekday == Some(day) {
            Vec::new()
        } else {
            vec![span]
        }
    });
    WeeklyHours::new(days).ok()
}

fn festivals() -> Vec<ClosedRange> {
    let day = |text: &str| text.parse().ok();
    let ranges = SPRING_FESTIVALS
        .iter()
        .filter_map(|(first, last)| Some((day(first)?, day(last)?)));
    ranges
        .map(|(first, last)| ClosedRange {
            first,
            last,
            reason: "春节".to_owned(),
        })
        .collect()
}

fn place_of(tx: &mut WriteTx<'_>, plan: &Plan, unit: &Unit, owner: UnitId, ids: &mut IdRun) -> Result<Place> {
    let mut collection = |code: &str, name: &str, return_policy| -> Result<CollectionId> {
        let (id, name) = (CollectionId::new(ids.next()), name.to_owned());
        tx.insert_collection(&Collection {
            id,
            unit: unit.id,
            code: code.to_owned(),
            name,
            return_policy: Some(return_policy),
        })?;
        Ok(id)
    };
    let general = match unit.kind {
        UnitKind::Central | UnitKind::Main => Some(ReturnPolicy::Home),
        UnitKind::Branch if plan.code.starts_with("YL") => Some(ReturnPolicy::Float),
        UnitKind::Branch => Some(ReturnPolicy::FloatWithCap { cap: 120 }),
        UnitKind::Network | UnitKind::Point => None,
    };
    let general = general
        .map(|policy| collection("general", "普通文献", policy))
        .transpose()?;
    let reference = matches!(unit.kind, UnitKind::Central | UnitKind::Main)
        .then(|| collection("reference", "参考文献", ReturnPolicy::Restricted))
        .transpose()?;
    Ok(Place {
        id: unit.id,
        code: unit.code.clone(),
        kind: unit.kind,
        owner,
        pickup_point: unit.pickup_point,
        always_open: unit.always_open,
        weight: plan.weight,
        general,
        reference,
        for_children: plan.code == "SE",
    })
}

/// The last district lets its books be returned anywhere, but does not lend them away yet.
fn join_in_part(tx: &mut WriteTx<'_>, units: &[Unit], ids: &mut IdRun) -> Result<()> {
    let network = tx.network()?;
    let last = DISTRICTS
        .last()
        .and_then(|(code, ..)| units.iter().find(|unit| unit.code == *code));
    let book = network.item_types().by_code("book");
    if let (Some(unit), Some(book)) = (last, book) {
        let joined = Joined {
            lend_away: false,
            return_away: true,
            readers_away: true,
        };
        tx.insert_membership(
            ids.next(),
            &Membership {
                unit: unit.id,
                item_type: Some(book.id),
                joined,
            },
        )?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_are_fifty_seven_units_with_the_root_and_no_code_is_used_twice() {
        let mut codes: Vec<String> = plans().into_iter().map(|plan| plan.code).collect();
        assert_eq!(codes.len() + 1, 57);
        codes.sort();
        codes.dedup();
        assert_eq!(codes.len() + 1, 57);
    }
}
