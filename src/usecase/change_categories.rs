//! Gives readers whose age has left their category the one they grow into, and ends the guardian links of wards who are of age. Run
//! by a job on each day.

use std::collections::BTreeSet;
use std::sync::Arc;

use chrono::{DateTime, NaiveDate, Utc};
use serde_json::json;

use super::add_guardian::end_at_age;
use super::run_job::{Look, Pass, of_one};
use super::{Caller, Result, UseCaseError};
use crate::domain::age_category::next_category;
use crate::domain::event::{AgeBand, EventKind, age_years};
use crate::domain::guardian::{MOST_GUARDIANS, is_of_age, last_born_of_age};
use crate::domain::ids::{CategoryId, ReaderId, UnitId};
use crate::domain::network::Network;
use crate::store::Store;
use crate::store::events::Event;
use crate::store::ids::IdRun;
use crate::store::tx::{ReadTx, WriteTx};

/// Readers looked at in one read.
const PAGE: i64 = 5_000;
/// For the change of the category, and for each link that ends.
const IDS_PER_READER: i64 = 1 + MOST_GUARDIANS as i64;

/// The walk over all readers with a birth date.
#[derive(Debug, Clone, Copy, Default)]
pub struct ChangeCategories;

impl Pass for ChangeCategories {
    type Work = ReaderId;

    fn look(
        &self,
        after: i64,
        _: DateTime<Utc>,
    ) -> impl FnOnce(&mut ReadTx<'_>) -> Result<Look<ReaderId>> + Send + 'static {
        move |tx| {
            let network = tx.network()?;
            let today = network.local_day(tx.now());
            let walked = tx.walk_ages(after, PAGE)?;
            let last = walked.last().map(|aged| aged.id.get());
            let looked_at = i64::try_from(walked.len()).unwrap_or(i64::MAX);
            let outgrown = walked
                .into_iter()
                .filter(|aged| grown_into(&network, aged.category, aged.born, today).is_some());
            let mut work: BTreeSet<ReaderId> = outgrown.map(|aged| aged.id).collect();
            if let Some(last) = last {
                work.extend(tx.wards_born_by(last_born_of_age(today), after, last)?);
            }
            Ok(Look {
                work: work.into_iter().collect(),
                looked_at,
                after: last,
            })
        }
    }

    async fn act(&self, store: &Arc<Store>, work: Vec<ReaderId>) -> Result<i64> {
        let mut changed = 0;
        for reader in work {
            let ids = store.take_ids::<UseCaseError>(IDS_PER_READER).await?;
            let done = store.write(move |tx| change(tx, reader, ids.clone())).await;
            changed += i64::from(of_one(done, "reader", reader.get())? == Some(true));
        }
        Ok(changed)
    }
}

fn grown_into(network: &Network, present: CategoryId, born: NaiveDate, today: NaiveDate) -> Option<CategoryId> {
    let present = network.category(present)?;
    Some(next_category(present, age_years(born, today)?, &network.categories())?.id)
}

fn change(tx: &mut WriteTx<'_>, id: ReaderId, mut ids: IdRun) -> Result<bool> {
    tx.lock_readers(&[id])?;
    let Some((reader, _)) = tx.reader_view(id)? else {
        return Ok(false);
    };
    let (network, now) = (tx.network()?, tx.now());
    let today = network.local_day(now);
    let present = CategoryId::new(reader.category_id);
    let Some(born) = reader.birth_date.as_deref().and_then(|text| text.parse().ok()) else {
        return Ok(false);
    };
    let caller = Caller::system();
    let ended = is_of_age(Some(born), today) && end_at_age(tx, &caller, &reader, &mut ids)? > 0;
    let Some(next) = grown_into(&network, present, born, today) else {
        return Ok(ended);
    };
    tx.set_category_of_reader(id, next)?;
    let event = Event::new(
        EventKind::ReaderChanged,
        now,
        UnitId::new(reader.home_unit_id),
        caller.own_channel(),
    )
    .of_reader(id, next, AgeBand::on(Some(born), today))
    .detail(json!({"changed": "category", "was_category_id": present}));
    tx.append_event(ids.next(), &event)?;
    Ok(true)
}
