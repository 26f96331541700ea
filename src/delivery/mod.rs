//! Who is outside: adapters for the ports of use cases. The carrier of parcels over HTTP, and one that is simulated, for
//! development and tests (docs/PARCELS.md); mail over SMTP, gateways of short messages, webhooks (docs/NOTICES.md).

pub mod breaker;
pub mod http_carrier;
pub mod http_messenger;
pub mod http_webhook;
pub mod signed_post;
pub mod simulator;
pub mod smtp;
mod smtp_connections;
