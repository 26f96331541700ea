//! Whether the database answers, holds a network that can be understood, and takes changes.

use std::sync::Arc;

use super::{Result, UseCaseError};
use crate::store::Store;

/// Reads the configuration once, and tries a change if one was turned away lately.
///
/// # Errors
/// What kept it from being read or changed.
pub async fn readiness(store: &Arc<Store>) -> Result<()> {
    store
        .read(|tx| tx.network().map(drop).map_err(UseCaseError::from))
        .await?;
    Ok(store.takes_changes().await?)
}
