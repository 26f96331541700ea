//! `tongjie admin`: the operator's own way in.

use std::io::Write;
use std::process::Stdio;

use crate::database::Engine;
use crate::demo::start;
use crate::keys::{post, session};
use crate::process::{Tongjie, told};

#[test]
fn the_first_administrator_is_made_once_with_a_password_from_standard_input() {
    let tongjie = Tongjie::new(Engine::Sqlite);
    let create = |password: &str| {
        let mut child = tongjie
            .command(&["admin", "create-system", "--username", "root", "--password-stdin"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("starts");
        child
            .stdin
            .take()
            .expect("piped")
            .write_all(password.as_bytes())
            .expect("taken");
        child.wait_with_output().expect("ends")
    };
    let weak = create("short\n");
    assert_eq!(weak.status.code(), Some(2), "{}", told(&weak));
    assert!(told(&weak).contains("password: at least 10"), "{}", told(&weak));
    let made = create("correct horse\n");
    assert!(made.status.success(), "{}", told(&made));
    assert!(!told(&made).contains("correct horse"));
    let twice = create("correct horse\n");
    assert_eq!(twice.status.code(), Some(2), "{}", told(&twice));
    assert!(told(&twice).contains("username: "), "{}", told(&twice));
    tongjie.succeeds(&["check"]);
}

#[test]
fn staff_get_a_role_and_a_new_password() {
    let tongjie = Tongjie::new(Engine::Sqlite);
    let staff = [
        "admin",
        "create-staff",
        "--username",
        "li",
        "--role",
        "librarian",
        "--unit",
        "network",
    ];
    assert!(
        tongjie.succeeds(&staff).contains("password: "),
        "one was made up and is told once"
    );
    assert!(
        tongjie
            .succeeds(&["admin", "set-password", "--username", "li"])
            .contains("password: ")
    );
    tongjie.fails(&["admin", "set-password", "--username", "nobody"], 1);
    let told = tongjie.fails(
        &[
            "admin",
            "create-staff",
            "--username",
            "wu",
            "--role",
            "king",
            "--unit",
            "network",
        ],
        2,
    );
    assert!(told.contains("roles: "), "{told}");
    tongjie.succeeds(&["check"]);
}

#[test]
fn a_device_gets_a_secret_that_is_told_once() {
    for engine in Engine::all() {
        let tongjie = Tongjie::new(engine);
        let make = |code, kind, unit| ["admin", "create-device", "--code", code, "--kind", kind, "--unit", unit];
        let told = tongjie.succeeds(&make("GATE-1", "gate", "network"));
        assert!(told.contains("secret: "), "{told}");
        assert!(
            tongjie
                .fails(&make("GATE-1", "gate", "network"), 2)
                .contains("code: another device")
        );
        assert!(
            tongjie
                .fails(&make("G 2", "gate", "network"), 2)
                .contains("code: must be")
        );
        assert!(
            tongjie
                .fails(&make("G2", "toaster", "network"), 2)
                .contains("kind: must be one of gate")
        );
        assert!(
            tongjie
                .fails(&make("G2", "gate", "nowhere"), 2)
                .contains("unit_code: no unit")
        );
        tongjie.succeeds(&["check"]);
    }
}

#[test]
fn a_password_given_at_the_command_line_ends_every_session_of_the_account() {
    for engine in Engine::all() {
        let tongjie = Tongjie::new(engine);
        let made = |said: String| {
            said.split("password: ")
                .nth(1)
                .expect("one was made up")
                .trim()
                .to_owned()
        };
        let root = made(tongjie.succeeds(&["admin", "create-system", "--username", "root"]));
        let create = [
            "admin",
            "create-staff",
            "--username",
            "li",
            "--role",
            "librarian",
            "--unit",
            "network",
        ];
        let li = made(tongjie.succeeds(&create));
        let (server, address) = start(&tongjie, &["serve"]);
        let sessions = [session(&address, "li", &li), session(&address, "li", &li)];
        let other = session(&address, "root", &root);
        let new = made(tongjie.succeeds(&["admin", "set-password", "--username", "li"]));
        let refresh = |session: &serde_json::Value| {
            let body = format!(r#"{{"refresh_token": {}}}"#, session["refresh_token"]);
            post(&address, "/api/v1/sessions/refresh", &body).0
        };
        assert_eq!(sessions.each_ref().map(&refresh), [401, 401]);
        assert_eq!(refresh(&other), 200, "nobody else's");
        session(&address, "li", &new);
        assert_eq!(server.stop(), Some(0));
        tongjie.succeeds(&["check"]);
    }
}

#[test]
fn what_an_operator_does_is_recorded_as_nobodys_log_in() {
    for engine in Engine::all() {
        let tongjie = Tongjie::new(engine);
        tongjie.succeeds(&["admin", "create-system", "--username", "root"]);
        let staff = [
            "admin",
            "create-staff",
            "--username",
            "li",
            "--role",
            "librarian",
            "--unit",
            "network",
        ];
        tongjie.succeeds(&staff);
        tongjie.succeeds(&["admin", "set-password", "--username", "li"]);
        tongjie.succeeds(&[
            "admin",
            "create-device",
            "--code",
            "G1",
            "--kind",
            "gate",
            "--unit",
            "network",
        ]);
        tongjie.succeeds(&["admin", "rotate-key"]);
        let count = |rest: &str| tongjie.number(&format!("SELECT count(*) AS n FROM {rest}"));
        for (kind, n) in [
            ("staff_created", 2),
            ("staff_changed", 1),
            ("device_registered", 1),
            ("signing_key_rotated", 1),
        ] {
            assert_eq!(
                count(&format!("events WHERE channel = 'command' AND kind = '{kind}'")),
                n,
                "{kind}"
            );
        }
        assert_eq!(count("events WHERE channel = 'desk'"), 0);
        // The accounts it was about stand in the erasable side, and nobody as the one who did it.
        assert_eq!(count("event_personal WHERE data LIKE '%_staff_id%'"), 3);
        assert_eq!(count("event_personal WHERE staff_id IS NOT NULL"), 0);
        // Sealed and counted like everything else.
        let (server, _) = start(&tongjie, &["serve"]);
        let end = std::time::Instant::now() + crate::process::PATIENCE;
        while count("daily_counts WHERE channel = 'command'") < 4 {
            assert!(std::time::Instant::now() < end, "the operator's acts are not counted");
            std::thread::sleep(std::time::Duration::from_millis(50));
        }
        assert_eq!(server.stop(), Some(0));
        tongjie.succeeds(&["check"]);
    }
}
