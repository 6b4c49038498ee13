"""What the tests of this wing share."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from tests.actions.place import Place, place


@pytest.fixture
async def here() -> AsyncIterator[Place]:
    async with place() as one:
        yield one
