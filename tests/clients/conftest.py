"""What the tests with other people's clients share: the server's stage, the proxy before it, and the clients."""

from __future__ import annotations

import shutil
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

from sse_server.config import Settings
from tests.clients.proxy import Proxy
from tests.clients.stage import Stage, on_stage
from tests.clients.watcher import CLIENTS, HERE


@pytest.fixture
def settings() -> Settings:
    """A test that needs others is parametrized with them."""
    return on_stage(retry_ms=10)


@pytest.fixture
async def stage(settings: Settings) -> AsyncIterator[Stage]:
    async with Stage(settings) as stage:
        yield stage


@pytest.fixture
async def proxy(stage: Stage) -> AsyncIterator[Proxy]:
    async with Proxy(stage.port) as proxy:
        yield proxy


@pytest.fixture(params=CLIENTS)
def client(request: pytest.FixtureRequest, require: Callable[[object, str], None]) -> str:
    """Each client in turn."""
    name = str(request.param)
    if Path(CLIENTS[name]).suffix == ".mjs":
        require(shutil.which("node"), "node is not installed")
        require(
            (HERE.parent / "node_modules").is_dir(), "the packages of tests/package.json are not installed (npm ci)"
        )
    return name
