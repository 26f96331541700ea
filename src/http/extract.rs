//! What a handler is given: the caller behind the bearer token, the body with its idempotency key, ids in the path.

use std::future::{Future, Ready, ready};
use std::marker::PhantomData;
use std::pin::Pin;
use std::sync::Arc;

use actix_web::dev::Payload;
use actix_web::http::header::{self, HeaderMap, HeaderValue};
use actix_web::{FromRequest, HttpMessage, HttpRequest, web};
use chrono::{DateTime, Utc};
use serde::de::DeserializeOwned;

use super::json_fault;
use super::problem::{Code, Problem};
use super::whole_numbers::written_short;
use crate::app::App;
use crate::auth::{Audience, Claims, Right};
use crate::usecase::{Caller, IdempotencyKey};

const KEY_HEADER: &str = "idempotency-key";
pub(super) const KEY_MAX: usize = 255;

/// Which kinds of callers an operation is for, and the right they must have somewhere. Both are asked before the body is
/// looked at: whoever may not do a thing learns nothing about how it is asked for.
pub trait Audiences {
    const SET: &'static [Audience];
    /// The right that changing operations need at some unit; at which, the use case asks.
    const RIGHT: Option<Right> = None;

    /// Whether this caller may go on to the body.
    fn admits(caller: &Caller, _: &HttpRequest) -> bool {
        Self::RIGHT.is_none_or(|right| caller.may_somewhere(right))
    }
}

macro_rules! audiences {
    ($($(#[$doc:meta])* $set:ident $alias:ident = $($audience:ident),+ $(with $right:ident)?;)*) => {$(
        #[doc(hidden)]
        pub struct $set;
        impl Audiences for $set {
            const SET: &'static [Audience] = &[$(Audience::$audience),+];
            $(const RIGHT: Option<Right> = Some(Right::$right);)?
        }
        $(#[$doc])*
        pub type $alias = Authenticated<$set>;
    )*};
}

audiences! {
    /// Staff only.
    StaffSet Staff = Staff;
    /// Readers only, for themselves.
    ReaderSet Readers = Reader;
    /// Staff and readers.
    PeopleSet People = Staff, Reader;
    /// Staff and devices.
    DesksSet Desks = Staff, Device;
    /// Whoever is logged in.
    AnyoneSet Anyone = Staff, Reader, Device;
    /// Staff who manage items.
    ItemsSet ManagesItems = Staff with ManageItems;
    /// Staff who manage units.
    UnitsSet ManagesUnits = Staff with ManageUnits;
    /// Staff who manage staff.
    StaffsSet ManagesStaff = Staff with ManageStaff;
    /// Staff who register readers.
    ReadersSet RegistersReaders = Staff with RegisterReader;
    /// Staff who issue cards and see to them.
    CardsSet ManagesCards = Staff with ManageCards;
    /// Desks and readers that report a card as lost.
    LostCardsSet ReportsLostCards = Staff, Reader with ReportCardLost;
    /// Staff who make one reader of two.
    MergingSet MergesReaders = Staff with MergeReaders;
    /// Desks and machines that lend.
    LendingSet Lends = Staff, Device with CheckOut;
    /// Desks and machines that take back.
    TakingBackSet TakesBack = Staff, Device with CheckIn;
    /// Whoever renews.
    RenewingSet Renews = Staff, Reader, Device with Renew;
    /// Desks and machines that undo a loan.
    VoidingSet Voids = Staff, Device with VoidLoan;
    /// Whoever says whether the book of a loan at a machine was taken.
    ConfirmingSet Confirms = Staff, Device with ConfirmLoan;
    /// Desks and readers that place holds.
    HoldingSet PlacesHolds = Staff, Reader with PlaceHold;
    /// Desks and readers that cancel holds.
    CancellingSet CancelsHolds = Staff, Reader with CancelHold;
    /// Staff who take in what was on its way.
    ReceivingSet ReceivesTransits = Staff with ReceiveTransit;
    /// Staff who pack, dispatch and take in parcels.
    ParcelsSet HandlesParcels = Staff with HandleParcels;
    /// Staff who see to what waits for readers.
    HoldsSet ManagesHolds = Staff with ManageHolds;
    /// Staff who say what became of items.
    MindingSet MindsItems = Staff with MindItems;
    /// Staff who settle what went wrong with a loan.
    SettlingSet SettlesLoans = Staff with SettleLoan;
    /// Desks and readers that say an item was given back.
    ClaimingSet ClaimsReturns = Staff, Reader with ClaimReturned;
    /// Staff who pack and send crates.
    PackingSet PacksCrates = Staff with PackCrates;
    /// Couriers.
    DrivingSet DrivesRoutes = Staff with DriveRoutes;
    /// Staff who plan routes.
    RoutesSet ManagesRoutes = Staff with ManageRoutes;
    /// Staff who give and take ownership.
    TransferringSet TransfersItems = Staff with TransferItems;
    /// Staff who keep readers' credit.
    CreditSet ManagesCredit = Staff with ManageCredit;
    /// Readers who object to a line of their ledger.
    AppealSet AppealsCredit = Reader with AppealCredit;
    /// Staff who write rules.
    DraftingSet DraftsRules = Staff with DraftRules;
    /// Staff who put rules into force.
    PublishingSet PublishesRules = Staff with PublishRules;
    /// Staff who register devices.
    RegisteringSet RegistersDevices = Staff with RegisterDevices;
    /// Staff who see to devices.
    DevicesSet ManagesDevices = Staff with ManageDevices;
    /// Staff who look at devices, and devices at themselves.
    DeviceViewSet ReadsDevices = Staff, Device with ReadDevices;
    /// Devices, for themselves.
    OperatingSet Operates = Device with OperateDevice;
    /// Staff who settle what went wrong with machines.
    MachinesSet SettlesMachines = Staff with SettleMachines;
}

#[doc(hidden)]
pub struct LoadingSet;

impl Audiences for LoadingSet {
    const SET: &'static [Audience] = &[Audience::Staff, Audience::Device];

    fn admits(caller: &Caller, _: &HttpRequest) -> bool {
        caller.may_somewhere(Right::ReceiveTransit) || caller.may_somewhere(Right::OperateDevice)
    }
}

/// Couriers and staff who take in what was on its way, and machines that are loaded through themselves.
pub type Loads = Authenticated<LoadingSet>;

#[doc(hidden)]
pub struct PinSet;

impl Audiences for PinSet {
    const SET: &'static [Audience] = &[Audience::Staff, Audience::Reader];

    fn admits(caller: &Caller, _: &HttpRequest) -> bool {
        caller.reader().is_some() || caller.may_somewhere(Right::RegisterReader)
    }
}

/// Readers, who set their own PIN, and staff who register readers.
pub type SetsPins = Authenticated<PinSet>;

/// The same, where a phone was lost.
pub type RevokesCards = Authenticated<PinSet>;

#[doc(hidden)]
pub struct PasswordSet;

impl Audiences for PasswordSet {
    const SET: &'static [Audience] = &[Audience::Staff];

    fn admits(caller: &Caller, request: &HttpRequest) -> bool {
        let id = request.match_info().get("id").and_then(|id| id.parse().ok());
        let own = id.is_some_and(|id: i64| caller.staff().is_some_and(|staff| staff.get() == id));
        own || caller.may_somewhere(Right::ManageStaff)
    }
}

/// Staff, who set their own password, and those who manage staff.
pub type SetsPasswords = Authenticated<PasswordSet>;

/// The caller behind a bearer token that counts for this operation.
pub struct Authenticated<S> {
    pub caller: Caller,
    set: PhantomData<S>,
}

impl<S: Audiences> FromRequest for Authenticated<S> {
    type Error = Problem;
    type Future = Ready<Result<Self, Problem>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        ready(authenticate(request).and_then(|claims| admit::<S>(&claims, request)))
    }
}

/// A genuine token of a kind this operation is not for is forbidden: another log-in of the same caller changes nothing.
fn admit<S: Audiences>(claims: &Claims, request: &HttpRequest) -> Result<Authenticated<S>, Problem> {
    if !S::SET.contains(&claims.aud) {
        return Err(Problem::of(Code::Forbidden));
    }
    let caller = Caller::of(claims);
    if !S::admits(&caller, request) {
        if !has_body(request) {
            return Err(Problem::of(Code::Forbidden));
        }
        // The connection of a client that is still sending would be held until it is given up: `Changing` takes the body in
        // and answers.
        request.extensions_mut().insert(NoRight);
    }
    Ok(Authenticated {
        caller,
        set: PhantomData,
    })
}

/// The caller has not the right that the operation needs, whatever the body says.
#[derive(Debug, Clone, Copy)]
struct NoRight;

/// For whatever is read of a request after its caller.
///
/// # Errors
/// `Forbidden` for a caller without the right.
pub(super) fn right_first(request: &HttpRequest) -> Result<(), Problem> {
    if request.extensions().contains::<NoRight>() {
        return Err(Problem::of(Code::Forbidden));
    }
    Ok(())
}

fn has_body(request: &HttpRequest) -> bool {
    let headers = request.headers();
    let length = headers.get(header::CONTENT_LENGTH);
    headers.contains_key(header::TRANSFER_ENCODING) || length.is_some_and(|length| length != "0")
}

/// The claims of a genuine token. `rate_limit` looked at it and counted the request before it came here.
fn authenticate(request: &HttpRequest) -> Result<Arc<Claims>, Problem> {
    let claims = request.extensions().get::<Arc<Claims>>().cloned();
    claims.ok_or_else(|| Problem::of(Code::Unauthenticated))
}

/// The claims of the bearer token, if it shows one and that is genuine.
pub(super) fn genuine(app: &App, request: &HttpRequest, now: DateTime<Utc>) -> Option<Arc<Claims>> {
    let value = request.headers().get(header::AUTHORIZATION)?.to_str().ok()?;
    let (scheme, token) = value.split_once(' ')?;
    if !scheme.eq_ignore_ascii_case("bearer") {
        return None;
    }
    app.tokens.verify(token.trim(), AnyoneSet::SET, now).ok()
}

/// A body, and the key under which it may be sent again. An empty body is an empty object.
pub struct Changing<T> {
    pub body: T,
    pub key: Option<IdempotencyKey>,
}

impl<T: DeserializeOwned + 'static> FromRequest for Changing<T> {
    type Error = Problem;
    type Future = Pin<Box<dyn Future<Output = Result<Self, Problem>>>>;

    fn from_request(request: &HttpRequest, payload: &mut Payload) -> Self::Future {
        let (request, payload) = (request.clone(), payload.take());
        Box::pin(async move {
            let bytes = collect(&request, payload).await;
            right_first(&request)?;
            let bytes = bytes?;
            let key = idempotency_key(&request, &bytes)?;
            Ok(Self {
                body: parse(&bytes)?,
                key,
            })
        })
    }
}

pub(super) fn parse<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, Problem> {
    let text = if bytes.is_empty() { b"{}" } else { bytes };
    // serde would read an array as an object without names.
    if text.trim_ascii_start().first() == Some(&b'[') {
        return Err(Problem::malformed("body", "must be a JSON object"));
    }
    let refused = match serde_json::from_slice(text) {
        Ok(read) => return Ok(read),
        Err(error) => error,
    };
    let Some(short) = written_short(text) else {
        return Err(json_fault::problem(text, &refused));
    };
    serde_json::from_slice(&short).map_err(|error| json_fault::problem(&short, &error))
}

/// A body without members.
#[derive(Debug, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Nothing {}

/// Said by the resource whose bodies may be as long as a batch.
#[derive(Debug, Clone, Copy)]
pub struct LongBody;

fn body_limit(request: &HttpRequest) -> usize {
    let Some(app) = request.app_data::<web::Data<App>>() else {
        return 0;
    };
    match request.app_data::<LongBody>() {
        Some(LongBody) => app.config.limits.batch_body_bytes,
        None => app.config.http.max_body_bytes,
    }
}

pub(super) async fn collect(request: &HttpRequest, payload: Payload) -> Result<web::Bytes, Problem> {
    let headers = request.headers();
    let limit = body_limit(request);
    let too_large =
        || Problem::malformed("body", format!("is longer than {limit} bytes")).with_code(Code::BodyTooLarge);
    let declared = headers
        .get(header::CONTENT_LENGTH)
        .and_then(|length| length.to_str().ok()?.parse::<u64>().ok());
    if declared.is_some_and(|length| length > limit as u64) {
        return Err(too_large());
    }
    let collected = web::Payload::from_request(request, &mut { payload }).await;
    let read = collected
        .map_err(|error| unreadable(&error))?
        .to_bytes_limited(limit)
        .await;
    let bytes = read.map_err(|_| too_large())?.map_err(|error| unreadable(&error))?;
    if !bytes.is_empty() {
        check_content_type(headers)?;
    }
    Ok(bytes)
}

fn unreadable(error: &actix_web::Error) -> Problem {
    Problem::malformed("body", "could not be read to its end").detail(error.to_string())
}

/// JSON in UTF-8, not compressed.
fn check_content_type(headers: &HeaderMap) -> Result<(), Problem> {
    let wrong = |field: &str, reason: &str| Problem::malformed(field, reason).with_code(Code::UnsupportedMediaType);
    let value = headers
        .get(header::CONTENT_TYPE)
        .and_then(|value| value.to_str().ok())
        .unwrap_or_default();
    let mut parts = value.split(';').map(str::trim);
    if !parts
        .next()
        .is_some_and(|kind| kind.eq_ignore_ascii_case("application/json"))
    {
        return Err(wrong("Content-Type", "must be application/json"));
    }
    let charset = parts.find_map(|part| {
        let (name, value) = part.split_once('=')?;
        name.eq_ignore_ascii_case("charset")
            .then(|| value.trim_matches('"').to_owned())
    });
    if charset.is_some_and(|charset| !charset.eq_ignore_ascii_case("utf-8")) {
        return Err(wrong("Content-Type", "the charset must be utf-8"));
    }
    let encoding = headers
        .get(header::CONTENT_ENCODING)
        .and_then(|value| value.to_str().ok());
    if encoding.is_some_and(|encoding| !encoding.eq_ignore_ascii_case("identity")) {
        return Err(wrong("Content-Encoding", "compressed bodies are not read"));
    }
    Ok(())
}

/// The key, bound to what was asked: method, address with parameters, the body to the byte, and the version that was seen.
fn idempotency_key(request: &HttpRequest, body: &[u8]) -> Result<Option<IdempotencyKey>, Problem> {
    let Some(value) = request.headers().get(KEY_HEADER) else {
        return Ok(None);
    };
    let wrong = || {
        Problem::malformed(
            "Idempotency-Key",
            format!("must be 1 to {KEY_MAX} visible ASCII characters"),
        )
    };
    let key = value.to_str().map_err(|_| wrong())?;
    if !(1..=KEY_MAX).contains(&key.len()) || !key.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Err(wrong());
    }
    let Some(app) = request.app_data::<web::Data<App>>() else {
        return Err(Problem::of(Code::Internal));
    };
    let asked = [request.method().as_str(), request.path(), request.query_string()].map(str::as_bytes);
    let mut asked: Vec<&[u8]> = vec![asked[0], asked[1], asked[2], body];
    // Only where it is sent: what was stored without it is known as before.
    asked.extend(request.headers().get(header::IF_MATCH).map(HeaderValue::as_bytes));
    let request_hash = app.tokens.digest(&asked);
    Ok(Some(IdempotencyKey {
        key: key.to_owned(),
        request_hash,
    }))
}

/// An id in the path that is no number is named as such.
pub fn path_config() -> web::PathConfig {
    web::PathConfig::default().error_handler(|_, _| Problem::malformed("id", "must be a number").into())
}
