//! The portal: what a reader does alone. One file per resource.

pub mod account;
