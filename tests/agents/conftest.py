"""A `Job` as an agent gets it, with its outbox at hand: `desk` says in short words what came out of it."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from sse_server.agents import Job, Outbox
from sse_server.config import Emission
from sse_server.events import Draft


class Desk:
    """The job's outbox is read here, where a server has its committer."""

    def __init__(self, cadence: Emission | None = None) -> None:
        self.woken = 0
        self.outbox = Outbox(self._wake)
        self.job = Job(id="job_1", session_id="s", attempt=2, outbox=self.outbox, cadence=cadence or Emission())

    def _wake(self) -> None:
        self.woken += 1

    def drafts(self, limit: int = 100_000) -> list[Draft]:
        """What was emitted, which is now stored."""
        drafts = self.outbox.take(limit)
        self.outbox.settle()
        return drafts

    def said(self) -> list[dict[str, Any]]:
        """The same as a client gets it, without what every event has."""
        return [{"type": draft.type, **msgspec.json.decode(draft.body)} for draft in self.drafts()]


@pytest.fixture
async def desk() -> Desk:
    return Desk()
