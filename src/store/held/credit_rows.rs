//! Rows of the list about credit and admission. An erased reader's ledger goes as a whole; what unlinking takes is what a line was about.

use super::MemberKind::{Moment, Plain, YesNo};
use super::list::member;
use super::{Erase, Held, Shown, Unlink};

pub(super) const REASONS: Held = Held {
    table: "credit_reasons",
    names: &[],
    zh: "信用分记录事由",
    en: "What lines of credit are about",
    whose: "credit_reasons.entry_id IN (SELECT e.id FROM credit_entries e WHERE e.reader_id = {reader})",
    shown: Shown::Rows {
        joins: "",
        members: &[
            member("entry_id", "credit_reasons.entry_id", Plain, "记录编号"),
            member("loan_id", "credit_reasons.loan_id", Plain, "借阅编号"),
            member("hold_id", "credit_reasons.hold_id", Plain, "预约编号"),
            member("note", "credit_reasons.note", Plain, "馆员说明"),
        ],
    },
    unlink: Unlink::WithLoansAndHolds,
    erase: Erase::Delete,
};

pub(super) const APPEALS: Held = Held {
    table: "credit_appeals",
    names: &["reader_id"],
    zh: "信用分申诉",
    en: "Appeals",
    whose: "credit_appeals.reader_id = {reader}",
    shown: Shown::Rows {
        joins: "",
        members: &[
            member("made_at", "credit_appeals.made_at", Moment, "提出时间"),
            member("entry_id", "credit_appeals.entry_id", Plain, "记录编号"),
            member("reason", "credit_appeals.reason", Plain, "理由"),
            member("status", "credit_appeals.status", Plain, "状态"),
            member("decided_at", "credit_appeals.decided_at", Moment, "处理时间"),
            member("answer", "credit_appeals.answer", Plain, "答复"),
        ],
    },
    unlink: Unlink::Not,
    erase: Erase::Delete,
};

pub(super) const REPORTS: Held = Held {
    table: "credit_reports",
    names: &[],
    zh: "外部系统报送",
    en: "Reports of other systems",
    whose: "credit_reports.entry_id IN (SELECT e.id FROM credit_entries e WHERE e.reader_id = {reader})",
    shown: Shown::Rows {
        joins: "",
        members: &[
            member("reported_at", "credit_reports.reported_at", Moment, "报送时间"),
            member("source", "credit_reports.source", Plain, "来源"),
            member("report_id", "credit_reports.report_id", Plain, "报送编号"),
        ],
    },
    unlink: Unlink::Not,
    // It stays known that it was reported: nobody is credited twice.
    erase: Erase::Set("entry_id = NULL"),
};

pub(super) const OVERDUE: Held = Held {
    table: "credit_overdue",
    names: &[],
    zh: "逾期扣分",
    en: "Overdue days in credit",
    whose: "credit_overdue.loan_id IN (SELECT l.id FROM loans l WHERE l.reader_id = {reader})",
    shown: Shown::Rows {
        joins: "",
        members: &[
            member("loan_id", "credit_overdue.loan_id", Plain, "借阅编号"),
            member("days", "credit_overdue.days", Plain, "逾期天数"),
            member("points", "credit_overdue.points", Plain, "扣分"),
        ],
    },
    // It names the loan, and with the loan's reader it forgets its own.
    unlink: Unlink::Not,
    erase: Erase::Delete,
};

pub(super) const FREEZES: Held = Held {
    table: "credit_freezes",
    names: &["reader_id"],
    zh: "信用冻结",
    en: "Freezes",
    whose: "credit_freezes.reader_id = {reader}",
    shown: Shown::Rows {
        joins: "",
        members: &[
            member("started_at", "credit_freezes.started_at", Moment, "开始时间"),
            member("cause", "credit_freezes.cause", Plain, "原因"),
            member("until", "credit_freezes.until", Moment, "冻结至"),
            member("quiz", "credit_freezes.quiz", YesNo, "可答题解冻"),
            member("note", "credit_freezes.note", Plain, "馆员说明"),
            member("ended_at", "credit_freezes.ended_at", Moment, "解冻时间"),
            member("ended_by", "credit_freezes.ended_by", Plain, "解冻方式"),
        ],
    },
    unlink: Unlink::Not,
    erase: Erase::Delete,
};

pub(super) const ENTRIES: Held = Held {
    table: "credit_entries",
    names: &["reader_id"],
    zh: "信用分记录",
    en: "Lines of credit",
    whose: "credit_entries.reader_id = {reader}",
    shown: Shown::Rows {
        joins: "",
        members: &[
            member("number", "credit_entries.number", Plain, "序号"),
            member("id", "credit_entries.id", Plain, "编号"),
            member("posted_at", "credit_entries.posted_at", Moment, "记录时间"),
            member("kind", "credit_entries.kind", Plain, "种类"),
            member("event", "credit_entries.event", Plain, "事项"),
            member("points", "credit_entries.points", Plain, "分值"),
            member("balance", "credit_entries.balance", Plain, "余额"),
        ],
    },
    unlink: Unlink::Not,
    erase: Erase::Delete,
};

pub(super) const ADMISSION_REPORTS: Held = Held {
    table: "admission_reports",
    names: &[],
    zh: "信用机构答复",
    en: "Answers of providers",
    whose: "admission_reports.request_id IN (SELECT a.id FROM admission_requests a WHERE a.reader_id = {reader})",
    shown: Shown::Rows {
        joins: "",
        members: &[
            member("reported_at", "admission_reports.reported_at", Moment, "答复时间"),
            member("provider", "admission_reports.provider", Plain, "机构"),
            member("decision", "admission_reports.decision", Plain, "结论"),
        ],
    },
    unlink: Unlink::Not,
    erase: Erase::Delete,
};

pub(super) const ADMISSION_REQUESTS: Held = Held {
    table: "admission_requests",
    names: &["reader_id"],
    zh: "免押金核验",
    en: "Questions to providers",
    whose: "admission_requests.reader_id = {reader}",
    shown: Shown::Rows {
        joins: "",
        members: &[
            member("asked_at", "admission_requests.asked_at", Moment, "申请时间"),
            member("provider", "admission_requests.provider", Plain, "机构"),
            member("state", "admission_requests.state", Plain, "状态"),
            member("agreed_at", "admission_requests.agreed_at", Moment, "签约时间"),
            member("decided_at", "admission_requests.decided_at", Moment, "答复时间"),
            member("ended_at", "admission_requests.ended_at", Moment, "结束时间"),
        ],
    },
    unlink: Unlink::Not,
    erase: Erase::Delete,
};
