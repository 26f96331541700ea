//! Webhooks: an event is told to another system over HTTP, signed, until it is taken; what is given up waits to be replayed.

use std::collections::HashMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use serde_json::{Value, json};
use tongjie::config::WebhooksConfig;
use tongjie::delivery::http_webhook::HttpWebhooks;
use tongjie::domain::schedule::WEBHOOK_OUTBOX;
use tongjie::usecase::announce_events::AnnounceEvents;
use tongjie::usecase::deliver_outbox::DeliverOutbox;
use tongjie::usecase::run_job::{Pass, run_job};
use tongjie::usecase::tell_webhook::TellWebhooks;

use crate::app::TestApp;
use crate::client::Answer;
use crate::notices::later;

on_both!(
    an_event_is_told_signed_and_again_until_it_is_taken,
    what_is_given_up_is_told_again_when_it_is_replayed,
    nothing_is_replayed_while_a_webhook_is_off_and_what_was_due_is_dropped,
    a_webhook_is_not_saved_for_a_private_place,
    a_place_that_is_private_when_it_is_told_is_not_connected_to,
    a_redirect_is_not_followed,
);

/// What came in: headers by their names in lower case, and the body.
type Heard = Arc<Mutex<Vec<(HashMap<String, String>, String)>>>;

/// Among the headers, as HTTP/2 names it: where a call goes.
const PATH: &str = ":path";

/// Another system: it answers these statuses, one after the other, and hears what it is told.
fn other_system(statuses: &[u16]) -> (String, Heard) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let url = format!("http://{}/hook", listener.local_addr().expect("an address"));
    let heard = Heard::default();
    let (statuses, keeps) = (statuses.to_vec(), Arc::clone(&heard));
    std::thread::spawn(move || {
        for status in statuses {
            let (stream, _) = listener.accept().expect("a call");
            let told = hear(&stream);
            keeps.lock().unwrap_or_else(PoisonError::into_inner).push(told);
            let answer = format!(
                "HTTP/1.1 {status} so\r\nLocation: /elsewhere\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
            );
            (&stream).write_all(answer.as_bytes()).expect("answered");
        }
    });
    (url, heard)
}

fn hear(stream: &TcpStream) -> (HashMap<String, String>, String) {
    let mut reader = BufReader::new(stream);
    let mut asked = String::new();
    reader.read_line(&mut asked).expect("a line");
    let path = asked.split(' ').nth(1).unwrap_or_default().to_owned();
    let mut headers = HashMap::from([(PATH.to_owned(), path)]);
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).expect("a line");
        match line.trim_end().split_once(": ") {
            Some((name, value)) => headers.insert(name.to_lowercase(), value.to_owned()),
            None if line.trim_end().is_empty() => break,
            None => None,
        };
    }
    let length: usize = headers["content-length"].parse().expect("a number");
    let mut body = vec![0; length];
    reader.read_exact(&mut body).expect("a body");
    (headers, String::from_utf8(body).expect("UTF-8"))
}

struct Hook {
    token: String,
    id: i64,
    secret: String,
}

/// A webhook for loans, and a loan that is to be told to it.
fn hook(app: &TestApp, url: &str) -> Hook {
    app.small_network();
    let token = app.root_token();
    let body = json!({"unit_code": "M1", "url": url, "kinds": ["loan_made"]});
    let made = app.post(&token, "/api/v1/webhooks", &body).expect(201).body;
    let hook = Hook {
        token,
        id: made["webhook"]["id"].as_i64().expect("an id"),
        secret: made["secret"].as_str().expect("a secret").to_owned(),
    };
    let desk = app.staff("librarian", "M1");
    let (_, card) = app.reader("adult", "M1");
    let (_, barcode) = app.item(app.bib("三国演义", None), "M1", &json!({}));
    let body = json!({"item_barcode": barcode, "card_number": card});
    app.post(&desk, "/api/v1/check-outs", &body).expect(201);
    announced(app);
    hook
}

/// Announces until there is a delivery: on a cluster that other tests use too, an event settles only when what ran beside it has ended.
fn announced(app: &TestApp) {
    let store = &app.app.store;
    let step = async || {
        let look = store.read(AnnounceEvents.look(0, app.clock.now())).await;
        AnnounceEvents
            .act(store, look.expect("reads").work)
            .await
            .expect("announces");
    };
    for _ in 0..3_000 {
        app.block_on(step());
        if app
            .database
            .outside()
            .number("SELECT count(*) AS n FROM webhook_deliveries")
            > 0
        {
            return;
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    panic!("nothing is to be told");
}

impl Hook {
    /// Tells what is due, and says how the newest delivery stands.
    fn told(&self, app: &TestApp) -> Value {
        self.told_with(app, &app.app.config.webhooks)
    }

    fn told_with(&self, app: &TestApp, config: &WebhooksConfig) -> Value {
        later(app, 60);
        let pass = Arc::new(DeliverOutbox(TellWebhooks {
            hooks: HttpWebhooks::new(config, app.app.store.clock()),
            secrets: app.app.derived(),
        }));
        app.block_on(run_job(&app.app.store, "a", WEBHOOK_OUTBOX, &pass, || false))
            .expect("runs");
        let path = format!("/api/v1/webhooks/{}/deliveries", self.id);
        let listed = app.get(&self.token, &path).expect(200).body;
        listed["items"][0].clone()
    }

    fn replay(&self, app: &TestApp) -> Answer {
        let path = format!("/api/v1/webhooks/{}/deliveries/replay", self.id);
        app.post(&self.token, &path, &json!({}))
    }

    fn switch(&self, app: &TestApp, active: bool) {
        let change = app.request("PATCH", &format!("/api/v1/webhooks/{}", self.id));
        let change = change.bearer(&self.token).json(&json!({"active": active}));
        change.send().expect(200);
    }
}

fn an_event_is_told_signed_and_again_until_it_is_taken(app: &TestApp) {
    let (url, heard) = other_system(&[500, 204]);
    let hook = hook(app, &url);
    let once = hook.told(app);
    assert_eq!((&once["state"], &once["attempts"]), (&json!("retrying"), &json!(1)));
    let twice = hook.told(app);
    assert_eq!((&twice["state"], &twice["status"]), (&json!("done"), &json!(204)));
    let heard = heard.lock().unwrap_or_else(PoisonError::into_inner).clone();
    assert_eq!(heard.len(), 2);
    for (headers, body) in &heard {
        assert_eq!(headers["tongjie-event"], heard[0].0["tongjie-event"], "the same event");
        let at: i64 = headers["tongjie-timestamp"].parse().expect("a number");
        let signature = tongjie::http::signed::signature(hook.secret.as_bytes(), at, body.as_bytes());
        assert_eq!(headers["tongjie-signature"], signature);
        let told: Value = serde_json::from_str(body).expect("JSON");
        assert_eq!((&told["kind"], &told["unit_code"]), (&json!("loan_made"), &json!("M1")));
        assert!(!body.contains("reader_id"), "{body}");
    }
    app.assert_sound();
}

fn what_is_given_up_is_told_again_when_it_is_replayed(app: &TestApp) {
    let (url, heard) = other_system(&[410, 200]);
    let hook = hook(app, &url);
    let given_up = hook.told(app);
    assert_eq!(
        (&given_up["state"], &given_up["attempts"]),
        (&json!("failed"), &json!(1))
    );
    let path = format!("/api/v1/webhooks/{}/deliveries?state=failed", hook.id);
    let failed = app.get(&hook.token, &path).expect(200).body;
    assert_eq!(failed["items"].as_array().map(Vec::len), Some(1));
    assert_eq!(hook.replay(app).expect(200).body["replayed"], 1);
    assert_eq!(hook.told(app)["state"], "done");
    assert_eq!(hook.replay(app).expect(200).body["replayed"], 0, "nothing is given up");
    assert_eq!(heard.lock().unwrap_or_else(PoisonError::into_inner).len(), 2);
    app.assert_sound();
}

fn nothing_is_replayed_while_a_webhook_is_off_and_what_was_due_is_dropped(app: &TestApp) {
    let (url, _) = other_system(&[410, 200]);
    let hook = hook(app, &url);
    assert_eq!(hook.told(app)["state"], "failed");
    hook.switch(app, false);
    hook.replay(app).expect(409);
    assert_eq!(hook.told(app)["state"], "failed", "it is in the list still");
    hook.switch(app, true);
    hook.replay(app).expect(200);
    hook.switch(app, false);
    let dropped = hook.told(app);
    assert_eq!(
        (&dropped["state"], &dropped["status"]),
        (&json!("dropped"), &Value::Null)
    );
    app.assert_sound();
}

fn a_webhook_is_not_saved_for_a_private_place(app: &TestApp) {
    app.small_network();
    let token = app.root_token();
    let made = |url: &str| {
        let body = json!({"unit_code": "M1", "url": url, "kinds": ["loan_made"]});
        app.post(&token, "/api/v1/webhooks", &body)
    };
    let private = [
        "https://10.0.0.5/bus",
        "https://172.16.3.4:8443",
        "https://192.168.1.1/",
        "https://169.254.169.254/latest/meta-data",
        "https://100.100.100.200/",
        "https://127.0.0.2/",
        "https://0.0.0.0/",
        "https://224.0.0.1/",
        "https://[::1]/",
        "https://[fd00:ec2::254]/",
        "https://[fe80::1]/",
        "https://[::ffff:10.0.0.5]/",
        "https://user@192.168.1.1/",
        // As some programs read them, these are 127.0.0.2, 10.0.0.5 and the machine itself.
        "https://2130706434/",
        "https://0x0a000005/",
        "http://[::1]:9/hook",
    ];
    for url in private {
        let refused = made(url).expect_fields(422, &["url"]).body.to_string();
        assert!(refused.contains("webhooks.allow_private"), "{url}: {refused}");
    }
    for url in ["https://:443/", "https://a.example:99999/", "https://[::1"] {
        made(url).expect_fields(422, &["url"]);
    }
    assert_eq!(app.get(&token, "/api/v1/webhooks").expect(200).body["items"], json!([]));
    // Admitted by the settings of this server, public, and a name that nobody can look up yet.
    let id = made("http://127.0.0.1:9/hook").expect(201).body["webhook"]["id"].clone();
    made("https://8.8.8.8/hook").expect(201);
    made("https://nowhere.invalid/hook").expect(201);
    let path = format!("/api/v1/webhooks/{id}");
    let change = |body: Value| app.request("PATCH", &path).bearer(&token).json(&body).send();
    change(json!({"url": "https://10.0.0.5/"})).expect_fields(422, &["url"]);
    assert_eq!(
        change(json!({"active": false})).expect(200).body["url"],
        "http://127.0.0.1:9/hook"
    );
}

/// By its number, and by a name that led elsewhere when it was saved.
fn a_place_that_is_private_when_it_is_told_is_not_connected_to(app: &TestApp) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    listener.set_nonblocking(true).expect("does not wait");
    let address = listener.local_addr().expect("an address");
    let hook = hook(app, &format!("http://{address}/hook"));
    let nothing = WebhooksConfig {
        allow_private: "".parse().expect("no range"),
    };
    let by_name = format!("http://localhost:{}/hook", address.port());
    for url in [format!("http://{address}/hook"), by_name] {
        let id = hook.id;
        let moved = format!("UPDATE webhooks SET url = '{url}' WHERE id = {id} RETURNING id AS n");
        app.database.outside().number(&moved);
        let refused = hook.told_with(app, &nothing);
        assert_eq!((&refused["state"], &refused["attempts"]), (&json!("failed"), &json!(1)));
        let error = refused["error"].as_str().expect("a reason");
        assert!(error.contains("may not reach"), "{error}");
        assert_eq!(hook.replay(app).expect(200).body["replayed"], 1);
    }
    let called = listener.accept().map_err(|error| error.kind());
    assert_eq!(called.err(), Some(std::io::ErrorKind::WouldBlock), "nobody called");
}

fn a_redirect_is_not_followed(app: &TestApp) {
    let (url, heard) = other_system(&[302, 307]);
    let hook = hook(app, &url);
    for attempts in [1, 2] {
        let told = hook.told(app);
        assert_eq!(
            (&told["state"], &told["attempts"]),
            (&json!("retrying"), &json!(attempts))
        );
    }
    let heard = heard.lock().unwrap_or_else(PoisonError::into_inner);
    let paths: Vec<&str> = heard.iter().map(|(headers, _)| headers[PATH].as_str()).collect();
    assert_eq!(paths, ["/hook", "/hook"], "never where it was sent on to");
}
