//! The open loop: a city's peak hour, or a multiple of it, at its own pace.
//!
//! People come when they come, not when the server is ready: every client draws its arrivals from a Poisson
//! process, and an answer's time counts from the arrival. A slow server therefore shows as long waits, never as
//! less load. The rates are those of a city of 11 million visits a year.

use std::collections::HashMap;
use std::rc::Rc;
use std::time::{Duration, Instant};

use serde::Deserialize;

use super::accounts::{Item, Share};
use super::report::{Op, Tally};
use super::worker::Worker;

/// 14,769 check-outs in the peak hour.
const CHECK_OUTS_PER_S: f64 = 4.1;
const RETURNS_PER_S: f64 = 4.1;
/// The rest of the 9.0 changes a second.
const RENEWALS_PER_S: f64 = 0.8;
const SEARCHES_PER_S: f64 = 1.8;
/// Detail views and robots make 55 reads a second of those 1.8 searches.
const VIEWS_PER_S: f64 = 53.2;
const BASKET_MEAN: f64 = 3.5;
const BASKET_MAX: usize = 20;
/// What an ordinary reader may have at a time.
const READER_LIMIT: usize = 10;

/// Percent-encoded: 中国, 历史, 小说, 教育, 数学, 红楼梦, and one in Latin letters.
const QUERIES: [&str; 7] = [
    "%E4%B8%AD%E5%9B%BD",
    "%E5%8E%86%E5%8F%B2",
    "%E5%B0%8F%E8%AF%B4",
    "%E6%95%99%E8%82%B2",
    "%E6%95%B0%E5%AD%A6",
    "%E7%BA%A2%E6%A5%BC%E6%A2%A6",
    "history",
];

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Visit {
    Basket,
    Return,
    Renewal,
    Search,
    View,
}

struct OpenLoan {
    id: i64,
    item: Item,
    card: Rc<str>,
    renewed: bool,
}

struct Client {
    worker: Worker,
    random: Random,
    shelf: Vec<Item>,
    readers: Vec<Rc<str>>,
    loans: Vec<OpenLoan>,
    open_by_card: HashMap<Rc<str>, usize>,
    /// Bibs seen in search results: what a detail view asks for.
    bibs: Vec<i64>,
}

#[derive(Deserialize)]
struct CheckedOut {
    loan: LoanId,
}

#[derive(Deserialize)]
struct LoanId {
    id: i64,
}

/// One client's part of the load: `rate` is the multiple of the peak divided by the number of clients.
pub(super) async fn run(worker: Worker, share: Share, rate: f64, seed: u64) -> Tally {
    let mut client = Client {
        worker,
        random: Random(seed | 1),
        shelf: share.items,
        readers: share.readers,
        loans: Vec::new(),
        open_by_card: HashMap::new(),
        bibs: Vec::new(),
    };
    let visits = [
        (Visit::Basket, CHECK_OUTS_PER_S / BASKET_MEAN),
        (Visit::Return, RETURNS_PER_S / BASKET_MEAN),
        (Visit::Renewal, RENEWALS_PER_S),
        (Visit::Search, SEARCHES_PER_S),
        (Visit::View, VIEWS_PER_S),
    ];
    let total: f64 = visits.iter().map(|(_, per_s)| per_s).sum();
    let mut arrival = Instant::now();
    loop {
        arrival += Duration::from_secs_f64(client.random.exponential(total * rate));
        if arrival >= client.worker.window.until {
            break;
        }
        tokio::time::sleep_until(arrival.into()).await;
        let mut pick = client.random.unit() * total;
        let visit = visits.iter().find(|(_, per_s)| {
            pick -= per_s;
            pick < 0.0
        });
        client
            .serve(visit.map_or(Visit::View, |(visit, _)| *visit), arrival)
            .await;
    }
    client.bring_everything_back().await;
    client.worker.tally
}

impl Client {
    async fn serve(&mut self, visit: Visit, arrival: Instant) {
        match visit {
            Visit::Basket => self.basket(arrival).await,
            Visit::Return => self.bring_back(arrival).await,
            Visit::Renewal => self.renew(arrival).await,
            Visit::Search => self.search(arrival).await,
            Visit::View => self.view(arrival).await,
        }
    }

    async fn basket(&mut self, arrival: Instant) {
        let size = self.random.basket().min(self.shelf.len()).min(READER_LIMIT);
        let open = |card: &Rc<str>| self.open_by_card.get(card).copied().unwrap_or(0);
        let Some(card) = self
            .readers
            .iter()
            .find(|card| open(card) + size <= READER_LIMIT)
            .cloned()
        else {
            return self.worker.tally.skip();
        };
        if size == 0 {
            return self.worker.tally.skip();
        }
        // Another reader comes next time.
        self.readers.rotate_left(1);
        let mut since = arrival;
        for _ in 0..size {
            let item = self.shelf.swap_remove(self.random.below(self.shelf.len()));
            let answer = self
                .worker
                .check_out(Op::CheckOut, since, item.desk, &item.barcode, &card)
                .await;
            let loan = answer.map(serde_json::from_slice::<CheckedOut>);
            match loan {
                Some(Ok(CheckedOut { loan })) => {
                    *self.open_by_card.entry(Rc::clone(&card)).or_default() += 1;
                    let card = Rc::clone(&card);
                    self.loans.push(OpenLoan {
                        id: loan.id,
                        item,
                        card,
                        renewed: false,
                    });
                }
                Some(Err(error)) => self.worker.tally.failed(Op::CheckOut, || error.to_string()),
                // Refused: counted as a failure by the worker, and not tried again.
                None => {}
            }
            // The next item of a basket is laid down when the one before is done.
            since = Instant::now();
        }
    }

    async fn bring_back(&mut self, arrival: Instant) {
        let mut since = arrival;
        for _ in 0..self.random.basket().min(self.loans.len()) {
            let loan = self.loans.swap_remove(self.random.below(self.loans.len()));
            self.check_in(loan, since).await;
            since = Instant::now();
        }
    }

    async fn check_in(&mut self, loan: OpenLoan, since: Instant) {
        if self
            .worker
            .check_in(Op::CheckIn, since, loan.item.desk, &loan.item.barcode)
            .await
        {
            if let Some(open) = self.open_by_card.get_mut(&loan.card) {
                *open -= 1;
            }
            self.shelf.push(loan.item);
        }
    }

    async fn renew(&mut self, arrival: Instant) {
        let Some(loan) = self.loans.iter_mut().find(|loan| !loan.renewed) else {
            return;
        };
        loan.renewed = true;
        let (path, desk) = (format!("/api/v1/loans/{}/renewals", loan.id), loan.item.desk);
        self.worker.send(Op::Renew, arrival, desk, &path, "{}").await;
    }

    async fn search(&mut self, arrival: Instant) {
        let query = QUERIES[self.random.below(QUERIES.len())];
        let path = format!("/api/v1/bibs?q={query}");
        if let Some(body) = self.worker.send(Op::Search, arrival, 0, &path, "").await {
            let found = bib_ids(body);
            if !found.is_empty() {
                self.bibs = found;
            }
        }
    }

    async fn view(&mut self, arrival: Instant) {
        if self.bibs.is_empty() {
            return self.search(arrival).await;
        }
        let path = format!("/api/v1/bibs/{}", self.bibs[self.random.below(self.bibs.len())]);
        self.worker.send(Op::View, arrival, 0, &path, "").await;
    }

    /// After the time is up and outside the figures, so that the next run finds every item on its shelf.
    async fn bring_everything_back(&mut self) {
        for loan in std::mem::take(&mut self.loans) {
            self.check_in(loan, Instant::now()).await;
        }
    }
}

/// The ids of the objects in the answer's list, whatever the list is called.
fn bib_ids(body: &[u8]) -> Vec<i64> {
    let Ok(serde_json::Value::Object(answer)) = serde_json::from_slice(body) else {
        return Vec::new();
    };
    let list = answer.values().find_map(serde_json::Value::as_array);
    list.into_iter()
        .flatten()
        .filter_map(|bib| bib.get("id")?.as_i64())
        .collect()
}

/// Xorshift: good enough to spread arrivals, and small enough to need no crate.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d)
    }

    /// In [0, 1).
    fn unit(&mut self) -> f64 {
        (self.next() >> 11) as f64 / (1u64 << 53) as f64
    }

    fn below(&mut self, limit: usize) -> usize {
        (self.unit() * limit as f64) as usize
    }

    /// Seconds until the next of `per_s` events a second.
    fn exponential(&mut self, per_s: f64) -> f64 {
        -(1.0 - self.unit()).ln() / per_s
    }

    /// Geometric, with the mean and the maximum of a basket.
    fn basket(&mut self) -> usize {
        let mut size = 1;
        while size < BASKET_MAX && self.unit() >= 1.0 / BASKET_MEAN {
            size += 1;
        }
        size
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn baskets_and_gaps_have_the_means_of_the_model() {
        let mut random = Random(42);
        let count = 100_000;
        let baskets: Vec<usize> = (0..count).map(|_| random.basket()).collect();
        let mean = baskets.iter().sum::<usize>() as f64 / f64::from(count);
        // Cutting the tail off at 20 takes a little from 3.5.
        assert!((3.4..3.6).contains(&mean), "{mean}");
        assert!(baskets.iter().all(|size| (1..=BASKET_MAX).contains(size)));
        let gaps: f64 = (0..count).map(|_| random.exponential(4.0)).sum();
        assert!((0.24..0.26).contains(&(gaps / f64::from(count))));
        assert!((0..count).all(|_| random.below(7) < 7));
    }

    #[test]
    fn ids_are_found_in_any_list() {
        assert_eq!(
            bib_ids(br#"{"next":null,"items":[{"id":7},{"title":"x"},{"id":9}]}"#),
            [7, 9]
        );
        assert_eq!(bib_ids(br#"{"bibs":[]}"#), [0i64; 0]);
        assert_eq!(bib_ids(b"not json"), [0i64; 0]);
    }
}
