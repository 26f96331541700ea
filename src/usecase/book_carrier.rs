//! What a carrier is told of a parcel, and the port to it. The adapter stands in `delivery`.

use std::future::Future;

use serde::Serialize;

use super::Result;
use super::deliver_outbox::{Consumer, Fault};
use super::delivery_view::AddressView;
use super::view::unit_code;
use crate::domain::ids::UnitId;
use crate::domain::parcel::{Direction, ParcelState};
use crate::store::outbox::OutboxRow;
use crate::store::tx::{ReadTx, WriteTx};

/// The word in the outbox.
pub const CARRIER: &str = "carrier";

/// A parcel to be carried.
#[derive(Debug, Clone, Serialize)]
pub struct Booking {
    /// Ours: reports name it.
    pub parcel_id: i64,
    /// `out`: fetch it at the unit and bring it to the address; `back`: the other way round.
    pub direction: &'static str,
    pub unit_code: String,
    pub unit_name: String,
    pub address: AddressView,
    /// Copies inside.
    pub items: usize,
}

/// What the carrier answers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Booked {
    pub tracking_number: String,
}

/// Somebody who carries parcels.
pub trait Carrier: Send + Sync + 'static {
    /// Books a parcel; the same key books it once, however often it is sent. In bounded time.
    fn book(&self, key: &str, booking: Booking) -> impl Future<Output = std::result::Result<Booked, Fault>> + Send;

    /// False while it does not answer.
    fn is_ready(&self) -> bool;
}

/// Books what the outbox holds.
#[derive(Debug)]
pub struct BookCarrier<C>(pub C);

impl<C: Carrier> Consumer for BookCarrier<C> {
    const NAME: &'static str = CARRIER;
    type Message = Booking;
    type Receipt = Booked;

    fn is_ready(&self) -> bool {
        self.0.is_ready()
    }

    fn prepare(tx: &mut ReadTx<'_>, row: &OutboxRow) -> Result<Option<Booking>> {
        let network = tx.network()?;
        let Some(parcel) = tx.parcel(row.subject_id)? else {
            return Ok(None);
        };
        let address = tx.delivery_address(parcel.request)?;
        let Some(address) = address.filter(|_| parcel.closed_at.is_none()) else {
            return Ok(None);
        };
        let awaited = match parcel.direction {
            Direction::Out => parcel.state != ParcelState::Packed,
            Direction::Back => true,
        };
        if !awaited {
            return Ok(None);
        }
        let items = tx.parcel_lines(parcel.id)?.iter().filter(|line| line.is_open()).count();
        let unit: UnitId = parcel.unit;
        Ok(Some(Booking {
            parcel_id: parcel.id,
            direction: parcel.direction.code(),
            unit_code: unit_code(&network, unit.get()),
            unit_name: network.unit(unit).map(|unit| unit.name.clone()).unwrap_or_default(),
            address: address.into(),
            items,
        }))
    }

    async fn send(&self, key: &str, message: Booking) -> std::result::Result<Booked, Fault> {
        self.0.book(key, message).await
    }

    fn settle(tx: &mut WriteTx<'_>, row: &OutboxRow, receipt: &Booked) -> Result<()> {
        Ok(tx.set_tracking_number(row.subject_id, &receipt.tracking_number)?)
    }
}
