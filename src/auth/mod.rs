//! Who is calling and what they may do: used by every adapter, so that HTTP, SIP2 and devices cannot differ.
//!
//! [`tokens`] signs and checks access tokens and makes refresh tokens; [`passwords`] hashes secrets people
//! choose; [`one_time`] knows codes that count once; [`rights`] is the one table of role × right; [`key_ring`] keeps the keys of this node.
//!
//! Not here: sessions and grants themselves (rows of the store), and the unit tree that decides how far a grant
//! reaches: it is asked for as a closure.

pub mod consent;
pub mod key_ring;
pub mod one_time;
pub mod passwords;
pub mod rights;
pub mod signing_key;
pub mod tokens;

pub use consent::ConsentSeal;
pub use key_ring::{KeyRing, KeyRingError};
pub use passwords::{PasswordError, PasswordService, PolicyViolation};
pub use rights::{Grant, Right, Role};
pub use signing_key::SigningKey;
pub use tokens::{Audience, Claims, Identity, TokenError, TokenService};
