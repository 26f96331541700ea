//! Internet borrowing: how a request is delivered, the terms for it, and addresses.
//! Not for: the queue (a request's lines are holds), or a parcel's life (see `parcel`).

use serde::{Deserialize, Serialize};

/// How what was asked for comes to the reader, or back from it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Delivery {
    /// To the hold shelf of a desk.
    Desk,
    /// By a carrier to the reader's address.
    Parcel,
    /// By a carrier from the reader to a unit.
    Return,
}

impl Delivery {
    /// The word used in the database and the API.
    pub const fn code(self) -> &'static str {
        match self {
            Self::Desk => "desk",
            Self::Parcel => "parcel",
            Self::Return => "return",
        }
    }

    /// Reads the word back.
    pub fn from_code(code: &str) -> Option<Self> {
        [Self::Desk, Self::Parcel, Self::Return]
            .into_iter()
            .find(|delivery| delivery.code() == code)
    }
}

/// What becomes of the lines that the first parcel does not hold: the reader's choice.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Rest {
    /// They follow in further parcels.
    #[default]
    Follow,
    /// They are cancelled.
    Cancel,
}

impl Rest {
    /// The word used in the database and the API.
    pub const fn code(self) -> &'static str {
        match self {
            Self::Follow => "follow",
            Self::Cancel => "cancel",
        }
    }
}

/// When the days of a loan that travels by parcel begin.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LoanClock {
    /// The parcel is packed.
    Acceptance,
    /// It is given to the carrier.
    #[default]
    Dispatch,
    /// The carrier has delivered it.
    Pickup,
}

impl LoanClock {
    /// The word used in the rules and the API.
    pub const fn code(self) -> &'static str {
        match self {
            Self::Acceptance => "acceptance",
            Self::Dispatch => "dispatch",
            Self::Pickup => "pickup",
        }
    }
}

/// What a row of terms says of online requests.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct DeliveryTerms {
    /// Requests for a desk are allowed.
    pub desk: bool,
    /// Parcels are allowed, from units that pack.
    pub parcel: bool,
    pub clock: LoanClock,
    /// Open days of the packing unit within which a packed parcel should be dispatched.
    pub parcel_days: u16,
}

impl Default for DeliveryTerms {
    fn default() -> Self {
        Self {
            desk: true,
            parcel: true,
            clock: LoanClock::Dispatch,
            parcel_days: 3,
        }
    }
}

impl DeliveryTerms {
    /// Whether a delivery is allowed. Whoever may borrow may send back.
    pub const fn allow(self, delivery: Delivery) -> bool {
        match delivery {
            Delivery::Desk => self.desk,
            Delivery::Parcel => self.parcel,
            Delivery::Return => true,
        }
    }
}

/// That a hold is asked for online: it may take a copy from any shelf, and its terms must allow the delivery.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Online {
    pub delivery: Delivery,
    /// The pickup unit packs parcels.
    pub packs: bool,
}

/// A telephone number in one form: `+` and digits, an extension after `-`.
#[derive(Clone, PartialEq, Eq)]
pub struct Phone(String);

impl Phone {
    /// Reads a mobile number or a landline of the mainland, or an international number.
    ///
    /// # Errors
    /// What would be right.
    ///
    /// ```
    /// use tongjie::domain::delivery::Phone;
    /// let read = |text: &str| Phone::parse(text).map(|phone| phone.as_str().to_owned());
    /// assert_eq!(read("138 0013 8000").as_deref(), Ok("+8613800138000"));
    /// assert_eq!(read("027-12345678-801").as_deref(), Ok("+862712345678-801"));
    /// assert_eq!(read("+44 20 7946 0000").as_deref(), Ok("+442079460000"));
    /// assert!(read("12345").is_err() && read("13800138000; DROP").is_err());
    /// ```
    pub fn parse(text: &str) -> Result<Self, &'static str> {
        const RIGHT: &str = "is no telephone number: 13800138000, 027-12345678, 027-12345678-801 or +442079460000";
        let plain: String = text.trim().chars().filter(|c| !matches!(c, ' ' | '(' | ')')).collect();
        let digits = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
        if let Some(abroad) = plain.strip_prefix('+').filter(|rest| !rest.starts_with("86")) {
            let number = abroad.replace('-', "");
            let fits = digits(&number) && (6..=15).contains(&number.len()) && !number.starts_with('0');
            return fits.then(|| Self(format!("+{number}"))).ok_or(RIGHT);
        }
        let national = plain.trim_start_matches('+');
        let national = match national.strip_prefix("86") {
            Some(rest) if plain.starts_with('+') || rest.len() >= 11 => rest.trim_start_matches('-'),
            _ => national,
        };
        let joined = national.replace('-', "");
        let mobile =
            joined.len() == 11 && joined.starts_with('1') && matches!(joined.as_bytes().get(1), Some(b'3'..=b'9'));
        if mobile && digits(&joined) {
            return Ok(Self(format!("+86{joined}")));
        }
        let mut parts = national.splitn(3, '-');
        let (area, number, extension) = (parts.next().unwrap_or_default(), parts.next(), parts.next());
        let area = if plain.starts_with('+') && !area.starts_with('0') {
            format!("0{area}")
        } else {
            area.to_owned()
        };
        let fits = |number: &str| digits(number) && matches!(number.len(), 7 | 8);
        let extended = extension.is_none_or(|more| digits(more) && more.len() <= 6);
        match number {
            Some(number)
                if fits(number)
                    && digits(&area)
                    && area.starts_with('0')
                    && matches!(area.len(), 3 | 4)
                    && extended =>
            {
                let tail = extension.map(|more| format!("-{more}")).unwrap_or_default();
                Ok(Self(format!("+86{}{number}{tail}", &area[1..])))
            }
            _ => Err(RIGHT),
        }
    }

    /// One that was stored; `None` for what is none.
    pub fn stored(text: String) -> Option<Self> {
        text.starts_with('+').then_some(Self(text))
    }

    /// As it is stored and shown.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl std::fmt::Debug for Phone {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Phone(…)")
    }
}

/// Where a parcel goes, or is fetched. Personal: shown to nobody but the packing unit, the carrier and the reader.
#[derive(Clone, PartialEq, Eq)]
pub struct Address {
    pub name: String,
    pub phone: Phone,
    /// Province, city, district.
    pub region: String,
    /// Street, house, door.
    pub street: String,
}

impl std::fmt::Debug for Address {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Address(…)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn telephone_numbers_have_one_form() {
        for (text, form) in [
            ("13800138000", "+8613800138000"),
            ("+86 138-0013-8000", "+8613800138000"),
            ("8613800138000", "+8613800138000"),
            ("027-87654321", "+862787654321"),
            ("0716-8123456", "+867168123456"),
            ("+86-27-87654321", "+862787654321"),
            ("+1 (212) 555-0100", "+12125550100"),
        ] {
            assert_eq!(Phone::parse(text).map(|phone| phone.0).as_deref(), Ok(form), "{text}");
        }
    }

    #[test]
    fn what_is_no_number_is_refused() {
        for text in [
            "",
            "110",
            "12800138000",
            "1380013800",
            "138001380001",
            "８６13800138000",
            "1380013800a",
            "+0123456789",
            "+12345",
            "+1234567890123456",
            "87654321",
            "027-876543",
            "027-87654321-1234567",
            "+",
            "--",
            "027--87654321",
        ] {
            assert!(Phone::parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn nothing_personal_is_printed_by_accident() {
        let phone = Phone::parse("13800138000").expect("a number");
        let address = Address {
            name: "李读者".into(),
            phone,
            region: "江城".into(),
            street: "江汉路 1 号".into(),
        };
        let shown = format!("{address:?} {:?}", address.phone);
        assert!(
            !shown.contains("138") && !shown.contains('李') && !shown.contains("江"),
            "{shown}"
        );
    }
}
