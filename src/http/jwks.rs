//! `/.well-known/jwks.json`: the public keys with which anybody verifies electronic cards, also where no server is near.

use actix_web::http::header;
use actix_web::{HttpResponse, web};
use serde::Serialize;
use utoipa::ToSchema;

use crate::app::App;
use crate::auth::card_token::PublicKey;

/// Long enough for many devices behind one cache; a new key signs hours after it was first listed.
const CACHE: &str = "public, max-age=300";

/// A set of keys (RFC 7517).
#[derive(Debug, Serialize, ToSchema)]
pub struct KeySet {
    /// Those that sign, those that will, and those that signed until an hour ago.
    keys: Vec<KeyView>,
}

/// A public key (RFC 8037).
#[derive(Debug, Serialize, ToSchema)]
pub struct KeyView {
    /// Always `OKP`.
    #[schema(example = "OKP")]
    kty: String,
    /// Always `Ed25519`.
    #[schema(example = "Ed25519")]
    crv: String,
    /// What tokens name it by.
    #[schema(example = "Q2FyZEtleQ8")]
    kid: String,
    /// The key itself: 32 bytes in base64url.
    #[schema(example = "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo")]
    x: String,
    /// Always `sig`.
    #[serde(rename = "use")]
    #[schema(example = "sig")]
    usage: String,
    /// Always `EdDSA`.
    #[schema(example = "EdDSA")]
    alg: String,
}

impl From<PublicKey> for KeyView {
    fn from(key: PublicKey) -> Self {
        Self {
            kty: key.kty,
            crv: key.crv,
            kid: key.kid,
            x: key.x,
            usage: key.usage,
            alg: key.alg,
        }
    }
}

/// The public keys of electronic cards. Nothing here is secret; no log-in is needed.
#[utoipa::path(get, path = "/.well-known/jwks.json", operation_id = "getCardKeys", tag = "cards",
    responses((status = 200, description = "The keys", body = KeySet)))]
pub async fn get_card_keys(app: web::Data<App>) -> HttpResponse {
    let keys = app.cards.published(app.store.clock().now());
    HttpResponse::Ok()
        .insert_header((header::CACHE_CONTROL, CACHE))
        .json(KeySet {
            keys: keys.into_iter().map(KeyView::from).collect(),
        })
}
