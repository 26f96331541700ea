//! Events are consumed in commit order, and none is skipped because a slow transaction had the lower number.

use std::sync::mpsc;

use tongjie::domain::event::EventKind;
use tongjie::domain::ids::{ReaderId, UnitId};
use tongjie::store::StoreError;
use tongjie::store::events::{Event, SYSTEM_CHANNEL};

use crate::database::Engine;
use crate::world::{World, noon};

async fn seal_all(world: &World) -> i64 {
    let mut sealed = 0;
    while let Some(next) = world.store.read(|tx| tx.next_seal()).await.expect("a read") {
        sealed += next.seal.event_count;
        let wrote = world
            .store
            .write(move |tx| tx.write_seal(&next, noon()))
            .await
            .expect("a write");
        assert!(wrote, "nobody else seals");
    }
    sealed
}

/// PostgreSQL's horizon is the cluster's: transactions of other tests hold it back for a moment.
async fn seal_at_least(world: &World, events: i64) -> i64 {
    let deadline = std::time::Instant::now() + std::time::Duration::from_secs(60);
    let mut sealed = 0;
    while sealed < events && std::time::Instant::now() < deadline {
        sealed += seal_all(world).await;
    }
    sealed
}

async fn append(world: &World, id: i64, slow: Option<(tokio::sync::oneshot::Sender<()>, mpsc::Receiver<()>)>) {
    let unit: UnitId = world.main;
    let slow = std::sync::Mutex::new(slow);
    world
        .store
        .write(move |tx| {
            let event = Event::new(EventKind::UnitChanged, noon(), unit, SYSTEM_CHANNEL);
            tx.append_event(id, &event)?;
            // Any further statement sends it out.
            tx.network()?;
            if let Some((began, wait)) = slow.lock().expect("alone here").take() {
                began.send(()).expect("the test waits");
                wait.recv().expect_err("the sender is dropped");
            }
            Ok::<_, StoreError>(())
        })
        .await
        .expect("kept");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_slow_transaction_with_a_lower_number_is_not_skipped() {
    for engine in Engine::all() {
        let world = std::sync::Arc::new(World::new(engine, 1, 1).await);
        assert_eq!(seal_at_least(&world, 1).await, 1, "{engine:?}: the network was created");
        let (release, wait) = mpsc::channel();
        let (began, inside) = tokio::sync::oneshot::channel();
        let slow = {
            let world = world.clone();
            tokio::spawn(async move { append(&world, 900_001, Some((began, wait))).await })
        };
        inside.await.expect("the slow one has appended");
        if engine == Engine::Postgres {
            // The fast one begins later, commits first, and must wait for the slow one to be consumed.
            append(&world, 900_002, None).await;
            assert_eq!(
                seal_all(&world).await,
                0,
                "nothing may be sealed past a running transaction"
            );
        }
        drop(release);
        slow.await.expect("no panic");
        if engine == Engine::Sqlite {
            append(&world, 900_002, None).await;
        }
        let sealed = seal_at_least(&world, 2).await;
        assert_eq!(sealed, 2, "{engine:?}: both, each once");
        assert_eq!(seal_all(&world).await, 0);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn erasing_a_reader_finds_sealed_and_unsealed_events_and_nobody_elses() {
    for engine in Engine::all() {
        let world = World::new(engine, 3, 2).await;
        let (sealed, _) = world.lend("I0", "R0", None).await.expect("lent");
        seal_at_least(&world, 2).await;
        world.lend("I1", "R0", None).await.expect("lent, and not sealed");
        let (other, _) = world.lend("I2", "R1", None).await.expect("lent to another");
        let id = |outcome: &tongjie::usecase::view::CheckOutOutcome| {
            ReaderId::new(
                outcome
                    .loan
                    .as_ref()
                    .and_then(|loan| loan.reader_id)
                    .expect("an open loan has a reader"),
            )
        };
        let (reader, other) = (id(&sealed), id(&other));
        let erased = world
            .store
            .write(move |tx| tx.erase_events_of(reader))
            .await
            .expect("erased");
        let left = world
            .store
            .read(move |tx| Ok::<_, StoreError>((tx.count_personal_rows(reader)?, tx.count_personal_rows(other)?)))
            .await
            .expect("a read");
        assert_eq!((erased, left), (2, (0, 1)), "{engine:?}");
    }
}
