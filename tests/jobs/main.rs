//! What jobs run, on both engines: every run is idempotent, and forgets neither too early nor too late.

#[path = "../support/database.rs"]
mod database;
mod passes;

use std::sync::Arc;

use chrono::{DateTime, TimeDelta, TimeZone, Utc};
use tongjie::clock::Clock;
use tongjie::domain::event::EventKind;
use tongjie::domain::ids::{ReaderId, UnitId};
use tongjie::domain::log_in_guard::{Tallies, Tally};
use tongjie::store::Store;
use tongjie::store::StoreError;
use tongjie::store::events::{Event, SYSTEM_CHANNEL};
use tongjie::store::idempotency::Claim;
use tongjie::store::sessions::RefreshRow;
use tongjie::usecase::bootstrap::bootstrap;
use tongjie::usecase::expire_keys::{Expired, expire_keys};
use tongjie::usecase::seal_events::seal_events;

use crate::database::{Database, Engine};

fn noon() -> DateTime<Utc> {
    Utc.with_ymd_and_hms(2026, 3, 4, 4, 0, 0).single().expect("a moment")
}

async fn claim(store: &Arc<Store>, key: &str) -> bool {
    let claim = Claim {
        client: "staff:1".into(),
        key: key.into(),
        request_hash: [7; 32],
        reader_id: None,
    };
    let once = store.write_once::<i64, StoreError, _>(Some(claim), |_| Ok(1)).await;
    once.expect("written").replayed
}

async fn append(store: &Arc<Store>, reader: Option<i64>) {
    let id = store.take_ids::<StoreError>(1).await.expect("ids");
    let work = move |tx: &mut tongjie::store::tx::WriteTx<'_>| {
        let mut event = Event::new(EventKind::LoanMade, tx.now(), UnitId::new(1_000), SYSTEM_CHANNEL);
        event.reader = reader.map(ReaderId::new);
        tx.append_event(id.clone().next(), &event)
    };
    store.write(work).await.expect("appended");
}

async fn token(store: &Arc<Store>, id: i64, expires_at: DateTime<Utc>) {
    let row = RefreshRow {
        id,
        family: id,
        audience: "staff".into(),
        subject_id: 1,
        unit_id: None,
        token_hash: vec![u8::try_from(id).expect("small"); 32],
        issued_at: noon().timestamp_millis(),
        expires_at: expires_at.timestamp_millis(),
        used_at: None,
        revoked_at: None,
    };
    store
        .write(move |tx| tx.insert_refresh_token(&row))
        .await
        .expect("kept");
}

#[tokio::test]
async fn keys_are_forgotten_when_their_time_is_over_and_not_before() {
    for engine in Engine::all() {
        let database = Database::new(engine);
        let clock = Clock::fixed(noon());
        let store = database.open(clock.clone());
        bootstrap(&store).await.expect("set up");
        for key in ["a", "b", "c"] {
            assert!(!claim(&store, key).await);
        }
        token(&store, 1, noon() + TimeDelta::days(1)).await;
        token(&store, 2, noon() + TimeDelta::days(30)).await;
        append(&store, Some(5)).await;
        assert_eq!(expire_keys(&store, 7).await.expect("runs"), Expired::default());

        clock.set(noon() + TimeDelta::days(6));
        assert!(!claim(&store, "late").await);
        let expired = expire_keys(&store, 7).await.expect("runs");
        assert_eq!(
            (expired.idempotency_keys, expired.refresh_tokens, expired.visit_keys),
            (0, 1, 1)
        );
        assert!(claim(&store, "a").await, "the stored answer is still given");

        clock.set(noon() + TimeDelta::days(7) + TimeDelta::milliseconds(1));
        assert_eq!(expire_keys(&store, 7).await.expect("runs").idempotency_keys, 3);
        assert_eq!(expire_keys(&store, 7).await.expect("runs"), Expired::default());
        assert!(!claim(&store, "a").await, "the key is free again");
        assert!(claim(&store, "late").await);
        store.close();
    }
}

#[tokio::test]
async fn failed_log_ins_are_forgotten_after_a_day_and_good_ones_after_ninety() {
    for engine in Engine::all() {
        let database = Database::new(engine);
        let clock = Clock::fixed(noon());
        let store = database.open(clock.clone());
        bootstrap(&store).await.expect("set up");
        let failed = Tallies::default().attempted(noon());
        let good = failed.succeeded(true, noon());
        let keep = move |tx: &mut tongjie::store::tx::WriteTx<'_>| {
            tx.put_log_in_tally(&[1; 16], &failed.pair)?;
            tx.put_log_in_tally(&[1; 16], &failed.pair)?;
            tx.put_log_in_tally(&[2; 16], &good.pair)?;
            tx.lock_log_in_tallies(&[[2; 16], [1; 16], [3; 16]])
        };
        let kept = store.write::<_, StoreError, _>(keep).await.expect("kept");
        assert_eq!(kept, [good.pair, failed.pair, Tally::default()]);
        for (days, forgotten) in [(0, 0), (1, 1), (89, 0), (90, 1), (91, 0)] {
            clock.set(noon() + TimeDelta::days(days));
            let expired = expire_keys(&store, 7).await.expect("runs");
            assert_eq!(expired.log_in_tallies, forgotten, "{engine:?}, day {days}");
        }
        store.close();
    }
}

#[tokio::test]
async fn sealing_covers_every_event_once() {
    for engine in Engine::all() {
        let database = Database::new(engine);
        let store = database.open(Clock::fixed(noon()));
        bootstrap(&store).await.expect("set up");
        for reader in 1..=20 {
            append(&store, Some(reader)).await;
        }
        seal_up_to(&store, 21).await;
        assert_eq!(seal_events(&store).await.expect("runs"), 0, "nothing is sealed twice");
        append(&store, None).await;
        seal_up_to(&store, 22).await;
        store.close();
    }
}

/// Seals until so many events are covered, the root's own among them. On a cluster that other tests use too, an event
/// settles only when every transaction that ran beside it has ended.
async fn seal_up_to(store: &Arc<Store>, wanted: i64) {
    for _ in 0..3_000 {
        seal_events(store).await.expect("runs");
        let chain = store.read(|tx| tx.audit_chain()).await.expect("read");
        assert!(chain.faults.is_empty(), "{:?}", chain.faults);
        assert!(chain.events <= wanted, "no event is covered twice");
        if chain.events == wanted {
            return;
        }
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
    }
    panic!("the events never settled");
}
