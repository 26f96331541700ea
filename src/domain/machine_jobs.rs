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

/// Judges what journals told and was not judged at once, and gives up what is missing in them for too long.
pub const JOURNAL_DRAINING: Job = Job {
    name: "journal_draining",
    schedule: Schedule::Every { seconds: 30 },
    does_zh: "处理设备离线日志中尚未记账的操作",
    does_en: "Judges acts of offline journals that still wait",
};

/// Ends commands to devices whose time is over.
pub const COMMAND_EXPIRY: Job = Job {
    name: "command_expiry",
    schedule: Schedule::Every { seconds: 30 },
    does_zh: "结束过期的设备指令",
    does_en: "Ends commands to devices whose time is over",
};
