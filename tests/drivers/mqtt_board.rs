//! A board behind a broker: mosquitto, with `mosquitto_sub` as its ears and `mosquitto_pub` as its mouth. What is killed and stalled is
//! the broker; the board hears through it and so falls silent with it.

use std::collections::HashSet;
use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::{PATIENCE, Peer};

const PREFIX: &str = "lockers/7";
const PASSWORD_OF_NOBODY: &str = "allow_anonymous true";

#[derive(Default)]
struct State {
    open: HashSet<u64>,
    items: HashSet<u64>,
    stuck: HashSet<u64>,
    refused: HashSet<u64>,
    late: Duration,
    did: Vec<String>,
}

pub struct MqttBoard {
    broker: PathBuf,
    publish: PathBuf,
    subscribe: PathBuf,
    port: u16,
    config: PathBuf,
    running: Child,
    ears: Child,
    state: Arc<Mutex<State>>,
}

impl MqttBoard {
    pub fn start(broker: PathBuf, publish: PathBuf, subscribe: PathBuf) -> Self {
        let free = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let port = free.local_addr().expect("bound").port();
        drop(free);
        let config = std::env::temp_dir().join(format!("tongjie-mosquitto-{}-{port}.conf", std::process::id()));
        let text = format!("listener {port} 127.0.0.1\n{PASSWORD_OF_NOBODY}\npersistence false\n");
        std::fs::write(&config, text).expect("a file");
        let running = run(&broker, &config, port);
        let state = Arc::default();
        let ears = listen(&subscribe, &publish, port, &state);
        Self {
            broker,
            publish,
            subscribe,
            port,
            config,
            running,
            ears,
            state,
        }
    }

    fn signal(&self, name: &str) {
        let sent = Command::new("kill")
            .args([name, &self.running.id().to_string()])
            .status();
        assert!(sent.expect("kill runs").success());
    }
}

/// Until it takes connections.
fn run(broker: &Path, config: &Path, port: u16) -> Child {
    let mut running = Command::new(broker);
    running
        .arg("-c")
        .arg(config)
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    let running = running.spawn().expect("mosquitto starts");
    let until = Instant::now() + PATIENCE;
    while TcpStream::connect(("127.0.0.1", port)).is_err() {
        assert!(Instant::now() < until, "mosquitto does not listen");
        std::thread::sleep(Duration::from_millis(10));
    }
    running
}

/// The board itself: hears lines of topic and payload, and answers each. Comes back once it is subscribed.
fn listen(subscribe: &Path, publish: &Path, port: u16, state: &Arc<Mutex<State>>) -> Child {
    let port = port.to_string();
    let topics = [format!("{PREFIX}/open"), format!("{PREFIX}/ask"), "probe".to_owned()];
    let mut ears = Command::new(subscribe);
    ears.args(["-h", "127.0.0.1", "-p", &port, "-q", "1", "-F", "%t %p"]);
    for topic in &topics {
        ears.args(["-t", topic]);
    }
    let mut ears = ears
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .expect("mosquitto_sub starts");
    let mouth = |topic: &str| {
        let mut mouth = Command::new(publish);
        mouth.args(["-h", "127.0.0.1", "-p", &port, "-t", topic, "-l"]);
        mouth.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null());
        mouth.spawn().expect("mosquitto_pub starts")
    };
    let (said, lines) = (
        mouth(&format!("{PREFIX}/state")),
        BufReader::new(ears.stdout.take().expect("piped")),
    );
    let (state, heard) = (Arc::clone(state), std::sync::mpsc::channel());
    std::thread::spawn(move || board(lines, said, &state, &heard.0));
    // Subscribed is whoever hears what is said.
    let mut probe = mouth("probe");
    let until = Instant::now() + PATIENCE;
    while heard.1.recv_timeout(Duration::from_millis(50)).is_err() {
        assert!(Instant::now() < until, "the board hears nothing");
        let _ = writeln!(probe.stdin.as_ref().expect("piped"), "are you there");
    }
    drop(probe.stdin.take());
    let _ = probe.wait();
    ears
}

fn board(
    lines: BufReader<std::process::ChildStdout>,
    mut said: Child,
    state: &Mutex<State>,
    probed: &std::sync::mpsc::Sender<()>,
) {
    let mouth = said.stdin.take().expect("piped");
    for line in lines.lines().map_while(Result::ok) {
        let Some((topic, payload)) = line.split_once(' ') else {
            continue;
        };
        if topic == "probe" {
            let _ = probed.send(());
            continue;
        }
        let asked: Value = serde_json::from_str(payload).expect("JSON");
        let number = asked["number"].as_u64().expect("a number");
        let (answer, late) = answer(
            &mut state.lock().expect("no panic"),
            topic.ends_with("/open"),
            number,
            &asked,
        );
        say_later(&mouth, &answer, late);
    }
    drop(mouth);
    let _ = said.wait();
}

fn answer(state: &mut State, open: bool, number: u64, asked: &Value) -> (Value, Duration) {
    let mut late = Duration::ZERO;
    if open && state.refused.contains(&number) {
        return (
            json!({"ask": asked["ask"], "number": number, "refused": "out of order"}),
            late,
        );
    }
    if open {
        assert!(asked["turn"].is_i64(), "an order has a turn: {asked}");
        state.did.push(format!("on {number}"));
        if !state.stuck.contains(&number) {
            state.open.insert(number);
            if !state.items.remove(&number) {
                state.items.insert(number);
            }
        }
        state.did.push(format!("off {number}"));
    } else {
        state.did.push(format!("look {number}"));
        late = std::mem::take(&mut state.late);
    }
    let door = if state.open.contains(&number) { "open" } else { "shut" };
    let inside = if state.items.contains(&number) { "item" } else { "empty" };
    let answer = json!({"ask": asked["ask"], "number": number, "door": door, "inside": inside});
    (answer, late)
}

/// A late answer keeps the ones behind it waiting, as with a board that does one thing at a time.
fn say_later(mut mouth: &ChildStdin, answer: &Value, late: Duration) {
    std::thread::sleep(late);
    let _ = writeln!(mouth, "{answer}");
}

fn end(child: &mut Child) {
    let _ = child.kill();
    let _ = child.wait();
}

impl Peer for MqttBoard {
    fn settings(&self) -> Value {
        json!({"url": format!("mqtt://127.0.0.1:{}", self.port), "prefix": PREFIX, "item_sensor": true})
    }

    fn say(&mut self, line: &str) {
        let (word, number) = line.split_once(' ').expect("two words");
        let number: u64 = number.parse().expect("a number");
        let mut state = self.state.lock().expect("no panic");
        match word {
            "stuck" => state.stuck.insert(number),
            "refuse" => state.refused.insert(number),
            "open" => state.open.insert(number),
            "shut" => state.open.remove(&number),
            "late" => {
                state.late = Duration::from_millis(number);
                true
            }
            other => panic!("what is {other}?"),
        };
    }

    fn did(&self) -> Vec<String> {
        self.state.lock().expect("no panic").did.clone()
    }

    fn kill(&mut self) {
        end(&mut self.running);
        end(&mut self.ears);
        self.state.lock().expect("no panic").did.clear();
    }

    fn revive(&mut self) {
        self.running = run(&self.broker, &self.config, self.port);
        self.ears = listen(&self.subscribe, &self.publish, self.port, &self.state);
    }

    fn stall(&mut self) {
        self.signal("-STOP");
    }

    fn go_on(&mut self) {
        self.signal("-CONT");
    }
}

impl Drop for MqttBoard {
    fn drop(&mut self) {
        end(&mut self.running);
        end(&mut self.ears);
        let _ = std::fs::remove_file(&self.config);
    }
}
