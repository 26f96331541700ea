//! Who may do what, asked of a running server: role × operation × place, as `rights_matrix.txt` says. That file is the
//! table to read and to change; this one knows how each operation is asked for.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};
use tongjie::auth::Role;

use crate::app::{PASSWORD, PIN, ROOT_USER, TestApp};
use crate::client::Answer;
use crate::rights_scene::{Place, Scene, Things};

const TABLE: &str = include_str!("rights_matrix.txt");

on_both!(every_cell_of_the_matrix_is_what_the_server_answers);

/// One line of the table.
struct Row<'t> {
    operation: &'t str,
    at_desk: bool,
    /// Eight roles, reader, device, anonymous.
    cells: Vec<&'t str>,
}

/// Who asks, about what, and what the table says to that.
struct Cell<'s> {
    who: String,
    token: Option<&'s str>,
    things: &'s Things,
    /// A reader names nobody when it speaks of itself.
    about_itself: bool,
    expected: char,
}

fn rows() -> Vec<Row<'static>> {
    let lines = TABLE
        .lines()
        .filter(|line| !line.starts_with('#') && !line.trim().is_empty());
    lines
        .map(|line| {
            let mut words = line.split_whitespace();
            let (operation, place) = (words.next().expect("an operation"), words.next().expect("a place"));
            let cells: Vec<&str> = words.collect();
            let lengths: Vec<usize> = cells.iter().map(|cell| cell.len()).collect();
            assert_eq!(lengths, [3, 3, 3, 3, 3, 3, 3, 3, 2, 2, 1], "the row of {operation}");
            Row {
                operation,
                at_desk: place == "desk",
                cells,
            }
        })
        .collect()
}

/// Operation to method and path.
fn operations() -> BTreeMap<String, (String, String)> {
    let document = serde_json::to_value(tongjie::http::openapi()).expect("serialises");
    let mut found = BTreeMap::new();
    for (path, methods) in document["paths"].as_object().expect("paths") {
        for (method, operation) in methods.as_object().expect("methods") {
            let id = operation["operationId"].as_str().expect("an id").to_owned();
            found.insert(id, (method.to_uppercase(), path.clone()));
        }
    }
    found
}

/// Without the variant.
fn name_of(operation: &str) -> &str {
    operation.split(':').next().unwrap_or_default()
}

#[test]
fn every_operation_has_a_row() {
    let rows: Vec<&str> = rows().iter().map(|row| row.operation).collect();
    assert_eq!(
        rows.iter().collect::<BTreeSet<_>>().len(),
        rows.len(),
        "an operation has two rows"
    );
    let in_table: BTreeSet<&str> = rows.iter().map(|row| name_of(row)).collect();
    let operations = operations();
    let served: BTreeSet<&str> = operations.keys().map(String::as_str).collect();
    assert_eq!(in_table, served, "rights_matrix.txt and the OpenAPI document differ");
}

fn every_cell_of_the_matrix_is_what_the_server_answers(app: &TestApp) {
    let scene = Scene::new(app);
    let operations = operations();
    let (mut tried, mut wrong) = (0, Vec::new());
    for row in rows() {
        let route = &operations[name_of(row.operation)];
        for cell in cells(&scene, &row) {
            let answer = ask(app, &scene, row.operation, route, &cell);
            tried += 1;
            if !fits(cell.expected, &answer) {
                let body = String::from_utf8_lossy(&answer.bytes).into_owned();
                wrong.push(format!(
                    "{} by {}: {} expected, answered {} {body}",
                    row.operation, cell.who, cell.expected, answer.status
                ));
            }
        }
    }
    // And a wrong cell would be noticed.
    let unknown = app.request("GET", "/api/v1/units").send();
    assert!(fits('a', &unknown) && !['y', 'n', 'h', 'f'].iter().any(|mark| fits(*mark, &unknown)));
    println!("rights matrix: {tried} cells, {} wrong", wrong.len());
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

fn fits(expected: char, answer: &Answer) -> bool {
    let code = answer.body["code"].as_str();
    match expected {
        // A 409 is the rules' word: the caller was let through to them.
        'y' => [200, 201, 204, 409].contains(&answer.status),
        'n' => (answer.status, code) == (403, Some("forbidden")),
        'h' => (answer.status, code) == (404, Some("not_found")),
        'f' => answer.status == 422 && answer.body["errors"][0]["field"] == "card_number",
        'a' => (answer.status, code) == (401, Some("unauthenticated")),
        other => panic!("the table says {other:?}"),
    }
}

fn cells<'s>(scene: &'s Scene, row: &Row<'_>) -> Vec<Cell<'s>> {
    let mut all = Vec::new();
    for (role, marks) in Role::ALL.into_iter().zip(&row.cells) {
        for (place, expected) in Place::ALL.into_iter().zip(marks.chars()) {
            let desk = if row.at_desk { place } else { Place::Own };
            all.push(Cell {
                who: format!("{role} at {place:?}"),
                token: Some(scene.staff_token(role, desk)),
                things: scene.at(place),
                about_itself: false,
                expected,
            });
        }
    }
    let reader = [(&scene.own, "itself"), (scene.at(Place::Own), "another")];
    for ((things, whom), expected) in reader.into_iter().zip(row.cells[8].chars()) {
        all.push(Cell {
            who: format!("a reader about {whom}"),
            token: Some(&scene.reader_token),
            things,
            about_itself: whom == "itself",
            expected,
        });
    }
    for (place, expected) in [Place::Own, Place::Elsewhere].into_iter().zip(row.cells[9].chars()) {
        all.push(Cell {
            who: format!("a device, {place:?}"),
            token: Some(&scene.device_token),
            things: scene.at(place),
            about_itself: false,
            expected,
        });
    }
    all.push(Cell {
        who: "nobody".to_owned(),
        token: None,
        things: scene.at(Place::Own),
        about_itself: false,
        expected: row.cells[10].chars().next().expect("a mark"),
    });
    all
}

fn ask(app: &TestApp, scene: &Scene, operation: &str, (method, path): &(String, String), cell: &Cell<'_>) -> Answer {
    let (id, query, body) = request(app, scene, operation, cell);
    let path = path
        .replace("{id}", &id.to_string())
        .replace("{code}", &cell.things.unit_code);
    let mut request = app.request(method, &format!("{path}{query}"));
    if let Some(token) = cell.token {
        request = request.bearer(token);
    }
    if let Some(body) = body {
        request = request.json(&body);
    }
    request.send()
}

type Asked = (i64, String, Option<Value>);

/// The id in the path, the query and the body that ask for an operation on the things of a cell.
fn request(app: &TestApp, scene: &Scene, operation: &str, cell: &Cell<'_>) -> Asked {
    let things = cell.things;
    let unit = things.unit_code.as_str();
    let body = |body: Value| (0, String::new(), Some(body));
    let id = |id: i64| (id, String::new(), None);
    let query = |query: String| (0, query, None);
    let new = app.next();
    match operation {
        "healthLive" | "healthReady" | "logOut" | "logOutEverywhere" => id(0),
        "logIn" => body(json!({"username": ROOT_USER, "password": PASSWORD})),
        "refreshToken" => body(json!({"refresh_token": fresh_refresh_token(app)})),
        "addItem" => body(
            json!({"bib_id": scene.bib, "barcode": format!("m{new}"), "owner_unit_code": unit,
            "item_type": "book"}),
        ),
        "checkIn" => body(json!({"item_barcode": things.shelf_barcode})),
        "checkOut" => body(json!({"item_barcode": things.shelf_barcode, "card_number": things.card})),
        "createStaff" => body(
            json!({"username": format!("m{new}"), "name": "王", "password": PASSWORD,
            "roles": [{"role": "read_only", "unit_code": unit}]}),
        ),
        "createUnit" => body(json!({"code": format!("P{new}"), "name": "点", "kind": "point", "parent_code": unit})),
        "registerReader" => body(json!({"name": "李", "category": "adult", "home_unit_code": unit,
            "card_number": format!("m{new}"), "pin": PIN})),
        "placeHold" if cell.about_itself => body(json!({"bib_id": things.bib, "pickup_unit_code": unit})),
        "placeHold" => body(json!({"bib_id": things.bib, "pickup_unit_code": unit, "card_number": things.card})),
        "explainRule" => query(format!(
            "?unit_code={unit}&category=adult&item_type=book&owner_unit_code=M1"
        )),
        "searchBibs" => query("?q=a".to_owned()),
        "logOutEverywhere:staff" => query(format!("?staff_id={}", things.member)),
        "logOutEverywhere:reader" => query(format!("?reader_id={}", things.reader)),
        "listUnits" => query(format!("?parent={unit}")),
        "listTransits" => query(format!("?to_unit_code={unit}")),
        "getUnit" => id(0),
        "getBib" | "listBibItems" => id(things.bib),
        "getItem" => id(things.item),
        "getReader" | "listReaderHolds" | "listReaderLoans" => id(things.reader),
        "cancelHold" => id(things.hold),
        "renewLoan" => id(things.loan),
        "voidLoan" => (things.loan, String::new(), Some(json!({"reason": "门没有打开"}))),
        "receiveTransit" => id(things.transit),
        other => panic!("say here how {other} is asked for"),
    }
}

fn fresh_refresh_token(app: &TestApp) -> String {
    let session = app.log_in(&json!({"username": ROOT_USER, "password": PASSWORD}));
    let token = session.expect(201).body["refresh_token"].clone();
    token.as_str().expect("a token").to_owned()
}
