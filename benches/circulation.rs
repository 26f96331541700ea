//! Check-out and check-in at the use-case boundary, without HTTP: what the store and the domain cost, and how long a desk waits
//! beside batches of 1,000 new items.
//! `cargo bench --bench circulation`; with `TONGJIE_TEST_POSTGRES` set, on PostgreSQL too.

#[path = "../tests/support/database.rs"]
mod database;
#[path = "../tests/store/world.rs"]
mod world;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use tongjie::auth::{Grant, Role};
use tongjie::domain::barcode::Barcode;
use tongjie::domain::ids::{BibId, StaffId};
use tongjie::usecase::add_item::AddItem;
use tongjie::usecase::check_in::{CheckIn, check_in};
use tongjie::usecase::item_batch::{Batches, ItemAct, MAX_ROWS, item_batch};
use tongjie::usecase::record::Consent;
use tongjie::usecase::{Caller, IdempotencyKey, Who};

use crate::database::Engine;
use crate::world::World;

const CLIENTS: usize = 64;
const DESKS: usize = 8;
const RUN: Duration = Duration::from_secs(5);

fn main() {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .expect("a runtime");
    for engine in Engine::all() {
        runtime.block_on(measure(engine));
        runtime.block_on(beside_batches(engine));
    }
}

/// How long each of a few desks waits for its check-outs, alone and then while batches go on without a pause.
async fn beside_batches(engine: Engine) {
    let world = Arc::new(World::new(engine, DESKS * 4, DESKS).await);
    let alone = waits(&world, "alone").await;
    let cataloguer = Caller {
        who: Who::Staff {
            id: StaffId::new(2),
            grants: vec![Grant {
                role: Role::Cataloguer,
                unit: world.main.get(),
            }],
        },
        unit: Some(world.main),
        session: 2,
    };
    let bib = BibId::new(world.db.outside().number("SELECT min(id) AS n FROM bibs"));
    let (stop, store) = (Arc::new(AtomicBool::new(false)), world.store.clone());
    let stopped = stop.clone();
    let batches = tokio::spawn(async move {
        let (batches, mut done) = (Batches::new(1), 0);
        while !stopped.load(Ordering::Relaxed) {
            let acts = (0..MAX_ROWS).map(|row| Some(ItemAct::Add(Box::new(copy(bib, done * MAX_ROWS + row)))));
            let key = IdempotencyKey {
                key: format!("batch-{done}"),
                request_hash: [5; 32],
            };
            let place = batches.enter().expect("nobody else is there");
            let answers = item_batch(&store, &cataloguer, &place, acts.collect(), Some(key)).await;
            assert!(
                answers
                    .expect("done")
                    .iter()
                    .all(|answer| matches!(answer, Some(Ok(_))))
            );
            done += 1;
        }
        done
    });
    let beside = waits(&world, "beside").await;
    stop.store(true, Ordering::Relaxed);
    let done = batches.await.expect("no panic");
    println!("{engine:?}: check-outs of {DESKS} desks alone: {alone}; beside {done} batches of {MAX_ROWS}: {beside}");
}

fn copy(bib: BibId, number: usize) -> AddItem {
    AddItem {
        bib,
        barcode: Barcode::parse(&format!("N{number}")).expect("a barcode"),
        owner_unit_code: "main".to_owned(),
        home_unit_code: None,
        item_type: "book".to_owned(),
        collection_code: None,
        shelf_location: Some("架".repeat(100)),
        call_number: Some("号".repeat(100)),
        rfid_tag: None,
        volume: None,
        price_fen: Some(6_800),
        not_for_loan: false,
        for_children: false,
        min_age_years: None,
        alert_note: Some("注".repeat(500)),
        parts: 1,
    }
}

/// The waits of all check-outs of a run: how many, the median, the 99th percentile, the worst.
async fn waits(world: &Arc<World>, phase: &'static str) -> String {
    let began = Instant::now();
    let desks: Vec<_> = (0..DESKS)
        .map(|desk| {
            let world = world.clone();
            tokio::spawn(async move {
                let mut waits = Vec::new();
                for round in 0_u64.. {
                    if began.elapsed() > RUN {
                        break;
                    }
                    let (item, key) = (format!("I{}", desk * 4), format!("{phase}-{desk}-{round}"));
                    let asked = Instant::now();
                    world.lend(&item, &format!("R{desk}"), Some(&key)).await.expect("lent");
                    waits.push(asked.elapsed());
                    give_back(&world, &item, key).await;
                }
                waits
            })
        })
        .collect();
    let mut waits = Vec::new();
    for desk in desks {
        waits.extend(desk.await.expect("no desk panics"));
    }
    waits.sort_unstable();
    let at = |share: f64| waits[((waits.len() - 1) as f64 * share) as usize].as_secs_f64() * 1_000.0;
    format!(
        "{} in {} s, median {:.1} ms, p99 {:.1} ms, worst {:.1} ms",
        waits.len(),
        RUN.as_secs(),
        at(0.5),
        at(0.99),
        at(1.0)
    )
}

async fn give_back(world: &World, item: &str, key: String) {
    let command = CheckIn {
        item: Barcode::parse(item).expect("a barcode").into(),
        owner_unit_code: None,
        returned_at: None,
        consent: Consent::default(),
    };
    let key = IdempotencyKey {
        key: format!("in-{key}"),
        request_hash: [9; 32],
    };
    check_in(&world.store, &world.librarian(), command, Some(key))
        .await
        .expect("taken back");
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
        give_back(&world, &item, format!("{client}-{round}")).await;
        done.fetch_add(2, Ordering::Relaxed);
    }
}
