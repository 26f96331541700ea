//! What a reader does alone: everything below `/api/v1/me` is about whoever is logged in.

pub mod card;
