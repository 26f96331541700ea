//! Every reason to say no: codes, outcomes, texts. The rows themselves are data in `refusal_table`.
//! Not for: subtracting what the caller may override (see `act`).

use std::borrow::Cow;
use std::fmt;

use chrono::{DateTime, FixedOffset, NaiveDate, Utc};
use chrono_tz::Tz;
use serde::{Deserialize, Serialize};

use super::calendar::local_time;
use super::ids::RuleId;
use super::money::Fen;
pub use super::refusal_table::Code;

/// What a refusal asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// B: never overridable.
    Blocked,
    /// O: staff may override with a right and a written reason; self-service is refused.
    Override,
    /// C: staff confirm; self-service is refused.
    Confirm,
    /// I: told, not refused.
    Info,
}

impl Outcome {
    /// The word used in the API.
    pub const fn code(self) -> &'static str {
        match self {
            Self::Blocked => "blocked",
            Self::Override => "override",
            Self::Confirm => "confirm",
            Self::Info => "info",
        }
    }

    /// The letter used in the docs.
    pub const fn letter(self) -> char {
        match self {
            Self::Blocked => 'B',
            Self::Override => 'O',
            Self::Confirm => 'C',
            Self::Info => 'I',
        }
    }
}

/// A decision; the same fact may weigh differently in another one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Verb {
    CheckOut,
    CheckIn,
    Renew,
    PlaceHold,
    CancelHold,
    ChangeHold,
    VoidLoan,
    PackItem,
    HandOver,
    OpenCard,
}

impl Verb {
    /// Every decision, in the order of the printed table.
    pub const ALL: [Self; 10] = [
        Self::CheckOut,
        Self::CheckIn,
        Self::Renew,
        Self::PlaceHold,
        Self::CancelHold,
        Self::ChangeHold,
        Self::VoidLoan,
        Self::PackItem,
        Self::HandOver,
        Self::OpenCard,
    ];

    /// The operation.
    pub const fn code(self) -> &'static str {
        match self {
            Self::CheckOut => "checkOut",
            Self::CheckIn => "checkIn",
            Self::Renew => "renewLoan",
            Self::PlaceHold => "placeHold",
            Self::CancelHold => "cancelHold",
            Self::ChangeHold => "moveHold, suspendHold, reorderHold",
            Self::VoidLoan => "voidLoan",
            Self::PackItem => "packItem",
            Self::HandOver => "handOverShipments, receiveShipment",
            Self::OpenCard => "openCardSession",
        }
    }
}

/// One declared row of the table.
#[derive(Debug, Clone, Copy)]
pub struct Row {
    pub(super) outcome: Outcome,
    /// Verbs at which it weighs differently.
    pub(super) at: [Option<(Verb, Outcome)>; 2],
    /// What it is where no member of staff stands, if that differs.
    pub(super) unstaffed: Option<Outcome>,
    pub(super) zh: Texts,
    pub(super) en: Texts,
}

/// The template of the message, with `{parameters}`, and what the reader can do about it.
#[derive(Debug, Clone, Copy)]
pub struct Texts {
    pub message: &'static str,
    pub remedy: &'static str,
}

/// A language of texts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Lang {
    #[default]
    Zh,
    En,
}

impl Code {
    /// What this code asks for at a verb; `staffed`: a member of staff stands there.
    pub fn outcome(self, verb: Verb, staffed: bool) -> Outcome {
        let row = self.row();
        let here = row
            .at
            .iter()
            .flatten()
            .find(|(at, _)| *at == verb)
            .map(|(_, outcome)| *outcome);
        match row.unstaffed {
            Some(outcome) if !staffed => outcome,
            _ => here.unwrap_or(row.outcome),
        }
    }

    /// What this code asks for unless a verb or channel says otherwise.
    pub const fn usual_outcome(self) -> Outcome {
        self.row().outcome
    }

    /// The templates of a language.
    pub const fn texts(self, lang: Lang) -> Texts {
        match lang {
            Lang::Zh => self.row().zh,
            Lang::En => self.row().en,
        }
    }
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.code())
    }
}

/// One parameter of a refusal.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", content = "value", rename_all = "snake_case")]
pub enum Value {
    /// A count, a maximum, a number of days or years, an id.
    Number(i64),
    Money(Fen),
    Text(String),
    /// A moment, already in the network's zone.
    Moment(DateTime<FixedOffset>),
    Day(NaiveDate),
}

impl Value {
    /// A moment as people of the network read it.
    pub fn moment(zone: Tz, at: DateTime<Utc>) -> Self {
        let offset_seconds = (local_time(zone, at) - at.naive_utc()).num_seconds();
        let offset = i32::try_from(offset_seconds).ok().and_then(FixedOffset::east_opt);
        Self::Moment(offset.map_or_else(|| at.fixed_offset(), |offset| at.with_timezone(&offset)))
    }
}

impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Number(number) => write!(f, "{number}"),
            Self::Money(fen) => write!(f, "{fen}"),
            Self::Text(text) => f.write_str(text),
            Self::Moment(at) => match at.naive_utc().checked_add_offset(*at.offset()) {
                Some(local) => write!(f, "{}", local.format("%Y-%m-%d %H:%M")),
                None => write!(f, "{}", at.naive_utc().format("%Y-%m-%d %H:%M")),
            },
            Self::Day(day) => write!(f, "{day}"),
        }
    }
}

impl From<u32> for Value {
    fn from(number: u32) -> Self {
        Self::Number(i64::from(number))
    }
}

impl From<u16> for Value {
    fn from(number: u16) -> Self {
        Self::Number(i64::from(number))
    }
}

impl From<i64> for Value {
    fn from(number: i64) -> Self {
        Self::Number(number)
    }
}

impl From<Fen> for Value {
    fn from(fen: Fen) -> Self {
        Self::Money(fen)
    }
}

impl From<&str> for Value {
    fn from(text: &str) -> Self {
        Self::Text(text.to_owned())
    }
}

impl From<NaiveDate> for Value {
    fn from(day: NaiveDate) -> Self {
        Self::Day(day)
    }
}

/// One reason to say no, or (with [`Outcome::Info`]) something to be told.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Refusal {
    pub code: Code,
    pub outcome: Outcome,
    pub params: Vec<(Cow<'static, str>, Value)>,
    /// The row of terms or the limit that said so.
    pub rule: Option<RuleId>,
}

impl Refusal {
    /// A refusal without parameters.
    pub const fn new(code: Code, outcome: Outcome) -> Self {
        Self {
            code,
            outcome,
            params: Vec::new(),
            rule: None,
        }
    }

    /// Adds a parameter.
    pub fn with(&mut self, name: &'static str, value: impl Into<Value>) -> &mut Self {
        self.params.push((Cow::Borrowed(name), value.into()));
        self
    }

    /// Names the rule that said so.
    pub const fn by(&mut self, rule: RuleId) -> &mut Self {
        self.rule = Some(rule);
        self
    }

    /// The value of a parameter.
    pub fn param(&self, name: &str) -> Option<&Value> {
        self.params
            .iter()
            .find(|(found, _)| found == name)
            .map(|(_, value)| value)
    }

    /// The message with its parameters filled in, and the remedy.
    pub fn text(&self, lang: Lang) -> Text {
        let texts = self.code.texts(lang);
        Text {
            message: self.fill(texts.message),
            remedy: self.fill(texts.remedy),
        }
    }

    fn fill(&self, template: &str) -> String {
        let mut filled = String::with_capacity(template.len() + 16);
        let mut rest = template;
        while let Some((before, after)) = rest.split_once('{') {
            filled.push_str(before);
            let Some((name, tail)) = after.split_once('}') else {
                break;
            };
            match self.param(name) {
                Some(value) => filled.push_str(&value.to_string()),
                None => filled.push('—'),
            }
            rest = tail;
        }
        filled + rest
    }
}

/// A rendered refusal.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Text {
    pub message: String,
    /// What the reader or staff can do about it.
    pub remedy: String,
}

/// All reasons at once; never empty, never with [`Outcome::Info`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Refusals(pub Vec<Refusal>);

impl Refusals {
    /// The codes, in the order found.
    pub fn codes(&self) -> Vec<Code> {
        self.0.iter().map(|refusal| refusal.code).collect()
    }

    /// Whether a code is among them.
    pub fn has(&self, code: Code) -> bool {
        self.0.iter().any(|refusal| refusal.code == code)
    }

    /// All could be overridden or confirmed by staff with the rights.
    pub fn could_pass(&self) -> bool {
        self.0.iter().all(|refusal| refusal.outcome != Outcome::Blocked)
    }
}

impl fmt::Display for Refusals {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let codes: Vec<&str> = self.0.iter().map(|refusal| refusal.code.code()).collect();
        write!(f, "refused: {}", codes.join(", "))
    }
}

impl std::error::Error for Refusals {}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    fn placeholders(template: &str) -> BTreeSet<&str> {
        template
            .split('{')
            .skip(1)
            .filter_map(|part| part.split('}').next())
            .collect()
    }

    #[test]
    fn every_row_speaks_both_languages_with_the_same_parameters() {
        let mut codes = BTreeSet::new();
        for code in Code::ALL {
            let (zh, en) = (code.texts(Lang::Zh), code.texts(Lang::En));
            assert!(codes.insert(code.code()), "{code} is there twice");
            assert_eq!(Code::from_code(code.code()), Some(*code));
            let word = code
                .code()
                .bytes()
                .all(|byte| byte == b'_' || byte.is_ascii_lowercase());
            assert!(word, "{code} is not snake_case");
            for text in [zh.message, zh.remedy, en.message, en.remedy] {
                assert!(!text.trim().is_empty(), "{code} has an empty text");
            }
            let both = |texts: Texts| [texts.message, texts.remedy].concat();
            assert!(placeholders(&both(zh)).is_superset(&placeholders(&both(en))), "{code}");
            assert!(zh.message.chars().any(|c| c > '\u{4e00}'), "{code} has no Chinese");
        }
    }

    #[test]
    fn one_fact_may_weigh_differently_by_verb_and_channel() {
        use Outcome::{Blocked, Confirm, Info, Override};
        for (code, verb, staffed, outcome) in [
            (Code::CardExpired, Verb::CheckOut, true, Blocked),
            (Code::CardExpired, Verb::PlaceHold, true, Override),
            (Code::Barred, Verb::CheckOut, true, Override),
            (Code::Barred, Verb::PlaceHold, true, Blocked),
            (Code::HeldOnShelfForOther, Verb::CheckOut, true, Override),
            (Code::HeldOnShelfForOther, Verb::CheckOut, false, Blocked),
            (Code::ItemWithdrawn, Verb::CheckIn, true, Info),
            (Code::ItemAlert, Verb::CheckIn, true, Confirm),
            (Code::LimitLoans, Verb::CheckOut, false, Override),
        ] {
            assert_eq!(
                code.outcome(verb, staffed),
                outcome,
                "{code} at {verb:?}, staffed {staffed}"
            );
        }
    }

    #[test]
    fn texts_are_filled_in() {
        let mut refusal = Refusal::new(Code::DebtOverLimit, Outcome::Override);
        refusal.with("debt", Fen::new(1234)).with("max", Fen::new(1000));
        assert_eq!(refusal.text(Lang::Zh).message, "读者欠款12.34元,超过上限10.00元");
        assert_eq!(
            refusal.text(Lang::En).message,
            "The reader owes 12.34 yuan, the limit is 10.00 yuan"
        );
        let untold = Refusal::new(Code::CardExpired, Outcome::Blocked);
        assert_eq!(untold.text(Lang::En).message, "The card expired on —");
    }

    #[test]
    fn moments_are_shown_in_the_zone() {
        let at = DateTime::UNIX_EPOCH;
        assert_eq!(
            Value::moment(chrono_tz::Asia::Shanghai, at).to_string(),
            "1970-01-01 08:00"
        );
        for end in [DateTime::<Utc>::MIN_UTC, DateTime::<Utc>::MAX_UTC] {
            assert!(!Value::moment(chrono_tz::Asia::Shanghai, end).to_string().is_empty());
        }
    }
}
