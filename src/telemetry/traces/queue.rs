//! Ended spans on their way to the collector: a bounded queue and one thread of its own. What does not fit, and what the collector
//! does not take, is dropped and counted; whoever ends a span never waits.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use crossbeam_channel::{Receiver, RecvTimeoutError, Sender, bounded};
use opentelemetry::Context;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::transform::common::tonic::ResourceAttributesWithSchema;
use opentelemetry_proto::transform::trace::tonic::group_spans_by_resource_and_scope;
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::error::{OTelSdkError, OTelSdkResult};
use opentelemetry_sdk::trace::{Span, SpanData, SpanProcessor};
use prost::Message;

use super::collector::post;
use crate::config::Collector;

/// Spans that may wait: at a tick of 200 ms twenty thousand a second.
const QUEUE_SPANS: usize = 4096;
/// Spans of one message.
const BATCH_SPANS: usize = 512;
const TICK: Duration = Duration::from_millis(200);
/// The tick while the collector takes nothing.
const FAILING_TICK: Duration = Duration::from_secs(2);

/// What became of the spans that ended.
#[derive(Debug, Default)]
pub struct TraceFigures {
    pub sent: AtomicU64,
    /// Dropped: the queue was full.
    pub queue_full: AtomicU64,
    /// Dropped: the collector did not take them.
    pub not_taken: AtomicU64,
}

/// The end of the queue that the tracer knows.
#[derive(Debug)]
pub(super) struct Queue {
    spans: Sender<SpanData>,
    stop: Sender<()>,
    /// Closed when the thread has ended.
    ended: Receiver<()>,
    figures: Arc<TraceFigures>,
}

impl Queue {
    pub fn start(collector: Collector, resource: &Resource) -> io::Result<Self> {
        let (spans, waiting) = bounded(QUEUE_SPANS);
        let (stop, stopping) = bounded(1);
        let (ending, ended) = bounded::<()>(0);
        let figures = Arc::new(TraceFigures::default());
        let mut sending = Sending {
            waiting,
            collector,
            resource: resource.into(),
            figures: Arc::clone(&figures),
            failing: false,
        };
        std::thread::Builder::new().name("traces".to_owned()).spawn(move || {
            sending.run(&stopping);
            drop(ending);
        })?;
        Ok(Self {
            spans,
            stop,
            ended,
            figures,
        })
    }

    pub fn figures(&self) -> Arc<TraceFigures> {
        Arc::clone(&self.figures)
    }
}

impl SpanProcessor for Queue {
    fn on_start(&self, _: &mut Span, _: &Context) {}

    fn on_end(&self, span: SpanData) {
        if self.spans.try_send(span).is_err() {
            self.figures.queue_full.fetch_add(1, Ordering::Relaxed);
        }
    }

    fn force_flush(&self) -> OTelSdkResult {
        Ok(())
    }

    fn shutdown_with_timeout(&self, timeout: Duration) -> OTelSdkResult {
        // Full: it was told already.
        self.stop.try_send(()).ok();
        match self.ended.recv_timeout(timeout) {
            Err(RecvTimeoutError::Timeout) => Err(OTelSdkError::Timeout(timeout)),
            _ => Ok(()),
        }
    }
}

/// The other end: the thread that sends.
struct Sending {
    waiting: Receiver<SpanData>,
    collector: Collector,
    resource: ResourceAttributesWithSchema,
    figures: Arc<TraceFigures>,
    failing: bool,
}

impl Sending {
    fn run(&mut self, stopping: &Receiver<()>) {
        loop {
            let tick = if self.failing { FAILING_TICK } else { TICK };
            let stop = stopping.recv_timeout(tick) != Err(RecvTimeoutError::Timeout);
            while !self.waiting.is_empty() {
                self.send();
                if self.failing {
                    break;
                }
            }
            if stop {
                let left = self.waiting.try_iter().count();
                self.figures.not_taken.fetch_add(left as u64, Ordering::Relaxed);
                return;
            }
        }
    }

    fn send(&mut self) {
        let batch: Vec<SpanData> = self.waiting.try_iter().take(BATCH_SPANS).collect();
        let count = batch.len() as u64;
        let message = ExportTraceServiceRequest {
            resource_spans: group_spans_by_resource_and_scope(batch, &self.resource),
        };
        match post(&self.collector, &message.encode_to_vec()) {
            Ok(()) => {
                self.figures.sent.fetch_add(count, Ordering::Relaxed);
                if std::mem::take(&mut self.failing) {
                    tracing::info!("the collector takes traces again");
                }
            }
            Err(error) => {
                self.figures.not_taken.fetch_add(count, Ordering::Relaxed);
                if !std::mem::replace(&mut self.failing, true) {
                    let collector = &self.collector.authority;
                    tracing::warn!(%collector, %error, "traces are not taken by the collector; they are dropped until it answers");
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;
    use std::time::Instant;

    use opentelemetry::trace::{Tracer, TracerProvider};
    use opentelemetry_sdk::trace::SdkTracerProvider;

    use super::*;

    #[test]
    fn a_collector_that_hangs_costs_spans_and_nothing_else() {
        // Connections are taken by the system; nobody ever reads from them.
        let deaf = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let url = format!("http://{}", deaf.local_addr().expect("bound"));
        let queue = Queue::start(url.parse().expect("a collector"), &Resource::builder_empty().build());
        let queue = queue.expect("a thread");
        let figures = queue.figures();
        let provider = SdkTracerProvider::builder().with_span_processor(queue).build();
        let tracer = provider.tracer("test");
        let began = Instant::now();
        let ended = 3 * QUEUE_SPANS as u64;
        for _ in 0..ended {
            drop(tracer.start("a span"));
        }
        assert!(began.elapsed() < Duration::from_secs(30), "{:?}", began.elapsed());
        let full = figures.queue_full.load(Ordering::Relaxed);
        assert!(full > 0 && full < ended, "{full} of {ended}");
        assert_eq!(figures.sent.load(Ordering::Relaxed), 0);
        provider.shutdown().expect("it gives up by itself");
        let not_taken = figures.not_taken.load(Ordering::Relaxed);
        assert_eq!(full + not_taken, ended, "every span is counted once");
    }
}
