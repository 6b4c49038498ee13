"""The chat's own SQLite file: what was said, and how calls went. Readers and writers do not wait for one another."""

from __future__ import annotations

import sqlite3
from pathlib import Path
from typing import Final, TypeVar

from sse_server.chat.desk import Desk, Work
from sse_server.errors import StoreUnavailable

Result = TypeVar("Result")

VERSION: Final = 1
MAX_BYTES: Final = 1024**3
"""Size beyond which the oldest messages go, whosever they are."""

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


class ChatFile:
    """`path` None: in memory, and gone with the server. The store's lock keeps a second server off it."""

    def __init__(self, path: Path | None) -> None:
        self._name = path.name if path else "in memory"
        self._writer = Desk("chat-writer", lambda: _create(path))
        self._reader = Desk("chat-reader", lambda: _connect(path)) if path else self._writer

    async def open(self) -> None:
        """Raises `StoreUnavailable`."""
        try:
            await self._writer.open()
            if self._reader is not self._writer:
                await self._reader.open()
        except (OSError, sqlite3.Error) as error:
            raise StoreUnavailable(f"can't open the chat's file {self._name}: {error}") from None

    async def close(self) -> None:
        """Finish what was asked for before."""
        await self._reader.close()
        await self._writer.close()

    async def write(self, work: Work[Result]) -> Result:
        """Run in one transaction; what it wrote can be read when this returns. Raises `StoreUnavailable`."""
        return await self._writer.write(work)

    async def read(self, work: Work[Result]) -> Result:
        """Run beside whatever is being written. Raises `StoreUnavailable`."""
        return await self._reader.read(work)


def _create(path: Path | None) -> sqlite3.Connection:
    if path:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch(0o600)  # nobody else reads what users said
    connection = _connect(path)
    try:
        version = connection.execute("PRAGMA user_version").fetchone()[0]
        if version == 0:
            connection.executescript(f"BEGIN; {_TABLES} PRAGMA user_version = {VERSION}; COMMIT;")
        elif version != VERSION:
            raise sqlite3.DatabaseError(f"it is of version {version}, this server knows {VERSION}")  # noqa: TRY301
    except BaseException:
        connection.close()
        raise
    return connection


def _connect(path: Path | None) -> sqlite3.Connection:
    """Neither messages nor telemetry are worth an fsync each: after a power cut the last of them may be missing."""
    connection = sqlite3.connect(path or ":memory:", isolation_level=None, check_same_thread=False, timeout=10)
    try:
        for setting in ("journal_mode = WAL", "synchronous = NORMAL", "cache_size = -16384"):
            connection.execute(f"PRAGMA {setting}")
        connection.execute("PRAGMA journal_size_limit = 16777216")
    except BaseException:
        connection.close()
        raise
    return connection
