//! The architecture as a test: what may import what, how long things may be, and which words are not used.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

const ADAPTERS: [&str; 5] = ["http", "sip2", "device", "jobs", "cli"];
/// Generated from the migrations, or data rather than code.
const LENGTH_EXEMPT: [&str; 3] = ["store/schema.rs", "domain/refusal_table.rs", "http/glossary.rs"];
const FILE_LINES: usize = 400;
const FUNCTION_LINES: usize = 70;
const HANDLER_LINES: usize = 30;

struct Source {
    /// Below `src/`, with forward slashes.
    name: String,
    /// Without the unit tests at its end.
    code: Vec<String>,
}

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

fn rust_files(dir: &Path, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(dir)
        .expect("a readable directory")
        .map_while(Result::ok)
    {
        let path = entry.path();
        if path.is_dir() {
            rust_files(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
}

fn sources() -> Vec<Source> {
    let src = root().join("src");
    let mut paths = Vec::new();
    rust_files(&src, &mut paths);
    paths.sort();
    paths
        .into_iter()
        .map(|path| {
            let text = std::fs::read_to_string(&path).expect("UTF-8");
            let name = path
                .strip_prefix(&src)
                .expect("below src")
                .to_string_lossy()
                .replace('\\', "/");
            let code = text
                .lines()
                .take_while(|line| !line.starts_with("#[cfg(test)]"))
                .map(str::to_owned);
            Source {
                code: code.collect(),
                name,
            }
        })
        .collect()
}

/// The line without a trailing comment; good enough for looking for words.
fn code_of(line: &str) -> &str {
    line.split("//").next().unwrap_or_default()
}

fn lines_with<'a>(source: &'a Source, words: &'a [&str]) -> impl Iterator<Item = String> + 'a {
    let numbered = (1_usize..).zip(&source.code);
    numbered.filter_map(move |(number, line)| {
        let hit = words.iter().find(|word| code_of(line).contains(**word))?;
        Some(format!("src/{}:{number}: {hit}", source.name))
    })
}

fn assert_none(what: &str, found: Vec<String>) {
    assert!(found.is_empty(), "{what}:\n{}", found.join("\n"));
}

#[test]
fn the_domain_is_pure() {
    let words = [
        "diesel",
        "actix",
        "tokio",
        "serde_json",
        "Utc::now",
        "Local::now",
        "getrandom",
        "rand::",
        "std::fs",
        "std::net",
        "async ",
        "crate::store",
        "crate::usecase",
        "crate::http",
        "crate::auth",
        "SystemTime",
        "Instant",
    ];
    let sources = sources();
    let domain = sources.iter().filter(|source| source.name.starts_with("domain/"));
    assert_none(
        "the domain may not use",
        domain.flat_map(|source| lines_with(source, &words)).collect(),
    );
}

#[test]
fn adapters_do_not_touch_the_store() {
    let sources = sources();
    let adapters = sources.iter().filter(|source| {
        let part = source
            .name
            .split('/')
            .next()
            .unwrap_or_default()
            .trim_end_matches(".rs");
        ADAPTERS.contains(&part)
    });
    let words = ["crate::store", "diesel::"];
    assert_none(
        "adapters call use cases",
        adapters.flat_map(|source| lines_with(source, &words)).collect(),
    );
}

#[test]
fn use_cases_and_store_know_no_adapter() {
    let words = ["actix", "crate::http", "crate::cli", "crate::sip2"];
    let sources = sources();
    let inner = ["usecase/", "store/", "auth/", "catalogue/", "letter/"];
    let inner = sources
        .iter()
        .filter(|source| inner.iter().any(|part| source.name.starts_with(part)));
    assert_none(
        "data flows one way",
        inner.flat_map(|source| lines_with(source, &words)).collect(),
    );
}

#[test]
fn nothing_is_left_unfinished_or_silenced() {
    let words = [
        "todo!(",
        "unimplemented!(",
        "#[allow(",
        "#![allow(",
        "dbg!(",
        "#[ignore",
    ];
    let sources = sources();
    assert_none(
        "finish it",
        sources.iter().flat_map(|source| lines_with(source, &words)).collect(),
    );
}

#[test]
fn the_clock_is_read_in_one_place() {
    let sources = sources();
    let others = sources.iter().filter(|source| source.name != "clock.rs");
    let words = ["Utc::now", "Local::now", "SystemTime::now"];
    assert_none(
        "`now` is an argument",
        others.flat_map(|source| lines_with(source, &words)).collect(),
    );
}

#[test]
fn an_items_state_is_stored_in_one_place() {
    let sources = sources();
    let inner = ["usecase/record.rs", "store/items.rs"];
    let others = sources.iter().filter(|source| !inner.contains(&source.name.as_str()));
    assert_none(
        "a state of an item goes through `record::place`, which knows the table of its life",
        others
            .flat_map(|source| lines_with(source, &["set_item_state("]))
            .collect(),
    );
    // Past it: an update of the column. What leaves with its crate is held against the table by `send_crate`.
    let store = sources.iter().filter(|source| source.name.starts_with("store/"));
    let past = store.filter(|source| {
        let code: String = source.code.iter().map(|line| code_of(line)).collect();
        code.split(';').any(sets_an_items_state)
    });
    let names: Vec<String> = past.map(|source| source.name.clone()).collect();
    assert_eq!(names, ["store/crates.rs", "store/hot.rs"]);
}

/// Whether a statement, Diesel's or SQL, changes `items.status`.
fn sets_an_items_state(statement: &str) -> bool {
    let diesel = statement.split(".set(").skip(1).any(|set| {
        let set = set.split(".execute(").next().unwrap_or_default();
        set.contains("items::status.eq(")
    });
    let sql = statement.to_uppercase();
    let sql = sql.split("UPDATE ITEMS SET").skip(1).any(|set| {
        let set = set.split(" WHERE").next().unwrap_or_default();
        set.contains("STATUS =")
    });
    diesel || sql
}

#[test]
fn names_say_what_a_thing_is() {
    let banned = ["utils", "util", "helpers", "helper", "common", "manager", "misc"];
    let sources = sources();
    let found = sources.iter().filter(|source| {
        source
            .name
            .trim_end_matches(".rs")
            .split('/')
            .any(|part| banned.contains(&part))
    });
    assert_none("find a better name", found.map(|source| source.name.clone()).collect());
}

#[test]
fn every_module_says_what_it_is_for() {
    let sources = sources();
    let silent = sources
        .iter()
        .filter(|source| !source.code.first().is_some_and(|line| line.starts_with("//!")));
    assert_none(
        "a module begins with //!",
        silent.map(|source| source.name.clone()).collect(),
    );
}

#[test]
fn files_and_functions_stay_short() {
    let mut found = Vec::new();
    for source in sources()
        .iter()
        .filter(|source| !LENGTH_EXEMPT.contains(&source.name.as_str()))
    {
        if source.code.len() > FILE_LINES {
            found.push(format!(
                "src/{}: {} lines, {FILE_LINES} allowed",
                source.name,
                source.code.len()
            ));
        }
        let allowed = if source.name.starts_with("http/v1/") {
            HANDLER_LINES
        } else {
            FUNCTION_LINES
        };
        for (name, lines) in functions(source).into_iter().filter(|(_, lines)| *lines > allowed) {
            found.push(format!(
                "src/{}: fn {name} has {lines} lines, {allowed} allowed",
                source.name
            ));
        }
    }
    assert_none("too long", found);
}

/// Functions with the lines of their bodies, found by indentation: the code is formatted.
fn functions(source: &Source) -> Vec<(String, usize)> {
    let mut found = Vec::new();
    let mut open: Option<(String, usize, usize)> = None;
    for (number, line) in source.code.iter().enumerate() {
        let indent = line.len() - line.trim_start().len();
        if let Some((name, at, start)) = open.take() {
            if line.trim() == "}" && indent == at {
                found.push((name, number - start + 1));
            } else if indent == at && line.trim_start().starts_with(')') && line.ends_with(';') {
                // Of a trait: declared on several lines, without a body.
            } else {
                open = Some((name, at, start));
            }
        } else if let Some(name) = function_name(line)
            && !line.trim_end().ends_with(['}', ';'])
        {
            open = Some((name, indent, number));
        }
    }
    found
}

fn function_name(line: &str) -> Option<String> {
    let line = line.trim_start();
    let (before, after) = line.split_once("fn ")?;
    let modifiers = before
        .split_whitespace()
        .all(|word| matches!(word, "pub" | "const" | "async" | "unsafe" | "extern") || word.starts_with("pub("));
    let name: String = after.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect();
    (modifiers && !name.is_empty()).then_some(name)
}

/// Of two with one name the document would keep one, and describe the other by it.
#[test]
fn schemas_of_the_contract_have_names_of_their_own() {
    let mut seen = BTreeSet::new();
    let mut twice = Vec::new();
    for source in sources() {
        let mut is_schema = false;
        for line in &source.code {
            is_schema |= line.starts_with("#[derive(") && line.contains("ToSchema");
            let declared = line.strip_prefix("pub struct ").or(line.strip_prefix("pub enum "));
            let Some(name) = declared.and_then(|rest| rest.split(|c: char| !c.is_alphanumeric()).next()) else {
                continue;
            };
            if std::mem::take(&mut is_schema) && !seen.insert(name.to_owned()) {
                twice.push(format!("{name} in {}", source.name));
            }
        }
    }
    assert!(seen.len() > 100, "{} schemas", seen.len());
    assert!(twice.is_empty(), "{twice:?}");
}

#[test]
fn migrations_are_twins() {
    let names = |engine: &str| -> BTreeSet<String> {
        let dir = root().join("migrations").join(engine);
        let entries = std::fs::read_dir(&dir)
            .expect("migrations are there")
            .map_while(Result::ok);
        entries
            .map(|entry| {
                for file in ["up.sql", "down.sql"] {
                    assert!(
                        entry.path().join(file).is_file(),
                        "{} has no {file}",
                        entry.path().display()
                    );
                }
                entry.file_name().to_string_lossy().into_owned()
            })
            .collect()
    };
    assert_eq!(names("sqlite"), names("postgres"));
}

/// Table and column names with their order, types left out.
fn columns(engine: &str) -> Vec<String> {
    let mut found = Vec::new();
    for migration in std::fs::read_dir(root().join("migrations").join(engine))
        .expect("there")
        .map_while(Result::ok)
    {
        let sql = std::fs::read_to_string(migration.path().join("up.sql")).expect("UTF-8");
        let mut table: Option<String> = None;
        for line in sql.lines() {
            if let Some(rest) = line.strip_prefix("CREATE TABLE ") {
                table = rest.split_whitespace().next().map(str::to_owned);
                // SQLite cannot change a CHECK: what is made anew there has its columns from ALTER TABLE on PostgreSQL.
                table = table.filter(|table| !sql.contains(&format!("ALTER TABLE {table} RENAME TO ")));
            } else if line.starts_with(')') {
                table = None;
            } else if let (Some(table), Some(word)) = (&table, line.split_whitespace().next())
                && word
                    .chars()
                    .all(|c| c.is_ascii_lowercase() || c == '_' || c.is_ascii_digit())
            {
                found.push(format!("{table}.{word}"));
            }
        }
    }
    found.sort();
    found
}

#[test]
fn both_engines_have_the_same_columns() {
    assert_eq!(columns("sqlite"), columns("postgres"));
}

/// What two languages of one page must share: how deep each heading is, every code block, every piece of code, every link.
fn skeleton(text: &str) -> Vec<String> {
    let mut found = Vec::new();
    let mut in_block = false;
    let mut sentence = Vec::new();
    for line in text.lines() {
        if line.starts_with("```") {
            in_block = !in_block;
        }
        if in_block {
            found.push(line.to_owned());
        } else if line.starts_with('#') {
            found.append(&mut sentence);
            found.push(line.chars().take_while(|c| *c == '#').collect());
        } else {
            let code = line.split('`').skip(1).step_by(2).map(|code| format!("`{code}`"));
            let links = line.split("](").skip(1).filter_map(|rest| rest.split(')').next());
            sentence.extend(
                code.chain(links.map(str::to_owned))
                    .filter(|it| !it.starts_with("README")),
            );
        }
    }
    found.append(&mut sentence);
    found
}

#[test]
fn both_readmes_say_the_same() {
    let read = |name: &str| std::fs::read_to_string(root().join(name)).expect("UTF-8");
    assert_eq!(skeleton(&read("README.md")), skeleton(&read("README.zh-CN.md")));
}

/// Commands and settings that a guide names; it must not name one that is not there.
#[test]
fn the_guides_name_only_what_there_is() {
    let defaults: toml::Table = include_str!("../config/default.toml").parse().expect("TOML");
    let commands = std::fs::read_to_string(root().join("src/cli/mod.rs")).expect("UTF-8");
    let mut wrong = Vec::new();
    for guide in ["README.md", "README.zh-CN.md", "docs/OPERATIONS.md"] {
        let text = std::fs::read_to_string(root().join(guide)).expect("UTF-8");
        for word in text.split('`').skip(1).step_by(2) {
            let mut parts = word.split('.');
            let section = parts.next().and_then(|section| defaults.get(section));
            let is_key = word.contains('.')
                && word
                    .chars()
                    .all(|c| c.is_ascii_lowercase() || ".0123456789_".contains(c));
            if let (true, Some(section)) = (is_key, section)
                && parts.try_fold(section, |table, name| table.get(name)).is_none()
            {
                wrong.push(format!("{guide}: no setting {word}"));
            }
            let command = word
                .strip_prefix("tongjie ")
                .and_then(|rest| rest.split_whitespace().next());
            if let Some(command) = command.filter(|word| word.chars().all(|c| c.is_ascii_lowercase())) {
                let variant = format!("    {}{}", command[..1].to_uppercase(), &command[1..]);
                if !commands.lines().any(|line| line.starts_with(&variant)) {
                    wrong.push(format!("{guide}: no command {word}"));
                }
            }
        }
        for link in text.split("](").skip(1).filter_map(|rest| rest.split(')').next()) {
            let from = if guide.starts_with("docs/") {
                root().join("docs")
            } else {
                root()
            };
            if !link.contains("://") && !from.join(link.split('#').next().unwrap_or_default()).exists() {
                wrong.push(format!("{guide}: no file {link}"));
            }
        }
    }
    assert_none("a guide is wrong", wrong);
}
