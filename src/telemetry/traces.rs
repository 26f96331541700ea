//! Traces, if configured: a span for each request and one for each of its transactions, sent by OTLP to a collector. A span holds
//! what a log line may hold: operation, method, status, request id, engine; never a path, a query, or anything of a person.
//! Nothing of it can hold up or fail a request: see `queue`.

mod collector;
mod queue;

use std::future::Future;
use std::io;
use std::sync::{Arc, OnceLock};
use std::time::Instant;

use opentelemetry::propagation::{Extractor, TextMapPropagator};
use opentelemetry::trace::{Span, SpanKind, Status, TraceContextExt, Tracer, TracerProvider};
use opentelemetry::{Context, KeyValue};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::propagation::TraceContextPropagator;
use opentelemetry_sdk::trace::{Sampler, SdkTracer, SdkTracerProvider, Span as SdkSpan};

use self::queue::{Queue, TraceFigures};
use crate::config::TelemetryConfig;

/// The W3C header that names the trace a request belongs to.
pub const TRACEPARENT: &str = "traceparent";

tokio::task_local! {
    /// The request this task works for.
    static CURRENT: RequestTrace;
}

/// The tracer of one application.
#[derive(Debug)]
pub struct Traces {
    provider: SdkTracerProvider,
    tracer: SdkTracer,
    pub figures: Arc<TraceFigures>,
}

impl Traces {
    /// As configured; `None` without a collector.
    ///
    /// # Errors
    /// When the system has no thread left for the sender.
    pub fn start(config: &TelemetryConfig) -> io::Result<Option<Self>> {
        let Some(collector) = config.otlp_endpoint.clone() else {
            return Ok(None);
        };
        let resource = Resource::builder_empty()
            .with_service_name(config.service_name.clone())
            .with_attribute(KeyValue::new("service.version", env!("CARGO_PKG_VERSION")))
            .build();
        let queue = Queue::start(collector, &resource)?;
        let figures = queue.figures();
        let share = Sampler::TraceIdRatioBased(config.sample_ratio);
        let provider = SdkTracerProvider::builder()
            .with_sampler(Sampler::ParentBased(Box::new(share)))
            .with_resource(resource)
            .with_span_processor(queue)
            .build();
        Ok(Some(Self {
            tracer: provider.tracer("tongjie"),
            provider,
            figures,
        }))
    }

    /// A request begins. `traceparent` is the header of that name; one that is none begins a trace of its own.
    pub fn request(
        &self,
        operation: &str,
        method: &'static str,
        id: &impl ToString,
        traceparent: Option<&str>,
    ) -> RequestTrace {
        // What else a caller says of its trace (`tracestate`, baggage) is not read: it could be anything.
        let parent = TraceContextPropagator::new().extract_with_context(&Context::new(), &Header(traceparent));
        let span = self
            .tracer
            .span_builder(operation.to_owned())
            .with_kind(SpanKind::Server)
            .with_attributes([
                KeyValue::new("http.request.method", method),
                KeyValue::new("tongjie.request_id", id.to_string()),
            ])
            .start_with_context(&self.tracer, &parent);
        RequestTrace {
            tracer: self.tracer.clone(),
            context: parent.with_span(span),
        }
    }

    /// Sends what is left, for a few seconds at most. Blocks; call it last, when nothing is traced any more.
    pub fn close(&self) {
        // The only failure is that it was closed before.
        drop(self.provider.shutdown());
    }
}

struct Header<'a>(Option<&'a str>);

impl Extractor for Header<'_> {
    fn get(&self, key: &str) -> Option<&str> {
        self.0.filter(|_| key == TRACEPARENT)
    }

    fn keys(&self) -> Vec<&str> {
        vec![TRACEPARENT]
    }
}

/// The span of a request under way. It ends with the answer, or when its client has gone away.
#[derive(Debug, Clone)]
pub struct RequestTrace {
    tracer: SdkTracer,
    context: Context,
}

impl RequestTrace {
    /// Does the work of the request; its transactions are spans below this one.
    pub async fn scope<F: Future>(&self, work: F) -> F::Output {
        CURRENT.scope(self.clone(), work).await
    }

    /// Ends the span.
    pub fn answered(&self, status: u16) {
        let span = self.context.span();
        span.set_attribute(KeyValue::new("http.response.status_code", i64::from(status)));
        if status >= 500 {
            span.set_status(Status::error(""));
        }
        span.end();
    }
}

/// The span of a transaction, or nothing where the request is not traced.
#[derive(Debug)]
pub struct TransactionTrace(Option<(SdkSpan, Arc<Waiting>)>);

/// How long a transaction waited before its work began.
#[derive(Debug)]
pub struct Waiting {
    since: Instant,
    micros: OnceLock<i64>,
}

impl TransactionTrace {
    /// A transaction of the current request is asked for.
    pub fn begin(name: &'static str, engine: &'static str) -> Self {
        let of_request = CURRENT.try_with(|request| {
            if !request.context.span().span_context().is_sampled() {
                return None;
            }
            let builder = request.tracer.span_builder(name).with_kind(SpanKind::Internal);
            let builder = builder.with_attributes([KeyValue::new("db.system.name", engine)]);
            let waiting = Waiting {
                since: Instant::now(),
                micros: OnceLock::new(),
            };
            let span = builder.start_with_context(&request.tracer, &request.context);
            Some((span, Arc::new(waiting)))
        });
        Self(of_request.ok().flatten())
    }

    /// What the work calls when it begins.
    pub fn waiting(&self) -> Option<Arc<Waiting>> {
        self.0.as_ref().map(|(_, waiting)| Arc::clone(waiting))
    }

    /// Ends the span. A refusal is an answer, not a failure of the transaction.
    pub fn end(self, failed: bool) {
        let Some((mut span, waiting)) = self.0 else { return };
        if let Some(micros) = waiting.micros.get() {
            span.set_attribute(KeyValue::new("tongjie.waited_micros", *micros));
        }
        if failed {
            span.set_status(Status::error(""));
        }
        span.end();
    }
}

impl Waiting {
    /// The work begins; that it begins again changes nothing.
    pub fn over(&self) {
        let micros = || i64::try_from(self.since.elapsed().as_micros()).unwrap_or(i64::MAX);
        self.micros.get_or_init(micros);
    }
}
