//! What a copy itself says against going out, wherever it is asked for.
//! Not for: where it is now, or who waits for it.

use super::act::Findings;
use super::item::{ItemFacts, Lending};
use super::refusal::Code;

/// It is never handed out, or only together with what it is bound into.
pub(super) fn judge_binding(found: &mut Findings, item: &ItemFacts) {
    if item.lending == Lending::Restricted {
        found.add(Code::ItemRestricted);
    }
    judge_bound(found, item);
}

/// It is bound into another item.
pub(super) fn judge_bound(found: &mut Findings, item: &ItemFacts) {
    if let Some(host) = item.bound_into {
        found.add(Code::PartOfBoundSet).with("host", host.get());
    }
}

/// It does not leave the reading room, or was lent for use there.
pub(super) fn judge_reading_room(found: &mut Findings, item: &ItemFacts, in_use_there: bool) {
    if in_use_there || item.lending == Lending::ReadingRoom {
        found.add(Code::ReadingRoomOnly);
    }
}
