//! Bibs that turn out to be one: items, loans and look-ups lead to the one that survives.

use serde_json::{Value, json};
use tongjie::domain::merge_bibs::MOST_ITEMS;
use tongjie::usecase::import_csv::{CsvEncoding, CsvOptions, CsvSource, Kind, import_csv};
use tongjie::usecase::import_marc::{ImportOptions, Source, import_marc};
use tongjie::usecase::progress::Silent;

use crate::app::TestApp;
use crate::merge_scene::Scene;

on_both!(
    items_and_open_loans_go_to_the_survivor_and_history_stays,
    look_ups_lead_to_the_survivor_and_a_search_shows_it_alone,
    nothing_is_added_to_a_merged_bib,
    an_import_that_matched_the_duplicate_finds_the_survivor,
    items_that_name_the_duplicate_in_a_file_go_to_the_survivor,
    what_was_merged_before_goes_along,
    a_wrong_merge_changes_nothing_and_says_why,
    a_merge_is_done_once_under_its_key,
    a_dry_run_tells_and_changes_nothing,
    too_much_for_one_act_is_refused,
);

fn items_and_open_loans_go_to_the_survivor_and_history_stays(app: &TestApp) {
    let scene = Scene::new(app);
    let (survivor, duplicate) = (app.bib("史记", None), app.bib("史记(重)", None));
    let (own, _) = app.item(survivor, "B1", &json!({}));
    let (lent, barcode, _) = scene.lent_copy(duplicate);
    let (shelf, read) = app.item(duplicate, "B2", &json!({}));
    let (reader, card) = scene.reader();
    let past = scene.lend(&card, &read);
    scene.back(&scene.far, &read);
    app.tick();
    let open = scene.lend(&card, &read);
    let merged = scene.merge(survivor, &[duplicate]);
    assert_eq!(
        (&merged["items_moved"], &merged["loans_moved"], &merged["merged"]),
        (&json!(2), &json!(2), &json!([duplicate]))
    );
    let items = |bib: i64| scene.ids(&format!("/api/v1/bibs/{bib}/items"));
    assert_eq!((items(survivor), items(duplicate)), (vec![own, lent, shelf], vec![]));
    let loans = scene.get(&format!("/api/v1/readers/{reader}/loans?status=all&reason=asked"));
    let told = |n: usize| {
        let loan = &loans["items"][n];
        (loan["id"].clone(), loan["bib_id"].clone(), loan["title"].clone())
    };
    assert_eq!(told(0), (json!(open), json!(survivor), json!("史记")));
    assert_eq!(told(1), (json!(past), json!(duplicate), json!("史记(重)")));
    assert_eq!(scene.bib(duplicate)["merged_into"], survivor);
    let versions = scene.get(&format!("/api/v1/bibs/{duplicate}/versions"));
    assert_eq!(versions["items"].as_array().map(Vec::len), Some(1));
    for (desk, barcode) in [(&scene.desk, &barcode), (&scene.far, &read)] {
        scene.back(desk, barcode);
    }
    app.assert_sound();
}

fn look_ups_lead_to_the_survivor_and_a_search_shows_it_alone(app: &TestApp) {
    let scene = Scene::new(app);
    let isbn = "9787503717444";
    let first = app.bib("红楼梦", Some(isbn));
    let survivor = app.bib("红楼梦", None);
    let other = app.bib("红楼梦", Some(isbn));
    let duplicate = app.bib("红楼梦", Some("9787020002207"));
    scene.merge(survivor, &[first, duplicate]);
    let find = |query: &str| scene.ids(&format!("/api/v1/bibs?{query}"));
    assert_eq!(find("q=%E7%BA%A2%E6%A5%BC%E6%A2%A6"), [survivor, other]);
    assert_eq!(find("isbn=9787020002207"), [survivor]);
    assert_eq!(find(&format!("isbn={isbn}")), [survivor, other]);
    assert_eq!(find(&format!("control_number=cn{duplicate}")), [survivor]);
    assert_eq!(find(&format!("control_number=cn{survivor}")), [survivor]);
    let page = scene.get(&format!("/api/v1/bibs?isbn={isbn}&limit=1"));
    assert_eq!(page["items"][0]["id"], survivor);
    let next = page["next_cursor"].as_str().expect("another page");
    assert_eq!(find(&format!("isbn={isbn}&limit=1&cursor={next}")), [other]);
}

fn nothing_is_added_to_a_merged_bib(app: &TestApp) {
    let scene = Scene::new(app);
    let (survivor, duplicate) = (app.bib("史记", None), app.bib("史记", None));
    scene.merge(survivor, &[duplicate]);
    let (_, card) = scene.reader();
    let root = app.root_token();
    let item = json!({"bib_id": duplicate, "barcode": "09", "owner_unit_code": "B1", "item_type": "book"});
    let mut row = item.clone();
    row["op"] = "add".into();
    let batch = app
        .post(&root, "/api/v1/item-batches", &json!({"rows": [row]}))
        .expect(200);
    assert_eq!(batch.body["rows"][0]["problem"]["code"], "bib_merged");
    let record = crate::rights_scene::record("史记");
    let update = app
        .request("PUT", &format!("/api/v1/bibs/{duplicate}"))
        .bearer(&root)
        .header("If-Match", "\"1\"")
        .json(&record)
        .send();
    let further = app.bib("史记", None);
    for answer in [
        app.post(&root, "/api/v1/items", &item),
        scene.try_hold(&card, duplicate, None, "B1"),
        update,
        scene.try_merge(duplicate, &[further]),
    ] {
        let problem = answer.expect_problem(409, "bib_merged").body;
        assert_eq!(problem["merged_into"], survivor);
        assert_eq!(
            problem["detail"],
            format!("bib {duplicate} was merged into bib {survivor}: use that one")
        );
    }
    app.assert_sound();
}

/// A record of the API, as a file has it.
fn marc(app: &TestApp, isbn: &str) -> (i64, Vec<u8>) {
    let mut record = crate::rights_scene::record("Kind of blue");
    let number = json!({"020": {"ind1": " ", "ind2": " ", "subfields": [{"a": isbn}]}});
    record["fields"].as_array_mut().expect("fields").insert(0, number);
    let made = app.post(&app.root_token(), "/api/v1/bibs", &record).expect(201).body;
    let fields = record["fields"].as_array().expect("fields");
    let leader = record["leader"].as_str().expect("a leader");
    let parsed = tongjie::catalogue::marc::from_json(leader, fields).expect("a record");
    let bytes = tongjie::catalogue::marc::to_iso2709(&parsed).expect("bytes");
    (made["bib"]["id"].as_i64().expect("an id"), bytes)
}

fn an_import_that_matched_the_duplicate_finds_the_survivor(app: &TestApp) {
    let scene = Scene::new(app);
    let (duplicate, bytes) = marc(app, "9780306406157");
    let survivor = app.bib("Kind of blue", None);
    scene.merge(survivor, &[duplicate]);
    let record = crate::rights_scene::record("Kind of blue, corrected");
    let changed = app.request("PUT", &format!("/api/v1/bibs/{survivor}"));
    let changed = changed
        .bearer(&app.root_token())
        .header("If-Match", "\"1\"")
        .json(&record);
    changed.send().expect(200);
    let source = Source {
        name: "again.mrc".to_owned(),
        reader: Box::new(std::io::Cursor::new(bytes)),
    };
    let import = import_marc(&app.app.store, vec![source], ImportOptions::default(), &Silent);
    let report = app.block_on(import).expect("an import");
    assert_eq!((report.created, report.merged, report.rejected), (0, 1, 0));
    let mut outside = app.database.outside();
    let last = "SELECT bib_id AS n FROM events WHERE kind = 'bib_merged' ORDER BY txid DESC, seq DESC LIMIT 1";
    assert_eq!(
        outside.number(last),
        survivor,
        "the record's own ISBN was not lost with the update"
    );
}

fn items_that_name_the_duplicate_in_a_file_go_to_the_survivor(app: &TestApp) {
    let scene = Scene::new(app);
    let [survivor, by_isbn, by_id] = [None, Some("9787503717444"), None].map(|isbn| app.bib("史记", isbn));
    scene.merge(survivor, &[by_isbn, by_id]);
    let import = || {
        let file =
            format!("barcode,isbn,bib_id,item_type\nA1,9787503717444,,book\nA2,,{by_id},book\nA3,,{survivor},book\n");
        let source = CsvSource {
            name: "items.csv".to_owned(),
            file: Box::new(std::io::Cursor::new(file.into_bytes())),
        };
        let options = CsvOptions {
            kind: Kind::Items,
            owner: "B1".to_owned(),
            encoding: CsvEncoding::Auto,
            dry_run: false,
        };
        let report = app.block_on(import_csv(&app.app.store, source, options, &Silent));
        let report = report.expect("an import");
        (report.created, report.unchanged, report.rejected)
    };
    assert_eq!(import(), (3, 0, 0));
    assert_eq!(import(), (0, 3, 0), "the same file again changes nothing");
    assert_eq!(scene.ids(&format!("/api/v1/bibs/{survivor}/items")).len(), 3);
    app.assert_sound();
}

fn what_was_merged_before_goes_along(app: &TestApp) {
    let scene = Scene::new(app);
    let [a, b, c] = [Some("9787503717444"), None, None].map(|isbn| app.bib("史记", isbn));
    let (item, _) = app.item(a, "B1", &json!({}));
    scene.merge(b, &[a]);
    scene.merge(c, &[b]);
    assert_eq!(
        (scene.bib(a)["merged_into"].clone(), scene.bib(b)["merged_into"].clone()),
        (json!(c), json!(c))
    );
    assert_eq!(scene.ids("/api/v1/bibs?isbn=9787503717444"), [c]);
    assert_eq!(scene.ids(&format!("/api/v1/bibs/{c}/items")), [item]);
    scene.try_merge(a, &[c]).expect_problem(409, "bib_merged");
    scene.try_merge(c, &[a]).expect_fields(422, &["duplicates[0]"]);
}

fn a_wrong_merge_changes_nothing_and_says_why(app: &TestApp) {
    let scene = Scene::new(app);
    let [a, b, merged] = [(); 3].map(|()| app.bib("史记", None));
    scene.merge(b, &[merged]);
    app.item(b, "B1", &json!({}));
    let traces = app.database.outside().traces();
    let fails = |list: Value, fields: &[&str]| {
        let body = json!({"duplicates": list});
        scene.asked(a, "\"1\"", &body).send().expect_fields(422, fields);
    };
    fails(json!([]), &["duplicates"]);
    fails(json!((1000..1021).collect::<Vec<i64>>()), &["duplicates"]);
    fails(json!([b, a, b]), &["duplicates[1]", "duplicates[2]"]);
    fails(json!([1, b, merged]), &["duplicates[0]", "duplicates[2]"]);
    fails(json!([-1, i64::MAX]), &["duplicates[0]", "duplicates[1]"]);
    let one = json!({"duplicates": [b]});
    scene
        .asked(a, "\"2\"", &one)
        .send()
        .expect_problem(412, "precondition_failed");
    scene.asked(1, "\"1\"", &one).send().expect_problem(404, "not_found");
    let path = format!("/api/v1/bibs/{a}/merges");
    app.post(&scene.cataloguer, &path, &one)
        .expect_problem(428, "precondition_required");
    for (body, field) in [
        (json!({}), "duplicates"),
        (json!({"duplicates": "1"}), "duplicates"),
        (json!({"duplicates": [1.5]}), "duplicates[0]"),
        (json!({"duplicates": [b], "into": a}), "into"),
        (json!({"duplicates": [b], "reason": ""}), "reason"),
    ] {
        scene.asked(a, "\"1\"", &body).send().expect_fields(400, &[field]);
    }
    let librarian = app
        .request("POST", &path)
        .bearer(&scene.desk)
        .header("If-Match", "\"1\"");
    librarian.json(&one).send().expect_problem(403, "forbidden");
    assert_eq!(app.database.outside().traces(), traces);
    assert_eq!(scene.bib(b)["merged_into"], Value::Null);
    app.assert_sound();
}

fn a_merge_is_done_once_under_its_key(app: &TestApp) {
    let scene = Scene::new(app);
    let [a, b, c] = [(); 3].map(|()| app.bib("史记", None));
    let send = |list: &[i64]| {
        let body = json!({"duplicates": list, "reason": "同一版本"});
        scene.asked(a, "\"1\"", &body).key("merge-1").send()
    };
    let first = send(&[b]).expect(200);
    assert_eq!(
        (first.header("etag"), first.header("idempotency-replayed")),
        (Some("\"1\""), None)
    );
    let again = send(&[b]).expect(200);
    assert_eq!(
        (again.header("idempotency-replayed"), &again.body),
        (Some("true"), &first.body)
    );
    send(&[c]).expect_problem(422, "idempotency_key_reused");
    scene.try_merge(a, &[b]).expect_fields(422, &["duplicates[0]"]);
    let mut outside = app.database.outside();
    let events = "SELECT count(*) AS n FROM events WHERE kind = 'bib_merged' AND detail LIKE '%同一版本%'";
    assert_eq!(outside.number(events), 1);
}

fn a_dry_run_tells_and_changes_nothing(app: &TestApp) {
    let scene = Scene::new(app);
    let [a, b] = [(); 2].map(|()| app.bib("史记", None));
    scene.lent_copy(b);
    let hold = scene.hold(&scene.reader().1, b);
    let traces = app.database.outside().traces();
    let body = json!({"duplicates": [b], "dry_run": true});
    let told = scene.asked(a, "\"1\"", &body).key("rehearsal").send().expect(200).body;
    assert_eq!(
        (&told["dry_run"], &told["items_moved"], &told["holds_moved"]),
        (&json!(true), &json!(1), &json!([hold]))
    );
    assert_eq!(app.database.outside().traces(), traces);
    assert_eq!(scene.bib(b)["merged_into"], Value::Null);
    scene
        .asked(a, "\"2\"", &body)
        .send()
        .expect_problem(412, "precondition_failed");
    let mut done = scene.merge(a, &[b]);
    done["dry_run"] = true.into();
    assert_eq!(done, told, "the act is what the rehearsal said");
}

/// Copies of a bib's first item, straight into the database.
fn copy_items(app: &TestApp, bib: i64, count: usize) {
    app.item(bib, "B1", &json!({}));
    let sql = format!(
        "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {}) \
         INSERT INTO items (id, bib_id, barcode, owner_unit_id, home_unit_id, current_unit_id, item_type_id, status, \
         not_for_loan, for_children, parts, last_event_at, created_at) \
         SELECT 1000000 + n.i, bib_id, 'x' || n.i, owner_unit_id, home_unit_id, current_unit_id, item_type_id, status, \
         not_for_loan, for_children, parts, last_event_at, created_at FROM items, n WHERE bib_id = {bib}",
        count - 1
    );
    app.database.outside().run(&sql);
}

fn too_much_for_one_act_is_refused(app: &TestApp) {
    let scene = Scene::new(app);
    let [a, b] = [(); 2].map(|()| app.bib("语文课本", None));
    copy_items(app, b, MOST_ITEMS + 1);
    let refused = scene.try_merge(a, &[b]).expect_problem(409, "wrong_state").body;
    let detail = refused["detail"].as_str().expect("a detail");
    assert!(detail.contains("5000 items"), "{detail}");
    let merged = scene.merge(b, &[a]);
    assert_eq!(merged["items_moved"], 0, "the other way round it goes");
}
