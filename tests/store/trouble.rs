//! A database that is out of reach for a while: what the store says meanwhile, and that it finds back by itself.

use std::sync::{Arc, Barrier};
use std::time::{Duration, Instant};

use tongjie::clock::Clock;
use tongjie::store::{Store, StoreError, StoreOptions};

use crate::database::Engine;
use crate::world::{World, noon};

const SHORT: Duration = Duration::from_millis(300);

fn on_postgres() -> bool {
    Engine::all().contains(&Engine::Postgres)
}

/// A world whose store is opened again with other limits once everything is in place.
async fn world_with(engine: Engine, change: impl FnOnce(&mut StoreOptions)) -> World {
    let world = World::new(engine, 2, 2).await;
    world.store.close();
    let mut options = world.db.options(Clock::fixed(noon()));
    change(&mut options);
    let store = Store::open(options).expect("opens again");
    World { store, ..world }
}

/// Whose card `R0` is.
async fn look(store: &Store) -> Result<Option<i64>, StoreError> {
    let reader = store.read(|tx| tx.reader_of_card("R0")).await?;
    Ok(reader.map(|reader| reader.get()))
}

/// Adds a visible nothing: the configuration's version grows by one.
async fn change(store: &Store) -> Result<(), StoreError> {
    store.write(|tx| tx.bump_config_version()).await
}

#[track_caller]
fn unavailable<T: std::fmt::Debug>(answer: Result<T, StoreError>) -> &'static str {
    match answer {
        Err(StoreError::Unavailable { reason, .. }) => reason,
        other => panic!("not unavailable: {other:?}"),
    }
}

/// What a patient caller is answered in the end.
async fn in_the_end<T, F: Future<Output = Result<T, StoreError>>>(call: impl Fn() -> F) -> T {
    let deadline = Instant::now() + Duration::from_secs(30);
    loop {
        match call().await {
            Ok(value) => return value,
            Err(StoreError::Unavailable { .. }) if Instant::now() < deadline => {}
            Err(error) => panic!("not well again: {error:?}"),
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lock_held_too_long_and_a_statement_that_takes_too_long_are_told_apart() {
    if !on_postgres() {
        return;
    }
    let locks = world_with(Engine::Postgres, |options| options.lock_timeout = SHORT).await;
    let statements = world_with(Engine::Postgres, |options| {
        options.read_timeout = SHORT;
        options.write_timeout = SHORT;
    })
    .await;
    for (world, said) in [(locks, "locked"), (statements, "too slow")] {
        let mut outside = world.db.outside();
        let before = outside.number("SELECT config_version AS n FROM network_state");
        outside.run("BEGIN");
        outside.run("SELECT config_version FROM network_state FOR UPDATE");
        assert_eq!(unavailable(change(&world.store).await), said);
        look(&world.store).await.expect("reads wait for no row");
        outside.run("LOCK TABLE cards IN ACCESS EXCLUSIVE MODE");
        assert_eq!(unavailable(look(&world.store).await), said);
        outside.run("ROLLBACK");
        in_the_end(|| look(&world.store)).await;
        in_the_end(|| change(&world.store)).await;
        let after = outside.number("SELECT config_version AS n FROM network_state");
        assert_eq!(after, before + 1, "{said}: once, and nothing of the one turned away");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 16)]
async fn connections_that_died_in_the_pool_are_replaced_unnoticed() {
    if !on_postgres() {
        return;
    }
    let world = world_with(Engine::Postgres, |_| {}).await;
    let options = world.db.options(Clock::fixed(noon()));
    let writers = options.write_workers as usize;
    open_all(&world.store, options.pool_size as usize - writers, writers).await;
    let died = world.db.outside().terminate_others();
    assert_eq!(died, i64::from(options.pool_size), "the pool was full");
    for _ in 0..3 {
        look(&world.store).await.expect("no read notices");
    }
    for (item, key) in [("I0", Some("k")), ("I1", None)] {
        let (_, replayed) = world.lend(item, "R0", key).await.expect("no change notices");
        assert!(!replayed);
    }
    let (_, replayed) = world.lend("I0", "R0", Some("k")).await.expect("the stored answer");
    assert!(replayed);
}

/// Makes the store open every connection it may.
async fn open_all(store: &Arc<Store>, readers: usize, writers: usize) {
    let (reading, writing) = (Arc::new(Barrier::new(readers)), Arc::new(Barrier::new(writers)));
    let mut busy = Vec::new();
    for _ in 0..readers {
        let (store, all_in) = (store.clone(), reading.clone());
        busy.push(tokio::spawn(async move {
            let work = move |_: &mut tongjie::store::tx::ReadTx<'_>| Ok::<_, StoreError>(all_in.wait());
            store.read(work).await.map(drop)
        }));
    }
    for _ in 0..writers {
        let (store, all_in) = (store.clone(), writing.clone());
        busy.push(tokio::spawn(async move {
            let work = move |_: &mut tongjie::store::tx::WriteTx<'_>| Ok::<_, StoreError>(all_in.wait());
            store.write(work).await.map(drop)
        }));
    }
    for one in busy {
        one.await.expect("no panic").expect("a connection each");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn reads_notice_a_lost_file_at_once_and_find_it_again() {
    // However patient the pool: nobody waits for a connection to a file that is not there.
    let world = world_with(Engine::Sqlite, |options| {
        options.connect_timeout = Duration::from_secs(600)
    })
    .await;
    let (file, away) = (world.db.file(), world.db.dir().join("away.db"));
    let reader = look(&world.store).await.expect("while it is there");
    std::fs::rename(&file, &away).expect("moved away");
    assert_eq!(unavailable(look(&world.store).await), "gone");
    assert_eq!(unavailable(change(&world.store).await), "gone");
    assert_eq!(unavailable(world.store.takes_changes().await), "gone");
    std::fs::rename(&away, &file).expect("moved back");
    assert_eq!(look(&world.store).await.expect("found again"), reader);
    world.store.takes_changes().await.expect("found again");
    change(&world.store).await.expect("found again");
}

#[tokio::test(flavor = "multi_thread")]
async fn reads_and_changes_follow_a_file_that_was_put_in_its_place() {
    let world = world_with(Engine::Sqlite, |_| {}).await;
    let (file, copy) = (world.db.file(), world.db.dir().join("copy.db"));
    look(&world.store).await.expect("the old file").expect("a reader");
    world.db.outside().run(&format!("VACUUM INTO '{}'", copy.display()));
    let away = world.db.dir().join("away");
    std::fs::create_dir(&away).expect("a directory");
    for name in ["tongjie.db", "tongjie.db-wal", "tongjie.db-shm"] {
        std::fs::rename(world.db.dir().join(name), away.join(name)).expect("moved away");
    }
    std::fs::rename(&copy, &file).expect("put in its place");
    let mut outside = world.db.outside();
    outside.run("UPDATE cards SET number = 'elsewhere' WHERE number = 'R0'");
    assert_eq!(look(&world.store).await.expect("the new file"), None, "not the old one");
    let before = outside.number("SELECT config_version AS n FROM network_state");
    change(&world.store).await.expect("kept in the new file");
    let after = outside.number("SELECT config_version AS n FROM network_state");
    assert_eq!(after, before + 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_empty_file_in_its_place_costs_nothing_that_was_kept() {
    let world = world_with(Engine::Sqlite, |options| options.connect_timeout = SHORT).await;
    let (file, away) = (world.db.file(), world.db.dir().join("away.db"));
    let mut outside = world.db.outside();
    let before = outside.number("SELECT config_version AS n FROM network_state");
    drop(outside);
    // Kept in the log, which stays behind.
    change(&world.store).await.expect("kept");
    std::fs::rename(&file, &away).expect("moved away");
    for junk in [&b""[..], b"this is no database, whatever its name says"] {
        std::fs::write(&file, junk).expect("junk in its place");
        unavailable(look(&world.store).await);
        unavailable(change(&world.store).await);
        assert_eq!(std::fs::read(&file).expect("still there"), junk, "not written to");
    }
    std::fs::rename(&away, &file).expect("moved back");
    in_the_end(|| look(&world.store)).await;
    in_the_end(|| change(&world.store)).await;
    let mut outside = world.db.outside();
    let after = outside.number("SELECT config_version AS n FROM network_state");
    assert_eq!(after, before + 2);
}
