"""The chat guide's two queries, run on the server's telemetry, give what its two reports say."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path
from typing import Any, Final

import msgspec
import pytest

from tests.seeds.documents import Documents
from tests.seeds.house import CALM, ENVIRON, House, Visitor, serving

DIALECT: Final = {
    "date_trunc('hour', created_at)": "strftime('%Y-%m-%d %H:00:00', created_at)",
    "NOW() - INTERVAL '24 hours'": "datetime('now', '-24 hours')",
    "::int": "",
}
"""What PostgreSQL says in other words than SQLite."""


async def test_the_printed_queries_give_what_the_reports_say(documents: Documents, secret: str, tmp_path: Path) -> None:
    with serving(tmp_path / "work", secret, **CALM, **{"store.kind": "sqlite", "store.path": "events.db"}) as house:
        async with Visitor(house, "ann") as visitor:
            for scenario in ("timeout", "rate_limit", "rate_limit", "server_error"):
                await visitor.stream("/api/v1/chat", {"message": "test"}, {"X-Test-Scenario": scenario})
            await visitor.stream("/api/v1/chat", {"message": "test"})
        reports = telemetry(house)
        text = documents["001 sql 1"]
        for theirs, ours in DIALECT.items():
            text = text.replace(theirs, ours)
        retries, errors = (rows(house, query) for query in text.split(";")[:2])
    assert reports == {"retries": retries, "errors": errors}
    assert sum(hour["total_errors"] for hour in errors) == 4
    assert sum(hour["total_requests"] for hour in retries) == 5


def telemetry(house: House) -> Any:
    """What the command tells."""
    command = [sys.executable, "-m", "sse_server", "telemetry", "--store-path", "events.db", "--json"]
    ran = subprocess.run(command, cwd=house.folder, env=ENVIRON, capture_output=True, check=False)
    assert ran.returncode == 0, ran.stderr
    return msgspec.json.decode(ran.stdout)


def rows(house: House, query: str) -> list[dict[str, Any]]:
    """The rows of a query on the telemetry's table, whichever file beside the store holds it."""
    for path in house.folder.glob("events*"):
        with closing(sqlite3.connect(path)) as connection:
            connection.row_factory = sqlite3.Row
            if connection.execute("SELECT 1 FROM sqlite_master WHERE name = 'telemetry_events'").fetchall():
                return [dict(row) for row in connection.execute(query)]
    pytest.fail("no file has the table")
