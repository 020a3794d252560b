//! The database: opening it, its tables, and moving it to the current format.

use std::ffi::{OsStr, OsString};
use std::fs::{File, OpenOptions};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::time::Duration;

use rusqlite::{Connection, OpenFlags, Transaction, TransactionBehavior};

use crate::StoreError;
use crate::store::transact;

/// Marks the file as ours: "LWAY".
const APPLICATION_ID: i64 = 0x4c57_4159;

/// How long one writer waits for another.
const BUSY_TIMEOUT: Duration = Duration::from_secs(10);

/// Each entry takes the format one up; entries are never edited once released.
const MIGRATIONS: &[&str] = &[
    "
    CREATE TABLE applications (
        id INTEGER PRIMARY KEY,
        environment TEXT NOT NULL,
        application TEXT NOT NULL,
        lineage TEXT NOT NULL,
        serial INTEGER NOT NULL,
        fence INTEGER NOT NULL,
        version TEXT,
        release TEXT,
        UNIQUE (environment, application)
    ) STRICT;
    CREATE TABLE instances (
        application INTEGER NOT NULL REFERENCES applications,
        component TEXT NOT NULL,
        target TEXT NOT NULL,
        confirmed TEXT,
        dirty_run INTEGER,
        dirty_to TEXT,
        assumed INTEGER NOT NULL,
        run INTEGER NOT NULL,
        UNIQUE (application, component, target)
    ) STRICT;
    CREATE TABLE runs (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        application INTEGER NOT NULL REFERENCES applications,
        operation TEXT NOT NULL,
        version TEXT NOT NULL,
        plan TEXT NOT NULL,
        plan_blob TEXT NOT NULL,
        saved_plan INTEGER NOT NULL,
        holder TEXT NOT NULL,
        fence INTEGER NOT NULL,
        status TEXT NOT NULL,
        started INTEGER NOT NULL,
        finished INTEGER,
        steps INTEGER NOT NULL,
        changed INTEGER NOT NULL DEFAULT 0,
        unchanged INTEGER NOT NULL DEFAULT 0,
        failed INTEGER NOT NULL DEFAULT 0,
        skipped INTEGER NOT NULL DEFAULT 0
    ) STRICT;
    CREATE INDEX runs_of_application ON runs (application, id);
    CREATE INDEX runs_of_plan ON runs (plan) WHERE saved_plan;
    CREATE TABLE events (
        run INTEGER NOT NULL REFERENCES runs,
        number INTEGER NOT NULL,
        body TEXT NOT NULL,
        PRIMARY KEY (run, number)
    ) STRICT, WITHOUT ROWID;
    CREATE TABLE leases (
        application INTEGER PRIMARY KEY REFERENCES applications,
        run INTEGER NOT NULL,
        fence INTEGER NOT NULL,
        holder TEXT NOT NULL,
        process TEXT,
        since INTEGER NOT NULL,
        heartbeat INTEGER NOT NULL
    ) STRICT;
    CREATE TABLE durations (
        application INTEGER NOT NULL REFERENCES applications,
        step TEXT NOT NULL,
        ms INTEGER NOT NULL,
        PRIMARY KEY (application, step)
    ) STRICT, WITHOUT ROWID;
    CREATE TABLE releases (
        application TEXT NOT NULL,
        version TEXT NOT NULL,
        digest TEXT NOT NULL,
        PRIMARY KEY (application, version)
    ) STRICT, WITHOUT ROWID;
",
    "ALTER TABLE instances ADD COLUMN dirty_deleting INTEGER NOT NULL DEFAULT FALSE;",
    "
    CREATE TABLE requirements (
        application INTEGER NOT NULL REFERENCES applications,
        required TEXT NOT NULL,
        range TEXT NOT NULL,
        PRIMARY KEY (application, required, range)
    ) STRICT, WITHOUT ROWID;
    ALTER TABLE runs ADD COLUMN ignored TEXT NOT NULL DEFAULT '[]';
",
    "ALTER TABLE instances ADD COLUMN dirty_differs TEXT;",
    "CREATE TABLE markers (
        application INTEGER NOT NULL REFERENCES applications,
        target TEXT NOT NULL,
        place TEXT NOT NULL,
        PRIMARY KEY (application, target)
    ) STRICT, WITHOUT ROWID;",
    "CREATE TABLE plugins (
        name TEXT NOT NULL,
        digest TEXT NOT NULL,
        grant_json TEXT NOT NULL,
        run INTEGER NOT NULL,
        PRIMARY KEY (name, digest)
    ) STRICT, WITHOUT ROWID;",
    "
    ALTER TABLE leases ADD COLUMN shares INTEGER NOT NULL DEFAULT FALSE;
    ALTER TABLE leases ADD COLUMN asked INTEGER NOT NULL DEFAULT FALSE;
    CREATE TABLE shares (
        resource TEXT NOT NULL,
        application INTEGER NOT NULL REFERENCES applications,
        slots INTEGER NOT NULL,
        PRIMARY KEY (resource, application)
    ) STRICT, WITHOUT ROWID;
    CREATE INDEX shares_of_application ON shares (application);
    CREATE TABLE tickets (
        resource TEXT NOT NULL,
        application INTEGER NOT NULL REFERENCES applications,
        since INTEGER NOT NULL,
        seen INTEGER NOT NULL,
        PRIMARY KEY (resource, application)
    ) STRICT, WITHOUT ROWID;
    CREATE INDEX tickets_of_application ON tickets (application);
",
];

/// Opens the database of a store's folder, making or upgrading it if need be.
pub(crate) fn open(folder: &Path) -> Result<Connection, StoreError> {
    let path = folder.join("launchway.db");
    // Asked before the database is looked at: whoever makes a store at this moment makes that first.
    let has_more = has_more(folder);
    if has_more && !path.exists() {
        return Err(StoreError::Lost { path });
    }
    create_private(&path)?;
    let mut connection = connect(&path)?;
    let format = found(&mut connection, &path)?;
    if has_more && format == 0 {
        return Err(StoreError::Lost { path });
    }
    if format < MIGRATIONS.len() as i64 {
        // Switching to WAL and creating tables is not for two processes at once.
        let lock_path = folder.join("setup.lock");
        let lock = create_private(&lock_path)?;
        lock.lock().map_err(StoreError::io("lock", &lock_path))?;
        migrate(&mut connection, &path)?;
    }
    Ok(connection)
}

/// Opens the database of a store's folder to read it; none if no store was ever there.
pub(crate) fn open_to_read(folder: &Path) -> Result<Option<Connection>, StoreError> {
    let path = folder.join("launchway.db");
    let has_more = has_more(folder);
    match path.try_exists() {
        Ok(true) => {}
        Ok(false) if has_more => return Err(StoreError::Lost { path }),
        Ok(false) => return Ok(None),
        Err(error) => return Err(StoreError::io("read", &path)(error)),
    }
    match open(folder) {
        Ok(connection) => Ok(Some(connection)),
        Err(StoreError::ReadOnly { .. } | StoreError::Io { .. }) => read_only(&path).map(Some),
        Err(error) => Err(error),
    }
}

/// Opens a database that can't be written, nor anything beside it.
fn read_only(path: &Path) -> Result<Connection, StoreError> {
    File::open(path).map_err(StoreError::io("read", path))?;
    let at_work = connect_as(path.as_os_str(), path, OpenFlags::SQLITE_OPEN_READ_ONLY);
    let mut connection = match at_work.and_then(|mut connection| Ok((found(&mut connection, path)?, connection))) {
        Ok((_, connection)) => connection,
        Err(StoreError::ReadOnly { .. }) => {
            let mut log = path.as_os_str().to_owned();
            log.push("-wal");
            // How much of the log counts stands in a file that SQLite would have to make; without the log, what is
            // read is not what was written last.
            if std::fs::metadata(&log).is_ok_and(|log| log.len() > 0) {
                return Err(StoreError::Unmerged { path: path.to_owned() });
            }
            connect_as(&uri(path), path, OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_URI)?
        }
        Err(error) => return Err(error),
    };
    if found(&mut connection, path)? < MIGRATIONS.len() as i64 {
        return Err(StoreError::Unmerged { path: path.to_owned() });
    }
    Ok(connection)
}

/// Returns the address of a database that nobody changes.
fn uri(path: &Path) -> OsString {
    let mut uri = String::from("file:");
    for &byte in path.as_os_str().as_bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'/' | b'.' | b'-' | b'_' => uri.push(char::from(byte)),
            _ => uri.push_str(&format!("%{byte:02x}")),
        }
    }
    uri.push_str("?immutable=1");
    uri.into()
}

/// Whether a folder has what a store has besides its database.
fn has_more(folder: &Path) -> bool {
    ["blobs", "keys"].iter().any(|name| folder.join(name).exists())
}

/// Opens another connection to a database that [`open`] made ready.
pub(crate) fn reopen(folder: &Path) -> Result<Connection, StoreError> {
    connect(&folder.join("launchway.db"))
}

fn connect(path: &Path) -> Result<Connection, StoreError> {
    connect_as(path.as_os_str(), path, OpenFlags::SQLITE_OPEN_READ_WRITE)
}

fn connect_as(address: &OsStr, path: &Path, flags: OpenFlags) -> Result<Connection, StoreError> {
    let attempt = || {
        let connection = Connection::open_with_flags(address, flags | OpenFlags::SQLITE_OPEN_NO_MUTEX)?;
        connection.busy_timeout(BUSY_TIMEOUT)?;
        // A commit must outlast a power failure; frequent checkpoints cost more than they save.
        connection.pragma_update(None, "synchronous", "FULL")?;
        connection.pragma_update(None, "wal_autocheckpoint", 8000)?;
        connection.pragma_update(None, "foreign_keys", true)?;
        connection.set_prepared_statement_cache_capacity(64);
        Ok(connection)
    };
    attempt().map_err(|error| StoreError::database(path, error))
}

/// Returns the format's number while other processes may be making the tables: all of it is read at one moment.
fn found(connection: &mut Connection, path: &Path) -> Result<i64, StoreError> {
    let format = transact(connection, TransactionBehavior::Deferred, |view| Ok(format_of(view, path)?));
    format.map_err(|failed| failed.at(path))
}

/// Returns the format's number, 0 for an empty file.
fn format_of(transaction: &Transaction<'_>, path: &Path) -> Result<i64, StoreError> {
    let read = || {
        let number = |sql| transaction.query_row(sql, [], |row| row.get::<_, i64>(0));
        Ok((
            number("PRAGMA user_version")?,
            number("PRAGMA application_id")?,
            number("SELECT count(*) FROM sqlite_schema")?,
        ))
    };
    let (format, owner, tables) = read().map_err(|error| StoreError::database(path, error))?;
    let known = MIGRATIONS.len() as i64;
    match (format, owner, tables) {
        (0, 0, 0) => Ok(0),
        (_, APPLICATION_ID, _) if format > known => {
            Err(StoreError::Newer { path: path.to_owned(), found: format, known })
        }
        (_, APPLICATION_ID, _) if format > 0 => Ok(format),
        _ => Err(StoreError::NotAStore { path: path.to_owned() }),
    }
}

fn migrate(connection: &mut Connection, path: &Path) -> Result<(), StoreError> {
    let failed = |error| StoreError::database(path, error);
    connection.query_row("PRAGMA journal_mode = WAL", [], |_| Ok(())).map_err(failed)?;
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate).map_err(failed)?;
    // Somebody else may have been faster.
    let format = format_of(&transaction, path)?;
    for migration in &MIGRATIONS[format as usize..] {
        transaction.execute_batch(migration).map_err(failed)?;
    }
    transaction.pragma_update(None, "application_id", APPLICATION_ID).map_err(failed)?;
    transaction.pragma_update(None, "user_version", MIGRATIONS.len() as i64).map_err(failed)?;
    transaction.commit().map_err(failed)
}

/// Opens a file for writing; a new one is for its owner only. SQLite gives its side files the same mode.
fn create_private(path: &Path) -> Result<File, StoreError> {
    OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(false)
        .mode(0o600)
        .open(path)
        .map_err(StoreError::io("open", path))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_store_in_the_making_is_never_taken_for_something_else() {
        const ROUNDS: usize = 2000;
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("launchway.db");
        let maker = Connection::open(&path).unwrap();
        maker.query_row("PRAGMA journal_mode = WAL", [], |_| Ok(())).unwrap();
        maker.pragma_update(None, "synchronous", "OFF").unwrap();
        let (made, unmade) = ("CREATE TABLE a (x)", "DROP TABLE a");
        let numbers = |owner, format| format!("PRAGMA application_id = {owner}; PRAGMA user_version = {format}");
        let state = |change, owner, format| format!("BEGIN; {change}; {}; COMMIT", numbers(owner, format));
        let states = [state(made, APPLICATION_ID, 1), state(unmade, 0, 0)];
        std::thread::scope(|scope| {
            scope.spawn(|| {
                let mut looking = connect(&path).unwrap();
                (0..ROUNDS).for_each(|_| assert!(matches!(found(&mut looking, &path), Ok(0 | 1))));
            });
            for _ in 0..ROUNDS {
                states.iter().for_each(|sql| maker.execute_batch(sql).unwrap());
            }
        });
    }
}
