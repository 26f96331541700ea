//! What requests may hold, said exactly. The extractors (`input`) decide it; here the OpenAPI document says the same of
//! every request text that does not say it itself, so that a client's generator and a fuzzer know it too.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::described::{has_type, operations, schemas};
use super::v1::consent::MAX_CONSENT;

/// `input::Text`: something to see, and no control characters but line breaks and tabs.
const TEXT: &str = "^[^\\u0000-\\u0008\\u000b-\\u001f\\u007f-\\u009f]*\
    [^\\u0000-\\u0020\\u007f-\\u00a0\\u1680\\u2000-\\u200a\\u2028\\u2029\\u202f\\u205f\\u3000]\
    [^\\u0000-\\u0008\\u000b-\\u001f\\u007f-\\u009f]*$";
/// `Barcode` and `CardNumber`: visible ASCII; blanks around it are dropped.
const NUMBER: &str = "^ *[!-~]{1,64} *$";
const NUMBERS: [&str; 4] = ["item_barcode", "barcode", "card_number", "item_barcodes"];
/// `input::Cursor`: eight bytes in URL-safe base64.
const CURSOR: &str = "^[A-Za-z0-9_-]{10}[AEIMQUYcgkosw048]$";
/// `input::Day` and `input::Moment`: years that the calendar of a library can mean.
const YEARS: &str = "^(1[89][0-9]{2}|2[01][0-9]{2}|2200)-";

/// Says the bounds of every request of the document.
pub fn apply(document: &mut Value) {
    let requests = request_schemas(document);
    for (_, operation) in operations(document) {
        let parameters = operation.get_mut("parameters").and_then(Value::as_array_mut);
        for parameter in parameters.into_iter().flatten() {
            let name = parameter["name"].as_str().unwrap_or_default().to_owned();
            let schema = &mut parameter["schema"];
            // There is no way to write a null into an address or a header; leaving it out is the way.
            drop_null(schema);
            bound(&name, schema);
        }
    }
    let of_requests = schemas(document).filter(|(name, _)| requests.contains(*name));
    of_requests.for_each(|(_, schema)| bound_members(schema));
}

/// The names of the schemas that request bodies are made of.
pub fn request_schemas(document: &Value) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    let paths = document["paths"].as_object().into_iter().flatten();
    for operation in paths.flat_map(|(_, item)| item.as_object().into_iter().flatten()) {
        collect(document, &operation.1["requestBody"], &mut found);
    }
    found
}

fn collect(document: &Value, part: &Value, found: &mut BTreeSet<String>) {
    if let Some(name) = reference(part)
        && found.insert(name.to_owned())
    {
        collect(document, &document["components"]["schemas"][name], found);
    }
    match part {
        Value::Object(members) => members.values().for_each(|member| collect(document, member, found)),
        Value::Array(parts) => parts.iter().for_each(|part| collect(document, part, found)),
        _ => {}
    }
}

/// The name of the schema a reference leads to.
pub fn reference(schema: &Value) -> Option<&str> {
    schema.get("$ref")?.as_str()?.strip_prefix("#/components/schemas/")
}

fn drop_null(schema: &mut Value) {
    if let Value::Array(kinds) = &mut schema["type"] {
        kinds.retain(|kind| kind != "null");
        if let [only] = kinds.as_slice() {
            schema["type"] = only.clone();
        }
    }
}

fn bound_members(schema: &mut Value) {
    let members = schema.get_mut("properties").and_then(Value::as_object_mut);
    for (name, member) in members.into_iter().flatten() {
        bound(name, member);
        bound_members(member);
        if let Some(items) = member.get_mut("items") {
            bound(name, items);
            bound_members(items);
        }
        // The values of a map cannot be declared: they are tokens of consent.
        if let Some(values) = member
            .get_mut("additionalProperties")
            .filter(|values| values.is_object())
        {
            bound(name, values);
            values["maxLength"] = MAX_CONSENT.into();
        }
        // Of a map: what its members are.
        if let Some(values) = member.get_mut("additionalProperties") {
            bound(name, values);
            bound_members(values);
        }
    }
    for parts in ["allOf", "oneOf", "anyOf"] {
        let parts = schema.get_mut(parts).and_then(Value::as_array_mut);
        parts.into_iter().flatten().for_each(bound_members);
    }
}

fn bound(name: &str, schema: &mut Value) {
    if !has_type(schema, "string") || schema.get("pattern").is_some() || schema.get("enum").is_some() {
        return;
    }
    let pattern = match schema["format"].as_str() {
        Some("date" | "date-time") => YEARS,
        Some(_) => return,
        // One with a length of its own is no `input::Cursor`.
        None if name == "cursor" && schema.get("maxLength").is_none() => CURSOR,
        None if NUMBERS.contains(&name) => NUMBER,
        None => TEXT,
    };
    schema["pattern"] = pattern.into();
    if pattern == TEXT && schema.get("minLength").is_none() {
        schema["minLength"] = json!(1);
    }
    // The blanks around a number are not counted.
    if let Some(schema) = schema.as_object_mut().filter(|_| pattern == NUMBER) {
        schema.remove("maxLength");
    }
}
