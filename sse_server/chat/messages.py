"""Messages in the chat's file: kept, found by their words (FTS5, best first by BM25), and the latest of a session.

Each question to SQLite is one statement with one row for an answer: between two rows its thread would have to wait for
its turn beside a busy loop.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Mapping
from typing import Final

import msgspec
from msgspec import Struct

from sse_server.agents import Role
from sse_server.chat.file import MAX_BYTES
from sse_server.chat.words import content_words, token

MAX_TEXT: Final = 16_000
"""Characters that are kept of a message."""
MAX_PER_USER: Final = 100_000
"""Messages that are kept of one user; the oldest go."""
MAX_CANDIDATES: Final = 2_000
"""Messages that a search ranks; beyond, it looks for the rarer words only, or among the newest messages."""


class Message(Struct, frozen=True):
    """A message to keep; `message_id` is its job's id, `created` Unix microseconds."""

    user: str
    session: str
    message_id: str
    role: Role
    text: str
    created: int


class Kept(Struct, frozen=True, array_like=True):
    """A message as it was kept; `words` are the tokens of its content words."""

    role: Role
    text: str
    words: str
    created: int


class Frequencies(Struct, frozen=True):
    """How many messages a user has, and in how many of them each word is."""

    messages: int
    often: Mapping[str, int]


_KEPT: Final = msgspec.json.Decoder(list[Kept])
_OFTEN: Final = msgspec.json.Decoder(dict[str, int])

_INSERT: Final = (
    "INSERT INTO messages (user, session, message_id, role, text, words, created) VALUES (?, ?, ?, ?, ?, ?, ?)"
)
_SIZES: Final = """
SELECT (SELECT messages FROM users WHERE name = ?), (page_count - freelist_count) * page_size
FROM pragma_page_count, pragma_freelist_count, pragma_page_size
"""
_FREQUENCIES: Final = """
SELECT coalesce((SELECT messages FROM users WHERE name = ?), 0),
    (SELECT json_group_object(word, messages) FROM frequencies WHERE word IN (SELECT value FROM json_each(?)))
"""
_ROWS: Final = "SELECT json_group_array(json_array(role, text, words, created)) FROM ({})"
_SEARCH: Final = _ROWS.format("""
    SELECT m.* FROM word_index w JOIN messages m ON m.id = w.rowid
    WHERE word_index MATCH ? AND w.rowid >= ? AND m.user = ? ORDER BY w.rank LIMIT ?
""")
_OF_USER: Final = _ROWS.format("SELECT * FROM messages WHERE user = ? ORDER BY id DESC LIMIT ?")
_OF_SESSION: Final = _ROWS.format("SELECT * FROM messages WHERE user = ? AND session = ? ORDER BY id DESC LIMIT ?")


def keep(
    connection: sqlite3.Connection, message: Message, *, per_user: int = MAX_PER_USER, max_bytes: int = MAX_BYTES
) -> None:
    """Add a message; what is too much by it goes: the user's oldest, and of a file that is too large anybody's."""
    text = message.text[:MAX_TEXT].encode(errors="replace").decode()  # a model may have torn a surrogate pair
    words = " ".join(token(message.user, word) for word in content_words(text))
    connection.execute(
        _INSERT, (message.user, message.session, message.message_id, message.role, text, words, message.created)
    )
    count, size = connection.execute(_SIZES, (message.user,)).fetchone()
    if count > per_user:
        oldest = "SELECT id FROM messages WHERE user = ? ORDER BY id LIMIT ?"
        connection.execute(f"DELETE FROM messages WHERE id IN ({oldest})", (message.user, count - per_user))  # noqa: S608
    if size > max_bytes:
        connection.execute("DELETE FROM messages WHERE id IN (SELECT id FROM messages ORDER BY id LIMIT 10)")


def frequencies(connection: sqlite3.Connection, user: str, words: Iterable[str]) -> Frequencies:
    """How rare the words are in what the user said."""
    tokens = {word: token(user, word) for word in words}
    messages, often = connection.execute(
        _FREQUENCIES, (user, msgspec.json.encode([*tokens.values()]).decode())
    ).fetchone()
    found = _OFTEN.decode(often)
    return Frequencies(messages, {word: found.get(each, 0) for word, each in tokens.items()})


def search(connection: sqlite3.Connection, user: str, often: Mapping[str, int], limit: int) -> list[Kept]:
    """The user's best messages by BM25 that have one of the words at least; `often` is in how many each word is."""
    words = _affordable(often)
    if not words:
        return []
    oldest = 0
    if often[words[0]] > MAX_CANDIDATES:
        newest = "SELECT id FROM messages WHERE user = ? ORDER BY id DESC LIMIT 1 OFFSET ?"
        (oldest,) = connection.execute(newest, (user, MAX_CANDIDATES)).fetchone() or (0,)
    # Tokens are hexadecimal digits: nothing in them could mean anything to FTS5.
    query = " OR ".join(f'"{token(user, word)}"' for word in words)
    return _KEPT.decode(connection.execute(_SEARCH, (query, oldest, user, limit)).fetchone()[0])


def latest(connection: sqlite3.Connection, user: str, session: str | None, limit: int) -> list[Kept]:
    """The user's newest messages, the newest first; of one session, where it is named."""
    if session is None:
        found = connection.execute(_OF_USER, (user, limit))
    else:
        found = connection.execute(_OF_SESSION, (user, session, limit))
    return _KEPT.decode(found.fetchone()[0])


def _affordable(often: Mapping[str, int]) -> list[str]:
    """The rarest words, as many as are together in few enough messages, and one at least if there is one."""
    affordable: list[str] = []
    candidates = 0
    for word in sorted((word for word in often if often[word]), key=lambda word: often[word]):
        candidates += often[word]
        if affordable and candidates > MAX_CANDIDATES:
            break
        affordable.append(word)
    return affordable
