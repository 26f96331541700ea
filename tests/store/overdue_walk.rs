//! The night's marking of overdue loans while circulation goes on. With `TONGJIE_OVERDUE_LOANS=920000` (and `--nocapture`, on a release
//! build) it measures how long the run takes and how long a circulation write waits at most; without, a few loans are enough.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use chrono::Days;
use tongjie::domain::ids::LoanId;
use tongjie::domain::schedule::OVERDUE_MARKING;
use tongjie::usecase::mark_overdue::MarkOverdue;
use tongjie::usecase::run_job::{Ran, run_job};

use crate::closing_walk::{DAYS, number_of_loans, seed};
use crate::database::Engine;
use crate::world::{World, noon};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn marking_many_overdue_loans_lets_circulation_through() {
    for engine in Engine::all() {
        let world = World::new(engine, 2, 2).await;
        let loans = number_of_loans("TONGJIE_OVERDUE_LOANS");
        let (lent, _) = world.lend("I1", "R1", None).await.expect("lent");
        let lent = LoanId::new(lent.loan.expect("a loan").id);
        // Due yesterday: one loan in thirty.
        seed(&world, loans, noon().date_naive() - Days::new(1));
        let overdue = (1..=loans).filter(|n| n % DAYS == 0).count();

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
        let pass = Arc::new(MarkOverdue);
        let run = run_job(&world.store, "a", OVERDUE_MARKING, &pass, || false);
        let ran = run.await.expect("it runs");
        let took = began.elapsed();
        done.store(true, Ordering::SeqCst);
        let (longest, writes) = circulation.await.expect("ended");
        let marked = i64::try_from(overdue).expect("small");
        assert_eq!(
            ran,
            Ran::Finished {
                looked_at: loans + 1,
                changed: marked
            }
        );
        println!(
            "{engine:?}: {loans} open loans, {overdue} marked in {took:?}; {writes} writes meanwhile, the longest {longest:?}"
        );
        let told = "SELECT count(*) AS n FROM events WHERE kind = 'loan_overdue'";
        assert_eq!(world.db.outside().number(told), marked);
        world.store.close();
    }
}
