"""A panel without waits, and everything that a job of it emits."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import date
from typing import Any

import msgspec

from sse_server.agents import Job, Outbox, Provider
from sse_server.config import Emission
from sse_server.panel.agent import panel_at
from sse_server.panel.pace import Pace
from sse_server.panel.result import PanelResult
from sse_server.panel.specialists import PANEL, Specialist

TODAY = date(2026, 11, 21)
Event = tuple[str, dict[str, Any]]


class Run:
    """One job of the agent, with every event that it emitted. `heard` is set with the first of a type."""

    def __init__(
        self, specialists: Sequence[Specialist] = PANEL, model: Provider | None = None, pace: Pace | None = None
    ) -> None:
        self.events: list[Event] = []
        self.heard: dict[str, asyncio.Event] = {}
        self.agent = panel_at(pace or Pace(task=0, words=0), specialists, lambda: TODAY)
        self.outbox = Outbox(self._take)
        self.job = Job(id="job", session_id="s", attempt=1, outbox=self.outbox, cadence=Emission(), llm=model)

    async def of(self, message: str) -> PanelResult:
        """The result, as it went through its JSON."""
        given = self.agent.read_input(msgspec.json.encode({"message": message}))
        result = await self.agent(given, self.job)
        await self.job.flush()
        return msgspec.json.decode(self.agent.write_result(result), type=PanelResult)

    def fields(self, kind: str) -> list[dict[str, Any]]:
        return [fields for each, fields in self.events if each == kind]

    @property
    def text(self) -> str:
        return "".join(fields["text"] for fields in self.fields("token"))

    @property
    def updates(self) -> list[tuple[str, str]]:
        return [(fields["specialist"], fields["status"]) for fields in self.fields("specialist_update")]

    async def until(self, kind: str) -> None:
        async with asyncio.timeout(20):
            await self.heard.setdefault(kind, asyncio.Event()).wait()

    def _take(self) -> None:
        while drafts := self.outbox.take(100):
            self.events += [(draft.type, msgspec.json.decode(draft.body)) for draft in drafts]
            for draft in drafts:
                self.heard.setdefault(draft.type, asyncio.Event()).set()
            self.outbox.settle()
