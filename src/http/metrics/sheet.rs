//! A sheet of figures and how it is written as OpenMetrics text, which Prometheus reads.

use std::fmt;

use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, MetricEncoder, NoLabelSet};
use prometheus_client::metrics::MetricType;
use prometheus_client::registry::Registry;

use crate::telemetry::histogram::Snapshot;

/// Names and values; never of persons: an operation, a status class, a pool.
pub(super) type Labels = Vec<(&'static str, String)>;

/// One metric with all its series.
#[derive(Debug)]
pub(super) struct Metric {
    pub name: &'static str,
    /// Without a full stop; the writer adds it.
    pub help: &'static str,
    pub values: Values,
}

#[derive(Debug)]
pub(super) enum Values {
    /// Only grows; `_total` is added to the name.
    Counter(Vec<(Labels, f64)>),
    Gauge(Vec<(Labels, f64)>),
    Histogram(Vec<(Labels, Snapshot)>),
}

/// Figures of one moment.
#[derive(Debug, Default)]
pub(super) struct Sheet(pub Vec<Metric>);

impl Sheet {
    pub fn counter(&mut self, name: &'static str, help: &'static str, series: Vec<(Labels, f64)>) {
        self.push(name, help, Values::Counter(series));
    }

    pub fn gauge(&mut self, name: &'static str, help: &'static str, series: Vec<(Labels, f64)>) {
        self.push(name, help, Values::Gauge(series));
    }

    pub fn histogram(&mut self, name: &'static str, help: &'static str, series: Vec<(Labels, Snapshot)>) {
        self.push(name, help, Values::Histogram(series));
    }

    fn push(&mut self, name: &'static str, help: &'static str, values: Values) {
        self.0.push(Metric { name, help, values });
    }

    /// # Errors
    /// Never in practice: writing into a string does not fail.
    pub fn into_text(self) -> Result<String, fmt::Error> {
        let mut registry = Registry::default();
        registry.register_collector(Box::new(self));
        let mut text = String::with_capacity(64 * 1024);
        prometheus_client::encoding::text::encode(&mut text, &registry)?;
        Ok(text)
    }
}

impl Collector for Sheet {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        for Metric { name, help, values } in &self.0 {
            match values {
                Values::Counter(series) => {
                    let mut metric = encoder.encode_descriptor(name, help, None, MetricType::Counter)?;
                    each(&mut metric, series, |metric, value| {
                        metric.encode_counter::<NoLabelSet, _, f64>(value, None)
                    })?;
                }
                Values::Gauge(series) => {
                    let mut metric = encoder.encode_descriptor(name, help, None, MetricType::Gauge)?;
                    each(&mut metric, series, |metric, value| metric.encode_gauge(value))?;
                }
                Values::Histogram(series) => {
                    let mut metric = encoder.encode_descriptor(name, help, None, MetricType::Histogram)?;
                    each(&mut metric, series, |metric, value| {
                        metric.encode_histogram::<NoLabelSet>(value.sum, value.count, &value.buckets, None)
                    })?;
                }
            }
        }
        Ok(())
    }
}

fn each<V>(
    metric: &mut MetricEncoder<'_>,
    series: &[(Labels, V)],
    mut encode: impl FnMut(&mut MetricEncoder<'_>, &V) -> fmt::Result,
) -> fmt::Result {
    for (labels, value) in series {
        if labels.is_empty() {
            encode(metric, value)?;
        } else {
            encode(&mut metric.encode_family(labels)?, value)?;
        }
    }
    Ok(())
}
