//! The list itself: data. It is erased in this order.

use super::MemberKind::{Category, Moment, Plain, Unit as UnitKind, YesNo};
use super::{Erase, Held, Member, MemberKind, Shown, Unlink, credit_rows, machine_rows, people_rows};

pub(super) const fn member(name: &'static str, sql: &'static str, kind: MemberKind, zh: &'static str) -> Member {
    Member { name, sql, kind, zh }
}

/// A loan that was lost or came back late is kept while its reader owes anything.
const LOAN_ENDED: &str = "closed_at < {before} AND ((closed_how <> 'lost' AND closed_at <= due_at) \
    OR NOT EXISTS (SELECT 1 FROM readers d WHERE d.id = loans.reader_id AND d.debt_fen > 0))";

/// A request is over when its holds are unlinked and its parcels ended long ago.
const REQUEST_ENDED: &str = "asked_at < {before} \
    AND NOT EXISTS (SELECT 1 FROM holds h WHERE h.delivery_request_id = delivery_requests.id AND h.reader_id IS NOT NULL) \
    AND NOT EXISTS (SELECT 1 FROM parcels p WHERE p.request_id = delivery_requests.id \
        AND (p.closed_at IS NULL OR p.closed_at >= {before}))";

/// Everything that is held on a reader.
pub const HELD: &[Held] = &[
    credit_rows::REASONS,
    credit_rows::APPEALS,
    credit_rows::REPORTS,
    credit_rows::OVERDUE,
    credit_rows::FREEZES,
    credit_rows::ENTRIES,
    credit_rows::ADMISSION_REPORTS,
    credit_rows::ADMISSION_REQUESTS,
    people_rows::NOTICE_LINES,
    people_rows::SENDINGS,
    people_rows::NOTICES,
    people_rows::CODES,
    people_rows::CONTACTS,
    people_rows::PREFERENCES,
    people_rows::APPLICATIONS,
    machine_rows::CONFLICTS,
    machine_rows::LOCKER_SESSIONS,
    Held {
        table: "loans",
        names: &["reader_id", "card_id"],
        zh: "借阅",
        en: "Loans",
        whose: "loans.reader_id = {reader}",
        shown: Shown::Rows {
            joins: "JOIN bibs b ON b.id = loans.bib_id JOIN items i ON i.id = loans.item_id",
            members: &[
                member("id", "loans.id", Plain, "编号"),
                member("title", "b.title", Plain, "题名"),
                member("item_barcode", "i.barcode", Plain, "条码"),
                member("unit_code", "loans.unit_id", UnitKind, "借出馆"),
                member("channel", "loans.channel", Plain, "渠道"),
                member("loaned_at", "loans.loaned_at", Moment, "借出时间"),
                member("due_at", "loans.due_at", Moment, "应还时间"),
                member("renewals", "loans.renewals", Plain, "续借次数"),
                member("closed_at", "loans.closed_at", Moment, "结束时间"),
                member("closed_how", "loans.closed_how", Plain, "结束方式"),
                member("age_band", "loans.age_band", Plain, "年龄段"),
            ],
        },
        unlink: Unlink::Forget {
            set: "reader_id = NULL, card_id = NULL",
            when: LOAN_ENDED,
        },
        erase: Erase::Set("reader_id = NULL, card_id = NULL"),
    },
    Held {
        table: "holds",
        names: &["reader_id"],
        zh: "预约",
        en: "Holds",
        whose: "holds.reader_id = {reader}",
        shown: Shown::Rows {
            joins: "JOIN bibs b ON b.id = holds.bib_id",
            members: &[
                member("id", "holds.id", Plain, "编号"),
                member("title", "b.title", Plain, "题名"),
                member("volume", "holds.volume", Plain, "卷册"),
                member("pickup_unit_code", "holds.pickup_unit_id", UnitKind, "取书点"),
                member("placed_at", "holds.placed_at", Moment, "预约时间"),
                member("suspended", "holds.suspended", YesNo, "暂停"),
                member("not_before", "holds.not_before", Plain, "不早于"),
                member("wanted_until", "holds.wanted_until", Plain, "有效期至"),
                member("shelf_until", "holds.shelf_until", Plain, "保留至"),
                member("closed_at", "holds.closed_at", Moment, "结束时间"),
                member("closed_how", "holds.closed_how", Plain, "结束方式"),
            ],
        },
        unlink: Unlink::Forget {
            set: "reader_id = NULL",
            when: "closed_at < {before}",
        },
        erase: Erase::Set("reader_id = NULL"),
    },
    Held {
        table: "delivery_addresses",
        names: &[],
        zh: "寄送地址",
        en: "Delivery addresses",
        whose: "delivery_addresses.request_id IN (SELECT r.id FROM delivery_requests r WHERE r.reader_id = {reader})",
        shown: Shown::Rows {
            joins: "",
            members: &[
                member("request_id", "delivery_addresses.request_id", Plain, "申请编号"),
                member("name", "delivery_addresses.name", Plain, "收件人"),
                member("phone", "delivery_addresses.phone", Plain, "电话"),
                member("region", "delivery_addresses.region", Plain, "地区"),
                member("street", "delivery_addresses.street", Plain, "街道"),
            ],
        },
        // The job `address_erasure` erases them 30 days after the request ended.
        unlink: Unlink::Not,
        erase: Erase::Delete,
    },
    Held {
        table: "delivery_requests",
        names: &["reader_id"],
        zh: "送书与寄还申请",
        en: "Delivery and return requests",
        whose: "delivery_requests.reader_id = {reader}",
        shown: Shown::Rows {
            joins: "",
            members: &[
                member("id", "delivery_requests.id", Plain, "编号"),
                member("delivery", "delivery_requests.delivery", Plain, "方式"),
                member("unit_code", "delivery_requests.unit_id", UnitKind, "馆点"),
                member("asked_at", "delivery_requests.asked_at", Moment, "申请时间"),
            ],
        },
        unlink: Unlink::Forget {
            set: "reader_id = NULL",
            when: REQUEST_ENDED,
        },
        erase: Erase::Set("reader_id = NULL"),
    },
    Held {
        table: "event_personal",
        names: &["reader_id"],
        zh: "操作记录",
        en: "Records of what was done",
        whose: "event_personal.reader_id = {reader} \
            AND event_personal.seq IN (SELECT r.seq FROM reader_events r WHERE r.reader_id = {reader})",
        shown: Shown::Rows {
            joins: "JOIN events e ON e.seq = event_personal.seq LEFT JOIN bibs b ON b.id = e.bib_id",
            members: &[
                member("at", "e.at", Moment, "时间"),
                member("kind", "e.kind", Plain, "事项"),
                member("unit_code", "e.unit_id", UnitKind, "馆点"),
                member("channel", "e.channel", Plain, "渠道"),
                member("title", "b.title", Plain, "题名"),
                member("age_band", "e.age_band", Plain, "年龄段"),
                member("words", "event_personal.data", Plain, "备注"),
            ],
        },
        unlink: Unlink::Events,
        erase: Erase::Events,
    },
    Held {
        table: "reader_events",
        names: &["reader_id"],
        zh: "操作记录目录",
        en: "List of those records",
        whose: "reader_events.reader_id = {reader}",
        shown: Shown::Not {
            zh: "仅为上列操作记录的目录",
            en: "It only says where the records above are",
        },
        unlink: Unlink::Events,
        erase: Erase::Events,
    },
    Held {
        table: "idempotency_keys",
        names: &["reader_id"],
        zh: "重复请求的应答",
        en: "Answers to calls that may be repeated",
        whose: "idempotency_keys.reader_id = {reader}",
        shown: Shown::Not {
            zh: "内容与以上各项相同,数日后自动删除",
            en: "They repeat what stands above, and go after a few days",
        },
        unlink: Unlink::Not,
        erase: Erase::Delete,
    },
    Held {
        table: "refresh_tokens",
        names: &[],
        zh: "登录会话",
        en: "Sessions",
        whose: "refresh_tokens.audience = 'reader' AND refresh_tokens.subject_id = {reader}",
        shown: Shown::Rows {
            joins: "",
            members: &[
                member("session_id", "refresh_tokens.family", Plain, "会话"),
                member("issued_at", "refresh_tokens.issued_at", Moment, "签发时间"),
                member("expires_at", "refresh_tokens.expires_at", Moment, "失效时间"),
                member("revoked_at", "refresh_tokens.revoked_at", Moment, "注销时间"),
            ],
        },
        unlink: Unlink::Not,
        erase: Erase::Delete,
    },
    Held {
        table: "reset_codes",
        names: &[],
        zh: "重设密码的验证码",
        en: "Codes to set another PIN",
        whose: "reset_codes.audience = 'reader' AND reset_codes.subject_id = {reader}",
        shown: Shown::Rows {
            joins: "",
            members: &[
                member("made_at", "reset_codes.made_at", Moment, "生成时间"),
                member("expires_at", "reset_codes.expires_at", Moment, "失效时间"),
                member("attempts", "reset_codes.attempts", Plain, "尝试次数"),
            ],
        },
        unlink: Unlink::Not,
        erase: Erase::Delete,
    },
    Held {
        table: "import_rows",
        names: &[],
        zh: "从旧系统转入的记录",
        en: "Rows brought in from another system",
        whose: "import_rows.subject_id = {reader} \
            AND import_rows.batch_id IN (SELECT b.id FROM import_batches b WHERE b.kind = 'readers')",
        shown: Shown::Rows {
            joins: "JOIN import_batches t ON t.id = import_rows.batch_id",
            members: &[
                member("imported_at", "t.created_at", Moment, "转入时间"),
                member("old_id", "import_rows.old_id", Plain, "旧编号"),
            ],
        },
        unlink: Unlink::Not,
        erase: Erase::Set("old_id = NULL"),
    },
    Held {
        table: "reader_consents",
        names: &["reader_id"],
        zh: "授权同意",
        en: "Consents",
        whose: "reader_consents.reader_id = {reader}",
        shown: Shown::Rows {
            joins: "",
            members: &[
                member("kind", "reader_consents.kind", Plain, "事项"),
                member("text_version", "reader_consents.text_version", Plain, "文本版本"),
                member("given_at", "reader_consents.given_at", Moment, "同意时间"),
                member("withdrawn_at", "reader_consents.withdrawn_at", Moment, "撤回时间"),
            ],
        },
        unlink: Unlink::Not,
        erase: Erase::Delete,
    },
    Held {
        table: "reader_accesses",
        names: &["reader_id"],
        zh: "查阅记录",
        en: "Who looked",
        whose: "reader_accesses.reader_id = {reader}",
        shown: Shown::Rows {
            joins: "LEFT JOIN staff s ON s.id = reader_accesses.staff_id",
            members: &[
                member("at", "reader_accesses.at", Moment, "时间"),
                member("what", "reader_accesses.what", Plain, "内容"),
                member("unit_code", "reader_accesses.unit_id", UnitKind, "馆点"),
                member("staff_name", "s.name", Plain, "工作人员"),
                member("reason", "reader_accesses.reason", Plain, "理由"),
            ],
        },
        unlink: Unlink::Not,
        erase: Erase::Delete,
    },
    Held {
        table: "legacy_deposits",
        names: &["reader_id"],
        zh: "押金",
        en: "Deposits of money",
        whose: "legacy_deposits.reader_id = {reader}",
        shown: Shown::Rows {
            joins: "",
            members: &[
                member("amount_fen", "legacy_deposits.amount_fen", Plain, "金额(分)"),
                member("unit_code", "legacy_deposits.owner_unit_id", UnitKind, "收取馆"),
                member("paid_on", "legacy_deposits.paid_on", Plain, "收取日期"),
                member("receipt", "legacy_deposits.receipt", Plain, "收据"),
            ],
        },
        unlink: Unlink::Not,
        erase: Erase::Never,
    },
    people_rows::IDENTITIES,
    people_rows::GUARDIANSHIPS,
    people_rows::MERGES,
    people_rows::CARD_SESSIONS,
    people_rows::CARD_REVOCATIONS,
    Held {
        table: "cards",
        names: &["reader_id"],
        zh: "读者证",
        en: "Cards",
        whose: "cards.reader_id = {reader}",
        shown: Shown::Rows {
            joins: "",
            members: &[
                member("number", "coalesce(cards.shown, cards.number)", Plain, "证号"),
                member("kind", "cards.kind", Plain, "种类"),
                member("status", "cards.status", Plain, "状态"),
                member("expires_on", "cards.expires_on", Plain, "有效期至"),
                member("issuer", "cards.issuer", Plain, "发证机构"),
                member("holder_name", "cards.holder_name", Plain, "使用人"),
                member("issued_at", "cards.issued_at", Moment, "发证时间"),
                member("ended_at", "cards.ended_at", Moment, "结束时间"),
            ],
        },
        unlink: Unlink::Not,
        erase: Erase::Set(
            "number = 'erased ' || id, shown = NULL, key_id = NULL, status = 'cancelled', expires_on = NULL, replaced_by = NULL, \
             holder_name = NULL",
        ),
    },
    Held {
        table: "readers",
        names: &["merged_into"],
        zh: "读者档案",
        en: "The record",
        whose: "readers.id = {reader}",
        shown: Shown::Rows {
            joins: "",
            members: &[
                member("id", "readers.id", Plain, "编号"),
                member("name", "readers.name", Plain, "姓名"),
                member("birth_date", "readers.birth_date", Plain, "出生日期"),
                member("category", "readers.category_id", Category, "类型"),
                member("home_unit_code", "readers.home_unit_id", UnitKind, "所属馆"),
                member("status", "readers.status", Plain, "状态"),
                member("barred", "readers.barred", YesNo, "禁借"),
                member("block_reason", "readers.block_reason", Plain, "停借原因"),
                member("block_until", "readers.block_until", Moment, "停借至"),
                member("note", "readers.note", Plain, "馆员备注"),
                member("has_pin", "readers.pin_hash IS NOT NULL", YesNo, "已设密码"),
                member("credit_band", "readers.credit_band", Plain, "信用等级"),
                member("credit_balance", "readers.credit_balance", Plain, "信用分"),
                member("admitted_by", "readers.admitted_by", Plain, "免押金依据"),
                member("debt_fen", "readers.debt_fen", Plain, "欠款(分)"),
                member("registered_at", "readers.created_at", Moment, "注册时间"),
            ],
        },
        unlink: Unlink::Not,
        erase: Erase::Set(
            "name = '', birth_date = NULL, status = 'inactive', barred = FALSE, block_reason = NULL, block_until = NULL, \
             note = NULL, pin_hash = NULL, open_holds = 0, credit_balance = 0, credit_entries = 0, admitted_by = NULL, erased_at = {now}",
        ),
    },
];
