//! A network's weeks, drawn from a seed, against the real store on both engines: readers, staff, couriers, jobs, closings;
//! calls sent twice, at once, cut short; a clock that jumps. After every day the audit of `tongjie check` must be clean and
//! the simulation's own ledger must agree. The same seed draws the same operations.

mod alone;
mod calendars;
mod call;
mod daily;
mod desk;
mod holds;
mod jobs;
mod ledger;
mod life;
mod machines;
mod parcels;
mod random;
mod rows;
mod run;
mod stock;
mod town;
mod transport;
mod trouble;

use std::collections::BTreeSet;

use run::Simulation;

use crate::database::Engine;

/// What a test run does by itself; `scripts/simulate.sh` asks for more.
const SEEDS: u64 = 3;
const DAYS: u32 = 7;
/// What must have been done at least once in a test run: a simulation that is refused everything would find nothing.
const REACHED: [&str; 35] = [
    "check_out",
    "check_in",
    "renew_loan",
    "void_loan",
    "recall_item",
    "declare_lost",
    "place_hold",
    "cancel_hold",
    "suspend_hold",
    "refuse_pull",
    "pack_item",
    "send_crate",
    "load_crate",
    "hand_over_crate",
    "receive_crate",
    "request_delivery",
    "pack_parcel",
    "receive_parcel",
    "create_deposit",
    "close_units",
    "undo_closing",
    "publish_text",
    "load_compartment",
    "open_compartment",
    "start_locker_session",
    "locker_borrow",
    "locker_return",
    "report_compartment",
    "settle_compartment",
    "confirm_loan",
    "upload_journal",
    "journal_duplicate",
    "resolve_conflict",
    "at_once",
    "crash",
];

fn asked(name: &str) -> Option<u64> {
    let value = std::env::var(name).ok()?;
    Some(
        value
            .parse()
            .unwrap_or_else(|_| panic!("{name} is a number, not {value}")),
    )
}

async fn simulate(engine: Engine) {
    let seeds = match asked("TONGJIE_SIM_SEED") {
        Some(seed) => seed..=seed,
        None => 1..=asked("TONGJIE_SIM_SEEDS").unwrap_or(SEEDS),
    };
    let days = asked("TONGJIE_SIM_DAYS").map_or(DAYS, |days| u32::try_from(days).expect("fewer days"));
    let mut violations = Vec::new();
    let mut done = BTreeSet::new();
    for seed in seeds {
        let mut run = Simulation::new(engine, seed).await;
        run.live(days).await;
        println!(
            "simulated engine={engine:?} seed={seed} days={} operations={} violations={}",
            run.day,
            run.operations,
            run.violations.len()
        );
        run.tell_counts();
        if !run.violations.is_empty() {
            if let Ok(copy) = std::env::var("TONGJIE_SIM_KEEP")
                && engine == Engine::Sqlite
            {
                run.db.outside().run(&format!("VACUUM INTO '{copy}'"));
            }
            violations.push(format!("{}\n  {}", run.again(), run.violations.join("\n  ")));
        }
        done.extend(
            run.counts
                .iter()
                .filter(|(_, count)| count.done > 0)
                .map(|(verb, _)| *verb),
        );
        run.end();
    }
    if violations.is_empty() && asked("TONGJIE_SIM_SEED").is_none() && days >= DAYS {
        let missed: Vec<_> = REACHED.iter().filter(|verb| !done.contains(*verb)).collect();
        assert!(missed.is_empty(), "the simulation never came to {missed:?}");
    }
    assert!(
        violations.is_empty(),
        "the simulation found:\n{}",
        violations.join("\n")
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn sqlite_keeps_every_invariant_through_simulated_days() {
    simulate(Engine::Sqlite).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn postgres_keeps_every_invariant_through_simulated_days() {
    if Engine::all().contains(&Engine::Postgres) {
        simulate(Engine::Postgres).await;
    }
}
