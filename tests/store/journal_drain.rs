//! After an outage all machines tell at once what they did alone: in any order, some of it twice, some of it in contradiction.
//! None of it is lost, and no item is lent twice. `TONGJIE_JOURNAL_MACHINES=197` is the size of the whole network.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Instant;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chrono::{DateTime, TimeDelta, Utc};
use ed25519_dalek::{Signer, SigningKey};
use serde_json::{Value, json};
use tongjie::auth::CardKeyRing;
use tongjie::auth::card_token::CardTokens;
use tongjie::auth::journal_signature::JournalKey;
use tongjie::config::Config;
use tongjie::domain::ids::DeviceId;
use tongjie::domain::reader::Channel;
use tongjie::store::devices::NewDevice;
use tongjie::store::devices::keys::KeyRow;
use tongjie::store::{Store, StoreError};
use tongjie::usecase::check::check;
use tongjie::usecase::progress::Silent;
use tongjie::usecase::upload_journal::{SentEntry, UploadJournal, upload_journal};
use tongjie::usecase::{Caller, Who};

use crate::database::Engine;
use crate::world::{World, noon};

/// Acts of each machine.
const ACTS: usize = 34;

/// How many machines talk at once.
const AT_ONCE: usize = 16;

struct Machine {
    caller: Caller,
    entries: Vec<SentEntry>,
    /// Some of them once more.
    again: Vec<SentEntry>,
}

fn signed(key: &SigningKey, code: &str, sequence: usize, body: &Value) -> SentEntry {
    let body = body.to_string();
    let text = format!("tongjie-journal-1\n{code}\n1\n{sequence}\n{body}");
    SentEntry {
        sequence: i64::try_from(sequence).expect("small"),
        key_id: JournalKey::of(key.verifying_key().as_bytes()).expect("a key").id(),
        body,
        signature: URL_SAFE_NO_PAD.encode(key.sign(text.as_bytes()).to_bytes()),
    }
}

fn at(act: usize) -> DateTime<Utc> {
    noon() - TimeDelta::hours(2) + TimeDelta::minutes(3 * i64::try_from(act).expect("small"))
}

/// Every second act lends a copy, and the one after it takes it back: half of them at the next machine.
fn act(machines: usize, machine: usize, act: usize) -> Value {
    let of = |machine: usize, pair: usize| json!({"barcode": format!("I{}", machine * (ACTS / 2) + pair)});
    let pair = act / 2;
    // One in a hundred shows a card that nobody has.
    let odd = (machine * ACTS + act).is_multiple_of(100);
    if act.is_multiple_of(2) {
        let card = if odd {
            "NOBODY".to_owned()
        } else {
            format!("R{machine}")
        };
        json!({"kind": "check_out", "at": at(act), "item": of(machine, pair), "card_number": card})
    } else if pair.is_multiple_of(2) {
        json!({"kind": "check_in", "at": at(act), "item": of(machine, pair)})
    } else {
        json!({"kind": "check_in", "at": at(act), "item": of((machine + machines - 1) % machines, pair)})
    }
}

async fn machines(world: &World, count: usize) -> Vec<Machine> {
    let mut ids = world.store.take_ids::<StoreError>(2 * count as i64).await.expect("ids");
    let mut made = Vec::new();
    for n in 0..count {
        let (id, key_row, main) = (ids.next(), ids.next(), world.main);
        let code = format!("L{n}");
        let mut seed = [3; 32];
        seed[0] = u8::try_from(n % 256).expect("a byte");
        seed[1] = u8::try_from(n / 256).expect("a byte");
        let key = SigningKey::from_bytes(&seed);
        let public = JournalKey::of(key.verifying_key().as_bytes()).expect("a key");
        let row = NewDevice {
            id,
            code: code.clone(),
            unit_id: main.get(),
            kind: "kiosk".to_owned(),
            secret_hash: String::new(),
            active: true,
            name: String::new(),
            capabilities: String::new(),
            registered_at: Some(0),
            approved_at: Some(0),
        };
        let key_row = KeyRow {
            id: key_row,
            device_id: id,
            key_id: public.id(),
            public_key: public.bytes().to_vec(),
            journal: 1,
            first_sequence: 1,
            given_at: 0,
            revoked_at: None,
        };
        world
            .store
            .write(move |tx| {
                tx.insert_device(&row)?;
                tx.insert_device_key(&key_row)
            })
            .await
            .expect("a device");
        let entries: Vec<SentEntry> = (0..ACTS)
            .map(|one| signed(&key, &code, one + 1, &act(count, n, one)))
            .collect();
        // One in twenty.
        let again = entries
            .iter()
            .filter(|entry| (entry.sequence + n as i64) % 20 == 0)
            .cloned()
            .collect();
        made.push(Machine {
            caller: Caller {
                who: Who::Device {
                    id: DeviceId::new(id),
                    channel: Channel::Kiosk,
                },
                unit: Some(main),
                session: 1,
            },
            entries,
            again,
        });
    }
    made
}

async fn tell(store: Arc<Store>, cards: Arc<CardTokens>, machine: Machine) -> Vec<String> {
    let mut words = Vec::new();
    for entries in [machine.entries, machine.again] {
        let upload = UploadJournal {
            journal: 1,
            sent_at: noon(),
            entries,
        };
        let told = upload_journal(&store, &cards, &machine.caller, upload)
            .await
            .expect("taken");
        words.extend(told.results.into_iter().map(|line| line.verdict));
    }
    words
}

async fn drained(engine: Engine, count: usize) -> BTreeMap<String, usize> {
    let world = World::new(engine, count * ACTS / 2, count).await;
    let config = Config::for_tests(world.db.dir(), &world.db.url());
    let cards = Arc::new(CardTokens::new(CardKeyRing::load(&config).expect("keys")));
    let mut waiting = machines(&world, count).await;
    let sent: usize = waiting
        .iter()
        .map(|machine| machine.entries.len() + machine.again.len())
        .sum();
    // In an order that has nothing to do with when they did it.
    waiting.sort_by_key(|machine| machine.entries[0].signature.clone());
    let began = Instant::now();
    let mut words: Vec<String> = Vec::new();
    let mut talking = tokio::task::JoinSet::new();
    for machine in waiting {
        if talking.len() == AT_ONCE {
            words.extend(talking.join_next().await.expect("one of them").expect("no panic"));
        }
        talking.spawn(tell(Arc::clone(&world.store), Arc::clone(&cards), machine));
    }
    while let Some(told) = talking.join_next().await {
        words.extend(told.expect("no panic"));
    }
    let took = began.elapsed();
    let mut counts = BTreeMap::new();
    for word in words {
        *counts.entry(word).or_insert(0) += 1;
    }
    println!("{engine:?}: {count} machines, {sent} acts in {took:?}: {counts:?}");
    let of = |verdict: &str| counts.get(verdict).copied().unwrap_or(0);
    assert_eq!(
        of("accepted") + of("accepted_despite") + of("conflict"),
        count * ACTS,
        "none is lost"
    );
    assert_eq!(of("duplicate"), sent - count * ACTS);
    assert!(of("conflict") > 0 && of("duplicate") > 0, "{counts:?}");
    let mut outside = world.db.outside();
    let twice = outside.number(
        "SELECT count(*) AS n FROM loans a JOIN loans b ON b.item_id = a.item_id AND b.id <> a.id \
         WHERE a.loaned_at <= b.loaned_at AND (a.closed_at IS NULL OR a.closed_at > b.loaned_at)",
    );
    assert_eq!(twice, 0, "no item is lent to two at once");
    let findings = check(&world.store, &Silent).await.expect("the audit reads everything");
    let broken: Vec<String> = findings.into_iter().flat_map(|finding| finding.examples).collect();
    assert!(broken.is_empty(), "{broken:#?}");
    counts
}

fn size() -> usize {
    let set = std::env::var("TONGJIE_JOURNAL_MACHINES").ok();
    set.and_then(|text| text.parse().ok()).unwrap_or(9)
}

#[tokio::test(flavor = "multi_thread")]
async fn what_all_machines_did_alone_drains_and_none_of_it_is_lost() {
    for engine in Engine::all() {
        drained(engine, size()).await;
    }
}
