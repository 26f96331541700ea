//! Recognising resident identity numbers (GB 11643), so that none is stored where another number belongs.
//! Not for: keeping, showing or comparing them.

/// Weights of the first 17 digits (GB 11643).
const WEIGHTS: [u32; 17] = [7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2];
/// Check characters by the weighted sum modulo 11.
const CHECKS: [u8; 11] = *b"10X98765432";

/// Whether a text is a resident identity number: 17 digits and the check character that fits them.
///
/// ```
/// use tongjie::domain::resident_id::is_one;
/// assert!(is_one("11010519491231002X"));
/// assert!(!is_one("110105194912310021"));
/// assert!(!is_one("JC00012345"));
/// ```
#[must_use]
pub fn is_one(text: &str) -> bool {
    let bytes = text.trim().as_bytes();
    let [digits @ .., check] = bytes else { return false };
    if digits.len() != WEIGHTS.len() || !digits.iter().all(u8::is_ascii_digit) {
        return false;
    }
    let weighted = digits
        .iter()
        .zip(WEIGHTS)
        .map(|(digit, weight)| u32::from(digit - b'0') * weight);
    let at = usize::try_from(weighted.sum::<u32>() % 11).unwrap_or(0);
    check.to_ascii_uppercase() == CHECKS[at]
}
