"""What the tests of the chat share."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from tests.chat.place import Place, place, settings


@pytest.fixture
async def offline() -> AsyncIterator[Place]:
    """A server without a model, in memory."""
    async with place(settings()) as served:
        yield served
