//! One entry of a journal is judged as of its time, under the locks of what it is about, and what comes of it is recorded.

use std::sync::Arc;

use chrono::{DateTime, Utc};

use super::acting_device::ActingDevice;
use super::caller::Who;
use super::journal_text::{CardTold, OnItem, Told, ToldAct};
use super::past_loan::{Past, PastLoan, lend, lend_and_close, past_plan, renew, set_aside, take_back_then};
use super::raise_conflict::{NewConflict, raise_conflict};
use super::report_gate_passages::{Passages, count_passages};
use super::{Caller, Result, UseCaseError};
use crate::auth::card_token::CardTokens;
use crate::clock::from_millis;
use crate::domain::act::Act;
use crate::domain::card_token::{LEEWAY_S, Look};
use crate::domain::ids::{DeviceId, ReaderId};
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

/// What an attempt to judge the next entry came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Step {
    /// Nothing waits.
    Nothing,
    /// Under this number.
    Judged(i64),
    /// It tells of many things.
    NeedsIds,
}

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
}

/// Who acted, as far as is known.
#[derive(Debug, Clone)]
pub(super) enum Whose {
    /// By the number of a card, and what would have refused the code it was shown by.
    Card(String, ReaderId, Vec<Code>),
    Reader(ReaderId),
}

impl Whose {
    const fn reader(&self) -> ReaderId {
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
    const fn accepted() -> Self {
        Self {
            verdict: Verdict::Accepted,
            codes: Vec::new(),
            item: None,
            loan: None,
        }
    }

    fn row(&self) -> EntryJudged {
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

/// Judges the next entry of a journal that waits.
pub(super) fn apply_next(
    tx: &mut WriteTx<'_>,
    cards: &Arc<CardTokens>,
    (device, journal, after): (DeviceId, i64, i64),
    mut ids: IdRun,
) -> Result<Step> {
    // Whoever judges holds the device, so that acts of one journal follow each other.
    let Some(device) = tx.lock_device(device)? else {
        return Ok(Step::Nothing);
    };
    let Some(entry) = tx.next_waiting_entry(device.id, journal, after)? else {
        return Ok(Step::Nothing);
    };
    let device = ActingDevice::of(device);
    let body = entry.body.clone().unwrap_or_default();
    let told = Told::read(&body).ok_or_else(|| UseCaseError::Internal(format!("entry {} is unreadable", entry.id)))?;
    if let ToldAct::Passages(passages) = &told.act
        && ids.left() < 2 + i64::try_from(passages.checks.len()).unwrap_or(i64::MAX)
    {
        return Ok(Step::NeedsIds);
    }
    let caller = as_caller(&device);
    let scene = Scene {
        device: &device,
        caller: &caller,
        then: from_millis(entry.happened_at),
        entry: Some(entry.id),
        body: &body,
        again: false,
    };
    let judged = judge(tx, cards, &scene, &told, &mut ids)?;
    let now = tx.now();
    let kind = told.act.code();
    if !tx.judge_journal_entry(entry.id, &judged.row(), Some(kind), now)? {
        return Err(UseCaseError::Internal(format!("entry {} was judged meanwhile", entry.id)));
    }
    Ok(Step::Judged(entry.sequence))
}

/// The device as the caller of what it did alone.
pub(super) fn as_caller(device: &ActingDevice) -> Caller {
    Caller {
        who: Who::Device {
            id: device.id,
            channel: device.kind.journal_channel(),
        },
        unit: Some(device.unit),
        session: 0,
    }
}

fn judge(
    tx: &mut WriteTx<'_>,
    cards: &Arc<CardTokens>,
    scene: &Scene<'_>,
    told: &Told,
    ids: &mut IdRun,
) -> Result<Judged> {
    match &told.act {
        ToldAct::Lost { .. } => Ok(Judged::accepted()),
        ToldAct::Passages(passages) => {
            count_passages(tx, scene.device, &shifted(passages, scene.then - told.at), ids)?;
            Ok(Judged::accepted())
        }
        // Nothing here knows compartments and loans in two phases well enough to contradict a person: a person decides.
        ToldAct::Taken(_) | ToldAct::Compartment => {
            let conflict = NewConflict::of(scene, ConflictReason::SaidOtherwise);
            raise_conflict(tx, &conflict, ids)?;
            Ok(Judged {
                verdict: Verdict::Conflict(ConflictReason::SaidOtherwise),
                ..Judged::accepted()
            })
        }
        ToldAct::OnItem(act) => {
            let network = tx.network()?;
            let whose = whose(tx, cards, scene, act, &network)?;
            let found = act.item.find(tx, &network, act.owner_unit_code.as_deref());
            let candidate = match found {
                Ok(candidate) => Some(candidate),
                Err(UseCaseError::Invalid(_) | UseCaseError::Ambiguous { .. }) => None,
                Err(other) => return Err(other),
            };
            on_item(tx, scene, (act.kind, candidate, whose), false, ids)
        }
    }
}

/// The times of passages by our clock.
fn shifted(passages: &Passages, by: chrono::TimeDelta) -> Passages {
    let mut passages = passages.clone();
    for check in &mut passages.checks {
        check.at += by;
    }
    passages
}

/// Whose card was shown; `None`: nobody's.
fn whose(
    tx: &mut WriteTx<'_>,
    cards: &Arc<CardTokens>,
    scene: &Scene<'_>,
    act: &OnItem,
    network: &Network,
) -> Result<Option<Whose>> {
    match &act.card {
        None => Ok(None),
        Some(CardTold::Number(number)) => {
            let reader = tx.reader_of_card(number.as_str())?;
            Ok(reader.map(|reader| Whose::Card(number.as_str().to_owned(), reader, Vec::new())))
        }
        Some(CardTold::Token(token)) => {
            let Ok(token) = cards.open(token, tx.now()) else {
                return Ok(None);
            };
            let Some(card) = tx.shown_card(&token)? else {
                return Ok(None);
            };
            let scopes = super::card_session::scopes(network, scene.device.unit);
            let look = Look {
                now: scene.then,
                scopes: &scopes,
                void_until: card.void_until,
                leeway_s: LEEWAY_S,
            };
            let refused = token.judge(&look).err().map(|fault| fault.code());
            Ok(Some(Whose::Card(card.number, card.reader, refused.into_iter().collect())))
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
    let known = if item.facts.last_event_at > scene.then {
        tx.returned_after(item.facts.id, scene.then)?
    } else {
        None
    };
    decide(tx, &past, (kind, candidate), (reader.as_ref(), shown_by), known, stands, ids)
}

/// Locks whoever acted, together with the one who has the item, in one order.
fn lock_reader(
    tx: &mut WriteTx<'_>,
    whose: Option<&Whose>,
    item: &LoadedItem,
    network: &Network,
) -> Result<Option<ReaderFacts>> {
    let Some(whose) = whose else { return Ok(None) };
    if let Some(open) = item.facts.open_loan.as_ref().filter(|open| open.reader != whose.reader()) {
        tx.lock_readers(&[whose.reader(), open.reader])?;
    }
    Ok(match whose {
        Whose::Card(number, ..) => tx.lock_reader_of_card(number, network)?,
        Whose::Reader(reader) => tx.lock_reader(*reader, network)?,
    })
}

fn item_now(item: &LoadedItem, known: Option<KnownReturn>) -> ItemNow {
    ItemNow {
        withdrawn: item.facts.status == ItemStatus::Withdrawn,
        open_loan: item.loan.as_ref().map(|loaded| LoanNow {
            id: loaded.loan.id,
            reader: loaded.loan.reader,
            loaned_at: loaded.loan.loaned_at,
        }),
        returned_after: known.map(|known| known.at),
        last_event_at: item.facts.last_event_at,
    }
}

fn decide(
    tx: &mut WriteTx<'_>,
    past: &Past<'_>,
    (kind, candidate): (ActKind, Candidate),
    (reader, shown_by): (Option<&ReaderFacts>, &[Code]),
    known: Option<KnownReturn>,
    stands: bool,
    ids: &mut IdRun,
) -> Result<Judged> {
    let item_now = item_now(past.item, known);
    let facts = Facts {
        kind,
        happened_at: past.scene.then,
        item: Some(&item_now),
        reader: reader.map(|reader| reader.id),
        refused: &[],
    };
    let bare = classify(&facts);
    let effect = match (bare.verdict, item_now.open_loan) {
        (Verdict::Conflict(_), Some(loan)) if stands => Effect::ReturnAndLend { loan: loan.id },
        (Verdict::Conflict(_), None) if stands => Effect::Lend,
        (Verdict::Conflict(reason), _) => return contradicts(tx, past, reason, (reader, bare.needs_attention), ids),
        _ => bare.effect,
    };
    let item = Some(past.item.facts.id.get());
    let done = |loan: Option<i64>, refused: &[Code]| {
        let mut codes: Vec<Code> = Vec::new();
        for code in shown_by.iter().chain(refused) {
            if !codes.contains(code) {
                codes.push(*code);
            }
        }
        let verdict = if stands || codes.is_empty() { Verdict::Accepted } else { Verdict::AcceptedDespite };
        Judged {
            verdict,
            codes,
            item,
            loan,
        }
    };
    match (effect, reader) {
        (Effect::Nothing, _) => Ok(Judged {
            item,
            ..Judged::accepted()
        }),
        (Effect::Return, _) => {
            let loan = past.item.loan.as_ref().map(|loaded| loaded.loan.id.get());
            take_back_then(tx, past, candidate, ids)?;
            Ok(Judged {
                item,
                loan,
                ..Judged::accepted()
            })
        }
        (Effect::Renew { loan }, Some(reader)) => {
            let refused = renew(tx, past, reader, shown_by, ids)?;
            Ok(done(Some(loan.get()), &refused))
        }
        (Effect::Lend, Some(reader)) => {
            let seen = if past.scene.again { PastLoan::Free } else { PastLoan::Now };
            let (plan, refused) = past_plan(tx, past, reader, seen)?;
            let judged = done(None, &refused);
            let loan = lend(tx, past, (reader, &plan, &judged.codes), past.scene.again, ids)?;
            Ok(Judged { loan, ..judged })
        }
        (Effect::ReturnAndLend { .. }, Some(reader)) => {
            let (plan, refused) = past_plan(tx, past, reader, PastLoan::Free)?;
            let judged = done(None, &refused);
            let loan = lend(tx, past, (reader, &plan, &judged.codes), true, ids)?;
            Ok(Judged { loan, ..judged })
        }
        (Effect::LendAndClose { returned_at }, Some(reader)) => {
            let (plan, refused) = past_plan(tx, past, reader, PastLoan::Free)?;
            let judged = done(None, &refused);
            let unit = known.map_or(past.act.unit, |known| known.unit);
            let loan = lend_and_close(tx, past, (reader, &plan, &judged.codes), (returned_at, unit), ids)?;
            Ok(Judged { loan, ..judged })
        }
        (Effect::Renew { .. } | Effect::Lend | Effect::LendAndClose { .. } | Effect::ReturnAndLend { .. }, None) => {
            Err(UseCaseError::Internal("an act of nobody was to be recorded".to_owned()))
        }
    }
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

/// The text of an entry is of an act on an item, and this is it.
pub(super) fn act_of_text(body: &str) -> Option<OnItem> {
    match Told::read(body)?.act {
        ToldAct::OnItem(act) => Some(act),
        _ => None,
    }
}

/// Keeps of what an entry was recorded after all.
pub(super) fn keep_subject(tx: &mut WriteTx<'_>, entry: Option<i64>, judged: &Judged) -> Result<()> {
    if let Some(entry) = entry {
        tx.set_entry_subject(entry, judged.item, judged.loan)?;
    }
    Ok(())
}
