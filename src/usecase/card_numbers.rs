//! Numbers of electronic cards, which nobody prints: the program draws them.

use super::{Result, UseCaseError};
use crate::domain::barcode::CardNumber;
use crate::store::tx::WriteTx;

/// A letter and so many digits.
const DIGITS: i64 = 100_000_000_000;
/// Numbers that are tried before it is given up; each is as good as free.
const TRIES: i64 = 20;

/// A number that no card has, near a random one.
///
/// # Errors
/// `Busy`, as good as never; a failure of the store.
pub(super) fn draw(tx: &mut WriteTx<'_>, random: i64) -> Result<CardNumber> {
    for n in 0..TRIES {
        let text = format!("E{:011}", random.wrapping_add(n).rem_euclid(DIGITS));
        if !tx.card_exists(&text)? {
            return CardNumber::parse(&text).map_err(|error| UseCaseError::Internal(error.to_string()));
        }
    }
    Err(UseCaseError::Busy)
}
