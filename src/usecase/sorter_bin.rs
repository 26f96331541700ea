//! Into which bin a sorter drops what it took in, by the table of its unit and by what it said is full.
//! Not for: where the book goes. That is decided by then.

use super::{Caller, Result};
use crate::domain::ids::UnitId;
use crate::domain::network::Network;
use crate::domain::reader::Channel;
use crate::domain::route::NextStep;
use crate::domain::sort_bin::{Facts, Line, Takes, Towards, choose};
use crate::store::tx::ReadTx;

/// The bin, for a sorter whose unit has a table; no statement for anybody else.
pub(super) fn bin_for(
    tx: &mut ReadTx<'_>,
    caller: &Caller,
    (unit, step): (UnitId, &NextStep),
    network: &Network,
) -> Result<Option<u16>> {
    let sorter = caller.device().filter(|_| caller.channel() == Channel::Drop);
    let Some(sorter) = sorter else { return Ok(None) };
    let table = tx.bins_of(unit)?;
    if table.is_empty() {
        return Ok(None);
    }
    let to = match step {
        NextStep::Crate { to, .. } => Some(*to),
        _ => None,
    };
    let routes = match to {
        Some(to) if table.iter().any(by_route) => tx.routes_stopping_at(to)?,
        _ => Vec::new(),
    };
    let full = tx.full_bins_of(sorter)?;
    let choice = choose(&Facts {
        table: &table,
        step,
        line_up: to.map_or(&[], |to| network.units().ancestors(to)),
        routes: &routes,
        full: &full,
    });
    Ok(choice.bin)
}

const fn by_route(line: &Line) -> bool {
    matches!(line.takes, Takes::Transit(Towards::Route(_)))
}
