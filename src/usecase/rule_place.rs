//! Which layer of the rules a request speaks of, and in what surroundings its text is looked at.

use chrono::{DateTime, Utc};

use super::named::Wrong;
use super::{Caller, Result, UseCaseError};
use crate::auth::Right;
use crate::clock::from_millis;
use crate::domain::ids::UnitId;
use crate::domain::network::Network;
use crate::domain::rules_fault::Fault;
use crate::domain::rules_layer::Layer;
use crate::domain::rules_layers::Judged;
use crate::store::rule_drafts::RuleDraftRow;
use crate::store::tx::ReadTx;

/// Changes yet to come that a text is tried against.
const UPCOMING_LOOKED_AT: usize = 10;

/// A layer: the network's, or a unit's own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Layered {
    /// `None`: the network's.
    pub unit: Option<UnitId>,
    /// Where one must have the right to change it: the root for the network's.
    pub place: UnitId,
}

impl Layered {
    /// The layer of a unit in a stored row.
    pub fn of(unit: Option<i64>, network: &Network) -> Result<Self> {
        let root = root(network)?;
        let unit = unit.map(UnitId::new);
        Ok(Self {
            unit,
            place: unit.unwrap_or(root),
        })
    }

    /// The layer a request names; the root's code, or none, is the network's.
    ///
    /// # Errors
    /// `Invalid` naming the field.
    pub fn named(network: &Network, code: Option<&str>) -> Result<Self> {
        let root = root(network)?;
        let Some(code) = code else {
            return Ok(Self {
                unit: None,
                place: root,
            });
        };
        let mut wrong = Wrong::default();
        let unit = wrong.unit(network, "unit_code", code).map(|unit| unit.id);
        wrong.check()?;
        let place = unit.unwrap_or(root);
        Ok(Self {
            unit: unit.filter(|unit| *unit != root),
            place,
        })
    }

    /// Whether the caller has a right there.
    pub fn require(self, caller: &Caller, right: Right, network: &Network) -> Result<()> {
        caller.require(right, self.place, network)
    }
}

fn root(network: &Network) -> Result<UnitId> {
    let root = network.units().root().map(|root| root.id);
    root.ok_or_else(|| UseCaseError::Internal("there is no root unit".into()))
}

/// A draft that the caller may work on.
///
/// # Errors
/// `NotFound`; `Forbidden` outside the caller's subtree.
pub fn draft_of(tx: &mut ReadTx<'_>, caller: &Caller, id: i64, right: Right) -> Result<(RuleDraftRow, Layered)> {
    let network = tx.network()?;
    let draft = tx.rule_draft(id)?.ok_or(UseCaseError::NotFound("draft of rules"))?;
    let layer = Layered::of(draft.unit_id, &network)?;
    layer.require(caller, right, &network)?;
    Ok((draft, layer))
}

/// A text as version `version` of a layer from a moment on, beside what will be in force then.
pub fn judge(
    tx: &mut ReadTx<'_>,
    network: &Network,
    layer: Layered,
    source: &str,
    (version, from): (i64, DateTime<Utc>),
) -> Result<Judged> {
    let timeline = tx.rule_timeline()?;
    let place = timeline
        .at(from)
        .ok_or_else(|| UseCaseError::Internal("there are no rules".into()))?;
    let others = tx.rule_layers(network, &timeline, place)?;
    Ok(network.judge_layer(layer.unit, &Layer::read(source), &others, (version, from)))
}

/// The same with whatever looks wrong, and what changes that are published already will do to it.
pub fn judge_closely(
    tx: &mut ReadTx<'_>,
    layer: Layered,
    source: &str,
    (version, from): (i64, DateTime<Utc>),
) -> Result<Judged> {
    let network = tx.network()?;
    let mut judged = judge(tx, &network, layer, source, (version, from))?.with_warnings();
    if judged.faults.is_empty() {
        judged.warnings.extend(upcoming(tx, &network, layer, source, from)?);
    }
    Ok(judged)
}

/// What changes that are published and not in force yet will do to a text.
fn upcoming(
    tx: &mut ReadTx<'_>,
    network: &Network,
    layer: Layered,
    source: &str,
    from: DateTime<Utc>,
) -> Result<Vec<Fault>> {
    let (timeline, read) = (tx.rule_timeline()?, Layer::read(source));
    let first = timeline.at(from).map_or(0, |place| place + 1);
    let mut found = Vec::new();
    for (at, change) in timeline.0.iter().enumerate().skip(first).take(UPCOMING_LOOKED_AT) {
        let begins = from_millis(change.effective_from);
        let day = begins.with_timezone(&network.zone()).format("%Y-%m-%d %H:%M");
        let what = format!("version {}, effective from {day},", change.version);
        if change.unit_id == layer.unit.map(UnitId::get) {
            let reason = format!("{what} was made without this and takes its place");
            let expected = "to withdraw it, and to publish it again from this one";
            found.push(Fault::of_document(reason, expected));
            break;
        }
        if change.unit_id.is_none() {
            let others = tx.rule_layers(network, &timeline, at)?;
            let then = network.judge_layer(layer.unit, &read, &others, (change.version, begins));
            found.extend(then.faults.into_iter().map(|fault| Fault {
                reason: format!("{what} sets it aside: {}", fault.reason),
                ..fault
            }));
        }
    }
    Ok(found)
}

/// Faults as wrong fields of a request: each with its place in the document.
pub fn as_fields(field: &'static str, faults: &[Fault]) -> UseCaseError {
    let one = |fault: &Fault| super::FieldError::new(field, fault.to_string());
    UseCaseError::Invalid(faults.iter().map(one).collect())
}
