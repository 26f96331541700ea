//! How long work tells its caller how far it is. Not for: drawing a bar (see `cli`).

/// Told by a use case while it works; called from any thread.
pub trait Progress: Send + Sync {
    /// A new step begins. `total` counts what [`advance`](Self::advance) counts, where it is known.
    fn begin(&self, step: &'static str, total: Option<u64>);
    /// So much more of the step is done.
    fn advance(&self, by: u64);
}

/// Tells nobody.
#[derive(Debug, Clone, Copy, Default)]
pub struct Silent;

impl Progress for Silent {
    fn begin(&self, _: &'static str, _: Option<u64>) {}
    fn advance(&self, _: u64) {}
}
