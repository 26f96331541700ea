//! What the body of a log-in may be, as the document says it: one of three, never a mixture. Reading it is `sessions`'.

use serde::Serialize;
use utoipa::ToSchema;

/// One of the three kinds of log-in.
#[derive(Serialize, ToSchema)]
#[serde(untagged)]
pub enum LogInBody {
    Staff(StaffLogIn),
    Reader(ReaderLogIn),
    Device(DeviceLogIn),
}

/// A member of staff.
#[derive(Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct StaffLogIn {
    #[schema(max_length = 64)]
    username: String,
    #[schema(format = Password, max_length = 128)]
    password: String,
    /// The unit to work at: it must lie in the subtree of a role. By default the unit of the highest role.
    #[schema(max_length = 32)]
    unit_code: Option<String>,
    /// Where the account has one-time passwords: what the authenticator shows, or a recovery code.
    #[schema(max_length = 32, example = "287082")]
    code: Option<String>,
}

/// A reader.
#[derive(Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ReaderLogIn {
    card_number: String,
    #[schema(format = Password, max_length = 32)]
    pin: String,
}

/// A device.
#[derive(Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct DeviceLogIn {
    #[schema(max_length = 64)]
    device_code: String,
    #[schema(format = Password, max_length = 128)]
    secret: String,
}
