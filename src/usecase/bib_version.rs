//! A record as cataloguers send and see it: MARC-in-JSON, checked against its format, and the versions it went through.

use std::sync::Arc;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;

use super::error::FieldError;
use super::get_bib::BibView;
use super::import_marc::parse::prepare;
use super::{Caller, Result, UseCaseError};
use crate::auth::Right;
use crate::catalogue::marc::{self, Container, EncodingChoice, Fault, Format, FormatChoice, ReadOptions};
use crate::clock::from_millis;
use crate::domain::ids::BibId;
use crate::store::Store;
use crate::store::bib_versions::{BibVersionRow, VersionLine};
use crate::store::bulk::BibWithIsbns;
use crate::store::idempotency::Outcome;

/// A record to be stored.
#[derive(Debug, Clone)]
pub struct BibRecord {
    pub format: Format,
    pub leader: String,
    /// MARC-in-JSON fields.
    pub fields: Vec<Value>,
}

/// Something to look at in a record that was taken.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Warning {
    /// Where, as errors name it.
    #[schema(example = "fields[3].020.subfields[0].a")]
    pub field: String,
    /// What is unusual.
    pub reason: String,
}

/// What became of a record.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct BibOutcome {
    /// The bib as it is now.
    pub bib: BibView,
    /// Taken all the same.
    pub warnings: Vec<Warning>,
}

impl Outcome for BibOutcome {}

/// One version of a bib's record.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct BibVersionView {
    /// From 1.
    #[schema(example = 2)]
    pub version: i64,
    /// The member of staff who made it; absent for an import.
    #[schema(example = 1003)]
    pub staff_id: Option<i64>,
    /// When (UTC).
    pub made_at: DateTime<Utc>,
}

impl From<VersionLine> for BibVersionView {
    fn from(line: VersionLine) -> Self {
        Self {
            version: line.version,
            staff_id: line.staff_id,
            made_at: from_millis(line.made_at),
        }
    }
}

/// One version with its record.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct BibVersionRecord {
    #[serde(flatten)]
    pub line: BibVersionView,
    /// `marc21` or `cnmarc`: what the bib is now.
    #[schema(example = "marc21")]
    pub format: String,
    /// 24 characters.
    #[schema(value_type = String, example = "00000nam a2200000   4500")]
    pub leader: Value,
    /// MARC-in-JSON.
    #[schema(value_type = Vec<Object>, example = json!([{"001": "012009000456"}]))]
    pub fields: Value,
}

/// A record checked and made ready to be stored, by the same code as the import; with what is worth telling.
///
/// # Errors
/// `Invalid` naming every fault, such as `fields[3].245.ind1`.
pub(super) fn checked(record: &BibRecord) -> Result<(BibWithIsbns, Vec<Warning>)> {
    let parsed = marc::from_json(&record.leader, &record.fields).map_err(invalid)?;
    let found = marc::validate(&parsed, record.format);
    if !found.errors.is_empty() {
        return Err(invalid(found.errors));
    }
    let bytes = marc::to_iso2709(&parsed).map_err(|error| UseCaseError::field("fields", error.to_string()))?;
    let choice = match record.format {
        Format::Marc21 => FormatChoice::Marc21,
        Format::Cnmarc => FormatChoice::Cnmarc,
    };
    let read = read_one(&bytes, Container::Iso2709, choice, EncodingChoice::Utf8)?;
    let warnings = found.warnings.into_iter().map(|fault| Warning {
        field: fault.path,
        reason: fault.reason,
    });
    Ok((prepare(read), warnings.collect()))
}

fn invalid(faults: Vec<Fault>) -> UseCaseError {
    let named = faults
        .into_iter()
        .map(|fault| FieldError::new(fault.path, fault.reason));
    UseCaseError::Invalid(named.collect())
}

fn read_one(
    bytes: &[u8],
    container: Container,
    format: FormatChoice,
    encoding: EncodingChoice,
) -> Result<marc::ParsedRecord> {
    let options = ReadOptions {
        container: Some(container),
        format,
        encoding,
    };
    match marc::read(bytes, options).next() {
        Some(Ok(record)) => Ok(record),
        Some(Err(error)) => Err(UseCaseError::field("fields", error.to_string())),
        None => Err(UseCaseError::field("fields", "the record is empty")),
    }
}

/// Finds one version of a bib's record.
///
/// # Errors
/// `NotFound`; a failure of the store.
pub async fn get_bib_version(
    store: &Arc<Store>,
    caller: &Caller,
    bib: BibId,
    version: i64,
) -> Result<BibVersionRecord> {
    caller.require_somewhere(Right::ReadCatalogue)?;
    store
        .read(move |tx| {
            let (format, present) = tx.present_version(bib)?.ok_or(UseCaseError::NotFound("bib"))?;
            let row = if present.version == version {
                present
            } else {
                tx.replaced_version(bib, version)?
                    .ok_or(UseCaseError::NotFound("version"))?
            };
            shown(format, &row)
        })
        .await
}

fn shown(format: String, row: &BibVersionRow) -> Result<BibVersionRecord> {
    let unreadable = |cause: String| UseCaseError::Internal(format!("bib {} cannot be read back: {cause}", row.bib_id));
    let container = if row.container == "marcxml" {
        Container::MarcXml
    } else {
        Container::Iso2709
    };
    let encoding = row.encoding.parse().map_err(|_| unreadable(row.encoding.clone()))?;
    let read =
        read_one(&row.marc, container, FormatChoice::Auto, encoding).map_err(|error| unreadable(error.to_string()))?;
    let mut json = marc::to_json(&read.record);
    Ok(BibVersionRecord {
        line: BibVersionView {
            version: row.version,
            staff_id: row.staff_id,
            made_at: from_millis(row.made_at),
        },
        format,
        leader: json["leader"].take(),
        fields: json["fields"].take(),
    })
}
