//! The gate through the API: readers who need a provider's word, or a deposit; a provider that is down, slow, forged, repeated, and
//! simulated, also in a process of its own.

use std::io::{BufRead, BufReader};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::mpsc::channel;
use std::time::{Duration, Instant};

use chrono::TimeDelta;
use serde_json::{Value, json};
use tongjie::clock::Clock;
use tongjie::config::Config;
use tongjie::delivery::http_provider::{HttpProvider, SharedProvider, signed_text};
use tongjie::delivery::provider_simulator::{self, Behaviour};
use tongjie::domain::schedule::ADMISSION_OUTBOX;
use tongjie::http::signed;
use tongjie::usecase::ask_provider::AskProvider;
use tongjie::usecase::deliver_outbox::DeliverOutbox;
use tongjie::usecase::run_job::{Ran, run_job};

use crate::app::{PIN, TestApp, run_with};
use crate::client::Answer;
use crate::database::Engine;
use crate::rule_sets::{exported, published};

const SECRET: &str = "what the provider and we know: 32 bytes";
const REPORT_SECRET: &str = "what signs the reports of the provider";
const PROVIDER: &str = "city-score";

macro_rules! at_the_gate {
    ($($scenario:ident),* $(,)?) => {
        mod sqlite {
            $(#[test] fn $scenario() { super::with_provider(crate::database::Engine::Sqlite, super::$scenario); })*
        }
        mod postgres {
            $(#[test] fn $scenario() { super::with_provider(crate::database::Engine::Postgres, super::$scenario); })*
        }
    };
}

at_the_gate!(
    a_reader_asks_agrees_and_is_let_in_and_no_score_is_kept,
    a_report_counts_once_and_a_forged_one_not_at_all,
    a_provider_that_is_down_blocks_nobody_who_was_let_in,
    a_provider_that_hangs_is_not_waited_for,
    a_call_whose_answer_was_lost_is_made_again_under_its_key,
    a_provider_that_says_no_is_asked_again_a_week_later,
    a_deposit_or_staff_let_a_reader_in_for_good,
    the_nearest_gate_counts_and_those_of_before_are_let_in,
    what_was_agreed_is_taken_back_when_nothing_is_on_loan,
    who_is_erased_is_forgotten_by_the_provider_too,
    what_the_provider_has_not_heard_yet_is_not_lost_with_an_erasure,
    the_provider_hears_of_the_floor_where_the_rules_say_so,
    the_simulator_knows_its_caller_and_takes_no_nonce_twice,
    a_simulator_in_a_process_of_its_own_lets_a_reader_in_by_its_report,
    a_gate_that_is_not_whole_is_refused_with_its_place,
);

fn with_provider(engine: Engine, scenario: fn(&TestApp)) {
    run_with(
        engine,
        |config| {
            config.admission.provider = Some(PROVIDER.into());
            config.admission.secret = Some(SECRET.into());
            config.admission.report_secret = Some(REPORT_SECRET.into());
        },
        scenario,
    );
}

const SCORED: &str =
    "[[credit.gate]]\nkind = \"external_score\"\nprovider = \"city-score\"\nthreshold = 600\nreports = true\n";

struct Town {
    desk: String,
    reader: i64,
    card: String,
}

/// A network with a gate, and a reader before it.
fn town(app: &TestApp, gates: &str) -> Town {
    app.small_network();
    gate(app, gates);
    let (reader, card) = app.reader("adult", "B1");
    Town {
        desk: app.staff("librarian", "B1"),
        reader,
        card,
    }
}

fn gate(app: &TestApp, gates: &str) -> i64 {
    let text = format!("{}\n{gates}", exported(app, 1));
    published(app, &app.root_token(), None, &text)
}

impl Town {
    fn me(&self, app: &TestApp, what: &str) -> Answer {
        let token = app.reader_token(&self.card);
        app.post(&token, &format!("/api/v1/me/admission{what}"), &json!({}))
    }

    fn stands(&self, app: &TestApp) -> Value {
        let token = app.reader_token(&self.card);
        app.get(&token, "/api/v1/me/admission").expect(200).body
    }

    fn state(&self, app: &TestApp) -> String {
        let stands = self.stands(app);
        stands["request"]["state"].as_str().unwrap_or_default().to_owned()
    }

    fn lend(&self, app: &TestApp) -> Answer {
        let (_, barcode) = app.item(app.bib("红楼梦", None), "B1", &json!({}));
        let body = json!({"item_barcode": barcode, "card_number": self.card});
        let desk = app.staff("librarian", "B1");
        app.post(&desk, "/api/v1/check-outs", &body)
    }

    fn order_key(&self, app: &TestApp) -> String {
        let sql = format!(
            "SELECT order_key AS t FROM admission_requests WHERE reader_id = {} ORDER BY id DESC",
            self.reader
        );
        app.database.outside().text(&sql)
    }

    fn admitted(&self, app: &TestApp) {
        self.me(app, "").expect(200);
        report(app, REPORT_SECRET, &self.report("first", app, "passed")).expect(200);
    }

    fn report(&self, id: &str, app: &TestApp, decision: &str) -> Value {
        json!({"report_id": id, "order_key": self.order_key(app), "decision": decision})
    }
}

fn refused_as(answer: Answer) -> Vec<String> {
    let body = answer.expect(409).body;
    let list = body["refusals"].as_array().expect("refusals").clone();
    list.iter()
        .map(|one| one["code"].as_str().expect("a code").to_owned())
        .collect()
}

fn report(app: &TestApp, secret: &str, body: &Value) -> Answer {
    let (now, body) = (app.clock.now().timestamp(), body.to_string());
    app.request("POST", "/api/v1/admission-reports")
        .header("Content-Type", "application/json")
        .header("Tongjie-Timestamp", &now.to_string())
        .header(
            "Tongjie-Signature",
            &signed::signature(secret.as_bytes(), now, body.as_bytes()),
        )
        .bytes(body.as_bytes())
        .send()
}

type Asking = Arc<DeliverOutbox<AskProvider<SharedProvider>>>;

fn asking(app: &TestApp, url: &str) -> Asking {
    let mut config: Config = app.app.config.clone();
    config.admission.provider_url = Some(url.to_owned());
    config.admission.timeout_ms = 400;
    let provider = HttpProvider::of(&config.admission, &app.clock).expect("set up");
    let store = Arc::clone(&app.app.store);
    Arc::new(DeliverOutbox(AskProvider { provider, store }))
}

/// Runs the job, which is due every five seconds; answers how many calls it looked at.
fn ask(app: &TestApp, asking: &Asking) -> i64 {
    later(app, 5);
    let run = run_job(&app.app.store, "a", ADMISSION_OUTBOX, asking, || false);
    match app.block_on(run).expect("runs") {
        Ran::Finished { looked_at, .. } => looked_at,
        other => panic!("{other:?}"),
    }
}

fn later(app: &TestApp, seconds: i64) {
    app.clock.set(app.clock.now() + TimeDelta::seconds(seconds));
}

/// A provider on a thread, until dropped.
struct Simulated {
    url: String,
    stop: Option<Box<dyn FnOnce()>>,
}

impl Drop for Simulated {
    fn drop(&mut self) {
        if let Some(stop) = self.stop.take() {
            stop();
        }
    }
}

fn simulated(app: &TestApp, change: impl FnOnce(&mut Behaviour)) -> Simulated {
    let mut behaviour = Behaviour {
        secret: SECRET.to_owned(),
        report_secret: REPORT_SECRET.to_owned(),
        ..Behaviour::default()
    };
    change(&mut behaviour);
    let (ready, started) = channel();
    let clock = app.clock.clone();
    let serving = std::thread::spawn(move || {
        actix_web::rt::System::new().block_on(async move {
            let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
            let (server, address) = provider_simulator::serve(listener, behaviour, clock).expect("served");
            ready.send((address, server.handle())).expect("the test waits");
            server.await.expect("ended well");
        });
    });
    let (at, handle) = started.recv().expect("started");
    Simulated {
        url: format!("http://{at}"),
        stop: Some(Box::new(move || {
            drop(handle.stop(false));
            serving.join().expect("stopped");
        })),
    }
}

/// What a reader's browser does.
fn open(url: &str) {
    let answer = ureq::get(url).call().expect("opened");
    assert_eq!(answer.status().as_u16(), 200);
}

fn open_agreement(app: &TestApp, town: &Town) {
    let stands = town.stands(app);
    open(stands["request"]["agree_url"].as_str().expect("where to agree"));
}

fn a_reader_asks_agrees_and_is_let_in_and_no_score_is_kept(app: &TestApp) {
    let town = town(app, SCORED);
    assert_eq!(refused_as(town.lend(app)), ["entry_gate"]);
    let before = town.stands(app);
    assert_eq!(
        (&before["gate"], &before["provider"], &before["may_borrow"]),
        (&json!("external_score"), &json!(PROVIDER), &json!(false))
    );
    town.me(app, "/agreement").expect_problem(409, "wrong_state");
    let asked = town.me(app, "").expect(200).body;
    assert_eq!(
        (&asked["request"]["state"], &asked["request"]["provider_told"]),
        (&json!("asked"), &json!("waiting"))
    );
    town.me(app, "/agreement").expect_problem(409, "wrong_state");
    let provider = simulated(app, |_| {});
    let pass = asking(app, &provider.url);
    ask(app, &pass);
    town.me(app, "/agreement").expect(200);
    ask(app, &pass);
    assert_eq!(town.state(app), "agreed", "the reader has not agreed there");
    open_agreement(app, &town);
    later(app, 60);
    ask(app, &pass);
    let stands = town.stands(app);
    assert_eq!(
        (
            &stands["may_borrow"],
            &stands["admitted_by"],
            &stands["request"]["state"]
        ),
        (&json!(true), &json!("external_score"), &json!("passed"))
    );
    assert_eq!(stands["request"]["agree_url"], Value::Null);
    town.lend(app).expect(201);
    let kept = "SELECT count(*) AS n FROM events e LEFT JOIN event_personal p ON p.seq = e.seq \
                WHERE e.detail LIKE '%731%' OR p.data LIKE '%731%'";
    assert_eq!(
        app.database.outside().number(kept),
        0,
        "the simulator sends its score along"
    );
    // The report may have come first: agreeing once more is no error, nor is asking.
    assert_eq!(town.me(app, "/agreement").expect(200).body["may_borrow"], true);
    assert_eq!(town.me(app, "").expect(200).body["request"]["state"], "passed");
    app.assert_sound();
}

fn a_report_counts_once_and_a_forged_one_not_at_all(app: &TestApp) {
    let town = town(app, SCORED);
    town.me(app, "").expect(200);
    let good = town.report("r-1", app, "passed");
    report(app, "another secret of thirty-two bytes", &good).expect_problem(401, "unauthenticated");
    assert_eq!(town.state(app), "asked");
    let unknown = json!({"report_id": "r-0", "order_key": "0", "decision": "passed"});
    report(app, REPORT_SECRET, &unknown).expect_problem(404, "not_found");
    let scored = json!({"report_id": "r-0", "order_key": "0", "decision": "passed", "score": 731});
    report(app, REPORT_SECRET, &scored).expect(400);
    let first = report(app, REPORT_SECRET, &good).expect(200).body;
    assert_eq!(first, json!({"state": "passed", "applied": true, "repeated": false}));
    let again = report(app, REPORT_SECRET, &good).expect(200).body;
    assert_eq!(again, json!({"state": "passed", "applied": true, "repeated": true}));
    let other = town.report("r-1", app, "refused");
    report(app, REPORT_SECRET, &other).expect_problem(409, "wrong_state");
    let late = report(app, REPORT_SECRET, &town.report("r-2", app, "refused"))
        .expect(200)
        .body;
    assert_eq!(late, json!({"state": "passed", "applied": false, "repeated": false}));
    let admitted = "SELECT count(*) AS n FROM events WHERE kind IN ('reader_admitted', 'admission_refused')";
    assert_eq!(app.database.outside().number(admitted), 1);
    town.lend(app).expect(201);
    app.assert_sound();
}

fn a_provider_that_is_down_blocks_nobody_who_was_let_in(app: &TestApp) {
    let inside = town(app, SCORED);
    inside.admitted(app);
    let (reader, card) = app.reader("adult", "B1");
    let outside = Town {
        desk: inside.desk.clone(),
        reader,
        card,
    };
    outside.me(app, "").expect(200);
    let down = asking(app, "http://127.0.0.1:1");
    for attempt in 1..=5 {
        assert_eq!(ask(app, &down), 1, "{attempt}");
        later(app, 4_000);
    }
    assert_eq!(
        ask(app, &down),
        0,
        "after five failures in a row nobody is asked for a while"
    );
    inside.lend(app).expect(201);
    assert_eq!(refused_as(outside.lend(app)), ["entry_gate"]);
    let stands = outside.stands(app);
    assert_eq!(stands["request"]["provider_told"], "retrying");
    // Staff may lend in spite of it, with a reason.
    let (_, barcode) = app.item(app.bib("水浒传", None), "B1", &json!({}));
    let body = json!({"item_barcode": barcode, "card_number": outside.card,
        "overrides": {"codes": ["entry_gate"], "reason": "核验系统故障"}});
    app.post_consenting(&app.staff("librarian", "B1"), "/api/v1/check-outs", &body)
        .expect(201);
    let provider = simulated(app, |_| {});
    ask(app, &asking(app, &provider.url));
    assert_eq!(outside.stands(app)["request"]["provider_told"], "done");
    app.assert_sound();
}

/// A peer that nobody here wrote: Python's own server, which is stopped in mid-air.
fn a_provider_that_hangs_is_not_waited_for(app: &TestApp) {
    let town = town(app, SCORED);
    town.me(app, "").expect(200);
    let Some(python) = Python::start() else {
        eprintln!("python3 is not there: not tried");
        return;
    };
    let pass = asking(app, &python.url);
    ask(app, &pass);
    assert_eq!(
        town.stands(app)["request"]["provider_told"],
        "retrying",
        "it takes no POST: 501"
    );
    python.signal("-STOP");
    later(app, 4_000);
    let began = Instant::now();
    ask(app, &pass);
    assert!(began.elapsed() < Duration::from_secs(20), "{:?}", began.elapsed());
    let error = "SELECT error AS t FROM outbox WHERE consumer = 'admission'";
    assert_eq!(
        app.database.outside().text(error),
        "the provider did not answer in time"
    );
    python.signal("-CONT");
    let provider = simulated(app, |behaviour| behaviour.stall_every = 1);
    later(app, 4_000);
    ask(app, &asking(app, &provider.url));
    assert_eq!(town.state(app), "asked");
    app.assert_sound();
}

struct Python {
    child: Child,
    url: String,
}

impl Python {
    fn start() -> Option<Self> {
        let port = TcpListener::bind("127.0.0.1:0").ok()?.local_addr().ok()?.port();
        let mut command = Command::new("python3");
        command.args(["-m", "http.server", "--bind", "127.0.0.1", &port.to_string()]);
        command.current_dir(std::env::temp_dir());
        let child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().ok()?;
        let python = Self {
            child,
            url: format!("http://127.0.0.1:{port}"),
        };
        let at: SocketAddr = format!("127.0.0.1:{port}").parse().ok()?;
        let up = (0..2_000).any(|_| {
            std::thread::sleep(Duration::from_millis(10));
            TcpStream::connect(at).is_ok()
        });
        up.then_some(python)
    }

    fn signal(&self, signal: &str) {
        let sent = Command::new("kill")
            .args([signal, &self.child.id().to_string()])
            .status();
        assert!(sent.expect("kill is there").success());
    }
}

impl Drop for Python {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

fn a_call_whose_answer_was_lost_is_made_again_under_its_key(app: &TestApp) {
    let town = town(app, SCORED);
    town.me(app, "").expect(200);
    // Every second call is acted upon, and its answer lost: the first here is the second.
    let provider = simulated(app, |behaviour| behaviour.drop_every = 2);
    let pass = asking(app, &provider.url);
    let (reader, card) = app.reader("adult", "B1");
    let other = Town {
        desk: town.desk.clone(),
        reader,
        card,
    };
    other.me(app, "").expect(200);
    ask(app, &pass);
    let told = |town: &Town| town.stands(app)["request"]["provider_told"].clone();
    assert_eq!((told(&town), told(&other)), (json!("done"), json!("retrying")));
    later(app, 60);
    ask(app, &pass);
    assert_eq!(told(&other), "done");
    let url = |town: &Town| {
        town.stands(app)["request"]["agree_url"]
            .as_str()
            .expect("a URL")
            .to_owned()
    };
    assert!(url(&other).ends_with(&other.order_key(app)));
    assert_ne!(url(&other), url(&town));
}

fn a_provider_that_says_no_is_asked_again_a_week_later(app: &TestApp) {
    let town = town(app, SCORED);
    town.me(app, "").expect(200);
    let provider = simulated(app, |behaviour| behaviour.refuse_every = 1);
    let pass = asking(app, &provider.url);
    ask(app, &pass);
    open_agreement(app, &town);
    town.me(app, "/agreement").expect(200);
    ask(app, &pass);
    assert_eq!(town.state(app), "refused");
    assert_eq!(refused_as(town.lend(app)), ["entry_gate"]);
    let told = town.me(app, "").expect_problem(409, "wrong_state").body;
    assert!(told.to_string().contains("2026-03-11"), "{told}");
    later(app, 7 * 86_400);
    town.me(app, "").expect(200);
    assert_eq!(town.state(app), "asked");
    // Of a request that the reader left lying nothing is left when they ask anew, and the provider forgets it.
    let first = town.order_key(app);
    later(app, 8 * 86_400);
    town.me(app, "").expect(200);
    assert_ne!(town.order_key(app), first);
    let settled = format!("SELECT count(*) AS n FROM outbox WHERE message_key = '{first}-settle'");
    assert_eq!(app.database.outside().number(&settled), 1);
    app.assert_sound();
}

fn a_deposit_or_staff_let_a_reader_in_for_good(app: &TestApp) {
    let town = town(app, "[[credit.gate]]\nkind = \"deposit\"\nfen = 10000\n");
    let refused = town.lend(app).expect(409).body;
    assert_eq!(refused["refusals"][0]["code"], "entry_deposit");
    assert!(refused.to_string().contains("100.00"), "{refused}");
    assert_eq!(town.stands(app)["deposit_fen"], 10_000);
    town.me(app, "").expect_problem(409, "wrong_state");
    let path = format!("/api/v1/readers/{}/admission", town.reader);
    let body = json!({"by": "deposit", "reason": "押金收据 0311"});
    let let_in = app.post(&town.desk, &path, &body).expect(200).body;
    assert_eq!(
        (&let_in["admitted_by"], &let_in["may_borrow"]),
        (&json!("deposit"), &json!(true))
    );
    app.post(&town.desk, &path, &body).expect_problem(409, "wrong_state");
    town.lend(app).expect(201);
    gate(app, SCORED);
    town.lend(app).expect(201);
    app.post(&town.desk, "/api/v1/readers/99999/admission", &body)
        .expect(404);
    app.assert_sound();
}

fn the_nearest_gate_counts_and_those_of_before_are_let_in(app: &TestApp) {
    app.small_network();
    let (_, before) = app.reader("adult", "B1");
    later(app, 86_400);
    let rows = "[[credit.gate]]\nkind = \"deposit\"\nfen = 10000\n\
                [[credit.gate]]\nunit = \"M1\"\nkind = \"external_score\"\nprovider = \"city-score\"\nthreshold = 600\nsince = \"2026-03-05\"\n\
                [[credit.gate]]\nunit = \"M1\"\ncategory = \"senior\"\nkind = \"none\"\n";
    gate(app, rows);
    let at = |category: &str, unit: &str| app.reader(category, unit);
    let held = |card: &str| {
        let bib = app.bib("西游记", None);
        app.item(bib, "M2", &json!({}));
        let body = json!({"card_number": card, "bib_id": bib, "pickup_unit_code": "B1"});
        let desk = app.staff("librarian", "B1");
        app.post(&desk, "/api/v1/holds", &body)
    };
    assert_eq!(refused_as(held(&at("adult", "M2").1)), ["entry_deposit"]);
    assert_eq!(refused_as(held(&at("adult", "B1").1)), ["entry_gate"]);
    held(&at("senior", "B1").1).expect(201);
    held(&before).expect(201);
    app.assert_sound();
}

fn what_was_agreed_is_taken_back_when_nothing_is_on_loan(app: &TestApp) {
    let town = town(app, SCORED);
    assert_eq!(town.me(app, "/end").expect(200).body["request"], Value::Null);
    let provider = simulated(app, |_| {});
    let pass = asking(app, &provider.url);
    town.me(app, "").expect(200);
    ask(app, &pass);
    report(app, REPORT_SECRET, &town.report("r-1", app, "passed")).expect(200);
    let lent = town.lend(app).expect(201).body;
    town.me(app, "/end").expect_problem(409, "wrong_state");
    let body = json!({"item_barcode": lent["loan"]["item_barcode"]});
    app.post(&town.desk, "/api/v1/check-ins", &body).expect(200);
    let ended = town.me(app, "/end").expect(200).body;
    assert_eq!(
        (&ended["may_borrow"], &ended["admitted_by"]),
        (&json!(false), &Value::Null)
    );
    assert_eq!(town.me(app, "/end").expect(200).body, ended, "once");
    ask(app, &pass);
    let told = "SELECT count(*) AS n FROM outbox WHERE message_key LIKE '%-settle' AND done_at IS NOT NULL";
    assert_eq!(app.database.outside().number(told), 1);
    assert_eq!(refused_as(town.lend(app)), ["entry_gate"]);
    town.me(app, "").expect(200);
    app.assert_sound();
}

/// The provider is told to forget the order, though here nothing is left that says whose it was.
fn who_is_erased_is_forgotten_by_the_provider_too(app: &TestApp) {
    let town = town(app, SCORED);
    let provider = simulated(app, |_| {});
    let pass = asking(app, &provider.url);
    town.me(app, "").expect(200);
    ask(app, &pass);
    report(app, REPORT_SECRET, &town.report("r-1", app, "passed")).expect(200);
    let order = town.order_key(app);
    let token = app.reader_token(&town.card);
    app.post(&token, "/api/v1/me/erasure", &json!({"pin": PIN})).expect(200);
    let number = |sql: &str| app.database.outside().number(sql);
    assert_eq!(number("SELECT count(*) AS n FROM admission_requests"), 0);
    let told = format!(
        "SELECT count(*) AS n FROM outbox WHERE message_key LIKE '{order}-settle%' AND done_at IS NOT NULL AND error IS NULL"
    );
    assert_eq!(number(&told), 0);
    assert_eq!(ask(app, &pass), 1);
    assert_eq!(number(&told), 1, "it took it");
    assert_eq!(ask(app, &pass), 0, "once");
    app.assert_sound();
}

/// It stood in the outbox that the order was to be closed, or opened, and the provider did not answer.
fn what_the_provider_has_not_heard_yet_is_not_lost_with_an_erasure(app: &TestApp) {
    let town = town(app, SCORED);
    let provider = simulated(app, |_| {});
    let pass = asking(app, &provider.url);
    town.me(app, "").expect(200);
    ask(app, &pass);
    report(app, REPORT_SECRET, &town.report("r-1", app, "passed")).expect(200);
    let first = town.order_key(app);
    town.me(app, "/end").expect(200);
    // Another order, of which the provider never hears.
    town.me(app, "").expect(200);
    let second = town.order_key(app);
    assert_ne!(first, second);
    let token = app.reader_token(&town.card);
    app.post(&token, "/api/v1/me/erasure", &json!({"pin": PIN})).expect(200);
    assert_eq!(ask(app, &pass), 1);
    let open = "SELECT count(*) AS n FROM outbox WHERE consumer = 'admission' AND done_at IS NULL";
    assert_eq!(
        app.database.outside().number(open),
        0,
        "nothing waits, nothing was given up"
    );
    let said = |order: &str| {
        let sql = format!(
            "SELECT count(*) AS n FROM outbox WHERE message_key LIKE '{order}-settle-%' AND done_at IS NOT NULL"
        );
        app.database.outside().number(&sql)
    };
    assert_eq!((said(&first), said(&second)), (1, 0));
    app.assert_sound();
}

fn the_provider_hears_of_the_floor_where_the_rules_say_so(app: &TestApp) {
    let town = town(app, SCORED);
    let provider = simulated(app, |_| {});
    let pass = asking(app, &provider.url);
    town.me(app, "").expect(200);
    ask(app, &pass);
    report(app, REPORT_SECRET, &town.report("r-1", app, "passed")).expect(200);
    let path = format!("/api/v1/readers/{}/credit-entries", town.reader);
    let fall = json!({"points": -500, "reason": "多次损坏"});
    app.post(&town.desk, &path, &fall).expect(201);
    let thaw = format!("/api/v1/readers/{}/credit-thaw", town.reader);
    app.post(&town.desk, &thaw, &json!({"reason": "已说明"})).expect(200);
    let told = |word: &str| {
        let key = town.order_key(app);
        let sql =
            format!("SELECT count(*) AS n FROM outbox WHERE message_key LIKE '{key}-{word}-%' AND done_at IS NOT NULL");
        app.database.outside().number(&sql)
    };
    assert_eq!((told("broken"), told("kept")), (0, 0));
    ask(app, &pass);
    assert_eq!((told("broken"), told("kept")), (1, 1));
    town.lend(app).expect(201);
    // A gate that says nothing of it tells nothing.
    gate(app, &SCORED.replace("reports = true\n", ""));
    app.post(&town.desk, &path, &fall).expect(201);
    assert_eq!(ask(app, &pass), 0);
    app.assert_sound();
}

fn the_simulator_knows_its_caller_and_takes_no_nonce_twice(app: &TestApp) {
    let provider = simulated(app, |_| {});
    let body = json!({"order_key": "k", "threshold": 600, "name": "李读者"}).to_string();
    let send = |secret: &str, nonce: &str, at: i64, body: &str| {
        let text = signed_text(nonce, "/orders", body.as_bytes());
        let agent: ureq::Agent = ureq::Agent::config_builder().http_status_as_error(false).build().into();
        let mut answer = agent
            .post(format!("{}/orders", provider.url))
            .header("Idempotency-Key", "k-create")
            .header("Tongjie-Timestamp", at.to_string())
            .header("Tongjie-Nonce", nonce)
            .header("Tongjie-Signature", signed::signature(secret.as_bytes(), at, &text))
            .send(body.as_bytes())
            .expect("answered");
        (
            answer.status().as_u16(),
            answer.body_mut().read_to_string().expect("a body"),
        )
    };
    let now = app.clock.now().timestamp();
    assert_eq!(send(SECRET, "n-1", now, &body).0, 201);
    for (secret, nonce, at, word) in [
        (SECRET, "n-1", now, "nonce"),
        ("another secret", "n-2", now, "signature"),
        (SECRET, "n-3", now - 301, "timestamp"),
    ] {
        let (status, said) = send(secret, nonce, at, &body);
        assert!(status == 401 && said.contains(word), "{status} {said}");
    }
    // One that does not know us is asked again; the settings are wrong, not the order.
    let town = town(app, SCORED);
    town.me(app, "").expect(200);
    let stranger = simulated(app, |behaviour| behaviour.secret = "another secret".to_owned());
    ask(app, &asking(app, &stranger.url));
    assert_eq!(town.stands(app)["request"]["provider_told"], "retrying");
}

fn a_simulator_in_a_process_of_its_own_lets_a_reader_in_by_its_report(app: &TestApp) {
    // The other process has a real clock.
    app.clock.set(Clock::System.now());
    let town = town(app, SCORED);
    let mut child = Command::new(env!("CARGO_BIN_EXE_tongjie"))
        .args([
            "simulate-provider",
            "--bind",
            "127.0.0.1:0",
            "--pace",
            "0",
            "--report-to",
        ])
        .arg(format!("http://{}", app.address))
        .env("TONGJIE__ADMISSION__SECRET", SECRET)
        .env("TONGJIE__ADMISSION__REPORT_SECRET", REPORT_SECRET)
        .stdout(Stdio::piped())
        .spawn()
        .expect("started");
    let mut line = String::new();
    let mut said = BufReader::new(child.stdout.take().expect("piped"));
    said.read_line(&mut line).expect("it says where");
    let url = line.trim().rsplit(' ').next().expect("an address").to_owned();
    town.me(app, "").expect(200);
    ask(app, &asking(app, &url));
    open_agreement(app, &town);
    let end = Instant::now() + Duration::from_secs(60);
    while town.state(app) != "passed" {
        assert!(Instant::now() < end, "it has not reported: {}", town.stands(app));
        std::thread::sleep(Duration::from_millis(10));
    }
    town.lend(app).expect(201);
    child.kill().expect("it runs");
    child.wait().expect("it ends");
    app.assert_sound();
}

fn a_gate_that_is_not_whole_is_refused_with_its_place(app: &TestApp) {
    app.small_network();
    let root = app.root_token();
    let text = format!(
        "{}\n[[credit.gate]]\nunit = \"NOWHERE\"\nkind = \"deposit\"\nfen = 1\n[[credit.gate]]\ncategory = \"nobody\"\nkind = \"none\"\n",
        exported(app, 1)
    );
    let made = app
        .post(&root, "/api/v1/rule-drafts", &json!({"toml": text}))
        .expect(201);
    let path = format!("/api/v1/rule-drafts/{}/validation", made.id());
    let told = app.get(&root, &path).expect(200).body.to_string();
    assert!(told.contains("gate.unit") && told.contains("gate.category"), "{told}");
    let short = format!("{}\n[[credit.gate]]\nkind = \"external_score\"\n", exported(app, 1));
    let made = app
        .post(&root, "/api/v1/rule-drafts", &json!({"toml": short}))
        .expect(201);
    let path = format!("/api/v1/rule-drafts/{}/validation", made.id());
    let told = app.get(&root, &path).expect(200).body.to_string();
    assert!(
        told.contains("gate.provider") && told.contains("gate.threshold"),
        "{told}"
    );
}
