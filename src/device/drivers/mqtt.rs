//! Boards behind a broker, by MQTT 3.1.1. Below a prefix of its own a board hears `open` and `ask` and says `state`; each answer
//! repeats the number of its question, so that a late one is known as such.
//!
//! After any error the client is thrown away, with whatever it still meant to send: an order to open must not arrive minutes later.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use rumqttc::{AsyncClient, Broker, Event, EventLoop, MqttOptions, Packet, PublishOptions, QoS, Transport};
use serde::{Deserialize, Serialize};
use tokio::net::TcpStream;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

use super::modbus::millis;
use crate::device::bus::{Bus, Connect, Limits, Question, Seen, Wire, WireFault};
use crate::device::driver_list::{Driver, Start};
use crate::device::reach::Reach;
use crate::device::settings::{Settings, host_and_port, host_name};
use crate::domain::device::Capability;
use crate::usecase::machine_ports::{At, DoorSeen, Place, Sensed, SettingFault};

pub const DRIVER: Driver = Driver {
    name: "mqtt",
    capabilities: &[Capability::DoorBank, Capability::ItemSensor],
    make,
};

/// What is said of a board that was heard and not asked for waits for so many messages, then it is lost.
const HEARD: usize = 64;

/// Seconds after which a broker that says nothing is asked whether it lives.
const KEEP_ALIVE: u16 = 20;

struct Mqtt {
    broker: (String, u16),
    secure: bool,
    prefix: String,
    credentials: Option<(String, String)>,
    reach: Reach,
    /// The number of the last question, over all connections: what one asked and was not answered comes in the next.
    asked: Arc<AtomicU64>,
}

fn make(mut settings: Settings<'_>) -> Result<Start, Vec<SettingFault>> {
    let url = settings.needed("url", "mqtt://host:1883 or mqtts://host:8883");
    let (secure, address) = match url.split_once("://") {
        Some(("mqtt", address)) => (false, address),
        Some(("mqtts", address)) => (true, address),
        _ => {
            if !url.is_empty() {
                settings.wrong("url", "must begin with mqtt:// or mqtts://");
            }
            (false, "")
        }
    };
    let broker = host_and_port(&mut settings, "url", address.trim_end_matches('/'));
    let prefix = settings.needed("prefix", "the topic of this board, such as lockers/7");
    if prefix.contains(['#', '+']) || prefix.starts_with('/') || prefix.ends_with('/') {
        settings.wrong("prefix", "must be a topic without # and +, and without / at its ends");
    }
    let (username, password) = (settings.text("username"), settings.text("password"));
    if password.is_some() && username.is_none() {
        settings.wrong("username", "is needed with a password");
    }
    let credentials = username.map(|username| (username, password.unwrap_or_default()));
    let answer = millis(settings.number("timeout_ms", 100..=10_000, 2_000));
    let limits = Limits {
        doors: u16::try_from(settings.number("doors", 1..=512, 16)).unwrap_or(1),
        answer,
        connect: answer * 3,
        pulse: Duration::ZERO,
        opens: millis(settings.number("opens_ms", 100..=10_000, 3_000)),
        pulses_per_minute: settings.number("pulses_per_minute", 1..=60, 6) as usize,
        feedback: settings.flag("feedback", true),
    };
    let senses = settings.flag("item_sensor", false);
    let place = Place {
        at: At::Host(broker.0.clone(), broker.1),
        at_set_by: "url",
        // A broker may have a port for each of its protocols: its topics are the same.
        line: format!("mqtt {} {prefix}", host_name(&broker.0)),
        line_set_by: "prefix",
    };
    settings.finish(Start::at(place, move |on| {
        let board = Mqtt {
            broker,
            secure,
            prefix,
            credentials,
            reach: on.reach,
            asked: Arc::new(AtomicU64::new(first_question())),
        };
        Bus::start(on.line, board, limits).machine(senses)
    }))
}

/// Somewhere, so that a late answer to an earlier connection's question is no answer to one of this; small enough for a board that
/// counts in 32 bits.
fn first_question() -> u64 {
    u64::from(getrandom::u32().unwrap_or_default() >> 2)
}

impl Mqtt {
    fn options(&self) -> Result<MqttOptions, WireFault> {
        let (host, port) = &self.broker;
        // A name that nobody else has: a broker ends the older of two connections with one name.
        let salt = getrandom::u64().map_err(|error| WireFault::Lost(error.to_string()))?;
        let mut options = MqttOptions::new(format!("tongjie-{salt:016x}"), Broker::tcp(host.as_str(), *port));
        options.set_keep_alive(KEEP_ALIVE).set_clean_session(true);
        // The client's own would look the name up by itself, and go wherever that leads.
        let (reach, host, port) = (self.reach.clone(), host.clone(), *port);
        options.set_socket_connector(move |_, _| {
            let (reach, host) = (reach.clone(), host.clone());
            async move {
                let addresses = reach.addresses(&host, port).await?;
                TcpStream::connect(addresses.as_slice()).await
            }
        });
        if self.secure {
            let secure = Transport::try_tls_with_default_config();
            options.set_transport(secure.map_err(|error| WireFault::Lost(error.to_string()))?);
        }
        if let Some((username, password)) = &self.credentials {
            options.set_credentials(username.as_str(), password.clone());
        }
        Ok(options)
    }
}

impl Connect for Mqtt {
    type Wire = Link;

    async fn connect(&mut self, _after_fault: bool) -> Result<Link, WireFault> {
        let (client, mut events) = AsyncClient::builder(self.options()?).capacity(8).build();
        loop {
            match next(&mut events).await? {
                Event::Incoming(Packet::ConnAck(_)) => client
                    .try_subscribe(format!("{}/state", self.prefix), QoS::AtLeastOnce)
                    .map_err(|error| WireFault::Lost(error.to_string()))?,
                Event::Incoming(Packet::SubAck(_)) => break,
                _ => {}
            }
        }
        let (said, heard) = mpsc::channel(HEARD);
        let task = tokio::spawn(listen(events, said));
        Ok(Link {
            client,
            prefix: self.prefix.clone(),
            heard,
            asked: Arc::clone(&self.asked),
            task,
        })
    }
}

async fn next(events: &mut EventLoop) -> Result<Event, WireFault> {
    events.poll().await.map_err(|error| WireFault::Lost(error.to_string()))
}

/// Keeps the connection alive and hands on what the board says, until the first error: the client would connect again by itself.
async fn listen(mut events: EventLoop, said: mpsc::Sender<State>) {
    while let Ok(event) = next(&mut events).await {
        if let Event::Incoming(Packet::Publish(message)) = event
            && !message.retain
            && let Ok(state) = serde_json::from_slice(&message.payload)
        {
            // What nobody reads in time is not worth keeping: an answer is asked for again.
            let _ = said.try_send(state);
        }
    }
}

/// What the board is told or asked.
#[derive(Debug, Serialize)]
struct Told {
    /// The answer repeats it.
    ask: u64,
    number: u16,
    #[serde(skip_serializing_if = "Option::is_none")]
    turn: Option<i64>,
}

/// What the board says.
#[derive(Debug, Deserialize)]
struct State {
    /// The question that is answered; none: the board says so by itself.
    #[serde(default)]
    ask: Option<u64>,
    number: u16,
    #[serde(default)]
    door: Option<String>,
    #[serde(default)]
    inside: Option<String>,
    /// Why it does not do it.
    #[serde(default)]
    refused: Option<String>,
}

/// A connection to the broker, and so to the board if that is there.
struct Link {
    client: AsyncClient,
    prefix: String,
    heard: mpsc::Receiver<State>,
    asked: Arc<AtomicU64>,
    task: JoinHandle<()>,
}

impl Drop for Link {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Link {
    async fn tell(&mut self, topic: &str, number: u16, turn: Option<i64>) -> Result<Seen, WireFault> {
        let ask = self.asked.fetch_add(1, Ordering::Relaxed) + 1;
        let told = serde_json::to_vec(&Told { ask, number, turn });
        let told = told.map_err(|error| WireFault::Lost(error.to_string()))?;
        self.client
            .try_publish(format!("{}/{topic}", self.prefix), told, PublishOptions::at_most_once())
            .map_err(|error| WireFault::Lost(error.to_string()))?;
        loop {
            let state = self.heard.recv().await;
            let state = state.ok_or_else(|| WireFault::Lost("the broker is gone".to_owned()))?;
            if (state.ask, state.number) == (Some(ask), number) {
                return match state.refused {
                    Some(why) => Err(WireFault::Refused(why)),
                    None => Ok(Seen {
                        door: state
                            .door
                            .as_deref()
                            .and_then(DoorSeen::from_code)
                            .unwrap_or(DoorSeen::Unknown),
                        inside: state
                            .inside
                            .as_deref()
                            .and_then(Sensed::from_code)
                            .unwrap_or(Sensed::Unknown),
                    }),
                };
            }
        }
    }
}

impl Wire for Link {
    async fn ask(&mut self, question: Question) -> Result<Seen, WireFault> {
        match question {
            Question::Look(number) => self.tell("ask", number, None).await,
            Question::Energise(order) => self.tell("open", order.number, Some(order.turn)).await,
            // The board ends its pulse by itself.
            Question::Release(_) => Ok(Seen::NOTHING),
        }
    }
}
