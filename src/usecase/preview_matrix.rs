//! What a draft of rules would grant whom: reader category × item type × unit, beside the rules in force. No reader, no
//! item, no loan: only the rules.

use std::sync::Arc;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::explain_view::{TermsView, terms_view};
use super::named::Wrong;
use super::preview_rules::both;
use super::{Caller, Result};
use crate::auth::Right;
use crate::domain::ids::{CategoryId, ItemTypeId, UnitId};
use crate::domain::limit::Usage;
use crate::domain::network::Network;
use crate::domain::outlook::tightest;
use crate::domain::policy::Situation;
use crate::domain::reader::{Channel, CreditBand};
use crate::store::Store;

/// Cells of one answer.
pub const MAX_CELLS: usize = 1_000;

/// Which cells; an empty list is everything (of units: the one whose rules the draft is about).
#[derive(Debug, Clone, Default)]
pub struct Matrix {
    pub unit_codes: Vec<String>,
    pub categories: Vec<String>,
    pub item_types: Vec<String>,
    /// By default the unit itself owns the items.
    pub owner_unit_code: Option<String>,
    pub channel: Option<String>,
    pub credit_band: Option<String>,
    /// Leave out what stays as it is.
    pub differing_only: bool,
}

/// One situation under both sets of rules.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct MatrixCell {
    pub unit_code: String,
    pub category: String,
    pub item_type: String,
    /// Under the rules in force.
    pub before: CellView,
    /// Under the draft.
    pub after: CellView,
    /// The two differ.
    #[schema(example = true)]
    pub differs: bool,
}

/// What one set of rules says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct CellView {
    pub rule_id: i64,
    pub terms: TermsView,
    /// The lowest maximum of each kind of limit that applies.
    pub limit_maxima: Vec<LimitMaximum>,
}

/// How many at most.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct LimitMaximum {
    pub kind: String,
    pub max: i64,
}

/// Looks at the cells.
///
/// # Errors
/// `Invalid` naming the faults of the draft, unknown codes, or a matrix that is too large; `NotFound`; `Forbidden`.
pub async fn preview_matrix(
    store: &Arc<Store>,
    caller: &Caller,
    draft: i64,
    matrix: Matrix,
) -> Result<Vec<MatrixCell>> {
    caller.require_somewhere(Right::DraftRules)?;
    let caller = caller.clone();
    store
        .read(move |tx| {
            let (before, after) = both(tx, &caller, draft)?;
            let of = tx.rule_draft(draft)?.and_then(|draft| draft.unit_id).map(UnitId::new);
            let asked = resolve(&before, of, &matrix)?;
            let now = tx.now();
            let cells = asked.situations().filter_map(|situation| {
                let cell = cell(&before, &after, &situation, now);
                (cell.differs || !matrix.differing_only).then_some(cell)
            });
            Ok(cells.collect())
        })
        .await
}

struct Asked {
    units: Vec<UnitId>,
    categories: Vec<CategoryId>,
    item_types: Vec<ItemTypeId>,
    owner: Option<UnitId>,
    channel: Channel,
    band: CreditBand,
}

impl Asked {
    fn situations(&self) -> impl Iterator<Item = Situation> {
        let pairs = self
            .categories
            .iter()
            .flat_map(|category| self.item_types.iter().map(move |one| (*category, *one)));
        self.units.iter().flat_map(move |unit| {
            pairs.clone().map(move |(category, item_type)| Situation {
                unit: *unit,
                category,
                item_type,
                owner: self.owner.unwrap_or(*unit),
                channel: self.channel,
                band: self.band,
            })
        })
    }
}

fn resolve(network: &Network, of: Option<UnitId>, matrix: &Matrix) -> Result<Asked> {
    let mut wrong = Wrong::default();
    let root = network.units().root().map(|root| root.id);
    let units = match matrix.unit_codes.as_slice() {
        [] => of.or(root).into_iter().collect(),
        codes => every(codes, |code| {
            wrong.unit(network, "unit_codes", code).map(|unit| unit.id)
        }),
    };
    let categories = match matrix.categories.as_slice() {
        [] => network.categories().iter().map(|one| one.id).collect(),
        codes => every(codes, |code| {
            wrong.category(network, "categories", code).map(|one| one.id)
        }),
    };
    let item_types = match matrix.item_types.as_slice() {
        [] => network.item_types().iter().map(|one| one.id).collect(),
        codes => every(codes, |code| {
            wrong.item_type(network, "item_types", code).map(|one| one.id)
        }),
    };
    let owner = matrix.owner_unit_code.as_deref();
    let owner = owner
        .and_then(|code| wrong.unit(network, "owner_unit_code", code))
        .map(|unit| unit.id);
    let channel = matrix
        .channel
        .as_deref()
        .map_or(Some(Channel::Desk), Channel::from_code);
    if channel.is_none() {
        wrong.say(
            "channel",
            format!("must be one of {}", Channel::ALL.map(Channel::code).join(", ")),
        );
    }
    let band = matrix
        .credit_band
        .as_deref()
        .map_or(Some(CreditBand::B), CreditBand::from_code);
    if band.is_none() {
        wrong.say("credit_band", "must be a, b, c or frozen");
    }
    let asked = Asked {
        units,
        categories,
        item_types,
        owner,
        channel: channel.unwrap_or(Channel::Desk),
        band: band.unwrap_or(CreditBand::B),
    };
    let cells = asked.units.len() * asked.categories.len() * asked.item_types.len();
    if cells > MAX_CELLS {
        wrong.say(
            "unit_codes",
            format!("make {cells} cells with the categories and item types; at most {MAX_CELLS}"),
        );
    }
    wrong.check()?;
    Ok(asked)
}

fn every<T>(codes: &[String], find: impl FnMut(&String) -> Option<T>) -> Vec<T> {
    codes.iter().filter_map(find).collect()
}

fn cell(before: &Network, after: &Network, situation: &Situation, now: DateTime<Utc>) -> MatrixCell {
    let (old, new) = (view(before, situation, now), view(after, situation, now));
    let category = before.category(situation.category);
    let item_type = before.item_types().get(situation.item_type);
    MatrixCell {
        unit_code: super::view::unit_code(before, situation.unit.get()),
        category: category.map(|one| one.code.clone()).unwrap_or_default(),
        item_type: item_type.map(|one| one.code.clone()).unwrap_or_default(),
        differs: (&old.terms, &old.limit_maxima) != (&new.terms, &new.limit_maxima),
        before: old,
        after: new,
    }
}

fn view(network: &Network, situation: &Situation, now: DateTime<Utc>) -> CellView {
    let usage = Usage {
        loans: &[],
        except_loan: None,
        session: None,
        now,
        debt_fen: 0,
        holds: 0,
        hold_types: &[],
        holds_of_bib: 0,
        holds_today: 0,
    };
    let row = network.winner(situation);
    let maxima = tightest(network, situation, &usage).into_iter();
    CellView {
        rule_id: row.id.get(),
        terms: terms_view(&row.terms),
        limit_maxima: maxima
            .map(|(kind, max)| LimitMaximum {
                kind: kind.code().to_owned(),
                max,
            })
            .collect(),
    }
}
