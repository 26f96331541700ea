//! Group commit on SQLite: one job's misfortune is nobody else's, and nobody is told "done" for what was not kept.

use std::sync::Arc;
use std::sync::mpsc;

use diesel::prelude::*;
use tongjie::domain::ids::BibId;
use tongjie::store::{Store, StoreError};

use crate::database::{Database, Engine};
use crate::world::{World, new_bib, noon};
use tongjie::clock::Clock;

type Answer = tokio::task::JoinHandle<Result<(), StoreError>>;

/// Holds the writer in a job until the returned sender is dropped, so that what is submitted meanwhile forms one group.
async fn hold_writer(store: &Arc<Store>) -> (mpsc::Sender<()>, Answer) {
    let (release, wait) = mpsc::channel::<()>();
    let (inside, began) = tokio::sync::oneshot::channel();
    let (wait, mut inside) = (std::sync::Mutex::new(wait), Some(inside));
    let store = store.clone();
    let answer = tokio::spawn(async move {
        store
            .write(move |_tx| {
                if let Some(inside) = inside.take() {
                    inside.send(()).expect("the test waits");
                    // Ends when the sender is dropped.
                    wait.lock()
                        .expect("alone here")
                        .recv()
                        .expect_err("the sender is dropped");
                }
                Ok::<_, StoreError>(())
            })
            .await
    });
    began.await.expect("the writer runs the job");
    (release, answer)
}

fn submit_bib(store: &Arc<Store>, id: i64, size: usize) -> Answer {
    let store = store.clone();
    tokio::spawn(async move {
        store
            .write(move |tx| {
                let mut bib = new_bib(BibId::new(id));
                bib.marc = vec![b'x'; size];
                tx.insert_bib(&bib, &[])
            })
            .await
    })
}

async fn waits_for(store: &Store, jobs: usize) {
    while store.queue_depth() < jobs {
        tokio::task::yield_now().await;
    }
}

async fn exists(store: &Store, id: i64) -> bool {
    store
        .read(move |tx| tx.bib_view(BibId::new(id)))
        .await
        .expect("a read")
        .is_some()
}

#[tokio::test(flavor = "multi_thread")]
async fn jobs_that_wait_share_one_commit() {
    let db = Database::new(Engine::Sqlite);
    let store = db.open(Clock::fixed(noon()));
    let (release, first) = hold_writer(&store).await;
    let commits = store.stats().commits.load(std::sync::atomic::Ordering::Relaxed);
    let jobs: Vec<_> = (1..=20).map(|id| submit_bib(&store, id, 10)).collect();
    waits_for(&store, 20).await;
    drop(release);
    first.await.expect("no panic").expect("kept");
    for job in jobs {
        job.await.expect("no panic").expect("kept");
    }
    assert_eq!(
        store.stats().commits.load(std::sync::atomic::Ordering::Relaxed) - commits,
        1
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_failing_job_is_undone_alone() {
    let db = Database::new(Engine::Sqlite);
    let store = db.open(Clock::fixed(noon()));
    submit_bib(&store, 5, 10).await.expect("no panic").expect("kept");
    let (release, first) = hold_writer(&store).await;
    let jobs = [
        submit_bib(&store, 1, 10),
        submit_bib(&store, 5, 10),
        submit_bib(&store, 2, 10),
    ];
    waits_for(&store, 3).await;
    drop(release);
    first.await.expect("no panic").expect("kept");
    let [one, five, two] = jobs;
    one.await.expect("no panic").expect("kept");
    assert!(matches!(five.await.expect("no panic"), Err(StoreError::Conflict(_))));
    two.await.expect("no panic").expect("kept");
    assert!(exists(&store, 1).await && exists(&store, 2).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_panicking_job_harms_no_other() {
    for engine in Engine::all() {
        let db = Database::new(engine);
        let store = db.open(Clock::fixed(noon()));
        let (release, first) = hold_writer(&store).await;
        let before = submit_bib(&store, 1, 10);
        let bad = {
            let store = store.clone();
            tokio::spawn(async move {
                store
                    .write(|tx| {
                        tx.insert_bib(&new_bib(BibId::new(9)), &[])?;
                        panic!("on purpose");
                        #[expect(unreachable_code, reason = "gives the closure its type")]
                        Ok::<(), StoreError>(())
                    })
                    .await
            })
        };
        let after = submit_bib(&store, 2, 10);
        if engine == Engine::Sqlite {
            waits_for(&store, 3).await;
        }
        drop(release);
        first.await.expect("no panic").expect("kept");
        before.await.expect("no panic").expect("kept");
        assert!(
            matches!(bad.await.expect("no panic"), Err(StoreError::Panicked)),
            "{engine:?}"
        );
        after.await.expect("no panic").expect("kept");
        assert!(
            exists(&store, 1).await && exists(&store, 2).await && !exists(&store, 9).await,
            "{engine:?}"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_disk_fails_the_job_that_needs_room_and_no_other() {
    let db = Database::new(Engine::Sqlite);
    db.open(Clock::fixed(noon())).close();
    let pages = std::fs::metadata(db.file()).expect("the file is there").len() / tongjie::store::connection::PAGE_BYTES;
    let mut options = db.options(Clock::fixed(noon()));
    options.max_pages = Some(u32::try_from(pages).expect("a small file") + 80);
    let store = Store::open(options).expect("opens");
    let (release, first) = hold_writer(&store).await;
    let jobs = [
        submit_bib(&store, 1, 100),
        submit_bib(&store, 9, 1 << 20),
        submit_bib(&store, 2, 100),
    ];
    waits_for(&store, 3).await;
    drop(release);
    first.await.expect("no panic").expect("kept");
    let [one, big, two] = jobs;
    one.await.expect("no panic").expect("kept");
    let refused = big.await.expect("no panic");
    assert!(
        matches!(refused, Err(StoreError::Unavailable { reason: "full", .. })),
        "{refused:?}"
    );
    two.await.expect("no panic").expect("kept");
    // Not in this process's memory only: a fresh start sees the same.
    store.close();
    let store = db.open(Clock::fixed(noon()));
    assert!(exists(&store, 1).await && exists(&store, 2).await && !exists(&store, 9).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_swallowed_database_error_cannot_be_answered_as_done() {
    for engine in Engine::all() {
        let db = Database::new(engine);
        let store = db.open(Clock::fixed(noon()));
        submit_bib(&store, 5, 10).await.expect("no panic").expect("kept");
        let answer = store
            .write(|tx| {
                drop(tx.insert_bib(&new_bib(BibId::new(5)), &[]));
                Ok::<_, StoreError>(())
            })
            .await;
        assert!(matches!(answer, Err(StoreError::Poisoned)), "{engine:?}: {answer:?}");
        submit_bib(&store, 6, 10)
            .await
            .expect("no panic")
            .expect("the next one is not harmed");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lost_file_is_unavailable_and_its_return_needs_no_restart() {
    let world = World::new(Engine::Sqlite, 2, 1).await;
    let (file, away) = (world.db.file(), world.db.dir().join("away.db"));
    world.lend("I0", "R0", None).await.expect("while it is there");
    std::fs::rename(&file, &away).expect("moved away");
    let gone = world.lend("I1", "R0", None).await;
    assert!(
        matches!(
            gone,
            Err(tongjie::usecase::UseCaseError::Store(StoreError::Unavailable { .. }))
        ),
        "{gone:?}"
    );
    assert!(!file.exists(), "no empty file may take its place");
    std::fs::rename(&away, &file).expect("moved back");
    world
        .lend("I1", "R0", None)
        .await
        .expect("works again without a restart");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_nobody_waits_for_any_more_does_not_happen_later() {
    let db = Database::new(Engine::Sqlite);
    let store = db.open(Clock::fixed(noon()));
    let (release, first) = hold_writer(&store).await;
    let given_up = submit_bib(&store, 1, 10);
    let kept = submit_bib(&store, 2, 10);
    waits_for(&store, 2).await;
    given_up.abort();
    assert!(given_up.await.expect_err("aborted").is_cancelled());
    drop(release);
    first.await.expect("no panic").expect("kept");
    kept.await.expect("no panic").expect("kept");
    assert!(!exists(&store, 1).await && exists(&store, 2).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lock_held_outside_is_answered_to_all_who_wait_at_once() {
    let db = Database::new(Engine::Sqlite);
    let mut options = db.options(Clock::fixed(noon()));
    options.busy_timeout = std::time::Duration::from_millis(200);
    let store = Store::open(options).expect("opens");
    let mut outside = diesel::SqliteConnection::establish(&db.file().display().to_string()).expect("another process");
    diesel::sql_query("BEGIN IMMEDIATE")
        .execute(&mut outside)
        .expect("locked");
    let jobs: Vec<_> = (1..=20).map(|id| submit_bib(&store, id, 10)).collect();
    let mut locked = 0;
    for job in jobs {
        let answer = job.await.expect("no panic");
        locked += usize::from(matches!(answer, Err(StoreError::Unavailable { reason: "locked", .. })));
    }
    assert_eq!(locked, 20);
    diesel::sql_query("ROLLBACK").execute(&mut outside).expect("unlocked");
    submit_bib(&store, 30, 10)
        .await
        .expect("no panic")
        .expect("works again");
}
