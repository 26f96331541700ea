//! The table of docs/OFFLINE.md line by line; and whatever order machines report in, a book is lent once, and who has it in the end
//! has it in the records, or a person is asked.

use chrono::TimeDelta;
use proptest::prelude::*;

use super::*;

const A: ReaderId = ReaderId::new(1);
const B: ReaderId = ReaderId::new(2);
const LIMIT: &[Code] = &[Code::LimitLoans];

fn at(second: i64) -> DateTime<Utc> {
    DateTime::UNIX_EPOCH + TimeDelta::seconds(second)
}

const fn loan(reader: ReaderId, loaned_at: DateTime<Utc>) -> LoanNow {
    LoanNow {
        id: LoanId::new(9),
        reader,
        loaned_at,
    }
}

/// Last seen a while before the act, which is at 100.
fn item() -> ItemNow {
    ItemNow {
        withdrawn: false,
        open_loan: None,
        returned_after: None,
        last_event_at: at(50),
    }
}

fn lent(reader: ReaderId, second: i64) -> ItemNow {
    ItemNow {
        open_loan: Some(loan(reader, at(second))),
        last_event_at: at(second),
        ..item()
    }
}

/// Reader A does it at 100.
fn done(kind: ActKind, item: Option<ItemNow>, reader: Option<ReaderId>, refused: &[Code]) -> Classified {
    classify(&Facts {
        kind,
        happened_at: at(100),
        item: item.as_ref(),
        reader,
        refused,
    })
}

/// The line of the page, what is found, and what is to come of it.
type Line = (&'static str, Classified, Verdict, Effect, bool);

fn check_outs() -> Vec<Line> {
    use Effect::{Lend, LendAndClose, Nothing, ReturnAndLend};
    use Verdict::{Accepted, AcceptedDespite, Conflict};
    let out = |item, reader, refused| done(ActKind::CheckOut, item, reader, refused);
    let returned = |item: ItemNow, second| ItemNow {
        returned_after: Some(at(second)),
        last_event_at: at(second.max(101)),
        ..item
    };
    let withdrawn = ItemNow {
        withdrawn: true,
        ..item()
    };
    let moved = ItemNow {
        last_event_at: at(101),
        ..item()
    };
    let close = LendAndClose { returned_at: at(150) };
    let again = ReturnAndLend { loan: LoanId::new(9) };
    let unknown = Conflict(ConflictReason::ItemUnknown);
    let nobody = Conflict(ConflictReason::ReaderUnknown);
    let other = Conflict(ConflictReason::OnLoanToOther);
    vec![
        ("no item has", out(None, Some(A), &[]), unknown, Nothing, false),
        ("nobody has", out(Some(item()), None, &[]), nobody, Nothing, true),
        ("nobody has", out(Some(moved), None, &[]), nobody, Nothing, false),
        (
            "withdrawn",
            out(Some(withdrawn), Some(A), &[]),
            Conflict(ConflictReason::Withdrawn),
            Nothing,
            true,
        ),
        (
            "returned somewhere",
            out(Some(returned(item(), 150)), Some(A), &[]),
            Accepted,
            close,
            false,
        ),
        (
            "returned somewhere",
            out(Some(returned(lent(B, 160), 150)), Some(A), LIMIT),
            AcceptedDespite,
            close,
            false,
        ),
        (
            "on loan to this reader since before",
            out(Some(lent(A, 50)), Some(A), &[]),
            Accepted,
            again,
            false,
        ),
        (
            "on loan to this reader since then",
            out(Some(lent(A, 100)), Some(A), LIMIT),
            Accepted,
            Nothing,
            false,
        ),
        (
            "on loan to this reader since then",
            out(Some(lent(A, 160)), Some(A), &[]),
            Accepted,
            Nothing,
            false,
        ),
        (
            "on loan to somebody else",
            out(Some(lent(B, 50)), Some(A), &[]),
            other,
            Nothing,
            true,
        ),
        (
            "on loan to somebody else",
            out(Some(lent(B, 160)), Some(A), LIMIT),
            other,
            Nothing,
            false,
        ),
        (
            "something else happened",
            out(Some(moved), Some(A), &[]),
            Conflict(ConflictReason::MovedOn),
            Nothing,
            false,
        ),
        (
            "rules would refuse",
            out(Some(item()), Some(A), LIMIT),
            AcceptedDespite,
            Lend,
            false,
        ),
        ("otherwise", out(Some(item()), Some(A), &[]), Accepted, Lend, false),
    ]
}

fn other_acts() -> Vec<Line> {
    use Effect::{Nothing, Renew, Return};
    use Verdict::{Accepted, AcceptedDespite, Conflict};
    let back = |item| done(ActKind::CheckIn, item, None, LIMIT);
    let renew = |item, refused| done(ActKind::Renewal, item, Some(A), refused);
    let moved = ItemNow {
        last_event_at: at(101),
        ..item()
    };
    let unknown = Conflict(ConflictReason::ItemUnknown);
    let renewed = Renew { loan: LoanId::new(9) };
    let theirs = Conflict(ConflictReason::NotTheirLoan);
    vec![
        ("no item has", back(None), unknown, Nothing, false),
        ("on loan since before", back(Some(lent(B, 50))), Accepted, Return, false),
        (
            "on loan since after",
            back(Some(lent(B, 160))),
            Accepted,
            Nothing,
            false,
        ),
        ("something happened", back(Some(moved)), Accepted, Nothing, false),
        ("otherwise", back(Some(item())), Accepted, Return, false),
        (
            "not on loan to this reader",
            renew(Some(lent(B, 50)), &[]),
            theirs,
            Nothing,
            false,
        ),
        (
            "not on loan to this reader",
            renew(Some(item()), &[]),
            theirs,
            Nothing,
            false,
        ),
        (
            "rules would refuse",
            renew(Some(lent(A, 50)), LIMIT),
            AcceptedDespite,
            renewed,
            false,
        ),
        ("otherwise", renew(Some(lent(A, 50)), &[]), Accepted, renewed, false),
    ]
}

#[test]
fn every_line_of_the_table_is_true() {
    for (line, found, verdict, effect, needs_attention) in check_outs().into_iter().chain(other_acts()) {
        let expected = Classified {
            verdict,
            effect,
            needs_attention,
        };
        assert_eq!(found, expected, "{line}");
    }
}

#[test]
fn the_documentation_has_a_line_for_every_case() {
    let page = include_str!("../../../docs/OFFLINE.md");
    for (kind, cases) in [("check_out", check_outs()), ("check_in", other_acts())] {
        for (line, _, verdict, ..) in cases {
            let kinds = if kind == "check_out" {
                vec![kind]
            } else {
                vec!["check_in", "renewal"]
            };
            let word = match verdict {
                Verdict::Accepted => "accepted".to_owned(),
                Verdict::AcceptedDespite => "accepted".to_owned(),
                Verdict::Conflict(reason) => format!("conflict `{reason}`"),
            };
            let found = page.lines().any(|text| {
                kinds
                    .iter()
                    .any(|kind| text.starts_with(&format!("| `{kind}` | {line}")))
                    && text.contains(&word)
            });
            assert!(found, "docs/OFFLINE.md has no line {kind:?} {line:?} {word}");
        }
    }
}

/// What really happened to one book: it goes out and comes back by turns.
#[derive(Debug, Clone, Copy)]
struct Act {
    second: i64,
    /// `None`: it comes back.
    to: Option<ReaderId>,
}

/// As much of the records as the classification reads and changes.
#[derive(Debug, Default)]
struct Records {
    open: Option<(ReaderId, i64)>,
    returns: Vec<i64>,
    last_event: i64,
    conflicts: usize,
    /// Begin and end of each loan that is over.
    over: Vec<(i64, i64)>,
}

impl Records {
    fn judge(&mut self, act: Act) {
        let item = ItemNow {
            withdrawn: false,
            open_loan: self.open.map(|(reader, since)| loan(reader, at(since))),
            returned_after: self
                .returns
                .iter()
                .filter(|second| **second > act.second)
                .min()
                .map(|second| at(*second)),
            last_event_at: at(self.last_event),
        };
        let kind = if act.to.is_some() {
            ActKind::CheckOut
        } else {
            ActKind::CheckIn
        };
        let facts = Facts {
            kind,
            happened_at: at(act.second),
            item: Some(&item),
            reader: act.to,
            refused: &[],
        };
        let classified = classify(&facts);
        if kind == ActKind::CheckIn {
            self.returns.push(act.second);
        }
        match classified.effect {
            Effect::Nothing => {}
            Effect::Lend => {
                assert!(self.open.is_none(), "lent twice");
                self.open = act.to.map(|reader| (reader, act.second));
            }
            Effect::LendAndClose { returned_at } => self.over.push((act.second, returned_at.timestamp())),
            Effect::ReturnAndLend { .. } => {
                self.end(act.second);
                self.returns.push(act.second);
                self.open = act.to.map(|reader| (reader, act.second));
            }
            Effect::Return => self.end(act.second),
            Effect::Renew { .. } => unreachable!("nothing is renewed here"),
        }
        let seen = !matches!(classified.effect, Effect::Nothing | Effect::LendAndClose { .. });
        self.last_event = self.last_event.max(if seen { act.second } else { 0 });
        self.conflicts += usize::from(matches!(classified.verdict, Verdict::Conflict(_)));
    }

    fn end(&mut self, second: i64) {
        if let Some((_, since)) = self.open.take() {
            self.over.push((since, second));
        }
    }
}

fn history() -> impl Strategy<Value = Vec<Act>> {
    proptest::collection::vec(1_i64..4, 1..8).prop_map(|readers| {
        let acts = readers.into_iter().zip(1..).map(|(reader, second)| Act {
            second,
            to: (second % 2 == 1).then_some(ReaderId::new(reader)),
        });
        acts.collect()
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn in_whatever_order_machines_report_the_records_end_true_or_a_person_is_asked(
        (true_order, reported) in history().prop_flat_map(|acts| (Just(acts.clone()), Just(acts).prop_shuffle()))
    ) {
        let mut records = Records::default();
        for act in &reported {
            records.judge(*act);
        }
        let last = true_order.last().and_then(|act| act.to.map(|reader| (reader, act.second)));
        let holder = |open: Option<(ReaderId, i64)>| open.map(|(reader, _)| reader);
        prop_assert!(records.conflicts > 0 || holder(records.open) == holder(last), "{records:?}");
        for (begins, ends) in &records.over {
            prop_assert!(begins <= ends, "{records:?}");
        }
    }

    #[test]
    fn told_in_its_order_nothing_is_asked_and_nothing_is_missing(acts in history()) {
        let mut records = Records::default();
        for act in &acts {
            records.judge(*act);
        }
        prop_assert_eq!(records.conflicts, 0);
        let lent = acts.iter().filter(|act| act.to.is_some()).count();
        prop_assert_eq!(records.over.len() + usize::from(records.open.is_some()), lent);
    }
}
