//! `tongjie simulate-carrier`: a carrier for development, in a process of its own. It needs no database.

use std::net::{SocketAddr, TcpListener};
use std::time::Duration;

use clap::Args;
use secrecy::ExposeSecret;

use super::CliError;
use crate::config::Config;
use crate::delivery::simulator::{self, Behaviour};

/// Where it listens and how it behaves.
#[derive(Debug, Args)]
pub struct SimulateCarrierArgs {
    /// Address for bookings; `delivery.carrier_url` of the nodes names it
    #[arg(long, default_value = "127.0.0.1:9400", value_name = "IP:PORT")]
    bind: SocketAddr,
    /// The node that gets the reports
    #[arg(long, default_value = "http://127.0.0.1:8080", value_name = "URL")]
    report_to: String,
    /// Seconds between two reports of a parcel
    #[arg(long, default_value_t = 10, value_name = "SECONDS")]
    pace: u64,
    /// Every how many parcels the reader refuses one; 0: none
    #[arg(long, default_value_t = 0, value_name = "N")]
    refuse_every: u32,
}

/// Serves until interrupted. Reports are signed with `delivery.report_secret` of the configuration.
pub(super) fn run(config: &Config, args: SimulateCarrierArgs) -> Result<(), CliError> {
    let file = |source| CliError::File {
        path: args.bind.to_string(),
        source,
    };
    let secret = config.delivery.report_secret.as_ref();
    let secret =
        secret.ok_or_else(|| CliError::Usage("delivery.report_secret is needed to sign reports".to_owned()))?;
    let behaviour = Behaviour {
        report_to: Some(args.report_to.trim_end_matches('/').to_owned()),
        secret: secret.expose_secret().to_owned(),
        pace: Duration::from_secs(args.pace),
        refuse_every: args.refuse_every,
    };
    actix_web::rt::System::new().block_on(async move {
        let listener = TcpListener::bind(args.bind).map_err(file)?;
        let (server, address) = simulator::serve(listener, behaviour).map_err(file)?;
        println!("A simulated carrier takes bookings at http://{address}");
        server.await.map_err(file)
    })
}
