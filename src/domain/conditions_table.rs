//! Conditions that are not refusals of the present rules. Data, not logic; printed into docs/CIRCULATION.md.

use super::conditions::{ByItself, Pending};
use super::refusal::Outcome::{self, Blocked as B, Confirm as C, Info as I, Override as O};
use super::refusal::Verb::{self, CheckIn, CheckOut, PlaceHold, Renew, VoidLoan};

const fn pending(
    code: &'static str,
    at: &'static [Verb],
    outcome: Outcome,
    waits_for: &'static str,
    zh: [&'static str; 2],
    en: [&'static str; 2],
) -> Pending {
    Pending {
        code,
        at,
        outcome,
        waits_for,
        zh,
        en,
    }
}

/// What waits for a later part.
#[rustfmt::skip]
pub static PENDING: &[Pending] = &[
    pending("compensation_unsettled", &[CheckOut, Renew], B, "money",
        ["读者有未结清的赔偿", "请先到服务台结清赔偿"], ["The reader has a compensation to settle", "Settle it at a desk first"]),
    pending("deposit_short", &[CheckOut], B, "money",
        ["押金不足,尚差{short}元", "请先补缴押金"], ["The deposit is {short} yuan short", "Pay the difference first"]),
    pending("ward_debt", &[CheckOut, PlaceHold], O, "money",
        ["被监护人欠款{debt}元", "请先缴清欠款"], ["A ward of the reader owes {debt} yuan", "Please pay first"]),
    pending("too_many_lost", &[CheckOut, PlaceHold], O, "money",
        ["读者有{count}册丢失未结,上限为{max}册", "请先办理赔偿"],
        ["{count} lost items are not settled, the limit is {max}", "Settle them first"]),
    pending("fee_due", &[CheckOut, PlaceHold], C, "money",
        ["办理须收费{fee}元", "请确认后收取"], ["A fee of {fee} yuan falls due", "Confirm and take it"]),
    pending("deposit_due", &[CheckOut], C, "money",
        ["此文献须收押金{deposit}元", "请确认后收取"], ["A deposit of {deposit} yuan falls due", "Confirm and take it"]),
    pending("deposit_refund", &[CheckIn], C, "money",
        ["应退押金{deposit}元", "请确认后退还"], ["A deposit of {deposit} yuan is to be refunded", "Confirm and pay it out"]),
    pending("other_charges", &[CheckOut], I, "money",
        ["读者另有费用{debt}元", "请提醒读者"], ["The reader has other charges of {debt} yuan", "Remind the reader"]),
    pending("contact_invalid", &[CheckOut, PlaceHold], O, "notices",
        ["读者的联系方式无效", "请更新联系方式"], ["The reader's address or contact is not valid", "Have it corrected"]),
    pending("rfid_count_differs", &[CheckOut], C, "machines",
        ["RFID识别到{found}册,应为{asked}册", "请核对后确认"],
        ["{found} items are sensed, {asked} were asked for", "Look at them, then confirm"]),
    pending("accepted_despite", &[CheckOut], I, "offline acts",
        ["离线借出已发生,原应拒绝:{codes}", "请馆员跟进"],
        ["It went out offline; it would have been refused: {codes}", "Staff follow it up"]),
];

/// What happens by itself.
#[rustfmt::skip]
pub static BY_ITSELF: &[ByItself] = &[
    ByItself { name: "replayed", at: &[CheckOut, CheckIn, Renew, PlaceHold, VoidLoan], zh: "相同幂等键返回同一结果", en: "The same idempotency key gets the same answer", seen_in: "`Idempotency-Replayed`" },
    ByItself { name: "local_use", at: &[CheckOut, CheckIn], zh: "仅限阅览的读者,或未外借文献的扫描,计为馆内使用", en: "A reading-only reader, or a scan of what is not on loan, counts as use in the unit", seen_in: "`local_use`" },
    ByItself { name: "own_hold_filled", at: &[CheckOut], zh: "满足读者本人的预约", en: "The reader's own hold is filled", seen_in: "event `hold_filled`" },
    ByItself { name: "transit_completed", at: &[CheckOut, CheckIn], zh: "到达的运送自动完成", en: "A journey that arrived is completed", seen_in: "event `transit_received`" },
    ByItself { name: "high_demand", at: &[CheckOut], zh: "预约人多时缩短借期", en: "High demand shortens the loan", seen_in: "`loan_shortened`" },
    ByItself { name: "due_capped_by_card", at: &[CheckOut, Renew], zh: "应还日不超过读者证有效期", en: "The due date is capped by the card's end", seen_in: "`card_expires_before_due`" },
    ByItself { name: "due_capped_by_term", at: &[CheckOut, Renew], zh: "应还日不超过固定借期的截止日", en: "The due date is capped by the end of a fixed term", seen_in: "`due_at`" },
    ByItself { name: "due_on_open_day", at: &[CheckOut, Renew], zh: "应还日顺延至借出馆的开放日", en: "The due date moves to the next open day of the lending unit", seen_in: "`due_at`" },
    ByItself { name: "no_calendar_is_open", at: &[CheckOut, Renew], zh: "未设日历视为开放", en: "No calendar counts as open, never as a failure", seen_in: "`due_at`" },
    ByItself { name: "void_is_not_return", at: &[VoidLoan], zh: "撤销借出不等于归还:不满足预约,不计统计", en: "A void fills no hold, and the statistics take the loan back", seen_in: "event `loan_voided`" },
    ByItself { name: "true_return_time", at: &[CheckIn], zh: "按实际归还时间结束借阅;声明已还而在馆找到的,按声明时间", en: "The loan ends at the true time of return; one claimed returned and found ends as of the claim", seen_in: "`closed_loan.returned_at`" },
    ByItself { name: "taken_into_custody", at: &[CheckIn], zh: "无人值守处从不拒收", en: "Unattended, nothing is refused: what staff must see goes to the exceptions", seen_in: "`next_step.exception`" },
    ByItself { name: "found_again", at: &[CheckIn], zh: "下落不明或丢失的文献被扫描到", en: "A missing or lost item was scanned", seen_in: "event `item_found`" },
    ByItself { name: "hold_captured", at: &[CheckIn], zh: "为下一位预约读者留书,分配预约架号,或运往取书点", en: "It is captured for the next hold it may fill: a numbered place, or the crate to the pickup unit", seen_in: "`next_step`" },
    ByItself { name: "routed", at: &[CheckIn], zh: "按馆藏的归还政策上架、流动或送回", en: "The collection's return policy routes it: shelf, float or home", seen_in: "`next_step`" },
    ByItself { name: "reading_room_use", at: &[CheckOut], zh: "按规则允许时,阅览室文献当日取阅,当日归还", en: "A copy for the reading room is handed out for use there where the rules say so, due the same day", seen_in: "`loan.reading_room`" },
    ByItself { name: "recall_ended", at: &[Renew], zh: "馆员越过催还续借后,催还结束", en: "A recall that staff passed over ends", seen_in: "`recalled_at`" },
    ByItself { name: "auto_renewed", at: &[Renew], zh: "到期前按规则自动续借;不能续借的,记录原因", en: "Before it is due a loan is renewed by itself where the rules say so; why not is kept", seen_in: "`auto_renewals`, `auto_renewal_refusals`; events `loan_renewed` (`system`), `loan_not_renewed`" },
    ByItself { name: "recalled_for_holds", at: &[PlaceHold], zh: "无书可取的预约达到规则人数时催还借出的复本", en: "From as many holds on as the rules say that no copy serves, loans are called back", seen_in: "event `loan_recalled` (`system`)" },
];

/// What is answered before the rules are asked: condition, problem.
pub static BEFORE_THE_RULES: &[(&str, &str)] = &[
    (
        "the unit or device is unknown, or the device's session has ended",
        "401 `unauthenticated`",
    ),
    ("the caller lacks the right here", "403 `forbidden`"),
    (
        "the item or the card is unknown",
        "422 `invalid_fields`, every wrong field at once",
    ),
    (
        "the barcode means items of several owners",
        "409 `ambiguous_barcode`, which lists them",
    ),
    (
        "no row of the rules matches",
        "never: rules without a fallback are not saved",
    ),
    (
        "somebody else lent it in the same moment",
        "409 `conflict`; nothing is lost",
    ),
    (
        "overrides or confirmations for another case",
        "409 `consent_required`, `consent_expired`, `consent_does_not_fit`",
    ),
    (
        "the item or loan is in a state that excludes the act",
        "409 `wrong_state`; see the tables of lives above",
    ),
];
