//! The portal: what a reader does alone. Everything below `/api/v1/me` is about whoever is logged in; one file per resource.

pub mod account;
pub mod card;
