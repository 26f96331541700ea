//! The OpenAPI document as it is served. The handlers declare it (`openapi`); this fills in what they leave open: words of
//! the glossary, bounds of request texts, examples put together from those of the members. A declaration always wins.
//! Not for: operations. What a handler does not declare is not there.

use serde_json::{Map, Value, json};

use super::bounds;
use super::glossary::{self, Term};

/// Deeper than any schema of ours; a schema that contains itself ends here.
const MAX_DEPTH: usize = 12;

/// The whole document, as `tongjie openapi` prints it and `/api/v1/openapi.json` serves it.
pub fn document() -> Value {
    let declared = serde_json::to_value(super::openapi());
    // It is made of strings and maps: it always serialises, and a test reads it.
    let mut document = declared.unwrap_or_default();
    for (path, operation) in operations(&mut document) {
        describe_operation(&path, operation);
    }
    schemas(&mut document).for_each(|(_, schema)| describe(schema));
    bounds::apply(&mut document);
    give_examples(&mut document);
    document
}

/// Every operation with its path.
pub(super) fn operations(document: &mut Value) -> Vec<(String, &mut Value)> {
    let paths = document.get_mut("paths").and_then(Value::as_object_mut);
    let each = paths.into_iter().flatten().flat_map(|(path, item)| {
        let methods = item.as_object_mut().into_iter().flatten();
        methods.map(move |(_, operation)| (path.clone(), operation))
    });
    each.collect()
}

/// The schemas with their names.
pub(super) fn schemas(document: &mut Value) -> impl Iterator<Item = (&String, &mut Value)> {
    let schemas = document
        .pointer_mut("/components/schemas")
        .and_then(Value::as_object_mut);
    schemas.into_iter().flatten()
}

fn describe_operation(path: &str, operation: &mut Value) {
    let mut takes_key = false;
    for parameter in list(operation, "parameters") {
        let name = parameter["name"].as_str().unwrap_or_default().to_owned();
        takes_key |= name == "Idempotency-Key";
        if parameter["in"] == "path" && name == "id" {
            describe_id(path, parameter);
        } else if let Some(term) = glossary::term(&name) {
            say(parameter, term.means);
        }
        let no_example = parameter.get("example").is_none() && parameter["schema"].get("example").is_none();
        if let Some(example) = glossary::term(&name).and_then(example_of_term)
            && no_example
            && fits(&parameter["schema"], &example)
        {
            parameter["example"] = example;
        }
    }
    let responses = operation["responses"].as_object_mut().into_iter().flatten();
    for (status, response) in responses {
        if let Some(header) = response.pointer_mut("/headers/Location") {
            say(header, "Address of what was made");
        }
        let heads = match status.as_str() {
            "200" | "201" if takes_key => &[REPLAYED][..],
            "401" => &[CHALLENGE],
            "429" | "503" => &[RETRY_AFTER],
            _ => &[],
        };
        for (name, means, kind) in heads {
            let header = &mut response["headers"][name];
            if header.is_null() {
                *header = json!({"description": means, "schema": {"type": kind}});
            }
        }
    }
}

const REPLAYED: (&str, &str, &str) = (
    "Idempotency-Replayed",
    "`true` when this is the stored answer to an earlier request with the same key",
    "string",
);
const CHALLENGE: (&str, &str, &str) = ("WWW-Authenticate", "Always `Bearer`", "string");
const RETRY_AFTER: (&str, &str, &str) = ("Retry-After", "Seconds after which another try makes sense", "integer");

/// `/readers/{id}/loans`: the number of the reader.
fn describe_id(path: &str, parameter: &mut Value) {
    let before = path.split("/{id}").next().unwrap_or_default();
    let thing = before.rsplit('/').next().unwrap_or_default().trim_end_matches('s');
    say(parameter, &format!("Number of the {}", thing.replace('-', " ")));
    if parameter.get("example").is_none() {
        parameter["example"] = json!(1042);
    }
}

/// Gives a schema's members the glossary's words, all the way down.
fn describe(schema: &mut Value) {
    let members = schema.get_mut("properties").and_then(Value::as_object_mut);
    for (name, member) in members.into_iter().flatten() {
        if let Some(term) = glossary::term(name) {
            describe_member(member, term);
        }
        describe(member);
    }
    for parts in ["allOf", "oneOf", "anyOf"] {
        list(schema, parts).for_each(describe);
    }
    if let Some(items) = schema.get_mut("items") {
        describe(items);
    }
}

fn describe_member(member: &mut Value, term: &Term) {
    let said_inside = list(member, "oneOf").any(|part| part.get("description").is_some());
    if !said_inside {
        say(member, term.means);
    }
    let silent = ["example", "examples", "enum"]
        .iter()
        .all(|key| member.get(key).is_none());
    let listed = member["description"].as_str().and_then(first_listed).map(Value::from);
    if let Some(example) = listed.or_else(|| example_of_term(term))
        && silent
        && fits(member, &example)
    {
        member["example"] = example;
    }
}

/// The first of the words that a description lists: `open` of "`open`, `returned` or `lost`".
fn first_listed(description: &str) -> Option<&str> {
    let (word, rest) = description.strip_prefix('`')?.split_once('`')?;
    let listed = [", ", " or ", " ("].iter().any(|follows| rest.starts_with(follows));
    listed.then_some(word)
}

fn say(what: &mut Value, means: &str) {
    if what.get("description").is_none() {
        what["description"] = means.into();
    }
}

fn example_of_term(term: &Term) -> Option<Value> {
    serde_json::from_str(term.example).ok()
}

/// Whether a schema's `type` is one of the example's; schemas elsewhere give their own.
fn fits(schema: &Value, example: &Value) -> bool {
    let kind = match example {
        Value::Null => "null",
        Value::Bool(_) => "boolean",
        Value::Number(number) if number.is_i64() => "integer",
        Value::Number(_) => "number",
        Value::String(_) => "string",
        Value::Array(list) => {
            return schema["type"] == "array" && !list.is_empty() && fits(&schema["items"], &list[0]);
        }
        Value::Object(_) => "object",
    };
    has_type(schema, kind)
}

/// Whether a schema's `type` is this or allows it.
pub(super) fn has_type(schema: &Value, kind: &str) -> bool {
    match &schema["type"] {
        Value::String(one) => one == kind,
        Value::Array(several) => several.iter().any(|one| one == kind),
        _ => false,
    }
}

fn list<'a>(of: &'a mut Value, key: &str) -> impl Iterator<Item = &'a mut Value> {
    of.get_mut(key).and_then(Value::as_array_mut).into_iter().flatten()
}

/// Gives every named schema an example, put together from its members'.
fn give_examples(document: &mut Value) {
    let whole = document.clone();
    let requests = bounds::request_schemas(&whole);
    for (name, schema) in schemas(document) {
        let silent = schema.get("example").is_none() && schema.get("enum").is_none();
        if let Some(example) = example(&whole, schema, requests.contains(name), 0)
            && silent
        {
            schema["example"] = example;
        }
    }
}

/// An example of a schema; `None` where a member has none, which a test finds. Of a request: what it must have.
fn example(document: &Value, schema: &Value, brief: bool, depth: usize) -> Option<Value> {
    if let Some(own) = schema.get("example") {
        return Some(own.clone());
    }
    if let Some(first) = schema["enum"].get(0).or(schema.get("default")) {
        return Some(first.clone());
    }
    let inner = |schema: &Value| example(document, schema, brief, depth + 1);
    if depth > MAX_DEPTH {
        return None;
    }
    if let Some(name) = bounds::reference(schema) {
        return inner(&document["components"]["schemas"][name]);
    }
    if let Some(parts) = schema["allOf"].as_array() {
        let mut whole = Map::new();
        for part in parts {
            whole.extend(inner(part)?.as_object()?.clone());
        }
        return Some(whole.into());
    }
    if let Some(parts) = schema["oneOf"].as_array().or(schema["anyOf"].as_array()) {
        return inner(parts.iter().find(|part| part["type"] != "null")?);
    }
    let is = |kind: &str| has_type(schema, kind);
    if is("array") {
        let least = schema["minItems"].as_u64().unwrap_or(1).max(1);
        let item = inner(&schema["items"])?;
        return Some((0..least).map(|_| item.clone()).collect());
    }
    if is("object") {
        return example_object(schema, brief, inner);
    }
    match schema["format"].as_str() {
        Some("date-time") => Some(json!("2026-03-04T04:00:00Z")),
        Some("date") => Some(json!("2026-03-04")),
        _ if is("boolean") => Some(json!(false)),
        _ if is("null") => Some(Value::Null),
        _ => None,
    }
}

fn example_object(schema: &Value, brief: bool, inner: impl Fn(&Value) -> Option<Value>) -> Option<Value> {
    let required = schema["required"].as_array().cloned().unwrap_or_default();
    let mut whole = Map::new();
    for (name, member) in schema["properties"].as_object().into_iter().flatten() {
        if !brief || required.iter().any(|one| one == name) {
            whole.insert(name.clone(), inner(member)?);
        }
    }
    Some(whole.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_declaration_wins_over_the_glossary() {
        let mut schema = json!({"type": "object", "properties": {
            "item_id": {"type": "integer", "description": "This copy only"},
            "bib_id": {"type": ["integer", "null"]},
            "title": {"type": "integer"}}});
        describe(&mut schema);
        let members = &schema["properties"];
        assert_eq!(members["item_id"]["description"], "This copy only");
        assert_eq!(members["item_id"]["example"], 1043);
        assert_eq!(members["bib_id"]["description"], "Number of the bib");
        assert!(
            members["title"].get("example").is_none(),
            "a text is no example of a number"
        );
    }

    #[test]
    fn an_example_is_put_together_from_those_of_the_members() {
        let document = json!({"components": {"schemas": {"Unit": {"type": "string", "example": "B01"}}}});
        let schema = json!({"type": "object", "required": ["units"], "properties": {
            "units": {"type": "array", "minItems": 2, "items": {"$ref": "#/components/schemas/Unit"}},
            "on": {"type": ["string", "null"], "format": "date"}}});
        let whole = example(&document, &schema, false, 0);
        assert_eq!(whole, Some(json!({"units": ["B01", "B01"], "on": "2026-03-04"})));
        assert_eq!(
            example(&document, &schema, true, 0),
            Some(json!({"units": ["B01", "B01"]}))
        );
        assert_eq!(example(&document, &json!({"type": "string"}), false, 0), None);
    }
}
