//! What staff say to refusals they were told of, as requests carry it.

use std::collections::BTreeSet;
use std::sync::Arc;

use serde::Deserialize;
use utoipa::ToSchema;

use crate::app::App;
use crate::domain::act::Overrides;
use crate::domain::refusal::Code;
use crate::http::input::{Remark, Text, text};
use crate::http::problem::Problem;
use crate::usecase::UseCaseError;
use crate::usecase::record::Consent;

/// `consent_token` of a refused answer.
pub type ConsentText = Text<MAX_CONSENT>;

/// Characters of a `consent_token` at most.
pub const MAX_CONSENT: usize = 4000;

/// Refusals that staff override, with the reason.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct OverridesRequest {
    /// Codes of refusals with the outcome `override`.
    #[schema(example = json!(["item_not_for_loan"]))]
    codes: Vec<String>,
    /// Kept with the event.
    #[schema(value_type = String, min_length = 1, max_length = 500, example = "馆长批准")]
    reason: Remark<500>,
}

/// The consent of a request: `overrides`, `confirm`, and the token of the answer they speak of.
///
/// # Errors
/// 422 naming the field with an unknown code.
pub fn consent(
    app: &App,
    overrides: Option<OverridesRequest>,
    confirm: Option<Vec<String>>,
    token: Option<ConsentText>,
) -> Result<Consent, Problem> {
    let overrides = match overrides {
        None => Overrides::default(),
        Some(OverridesRequest { codes, reason }) => Overrides {
            codes: known("overrides.codes", &codes)?,
            reason: reason.into(),
        },
    };
    let confirmed = known("confirm", &confirm.unwrap_or_default())?;
    Ok(Consent {
        overrides,
        confirmed,
        token: text(token),
        seal: Some(Arc::clone(&app.consents)),
    })
}

/// The same from parameters, where lists are separated by commas.
///
/// # Errors
/// 422 naming the parameter with an unknown code, or the reason that overrides lack.
pub fn consent_of_parameters(
    app: &App,
    overrides: Option<Text<500>>,
    reason: Option<Remark<500>>,
    confirm: Option<Text<500>>,
    token: Option<ConsentText>,
) -> Result<Consent, Problem> {
    let list = |codes: Option<Text<500>>| -> Vec<String> {
        text(codes)
            .map(|codes| codes.split(',').map(|code| code.trim().to_owned()).collect())
            .unwrap_or_default()
    };
    let codes = known("overrides", &list(overrides))?;
    if !codes.is_empty() && reason.is_none() {
        return Err(UseCaseError::field("override_reason", "is needed with overrides").into());
    }
    let overrides = Overrides {
        codes,
        reason: text(reason).unwrap_or_default(),
    };
    Ok(Consent {
        overrides,
        confirmed: known("confirm", &list(confirm))?,
        token: text(token),
        seal: Some(Arc::clone(&app.consents)),
    })
}

fn known(field: &'static str, codes: &[String]) -> Result<BTreeSet<Code>, Problem> {
    let code = |code: &String| Code::from_code(code).ok_or_else(|| unknown(field, code));
    codes.iter().map(code).collect()
}

fn unknown(field: &'static str, code: &str) -> Problem {
    let shown: String = code.chars().filter(|c| c.is_ascii_graphic()).take(64).collect();
    UseCaseError::field(field, format!("there is no refusal with the code '{shown}'")).into()
}
