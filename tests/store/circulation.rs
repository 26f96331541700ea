//! Races: what two people at once must never do.

use std::collections::BTreeSet;
use std::sync::Arc;

use tongjie::domain::barcode::{Barcode, CardNumber};
use tongjie::domain::ids::BibId;
use tongjie::store::StoreError;
use tongjie::usecase::UseCaseError;
use tongjie::usecase::check_in::{CheckIn, check_in};
use tongjie::usecase::place_hold::{PlaceHold, place_hold};
use tongjie::usecase::record::Consent;

use crate::database::Engine;
use crate::world::{World, lend};

/// Runs `n` check-outs at once, each in a task of its own.
async fn at_once(
    world: &World,
    calls: Vec<(String, String, Option<String>)>,
) -> Vec<Result<(i64, bool), UseCaseError>> {
    let gate = Arc::new(tokio::sync::Barrier::new(calls.len()));
    let tasks: Vec<_> = calls
        .into_iter()
        .map(|(item, card, key)| {
            let (store, caller, gate) = (world.store.clone(), world.librarian(), gate.clone());
            tokio::spawn(async move {
                gate.wait().await;
                let done = lend(&store, &caller, &item, &card, key.as_deref()).await;
                done.map(|(outcome, replayed)| (outcome.loan.map_or(0, |loan| loan.id), replayed))
            })
        })
        .collect();
    let mut answers = Vec::new();
    for task in tasks {
        answers.push(task.await.expect("no check-out panics"));
    }
    answers
}

fn is_refused_or_conflict(answer: &Result<(i64, bool), UseCaseError>) -> bool {
    matches!(
        answer,
        Err(UseCaseError::Refused(_) | UseCaseError::Store(StoreError::Conflict(_)))
    )
}

#[tokio::test(flavor = "multi_thread", worker_threads = 8)]
async fn thirty_two_at_once_never_lend_one_item_twice() {
    for engine in Engine::all() {
        let world = World::new(engine, 1, 32).await;
        let calls = (0..32).map(|n| ("I0".to_owned(), format!("R{n}"), None)).collect();
        let answers = at_once(&world, calls).await;
        assert_eq!(
            answers.iter().filter(|answer| answer.is_ok()).count(),
            1,
            "{engine:?}: {answers:?}"
        );
        assert!(
            answers
                .iter()
                .all(|answer| answer.is_ok() || is_refused_or_conflict(answer)),
            "{answers:?}"
        );
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 8)]
async fn a_limit_of_ten_is_never_passed_by_parallel_check_outs() {
    for engine in Engine::all() {
        let world = World::new(engine, 32, 1).await;
        let calls = (0..32).map(|n| (format!("I{n}"), "R0".to_owned(), None)).collect();
        let answers = at_once(&world, calls).await;
        assert_eq!(
            answers.iter().filter(|answer| answer.is_ok()).count(),
            10,
            "{engine:?}: {answers:?}"
        );
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 8)]
async fn the_same_key_at_once_acts_once_and_answers_alike() {
    for engine in Engine::all() {
        let world = World::new(engine, 1, 1).await;
        let calls = (0..16)
            .map(|_| ("I0".to_owned(), "R0".to_owned(), Some("key-1".to_owned())))
            .collect();
        let answers = at_once(&world, calls).await;
        let answers: Vec<_> = answers
            .into_iter()
            .map(|answer| answer.expect("each gets the one answer"))
            .collect();
        assert!(
            answers.iter().all(|(loan, _)| *loan == answers[0].0),
            "{engine:?}: {answers:?}"
        );
        assert_eq!(
            answers.iter().filter(|(_, replayed)| !replayed).count(),
            1,
            "{engine:?}: {answers:?}"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refused_call_releases_its_key() {
    for engine in Engine::all() {
        let world = World::new(engine, 1, 2).await;
        world.lend("I0", "R0", None).await.expect("the first reader gets it");
        let refused = world.lend("I0", "R1", Some("again")).await;
        assert!(
            matches!(refused, Err(UseCaseError::Refused(_))),
            "{engine:?}: {refused:?}"
        );
        let refused = world.lend("I0", "R1", Some("again")).await;
        assert!(
            matches!(refused, Err(UseCaseError::Refused(_))),
            "judged anew, not replayed: {refused:?}"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_check_out_takes_at_most_twelve_statements() {
    for engine in Engine::all() {
        let world = World::new(engine, 3, 3).await;
        world
            .lend("I0", "R0", Some("warm"))
            .await
            .expect("makes the key of the day");
        world
            .lend("I2", "R2", Some("warmer"))
            .await
            .expect("caches the key of the day");
        world.lend("I1", "R1", Some("cold")).await.expect("a usual check-out");
        let statements = world
            .store
            .stats()
            .last_job_statements
            .load(std::sync::atomic::Ordering::Relaxed);
        eprintln!("statements per check-out on {engine:?}: {statements}");
        assert!(statements <= 12, "{engine:?}: {statements} statements");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 8)]
async fn copies_that_reach_one_hold_shelf_at_once_get_a_place_each() {
    const COPIES: usize = 24;
    for engine in Engine::all() {
        let world = World::new(engine, COPIES, 2 * COPIES).await;
        for n in 0..COPIES {
            let (lent, _) = world
                .lend(&format!("I{n}"), &format!("R{n}"), None)
                .await
                .expect("lent");
            let bib = BibId::new(lent.loan.expect("a loan").bib_id);
            let waiting = PlaceHold {
                card_number: Some(CardNumber::parse(&format!("R{}", COPIES + n)).expect("a card number")),
                bib,
                item: None,
                volume: None,
                pickup_unit_code: "main".into(),
                not_before: None,
                wanted_until: None,
                consent: Consent::default(),
            };
            place_hold(&world.store, &world.librarian(), waiting, None)
                .await
                .expect("the only copy is out");
        }
        let gate = Arc::new(tokio::sync::Barrier::new(COPIES));
        let returns: Vec<_> = (0..COPIES)
            .map(|n| {
                let (store, caller, gate) = (world.store.clone(), world.librarian(), gate.clone());
                tokio::spawn(async move {
                    gate.wait().await;
                    let command = CheckIn {
                        item: Barcode::parse(&format!("I{n}")).expect("a barcode").into(),
                        owner_unit_code: None,
                        returned_at: None,
                        consent: Consent::default(),
                    };
                    check_in(&store, &caller, command, None).await
                })
            })
            .collect();
        let mut places = BTreeSet::new();
        for one in returns {
            let outcome = one
                .await
                .expect("no panic")
                .expect("a returned book is never left nowhere")
                .value;
            places.insert(outcome.next_step.shelf_number.expect("its reader waits here"));
        }
        assert_eq!(
            places,
            (1..=u32::try_from(COPIES).expect("few")).collect(),
            "{engine:?}"
        );
    }
}
