//! `tongjie admin`: the operator's own way in.

use std::io::Write;
use std::process::Stdio;

use crate::database::Engine;
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
                .contains("unit: no unit")
        );
        tongjie.succeeds(&["check"]);
    }
}
