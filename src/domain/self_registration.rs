//! Registration by the reader: which units admit it, and which applications wait for a desk.
//! Not for: what an ID number is (see `resident_id`), proving an address, or who may borrow ([`super::entry_gate`]).

use std::collections::HashMap;

use super::guardian::OF_AGE_YEARS;
use super::ids::UnitId;
use super::network::Category;
use super::unit::UnitTree;
use super::words::words;

words! {
    /// How a unit takes in readers who register by themselves.
    SelfRegistration:
    AtOnce = "at_once",
    Desk = "desk",
    Closed = "closed";
}

words! {
    /// Why an application waits for a desk.
    WaitReason:
    /// The unit looks at every application.
    UnitDecides = "unit_decides",
    /// Who is not of age is registered at a desk, where a guardian consents.
    UnderAge = "under_age",
    /// The ID number is a reader's.
    RegisteredAlready = "registered_already",
    /// A reader has this name and day of birth.
    Namesake = "namesake",
    /// No category is for this age.
    NoCategory = "no_category";
}

/// What was said of units.
#[derive(Debug, Clone, Default)]
pub struct SelfRegistrations(pub HashMap<UnitId, SelfRegistration>);

impl SelfRegistrations {
    /// What holds for a unit: its own word, or that of the nearest unit above it that has one; with the unit that says so. Where nobody says
    /// anything a desk looks at each.
    pub fn of(&self, units: &UnitTree, unit: UnitId) -> (SelfRegistration, Option<UnitId>) {
        let mut line = units.ancestors(unit).iter();
        let said = line.find_map(|one| self.0.get(one).map(|how| (*how, Some(*one))));
        said.unwrap_or((SelfRegistration::Desk, None))
    }
}

/// What the decision looks at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Facts {
    pub how: SelfRegistration,
    pub age_years: u32,
    /// The ID number is a reader's.
    pub is_registered: bool,
    /// A reader has the same name and day of birth.
    pub has_namesake: bool,
    /// There is a category for this age.
    pub has_category: bool,
}

/// Everything for which an application whose address is proved waits for a desk; empty: it makes a reader at once.
///
/// ```
/// use tongjie::domain::self_registration::{Facts, SelfRegistration, WaitReason, waits_for};
/// let facts = Facts { how: SelfRegistration::AtOnce, age_years: 30, is_registered: false, has_namesake: false, has_category: true };
/// assert_eq!(waits_for(&facts), []);
/// assert_eq!(waits_for(&Facts { age_years: 17, ..facts }), [WaitReason::UnderAge]);
/// // Who has the number is no namesake.
/// let known = Facts { is_registered: true, has_namesake: true, ..facts };
/// assert_eq!(waits_for(&known), [WaitReason::RegisteredAlready]);
/// ```
pub fn waits_for(facts: &Facts) -> Vec<WaitReason> {
    let all = [
        (facts.how != SelfRegistration::AtOnce, WaitReason::UnitDecides),
        (facts.age_years < OF_AGE_YEARS, WaitReason::UnderAge),
        (facts.is_registered, WaitReason::RegisteredAlready),
        (facts.has_namesake && !facts.is_registered, WaitReason::Namesake),
        (!facts.has_category, WaitReason::NoCategory),
    ];
    all.into_iter().filter(|(so, _)| *so).map(|(_, why)| why).collect()
}

/// The category of somebody of this age who registers alone: the first for borrowing that has limits and whose limits the age fits.
pub fn category_of_age<'c>(age_years: u32, all: &[&'c Category]) -> Option<&'c Category> {
    let fits = |category: &&Category| {
        !category.reading_only
            && !category.institutional
            && (category.min_age_years.is_some() || category.max_age_years.is_some())
            && category.min_age_years.is_none_or(|min| age_years >= u32::from(min))
            && category.max_age_years.is_none_or(|max| age_years <= u32::from(max))
    };
    all.iter().copied().filter(fits).min_by_key(|category| category.id)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::example;

    #[test]
    fn the_nearest_unit_that_says_something_counts() {
        let network = example::world().network;
        let units = network.units();
        let root = units.root().expect("a root").id;
        let leaf = units
            .iter()
            .max_by_key(|unit| units.ancestors(unit.id).len())
            .expect("units")
            .id;
        let mut said = SelfRegistrations::default();
        assert_eq!(said.of(units, leaf), (SelfRegistration::Desk, None));
        said.0.insert(root, SelfRegistration::AtOnce);
        assert_eq!(said.of(units, leaf), (SelfRegistration::AtOnce, Some(root)));
        said.0.insert(leaf, SelfRegistration::Closed);
        assert_eq!(said.of(units, leaf), (SelfRegistration::Closed, Some(leaf)));
        assert_eq!(said.of(units, root), (SelfRegistration::AtOnce, Some(root)));
    }

    #[test]
    fn the_category_follows_the_age() {
        let network = example::world().network;
        let all = network.categories();
        let of = |age| category_of_age(age, &all).map(|category| category.code.as_str());
        assert_eq!(of(30), Some("adult"));
        assert_eq!(of(13), Some("child"));
    }
}
