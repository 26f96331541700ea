//! The demo as a whole: planned with all its ids before the first item is written, so that every row is written once
//! in its final state.

use std::sync::Arc;

use chrono::{DateTime, Utc};

use super::super::progress::Progress;
use super::super::{Result, UseCaseError};
use super::catalogue::Bib;
use super::circulation::{Circulation, Happening, PlannedHold, PlannedTransit, Setting, Volume};
use super::network::Place;
use super::random::Random;
use super::readers::{self, Reader};
use super::stock::{self, Item};
use super::{SeedOptions, history, log_ins};
use crate::domain::network::Network;
use crate::domain::unit::UnitKind;
use crate::store::Store;
use crate::store::bulk::LoanWithEnd;

const READERS: usize = 30_000;
/// Items listed as on the shelf, for each large house.
const LISTED_PER_UNIT: usize = 420;

/// Everything but the catalogue, which is written already.
pub(super) struct World {
    pub places: Vec<Place>,
    pub bibs: Vec<Bib>,
    pub items: Vec<Item>,
    pub readers: Vec<Reader>,
    /// Indices of readers who may log in and have no loan.
    pub free_readers: Vec<usize>,
    /// Indices of items listed as on the shelf.
    pub listed: Vec<usize>,
    /// Open loans as (item, reader).
    pub on_loan: Vec<(usize, usize)>,
    loans: Vec<LoanWithEnd>,
    holds: Vec<PlannedHold>,
    transits: Vec<PlannedTransit>,
    happenings: Vec<Happening>,
}

fn volume(options: SeedOptions) -> Volume {
    Volume {
        open_loans: options.scaled(8_950),
        past_loans: options.scaled(18_000),
        waiting_holds: options.scaled(300),
        captured_holds: options.scaled(100),
        journeys: options.scaled(120),
        history_past: options.scaled(2_000),
        history_open: options.scaled(50),
    }
}

impl World {
    /// Plans stock, readers and circulation.
    pub(super) async fn plan(
        store: &Arc<Store>,
        options: SeedOptions,
        (places, bibs): (Vec<Place>, Vec<Bib>),
        network: &Network,
        (now, opened): (DateTime<Utc>, DateTime<Utc>),
    ) -> Result<Self> {
        let mut items = stock::plan(&mut Random::new(options.seed, "stock"), &places, &bibs, network, opened)?;
        let mut random = Random::new(options.seed, "readers");
        let mut readers = readers::plan(
            &mut random,
            options.scaled(READERS),
            &places,
            network,
            network.local_day(now),
        )?;
        give_ids(store, &mut items, &mut readers).await?;
        let free_readers = log_ins::choose(&readers, options, network.local_day(now));
        let volume = volume(options);
        let ids = store.take_ids::<UseCaseError>(volume.ids()).await?;
        let setting = Setting {
            network,
            places: &places,
            bibs: &bibs,
            now,
            ids,
            without_loans: &free_readers,
        };
        let random = Random::new(options.seed, "circulation");
        let mut circulation = Circulation::new(setting, random, &mut items, &mut readers);
        circulation.plan(volume);
        let large = (0..places.len()).filter(|place| {
            let place = &places[*place];
            matches!(place.kind, UnitKind::Central | UnitKind::Main) && !place.for_children
        });
        let listed = large
            .flat_map(|place| circulation.left_on_shelf(place, LISTED_PER_UNIT))
            .collect();
        let Circulation {
            loans,
            holds,
            transits,
            happenings,
            on_loan,
            ..
        } = circulation;
        Ok(Self {
            places,
            bibs,
            items,
            readers,
            free_readers,
            listed,
            on_loan,
            loans,
            holds,
            transits,
            happenings,
        })
    }

    /// Writes everything, what others point to first.
    pub(super) async fn write(
        &mut self,
        store: &Arc<Store>,
        opened: DateTime<Utc>,
        progress: &dyn Progress,
    ) -> Result<()> {
        stock::write(store, &self.items, (&self.places, &self.bibs), opened, progress).await?;
        readers::write(store, &self.readers, &self.places, opened, progress).await?;
        history::write_loans(store, std::mem::take(&mut self.loans), progress).await?;
        let (holds, transits) = (std::mem::take(&mut self.holds), std::mem::take(&mut self.transits));
        history::write_holds(store, holds, transits).await?;
        let happenings = std::mem::take(&mut self.happenings);
        let (places, things) = ((&*self.places, &*self.bibs), (&*self.items, &*self.readers));
        history::write_events(store, &happenings, places, things, progress).await
    }
}

async fn give_ids(store: &Arc<Store>, items: &mut [Item], readers: &mut [Reader]) -> Result<()> {
    let count = items.len() + 2 * readers.len();
    let mut ids = store
        .take_ids::<UseCaseError>(i64::try_from(count).unwrap_or(i64::MAX))
        .await?;
    items.iter_mut().for_each(|item| item.id = ids.next());
    for reader in readers {
        (reader.id, reader.card) = (ids.next(), ids.next());
    }
    Ok(())
}
