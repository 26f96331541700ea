//! What Prometheus is shown, to whom, and that the dashboard asks for nothing else.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::app::{TestApp, run_with};
use crate::client::Request;
use crate::database::Engine;

on_both!(what_happened_is_counted, the_dashboard_asks_for_what_there_is);

fn scraped(app: &TestApp) -> String {
    let answer = app.request("GET", "/metrics").send().expect(200);
    assert!(
        answer
            .header("content-type")
            .is_some_and(|kind| kind.starts_with("application/openmetrics-text"))
    );
    String::from_utf8(answer.bytes).expect("UTF-8")
}

/// The value of a series, written as in the text.
fn value(text: &str, series: &str) -> Option<f64> {
    let line = text
        .lines()
        .find_map(|line| line.strip_prefix(series)?.strip_prefix(' '))?;
    line.parse().ok()
}

/// A loan, a refused one, and a wrong PIN.
fn something_happens(app: &TestApp) {
    app.small_network();
    let desk = app.staff("librarian", "B1");
    let (_, card) = app.reader("adult", "B1");
    let (_, barcode) = app.item(app.bib("三国演义", None), "B1", &json!({}));
    let body = json!({"item_barcode": barcode, "card_number": card});
    app.post(&desk, "/api/v1/check-outs", &body).expect(201);
    app.post(&desk, "/api/v1/check-outs", &body).expect(409);
    app.log_in(&json!({"card_number": card, "pin": "000000"})).expect(401);
}

fn what_happened_is_counted(app: &TestApp) {
    something_happens(app);
    let text = scraped(app);
    let count = |series: &str| value(&text, series).unwrap_or_else(|| panic!("no {series} in\n{text}"));
    let requests = "tongjie_http_request_duration_seconds_count";
    assert_eq!(
        count(&format!("{requests}{{operation=\"checkOut\",status=\"2xx\"}}")),
        1.0
    );
    assert_eq!(
        count(&format!("{requests}{{operation=\"checkOut\",status=\"4xx\"}}")),
        1.0
    );
    assert_eq!(count("tongjie_log_in_failures_total{reason=\"unauthenticated\"}"), 1.0);
    assert_eq!(count("tongjie_http_requests_in_flight"), 1.0);
    assert!(count("tongjie_http_connections") >= 1.0);
    assert_eq!(count("tongjie_store_queue_depth"), 0.0);
    let (jobs, commits) = (count("tongjie_store_jobs_total"), count("tongjie_store_commits_total"));
    assert!(jobs >= commits && commits > 1.0);
    assert_eq!(count("tongjie_store_group_jobs_count"), commits);
    assert_eq!(count("tongjie_store_group_jobs_sum"), jobs);
    assert!(count("tongjie_store_commit_duration_seconds_count") >= commits);
    assert!(count("tongjie_store_pool_wait_seconds_count{pool=\"read\"}") > 0.0);
    assert!(count("tongjie_store_pool_size{pool=\"read\"}") >= 1.0);
    assert!(count("tongjie_store_pool_connections{pool=\"read\",state=\"idle\"}") >= 1.0);
    assert_eq!(
        value(&text, "tongjie_store_pool_size{pool=\"write\"}").is_some(),
        app.app.store.is_postgres()
    );
    // Nothing seals in these tests, and their clock stands still.
    assert!(count("tongjie_seal_lag_events") >= 1.0);
    assert_eq!(count("tongjie_seal_lag_seconds"), 0.0);
    assert!(value(&text, "tongjie_store_slow_statements_total{kind=\"select\"}").is_some());
    assert!(count("process_resident_memory_bytes") > 1e6);
    assert!(count("process_open_fds") > 3.0 && count("process_max_fds") > 3.0);
    assert!(text.ends_with("# EOF\n"));
}

fn the_dashboard_asks_for_what_there_is(app: &TestApp) {
    something_happens(app);
    let text = scraped(app);
    let there: BTreeSet<&str> = text
        .lines()
        .filter(|line| !line.starts_with('#'))
        .filter_map(|line| line.split(['{', ' ']).next())
        .collect();
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/deploy/grafana/tongjie.json");
    let dashboard: Value = serde_json::from_str(&std::fs::read_to_string(path).expect("is there")).expect("JSON");
    let mut asked = BTreeSet::new();
    expressions(&dashboard, &mut asked);
    assert!(asked.len() >= 10, "{asked:?}");
    let unknown: Vec<&String> = asked.iter().filter(|name| !there.contains(name.as_str())).collect();
    assert!(
        unknown.is_empty(),
        "the dashboard asks for {unknown:?}, which /metrics does not have"
    );
}

/// The metrics that the queries of a dashboard name.
fn expressions(part: &Value, found: &mut BTreeSet<String>) {
    match part {
        Value::Object(members) => {
            for (name, value) in members {
                match value.as_str() {
                    Some(query) if name == "expr" => {
                        let words = query.split(|c: char| !c.is_ascii_alphanumeric() && c != '_');
                        let ours = words.filter(|word| word.starts_with("tongjie_") || word.starts_with("process_"));
                        found.extend(ours.map(str::to_owned));
                    }
                    _ => expressions(value, found),
                }
            }
        }
        Value::Array(values) => values.iter().for_each(|value| expressions(value, found)),
        _ => {}
    }
}

#[test]
fn to_strangers_and_through_a_proxy_there_are_no_metrics() {
    run_with(
        Engine::Sqlite,
        |_| {},
        |app| {
            for name in ["X-Forwarded-For", "Forwarded", "X-Real-IP"] {
                let request = app.request("GET", "/metrics").header(name, "127.0.0.1");
                request.send().expect_problem(404, "no_such_route");
            }
        },
    );
    run_with(
        Engine::Sqlite,
        |config| config.metrics.allow = "192.0.2.1".into(),
        |app| {
            app.request("GET", "/metrics")
                .send()
                .expect_problem(404, "no_such_route");
        },
    );
}

#[test]
fn metrics_may_have_an_address_of_their_own() {
    let elsewhere = |config: &mut tongjie::config::Config| {
        config.metrics.bind = Some("127.0.0.1:0".parse().expect("an address"));
    };
    run_with(Engine::Sqlite, elsewhere, |app| {
        app.request("GET", "/metrics")
            .send()
            .expect_problem(404, "no_such_route");
        let (told, address) = std::sync::mpsc::channel();
        let served = app.app.clone();
        let server = std::thread::spawn(move || {
            actix_web::rt::System::new().block_on(async move {
                let figures = tongjie::http::figures(&served);
                let (server, address) = tongjie::http::metrics::serve(&served, &figures)
                    .expect("a free port")
                    .expect("an address of its own");
                told.send((address, server.handle())).expect("the test waits");
                server.await.expect("ended well");
            });
        });
        let (address, handle) = address.recv().expect("started");
        let answer = Request::new(address, "GET", "/metrics").send().expect(200);
        assert!(String::from_utf8_lossy(&answer.bytes).contains("tongjie_build_info"));
        drop(handle.stop(false));
        server.join().expect("ended well");
    });
}
