//! Records as other libraries made them, and anything at all: nothing real is refused, and nothing panics.

use proptest::prelude::*;
use serde_json::{Value, json};

use super::super::{EncodingChoice, FormatChoice, ReadOptions, from_json, to_iso2709, to_json};
use super::*;

const SAMPLES: [(Format, &[u8]); 2] = [
    (Format::Marc21, include_bytes!("../../../../tests/data/marc21.mrc")),
    (Format::Cnmarc, include_bytes!("../../../../tests/data/cnmarc.iso")),
];

/// Every record of other libraries that the tests have, also of the folder that is not always there.
fn real_records() -> Vec<(Format, String, MarcRecord)> {
    let mut records = Vec::new();
    let mut add = |name: &str, bytes: &[u8]| {
        for answer in super::super::read(bytes, super::super::ReadOptions::default()) {
            let parsed = answer.expect("a good record");
            records.push((parsed.format, format!("{name} {}", parsed.number), parsed.record));
        }
    };
    for (format, bytes) in SAMPLES {
        add(&format.to_string(), bytes);
    }
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/data");
    for name in ["marc21_jazz_1k.mrc", "marc21_uva_200.mrc", "cnmarc_sample.xml"] {
        if let Ok(bytes) = std::fs::read(folder.join(name)) {
            add(name, &bytes);
        }
    }
    records
}

#[test]
fn the_records_of_other_libraries_have_no_errors() {
    let records = real_records();
    assert!(records.len() >= 10, "{}", records.len());
    let mut faulty = Vec::new();
    for (format, name, record) in &records {
        for fault in validate(record, *format).errors {
            faulty.push(format!("{name}: {}: {}", fault.path, fault.reason));
        }
    }
    assert!(
        faulty.is_empty(),
        "{} of {}:\n{}",
        faulty.len(),
        records.len(),
        faulty.join("\n")
    );
}

#[test]
fn a_record_is_the_same_after_a_round_trip_through_json_and_its_stored_form() {
    for (format, name, record) in real_records() {
        let json = to_json(&record);
        let fields = json["fields"].as_array().expect("fields");
        let read = from_json(json["leader"].as_str().expect("a leader"), fields).expect("a record");
        assert_eq!(read, record, "{name}");
        let stored = to_iso2709(&read).expect("small enough");
        let options = ReadOptions {
            format: match format {
                Format::Marc21 => FormatChoice::Marc21,
                Format::Cnmarc => FormatChoice::Cnmarc,
            },
            encoding: EncodingChoice::Utf8,
            ..ReadOptions::default()
        };
        let again = super::super::read(&stored[..], options)
            .next()
            .expect("one")
            .expect("good");
        assert_eq!(again.record.fields(), record.fields(), "{name}");
        assert_eq!(validate(&again.record, format).errors, [], "{name}");
    }
}

/// Tags that the tables know, and a few they do not.
fn any_tag() -> impl Strategy<Value = String> {
    prop_oneof![
        4 => proptest::sample::select(vec![
            "001", "005", "006", "007", "008", "010", "011", "020", "022", "041", "043", "100", "101", "102", "105", "110", "200",
            "245", "461", "690", "700", "801", "856", "880",
        ]).prop_map(str::to_owned),
        1 => "[0-9A-Za-z]{3}",
        1 => "\\PC{0,4}",
    ]
}

/// Values that fit, that nearly fit, and that do not.
fn any_value() -> impl Strategy<Value = Value> {
    prop_oneof![
        3 => "[ #|u0-9a-zA-Z史é-]{0,45}".prop_map(Value::from),
        2 => "[0-9]{3}-[0-9]{2}(/.{0,3})?".prop_map(Value::from),
        1 => "\\PC{0,40}".prop_map(Value::from),
        1 => any::<i64>().prop_map(Value::from),
    ]
}

fn any_field() -> impl Strategy<Value = Value> {
    let subfield = ("[a-z0-9A]", any_value()).prop_map(|(code, value)| json!({ code: value }));
    let data = ("[ 0-9]", "[ 0-9]", proptest::collection::vec(subfield, 0..5))
        .prop_map(|(first, second, subfields)| json!({"ind1": first, "ind2": second, "subfields": subfields}));
    (any_tag(), prop_oneof![data, any_value()]).prop_map(|(tag, content)| json!({ tag: content }))
}

proptest! {
    #[test]
    fn anything_in_json_is_answered_without_panic(
        leader in prop_oneof!["[ -~]{24}", "\\PC{0,30}"],
        fields in proptest::collection::vec(any_field(), 0..12),
    ) {
        if let Ok(record) = from_json(&leader, &fields) {
            for format in [Format::Marc21, Format::Cnmarc] {
                let found = validate(&record, format);
                for fault in found.errors.iter().chain(&found.warnings) {
                    prop_assert!(!fault.path.is_empty() && !fault.reason.is_empty());
                }
            }
        }
    }
}
