//! How jobs run, whatever they do: one node at a time, in steps, resumed where they stood.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use chrono::{DateTime, TimeDelta, Utc};
use tongjie::clock::Clock;
use tongjie::domain::schedule::{Job, Schedule};
use tongjie::store::Store;
use tongjie::store::tx::ReadTx;
use tongjie::usecase::run_job::{Look, Pass, Ran, run_job};
use tongjie::usecase::{Result, UseCaseError};

use crate::database::{Database, Engine};
use crate::noon;

const JOB: Job = Job {
    name: "counting",
    schedule: Schedule::Every { seconds: 60 },
    does_zh: "数数",
    does_en: "Counts",
};

const LAST: i64 = 100;
const STEP: i64 = 10;

/// Walks over the numbers 1 to 100 and counts how often each was dealt with.
#[derive(Default)]
struct Counting {
    dealt_with: Mutex<BTreeMap<i64, u32>>,
    /// Fails at 51 while set.
    breaks: AtomicBool,
    /// Called after each step.
    after_step: Option<Box<dyn Fn() + Send + Sync>>,
}

impl Pass for Counting {
    type Work = i64;

    fn expected(&self, _tx: &mut ReadTx<'_>) -> Result<Option<i64>> {
        Ok(Some(LAST))
    }

    fn look(
        &self,
        after: i64,
        _now: DateTime<Utc>,
    ) -> impl FnOnce(&mut ReadTx<'_>) -> Result<Look<i64>> + Send + 'static {
        move |_| {
            let work: Vec<i64> = (after + 1..=LAST).take(usize::try_from(STEP).expect("small")).collect();
            Ok(Look {
                looked_at: i64::try_from(work.len()).expect("small"),
                after: work.last().copied(),
                work,
            })
        }
    }

    async fn act(&self, _store: &Arc<Store>, work: Vec<i64>) -> Result<i64> {
        if work.contains(&51) && self.breaks.load(Ordering::SeqCst) {
            return Err(UseCaseError::NotFound("fifty-one"));
        }
        let mut dealt_with = self.dealt_with.lock().expect("no panic");
        let done = i64::try_from(work.len()).expect("small");
        for number in work {
            *dealt_with.entry(number).or_default() += 1;
        }
        drop(dealt_with);
        if let Some(after_step) = &self.after_step {
            after_step();
        }
        Ok(done)
    }
}

impl Counting {
    /// Whether each number was dealt with exactly once.
    fn is_exact(&self) -> bool {
        let dealt_with = self.dealt_with.lock().expect("no panic");
        dealt_with.len() == 100 && dealt_with.values().all(|times| *times == 1)
    }
}

const WHOLE: Ran = Ran::Finished {
    looked_at: LAST,
    changed: LAST,
};

async fn run(store: &Arc<Store>, node: &str, pass: &Arc<Counting>) -> Result<Ran> {
    run_job(store, node, JOB, pass, || false).await
}

#[tokio::test]
async fn a_failed_run_is_told_and_goes_on_where_it_stood() {
    for engine in Engine::all() {
        let database = Database::new(engine);
        let clock = Clock::fixed(noon());
        let store = database.open(clock.clone());
        let pass = Arc::new(Counting::default());
        pass.breaks.store(true, Ordering::SeqCst);
        run(&store, "a", &pass).await.expect_err("it breaks at 51");
        let row = store.read(|tx| tx.job(JOB.name)).await.expect("read").expect("a row");
        assert_eq!((row.after_id, row.looked_at, row.expected), (50, 50, Some(LAST)));
        assert!(row.error.is_some() && row.node.is_none(), "{row:?}");

        pass.breaks.store(false, Ordering::SeqCst);
        assert_eq!(run(&store, "b", &pass).await.expect("rests"), Ran::NotNow);
        clock.set(noon() + TimeDelta::seconds(60));
        assert_eq!(run(&store, "b", &pass).await.expect("runs"), WHOLE);
        assert!(pass.is_exact());
        let row = store.read(|tx| tx.job(JOB.name)).await.expect("read").expect("a row");
        assert_eq!((row.error, row.failed_at), (None, None), "the fault is over");
        assert_eq!(
            run(&store, "b", &pass).await.expect("asked"),
            Ran::NotNow,
            "it is not due"
        );
        store.close();
    }
}

#[tokio::test]
async fn a_lease_from_the_future_stops_nothing() {
    for engine in Engine::all() {
        let database = Database::new(engine);
        let store = database.open(Clock::fixed(noon()));
        let pass = Arc::new(Counting::default());
        let until = (noon() + TimeDelta::days(400)).timestamp_millis();
        let row =
            "INSERT INTO jobs (name, node, lease_until, run, after_id, looked_at, changed) VALUES ('counting', 'z',";
        database.outside().run(&format!("{row} {until}, 1, 0, 0, 0)"));
        assert_eq!(run(&store, "a", &pass).await.expect("runs"), WHOLE);
        store.close();
    }
}

#[tokio::test]
async fn of_many_nodes_one_runs_it() {
    for engine in Engine::all() {
        let database = Database::new(engine);
        let store = database.open(Clock::fixed(noon()));
        let pass = Arc::new(Counting::default());
        let nodes = (0..8).map(|n| {
            let (store, pass) = (Arc::clone(&store), Arc::clone(&pass));
            tokio::spawn(async move { run(&store, &format!("node-{n}"), &pass).await.expect("asked") })
        });
        let mut ended = Vec::new();
        for node in nodes.collect::<Vec<_>>() {
            ended.push(node.await.expect("no panic"));
        }
        ended.retain(|ran| *ran != Ran::NotNow);
        assert_eq!(ended, [WHOLE], "{engine:?}");
        assert!(pass.is_exact());
        store.close();
    }
}

#[tokio::test]
async fn a_node_that_stops_leaves_the_rest_to_another() {
    for engine in Engine::all() {
        let database = Database::new(engine);
        let store = database.open(Clock::fixed(noon()));
        let pass = Arc::new(Counting::default());
        let seen = Arc::clone(&pass);
        let stop = move || seen.dealt_with.lock().expect("no panic").len() >= 30;
        let stopped = run_job(&store, "a", JOB, &pass, stop).await.expect("stops");
        assert_eq!(stopped, Ran::Stopped);
        assert_eq!(run(&store, "b", &pass).await.expect("goes on at once"), WHOLE);
        assert!(pass.is_exact());
        store.close();
    }
}

#[tokio::test]
async fn a_silent_node_loses_its_run_and_notices() {
    for engine in Engine::all() {
        let database = Database::new(engine);
        let clock = Clock::fixed(noon());
        let store = database.open(clock.clone());
        let second = Arc::new(Counting::default());
        // After its first step the first node is silent for longer than its lease, and the second takes over meanwhile.
        let (taken, other_store, other) = (AtomicBool::new(false), Arc::clone(&store), Arc::clone(&second));
        let handle = tokio::runtime::Handle::current();
        let first = Arc::new(Counting {
            after_step: Some(Box::new(move || {
                if taken.swap(true, Ordering::SeqCst) {
                    return;
                }
                clock.set(noon() + TimeDelta::seconds(61));
                let (store, pass, handle) = (Arc::clone(&other_store), Arc::clone(&other), handle.clone());
                let ran = std::thread::spawn(move || handle.block_on(run(&store, "b", &pass)));
                assert_eq!(ran.join().expect("no panic").expect("runs"), WHOLE);
            })),
            ..Counting::default()
        });
        let (store_of_first, pass) = (Arc::clone(&store), Arc::clone(&first));
        let ran = tokio::task::spawn_blocking(move || {
            tokio::runtime::Handle::current().block_on(run(&store_of_first, "a", &pass))
        });
        assert_eq!(ran.await.expect("no panic").expect("ends"), Ran::TakenOver);
        assert_eq!(first.dealt_with.lock().expect("no panic").len(), 10, "it did no more");
        assert!(second.is_exact());
        let row = store.read(|tx| tx.job(JOB.name)).await.expect("read").expect("a row");
        assert_eq!(
            (row.after_id, row.changed),
            (LAST, LAST),
            "and wrote nothing over the other's"
        );
        store.close();
    }
}
