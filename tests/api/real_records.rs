//! Records of real libraries, entered as a cataloguer would: what the check says of them, and that they come back whole.
//! MARC21 from the test data of SolrMarc (four books) and Evergreen (four recordings and scores), CNMARC from dp2's samples.

use serde_json::Value;
use tongjie::catalogue::marc::{self, Format, ParsedRecord, ReadOptions};

use crate::app::TestApp;

on_both!(real_marc21_is_taken, real_cnmarc_is_taken);

const MARC21: &[u8] = include_bytes!("../records/marc21.mrc");
const CNMARC: &[u8] = include_bytes!("../records/cnmarc.iso");

fn records(bytes: &'static [u8]) -> Vec<ParsedRecord> {
    let all: Result<Vec<ParsedRecord>, _> = marc::read(bytes, ReadOptions::default()).collect();
    all.expect("an import takes them all")
}

/// As a cataloguer sends it.
fn sent(parsed: &ParsedRecord) -> Value {
    let mut body = marc::to_json(&parsed.record);
    body["format"] = match parsed.format {
        Format::Marc21 => "marc21",
        Format::Cnmarc => "cnmarc",
    }
    .into();
    body
}

/// What became of each record: nothing, or the fields at fault.
fn entered(app: &TestApp, bytes: &'static [u8]) -> Vec<Vec<String>> {
    let token = app.root_token();
    let mut all = Vec::new();
    for parsed in records(bytes) {
        let body = sent(&parsed);
        let answer = app.post(&token, "/api/v1/bibs", &body);
        if answer.status == 422 {
            let errors = answer.body["errors"].as_array().expect("errors").clone();
            all.push(
                errors
                    .iter()
                    .map(|error| error["field"].as_str().unwrap_or_default().to_owned())
                    .collect(),
            );
            continue;
        }
        let made = answer.expect(201).body;
        assert_eq!(made["bib"]["title"], parsed.summary.title);
        let path = format!("/api/v1/bibs/{}/versions/1", made["bib"]["id"]);
        let shown = app.get(&token, &path).expect(200).body;
        assert_eq!((&shown["fields"], &shown["format"]), (&body["fields"], &body["format"]));
        all.push(Vec::new());
    }
    app.assert_sound();
    all
}

fn real_marc21_is_taken(app: &TestApp) {
    assert_eq!(entered(app, MARC21), vec![Vec::<String>::new(); 8]);
}

fn real_cnmarc_is_taken(app: &TestApp) {
    assert_eq!(entered(app, CNMARC), vec![Vec::<String>::new(); 10]);
}
