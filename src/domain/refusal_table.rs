//! The table of refusals: one row per code. Data, not logic; the meaning of the columns is in `refusal`.
//!
//! Each row: code, usual outcome (B blocked, O override, C confirm, I information), where it weighs differently,
//! then Chinese message and remedy, English message and remedy. `{name}` is filled with the parameter of that name.

use serde::{Deserialize, Serialize};

use super::refusal::{Outcome, Row, Texts, Verb};
use Outcome::{Blocked as B, Confirm as C, Info as I, Override as O};
use Verb::{CheckIn, PlaceHold, Renew};

macro_rules! codes {
    ($($variant:ident = $code:literal: $outcome:ident $([$($verb:ident: $there:ident),+])? $(unstaffed $un:ident)?,
        $zh:literal, $zh_remedy:literal,
        $en:literal, $en_remedy:literal;)*) => {
        /// The stable code of a refusal.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
        pub enum Code {$(
            #[doc = $en]
            #[serde(rename = $code)]
            $variant
        ),*}

        impl Code {
            /// Every code, in the order of the table.
            pub const ALL: &'static [Self] = &[$(Self::$variant),*];

            /// The word used in the API, in overrides and in the docs.
            pub const fn code(self) -> &'static str {
                match self { $(Self::$variant => $code),* }
            }

            /// Reads the word back; `None` for a word this version does not know.
            pub fn from_code(code: &str) -> Option<Self> {
                Self::ALL.iter().copied().find(|one| one.code() == code)
            }

            /// The declared row.
            pub(super) const fn row(self) -> Row {
                match self {$(
                    Self::$variant => {
                        let row = row($outcome, [$zh, $zh_remedy], [$en, $en_remedy]);
                        $($(let row = at(row, $verb, $there);)+)?
                        $(let row = unstaffed(row, $un);)?
                        row
                    }
                )*}
            }
        }
    };
}

const fn row(outcome: Outcome, zh: [&'static str; 2], en: [&'static str; 2]) -> Row {
    Row {
        outcome,
        at: [None, None],
        unstaffed: None,
        zh: Texts {
            message: zh[0],
            remedy: zh[1],
        },
        en: Texts {
            message: en[0],
            remedy: en[1],
        },
    }
}

const fn at(row: Row, verb: Verb, outcome: Outcome) -> Row {
    let at = match row.at[0] {
        None => [Some((verb, outcome)), None],
        first => [first, Some((verb, outcome))],
    };
    Row { at, ..row }
}

const fn unstaffed(row: Row, outcome: Outcome) -> Row {
    Row {
        unstaffed: Some(outcome),
        ..row
    }
}

codes! {
    // Context
    UnitUnknown = "unit_unknown": B,
        "系统中没有编号为{unit}的馆点", "请联系系统管理员检查馆点设置",
        "There is no unit {unit}", "Ask the administrator to check the units";
    UnitInactive = "unit_inactive": B,
        "{unit}已停用", "请到其他馆点办理",
        "{unit} is not in service", "Please go to another unit";
    UnitDoesNotLend = "unit_does_not_lend": B,
        "{unit}不提供外借服务", "请到其他馆点办理外借",
        "{unit} does not lend", "Please borrow at another unit";
    CategoryUnknown = "category_unknown": B,
        "读者类型{category}未定义", "请联系系统管理员检查读者类型设置",
        "Reader category {category} is not defined", "Ask the administrator to check the categories";
    ItemTypeUnknown = "item_type_unknown": B,
        "文献类型{item_type}未定义", "请联系系统管理员检查文献类型设置",
        "Item type {item_type} is not defined", "Ask the administrator to check the item types";
    OlderThanLastEvent = "older_than_last_event": B,
        "此操作的时间早于该册的上一条记录({last_event_at})", "已转工作人员核对",
        "This act is dated before the item's last event ({last_event_at})", "Staff will sort it out";
    DueWithoutRight = "due_without_right": B,
        "您无权手工设定应还日期", "请去掉手工日期,或由有权限的馆员办理",
        "You may not set a due date by hand", "Leave the date out, or ask a colleague with the right";
    DueInPast = "due_in_past": C,
        "手工设定的应还时间{due_at}已过", "请确认或改正日期",
        "The due date given, {due_at}, is in the past", "Confirm it or correct the date";

    // Reader and card
    ReaderInactive = "reader_inactive": B,
        "读者账户已注销或未启用", "请到服务台重新启用账户",
        "The reader's account is not active", "Have it activated at a desk";
    ReaderSuspended = "reader_suspended": B [CheckIn: I],
        "读者账户已暂停", "请到服务台了解原因",
        "The reader's account is suspended", "Ask at a desk";
    CardLost = "card_lost": B,
        "此读者证已挂失", "请到服务台解除挂失或补办",
        "This card was reported lost", "Have it released or replaced at a desk";
    CardReplaced = "card_replaced": B,
        "此读者证已换新", "请使用新的读者证",
        "This card was replaced", "Please use the new card";
    CardCancelled = "card_cancelled": B,
        "此读者证已注销", "请使用其他有效证件",
        "This card was cancelled", "Please use another valid card";
    CardNotIssued = "card_not_issued": B,
        "此读者证尚未发放", "请到服务台领取",
        "This card was applied for and is not handed out yet", "Fetch it at a desk";
    CardExpired = "card_expired": B [PlaceHold: O],
        "读者证已于{expires_on}到期", "请到服务台或网上办理延期",
        "The card expired on {expires_on}", "Have it extended at a desk or online";
    AdultOnlyUnit = "adult_only_unit": B,
        "{unit}只面向成年读者,少儿证不能在此办理", "请到少儿馆或其他馆点办理",
        "{unit} serves adults only; a child's card cannot be used here", "Please go to a unit with a children's service";
    NotForChildren = "not_for_children": B,
        "少儿证不能借阅此文献", "请选择少儿文献,或由监护人用本人的证借阅",
        "A child's card cannot borrow this item", "Choose an item for children, or let the guardian borrow it";
    Barred = "barred": O [PlaceHold: B],
        "读者已被停止借阅", "请到服务台了解原因",
        "The reader is barred from borrowing", "Ask at a desk";
    ManualBlock = "manual_block": O,
        "读者被限制借阅:{reason}(至{until})", "请到服务台处理",
        "The reader is blocked: {reason} (until {until})", "Settle it at a desk";
    CreditFrozen = "credit_frozen": O,
        "信用积分已冻结", "积分恢复后即可借阅,也可参加志愿服务恢复积分",
        "Credit is frozen", "Borrowing resumes when it is thawed; volunteer work helps";
    HasDebt = "has_debt": C,
        "读者尚欠{debt}元", "请提醒读者缴清欠款",
        "The reader owes {debt} yuan", "Remind the reader to pay";
    DebtOverLimit = "debt_over_limit": O,
        "读者欠款{debt}元,超过上限{max}元", "请先缴清欠款",
        "The reader owes {debt} yuan, the limit is {max} yuan", "Please pay first";
    OverdueItems = "overdue_items": O,
        "读者有{count}册逾期未还", "请先归还逾期文献",
        "The reader has {count} overdue items", "Return the overdue items first";
    TooManyOverdue = "too_many_overdue": O,
        "读者有{count}册逾期未还,超过上限{max}册", "请先归还逾期文献",
        "The reader has {count} overdue items, the limit is {max}", "Return overdue items first";
    BelowAge = "below_age": O [PlaceHold: B],
        "此文献限{min_age}岁以上读者借阅", "请选择其他文献",
        "This item is for readers from {min_age} years on", "Please choose another item";
    AgeUnknown = "age_unknown": O [PlaceHold: B],
        "此文献限{min_age}岁以上读者借阅,而读者的出生日期未登记", "请到服务台登记出生日期",
        "This item is for readers from {min_age} years on, and the reader's birth date is not recorded",
        "Have the birth date recorded at a desk";
    OwnerNotForReader = "owner_not_for_reader": B,
        "读者所属馆未加入通借,不能借阅{owner}的此类文献", "请到{owner}办理读者证,或选择本馆文献",
        "The reader's home unit has not joined: items of {owner} of this type cannot be borrowed",
        "Register at {owner}, or choose items of the home unit";
    ReaderNote = "reader_note": I,
        "读者备注:{note}", "请知悉",
        "Note on the reader: {note}", "For information";
    CategoryOutgrown = "category_outgrown": I,
        "读者年龄已不符合类型{category}", "请为读者变更类型",
        "The reader's age no longer fits the category {category}", "Change the reader's category";
    CardExpiresBeforeDue = "card_expires_before_due": I,
        "读者证将于{expires_on}到期,应还日期已相应提前", "延期后可续借",
        "The card expires on {expires_on}; the due date was brought forward", "Renew the loan after extending the card";
    EntryGate = "entry_gate": O,
        "读者尚未通过{provider}的免押金核验", "请在读者门户申请核验,或到服务台办理",
        "{provider} has not yet said that the reader may borrow without a deposit", "Ask for it in the portal, or at a desk";
    EntryDeposit = "entry_deposit": O,
        "借阅须先交押金{deposit}元", "请到服务台办理",
        "A deposit of {deposit} yuan is needed before the first loan", "Pay it at a desk";
    GuardianConsentMissing = "guardian_consent_missing": O,
        "未满14周岁读者的监护人同意书尚未登记", "请监护人到服务台办理监护关联并登记同意书",
        "No guardian's consent is on record for a reader under 14", "Have a guardian linked at a desk, with the signed consent";
    ProxyNotLinked = "proxy_not_linked": B,
        "出示读者证者不是该读者的可代办监护人", "请出示该读者本人的证,或先到服务台办理监护关联",
        "Whoever shows the card is no guardian who may act for this reader",
        "Show the reader's own card, or have the guardian linked at a desk first";
    CardTokenInvalid = "card_token_invalid": B,
        "电子证二维码无效", "请在应用中重新打开电子证",
        "The e-card's code is not a genuine one", "Open the card in the app again";
    CardTokenExpired = "card_token_expired": B,
        "电子证二维码已过期", "请刷新二维码",
        "The e-card's code has expired", "Show a fresh code";
    CardTokenEarly = "card_token_early": B,
        "电子证二维码的时间在未来", "请刷新二维码;如再次出现,请报告管理员检查时钟",
        "The e-card's code is dated in the future", "Show a fresh code; if it happens again, have the clocks checked";
    CardTokenOtherUnit = "card_token_other_unit": B,
        "电子证二维码仅限其他馆点使用", "请在应用中选择本馆,刷新二维码",
        "The e-card's code is for another unit", "Choose this unit in the app and show a fresh code";
    CardTokenUsed = "card_token_used": B,
        "电子证二维码已在别处使用", "请刷新二维码",
        "The e-card's code was used elsewhere", "Show a fresh code";
    CardTokenRevoked = "card_token_revoked": B,
        "电子证已因手机挂失而作废", "请在新手机上登录后重新打开电子证",
        "The e-card's code was revoked, for the phone was reported lost", "Log in on the new phone and open the card again";

    // Limits
    LimitLoans = "limit_loans": O,
        "已借{count}册,上限为{max}册", "请先归还部分文献",
        "{count} items on loan, the limit is {max}", "Return something first";
    LimitItemType = "limit_item_type": O,
        "此类文献已借{count}册,上限为{max}册", "请先归还此类文献",
        "{count} items of this type on loan, the limit is {max}", "Return one of this type first";
    LimitOwner = "limit_owner": O,
        "该馆文献已借{count}册,上限为{max}册", "请先归还该馆文献",
        "{count} items of this owner on loan, the limit is {max}", "Return one of this owner first";
    LimitUnit = "limit_unit": O,
        "在本馆点已借{count}册,上限为{max}册", "请先归还在本馆点所借文献,或到其他馆点办理",
        "{count} items borrowed at this unit, the limit is {max}", "Return one of them, or borrow elsewhere";
    LimitChannel = "limit_channel": O,
        "通过此方式已借{count}册,上限为{max}册", "请到服务台办理",
        "{count} items borrowed this way, the limit is {max}", "Borrow at a desk";
    LimitSession = "limit_session": O,
        "本次自助操作已借{count}册,上限为{max}册", "请结束本次操作后重新开始,或到服务台办理",
        "{count} items borrowed in this session, the limit is {max}", "End the session and begin another, or borrow at a desk";
    LimitCreditBand = "limit_credit_band": O,
        "按当前信用等级最多可借{max}册,已借{count}册", "请先归还部分文献,或提升信用积分",
        "At the present credit band the limit is {max}, {count} on loan", "Return something, or earn credit";
    LimitIsZero = "limit_is_zero": C,
        "该读者类型不能外借此类文献", "请确认后办理,或在馆内阅览",
        "This category may not borrow items of this type", "Confirm, or read it in the unit";
    ReadingRoomLimit = "reading_room_limit": O,
        "馆内阅览已取{count}册,上限为{max}册", "请先归还",
        "{count} items are in use in the reading room, the limit is {max}", "Bring one back first";
    CopiesToHolds = "copies_to_holds": O,
        "另有{count}位读者在预约等候,流通复本仅{copies}册,低于规定比例", "请留给预约读者,或加入预约",
        "{count} readers wait for {copies} copies, which is below the ratio of the rules", "Keep it for those who wait, or place a hold";
    LimitHolds = "limit_holds": O,
        "已有{count}个预约,上限为{max}个", "请先取消不需要的预约",
        "{count} holds are open, the limit is {max}", "Cancel a hold that is no longer needed";
    LimitHoldsPerBib = "limit_holds_per_bib": O,
        "对同一种文献已有{count}个预约,上限为{max}个", "请先取消原有预约",
        "{count} holds on this bib are open, the limit is {max}", "Cancel the other hold first";
    LimitHoldsPerDay = "limit_holds_per_day": O,
        "今日已预约{count}次,上限为{max}次", "请明日再预约",
        "{count} holds were placed today, the limit is {max}", "Try again tomorrow";

    // Item
    ItemWithdrawn = "item_withdrawn": B [CheckIn: I],
        "该册已注销", "请将该册交编目人员",
        "The item is withdrawn", "Give it to the cataloguers";
    ItemDataFault = "item_data_fault": B [CheckIn: I],
        "该册的状态({status})与借还记录不一致", "已报告,请馆员核查该册",
        "The item's status ({status}) contradicts its records", "Reported; staff must check the item";
    StaysLocal = "stays_local": B,
        "此类文献不参加通借,只能在{owner}借阅", "请到{owner}借阅",
        "Items of this type do not leave {owner}", "Please borrow it at {owner}";
    OnLoanNotReturnableHere = "on_loan_not_returnable_here": B,
        "该册已借出,且不能在本馆归还", "请到{owner}办理",
        "The item is on loan and cannot be returned here", "Go to {owner}";
    ItemNotForLoan = "item_not_for_loan": O,
        "该册不外借", "请在馆内阅览,或选择其他复本",
        "This item is not for loan", "Read it in the unit, or choose another item";
    NotLendableByRule = "not_lendable_by_rule": O,
        "按规则此文献不能外借给该类读者", "请在馆内阅览",
        "By rule this item is not lent to this category", "Read it in the unit";
    ItemInProcessing = "item_in_processing": O,
        "该册正在加工", "请等待加工完成",
        "The item is in processing", "Wait until it is done";
    ItemDamaged = "item_damaged": O,
        "该册已破损", "请交馆员处理",
        "The item is damaged", "Give it to staff";
    ItemNeedsAttention = "item_needs_attention": O,
        "该册有待馆员核查", "请交馆员处理",
        "The item waits for staff to look at it", "Give it to staff";
    ItemLost = "item_lost": O,
        "该册登记为丢失", "请交馆员办理找回手续",
        "The item is recorded as lost", "Staff must record that it was found";
    ItemMissing = "item_missing": O,
        "该册登记为下落不明", "请交馆员办理找回手续",
        "The item is recorded as missing", "Staff must record that it was found";
    ItemClaimedReturned = "item_claimed_returned": O [Renew: B],
        "读者声称该册已还,尚未查实", "请先处理该声明",
        "A reader claims to have returned this item; the claim is open", "Settle the claim first";
    ItemAlert = "item_alert": O [CheckIn: C],
        "该册备注:{note}", "请阅读备注后办理",
        "Note on the item: {note}", "Read the note, then go on";
    ItemInTransit = "item_in_transit": C,
        "该册正在运往{to}", "请确认收到该册后办理",
        "The item is on its way to {to}", "Confirm that it is here";
    OnLoanToSameReader = "on_loan_to_same_reader": C,
        "该册已由该读者借出,应还时间{due_at}", "可办理续借;确认则先还后借",
        "The item is already on loan to this reader, due {due_at}", "Renew it; confirming returns it and lends it again";
    OnLoanToOther = "on_loan_to_other": C,
        "该册正被其他读者借出", "确认则先还后借",
        "The item is on loan to somebody else", "Confirming returns it first, then lends it";
    LoanUnconfirmed = "loan_unconfirmed": B,
        "上一次自助借出尚未确认", "请等待设备或馆员确认",
        "A loan at a machine is not confirmed yet", "Wait for the machine or staff";
    BibAlreadyOnLoan = "bib_already_on_loan": C [PlaceHold: O],
        "读者已借有同一种文献", "请确认是否仍要办理",
        "The reader has this bib on loan already", "Confirm that it is wanted";
    CountParts = "count_parts": C,
        "该册含{parts}个部件", "请清点后确认",
        "The item has {parts} parts", "Count them, then confirm";
    HeldOnShelfForOther = "held_on_shelf_for_other": O unstaffed B,
        "该册已为其他预约读者留在预约架", "请放回预约架{number}号",
        "The item waits on the hold shelf for another reader", "Put it back at number {number}";
    CapturedForOther = "captured_for_other": O unstaffed B,
        "该册已分配给其他预约读者", "请交馆员,将运往取书点",
        "The item is set aside for another reader's hold", "Give it to staff; it goes to its pickup unit";
    WantedByOthers = "wanted_by_others": O unstaffed B,
        "另有{count}位读者在预约等候", "请归还后由预约读者借阅",
        "{count} other readers wait for it", "Return it so that the next reader gets it";
    Recalled = "recalled": O unstaffed B,
        "该册已于{since}被催还,另有读者需要", "请按期归还,由需要者借阅",
        "The item was recalled on {since}: somebody else needs it", "Return it by its due date";
    OthersWaiting = "others_waiting": I,
        "另有{count}位读者在预约等候此文献", "请按时归还",
        "{count} other readers wait for this bib", "Please return it on time";
    LoanShortened = "loan_shortened": I,
        "因预约人数较多,借期缩短为{days}天", "请按时归还",
        "Because many wait, the loan is {days} days", "Please return it on time";
    ItemFoundElsewhere = "item_found_elsewhere": I,
        "该册登记在{unit}", "所在馆已更新",
        "The item was recorded at {unit}", "Its place was updated";
    OwnHoldElsewhere = "own_hold_elsewhere": I,
        "读者对此文献的预约已有另一册等候领取", "如不再需要,请取消该预约",
        "Another copy waits for this reader's hold on the bib", "Cancel the hold if it is no longer needed";
    ItemRestricted = "item_restricted": B,
        "该册为限制文献,不外借", "请向馆员申请在馆内查看",
        "The item is restricted: it is never handed out", "Ask staff to be shown it in the unit";
    ReadingRoomOnly = "reading_room_only": O [Renew: B],
        "该册仅供馆内阅览", "请在阅览室阅读,或选择其他复本",
        "The item is for the reading room only", "Read it in the unit, or choose another copy";
    PartOfBoundSet = "part_of_bound_set": B,
        "该册已装订入{host}", "请办理整册{host}",
        "The item is bound into {host}", "Use {host}, the whole volume";

    // Check-in
    NotReturnableHere = "not_returnable_here": B,
        "该册不能在此归还", "请到{home}归还",
        "The item cannot be returned here", "Please return it at {home}";
    ClaimUnresolved = "claim_unresolved": C,
        "读者声称该册已于{claimed_at}归还", "确认则按该时间归还;如系读者刚刚交来,请填写实际归还时间",
        "The reader says that it was given back on {claimed_at}",
        "Confirming closes the loan as of then; give the true time if the reader brought it only now";
    LostFound = "lost_found": O,
        "登记为丢失的文献已找到", "请办理找回手续",
        "An item recorded as lost has turned up", "Record that it was found";
    MissingFound = "missing_found": O,
        "下落不明的文献已找到", "请办理找回手续",
        "A missing item has turned up", "Record that it was found";
    NotOnLoan = "not_on_loan": B [CheckIn: I],
        "该册未被借出", "无需归还",
        "The item is not on loan", "Nothing to return";
    ReturnedOverdue = "returned_overdue": I,
        "逾期{days}个开馆日", "请告知读者",
        "Returned {days} open days late", "Tell the reader";
    AlreadyOnShelf = "already_on_shelf": I,
        "该册本应在此架上", "请放回书架",
        "The item belongs on this shelf already", "Put it back";
    HoldMatched = "hold_matched": I,
        "该册已满足一个预约,取书点为{pickup}", "请按提示放置",
        "The item goes to a hold, pickup at {pickup}", "Follow the next step";
    ReturnTimeAdjusted = "return_time_adjusted": I,
        "上报的归还时间不合理,已按{returned_at}记录", "请检查设备时钟",
        "The return time reported is impossible; {returned_at} was recorded", "Check the device's clock";
    TransitRepaired = "transit_repaired": I,
        "该册原应运往{to},现出现在此处", "运送记录已更正",
        "The item was on its way to {to} but turned up here", "Its journey was corrected";
    ScannedTwice = "scanned_twice": I,
        "该册刚刚扫描过", "无需重复操作",
        "The item was scanned a moment ago", "Nothing more to do";
    TransitFound = "transit_found": I,
        "运送途中下落不明的文献已找到", "请按提示放置",
        "An item that had gone missing on its way has turned up", "Follow the next step";
    RecallMatched = "recall_matched": I,
        "催还的文献已归还", "请优先交给需要的读者",
        "A recalled item has come back", "Let whoever needs it have it first";

    // Renewal
    LoanOfAnother = "loan_of_another": B,
        "该册由其他读者借出", "请核对读者证",
        "The item is on loan to somebody else", "Check the card";
    NotRenewable = "not_renewable": O,
        "按规则此文献不能续借", "请按期归还",
        "By rule this loan cannot be renewed", "Return it on time";
    RenewalLimit = "renewal_limit": O,
        "已续借{count}次,上限为{max}次", "请按期归还",
        "Renewed {count} times, the limit is {max}", "Return it on time";
    RenewalTooSoon = "renewal_too_soon": O,
        "未到可续借时间,最早{from}可续借", "请届时再试",
        "It is too soon to renew; from {from} on it is possible", "Try again then";
    LoanOverdue = "loan_overdue": O,
        "该册已逾期,应还时间为{due_at}", "请归还该册",
        "The loan is overdue since {due_at}", "Return the item";
    NotLater = "not_later": O,
        "续借后的应还时间{due_at}不晚于原应还时间", "请临近到期时再续借,或先延长读者证有效期",
        "The new due date {due_at} would not be later", "Renew nearer to the due date, or extend the card";
    OutsideFixedTerm = "outside_fixed_term": O,
        "固定借期于{until}截止", "请按期归还",
        "The fixed term ends on {until}", "Return it on time";

    // Holds
    PickupUnknown = "pickup_unknown": B,
        "取书点{unit}不存在", "请重新选择取书点",
        "There is no pickup unit {unit}", "Choose another pickup unit";
    NotAPickupPoint = "not_a_pickup_point": B,
        "{unit}不提供预约取书", "请重新选择取书点",
        "{unit} is not a pickup point", "Choose another pickup unit";
    HoldDatesInvalid = "hold_dates_invalid": B,
        "预约的起止日期无效", "请改正日期",
        "The dates of the hold are not valid", "Correct the dates";
    ItemNotOfBib = "item_not_of_bib": B,
        "所选复本不属于此文献", "请重新选择",
        "The chosen item is not of this bib", "Choose again";
    AlreadyHeld = "already_held": B,
        "您已预约了同一目标", "请等候通知",
        "There is a hold on the same target already", "Wait for the notice";
    BibAlreadyHeld = "bib_already_held": O,
        "您已对同一种文献有其他预约", "请先取消原有预约",
        "The reader has another hold on this bib", "Cancel that hold first";
    NotHoldable = "not_holdable": O,
        "按规则此文献不能预约", "请在馆内查找",
        "By rule this cannot be held", "Look for it in the unit";
    CopyOnShelfHere = "copy_on_shelf_here": O,
        "{unit}现有复本在架", "请直接到书架取书",
        "A copy stands on the shelf at {unit}", "Take it from the shelf";
    NoCopyCanFill = "no_copy_can_fill": O,
        "没有可满足此预约的复本", "请改选取书点或其他版本",
        "No copy can ever fill this hold", "Choose another pickup unit or edition";
    HoldKindNotAllowed = "hold_kind_not_allowed": B,
        "此文献不接受此类预约({kind})", "请改用其他预约方式:任一复本、某一卷册或指定复本",
        "Holds of this kind ({kind}) are not taken", "Ask for any copy, for a volume, or for one copy instead";
    HomeOnly = "home_only": O,
        "此文献仅限{home}的读者预约", "请到{home}借阅",
        "Only readers of {home} may hold it", "Borrow it at {home}";
    NewItemProtected = "new_item_protected": O,
        "新书在{until}前不接受外馆预约", "请届时再预约,或到该馆借阅",
        "It is new: until {until} it stays at its unit", "Try again then, or borrow it there";
    HoldNotOpen = "hold_not_open": B,
        "该预约不存在或已结束", "无需取消",
        "The hold does not exist or has ended", "Nothing to cancel";
    HoldOfAnother = "hold_of_another": B,
        "这不是您的预约", "请核对",
        "This is somebody else's hold", "Check the hold";
    HoldAlreadyCaptured = "hold_already_captured": B,
        "已有一册为此预约留出,不能暂停或调整次序", "可更改取书点,或取消预约",
        "A copy is set aside for this hold already", "Change its pickup unit, or cancel it";
    NotAPackingUnit = "not_a_packing_unit": B,
        "{unit}不办理图书寄送", "请选择办理寄送的馆点,或改为到馆取书",
        "{unit} does not pack parcels", "Choose a unit that packs, or pick up at a desk";
    DeliveryNotAllowed = "delivery_not_allowed": B,
        "按规则此文献不能以{delivery}方式送取", "请改选其他取书方式",
        "By rule this cannot be delivered by {delivery}", "Choose another way of delivery";
    HoldForDelivery = "hold_for_delivery": B,
        "该预约属于送书申请,不能单独更改取书点", "请取消该预约,再重新申请送书或预约",
        "The hold is a line of a delivery request and goes where the request says", "Cancel it and ask again";
    CompartmentUnfit = "compartment_unfit": B,
        "书柜没有合适的格口", "请选择其他取书点",
        "No compartment fits", "Choose another pickup unit";

    // Void
    VoidTooLate = "void_too_late": O,
        "借出已超过{minutes}分钟或已续借,不能撤销", "请办理归还",
        "More than {minutes} minutes have passed or the loan was renewed; it cannot be voided", "Check the item in";

    // Distribution
    NotTravelling = "not_travelling": B,
        "该册没有等待发出的运送任务", "请先在本馆扫描归还,按提示放置",
        "The item is not waiting to be sent anywhere", "Check it in here first; it says where the item goes";
    WaitsElsewhere = "waits_elsewhere": B,
        "该册登记在{unit}等待发出", "请先在本馆扫描归还,更正运送记录",
        "The item waits for a crate at {unit}, not here", "Check it in here first; that corrects its journey";
    PackedAlready = "packed_already": B,
        "该册已装入周转箱{label}", "请先从该箱取出",
        "The item lies in crate {label} already", "Take it out of that crate first";
    WrongCrate = "wrong_crate": B,
        "该册应运往{to},本箱运往{crate_to}", "请装入运往{to}的周转箱",
        "The item goes to {to}, this crate to {crate_to}", "Put it into a crate for {to}";
    CrateFull = "crate_full": B,
        "本箱已装满{max}册", "请关箱并另开一箱",
        "The crate holds {max} items already", "Close it and open another";
    CrateForElsewhere = "crate_for_elsewhere": C,
        "此周转箱应运往{to},不是{here}", "请核对;确认则在此交接,箱内文献将改道转运",
        "This crate goes to {to}, not to {here}", "Check the label; if confirmed, what is in it is redirected from here";
}
