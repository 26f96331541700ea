//! Many changes to copies in one call, with a result per row.

use std::future::{Ready, ready};

use actix_web::dev::Payload;
use actix_web::{FromRequest, HttpRequest, web};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use utoipa::ToSchema;

use super::item_changes::{ItemCorrection, ItemMove, Withdrawal};
use super::items::NewItem;
use crate::app::App;
use crate::domain::ids::ItemId;
use crate::http::answer::{self, Answer};
use crate::http::extract::{Changing, ManagesItems};
use crate::http::json_fault;
use crate::http::openapi::{ChangeFailures, IdempotencyHeader};
use crate::http::problem::{Code, Problem};
use crate::usecase::get_item::ItemView;
use crate::usecase::item_batch::{self, ItemAct};
use crate::usecase::{Once, UseCaseError};

#[derive(utoipa::OpenApi)]
#[openapi(paths(item_batch))]
pub struct Document;

/// Changes to items; they are independent of each other.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ItemBatch {
    /// Each with `op`: `add` with the members of addItem, or `update`, `move` or `withdraw` with `item_id` and the members of
    /// updateItem, moveItem or withdrawItem.
    #[schema(value_type = Vec<Object>, min_items = 1, max_items = 1000, example = json!([
        {"op": "update", "item_id": 1001, "call_number": "I242.4/12"},
        {"op": "withdraw", "item_id": 1002, "reason": "worn out"}
    ]))]
    rows: Vec<Map<String, Value>>,
}

/// What became of one row.
#[derive(Debug, Serialize, ToSchema)]
pub struct BatchRow {
    /// From 0, as `rows` was sent.
    #[schema(example = 0)]
    row: usize,
    /// The HTTP status the single operation would have answered.
    #[schema(example = 200)]
    status: u16,
    /// It was done by an earlier call with the same key.
    replayed: bool,
    /// The item, when it was done.
    item: Option<ItemView>,
    /// Why not, when it was not.
    #[schema(value_type = Option<Object>)]
    problem: Option<Value>,
}

/// What became of a batch.
#[derive(Debug, Serialize, ToSchema)]
pub struct BatchOutcome {
    /// Rows done, now or by an earlier call with the same key.
    #[schema(example = 998)]
    done: usize,
    /// Rows not done; each says why.
    #[schema(example = 2)]
    failed: usize,
    /// In the order they were sent.
    rows: Vec<BatchRow>,
}

/// A place among the batches under way, taken before the body is read.
pub struct Place(item_batch::Place);

impl FromRequest for Place {
    type Error = Problem;
    type Future = Ready<Result<Self, Problem>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        let place = request.app_data::<web::Data<App>>().and_then(|app| app.batches.enter());
        ready(place.map(Self).ok_or_else(|| Problem::of(Code::Busy)))
    }
}

/// Adds, updates, moves and withdraws up to 1,000 items, each on its own; rows about one item in the order they are sent. Sent
/// again with the same key, rows that were done are answered again and the others are tried again. The body may be longer
/// than others: 8 MiB, where the library has set nothing else.
#[utoipa::path(post, path = "/api/v1/item-batches", operation_id = "itemBatch", tag = "items",
    params(IdempotencyHeader), request_body = ItemBatch, security(("bearer" = [])),
    responses((status = 200, description = "A result per row", body = BatchOutcome), ChangeFailures))]
pub async fn item_batch(app: web::Data<App>, who: ManagesItems, place: Place, request: Changing<ItemBatch>) -> Answer {
    let rows: Vec<Value> = request.body.rows.into_iter().map(Value::Object).collect();
    let (mut acts, mut faults, mut adds) = (Vec::new(), Vec::new(), Vec::new());
    for row in rows {
        adds.push(row["op"] == "add");
        match act(row) {
            Ok(act) => (acts.push(Some(act)), faults.push(None)),
            Err(fault) => (acts.push(None), faults.push(Some(fault))),
        };
    }
    let answers = item_batch::item_batch(&app.store, &who.caller, &place.0, acts, request.key).await?;
    let rows: Result<Vec<BatchRow>, Problem> = (0..)
        .zip(answers.into_iter().zip(faults).zip(adds))
        .map(|(row, ((answer, fault), add))| shown(row, answer, fault, add))
        .collect();
    let rows = rows?;
    let done = rows.iter().filter(|row| row.item.is_some()).count();
    let failed = rows.len() - done;
    answer::ok(&BatchOutcome { done, failed, rows })
}

fn act(mut row: Value) -> Result<ItemAct, Problem> {
    let members = row
        .as_object_mut()
        .ok_or_else(|| Problem::malformed("row", "must be an object"))?;
    let op = members.remove("op").unwrap_or_default();
    if op == "add" {
        let item: NewItem = parsed(&row)?;
        return Ok(ItemAct::Add(Box::new(item.into())));
    }
    let id = members.remove("item_id").and_then(|id| id.as_i64()).map(ItemId::new);
    let id = id.ok_or_else(|| Problem::malformed("item_id", "must be the number of an item"));
    match op.as_str() {
        Some("update") => Ok(ItemAct::Update(id?, Box::new(parsed::<ItemCorrection>(&row)?.into()))),
        Some("move") => Ok(ItemAct::Move(parsed::<ItemMove>(&row)?.of(id?))),
        Some("withdraw") => Ok(ItemAct::Withdraw(id?, parsed::<Withdrawal>(&row)?.reason.into())),
        _ => Err(Problem::malformed("op", "must be add, update, move or withdraw")),
    }
}

fn parsed<T: DeserializeOwned>(row: &Value) -> Result<T, Problem> {
    let text = row.to_string();
    serde_json::from_str(&text).map_err(|error| json_fault::problem(text.as_bytes(), &error))
}

/// The key was used with another request: that is said of the batch, not of its rows.
fn shown(
    row: usize,
    answer: Option<Result<Once<ItemView>, UseCaseError>>,
    fault: Option<Problem>,
    add: bool,
) -> Result<BatchRow, Problem> {
    let problem = match (answer, fault) {
        (Some(Ok(once)), _) => {
            return Ok(BatchRow {
                row,
                status: if add { 201 } else { 200 },
                replayed: once.replayed,
                item: Some(once.value),
                problem: None,
            });
        }
        (Some(Err(error)), _) => Problem::from(error),
        (None, fault) => fault.unwrap_or_else(|| Problem::of(Code::Internal)),
    };
    if problem.code() == Code::IdempotencyKeyReused {
        return Err(problem);
    }
    Ok(BatchRow {
        row,
        status: problem.code().status(),
        replayed: false,
        item: None,
        problem: serde_json::to_value(problem.body()).ok(),
    })
}
