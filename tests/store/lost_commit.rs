//! PostgreSQL: the connection dies during COMMIT. Nobody knows whether it was kept; the idempotency key does.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use tongjie::clock::Clock;
use tongjie::store::connection::Target;
use tongjie::store::{Store, StoreOptions};

use crate::database::{Database, Engine};
use crate::world::{World, lend, noon};

/// Passes bytes to PostgreSQL and back, until armed: then it lets one COMMIT through and drops the connection before the
/// answer comes back.
fn proxy(to: String, armed: Arc<AtomicBool>) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let port = listener.local_addr().expect("bound").port();
    std::thread::spawn(move || {
        for client in listener.incoming().map_while(Result::ok) {
            let Ok(server) = TcpStream::connect(&to) else { break };
            let (to_client, from_server) = (
                client.try_clone().expect("a handle"),
                server.try_clone().expect("a handle"),
            );
            let cut = Arc::new(AtomicBool::new(false));
            let (armed, cut_up) = (armed.clone(), cut.clone());
            std::thread::spawn(move || upstream(client, server, &armed, &cut_up));
            std::thread::spawn(move || downstream(from_server, to_client, &cut));
        }
    });
    port
}

fn upstream(mut client: TcpStream, mut server: TcpStream, armed: &AtomicBool, cut: &AtomicBool) {
    let mut buffer = [0_u8; 16_384];
    while let Ok(n @ 1..) = client.read(&mut buffer) {
        // With its end: BEGIN ISOLATION LEVEL READ COMMITTED is not meant.
        if buffer[..n].windows(7).any(|window| window == b"COMMIT\0") && armed.swap(false, Ordering::SeqCst) {
            cut.store(true, Ordering::SeqCst);
        }
        if server.write_all(&buffer[..n]).is_err() {
            break;
        }
    }
    drop(server.shutdown(Shutdown::Write));
}

fn downstream(mut server: TcpStream, mut client: TcpStream, cut: &AtomicBool) {
    let mut buffer = [0_u8; 16_384];
    while let Ok(n @ 1..) = server.read(&mut buffer) {
        if cut.load(Ordering::SeqCst) {
            // The answer to the COMMIT is here, so it happened; the client never learns.
            drop(client.shutdown(Shutdown::Both));
            return;
        }
        if client.write_all(&buffer[..n]).is_err() {
            return;
        }
    }
    drop(client.shutdown(Shutdown::Both));
}

/// `host:port` of the cluster, and the URL of the database through another port.
fn through(url: &str, port: u16) -> (String, String) {
    let (scheme, rest) = url.split_once("://").expect("a URL");
    let (authority, path) = rest.split_once('/').expect("a database");
    let (user, host) = authority
        .rsplit_once('@')
        .map_or(("", authority), |(user, host)| (user, host));
    let user = if user.is_empty() {
        String::new()
    } else {
        format!("{user}@")
    };
    (host.to_owned(), format!("{scheme}://{user}127.0.0.1:{port}/{path}"))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_commit_whose_answer_is_lost_is_found_by_its_key() {
    if !Engine::all().contains(&Engine::Postgres) {
        return;
    }
    let db = Database::new(Engine::Postgres);
    let direct = db.open(Clock::fixed(noon()));
    let world = World::fill(db, direct, 2, 2).await;
    let armed = Arc::new(AtomicBool::new(false));
    let (host, _) = through(&world.db.url(), 0);
    let (_, url) = through(&world.db.url(), proxy(host, armed.clone()));
    let target = Target::parse(&url).expect("a URL");
    let store = Store::open(StoreOptions {
        pool_size: 4,
        ..StoreOptions::new(target, chrono_tz::Asia::Shanghai, Clock::fixed(noon()))
    })
    .expect("opens through the proxy");
    lend(&store, &world.librarian(), "I0", "R0", Some("first"))
        .await
        .expect("nothing is cut yet");

    armed.store(true, Ordering::SeqCst);
    let (outcome, replayed) = lend(&store, &world.librarian(), "I1", "R1", Some("second"))
        .await
        .expect("found again by its key");
    assert!(
        replayed,
        "the first attempt was committed, so the second finds its outcome"
    );
    assert!(!armed.load(Ordering::SeqCst), "a COMMIT was cut");
    assert!(outcome.loan.is_some());

    // Without a key nobody can tell: the caller must hear that it is unknown, not "done" and not "not done".
    store
        .write(|tx| tx.bump_config_version())
        .await
        .expect("nothing is cut");
    armed.store(true, Ordering::SeqCst);
    let unknown = store.write(|tx| tx.bump_config_version()).await;
    assert!(unknown.is_err(), "{unknown:?}");
}
