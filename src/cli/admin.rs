//! `tongjie admin`: staff, passwords, devices and keys. A password is read from standard input or made up; never
//! given as an argument, which other users of the machine could see.

use chrono::TimeDelta;
use clap::{Args, Subcommand};
use secrecy::{ExposeSecret, SecretString};

use super::{CliError, close, open};
use crate::app::App;
use crate::auth::identity::IdentityKey;
use crate::auth::{CardKeyRing, KeyRing, identity_ring, tokens};
use crate::config::Config;
use crate::usecase::administer::{
    add_staff, add_system, note_card_key, note_rotated_identity_key, note_rotated_key, set_password,
};
use crate::usecase::create_staff::CreateStaff;
use crate::usecase::register_device::{RegisterDevice, install_device};
use crate::usecase::reseal_identities::keys_in_use;

#[derive(Debug, Subcommand)]
pub enum AdminCommand {
    #[command(flatten)]
    Staff(StaffCommand),
    /// Register and approve a gate, locker, kiosk, desk reader or sorter and print its secret, once
    CreateDevice {
        /// What the device logs in as
        #[arg(long)]
        code: String,
        /// gate, locker, kiosk, desk_reader or sorter
        #[arg(long)]
        kind: String,
        /// Code of the unit where it stands
        #[arg(long, value_name = "CODE")]
        unit: String,
        /// What people call it
        #[arg(long, default_value = "")]
        name: String,
        /// What it can do, such as door_bank or tag_reader; once for each
        #[arg(long, value_name = "WORD")]
        capability: Vec<String>,
    },
    /// Replace the key in the data directory that signs access tokens; nobody is logged out, and a running server takes the
    /// new key over within seconds
    RotateKey,
    /// Add a key to those in the data directory that seal ID numbers; running servers take it over, and the job
    /// reseal_identities seals what stands under older keys anew
    RotateIdentityKey,
    /// Make the next key in the data directory that signs electronic cards. It is published at once and signs later, so that
    /// devices have it by then; a running server takes it over within seconds
    RotateCardKey(RotateCardKeyArgs),
}

#[derive(Debug, Args)]
pub struct RotateCardKeyArgs {
    /// Hours until the new key signs: as long as a device may be without a network
    #[arg(long, default_value_t = 24, value_parser = clap::value_parser!(u16).range(0..=720))]
    lead_hours: u16,
    /// Others may know the present key: the new one signs at once, and no other is believed any more
    #[arg(long, conflicts_with = "lead_hours")]
    leaked: bool,
}

#[derive(Debug, Subcommand)]
pub enum StaffCommand {
    /// Create an administrator of the whole network: the first log-in of a new database
    CreateSystem {
        #[command(flatten)]
        who: Who,
    },
    /// Create a member of staff with one role
    CreateStaff {
        #[command(flatten)]
        who: Who,
        /// The name colleagues know
        #[arg(long)]
        name: Option<String>,
        /// system, unit_manager, librarian, cataloguer, courier, cashier, auditor or read_only
        #[arg(long)]
        role: String,
        /// Code of the unit in whose subtree the role is valid
        #[arg(long, value_name = "CODE")]
        unit: String,
    },
    /// Give a member of staff another password
    SetPassword {
        #[command(flatten)]
        who: Who,
    },
}

#[derive(Debug, Args)]
pub struct Who {
    #[arg(long)]
    pub username: String,
    /// Read the password from standard input (its first line); without this one is made up and printed
    #[arg(long)]
    pub password_stdin: bool,
}

pub(super) async fn run(config: Config, what: AdminCommand) -> Result<(), CliError> {
    match what {
        AdminCommand::Staff(what) => for_staff(config, what).await,
        AdminCommand::CreateDevice {
            code,
            kind,
            unit,
            name,
            capability,
        } => {
            let device = RegisterDevice {
                code,
                unit_code: unit,
                kind,
                name,
                capabilities: capability,
            };
            create_device(config, device).await
        }
        AdminCommand::RotateKey => rotate_key(config).await,
        AdminCommand::RotateIdentityKey => rotate_identity_key(config).await,
        AdminCommand::RotateCardKey(args) => rotate_card_key(config, args).await,
    }
}

/// The database is opened first: a key is not replaced where that could not be recorded.
async fn rotate_key(config: Config) -> Result<(), CliError> {
    let app = open(config).await?;
    let done = rotate(&app).await;
    close(&app).await;
    done
}

async fn rotate(app: &App) -> Result<(), CliError> {
    let rotated = KeyRing::rotate(&app.config, app.store.clock().now());
    let ring = rotated.map_err(|error| CliError::Failed(error.to_string()))?;
    let id = ring.current.id().to_string();
    println!("the signing key is now {id}");
    Ok(note_rotated_key(&app.store, id).await?)
}

/// As above.
async fn rotate_identity_key(config: Config) -> Result<(), CliError> {
    let app = open(config).await?;
    let done = rotate_identity(&app).await;
    close(&app).await;
    done
}

/// As above.
async fn rotate_card_key(config: Config, args: RotateCardKeyArgs) -> Result<(), CliError> {
    let app = open(config).await?;
    let done = next_card_key(&app, &args).await;
    close(&app).await;
    done
}

async fn rotate_identity(app: &App) -> Result<(), CliError> {
    let in_use = keys_in_use(&app.store).await?;
    let rotated = identity_ring::rotate(&app.config, app.store.clock().now(), &in_use);
    let keys = rotated.map_err(|error| CliError::Failed(error.to_string()))?;
    let newest = keys.last().map(IdentityKey::id).unwrap_or_default();
    println!("from a minute from now ID numbers are sealed with {newest}");
    Ok(note_rotated_identity_key(&app.store, newest).await?)
}

async fn next_card_key(app: &App, args: &RotateCardKeyArgs) -> Result<(), CliError> {
    let lead = (!args.leaked).then(|| TimeDelta::hours(i64::from(args.lead_hours)));
    let rotated = CardKeyRing::rotate(&app.config, app.store.clock().now(), lead);
    let ring = rotated.map_err(|error| CliError::Failed(error.to_string()))?;
    let Some(key) = ring.latest() else {
        return Err(CliError::Failed("no key was made".to_owned()));
    };
    println!("the key {} signs electronic cards from {} on", key.id, key.since);
    Ok(note_card_key(&app.store, key.id.clone(), args.leaked).await?)
}

async fn for_staff(config: Config, what: StaffCommand) -> Result<(), CliError> {
    let (StaffCommand::CreateSystem { who }
    | StaffCommand::CreateStaff { who, .. }
    | StaffCommand::SetPassword { who }) = &what;
    let made_up = !who.password_stdin;
    let (username, password) = (who.username.clone(), password(who)?);
    let app = open(config).await?;
    let done = act(&app, what, username.clone(), password.clone()).await;
    close(&app).await;
    println!("{} {username}", done?);
    if made_up {
        println!("password: {}", password.expose_secret());
    }
    Ok(())
}

async fn create_device(config: Config, device: RegisterDevice) -> Result<(), CliError> {
    let app = open(config).await?;
    let code = device.code.clone();
    let made = install_device(&app.store, device).await;
    close(&app).await;
    println!("created the device {code}\nsecret: {}", made?);
    Ok(())
}

async fn act(
    app: &App,
    what: StaffCommand,
    username: String,
    password: SecretString,
) -> Result<&'static str, CliError> {
    let (store, passwords) = (&app.store, &app.passwords);
    match what {
        StaffCommand::CreateSystem { .. } => {
            add_system(store, passwords, username, password).await?;
            Ok("created the administrator")
        }
        StaffCommand::CreateStaff { name, role, unit, .. } => {
            let name = name.unwrap_or_else(|| username.clone());
            let command = CreateStaff {
                username,
                name,
                password,
                roles: vec![(role, unit)],
            };
            add_staff(store, passwords, command).await?;
            Ok("created")
        }
        StaffCommand::SetPassword { .. } => {
            set_password(store, passwords, username, password).await?;
            Ok("changed the password of")
        }
    }
}

fn password(who: &Who) -> Result<SecretString, CliError> {
    if !who.password_stdin {
        let (random, _) = tokens::new_refresh();
        return Ok(random.chars().take(20).collect::<String>().into());
    }
    let mut line = String::new();
    let read = std::io::stdin().read_line(&mut line);
    read.map_err(|source| CliError::File {
        path: "the password cannot be read".to_owned(),
        source,
    })?;
    Ok(line.trim_end_matches(['\r', '\n']).into())
}
