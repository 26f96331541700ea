//! What readers may agree to. Each is free: nothing of lending depends on it.

use serde::{Deserialize, Serialize};

/// A thing to agree to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ConsentKind {
    /// The notice on personal data was read and agreed to.
    PrivacyNotice,
    /// A provider may be asked whether the reader is creditworthy.
    CreditCheck,
    /// Loans may be looked at for research, without a name.
    Research,
    /// News of events and new books.
    News,
}

impl ConsentKind {
    /// Every kind.
    pub const ALL: [Self; 4] = [Self::PrivacyNotice, Self::CreditCheck, Self::Research, Self::News];

    /// The word used in the database and the API.
    pub const fn code(self) -> &'static str {
        match self {
            Self::PrivacyNotice => "privacy_notice",
            Self::CreditCheck => "credit_check",
            Self::Research => "research",
            Self::News => "news",
        }
    }

    /// Reads the word back.
    pub fn from_code(code: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|one| one.code() == code)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_read_back() {
        for kind in ConsentKind::ALL {
            assert_eq!(ConsentKind::from_code(kind.code()), Some(kind));
        }
        assert_eq!(ConsentKind::from_code("everything"), None);
    }
}
