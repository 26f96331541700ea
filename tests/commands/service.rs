//! As a service of systemd: the unit that is shipped, and what systemd is told.

use std::fs;
use std::os::unix::net::UnixDatagram;
use std::path::Path;
use std::process::Command;

use crate::database::Engine;
use crate::demo::start_command;
use crate::process::{PATIENCE, Tongjie, told};

#[test]
fn the_unit_that_is_shipped_is_understood_by_systemd() {
    verify(false);
}

/// As on a node with serial lines.
#[test]
fn its_drop_in_for_serial_lines_is_understood_too() {
    verify(true);
}

fn verify(with_serial_lines: bool) {
    let shipped = Path::new(env!("CARGO_MANIFEST_DIR")).join("deploy/systemd");
    let text = fs::read_to_string(shipped.join("tongjie.service")).expect("the unit");
    let tongjie = Tongjie::new(Engine::Sqlite);
    let copy = tongjie.file("tongjie.service");
    if with_serial_lines {
        let beside = tongjie.file("tongjie.service.d");
        fs::create_dir(&beside).expect("a directory");
        let drop_in = shipped.join("tongjie.service.d/serial.conf");
        fs::copy(drop_in, Path::new(&beside).join("serial.conf")).expect("copied");
    }
    let here = text.replace("/usr/local/bin/tongjie", env!("CARGO_BIN_EXE_tongjie"));
    assert_ne!(text, here, "the unit names the program");
    fs::write(&copy, here).expect("written");
    let Ok(output) = Command::new("systemd-analyze").arg("verify").arg(&copy).output() else {
        eprintln!("systemd-analyze is not there: the unit is not checked");
        return;
    };
    let said = told(&output);
    // It also speaks of other units of this machine.
    let ours: Vec<&str> = said.lines().filter(|line| line.contains("tongjie")).collect();
    assert!(output.status.success() && ours.is_empty(), "{said}");
}

#[test]
fn systemd_is_told_when_it_is_ready_and_when_it_stops() {
    let tongjie = Tongjie::new(Engine::Sqlite);
    let path = tongjie.file("notify");
    let socket = UnixDatagram::bind(&path).expect("bound");
    socket.set_read_timeout(Some(PATIENCE)).expect("a time limit");
    let mut command = tongjie.command(&["serve"]);
    command.env("NOTIFY_SOCKET", &path);
    let (server, _) = start_command(command);
    let next = || {
        let mut text = [0; 64];
        let length = socket.recv(&mut text).expect("a message");
        String::from_utf8_lossy(&text[..length]).into_owned()
    };
    assert_eq!(next(), "READY=1");
    assert_eq!(server.stop(), Some(0));
    assert_eq!(next(), "STOPPING=1");
}
