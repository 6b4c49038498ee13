"""The SQLite file: its tables, its pragmas, and the lock that keeps a second server off it.

Events stand in a rowid table with a unique index on (integer log key, seq), which takes batches five times as fast as a
table ordered by a text key. `synchronous=FULL` with a write-ahead log: what is committed survives a power cut.
"""

from __future__ import annotations

import fcntl
import os
import sqlite3
from pathlib import Path
from typing import Final

from sse_server.errors import StoreBusy, StoreUnavailable

APPLICATION: Final = int.from_bytes(b"sses")
"""SQLite's `application_id`: whose file it is."""

_FIRST: Final = """
CREATE TABLE logs (
    id INTEGER PRIMARY KEY, user TEXT NOT NULL, name TEXT NOT NULL, epoch TEXT NOT NULL,
    last INTEGER NOT NULL DEFAULT 0, trimmed INTEGER NOT NULL DEFAULT 0, UNIQUE (user, name));
CREATE TABLE events (
    log INTEGER NOT NULL, seq INTEGER NOT NULL, job INTEGER NOT NULL, attempt INTEGER NOT NULL,
    type TEXT NOT NULL, time INTEGER NOT NULL, body BLOB NOT NULL);
CREATE UNIQUE INDEX events_in_order ON events (log, seq);
CREATE TABLE jobs (
    n INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, user TEXT NOT NULL, session TEXT NOT NULL, agent TEXT NOT NULL,
    log INTEGER NOT NULL, epoch TEXT NOT NULL, spec BLOB NOT NULL,
    status TEXT NOT NULL DEFAULT 'queued', attempt INTEGER NOT NULL DEFAULT 1, first INTEGER NOT NULL DEFAULT 0,
    last INTEGER NOT NULL DEFAULT 0, attempt_seq INTEGER NOT NULL DEFAULT 0, started INTEGER, finished INTEGER,
    done BLOB, work BLOB, work_seq INTEGER NOT NULL DEFAULT 0, unfolded INTEGER NOT NULL DEFAULT 0,
    events INTEGER NOT NULL DEFAULT 0, turn INTEGER NOT NULL DEFAULT 0, ready_at INTEGER NOT NULL DEFAULT 0,
    lease TEXT NOT NULL DEFAULT '', worker TEXT NOT NULL DEFAULT '', cancel INTEGER NOT NULL DEFAULT 0);
CREATE INDEX jobs_of_user ON jobs (user, id);
CREATE INDEX jobs_of_log ON jobs (log);
CREATE INDEX jobs_active ON jobs (user) WHERE finished IS NULL;
CREATE INDEX jobs_waiting ON jobs (turn, n) WHERE status = 'queued';
CREATE INDEX jobs_running ON jobs (worker) WHERE status = 'running';
CREATE INDEX jobs_ended ON jobs (finished) WHERE finished IS NOT NULL;
CREATE TABLE once (
    user TEXT NOT NULL, route TEXT NOT NULL, key TEXT NOT NULL, digest BLOB NOT NULL, job TEXT NOT NULL,
    until INTEGER NOT NULL, PRIMARY KEY (user, route, key)) WITHOUT ROWID;
CREATE INDEX once_until ON once (until);
CREATE TABLE meta (key TEXT PRIMARY KEY, value) WITHOUT ROWID;
"""

_SECOND: Final = """
ALTER TABLE events ADD COLUMN expires INTEGER NOT NULL DEFAULT 0;
CREATE TABLE published (
    n INTEGER PRIMARY KEY, log INTEGER NOT NULL, seq INTEGER NOT NULL, bytes INTEGER NOT NULL,
    expires INTEGER NOT NULL DEFAULT 0);
CREATE UNIQUE INDEX published_in_order ON published (log, seq);
CREATE INDEX published_expiring ON published (expires) WHERE expires > 0;
INSERT INTO published (log, seq, bytes) SELECT log, seq, length(body) FROM events WHERE job = 0 ORDER BY rowid;
ALTER TABLE logs ADD COLUMN evicted INTEGER NOT NULL DEFAULT 0;
ALTER TABLE logs ADD COLUMN cleared TEXT NOT NULL DEFAULT '';
ALTER TABLE logs ADD COLUMN touched INTEGER NOT NULL DEFAULT 0;
ALTER TABLE logs ADD COLUMN jobs INTEGER NOT NULL DEFAULT 0;
ALTER TABLE logs ADD COLUMN active INTEGER NOT NULL DEFAULT 0;
ALTER TABLE logs ADD COLUMN events INTEGER NOT NULL DEFAULT 0;
ALTER TABLE logs ADD COLUMN published INTEGER NOT NULL DEFAULT 0;
ALTER TABLE logs ADD COLUMN bytes INTEGER NOT NULL DEFAULT 0;
CREATE VIEW sessions AS SELECT * FROM logs WHERE last > 0 OR jobs > 0;
CREATE INDEX jobs_of_user_waiting ON jobs (user, turn) WHERE status = 'queued';
CREATE INDEX logs_left ON logs (touched) WHERE active = 0 AND (jobs = 0 OR published > 0);
UPDATE logs SET
    touched = strftime('%s', 'now') * 1000000,
    jobs = (SELECT count(*) FROM jobs WHERE log = logs.id),
    active = (SELECT count(*) FROM jobs WHERE log = logs.id AND finished IS NULL),
    events = (SELECT count(*) FROM events WHERE log = logs.id),
    published = (SELECT count(*) FROM published WHERE log = logs.id),
    bytes = (SELECT coalesce(sum(bytes), 0) FROM published WHERE log = logs.id);
INSERT INTO meta SELECT 'published', coalesce(sum(bytes), 0) FROM logs;
"""
"""Published events stand in `published` too, in the order of their coming: their limits cost the jobs' events nothing.

`logs` counts up what each log holds; one that has no events nor jobs only remembers a session that was cleared.
`logs_left` are those that lose something once nobody touches them.
"""

_THIRD: Final = """
DROP VIEW sessions;
CREATE VIEW late AS SELECT events.* FROM logs CROSS JOIN events ON events.log = logs.id AND seq > logs.last;
CREATE VIEW current_logs AS SELECT
    id, user, name, epoch, trimmed, evicted, cleared, jobs, active, published, bytes,
    CASE active WHEN 0 THEN last
        ELSE max(last, (SELECT coalesce(max(seq), 0) FROM events WHERE log = logs.id)) END AS last,
    CASE active WHEN 0 THEN events
        ELSE events + max(0, (SELECT coalesce(max(seq), 0) FROM events WHERE log = logs.id) - last) END AS events,
    CASE active WHEN 0 THEN touched
        ELSE max(touched, coalesce((SELECT time FROM late WHERE late.log = logs.id ORDER BY seq DESC LIMIT 1), 0))
        END AS touched
FROM logs;
CREATE VIEW current_jobs AS SELECT
    n, id, user, session, agent, log, epoch, spec, status, attempt, first, attempt_seq, started, finished, done,
    work, work_seq, turn, ready_at, lease, worker, cancel,
    CASE WHEN finished IS NOT NULL THEN last
        ELSE max(last, (SELECT coalesce(max(seq), 0) FROM late WHERE late.log = jobs.log AND job = n)) END AS last,
    CASE WHEN finished IS NOT NULL THEN events
        ELSE events + (SELECT count(*) FROM late WHERE late.log = jobs.log AND job = n) END AS events,
    CASE WHEN finished IS NOT NULL THEN unfolded
        ELSE unfolded + (SELECT count(*) FROM late WHERE late.log = jobs.log AND job = n) END AS unfolded
FROM jobs;
CREATE VIEW sessions AS SELECT * FROM current_logs WHERE jobs > 0 OR last > 0;
"""
"""A job's event is one row; its log and its job count it later (`holders`), and these views add what came since.

An earlier server would number anew what is not counted yet.
"""

_STEPS: Final = (_FIRST, _SECOND, _THIRD)
"""What makes each version out of the one before; the first one out of nothing."""
VERSION: Final = len(_STEPS)


def connect(path: Path) -> sqlite3.Connection:
    """Open the file in autocommit; a transaction is what says BEGIN."""
    connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False, timeout=10)
    try:
        for setting in ("synchronous = FULL", "cache_size = -16384", "journal_size_limit = 67108864"):
            connection.execute(f"PRAGMA {setting}")
    except sqlite3.Error:
        connection.close()
        raise
    return connection


def prepare(connection: sqlite3.Connection) -> None:
    """Bring the file to this version in one transaction, be it new or of an earlier one.

    Raises `StoreUnavailable` for another's file, and for a later version's, and leaves it alone.
    """
    application, version, tables = (
        connection.execute(query).fetchone()[0]
        for query in ("PRAGMA application_id", "PRAGMA user_version", "SELECT count(*) FROM sqlite_master")
    )
    if application != APPLICATION and (application or version or tables):
        raise StoreUnavailable("the store's file is another program's")
    if tables and not 1 <= version <= VERSION:
        raise StoreUnavailable(f"the store's file has schema {version}, this server needs {VERSION}")
    connection.execute("PRAGMA journal_mode = WAL")
    if steps := _STEPS[version if tables else 0 :]:
        mark = f"PRAGMA application_id = {APPLICATION}; PRAGMA user_version = {VERSION};"
        connection.executescript(f"BEGIN IMMEDIATE; {''.join(steps)} {mark} COMMIT;")


class FileLock:
    """The advisory lock beside the file; the kernel drops it when the process dies, however it dies."""

    def __init__(self, path: Path) -> None:
        path = path.resolve()  # by whatever name a second server knows the file
        self._path = path.with_name(path.name + ".lock")
        self._file = -1

    def acquire(self) -> None:
        """Raises `StoreBusy`, naming the other process, when another server has it."""
        self._file = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            owner = os.read(self._file, 32).decode(errors="replace").strip() or "unknown"
            self.release()
            raise StoreBusy(
                f"another server (process {owner}) uses {self._path.name.removesuffix('.lock')}; "
                "one SQLite file serves one process: stop the other one, or name another store.path"
            ) from None
        os.truncate(self._file, 0)
        os.pwrite(self._file, f"{os.getpid()}\n".encode(), 0)

    def release(self) -> None:
        if self._file >= 0:
            os.close(self._file)
            self._file = -1
