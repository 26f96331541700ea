//! `kill -9` at any moment: what was answered as done is there, and nothing is half-done.
//! The child is this very test binary, started again to run `child` alone.

use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};
use std::sync::Arc;

use tongjie::clock::Clock;
use tongjie::domain::ids::{LoanId, UnitId};
use tongjie::store::{Store, StoreError};

use crate::database::Engine;
use crate::world::{World, lend, noon};

/// Set for the child only: the main's id.
const CHILD: &str = "TONGJIE_TEST_CRASH_CHILD";
const CHILD_URL: &str = "TONGJIE_TEST_CRASH_URL";

/// Lends everything, in eight tasks, and prints each loan once it was answered. Not a test by itself.
#[tokio::test(flavor = "multi_thread", worker_threads = 8)]
async fn child() {
    let (Ok(main), Ok(url)) = (std::env::var(CHILD), std::env::var(CHILD_URL)) else {
        return;
    };
    let main = UnitId::new(main.parse().expect("the parent writes a number"));
    let target = tongjie::store::connection::Target::parse(&url).expect("the parent's URL");
    let options = tongjie::store::StoreOptions::new(target, chrono_tz::Asia::Shanghai, Clock::fixed(noon()));
    let store = Store::open(options).expect("the child opens it");
    let caller = World::librarian_at(main);
    let tasks: Vec<_> = (0..8)
        .map(|task| {
            let (store, caller) = (store.clone(), caller.clone());
            tokio::spawn(async move {
                for n in (task..400).step_by(8) {
                    if let Ok((outcome, _)) =
                        lend(&store, &caller, &format!("I{n}"), &format!("R{}", n / 8), None).await
                    {
                        println!("done {}", outcome.loan.map_or(0, |loan| loan.id));
                    }
                }
            })
        })
        .collect();
    for task in tasks {
        task.await.expect("no panic in the child");
    }
}

/// Kills the child after `after` answers; gives the loans it had answered.
fn run_and_kill(world: &World, after: usize) -> Vec<i64> {
    let mut child = Command::new(std::env::current_exe().expect("this binary"))
        .args(["--exact", "crash::child", "--nocapture"])
        .env(CHILD, world.main.to_string())
        .env(CHILD_URL, world.db.url())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .expect("this binary starts again");
    let mut answered = Vec::new();
    let lines = BufReader::new(child.stdout.take().expect("piped")).lines();
    for line in lines.map_while(Result::ok) {
        // The test runner may write on the same line.
        let Some((_, id)) = line.split_once("done ") else {
            continue;
        };
        answered.push(id.trim().parse().expect("the child prints ids"));
        if answered.len() == after {
            // SIGKILL on Unix. What is still in the pipe was answered too, so reading goes on.
            child.kill().expect("the child is ours");
        }
    }
    child.wait().expect("the child is gone");
    answered
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_answered_as_done_is_missing_after_kill_9() {
    for engine in Engine::all() {
        let world = World::new(engine, 400, 50).await;
        world.store.close();
        let mut all = Vec::new();
        for after in [1, 37, 90] {
            all.extend(run_and_kill(&world, after));
            let store = world.db.open(Clock::fixed(noon()));
            for id in all.clone() {
                let found = store
                    .read(move |tx| tx.loan_view(LoanId::new(id)))
                    .await
                    .expect("a read");
                assert!(found.is_some(), "{engine:?}: loan {id} was answered and is missing");
            }
            assert_whole(&store, engine).await;
            store.close();
        }
        assert!(all.len() >= 128, "{engine:?}: the children got to work: {}", all.len());
    }
}

/// Every open loan has its item on loan and its event, and the other way round.
async fn assert_whole(store: &Arc<Store>, engine: Engine) {
    let counts = store
        .read(|tx| {
            Ok::<_, StoreError>((
                tx.count_open_loans()?,
                tx.count_items_on_loan()?,
                tx.count_events("loan_made")?,
            ))
        })
        .await
        .expect("a read");
    assert!(counts.0 == counts.1 && counts.1 == counts.2, "{engine:?}: {counts:?}");
}
