//! The catalogue: what the network's bibliographic records say, and how they get in.
//!
//! For reading records from files and finding their ISBNs, titles and holdings. Not for items, loans or
//! anything that moves: those know a bib by its id only.

pub mod isbn;
pub mod marc;
