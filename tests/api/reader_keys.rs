//! The keys of what identifies readers: exchanged while everything is found, and missed without harm to others.

use chrono::{DateTime, TimeDelta, Utc};
use serde_json::json;
use tongjie::auth::CardKeyRing;
use tongjie::auth::identity::IdentityKey;
use tongjie::usecase::reseal_identities::{ResealIdentities, keys_in_use};
use tongjie::usecase::run_job::Pass;

use crate::app::{TestApp, run_with};
use crate::database::Engine;
use crate::id_numbers::{id_number, person};

on_both!(
    everybody_is_found_through_a_rotation,
    a_number_whose_key_is_gone_keeps_no_other_waiting,
);

/// The one of the tests' configuration, and one that seals from another moment on.
fn keys(since: DateTime<Utc>) -> [IdentityKey; 2] {
    let present = IdentityKey::new(b"an identity key that only tests use", DateTime::UNIX_EPOCH);
    [present, IdentityKey::new(&[7; 32], since)]
}

/// A step of the job; answers of how many readers something was sealed anew.
fn reseal(app: &TestApp) -> i64 {
    let store = &app.app.store;
    app.block_on(async {
        let look = store
            .read(ResealIdentities.look(0, app.clock.now()))
            .await
            .expect("reads");
        ResealIdentities.act(store, look.work).await.expect("seals")
    })
}

fn register(app: &TestApp, desk: &str, number: &str) -> i64 {
    app.post(desk, "/api/v1/readers", &person(app, number)).expect(201).id()
}

fn everybody_is_found_through_a_rotation(app: &TestApp) {
    app.small_network();
    let desk = app.staff("librarian", "B1");
    let readers = [1, 2].map(|n| register(app, &desk, &id_number(n)));
    let cards = format!("/api/v1/readers/{}/cards", readers[0]);
    app.post(&desk, &cards, &json!({"kind": "id_card"})).expect(201);
    let lend = || {
        let (_, barcode) = app.item(app.bib("红楼梦", None), "B1", &json!({}));
        let loan = json!({"item_barcode": barcode, "card_number": id_number(1)});
        let lent = app.post(&desk, "/api/v1/check-outs", &loan).expect(201).body;
        assert_eq!(lent["loan"]["reader_id"], json!(readers[0]));
    };
    let again = || {
        for (n, reader) in (1..).zip(readers) {
            let refused = app.post(&desk, "/api/v1/readers", &person(app, &id_number(n)));
            let refused = refused.expect_problem(409, "duplicate_reader").body;
            assert_eq!(refused["existing_reader_id"], json!(reader));
        }
    };
    let [present, next] = keys(app.clock.now() + TimeDelta::seconds(60));
    app.app.identities.replace(vec![present.clone(), next.clone()]);
    assert_eq!(reseal(app), 0, "not yet in force");
    app.clock.set(app.clock.now() + TimeDelta::seconds(60));
    lend();
    again();
    assert_eq!(reseal(app), 2);
    assert_eq!(reseal(app), 0);
    let in_use = app.block_on(keys_in_use(&app.app.store)).expect("read");
    assert_eq!(in_use, [next.id()]);
    app.app.identities.replace(vec![next]);
    lend();
    again();
    app.assert_sound();
}

fn a_number_whose_key_is_gone_keeps_no_other_waiting(app: &TestApp) {
    app.small_network();
    let desk = app.staff("librarian", "B1");
    let [lost, other] = [1, 2].map(|n| register(app, &desk, &id_number(n)));
    let sql = format!("UPDATE reader_identities SET key_id = 'gone' WHERE reader_id = {lost}");
    app.database.outside().run(&sql);
    let [present, next] = keys(DateTime::UNIX_EPOCH);
    app.app.identities.replace(vec![present, next.clone()]);
    assert_eq!(reseal(app), 1);
    let sealed = format!(
        "SELECT count(*) AS n FROM reader_identities WHERE reader_id = {other} AND key_id = '{}'",
        next.id()
    );
    assert_eq!(app.database.outside().number(&sealed), 1);
}

/// A file of one kind of key that cannot be read leaves what was read, and keeps no other kind waiting.
#[test]
fn each_file_of_keys_is_read_by_itself() {
    for engine in Engine::all() {
        run_with(
            engine,
            |config| config.auth.identity_key = None,
            |app| {
                app.small_network();
                let desk = app.staff("librarian", "B1");
                register(app, &desk, &id_number(1));
                let file = app.app.config.data.dir.join("identity.key");
                for damage in [Some("nothing\n"), None] {
                    match damage {
                        Some(text) => std::fs::write(&file, text).expect("written"),
                        None => std::fs::remove_file(&file).expect("there"),
                    }
                    let now = app.clock.now() - TimeDelta::days(1);
                    let ring = CardKeyRing::rotate(&app.app.config, now, None).expect("rotated");
                    app.app.reload_keys().expect_err("it cannot be read");
                    let published = app.app.cards.published(app.clock.now());
                    let signs = &ring.latest().expect("one").id;
                    assert!(format!("{published:?}").contains(signs.as_str()), "{engine:?}");
                    let refused = app.post(&desk, "/api/v1/readers", &person(app, &id_number(1)));
                    refused.expect_problem(409, "duplicate_reader");
                }
                assert!(!file.exists(), "{engine:?}: no key is made while the server runs");
            },
        );
    }
}
