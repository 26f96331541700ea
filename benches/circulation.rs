//! Check-out and check-in at the use-case boundary, without HTTP: what the store and the domain cost.
//! `cargo bench --bench circulation`; with `TONGJIE_TEST_POSTGRES` set, on PostgreSQL too.

#[path = "../tests/support/database.rs"]
mod database;
#[path = "../tests/store/world.rs"]
mod world;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use tongjie::domain::barcode::Barcode;
use tongjie::usecase::IdempotencyKey;
use tongjie::usecase::check_in::{CheckIn, check_in};
use tongjie::usecase::record::Consent;

use crate::database::Engine;
use crate::world::World;

const CLIENTS: usize = 64;
const RUN: Duration = Duration::from_secs(5);

fn main() {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .expect("a runtime");
    for engine in Engine::all() {
        runtime.block_on(measure(engine));
    }
}

async fn measure(engine: Engine) {
    let world = Arc::new(World::new(engine, CLIENTS * 4, CLIENTS).await);
    let done = Arc::new(AtomicU64::new(0));
    let began = Instant::now();
    let clients: Vec<_> = (0..CLIENTS)
        .map(|client| tokio::spawn(one_client(world.clone(), client, done.clone(), began)))
        .collect();
    for client in clients {
        client.await.expect("no client panics");
    }
    let (seconds, stats) = (began.elapsed().as_secs_f64(), world.store.stats());
    let (operations, commits) = (done.load(Ordering::Relaxed), stats.commits.load(Ordering::Relaxed));
    println!(
        "{:?}: {:.0} operations/s, {:.1} jobs a commit, {} statements in the last job",
        world.db.engine,
        operations as f64 / seconds,
        stats.jobs.load(Ordering::Relaxed) as f64 / commits as f64,
        stats.last_job_statements.load(Ordering::Relaxed),
    );
}

async fn one_client(world: Arc<World>, client: usize, done: Arc<AtomicU64>, began: Instant) {
    let caller = world.librarian();
    for round in 0_u64.. {
        if began.elapsed() > RUN {
            return;
        }
        let item = format!("I{}", client * 4 + (round % 4) as usize);
        let key = format!("out-{client}-{round}");
        world
            .lend(&item, &format!("R{client}"), Some(&key))
            .await
            .expect("lent");
        let command = CheckIn {
            item_barcode: Barcode::parse(&item).expect("a barcode"),
            owner_unit_code: None,
            returned_at: None,
            consent: Consent::default(),
        };
        let key = IdempotencyKey {
            key: format!("in-{client}-{round}"),
            request_hash: [9; 32],
        };
        check_in(&world.store, &caller, command, Some(key))
            .await
            .expect("taken back");
        done.fetch_add(2, Ordering::Relaxed);
    }
}
