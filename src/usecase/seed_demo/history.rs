//! Writing down what was planned: loans, holds, journeys, and the events in the order of time.

use std::sync::Arc;

use serde_json::json;

use super::super::progress::Progress;
use super::super::{Result, UseCaseError};
use super::catalogue::Bib;
use super::circulation::{Happening, PlannedHold, PlannedTransit};
use super::network::Place;
use super::readers::Reader;
use super::stock::Item;
use crate::domain::event::{AgeBand, EventKind};
use crate::domain::ids::{BibId, ItemId, ReaderId, UnitId};
use crate::domain::item::TransitReason;
use crate::store::Store;
use crate::store::bulk::{LoanWithEnd, PastVisits};
use crate::store::events::Event;
use crate::store::transits::NewTransit;
use crate::store::tx::WriteTx;

const ROWS_PER_WRITE: usize = 1_000;

/// Writes the loans.
pub(super) async fn write_loans(store: &Arc<Store>, loans: Vec<LoanWithEnd>, progress: &dyn Progress) -> Result<()> {
    progress.begin("loans", u64::try_from(loans.len()).ok());
    for chunk in loans.chunks(ROWS_PER_WRITE) {
        let rows = chunk.to_vec();
        store
            .write(move |tx| tx.insert_loans(&rows).map_err(UseCaseError::from))
            .await?;
        progress.advance(u64::try_from(chunk.len()).unwrap_or(0));
    }
    Ok(())
}

/// Writes the holds, then the journeys, some of which are for them.
pub(super) async fn write_holds(
    store: &Arc<Store>,
    holds: Vec<PlannedHold>,
    transits: Vec<PlannedTransit>,
) -> Result<()> {
    let work = move |tx: &mut WriteTx<'_>| -> Result<()> {
        for hold in &holds {
            tx.insert_hold(&hold.row)?;
            if let Some((item, capture, at)) = &hold.captured {
                tx.capture_hold(*item, capture, *at)?;
            }
        }
        for transit in &transits {
            let reason = if transit.hold.is_some() {
                TransitReason::Hold
            } else {
                TransitReason::ReturnHome
            };
            let (id, item, from, to, hold) = (transit.id, transit.item, transit.from, transit.to, transit.hold);
            tx.insert_transit(
                NewTransit {
                    id,
                    item,
                    from,
                    to,
                    reason: reason.code(),
                    hold,
                },
                transit.at,
            )?;
            if transit.sent {
                tx.mark_sent(id, transit.at)?;
            }
        }
        Ok(())
    };
    store.write(work).await
}

/// What an event keeps of item and reader, copied out of the plan.
struct Told {
    happening: Happening,
    item: ItemId,
    bib: BibId,
    owner: UnitId,
    home: UnitId,
    class: &'static str,
    item_type: crate::domain::ids::ItemTypeId,
    reader: Option<(ReaderId, crate::domain::ids::CategoryId, Option<chrono::NaiveDate>)>,
}

/// Appends the events of everything that happened.
pub(super) async fn write_events(
    store: &Arc<Store>,
    happenings: &[Happening],
    (places, bibs): (&[Place], &[Bib]),
    (items, readers): (&[Item], &[Reader]),
    progress: &dyn Progress,
) -> Result<()> {
    progress.begin("events", u64::try_from(happenings.len()).ok());
    // One key for all: what a reader did at one place on one day is one visit, whichever chunk it falls into.
    let visits = PastVisits::new()?;
    for chunk in happenings.chunks(ROWS_PER_WRITE) {
        let ids = store
            .take_ids::<UseCaseError>(i64::try_from(chunk.len()).unwrap_or(0))
            .await?;
        let told: Vec<Told> = chunk
            .iter()
            .map(|one| told(*one, (places, bibs), (items, readers)))
            .collect();
        let visits = visits.clone();
        store
            .write(move |tx| -> Result<()> {
                let events: Vec<Event<'_>> = told.iter().map(|told| event(tx, told)).collect();
                Ok(tx.append_events(&mut ids.clone(), &visits, &events)?)
            })
            .await?;
        progress.advance(u64::try_from(chunk.len()).unwrap_or(0));
    }
    Ok(())
}

fn told(happening: Happening, (places, bibs): (&[Place], &[Bib]), (items, readers): (&[Item], &[Reader])) -> Told {
    let item = &items[happening.item];
    let (home, bib) = (&places[item.place], &bibs[item.bib]);
    let reader = happening.reader.map(|reader| &readers[reader]);
    Told {
        happening,
        item: ItemId::new(item.id),
        bib: BibId::new(bib.id),
        owner: home.owner,
        home: home.id,
        class: bib.class,
        item_type: item.item_type,
        reader: reader.map(|reader| (ReaderId::new(reader.id), reader.category, reader.birth_date)),
    }
}

fn event<'a>(tx: &WriteTx<'_>, told: &'a Told) -> Event<'a> {
    let Happening {
        at,
        kind,
        unit,
        channel,
        subject,
        ..
    } = told.happening;
    let name = match kind {
        EventKind::LoanMade | EventKind::LoanReturned => "loan_id",
        EventKind::TransitOpened => "transit_id",
        _ => "hold_id",
    };
    let mut event = Event {
        item: (kind != EventKind::HoldPlaced).then_some(told.item),
        bib: Some(told.bib),
        owner: Some(told.owner),
        home: Some(told.home),
        item_type: Some(told.item_type),
        clc_class: Some(told.class),
        ..Event::new(kind, at, unit, channel.code())
    };
    if let Some((reader, category, born)) = told.reader {
        event = event.of_reader(reader, category, AgeBand::on(born, tx.day_of(at)));
    }
    event.detail(json!({ name: subject }))
}
