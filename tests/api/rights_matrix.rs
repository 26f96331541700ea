//! Who may do what, asked of a running server: role × operation × place, as `rights_matrix.txt` says. That file is the
//! table to read and to change; `rights_requests.rs` knows how each operation is asked for.

use std::collections::{BTreeMap, BTreeSet};

use tongjie::auth::Role;

use crate::app::TestApp;
use crate::client::Answer;
use crate::rights_requests::{About, asked};
use crate::rights_scene::{Place, Scene, Things};

/// Cells in which somebody gets done what they ask for: every y, and system at the root for what nobody else may. A cell
/// that ends in anything else proves little.
const DONE: usize = 2536;

const TABLE: &str = include_str!("rights_matrix.txt");

on_both!(every_cell_of_the_matrix_is_what_the_server_answers);

/// One line of the table.
struct Row<'t> {
    operation: &'t str,
    at_desk: bool,
    at_root: bool,
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
    /// The account of a member of staff.
    account: i64,
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
                at_root: place == "root",
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
    let (mut tried, mut done, mut open, mut wrong) = (0, 0, 0, Vec::new());
    for row in rows() {
        let route = &operations[name_of(row.operation)];
        for cell in cells(&scene, &row) {
            let answer = ask(app, &scene, row.operation, route, &cell);
            tried += 1;
            open += usize::from(cell.expected == '?');
            done += usize::from((200..300).contains(&answer.status));
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
    println!(
        "rights matrix: {tried} cells, {done} done, {open} not settled, {} wrong",
        wrong.len()
    );
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert_eq!(done, DONE, "cells of the table that end in what they ask for");
    whoever_may_not_is_told_so_whatever_is_asked(app, &scene, &operations);
}

/// Right first, content second: a body that cannot even be read is no reason to say more than no.
fn whoever_may_not_is_told_so_whatever_is_asked(
    app: &TestApp,
    scene: &Scene,
    operations: &BTreeMap<String, (String, String)>,
) {
    let (mut refused, mut wrong) = (0, Vec::new());
    for row in rows() {
        let (method, path) = &operations[name_of(row.operation)];
        // These read off what they are asked for which right it takes.
        let looked_up = row.operation.starts_with("logOutEverywhere:") || row.operation.ends_with(":system");
        if method == "GET" || looked_up {
            continue;
        }
        let path = path
            .replace("{id}", "1")
            .replace("{code}", "M1")
            .replace("{version}", "1")
            .replace("{number}", "1")
            .replace("{round_id}", "1")
            .replace("{collection}", "x")
            .replace("{kind}", "due_soon")
            .replace("{language}", "en")
            .replace("{channel}", "mail")
            .replace("{delivery}", "1")
            .replace("{key_id}", "q83vEjRW")
            .replace("{consent}", "research");
        let own = |role| scene.staff(role, Place::Own).0;
        let staff = Role::ALL.into_iter().map(own);
        let tokens = staff.chain([&*scene.reader_token, &*scene.device_token]);
        // System and unit manager have the right that is asked for at the root, only lower down: known once it is looked up.
        let lower_down = if row.at_root { 2 } else { 0 };
        for (token, marks) in tokens.zip(&row.cells).skip(lower_down) {
            if marks.chars().all(|mark| mark == 'n') {
                let request = app.request(method, &path).bearer(token);
                // What is said in the query is as broken: it is not there.
                let broken = if method == "DELETE" {
                    request
                } else {
                    request.broken_json()
                };
                let answer = broken.send();
                refused += 1;
                if !fits('n', &answer) {
                    wrong.push(format!("{} with {marks}: {}", row.operation, answer.status));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "the content before the right: {}", wrong.join("\n"));
    assert!(refused > 200, "{refused} cells without the right anywhere");
}

fn fits(expected: char, answer: &Answer) -> bool {
    let code = answer.body["code"].as_str();
    match expected {
        'y' => [200, 201, 204].contains(&answer.status),
        'n' => (answer.status, code) == (403, Some("forbidden")),
        'h' => (answer.status, code) == (404, Some("not_found")),
        'f' => answer.status == 422 && answer.body["errors"][0]["field"] == "card_number",
        '?' => fits('y', answer) || fits('n', answer),
        'r' => (answer.status, code) == (409, Some("wrong_state")),
        'a' => (answer.status, code) == (401, Some("unauthenticated")),
        other => panic!("the table says {other:?}"),
    }
}

fn cells<'s>(scene: &'s Scene, row: &Row<'_>) -> Vec<Cell<'s>> {
    let mut all = staff_cells(scene, row);
    all.extend(other_cells(scene, row));
    // What nobody of the table may do, somebody may.
    if row.cells.iter().all(|marks| !marks.contains(['y', 'r'])) && row.cells.iter().any(|marks| marks.contains('n')) {
        let things = scene.at(Place::Own);
        all.push(cell(
            "system at the root".to_owned(),
            Some(&scene.root_token),
            things,
            'y',
        ));
    }
    all
}

fn cell<'s>(who: String, token: Option<&'s str>, things: &'s Things, expected: char) -> Cell<'s> {
    Cell {
        who,
        token,
        things,
        about_itself: false,
        account: 0,
        expected,
    }
}

fn staff_cells<'s>(scene: &'s Scene, row: &Row<'_>) -> Vec<Cell<'s>> {
    let mut all = Vec::new();
    for (role, marks) in Role::ALL.into_iter().zip(&row.cells) {
        for (place, expected) in Place::ALL.into_iter().zip(marks.chars()) {
            let desk = if row.at_desk { place } else { Place::Own };
            let (token, account) = scene.staff(role, desk);
            let named = format!("{role} at {place:?}");
            let asked = cell(named, Some(token), scene.at(place), expected);
            all.push(Cell { account, ..asked });
        }
    }
    all
}

fn other_cells<'s>(scene: &'s Scene, row: &Row<'_>) -> Vec<Cell<'s>> {
    let own = scene.at(Place::Own);
    let mut marks = row.cells[8..].iter().flat_map(|marks| marks.chars());
    let mut next = || marks.next().expect("a mark");
    let (reader, device) = (Some(&*scene.reader_token), Some(scene.device_for(row.operation)));
    let mut itself = cell("a reader about itself".to_owned(), reader, &scene.own, next());
    itself.about_itself = true;
    let another = cell("a reader about another".to_owned(), reader, own, next());
    let mut all = vec![itself, another];
    for place in [Place::Own, Place::Elsewhere] {
        all.push(cell(format!("a device, {place:?}"), device, scene.at(place), next()));
    }
    all.push(cell("nobody".to_owned(), None, own, next()));
    all
}

fn ask(app: &TestApp, scene: &Scene, operation: &str, (method, path): &(String, String), cell: &Cell<'_>) -> Answer {
    let about = About {
        app,
        scene,
        things: cell.things,
        itself: cell.about_itself,
        account: cell.account,
        allowed: cell.expected == 'y',
    };
    let asked = asked(operation, &about);
    let path = path
        .replace("{id}", &asked.id.to_string())
        .replace("{code}", &asked.code)
        .replace("{version}", &asked.version.to_string())
        .replace("{number}", "1")
        .replace("{round_id}", &asked.version.to_string())
        .replace("{collection}", "general")
        .replace("{kind}", "due_soon")
        .replace("{language}", "en")
        .replace("{channel}", "mail")
        .replace("{delivery}", &asked.version.to_string())
        .replace("{key_id}", &asked.code)
        .replace("{consent}", "research");
    let mut request = app.request(method, &format!("{path}{}", asked.query));
    // Another cell has logged the reader out, and these look at the session, not at its token alone.
    let asks_for_session = [
        "revokeCardTokens",
        "reportCardLost",
        "updateMyPreferences",
        "confirmMyContact",
        "setReaderContact",
    ];
    let of_reader = cell.token == Some(&*scene.reader_token) && asks_for_session.contains(&operation);
    let again = of_reader.then(|| app.reader_token(&scene.own.card));
    if let Some(token) = again.as_deref().or(cell.token) {
        request = request.bearer(token);
    }
    let versioned = [
        "updateBib",
        "mergeBibs",
        "updateRuleDraft",
        "discardRuleDraft",
        "publishRules",
        "updateDeposit",
        "setStops",
    ];
    if versioned.contains(&operation) {
        request = request.header("If-Match", "\"1\"");
    }
    if let Some(body) = asked.body {
        request = request.json(&body);
    }
    let answer = request.send();
    if name_of(operation) == "itemBatch" {
        of_its_row(answer)
    } else {
        answer
    }
}

/// What a batch of one row says of that row, as the single operation would have said it.
fn of_its_row(mut answer: Answer) -> Answer {
    if answer.status == 200 {
        let mut row = answer.body["rows"][0].take();
        answer.status = row["status"]
            .as_u64()
            .and_then(|status| status.try_into().ok())
            .expect("a status");
        answer.body = row["problem"].take();
    }
    answer
}
