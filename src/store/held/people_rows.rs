//! Rows of the list about a reader as a person: numbers, guardians, merges, cards, addresses and notices.

use super::MemberKind::{Moment, Plain, Unit as UnitKind, YesNo};
use super::list::member;
use super::{Erase, Held, Shown, Unlink};

pub(super) const IDENTITIES: Held = Held {
    table: "reader_identities",
    names: &["reader_id"],
    zh: "证件",
    en: "ID numbers",
    whose: "reader_identities.reader_id = {reader}",
    shown: Shown::Rows {
        joins: "",
        members: &[
            member("kind", "reader_identities.kind", Plain, "种类"),
            member("tail", "reader_identities.tail", Plain, "末四位"),
            member("recorded_at", "reader_identities.created_at", Moment, "登记时间"),
        ],
    },
    unlink: Unlink::Not,
    erase: Erase::Delete,
};

/// Whoever was the other side keeps that there was a link, to a reader who is nobody now.
pub(super) const GUARDIANSHIPS: Held = Held {
    table: "guardianships",
    names: &["guardian_reader_id", "ward_reader_id"],
    zh: "监护关系",
    en: "Guardians and wards",
    whose: "(guardianships.guardian_reader_id = {reader} OR guardianships.ward_reader_id = {reader})",
    shown: Shown::Rows {
        joins: "",
        members: &[
            member(
                "guardian_reader_id",
                "guardianships.guardian_reader_id",
                Plain,
                "监护人编号",
            ),
            member("ward_reader_id", "guardianships.ward_reader_id", Plain, "被监护人编号"),
            member("relation", "guardianships.relation", Plain, "关系"),
            member("may_act", "guardianships.may_act", YesNo, "可代办"),
            member("consent_form", "guardianships.consent_form", Plain, "同意书编号"),
            member("consented_on", "guardianships.consented_on", Plain, "同意日期"),
            member("started_at", "guardianships.started_at", Moment, "开始时间"),
            member("ended_at", "guardianships.ended_at", Moment, "结束时间"),
        ],
    },
    unlink: Unlink::Not,
    erase: Erase::Set("ended_at = coalesce(ended_at, {now}), consent_form = NULL, consented_on = NULL"),
};

pub(super) const MERGES: Held = Held {
    table: "reader_merges",
    names: &["survivor_id", "duplicate_id"],
    zh: "档案合并",
    en: "Merges of records",
    whose: "(reader_merges.survivor_id = {reader} OR reader_merges.duplicate_id = {reader})",
    shown: Shown::Rows {
        joins: "",
        members: &[
            member("merged_at", "reader_merges.merged_at", Moment, "合并时间"),
            member("kept_reader_id", "reader_merges.survivor_id", Plain, "保留的编号"),
            member("merged_reader_id", "reader_merges.duplicate_id", Plain, "并入的编号"),
            member("unit_code", "reader_merges.unit_id", UnitKind, "馆点"),
            member("reason", "reader_merges.reason", Plain, "理由"),
        ],
    },
    unlink: Unlink::Not,
    erase: Erase::Set("reason = ''"),
};

pub(super) const CARD_SESSIONS: Held = Held {
    table: "card_sessions",
    names: &["card_id"],
    zh: "电子证使用",
    en: "Uses of electronic cards",
    whose: "card_sessions.card_id IN (SELECT c.id FROM cards c WHERE c.reader_id = {reader})",
    shown: Shown::Rows {
        joins: "",
        members: &[
            member("opened_at", "card_sessions.opened_at", Moment, "出示时间"),
            member("used_at", "card_sessions.used_at", Moment, "最近使用"),
        ],
    },
    // Forgotten an hour after its last use.
    unlink: Unlink::Not,
    erase: Erase::Delete,
};

pub(super) const CARD_REVOCATIONS: Held = Held {
    table: "card_revocations",
    names: &["card_id"],
    zh: "电子证停用",
    en: "Electronic cards made void",
    whose: "card_revocations.card_id IN (SELECT c.id FROM cards c WHERE c.reader_id = {reader})",
    shown: Shown::Rows {
        joins: "",
        members: &[
            member("made_at", "card_revocations.made_at", Moment, "停用时间"),
            member("void_until", "card_revocations.void_until", Moment, "停用至"),
        ],
    },
    // Forgotten after a day.
    unlink: Unlink::Not,
    erase: Erase::Delete,
};

pub(super) const CONTACTS: Held = Held {
    table: "reader_contacts",
    names: &["reader_id"],
    zh: "联系方式",
    en: "Addresses for notices",
    whose: "reader_contacts.reader_id = {reader}",
    shown: Shown::Rows {
        joins: "",
        members: &[
            member("channel", "reader_contacts.channel", Plain, "渠道"),
            member("shown", "reader_contacts.shown", Plain, "地址(部分)"),
            member("confirmed_at", "reader_contacts.confirmed_at", Moment, "验证时间"),
            member("unproved", "reader_contacts.next_shown", Plain, "待验证(部分)"),
            member("failing_since", "reader_contacts.failing_since", Moment, "退信自"),
            member("changed_at", "reader_contacts.changed_at", Moment, "更改时间"),
        ],
    },
    unlink: Unlink::Not,
    erase: Erase::Delete,
};

pub(super) const PREFERENCES: Held = Held {
    table: "notice_preferences",
    names: &["reader_id"],
    zh: "通知偏好",
    en: "Wishes about notices",
    whose: "notice_preferences.reader_id = {reader}",
    shown: Shown::Rows {
        joins: "",
        members: &[
            member("language", "notice_preferences.language", Plain, "语言"),
            member(
                "quiet_from_minute",
                "notice_preferences.quiet_from",
                Plain,
                "免打扰开始(分)",
            ),
            member(
                "quiet_until_minute",
                "notice_preferences.quiet_until",
                Plain,
                "免打扰结束(分)",
            ),
            member("gathers", "notice_preferences.gathers", YesNo, "合并发送"),
            member("channels", "notice_preferences.channels", Plain, "渠道"),
        ],
    },
    unlink: Unlink::Not,
    erase: Erase::Delete,
};

/// Notices are kept for `notices.keep_days`, which is not more than `privacy.unlink_days`: none outlives the link of its subject.
pub(super) const NOTICES: Held = Held {
    table: "notices",
    names: &["reader_id"],
    zh: "通知",
    en: "Notices",
    whose: "notices.reader_id = {reader}",
    shown: Shown::Rows {
        joins: "",
        members: &[
            member("made_at", "notices.made_at", Moment, "生成时间"),
            member("kind", "notices.kind", Plain, "种类"),
            member("unit_code", "notices.unit_id", UnitKind, "馆点"),
            member("send_at", "notices.send_at", Moment, "发送时间"),
        ],
    },
    unlink: Unlink::Not,
    erase: Erase::Delete,
};

pub(super) const NOTICE_LINES: Held = Held {
    table: "notice_lines",
    names: &[],
    zh: "通知内容",
    en: "What notices are about",
    whose: "notice_lines.notice_id IN (SELECT n.id FROM notices n WHERE n.reader_id = {reader})",
    shown: Shown::Rows {
        joins: "",
        members: &[
            member("kind", "notice_lines.kind", Plain, "种类"),
            member("subject_id", "notice_lines.subject_id", Plain, "对象编号"),
        ],
    },
    unlink: Unlink::Not,
    erase: Erase::Delete,
};

pub(super) const SENDINGS: Held = Held {
    table: "notice_sendings",
    names: &[],
    zh: "通知发送",
    en: "How notices were sent",
    whose: "notice_sendings.notice_id IN (SELECT n.id FROM notices n WHERE n.reader_id = {reader})",
    shown: Shown::Rows {
        joins: "",
        members: &[
            member("channel", "notice_sendings.channel", Plain, "渠道"),
            member("sent_at", "notice_sendings.sent_at", Moment, "发出时间"),
            member("bounced_at", "notice_sendings.bounced_at", Moment, "退回时间"),
            member("status", "notice_sendings.status", Plain, "退回原因"),
        ],
    },
    unlink: Unlink::Not,
    erase: Erase::Delete,
};

pub(super) const CODES: Held = Held {
    table: "one_time_codes",
    names: &["reader_id"],
    zh: "验证码",
    en: "One-time codes",
    whose: "one_time_codes.reader_id = {reader}",
    shown: Shown::Rows {
        joins: "",
        members: &[
            member("made_at", "one_time_codes.made_at", Moment, "生成时间"),
            member("purpose", "one_time_codes.purpose", Plain, "用途"),
            member("channel", "one_time_codes.channel", Plain, "渠道"),
            member("expires_at", "one_time_codes.expires_at", Moment, "失效时间"),
            member("attempts", "one_time_codes.attempts", Plain, "尝试次数"),
        ],
    },
    unlink: Unlink::Not,
    erase: Erase::Delete,
};

/// What was applied for, once it is decided: nothing personal is left in it. The job `notice_erasure` erases it.
pub(super) const APPLICATIONS: Held = Held {
    table: "card_applications",
    names: &["reader_id"],
    zh: "办证申请",
    en: "Applications for cards",
    whose: "card_applications.reader_id = {reader}",
    shown: Shown::Rows {
        joins: "",
        members: &[
            member("id", "card_applications.id", Plain, "编号"),
            member("unit_code", "card_applications.unit_id", UnitKind, "馆点"),
            member("channel", "card_applications.channel", Plain, "渠道"),
            member("made_at", "card_applications.made_at", Moment, "申请时间"),
            member("decided_at", "card_applications.decided_at", Moment, "办结时间"),
        ],
    },
    unlink: Unlink::Not,
    erase: Erase::Delete,
};
