//! Records of real libraries, entered as a cataloguer would: what the check says of them, and that they come back whole.
//! MARC21 from the test data of SolrMarc (four books) and Evergreen (four recordings and scores), CNMARC from dp2's samples.

use serde_json::Value;
use tongjie::catalogue::marc::{self, Format, ParsedRecord, ReadOptions};

use crate::app::TestApp;

on_both!(
    real_marc21_is_taken_or_its_faults_are_named,
    real_cnmarc_is_taken_or_its_faults_are_named
);

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

fn real_marc21_is_taken_or_its_faults_are_named(app: &TestApp) {
    let books = [
        vec!["fields[5].035.subfields[0].b"],
        vec!["fields[8].035.subfields[0].b", "fields[14].050.ind2"],
        vec!["fields[12].050.ind2"],
        vec!["fields[7].035.subfields[0].b", "fields[11].050.ind2"],
    ];
    // Indicators were left blank where the format asks for a digit.
    let recordings = [
        vec![
            "fields[4].050.ind2",
            "fields[5].100.ind1",
            "fields[6].245.ind1",
            "fields[6].245.ind2",
            "fields[10].505.ind1",
            "fields[11].511.ind1",
            "fields[13].700.ind1",
            "fields[14].700.ind1",
            "fields[15].700.ind1",
            "fields[16].700.ind1",
        ],
        vec![
            "fields[4].050.ind2",
            "fields[5].245.ind1",
            "fields[5].245.ind2",
            "fields[10].440.ind2",
            "fields[11].511.ind1",
            "fields[15].700.ind1",
            "fields[16].700.ind1",
            "fields[17].700.ind1",
            "fields[18].700.ind1",
        ],
        vec!["fields[22].730.ind1"],
        vec![],
    ];
    assert_eq!(entered(app, MARC21), [books, recordings].concat());
}

fn real_cnmarc_is_taken_or_its_faults_are_named(app: &TestApp) {
    let mut all: Vec<Vec<&str>> = vec![vec![]; 10];
    all[3] = vec!["fields[5].101.ind1"];
    assert_eq!(entered(app, CNMARC), all);
}
