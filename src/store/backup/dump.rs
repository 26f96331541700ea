//! What stands in a dump of PostgreSQL: read through to its end once, as the text `pg_restore` makes of it, so that a dump
//! that was cut short is noticed before anything is replaced by it.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::Stdio;

use super::tools::{Tools, finish};
use super::{BackupError, COUNTED, Contents, unusable};

const MIGRATIONS: &str = "__diesel_schema_migrations";

/// Counts the rows of every table in the dump and lists its migrations.
///
/// # Errors
/// `Unusable` when it cannot be read to its end, or is not a dump of Tongjie.
pub fn contents(tools: &Tools, dump: &Path) -> Result<Contents, BackupError> {
    let mut command = tools.plain("pg_restore");
    command.args(["--data-only", "--schema=public", "--file=-"]).arg(dump);
    let mut child = command
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .map_err(|error| BackupError::Program(format!("pg_restore could not be run: {error}")))?;
    let out = child.stdout.take();
    let read = out.map(|out| rows(BufReader::with_capacity(1 << 18, out)));
    // Its own words say more than a pipe that ended.
    finish(Ok(child), "pg_restore").map_err(|error| unusable(dump, error.to_string()))?;
    let rows = match read {
        Some(Ok(rows)) => rows,
        Some(Err(error)) => return Err(unusable(dump, error.to_string())),
        None => return Err(unusable(dump, "nothing could be read from it")),
    };
    if rows.migrations.is_empty() || !rows.counts.contains_key("network_state") {
        return Err(unusable(dump, "it is a dump, but not one of Tongjie"));
    }
    Ok(rows.into_contents())
}

#[derive(Debug, Default)]
struct Rows {
    migrations: Vec<String>,
    counts: BTreeMap<String, i64>,
}

impl Rows {
    fn into_contents(mut self) -> Contents {
        self.migrations.sort();
        Contents {
            counts: COUNTED
                .iter()
                .map(|table| (*table, self.counts.get(*table).copied().unwrap_or(0)))
                .collect(),
            migrations: self.migrations,
        }
    }
}

/// Reads `COPY public.table (columns) FROM stdin;`, a line per row, and `\.`.
fn rows(mut text: impl BufRead) -> std::io::Result<Rows> {
    let mut rows = Rows::default();
    let mut table: Option<String> = None;
    let mut line = Vec::new();
    loop {
        line.clear();
        if text.read_until(b'\n', &mut line)? == 0 {
            break;
        }
        match &table {
            None => {
                table = copied_table(&line);
                if let Some(name) = &table {
                    rows.counts.entry(name.clone()).or_default();
                }
            }
            Some(_) if line.starts_with(b"\\.") => table = None,
            Some(name) => {
                *rows.counts.entry(name.clone()).or_default() += 1;
                if name == MIGRATIONS {
                    let version = line.split(|byte| *byte == b'\t').next().unwrap_or_default();
                    rows.migrations.push(String::from_utf8_lossy(version).into_owned());
                }
            }
        }
    }
    if table.is_some() {
        return Err(std::io::ErrorKind::UnexpectedEof.into());
    }
    Ok(rows)
}

fn copied_table(line: &[u8]) -> Option<String> {
    let rest = std::str::from_utf8(line).ok()?.strip_prefix("COPY public.")?;
    let name = rest.split(' ').next()?;
    Some(name.trim_matches('"').to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_counted_to_the_end_of_each_table() {
        let text = "SET x = 1;\n\nCOPY public.__diesel_schema_migrations (version, run_on) FROM stdin;\n20261122000001\tx\n\\.\n\n\
                    COPY public.units (id, name) FROM stdin;\n1\tCOPY public.bibs (\n2\t\\\\.\n\\.\n\nCOPY public.network_state (id) FROM stdin;\n\\.\n";
        let found = rows(text.as_bytes()).expect("whole");
        assert!(found.counts.contains_key("network_state"));
        let contents = found.into_contents();
        assert_eq!(contents.migrations, ["20261122000001"]);
        assert_eq!(contents.counts[0], ("units", 2));
        assert_eq!(
            contents.counts[1],
            ("bibs", 0),
            "a title that looks like a command is a row"
        );
        assert!(rows("COPY public.units (id) FROM stdin;\n1\n".as_bytes()).is_err());
    }
}
