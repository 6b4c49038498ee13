"""What the tests of the scripts share: the scripts' own modules, and a way to call the load test."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path

import pytest

from tests.client.server import Server
from tests.scripts.calling import AGENT, SCRIPT, Called, call_load_test

sys.path.append(str(SCRIPT.parent))  # for the tests of its modules

LoadTest = Callable[..., Awaitable[Called]]


@pytest.fixture
def load_test(tmp_path: Path) -> LoadTest:
    """Call `scripts/load_test.py` with words; it is over, and told its report, when this returns."""

    async def call(*words: str) -> Called:
        async with asyncio.timeout(60):
            return await call_load_test(tmp_path, *words)

    return call


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    """A server of one's own that has the load agent, too, and outlives a `kill`."""
    server = Server(tmp_path, str(AGENT), store="sqlite")
    try:
        server.start()
        yield server
    finally:
        server.close()
