//! What readers are told of: the kinds of notices, the channels they come by, and what a reader may wish.
//! Not for: when a notice is due (see `notice_time`), its words (see `letter`), or who has which address.

use super::event::EventKind;
use super::words::words;

words! {
    /// What a notice says.
    NoticeKind:
    DueSoon = "due_soon",
    Overdue1 = "overdue_1",
    Overdue2 = "overdue_2",
    Overdue3 = "overdue_3",
    HoldReady = "hold_ready",
    HoldExpiring = "hold_expiring",
    ParcelSent = "parcel_sent",
    CreditChanged = "credit_changed",
    Frozen = "frozen",
    Thawed = "thawed",
    CardExpiring = "card_expiring",
    VerificationCode = "verification_code";
}

words! {
    /// The way to a reader.
    SendChannel:
    Mail = "mail",
    Sms = "sms",
    Wechat = "wechat";
}

words! {
    /// The language of a notice.
    Language:
    Chinese = "zh-CN",
    English = "en";
}

/// What the lines of a notice name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Subject {
    Loan,
    Hold,
    Parcel,
    Card,
    /// A line of the ledger of credit.
    Entry,
    Freeze,
    /// A one-time code.
    Code,
}

impl NoticeKind {
    /// What its lines name.
    pub const fn subject(self) -> Subject {
        match self {
            Self::DueSoon | Self::Overdue1 | Self::Overdue2 | Self::Overdue3 => Subject::Loan,
            Self::HoldReady | Self::HoldExpiring => Subject::Hold,
            Self::ParcelSent => Subject::Parcel,
            Self::CreditChanged => Subject::Entry,
            Self::Frozen | Self::Thawed => Subject::Freeze,
            Self::CardExpiring => Subject::Card,
            Self::VerificationCode => Subject::Code,
        }
    }

    /// Goes at once, at any hour, and gathers nothing: somebody waits for it.
    pub const fn is_urgent(self) -> bool {
        matches!(self, Self::VerificationCode)
    }

    /// A reader may want none of it. What takes something from a reader, or costs, is told in any case.
    pub const fn may_be_declined(self) -> bool {
        match self {
            Self::DueSoon | Self::HoldExpiring | Self::ParcelSent | Self::CreditChanged | Self::CardExpiring => true,
            Self::Overdue1
            | Self::Overdue2
            | Self::Overdue3
            | Self::HoldReady
            | Self::Frozen
            | Self::Thawed
            | Self::VerificationCode => false,
        }
    }

    /// The notice that an event calls for.
    ///
    /// ```
    /// use tongjie::domain::event::EventKind;
    /// use tongjie::domain::notice::NoticeKind;
    /// assert_eq!(NoticeKind::of_event(EventKind::HoldReady), Some(NoticeKind::HoldReady));
    /// assert_eq!(NoticeKind::of_event(EventKind::LoanMade), None);
    /// ```
    pub const fn of_event(kind: EventKind) -> Option<Self> {
        match kind {
            EventKind::HoldReady => Some(Self::HoldReady),
            EventKind::ParcelDispatched => Some(Self::ParcelSent),
            EventKind::CreditPosted | EventKind::CreditReversed => Some(Self::CreditChanged),
            EventKind::ReaderFrozen => Some(Self::Frozen),
            EventKind::ReaderThawed => Some(Self::Thawed),
            _ => None,
        }
    }
}

/// What a reader wishes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wishes {
    pub language: Language,
    pub quiet: super::notice_time::Quiet,
    /// One message for many lines.
    pub gathers: bool,
    /// The channels of the kinds that differ from the default.
    pub channels: Vec<(NoticeKind, Vec<SendChannel>)>,
}

impl Default for Wishes {
    fn default() -> Self {
        Self {
            language: Language::Chinese,
            quiet: super::notice_time::Quiet::USUAL,
            gathers: true,
            channels: Vec::new(),
        }
    }
}

/// Why wishes cannot be kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum WishFault {
    /// It is told in any case.
    NotDeclined(NoticeKind),
    /// It goes where it was asked for.
    NotChosen(NoticeKind),
    /// Said twice.
    Twice(NoticeKind),
}

impl Wishes {
    /// # Errors
    /// The first wish that cannot be kept.
    pub fn check(&self) -> Result<(), WishFault> {
        for (at, (kind, channels)) in self.channels.iter().enumerate() {
            if kind.is_urgent() {
                return Err(WishFault::NotChosen(*kind));
            }
            if channels.is_empty() && !kind.may_be_declined() {
                return Err(WishFault::NotDeclined(*kind));
            }
            if self.channels[..at].iter().any(|(other, _)| other == kind) {
                return Err(WishFault::Twice(*kind));
            }
        }
        Ok(())
    }

    /// The channels a notice goes by to a reader who can be reached by `reachable`. What cannot be declined goes by some
    /// channel if there is any: the wished ones, else the first there is.
    pub fn channels_of(&self, kind: NoticeKind, reachable: &[SendChannel]) -> Vec<SendChannel> {
        let said = self.channels.iter().find(|(of, _)| *of == kind);
        let wished: &[SendChannel] = said.map_or(&[SendChannel::Mail], |(_, channels)| channels);
        let mut found: Vec<SendChannel> = Vec::new();
        for channel in wished {
            if reachable.contains(channel) && !found.contains(channel) {
                found.push(*channel);
            }
        }
        if found.is_empty() && !kind.may_be_declined() {
            let first = SendChannel::ALL.iter().find(|channel| reachable.contains(channel));
            found.extend(first);
        }
        found
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use SendChannel::{Mail, Sms, Wechat};

    fn wishing(kind: NoticeKind, channels: &[SendChannel]) -> Wishes {
        Wishes {
            channels: vec![(kind, channels.to_vec())],
            ..Wishes::default()
        }
    }

    #[test]
    fn words_are_read_back() {
        for kind in NoticeKind::ALL {
            assert_eq!(NoticeKind::from_code(kind.code()), Some(*kind));
        }
        for channel in SendChannel::ALL {
            assert_eq!(SendChannel::from_code(channel.code()), Some(*channel));
        }
        for language in Language::ALL {
            assert_eq!(Language::from_code(language.code()), Some(*language));
        }
    }

    #[test]
    fn mail_is_the_usual_way_and_only_where_it_reaches() {
        let usual = Wishes::default();
        assert_eq!(usual.channels_of(NoticeKind::DueSoon, &[Mail, Sms]), [Mail]);
        assert_eq!(usual.channels_of(NoticeKind::DueSoon, &[Sms]), []);
        assert_eq!(
            usual.channels_of(NoticeKind::Overdue1, &[Wechat, Sms]),
            [Sms],
            "it is told in any case"
        );
        assert_eq!(usual.channels_of(NoticeKind::Frozen, &[]), []);
    }

    #[test]
    fn a_wish_counts_for_its_kind_only() {
        let wishes = wishing(NoticeKind::HoldReady, &[Wechat, Sms, Sms]);
        assert_eq!(wishes.check(), Ok(()));
        let all = [Mail, Sms, Wechat];
        assert_eq!(wishes.channels_of(NoticeKind::HoldReady, &all), [Wechat, Sms]);
        assert_eq!(wishes.channels_of(NoticeKind::DueSoon, &all), [Mail]);
        assert_eq!(wishes.channels_of(NoticeKind::HoldReady, &[Mail]), [Mail]);
    }

    #[test]
    fn only_what_costs_nothing_may_be_declined() {
        for kind in NoticeKind::ALL {
            let declined = wishing(*kind, &[]);
            let expected = match (kind.is_urgent(), kind.may_be_declined()) {
                (true, _) => Err(WishFault::NotChosen(*kind)),
                (false, true) => Ok(()),
                (false, false) => Err(WishFault::NotDeclined(*kind)),
            };
            assert_eq!(declined.check(), expected);
            if expected.is_ok() {
                assert_eq!(declined.channels_of(*kind, &[Mail, Sms]), []);
            }
        }
        let mut twice = wishing(NoticeKind::DueSoon, &[Mail]);
        twice.channels.push((NoticeKind::DueSoon, vec![]));
        assert_eq!(twice.check(), Err(WishFault::Twice(NoticeKind::DueSoon)));
    }
}
