//! What a draft of rules would make of loans that exist, beside what the rules in force make of them. Changes nothing: a
//! loan keeps its due date; what changes is what the next renewal and the next check-out would be told.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::explain_view::{TermsView, terms_view};
use super::page::{Page, PageRequest};
use super::rule_place::{draft_of, judge};
use super::view::unit_code;
use super::{Caller, Result, UseCaseError};
use crate::auth::Right;
use crate::clock::from_millis;
use crate::domain::barcode::CardNumber;
use crate::domain::ids::{CategoryId, ItemTypeId, LoanId, LockerSessionId, ReaderId, UnitId};
use crate::domain::limit::Usage;
use crate::domain::network::Network;
use crate::domain::outlook::{Lent, Outlook, outlook};
use crate::domain::policy::Situation;
use crate::domain::reader::{Channel, CreditBand, LoanOfReader};
use crate::domain::refusal::Code;
use crate::store::Store;
use crate::store::rule_previews::{PreviewLoan, PreviewReader};
use crate::store::tx::ReadTx;

/// Loans named by number at once.
pub const MAX_LOANS: usize = 200;
/// Open loans looked at for one page, whatever is selected of them.
const LOOKED_AT: i64 = 2_000;

/// Which loans.
#[derive(Debug, Clone)]
pub enum Selection {
    /// All of a reader's.
    Reader(CardNumber),
    /// Those made in a unit or below it.
    Subtree(String),
    /// These, as far as they are open.
    Loans(Vec<i64>),
    /// Any, in the order of their items.
    Sample,
}

/// What the rules in force and a draft make of a loan.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct LoanPreview {
    pub loan_id: i64,
    pub reader_id: i64,
    pub unit_code: String,
    pub item_type: String,
    /// The due date it has and keeps (UTC).
    pub due_at: DateTime<Utc>,
    /// Renewals so far.
    pub renewals: i32,
    /// Under the rules in force.
    pub before: OutlookView,
    /// Under the draft.
    pub after: OutlookView,
    /// The two differ.
    #[schema(example = true)]
    pub differs: bool,
}

/// What rules say of a loan.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct OutlookView {
    pub rule_id: i64,
    pub terms: TermsView,
    /// The due date it would have been given on its day; the card's end and waiting readers are left aside (UTC).
    #[schema(example = "2026-04-03T15:59:59Z")]
    pub first_due_at: DateTime<Utc>,
    /// What a renewal now would make of it (UTC).
    #[schema(example = "2026-05-03T15:59:59Z")]
    pub renewed_due_at: DateTime<Utc>,
    /// Codes of the rules' refusals if it were lent to this reader now.
    #[schema(example = json!(["limit_loans"]))]
    pub lending_refusals: Vec<String>,
    /// Codes of the rules' refusals if it were renewed now.
    #[schema(example = json!(["renewal_limit"]))]
    pub renewal_refusals: Vec<String>,
}

/// A page of loans, and how often each refusal stands on it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RulePreview {
    pub page: Page<LoanPreview>,
    pub refusals: Vec<RefusalCount>,
}

/// How many loans of the page a refusal meets.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct RefusalCount {
    /// Of a renewal, or of lending it now.
    #[schema(example = "renewal")]
    pub act: String,
    #[schema(example = "renewal_limit")]
    pub code: String,
    /// Under the rules in force.
    #[schema(example = 3)]
    pub before_count: u32,
    /// Under the draft.
    #[schema(example = 0)]
    pub after_count: u32,
}

/// Looks at a page of loans.
///
/// # Errors
/// `Invalid` naming the faults of the draft or what is wrong with the selection; `NotFound`; `Forbidden` where the caller
/// may not see who borrows what.
pub async fn preview_rules(
    store: &Arc<Store>,
    caller: &Caller,
    draft: i64,
    selection: Selection,
    page: PageRequest,
) -> Result<RulePreview> {
    caller.require_somewhere(Right::DraftRules)?;
    caller.require_somewhere(Right::ReadBorrowing)?;
    let caller = caller.clone();
    store
        .read(move |tx| {
            let (before, after) = both(tx, &caller, draft)?;
            let (loans, next) = select(tx, &caller, &before, &selection, page)?;
            let rows = look(tx, &before, &after, &loans)?;
            Ok(RulePreview {
                refusals: count(&rows),
                page: Page { items: rows, next },
            })
        })
        .await
}

/// The rules in force, and those of a valid draft.
pub(super) fn both(tx: &mut ReadTx<'_>, caller: &Caller, draft: i64) -> Result<(Arc<Network>, Network)> {
    let before = tx.network()?;
    let (draft, layer) = draft_of(tx, caller, draft, Right::DraftRules)?;
    let at = (tx.next_rules_version()?, tx.now());
    let judged = judge(tx, &before, layer, &draft.source, at)?;
    let faults = super::rule_place::as_fields("toml", &judged.faults);
    Ok((before, judged.network.ok_or(faults)?))
}

type Selected = (Vec<PreviewLoan>, Option<i64>);

fn select(
    tx: &mut ReadTx<'_>,
    caller: &Caller,
    network: &Network,
    selection: &Selection,
    page: PageRequest,
) -> Result<Selected> {
    let may = |loan: &PreviewLoan| caller.may(Right::DraftRules, UnitId::new(loan.unit_id), network);
    let named = match selection {
        Selection::Reader(card) => {
            let unknown = || UseCaseError::field("card_number", "no reader holds this card");
            let reader = tx.reader_of_card(card.as_str())?.ok_or_else(unknown)?;
            tx.open_loans_of_readers(&[reader.get()])?
        }
        Selection::Loans(ids) => tx.open_loans_with_ids(ids)?,
        Selection::Subtree(code) => {
            let unit = super::record::unit_by_code(network, "unit_code", code)?;
            caller.require(Right::DraftRules, unit, network)?;
            let within = |loan: &PreviewLoan| network.units().is_within(UnitId::new(loan.unit_id), unit);
            return scan(tx, page, within);
        }
        Selection::Sample => return scan(tx, page, may),
    };
    let rest = named
        .into_iter()
        .filter(|loan| loan.item_id > page.after_id() && may(loan));
    let cut = page.cut(rest.collect(), |loan| loan.item_id);
    Ok((cut.items, cut.next))
}

/// Open loans that fit, after an item; the next page begins where this one stopped looking.
fn scan(tx: &mut ReadTx<'_>, page: PageRequest, fits: impl Fn(&PreviewLoan) -> bool) -> Result<Selected> {
    let looked = tx.open_loans_after(page.after_id(), LOOKED_AT)?;
    let (last, all) = (looked.last().map(|loan| loan.item_id), looked.len());
    let fitting = looked.into_iter().filter(fits);
    let cut = page.cut(fitting.take(usize::from(page.limit) + 1).collect(), |loan| loan.item_id);
    let more = i64::try_from(all).is_ok_and(|all| all == LOOKED_AT);
    Ok((cut.items, cut.next.or(last.filter(|_| more))))
}

fn look(tx: &mut ReadTx<'_>, before: &Network, after: &Network, loans: &[PreviewLoan]) -> Result<Vec<LoanPreview>> {
    let mut ids: Vec<ReaderId> = loans
        .iter()
        .filter_map(|loan| loan.reader_id)
        .map(ReaderId::new)
        .collect();
    ids.sort();
    ids.dedup();
    let raw: Vec<i64> = ids.iter().map(|id| id.get()).collect();
    let mut theirs: HashMap<i64, Vec<LoanOfReader>> = HashMap::new();
    for loan in tx.open_loans_of_readers(&raw)? {
        if let Some(reader) = loan.reader_id {
            theirs.entry(reader).or_default().push(loan.counted()?);
        }
    }
    let readers: HashMap<i64, PreviewReader> = tx
        .preview_readers(&ids)?
        .into_iter()
        .map(|reader| (reader.id, reader))
        .collect();
    let now = tx.now();
    let mut rows = Vec::with_capacity(loans.len());
    for loan in loans {
        let reader = loan.reader_id.and_then(|reader| readers.get(&reader));
        let Some(reader) = reader else { continue };
        let none = Vec::new();
        let usage = Usage {
            loans: theirs.get(&reader.id).unwrap_or(&none),
            except_loan: Some(LoanId::new(loan.id)),
            session: loan.session_id.map(LockerSessionId::new),
            now,
            debt_fen: reader.debt_fen,
            holds: u32::try_from(reader.open_holds).unwrap_or(0),
            hold_types: &[],
            holds_of_bib: 0,
            holds_today: 0,
        };
        rows.push(preview(before, after, loan, reader, &usage)?);
    }
    Ok(rows)
}

fn preview(
    before: &Network,
    after: &Network,
    loan: &PreviewLoan,
    reader: &PreviewReader,
    usage: &Usage<'_>,
) -> Result<LoanPreview> {
    let broken = |what: &str| UseCaseError::Internal(format!("loan {} has an unknown {what}", loan.id));
    let lent = Lent {
        situation: Situation {
            unit: UnitId::new(loan.unit_id),
            category: CategoryId::new(loan.category_id),
            item_type: ItemTypeId::new(loan.item_type_id),
            owner: UnitId::new(loan.owner_unit_id),
            channel: Channel::from_code(&loan.channel).ok_or_else(|| broken("channel"))?,
            band: CreditBand::from_code(&reader.credit_band).ok_or_else(|| broken("credit band"))?,
        },
        loaned_at: from_millis(loan.loaned_at),
        due_at: from_millis(loan.due_at),
        renewals: u16::try_from(loan.renewals).unwrap_or(u16::MAX),
        reading_room: loan.reading_room,
    };
    let (old, new) = (outlook(before, &lent, usage), outlook(after, &lent, usage));
    let item_type = before.item_types().get(lent.situation.item_type);
    let same = (old.terms, &old.lending, &old.renewal) == (new.terms, &new.lending, &new.renewal);
    Ok(LoanPreview {
        loan_id: loan.id,
        reader_id: reader.id,
        unit_code: unit_code(before, loan.unit_id),
        item_type: item_type.map(|one| one.code.clone()).unwrap_or_default(),
        due_at: lent.due_at,
        renewals: loan.renewals,
        before: OutlookView::from(&old),
        after: OutlookView::from(&new),
        differs: !same,
    })
}

impl From<&Outlook> for OutlookView {
    fn from(outlook: &Outlook) -> Self {
        let codes = |codes: &[Code]| codes.iter().map(|code| code.code().to_owned()).collect();
        Self {
            rule_id: outlook.rule.get(),
            terms: terms_view(&outlook.terms),
            first_due_at: outlook.first_due_at,
            renewed_due_at: outlook.renewed_due_at,
            lending_refusals: codes(&outlook.lending),
            renewal_refusals: codes(&outlook.renewal),
        }
    }
}

fn count(rows: &[LoanPreview]) -> Vec<RefusalCount> {
    let mut counts: BTreeMap<(&str, &str), (u32, u32)> = BTreeMap::new();
    for row in rows {
        for (act, old, new) in [
            ("lending", &row.before.lending_refusals, &row.after.lending_refusals),
            ("renewal", &row.before.renewal_refusals, &row.after.renewal_refusals),
        ] {
            old.iter()
                .for_each(|code| counts.entry((act, code)).or_default().0 += 1);
            new.iter()
                .for_each(|code| counts.entry((act, code)).or_default().1 += 1);
        }
    }
    let count = |((act, code), (before_count, after_count)): ((&str, &str), (u32, u32))| RefusalCount {
        act: act.to_owned(),
        code: code.to_owned(),
        before_count,
        after_count,
    };
    counts.into_iter().map(count).collect()
}
