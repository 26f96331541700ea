//! What the layers of the configuration say, before they are merged: every key known, every value of its type.
//!
//! The built-in defaults are the schema. Not here: what a value means; that is checked once, on the merged result.

use toml::{Table, Value};

use super::ConfigError;

const ENV_PREFIX: &str = "TONGJIE__";

/// One source of settings, with the name an error gives it.
pub(super) struct Layer {
    pub(super) origin: String,
    pub(super) table: Table,
}

pub(super) fn parse_toml(origin: &str, text: &str) -> Result<Layer, ConfigError> {
    let table = text.parse::<Table>().map_err(|error| {
        // The error's own text quotes the line, which may be the one with a password in it.
        let line = error
            .span()
            .map_or(1, |span| text[..span.start].matches('\n').count() + 1);
        let message = format!("{} on line {line}", error.message());
        ConfigError::NotToml {
            origin: origin.to_owned(),
            message,
        }
    })?;
    Ok(Layer {
        origin: origin.to_owned(),
        table,
    })
}

/// The layer of one environment variable, or none if it is not ours.
pub(super) fn env_layer(defaults: &Table, name: &str, value: &str) -> Result<Option<Layer>, ConfigError> {
    let Some(path) = name.strip_prefix(ENV_PREFIX) else {
        return Ok(None);
    };
    let origin = format!("the environment ({name})");
    let key = path.to_lowercase().replace("__", ".");
    let path: Vec<&str> = key.split('.').collect();
    // A section itself is no key.
    let default = match find(defaults, &path) {
        Some(default) if path.len() > 1 && !default.is_table() => default,
        _ => return Err(ConfigError::UnknownKey { key, origin }),
    };
    // The environment only has text: it takes the type the default has.
    let value = match default {
        Value::Integer(_) => match value.trim().parse::<i64>() {
            Ok(number) => Value::Integer(number),
            Err(_) => {
                return Err(ConfigError::BadValue {
                    key,
                    origin,
                    reason: "expected a whole number".into(),
                });
            }
        },
        Value::Float(_) => match value.trim().parse::<f64>() {
            Ok(number) => Value::Float(number),
            Err(_) => {
                return Err(ConfigError::BadValue {
                    key,
                    origin,
                    reason: "expected a number".into(),
                });
            }
        },
        _ => Value::String(value.to_owned()),
    };
    let nested = path[1..].iter().rev().fold(value, |inner, name| {
        Value::Table(Table::from_iter([((*name).to_owned(), inner)]))
    });
    let table = Table::from_iter([(path[0].to_owned(), nested)]);
    Ok(Some(Layer { origin, table }))
}

/// What the defaults have under these names, one within the other.
fn find<'a>(defaults: &'a Table, path: &[&str]) -> Option<&'a Value> {
    let (last, sections) = path.split_last()?;
    let table = sections
        .iter()
        .try_fold(defaults, |table, name| table.get(*name)?.as_table())?;
    table.get(*last)
}

/// Refuses what the defaults do not have, and a value of another type than the default's. (The `config` crate
/// would take `workers = 2.7` for 3 and `"yes"` for 1.)
pub(super) fn check_shape(defaults: &Table, layer: &Layer) -> Result<(), ConfigError> {
    let origin = || layer.origin.clone();
    for (section, given) in &layer.table {
        let Some(known) = defaults.get(section).and_then(Value::as_table) else {
            return Err(ConfigError::UnknownKey {
                key: section.clone(),
                origin: origin(),
            });
        };
        let Some(given) = given.as_table() else {
            let reason = "expected a section".to_owned();
            return Err(ConfigError::BadValue {
                key: section.clone(),
                origin: origin(),
                reason,
            });
        };
        check_section(section, known, given, layer)?;
    }
    Ok(())
}

fn check_section(section: &str, known: &Table, given: &Table, layer: &Layer) -> Result<(), ConfigError> {
    let origin = || layer.origin.clone();
    for (name, value) in given {
        let key = format!("{section}.{name}");
        match (known.get(name), value) {
            (None, _) => {
                return Err(ConfigError::UnknownKey { key, origin: origin() });
            }
            (Some(Value::Table(known)), Value::Table(given)) => check_section(&key, known, given, layer)?,
            (Some(default), value) if !default.same_type(value) => {
                let reason = format!("expected {}, not {}", default.type_str(), value.type_str());
                return Err(ConfigError::BadValue {
                    key,
                    origin: origin(),
                    reason,
                });
            }
            (Some(_), _) => {}
        }
    }
    Ok(())
}
