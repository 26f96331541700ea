//! What a long queue costs: a check-in that captures a copy against one for which nobody waits, and a pass of targeting over
//! 100,000 open holds beside people who lend and take back. `cargo bench --bench holds`; with `TONGJIE_TEST_POSTGRES` set, on
//! PostgreSQL too. One line for each engine, for people and scripts.

#[path = "../tests/support/database.rs"]
mod database;
#[path = "../tests/store/world.rs"]
mod world;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use tongjie::domain::barcode::Barcode;
use tongjie::usecase::check_in::{CheckIn, check_in};
use tongjie::usecase::record::Consent;
use tongjie::usecase::target_holds::target_holds;

use crate::database::Engine;
use crate::world::World;

/// Bibs somebody waits for while a copy stands on a shelf, with two holds each.
const BIBS: usize = 49_750;
/// Holds on the bib everybody wants.
const QUEUE: usize = 500;
/// Its copies, and as many of bibs nobody waits for.
const COPIES: usize = 200;
/// People who lend and take back while the pass runs, with an item and a card each.
const DESKS: usize = 4;
/// Readers who wait, beyond those who borrow.
const WAITING: usize = 1_000;
/// The first number of what is made here: above anything the store gives out meanwhile.
const FIRST: i64 = 10_000_000;

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
    // I0 is of the bib everybody wants; I1… are lent by the desks, then the copies nobody waits for.
    let world = Arc::new(World::new(engine, 1 + DESKS + COPIES, WAITING + DESKS + COPIES).await);
    make_copies(&world);
    lend_all(&world).await;
    make_holds(&world);
    let (alone, captured) = check_ins(&world).await;
    let alone_for = Duration::from_secs(5);
    let quiet = beside_desks(&world, async { tokio::time::sleep(alone_for).await })
        .await
        .1;
    let (pass, wait) = beside_desks(&world, pass(&world)).await;
    let name = format!("{engine:?}").to_lowercase();
    println!(
        "{name}_capture_ratio={:.2} {name}_pass_s={:.1} {name}_wait_ms={:.1} {name}_wait_without_pass_ms={:.1} \
         {name}_longest_chunk_ms={:.1} {name}_holds={} {name}_asked={}",
        captured.as_secs_f64() / alone.as_secs_f64(),
        pass.took.as_secs_f64(),
        wait.as_secs_f64() * 1_000.0,
        quiet.as_secs_f64() * 1_000.0,
        pass.longest_us as f64 / 1_000.0,
        2 * BIBS + QUEUE,
        pass.asked,
    );
    world.store.close();
}

/// Rows in the likeness of one that is there.
fn make_copies(world: &World) {
    let mut outside = world.db.outside();
    let numbers = |n: usize| {
        format!(
            "WITH RECURSIVE n(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i < {})",
            n - 1
        )
    };
    let item = "bib_id, owner_unit_id, home_unit_id, current_unit_id, item_type_id, status, not_for_loan, for_children, \
                parts, last_event_at, created_at";
    outside.run(&format!(
        "INSERT INTO items (id, barcode, {item}) {} SELECT {FIRST} + n.i, 'Q' || n.i, {item} FROM items, n \
         WHERE barcode = 'I0'",
        numbers(COPIES)
    ));
    let bib = "format, container, encoding, marc, title, authors, search_text, open_holds, created_at, updated_at";
    let bibs = FIRST + 1_000_000;
    outside.run(&format!(
        "INSERT INTO bibs (id, {bib}) {} SELECT {bibs} + n.i, {bib} FROM bibs, n \
         WHERE id = (SELECT bib_id FROM items WHERE barcode = 'I0')",
        numbers(BIBS)
    ));
    outside.run(&format!(
        "INSERT INTO items (id, barcode, {item}) {} SELECT {FIRST} + 1000 + n.i, 'S' || n.i, {} FROM items, n \
         WHERE barcode = 'I0'",
        numbers(BIBS),
        item.replacen("bib_id", &format!("{bibs} + n.i"), 1)
    ));
}

/// The copies of both kinds go out, one of each to a reader.
async fn lend_all(world: &World) {
    for n in 0..COPIES {
        let card = format!("R{}", WAITING + DESKS + n);
        world.lend(&format!("Q{n}"), &card, None).await.expect("lent");
        let alone = format!("I{}", 1 + DESKS + n);
        world.lend(&alone, &card, None).await.expect("lent");
    }
}

fn make_holds(world: &World) {
    let mut outside = world.db.outside();
    let numbers = |n: usize| {
        format!(
            "WITH RECURSIVE n(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i < {})",
            n - 1
        )
    };
    let main = world.main;
    let reader = outside.number("SELECT reader_id AS n FROM cards WHERE number = 'R0'");
    let next = outside.number("SELECT reader_id AS n FROM cards WHERE number = 'R1'") - reader;
    let columns = "id, bib_id, reader_id, pickup_unit_id, priority, placed_at, queue_rank, suspended";
    outside.run(&format!(
        "INSERT INTO holds ({columns}) {} SELECT {FIRST} + n.i, bib_id, {reader} + {next} * n.i, {main}, 0, n.i, n.i, FALSE \
         FROM items, n WHERE barcode = 'I0'",
        numbers(QUEUE)
    ));
    let bibs = FIRST + 1_000_000;
    outside.run(&format!(
        "INSERT INTO holds ({columns}) {} SELECT {FIRST} + 1000 + n.i, {bibs} + n.i / 2, \
         {reader} + {next} * (n.i % {WAITING}), {main}, 0, n.i, n.i, FALSE FROM n",
        numbers(2 * BIBS)
    ));
    for (table, column) in [("bibs", "bib_id"), ("readers", "reader_id")] {
        outside.run(&format!(
            "UPDATE {table} SET open_holds = (SELECT count(*) FROM holds WHERE {column} = {table}.id AND closed_at IS NULL) \
             WHERE id IN (SELECT {column} FROM holds)"
        ));
    }
    outside.run("ANALYZE");
}

async fn scan(world: &World, barcode: &str) -> Duration {
    let command = CheckIn {
        item: Barcode::parse(barcode).expect("a barcode").into(),
        owner_unit_code: None,
        returned_at: None,
        consent: Consent::default(),
    };
    let began = Instant::now();
    check_in(&world.store, &world.librarian(), command, None)
        .await
        .expect("taken back");
    began.elapsed()
}

/// The middle one of each kind, taken in turns.
async fn check_ins(world: &World) -> (Duration, Duration) {
    let (mut alone, mut captured) = (Vec::new(), Vec::new());
    for n in 0..COPIES {
        alone.push(scan(world, &format!("I{}", 1 + DESKS + n)).await);
        captured.push(scan(world, &format!("Q{n}")).await);
    }
    (middle(alone), middle(captured))
}

fn middle(mut times: Vec<Duration>) -> Duration {
    times.sort_unstable();
    times[times.len() / 2]
}

struct Pass {
    took: Duration,
    longest_us: u64,
    asked: u64,
}

/// A whole pass.
async fn pass(world: &Arc<World>) -> Pass {
    let began = Instant::now();
    let done = target_holds(&world.store).await.expect("the pass ends");
    Pass {
        took: began.elapsed(),
        longest_us: done.longest_us,
        asked: done.asked,
    }
}

/// What something answers, and the longest that anybody at a desk waited for a check-out or check-in meanwhile.
async fn beside_desks<T>(world: &Arc<World>, what: impl Future<Output = T>) -> (T, Duration) {
    let over = Arc::new(AtomicBool::new(false));
    let desks: Vec<_> = (0..DESKS)
        .map(|desk| tokio::spawn(work(world.clone(), desk, over.clone())))
        .collect();
    let answer = what.await;
    over.store(true, Ordering::Relaxed);
    let mut longest = Duration::ZERO;
    for desk in desks {
        longest = longest.max(desk.await.expect("no desk panics"));
    }
    (answer, longest)
}

async fn work(world: Arc<World>, desk: usize, over: Arc<AtomicBool>) -> Duration {
    let (item, card) = (format!("I{}", 1 + desk), format!("R{}", WAITING + desk));
    let mut longest = Duration::ZERO;
    while !over.load(Ordering::Relaxed) {
        let began = Instant::now();
        world.lend(&item, &card, None).await.expect("lent");
        longest = longest.max(began.elapsed());
        longest = longest.max(scan(&world, &item).await);
        // People have hands: a desk does a few acts a second.
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    longest
}
