//! Who calls a use case, and what they may do where.

use std::borrow::Cow;

use serde_json::{Value, json};

use crate::auth::{Audience, Claims, Grant, Right, rights};
use crate::domain::act::Act;
use crate::domain::ids::{DeviceId, ReaderId, StaffId, UnitId};
use crate::domain::network::Network;
use crate::domain::reader::Channel;
use crate::store::events::{COMMAND_CHANNEL, SYSTEM_CHANNEL};

use super::UseCaseError;

/// The identity behind a token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Who {
    Staff {
        id: StaffId,
        grants: Vec<Grant>,
    },
    Reader {
        id: ReaderId,
    },
    /// A reader who acts for a ward: everything is judged as if the ward did it. Whether the link lets them says
    /// [`act_for`](super::act_for), which fills in its number.
    Guardian {
        id: ReaderId,
        ward: ReaderId,
        link: Option<i64>,
    },
    Device {
        id: DeviceId,
        channel: Channel,
    },
    /// Somebody at the command line of the machine itself: no member of staff.
    Operator {
        grants: Vec<Grant>,
    },
    /// A job: nobody asked for it.
    System,
}

/// An authenticated caller.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Caller {
    pub who: Who,
    /// Where the caller works: a desk's or a device's unit. Readers have none.
    pub unit: Option<UnitId>,
    /// The session family.
    pub session: i64,
}

impl Caller {
    /// The caller a genuine token speaks of.
    pub fn of(claims: &Claims) -> Self {
        let who = match claims.aud {
            Audience::Staff => Who::Staff {
                id: StaffId::new(claims.sub),
                grants: claims.grants.clone(),
            },
            Audience::Reader => Who::Reader {
                id: ReaderId::new(claims.sub),
            },
            Audience::Device => Who::Device {
                id: DeviceId::new(claims.sub),
                channel: channel_of(claims.device_kind.as_deref()),
            },
        };
        Self {
            who,
            unit: claims.unit.map(UnitId::new),
            session: claims.sid,
        }
    }

    /// The same reader, acting for a ward if one is named.
    ///
    /// # Errors
    /// `Forbidden` for anybody but a reader.
    pub fn acting_for(&self, ward: Option<ReaderId>) -> super::Result<Cow<'_, Self>> {
        let id = self.itself()?;
        let guardian = |ward| Who::Guardian { id, ward, link: None };
        Ok(match ward.filter(|ward| *ward != id) {
            None => Cow::Borrowed(self),
            Some(ward) => Cow::Owned(Self {
                who: guardian(ward),
                ..self.clone()
            }),
        })
    }

    /// The link by which a guardian acts.
    pub const fn link(&self) -> Option<i64> {
        match self.who {
            Who::Guardian { link, .. } => link,
            _ => None,
        }
    }

    /// The erasable side of an event of this caller: with the link, where a guardian acts.
    pub fn says(&self, personal: Value) -> Value {
        with_link(personal, self.link())
    }

    /// The network itself, in its jobs. It has no rights: a job asks for none.
    pub const fn system() -> Self {
        Self {
            who: Who::System,
            unit: None,
            session: 0,
        }
    }

    /// A device that does not call us: its driver acts for it.
    pub(super) const fn driven(id: DeviceId, unit: UnitId, channel: Channel) -> Self {
        Self {
            who: Who::Device { id, channel },
            unit: Some(unit),
            session: 0,
        }
    }

    /// The channel an event of an act by this caller names.
    pub fn event_channel(&self, act: &Act) -> &'static str {
        match self.who {
            Who::Operator { .. } => COMMAND_CHANNEL,
            Who::System => SYSTEM_CHANNEL,
            _ => act.channel.code(),
        }
    }

    /// The same where no unit's calendar or rules have a say in the act.
    pub fn own_channel(&self) -> &'static str {
        match self.who {
            Who::Operator { .. } => COMMAND_CHANNEL,
            Who::System => SYSTEM_CHANNEL,
            _ => self.channel().code(),
        }
    }

    /// Names the caller for idempotency keys.
    pub fn client(&self) -> String {
        match &self.who {
            Who::Staff { id, .. } => format!("staff:{id}"),
            Who::Reader { id } | Who::Guardian { id, .. } => format!("reader:{id}"),
            Who::Device { id, .. } => format!("device:{id}"),
            Who::Operator { .. } => "operator".to_owned(),
            Who::System => "system".to_owned(),
        }
    }

    /// The member of staff, for the event.
    pub fn staff(&self) -> Option<StaffId> {
        match &self.who {
            Who::Staff { id, .. } => Some(*id),
            _ => None,
        }
    }

    /// The device, for the event.
    pub fn device(&self) -> Option<DeviceId> {
        match &self.who {
            Who::Device { id, .. } => Some(*id),
            _ => None,
        }
    }

    /// The reader whose things an act of a reader is about: its own, or the ward's.
    pub fn reader(&self) -> Option<ReaderId> {
        match &self.who {
            Who::Reader { id } => Some(*id),
            Who::Guardian { ward, .. } => Some(*ward),
            _ => None,
        }
    }

    /// The reader who asks about itself.
    ///
    /// # Errors
    /// `Forbidden` for everybody else.
    pub fn itself(&self) -> super::Result<ReaderId> {
        self.reader().ok_or(UseCaseError::Forbidden)
    }

    /// The channel this caller acts through.
    pub fn channel(&self) -> Channel {
        match &self.who {
            Who::Staff { .. } | Who::Operator { .. } | Who::System => Channel::Desk,
            Who::Reader { .. } | Who::Guardian { .. } => Channel::Portal,
            Who::Device { channel, .. } => *channel,
        }
    }

    /// Whether the caller has a right at a unit.
    pub fn may(&self, right: Right, unit: UnitId, network: &Network) -> bool {
        match &self.who {
            Who::Staff { grants, .. } | Who::Operator { grants } => {
                rights::granted(grants, right, |at| network.units().is_within(unit, UnitId::new(at)))
            }
            Who::Reader { .. } | Who::Guardian { .. } => rights::reader_may(right),
            Who::Device { .. } => rights::device_may(right) && self.unit == Some(unit),
            Who::System => false,
        }
    }

    /// Whether the caller has a right at any unit at all: for what belongs to the whole network (catalogue, readers).
    pub fn may_somewhere(&self, right: Right) -> bool {
        match &self.who {
            Who::Staff { grants, .. } | Who::Operator { grants } => rights::granted(grants, right, |_| true),
            Who::Reader { .. } | Who::Guardian { .. } => rights::reader_may(right),
            Who::Device { .. } => rights::device_may(right),
            Who::System => false,
        }
    }

    /// As `may`, as an error.
    ///
    /// # Errors
    /// `Forbidden`.
    pub fn require(&self, right: Right, unit: UnitId, network: &Network) -> super::Result<()> {
        if self.may(right, unit, network) {
            Ok(())
        } else {
            Err(UseCaseError::Forbidden)
        }
    }

    /// As `may_somewhere`, as an error.
    ///
    /// # Errors
    /// `Forbidden`.
    pub fn require_somewhere(&self, right: Right) -> super::Result<()> {
        if self.may_somewhere(right) {
            Ok(())
        } else {
            Err(UseCaseError::Forbidden)
        }
    }

    /// The unit the caller works at.
    ///
    /// # Errors
    /// `Forbidden` for a caller who works nowhere, such as a reader.
    pub fn working_unit(&self) -> super::Result<UnitId> {
        self.unit.ok_or(UseCaseError::Forbidden)
    }
}

/// What is said of an act, with the link by which a guardian did it for a ward. Not the guardian: the link can be erased by either.
pub(super) fn with_link(personal: Value, link: Option<i64>) -> Value {
    let Some(link) = link else { return personal };
    let mut said = match personal {
        Value::Object(said) => said,
        _ => serde_json::Map::new(),
    };
    said.insert(LINK.to_owned(), json!(link));
    Value::Object(said)
}

/// The member of the erasable side of an event that names the link.
pub(super) const LINK: &str = "guardianship_id";

/// The channel of a device's acts: nobody of the staff stands at any of them.
fn channel_of(device_kind: Option<&str>) -> Channel {
    match device_kind {
        Some("locker") => Channel::Locker,
        Some("sorter") => Channel::Drop,
        _ => Channel::Kiosk,
    }
}
