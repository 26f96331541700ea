//! One run: a seed on an engine, day after day. What it does in a day stands in the other files; here is the frame.

use std::collections::BTreeMap;
use std::sync::Arc;

use chrono::{DateTime, NaiveDate, TimeDelta, TimeZone, Utc};
use tongjie::auth::{ConsentSeal, SigningKey, TokenService};
use tongjie::clock::Clock;
use tongjie::store::{Store, StoreOptions};

use super::ledger::Ledger;
use super::machines::{Machines, passwords};
use super::random::Random;
use super::town::{PIN, Town};
use crate::database::{Database, Engine};

/// Operations of a day: enough that every kind comes up, few enough for a test.
pub const OPERATIONS: u64 = 110;
/// Operations are numbered from here on each day; below it are the parts of the day that belong to no operation.
const FIRST: u64 = 100;

/// How often something was tried and how it ended.
#[derive(Debug, Clone, Copy, Default)]
pub struct Count {
    pub done: u64,
    pub refused: u64,
}

/// What was opened and may be worked on, the newest last.
#[derive(Debug, Default)]
pub struct Open {
    pub holds: Vec<i64>,
    pub parcels: Vec<i64>,
    pub closings: Vec<i64>,
    pub deposits: Vec<i64>,
    pub transfers: Vec<i64>,
    pub amnesties: Vec<(String, NaiveDate, NaiveDate)>,
    pub rule_sets: Vec<i64>,
}

pub struct Simulation {
    pub engine: Engine,
    pub seed: u64,
    pub day: u32,
    pub operation: u64,
    pub clock: Clock,
    pub store: Arc<Store>,
    /// A second node, where the engine lets several serve one database.
    pub other: Arc<Store>,
    pub db: Database,
    pub town: Town,
    pub random: Random,
    pub ledger: Ledger,
    pub open: Open,
    pub machines: Machines,
    pub seal: Arc<ConsentSeal>,
    pub counts: BTreeMap<&'static str, Count>,
    /// Why what was refused.
    pub reasons: BTreeMap<String, u64>,
    pub operations: u64,
    pub violations: Vec<String>,
    /// Calls under a key, so that no two of them have the same.
    pub keys: u64,
    /// Where the days begin; a jump of the clock moves it.
    start: DateTime<Utc>,
    /// The next call only rehearses: nothing is stored of it, under no key.
    pub rehearsing: bool,
    /// By how much the clock is wrong today.
    pub skew: TimeDelta,
}

impl Simulation {
    pub async fn new(engine: Engine, seed: u64) -> Self {
        let start = Utc.with_ymd_and_hms(2026, 3, 2, 0, 0, 0).single().expect("a moment");
        let clock = Clock::fixed(start);
        let db = Database::new(engine);
        let store = open(&db, &clock);
        let mut random = Random::of(seed, 0);
        let today = start.with_timezone(&chrono_tz::Asia::Shanghai).date_naive();
        let pin = passwords(&db).hash(PIN.into()).await.expect("a hash");
        let town = Town::build(&store, &mut random, today, pin).await;
        let key = SigningKey::from_bytes(b"the simulation's key, of no worth");
        let tokens = Arc::new(TokenService::new(&key, std::time::Duration::from_secs(900)));
        let other = second_node(&db, &store, &clock);
        let machines = Machines::new(&db, &town, tokens.clone());
        let mut run = Self {
            machines,
            engine,
            seed,
            day: 0,
            operation: 0,
            clock,
            store,
            other,
            db,
            town,
            random,
            ledger: Ledger::default(),
            open: Open::default(),
            seal: Arc::new(ConsentSeal::new(tokens, TimeDelta::minutes(5))),
            counts: BTreeMap::new(),
            reasons: BTreeMap::new(),
            operations: 0,
            violations: Vec::new(),
            keys: 0,
            start,
            rehearsing: false,
            skew: TimeDelta::zero(),
        };
        run.settle_in().await;
        run
    }

    /// Lives through so many days, or to the evening of the first with a violation.
    pub async fn live(&mut self, days: u32) {
        while self.day < days && self.violations.is_empty() {
            self.day += 1;
            self.live_a_day().await;
        }
    }

    async fn live_a_day(&mut self) {
        self.start += TimeDelta::days(1);
        self.draw_from(0);
        self.clock.set(self.start);
        self.morning().await;
        for number in 0..OPERATIONS {
            self.draw_from(FIRST + number);
            self.operation = number;
            // Thirteen hours, some of them before and after the desks are open.
            let minute = number * 13 * 60 / OPERATIONS;
            let right = self.start + TimeDelta::minutes(i64::try_from(minute).expect("few"));
            self.clock.set(right + self.skew);
            self.operate().await;
            if self.violations.len() > 5 {
                break;
            }
        }
        self.draw_from(1);
        self.skew = TimeDelta::zero();
        self.clock.set(self.start + TimeDelta::hours(13));
        self.evening().await;
    }

    fn draw_from(&mut self, part: u64) {
        self.random = Random::of(self.seed, u64::from(self.day) * 100_000 + part);
    }

    pub fn now(&self) -> DateTime<Utc> {
        self.clock.now()
    }

    pub fn today(&self) -> NaiveDate {
        self.now().with_timezone(&chrono_tz::Asia::Shanghai).date_naive()
    }

    /// A local day so many days from now.
    pub fn day_in(&self, days: i64) -> NaiveDate {
        self.today() + TimeDelta::days(days)
    }

    /// The clock is so many days further, for good.
    pub fn jump(&mut self, days: i64) {
        self.start += TimeDelta::days(days);
        self.clock.set(self.now() + TimeDelta::days(days));
    }

    pub fn violated(&mut self, what: impl std::fmt::Display) {
        let (day, operation, now) = (self.day, self.operation, self.now());
        self.violations
            .push(format!("day {day}, operation {operation} ({now}): {what}"));
    }

    /// How to see the same again.
    pub fn again(&self) -> String {
        format!(
            "{:?}, seed {}, day {}, operation {}: TONGJIE_SIM_SEED={} TONGJIE_SIM_DAYS={} cargo test --test model simulation::{} -- --nocapture",
            self.engine,
            self.seed,
            self.day,
            self.operation,
            self.seed,
            self.day,
            if self.engine == Engine::Sqlite {
                "sqlite"
            } else {
                "postgres"
            }
        )
    }
}

/// A node with few connections: it is started again after every crash.
pub fn open(db: &Database, clock: &Clock) -> Arc<Store> {
    let options = StoreOptions {
        pool_size: 4,
        write_workers: 2,
        read_pool_size: 2,
        ..db.options(clock.clone())
    };
    Store::open(options).expect("the database opens")
}

pub fn second_node(db: &Database, store: &Arc<Store>, clock: &Clock) -> Arc<Store> {
    match db.engine {
        Engine::Sqlite => Arc::clone(store),
        Engine::Postgres => open(db, clock),
    }
}

impl Drop for Simulation {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("a panic in the simulation. {}", self.again());
        }
    }
}
