"""The chat's own SQLite file: what was said, and how calls went. One thread works on it, so the loop never waits."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import Final, TypeVar

from sse_server.errors import StoreUnavailable

Result = TypeVar("Result")

VERSION: Final = 1
MAX_BYTES: Final = 1024**3
"""Size beyond which the oldest messages go, whosever they are."""
CHECK: Final = 1000
"""Steps of SQLite's after which it asks whether anybody still waits."""

_TABLES: Final = """
CREATE TABLE messages (
    id INTEGER PRIMARY KEY, user TEXT NOT NULL, session TEXT NOT NULL, message_id TEXT NOT NULL, role TEXT NOT NULL,
    text TEXT NOT NULL, words TEXT NOT NULL, created INTEGER NOT NULL);
CREATE INDEX messages_of_user ON messages (user);
CREATE INDEX messages_of_session ON messages (user, session);
CREATE TABLE users (name TEXT PRIMARY KEY, messages INTEGER NOT NULL) WITHOUT ROWID;
CREATE VIRTUAL TABLE word_index USING fts5 (words, content = 'messages', content_rowid = 'id', tokenize = 'ascii');
CREATE TABLE frequencies (word TEXT PRIMARY KEY, messages INTEGER NOT NULL) WITHOUT ROWID;
CREATE TRIGGER message_comes AFTER INSERT ON messages BEGIN
    INSERT INTO word_index (rowid, words) VALUES (new.id, new.words);
    INSERT INTO users VALUES (new.user, 1) ON CONFLICT DO UPDATE SET messages = messages + 1;
    INSERT INTO frequencies SELECT DISTINCT value, 1
        FROM json_each('["' || replace(new.words, ' ', '","') || '"]') WHERE true
        ON CONFLICT DO UPDATE SET messages = messages + 1;
END;
CREATE TRIGGER message_goes AFTER DELETE ON messages BEGIN
    INSERT INTO word_index (word_index, rowid, words) VALUES ('delete', old.id, old.words);
    UPDATE users SET messages = messages - 1 WHERE name = old.user;
    DELETE FROM users WHERE name = old.user AND messages = 0;
    UPDATE frequencies SET messages = messages - 1
        WHERE word IN (SELECT value FROM json_each('["' || replace(old.words, ' ', '","') || '"]'));
    DELETE FROM frequencies WHERE messages = 0
        AND word IN (SELECT value FROM json_each('["' || replace(old.words, ' ', '","') || '"]'));
END;
CREATE TABLE telemetry_events (
    id INTEGER PRIMARY KEY, type TEXT NOT NULL, payload_json TEXT NOT NULL, created_at TEXT NOT NULL);
CREATE INDEX telemetry_by_type ON telemetry_events (type, created_at);
"""


def beside(store: Path) -> Path:
    """Where the chat's file lies: `X-chat.db` beside the store's `X.db`."""
    return store.with_name(f"{store.stem}-chat{store.suffix}")


class _Turn:
    """One piece of work; `unwanted` once nobody waits for it any more."""

    unwanted = False


class ChatFile:
    """`path` None: in memory, and gone with the server. The store's lock keeps a second server off it."""

    def __init__(self, path: Path | None) -> None:
        self._path = path
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="chat-file")
        self._turn = _Turn()
        self._connection: sqlite3.Connection | None = None

    async def open(self) -> None:
        """Raises `StoreUnavailable`."""
        try:
            await asyncio.wrap_future(self._thread.submit(self._open))
        except (OSError, sqlite3.Error) as error:
            name = self._path.name if self._path else "in memory"
            raise StoreUnavailable(f"can't open the chat's file {name}: {error}") from None

    async def close(self) -> None:
        """Finish what was asked for before."""
        await asyncio.to_thread(self._thread.shutdown)
        if self._connection:
            self._connection.close()
            self._connection = None

    async def do(self, work: Callable[[sqlite3.Connection], Result]) -> Result:
        """Run in the thread, in one transaction. Cancelling it interrupts what SQLite is doing, and nothing is written.

        Raises `StoreUnavailable`.
        """
        turn = _Turn()
        try:
            return await asyncio.wrap_future(self._thread.submit(self._run, turn, work))
        except asyncio.CancelledError:
            turn.unwanted = True
            raise
        except (sqlite3.Error, RuntimeError) as error:
            raise StoreUnavailable(f"the chat's file can't be used: {error}", retry_after=1) from None

    def _run(self, turn: _Turn, work: Callable[[sqlite3.Connection], Result]) -> Result:
        if self._connection is None:
            raise sqlite3.ProgrammingError("it is closed")
        connection, self._turn = self._connection, turn
        try:
            connection.execute("BEGIN")
            result = work(connection)
            connection.execute("COMMIT")
        except BaseException:
            self._turn = _Turn()
            with suppress(sqlite3.Error):
                connection.execute("ROLLBACK")
            raise
        return result

    def _open(self) -> None:
        if self._path:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            self._path.touch(0o600)  # nobody else reads what users said
        connection = sqlite3.connect(self._path or ":memory:", isolation_level=None, check_same_thread=False)
        try:
            _prepare(connection)
        except BaseException:
            connection.close()
            raise
        connection.set_progress_handler(lambda: self._turn.unwanted, CHECK)
        self._connection = connection


def _prepare(connection: sqlite3.Connection) -> None:
    """Neither messages nor telemetry are worth an fsync each: after a power cut the last of them may be missing."""
    for setting in (
        "journal_mode = WAL",
        "synchronous = NORMAL",
        "cache_size = -16384",
        "journal_size_limit = 16777216",
    ):
        connection.execute(f"PRAGMA {setting}")
    version = connection.execute("PRAGMA user_version").fetchone()[0]
    if version == 0:
        connection.executescript(f"BEGIN; {_TABLES} PRAGMA user_version = {VERSION}; COMMIT;")
    elif version != VERSION:
        raise sqlite3.DatabaseError(f"it is of version {version}, this server knows {VERSION}")
