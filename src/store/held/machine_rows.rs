//! Rows of the list about a reader at machines.

use super::MemberKind::{Moment, Plain, Unit as UnitKind};
use super::list::member;
use super::{Erase, Held, Shown, Unlink};

pub(super) const LOCKER_SESSIONS: Held = Held {
    table: "locker_sessions",
    names: &["reader_id"],
    zh: "在自助设备的使用",
    en: "Sessions at machines",
    whose: "locker_sessions.reader_id = {reader}",
    shown: Shown::Rows {
        joins: "JOIN devices d ON d.id = locker_sessions.device_id",
        members: &[
            member("unit_code", "d.unit_id", UnitKind, "馆点"),
            member("device_code", "d.code", Plain, "设备"),
            member("opened_at", "locker_sessions.opened_at", Moment, "开始时间"),
            member("ended_at", "locker_sessions.ended_at", Moment, "结束时间"),
        ],
    },
    unlink: Unlink::Forget {
        set: "reader_id = NULL",
        when: "ended_at < {before}",
    },
    // Loans point to the row.
    erase: Erase::Set(
        "ended_at = coalesce(ended_at, {now}), ended_how = coalesce(ended_how, 'device'), reader_id = NULL",
    ),
};

/// A contradiction that nobody has settled keeps its reader: a loan may come of it.
pub(super) const CONFLICTS: Held = Held {
    table: "journal_conflicts",
    names: &["reader_id"],
    zh: "待核实的离线操作",
    en: "Acts at machines that contradict the records",
    whose: "journal_conflicts.reader_id = {reader}",
    shown: Shown::Rows {
        joins: "LEFT JOIN items i ON i.id = journal_conflicts.item_id LEFT JOIN bibs b ON b.id = i.bib_id",
        members: &[
            member("happened_at", "journal_conflicts.happened_at", Moment, "发生时间"),
            member("unit_code", "journal_conflicts.unit_id", UnitKind, "馆点"),
            member("reason", "journal_conflicts.reason", Plain, "原因"),
            member("title", "b.title", Plain, "题名"),
            member("resolved_at", "journal_conflicts.resolved_at", Moment, "处理时间"),
            member("resolution", "journal_conflicts.resolution", Plain, "处理结果"),
        ],
    },
    unlink: Unlink::Forget {
        set: "reader_id = NULL",
        when: "resolved_at < {before}",
    },
    erase: Erase::Set("reader_id = NULL, body = NULL"),
};
