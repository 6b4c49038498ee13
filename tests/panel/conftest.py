"""What the tests of the panel share: a job of it, and a server that has it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable

import pytest

from tests.panel.place import Place, place
from tests.panel.run import Run


@pytest.fixture(scope="session")
def make_run() -> Callable[..., Run]:
    """A job of the panel: with other specialists, a model, or a pace of its own."""
    return Run


@pytest.fixture
async def here() -> AsyncIterator[Place]:
    """A server that asks for tokens, with the real panel, which loses no time."""
    async with place() as opened:
        yield opened


@pytest.fixture
async def stage() -> AsyncIterator[Place]:
    """A server whose panel is in the test's hands."""
    async with place(puppets=True) as opened:
        yield opened
