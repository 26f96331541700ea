//! Properties that every decision keeps, whatever the facts.

use std::collections::{BTreeMap, BTreeSet};

use chrono::NaiveDate;
use proptest::prelude::*;
use proptest::sample::select;
use tongjie::domain::act::{Act, Passed};
use tongjie::domain::check_in::TransitEffect;
use tongjie::domain::check_out::Effect;
use tongjie::domain::example::{BRANCH, BRANCH_2, CENTRAL, LOCKER, MAIN, OTHER_MAIN, ROOT};
use tongjie::domain::ids::{ItemTypeId, LoanId, LockerSessionId, RuleId, UnitId};
use tongjie::domain::item::ItemStatus;
use tongjie::domain::item_life::{ItemAct, leads_to};
use tongjie::domain::limit::{CountIn, LimitKind, LimitRow, LimitWhen};
use tongjie::domain::network::Network;
use tongjie::domain::policy::{RuleKey, Situation, TermsRow};
use tongjie::domain::reader::{Channel, CreditBand, LoanOfReader};
use tongjie::domain::refusal::{Code, Outcome, Refusals};
use tongjie::domain::route::NextStep;
use tongjie::domain::void_loan::{FilledHold, RestoresHold};

use crate::generate::{ITEM_TYPES, scene};
use crate::scene::{PARTS, Scene, WORLD};

type Decide = fn(&Scene) -> Result<Passed, Refusals>;

const DECISIONS: [Decide; 6] = [
    |s| s.check_out().map(|plan| plan.passed),
    |s| s.check_in().map(|plan| plan.passed),
    |s| s.renew().map(|plan| plan.passed),
    |s| s.place_hold().map(|plan| plan.passed),
    |s| s.cancel_hold().map(|plan| plan.passed),
    |s| s.void_loan().map(|plan| plan.passed),
];

/// The same act at a staffed desk, without or with every right.
fn at_desk(scene: &Scene, powerful: bool) -> Scene {
    let mut staffed = scene.clone();
    let due_by_hand = staffed.act.due_by_hand;
    staffed.act = Act {
        may_set_due: staffed.act.may_set_due,
        due_by_hand,
        ..Act::at(scene.act.unit, Channel::Desk)
    };
    if powerful {
        staffed.override_codes(Code::ALL);
        staffed.confirm(Code::ALL);
    }
    staffed
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 512, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn the_same_facts_give_the_same_answer(scene in scene()) {
        prop_assert_eq!(scene.check_out(), scene.check_out());
        prop_assert_eq!(scene.check_in(), scene.check_in());
        prop_assert_eq!(scene.renew(), scene.renew());
        prop_assert_eq!(scene.place_hold(), scene.place_hold());
        prop_assert_eq!(scene.cancel_hold(), scene.cancel_hold());
        prop_assert_eq!(scene.void_loan(), scene.void_loan());
    }

    #[test]
    fn all_refusals_come_at_once_and_only_the_blocked_ones_survive_every_right(scene in scene()) {
        for decide in DECISIONS {
            let all = decide(&at_desk(&scene, false)).err().map_or_else(Vec::new, |refusals| refusals.0);
            let blocked: Vec<_> = all.iter().filter(|one| one.outcome == Outcome::Blocked).cloned().collect();
            match decide(&at_desk(&scene, true)) {
                Err(left) => prop_assert_eq!(left.0, blocked),
                Ok(passed) => {
                    prop_assert!(blocked.is_empty());
                    prop_assert_eq!(passed.overridden.len() + passed.confirmed.len(), all.len());
                }
            }
        }
    }

    #[test]
    fn what_passes_had_the_right_and_nothing_blocked_or_told_refuses(scene in scene()) {
        let act = &scene.act;
        for decide in DECISIONS {
            match decide(&scene) {
                Ok(passed) => {
                    let right = act.may_override && act.channel.is_staffed() && !act.overrides.reason.trim().is_empty();
                    prop_assert!(passed.overridden.is_empty() || right);
                    for one in &passed.overridden {
                        prop_assert!(one.outcome == Outcome::Override && act.overrides.codes.contains(&one.code));
                    }
                    for one in &passed.confirmed {
                        prop_assert!(one.outcome == Outcome::Confirm && act.confirmed.contains(&one.code));
                    }
                    prop_assert!(passed.notices.iter().all(|one| one.outcome == Outcome::Info));
                }
                Err(refusals) => {
                    prop_assert!(!refusals.0.is_empty());
                    prop_assert!(refusals.0.iter().all(|one| one.outcome != Outcome::Info && !act.passes(one)));
                }
            }
        }
    }

    #[test]
    fn a_due_date_by_rule_is_an_open_day_within_the_card(scene in scene()) {
        let strong = at_desk(&scene, true);
        if let Ok(plan) = strong.check_out() && let Effect::Loan { due_at, due_by_hand: false, .. } = plan.effect {
            prop_assert!(due_at >= strong.now);
            check_day(&strong, strong.act.unit, strong.network().local_day(due_at))?;
        }
        if let (Ok(plan), Some(loan)) = (strong.renew(), &strong.loan) && !plan.due_by_hand {
            prop_assert!(plan.due_at >= loan.due_at);
            if plan.due_at > loan.due_at {
                prop_assert!(plan.due_at >= strong.now);
                check_day(&strong, loan.unit, strong.network().local_day(plan.due_at))?;
            }
        }
    }

    #[test]
    fn an_unattended_check_in_is_never_refused(
        scene in scene(),
        channel in select(vec![Channel::Drop, Channel::Kiosk, Channel::Locker, Channel::Portal]),
    ) {
        let mut scene = scene;
        scene.act.channel = channel;
        prop_assert!(scene.check_in().is_ok());
    }

    #[test]
    fn every_new_state_of_an_item_stands_in_the_table_of_its_life(scene in scene()) {
        let from = scene.item.status;
        for scene in [at_desk(&scene, true), scene] {
            if let Ok(plan) = scene.check_in() {
                prop_assert!(leads_to(from, ItemAct::CheckIn).contains(&plan.item_status));
            }
            if let Ok(plan) = scene.check_out() && matches!(plan.effect, Effect::Loan { .. }) {
                prop_assert!(leads_to(from, ItemAct::CheckOut).contains(&ItemStatus::OnLoan));
            }
            if let Ok(plan) = scene.cancel_hold() && let Some(moves) = plan.item_moves {
                prop_assert!(leads_to(from, ItemAct::MoveOn).contains(&moves.item_status));
            }
            if let Ok(plan) = scene.void_loan() && matches!(from, ItemStatus::OnLoan | ItemStatus::ClaimedReturned) {
                prop_assert!(leads_to(from, ItemAct::Void).contains(&plan.item_status));
            }
        }
    }

    #[test]
    fn a_check_in_leaves_the_item_in_exactly_one_place(scene in scene()) {
        for scene in [at_desk(&scene, true), scene] {
            let Ok(plan) = scene.check_in() else { continue };
            let status = match plan.next_step {
                NextStep::ShelfHere { .. } => ItemStatus::OnShelf,
                NextStep::HoldShelf { .. } => ItemStatus::OnHoldShelf,
                NextStep::CheckIn { .. } => return Err(TestCaseError::fail("it was scanned just now")),
                NextStep::Crate { to, .. } => {
                    prop_assert_ne!(to, scene.act.unit);
                    ItemStatus::AwaitingDispatch
                }
                NextStep::Exception { .. } if plan.item_status == ItemStatus::Withdrawn => ItemStatus::Withdrawn,
                NextStep::Exception { .. } => ItemStatus::NeedsAttention,
            };
            prop_assert_eq!(plan.item_status, status);
            prop_assert_eq!(plan.current, scene.act.unit);
            prop_assert_eq!(plan.closes_loan.map(|closes| closes.loan), scene.loan.as_ref().map(|loan| loan.id));
            prop_assert_eq!(plan.transit == TransitEffect::None, scene.item.transit.is_none());
            prop_assert!(!(plan.local_use && plan.closes_loan.is_some()));
            if plan.repeated {
                let rests = matches!(plan.transit, TransitEffect::None | TransitEffect::Keeps(_));
                prop_assert!(rests && plan.capture.is_none() && plan.releases_hold.is_none() && !plan.local_use);
                prop_assert_eq!((plan.item_status, plan.current), (scene.item.status, scene.item.current));
            }
            if let Some(capture) = plan.capture {
                let own = scene.item.captured_for.as_ref().map(|hold| hold.id);
                let next = scene.next_hold.as_ref().map(|hold| hold.id);
                prop_assert_eq!(Some(capture.hold), own.or(next));
                prop_assert!(plan.releases_hold.is_none());
            }
            if let (Some(closes), Some(loan)) = (plan.closes_loan, &scene.loan) {
                prop_assert!(closes.returned_at >= loan.loaned_at);
                prop_assert!(closes.returned_at <= scene.now.max(loan.loaned_at));
            }
        }
    }

    #[test]
    fn a_cancelled_hold_leaves_its_item_in_one_place(scene in scene()) {
        let Ok(plan) = scene.cancel_hold() else { return Ok(()) };
        prop_assert!(scene.hold.as_ref().is_some_and(|hold| hold.status.is_open()));
        let Some(moves) = plan.item_moves else { return Ok(()) };
        let status = match moves.next_step {
            NextStep::ShelfHere { .. } => ItemStatus::OnShelf,
            NextStep::CheckIn { .. } => ItemStatus::OnHoldShelf,
            NextStep::HoldShelf { .. } => return Err(TestCaseError::fail("nobody scanned it")),
            NextStep::Crate { .. } => ItemStatus::AwaitingDispatch,
            NextStep::Exception { .. } => ItemStatus::NeedsAttention,
        };
        prop_assert_eq!((moves.item_status, moves.current), (status, scene.item.current));
        let next = scene.next_hold.as_ref().map(|hold| hold.id);
        prop_assert_eq!(moves.capture.map(|capture| capture.hold), next);
    }

    #[test]
    fn a_void_captures_nothing(scene in scene()) {
        let Ok(plan) = at_desk(&scene, true).void_loan() else { return Ok(()) };
        let filled = match &scene.filled_hold {
            None => None,
            Some(FilledHold::Waiting(hold)) => Some(*hold),
            Some(FilledHold::Captured(hold)) => Some(hold.id),
        };
        let restored = plan.restores_hold.map(|restores| match restores {
            RestoresHold::Waiting(hold) | RestoresHold::Captured { hold, .. } => hold,
        });
        prop_assert_eq!(restored, filled);
        let captured = matches!(plan.restores_hold, Some(RestoresHold::Captured { .. }));
        let status = if captured { ItemStatus::OnHoldShelf } else { ItemStatus::OnShelf };
        prop_assert_eq!(plan.item_status, status);
    }

    #[test]
    fn limits_are_never_passed(
        band in select(vec![CreditBand::A, CreditBand::B, CreditBand::C, CreditBand::Frozen]),
        types in proptest::collection::vec(select(ITEM_TYPES.to_vec()), 1..40),
    ) {
        let mut scene = Scene::new();
        scene.reader.band = band;
        for (code, id) in types.into_iter().zip(100..) {
            scene.item.item_type = scene.world.item_type(code);
            if let Ok(plan) = scene.check_out() {
                let Effect::Loan { due_at, .. } = plan.effect else { continue };
                let lent = crate::scene::other_loan(&scene, id, code, 5);
                scene.add_loan(LoanOfReader { id: LoanId::new(id), due_at, ..lent });
            }
        }
        // Counted by hand, not by the code under test.
        let most = match band {
            CreditBand::A => 20,
            CreditBand::B => 10,
            CreditBand::C => 5,
            CreditBand::Frozen => 0,
        };
        let sublimited = ["periodical", "av", "av_audio", "av_disc"].map(|code| scene.world.item_type(code));
        let special = scene.reader.loans.iter().filter(|loan| sublimited.contains(&loan.item_type)).count();
        prop_assert!(scene.reader.loans.len() <= most);
        prop_assert!(special <= 4);
    }

    #[test]
    fn no_session_lends_more_than_its_limit_and_a_desk_does_not_ask(
        max in 0_i64..4,
        course in proptest::collection::vec(proptest::option::weighted(0.8, 1_i64..4), 1..20),
    ) {
        let mut scene = Scene::new();
        scene.reconfigure(|parts| {
            // Alone, so that nothing else refuses.
            parts.rules.limits.retain(|row| row.kind != LimitKind::Loans);
            parts.rules.limits.push(LimitRow {
                id: RuleId::new(9_000),
                when: LimitWhen::default(),
                kind: LimitKind::Loans,
                count_in: CountIn::Session,
                max,
                confirm: false,
            });
        });
        let mut lent: BTreeMap<i64, i64> = BTreeMap::new();
        for (session, id) in course.into_iter().zip(100..) {
            scene.act.session = session.map(LockerSessionId::new);
            let answer = scene.check_out();
            match session {
                None => prop_assert!(answer.is_ok()),
                Some(number) => {
                    let before = lent.entry(number).or_default();
                    match &answer {
                        Ok(_) => prop_assert!(*before < max),
                        Err(refusals) => {
                            prop_assert_eq!(refusals.codes(), [Code::LimitSession]);
                            prop_assert_eq!(*before, max);
                        }
                    }
                    *before += i64::from(answer.is_ok());
                }
            }
            if answer.is_ok() {
                let other = crate::scene::other_loan(&scene, id, "book", 5);
                scene.add_loan(LoanOfReader { session: scene.act.session, ..other });
            }
        }
    }

    #[test]
    fn the_winner_is_the_one_the_documented_order_names(
        keys in proptest::collection::btree_map(key_parts(), Just(()), 0..30),
        at in situation_parts(),
    ) {
        let network = with_keys(keys.keys().map(|parts| key(*parts)).collect());
        let situation = situation(at);
        let found = network.winner(&situation);
        prop_assert_eq!(found.id, expected_winner(&network, &situation));
    }
}

/// The day is open and within the card, unless there is no such day.
fn check_day(scene: &Scene, unit: UnitId, day: NaiveDate) -> Result<(), TestCaseError> {
    let network = scene.network();
    let (calendar, today) = (network.calendar(unit), network.local_day(scene.now));
    let end = scene.reader.card.expires_on.map(|end| end.max(today));
    if let Some(end) = end {
        prop_assert!(day <= end, "{} is past the card's end {}", day, end);
    }
    let open_days = today
        .iter_days()
        .take(401)
        .take_while(|day| end.is_none_or(|end| *day <= end));
    let mut open_days = open_days.filter(|day| calendar.is_open(*day));
    prop_assert!(calendar.is_open(day) || open_days.next().is_none(), "{} is closed", day);
    Ok(())
}

const UNITS: [Option<UnitId>; 7] = [
    None,
    Some(ROOT),
    Some(CENTRAL),
    Some(MAIN),
    Some(BRANCH),
    Some(BRANCH_2),
    Some(OTHER_MAIN),
];
const TYPES: [Option<&str>; 5] = [None, Some("book"), Some("book_braille"), Some("av"), Some("av_disc")];
const CHANNELS: [Option<Channel>; 3] = [None, Some(Channel::Desk), Some(Channel::Locker)];
const BANDS: [Option<CreditBand>; 3] = [None, Some(CreditBand::A), Some(CreditBand::B)];

type Parts = (usize, usize, usize, usize, usize, usize);

fn key_parts() -> impl Strategy<Value = Parts> {
    (0..7_usize, 0..3_usize, 0..5_usize, 0..7_usize, 0..3_usize, 0..3_usize)
}

fn situation_parts() -> impl Strategy<Value = Parts> {
    (1..7_usize, 1..3_usize, 1..5_usize, 1..7_usize, 1..3_usize, 1..3_usize)
}

fn key((unit, category, item_type, owner, channel, band): Parts) -> RuleKey {
    let world = &*WORLD;
    let categories = [None, Some("adult"), Some("child")];
    RuleKey {
        unit: UNITS[unit],
        category: categories[category].map(|code| world.category(code)),
        item_type: TYPES[item_type].map(|code| world.item_type(code)),
        owner: UNITS[owner],
        channel: CHANNELS[channel],
        band: BANDS[band],
    }
}

fn situation(parts: Parts) -> Situation {
    let key = key(parts);
    let world = &*WORLD;
    Situation {
        // A locker below the branch makes the line one longer.
        unit: if key.unit == Some(BRANCH) {
            LOCKER
        } else {
            key.unit.unwrap_or(ROOT)
        },
        category: key.category.unwrap_or_else(|| world.category("adult")),
        item_type: key.item_type.unwrap_or(ItemTypeId::new(1)),
        owner: key.owner.unwrap_or(ROOT),
        channel: key.channel.unwrap_or(Channel::Desk),
        band: key.band.unwrap_or(CreditBand::B),
    }
}

fn with_keys(keys: Vec<RuleKey>) -> Network {
    let mut parts = PARTS.clone();
    let terms = parts.rules.terms[0].terms;
    parts.rules.limits.clear();
    let keys: BTreeSet<_> = keys
        .into_iter()
        .filter(|key| *key != RuleKey::ANY)
        .map(HashedKey)
        .collect();
    let keys = std::iter::once(RuleKey::ANY).chain(keys.into_iter().map(|hashed| hashed.0));
    parts.rules.terms = keys
        .zip(1..)
        .map(|(key, id)| TermsRow {
            id: RuleId::new(id),
            key,
            terms,
        })
        .collect();
    Network::build(parts).expect("distinct keys are valid")
}

/// Any fixed order will do.
#[derive(Clone, Copy, PartialEq, Eq)]
struct HashedKey(RuleKey);

impl PartialOrd for HashedKey {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for HashedKey {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        format!("{:?}", self.0).cmp(&format!("{:?}", other.0))
    }
}

/// The documented order, column by column: among the matching rows keep those nearest in `unit`, among these those
/// nearest in `category`, and so on; "any" is farther than everything.
fn expected_winner(network: &Network, at: &Situation) -> RuleId {
    let (units, owners) = (network.units().ancestors(at.unit), network.units().ancestors(at.owner));
    let types = network.item_types().ancestors(at.item_type);
    let far = |line: &[i64], named: Option<i64>| match named {
        None => Some(999),
        Some(named) => line.iter().position(|one| *one == named),
    };
    let ids = |line: &[UnitId]| line.iter().map(|id| id.get()).collect::<Vec<_>>();
    let types: Vec<i64> = types.iter().map(|id| id.get()).collect();
    let mut rows: Vec<(RuleId, [usize; 6])> = Vec::new();
    for row in &network.rules().terms {
        let key = row.key;
        let distances = [
            far(&ids(units), key.unit.map(UnitId::get)),
            far(&[at.category.get()], key.category.map(|id| id.get())),
            far(&types, key.item_type.map(ItemTypeId::get)),
            far(&ids(owners), key.owner.map(UnitId::get)),
            far(&[at.channel as i64], key.channel.map(|channel| channel as i64)),
            far(&[at.band as i64], key.band.map(|band| band as i64)),
        ];
        if distances.iter().all(Option::is_some) {
            rows.push((row.id, distances.map(|distance| distance.unwrap_or(0))));
        }
    }
    for column in 0..6 {
        let nearest = rows.iter().map(|(_, distances)| distances[column]).min();
        rows.retain(|(_, distances)| Some(distances[column]) == nearest);
    }
    assert_eq!(rows.len(), 1, "ties are impossible");
    rows[0].0
}
