//! A write waiting to be run: a closure over a `WriteTx`, its result, and whom to answer.
//! A job may be run more than once (group broken, serialisation failure), so it must have no effect outside its transaction.

use tokio::sync::oneshot;

use super::error::StoreError;
use super::tx::WriteTx;

/// What a job said of its own work.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// Keep it: answer `Ok` once it is committed.
    Keep,
    /// Undo it: a refusal or a failure.
    Undo,
    /// Run it again: PostgreSQL said so.
    Again,
}

/// A job of any result type.
pub trait Job: Send {
    /// Runs the closure and keeps its result.
    fn run(&mut self, tx: &mut WriteTx<'_>) -> Verdict;
    /// Answers the caller with the kept result (`None`), or with a failure instead.
    fn answer(self: Box<Self>, failure: Option<StoreError>);
    /// Running it again after an unknown commit is safe: it claims an idempotency key.
    fn replay_safe(&self) -> bool;
    /// Nobody waits for the answer any more: the caller was told that time is up, so it must not happen later.
    fn is_abandoned(&self) -> bool;
}

/// The job of one closure.
pub struct JobOf<F, T, E> {
    work: F,
    result: Option<Result<T, E>>,
    reply: oneshot::Sender<Result<T, E>>,
    replay_safe: bool,
}

impl<F, T, E> JobOf<F, T, E> {
    pub fn new(work: F, reply: oneshot::Sender<Result<T, E>>, replay_safe: bool) -> Self {
        Self {
            work,
            result: None,
            reply,
            replay_safe,
        }
    }
}

/// Errors that may carry a failure of the store.
pub trait FromStore: From<StoreError> {
    /// The store's failure inside, if that is what it is.
    fn store_error(&self) -> Option<&StoreError>;
}

impl FromStore for StoreError {
    fn store_error(&self) -> Option<&StoreError> {
        Some(self)
    }
}

impl<F, T, E> Job for JobOf<F, T, E>
where
    F: FnMut(&mut WriteTx<'_>) -> Result<T, E> + Send,
    T: Send,
    E: FromStore + Send,
{
    fn run(&mut self, tx: &mut WriteTx<'_>) -> Verdict {
        self.result = None;
        let mut result = (self.work)(tx);
        if let Err(error) = tx.finish(result.is_ok()) {
            result = Err(error.into());
        }
        // A swallowed database error followed by Ok: PostgreSQL has rolled back already, so Ok would be a lie.
        if result.is_ok() && tx.watch.failed() {
            result = Err(StoreError::Poisoned.into());
        }
        let verdict = match &result {
            Ok(_) => Verdict::Keep,
            Err(error) => match error.store_error() {
                Some(StoreError::Retry(_)) => Verdict::Again,
                _ => Verdict::Undo,
            },
        };
        self.result = Some(result);
        verdict
    }

    fn answer(self: Box<Self>, failure: Option<StoreError>) {
        let result = match (failure, self.result) {
            (Some(failure), _) => Err(failure.into()),
            (None, Some(result)) => result,
            (None, None) => Err(StoreError::Panicked.into()),
        };
        // The caller may have gone away; what was committed stays committed and a retry with its key finds it.
        drop(self.reply.send(result));
    }

    fn replay_safe(&self) -> bool {
        self.replay_safe
    }

    fn is_abandoned(&self) -> bool {
        self.reply.is_closed()
    }
}
