//! A row of the deposits' file: what a reader once paid, kept to be refunded.

use super::cards::reader_of;
use super::fields::Fields;
use super::lookup::World;
use super::write::{Judged, New, NewWith};
use crate::store::imports::NewDeposit;
use crate::store::readers::day_text;

/// Judges a row; `None` when it has faults.
pub(super) fn judge(fields: &mut Fields<'_>, world: &World) -> Option<Judged> {
    let reader = reader_of(fields, world, "card_number");
    let amount = fields.fen("amount_yuan", "amount_fen");
    if fields.cell("amount_yuan").or(fields.cell("amount_fen")).is_none() {
        fields.fault("amount_yuan", "is empty, and so is amount_fen");
    } else if amount == Some(0) {
        fields.fault("amount_yuan", "is nothing: there is nothing to refund");
    }
    let paid_on = fields.day("paid_on");
    if paid_on.is_some_and(|day| day > world.today) {
        fields.fault("paid_on", "lies in the future");
    }
    let receipt = fields.text("receipt", 64);
    let (reader, amount) = (reader?, amount?);
    fields.claim("card_number", format!("deposit {}", reader.id));
    match world.deposits.get(&reader.id) {
        Some(known) if *known == amount && fields.faults.is_empty() => return Some(Judged::Known),
        Some(known) if *known != amount => {
            fields.duplicate("amount_yuan", "another deposit of this reader is there already");
        }
        _ => {}
    }
    if !fields.faults.is_empty() {
        return None;
    }
    let row = NewDeposit {
        id: 0,
        reader_id: reader.id.get(),
        owner_unit_id: world.owner.get(),
        amount_fen: amount,
        paid_on: paid_on.map(day_text),
        receipt,
        created_at: world.now.timestamp_millis(),
    };
    Some(Judged::New(Box::new(NewWith {
        old_id: None,
        new: New::Deposit {
            row,
            reader: reader.clone(),
        },
    })))
}
