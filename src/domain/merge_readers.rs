//! What becomes of holds and of a standing when two readers turn out to be one person.
//! Not for: loans, cards and history, which follow without a choice.

use chrono::{DateTime, NaiveDate, Utc};

use super::guardian::MOST_GUARDIANS;
use super::ids::{HoldId, ItemId, ReaderId};
use super::merge_bibs::{OpenHold, Replaced};
use super::reader::{CreditBand, ManualBlock, ReaderStatus};

/// Open loans and holds that one act moves. Everybody else's write waits for it.
pub const MOST_MOVED: usize = 2_000;

/// What counts for or against a reader.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Standing {
    pub status: ReaderStatus,
    pub barred: bool,
    pub block: Option<ManualBlock>,
    pub band: CreditBand,
    pub debt_fen: i64,
}

/// What holds for the one that stays: the stricter in everything; debts add up.
///
/// ```
/// use tongjie::domain::merge_readers::{Standing, stricter};
/// use tongjie::domain::reader::{CreditBand, ReaderStatus};
/// let one = Standing { status: ReaderStatus::Active, barred: false, block: None, band: CreditBand::B, debt_fen: 100 };
/// let other = Standing { status: ReaderStatus::Suspended, band: CreditBand::Frozen, debt_fen: 50, ..one.clone() };
/// let both = stricter(&one, &other);
/// assert_eq!((both.status, both.band, both.debt_fen), (ReaderStatus::Suspended, CreditBand::Frozen, 150));
/// ```
pub fn stricter(one: &Standing, other: &Standing) -> Standing {
    Standing {
        // That an account was closed says nothing of the other.
        status: match (one.status, other.status) {
            (ReaderStatus::Inactive, status) | (status, ReaderStatus::Inactive) => status,
            (ReaderStatus::Suspended, _) | (_, ReaderStatus::Suspended) => ReaderStatus::Suspended,
            (ReaderStatus::Active, ReaderStatus::Active) => ReaderStatus::Active,
        },
        barred: one.barred || other.barred,
        block: later(one.block.as_ref(), other.block.as_ref()).cloned(),
        band: one.band.max(other.band),
        debt_fen: one.debt_fen.saturating_add(other.debt_fen),
    }
}

/// The one that stays has another day of birth than the ID number says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "the day of birth of the one that stays is another than the ID number says: they may be two persons; correct what is wrong first"
)]
pub struct BornOnAnotherDay;

/// The day of birth of the one that stays: what the ID number says, else its own, else the other's.
///
/// # Errors
/// [`BornOnAnotherDay`] where its own differs from the number.
///
/// ```
/// use tongjie::domain::merge_readers::{BornOnAnotherDay, born};
/// let day = |text: &str| text.parse().ok();
/// assert_eq!(born(None, day("1980-01-02"), day("1980-01-01")), Ok(day("1980-01-01")));
/// assert_eq!(born(None, day("1980-01-02"), None), Ok(day("1980-01-02")));
/// assert_eq!(born(day("1980-01-02"), None, day("1980-01-01")), Err(BornOnAnotherDay));
/// ```
pub fn born(
    survivor: Option<NaiveDate>,
    duplicate: Option<NaiveDate>,
    by_number: Option<NaiveDate>,
) -> Result<Option<NaiveDate>, BornOnAnotherDay> {
    match (survivor, by_number) {
        (Some(own), Some(number)) if own != number => Err(BornOnAnotherDay),
        (own, number) => Ok(number.or(own).or(duplicate)),
    }
}

/// A guardian link that is open.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Link {
    pub id: i64,
    pub guardian: ReaderId,
    pub ward: ReaderId,
    pub consented: bool,
}

/// What becomes of the links of both: which end, and which are between others then.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Links {
    pub ended: Vec<i64>,
    pub kept: Vec<Link>,
}

/// Decides what becomes of guardian links once `from` is `to`. Of two between the same readers, either way round, the one with a consent
/// stays, else the earlier; nobody is the own guardian.
pub fn links(open: &[Link], from: ReaderId, to: ReaderId) -> Links {
    let same = |reader: ReaderId| if reader == from { to } else { reader };
    let mut ordered: Vec<Link> = open.to_vec();
    ordered.sort_unstable_by_key(|link| (!link.consented, link.id));
    let mut links = Links::default();
    for link in ordered {
        let (guardian, ward) = (same(link.guardian), same(link.ward));
        let between = |other: &Link| [other.guardian, other.ward];
        let known = |other: &Link| between(other) == [guardian, ward] || between(other) == [ward, guardian];
        if guardian == ward || links.kept.iter().any(known) {
            links.ended.push(link.id);
        } else {
            links.kept.push(Link { guardian, ward, ..link });
        }
    }
    links
}

impl Links {
    /// A ward would have more guardians than anybody may.
    pub fn too_many(&self) -> bool {
        let of = |ward: ReaderId| self.kept.iter().filter(|link| link.ward == ward).count();
        self.kept.iter().any(|link| of(link.ward) > MOST_GUARDIANS)
    }
}

/// The block that ends later; one without an end never does.
fn later<'b>(one: Option<&'b ManualBlock>, other: Option<&'b ManualBlock>) -> Option<&'b ManualBlock> {
    let end = |block: &&ManualBlock| block.until.unwrap_or(DateTime::<Utc>::MAX_UTC);
    one.into_iter().chain(other).max_by_key(end)
}

/// What the store does with the holds.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Plan {
    /// A second copy set aside for one reader stays so: the hold becomes one on that copy.
    pub bound: Vec<(HoldId, ItemId)>,
    pub cancelled: Vec<Replaced>,
}

/// Decides what becomes of the open holds of both.
///
/// Of holds on the same target one is kept: one with a copy set aside, or else the first in the order of the queue. Whatever is
/// set aside stays so.
pub fn decide(holds: &[OpenHold]) -> Plan {
    let mut plan = Plan::default();
    let mut ordered: Vec<OpenHold> = holds.to_vec();
    ordered.sort_unstable_by_key(|hold| (hold.captured.is_none(), hold.rank()));
    let mut kept: Vec<OpenHold> = Vec::new();
    for hold in ordered {
        let same = |other: &&OpenHold| (other.bib, other.item, other.volume) == (hold.bib, hold.item, hold.volume);
        let Some(first) = kept.iter().find(same).copied() else {
            kept.push(hold);
            continue;
        };
        match hold.captured {
            Some(copy) => {
                plan.bound.push((hold.id, copy));
                kept.push(OpenHold {
                    item: Some(copy),
                    volume: None,
                    ..hold
                });
            }
            None => plan.cancelled.push(Replaced { hold, by: first.id }),
        }
    }
    plan
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::ids::BibId;

    fn hold(id: i64, bib: i64) -> OpenHold {
        OpenHold {
            id: HoldId::new(id),
            bib: BibId::new(bib),
            reader: ReaderId::new(id % 2),
            item: None,
            volume: None,
            captured: None,
            priority: 0,
            queue_rank: id,
        }
    }

    fn cancelled(plan: &Plan) -> Vec<(i64, i64)> {
        let pair = |replaced: &Replaced| (replaced.hold.id.get(), replaced.by.get());
        plan.cancelled.iter().map(pair).collect()
    }

    #[test]
    fn of_two_that_wait_the_earlier_place_stays() {
        let plan = decide(&[hold(2, 7), hold(1, 7), hold(3, 8)]);
        assert_eq!(cancelled(&plan), [(2, 1)]);
        assert_eq!(plan.bound, []);
    }

    #[test]
    fn a_copy_set_aside_stays_whoever_came_first() {
        let copy = ItemId::new(50);
        let set_aside = OpenHold {
            captured: Some(copy),
            ..hold(2, 7)
        };
        assert_eq!(cancelled(&decide(&[hold(1, 7), set_aside])), [(1, 2)]);
    }

    #[test]
    fn two_copies_set_aside_both_stay_and_a_wait_for_the_second_is_over() {
        let of = |id: i64, copy: i64| OpenHold {
            captured: Some(ItemId::new(copy)),
            ..hold(id, 7)
        };
        let waiting = OpenHold {
            item: Some(ItemId::new(51)),
            ..hold(3, 7)
        };
        let plan = decide(&[of(1, 50), of(2, 51), waiting]);
        assert_eq!(plan.bound, [(HoldId::new(2), ItemId::new(51))]);
        assert_eq!(cancelled(&plan), [(3, 2)]);
    }

    #[test]
    fn an_account_that_was_closed_says_nothing_of_the_other() {
        use ReaderStatus::{Active, Inactive, Suspended};
        let of = |status| Standing {
            status,
            barred: false,
            block: None,
            band: CreditBand::B,
            debt_fen: 0,
        };
        let cases = [
            (Active, Active, Active),
            (Active, Inactive, Active),
            (Inactive, Active, Active),
            (Inactive, Suspended, Suspended),
            (Suspended, Inactive, Suspended),
            (Suspended, Active, Suspended),
            (Active, Suspended, Suspended),
            (Inactive, Inactive, Inactive),
        ];
        for (one, other, both) in cases {
            assert_eq!(stricter(&of(one), &of(other)).status, both, "{one:?}, {other:?}");
        }
    }

    #[test]
    fn of_links_between_the_same_two_the_one_with_a_consent_stays() {
        let link = |id: i64, guardian: i64, ward: i64, consented: bool| Link {
            id,
            guardian: ReaderId::new(guardian),
            ward: ReaderId::new(ward),
            consented,
        };
        let ids = |links: &Links| links.kept.iter().map(|link| link.id).collect::<Vec<_>>();
        // 2 becomes 1.
        let decide = |open: &[Link]| links(open, ReaderId::new(2), ReaderId::new(1));
        let twice = decide(&[link(10, 1, 7, false), link(11, 2, 7, true), link(12, 2, 8, false)]);
        assert_eq!((ids(&twice), &twice.ended), (vec![11, 12], &vec![10]));
        assert_eq!(twice.kept[0].guardian, ReaderId::new(1));
        let reversed = decide(&[link(10, 1, 7, false), link(11, 7, 2, false), link(12, 1, 2, true)]);
        assert_eq!((ids(&reversed), &reversed.ended), (vec![10], &vec![12, 11]));
        let many: Vec<Link> = (0..5).map(|n| link(20 + n, 30 + n, 1 + n % 2, true)).collect();
        assert!(decide(&many).too_many() && !decide(&many[..4]).too_many());
    }

    #[test]
    fn the_block_without_an_end_is_the_later_one() {
        let block = |until| {
            Some(ManualBlock {
                reason: "x".to_owned(),
                until,
            })
        };
        let (dated, endless) = (block(DateTime::from_timestamp(1, 0)), block(None));
        assert_eq!(later(dated.as_ref(), endless.as_ref()), endless.as_ref());
        assert_eq!(later(None, dated.as_ref()), dated.as_ref());
        assert_eq!(later(None, None), None);
    }
}
