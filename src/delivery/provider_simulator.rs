//! A provider of scores that exists only here: it opens orders, lets readers agree, decides, and reports. It knows its caller by the
//! signature, takes no nonce twice, and acts once per key. For development and tests; nothing of it is kept.

use std::collections::{HashMap, HashSet};
use std::net::{SocketAddr, TcpListener};
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use actix_web::body::{BodySize, MessageBody};
use actix_web::dev::Server;
use actix_web::http::StatusCode;
use actix_web::web::{Bytes, Data, Path, get, post};
use actix_web::{App, HttpRequest, HttpResponse, HttpServer};
use serde_json::{Value, json};

use super::http_provider::{NONCE, signed_text};
use crate::clock::Clock;
use crate::http::signed;

/// How far apart the two clocks may be.
const TOLERANCE_SECONDS: i64 = 300;
/// How long a call that stalls is left without an answer.
const STALL: Duration = Duration::from_secs(3_600);

/// How it behaves.
#[derive(Debug, Clone, Default)]
pub struct Behaviour {
    /// The node to which it reports, as `http://HOST:PORT`; none: it only answers when asked.
    pub report_to: Option<String>,
    /// Signs what it is asked.
    pub secret: String,
    /// Signs what it reports.
    pub report_secret: String,
    /// Between a reader's agreement and the report.
    pub pace: Duration,
    /// Every n-th order is refused; 0: none.
    pub refuse_every: u32,
    /// Every n-th call is never answered; 0: none.
    pub stall_every: u32,
    /// Every n-th call is acted upon, and the connection drops before the answer; 0: none.
    pub drop_every: u32,
}

#[derive(Debug, Clone)]
struct Order {
    number: u32,
    /// The reader has agreed here.
    agreed: bool,
    settled: bool,
}

#[derive(Debug, Default)]
struct Books {
    orders: HashMap<String, Order>,
    nonces: HashSet<String>,
    /// What was answered, by path and key.
    answers: HashMap<String, Value>,
    calls: u32,
}

/// What it knows.
#[derive(Debug)]
pub struct Desk {
    behaviour: Behaviour,
    clock: Clock,
    books: Mutex<Books>,
}

/// Serves until it is stopped; answers where. `clock` is what signatures are held against.
///
/// # Errors
/// The address cannot be used.
pub fn serve(listener: TcpListener, behaviour: Behaviour, clock: Clock) -> std::io::Result<(Server, SocketAddr)> {
    let address = listener.local_addr()?;
    let desk = Data::new(Desk {
        behaviour,
        clock,
        books: Mutex::default(),
    });
    let server = HttpServer::new(move || {
        App::new()
            .app_data(desk.clone())
            .route("/agree/{key}", get().to(agree_here))
            .route("/orders", post().to(called))
            .route("/orders/{key}/{what}", post().to(called))
    })
    .workers(1)
    .listen(listener)?
    .run();
    Ok((server, address))
}

impl Desk {
    fn books(&self) -> MutexGuard<'_, Books> {
        self.books.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What an order comes to, once its reader has agreed.
    fn decision(&self, order: &Order) -> &'static str {
        let every = self.behaviour.refuse_every;
        match every > 0 && order.number.is_multiple_of(every) {
            true => "refused",
            false => "passed",
        }
    }

    /// Why a call is not taken to be from its caller.
    fn forged(&self, request: &HttpRequest, body: &[u8]) -> Option<&'static str> {
        let text = |name: &str| request.headers().get(name).and_then(|value| value.to_str().ok());
        let (Some(at), Some(nonce), Some(signature)) = (text(signed::TIMESTAMP), text(NONCE), text(signed::SIGNATURE))
        else {
            return Some("a timestamp, a nonce and a signature are needed");
        };
        let at: i64 = at.parse().unwrap_or(0);
        if at.abs_diff(self.clock.now().timestamp()) > TOLERANCE_SECONDS.unsigned_abs() {
            return Some("the timestamp is too old, or too far ahead");
        }
        let expected = signed::signature(
            self.behaviour.secret.as_bytes(),
            at,
            &signed_text(nonce, request.path(), body),
        );
        if expected != signature {
            return Some("the signature is not good");
        }
        let fresh = self.books().nonces.insert(nonce.to_owned());
        (!fresh).then_some("the nonce was used before")
    }
}

/// A body of which nothing comes: the connection drops after the head.
struct Dropped;

impl MessageBody for Dropped {
    type Error = std::io::Error;

    fn size(&self) -> BodySize {
        BodySize::Sized(1)
    }

    fn poll_next(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Result<Bytes, Self::Error>>> {
        Poll::Ready(Some(Err(std::io::Error::other("dropped"))))
    }
}

/// The n-th of so many.
fn is_turn(count: u32, every: u32) -> bool {
    every > 0 && count.is_multiple_of(every)
}

/// Any signed call.
async fn called(desk: Data<Desk>, request: HttpRequest, body: Bytes) -> HttpResponse {
    if let Some(reason) = desk.forged(&request, &body) {
        return HttpResponse::Unauthorized().json(json!({"error": reason}));
    }
    let key = request
        .headers()
        .get("idempotency-key")
        .and_then(|key| key.to_str().ok());
    let Some(key) = key else {
        return HttpResponse::BadRequest().json(json!({"error": "an Idempotency-Key is needed"}));
    };
    let count = {
        let mut books = desk.books();
        books.calls += 1;
        books.calls
    };
    if is_turn(count, desk.behaviour.stall_every) {
        tokio::time::sleep(STALL).await;
    }
    let said: Value = serde_json::from_slice(&body).unwrap_or_default();
    let (status, answer) = act(&desk, &request, key, &said);
    tracing::info!(path = request.path(), %status, %answer, "asked");
    if is_turn(count, desk.behaviour.drop_every) {
        return HttpResponse::build(status).body(Dropped);
    }
    HttpResponse::build(status).json(answer)
}

fn act(desk: &Desk, request: &HttpRequest, key: &str, said: &Value) -> (StatusCode, Value) {
    let order = request.match_info().get("key");
    let what = request.match_info().get("what").unwrap_or("create");
    let mut books = desk.books();
    let known = order.or(said["order_key"].as_str()).unwrap_or_default().to_owned();
    if what == "create" {
        if said["threshold"].as_u64().is_none() || said["name"].as_str().is_none_or(str::is_empty) || known.is_empty() {
            return (
                StatusCode::UNPROCESSABLE_ENTITY,
                json!({"error": "order_key, threshold and name"}),
            );
        }
        let number = u32::try_from(books.orders.len() + 1).unwrap_or(u32::MAX);
        let fresh = Order {
            number,
            agreed: false,
            settled: false,
        };
        books.orders.entry(known.clone()).or_insert(fresh);
        let host = request.connection_info().host().to_owned();
        return (
            StatusCode::CREATED,
            json!({"agree_url": format!("http://{host}/agree/{known}")}),
        );
    }
    let Some(order) = books.orders.get_mut(&known) else {
        return (StatusCode::NOT_FOUND, json!({"error": "there is no such order"}));
    };
    let answer = match what {
        "agreement" if order.settled => json!({"state": "expired"}),
        "agreement" if order.agreed => json!({"state": desk.decision(order), "score": 731}),
        "agreement" => json!({"state": "waiting"}),
        "settlement" => {
            order.settled = true;
            json!({})
        }
        "reports" => json!({}),
        _ => return (StatusCode::NOT_FOUND, json!({"error": "there is no such call"})),
    };
    // What was said is said again under the same key; how it stands may have changed.
    let answer = match what {
        "agreement" => answer,
        _ => books.answers.entry(format!("{what} {key}")).or_insert(answer).clone(),
    };
    (StatusCode::OK, answer)
}

/// The page where a reader agrees: opening it is agreeing.
async fn agree_here(desk: Data<Desk>, key: Path<String>) -> HttpResponse {
    let decision = {
        let mut books = desk.books();
        let Some(order) = books.orders.get_mut(key.as_str()).filter(|order| !order.settled) else {
            return HttpResponse::NotFound().body("There is no such order.");
        };
        order.agreed = true;
        desk.decision(order)
    };
    actix_web::rt::spawn(report(desk.into_inner(), key.into_inner(), decision));
    HttpResponse::Ok().body("Agreed. Go back to your library.")
}

async fn report(desk: Arc<Desk>, key: String, decision: &'static str) {
    let Some(node) = desk.behaviour.report_to.clone() else {
        return;
    };
    tokio::time::sleep(desk.behaviour.pace).await;
    let body = json!({"report_id": format!("r-{key}"), "order_key": key, "decision": decision});
    let secret = desk.behaviour.report_secret.clone();
    let at = desk.clock.now().timestamp();
    let sent = tokio::task::spawn_blocking(move || {
        let bytes = body.to_string().into_bytes();
        ureq::post(format!("{node}/api/v1/admission-reports"))
            .header("Content-Type", "application/json")
            .header(signed::TIMESTAMP, at.to_string())
            .header(signed::SIGNATURE, signed::signature(secret.as_bytes(), at, &bytes))
            .send(&bytes[..])
            .map(|response| response.status().as_u16())
    });
    match sent.await {
        Ok(Ok(status)) => tracing::info!(decision, status, "reported"),
        Ok(Err(error)) => tracing::warn!(decision, %error, "could not be reported"),
        Err(_) => {}
    }
}
