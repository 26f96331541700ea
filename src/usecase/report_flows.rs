//! What districts settle by: how many items each sent to each in a month, by reason. Counted from the events of dispatch, so
//! that the same month always says the same.

use std::collections::BTreeMap;
use std::sync::Arc;

use chrono::{Datelike, NaiveDate};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{Caller, Result, UseCaseError, record};
use crate::auth::Right;
use crate::domain::ids::UnitId;
use crate::domain::network::Network;
use crate::domain::unit::{Unit, UnitKind};
use crate::store::Store;

/// Events read at a time.
const PAGE: i64 = 5_000;

/// One line: what one district sent another for one reason.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct Flow {
    /// The main or central library whose subtree sent them.
    #[schema(example = "M1")]
    pub from_unit_code: String,
    /// In Chinese, as the unit is named.
    #[schema(example = "江汉区图书馆")]
    pub from_unit_name: String,
    /// The main or central library whose subtree they went to.
    #[schema(example = "M2")]
    pub to_unit_code: String,
    /// In Chinese, as the unit is named.
    #[schema(example = "青山区图书馆")]
    pub to_unit_name: String,
    /// Why they travelled.
    #[schema(example = "return_home")]
    pub reason: String,
    /// How many items were sent.
    #[schema(example = 418)]
    pub items: u64,
}

/// What districts sent each other in a month.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct FlowReport {
    /// Year and month, in the network's zone.
    #[schema(example = "2026-03")]
    pub month: String,
    /// By from, to, reason.
    pub flows: Vec<Flow>,
}

#[derive(Deserialize)]
struct Dispatch {
    to_unit_id: i64,
    reason: String,
}

/// The flows of a month; with a unit those from or to its district. Who does not see the whole network sees the flows from and
/// to its own districts.
///
/// # Errors
/// `Invalid` for a month that is none or a unit that does not exist; `Forbidden` outside the caller's subtree; a failure of the store.
pub async fn report_flows(
    store: &Arc<Store>,
    caller: &Caller,
    month: &str,
    unit_code: Option<String>,
) -> Result<FlowReport> {
    caller.require_somewhere(Right::ReadTransits)?;
    let first = first_day(month)?;
    let network = store.read(|tx| tx.network().map_err(UseCaseError::from)).await?;
    let of = match &unit_code {
        None => None,
        Some(code) => {
            let unit = record::unit_by_code(&network, "unit_code", code)?;
            caller.require(Right::ReadTransits, unit, &network)?;
            district(&network, unit).map(|unit| unit.id)
        }
    };
    let mut counts: BTreeMap<(i64, i64, String), u64> = BTreeMap::new();
    for day in first.iter_days().take_while(|day| day.month() == first.month()) {
        count_day(store, day, &mut counts).await?;
    }
    let flows = districts(&network, counts).into_iter();
    let flows = flows.filter(|((from, to, _), _)| match of {
        Some(of) => [*from, *to].contains(&of),
        None => [from, to]
            .iter()
            .any(|unit| caller.may(Right::ReadTransits, **unit, &network)),
    });
    Ok(FlowReport {
        month: first.format("%Y-%m").to_string(),
        flows: flows.filter_map(|flow| shown(&network, flow)).collect(),
    })
}

/// The same as CSV, with a line of names.
pub fn csv(report: &FlowReport) -> Result<Vec<u8>> {
    let broken = |error: csv::Error| UseCaseError::Internal(error.to_string());
    let mut out = csv::Writer::from_writer(Vec::new());
    let names = [
        "month",
        "from_unit_code",
        "from_unit_name",
        "to_unit_code",
        "to_unit_name",
        "reason",
        "items",
    ];
    out.write_record(names).map_err(broken)?;
    for flow in &report.flows {
        let items = flow.items.to_string();
        let line = [
            report.month.as_str(),
            &flow.from_unit_code,
            &flow.from_unit_name,
            &flow.to_unit_code,
            &flow.to_unit_name,
            &flow.reason,
            &items,
        ];
        out.write_record(line).map_err(broken)?;
    }
    out.into_inner()
        .map_err(|error| UseCaseError::Internal(error.to_string()))
}

fn first_day(month: &str) -> Result<NaiveDate> {
    let shape = month.len() == 7 && month.as_bytes().get(4) == Some(&b'-');
    let first = format!("{month}-01").parse::<NaiveDate>().ok();
    let first = first.filter(|day| shape && (1800..=2200).contains(&day.year()));
    first.ok_or_else(|| UseCaseError::field("month", "must be a year and a month, as 2026-03"))
}

async fn count_day(store: &Arc<Store>, day: NaiveDate, counts: &mut BTreeMap<(i64, i64, String), u64>) -> Result<()> {
    let mut after = i64::MIN;
    loop {
        let rows = store
            .read(move |tx| tx.dispatches_on(day, after, PAGE).map_err(UseCaseError::from))
            .await?;
        for (seq, from, detail) in &rows {
            let told: Dispatch = serde_json::from_str(detail)
                .map_err(|error| UseCaseError::Internal(format!("event {seq}: {error}")))?;
            *counts.entry((*from, told.to_unit_id, told.reason)).or_default() += 1;
            after = *seq;
        }
        if rows.len() < usize::try_from(PAGE).unwrap_or(usize::MAX) {
            return Ok(());
        }
    }
}

type Between = (UnitId, UnitId, String);

/// From units to their districts.
fn districts(network: &Network, counts: BTreeMap<(i64, i64, String), u64>) -> BTreeMap<Between, u64> {
    let mut sums: BTreeMap<Between, u64> = BTreeMap::new();
    let of = |unit: i64| {
        let unit = UnitId::new(unit);
        district(network, unit).map_or(unit, |district| district.id)
    };
    for ((from, to, reason), items) in counts {
        *sums.entry((of(from), of(to), reason)).or_default() += items;
    }
    sums
}

/// The nearest main or central library at or above a unit; the unit itself where there is none.
fn district(network: &Network, unit: UnitId) -> Option<&Unit> {
    let mut line = network
        .units()
        .ancestors(unit)
        .iter()
        .filter_map(|id| network.unit(*id));
    line.find(|unit| matches!(unit.kind, UnitKind::Main | UnitKind::Central))
        .or_else(|| network.unit(unit))
}

fn shown(network: &Network, ((from, to, reason), items): (Between, u64)) -> Option<Flow> {
    let (from, to) = (network.unit(from)?, network.unit(to)?);
    Some(Flow {
        from_unit_code: from.code.clone(),
        from_unit_name: from.name.clone(),
        to_unit_code: to.code.clone(),
        to_unit_name: to.name.clone(),
        reason,
        items,
    })
}
