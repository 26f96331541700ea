//! The board that pymodbus makes (`board.py`), behind TCP or on a serial pair of socat.

use std::io::{BufRead, BufReader, Write};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::{PATIENCE, Peer};

/// Two serial lines that are one; the process that holds them.
struct Pair {
    socat: Child,
    ours: PathBuf,
    boards: PathBuf,
    dir: PathBuf,
}

impl Pair {
    fn start(socat: &Path) -> Self {
        static COUNT: std::sync::atomic::AtomicU32 = std::sync::atomic::AtomicU32::new(0);
        let number = COUNT.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        let dir = std::env::temp_dir().join(format!("tongjie-serial-{}-{number}", std::process::id()));
        std::fs::create_dir_all(&dir).expect("a directory");
        let end = |name: &str| format!("pty,raw,echo=0,link={}", dir.join(name).display());
        let socat = Command::new(socat)
            .args([end("ours"), end("boards")])
            .spawn()
            .expect("socat starts");
        let line = |name: &str| {
            let until = Instant::now() + PATIENCE;
            loop {
                if let Ok(line) = std::fs::canonicalize(dir.join(name)) {
                    return line;
                }
                assert!(Instant::now() < until, "socat made no line");
                std::thread::sleep(Duration::from_millis(10));
            }
        };
        let (ours, boards) = (line("ours"), line("boards"));
        Self {
            socat,
            ours,
            boards,
            dir,
        }
    }
}

impl Drop for Pair {
    fn drop(&mut self) {
        end(&mut self.socat);
        let _ = std::fs::remove_dir_all(&self.dir);
    }
}

fn end(child: &mut Child) {
    let _ = child.kill();
    let _ = child.wait();
}

pub struct ModbusBoard {
    python: PathBuf,
    arguments: [String; 2],
    board: Child,
    said: Arc<Mutex<Vec<String>>>,
    settings: Value,
    /// Ends after the board.
    _pair: Option<Pair>,
}

impl ModbusBoard {
    pub fn tcp(python: PathBuf) -> Self {
        let free = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let port = free.local_addr().expect("bound").port();
        drop(free);
        let settings = json!({"address": format!("127.0.0.1:{port}")});
        Self::start(python, ["tcp".to_owned(), port.to_string()], settings, None)
    }

    pub fn rtu(python: PathBuf, socat: &Path) -> Self {
        let pair = Pair::start(socat);
        let arguments = ["rtu".to_owned(), pair.boards.display().to_string()];
        let settings = json!({"path": pair.ours, "baud": 9_600});
        Self::start(python, arguments, settings, Some(pair))
    }

    fn start(python: PathBuf, arguments: [String; 2], mut settings: Value, pair: Option<Pair>) -> Self {
        for (name, value) in [
            ("coil_base", 100),
            ("input_base", 200),
            ("item_base", 300),
            ("pulse_ms", 50),
        ] {
            settings[name] = json!(value);
        }
        let (board, said) = run(&python, &arguments);
        Self {
            python,
            arguments,
            board,
            said,
            settings,
            _pair: pair,
        }
    }

    fn signal(&self, name: &str) {
        let sent = Command::new("kill").args([name, &self.board.id().to_string()]).status();
        assert!(sent.expect("kill runs").success());
    }
}

/// Until it is ready.
fn run(python: &Path, arguments: &[String; 2]) -> (Child, Arc<Mutex<Vec<String>>>) {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/drivers/board.py");
    let mut board = Command::new(python)
        .arg(script)
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .expect("python starts");
    let said: Arc<Mutex<Vec<String>>> = Arc::default();
    let (lines, kept) = (BufReader::new(board.stdout.take().expect("piped")), Arc::clone(&said));
    std::thread::spawn(move || {
        for line in lines.lines().map_while(Result::ok) {
            kept.lock().expect("no panic").push(line);
        }
    });
    wait_for(&said, "ready");
    (board, said)
}

/// Until the board says so, after what it said before.
fn wait_for(said: &Mutex<Vec<String>>, line: &str) {
    let until = Instant::now() + PATIENCE;
    while !said.lock().expect("no panic").iter().any(|one| one == line) {
        assert!(Instant::now() < until, "the board never said {line:?}");
        std::thread::sleep(Duration::from_millis(5));
    }
}

impl Peer for ModbusBoard {
    fn settings(&self) -> Value {
        self.settings.clone()
    }

    fn say(&mut self, line: &str) {
        let answer = format!("obeys {line}");
        self.said.lock().expect("no panic").retain(|one| *one != answer);
        writeln!(self.board.stdin.as_ref().expect("piped"), "{line}").expect("it listens");
        wait_for(&self.said, &answer);
    }

    fn did(&self) -> Vec<String> {
        let said = self.said.lock().expect("no panic");
        let did = |line: &&String| ["look ", "on ", "off "].iter().any(|word| line.starts_with(word));
        said.iter().filter(did).cloned().collect()
    }

    fn kill(&mut self) {
        end(&mut self.board);
    }

    fn revive(&mut self) {
        (self.board, self.said) = run(&self.python, &self.arguments);
    }

    fn stall(&mut self) {
        self.signal("-STOP");
    }

    fn go_on(&mut self) {
        self.signal("-CONT");
    }
}

impl Drop for ModbusBoard {
    fn drop(&mut self) {
        end(&mut self.board);
    }
}
