//! The night of the ledgers while circulation goes on. With `TONGJIE_CREDIT_READERS=450000` (and `--nocapture`, on a release build) it
//! measures how long the pass takes over so many readers, of whom one in ten has an overdue item, and how long a circulation write
//! waits at most; without, a few readers are enough. The night before it opens every ledger, which happens once.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use chrono::Days;
use tongjie::domain::calendar::end_of_day;
use tongjie::domain::ids::LoanId;
use tongjie::domain::schedule::CREDIT_NIGHT;
use tongjie::usecase::nightly_credit::NightlyCredit;
use tongjie::usecase::run_job::{Ran, run_job};

use crate::closing_walk::number_of_loans;
use crate::database::Engine;
use crate::world::{World, noon};

/// One reader in so many has an overdue item.
const ONE_IN: i64 = 10;
/// The first number of what is made here.
const FIRST: i64 = 50_000_000;

/// Readers without a ledger, and overdue items of some of them, due at the end of the day before yesterday.
fn seed(world: &World, readers: i64) {
    let series = |n: i64| format!("WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {n})");
    let mut outside = world.db.outside();
    outside.run(&format!(
        "{} INSERT INTO readers (id, name, category_id, home_unit_id, status, barred, credit_band, debt_fen, open_holds, created_at) \
         SELECT {FIRST} + n.i, t.name, t.category_id, t.home_unit_id, 'active', FALSE, 'b', 0, 0, 0 \
         FROM n, (SELECT * FROM readers ORDER BY id LIMIT 1) t",
        series(readers)
    ));
    let late = readers / ONE_IN;
    outside.run(&format!(
        "{} INSERT INTO items (id, bib_id, barcode, owner_unit_id, home_unit_id, current_unit_id, item_type_id, status, \
         not_for_loan, for_children, parts, last_event_at, created_at) \
         SELECT {FIRST} + n.i, t.bib_id, 'L' || n.i, t.owner_unit_id, t.home_unit_id, t.current_unit_id, t.item_type_id, \
         'on_loan', FALSE, FALSE, 1, 0, 0 FROM n, (SELECT * FROM items ORDER BY id LIMIT 1) t",
        series(late)
    ));
    let due = end_of_day(chrono_tz::Asia::Shanghai, noon().date_naive() - Days::new(2)).timestamp_millis();
    outside.run(&format!(
        "{} INSERT INTO loans (id, item_id, bib_id, reader_id, card_id, unit_id, owner_unit_id, item_type_id, category_id, age_band, \
         channel, rule_id, rules_version, loaned_at, due_at, due_by_hand, renewals) \
         SELECT {FIRST} + n.i, {FIRST} + n.i, t.bib_id, {FIRST} + n.i * {ONE_IN}, c.id, t.owner_unit_id, t.owner_unit_id, \
         t.item_type_id, r.category_id, '18_34', 'desk', 1, 1, 0, {due}, FALSE, 0 \
         FROM n, (SELECT * FROM items ORDER BY id LIMIT 1) t, (SELECT * FROM cards ORDER BY id LIMIT 1) c, \
         (SELECT * FROM readers ORDER BY id LIMIT 1) r",
        series(late)
    ));
    outside.run("ANALYZE");
}

async fn night(world: &World) -> (Ran, Duration) {
    let began = Instant::now();
    let pass = Arc::new(NightlyCredit);
    let ran = run_job(&world.store, "a", CREDIT_NIGHT, &pass, || false).await;
    (ran.expect("it runs"), began.elapsed())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_night_over_many_ledgers_lets_circulation_through() {
    for engine in Engine::all() {
        let world = World::new(engine, 2, 2).await;
        let readers = number_of_loans("TONGJIE_CREDIT_READERS");
        seed(&world, readers);
        let late = readers / ONE_IN;
        let (lent, _) = world.lend("I1", "R1", None).await.expect("lent");
        let lent = LoanId::new(lent.loan.expect("a loan").id);
        let (first, opening) = night(&world).await;
        let all = readers + 2;
        assert_eq!(
            first,
            Ran::Finished {
                looked_at: all,
                changed: all
            }
        );
        // The same day a second time: it is a night's work.
        let (second, _) = night(&world).await;
        assert_eq!(second, Ran::NotNow);

        // A day later: the day on which the ledgers were opened, of each overdue item.
        let done = Arc::new(AtomicBool::new(false));
        let (store, over) = (Arc::clone(&world.store), Arc::clone(&done));
        let circulation = tokio::spawn(async move {
            let (mut longest, mut writes) = (Duration::ZERO, 0_u64);
            let due = noon() + chrono::TimeDelta::days(90);
            while !over.load(Ordering::SeqCst) {
                let began = Instant::now();
                let write = store.write(move |tx| {
                    tx.network()?;
                    tx.renew_loan(lent, due, true)
                });
                write.await.expect("written");
                longest = longest.max(began.elapsed());
                writes += 1;
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
            (longest, writes)
        });
        world.store.clock().set(noon() + Days::new(1));
        let (third, took) = night(&world).await;
        done.store(true, Ordering::SeqCst);
        let (longest, writes) = circulation.await.expect("ended");
        assert_eq!(
            third,
            Ran::Finished {
                looked_at: all,
                changed: late
            }
        );
        println!(
            "{engine:?}: {readers} readers, {late} with an overdue item: opened in {opening:?}, a night {took:?}; \
             {writes} writes meanwhile, the longest {longest:?}"
        );
        let lines = "SELECT count(*) AS n FROM credit_entries WHERE event = 'overdue' AND points = -1";
        assert_eq!(world.db.outside().number(lines), late, "no day from before the ledgers");
        world.store.close();
    }
}
