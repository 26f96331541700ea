//! Holds under several hands at once: nothing is captured twice, nothing is lost, whoever comes first.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use chrono::TimeDelta;
use tongjie::auth::{ConsentSeal, KeyRing, SigningKey, TokenService};
use tongjie::domain::act::Overrides;
use tongjie::domain::barcode::{Barcode, CardNumber};
use tongjie::domain::ids::{BibId, HoldId};
use tongjie::domain::refusal::Code;
use tongjie::domain::suspend_hold::Sleep;
use tongjie::store::StoreError;
use tongjie::usecase::cancel_hold::{CancelHold, cancel_hold};
use tongjie::usecase::check::check;
use tongjie::usecase::check_in::{CheckIn, check_in};
use tongjie::usecase::expire_holds::expire_holds;
use tongjie::usecase::get_hold::list_bib_holds;
use tongjie::usecase::page::PageRequest;
use tongjie::usecase::place_hold::{PlaceHold, place_hold};
use tongjie::usecase::progress::Silent;
use tongjie::usecase::pulls::{PullRefusal, RefusePull, refuse_pull};
use tongjie::usecase::record::Consent;
use tongjie::usecase::reorder_hold::{ReorderHold, reorder_hold};
use tongjie::usecase::suspend_hold::{SuspendHold, suspend_hold};
use tongjie::usecase::target_holds::target_holds;
use tongjie::usecase::view::CheckInOutcome;
use tongjie::usecase::{Caller, UseCaseError};

use crate::database::Engine;
use crate::world::{World, new_item};

/// Another copy of the bib of `I0`, with this barcode.
async fn copy(world: &World, bib: BibId, barcode: &str) {
    let ids = world.store.take_ids::<StoreError>(1).await.expect("ids");
    let (main, barcode) = (world.main, barcode.to_owned());
    let work = move |tx: &mut tongjie::store::tx::WriteTx<'_>| {
        let item_type = tx.network()?.item_types().by_code("book").expect("of the preset").id;
        tx.insert_item(&new_item(ids.clone().next(), bib, main, item_type.get(), &barcode))
    };
    world.store.write::<_, StoreError, _>(work).await.expect("a copy");
}

async fn bib_of_first(world: &World) -> BibId {
    let find = |tx: &mut tongjie::store::tx::WriteTx<'_>| {
        let items = tx.items_by_barcode("I0", None)?;
        Ok::<_, StoreError>(items.first().expect("the first").bib_id)
    };
    world.store.write(find).await.expect("found")
}

/// A reader waits; a copy on the shelf in front of it or at home does not matter here.
async fn wait(world: &World, bib: BibId, card: &str) -> HoldId {
    let ring = KeyRing::of(SigningKey::from_bytes(b"the key of these tests"));
    let tokens = Arc::new(TokenService::with_ring(&ring, Duration::from_secs(900)));
    let seal = Arc::new(ConsentSeal::new(tokens, TimeDelta::minutes(5)));
    let consent = |token| Consent {
        overrides: Overrides {
            codes: Code::ALL.iter().copied().collect(),
            reason: "for tomorrow".to_owned(),
        },
        token,
        seal: Some(Arc::clone(&seal)),
        ..Consent::default()
    };
    let command = |token| PlaceHold {
        card_number: Some(CardNumber::parse(card).expect("a card number")),
        bib,
        item: None,
        volume: None,
        pickup_unit_code: "main".into(),
        not_before: None,
        wanted_until: None,
        consent: consent(token),
    };
    let librarian = world.librarian();
    let place = |token| place_hold(&world.store, &librarian, command(token), None);
    let placed = match place(None).await {
        Err(UseCaseError::Passable { offer, .. }) => place(Some(offer.token)).await,
        other => other,
    };
    HoldId::new(placed.expect("placed").value.hold.id)
}

async fn scan(world: &Arc<World>, barcode: &str) -> Result<CheckInOutcome, UseCaseError> {
    let command = CheckIn {
        item: Barcode::parse(barcode).expect("a barcode").into(),
        owner_unit_code: None,
        returned_at: None,
        consent: Consent::default(),
    };
    let once = check_in(&world.store, &world.librarian(), command, None).await?;
    Ok(once.value)
}

async fn cancel(world: &World, hold: HoldId) -> Result<String, UseCaseError> {
    let command = CancelHold {
        hold,
        consent: Consent::default(),
    };
    let once = cancel_hold(&world.store, &world.librarian(), command, None).await?;
    Ok(once.value.hold.status)
}

async fn number(world: &World, sql: &'static str) -> i64 {
    world.db.outside().number(sql)
}

async fn is_sound(world: &World) {
    let findings = check(&world.store, &Silent).await.expect("runs");
    let faults: Vec<_> = findings.iter().filter(|finding| finding.violations > 0).collect();
    assert!(faults.is_empty(), "{:?}: {faults:?}", world.db.engine);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 8)]
async fn copies_that_come_back_at_once_serve_a_hold_each() {
    const COPIES: usize = 8;
    for engine in Engine::all() {
        let world = Arc::new(World::new(engine, 1, 2 * COPIES).await);
        let bib = bib_of_first(&world).await;
        for n in 1..COPIES {
            copy(&world, bib, &format!("C{n}")).await;
        }
        let barcode = |n: usize| if n == 0 { "I0".to_owned() } else { format!("C{n}") };
        for n in 0..COPIES {
            world.lend(&barcode(n), &format!("R{n}"), None).await.expect("lent");
        }
        for n in 0..COPIES {
            wait(&world, bib, &format!("R{}", COPIES + n)).await;
        }
        let returns: Vec<_> = (0..COPIES)
            .map(|n| {
                let (world, barcode) = (world.clone(), barcode(n));
                tokio::spawn(async move { scan(&world, &barcode).await })
            })
            .collect();
        let mut served = BTreeSet::new();
        for one in returns {
            let outcome = one.await.expect("no panic").expect("taken in");
            served.insert(outcome.next_step.hold_id.expect("somebody waits"));
        }
        assert_eq!(served.len(), COPIES, "{engine:?}");
        is_sound(&world).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_cancellation_and_a_return_at_once_leave_nothing_set_aside() {
    for engine in Engine::all() {
        let world = Arc::new(World::new(engine, 1, 2).await);
        let bib = bib_of_first(&world).await;
        for _ in 0..8 {
            world.lend("I0", "R0", None).await.expect("lent");
            let hold = wait(&world, bib, "R1").await;
            let returning = {
                let world = world.clone();
                tokio::spawn(async move { scan(&world, "I0").await })
            };
            let status = cancel(&world, hold).await.expect("it was open");
            returning.await.expect("no panic").expect("taken in");
            assert_eq!(status, "cancelled", "{engine:?}");
            is_sound(&world).await;
            // Whichever came first: it is on the shelf, or on its way there.
            scan(&world, "I0").await.expect("taken in");
            let on_shelf = "SELECT count(*) AS n FROM items WHERE status = 'on_shelf' AND clear_since IS NULL";
            assert_eq!(number(&world, on_shelf).await, 1, "{engine:?}");
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_refusal_and_a_scan_at_once_leave_the_copy_with_its_reader() {
    for engine in Engine::all() {
        let world = Arc::new(World::new(engine, 1, 1).await);
        let bib = bib_of_first(&world).await;
        for round in 0..8 {
            let hold = wait(&world, bib, "R0").await;
            let pull = number(&world, "SELECT id AS n FROM pulls WHERE closed_at IS NULL").await;
            let refusing = {
                let world = world.clone();
                let command = RefusePull {
                    pull,
                    reason: PullRefusal::InUse,
                    note: None,
                };
                tokio::spawn(async move { refuse_pull(&world.store, &world.librarian(), command, None).await })
            };
            let found = scan(&world, "I0").await.expect("taken in");
            let refused = refusing.await.expect("no panic");
            assert!(
                matches!(refused, Ok(_) | Err(UseCaseError::State(_))),
                "{engine:?}, round {round}: {refused:?}"
            );
            assert_eq!(found.next_step.hold_id, Some(hold.get()), "{engine:?}");
            let open = "SELECT count(*) AS n FROM pulls WHERE closed_at IS NULL";
            assert_eq!(number(&world, open).await, 0, "{engine:?}");
            is_sound(&world).await;
            cancel(&world, hold).await.expect("it was captured");
            scan(&world, "I0").await.expect("put back");
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn two_passes_at_once_ask_for_each_copy_once() {
    for engine in Engine::all() {
        let world = Arc::new(World::new(engine, 40, 40).await);
        let bibs: BTreeSet<i64> = {
            let mut outside = world.db.outside();
            (0..40)
                .map(|n| outside.number(&format!("SELECT bib_id AS n FROM items WHERE barcode = 'I{n}'")))
                .collect()
        };
        for (n, bib) in bibs.iter().enumerate() {
            wait(&world, BibId::new(*bib), &format!("R{n}")).await;
        }
        world.db.outside().run("DELETE FROM pulls");
        let passes: Vec<_> = (0..4)
            .map(|_| {
                let world = world.clone();
                tokio::spawn(async move { target_holds(&world.store).await })
            })
            .collect();
        let mut asked = 0;
        for pass in passes {
            asked += pass.await.expect("no panic").expect("runs").asked;
        }
        let open = "SELECT count(*) AS n FROM pulls WHERE closed_at IS NULL";
        assert_eq!((asked, number(&world, open).await), (40, 40), "{engine:?}");
        is_sound(&world).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn nodes_that_end_holds_at_once_end_each_one_once() {
    for engine in Engine::all() {
        let world = Arc::new(World::new(engine, 1, 12).await);
        let bib = bib_of_first(&world).await;
        for n in 0..12 {
            wait(&world, bib, &format!("R{n}")).await;
        }
        world.db.outside().run("UPDATE holds SET wanted_until = '2026-03-09'");
        let runs: Vec<_> = (0..3)
            .map(|_| {
                let world = world.clone();
                tokio::spawn(async move { expire_holds(&world.store).await })
            })
            .collect();
        let mut ended = 0;
        for run in runs {
            ended += run.await.expect("no panic").expect("runs");
        }
        let told = "SELECT count(*) AS n FROM events WHERE kind = 'hold_expired'";
        assert_eq!((ended, number(&world, told).await), (12, 12), "{engine:?}");
        is_sound(&world).await;
    }
}

/// Whatever happens at once, places run 1..n.
#[tokio::test(flavor = "multi_thread", worker_threads = 6)]
async fn a_queue_that_everybody_changes_at_once_stays_a_queue() {
    const READERS: usize = 12;
    for engine in Engine::all() {
        let world = Arc::new(World::new(engine, 1, READERS + 1).await);
        let bib = bib_of_first(&world).await;
        world.lend("I0", &format!("R{READERS}"), None).await.expect("lent");
        let mut holds = Vec::new();
        for n in 0..READERS {
            holds.push(wait(&world, bib, &format!("R{n}")).await);
        }
        let tasks: Vec<_> = holds
            .iter()
            .enumerate()
            .map(|(n, hold)| {
                let (world, hold, caller) = (world.clone(), *hold, World::librarian_at(world.main));
                tokio::spawn(async move { disturb(&world, &caller, n, hold).await })
            })
            .collect();
        let returned = scan(&world, "I0").await.expect("taken in");
        assert!(returned.next_step.hold_id.is_some(), "{engine:?}");
        for task in tasks {
            task.await.expect("no panic");
        }
        is_sound(&world).await;
        let captured = "SELECT count(*) AS n FROM holds WHERE closed_at IS NULL AND captured_item_id IS NOT NULL";
        assert!(number(&world, captured).await <= 1, "{engine:?}");
    }
}

async fn disturb(world: &World, caller: &Caller, n: usize, hold: HoldId) {
    let done = match n % 3 {
        0 => cancel(world, hold).await.map(|_| ()),
        _ => {
            let command = ReorderHold {
                hold,
                place: 1,
                reason: "everybody first".to_owned(),
            };
            reorder_hold(&world.store, caller, command, None).await.map(|_| ())
        }
    };
    // Captured meanwhile.
    assert!(matches!(done, Ok(()) | Err(UseCaseError::Refused(_))), "{done:?}");
}

/// A small generator of its own: the same sequences on both engines and in every run.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: usize) -> usize {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        usize::try_from((self.0 >> 33) % sides as u64).expect("small")
    }
}

async fn sleep(world: &World, hold: HoldId, sleep: Sleep) {
    let command = SuspendHold {
        hold,
        sleep,
        consent: Consent::default(),
    };
    let done = suspend_hold(&world.store, &world.librarian(), command, None).await;
    done.expect("it waits");
}

async fn move_to(world: &World, hold: HoldId, place: usize) {
    let command = ReorderHold {
        hold,
        place: u32::try_from(place).expect("small"),
        reason: "why not".to_owned(),
    };
    let done = reorder_hold(&world.store, &world.librarian(), command, None).await;
    let at = done.expect("it waits").value.hold.position;
    assert_eq!(at, Some(i64::try_from(place).expect("small")));
}

/// Places 1..n as everybody sees them, against a plain list that is changed in the same way.
#[tokio::test(flavor = "multi_thread")]
async fn places_run_without_gaps_after_any_sequence_of_changes() {
    const READERS: usize = 14;
    for (engine, seed) in Engine::all()
        .into_iter()
        .flat_map(|engine| [(engine, 3), (engine, 2_026)])
    {
        let world = Arc::new(World::new(engine, 1, READERS + 1).await);
        let bib = bib_of_first(&world).await;
        world.lend("I0", &format!("R{READERS}"), None).await.expect("lent");
        let mut dice = Dice(seed);
        // Reader, hold, awake; and who has no hold.
        let mut queue: Vec<(usize, HoldId, bool)> = Vec::new();
        let mut idle: Vec<usize> = (0..READERS).collect();
        for _ in 0..80 {
            let at = dice.roll(queue.len().max(1));
            match dice.roll(6) {
                0 | 1 if !idle.is_empty() => {
                    let reader = idle.swap_remove(dice.roll(idle.len()));
                    queue.push((reader, wait(&world, bib, &format!("R{reader}")).await, true));
                }
                2 if at < queue.len() => {
                    let (reader, hold, _) = queue.remove(at);
                    cancel(&world, hold).await.expect("it was open");
                    idle.push(reader);
                }
                3 if at < queue.len() => {
                    queue[at].2 = !queue[at].2;
                    let how = if queue[at].2 {
                        Sleep::NotAtAll
                    } else {
                        Sleep::UntilResumed
                    };
                    sleep(&world, queue[at].1, how).await;
                }
                4 if at < queue.len() => {
                    let moved = queue.remove(at);
                    let to = dice.roll(queue.len() + 1);
                    queue.insert(to, moved);
                    move_to(&world, moved.1, to + 1).await;
                }
                5 => {
                    let next = scan(&world, "I0").await.expect("taken in").next_step.hold_id;
                    let first = queue.iter().position(|(_, _, awake)| *awake);
                    assert_eq!(
                        next,
                        first.map(|at| queue[at].1.get()),
                        "{engine:?}: the first who is awake"
                    );
                    if let Some(at) = first {
                        let (reader, _, _) = queue.remove(at);
                        world.lend("I0", &format!("R{reader}"), None).await.expect("its reader");
                        idle.push(reader);
                    } else {
                        world
                            .lend("I0", &format!("R{READERS}"), None)
                            .await
                            .expect("nobody waits");
                    }
                }
                _ => {}
            }
            let page = PageRequest {
                after: None,
                limit: 100,
            };
            let listed = list_bib_holds(&world.store, &world.librarian(), bib, page)
                .await
                .expect("read");
            let seen: Vec<_> = listed.items.iter().map(|hold| (hold.id, hold.position)).collect();
            let expected: Vec<_> = queue
                .iter()
                .zip(1..)
                .map(|((_, hold, _), at)| (hold.get(), Some(at)))
                .collect();
            assert_eq!(seen, expected, "{engine:?}");
        }
        is_sound(&world).await;
    }
}
