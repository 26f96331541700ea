//! Who is calling and what they may do: used by every adapter, so that HTTP, SIP2 and devices cannot differ.
//!
//! [`tokens`] signs and checks access tokens and makes refresh tokens; [`passwords`] hashes secrets people
//! choose; [`one_time`] knows codes that count once; [`rights`] is the one table of role × right; [`key_ring`] keeps the keys of this node, [`card_keys`] those of electronic
//! cards, whose tokens [`card_token`] makes and opens; [`identity`] seals what identifies a reader, under keys of its own;
//! [`journal_signature`] believes what devices did alone.
//!
//! Not here: sessions and grants themselves (rows of the store), and the unit tree that decides how far a grant
//! reaches: it is asked for as a closure.

pub mod card_keys;
pub mod card_token;
pub mod consent;
pub mod derived_secrets;
pub mod identity;
pub mod identity_ring;
pub mod journal_signature;
mod key_file;
pub mod key_ring;
pub mod one_time;
pub mod passwords;
pub mod rights;
pub mod signing_key;
pub mod tokens;

pub use card_keys::CardKeyRing;
pub use card_token::CardTokens;
pub use consent::ConsentSeal;
pub use derived_secrets::DerivedSecrets;
pub use identity::Identities;
pub use key_ring::{KeyRing, KeyRingError};
pub use passwords::{PasswordError, PasswordService, PolicyViolation};
pub use rights::{Grant, Right, Role};
pub use signing_key::SigningKey;
pub use tokens::{Audience, Claims, Identity, TokenError, TokenService};
