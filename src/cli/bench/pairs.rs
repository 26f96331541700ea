//! The closed loops: a check-out, then the check-in of the same item, as fast as the server answers.

use std::time::Instant;

use super::accounts::{HistoryCards, Share};
use super::report::{Op, Tally};
use super::worker::Worker;

/// The client's items and readers in turn. The end of the time is looked at only between pairs, so that every item
/// is back on its shelf and the next run finds it.
pub(super) async fn mix(mut worker: Worker, share: Share, (check_out, check_in): (Op, Op)) -> Tally {
    let readers = share.readers.iter().cycle();
    for (item, card) in share.items.iter().cycle().zip(readers) {
        if !worker.window.is_open() {
            break;
        }
        if worker
            .check_out(check_out, Instant::now(), item.desk, &item.barcode, card)
            .await
            .is_some()
        {
            worker
                .check_in(check_in, Instant::now(), item.desk, &item.barcode)
                .await;
        } else {
            // A refusal comes back at once: leave the server the time to answer the others.
            tokio::task::yield_now().await;
        }
    }
    worker.tally
}

/// The same item to both readers, one after the other; who is first changes every time, so that neither always
/// meets the warmer cache.
pub(super) async fn history(mut worker: Worker, share: Share, cards: HistoryCards) -> Tally {
    let with_history = (Op::CheckOutHistory, Op::CheckInHistory, cards.history_card.as_str());
    let fresh = (Op::CheckOutFresh, Op::CheckInFresh, cards.fresh_card.as_str());
    for (turn, item) in share.items.iter().cycle().enumerate() {
        if !worker.window.is_open() {
            break;
        }
        let order = if turn % 2 == 0 {
            [with_history, fresh]
        } else {
            [fresh, with_history]
        };
        for (check_out, check_in, card) in order {
            if worker
                .check_out(check_out, Instant::now(), item.desk, &item.barcode, card)
                .await
                .is_some()
            {
                worker
                    .check_in(check_in, Instant::now(), item.desk, &item.barcode)
                    .await;
            }
        }
    }
    worker.tally
}
