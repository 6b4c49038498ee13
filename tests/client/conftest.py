"""What the tests of the client share: a server to ask, and ways to bring one up."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from sse_server.client import Client, Patience
from tests.client.server import Server, Start


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """One server for all tests that do it no harm."""
    server = Server(tmp_path_factory.mktemp("server"), "--set", "stream.retry_ms=5")
    try:
        server.start()
        yield server
    finally:
        server.close()


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    """Start a server of one's own, with options of `serve`."""
    servers: list[Server] = []

    def start(*options: str, store: str = "memory") -> Server:
        server = Server(tmp_path, "--set", "stream.retry_ms=5", *options, store=store)
        servers.append(server)
        server.start()
        return server

    yield start
    for server in servers:
        server.close()


@pytest.fixture
def patience() -> Patience:
    """Short pauses; a server that is only slow is given its time."""
    return Patience(first_pause=0.005, longest_pause=0.05, give_up=30)


@pytest.fixture
async def client(server: Server, patience: Patience) -> AsyncIterator[Client]:
    async with Client(server.url, patience=patience) as client:
        yield client


@pytest.fixture
def gate(tmp_path: Path) -> Path:
    """`count` waits at it until it is there."""
    return tmp_path / "gate"
