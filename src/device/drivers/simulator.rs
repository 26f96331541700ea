//! A machine that exists only in memory: doors that open and fall shut again, a gate, a sorter, a printer. Some orders fail, always
//! the same ones for the same seed.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::time::{Instant, sleep};

use super::modbus::millis;
use crate::device::driver_list::{Driver, Start};
use crate::device::settings::Settings;
use crate::domain::device::Capability;
use crate::usecase::machine_ports::{
    Answering, Done, DoorBank, DoorOrder, DoorSeen, Gate, ItemSensor, Machine, Opened, Presence, Printer, Sensed,
    SettingFault, Sorter, TagReader, TagWriter, WhyNot,
};

pub const DRIVER: Driver = Driver {
    name: "simulator",
    capabilities: &[
        Capability::DoorBank,
        Capability::ItemSensor,
        Capability::TagReader,
        Capability::TagWriter,
        Capability::Gate,
        Capability::Sorter,
        Capability::Printer,
    ],
    make,
};

struct Simulator {
    doors: u16,
    /// Of a hundred orders so many fail.
    faults: u64,
    seed: u64,
    /// How long an order takes.
    takes: Duration,
    /// How long a door stays open.
    open: Duration,
    /// After so many of a hundred openings the inside is as before.
    leaves: u64,
    /// What is put in has these tags, one after the other; none: nothing reads tags.
    tags: Vec<String>,
    inside: Mutex<Inside>,
}

#[derive(Default)]
struct Inside {
    orders: u64,
    turns: HashMap<u16, i64>,
    /// Until when each door is open.
    open_until: HashMap<u16, Instant>,
    openings: u64,
    /// What lies behind doors, with its tag: each opening puts something in or takes it out.
    items: HashMap<u16, Option<String>>,
    put_in: usize,
}

fn make(mut settings: Settings<'_>) -> Result<Start, Vec<SettingFault>> {
    let machine = Simulator {
        doors: u16::try_from(settings.number("doors", 1..=512, 16)).unwrap_or(1),
        faults: u64::from(settings.number("faults", 0..=100, 0)),
        seed: u64::from(settings.number("seed", 0..=u32::MAX, 1)),
        takes: millis(settings.number("takes_ms", 0..=5_000, 200)),
        open: millis(settings.number("open_ms", 0..=60_000, 2_000)),
        leaves: u64::from(settings.number("leaves", 0..=100, 0)),
        tags: words(settings.text("tags")),
        inside: Mutex::new(Inside {
            items: filled(&mut settings),
            ..Inside::default()
        }),
    };
    settings.finish(Start::nowhere(move || {
        let all = Arc::new(machine);
        Machine {
            presence: Some(Arc::clone(&all) as Arc<dyn Presence>),
            doors: Some(Arc::clone(&all) as Arc<dyn DoorBank>),
            items: Some(Arc::clone(&all) as Arc<dyn ItemSensor>),
            tags: Some(Arc::clone(&all) as Arc<dyn TagReader>),
            marks: Some(Arc::clone(&all) as Arc<dyn TagWriter>),
            gate: Some(Arc::clone(&all) as Arc<dyn Gate>),
            sorter: Some(Arc::clone(&all) as Arc<dyn Sorter>),
            printer: Some(all),
        }
    }))
}

fn words(list: Option<String>) -> Vec<String> {
    let list = list.unwrap_or_default();
    let words = list.split(',').map(str::trim).filter(|word| !word.is_empty());
    words.map(str::to_owned).collect()
}

/// Behind which doors something lies from the beginning.
fn filled(settings: &mut Settings<'_>) -> HashMap<u16, Option<String>> {
    let numbers = words(settings.text("filled"));
    let numbers: Result<Vec<u16>, _> = numbers.iter().map(|word| word.parse()).collect();
    let Ok(numbers) = numbers else {
        settings.wrong(
            "filled",
            "must be numbers of doors with commas between them, such as 1,4,7",
        );
        return HashMap::new();
    };
    numbers.into_iter().map(|number| (number, None)).collect()
}

/// Splits an order's number into something that looks like chance (splitmix64).
const fn scatter(seed: u64, count: u64) -> u64 {
    let mut mixed = seed.wrapping_add(count.wrapping_mul(0x9e37_79b9_7f4a_7c15));
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ (mixed >> 31)
}

impl Simulator {
    /// Whether this order fails, by its count.
    fn fails(&self) -> bool {
        let mut inside = self.inside.lock().unwrap_or_else(PoisonError::into_inner);
        inside.orders += 1;
        scatter(self.seed, inside.orders) % 100 < self.faults
    }

    fn turn_of(&self, order: DoorOrder) -> Opened {
        if order.number == 0 || order.number > self.doors {
            return Opened::NotOpened(WhyNot::CannotDo);
        }
        let fails = self.fails();
        let mut inside = self.inside.lock().unwrap_or_else(PoisonError::into_inner);
        if inside.turns.get(&order.number).is_some_and(|turn| order.turn <= *turn) {
            return Opened::NotOpened(WhyNot::OldTurn);
        }
        inside.turns.insert(order.number, order.turn);
        if fails {
            return Opened::NotOpened(WhyNot::StayedShut);
        }
        inside.open_until.insert(order.number, Instant::now() + self.open);
        self.somebody_comes(&mut inside, order.number);
        Opened::Opened
    }

    /// Puts something in, takes it out, or thinks better of it.
    fn somebody_comes(&self, inside: &mut Inside, number: u16) {
        inside.openings += 1;
        if scatter(self.seed, inside.openings) % 100 < self.leaves || inside.items.remove(&number).is_some() {
            return;
        }
        let tag = self.tags.get(inside.put_in).cloned();
        inside.put_in += 1;
        inside.items.insert(number, tag);
    }

    async fn done(&self) -> Done {
        sleep(self.takes).await;
        if self.fails() {
            Done::NotDone(WhyNot::Refused)
        } else {
            Done::Done
        }
    }
}

impl DoorBank for Simulator {
    fn doors(&self) -> u16 {
        self.doors
    }

    fn open(&self, order: DoorOrder) -> Answering<'_, Opened> {
        Box::pin(async move {
            sleep(self.takes).await;
            self.turn_of(order)
        })
    }

    fn door(&self, number: u16) -> Answering<'_, DoorSeen> {
        let inside = self.inside.lock().unwrap_or_else(PoisonError::into_inner);
        let open = inside
            .open_until
            .get(&number)
            .is_some_and(|until| Instant::now() < *until);
        Box::pin(std::future::ready(if open { DoorSeen::Open } else { DoorSeen::Shut }))
    }
}

impl Presence for Simulator {
    fn is_there(&self) -> Answering<'_, bool> {
        Box::pin(std::future::ready(true))
    }

    fn answers(&self) -> u64 {
        self.inside.lock().unwrap_or_else(PoisonError::into_inner).orders
    }

    fn ended(&self) -> Answering<'static, ()> {
        Box::pin(std::future::ready(()))
    }
}

impl ItemSensor for Simulator {
    fn inside(&self, number: u16) -> Answering<'_, Sensed> {
        let inside = self.inside.lock().unwrap_or_else(PoisonError::into_inner);
        let item = inside.items.contains_key(&number);
        Box::pin(std::future::ready(if item { Sensed::Item } else { Sensed::Empty }))
    }
}

impl TagReader for Simulator {
    fn tags(&self, place: u16) -> Answering<'_, Option<Vec<String>>> {
        let inside = self.inside.lock().unwrap_or_else(PoisonError::into_inner);
        let read = inside.items.get(&place).cloned().flatten();
        let reads = !self.tags.is_empty();
        Box::pin(std::future::ready(reads.then(|| read.into_iter().collect())))
    }
}

impl TagWriter for Simulator {
    fn mark<'a>(&'a self, _tag: &'a str, _lent: bool) -> Answering<'a, Done> {
        Box::pin(self.done())
    }
}

impl Gate for Simulator {
    fn alarm(&self) -> Answering<'_, Done> {
        Box::pin(self.done())
    }
}

impl Sorter for Simulator {
    fn send_to(&self, _bin: u16) -> Answering<'_, Done> {
        Box::pin(self.done())
    }
}

impl Printer for Simulator {
    fn print<'a>(&'a self, _text: &'a str) -> Answering<'a, Done> {
        Box::pin(self.done())
    }
}
