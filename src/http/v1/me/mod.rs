//! What readers do alone: everything under `/api/v1/me` is about the reader who asks.

pub mod admission;
pub mod credit;
