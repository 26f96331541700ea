//! PostgreSQL's own programs: which of the installed ones fits the server, and how they are run without showing a password
//! to other users of the machine.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use super::BackupError;

/// Where Debian and Ubuntu keep each version.
const VERSIONED: &str = "/usr/lib/postgresql";

/// `pg_dump` and `pg_restore` of one version.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tools {
    dir: PathBuf,
    pub major: u32,
}

impl Tools {
    /// The oldest pair that is not older than the server: an older one cannot read it, a newer one may write settings that
    /// the server does not know.
    ///
    /// # Errors
    /// `Program` naming what to install.
    pub fn for_server(major: u32) -> Result<Self, BackupError> {
        choose(installed(), major)
    }

    /// A run of one of the two on the database of `url`.
    #[must_use]
    pub fn on(&self, program: &str, url: &str) -> Command {
        let (url, password) = without_password(url);
        let mut command = self.plain(program);
        command.arg(format!("--dbname={url}"));
        if let Some(password) = password {
            command.env("PGPASSWORD", password);
        }
        command
    }

    /// A run that needs no database.
    #[must_use]
    pub fn plain(&self, program: &str) -> Command {
        let mut command = Command::new(self.dir.join(program));
        // Their messages are looked at, in one language.
        command.env("LC_ALL", "C").stdin(Stdio::null());
        command
    }
}

/// Runs a command to its end.
///
/// # Errors
/// `Program` with the last words of a command that failed.
pub fn finish(child: std::io::Result<Child>, what: &str) -> Result<(), BackupError> {
    let failed = |error: std::io::Error| BackupError::Program(format!("{what} could not be run: {error}"));
    let output = child.and_then(Child::wait_with_output).map_err(failed)?;
    if output.status.success() {
        return Ok(());
    }
    let said = String::from_utf8_lossy(&output.stderr);
    let lines: Vec<&str> = said.lines().filter(|line| !line.trim().is_empty()).collect();
    let last = lines[lines.len().saturating_sub(3)..].join(" / ");
    Err(BackupError::Program(format!(
        "{what} failed ({}): {last}",
        output.status
    )))
}

fn installed() -> Vec<Tools> {
    let versioned = std::fs::read_dir(VERSIONED).into_iter().flatten();
    let versioned = versioned.map_while(Result::ok).map(|entry| entry.path().join("bin"));
    let path = std::env::var_os("PATH").unwrap_or_default();
    let dirs = std::env::split_paths(&path).chain(versioned);
    dirs.filter(|dir| dir.join("pg_restore").is_file())
        .filter_map(|dir| {
            let major = version_of(&dir.join("pg_dump"))?;
            Some(Tools { dir, major })
        })
        .collect()
}

fn version_of(program: &Path) -> Option<u32> {
    let output = Command::new(program)
        .arg("--version")
        .stdin(Stdio::null())
        .output()
        .ok()?;
    major_in(&String::from_utf8_lossy(&output.stdout))
}

/// `pg_dump (PostgreSQL) 16.4 (Debian …)` is 16.
fn major_in(version: &str) -> Option<u32> {
    let number = version.split(") ").nth(1)?;
    number.split(|c: char| !c.is_ascii_digit()).next()?.parse().ok()
}

fn choose(mut found: Vec<Tools>, server: u32) -> Result<Tools, BackupError> {
    // Stable: of two with the same version the one that stands first on PATH is taken.
    found.sort_by_key(|tools| tools.major);
    let newest = found.last().map(|tools| tools.major);
    if let Some(fitting) = found.into_iter().find(|tools| tools.major >= server) {
        return Ok(fitting);
    }
    let there = newest.map_or("none was found".to_owned(), |major| {
        format!("the newest one here is {major}")
    });
    Err(BackupError::Program(format!(
        "pg_dump and pg_restore of PostgreSQL {server} or newer are needed on PATH or in {VERSIONED}, {there}; \
         install postgresql-client-{server}"
    )))
}

/// The URL of another database of the same server.
pub(super) fn with_database(url: &str, name: &str) -> String {
    let (scheme, rest) = url.split_once("://").unwrap_or(("postgres", url));
    let (before, query) = rest
        .split_once('?')
        .map_or((rest, None), |(before, query)| (before, Some(query)));
    let authority = before.split('/').next().unwrap_or_default();
    let query = query.map(|query| format!("?{query}")).unwrap_or_default();
    format!("{scheme}://{authority}/{name}{query}")
}

/// The URL without its password, and the password as it is.
fn without_password(url: &str) -> (String, Option<String>) {
    let Some((scheme, rest)) = url.split_once("://") else {
        return (url.to_owned(), None);
    };
    let end = rest.find(['/', '?']).unwrap_or(rest.len());
    let (authority, tail) = rest.split_at(end);
    let mut password = None;
    let authority = match authority.rsplit_once('@') {
        Some((user, host)) => match user.split_once(':') {
            Some((user, secret)) => {
                password = Some(decode(secret));
                format!("{user}@{host}")
            }
            None => authority.to_owned(),
        },
        None => authority.to_owned(),
    };
    let (path, query) = tail
        .split_once('?')
        .map_or((tail, None), |(path, query)| (path, Some(query)));
    let mut kept = Vec::new();
    for pair in query.into_iter().flat_map(|query| query.split('&')) {
        match pair.strip_prefix("password=") {
            Some(secret) => password = Some(decode(secret)),
            None => kept.push(pair),
        }
    }
    let query = if kept.is_empty() {
        String::new()
    } else {
        format!("?{}", kept.join("&"))
    };
    (format!("{scheme}://{authority}{path}{query}"), password)
}

/// Percent-decoding; what is no escape stays as it is.
fn decode(text: &str) -> String {
    let bytes = text.as_bytes();
    let mut out = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while at < bytes.len() {
        let escape = text.get(at + 1..at + 3).filter(|_| bytes[at] == b'%');
        match escape.and_then(|hex| u8::from_str_radix(hex, 16).ok()) {
            Some(byte) => {
                out.push(byte);
                at += 3;
            }
            None => {
                out.push(bytes[at]);
                at += 1;
            }
        }
    }
    String::from_utf8_lossy(&out).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_password_never_stands_on_a_command_line() {
        let cases = [
            ("postgres://u:p%40x@h:5/db", "postgres://u@h:5/db", Some("p@x")),
            ("postgres://u@h/db", "postgres://u@h/db", None),
            (
                "postgresql:///db?host=/tmp&password=s%2Fx&user=u",
                "postgresql:///db?host=/tmp&user=u",
                Some("s/x"),
            ),
            ("postgres://u:a%zz@h", "postgres://u@h", Some("a%zz")),
            ("postgres://h/db?password=s", "postgres://h/db", Some("s")),
        ];
        for (url, shown, password) in cases {
            assert_eq!(
                without_password(url),
                (shown.to_owned(), password.map(str::to_owned)),
                "{url}"
            );
        }
    }

    #[test]
    fn another_database_is_reached_the_same_way() {
        let cases = [
            ("postgres://u:p@h:5/db", "postgres://u:p@h:5/other"),
            ("postgresql:///db?host=/tmp/x", "postgresql:///other?host=/tmp/x"),
            ("postgres://h", "postgres://h/other"),
        ];
        for (url, expected) in cases {
            assert_eq!(with_database(url, "other"), expected);
        }
    }

    #[test]
    fn the_oldest_tools_that_are_not_older_than_the_server_are_taken() {
        let tools = |major| Tools {
            dir: PathBuf::from("/x"),
            major,
        };
        assert_eq!(major_in("pg_dump (PostgreSQL) 16.4 (Debian 16.4-1)"), Some(16));
        assert_eq!(major_in("pg_dump (PostgreSQL) 18beta1"), Some(18));
        assert_eq!(
            choose(vec![tools(18), tools(14), tools(16)], 15).expect("fits").major,
            16
        );
        let old = choose(vec![tools(14)], 15).expect_err("too old").to_string();
        assert!(old.contains("PostgreSQL 15 or newer") && old.contains("is 14"), "{old}");
        let none = choose(vec![], 15).expect_err("absent").to_string();
        assert!(none.contains("none was found"), "{none}");
    }
}
