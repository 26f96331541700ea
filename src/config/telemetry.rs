//! Where traces go, under which name, and how many of them.

use std::str::FromStr;

use serde::{Deserialize, Deserializer, de};

use super::{ConfigError, bad, empty_is_none, within};

const SERVICE_NAME_CHARS: usize = 64;

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TelemetryConfig {
    #[serde(deserialize_with = "empty_is_none")]
    pub otlp_endpoint: Option<Collector>,
    pub service_name: String,
    pub sample_ratio: f64,
}

impl TelemetryConfig {
    /// # Errors
    /// A name that is none, or a share that is none.
    pub(super) fn check(&self) -> Result<(), ConfigError> {
        let name = &self.service_name;
        if name.trim().is_empty() || name.chars().count() > SERVICE_NAME_CHARS || name.contains(char::is_control) {
            return bad("telemetry.service_name", "expected 1 to 64 characters");
        }
        within("telemetry.sample_ratio", self.sample_ratio, 0.0..=1.0)
    }
}

/// A collector's address: `http://HOST:PORT`, or with a path before `/v1/traces`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Collector {
    /// `HOST:PORT`, as it is connected to and as the `Host` header has it.
    pub authority: String,
    /// Of the requests.
    pub path: String,
}

impl FromStr for Collector {
    type Err = &'static str;

    fn from_str(url: &str) -> Result<Self, Self::Err> {
        if url.starts_with("https://") {
            return Err("traces are sent by plain HTTP: name a collector near by, which passes them on by TLS");
        }
        let rest = url.strip_prefix("http://").ok_or("expected http://HOST:PORT")?;
        let plain = |c: char| c.is_ascii_graphic() && !"@?#\"<>\\".contains(c);
        let (authority, path) = rest.split_once('/').unwrap_or((rest, ""));
        let (host, port) = authority
            .rsplit_once(':')
            .ok_or("a port is missing: http://HOST:PORT")?;
        let port_is_one = port.parse::<u16>().is_ok_and(|port| port > 0);
        let bare_ipv6 = host.contains(':') && !(host.starts_with('[') && host.ends_with(']'));
        if !rest.chars().all(plain) || host.is_empty() || !port_is_one || bare_ipv6 {
            return Err("expected http://HOST:PORT");
        }
        let path = path.trim_end_matches('/');
        let slash = if path.is_empty() { "" } else { "/" };
        Ok(Self {
            authority: authority.to_owned(),
            path: format!("{slash}{path}/v1/traces"),
        })
    }
}

impl<'de> Deserialize<'de> for Collector {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::super::Config;
    use super::*;

    #[test]
    fn a_collector_has_a_host_and_a_port() {
        for (url, authority, path) in [
            ("http://127.0.0.1:4318", "127.0.0.1:4318", "/v1/traces"),
            ("http://[::1]:4318/", "[::1]:4318", "/v1/traces"),
            (
                "http://collector.local:80/otlp/",
                "collector.local:80",
                "/otlp/v1/traces",
            ),
        ] {
            let collector: Collector = url.parse().expect(url);
            assert_eq!(
                (collector.authority.as_str(), collector.path.as_str()),
                (authority, path)
            );
        }
        for url in [
            "collector:4318",
            "https://collector:4318",
            "http://collector",
            "http://:4318",
            "http://collector:0",
            "http://collector:70000",
            "http://user:secret@collector:4318",
            "http://collector:4318/a b",
            "http://::1:4318",
            "http://collector:4318\r\nX: y",
        ] {
            assert!(url.parse::<Collector>().is_err(), "{url}");
        }
    }

    #[test]
    fn a_setting_that_makes_no_sense_is_refused_by_name() {
        for (name, value, key) in [
            ("OTLP_ENDPOINT", "collector", "otlp_endpoint"),
            ("OTLP_ENDPOINT", "https://collector:4318", "otlp_endpoint"),
            ("SERVICE_NAME", "", "telemetry.service_name"),
            ("SAMPLE_RATIO", "1.5", "telemetry.sample_ratio"),
            ("SAMPLE_RATIO", "NaN", "telemetry.sample_ratio"),
            ("SAMPLE_RATIO", "half", "telemetry.sample_ratio"),
        ] {
            let env = [(format!("TONGJIE__TELEMETRY__{name}"), value.to_owned())];
            let error = Config::from_layers(None, env).expect_err(value).to_string();
            assert!(error.contains(key), "{name}={value}: {error}");
        }
        let env = [("TONGJIE__TELEMETRY__SAMPLE_RATIO".to_owned(), "0.25".to_owned())];
        let config = Config::from_layers(None, env).expect("a quarter");
        assert_eq!(config.telemetry.sample_ratio, 0.25);
    }
}
