//! A version of what keeps no count of its changes: taken from what it says. The same again is the same version, and may be
//! changed by who saw it the first time.

use serde::Serialize;
use sha2::{Digest, Sha256};

use super::{Result, UseCaseError};

/// Below this, as every version: it has at most eighteen digits.
const BOUND: u64 = 999_999_999_999_999_999;

/// The version of what is shown, from 1.
///
/// # Errors
/// `Internal` when it cannot be written as JSON.
pub fn content_version(shown: &impl Serialize) -> Result<i64> {
    let text = serde_json::to_vec(shown).map_err(|error| UseCaseError::Internal(error.to_string()))?;
    let hash = Sha256::digest(&text);
    let head = hash
        .iter()
        .take(8)
        .fold(0_u64, |sum, byte| (sum << 8) | u64::from(*byte));
    i64::try_from(head % BOUND + 1).map_err(|error| UseCaseError::Internal(error.to_string()))
}

/// Holds what is there against what the caller saw, if they said it.
///
/// # Errors
/// `Stale` when it is another version.
pub(super) fn must_be_seen(shown: &impl Serialize, seen: Option<i64>) -> Result<()> {
    let Some(seen) = seen else { return Ok(()) };
    let version = content_version(shown)?;
    if version == seen {
        Ok(())
    } else {
        Err(UseCaseError::Stale(version))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_says_the_same_has_the_same_version() {
        let version = |text: &str| content_version(&text).expect("JSON");
        assert_eq!(version("float"), version("float"));
        assert_ne!(version("float"), version("home"));
        assert!((1..=999_999_999_999_999_999).contains(&version("home")));
    }
}
