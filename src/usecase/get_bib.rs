//! One bib's summary.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{Caller, Result, UseCaseError};
use crate::auth::Right;
use crate::domain::ids::BibId;
use crate::store::Store;
use crate::store::bibs::BibView as BibRow;

/// A bibliographic record: one per manifestation for the whole network.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct BibView {
    pub id: i64,
    #[schema(example = "红楼梦")]
    pub title: String,
    /// Names separated by `; `.
    pub authors: String,
    pub publisher: Option<String>,
    pub publish_year: Option<i32>,
    /// The first ISBN, 13 digits.
    #[schema(example = "9787503717444")]
    pub isbn: Option<String>,
    /// Chinese Library Classification.
    #[schema(example = "I242.4")]
    pub clc_class: Option<String>,
    /// Three letters of the MARC language list.
    #[schema(example = "chi")]
    pub language: Option<String>,
    pub control_number: Option<String>,
    /// `marc21` or `cnmarc`.
    pub format: String,
    /// Holds waiting or set aside.
    pub open_holds: i32,
    /// From 1; grows with every change of the record. `updateBib` wants it in `If-Match`.
    #[schema(example = 1)]
    pub version: i64,
    /// The bib that stands for this one, which is a duplicate: it has the items and the holds.
    #[schema(example = 1042)]
    pub merged_into: Option<i64>,
}

impl BibView {
    /// A stored bib.
    pub fn of(row: BibRow) -> Self {
        Self {
            id: row.id,
            title: row.title,
            authors: row.authors,
            publisher: row.publisher,
            publish_year: row.publish_year,
            isbn: row.isbn,
            clc_class: row.clc_class,
            language: row.language,
            control_number: row.control_number,
            format: row.format,
            open_holds: row.open_holds,
            version: row.version,
            merged_into: row.merged_into,
        }
    }
}

/// Finds a bib.
///
/// # Errors
/// `NotFound`; a failure of the store.
pub async fn get_bib(store: &Arc<Store>, caller: &Caller, id: BibId) -> Result<BibView> {
    caller.require_somewhere(Right::ReadCatalogue)?;
    let found = store
        .read(move |tx| tx.bib_view(id).map_err(UseCaseError::from))
        .await?;
    found.map(BibView::of).ok_or(UseCaseError::NotFound("bib"))
}
