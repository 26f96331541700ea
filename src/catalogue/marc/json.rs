//! MARC-in-JSON: `{"leader": "…", "fields": [{"001": "…"}, {"245": {"ind1": "1", "ind2": "0", "subfields": [{"a": "…"}]}}]}`.
//!
//! For records that people edit. Says of every part that cannot be a record where it stands and why; what a tag means is
//! `validate.rs`.

use serde_json::{Map, Value, json};

use super::record::{DataField, Field, MarcRecord, Subfield, Tag};
use super::validate::Fault;

/// Characters that divide records, fields and subfields in ISO 2709: no value can hold one.
const SEPARATORS: [char; 3] = ['\u{1d}', '\u{1e}', '\u{1f}'];

/// The record as JSON.
#[must_use]
pub fn to_json(record: &MarcRecord) -> Value {
    let fields: Vec<Value> = record.fields().iter().map(field_to_json).collect();
    json!({"leader": record.leader(), "fields": fields})
}

fn field_to_json(field: &Field) -> Value {
    match field {
        Field::Control { tag, value } => json!({ tag.as_str(): value }),
        Field::Data(data) => {
            let subfields: Vec<Value> = data
                .subfields
                .iter()
                .map(|subfield| json!({ subfield.code.to_string(): subfield.value }))
                .collect();
            let [first, second] = data.indicators.map(String::from);
            json!({ data.tag.as_str(): {"ind1": first, "ind2": second, "subfields": subfields} })
        }
    }
}

/// Reads a record.
///
/// # Errors
/// Every part that cannot be one, with its path, such as `fields[3].245.ind1`.
pub fn from_json(leader: &str, fields: &[Value]) -> Result<MarcRecord, Vec<Fault>> {
    let mut faults = Vec::new();
    if leader.len() != 24 || !leader.bytes().all(|b| (b' '..=b'~').contains(&b)) {
        faults.push(Fault::new("leader", "must be 24 printable ASCII characters"));
    }
    if fields.is_empty() {
        faults.push(Fault::new("fields", "a record has at least one field"));
    }
    let mut record = MarcRecord::with_leader(leader.to_owned());
    for (at, field) in fields.iter().enumerate() {
        match field_of(field, &format!("fields[{at}]")) {
            Ok(field) => record.push(field),
            Err(found) => faults.extend(found),
        }
    }
    if faults.is_empty() { Ok(record) } else { Err(faults) }
}

fn field_of(field: &Value, path: &str) -> Result<Field, Vec<Fault>> {
    let (name, content) = only_member(field).ok_or_else(|| one(path, "must be an object with one member: the tag"))?;
    let tag = Tag::parse(name).ok_or_else(|| one(path, "a tag is three ASCII letters or digits"))?;
    let path = format!("{path}.{name}");
    match content {
        Value::String(value) => control(tag, value, &path),
        Value::Object(_) if tag.is_control() => Err(one(&path, "is a control field: its value is a string")),
        Value::Object(content) => data(tag, content, &path),
        _ if tag.is_control() => Err(one(&path, "must be a string")),
        _ => Err(one(&path, "must be an object with ind1, ind2 and subfields")),
    }
}

fn control(tag: Tag, value: &str, path: &str) -> Result<Field, Vec<Fault>> {
    // Some systems keep plain values under lettered tags, as Aleph's FMT.
    if !tag.is_control() && tag.as_bytes().iter().all(u8::is_ascii_digit) {
        return Err(one(path, "must be an object with ind1, ind2 and subfields"));
    }
    value_fault(value).map_or_else(
        || {
            Ok(Field::Control {
                tag,
                value: value.to_owned(),
            })
        },
        |reason| Err(one(path, reason)),
    )
}

fn data(tag: Tag, content: &Map<String, Value>, path: &str) -> Result<Field, Vec<Fault>> {
    let mut faults: Vec<Fault> = content
        .keys()
        .filter(|name| !matches!(name.as_str(), "ind1" | "ind2" | "subfields"))
        .map(|name| Fault::new(format!("{path}.{name}"), "is not a member of a field"))
        .collect();
    let mut indicators = [' '; 2];
    for (indicator, name) in indicators.iter_mut().zip(["ind1", "ind2"]) {
        match content.get(name).and_then(Value::as_str).and_then(only_ascii) {
            Some(found) => *indicator = found,
            None => faults.push(Fault::new(
                format!("{path}.{name}"),
                "must be one printable ASCII character, a blank for none",
            )),
        }
    }
    let mut subfields = Vec::new();
    match content.get("subfields").and_then(Value::as_array) {
        Some(list) if !list.is_empty() => {
            for (at, subfield) in list.iter().enumerate() {
                match subfield_of(subfield, &format!("{path}.subfields[{at}]")) {
                    Ok(subfield) => subfields.push(subfield),
                    Err(fault) => faults.push(fault),
                }
            }
        }
        _ => faults.push(Fault::new(
            format!("{path}.subfields"),
            "must be a list of at least one subfield",
        )),
    }
    if !faults.is_empty() {
        return Err(faults);
    }
    Ok(Field::Data(DataField {
        tag,
        indicators,
        subfields,
    }))
}

fn subfield_of(subfield: &Value, path: &str) -> Result<Subfield, Fault> {
    let (name, value) =
        only_member(subfield).ok_or_else(|| Fault::new(path, "must be an object with one member: the code"))?;
    let code = only_ascii(name)
        .filter(|code| *code != ' ')
        .ok_or_else(|| Fault::new(path, "a code is one printable ASCII character"))?;
    let path = format!("{path}.{name}");
    let value = value.as_str().ok_or_else(|| Fault::new(&path, "must be a string"))?;
    match value_fault(value) {
        Some(reason) => Err(Fault::new(&path, reason)),
        None => Ok(Subfield {
            code,
            value: value.to_owned(),
        }),
    }
}

fn value_fault(value: &str) -> Option<&'static str> {
    if value.contains(SEPARATORS) {
        Some("holds one of the characters 1D, 1E and 1F, which divide records")
    } else if value.contains('\0') {
        Some("holds the character 0")
    } else {
        None
    }
}

fn only_member(value: &Value) -> Option<(&String, &Value)> {
    let members = value.as_object()?;
    (members.len() == 1).then(|| members.iter().next())?
}

fn only_ascii(text: &str) -> Option<char> {
    let mut chars = text.chars();
    match (chars.next(), chars.next()) {
        (Some(c @ ' '..='~'), None) => Some(c),
        _ => None,
    }
}

fn one(path: &str, reason: &str) -> Vec<Fault> {
    vec![Fault::new(path, reason)]
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const LEADER: &str = "00000nam a2200000   4500";

    fn paths(fields: &Value) -> Vec<String> {
        let fields = fields.as_array().expect("a list");
        let faults = from_json(LEADER, fields).expect_err("faults");
        faults.into_iter().map(|fault| fault.path).collect()
    }

    #[test]
    fn every_fault_says_where_it_stands() {
        let fields = json!([
            {"001": {"ind1": "1"}},
            {"245": "Dune"},
            {"24": "x"},
            {"245": {"ind1": "10", "ind2": 0, "subfields": []}},
            {"245": {"ind1": "1", "ind2": "0", "subfields": [{"a": "x"}, {"ab": "x"}, {"c": 1}, {"c": "\u{1f}"}], "x": 1}},
            ["245"],
            {"245": "x", "246": "x"},
        ]);
        let expected = [
            "fields[0].001",
            "fields[1].245",
            "fields[2]",
            "fields[3].245.ind1",
            "fields[3].245.ind2",
            "fields[3].245.subfields",
            "fields[4].245.x",
            "fields[4].245.subfields[1]",
            "fields[4].245.subfields[2].c",
            "fields[4].245.subfields[3].c",
            "fields[5]",
            "fields[6]",
        ];
        assert_eq!(paths(&fields), expected);
        assert_eq!(paths(&json!([])), ["fields"]);
        let faults = from_json("short", &[json!({"001": "1"})]).expect_err("faults");
        assert_eq!(faults[0].path, "leader");
    }

    proptest! {
        #[test]
        fn what_is_printed_is_read_back(
            control in "[^\\x00\\x1d-\\x1f]{0,40}",
            fields in proptest::collection::vec(
                ("[1-9][0-9]{2}", "[ -~]{2}", proptest::collection::vec(("[!-~]", "[^\\x00\\x1d-\\x1f]{0,40}"), 1..5)),
                0..20,
            ),
        ) {
            let mut builder = MarcRecord::builder(LEADER).control("001", &control);
            for (tag, indicators, subfields) in &fields {
                let subfields: Vec<(char, &str)> =
                    subfields.iter().map(|(code, value)| (code.chars().next().unwrap_or('a'), value.as_str())).collect();
                builder = builder.data(tag, indicators, &subfields);
            }
            let record = builder.build().expect("a good record");
            let printed = to_json(&record).to_string();
            let read: Value = serde_json::from_str(&printed).expect("JSON");
            let leader = read["leader"].as_str().expect("text");
            let back = from_json(leader, read["fields"].as_array().expect("a list"));
            prop_assert_eq!(back, Ok(record));
        }
    }
}
