//! What a draft of rules would change, before it is published. Everything here only looks.

use actix_web::web;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use crate::app::App;
use crate::domain::barcode::CardNumber;
use crate::http::answer::{self, Answer};
use crate::http::extract::Staff;
use crate::http::input::{CardInAddress, CodeText, Cursor, Limit, Text, page, text};
use crate::http::openapi::LookWithFailures;
use crate::http::problem::Problem;
use crate::http::query::Parameters;
use crate::usecase::UseCaseError;
use crate::usecase::preview_matrix::{self, Matrix, MatrixCell};
use crate::usecase::preview_rules::{self, LoanPreview, MAX_LOANS, RefusalCount, Selection};

#[derive(utoipa::OpenApi)]
#[openapi(paths(preview_rule_draft, preview_rule_matrix))]
pub struct Document;

/// The longest list of codes or numbers in a parameter, in characters.
const LIST: usize = 4_000;

#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct Selected {
    /// The open loans of this reader.
    #[param(value_type = Option<String>, max_length = 64)]
    card_number: Option<CardInAddress>,
    /// Open loans made in this unit or below it.
    #[param(value_type = Option<String>, max_length = 32)]
    unit_code: Option<CodeText>,
    /// These loans, separated by commas, at most 200.
    #[param(value_type = Option<String>, max_length = 4_000, example = "1042,1043")]
    loan_ids: Option<Text<LIST>>,
    /// `next_cursor` of the page before.
    #[param(value_type = Option<String>)]
    cursor: Option<Cursor>,
    /// Loans of a page; 50 by default.
    #[param(value_type = Option<u16>, minimum = 1, maximum = 200)]
    limit: Option<Limit>,
}

/// A page of loans under both sets of rules.
#[derive(Debug, Serialize, ToSchema)]
pub struct LoanPreviewPage {
    pub items: Vec<LoanPreview>,
    /// How many loans of this page each refusal meets, before and after.
    pub refusal_counts: Vec<RefusalCount>,
    #[schema(value_type = Option<String>)]
    pub next_cursor: Option<Cursor>,
}

/// What a draft would make of open loans: of a reader, of a subtree, of some numbers, or of any. A page looks at 2,000 open
/// loans at most, so that it may be short, or empty, and not the last. No loan is changed, and none will be.
#[utoipa::path(get, path = "/api/v1/rule-drafts/{id}/loan-preview", operation_id = "previewRules", tag = "rules",
    params(("id" = i64, Path), Selected), security(("bearer" = [])),
    responses((status = 200, description = "Loans before and after", body = LoanPreviewPage), LookWithFailures))]
pub async fn preview_rule_draft(
    app: web::Data<App>,
    who: Staff,
    id: web::Path<i64>,
    asked: Parameters<Selected>,
) -> Answer {
    let asked = asked.0;
    let page = page(asked.cursor, asked.limit);
    let selection = selection(
        asked.card_number.map(|card| card.0),
        text(asked.unit_code),
        text(asked.loan_ids),
    )?;
    let seen = preview_rules::preview_rules(&app.store, &who.caller, *id, selection, page).await?;
    answer::ok(&LoanPreviewPage {
        items: seen.page.items,
        refusal_counts: seen.refusals,
        next_cursor: seen.page.next.map(Cursor),
    })
}

fn selection(card: Option<CardNumber>, unit: Option<String>, loans: Option<String>) -> Result<Selection, Problem> {
    match (card, unit, loans) {
        (None, None, None) => Ok(Selection::Sample),
        (Some(card), None, None) => Ok(Selection::Reader(card)),
        (None, Some(unit), None) => Ok(Selection::Subtree(unit)),
        (None, None, Some(loans)) => {
            let ids: Result<Vec<i64>, _> = loans.split(',').map(|id| id.trim().parse()).collect();
            let wrong = || UseCaseError::field("loan_ids", format!("must be 1 to {MAX_LOANS} numbers with commas"));
            let ids = ids.map_err(|_| wrong())?;
            if ids.len() > MAX_LOANS {
                return Err(wrong().into());
            }
            Ok(Selection::Loans(ids))
        }
        _ => Err(UseCaseError::field("loan_ids", "goes without card_number and unit_code: one of the three").into()),
    }
}

#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct MatrixQuery {
    /// Units, separated by commas; by default the one whose rules the draft is about.
    #[param(value_type = Option<String>, max_length = 4_000, example = "B01,B02")]
    unit_codes: Option<Text<LIST>>,
    /// Reader categories, separated by commas; all by default.
    #[param(value_type = Option<String>, max_length = 4_000, example = "adult,senior")]
    categories: Option<Text<LIST>>,
    /// Item types, separated by commas; all by default.
    #[param(value_type = Option<String>, max_length = 4_000, example = "book,av")]
    item_types: Option<Text<LIST>>,
    /// The owner of the items; by default the unit itself.
    #[param(value_type = Option<String>, max_length = 32)]
    owner_unit_code: Option<CodeText>,
    /// `desk` (by default), `kiosk`, `locker`, `drop`, `portal` or `mobile`.
    #[param(value_type = Option<String>, max_length = 32)]
    channel: Option<CodeText>,
    /// `a`, `b` (by default), `c` or `frozen`.
    #[param(value_type = Option<String>, max_length = 32)]
    credit_band: Option<CodeText>,
    /// Leave out what stays as it is.
    #[param(example = true)]
    differing_only: Option<bool>,
}

/// Situations under both sets of rules.
#[derive(Debug, Serialize, ToSchema)]
pub struct MatrixBody {
    /// Units, then categories, then item types.
    pub cells: Vec<MatrixCell>,
}

/// What a draft would grant whom: category × item type × unit, beside the rules in force; 1,000 cells at most.
#[utoipa::path(get, path = "/api/v1/rule-drafts/{id}/matrix", operation_id = "previewRuleMatrix", tag = "rules",
    params(("id" = i64, Path), MatrixQuery), security(("bearer" = [])),
    responses((status = 200, description = "The cells", body = MatrixBody), LookWithFailures))]
pub async fn preview_rule_matrix(
    app: web::Data<App>,
    who: Staff,
    id: web::Path<i64>,
    asked: Parameters<MatrixQuery>,
) -> Answer {
    let asked = asked.0;
    let matrix = Matrix {
        unit_codes: codes(asked.unit_codes),
        categories: codes(asked.categories),
        item_types: codes(asked.item_types),
        owner_unit_code: text(asked.owner_unit_code),
        channel: text(asked.channel),
        credit_band: text(asked.credit_band),
        differing_only: asked.differing_only.unwrap_or(false),
    };
    let cells = preview_matrix::preview_matrix(&app.store, &who.caller, *id, matrix).await?;
    answer::ok(&MatrixBody { cells })
}

fn codes(list: Option<Text<LIST>>) -> Vec<String> {
    let list = text(list).unwrap_or_default();
    let codes = list.split(',').map(str::trim).filter(|code| !code.is_empty());
    codes.map(str::to_owned).collect()
}
