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

/// Erases what is long over of machines.
pub const MACHINE_ERASURE: Job = Job {
    name: "machine_erasure",
    schedule: Schedule::Daily { minute: 215 },
    does_zh: "删除早已结束的设备指令、告警与门禁记录",
    does_en: "Erases commands and alarms of devices that ended long ago, and alarms of gates that were settled",
};

/// Ends commands to devices whose time is over.
pub const COMMAND_EXPIRY: Job = Job {
    name: "command_expiry",
    schedule: Schedule::Every { seconds: 30 },
    does_zh: "结束过期的设备指令",
    does_en: "Ends commands to devices whose time is over",
};
