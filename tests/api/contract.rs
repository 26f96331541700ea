//! The OpenAPI document and docs/API.md as promises to others: nothing in them is silent, no example is wrong, and no
//! change goes unseen.

use serde_json::{Value, json};

use crate::app::run;
use crate::database::Engine;

const SNAPSHOT: &str = include_str!("openapi.snap.json");
const REFERENCE: &str = include_str!("../../docs/API.md");
const CONDITIONS: &str = include_str!("../../docs/CIRCULATION.md");

fn document() -> Value {
    tongjie::http::document()
}

fn none(what: &str, found: &[String]) {
    assert!(found.is_empty(), "{what}:\n{}", found.join("\n"));
}

/// Every operation, as `GET /path`, with what it says.
fn operations(document: &Value) -> Vec<(String, &Value)> {
    let paths = document["paths"].as_object().expect("paths");
    let each = paths.iter().flat_map(|(path, item)| {
        let methods = item.as_object().expect("methods");
        methods
            .iter()
            .map(move |(method, operation)| (format!("{} {path}", method.to_uppercase()), operation))
    });
    each.collect()
}

fn list<'a>(of: &'a Value, key: &str) -> impl Iterator<Item = &'a Value> {
    of[key].as_array().into_iter().flatten()
}

fn is_said(what: &Value) -> bool {
    let text = |of: &Value| {
        of["description"]
            .as_str()
            .or(of["summary"].as_str())
            .is_some_and(|text| !text.trim().is_empty())
    };
    text(what) || list(what, "oneOf").any(text)
}

/// Members of an object without a description, at any depth.
fn silent_members(at: &str, schema: &Value, found: &mut Vec<String>) {
    for (name, member) in schema["properties"].as_object().into_iter().flatten() {
        let at = format!("{at}.{name}");
        if !is_said(member) {
            found.push(at.clone());
        }
        silent_members(&at, member, found);
    }
    for parts in ["allOf", "oneOf", "anyOf"] {
        list(schema, parts).for_each(|part| silent_members(at, part, found));
    }
    if schema["items"].is_object() {
        silent_members(&format!("{at}[]"), &schema["items"], found);
    }
}

#[test]
fn the_document_is_the_one_that_was_agreed() {
    let agreed: Value = serde_json::from_str(SNAPSHOT).expect("JSON");
    let (agreed, now) = (lines(&agreed), lines(&document()));
    let gone = agreed.difference(&now).map(|line| format!("- {line}"));
    let new = now.difference(&agreed).map(|line| format!("+ {line}"));
    let changes: Vec<String> = gone.chain(new).take(80).collect();
    none(
        "the API changed. Read docs/VERSIONING.md; if the change is meant, accept it with\n  \
         cargo run -- openapi > tests/api/openapi.snap.json",
        &changes,
    );
}

/// One line per value, with the path to it: differences read well.
fn lines(document: &Value) -> std::collections::BTreeSet<String> {
    fn walk(at: &str, value: &Value, lines: &mut std::collections::BTreeSet<String>) {
        match value {
            Value::Object(members) if !members.is_empty() => {
                members
                    .iter()
                    .for_each(|(name, member)| walk(&format!("{at}/{name}"), member, lines));
            }
            Value::Array(parts) if !parts.is_empty() => {
                (0..)
                    .zip(parts)
                    .for_each(|(n, part): (u32, _)| walk(&format!("{at}/{n}"), part, lines));
            }
            leaf => drop(lines.insert(format!("{at} = {leaf}"))),
        }
    }
    let mut lines = std::collections::BTreeSet::new();
    walk("", document, &mut lines);
    lines
}

#[test]
fn every_operation_parameter_answer_and_header_says_what_it_is() {
    let document = document();
    let mut silent = Vec::new();
    for (name, operation) in operations(&document) {
        if !is_said(operation) {
            silent.push(name.clone());
        }
        for parameter in list(operation, "parameters").filter(|parameter| !is_said(parameter)) {
            silent.push(format!("{name}: parameter {}", parameter["name"]));
        }
        for (status, response) in operation["responses"].as_object().expect("responses") {
            if !is_said(response) {
                silent.push(format!("{name}: {status}"));
            }
            for (header, said) in response["headers"].as_object().into_iter().flatten() {
                if !is_said(said) {
                    silent.push(format!("{name}: {status}: header {header}"));
                }
            }
        }
    }
    none("without a description", &silent);
}

#[test]
fn a_deprecated_operation_announces_its_end() {
    let document = document();
    let mut wrong = Vec::new();
    for (name, operation) in operations(&document)
        .into_iter()
        .filter(|(_, said)| said["deprecated"] == true)
    {
        for (status, response) in operation["responses"].as_object().expect("responses") {
            let lacks = |header: &&str| response["headers"][*header].is_null();
            let lacking: Vec<&str> = ["Deprecation", "Sunset"].into_iter().filter(lacks).collect();
            if status.starts_with('2') && !lacking.is_empty() {
                wrong.push(format!("{name}: {status} lacks {lacking:?}"));
            }
        }
    }
    none("docs/VERSIONING.md says how something goes", &wrong);
}

#[test]
fn every_schema_and_member_says_what_it_is() {
    let document = document();
    let mut silent = Vec::new();
    for (name, schema) in document["components"]["schemas"].as_object().expect("schemas") {
        if !is_said(schema) {
            silent.push(name.clone());
        }
        silent_members(name, schema, &mut silent);
    }
    none(
        "without a description (a doc comment, or a word in src/http/glossary.rs)",
        &silent,
    );
}

#[test]
fn a_member_with_a_unit_says_it() {
    let document = document();
    let mut wrong = Vec::new();
    for (name, schema) in document["components"]["schemas"].as_object().expect("schemas") {
        for (member, said) in schema["properties"].as_object().into_iter().flatten() {
            let text = said["description"].as_str().unwrap_or_default().to_lowercase();
            let unit = match member.rsplit('_').next().unwrap_or_default() {
                "fen" => "fen",
                "days" if said["type"] != "array" => "day",
                "years" => "year",
                "ms" => "millisecond",
                "seconds" => "second",
                _ => continue,
            };
            if !text.contains(unit) {
                wrong.push(format!("{name}.{member} does not say {unit}: {text}"));
            }
        }
    }
    none("without its unit", &wrong);
}

#[test]
fn every_schema_has_an_example_and_every_example_fits_its_schema() {
    let document = document();
    let mut wrong = Vec::new();
    for (name, schema) in document["components"]["schemas"].as_object().expect("schemas") {
        if schema["example"].is_null() && schema["enum"].is_null() {
            let members = schema["properties"].as_object().into_iter().flatten();
            let bare: Vec<&String> = members
                .filter(|(_, member)| is_bare(member))
                .map(|(name, _)| name)
                .collect();
            wrong.push(format!(
                "{name} has no example, because {bare:?} have none here nor in src/http/glossary.rs"
            ));
        }
        examples(&document, name, schema, &mut wrong);
    }
    for (name, operation) in operations(&document) {
        for parameter in list(operation, "parameters") {
            let at = format!("{name}: {}", parameter["name"]);
            if !parameter["example"].is_null() {
                check(&document, &at, &parameter["schema"], &parameter["example"], &mut wrong);
            }
            examples(&document, &at, &parameter["schema"], &mut wrong);
        }
    }
    none("examples", &wrong);
}

/// A text or a number, or a list of such, without an example.
fn is_bare(member: &Value) -> bool {
    let has = |key: &str| !member[key].is_null();
    let kinds = member["type"].to_string();
    let leaf = ["string", "integer", "number"].iter().any(|kind| kinds.contains(kind)) && !has("format");
    !has("example") && !has("enum") && (leaf || (kinds.contains("array") && is_bare(&member["items"])))
}

/// Checks the examples of a schema and of everything in it.
fn examples(document: &Value, at: &str, schema: &Value, wrong: &mut Vec<String>) {
    if let Some(example) = schema.get("example") {
        check(document, at, schema, example, wrong);
    }
    for (name, member) in schema["properties"].as_object().into_iter().flatten() {
        examples(document, &format!("{at}.{name}"), member, wrong);
    }
    for parts in ["allOf", "oneOf", "anyOf"] {
        list(schema, parts).for_each(|part| examples(document, at, part, wrong));
    }
    if schema["items"].is_object() {
        examples(document, &format!("{at}[]"), &schema["items"], wrong);
    }
}

fn check(document: &Value, at: &str, schema: &Value, example: &Value, wrong: &mut Vec<String>) {
    let mut whole = schema.clone();
    whole["components"] = json!({"schemas": document["components"]["schemas"]});
    let validator = jsonschema::draft202012::options()
        .should_validate_formats(true)
        .build(&whole)
        .expect("a schema");
    wrong.extend(
        validator
            .iter_errors(example)
            .map(|error| format!("{at}: {example}: {error}")),
    );
}

#[test]
fn the_reference_is_printed_from_the_code() {
    let printed = tongjie::http::reference();
    assert!(
        REFERENCE == printed,
        "docs/API.md is not what the code says:\n  cargo run -- openapi --problems > docs/API.md"
    );
}

#[test]
fn a_whole_number_may_be_written_with_a_fraction_of_zero() {
    run(Engine::Sqlite, |app| {
        let send = |bib: &str| {
            let body = format!(
                "{{\"bib_id\": {bib}, \"barcode\": \"1.0\", \"owner_unit_code\": \"x\", \"item_type\": \"book\"}}"
            );
            let request = app.request("POST", "/api/v1/items").bearer(&app.root_token());
            request
                .header("Content-Type", "application/json")
                .bytes(body.as_bytes())
                .send()
        };
        send("7.0").expect_fields(422, &["owner_unit_code"]);
        send("7.5").expect_fields(400, &["bib_id"]);
    });
}

#[test]
fn the_printed_page_of_conditions_is_the_codes() {
    assert!(
        CONDITIONS == tongjie::http::conditions(),
        "docs/CIRCULATION.md is not what the code says:\n  cargo run -- openapi --conditions > docs/CIRCULATION.md"
    );
}
