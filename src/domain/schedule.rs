//! Jobs: which there are, when each is due, and who may run it.
//! Not for: what a run does.

use chrono::{DateTime, Days, NaiveDate, NaiveTime, TimeDelta, TimeZone, Utc};
use chrono_tz::Tz;

use super::machine_jobs as of_machines;

/// How long a failed run rests before it is tried again.
pub const REST_SECONDS: i64 = 60;

/// How long a node may be silent before another takes its run over.
pub const LEASE_SECONDS: i64 = 60;

/// When a job is due.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Schedule {
    /// So many seconds after the last run ended.
    Every { seconds: u32 },
    /// Once each day, at this minute of the network's day or as soon after it as a node is there.
    Daily { minute: u16 },
}

/// One job: its name, and what it does, for those who look at the list.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Job {
    /// The word used in the database, the API and the docs.
    pub name: &'static str,
    pub schedule: Schedule,
    pub does_zh: &'static str,
    pub does_en: &'static str,
}

/// Marks open loans whose due date has passed, so that notices, statistics and credit see each of them once.
pub const OVERDUE_MARKING: Job = Job {
    name: "overdue_marking",
    schedule: Schedule::Daily { minute: 5 },
    does_zh: "标记已逾期的借阅",
    does_en: "Marks loans whose due date has passed",
};

/// Renews loans whose terms ask for it shortly before they are due.
pub const AUTOMATIC_RENEWAL: Job = Job {
    name: "automatic_renewal",
    schedule: Schedule::Daily { minute: 30 },
    does_zh: "自动续借即将到期的文献",
    does_en: "Renews loans that are due soon where the rules say so",
};

/// Calls deposits back on their day, and carries on those that were cut short.
pub const DEPOSIT_RETURN: Job = Job {
    name: "deposit_return",
    schedule: Schedule::Every { seconds: 600 },
    does_zh: "召回到期的轮换文献",
    does_en: "Calls back deposits of stock on their day",
};

/// Tells the carrier what stands in the outbox.
pub const CARRIER_OUTBOX: Job = Job {
    name: "carrier_outbox",
    schedule: Schedule::Every { seconds: 5 },
    does_zh: "向承运商下单寄件",
    does_en: "Books parcels with the carrier",
};

/// Erases addresses that are not needed any more.
pub const ADDRESS_ERASURE: Job = Job {
    name: "address_erasure",
    schedule: Schedule::Daily { minute: 200 },
    does_zh: "删除已完结寄件的地址",
    does_en: "Erases addresses of requests that ended 30 days ago",
};

/// Carries on what follows a change of calendars: due dates and hold shelves move off days that have closed, or go back.
pub const CALENDAR_WALKS: Job = Job {
    name: "calendar_walks",
    schedule: Schedule::Every { seconds: 10 },
    does_zh: "闭馆日调整后顺延应还日与预约保留期",
    does_en: "Moves due dates and hold shelves off days that have closed",
};

/// Ends holds that are not wanted any longer, and those nobody collected.
pub const HOLD_EXPIRY: Job = Job {
    name: "hold_expiry",
    schedule: Schedule::Every { seconds: 600 },
    does_zh: "结束到期的预约",
    does_en: "Ends holds whose time is over",
};

/// Asks units for copies: soon after one was lent over the counter or a unit did not answer.
pub const HOLD_TARGETING: Job = Job {
    name: "hold_targeting",
    schedule: Schedule::Every { seconds: 60 },
    does_zh: "为等待的预约安排取书",
    does_en: "Has copies fetched for holds that wait",
};

/// Calls loans back for holds that no copy serves, where their terms ask for it.
pub const HOLD_RECALLS: Job = Job {
    name: "hold_recalls",
    schedule: Schedule::Every { seconds: 600 },
    does_zh: "为无书可取的预约催还借出的复本",
    does_en: "Recalls loans for holds that no copy serves, where the rules say so",
};

/// Says of items that have been under way too long that they are missing.
pub const TRANSIT_ALARMS: Job = Job {
    name: "transit_alarms",
    schedule: Schedule::Every { seconds: 900 },
    does_zh: "将久未到达的在途文献记为下落不明",
    does_en: "Marks as missing what has been under way for too long",
};

/// Says of parcels that nobody has heard of them for days.
pub const PARCEL_ALARMS: Job = Job {
    name: "parcel_alarms",
    schedule: Schedule::Daily { minute: 210 },
    does_zh: "提示久无消息的包裹",
    does_en: "Marks parcels of which nobody has heard for days",
};

/// Carries on accepted changes of ownership that were cut short.
pub const OWNERSHIP_MOVES: Job = Job {
    name: "ownership_moves",
    schedule: Schedule::Every { seconds: 900 },
    does_zh: "继续未完成的产权移交",
    does_en: "Carries on accepted transfers of ownership",
};

/// Says of cards past their last day that they have expired.
pub const CARD_EXPIRY: Job = Job {
    name: "card_expiry",
    schedule: Schedule::Daily { minute: 10 },
    does_zh: "将到期的读者证记为过期",
    does_en: "Marks cards whose last day is over",
};

/// Gives readers whose age has left their category another one.
pub const CATEGORY_CHANGES: Job = Job {
    name: "category_changes",
    schedule: Schedule::Daily { minute: 20 },
    does_zh: "按年龄调整读者类别",
    does_en: "Moves readers to the category of their age",
};

/// Seals what identifies readers, and where they are reached, under the newest key.
pub const RESEAL_IDENTITIES: Job = Job {
    name: "reseal_identities",
    schedule: Schedule::Every { seconds: 600 },
    does_zh: "用新密钥重新加密证件号码与联系方式",
    does_en: "Seals ID numbers and addresses anew after a rotation of keys",
};

/// Moves credit by what the sealed events say.
pub const CREDIT_POSTING: Job = Job {
    name: "credit_posting",
    schedule: Schedule::Every { seconds: 5 },
    does_zh: "按借阅事件记信用分",
    does_en: "Moves credit by what was lent, returned, lost or left on the hold shelf",
};

/// The night of the ledgers: overdue days, freezes that end, bands.
pub const CREDIT_NIGHT: Job = Job {
    name: "credit_night",
    schedule: Schedule::Daily { minute: 15 },
    does_zh: "夜间信用处理:逾期扣分、到期解冻、信用等级",
    does_en: "Charges overdue days to credit, ends freezes, and sets bands",
};

/// Ends deductions by age.
pub const CREDIT_LAPSES: Job = Job {
    name: "credit_lapses",
    schedule: Schedule::Daily { minute: 45 },
    does_zh: "恢复已满年限的扣分",
    does_en: "Gives deductions back that are old enough",
};

/// Asks and tells the provider of scores what stands in the outbox.
pub const ADMISSION_OUTBOX: Job = Job {
    name: "admission_outbox",
    schedule: Schedule::Every { seconds: 5 },
    does_zh: "向信用机构发起免押金核验",
    does_en: "Asks the provider whether readers may borrow without a deposit",
};

/// Makes notices and webhook deliveries of what has happened.
pub const ANNOUNCEMENTS: Job = Job {
    name: "announcements",
    schedule: Schedule::Every { seconds: 5 },
    does_zh: "根据业务事件生成通知与回调",
    does_en: "Makes notices and webhook deliveries of what has happened",
};

/// Reminds readers of loans that are due soon or overdue.
pub const LOAN_REMINDERS: Job = Job {
    name: "loan_reminders",
    schedule: Schedule::Daily { minute: 420 },
    does_zh: "提醒即将到期与逾期的借阅",
    does_en: "Reminds readers of loans that are due soon or overdue",
};

/// Reminds readers of copies that wait on a hold shelf.
pub const HOLD_REMINDERS: Job = Job {
    name: "hold_reminders",
    schedule: Schedule::Daily { minute: 430 },
    does_zh: "提醒保留期将满的预约",
    does_en: "Reminds readers of copies on hold shelves whose last day is near",
};

/// Reminds readers of cards that end.
pub const CARD_REMINDERS: Job = Job {
    name: "card_reminders",
    schedule: Schedule::Daily { minute: 440 },
    does_zh: "提醒即将到期的读者证",
    does_en: "Reminds readers of cards whose last day is near",
};

/// Tells readers what moved their credit.
pub const CREDIT_NOTICES: Job = Job {
    name: "credit_notices",
    schedule: Schedule::Daily { minute: 450 },
    does_zh: "告知信用积分变动",
    does_en: "Tells readers what took credit points or gave some back",
};

/// Sends notices by mail.
pub const MAIL_OUTBOX: Job = Job {
    name: "mail_outbox",
    schedule: Schedule::Every { seconds: 5 },
    does_zh: "发送邮件通知",
    does_en: "Sends notices by mail",
};

/// Sends notices by SMS.
pub const SMS_OUTBOX: Job = Job {
    name: "sms_outbox",
    schedule: Schedule::Every { seconds: 5 },
    does_zh: "发送短信通知",
    does_en: "Sends notices by SMS",
};

/// Sends notices by WeChat.
pub const WECHAT_OUTBOX: Job = Job {
    name: "wechat_outbox",
    schedule: Schedule::Every { seconds: 5 },
    does_zh: "发送微信通知",
    does_en: "Sends notices by WeChat",
};

/// Tells webhooks.
pub const WEBHOOK_OUTBOX: Job = Job {
    name: "webhook_outbox",
    schedule: Schedule::Every { seconds: 5 },
    does_zh: "推送事件回调",
    does_en: "Tells webhooks of events",
};

/// Erases old notices.
pub const NOTICE_ERASURE: Job = Job {
    name: "notice_erasure",
    schedule: Schedule::Daily { minute: 205 },
    does_zh: "删除过期的通知、办证申请与回调记录",
    does_en: "Erases old notices, applications for cards, and what webhooks were told",
};

/// Unlinks what ended long ago from its readers.
pub const UNLINKING: Job = Job {
    name: "unlinking",
    schedule: Schedule::Daily { minute: 220 },
    does_zh: "解除早已结束的借阅、预约与读者的关联",
    does_en: "Unlinks loans, holds and events that ended long ago from their readers",
};

/// Every job there is, in the order of the list.
pub const JOBS: [Job; 37] = [
    OVERDUE_MARKING,
    AUTOMATIC_RENEWAL,
    CALENDAR_WALKS,
    HOLD_EXPIRY,
    HOLD_TARGETING,
    HOLD_RECALLS,
    TRANSIT_ALARMS,
    PARCEL_ALARMS,
    OWNERSHIP_MOVES,
    DEPOSIT_RETURN,
    CARRIER_OUTBOX,
    ADDRESS_ERASURE,
    CARD_EXPIRY,
    CATEGORY_CHANGES,
    RESEAL_IDENTITIES,
    CREDIT_POSTING,
    CREDIT_NIGHT,
    CREDIT_LAPSES,
    ADMISSION_OUTBOX,
    ANNOUNCEMENTS,
    LOAN_REMINDERS,
    HOLD_REMINDERS,
    CARD_REMINDERS,
    CREDIT_NOTICES,
    MAIL_OUTBOX,
    SMS_OUTBOX,
    WECHAT_OUTBOX,
    WEBHOOK_OUTBOX,
    NOTICE_ERASURE,
    UNLINKING,
    of_machines::SILENCE_ALARMS,
    of_machines::COMMAND_EXPIRY,
    of_machines::COMPARTMENT_DEADLINES,
    of_machines::JOURNAL_DRAINING,
    of_machines::OFFLINE_BLOCKS,
    of_machines::OFFLINE_COMPARISON,
    of_machines::MACHINE_ERASURE,
];

/// What is known of a job's runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Runs {
    pub started_at: Option<DateTime<Utc>>,
    pub finished_at: Option<DateTime<Utc>>,
    pub failed_at: Option<DateTime<Utc>>,
    /// Until when a node has it.
    pub lease_until: Option<DateTime<Utc>>,
}

impl Runs {
    /// The last run was begun and not finished: it goes on where it stands.
    pub fn is_unfinished(&self) -> bool {
        self.started_at
            .is_some_and(|started| self.finished_at.is_none_or(|finished| finished < started))
    }

    /// A node has it now. A lease longer than any that is given was written by a clock that was wrong.
    pub fn is_running(&self, now: DateTime<Utc>) -> bool {
        let longest = now + TimeDelta::seconds(LEASE_SECONDS);
        self.lease_until.is_some_and(|until| now < until && until <= longest)
    }

    /// When it should run next: a moment that has passed means now. What the record says of the future (a node's clock was
    /// wrong) is not believed.
    pub fn next_at(&self, schedule: Schedule, zone: Tz, now: DateTime<Utc>) -> DateTime<Utc> {
        let rest = self.failed_at.map(|failed| failed + TimeDelta::seconds(REST_SECONDS));
        let rested = rest.filter(|until| self.failed_at.is_some_and(|failed| failed <= now) && now < *until);
        let due = if self.is_unfinished() {
            now
        } else {
            match schedule {
                Schedule::Every { seconds } => match self.finished_at {
                    Some(finished) if finished <= now => finished + TimeDelta::seconds(i64::from(seconds)),
                    _ => now,
                },
                Schedule::Daily { minute } => {
                    let latest = latest_daily(zone, minute, now);
                    let done = self
                        .started_at
                        .is_some_and(|started| latest <= started && started <= now);
                    if done { next_daily(zone, minute, now) } else { now }
                }
            }
        };
        rested.map_or(due, |rested| rested.max(due))
    }

    /// Whether a node should take it now.
    pub fn is_due(&self, schedule: Schedule, zone: Tz, now: DateTime<Utc>) -> bool {
        !self.is_running(now) && self.next_at(schedule, zone, now) <= now
    }
}

fn latest_daily(zone: Tz, minute: u16, now: DateTime<Utc>) -> DateTime<Utc> {
    let today = now.with_timezone(&zone).date_naive();
    let at = daily_on(zone, today, minute);
    if at <= now {
        return at;
    }
    today
        .checked_sub_days(Days::new(1))
        .map_or(at, |day| daily_on(zone, day, minute))
}

fn next_daily(zone: Tz, minute: u16, now: DateTime<Utc>) -> DateTime<Utc> {
    let today = now.with_timezone(&zone).date_naive();
    let days = [0, 1, 2].map(|ahead| today.checked_add_days(Days::new(ahead)));
    let moments = days.into_iter().flatten().map(|day| daily_on(zone, day, minute));
    moments.into_iter().find(|at| now < *at).unwrap_or(now)
}

/// A minute of a local day. One that the clocks skip is taken an hour later, one that comes twice the first time.
fn daily_on(zone: Tz, day: NaiveDate, minute: u16) -> DateTime<Utc> {
    let minute = u32::from(minute.min(24 * 60 - 1));
    let time = NaiveTime::from_hms_opt(minute / 60, minute % 60, 0).unwrap_or_default();
    let local = day.and_time(time);
    let found = zone
        .from_local_datetime(&local)
        .earliest()
        .or_else(|| zone.from_local_datetime(&(local + TimeDelta::hours(1))).earliest());
    found.map_or_else(|| local.and_utc(), |at| at.with_timezone(&Utc))
}

#[cfg(test)]
mod tests {
    use super::*;

    const ZONE: Tz = chrono_tz::Asia::Shanghai;
    const NIGHTLY: Schedule = Schedule::Daily { minute: 5 };
    const OFTEN: Schedule = Schedule::Every { seconds: 300 };

    /// A local moment.
    fn at(day: u32, hour: u32, minute: u32) -> DateTime<Utc> {
        let local = ZONE.with_ymd_and_hms(2026, 3, day, hour, minute, 0);
        local.single().expect("a moment").with_timezone(&Utc)
    }

    fn ran(from: DateTime<Utc>, to: DateTime<Utc>) -> Runs {
        Runs {
            started_at: Some(from),
            finished_at: Some(to),
            ..Runs::default()
        }
    }

    #[test]
    fn a_job_that_never_ran_is_due() {
        for schedule in [NIGHTLY, OFTEN] {
            assert!(Runs::default().is_due(schedule, ZONE, at(4, 12, 0)));
        }
    }

    #[test]
    fn a_daily_job_runs_once_after_its_minute() {
        let runs = ran(at(3, 23, 50), at(4, 0, 1));
        assert!(!runs.is_due(NIGHTLY, ZONE, at(4, 0, 4)));
        assert_eq!(runs.next_at(NIGHTLY, ZONE, at(4, 0, 4)), at(4, 0, 5));
        assert!(
            runs.is_due(NIGHTLY, ZONE, at(4, 0, 5)),
            "yesterday's run is not today's"
        );
        assert!(
            runs.is_due(NIGHTLY, ZONE, at(4, 9, 0)),
            "no node was there at five past"
        );
        let today = ran(at(4, 0, 5), at(4, 0, 6));
        assert!(!today.is_due(NIGHTLY, ZONE, at(4, 23, 59)));
        assert_eq!(today.next_at(NIGHTLY, ZONE, at(4, 23, 59)), at(5, 0, 5));
    }

    #[test]
    fn an_interval_counts_from_the_end_of_the_last_run() {
        let runs = ran(at(4, 12, 0), at(4, 12, 2));
        assert!(!runs.is_due(OFTEN, ZONE, at(4, 12, 6)));
        assert!(runs.is_due(OFTEN, ZONE, at(4, 12, 7)));
    }

    #[test]
    fn an_unfinished_run_goes_on_at_once_but_a_failed_one_rests() {
        let mut runs = ran(at(4, 0, 5), at(3, 0, 6));
        assert!(runs.is_unfinished());
        assert!(runs.is_due(NIGHTLY, ZONE, at(4, 0, 5)));
        runs.failed_at = Some(at(4, 0, 5));
        assert!(!runs.is_due(NIGHTLY, ZONE, at(4, 0, 5)));
        assert!(runs.is_due(NIGHTLY, ZONE, at(4, 0, 6)));
    }

    #[test]
    fn nobody_takes_what_another_node_has() {
        let runs = Runs {
            started_at: Some(at(4, 0, 5)),
            lease_until: Some(at(4, 0, 6)),
            ..Runs::default()
        };
        assert!(!runs.is_due(NIGHTLY, ZONE, at(4, 0, 5)));
        assert!(runs.is_due(NIGHTLY, ZONE, at(4, 0, 6)), "its node is gone");
    }

    #[test]
    fn a_record_from_the_future_stops_nothing() {
        let future = at(30, 0, 0);
        let runs = Runs {
            failed_at: Some(future),
            lease_until: Some(future),
            ..ran(future, future)
        };
        for schedule in [NIGHTLY, OFTEN] {
            assert!(runs.is_due(schedule, ZONE, at(4, 12, 0)));
        }
    }

    #[test]
    fn a_minute_that_the_clocks_skip_is_not_lost() {
        let zone = chrono_tz::Europe::Berlin;
        let night = zone.with_ymd_and_hms(2026, 3, 29, 12, 0, 0).single().expect("a moment");
        let latest = latest_daily(zone, 150, night.with_timezone(&Utc));
        assert_eq!(
            latest.with_timezone(&zone).format("%F %R").to_string(),
            "2026-03-29 03:30"
        );
    }
}
