"""What the attacks on the doors share: a place to attack, and the server as a process of its own."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AsyncExitStack
from pathlib import Path

import pytest

from tests.access.place import Place, rules
from tests.access.process import Process, Run


@pytest.fixture
async def place() -> AsyncIterator[Place]:
    """A server that asks for tokens."""
    async with Place(rules()) as place:
        yield place


@pytest.fixture
async def open_place() -> AsyncIterator[Callable[..., object]]:
    """Start a server with other settings, by section: `await open_place(limits={"streams": 1})`."""
    async with AsyncExitStack() as stack:

        async def opened(**sections: dict[str, object]) -> Place:
            return await stack.enter_async_context(Place(rules(**sections)))

        yield opened


@pytest.fixture
def run(tmp_path: Path) -> Iterator[Run]:
    """Prepare `sse-server serve` with options and variables."""
    processes: list[Process] = []

    def prepare(*options: str, **environ: str) -> Process:
        processes.append(Process(tmp_path, *options, **environ))
        return processes[-1]

    yield prepare
    for process in processes:
        process.close()


@pytest.fixture
async def place_with_issuer() -> AsyncIterator[Place]:
    """It asks for one issuer's tokens."""
    async with Place(rules(auth={"issuer": "https://issuer.example.com"})) as place:
        yield place
