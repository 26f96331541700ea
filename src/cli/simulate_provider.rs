//! `tongjie simulate-provider`: a provider of scores for development, in a process of its own. It needs no database.

use std::net::{SocketAddr, TcpListener};
use std::time::Duration;

use clap::Args;
use secrecy::{ExposeSecret, SecretString};

use super::CliError;
use crate::clock::Clock;
use crate::config::Config;
use crate::delivery::provider_simulator::{self, Behaviour};

/// Where it listens and how it behaves.
#[derive(Debug, Args)]
pub struct SimulateProviderArgs {
    /// Address for orders; `admission.provider_url` of the nodes names it
    #[arg(long, default_value = "127.0.0.1:9401", value_name = "IP:PORT")]
    bind: SocketAddr,
    /// The node that gets the reports
    #[arg(long, default_value = "http://127.0.0.1:8080", value_name = "URL")]
    report_to: String,
    /// Seconds between a reader's agreement and the report
    #[arg(long, default_value_t = 3, value_name = "SECONDS")]
    pace: u64,
    /// Every how many orders one is refused; 0: none
    #[arg(long, default_value_t = 0, value_name = "N")]
    refuse_every: u32,
    /// Every how many calls one is never answered; 0: none
    #[arg(long, default_value_t = 0, value_name = "N")]
    stall_every: u32,
    /// Every how many calls the connection drops before the answer; 0: none
    #[arg(long, default_value_t = 0, value_name = "N")]
    drop_every: u32,
}

/// Serves until interrupted. Signatures use `admission.secret` and `admission.report_secret` of the configuration.
pub(super) fn run(config: &Config, args: SimulateProviderArgs) -> Result<(), CliError> {
    let file = |source| CliError::File {
        path: args.bind.to_string(),
        source,
    };
    let secret = |secret: &Option<SecretString>, key: &str| {
        let secret = secret.as_ref().map(|secret| secret.expose_secret().to_owned());
        secret.ok_or_else(|| CliError::Usage(format!("{key} is needed")))
    };
    let behaviour = Behaviour {
        report_to: Some(args.report_to.trim_end_matches('/').to_owned()),
        secret: secret(&config.admission.secret, "admission.secret")?,
        report_secret: secret(&config.admission.report_secret, "admission.report_secret")?,
        pace: Duration::from_secs(args.pace),
        refuse_every: args.refuse_every,
        stall_every: args.stall_every,
        drop_every: args.drop_every,
    };
    actix_web::rt::System::new().block_on(async move {
        let listener = TcpListener::bind(args.bind).map_err(file)?;
        let (server, address) = provider_simulator::serve(listener, behaviour, Clock::System).map_err(file)?;
        println!("A simulated provider takes orders at http://{address}");
        server.await.map_err(file)
    })
}
