//! `tongjie backup` and `tongjie restore`: consistent under load, whole or not there, and nothing replaced by mistake.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use crate::database::Engine;
use crate::demo::start;
use crate::process::{Tongjie, told};

fn text(path: &Path) -> String {
    path.to_string_lossy().into_owned()
}

/// The number that stands behind a word in what a command printed.
fn count(said: &str, word: &str) -> u64 {
    let line = said.lines().find(|line| line.starts_with(word));
    let number = line.and_then(|line| line.split_whitespace().nth(1)?.parse().ok());
    number.unwrap_or_else(|| panic!("no {word} in {said}"))
}

/// Files whose names begin so, other than the file of exactly that name.
fn remains(of: &Path) -> Vec<PathBuf> {
    let name = of.file_name().expect("a name").to_string_lossy().into_owned();
    let entries = fs::read_dir(of.parent().expect("a directory")).expect("readable");
    entries
        .map(|entry| entry.expect("an entry").path())
        .filter(|path| {
            path != of
                && path
                    .file_name()
                    .is_some_and(|it| it.to_string_lossy().starts_with(&name))
        })
        .collect()
}

fn mode(path: &Path) -> u32 {
    fs::metadata(path).expect("there").mode() & 0o777
}

#[test]
fn a_backup_taken_under_load_is_sound_when_restored() {
    for engine in Engine::all() {
        let source = Tongjie::with_demo(engine);
        let (server, address) = start(&source, &["serve"]);
        let accounts = text(&source.file("demo-accounts.json"));
        let url = format!("http://{address}");
        let mut load = source
            .command(&[
                "bench",
                "--url",
                &url,
                "--accounts",
                &accounts,
                "--clients",
                "4",
                "--seconds",
                "3",
            ])
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("starts");
        let mut taken = Vec::new();
        while load.try_wait().expect("our child").is_none() || taken.is_empty() {
            let backup = source.file(&format!("backup-{}", taken.len()));
            taken.push((source.succeeds(&["backup", &text(&backup)]), backup));
        }
        assert_eq!(server.stop(), Some(0));
        let events: Vec<u64> = taken.iter().map(|(said, _)| count(said, "events")).collect();
        assert!(events.is_sorted(), "{engine:?}: {events:?}");
        assert!(
            events.len() > 1 && events.first() < events.last(),
            "{engine:?}: the load went on meanwhile: {events:?}"
        );
        for (said, backup) in taken.iter().rev().take(3) {
            assert_eq!(mode(backup), 0o600);
            assert!(remains(backup).is_empty(), "{engine:?}");
            let copy = Tongjie::new(engine);
            let restored = copy.succeeds(&["restore", &text(backup)]);
            assert_eq!(count(&restored, "loans"), count(said, "loans"));
            assert!(copy.succeeds(&["check"]).contains("check: sound"));
        }
    }
}

#[test]
fn a_restored_network_goes_on_and_seals_what_happens_next() {
    for engine in Engine::all() {
        let source = Tongjie::with_demo(engine);
        if engine == Engine::Postgres {
            // As if it came from a cluster that has seen far more transactions.
            source.sql("UPDATE events SET txid = txid + 4000000000");
            source.sql("UPDATE event_seals SET last_txid = last_txid + 4000000000");
        }
        let backup = source.file("moved");
        source.succeeds(&["backup", &text(&backup), "--with-secrets"]);
        let moved = Tongjie::new(engine);
        let said = moved.succeeds(&["restore", &text(&backup), "--with-secrets"]);
        assert!(count(&said, "secrets") >= 2, "the key and the log-ins: {said}");
        assert!(moved.succeeds(&["check"]).contains("check: sound"));
        let sealed = moved.number("SELECT COALESCE(sum(event_count), 0) AS n FROM event_seals");
        let (server, address) = start(&moved, &["serve"]);
        let (accounts, url) = (text(&moved.file("demo-accounts.json")), format!("http://{address}"));
        moved.succeeds(&[
            "bench",
            "--url",
            &url,
            "--accounts",
            &accounts,
            "--clients",
            "2",
            "--seconds",
            "2",
        ]);
        assert_eq!(server.stop(), Some(0));
        let grown = moved.number("SELECT COALESCE(sum(event_count), 0) AS n FROM event_seals");
        assert!(grown > sealed, "{engine:?}: {sealed} sealed before, {grown} after");
        assert!(moved.succeeds(&["check"]).contains("check: sound"));
    }
}

#[test]
fn secrets_are_copied_on_demand_and_stay_private() {
    let source = Tongjie::with_demo(Engine::Sqlite);
    let dir = source.file("backups");
    fs::create_dir(&dir).expect("made");
    let said = source.succeeds(&["backup", &text(&dir), "--with-secrets", "--verify"]);
    let made: Vec<PathBuf> = fs::read_dir(&dir)
        .expect("there")
        .map(|entry| entry.expect("one").path())
        .collect();
    assert_eq!(made.len(), 2, "{made:?}\n{said}");
    let secrets = made.iter().find(|path| path.is_dir()).expect("the secrets");
    assert_eq!(mode(secrets), 0o700);
    for name in ["signing.key", "demo-accounts.json"] {
        let (original, copied) = (source.file(name), secrets.join(name));
        assert_eq!(mode(&copied), 0o600);
        assert_eq!(fs::read(original).expect("there"), fs::read(copied).expect("copied"));
    }
    let backup = made.iter().find(|path| path.is_file()).expect("the backup");
    let name = backup.file_name().expect("a name").to_string_lossy();
    assert!(name.starts_with("tongjie-2") && name.ends_with("Z.db"), "{name}");
    // Another node has a key of its own already: it is kept aside.
    let other = Tongjie::new(Engine::Sqlite);
    other.succeeds(&["migrate"]);
    other.succeeds(&["restore", &text(backup), "--force", "--with-secrets"]);
    assert_eq!(
        fs::read(source.file("signing.key")).expect("there"),
        fs::read(other.file("signing.key")).expect("restored")
    );
    assert_eq!(remains(&other.file("signing.key")).len(), 1, "the old key");
}

#[test]
fn nothing_is_overwritten_unless_forced_and_then_kept_aside() {
    for engine in Engine::all() {
        let source = Tongjie::with_demo(engine);
        let backup = source.file("backup");
        source.succeeds(&["backup", &text(&backup)]);
        let again = source.fails(&["backup", &text(&backup)], 1);
        assert!(again.contains("is there already"), "{again}");
        let target = Tongjie::new(engine);
        target.succeeds(&["admin", "create-system", "--username", "old"]);
        let said = target.fails(&["restore", &text(&backup)], 1);
        assert!(said.contains("--force"), "{said}");
        assert_eq!(
            target.number("SELECT count(*) AS n FROM staff WHERE username = 'old'"),
            1
        );
        let said = target.succeeds(&["restore", &text(&backup), "--force"]);
        assert!(said.contains("kept in"), "{said}");
        assert_eq!(
            target.number("SELECT count(*) AS n FROM staff WHERE username = 'old'"),
            0
        );
        assert!(target.succeeds(&["check"]).contains("check: sound"));
        if engine == Engine::Postgres {
            let aside = said
                .split("schema ")
                .nth(1)
                .and_then(|rest| rest.split(' ').next())
                .expect("a schema");
            assert_eq!(
                target.number(&format!(
                    "SELECT count(*) AS n FROM {aside}.staff WHERE username = 'old'"
                )),
                1
            );
            // What is kept aside is not part of the next backup.
            let next = target.file("next");
            target.succeeds(&["backup", &text(&next)]);
            let third = Tongjie::new(engine);
            third.succeeds(&["restore", &text(&next)]);
        } else {
            let aside = remains(&target.database.file());
            assert!(aside.iter().any(|path| text(path).contains(".before-")), "{aside:?}");
        }
    }
}

#[test]
fn a_database_in_use_is_not_replaced() {
    for engine in Engine::all() {
        let source = Tongjie::with_demo(engine);
        let backup = source.file("backup");
        source.succeeds(&["backup", &text(&backup)]);
        let (server, _) = start(&source, &["serve"]);
        let said = source.fails(&["restore", &text(&backup), "--force"], 1);
        assert!(said.contains("is in use"), "{engine:?}: {said}");
        assert_eq!(server.stop(), Some(0));
        source.succeeds(&["restore", &text(&backup), "--force"]);
        assert!(source.succeeds(&["check"]).contains("check: sound"));
    }
}

#[test]
fn a_backup_that_is_cut_short_damaged_or_foreign_is_refused_and_nothing_changes() {
    for engine in Engine::all() {
        let source = Tongjie::with_demo(engine);
        let backup = source.file("backup");
        source.succeeds(&["backup", &text(&backup)]);
        let whole = fs::read(&backup).expect("a backup");
        let mut damaged = whole.clone();
        let middle = whole.len() / 2;
        damaged[middle..middle + 4096].fill(0x5a);
        let cases: [(&str, &[u8]); 5] = [
            ("cut", &whole[..whole.len() - whole.len() / 3]),
            ("cut-a-little", &whole[..whole.len() - 5000]),
            ("damaged", &damaged),
            ("text", b"SQLite format 3, or so it says"),
            ("empty", b""),
        ];
        let target = Tongjie::new(engine);
        target.succeeds(&["admin", "create-system", "--username", "old"]);
        for (name, bytes) in cases {
            let bad = source.file(name);
            fs::write(&bad, bytes).expect("written");
            let said = target.fails(&["restore", &text(&bad), "--force"], 1);
            assert!(said.contains("cannot be used as a backup"), "{engine:?} {name}: {said}");
            assert_eq!(
                target.number("SELECT count(*) AS n FROM staff WHERE username = 'old'"),
                1,
                "{name}"
            );
        }
        target.fails(&["restore", &text(&source.file("nowhere")), "--force"], 1);
    }
    let other = Tongjie::new(Engine::Sqlite);
    other.sql("CREATE TABLE cats (name TEXT)");
    let said = other.fails(&["restore", &text(&other.database.file())], 1);
    assert!(said.contains("not one of Tongjie"), "{said}");
}

#[test]
fn a_backup_newer_than_the_program_is_refused() {
    for engine in Engine::all() {
        let source = Tongjie::with_demo(engine);
        let backup = source.file("backup");
        source.sql("INSERT INTO __diesel_schema_migrations (version) VALUES ('20991231000001')");
        let said = source.fails(&["backup", &text(&backup)], 1);
        assert!(said.contains("newer than this program"), "{engine:?}: {said}");
        assert!(!backup.exists());
    }
}

#[test]
fn kill_9_in_the_middle_leaves_no_backup_of_that_name() {
    for engine in Engine::all() {
        let source = Tongjie::with_demo(engine);
        let mut interrupted = 0;
        for n in 0..6 {
            let backup = source.file(&format!("killed-{n}"));
            let mut child = source
                .command(&["backup", &text(&backup)])
                .stdout(Stdio::null())
                .stderr(Stdio::null())
                .spawn()
                .expect("starts");
            while remains(&backup).is_empty() && child.try_wait().expect("our child").is_none() {
                std::thread::yield_now();
            }
            child.kill().expect("killed");
            child.wait().expect("gone");
            if backup.exists() {
                Tongjie::new(engine).succeeds(&["restore", &text(&backup)]);
            } else {
                interrupted += 1;
            }
        }
        assert!(interrupted > 0, "{engine:?}: none was interrupted");
        source.succeeds(&["backup", &text(&source.file("after"))]);
    }
}

#[test]
fn a_full_disk_is_said_so_and_leaves_nothing() {
    for engine in Engine::all() {
        let source = Tongjie::with_demo(engine);
        let backup = source.file("too-large");
        // A limit on the size of files stands in for a full disk: 64 blocks of 512 or 1024 bytes.
        let limited = source.command(&["backup", &text(&backup)]);
        let program = text(Path::new(limited.get_program()));
        let mut shell = std::process::Command::new("sh");
        shell
            .args(["-c", "trap '' XFSZ; ulimit -f 64; exec \"$@\"", "sh", &program])
            .args(limited.get_args())
            .envs(limited.get_envs().filter_map(|(name, value)| Some((name, value?))));
        let output = shell.output().expect("starts");
        let said = told(&output);
        assert_eq!(output.status.code(), Some(1), "{engine:?}: {said}");
        let words = ["no room for the copy", "File too large", "pg_dump failed"];
        assert!(words.iter().any(|word| said.contains(word)), "{engine:?}: {said}");
        assert!(!backup.exists() && remains(&backup).is_empty(), "{engine:?}: {said}");
        assert!(source.succeeds(&["check"]).contains("check: sound"));
    }
}

#[test]
fn there_must_be_a_database_and_a_place_for_the_copy() {
    let nothing = Tongjie::new(Engine::Sqlite);
    let said = nothing.fails(&["backup", &text(&nothing.file("copy"))], 1);
    assert!(said.contains("there is no database at"), "{said}");
    nothing.succeeds(&["migrate"]);
    let said = nothing.fails(&["backup", &text(&nothing.file("no/such/dir/copy"))], 1);
    assert!(said.contains("no/such/dir"), "{said}");
}

#[test]
fn a_copy_of_an_unsound_database_is_not_kept_when_verified() {
    for engine in Engine::all() {
        let source = Tongjie::with_demo(engine);
        let backup = source.file("verified");
        source.succeeds(&["backup", &text(&backup), "--verify"]);
        assert!(remains(&backup).is_empty(), "{engine:?}");
        Tongjie::new(engine).succeeds(&["restore", &text(&backup)]);
        let spoilt = source.sql("UPDATE bibs SET open_holds = open_holds + 1 WHERE id = (SELECT min(id) FROM bibs)");
        assert_eq!(spoilt, 1, "{engine:?}");
        let unsound = source.file("unsound");
        let said = source.fails(&["backup", &text(&unsound), "--verify"], 1);
        assert!(said.contains("violations were found"), "{engine:?}: {said}");
        assert!(!unsound.exists() && remains(&unsound).is_empty(), "{engine:?}");
    }
}
