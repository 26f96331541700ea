//! Finding bibs by words, ISBN or control number. A plain search: it never decides anything.

use std::sync::Arc;

use super::get_bib::BibView;
use super::page::{Page, PageRequest};
use super::{Caller, Result, UseCaseError};
use crate::auth::Right;
use crate::catalogue::isbn::Isbn13;
use crate::catalogue::marc::normalise_search;
use crate::store::Store;

/// Words a search looks at: each one is another pass over the text.
const MAX_WORDS: usize = 10;

/// What to look for: one of the three.
#[derive(Debug, Clone, Default)]
pub struct SearchBibs {
    /// Words of title, authors or publisher; all must occur.
    pub q: Option<String>,
    pub isbn: Option<String>,
    pub control_number: Option<String>,
}

#[derive(Debug)]
enum Wanted {
    Words(Vec<String>),
    Isbn(Isbn13),
    ControlNumber(String),
}

/// Searches the catalogue.
///
/// # Errors
/// `Invalid` naming the parameter; a failure of the store.
pub async fn search_bibs(
    store: &Arc<Store>,
    caller: &Caller,
    query: SearchBibs,
    page: PageRequest,
) -> Result<Page<BibView>> {
    caller.require_somewhere(Right::ReadCatalogue)?;
    let wanted = wanted(query)?;
    store
        .read(move |tx| {
            let (after, limit) = (page.after_id(), page.fetch());
            let rows = match &wanted {
                Wanted::Words(words) => tx.search_bibs(words, after, limit)?,
                Wanted::Isbn(isbn) => tx.bibs_by_isbn(isbn.as_str(), after, limit)?,
                Wanted::ControlNumber(number) => tx.bibs_by_control_number(number, after, limit)?,
            };
            Ok(page.cut(rows, |row| row.id).map(BibView::of))
        })
        .await
}

fn wanted(query: SearchBibs) -> Result<Wanted> {
    match query {
        SearchBibs {
            q: Some(q),
            isbn: None,
            control_number: None,
        } => words(&q),
        SearchBibs {
            q: None,
            isbn: Some(isbn),
            control_number: None,
        } => Isbn13::parse(&isbn)
            .map(Wanted::Isbn)
            .map_err(|error| UseCaseError::field("isbn", error.to_string())),
        SearchBibs {
            q: None,
            isbn: None,
            control_number: Some(number),
        } => Ok(Wanted::ControlNumber(number)),
        _ => Err(UseCaseError::field(
            "q",
            "exactly one of q, isbn and control_number is needed",
        )),
    }
}

fn words(q: &str) -> Result<Wanted> {
    let words: Vec<String> = normalise_search(q).split_whitespace().map(str::to_owned).collect();
    match words.len() {
        0 => Err(UseCaseError::field("q", "has no letter or digit to look for")),
        n if n > MAX_WORDS => Err(UseCaseError::field(
            "q",
            format!("has {n} words, at most {MAX_WORDS} are searched"),
        )),
        _ => Ok(Wanted::Words(words)),
    }
}
