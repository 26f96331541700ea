//! One reader with the cards: for staff, and for the reader itself.

use std::sync::Arc;

use chrono::{DateTime, NaiveDate, Utc};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::card_view::CardView;
use super::look_at_reader::{self, Look};
use super::view::unit_code;
use super::{Caller, Result, UseCaseError};
use crate::auth::Right;
use crate::clock::from_millis;
use crate::domain::ids::{CategoryId, ReaderId};
use crate::domain::network::Network;
use crate::store::Store;
use crate::store::readers::ReaderView as ReaderRow;
use crate::store::readers::card_rows::CardView as CardRow;

/// A person or institution that borrows.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ReaderView {
    pub id: i64,
    /// As registered.
    #[schema(example = "李晓明")]
    pub name: String,
    #[schema(example = "adult")]
    pub category: String,
    pub home_unit_code: String,
    /// `active`, `suspended` or `inactive`.
    pub status: String,
    /// Excluded from borrowing until somebody lifts it.
    pub barred: bool,
    /// A block that staff set, and until when.
    pub block_reason: Option<String>,
    pub block_until: Option<DateTime<Utc>>,
    pub birth_date: Option<NaiveDate>,
    /// `a`, `b`, `c` or `frozen`.
    pub credit_band: String,
    /// Debt in fen.
    pub debt_fen: i64,
    /// Staff's note; not shown to the reader.
    pub note: Option<String>,
    pub open_holds: i32,
    pub open_loans: usize,
    pub registered_at: DateTime<Utc>,
    pub cards: Vec<CardView>,
    /// The last four characters of the ID number the reader is registered with.
    #[schema(example = "002X")]
    pub id_number_tail: Option<String>,
    /// The reader that stands for this one since a merge.
    #[schema(example = 1042)]
    pub merged_into: Option<i64>,
}

/// Finds a reader. Looks of the staff are noted.
///
/// # Errors
/// `NotFound`, also for a reader who asks for somebody else; `Forbidden`; a failure of the store.
pub async fn get_reader(store: &Arc<Store>, caller: &Caller, id: ReaderId) -> Result<ReaderView> {
    caller.require_somewhere(Right::ReadReader)?;
    only_itself(caller, id)?;
    let for_staff = caller.reader().is_none();
    let view = store
        .read(move |tx| {
            let network = tx.network()?;
            let (reader, cards) = tx.reader_view(id)?.ok_or(UseCaseError::NotFound("reader"))?;
            let open_loans = tx.open_loans_of(id)?.len();
            let tail = tx.identity_tail(id)?;
            let mut view = view(reader, cards, open_loans, tail, &network);
            view.note = view.note.filter(|_| for_staff);
            Ok::<_, UseCaseError>(view)
        })
        .await?;
    look_at_reader::note(store, caller, id, Look::Record).await;
    Ok(view)
}

/// For a reader nobody else exists.
///
/// # Errors
/// `NotFound`.
pub(super) fn only_itself(caller: &Caller, id: ReaderId) -> Result<()> {
    match caller.reader() {
        Some(own) if own != id => Err(UseCaseError::NotFound("reader")),
        _ => Ok(()),
    }
}

pub(super) fn view(
    reader: ReaderRow,
    cards: Vec<CardRow>,
    open_loans: usize,
    tail: Option<String>,
    network: &Network,
) -> ReaderView {
    let category = network.category(CategoryId::new(reader.category_id));
    let day = |text: Option<String>| text.and_then(|text| text.parse().ok());
    ReaderView {
        id: reader.id,
        name: reader.name,
        category: category.map(|category| category.code.clone()).unwrap_or_default(),
        home_unit_code: unit_code(network, reader.home_unit_id),
        status: reader.status,
        barred: reader.barred,
        block_reason: reader.block_reason,
        block_until: reader.block_until.map(from_millis),
        birth_date: day(reader.birth_date),
        credit_band: reader.credit_band,
        debt_fen: reader.debt_fen,
        note: reader.note,
        open_holds: reader.open_holds,
        open_loans,
        registered_at: from_millis(reader.created_at),
        cards: cards.into_iter().map(CardView::of).collect(),
        id_number_tail: tail,
        merged_into: reader.merged_into,
    }
}
