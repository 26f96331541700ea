//! What a collector of traces is told, and that a missing one is missed by nobody.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::any_value::Value as Any;
use opentelemetry_proto::tonic::trace::v1::Span;
use prost::Message;
use serde_json::json;
use tongjie::config::Config;

use crate::app::{TestApp, run_with};
use crate::database::Engine;
use crate::logs;

/// How long anything may take on a machine that is busy with other tests.
const PATIENCE: Duration = Duration::from_secs(60);
const TRACE: &str = "0af7651916cd43dd8448eb211c80319c";
const CALLER: &str = "b7ad6b7169203331";

/// A collector that takes everything. It ends with the process.
struct Collector {
    address: SocketAddr,
    messages: Receiver<Vec<u8>>,
}

impl Collector {
    fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let address = listener.local_addr().expect("bound");
        let (sender, messages) = channel();
        std::thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                if sender.send(taken(stream)).is_err() {
                    return;
                }
            }
        });
        Self { address, messages }
    }

    /// The spans of the messages until one of this name, and of this trace, has come.
    fn until(&self, name: &str, trace: &str) -> Vec<Span> {
        let mut spans: Vec<Span> = Vec::new();
        while !spans
            .iter()
            .any(|span| span.name == name && hex(&span.trace_id) == trace)
        {
            let body = self.messages.recv_timeout(PATIENCE).expect("a message");
            let message = ExportTraceServiceRequest::decode(body.as_slice()).expect("protobuf");
            for of_resource in message.resource_spans {
                let resource = of_resource.resource.expect("a resource");
                let named = resource.attributes.iter().find(|one| one.key == "service.name");
                assert_eq!(text(named.and_then(|one| one.value.clone())), "street-branch");
                spans.extend(of_resource.scope_spans.into_iter().flat_map(|scope| scope.spans));
            }
        }
        spans
    }
}

/// The body of a request, which is answered 200.
fn taken(stream: TcpStream) -> Vec<u8> {
    let mut reader = BufReader::new(stream);
    let mut head = String::new();
    while !head.ends_with("\r\n\r\n") {
        assert!(reader.read_line(&mut head).expect("a head") > 0);
    }
    assert!(head.starts_with("POST /v1/traces HTTP/1.1\r\n"), "{head}");
    assert!(head.contains("Content-Type: application/x-protobuf\r\n"), "{head}");
    let length = head
        .split("Content-Length: ")
        .nth(1)
        .and_then(|rest| rest.lines().next());
    let mut body = vec![0; length.and_then(|length| length.parse().ok()).expect("a length")];
    reader.read_exact(&mut body).expect("a body");
    let answer = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n";
    reader.get_mut().write_all(answer).expect("answered");
    body
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn text(value: Option<opentelemetry_proto::tonic::common::v1::AnyValue>) -> String {
    match value.and_then(|value| value.value) {
        Some(Any::StringValue(text)) => text,
        Some(Any::IntValue(number)) => number.to_string(),
        other => panic!("{other:?}"),
    }
}

fn attribute(span: &Span, key: &str) -> String {
    let found = span.attributes.iter().find(|one| one.key == key);
    text(found.unwrap_or_else(|| panic!("no {key} in {span:?}")).value.clone())
}

fn traced(config: &mut Config, address: SocketAddr, ratio: f64) {
    config.telemetry.otlp_endpoint = Some(format!("http://{address}").parse().expect("a collector"));
    config.telemetry.service_name = "street-branch".to_owned();
    config.telemetry.sample_ratio = ratio;
}

fn on_both_engines(ratio: f64, scenario: fn(&TestApp, &Collector)) {
    for engine in [Engine::Sqlite, Engine::Postgres] {
        let collector = Collector::start();
        let address = collector.address;
        run_with(
            engine,
            |config| traced(config, address, ratio),
            |app| scenario(app, &collector),
        );
    }
}

#[test]
fn a_check_out_is_a_span_of_its_callers_trace_with_its_transactions_below() {
    on_both_engines(1.0, |app, collector| {
        app.small_network();
        let desk = app.staff("librarian", "B1");
        let (_, card) = app.reader("adult", "B1");
        let (_, barcode) = app.item(app.bib("三国演义", None), "B1", &json!({}));
        let answer = app
            .request("POST", "/api/v1/check-outs")
            .bearer(&desk)
            .header("traceparent", &format!("00-{TRACE}-{CALLER}-01"))
            .header("tracestate", "vendor=欧阳修远")
            .header("X-Request-Id", "traced-1")
            .json(&json!({"item_barcode": barcode, "card_number": card}))
            .send();
        answer.expect(201);
        let spans = collector.until("checkOut", TRACE);
        let request = spans.iter().find(|span| span.name == "checkOut").expect("one");
        assert_eq!(
            (hex(&request.trace_id).as_str(), hex(&request.parent_span_id).as_str()),
            (TRACE, CALLER)
        );
        assert_eq!(attribute(request, "http.response.status_code"), "201");
        assert_eq!(attribute(request, "http.request.method"), "POST");
        assert_eq!(attribute(request, "tongjie.request_id"), "traced-1");
        assert_eq!((request.kind, request.trace_state.as_str()), (2, ""));
        let write = spans
            .iter()
            .find(|span| span.name == "write transaction" && span.parent_span_id == request.span_id);
        let write = write.unwrap_or_else(|| panic!("{spans:?}"));
        let engine = if app.app.store.is_postgres() {
            "postgresql"
        } else {
            "sqlite"
        };
        assert_eq!(attribute(write, "db.system.name"), engine);
        assert!(attribute(write, "tongjie.waited_micros").parse::<u64>().is_ok());
        assert!(write.start_time_unix_nano >= request.start_time_unix_nano);
        assert!(write.end_time_unix_nano <= request.end_time_unix_nano);
        assert!(
            spans
                .iter()
                .any(|span| span.name == "createUnit" && span.parent_span_id.is_empty())
        );
        assert_nothing_personal(&spans, &[&card, &barcode, "三国演义", "李读者", "王老师", "欧阳修远"]);
    });
}

/// The keys of attributes are known, and no text of a span holds any of these.
fn assert_nothing_personal(spans: &[Span], personal: &[&str]) {
    const KEYS: [&str; 5] = [
        "http.request.method",
        "http.response.status_code",
        "tongjie.request_id",
        "db.system.name",
        "tongjie.waited_micros",
    ];
    for span in spans {
        for one in &span.attributes {
            assert!(KEYS.contains(&one.key.as_str()), "{one:?}");
        }
        assert!(span.events.is_empty() && span.links.is_empty(), "{span:?}");
        let bytes = span.encode_to_vec();
        let text = String::from_utf8_lossy(&bytes);
        let found = personal.iter().find(|personal| text.contains(**personal));
        assert!(found.is_none(), "{found:?} is in {span:?}");
    }
}

#[test]
fn who_calls_decides_what_is_traced_and_others_by_their_share() {
    on_both_engines(0.0, |app, collector| {
        let asks = |traceparent: &str| {
            let request = app.request("GET", "/health/ready").header("traceparent", traceparent);
            request.send().expect(200);
        };
        app.request("GET", "/health/live").send().expect(200);
        asks(&format!("00-{TRACE}-{CALLER}-00"));
        for no_trace in [
            "",
            "00-0-0-01",
            "00-00000000000000000000000000000000-b7ad6b7169203331-01",
            "欧",
        ] {
            asks(no_trace);
        }
        asks(&format!("00-{TRACE}-{CALLER}-01"));
        let spans = collector.until("healthReady", TRACE);
        let requests: Vec<&Span> = spans.iter().filter(|span| span.kind == 2).collect();
        assert_eq!(requests.len(), 1, "{spans:?}");
        assert!(spans.iter().all(|span| hex(&span.trace_id) == TRACE), "{spans:?}");
    });
}

#[test]
fn without_a_collector_everything_works_and_one_line_says_so() {
    for engine in [Engine::Sqlite, Engine::Postgres] {
        let closed = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let address = closed.local_addr().expect("bound");
        drop(closed);
        let scenario = |app: &TestApp| {
            app.small_network();
            let end = Instant::now() + PATIENCE;
            let lost = loop {
                let text = app.request("GET", "/metrics").send().expect(200).bytes;
                let text = String::from_utf8(text).expect("UTF-8");
                let series = "tongjie_trace_spans_total{outcome=\"not_taken\"} ";
                let lost = text
                    .lines()
                    .find_map(|line| line.strip_prefix(series)?.parse::<f64>().ok());
                let lost = lost.expect("it is counted");
                if lost > 0.0 {
                    break lost;
                }
                assert!(Instant::now() < end, "nothing was tried");
            };
            assert!(lost >= 1.0);
            let app_traces = app.app.traces.as_ref().expect("configured");
            app_traces.close();
            let told = |line: &serde_json::Value| line["collector"] == address.to_string() && line["level"] == "WARN";
            assert_eq!(logs::captured().iter().filter(|line| told(line)).count(), 1);
        };
        run_with(engine, |config| traced(config, address, 1.0), scenario);
    }
}
