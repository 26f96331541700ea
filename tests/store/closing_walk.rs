//! An emergency closing over many loans while circulation goes on. With `TONGJIE_CLOSING_LOANS=920000` (and `--nocapture`, on a release
//! build) it measures how long the walk takes and how long a circulation write waits at most; without, a few loans are enough.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use chrono::NaiveDate;
use tongjie::domain::calendar::end_of_day;
use tongjie::domain::ids::LoanId;
use tongjie::store::StoreError;
use tongjie::store::calendar_changes::DONE;
use tongjie::usecase::calendar_walk::carry_on;

use crate::database::Engine;
use crate::world::{World, noon};

/// Days over which the due dates are spread, of which seven are closed.
pub const DAYS: i64 = 30;

/// How many loans a variable of the environment asks for; a few without.
pub fn number_of_loans(variable: &str) -> i64 {
    let asked = std::env::var(variable).ok();
    asked.and_then(|text| text.parse().ok()).unwrap_or(3_000)
}

/// Open loans whose due dates are spread over [`DAYS`] days from the end of a day on.
pub fn seed(world: &World, loans: i64, first: NaiveDate) {
    let series = format!("WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {loans})");
    let items = "INSERT INTO items (id, bib_id, barcode, owner_unit_id, home_unit_id, current_unit_id, item_type_id, status, \
         not_for_loan, for_children, parts, last_event_at, created_at) \
         SELECT 50000000 + n.i, t.bib_id, 'S' || n.i, t.owner_unit_id, t.home_unit_id, t.current_unit_id, t.item_type_id, \
         'on_loan', t.not_for_loan, t.for_children, 1, 0, 0 FROM n, (SELECT * FROM items ORDER BY id LIMIT 1) t";
    let first = end_of_day(chrono_tz::Asia::Shanghai, first).timestamp_millis();
    let rows = format!(
        "INSERT INTO loans (id, item_id, bib_id, reader_id, card_id, unit_id, owner_unit_id, item_type_id, category_id, age_band, \
         channel, rule_id, rules_version, loaned_at, due_at, due_by_hand, renewals) \
         SELECT 50000000 + n.i, 50000000 + n.i, t.bib_id, c.reader_id, c.id, t.owner_unit_id, t.owner_unit_id, t.item_type_id, \
         r.category_id, '18_34', 'staff', 1, 1, {loaned}, {first} + (n.i % {DAYS}) * CAST(86400000 AS BIGINT), FALSE, 0 \
         FROM n, (SELECT * FROM items ORDER BY id LIMIT 1) t, (SELECT * FROM cards ORDER BY id LIMIT 1) c, \
         (SELECT * FROM readers ORDER BY id LIMIT 1) r",
        loaned = first - 2 * 86_400_000
    );
    let mut outside = world.db.outside();
    outside.run(&format!("{series} {items}"));
    outside.run(&format!("{series} {rows}"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_closing_over_many_loans_lets_circulation_through() {
    for engine in Engine::all() {
        let world = World::new(engine, 2, 2).await;
        let loans = number_of_loans("TONGJIE_CLOSING_LOANS");
        let (lent, _) = world.lend("I1", "R1", None).await.expect("lent");
        let lent = LoanId::new(lent.loan.expect("a loan").id);
        seed(&world, loans, noon().date_naive());
        let mut ids = world.store.take_ids::<StoreError>(1).await.expect("ids");
        let (id, main) = (ids.next(), world.main);
        let days = (
            "2026-03-15".parse().expect("a day"),
            "2026-03-21".parse().expect("a day"),
        );
        let declare = world.store.write(move |tx| tx.insert_closing(id, main, days, "台风"));
        declare.await.expect("declared");

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
        let began = Instant::now();
        loop {
            carry_on(&world.store, id, Duration::from_secs(1))
                .await
                .expect("it walks");
            let row = world.store.read(move |tx| tx.calendar_change(id)).await;
            let row = row.expect("read").expect("there");
            if row.status == DONE {
                assert_eq!(
                    row.moved_loans,
                    (1..=loans).filter(|n| (5..12).contains(&(n % DAYS))).count() as i64
                );
                break;
            }
        }
        let took = began.elapsed();
        done.store(true, Ordering::SeqCst);
        let (longest, writes) = circulation.await.expect("ended");
        assert!(writes > 0);
        println!("{engine:?}: {loans} open loans in {took:?}; {writes} writes meanwhile, the longest {longest:?}");
        let still =
            "SELECT count(*) AS n FROM loans l JOIN moved_loans m ON m.loan_id = l.id WHERE l.due_at <> m.new_due_at";
        assert_eq!(world.db.outside().number(still), 0);
        world.store.close();
    }
}
