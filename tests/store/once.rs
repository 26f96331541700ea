//! Idempotency keys: twins that meet in the middle, and outcomes that know their reader.

use std::sync::mpsc;

use tongjie::domain::ids::{BibId, ReaderId};
use tongjie::store::idempotency::Claim;
use tongjie::store::loans::NewLoan;
use tongjie::store::tx::WriteTx;
use tongjie::store::{Once, StoreError};
use tongjie::usecase::UseCaseError;

use crate::closing::new_loan;
use crate::database::Engine;
use crate::world::{World, new_bib};

fn claim() -> Claim {
    Claim {
        client: "desk".to_owned(),
        key: "the same".to_owned(),
        request_hash: [7; 32],
        reader_id: None,
    }
}

type Act = fn(&mut WriteTx<'_>, &NewLoan) -> Result<(), StoreError>;

/// The unique index stands in the way at once.
fn adds_a_bib(tx: &mut WriteTx<'_>, _: &NewLoan) -> Result<(), StoreError> {
    tx.insert_bib(&new_bib(BibId::new(900_009)), &[])
}

/// The unique index stands in the way of a write that waits for the end of the act.
fn opens_a_loan(tx: &mut WriteTx<'_>, loan: &NewLoan) -> Result<(), StoreError> {
    tx.insert_loan(loan)
}

/// The same, and it shows at a statement that has nothing to do with it.
fn opens_a_loan_and_looks(tx: &mut WriteTx<'_>, loan: &NewLoan) -> Result<(), StoreError> {
    tx.insert_loan(loan)?;
    tx.reader_of_card("R0").map(drop)
}

/// PostgreSQL: the second twin begins while the first is under way, so it finds no outcome, and waits for the unique index
/// until the first is kept.
async fn twins(act: Act) -> (Once<i64>, Once<i64>) {
    let world = World::new(Engine::Postgres, 1, 1).await;
    let loan = new_loan(&world, &mut world.db.outside(), 900_001);
    let (release, wait) = mpsc::channel::<()>();
    let (inside, began) = tokio::sync::oneshot::channel();
    let (wait, mut inside) = (std::sync::Mutex::new(wait), Some(inside));
    let (store, row) = (world.store.clone(), loan.clone());
    let first = tokio::spawn(async move {
        let work = move |tx: &mut WriteTx<'_>| {
            act(tx, &row)?;
            // Sends what waits.
            tx.network()?;
            if let Some(inside) = inside.take() {
                inside.send(()).expect("the test waits");
                wait.lock()
                    .expect("alone here")
                    .recv()
                    .expect_err("the sender is dropped");
            }
            Ok::<_, StoreError>(1_i64)
        };
        store.write_once(Some(claim()), work).await
    });
    began.await.expect("the first is inside");
    let store = world.store.clone();
    let second = tokio::spawn(async move {
        let work = move |tx: &mut WriteTx<'_>| act(tx, &loan).map(|()| 2_i64);
        store.write_once(Some(claim()), work).await
    });
    let mut outside = world.db.outside();
    tokio::task::spawn_blocking(move || outside.until_waiting(1))
        .await
        .expect("the second waits");
    drop(release);
    let first = first.await.expect("no panic").expect("kept");
    let second = second.await.expect("no panic").expect("answered as the first");
    (first, second)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_twin_that_meets_the_first_at_a_unique_index_answers_what_the_first_did() {
    if !Engine::all().contains(&Engine::Postgres) {
        return;
    }
    let acts: [(&str, Act); 3] = [
        ("bib", adds_a_bib),
        ("loan", opens_a_loan),
        ("loan, seen early", opens_a_loan_and_looks),
    ];
    for (name, act) in acts {
        let (first, second) = twins(act).await;
        assert_eq!((first.value, first.replayed), (1, false), "{name}");
        assert_eq!((second.value, second.replayed), (1, true), "{name}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_conflict_with_somebody_else_is_no_replay() {
    for engine in Engine::all() {
        let world = World::new(engine, 1, 1).await;
        let add = |tx: &mut WriteTx<'_>| tx.insert_bib(&new_bib(BibId::new(900_009)), &[]).map(|()| 1_i64);
        world.store.write(add).await.expect("kept");
        let refused = world.store.write_once(Some(claim()), add).await;
        assert!(
            matches!(refused, Err(StoreError::Conflict(_))),
            "{engine:?}: {refused:?}"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn unlinking_a_reader_deletes_the_outcomes_that_name_it_and_no_others() {
    for engine in Engine::all() {
        let world = World::new(engine, 3, 2).await;
        world.lend("I0", "R0", Some("a")).await.expect("lent");
        world.lend("I1", "R1", Some("b")).await.expect("lent to another");
        world
            .store
            .write_once(Some(claim()), |_tx| Ok::<_, StoreError>(3_i64))
            .await
            .expect("names nobody");
        let mut outside = world.db.outside();
        let reader = ReaderId::new(outside.number("SELECT reader_id AS n FROM cards WHERE number = 'R0'"));
        let unlink = move |tx: &mut WriteTx<'_>| tx.unlink_outcomes(reader);
        assert_eq!(world.store.write(unlink).await.expect("unlinked"), 1, "{engine:?}");
        assert_eq!(world.store.write(unlink).await.expect("nothing left"), 0, "{engine:?}");
        let left = outside.number("SELECT count(*) AS n FROM idempotency_keys");
        assert_eq!(left, 2, "{engine:?}");
        // Nothing remembers that call: the key begins anew, and the rules are asked again.
        let again = world.lend("I0", "R0", Some("a")).await;
        assert!(matches!(again, Err(UseCaseError::Refused(_))), "{engine:?}: {again:?}");
        let (_, replayed) = world.lend("I1", "R1", Some("b")).await.expect("the other's is kept");
        assert!(replayed, "{engine:?}");
    }
}
