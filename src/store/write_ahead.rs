//! SQLite's write-ahead log, moved into the database beside the writer: to move a full log takes tens of milliseconds, and
//! everybody would wait who has written meanwhile.
//!
//! A log begins anew only at a moment when all of it has been moved, and under load there is none while a second connection moves
//! it. So that one moves what has gathered, and the writer, between two transactions, the little that came since.

use std::cell::Cell;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};
use std::time::{Duration, Instant};

use rusqlite::{Connection, ErrorCode, OpenFlags};

use super::StoreError;

/// Pages in the log before they are moved, 32 MiB: a page that is written often is moved once.
pub(super) const LOG_PAGES: u32 = 4096;

thread_local! {
    /// Pages in the log after the last commit of this thread.
    static PAGES: Cell<u32> = const { Cell::new(0) };
}

const IDLE: u8 = 0;
const MOVING: u8 = 1;
const ALL_BUT_MOVED: u8 = 2;

/// The log of one database. The writer owns it.
pub(super) struct WriteAheadLog {
    file: PathBuf,
    pages_max: u32,
    /// How long the writer waits for another process that writes.
    busy: Duration,
    /// How many pages there are when it is moved the next time.
    due: u32,
    seen: u32,
    state: Arc<AtomicU8>,
    to_be_emptied: Option<Emptying>,
}

/// That the log is to be emptied.
struct Emptying {
    tried_at: Option<Instant>,
    tries: u32,
}

/// Between two tries to empty the log while somebody reads from it.
const BETWEEN_EMPTYINGS: Duration = Duration::from_millis(500);
/// After so many tries whoever is on call is told that somebody reads without end.
const EMPTYINGS_TOLD: u32 = 20;

impl WriteAheadLog {
    /// The log of the database in this file, moved when it has so many pages. The writer waits for at most `busy` for another
    /// process that writes.
    pub(super) fn new(file: PathBuf, pages_max: u32, busy: Duration) -> WriteAheadLog {
        WriteAheadLog {
            file,
            pages_max,
            busy,
            due: pages_max,
            seen: 0,
            state: Arc::new(AtomicU8::new(IDLE)),
            to_be_emptied: None,
        }
    }

    /// Has the writer's connection count the log's pages, and move none by itself.
    pub(super) fn counted_by(connection: &Connection) {
        connection.wal_hook(Some(|_, pages| {
            PAGES.set(u32::try_from(pages).unwrap_or(0));
            Ok(())
        }));
    }

    /// What was deleted lies in the log still: it is to be emptied.
    pub(super) fn empty_soon(&mut self) {
        self.to_be_emptied = Some(Emptying { tried_at: None, tries: 0 });
    }

    /// Whether it waits to be emptied.
    pub(super) fn is_to_be_emptied(&self) -> bool {
        self.to_be_emptied.is_some()
    }

    /// Moves all into the database and cuts the log to nothing, unless somebody reads from it: waits for nobody, tries again later.
    fn empty(&mut self, writer: &Connection) -> Result<(), StoreError> {
        let Some(emptying) = &mut self.to_be_emptied else { return Ok(()) };
        if emptying.tried_at.is_some_and(|at| at.elapsed() < BETWEEN_EMPTYINGS) {
            return Ok(());
        }
        (emptying.tried_at, emptying.tries) = (Some(Instant::now()), emptying.tries + 1);
        if emptying.tries == EMPTYINGS_TOLD {
            tracing::warn!("the log of the database cannot be emptied: somebody reads from it without end");
        }
        writer.busy_timeout(Duration::ZERO)?;
        let outcome = writer.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |row| row.get::<_, i64>(0));
        writer.busy_timeout(self.busy)?;
        match outcome {
            Ok(0) => self.to_be_emptied = None,
            Ok(_) => {}
            Err(error) if error.sqlite_error_code() == Some(ErrorCode::DatabaseBusy) => {}
            Err(error) => return Err(error.into()),
        }
        Ok(())
    }

    /// To be called between two transactions of the writer, with its connection.
    pub(super) fn tidy(&mut self, writer: &Connection) -> Result<(), StoreError> {
        self.empty(writer)?;
        let pages = PAGES.get();
        if pages < self.seen {
            self.due = self.pages_max;
        }
        self.seen = pages;
        match self.state.load(Ordering::Acquire) {
            ALL_BUT_MOVED => {
                let outcome = move_into_database(writer);
                // Somebody may still read from the log, a backup for instance: then it grows on, and is tried again later.
                self.due = pages.saturating_add(self.pages_max);
                self.state.store(IDLE, Ordering::Release);
                outcome?;
            }
            IDLE if pages >= self.due => self.move_beside(),
            _ => {}
        }
        Ok(())
    }

    fn move_beside(&self) {
        let (file, state) = (self.file.clone(), Arc::clone(&self.state));
        state.store(MOVING, Ordering::Release);
        let moved = std::thread::Builder::new().name("write-ahead log".to_owned()).spawn({
            let state = Arc::clone(&state);
            move || {
                let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
                let outcome = Connection::open_with_flags(&file, flags).and_then(|connection| {
                    // Twice: what came while most of it was moved is less.
                    move_into_database(&connection)?;
                    move_into_database(&connection)
                });
                if let Err(error) = outcome {
                    // The writer tries by itself, and finds out what is wrong.
                    tracing::warn!(error = %StoreError::from(error), "the log was not moved");
                }
                state.store(ALL_BUT_MOVED, Ordering::Release);
            }
        });
        if moved.is_err() {
            state.store(ALL_BUT_MOVED, Ordering::Release);
        }
    }
}

/// Moves what nobody reads from the log any more; never waits for anybody.
fn move_into_database(connection: &Connection) -> Result<(), rusqlite::Error> {
    connection.query_row("PRAGMA wal_checkpoint(PASSIVE)", [], |_| Ok(()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_log_begins_anew_while_somebody_writes_without_a_pause() {
        let folder = tempfile::TempDir::new().unwrap();
        let file = folder.path().join("a.db");
        let writer = Connection::open(&file).unwrap();
        writer.execute_batch("PRAGMA journal_mode = WAL; CREATE TABLE t (x TEXT)").unwrap();
        WriteAheadLog::counted_by(&writer);
        let mut log = WriteAheadLog::new(file, 100, Duration::from_secs(1));
        let (text, mut most, mut least_after) = ("x".repeat(20_000), 0, u32::MAX);
        for _ in 0..2000 {
            writer.execute("INSERT INTO t VALUES (?)", [&text]).unwrap();
            most = most.max(PAGES.get());
            if most > 100 {
                least_after = least_after.min(PAGES.get());
            }
            log.tidy(&writer).unwrap();
        }
        // 2,000 rows of five pages are 10,000 pages.
        assert!(most < 5_000 && least_after < 100, "{most} {least_after}");
    }

    #[test]
    fn a_log_that_somebody_reads_from_is_not_moved_at_every_commit() {
        let folder = tempfile::TempDir::new().unwrap();
        let file = folder.path().join("a.db");
        let writer = Connection::open(&file).unwrap();
        writer.execute_batch("PRAGMA journal_mode = WAL; CREATE TABLE t (x TEXT)").unwrap();
        let reader = Connection::open(&file).unwrap();
        reader.execute_batch("BEGIN; SELECT count(*) FROM t").unwrap();
        WriteAheadLog::counted_by(&writer);
        let mut log = WriteAheadLog::new(file, 100, Duration::from_secs(1));
        let mut moves = 0;
        for _ in 0..600 {
            writer.execute("INSERT INTO t VALUES (?)", ["x".repeat(4000)]).unwrap();
            let before = log.state.load(Ordering::Acquire);
            log.tidy(&writer).unwrap();
            moves += u32::from(before == IDLE && log.state.load(Ordering::Acquire) != IDLE);
        }
        // Once for every hundred pages, of which every commit writes some.
        assert!((1..=PAGES.get() / 100).contains(&moves), "{moves} of {} pages", PAGES.get());
    }
}
