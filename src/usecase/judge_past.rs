//! An act on an item of which a journal tells, judged as of its time under the locks of what it is about; and what comes of it.

use chrono::{DateTime, Utc};

use super::acting_device::ActingDevice;
use super::doors_alone::{handed_out, put_in};
use super::past_loan::{Past, PastLoan, lend, lend_and_close, past_plan, renew, set_aside};
use super::raise_conflict::{NewConflict, raise_conflict};
use super::{Caller, Result, UseCaseError};
use crate::domain::act::Act;
use crate::domain::ids::{LoanId, ReaderId};
use crate::domain::item::ItemStatus;
use crate::domain::journal_act::{ActKind, Effect, Facts, ItemNow, LoanNow, Verdict, classify};
use crate::domain::journal_conflict::ConflictReason;
use crate::domain::network::Network;
use crate::domain::reader::ReaderFacts;
use crate::domain::refusal::Code;
use crate::store::ids::IdRun;
use crate::store::item_lock::{Candidate, LoadedItem};
use crate::store::journal::entries::{EntryJudged, KnownReturn};
use crate::store::tx::WriteTx;

/// Where and when an act happened.
#[derive(Debug, Clone, Copy)]
pub(super) struct Scene<'a> {
    pub device: &'a ActingDevice,
    /// The device, as a caller.
    pub caller: &'a Caller,
    pub then: DateTime<Utc>,
    pub entry: Option<i64>,
    /// The text of the act, for a person.
    pub body: &'a str,
    /// A person has looked into it: that the item waited for that says nothing.
    pub again: bool,
    /// The compartment the copy was handed out from, or put into.
    pub door: Option<u16>,
    /// Whether the book was taken is told by itself.
    pub two_phase: bool,
}

/// Who acted, as far as is known.
#[derive(Debug, Clone)]
pub(super) enum Whose {
    /// By the number of a card, and what would have refused the code it was shown by.
    Card(String, ReaderId, Vec<Code>),
    Reader(ReaderId),
}

impl Whose {
    pub(super) const fn reader(&self) -> ReaderId {
        match self {
            Self::Card(_, reader, _) | Self::Reader(reader) => *reader,
        }
    }
}

/// What became of an act.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Judged {
    pub verdict: Verdict,
    pub codes: Vec<Code>,
    pub item: Option<i64>,
    pub loan: Option<i64>,
}

impl Judged {
    pub(super) const fn accepted() -> Self {
        Self {
            verdict: Verdict::Accepted,
            codes: Vec::new(),
            item: None,
            loan: None,
        }
    }

    pub(super) fn row(&self) -> EntryJudged {
        let codes: Vec<&str> = self.codes.iter().map(|code| code.code()).collect();
        let (verdict, codes) = match self.verdict {
            Verdict::Accepted => ("accepted", String::new()),
            Verdict::AcceptedDespite => ("accepted_despite", codes.join(",")),
            Verdict::Conflict(_) => ("conflict", String::new()),
        };
        EntryJudged {
            verdict,
            codes,
            item: self.item,
            loan: self.loan,
        }
    }
}

/// Judges an act on an item. `stands`: a person says that it happened, whatever stands in its way.
pub(super) fn on_item(
    tx: &mut WriteTx<'_>,
    scene: &Scene<'_>,
    (kind, candidate, whose): (ActKind, Option<Candidate>, Option<Whose>),
    stands: bool,
    ids: &mut IdRun,
) -> Result<Judged> {
    let network = tx.network()?;
    let locked = match candidate.clone() {
        Some(candidate) => tx.lock_item(candidate, &network)?,
        None => None,
    };
    let (Some(item), Some(candidate)) = (locked, candidate) else {
        let conflict = NewConflict {
            reader: whose.as_ref().map(Whose::reader),
            ..NewConflict::of(scene, ConflictReason::ItemUnknown)
        };
        raise_conflict(tx, &conflict, ids)?;
        return Ok(Judged {
            verdict: Verdict::Conflict(ConflictReason::ItemUnknown),
            ..Judged::accepted()
        });
    };
    let reader = lock_reader(tx, whose.as_ref(), &item, &network)?;
    let network = tx.as_of(network, scene.then)?;
    let act = Act {
        device: Some(scene.device.id),
        ..Act::at(scene.device.unit, scene.device.kind.journal_channel())
    };
    let past = Past {
        scene,
        act: &act,
        network: &network,
        item: &item,
    };
    let shown_by = match &whose {
        Some(Whose::Card(_, _, codes)) => codes.as_slice(),
        _ => &[],
    };
    let returned = if item.facts.last_event_at > scene.then {
        tx.returned_after(item.facts.id, scene.then)?
    } else {
        None
    };
    let known = Known {
        shown_by,
        returned,
        stands,
    };
    decide(tx, &past, (kind, candidate), reader.as_ref(), &known, ids)
}

/// Locks whoever acted, together with the one who has the item, in one order.
fn lock_reader(
    tx: &mut WriteTx<'_>,
    whose: Option<&Whose>,
    item: &LoadedItem,
    network: &Network,
) -> Result<Option<ReaderFacts>> {
    let Some(whose) = whose else { return Ok(None) };
    if let Some(open) = item
        .facts
        .open_loan
        .as_ref()
        .filter(|open| open.reader != whose.reader())
    {
        tx.lock_readers(&[whose.reader(), open.reader])?;
    }
    Ok(match whose {
        Whose::Card(number, ..) => tx.lock_reader_of_card(number, network)?,
        Whose::Reader(reader) => tx.lock_reader(*reader, network)?,
    })
}

/// `in_question`: the loan of this machine of which nobody knows whether it was taken up.
fn item_now(item: &LoadedItem, known: Option<KnownReturn>, in_question: Option<LoanId>) -> ItemNow {
    ItemNow {
        withdrawn: item.facts.status == ItemStatus::Withdrawn,
        open_loan: item.loan.as_ref().map(|loaded| LoanNow {
            id: loaded.loan.id,
            reader: loaded.loan.reader,
            loaned_at: loaded.loan.loaned_at,
            in_question_here: loaded.loan.unconfirmed && in_question == Some(loaded.loan.id),
        }),
        returned_after: known.map(|known| known.at),
        last_event_at: item.facts.last_event_at,
    }
}

/// The open loan, if this machine has asked us for it and nobody has confirmed it. One that its journal told of it knows by itself. No
/// statement for any other.
fn in_question(tx: &mut WriteTx<'_>, past: &Past<'_>) -> Result<Option<LoanId>> {
    let Some(open) = past.item.loan.as_ref().filter(|loaded| loaded.loan.unconfirmed) else {
        return Ok(None);
    };
    let device = past.scene.device.id;
    let asked = tx.confirmation(open.loan.id)?.filter(|asked| asked.device == device);
    match asked {
        Some(asked) if !tx.journal_told_of_loan(device, past.item.facts.id, asked.loan)? => Ok(Some(asked.loan)),
        _ => Ok(None),
    }
}

/// What is known beside the records, and what a person says.
struct Known<'a> {
    shown_by: &'a [Code],
    returned: Option<KnownReturn>,
    stands: bool,
}

fn decide(
    tx: &mut WriteTx<'_>,
    past: &Past<'_>,
    (kind, candidate): (ActKind, Candidate),
    reader: Option<&ReaderFacts>,
    known: &Known<'_>,
    ids: &mut IdRun,
) -> Result<Judged> {
    let in_question = in_question(tx, past)?;
    let item_now = item_now(past.item, known.returned, in_question);
    let facts = Facts {
        kind,
        happened_at: past.scene.then,
        item: Some(&item_now),
        reader: reader.map(|reader| reader.id),
        refused: &[],
    };
    let bare = classify(&facts);
    let effect = match (bare.verdict, item_now.open_loan) {
        (Verdict::Conflict(_), Some(loan)) if known.stands => Effect::ReturnAndLend { loan: loan.id },
        (Verdict::Conflict(_), None) if known.stands => Effect::Lend,
        (Verdict::Conflict(reason), _) => return contradicts(tx, past, reason, (reader, bare.needs_attention), ids),
        _ => bare.effect,
    };
    let item = Some(past.item.facts.id.get());
    match (effect, reader) {
        (Effect::Nothing, _) => Ok(Judged {
            item,
            // The loan that is recorded already: what the journal says of it next is said of that one.
            loan: item_now
                .open_loan
                .filter(|_| kind == ActKind::CheckOut)
                .map(|loan| loan.id.get()),
            ..Judged::accepted()
        }),
        (Effect::Return, _) => {
            let loan = past.item.loan.as_ref().map(|loaded| loaded.loan.id.get());
            put_in(tx, past, candidate, ids)?;
            Ok(Judged {
                item,
                loan,
                ..Judged::accepted()
            })
        }
        (Effect::Renew { loan }, Some(reader)) => {
            let refused = renew(tx, past, reader, known.shown_by, ids)?;
            Ok(known.judged(item, Some(loan.get()), &refused))
        }
        (lent, Some(reader)) => record_loan(tx, past, (reader, lent), known, ids),
        (_, None) => Err(UseCaseError::Internal("an act of nobody was to be recorded".to_owned())),
    }
}

impl Known<'_> {
    fn judged(&self, item: Option<i64>, loan: Option<i64>, refused: &[Code]) -> Judged {
        let mut codes: Vec<Code> = Vec::new();
        for code in self.shown_by.iter().chain(refused) {
            if !codes.contains(code) {
                codes.push(*code);
            }
        }
        let fine = self.stands || codes.is_empty();
        Judged {
            verdict: if fine {
                Verdict::Accepted
            } else {
                Verdict::AcceptedDespite
            },
            codes,
            item,
            loan,
        }
    }
}

/// Records a loan, in the way that the records leave room for.
fn record_loan(
    tx: &mut WriteTx<'_>,
    past: &Past<'_>,
    (reader, effect): (&ReaderFacts, Effect),
    known: &Known<'_>,
    ids: &mut IdRun,
) -> Result<Judged> {
    let as_it_is = effect == Effect::Lend && !past.scene.again;
    let seen = if as_it_is { PastLoan::Now } else { PastLoan::Free };
    let (plan, refused) = past_plan(tx, past, reader, seen)?;
    let judged = known.judged(Some(past.item.facts.id.get()), None, &refused);
    let lent = (reader, &plan, judged.codes.as_slice());
    let loan = match effect {
        Effect::LendAndClose { returned_at } => {
            let unit = known.returned.map_or(past.act.unit, |returned| returned.unit);
            lend_and_close(tx, past, lent, (returned_at, unit), ids)?
        }
        _ => {
            let loan = lend(tx, past, lent, !as_it_is, ids)?;
            if let Some(loan) = loan {
                handed_out(tx, past, LoanId::new(loan), ids)?;
            }
            loan
        }
    };
    Ok(Judged { loan, ..judged })
}

fn contradicts(
    tx: &mut WriteTx<'_>,
    past: &Past<'_>,
    reason: ConflictReason,
    (reader, needs_attention): (Option<&ReaderFacts>, bool),
    ids: &mut IdRun,
) -> Result<Judged> {
    let conflict = NewConflict {
        item: Some(past.item.facts.id),
        reader: reader.map(|reader| reader.id),
        loan: past.item.loan.as_ref().map(|loaded| loaded.loan.id),
        ..NewConflict::of(past.scene, reason)
    };
    raise_conflict(tx, &conflict, ids)?;
    if needs_attention {
        set_aside(tx, past, reason, ids)?;
    }
    Ok(Judged {
        verdict: Verdict::Conflict(reason),
        ..Judged::accepted()
    })
}
