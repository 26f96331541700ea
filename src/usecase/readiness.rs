//! Whether the database answers and holds a network that can be understood.

use std::sync::Arc;

use super::{Result, UseCaseError};
use crate::store::Store;

/// Reads the configuration once.
///
/// # Errors
/// What kept it from being read.
pub async fn readiness(store: &Arc<Store>) -> Result<()> {
    store
        .read(|tx| tx.network().map(drop).map_err(UseCaseError::from))
        .await
}
