//! `TestApp`: the whole server on a private database and a clock that stands still, reached over TCP.

use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use actix_web::dev::ServerHandle;
use chrono::{DateTime, Utc};
use serde_json::{Value, json};
use tongjie::app::App;
use tongjie::auth::{Audience, Grant, Identity, Role};
use tongjie::catalogue::marc::normalise_search;
use tongjie::clock::Clock;
use tongjie::config::Config;
use tongjie::domain::ids::UnitId;
use tongjie::store::bibs::NewBib;
use tongjie::store::devices::NewDevice;
use tongjie::store::staff::NewStaff;
use tongjie::usecase::UseCaseError;
use tongjie::usecase::check::check;
use tongjie::usecase::log_in::device_secret_hash;
use tongjie::usecase::progress::Silent;

use crate::client::{Answer, Request};
use crate::database::{Database, Engine, POSTGRES};

/// The password of everybody a builder makes.
pub const PASSWORD: &str = "a long password";
/// The PIN of every reader a builder makes.
pub const PIN: &str = "240117";
/// The secret with which the carrier signs.
pub const REPORT_SECRET: &str = "a secret that only the carrier knows";
/// The member of staff every test begins with: `system` at the root.
pub const ROOT_USER: &str = "root";
/// The code of the root.
pub const ROOT: &str = "network";

/// A running server.
pub struct TestApp {
    pub app: Arc<App>,
    pub address: SocketAddr,
    pub clock: Clock,
    runtime: tokio::runtime::Runtime,
    handle: ServerHandle,
    server: Option<std::thread::JoinHandle<()>>,
    /// Dropped last.
    pub database: Database,
    serial: AtomicU32,
}

/// Runs scenarios on both engines: `on_both!(a_scenario, another);` where each is `fn(&TestApp)`.
#[macro_export]
macro_rules! on_both {
    ($($scenario:ident),* $(,)?) => {
        mod sqlite {
            $(#[test] fn $scenario() { $crate::app::run($crate::database::Engine::Sqlite, super::$scenario); })*
        }
        mod postgres {
            $(#[test] fn $scenario() { $crate::app::run($crate::database::Engine::Postgres, super::$scenario); })*
        }
    };
}

/// Runs one scenario on one engine.
pub fn run(engine: Engine, scenario: fn(&TestApp)) {
    run_with(engine, |_| {}, scenario);
}

/// The same with changed settings.
pub fn run_with(engine: Engine, change: impl FnOnce(&mut Config), scenario: impl FnOnce(&TestApp)) {
    if engine == Engine::Postgres && std::env::var(POSTGRES).is_err() {
        eprintln!("{POSTGRES} is not set: not run on PostgreSQL (scripts/test.sh sets it)");
        return;
    }
    let app = TestApp::start(Database::new(engine), change);
    scenario(&app);
}

impl TestApp {
    /// Noon of a Wednesday in Jiangcheng.
    pub fn now() -> DateTime<Utc> {
        "2026-03-04T04:00:00Z".parse().expect("a moment")
    }

    fn start(database: Database, change: impl FnOnce(&mut Config)) -> Self {
        crate::logs::begin();
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .expect("a runtime");
        let mut config = Config::for_tests(database.dir(), &database.url());
        config.http.workers = 1;
        config.delivery.report_secret = Some(REPORT_SECRET.into());
        config.credit.report_secret = Some(REPORT_SECRET.into());
        // Tests listen to what webhooks are told.
        config.webhooks.allow_private = "127.0.0.1".parse().expect("an address");
        change(&mut config);
        let clock = Clock::fixed(Self::now());
        let app = runtime
            .block_on(App::build(config, clock.clone()))
            .expect("the app is built");
        let (server, address, handle) = serve(app.clone());
        let serial = AtomicU32::new(0);
        let test = Self {
            app,
            address,
            clock,
            runtime,
            handle,
            server: Some(server),
            database,
            serial,
        };
        test.insert_root_user();
        test
    }

    /// Runs something of the library.
    pub fn block_on<F: Future>(&self, future: F) -> F::Output {
        self.runtime.block_on(future)
    }

    /// A number that is new in this test.
    pub fn next(&self) -> u32 {
        self.serial.fetch_add(1, Ordering::Relaxed) + 1
    }

    // ------------------------------------------------------------ requests

    pub fn request(&self, method: &str, path: &str) -> Request {
        Request::new(self.address, method, path)
    }

    pub fn get(&self, token: &str, path: &str) -> Answer {
        self.request("GET", path).bearer(token).send()
    }

    pub fn post(&self, token: &str, path: &str, body: &Value) -> Answer {
        self.request("POST", path).bearer(token).json(body).send()
    }

    /// As staff do it: ask, look at the refusals, then say the same with the token that was given with them.
    pub fn post_consenting(&self, token: &str, path: &str, body: &Value) -> Answer {
        let told = self.post(token, path, body);
        let Some(consent) = told.body["consent_token"].as_str() else {
            return told;
        };
        let mut body = body.clone();
        body["consent_token"] = consent.into();
        self.post(token, path, &body)
    }

    /// A log-in's answer.
    pub fn log_in(&self, body: &Value) -> Answer {
        self.request("POST", "/api/v1/sessions").json(body).send()
    }

    /// Fails with every violation when the whole database breaks an invariant, as `tongjie check` tells it.
    #[track_caller]
    pub fn assert_sound(&self) {
        let findings = self
            .block_on(check(&self.app.store, &Silent))
            .expect("the audit reads everything");
        let broken: Vec<String> = findings.into_iter().flat_map(|finding| finding.examples).collect();
        assert!(broken.is_empty(), "{broken:#?}");
    }

    /// Lets a second pass.
    pub fn tick(&self) {
        self.clock.set(self.clock.now() + chrono::TimeDelta::seconds(1));
    }

    // ------------------------------------------------------------ tokens

    /// Access token of the system user.
    pub fn root_token(&self) -> String {
        self.staff_token(ROOT_USER, None)
    }

    /// Access token of a member of staff, at a desk.
    pub fn staff_token(&self, username: &str, unit_code: Option<&str>) -> String {
        let mut body = json!({"username": username, "password": PASSWORD});
        if let Some(code) = unit_code {
            body["unit_code"] = code.into();
        }
        access_token(&self.log_in(&body).expect(201))
    }

    /// Access token of a reader.
    pub fn reader_token(&self, card_number: &str) -> String {
        access_token(
            &self
                .log_in(&json!({"card_number": card_number, "pin": PIN}))
                .expect(201),
        )
    }

    /// A genuine token of any kind, without a log-in.
    pub fn issue(&self, aud: Audience, unit: Option<i64>, grants: Vec<Grant>) -> String {
        let identity = Identity {
            device_kind: None,
            sub: 1,
            aud,
            sid: 1,
            unit,
            grants,
        };
        self.app.tokens.issue(identity, self.clock.now()).expect("signed")
    }

    // ------------------------------------------------------------ builders

    /// A unit under another, through the API; extra members as given.
    pub fn unit(&self, code: &str, kind: &str, parent: &str, extra: &Value) -> i64 {
        let mut body = json!({"code": code, "name": format!("{code} 馆"), "kind": kind, "parent_code": parent});
        merge(&mut body, extra);
        self.post(&self.root_token(), "/api/v1/units", &body).expect(201).id()
    }

    /// A central `C1` with the mains `M1` and `M2` and a branch each, `B1` and `B2`.
    pub fn small_network(&self) {
        self.unit("C1", "central", ROOT, &json!({}));
        for n in ["1", "2"] {
            self.unit(&format!("M{n}"), "main", "C1", &json!({}));
            self.unit(&format!("B{n}"), "branch", &format!("M{n}"), &json!({}));
        }
    }

    /// A member of staff with one role; answers the access token at that unit.
    pub fn staff(&self, role: &str, unit_code: &str) -> String {
        let username = format!("{role}.{}", self.next());
        let body = json!({"username": username, "name": "王老师", "password": PASSWORD,
            "roles": [{"role": role, "unit_code": unit_code}]});
        self.post(&self.root_token(), "/api/v1/staff", &body).expect(201);
        self.staff_token(&username, Some(unit_code))
    }

    /// A reader with a card; answers the id and the card number.
    pub fn reader(&self, category: &str, home: &str) -> (i64, String) {
        let card = format!("JC{:06}", self.next());
        let mut body =
            json!({"name": "李读者", "category": category, "home_unit_code": home, "card_number": card, "pin": PIN});
        if category == "child" {
            body["guardian"] = self.consent();
        }
        let id = self.post(&self.root_token(), "/api/v1/readers", &body).expect(201).id();
        (id, card)
    }

    /// A guardian for a new reader, with the signed form.
    pub fn consent(&self) -> Value {
        let (guardian, _) = self.reader("adult", "B1");
        json!({"guardian_reader_id": guardian, "relation": "parent", "consent_form": "2026-1",
            "consented_on": "2020-01-01"})
    }

    /// A bib, straight into the store: the API imports no records.
    pub fn bib(&self, title: &str, isbn: Option<&str>) -> i64 {
        let id = self.take_id();
        let bib = NewBib {
            id,
            control_number: Some(format!("cn{id}")),
            format: "cnmarc".to_owned(),
            container: "iso2709".to_owned(),
            encoding: "utf-8".to_owned(),
            marc: b"not read here".to_vec(),
            title: title.to_owned(),
            authors: "佚名".to_owned(),
            publisher: None,
            publish_year: Some(1994),
            isbn: isbn.map(str::to_owned),
            clc_class: Some("I242.4".to_owned()),
            language: Some("chi".to_owned()),
            search_text: normalise_search(title),
            open_holds: 0,
            created_at: 0,
            updated_at: 0,
        };
        let isbns: Vec<String> = isbn.map(str::to_owned).into_iter().collect();
        let work =
            move |tx: &mut tongjie::store::tx::WriteTx<'_>| tx.insert_bib(&bib, &isbns).map_err(UseCaseError::from);
        self.block_on(self.app.store.write(work)).expect("a bib");
        id
    }

    /// An item of a bib, of the type `book`; answers the id and the barcode.
    pub fn item(&self, bib: i64, owner: &str, extra: &Value) -> (i64, String) {
        let barcode = format!("01{:08}", self.next());
        let mut body = json!({"bib_id": bib, "barcode": barcode, "owner_unit_code": owner, "item_type": "book"});
        merge(&mut body, extra);
        let id = self.post(&self.root_token(), "/api/v1/items", &body).expect(201).id();
        (id, barcode)
    }

    /// A kiosk at work, straight into the store.
    pub fn device(&self, code: &str, unit: i64, secret: &str) {
        let row = NewDevice {
            id: self.take_id(),
            code: code.to_owned(),
            unit_id: unit,
            kind: "kiosk".to_owned(),
            secret_hash: device_secret_hash(secret),
            active: true,
            name: String::new(),
            capabilities: "door_bank,two_phase_loans".to_owned(),
            registered_at: Some(0),
            approved_at: Some(0),
        };
        let work = move |tx: &mut tongjie::store::tx::WriteTx<'_>| tx.insert_device(&row).map_err(UseCaseError::from);
        self.block_on(self.app.store.write(work)).expect("a device");
    }

    fn insert_root_user(&self) {
        let id = self.take_id();
        let member = NewStaff {
            id,
            username: ROOT_USER.to_owned(),
            name: "系统管理员".to_owned(),
            password_hash: self.app.passwords.hash_blocking(&PASSWORD.into()).expect("hashed"),
            active: true,
            demo: false,
            created_at: 0,
        };
        let work = move |tx: &mut tongjie::store::tx::WriteTx<'_>| {
            let root = tx.network()?.units().root().map(|root| root.id).expect("a root");
            let roles: Vec<(String, UnitId)> = vec![(Role::System.to_string(), root)];
            tx.insert_staff(&member, &roles).map_err(UseCaseError::from)
        };
        self.block_on(self.app.store.write(work)).expect("the system user");
    }

    fn take_id(&self) -> i64 {
        self.block_on(self.app.store.take_ids::<UseCaseError>(1))
            .expect("an id")
            .next()
    }
}

impl Drop for TestApp {
    fn drop(&mut self) {
        // Not graceful: nothing a test still waits for is in flight.
        drop(self.handle.stop(false));
        if let Some(server) = self.server.take() {
            drop(server.join());
        }
        self.app.store.close();
        if !std::thread::panicking() {
            crate::logs::assert_silent();
        }
    }
}

type Serving = (std::thread::JoinHandle<()>, SocketAddr, ServerHandle);

fn serve(app: Arc<App>) -> Serving {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let (ready, started) = std::sync::mpsc::channel();
    let thread = std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .expect("a runtime");
        tokio::task::LocalSet::new().block_on(&runtime, async move {
            let (server, address) = tongjie::http::serve(app, listener).expect("served");
            ready.send((address, server.handle())).expect("the test waits");
            server.await.expect("ended well");
        });
    });
    let (address, handle) = started.recv().expect("started");
    (thread, address, handle)
}

fn access_token(answer: &Answer) -> String {
    answer.body["access_token"].as_str().expect("a token").to_owned()
}

fn merge(into: &mut Value, extra: &Value) {
    for (name, value) in extra.as_object().into_iter().flatten() {
        into[name] = value.clone();
    }
}
