//! What an entry says of doors, and of loans at them.

use serde::Deserialize;

use super::super::report_compartment::TAGS_KEPT;
use super::plain;
use crate::domain::compartment_report::{Door, Inside};
use crate::domain::ids::LoanId;

/// Which loan.
#[derive(Debug, Clone, Copy)]
pub(in crate::usecase) enum LoanTold {
    Id(LoanId),
    /// The one that the check-out under this number of the same journal became.
    Under(i64),
}

/// What was seen of a door.
#[derive(Debug, Clone)]
pub(in crate::usecase) struct DoorTold {
    pub number: u16,
    pub turn: i64,
    pub door: Door,
    pub inside: Inside,
}

#[derive(Deserialize)]
pub(super) struct DoorText {
    number: u16,
    turn: i64,
    door: Door,
    inside: Option<String>,
    #[serde(default)]
    tags: Vec<String>,
}

/// One of both.
pub(super) fn of_loan(id: Option<i64>, number: Option<u64>) -> Option<LoanTold> {
    match (id, number) {
        (Some(id), None) if id >= 1 => Some(LoanTold::Id(LoanId::new(id))),
        (None, Some(number)) if (1..1 << 53).contains(&number) => Some(LoanTold::Under(number.cast_signed())),
        _ => None,
    }
}

pub(super) fn told_door(door: DoorText) -> Option<DoorTold> {
    let named = door.inside.as_deref().unwrap_or("no_sensor");
    if door.number == 0 || door.turn < 0 || door.tags.len() > TAGS_KEPT || (named != "tags" && !door.tags.is_empty()) {
        return None;
    }
    let mut tags = door
        .tags
        .into_iter()
        .map(|tag| plain(tag, 64))
        .collect::<Option<Vec<_>>>()?;
    tags.sort();
    tags.dedup();
    Some(DoorTold {
        number: door.number,
        turn: door.turn,
        door: door.door,
        inside: Inside::of(named, tags)?,
    })
}
