//! Two nodes at once: both may migrate, and a SQLite file gets one server only.

use std::process::{Child, Stdio};

use crate::database::Engine;
use crate::demo::{get, start};
use crate::process::{Tongjie, told};

fn spawn(tongjie: &Tongjie, args: &[&str]) -> Child {
    tongjie
        .command(args)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("starts")
}

#[test]
fn nodes_that_migrate_a_new_database_at_once_all_succeed() {
    for engine in Engine::all() {
        for _ in 0..4 {
            let tongjie = Tongjie::new(engine);
            let nodes: Vec<Child> = (0..4).map(|_| spawn(&tongjie, &["migrate"])).collect();
            for node in nodes {
                let output = node.wait_with_output().expect("ends");
                assert!(output.status.success(), "{engine:?}: {}", told(&output));
            }
            assert_eq!(
                tongjie.number("SELECT count(*) AS n FROM units"),
                1,
                "{engine:?}: one root"
            );
            assert!(tongjie.succeeds(&["check"]).contains("check: sound"));
        }
    }
}

#[test]
fn two_servers_on_a_new_postgresql_database_both_serve() {
    if !Engine::all().contains(&Engine::Postgres) {
        return;
    }
    let tongjie = Tongjie::new(Engine::Postgres);
    let nodes = std::thread::scope(|scope| {
        let starting: Vec<_> = (0..2).map(|_| scope.spawn(|| start(&tongjie, &["serve"]))).collect();
        starting
            .into_iter()
            .map(|node| node.join().expect("it serves"))
            .collect::<Vec<_>>()
    });
    for (_, address) in &nodes {
        assert!(get(address, "/health/ready").starts_with("HTTP/1.1 200"));
    }
    for (server, _) in nodes {
        assert_eq!(server.stop(), Some(0));
    }
    assert!(tongjie.succeeds(&["check"]).contains("check: sound"));
}

#[test]
fn a_second_server_on_a_sqlite_file_is_refused_and_the_first_goes_on() {
    let tongjie = Tongjie::new(Engine::Sqlite);
    let (server, address) = start(&tongjie, &["serve"]);
    for command in ["serve", "demo"] {
        let said = tongjie.fails(&[command], 3);
        assert!(
            said.contains("another server has") && said.contains("tongjie.db open"),
            "{said}"
        );
    }
    // Commands beside the server are welcome.
    tongjie.succeeds(&["admin", "create-system", "--username", "root"]);
    tongjie.succeeds(&["check"]);
    assert!(get(&address, "/health/ready").starts_with("HTTP/1.1 200"));
    assert_eq!(server.stop(), Some(0));
    let (server, _) = start(&tongjie, &["serve"]);
    assert_eq!(server.stop(), Some(0));
}

#[test]
fn a_killed_server_leaves_no_claim_behind() {
    let tongjie = Tongjie::new(Engine::Sqlite);
    let (server, _) = start(&tongjie, &["serve"]);
    drop(server); // kill -9
    let (server, address) = start(&tongjie, &["serve"]);
    assert!(get(&address, "/health/ready").starts_with("HTTP/1.1 200"));
    assert_eq!(server.stop(), Some(0));
}
