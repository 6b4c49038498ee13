"""What the tests of the command line share: a server, and a way to call a command."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.cli.terminal import Terminal
from tests.client.server import Server, Start, environment

Call = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """One server for all tests that do it no harm."""
    server = Server(tmp_path_factory.mktemp("server"), "--set", "stream.retry_ms=20")
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
        server = Server(tmp_path, "--set", "stream.retry_ms=20", *options, store=store)
        servers.append(server)
        server.start()
        return server

    yield start
    for server in servers:
        server.close()


@pytest.fixture
def call(server: Server, tmp_path: Path) -> Call:
    """Call `sse-server` in an empty folder, with the common server as its server."""

    def call(*arguments: str, input: str | None = None, **environ: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "sse_server", *arguments],
            cwd=tmp_path,
            env=environment(SSE_SERVER_URL=server.url, **environ),
            input=input,
            stdin=subprocess.DEVNULL if input is None else None,
            capture_output=True,
            text=True,
            timeout=90,
            check=False,
        )

    return call


@pytest.fixture
def terminal(server: Server, tmp_path: Path) -> Callable[..., Terminal]:
    """Call `sse-server` on a terminal."""

    def open_terminal(*arguments: str, url: str = server.url) -> Terminal:
        return Terminal(*arguments, folder=tmp_path, environ=environment(SSE_SERVER_URL=url))

    return open_terminal
