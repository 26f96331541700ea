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
        in_question_here: false,
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

fn out(item: Option<ItemNow>, reader: Option<ReaderId>, refused: &[Code]) -> Classified {
    done(ActKind::CheckOut, item, reader, refused)
}

/// Something happened to it after the act.
fn moved() -> ItemNow {
    ItemNow {
        last_event_at: at(101),
        ..item()
    }
}

fn contradictions() -> Vec<Line> {
    let (a, seen, before, later) = (Some(A), Some(moved()), Some(lent(B, 50)), Some(lent(B, 160)));
    let withdrawn = Some(ItemNow {
        withdrawn: true,
        ..item()
    });
    let line = |line, found, reason, needs_attention| {
        let verdict = Verdict::Conflict(reason);
        (line, found, verdict, Effect::Nothing, needs_attention)
    };
    let unknown = ConflictReason::ItemUnknown;
    let nobody = ConflictReason::ReaderUnknown;
    let other = ConflictReason::OnLoanToOther;
    vec![
        line("no item has", out(None, a, &[]), unknown, false),
        line("nobody has", out(Some(item()), None, &[]), nobody, true),
        line("nobody has", out(seen, None, &[]), nobody, false),
        line("withdrawn", out(withdrawn, a, &[]), ConflictReason::Withdrawn, true),
        line("on loan to somebody else", out(before, a, &[]), other, true),
        line("on loan to somebody else", out(later, a, LIMIT), other, false),
        line("something else", out(seen, a, &[]), ConflictReason::MovedOn, false),
    ]
}

fn recorded_check_outs() -> Vec<Line> {
    use Verdict::{Accepted, AcceptedDespite};
    let (a, free) = (Some(A), Some(item()));
    let returned = |item: ItemNow| ItemNow {
        returned_after: Some(at(150)),
        last_event_at: at(160),
        ..item
    };
    let (back, again) = (Some(returned(item())), Some(returned(lent(B, 160))));
    let asked = ItemNow {
        open_loan: Some(LoanNow {
            in_question_here: true,
            ..loan(A, at(50))
        }),
        ..item()
    };
    let close = Effect::LendAndClose { returned_at: at(150) };
    let anew = Effect::ReturnAndLend { loan: LoanId::new(9) };
    let line = |line, found, verdict, effect| (line, found, verdict, effect, false);
    let since_then = "on loan to this reader since then";
    vec![
        line("returned somewhere", out(back, a, &[]), Accepted, close),
        line("returned somewhere", out(again, a, LIMIT), AcceptedDespite, close),
        line(
            "on loan to this reader by this machine",
            out(Some(asked), a, LIMIT),
            Accepted,
            Effect::Nothing,
        ),
        line(
            "on loan to this reader since before",
            out(Some(lent(A, 50)), a, &[]),
            Accepted,
            anew,
        ),
        line(since_then, out(Some(lent(A, 100)), a, LIMIT), Accepted, Effect::Nothing),
        line(since_then, out(Some(lent(A, 160)), a, &[]), Accepted, Effect::Nothing),
        line("rules would refuse", out(free, a, LIMIT), AcceptedDespite, Effect::Lend),
        line("otherwise", out(free, a, &[]), Accepted, Effect::Lend),
    ]
}

fn check_outs() -> Vec<Line> {
    [contradictions(), recorded_check_outs()].concat()
}

fn other_acts() -> Vec<Line> {
    use Effect::{Nothing, Renew, Return};
    use Verdict::{Accepted, AcceptedDespite, Conflict};
    let back = |item| done(ActKind::CheckIn, item, None, LIMIT);
    let renew = |item, refused| done(ActKind::Renewal, item, Some(A), refused);
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
        ("something happened", back(Some(moved())), Accepted, Nothing, false),
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
