//! The network's tree of units: root, centrals, mains, branches, points.
//! Not for: opening days (see `calendar`) or which items may leave a unit (see `membership`).

use std::collections::HashMap;

use serde::{Deserialize, Serialize};
use thiserror::Error;

use super::calendar::{ClosedRange, WeeklyHours};
use super::dated::Dated;
use super::ids::UnitId;
use super::item::ReturnPolicy;
use super::stops::Stop;

/// The level of a unit in the tree.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum UnitKind {
    /// The root, above the centrals: defaults for everything.
    Network,
    /// 市级中心馆; there may be several (general, children's).
    Central,
    /// 区总馆.
    Main,
    /// 街道分馆.
    Branch,
    /// A service point: locker, kiosk, mobile stop.
    Point,
}

impl UnitKind {
    /// Every kind, from the root down.
    pub const ALL: [Self; 5] = [Self::Network, Self::Central, Self::Main, Self::Branch, Self::Point];

    /// The word used in the database, the API and the docs.
    pub const fn code(self) -> &'static str {
        match self {
            Self::Network => "network",
            Self::Central => "central",
            Self::Main => "main",
            Self::Branch => "branch",
            Self::Point => "point",
        }
    }

    /// Reads the word back.
    pub fn from_code(code: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.code() == code)
    }

    /// The kinds a unit of this kind may hang under. Empty for the root. A main may hang under the root because a
    /// district belongs to no single central where there are two.
    pub const fn allowed_parents(self) -> &'static [Self] {
        match self {
            Self::Network => &[],
            Self::Central => &[Self::Network],
            Self::Main => &[Self::Network, Self::Central],
            Self::Branch => &[Self::Central, Self::Main],
            Self::Point => &[Self::Central, Self::Main, Self::Branch],
        }
    }
}

/// One unit as it is configured; what it inherits is resolved by [`UnitTree`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Unit {
    pub id: UnitId,
    pub code: String,
    pub name: String,
    pub kind: UnitKind,
    pub parent: Option<UnitId>,
    /// Materialised path from the root, itself included: `/1/5/20/`.
    pub path: String,
    pub active: bool,
    /// Items may be lent here.
    pub lends: bool,
    /// Holds may be picked up here.
    pub pickup_point: bool,
    /// Readers with a child's card may not borrow here.
    pub adult_only: bool,
    /// Degrees, WGS 84.
    pub latitude: Option<f64>,
    pub longitude: Option<f64>,
    /// A 24-hour machine: it uses its parent's calendar for due dates, and its hold shelf is a locker.
    pub always_open: bool,
    /// Its own weekly hours; `None` inherits the nearest ancestor's.
    pub hours: Option<WeeklyHours>,
    /// Its own closed days, added to those of its ancestors.
    pub closed: Vec<ClosedRange>,
    /// Its own word on what happens to its copies that come back elsewhere; `None` inherits the nearest ancestor's.
    pub return_policy: Option<ReturnPolicy>,
    /// A vehicle that lends at its stops.
    pub mobile: bool,
    /// Where the vehicle stands when; without any it has the hours that it inherits.
    pub stops: Vec<Stop>,
    /// Its own exceptional openings, amnesties and emergency closings; those of its ancestors apply, too.
    pub dated: Dated,
}

impl Unit {
    /// The stops that stand in place of hours; none for what is no vehicle.
    pub fn stops_in_force(&self) -> &[Stop] {
        if self.mobile { &self.stops } else { &[] }
    }

    /// The path of a unit under `parent` (`None` for the root).
    pub fn path_under(parent: Option<&Unit>, id: UnitId) -> String {
        format!("{}{id}/", parent.map_or("/", |parent| &parent.path))
    }
}

/// Why a list of units is not a network tree.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum UnitTreeError {
    #[error("there is no root unit (kind network, no parent)")]
    NoRoot,
    #[error("units {first} and {second} are both roots")]
    TwoRoots { first: UnitId, second: UnitId },
    #[error("unit {id} or its code {code} is listed twice")]
    Duplicate { id: UnitId, code: String },
    #[error("unit {id} names the unknown parent {parent}")]
    UnknownParent { id: UnitId, parent: UnitId },
    #[error("unit {id} of kind {} may not hang under a {}", .kind.code(), .parent_kind.code())]
    WrongParent {
        id: UnitId,
        kind: UnitKind,
        parent_kind: UnitKind,
    },
    #[error("unit {id} has the path {found}, expected {expected}")]
    WrongPath {
        id: UnitId,
        found: String,
        expected: String,
    },
    /// Kinds only descend, so a cycle cannot pass the check of parents today; this keeps the build honest if that changes.
    #[error("unit {id} is not connected to the root (a cycle)")]
    Cycle { id: UnitId },
}

/// The whole tree, read-only, with every look-up O(1) or O(depth).
#[derive(Debug, Clone)]
pub struct UnitTree {
    /// In pre-order: a unit's subtree is one contiguous range.
    nodes: Vec<Node>,
    by_id: HashMap<UnitId, usize>,
    by_code: HashMap<String, usize>,
}

#[derive(Debug, Clone)]
pub(super) struct Node {
    pub(super) unit: Unit,
    pub(super) parent: Option<usize>,
    /// One past the last node of this subtree.
    end: usize,
    /// Itself first, then its parent, up to the root.
    line: Box<[UnitId]>,
}

impl UnitTree {
    /// Builds and checks the tree.
    ///
    /// # Errors
    /// No or two roots, a duplicate id or code, an unknown parent, a kind under the wrong kind, a path that does not
    /// say where the unit hangs, or a cycle.
    pub fn build(units: Vec<Unit>) -> Result<Self, UnitTreeError> {
        let root = check_list(&units)?;
        let mut children: HashMap<UnitId, Vec<UnitId>> = HashMap::new();
        let mut waiting: HashMap<UnitId, Unit> = HashMap::with_capacity(units.len());
        for unit in units {
            if let Some(parent) = unit.parent {
                children.entry(parent).or_default().push(unit.id);
            }
            waiting.insert(unit.id, unit);
        }
        let mut tree = Self {
            nodes: Vec::with_capacity(waiting.len()),
            by_id: HashMap::with_capacity(waiting.len()),
            by_code: HashMap::with_capacity(waiting.len()),
        };
        let mut stack: Vec<(UnitId, Option<usize>)> = vec![(root, None)];
        while let Some((id, parent)) = stack.pop() {
            let Some(unit) = waiting.remove(&id) else { continue };
            let index = tree.push(unit, parent)?;
            let below = children.remove(&id).unwrap_or_default();
            stack.extend(below.into_iter().rev().map(|child| (child, Some(index))));
        }
        match waiting.into_keys().min() {
            Some(id) => Err(UnitTreeError::Cycle { id }),
            None => {
                tree.close_ranges();
                Ok(tree)
            }
        }
    }

    fn push(&mut self, unit: Unit, parent: Option<usize>) -> Result<usize, UnitTreeError> {
        let index = self.nodes.len();
        let above = parent.and_then(|parent| self.nodes.get(parent));
        let expected = Unit::path_under(above.map(|node| &node.unit), unit.id);
        if unit.path != expected {
            return Err(UnitTreeError::WrongPath {
                id: unit.id,
                found: unit.path,
                expected,
            });
        }
        let above_line = above.map_or(&[][..], |node| &node.line);
        let line = std::iter::once(unit.id).chain(above_line.iter().copied()).collect();
        self.by_id.insert(unit.id, index);
        self.by_code.insert(unit.code.clone(), index);
        self.nodes.push(Node {
            unit,
            parent,
            end: index + 1,
            line,
        });
        Ok(index)
    }

    /// Pre-order: a child stands after its parent, so one pass from the end closes every range.
    fn close_ranges(&mut self) {
        for index in (0..self.nodes.len()).rev() {
            let (end, parent) = (self.nodes[index].end, self.nodes[index].parent);
            if let Some(parent) = parent {
                self.nodes[parent].end = self.nodes[parent].end.max(end);
            }
        }
    }

    /// Changes what a unit says of itself. Its id, code, place and path must stay: they are indexed.
    pub(super) fn edit(&mut self, id: UnitId, change: impl FnOnce(&mut Unit)) {
        if let Some(node) = self.by_id.get(&id).and_then(|index| self.nodes.get_mut(*index)) {
            change(&mut node.unit);
        }
    }

    pub(super) fn index(&self, id: UnitId) -> Option<usize> {
        self.by_id.get(&id).copied()
    }

    /// A node and those above it, up to the root.
    pub(super) fn nodes_up(&self, index: Option<usize>) -> impl Iterator<Item = &Node> {
        let start = index.and_then(|index| self.nodes.get(index));
        std::iter::successors(start, |node| node.parent.and_then(|parent| self.nodes.get(parent)))
    }

    /// One unit.
    pub fn get(&self, id: UnitId) -> Option<&Unit> {
        self.index(id)
            .and_then(|index| self.nodes.get(index))
            .map(|node| &node.unit)
    }

    /// One unit by its code.
    pub fn by_code(&self, code: &str) -> Option<&Unit> {
        self.by_code
            .get(code)
            .and_then(|index| self.nodes.get(*index))
            .map(|node| &node.unit)
    }

    /// The network root.
    pub fn root(&self) -> Option<&Unit> {
        self.nodes.first().map(|node| &node.unit)
    }

    /// The unit itself, its parent, and so on to the root; empty for an unknown unit.
    pub fn ancestors(&self, id: UnitId) -> &[UnitId] {
        self.index(id)
            .and_then(|index| self.nodes.get(index))
            .map_or(&[], |node| &node.line)
    }

    /// Whether `unit` is `ancestor` or stands below it. Two unknown units are within each other only if equal.
    pub fn is_within(&self, unit: UnitId, ancestor: UnitId) -> bool {
        unit == ancestor || self.ancestors(unit).contains(&ancestor)
    }

    /// The unit and everything below it, in pre-order; empty for an unknown unit.
    pub fn subtree(&self, id: UnitId) -> impl Iterator<Item = &Unit> {
        let range = self.index(id).map_or(0..0, |index| index..self.nodes[index].end);
        self.nodes[range].iter().map(|node| &node.unit)
    }

    /// Network distance: edges of the tree between two units; `None` if one is unknown.
    ///
    /// Two branches of one main are 2 apart; a branch and its main 1.
    pub fn distance(&self, a: UnitId, b: UnitId) -> Option<usize> {
        let (up_a, up_b) = (self.ancestors(a), self.ancestors(b));
        let common = up_a
            .iter()
            .rev()
            .zip(up_b.iter().rev())
            .take_while(|(x, y)| x == y)
            .count();
        (common > 0).then(|| up_a.len() + up_b.len() - 2 * common)
    }

    /// Every unit, in pre-order from the root.
    pub fn iter(&self) -> impl Iterator<Item = &Unit> {
        self.nodes.iter().map(|node| &node.unit)
    }

    /// How many units there are.
    pub fn len(&self) -> usize {
        self.nodes.len()
    }

    /// Never true for a built tree: it has a root.
    pub fn is_empty(&self) -> bool {
        self.nodes.is_empty()
    }
}

/// Checks everything that needs no traversal and finds the root.
fn check_list(units: &[Unit]) -> Result<UnitId, UnitTreeError> {
    let mut kinds = HashMap::with_capacity(units.len());
    let mut codes = HashMap::with_capacity(units.len());
    let mut root = None;
    for unit in units {
        let twice = codes.insert(unit.code.as_str(), unit.id).is_some();
        if twice || kinds.insert(unit.id, unit.kind).is_some() {
            return Err(UnitTreeError::Duplicate {
                id: unit.id,
                code: unit.code.clone(),
            });
        }
        if unit.parent.is_none()
            && unit.kind == UnitKind::Network
            && let Some(first) = root.replace(unit.id)
        {
            return Err(UnitTreeError::TwoRoots { first, second: unit.id });
        }
    }
    let root = root.ok_or(UnitTreeError::NoRoot)?;
    for unit in units.iter().filter(|unit| unit.id != root) {
        let parent = unit.parent.ok_or(UnitTreeError::TwoRoots {
            first: root,
            second: unit.id,
        })?;
        let unknown = UnitTreeError::UnknownParent { id: unit.id, parent };
        let parent_kind = *kinds.get(&parent).ok_or(unknown)?;
        if !unit.kind.allowed_parents().contains(&parent_kind) {
            return Err(UnitTreeError::WrongParent {
                id: unit.id,
                kind: unit.kind,
                parent_kind,
            });
        }
    }
    Ok(root)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::example::{self, BRANCH, BRANCH_2, CENTRAL, LOCKER, MAIN, OTHER_BRANCH, OTHER_MAIN, ROOT};

    fn units() -> Vec<Unit> {
        example::parts().units
    }

    #[test]
    fn the_tree_answers_upwards_and_downwards() {
        let tree = UnitTree::build(units()).unwrap();
        assert_eq!(tree.len(), 8);
        assert_eq!(tree.root().map(|unit| unit.id), Some(ROOT));
        assert_eq!(tree.ancestors(LOCKER), [LOCKER, BRANCH, MAIN, CENTRAL, ROOT]);
        assert_eq!(tree.by_code("JC-M1").map(|unit| unit.id), Some(MAIN));
        let below: Vec<UnitId> = tree.subtree(MAIN).map(|unit| unit.id).collect();
        assert_eq!(below, [MAIN, BRANCH, LOCKER, BRANCH_2]);
        for (unit, ancestor, within) in [
            (LOCKER, MAIN, true),
            (MAIN, MAIN, true),
            (MAIN, LOCKER, false),
            (BRANCH, OTHER_MAIN, false),
        ] {
            assert_eq!(tree.is_within(unit, ancestor), within, "{unit} in {ancestor}");
        }
    }

    #[test]
    fn distance_counts_edges() {
        let tree = UnitTree::build(units()).unwrap();
        for (a, b, distance) in [
            (BRANCH, BRANCH, Some(0)),
            (BRANCH, MAIN, Some(1)),
            (BRANCH, BRANCH_2, Some(2)),
            (LOCKER, OTHER_BRANCH, Some(6)),
            (BRANCH, UnitId::new(999), None),
        ] {
            assert_eq!(tree.distance(a, b), distance, "{a} to {b}");
            assert_eq!(tree.distance(b, a), distance, "{b} to {a}");
        }
    }

    #[test]
    fn lists_that_are_no_tree_are_refused() {
        type Change = fn(&mut Vec<Unit>);
        type Fault = fn(&UnitTreeError) -> bool;
        let cases: [(Change, Fault); 7] = [
            (Vec::clear, |e| matches!(e, UnitTreeError::NoRoot)),
            (
                |units| units[1].code = "JC".into(),
                |e| matches!(e, UnitTreeError::Duplicate { .. }),
            ),
            (
                |units| units[1].id = ROOT,
                |e| matches!(e, UnitTreeError::Duplicate { .. }),
            ),
            (
                |units| units[1].parent = None,
                |e| matches!(e, UnitTreeError::TwoRoots { .. }),
            ),
            (
                |units| units[2].parent = Some(UnitId::new(9)),
                |e| matches!(e, UnitTreeError::UnknownParent { .. }),
            ),
            (
                |units| units[3].parent = Some(ROOT),
                |e| matches!(e, UnitTreeError::WrongParent { .. }),
            ),
            (
                |units| units[3].path = "/20/".into(),
                |e| matches!(e, UnitTreeError::WrongPath { .. }),
            ),
        ];
        for (number, (change, expected)) in cases.into_iter().enumerate() {
            let mut units = units();
            change(&mut units);
            let error = UnitTree::build(units).unwrap_err();
            assert!(expected(&error), "case {number}: {error}");
        }
    }

    #[test]
    fn every_kind_has_a_word_and_a_place() {
        for kind in UnitKind::ALL {
            assert_eq!(UnitKind::from_code(kind.code()), Some(kind));
            assert_eq!(kind.allowed_parents().is_empty(), kind == UnitKind::Network);
            assert!(!kind.allowed_parents().contains(&UnitKind::Point));
        }
    }

    #[test]
    fn a_city_of_units_is_built_in_one_pass() {
        let mut all = units();
        let main = all[2].clone();
        for number in 0..3_560 {
            let id = UnitId::new(1_000 + number);
            all.push(Unit {
                id,
                code: format!("P{number}"),
                kind: UnitKind::Point,
                parent: Some(MAIN),
                path: Unit::path_under(Some(&main), id),
                ..main.clone()
            });
        }
        let tree = UnitTree::build(all).unwrap();
        assert_eq!(tree.subtree(MAIN).count(), 3_564);
    }
}
