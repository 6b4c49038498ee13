"""The agent `panel`: a coordinator reads a question, specialists compute side by side, an answer sums up.

Which specialists are asked follows from the question alone, and every figure comes from a tool. A model, where there is
one, writes the answer; what it writes is not taken if it gives a figure that no tool gave.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING

from sse_server.agents import Agent, Job, agent
from sse_server.panel.pace import Pace
from sse_server.panel.result import PanelInput, PanelResult

if TYPE_CHECKING:
    from sse_server.panel.specialists import Specialist


def today_utc() -> date:
    """The day in UTC."""
    return datetime.now(UTC).date()


def panel_at(
    pace: Pace, specialists: Sequence[Specialist] | None = None, today: Callable[[], date] = today_utc
) -> Agent:
    """The agent at a pace of its own, with these specialists; what they find does not depend on the pace."""

    @agent(
        "panel",
        timeout=120,
        description="A coordinator and specialists that convert units, work out BMI and energy, dates, food and sums.",
    )
    async def panel(input: PanelInput, job: Job) -> PanelResult:
        from sse_server.panel.consultation import Consultation  # noqa: PLC0415  (no start shall wait for its patterns)

        return await Consultation(input.message, job, pace, specialists, today()).run()

    return panel


panel = panel_at(Pace())
