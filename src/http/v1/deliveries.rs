//! Internet borrowing: what is asked for online, and what readers send back.

use actix_web::web;
use serde::Deserialize;
use utoipa::ToSchema;

use super::consent::{ConsentText, OverridesRequest, consent};
use crate::app::App;
use crate::domain::barcode::CardNumber;
use crate::domain::delivery::{self, Delivery, Phone, Rest};
use crate::domain::ids::{BibId, ItemId, LoanId};
use crate::http::answer::{self, Answer};
use crate::http::extract::{Changing, ManagesUnits, PlacesHolds};
use crate::http::input::{CodeText, List, Remark, Text};
use crate::http::openapi::{ChangeFailures, ChangeOneFailures, IdempotencyHeader};
use crate::usecase::announce_return::{self, AnnounceReturn};
use crate::usecase::delivery_view::{DeliveryOutcome, ParcelView};
use crate::usecase::request_delivery::{self, Line, RequestDelivery};
use crate::usecase::set_packing::{self, PackingUnitView, SetPacking};

#[derive(utoipa::OpenApi)]
#[openapi(paths(request_delivery, announce_return, set_packing))]
pub struct Document;

/// A telephone number, brought into one form.
#[derive(Debug)]
struct PhoneText(Phone);

impl<'de> Deserialize<'de> for PhoneText {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = Text::<32>::deserialize(deserializer)?;
        Phone::parse(text.as_ref()).map(Self).map_err(serde::de::Error::custom)
    }
}

/// Where a parcel goes, or is fetched. Kept apart from everything else, and erased 30 days after it is not needed any more.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct AddressRequest {
    /// Of whoever takes the parcel.
    #[schema(value_type = String, min_length = 1, max_length = 50, example = "李读者")]
    name: Remark<50>,
    /// A mobile number or a landline with its area code, or an international number with `+`. Spaces and brackets are forgiven.
    #[schema(value_type = String, min_length = 1, max_length = 32, example = "13800138000",
        pattern = r"^(1[3-9][0-9]{9}|0[0-9]{2,3}-[0-9]{7,8}(-[0-9]{1,6})?|\+861[3-9][0-9]{9}|\+([1-79][0-9]{5,14}|8[0-57-9][0-9]{4,13}))$")]
    phone: PhoneText,
    /// Province, city, district.
    #[schema(value_type = String, min_length = 1, max_length = 100, example = "湖北省江城市江汉区")]
    region: Remark<100>,
    /// Street, house, door.
    #[schema(value_type = String, min_length = 1, max_length = 200, example = "江汉路 1 号 2 栋 301")]
    street: Remark<200>,
}

impl From<AddressRequest> for delivery::Address {
    fn from(address: AddressRequest) -> Self {
        Self {
            name: address.name.into(),
            phone: address.phone.0,
            region: address.region.into(),
            street: address.street.into(),
        }
    }
}

/// One bib or copy that is asked for.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct DeliveryLine {
    bib_id: i64,
    /// This copy only.
    item_id: Option<i64>,
}

/// How it is delivered.
#[derive(Debug, Clone, Copy, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum DeliveryKind {
    /// To the hold shelf of a desk.
    Desk,
    /// By a carrier.
    Parcel,
}

/// What becomes of lines that the first parcel does not hold.
#[derive(Debug, Clone, Copy, Default, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum RestKind {
    /// They follow.
    #[default]
    Follow,
    /// They are cancelled.
    Cancel,
}

/// Bibs and copies that a reader asks for online, to be brought to a desk or sent home.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"delivery": "desk", "unit_code": "B01", "lines": [{"bib_id": 1042}]}))]
pub struct NewDelivery {
    /// Staff say whose request it is; a reader asks for itself and leaves it out.
    #[schema(value_type = Option<String>, max_length = 64)]
    card_number: Option<CardNumber>,
    /// 1 to 20, none twice.
    #[schema(value_type = Vec<DeliveryLine>, min_items = 1, max_items = 20)]
    lines: List<DeliveryLine, 1, 20>,
    /// How it is delivered.
    delivery: DeliveryKind,
    /// The desk, or the unit that packs the parcel.
    #[schema(value_type = String, max_length = 32, example = "B01")]
    unit_code: CodeText,
    /// For a parcel, and for nothing else.
    address: Option<AddressRequest>,
    /// Refuse everything when one line is refused.
    #[serde(default)]
    #[schema(example = false)]
    all_or_nothing: bool,
    /// Of a parcel: `follow` by default.
    #[serde(default)]
    rest: RestKind,
    overrides: Option<OverridesRequest>,
    /// Codes of refusals with the outcome `confirm`.
    confirm: Option<Vec<String>>,
    /// `consent_token` of the answer that told the refusals.
    #[schema(value_type = Option<String>, max_length = 4000)]
    consent_token: Option<ConsentText>,
}

/// Asks for bibs and copies online. Lines that are refused are listed with every reason; when none is left, the answer is 409
/// and nothing is kept.
#[utoipa::path(post, path = "/api/v1/delivery-requests", operation_id = "requestDelivery", tag = "deliveries",
    params(IdempotencyHeader), request_body = NewDelivery, security(("bearer" = [])),
    responses((status = 201, description = "The request, line by line", body = DeliveryOutcome), ChangeFailures))]
pub async fn request_delivery(app: web::Data<App>, who: PlacesHolds, request: Changing<NewDelivery>) -> Answer {
    let asked = request.body;
    let lines = asked.lines.0.into_iter().map(|line| Line {
        bib: BibId::new(line.bib_id),
        item: line.item_id.map(ItemId::new),
    });
    let command = RequestDelivery {
        card_number: asked.card_number,
        lines: lines.collect(),
        delivery: match asked.delivery {
            DeliveryKind::Desk => Delivery::Desk,
            DeliveryKind::Parcel => Delivery::Parcel,
        },
        unit_code: asked.unit_code.into(),
        address: asked.address.map(Into::into),
        all_or_nothing: asked.all_or_nothing,
        rest: match asked.rest {
            RestKind::Follow => Rest::Follow,
            RestKind::Cancel => Rest::Cancel,
        },
        consent: consent(&app, asked.overrides, asked.confirm, asked.consent_token)?,
    };
    let made = request_delivery::request_delivery(&app.store, &who.caller, command, request.key).await?;
    answer::created(&made, None)
}

/// Copies that a reader sends back by parcel.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"loan_ids": [1042], "unit_code": "C1"}))]
pub struct NewReturn {
    /// Staff say whose return it is; a reader leaves it out.
    #[schema(value_type = Option<String>, max_length = 64)]
    card_number: Option<CardNumber>,
    /// Open loans of the reader: 1 to 20, none twice.
    #[schema(value_type = Vec<i64>, min_items = 1, max_items = 20, example = json!([1042]))]
    loan_ids: List<i64, 1, 20>,
    /// The unit it goes to: one that packs parcels.
    #[schema(value_type = String, max_length = 32, example = "C1")]
    unit_code: CodeText,
    /// Where the carrier fetches it; without it the reader posts the parcel.
    address: Option<AddressRequest>,
}

/// Announces a parcel with copies that come back. They count as returned when the carrier got it, once they are checked in.
#[utoipa::path(post, path = "/api/v1/return-parcels", operation_id = "announceReturn", tag = "deliveries",
    params(IdempotencyHeader), request_body = NewReturn, security(("bearer" = [])),
    responses((status = 201, description = "The parcel", body = ParcelView), ChangeFailures))]
pub async fn announce_return(app: web::Data<App>, who: PlacesHolds, request: Changing<NewReturn>) -> Answer {
    let said = request.body;
    let command = AnnounceReturn {
        card_number: said.card_number,
        loans: said.loan_ids.0.into_iter().map(LoanId::new).collect(),
        unit_code: said.unit_code.into(),
        address: said.address.map(Into::into),
        has_carrier: app.config.delivery.carrier_url.is_some(),
    };
    let made = announce_return::announce_return(&app.store, &who.caller, command, request.key).await?;
    answer::created(&made, None)
}

/// Whether a unit packs parcels.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct PackingRequest {
    /// It packs parcels for readers and takes theirs.
    #[schema(example = true)]
    packs: bool,
}

/// Makes a unit pack parcels, or not any more.
#[utoipa::path(put, path = "/api/v1/units/{code}/packing", operation_id = "setPacking", tag = "units",
    params(("code" = String, Path), IdempotencyHeader), request_body = PackingRequest, security(("bearer" = [])),
    responses((status = 200, description = "What holds now", body = PackingUnitView), ChangeOneFailures))]
pub async fn set_packing(
    app: web::Data<App>,
    who: ManagesUnits,
    code: web::Path<String>,
    request: Changing<PackingRequest>,
) -> Answer {
    let command = SetPacking {
        unit_code: code.into_inner(),
        packs: request.body.packs,
    };
    answer::done(&set_packing::set_packing(&app.store, &who.caller, command, request.key).await?)
}
