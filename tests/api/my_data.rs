//! What is held on a reader: to take along, and to erase. Both follow one list of tables.

use std::collections::BTreeSet;

use serde_json::{Value, json};
use tongjie::domain::ids::ReaderId;
use tongjie::store::StoreError;
use tongjie::store::held::HELD;

use crate::app::{PIN, TestApp};
use crate::client::Answer;
use crate::database::Engine;
use crate::unlinking::seal;

on_both!(
    every_column_that_names_a_reader_is_in_the_list,
    a_reader_takes_everything_along,
    the_page_shows_the_same_and_runs_nothing,
    an_erasure_is_refused_with_every_reason,
    an_erasure_takes_the_right_pin,
    of_an_erased_reader_nothing_is_left,
    stored_answers_about_a_reader_go_with_the_reader,
);

/// `table.column` of whatever names a reader or a card.
fn naming(app: &TestApp) -> BTreeSet<String> {
    let sql = match app.database.engine {
        Engine::Sqlite => {
            "SELECT m.name || '.' || p.name AS w FROM sqlite_master m, pragma_table_info(m.name) p WHERE m.type = 'table' \
             AND (p.name LIKE '%reader\\_id' ESCAPE '\\' OR p.name LIKE '%card\\_id' ESCAPE '\\') \
             UNION SELECT m.name || '.' || f.\"from\" FROM sqlite_master m, pragma_foreign_key_list(m.name) f \
             WHERE m.type = 'table' AND f.\"table\" IN ('readers', 'cards')"
        }
        Engine::Postgres => {
            "SELECT table_name || '.' || column_name AS w FROM information_schema.columns WHERE table_schema = 'public' \
             AND (column_name LIKE '%reader\\_id' OR column_name LIKE '%card\\_id') \
             UNION SELECT c.conrelid::regclass::text || '.' || a.attname FROM pg_constraint c \
             JOIN pg_attribute a ON a.attrelid = c.conrelid AND a.attnum = ANY (c.conkey) \
             WHERE c.contype = 'f' AND c.confrelid::regclass::text IN ('readers', 'cards')"
        }
    };
    app.database.outside().words(sql).into_iter().collect()
}

fn every_column_that_names_a_reader_is_in_the_list(app: &TestApp) {
    let each = HELD
        .iter()
        .flat_map(|held| held.names.iter().map(|name| format!("{}.{name}", held.table)));
    let listed: BTreeSet<String> = each.collect();
    assert_eq!(
        naming(app),
        listed,
        "src/store/held/list.rs says of every table how it is shown, unlinked and erased"
    );
    app.database
        .outside()
        .run("CREATE TABLE forgotten (guardian_reader_id BIGINT)");
    let missed: Vec<String> = naming(app).difference(&listed).cloned().collect();
    assert_eq!(missed, ["forgotten.guardian_reader_id"]);
}

struct Reader {
    id: i64,
    card: String,
    token: String,
    desk: String,
}

/// A reader of B1 with something in every table that is held on readers.
fn reader(app: &TestApp) -> Reader {
    app.small_network();
    let (id, card) = app.reader("adult", "B1");
    let reader = Reader {
        id,
        token: app.reader_token(&card),
        card,
        desk: app.staff("librarian", "B1"),
    };
    let barcode = lend(app, &reader, "<b>三国演义</b>");
    app.post(&reader.desk, "/api/v1/check-ins", &json!({"item_barcode": barcode}))
        .expect(200);
    let sql = |text: &str| app.database.outside().run(text);
    let packs = app.request("PUT", "/api/v1/units/B1/packing").bearer(&app.root_token());
    packs.json(&json!({"packs": true})).send().expect(200);
    let bib = app.bib("镜花缘", None);
    app.item(bib, "B1", &json!({}));
    let body = json!({"delivery": "parcel", "unit_code": "B1", "lines": [{"bib_id": bib}],
        "address": crate::parcel_scene::address()});
    let request = app.request("POST", "/api/v1/delivery-requests").bearer(&reader.token);
    request.key("a-key").json(&body).send().expect(201);
    sql(&format!(
        "INSERT INTO reader_consents (id, reader_id, kind, text_version, given_at) VALUES (1, {id}, 'research', '1', 0)"
    ));
    sql(&format!(
        "INSERT INTO reader_accesses (id, reader_id, staff_id, unit_id, what, day, at, reason) \
         SELECT 1, {id}, min(s.id), 1, 'history', '2026-03-04', 0, '核对' FROM staff s"
    ));
    sql(
        "INSERT INTO import_batches (id, kind, owner_unit_id, file_name, created_at, made) \
         SELECT 1, 'readers', min(id), 'readers.csv', 0, 1 FROM units",
    );
    sql(&format!(
        "INSERT INTO import_rows (batch_id, row_number, subject_id, old_id, memo) VALUES (1, 1, {id}, 'OLD-7', '')"
    ));
    sql(&format!(
        "INSERT INTO reset_codes (id, audience, subject_id, made_at, expires_at, attempts) VALUES (1, 'reader', {id}, 0, 1, 0)"
    ));
    of_other_parts(app, id);
    seal(app);
    reader
}

/// Rows of cards, guardians, notices, credit and admission.
fn of_other_parts(app: &TestApp, id: i64) {
    let (other, _) = app.reader("adult", "B1");
    let card = format!("(SELECT min(c.id) FROM cards c WHERE c.reader_id = {id})");
    let unit = "(SELECT min(u.id) FROM units u)";
    let binary = match app.database.engine {
        Engine::Sqlite => "x'00'",
        Engine::Postgres => "'\\x00'::bytea",
    };
    for sql in [
        format!(
            "INSERT INTO reader_identities (id, reader_id, kind, key_id, look_up, sealed, tail, created_at) \
             VALUES (1, {id}, 'resident_id', 'k', 'l', {binary}, '002X', 0)"
        ),
        format!(
            "INSERT INTO guardianships (id, guardian_reader_id, ward_reader_id, relation, may_act, consent_form, consented_on, started_at) \
             VALUES (1, {id}, {other}, 'parent', TRUE, 'F-1', '2026-01-01', 0)"
        ),
        format!(
            "INSERT INTO reader_merges (id, survivor_id, duplicate_id, reason, unit_id, merged_at, open_loans, closed_loans, holds, \
             holds_cancelled, cards, debt_fen) VALUES (1, {id}, {other}, '一人两证', {unit}, 0, 0, 0, 0, 0, 0, 0)"
        ),
        format!(
            "INSERT INTO card_sessions (nonce, card_id, client, opened_at, used_at) VALUES ('n', {card}, 'device:1', 0, 0)"
        ),
        "UPDATE card_revocation_numbers SET last_seq = 1".to_owned(),
        format!("UPDATE cards SET tokens_void_until = 1 WHERE id = {card}"),
        format!("INSERT INTO card_revocations (seq, card_id, void_until, made_at) VALUES (1, {card}, 1, 0)"),
        format!(
            "INSERT INTO reader_contacts (reader_id, channel, key_id, sealed, shown, soft_bounces, changed_at) \
             VALUES ({id}, 'sms', 'k', {binary}, '***8000', 0, 0)"
        ),
        format!(
            "INSERT INTO notice_preferences (reader_id, language, quiet_from, quiet_until, gathers, channels, version) \
             VALUES ({id}, 'en', 0, 0, TRUE, '[]', 1)"
        ),
        format!(
            "INSERT INTO notices (id, reader_id, kind, unit_id, made_at, send_at, gathering) \
             VALUES (1, {id}, 'due_soon', {unit}, 0, 0, FALSE)"
        ),
        "INSERT INTO notice_lines (kind, subject_id, occasion, notice_id) VALUES ('due_soon', 1, 0, 1)".to_owned(),
        "INSERT INTO notice_sendings (id, notice_id, channel, sent_at) VALUES (1, 1, 'mail', 0)".to_owned(),
        format!(
            "INSERT INTO one_time_codes (id, reader_id, purpose, channel, made_at, expires_at, ended_at) \
             VALUES (1, {id}, 'reset_pin', 'mail', 0, 1, 1)"
        ),
        format!(
            "INSERT INTO credit_entries (id, reader_id, number, posted_at, day, kind, points, asked, balance, rules_version, cause) \
             SELECT 1, id, credit_entries + 1, 0, '2026-01-01', 'staff', 10, 10, credit_balance + 10, 1, 'staff' FROM readers \
             WHERE id = {id}"
        ),
        format!(
            "UPDATE readers SET credit_balance = credit_balance + 10, credit_entries = credit_entries + 1 WHERE id = {id}"
        ),
        "INSERT INTO credit_reasons (entry_id, note) VALUES (1, '核对')".to_owned(),
        format!(
            "INSERT INTO credit_appeals (id, entry_id, reader_id, reason, made_at, status) VALUES (1, 1, {id}, '不对', 0, 'open')"
        ),
        format!(
            "INSERT INTO credit_reports (source, report_id, fingerprint, outcome, entry_id, reported_at) \
             VALUES ('volunteers', 'r-1', {binary}, 'posted', 1, 0)"
        ),
        format!(
            "INSERT INTO credit_overdue (loan_id, days, points, regime) \
             SELECT min(l.id), 0, 0, 'points' FROM loans l WHERE l.reader_id = {id}"
        ),
        format!(
            "INSERT INTO credit_freezes (id, reader_id, cause, started_at, ended_at, ended_by) VALUES (1, {id}, 'staff', 0, 1, 'staff')"
        ),
        format!(
            "INSERT INTO admission_requests (id, reader_id, provider, state, order_key, asked_at, decided_at) \
             VALUES (1, {id}, 'sesame', 'refused', 'o-1', 0, 1)"
        ),
        format!(
            "INSERT INTO devices (id, code, unit_id, kind, secret_hash, active) VALUES (1, 'JC-L1', {unit}, 'locker', 'h', TRUE)"
        ),
        format!(
            "INSERT INTO locker_sessions (id, device_id, screen, reader_id, opened_at, last_act_at, ended_at, ended_how) \
             VALUES (1, 1, 1, {id}, 0, 0, 1, 'idle')"
        ),
        format!(
            "INSERT INTO journal_conflicts (id, device_id, unit_id, reason, happened_at, reader_id, body, raised_at) \
             VALUES (1, 1, {unit}, 'moved_on', 0, {id}, '{{}}', 0)"
        ),
        format!(
            "INSERT INTO card_applications (id, token_hash, state, unit_id, channel, made_at, code_expires_at, reader_id, decided_at) \
             VALUES (1, {binary}, 'registered', {unit}, 'mail', 0, 1, {id}, 1)"
        ),
        "INSERT INTO admission_reports (provider, report_id, request_id, decision, reported_at, applied) \
         VALUES ('sesame', 'p-1', 1, 'refused', 1, TRUE)"
            .to_owned(),
    ] {
        app.database.outside().run(&sql);
    }
}

/// Answers the barcode.
fn lend(app: &TestApp, reader: &Reader, title: &str) -> String {
    let (_, barcode) = app.item(app.bib(title, None), "B1", &json!({}));
    let body = json!({"item_barcode": barcode, "card_number": reader.card});
    app.post(&reader.desk, "/api/v1/check-outs", &body).expect(201);
    barcode
}

/// How many rows each table of the list holds on a reader.
fn held(app: &TestApp, reader: i64) -> Vec<(&'static str, i64)> {
    let count = app.app.store.read::<_, StoreError, _>(move |tx| {
        let each = HELD.iter().map(|held| {
            let n = tx.count_held(held, ReaderId::new(reader))?;
            Ok((held.table, n))
        });
        each.collect()
    });
    app.block_on(count).expect("counted")
}

fn part<'d>(data: &'d Value, table: &str) -> &'d Value {
    let parts = data["parts"].as_array().expect("parts");
    parts.iter().find(|part| part["table"] == table).expect("a part")
}

fn a_reader_takes_everything_along(app: &TestApp) {
    let reader = reader(app);
    let held = held(app, reader.id);
    let empty: Vec<&str> = held.iter().filter(|(_, n)| *n == 0).map(|(table, _)| *table).collect();
    assert_eq!(empty, ["legacy_deposits"], "the scene has something of everything else");
    let data = app.get(&reader.token, "/api/v1/me/data").expect(200).body;
    for (table, n) in held {
        let part = part(&data, table);
        let hidden = part["not_shown_en"].is_string();
        let rows = part["rows"].as_array().expect("rows").len();
        assert_eq!(
            rows,
            if hidden {
                0
            } else {
                usize::try_from(n).expect("a count")
            },
            "{table}"
        );
        assert_eq!(part["cut"], false);
    }
    assert_eq!(data["parts"][0]["table"], "readers");
    let record = &part(&data, "readers")["rows"][0];
    assert_eq!(
        (
            &record["name"],
            &record["category"],
            &record["home_unit_code"],
            &record["has_pin"],
            &record["barred"]
        ),
        (
            &json!("李读者"),
            &json!("adult"),
            &json!("B1"),
            &json!(true),
            &json!(false)
        )
    );
    let loan = &part(&data, "loans")["rows"][0];
    assert_eq!(
        (
            &loan["title"],
            &loan["unit_code"],
            &loan["loaned_at"],
            &loan["closed_how"]
        ),
        (
            &json!("<b>三国演义</b>"),
            &json!("B1"),
            &json!("2026-03-04T04:00:00.000Z"),
            &json!("returned")
        )
    );
    assert_eq!(part(&data, "cards")["rows"][0]["number"], reader.card);
    assert_eq!(
        part(&data, "delivery_addresses")["rows"].as_array().map(Vec::len),
        Some(1)
    );
    assert!(!data.to_string().contains("$argon2"), "no secret leaves");
    // Of another reader nothing is in it.
    let (_, other) = app.reader("adult", "B1");
    let theirs = app.get(&app.reader_token(&other), "/api/v1/me/data").expect(200).body;
    assert_eq!(part(&theirs, "loans")["rows"], json!([]));
    assert!(!theirs.to_string().contains(&reader.card));
}

fn the_page_shows_the_same_and_runs_nothing(app: &TestApp) {
    let reader = reader(app);
    let page = |accept: &str| {
        let asked = app.request("GET", "/api/v1/me/data").bearer(&reader.token);
        asked.header("Accept", accept).send().expect(200)
    };
    let html = page("text/html,application/xhtml+xml;q=0.9");
    assert_eq!(html.header("content-type"), Some("text/html; charset=utf-8"));
    let text = String::from_utf8(html.bytes).expect("UTF-8");
    for expected in ["读者档案", &reader.card, "&lt;b&gt;三国演义&lt;/b&gt;", "OLD-7"] {
        assert!(text.contains(expected), "{expected}");
    }
    assert!(!text.contains("<b>三国演义") && !text.contains("<script"));
    for accept in ["*/*", "application/json"] {
        assert_eq!(page(accept).header("content-type"), Some("application/json"));
    }
}

fn erase(app: &TestApp, reader: &Reader, pin: &str) -> Answer {
    app.post(&reader.token, "/api/v1/me/erasure", &json!({"pin": pin}))
}

fn an_erasure_is_refused_with_every_reason(app: &TestApp) {
    let reader = reader(app);
    let barcode = lend(app, &reader, "红楼梦");
    let sql = |text: String| app.database.outside().run(&text);
    sql(format!("UPDATE readers SET debt_fen = 250 WHERE id = {}", reader.id));
    sql(format!(
        "INSERT INTO legacy_deposits (id, reader_id, owner_unit_id, amount_fen, created_at) \
         SELECT 1, {}, min(id), 10000, 0 FROM units",
        reader.id
    ));
    let before = held(app, reader.id);
    let refused = erase(app, &reader, PIN).expect_problem(409, "wrong_state");
    let why = refused.body["detail"].as_str().expect("words").to_owned();
    for reason in ["1 open loans", "250 fen", "1 deposits of money"] {
        assert!(why.contains(reason), "{why}");
    }
    assert_eq!(held(app, reader.id), before, "nothing was changed, no hold cancelled");
    for _ in 0..7 {
        // The PIN was right: nobody is slowed down.
        erase(app, &reader, PIN).expect_problem(409, "wrong_state");
    }
    sql(format!("UPDATE readers SET debt_fen = 0 WHERE id = {}", reader.id));
    sql("DELETE FROM legacy_deposits".to_owned());
    app.post(&reader.desk, "/api/v1/check-ins", &json!({"item_barcode": barcode}))
        .expect(200);
    // What is set aside on a shelf, too.
    let bib = app.bib("水浒传", None);
    let (_, barcode) = app.item(bib, "B1", &json!({}));
    let (_, other) = app.reader("adult", "B1");
    let out = json!({"item_barcode": barcode, "card_number": other});
    app.post(&reader.desk, "/api/v1/check-outs", &out).expect(201);
    let wanted = json!({"bib_id": bib, "pickup_unit_code": "B1"});
    app.post(&reader.token, "/api/v1/me/holds", &wanted).expect(201);
    app.post(&reader.desk, "/api/v1/check-ins", &json!({"item_barcode": barcode}))
        .expect(200);
    let refused = erase(app, &reader, PIN).expect_problem(409, "wrong_state");
    let why = refused.body["detail"].as_str().expect("words").to_owned();
    assert!(
        why.contains("1 holds with a copy set aside") && !why.contains("open loans"),
        "{why}"
    );
    app.assert_sound();
}

fn an_erasure_takes_the_right_pin(app: &TestApp) {
    let reader = reader(app);
    erase(app, &reader, "918273").expect_fields(422, &["pin"]);
    app.post(&reader.token, "/api/v1/me/erasure", &json!({}))
        .expect_fields(400, &["pin"]);
    assert_eq!(held(app, reader.id).iter().filter(|(_, n)| *n == 0).count(), 1);
    // Guessing is slowed down like a log-in.
    for _ in 0..5 {
        erase(app, &reader, "918273");
    }
    erase(app, &reader, PIN).expect_problem(429, "too_many_log_ins");
}

fn of_an_erased_reader_nothing_is_left(app: &TestApp) {
    let reader = reader(app);
    let figures = "SELECT CAST(sum(n) AS BIGINT) AS n FROM daily_counts WHERE kind IN ('loan_made', 'loan_returned')";
    let counted = app.database.outside().number(figures);
    let once = || {
        let asked = app
            .request("POST", "/api/v1/me/erasure")
            .bearer(&reader.token)
            .key("erase");
        asked.json(&json!({"pin": PIN})).send()
    };
    let erased = once().expect(200);
    assert_eq!(erased.body, json!({"erased": true, "cancelled_holds": 1}));
    assert_eq!(once().expect(200).header("idempotency-replayed"), Some("true"));
    // Numbers of rows that stay without anything personal.
    let kept: Vec<(&str, i64)> = held(app, reader.id).into_iter().filter(|(_, n)| *n > 0).collect();
    let stays = [("guardianships", 1), ("reader_merges", 1), ("cards", 1), ("readers", 1)];
    assert_eq!(kept, [&[("import_rows", 1)], &stays[..]].concat());
    let words =
        "SELECT count(*) AS n FROM guardianships g, reader_merges m WHERE g.consent_form IS NOT NULL OR m.reason <> ''";
    assert_eq!(app.database.outside().number(words), 0);
    let sides = format!(
        "SELECT count(*) AS n FROM event_personal WHERE reader_id = {}",
        reader.id
    );
    assert_eq!(app.database.outside().number(&sides), 0);
    app.log_in(&json!({"card_number": reader.card, "pin": PIN}))
        .expect_problem(401, "unauthenticated");
    app.get(&reader.token, "/api/v1/me/data")
        .expect_problem(404, "not_found");
    erase(app, &reader, PIN).expect_problem(404, "not_found");
    let seen = app.get(&app.root_token(), &format!("/api/v1/readers/{}", reader.id));
    let seen = seen.expect(200).body;
    assert_eq!((&seen["name"], &seen["status"]), (&json!(""), &json!("inactive")));
    assert_ne!(seen["cards"][0]["number"], reader.card);
    // The card's number is free for somebody else, and nobody borrows with the old record.
    let (_, barcode) = app.item(app.bib("儒林外史", None), "B1", &json!({}));
    let out = json!({"item_barcode": barcode, "card_number": reader.card});
    assert_ne!(app.post(&reader.desk, "/api/v1/check-outs", &out).status, 201);
    seal(app);
    assert_eq!(app.database.outside().number(figures), counted);
    app.assert_sound();
}

/// Answers of calls about the reader by a desk, and of calls by the reader, though what they answer names nobody.
fn stored_answers_about_a_reader_go_with_the_reader(app: &TestApp) {
    app.small_network();
    let (id, card) = app.reader("adult", "B1");
    let (other, _) = app.reader("adult", "B1");
    let (token, desk) = (app.reader_token(&card), app.staff("librarian", "B1"));
    let say = |token: &str, reader: i64, channel: &str, address: &str| {
        let path = format!("/api/v1/readers/{reader}/contacts/{channel}");
        let said = app
            .request("PUT", &path)
            .bearer(token)
            .key(&format!("{channel}-{reader}"));
        said.json(&json!({"address": address})).send().expect(200)
    };
    say(&desk, id, "mail", "li@example.org");
    say(&desk, other, "mail", "wang@example.org");
    let again = say(&desk, id, "mail", "li@example.org");
    assert_eq!(again.header("idempotency-replayed"), Some("true"));
    assert_eq!(again.body["shown"], "l***@example.org");
    assert_eq!(
        again.body.get("about_reader"),
        None,
        "what is kept beside it is not told"
    );
    say(&token, id, "sms", "13800138000");
    let wishes = app
        .request("PATCH", "/api/v1/me/preferences")
        .bearer(&token)
        .key("wishes");
    wishes.json(&json!({"language": "en"})).send().expect(200);
    let kept = "SELECT count(*) AS n FROM idempotency_keys WHERE outcome LIKE '%example.org%' OR outcome LIKE '%quiet_from%' \
        OR outcome LIKE '%sms%'";
    let number = |sql: &str| app.database.outside().number(sql);
    assert_eq!(number(kept), 4);
    app.post(&token, "/api/v1/me/erasure", &json!({"pin": PIN})).expect(200);
    assert_eq!(number(kept), 1, "the other reader's");
    let theirs = format!("SELECT count(*) AS n FROM idempotency_keys WHERE reader_id = {other}");
    assert_eq!(number(&theirs), 1);
    app.assert_sound();
}
