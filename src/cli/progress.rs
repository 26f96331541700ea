//! Progress bars on standard error, for people only: nothing is drawn where it is not a terminal.

use std::sync::Mutex;
use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};

use crate::usecase::progress::Progress;

/// Draws one bar at a time.
#[derive(Debug, Default)]
pub(super) struct Bars(Mutex<Option<ProgressBar>>);

impl Bars {
    fn with(&self, work: impl FnOnce(&mut Option<ProgressBar>)) {
        work(&mut self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner));
    }

    /// Takes the last bar away.
    pub(super) fn clear(&self) {
        self.with(|bar| {
            if let Some(bar) = bar.take() {
                bar.finish_and_clear();
            }
        });
    }
}

impl Progress for Bars {
    fn begin(&self, step: &'static str, total: Option<u64>) {
        self.clear();
        let (bar, template) = match total {
            Some(total) => (ProgressBar::new(total), "{msg:32} {bar:40} {pos}/{len} {eta}"),
            None => (
                ProgressBar::new_spinner(),
                "{msg:32} {spinner} {pos} {per_sec} {elapsed}",
            ),
        };
        let style = ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar());
        bar.set_style(style);
        bar.set_message(step);
        bar.enable_steady_tick(Duration::from_millis(200));
        self.with(|current| *current = Some(bar));
    }

    fn advance(&self, by: u64) {
        self.with(|bar| {
            if let Some(bar) = bar {
                bar.inc(by);
            }
        });
    }
}

impl Drop for Bars {
    fn drop(&mut self) {
        self.clear();
    }
}
