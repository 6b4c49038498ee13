"""Telemetry: a row for each call of the model and for each failure, kept 30 days, and two reports by the hour.

Rows hold figures and codes, never texts. `created_at` is UTC as SQLite's own date functions write and read it.
"""

from __future__ import annotations

import logging
import sqlite3
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Final

import msgspec
from msgspec import Struct

from sse_server.chat.file import ChatFile
from sse_server.errors import StoreUnavailable

KEPT_DAYS: Final = 30
MAX_ROWS: Final = 1_000_000
"""Rows that are kept at most; the oldest go."""

_NOW: Final = "strftime('%Y-%m-%d %H:%M:%f', 'now')"

logger = logging.getLogger(__name__)


class OpenAICall(Struct, frozen=True):
    """An `openai_call`: one answer, also one that failed or was written offline. Times are in milliseconds."""

    model: str
    provider_retry_count: int = 0
    tokens_in: int = 0
    tokens_out: int = 0
    ttft_ms: int | None = None
    memory_ms: int | None = None
    total_ms: int = 0
    offline: bool = False
    finish_reason: str = "stop"


class RetryHour(Struct, frozen=True):
    """The calls of one hour (`2026-11-21 10:00:00`, UTC)."""

    hour: str
    avg_retries: float
    max_retries: int
    requests_with_retries: int
    total_requests: int


class ErrorHour(Struct, frozen=True):
    """The failures of one hour."""

    hour: str
    timeout_errors: int
    rate_limit_errors: int
    total_errors: int


class Report(Struct, frozen=True):
    """Both reports, the newest hour first."""

    retries: list[RetryHour]
    errors: list[ErrorHour]


class TelemetryRows:
    """Implements `Telemetry`."""

    def __init__(self, file: ChatFile) -> None:
        self._file = file

    async def record(self, rows: Mapping[str, Mapping[str, object]]) -> None:
        try:
            await self._file.write(partial(_write, rows=rows))
        except StoreUnavailable as error:
            logger.warning("no telemetry written: %s", error.detail)


def report(path: Path | None, hours: float) -> Report:
    """The reports of the last so many hours, from a file that a server may have open. Raises `StoreUnavailable`."""
    if path is None:
        raise StoreUnavailable(
            "a memory store keeps its telemetry to itself: there is nothing to read beside the server"
        )
    if not path.is_file():
        raise StoreUnavailable(f"there is no telemetry at {path}: no server has run with this store yet")
    try:
        return _read(path, since=f"-{hours} hours")
    except sqlite3.Error as error:
        raise StoreUnavailable(f"the telemetry at {path} can't be read: {error}") from None


def _read(path: Path, since: str) -> Report:
    # Readable and writable, since whoever comes first has to make the file that readers and writers share; and
    # nothing is written.
    connection = sqlite3.connect(f"{path.absolute().as_uri()}?mode=rw", uri=True, timeout=10)
    try:
        connection.execute("PRAGMA query_only = ON")
        return Report(
            [RetryHour(*row) for row in connection.execute(_RETRIES, (since,))],
            [ErrorHour(*row) for row in connection.execute(_ERRORS, (since,))],
        )
    finally:
        connection.close()


_WHEN: Final = "created_at > strftime('%Y-%m-%d %H:%M:%f', 'now', ?) GROUP BY hour ORDER BY hour DESC"

_RETRIES: Final = f"""
SELECT strftime('%Y-%m-%d %H:00:00', created_at) AS hour,
    avg(payload_json ->> 'provider_retry_count'), max(payload_json ->> 'provider_retry_count'),
    count(*) FILTER (WHERE (payload_json ->> 'provider_retry_count') > 0), count(*)
FROM telemetry_events WHERE type = 'openai_call' AND {_WHEN}
"""  # noqa: S608  (nothing in it is anybody's)

_ERRORS: Final = f"""
SELECT strftime('%Y-%m-%d %H:00:00', created_at) AS hour,
    count(*) FILTER (WHERE payload_json ->> 'code' = 'OPENAI_TIMEOUT'),
    count(*) FILTER (WHERE payload_json ->> 'code' = 'RATE_LIMIT'), count(*)
FROM telemetry_events WHERE type = 'error' AND {_WHEN}
"""  # noqa: S608


def _write(connection: sqlite3.Connection, rows: Mapping[str, Mapping[str, object]]) -> None:
    for kind, fields in rows.items():
        connection.execute(
            f"INSERT INTO telemetry_events (type, payload_json, created_at) VALUES (?, ?, {_NOW})",  # noqa: S608
            (kind, msgspec.json.encode(fields).decode()),
        )
    oldest = "SELECT id, created_at FROM telemetry_events ORDER BY id LIMIT 100"
    connection.execute(
        f"DELETE FROM telemetry_events WHERE id IN (SELECT id FROM ({oldest})"  # noqa: S608
        " WHERE created_at < strftime('%Y-%m-%d %H:%M:%f', 'now', ?)"
        " OR id <= (SELECT max(id) FROM telemetry_events) - ?)",
        (f"-{KEPT_DAYS} days", MAX_ROWS),
    )
