//! The versions of a bib's record, the newest first.

use std::sync::Arc;

use super::bib_version::BibVersionView;
use super::page::{Page, PageRequest};
use super::{Caller, Result, UseCaseError};
use crate::auth::Right;
use crate::domain::ids::BibId;
use crate::store::Store;
use crate::store::bib_versions::VersionLine;

/// Lists the versions of a bib.
///
/// # Errors
/// `NotFound` when there is no such bib; a failure of the store.
pub async fn list_bib_versions(
    store: &Arc<Store>,
    caller: &Caller,
    bib: BibId,
    page: PageRequest,
) -> Result<Page<BibVersionView>> {
    caller.require_somewhere(Right::ReadCatalogue)?;
    store
        .read(move |tx| {
            let (_, present) = tx.present_version(bib)?.ok_or(UseCaseError::NotFound("bib"))?;
            let mut rows = tx.replaced_versions(bib, page.before_id(), page.fetch())?;
            if present.version < page.before_id() {
                let line = VersionLine {
                    version: present.version,
                    staff_id: present.staff_id,
                    made_at: present.made_at,
                };
                rows.insert(0, line);
            }
            Ok(page.cut(rows, |row| row.version).map(BibVersionView::from))
        })
        .await
}
