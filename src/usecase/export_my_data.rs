//! Everything that is held on the reader who asks, table by table, as the list of the store has it.

use std::sync::Arc;

use chrono::{DateTime, Utc};
use serde::Serialize;
use serde_json::{Map, Value};
use utoipa::ToSchema;

use super::view::unit_code;
use super::{Caller, Result, UseCaseError};
use crate::clock::from_millis;
use crate::domain::ids::CategoryId;
use crate::domain::network::Network;
use crate::store::Store;
use crate::store::held::{HELD, Held, Member, MemberKind, Shown};
use crate::store::tx::ReadTx;

/// What is held on a reader.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub struct MyData {
    /// Whose it is.
    pub reader_id: i64,
    /// When this was put together.
    pub made_at: DateTime<Utc>,
    /// Table by table, the record first.
    pub parts: Vec<MyDataPart>,
}

/// One table of it.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub struct MyDataPart {
    /// As the database calls it.
    #[schema(example = "loans")]
    pub table: String,
    /// What it is, in Chinese.
    #[schema(example = "借阅")]
    pub title_zh: String,
    /// What it is, in English.
    #[schema(example = "Loans")]
    pub title_en: String,
    /// Its rows, with members as named.
    #[schema(value_type = Vec<Object>, example = json!([{"title": "三国演义", "loaned_at": "2026-03-04T04:00:00Z"}]))]
    pub rows: Vec<Map<String, Value>>,
    /// There is more than is shown here.
    #[schema(example = false)]
    pub cut: bool,
    /// Why it is not shown, in Chinese; absent where it is.
    #[schema(example = "内容与以上各项相同")]
    pub not_shown_zh: Option<String>,
    /// Why it is not shown, in English; absent where it is.
    #[schema(example = "They repeat what stands above")]
    pub not_shown_en: Option<String>,
    /// What members are called in Chinese.
    #[serde(skip)]
    #[schema(ignore)]
    pub columns: Vec<(&'static str, &'static str)>,
}

/// Everything that is held on the reader who asks.
///
/// # Errors
/// `Forbidden` for anybody but a reader; `NotFound` for an erased one; a failure of the store.
pub async fn export_my_data(store: &Arc<Store>, caller: &Caller) -> Result<MyData> {
    let reader = caller.itself()?;
    store
        .read(move |tx| {
            if tx.is_erased(reader)? {
                return Err(UseCaseError::NotFound("reader"));
            }
            let network = tx.network()?;
            let mut parts = Vec::with_capacity(HELD.len());
            for held in HELD {
                parts.push(part(tx, held, reader, &network)?);
            }
            // The record first: it is erased last.
            parts.reverse();
            Ok(MyData {
                reader_id: reader.get(),
                made_at: tx.now(),
                parts,
            })
        })
        .await
}

fn part(
    tx: &mut ReadTx<'_>,
    held: &'static Held,
    reader: crate::domain::ids::ReaderId,
    network: &Network,
) -> Result<MyDataPart> {
    let found = tx.held_rows(held, reader)?;
    let (members, not_shown): (&[Member], _) = match held.shown {
        Shown::Rows { members, .. } => (members, None),
        Shown::Not { zh, en } => (&[], Some((zh.to_owned(), en.to_owned()))),
    };
    let mut rows = Vec::with_capacity(found.rows.len());
    for text in found.rows {
        let row: Map<String, Value> = serde_json::from_str(&text)
            .map_err(|error| UseCaseError::Internal(format!("a row of {}: {error}", held.table)))?;
        rows.push(written(row, members, network));
    }
    let (not_shown_zh, not_shown_en) = not_shown.unzip();
    Ok(MyDataPart {
        table: held.table.to_owned(),
        title_zh: held.zh.to_owned(),
        title_en: held.en.to_owned(),
        rows,
        cut: found.cut,
        not_shown_zh,
        not_shown_en,
        columns: members.iter().map(|member| (member.name, member.zh)).collect(),
    })
}

/// Moments, units and categories as people read them. What is empty is left out.
fn written(mut row: Map<String, Value>, members: &[Member], network: &Network) -> Map<String, Value> {
    let mut shown = Map::new();
    for member in members {
        let value = row.remove(member.name).unwrap_or_default();
        let number = value.as_i64();
        let value = match member.kind {
            MemberKind::Plain => value,
            MemberKind::YesNo => value.as_bool().or(number.map(|n| n != 0)).into(),
            MemberKind::Moment => number
                .map(|at| from_millis(at).to_rfc3339_opts(chrono::SecondsFormat::Millis, true))
                .into(),
            MemberKind::Unit => number.map(|id| unit_code(network, id)).into(),
            MemberKind::Category => number
                .and_then(|id| network.category(CategoryId::new(id)))
                .map(|category| category.code.clone())
                .into(),
        };
        if !value.is_null() && value != "" {
            shown.insert(member.name.to_owned(), value);
        }
    }
    shown
}
