//! A carrier that exists only here: it takes bookings over HTTP, once per key, and reports every parcel's way. For development
//! and tests; nothing of it is kept.

use std::collections::HashMap;
use std::net::{SocketAddr, TcpListener};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use actix_web::dev::Server;
use actix_web::{App, HttpRequest, HttpResponse, HttpServer, web};
use serde::Deserialize;
use serde_json::json;

use crate::clock::Clock;
use crate::http::signed;

/// How it behaves.
#[derive(Debug, Clone)]
pub struct Behaviour {
    /// The node to which it reports, as `http://HOST:PORT`; none: it stays silent.
    pub report_to: Option<String>,
    /// Signs the reports.
    pub secret: String,
    /// Between two reports of a parcel.
    pub pace: Duration,
    /// Readers refuse every n-th parcel; 0: none.
    pub refuse_every: u32,
}

/// What it knows.
#[derive(Debug)]
struct Books {
    behaviour: Behaviour,
    /// Tracking numbers by key.
    taken: Mutex<HashMap<String, String>>,
}

#[derive(Debug, Deserialize)]
struct Taken {
    parcel_id: i64,
    direction: String,
}

/// Serves until it is stopped; answers where.
///
/// # Errors
/// The address cannot be used.
pub fn serve(listener: TcpListener, behaviour: Behaviour) -> std::io::Result<(Server, SocketAddr)> {
    let address = listener.local_addr()?;
    let books = web::Data::new(Books {
        behaviour,
        taken: Mutex::default(),
    });
    let server = HttpServer::new(move || {
        App::new()
            .app_data(books.clone())
            .route("/bookings", web::post().to(book))
    })
    .workers(1)
    .listen(listener)?
    .run();
    Ok((server, address))
}

/// Books a parcel; a key that is known gets the same number again.
async fn book(books: web::Data<Books>, request: HttpRequest, booking: web::Json<Taken>) -> HttpResponse {
    let key = request
        .headers()
        .get("idempotency-key")
        .and_then(|key| key.to_str().ok());
    let Some(key) = key else {
        return HttpResponse::BadRequest().json(json!({"error": "an Idempotency-Key is needed"}));
    };
    let (number, count) = {
        let mut taken = books.taken.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = taken.get(key) {
            return HttpResponse::Ok().json(json!({"tracking_number": known}));
        }
        let number = format!("SIM{:09}", taken.len() + 1);
        taken.insert(key.to_owned(), number.clone());
        (number, u32::try_from(taken.len()).unwrap_or(u32::MAX))
    };
    tracing::info!(parcel = booking.parcel_id, number, "booked");
    let every = books.behaviour.refuse_every;
    let refused = booking.direction == "out" && every > 0 && count % every == 0;
    let way: &[&str] = match refused {
        true => &["picked_up", "in_transit", "refused", "returned"],
        false => &["picked_up", "in_transit", "delivered"],
    };
    actix_web::rt::spawn(report(
        Arc::new(books.behaviour.clone()),
        booking.parcel_id,
        number.clone(),
        way,
    ));
    HttpResponse::Created().json(json!({"tracking_number": number}))
}

async fn report(behaviour: Arc<Behaviour>, parcel: i64, number: String, way: &'static [&'static str]) {
    let Some(node) = behaviour.report_to.clone() else {
        return;
    };
    for (at, step) in way.iter().enumerate() {
        tokio::time::sleep(behaviour.pace).await;
        let now = Clock::System.now();
        let body =
            json!({"report_id": format!("{number}-{at}"), "parcel_id": parcel, "step": step, "occurred_at": now});
        let (url, secret) = (format!("{node}/api/v1/parcel-reports"), behaviour.secret.clone());
        let sent = tokio::task::spawn_blocking(move || {
            let bytes = body.to_string().into_bytes();
            let signature = signed::signature(secret.as_bytes(), now.timestamp(), &bytes);
            ureq::post(&url)
                .header("Content-Type", "application/json")
                .header(signed::TIMESTAMP, now.timestamp().to_string())
                .header(signed::SIGNATURE, signature)
                .send(&bytes[..])
                .map(|response| response.status().as_u16())
        });
        match sent.await {
            Ok(Ok(status)) => tracing::info!(parcel, step, status, "reported"),
            Ok(Err(error)) => tracing::warn!(parcel, step, %error, "could not be reported"),
            Err(_) => return,
        }
    }
}
