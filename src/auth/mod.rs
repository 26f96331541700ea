//! Who is calling and what they may do: used by every adapter, so that HTTP, SIP2 and devices cannot differ.
//!
//! [`tokens`] signs and checks access tokens and makes refresh tokens; [`passwords`] hashes secrets people
//! choose; [`rights`] is the one table of role × right; [`key_ring`] keeps the keys of this node.
//!
//! Not here: sessions and grants themselves (rows of the store), and the unit tree that decides how far a grant
//! reaches: it is asked for as a closure.

pub mod consent;
pub mod contact_seal;
pub mod key_ring;
pub mod passwords;
pub mod rights;
pub mod signing_key;
pub mod tokens;

pub use consent::ConsentSeal;
pub use contact_seal::ContactSeal;
pub use key_ring::{KeyRing, KeyRingError};
pub use passwords::{PasswordError, PasswordService, PolicyViolation};
pub use rights::{Grant, Right, Role};
pub use signing_key::SigningKey;
pub use tokens::{Audience, Claims, Identity, TokenError, TokenService};
