//! Why a line of the ledger is there, in words for its reader.
//! Not for: codes, which stand beside the words.

use super::credit::{Cap, CreditEvent, EntryKind};

/// In Chinese and in English.
pub type Words = (String, String);

/// Why a line is there, and why less came of it than the rule says.
pub fn why(kind: EntryKind, event: Option<CreditEvent>, limited_by: &[Cap]) -> Words {
    let (zh, en) = match (kind, event) {
        (EntryKind::Rule, Some(event)) => of_event(event),
        (EntryKind::Reversal, Some(event)) => {
            let (zh, en) = of_event(event);
            return with_caps((format!("更正:{zh}"), format!("Taken back: {en}")), limited_by);
        }
        (EntryKind::Lapse, _) => ("扣分期满,予以恢复", "A deduction has ended by age"),
        (EntryKind::Opening, _) => ("初始积分", "The points everybody begins with"),
        (EntryKind::Rule | EntryKind::Staff, _) => ("工作人员调整", "Changed by staff"),
        (EntryKind::Reversal, None) => ("更正", "Taken back"),
        (EntryKind::Thaw, _) => ("解冻后恢复积分", "A freeze has ended"),
        (EntryKind::Merge, _) => ("合并读者记录", "Two records of the reader became one"),
    };
    with_caps((zh.to_owned(), en.to_owned()), limited_by)
}

const fn of_event(event: CreditEvent) -> (&'static str, &'static str) {
    match event {
        CreditEvent::Loan => ("借阅", "A loan"),
        CreditEvent::Renewal => ("续借", "A renewal"),
        CreditEvent::Overdue => ("逾期一天", "A day overdue"),
        CreditEvent::Damage => ("文献损坏", "An item was damaged"),
        CreditEvent::SeriousDamage => ("文献严重损坏", "An item was seriously damaged"),
        CreditEvent::Loss => ("文献遗失", "An item was lost"),
        CreditEvent::HoldNotCollected => ("预约未取", "A hold was not collected"),
        CreditEvent::ParcelRefused => ("拒收快递", "A parcel was refused"),
        CreditEvent::VolunteerHour => ("志愿服务", "Volunteer work"),
        CreditEvent::Attendance => ("参加活动", "An event was attended"),
        CreditEvent::NoShow => ("报名未到", "An event was booked and not attended"),
    }
}

fn with_caps((zh, en): Words, limited_by: &[Cap]) -> Words {
    let Some(cap) = limited_by.first() else { return (zh, en) };
    let (cap_zh, cap_en) = match cap {
        Cap::PerDay => ("已达每日上限", "the most of a day was reached"),
        Cap::PerMonth => ("已达每月上限", "the most of a month was reached"),
        Cap::PerItem => ("已达单件上限", "the most for one item was reached"),
        Cap::Floor => ("积分已到下限", "no balance is below the floor"),
        Cap::Ceiling => ("积分已到上限", "no balance is above the ceiling"),
    };
    (format!("{zh}({cap_zh})"), format!("{en} ({cap_en})"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_line_has_words_in_both_languages() {
        for kind in EntryKind::ALL {
            for event in CreditEvent::ALL.iter().copied().map(Some).chain([None]) {
                let (zh, en) = why(*kind, event, &[Cap::Floor]);
                assert!(zh.ends_with("(积分已到下限)") && en.ends_with(')'), "{zh} {en}");
            }
        }
    }
}
