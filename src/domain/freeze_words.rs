//! Why a reader may not borrow for a while, and why they may again, in words for the reader.
//! Not for: codes, which stand beside the words.

/// Why a reader was frozen, in Chinese and in English; `None` for a code this version does not know.
///
/// ```
/// use tongjie::domain::freeze_words::why_frozen;
/// assert_eq!(why_frozen("staff").map(|words| words.1), Some("The library decided it"));
/// ```
pub fn why_frozen(cause: &str) -> Option<(&'static str, &'static str)> {
    Some(match cause {
        "floor" => ("信用积分已到下限", "Your credit points are used up"),
        "staff" => ("由图书馆决定", "The library decided it"),
        "overdue" => ("有逾期未还的文献", "An item is overdue"),
        _ => return None,
    })
}

/// Why a freeze has ended.
pub fn why_thawed(how: &str) -> Option<(&'static str, &'static str)> {
    Some(match how {
        "time" => ("暂停期已满", "The time is over"),
        "staff" => ("由图书馆决定", "The library decided it"),
        "work" => ("已完成志愿服务", "Volunteer work was done"),
        "quiz" => ("已通过测试", "A quiz was passed"),
        "reversal" => ("扣分已更正", "The deduction was taken back"),
        "loan" => ("逾期文献已归还", "The overdue item is back"),
        _ => return None,
    })
}
