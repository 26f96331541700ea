//! Which row of the rules wins for a situation, why the others lose, and how every limit stands.

use std::sync::Arc;

use chrono::{DateTime, NaiveTime, TimeZone, Utc};

use super::explain_view::ExplanationView;
use super::named::Wrong;
use super::{Caller, Result, UseCaseError, record};
use crate::auth::Right;
use crate::domain::barcode::{Barcode, CardNumber};
use crate::domain::explain::explain;
use crate::domain::ids::{BibId, CategoryId, ItemTypeId, ReaderId, UnitId};
use crate::domain::limit::Usage;
use crate::domain::network::Network;
use crate::domain::policy::Situation;
use crate::domain::reader::{Channel, CreditBand, LoanOfReader};
use crate::store::Store;
use crate::store::tx::ReadTx;

/// The situation. Reader: a card, or a category and a band; of a reader who asks, nothing: it is the reader. Item: a barcode, or an item type and an owner.
#[derive(Debug, Clone, Default)]
pub struct ExplainRule {
    pub card_number: Option<CardNumber>,
    pub category: Option<String>,
    /// With `category`; `b` by default.
    pub credit_band: Option<String>,
    pub item_barcode: Option<Barcode>,
    pub item_type: Option<String>,
    pub owner_unit_code: Option<String>,
    /// The place of the act; by default the caller's unit.
    pub unit_code: Option<String>,
    /// `desk` by default.
    pub channel: Option<String>,
}

/// What limits count of the reader.
#[derive(Default)]
struct Counts {
    loans: Vec<LoanOfReader>,
    debt_fen: i64,
    holds: u32,
    hold_types: Vec<Vec<ItemTypeId>>,
    holds_of_bib: u32,
    holds_today: u32,
}

/// Explains; changes nothing.
///
/// # Errors
/// `Invalid` naming what is missing or unknown; `Forbidden`; a failure of the store.
pub async fn explain_rule(store: &Arc<Store>, caller: &Caller, query: ExplainRule) -> Result<ExplanationView> {
    caller.require_somewhere(Right::ExplainRule)?;
    let caller = caller.clone();
    store.read(move |tx| look_up(tx, &caller, &query)).await
}

fn look_up(tx: &mut ReadTx<'_>, caller: &Caller, query: &ExplainRule) -> Result<ExplanationView> {
    let (network, now) = (tx.network()?, tx.now());
    let names_a_reader = query.card_number.is_some() || query.category.is_some() || query.credit_band.is_some();
    if caller.reader().is_some() && names_a_reader {
        return Err(UseCaseError::Forbidden);
    }
    if query.card_number.is_some() {
        // The limits tell what the reader has borrowed and owes.
        caller.require_somewhere(Right::ReadReader)?;
        caller.require_somewhere(Right::ReadBorrowing)?;
    }
    let unit = match &query.unit_code {
        Some(code) => record::unit_by_code(&network, "unit_code", code)?,
        None if caller.reader().is_some() => {
            return Err(UseCaseError::field(
                "unit_code",
                "must say where: a reader works nowhere",
            ));
        }
        None => caller.working_unit()?,
    };
    caller.require(Right::ExplainRule, unit, &network)?;
    let channel = channel_of(query.channel.as_deref())?;
    let (owner, item_type, bib) = item(tx, &network, query)?;
    let (category, band, counts) = match caller.reader() {
        Some(own) => reader_by_id(tx, &network, own, bib, now)?,
        None => reader(tx, &network, query, bib, now)?,
    };
    let situation = Situation {
        unit,
        category,
        item_type,
        owner,
        channel,
        band,
    };
    let usage = Usage {
        loans: &counts.loans,
        except_loan: None,
        session: None,
        now,
        debt_fen: counts.debt_fen,
        holds: counts.holds,
        hold_types: &counts.hold_types,
        holds_of_bib: counts.holds_of_bib,
        holds_today: counts.holds_today,
    };
    let explanation = explain(&network, situation, &usage);
    Ok(ExplanationView::of(&explanation, &situation, &network))
}

fn channel_of(code: Option<&str>) -> Result<Channel> {
    let all = || Channel::ALL.map(Channel::code).join(", ");
    code.map_or(Some(Channel::Desk), Channel::from_code)
        .ok_or_else(|| UseCaseError::field("channel", format!("must be one of {}", all())))
}

type ItemSide = (UnitId, ItemTypeId, Option<BibId>);

fn item(tx: &mut ReadTx<'_>, network: &Network, query: &ExplainRule) -> Result<ItemSide> {
    if let Some(barcode) = &query.item_barcode {
        return item_by_barcode(tx, network, query, barcode);
    }
    let needed = || UseCaseError::field("item_barcode", "is needed, or item_type and owner_unit_code");
    let (item_type, owner) = query
        .item_type
        .as_ref()
        .zip(query.owner_unit_code.as_ref())
        .ok_or_else(needed)?;
    let mut wrong = Wrong::default();
    let item_type = wrong.item_type(network, "item_type", item_type).map(|found| found.id);
    let owner = wrong.unit(network, "owner_unit_code", owner).map(|unit| unit.id);
    wrong.check()?;
    let found = owner.zip(item_type).map(|(owner, item_type)| (owner, item_type, None));
    found.ok_or(UseCaseError::NotFound("unit"))
}

fn item_by_barcode(tx: &mut ReadTx<'_>, network: &Network, query: &ExplainRule, barcode: &Barcode) -> Result<ItemSide> {
    let wrong = |field, reason| Err(UseCaseError::field(field, reason));
    if query.item_type.is_some() {
        return wrong("item_type", "must be left out when an item_barcode is given");
    }
    let owner = query.owner_unit_code.as_deref();
    let owner = owner
        .map(|code| record::unit_by_code(network, "owner_unit_code", code))
        .transpose()?;
    match tx.items_with_barcode(barcode.as_str(), owner)?.as_slice() {
        [] => wrong("item_barcode", "no item has this barcode"),
        [row] => {
            let bib = Some(BibId::new(row.bib_id));
            Ok((UnitId::new(row.owner_unit_id), ItemTypeId::new(row.item_type_id), bib))
        }
        _ => wrong("owner_unit_code", "is needed: several owners have this barcode"),
    }
}

type ReaderSide = (CategoryId, CreditBand, Counts);

fn reader(
    tx: &mut ReadTx<'_>,
    network: &Network,
    query: &ExplainRule,
    bib: Option<BibId>,
    now: DateTime<Utc>,
) -> Result<ReaderSide> {
    let wrong_field = |field, reason| Err(UseCaseError::field(field, reason));
    match (&query.card_number, &query.category) {
        (Some(_), category) if category.is_some() || query.credit_band.is_some() => {
            wrong_field("category", "must be left out when a card_number is given")
        }
        (Some(card), _) => match tx.reader_of_card(card.as_str())? {
            Some(id) => reader_by_id(tx, network, id, bib, now),
            None => wrong_field("card_number", "no reader holds this card"),
        },
        (None, None) => wrong_field("card_number", "is needed, or category and credit_band"),
        (None, Some(category)) => kind_of_reader(network, category, query.credit_band.as_deref()),
    }
}

fn kind_of_reader(network: &Network, category: &str, band: Option<&str>) -> Result<ReaderSide> {
    let mut wrong = Wrong::default();
    let category = wrong.category(network, "category", category).map(|found| found.id);
    let band = band.map_or(Some(CreditBand::B), CreditBand::from_code);
    if band.is_none() {
        wrong.say("credit_band", "must be a, b, c or frozen");
    }
    wrong.check()?;
    let found = category
        .zip(band)
        .map(|(category, band)| (category, band, Counts::default()));
    found.ok_or(UseCaseError::NotFound("category"))
}

fn reader_by_id(
    tx: &mut ReadTx<'_>,
    network: &Network,
    id: ReaderId,
    bib: Option<BibId>,
    now: DateTime<Utc>,
) -> Result<ReaderSide> {
    let (row, _) = tx.reader_view(id)?.ok_or(UseCaseError::NotFound("reader"))?;
    let midnight = network.local_day(now).and_time(NaiveTime::MIN);
    let since = network
        .zone()
        .from_local_datetime(&midnight)
        .earliest()
        .map_or(now, |at| at.with_timezone(&Utc));
    let of_bib = match bib {
        Some(bib) => tx.open_holds_on_bib(id, bib)?.len(),
        None => 0,
    };
    let counts = Counts {
        loans: tx.open_loans_of(id)?,
        debt_fen: row.debt_fen,
        holds: u32::try_from(row.open_holds).unwrap_or(0),
        hold_types: tx.types_of_open_holds(id, network)?,
        holds_of_bib: u32::try_from(of_bib).unwrap_or(u32::MAX),
        holds_today: tx.holds_placed_since(id, since)?,
    };
    let band = CreditBand::from_code(&row.credit_band)
        .ok_or_else(|| UseCaseError::Internal(format!("reader {id} has an unknown credit band")))?;
    Ok((CategoryId::new(row.category_id), band, counts))
}
