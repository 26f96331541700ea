//! Reads the settings of a driver and tells every fault of them at once, each by its name.

use std::net::IpAddr;
use std::ops::RangeInclusive;

use serde_json::{Map, Value};

use crate::usecase::machine_ports::SettingFault;

/// Longest text of a setting, in bytes.
const MAX_TEXT: usize = 253;

/// One reading.
#[derive(Debug)]
pub struct Settings<'s> {
    given: &'s Map<String, Value>,
    known: Vec<&'static str>,
    faults: Vec<SettingFault>,
}

impl<'s> Settings<'s> {
    pub const fn new(given: &'s Map<String, Value>) -> Self {
        Self {
            given,
            known: Vec::new(),
            faults: Vec::new(),
        }
    }

    /// Says that a setting makes no sense.
    pub fn wrong(&mut self, field: &str, reason: impl Into<String>) {
        let (field, reason) = (field.to_owned(), reason.into());
        self.faults.push(SettingFault { field, reason });
    }

    fn value(&mut self, name: &'static str) -> Option<&'s Value> {
        self.known.push(name);
        self.given.get(name).filter(|value| !value.is_null())
    }

    /// A whole number, or what stands for none.
    pub fn number(&mut self, name: &'static str, range: RangeInclusive<u32>, default: u32) -> u32 {
        self.number_given(name, range).unwrap_or(default)
    }

    /// A whole number, if there is one.
    pub fn number_given(&mut self, name: &'static str, range: RangeInclusive<u32>) -> Option<u32> {
        let value = self.value(name)?;
        let number = value.as_u64().and_then(|number| u32::try_from(number).ok());
        let number = number.filter(|number| range.contains(number));
        if number.is_none() {
            let (least, most) = (range.start(), range.end());
            self.wrong(name, format!("must be a whole number from {least} to {most}"));
        }
        number
    }

    /// Yes or no, or what stands for neither.
    pub fn flag(&mut self, name: &'static str, default: bool) -> bool {
        let Some(value) = self.value(name) else { return default };
        value.as_bool().unwrap_or_else(|| {
            self.wrong(name, "must be true or false");
            default
        })
    }

    /// A text without control characters, if there is one.
    pub fn text(&mut self, name: &'static str) -> Option<String> {
        let value = self.value(name)?;
        let fits = |text: &&str| !text.is_empty() && text.len() <= MAX_TEXT && !text.chars().any(char::is_control);
        let text = value.as_str().filter(fits);
        if text.is_none() {
            self.wrong(
                name,
                format!("must be a text of 1 to {MAX_TEXT} bytes without control characters"),
            );
        }
        text.map(str::to_owned)
    }

    /// A text that must be there; an empty one stands for it where it is not.
    pub fn needed(&mut self, name: &'static str, what: &str) -> String {
        if self.given.get(name).is_none_or(Value::is_null) {
            self.known.push(name);
            self.wrong(name, format!("is needed: {what}"));
            return String::new();
        }
        self.text(name).unwrap_or_default()
    }

    /// One of several words.
    pub fn one_of<T: Copy>(&mut self, name: &'static str, words: &[(&str, T)], default: T) -> T {
        let Some(value) = self.value(name) else { return default };
        let found = words.iter().find(|(word, _)| value.as_str() == Some(word));
        found.map_or_else(
            || {
                let known: Vec<&str> = words.iter().map(|(word, _)| *word).collect();
                self.wrong(name, format!("must be one of {}", known.join(", ")));
                default
            },
            |(_, meant)| *meant,
        )
    }

    /// What was read, if all of it makes sense and nothing is there that nobody knows.
    ///
    /// # Errors
    /// Every fault.
    pub fn finish<T>(mut self, read: T) -> Result<T, Vec<SettingFault>> {
        let known = std::mem::take(&mut self.known);
        for name in self.given.keys().filter(|name| !known.contains(&name.as_str())) {
            let name: String = name.chars().take(40).collect();
            let reason = match known.as_slice() {
                [] => "is not known: this driver has no settings".to_owned(),
                known => format!("is not known; there are {}", known.join(", ")),
            };
            self.faults.push(SettingFault { field: name, reason });
        }
        if self.faults.is_empty() {
            Ok(read)
        } else {
            Err(self.faults)
        }
    }
}

/// Host and port of a machine.
pub fn host_and_port(settings: &mut Settings<'_>, name: &'static str, text: &str) -> (String, u16) {
    let split = text.rsplit_once(':').and_then(|(host, port)| {
        let port = port.parse::<u16>().ok().filter(|port| *port > 0)?;
        let host = host
            .strip_prefix('[')
            .and_then(|host| host.strip_suffix(']'))
            .unwrap_or(host);
        let fits = !host.is_empty() && host.chars().all(|c| c.is_ascii_alphanumeric() || ".-:_".contains(c));
        fits.then(|| (host.to_owned(), port))
    });
    if split.is_none() && !text.is_empty() {
        settings.wrong(name, "must be host:port, such as 10.1.2.3:502");
    }
    split.unwrap_or_default()
}

/// One way to write a host: `Board-7.example.` is `board-7.example`.
pub fn host_name(host: &str) -> String {
    match host.parse::<IpAddr>() {
        Ok(address) => address.to_canonical().to_string(),
        Err(_) => host.trim_end_matches('.').to_ascii_lowercase(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn read(given: &Value) -> Result<(u32, bool, String), Vec<SettingFault>> {
        let map = given.as_object().unwrap().clone();
        let mut settings = Settings::new(&map);
        let read = (
            settings.number("unit", 0..=255, 1),
            settings.flag("feedback", true),
            settings.needed("address", "host:port of the board"),
        );
        host_and_port(&mut settings, "address", &read.2);
        settings.finish(read)
    }

    #[test]
    fn what_is_left_out_is_as_the_default_says() {
        let read = read(&json!({"address": "board-7.example:502", "feedback": null})).unwrap();
        assert_eq!((read.0, read.1), (1, true));
    }

    #[test]
    fn every_fault_is_told_by_its_name() {
        let faults = read(&json!({"unit": 256, "feedback": 1, "adress": "x"})).unwrap_err();
        let fields: Vec<&str> = faults.iter().map(|fault| fault.field.as_str()).collect();
        assert_eq!(fields, ["unit", "feedback", "address", "adress"]);
        assert!(faults[3].reason.contains("unit, feedback, address"), "{faults:?}");
    }

    #[test]
    fn a_host_is_written_in_one_way() {
        for (written, means) in [
            ("Board-7.Example.", "board-7.example"),
            ("::ffff:10.1.2.3", "10.1.2.3"),
            ("0:0:0:0:0:0:0:1", "::1"),
        ] {
            assert_eq!(host_name(written), means);
        }
    }

    #[test]
    fn an_address_is_host_and_port() {
        for good in ["10.1.2.3:502", "board:1", "[::1]:502"] {
            assert!(read(&json!({"address": good})).is_ok(), "{good}");
        }
        for bad in [
            "10.1.2.3",
            ":502",
            "a:0",
            "a:65536",
            "a b:502",
            "http://a:502",
            "a\u{0}:502",
            "",
        ] {
            assert!(read(&json!({"address": bad})).is_err(), "{bad}");
        }
    }
}
