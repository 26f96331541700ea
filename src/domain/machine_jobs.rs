//! The jobs about machines: which there are, and when each is due.
//! Not for: how a schedule is read (`schedule`), or what a run does.

use super::schedule::{Job, Schedule};

/// Says of devices that are not heard of any more that they are silent.
pub const SILENCE_ALARMS: Job = Job {
    name: "silence_alarms",
    schedule: Schedule::Every { seconds: 60 },
    does_zh: "对失去联系的设备告警",
    does_en: "Raises alarms for devices that are not heard of any more",
};

/// Says of doors and loans at machines of which nothing was heard that nobody knows.
pub const COMPARTMENT_DEADLINES: Job = Job {
    name: "compartment_deadlines",
    schedule: Schedule::Every { seconds: 10 },
    does_zh: "处理超时未报告的格口和自助借出",
    does_en: "Puts compartments and loans at machines in question of which nothing was heard in time",
};

/// Judges what journals told and was not judged at once, and gives up what is missing in them for too long.
pub const JOURNAL_DRAINING: Job = Job {
    name: "journal_draining",
    schedule: Schedule::Every { seconds: 30 },
    does_zh: "处理设备离线日志中尚未记账的操作",
    does_en: "Judges acts of offline journals that still wait",
};

/// Keeps the list of cards that devices may not lend to.
pub const OFFLINE_BLOCKS: Job = Job {
    name: "offline_blocks",
    schedule: Schedule::Every { seconds: 5 },
    does_zh: "更新供设备离线使用的停用证名单",
    does_en: "Keeps the block list that devices take along",
};

/// Finds what no event told that list.
pub const OFFLINE_COMPARISON: Job = Job {
    name: "offline_comparison",
    schedule: Schedule::Daily { minute: 220 },
    does_zh: "全面核对供设备离线使用的停用证名单",
    does_en: "Compares the block list of devices with all cards",
};

/// Erases what is long over of machines.
pub const MACHINE_ERASURE: Job = Job {
    name: "machine_erasure",
    schedule: Schedule::Daily { minute: 215 },
    does_zh: "删除早已结束的设备指令、告警与门禁记录,以及长期无人处理的离线日志原文",
    does_en: "Erases commands and alarms of devices that ended long ago, alarms of gates that were settled, and what journals told and nobody settled",
};

/// Ends commands to devices whose time is over.
pub const COMMAND_EXPIRY: Job = Job {
    name: "command_expiry",
    schedule: Schedule::Every { seconds: 30 },
    does_zh: "结束过期的设备指令",
    does_en: "Ends commands to devices whose time is over",
};
