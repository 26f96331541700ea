//! Invariant 1, as far as it is about machines: what rows of devices say of each other.

use super::super::Result;
use super::Finding;
use crate::store::audit::SqlRule;
use crate::store::tx::ReadTx;

pub(super) fn check(tx: &mut ReadTx<'_>) -> Result<Finding> {
    let mut finding = Finding::new(1, "devices agree with their configurations, commands and keys");
    finding.checked = tx.audit_size("devices")?;
    finding.judge(tx, DEVICES)?;
    Ok(finding)
}

const DEVICES: &[SqlRule] = &[
    SqlRule {
        fault: "its newest configuration is not the last that was made: device",
        breaks: "SELECT d.id FROM devices d LEFT JOIN (SELECT device_id, max(version) AS newest, count(*) AS n \
                 FROM device_configurations GROUP BY device_id) c ON c.device_id = d.id \
                 WHERE d.configuration_version <> coalesce(c.newest, 0) OR d.configuration_version <> coalesce(c.n, 0)",
    },
    SqlRule {
        fault: "an old secret without an end, or an end without one: device",
        breaks: "SELECT id FROM devices WHERE (old_secret_hash IS NULL) <> (old_secret_until IS NULL)",
    },
    SqlRule {
        fault: "was retired and has something in a compartment: device",
        breaks: "SELECT d.id FROM devices d WHERE d.retired_at IS NOT NULL AND EXISTS (SELECT 1 FROM compartments c \
                 WHERE c.device_id = d.id AND c.item_id IS NOT NULL)",
    },
    SqlRule {
        fault: "its receipt is none that was given: command",
        breaks: "SELECT id FROM device_commands WHERE length(receipt) <> 16",
    },
    SqlRule {
        fault: "was answered before it was delivered: command",
        breaks: "SELECT id FROM device_commands WHERE status IN ('done', 'failed') AND delivered_at IS NULL",
    },
];
