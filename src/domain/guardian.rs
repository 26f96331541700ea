//! Who may answer for whom: the guardian of a child, and the consent that is on record.
//! Not for: what a guardian does for a ward, which is judged as if the ward did it.

use chrono::{Months, NaiveDate};

use super::event::age_years;

/// Below this age a guardian's consent must be on record.
pub const CONSENT_UNTIL_YEARS: u32 = 14;
/// From this age on nobody else answers for a person, and a person may answer for others.
pub const OF_AGE_YEARS: u32 = 18;
/// Guardians that a ward may have at once.
pub const MOST_GUARDIANS: usize = 4;

macro_rules! relations {
    ($($(#[$each:meta])* $variant:ident = $code:literal),* $(,)?) => {
        /// What the guardian is to the ward.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub enum Relation {$($(#[$each])* $variant),*}

        impl Relation {
            /// All of them.
            pub const ALL: &'static [Self] = &[$(Self::$variant),*];

            /// The word used in the database and the API.
            pub const fn code(self) -> &'static str {
                match self { $(Self::$variant => $code),* }
            }

            /// Reads the word back.
            pub fn from_code(code: &str) -> Option<Self> {
                Self::ALL.iter().copied().find(|one| one.code() == code)
            }
        }
    };
}

relations! {
    Parent = "parent",
    Guardian = "guardian",
    /// A school or another institution that borrows for its pupils.
    School = "school",
    Other = "other",
}

/// A signed form.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Consent {
    pub on: NaiveDate,
}

/// What the decision looks at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Facts {
    pub relation: Relation,
    pub ward_born: Option<NaiveDate>,
    pub guardian_born: Option<NaiveDate>,
    pub guardian_institutional: bool,
    /// The guardian's account is closed.
    pub closed: bool,
    /// The guardian is a ward of the ward, also through others.
    pub reversed: bool,
    pub guardians: usize,
    pub consent: Option<Consent>,
}

/// What is wrong, and with which field of the request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Wrong {
    #[error("the ward is of age: nobody else answers for them")]
    WardOfAge,
    #[error("the guardian is not of age")]
    GuardianTooYoung,
    #[error("an institution answers for a ward as `school`, and a person as anything else")]
    Relation,
    #[error("the guardian's account is closed")]
    Closed,
    #[error("the guardian is a ward of this reader, or of one of this reader's wards")]
    Reversed,
    #[error("the ward has {MOST_GUARDIANS} guardians already")]
    TooMany,
    #[error("is needed for a ward under {CONSENT_UNTIL_YEARS}, or of unknown age")]
    NoConsent,
    #[error("lies in the future")]
    ConsentLater,
}

impl Wrong {
    /// The member of the request.
    pub const fn field(self) -> &'static str {
        match self {
            Self::WardOfAge | Self::TooMany => "id",
            Self::GuardianTooYoung | Self::Closed | Self::Reversed => "guardian_reader_id",
            Self::Relation => "relation",
            Self::NoConsent => "consent_form",
            Self::ConsentLater => "consented_on",
        }
    }
}

/// Everything that is wrong with a link, on a day in the network's zone.
///
/// ```
/// use chrono::NaiveDate;
/// use tongjie::domain::guardian::{Facts, Relation, Wrong, faults};
/// let today = NaiveDate::from_ymd_opt(2026, 3, 4).expect("a day");
/// let facts = Facts { relation: Relation::Parent, ward_born: NaiveDate::from_ymd_opt(2018, 1, 1), guardian_born: None,
///     guardian_institutional: false, closed: false, reversed: false, guardians: 0, consent: None };
/// assert_eq!(faults(&facts, today), [Wrong::NoConsent]);
/// ```
pub fn faults(facts: &Facts, today: NaiveDate) -> Vec<Wrong> {
    let age = |born: Option<NaiveDate>| born.and_then(|born| age_years(born, today));
    let mut wrong = Vec::new();
    if age(facts.ward_born).is_some_and(|age| age >= OF_AGE_YEARS) {
        wrong.push(Wrong::WardOfAge);
    }
    if age(facts.guardian_born).is_some_and(|age| age < OF_AGE_YEARS) {
        wrong.push(Wrong::GuardianTooYoung);
    }
    if (facts.relation == Relation::School) != facts.guardian_institutional {
        wrong.push(Wrong::Relation);
    }
    if facts.closed {
        wrong.push(Wrong::Closed);
    }
    if facts.reversed {
        wrong.push(Wrong::Reversed);
    }
    if facts.guardians >= MOST_GUARDIANS {
        wrong.push(Wrong::TooMany);
    }
    match facts.consent {
        None if age(facts.ward_born).is_none_or(|age| age < CONSENT_UNTIL_YEARS) => wrong.push(Wrong::NoConsent),
        Some(consent) if consent.on > today => wrong.push(Wrong::ConsentLater),
        _ => {}
    }
    wrong
}

/// What says whether a guardian may do things for a ward now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Standing {
    /// As the open link between the two says.
    pub may_act: bool,
    pub ward_born: Option<NaiveDate>,
    /// The guardian's own account is neither suspended nor closed.
    pub guardian_active: bool,
}

/// Why somebody may not do things for another reader.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NoProxy {
    #[error("is no ward of yours: listMyWards shows them")]
    NotLinked,
    #[error("is a ward for whom you may not act: a desk can change that")]
    MayNotAct,
    #[error("is of age: nobody else acts for them")]
    OfAge,
    #[error("is a ward, but your own account is suspended or closed: ask at a desk")]
    GuardianNotActive,
}

/// Whether a guardian whose link is open may act on a day of the network's zone. A ward who is of age is nobody's, also before the
/// job has ended the link.
///
/// # Errors
/// The first reason that stands against it.
///
/// ```
/// use tongjie::domain::guardian::{NoProxy, Standing, may_stand_in};
/// let today = "2026-03-04".parse().expect("a day");
/// let child = Standing { may_act: true, ward_born: "2008-03-05".parse().ok(), guardian_active: true };
/// assert_eq!(may_stand_in(&child, today), Ok(()));
/// let of_age = Standing { ward_born: "2008-03-04".parse().ok(), ..child };
/// assert_eq!(may_stand_in(&of_age, today), Err(NoProxy::OfAge));
/// ```
pub fn may_stand_in(standing: &Standing, today: NaiveDate) -> Result<(), NoProxy> {
    if is_of_age(standing.ward_born, today) {
        return Err(NoProxy::OfAge);
    }
    if !standing.may_act {
        return Err(NoProxy::MayNotAct);
    }
    if !standing.guardian_active {
        return Err(NoProxy::GuardianNotActive);
    }
    Ok(())
}

/// Nobody answers for this reader any more. One whose birth date is unknown counts as not of age.
pub fn is_of_age(born: Option<NaiveDate>, today: NaiveDate) -> bool {
    born.and_then(|born| age_years(born, today))
        .is_some_and(|age| age >= OF_AGE_YEARS)
}

/// Whoever was born on this day or before is of age on a day.
pub fn last_born_of_age(today: NaiveDate) -> NaiveDate {
    today
        .checked_sub_months(Months::new(12 * OF_AGE_YEARS))
        .unwrap_or(NaiveDate::MIN)
}

/// Whether a guardian's consent has to be on record before this reader borrows: a child by age, or by the category where the age is
/// unknown.
pub fn needs_consent(born: Option<NaiveDate>, childs_category: bool, today: NaiveDate) -> bool {
    let age = born.and_then(|born| age_years(born, today));
    age.map_or(childs_category, |age| age < CONSENT_UNTIL_YEARS)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn day(text: &str) -> Option<NaiveDate> {
        text.parse().ok()
    }

    #[test]
    fn every_fault_is_found() {
        let today = day("2026-03-04").expect("a day");
        let good = Facts {
            relation: Relation::Parent,
            ward_born: day("2018-01-01"),
            guardian_born: day("1990-01-01"),
            guardian_institutional: false,
            closed: false,
            reversed: false,
            guardians: 0,
            consent: Some(Consent { on: today }),
        };
        assert_eq!(faults(&good, today), []);
        let cases = [
            (
                Facts {
                    ward_born: day("2008-03-04"),
                    ..good
                },
                Wrong::WardOfAge,
            ),
            (
                Facts {
                    guardian_born: day("2008-03-05"),
                    ..good
                },
                Wrong::GuardianTooYoung,
            ),
            (
                Facts {
                    relation: Relation::School,
                    ..good
                },
                Wrong::Relation,
            ),
            (
                Facts {
                    guardian_institutional: true,
                    ..good
                },
                Wrong::Relation,
            ),
            (Facts { closed: true, ..good }, Wrong::Closed),
            (Facts { reversed: true, ..good }, Wrong::Reversed),
            (Facts { guardians: 4, ..good }, Wrong::TooMany),
            (Facts { consent: None, ..good }, Wrong::NoConsent),
            (
                Facts {
                    consent: None,
                    ward_born: None,
                    ..good
                },
                Wrong::NoConsent,
            ),
        ];
        for (facts, wrong) in cases {
            assert_eq!(faults(&facts, today), [wrong]);
        }
        let from_14 = Facts {
            consent: None,
            ward_born: day("2012-03-04"),
            ..good
        };
        assert_eq!(faults(&from_14, today), []);
        let later = Facts {
            consent: day("2026-03-05").map(|on| Consent { on }),
            ..good
        };
        assert_eq!(faults(&later, today), [Wrong::ConsentLater]);
    }
}
