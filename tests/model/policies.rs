//! Return policies: every policy at every kind of place, inside and outside the owner's subtree, at the cap and below it, joined
//! and not, at a desk and in a drop. And which policy wins.

use tongjie::domain::example::{self, BRANCH, BRANCH_2, CENTRAL, LOCKER, MAIN, OTHER_BRANCH, OTHER_MAIN};
use tongjie::domain::ids::{CollectionId, UnitId};
use tongjie::domain::item::{ReturnPolicy, TransitReason};
use tongjie::domain::membership::{Joined, Membership};
use tongjie::domain::network::{Collection, Network};
use tongjie::domain::reader::Channel;
use tongjie::domain::refusal::Code;
use tongjie::domain::route::NextStep;

use crate::scene::Scene;

const CAP: ReturnPolicy = ReturnPolicy::FloatWithCap { cap: 3 };

/// What becomes of a return.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum End {
    Stays,
    GoesHome,
    RefusedAtTheDesk,
}
use End::{GoesHome, RefusedAtTheDesk, Stays};

/// Policy, place, whether the place has joined lending and returning, copies that float there, and the end. The owner is
/// MAIN, the home BRANCH; BRANCH_2 and MAIN are in the owner's subtree, OTHER_BRANCH and CENTRAL are not.
const TABLE: &[(ReturnPolicy, UnitId, bool, bool, u32, End)] = &[
    // At home everything stays, whatever has joined.
    (ReturnPolicy::Home, BRANCH, false, false, 0, Stays),
    (ReturnPolicy::Float, BRANCH, false, false, 9, Stays),
    (CAP, BRANCH, false, false, 9, Stays),
    (ReturnPolicy::Restricted, BRANCH, false, false, 0, Stays),
    // In the owner's subtree nothing has to be joined.
    (ReturnPolicy::Home, BRANCH_2, false, false, 0, GoesHome),
    (ReturnPolicy::Home, MAIN, true, true, 0, GoesHome),
    (ReturnPolicy::Float, BRANCH_2, false, false, 9, Stays),
    (CAP, BRANCH_2, false, false, 2, Stays),
    (CAP, BRANCH_2, false, false, 3, GoesHome),
    (CAP, BRANCH_2, true, true, 4, GoesHome),
    (ReturnPolicy::Restricted, BRANCH_2, false, false, 0, GoesHome),
    (ReturnPolicy::Restricted, MAIN, true, true, 0, GoesHome),
    // Elsewhere returning and staying are joined apart.
    (ReturnPolicy::Home, OTHER_BRANCH, true, true, 0, GoesHome),
    (ReturnPolicy::Home, OTHER_BRANCH, true, false, 0, RefusedAtTheDesk),
    (ReturnPolicy::Float, OTHER_BRANCH, true, true, 9, Stays),
    (ReturnPolicy::Float, OTHER_BRANCH, false, true, 0, GoesHome),
    (ReturnPolicy::Float, OTHER_BRANCH, false, false, 0, RefusedAtTheDesk),
    (CAP, OTHER_BRANCH, true, true, 2, Stays),
    (CAP, OTHER_BRANCH, true, true, 3, GoesHome),
    (CAP, OTHER_BRANCH, false, true, 0, GoesHome),
    (CAP, OTHER_BRANCH, true, false, 0, RefusedAtTheDesk),
    (ReturnPolicy::Restricted, OTHER_BRANCH, true, true, 0, RefusedAtTheDesk),
    (
        ReturnPolicy::Restricted,
        OTHER_BRANCH,
        false,
        false,
        0,
        RefusedAtTheDesk,
    ),
    // Above the owner is elsewhere, too.
    (ReturnPolicy::Restricted, CENTRAL, true, true, 0, RefusedAtTheDesk),
    (ReturnPolicy::Float, CENTRAL, true, true, 0, Stays),
];

/// A lent book of MAIN, brought back at a place that has joined so much.
fn brought_back(place: UnitId, lend_away: bool, return_away: bool) -> Scene {
    let mut scene = Scene::new();
    let book = scene.item.item_type;
    scene.reconfigure(|parts| {
        let row = |unit, joined| Membership {
            unit,
            item_type: Some(book),
            joined,
        };
        let joined = Joined {
            lend_away,
            return_away,
            readers_away: true,
        };
        parts.memberships.push(row(MAIN, Joined::EVERYTHING));
        if place == MAIN {
            parts.memberships.pop();
        }
        parts.memberships.push(row(place, joined));
    });
    scene.lend();
    scene.at(place, Channel::Desk);
    scene
}

const HOME: NextStep = NextStep::Crate {
    to: BRANCH,
    reason: TransitReason::ReturnHome,
    hold: None,
};
const SHELF: NextStep = NextStep::ShelfHere { collection: None };

#[test]
fn every_policy_has_its_end_at_every_place() {
    for (policy, place, lends, returns, floating, end) in TABLE {
        let mut scene = brought_back(*place, *lends, *returns);
        (scene.item.return_policy, scene.item.floating_here) = (*policy, *floating);
        let case = format!("{policy:?} at {place}, joined {lends} {returns}, {floating} float");
        match (scene.check_in(), end) {
            (Ok(plan), Stays) => assert_eq!(plan.next_step, SHELF, "{case}"),
            (Ok(plan), GoesHome) => assert_eq!(plan.next_step, HOME, "{case}"),
            (Err(refusals), RefusedAtTheDesk) => assert_eq!(refusals.codes(), [Code::NotReturnableHere], "{case}"),
            (other, _) => panic!("{case}: {other:?}"),
        }
        // Nobody stands at a drop: the book is taken, and goes where it may be.
        scene.act.channel = Channel::Drop;
        let plan = scene.check_in().expect("a drop never refuses");
        let expected = if *end == Stays { SHELF } else { HOME };
        assert_eq!(plan.next_step, expected, "{case}, in a drop");
        assert!(plan.closes_loan.is_some(), "{case}");
        let told = plan
            .passed
            .notices
            .iter()
            .any(|one| one.code == Code::NotReturnableHere);
        assert_eq!(told, *end == RefusedAtTheDesk, "{case}");
    }
}

#[test]
fn the_table_has_every_policy_inside_and_outside_of_the_owners_subtree() {
    let network = example::world().network;
    for policy in [ReturnPolicy::Home, ReturnPolicy::Float, CAP, ReturnPolicy::Restricted] {
        for inside in [true, false] {
            let rows = TABLE.iter().filter(|row| row.0 == policy && row.1 != BRANCH);
            let mut there = rows.filter(|row| network.units().is_within(row.1, MAIN) == inside);
            assert!(there.next().is_some(), "{policy:?}, inside {inside}");
        }
    }
}

#[test]
fn a_deposit_is_home_until_it_is_called_back() {
    let rotation = |to| NextStep::Crate {
        to,
        reason: TransitReason::Rotation,
        hold: None,
    };
    for (policy, deposit, place, expected) in [
        (ReturnPolicy::Home, OTHER_BRANCH, OTHER_BRANCH, SHELF),
        (ReturnPolicy::Home, OTHER_BRANCH, BRANCH, rotation(OTHER_BRANCH)),
        (ReturnPolicy::Float, OTHER_BRANCH, BRANCH, SHELF),
        (ReturnPolicy::Restricted, OTHER_BRANCH, OTHER_BRANCH, SHELF),
        (ReturnPolicy::Restricted, OTHER_BRANCH, BRANCH_2, rotation(OTHER_BRANCH)),
        // Called back: home, even where it would float.
        (ReturnPolicy::Float, BRANCH, OTHER_BRANCH, rotation(BRANCH)),
        (CAP, BRANCH, BRANCH_2, rotation(BRANCH)),
        (ReturnPolicy::Float, BRANCH, BRANCH, SHELF),
    ] {
        let mut scene = brought_back(place, true, true);
        scene.item.return_policy = policy;
        (scene.item.home, scene.item.deposit) = (deposit, Some(deposit));
        let plan = scene.check_in().expect("the return is accepted");
        assert_eq!(plan.next_step, expected, "{policy:?}, deposit {deposit}, at {place}");
    }
}

#[test]
fn the_nearest_word_on_a_return_policy_wins() {
    let collection = |id, unit, return_policy| Collection {
        id: CollectionId::new(id),
        unit,
        code: format!("c{id}"),
        name: "藏".to_owned(),
        return_policy,
    };
    let mut parts = example::parts();
    for (unit, policy) in [(MAIN, ReturnPolicy::Float), (BRANCH_2, CAP)] {
        let unit = parts.units.iter_mut().find(|one| one.id == unit).expect("a unit");
        unit.return_policy = Some(policy);
    }
    parts.collections = vec![
        collection(1, BRANCH, Some(ReturnPolicy::Restricted)),
        collection(2, BRANCH_2, None),
    ];
    let network = Network::build(parts).expect("a network");
    let of = |collection: Option<i64>, home| network.return_policy(collection.map(CollectionId::new), home);
    for (collection, home, expected) in [
        (Some(1), BRANCH, ReturnPolicy::Restricted), // its own word
        (Some(2), BRANCH_2, CAP),                    // as its unit
        (None, BRANCH_2, CAP),
        (None, BRANCH, ReturnPolicy::Float), // the unit above
        (None, LOCKER, ReturnPolicy::Float), // two above
        (None, MAIN, ReturnPolicy::Float),
        (None, OTHER_MAIN, ReturnPolicy::Home), // nobody says anything
        (Some(99), BRANCH, ReturnPolicy::Float),
    ] {
        assert_eq!(of(collection, home), expected, "{collection:?} at {home}");
    }
    assert_eq!(network.unit_return_policy(LOCKER).0, Some(MAIN));
    assert_eq!(network.unit_return_policy(OTHER_MAIN).0, None);
}
