"""The agent `tailor`: five steps from a résumé and a posting to a summary that claims nothing the résumé doesn't show.

Without a model it writes from the résumé's own lines, the same text for the same input and year. With one the model
writes, and the same check decides what of it stays.
"""

from __future__ import annotations

from sse_server.agents import Agent, Job, agent
from sse_server.tailor.pace import Pace
from sse_server.tailor.result import TailorInput, TailorResult


def tailor_at(pace: Pace) -> Agent:
    """The agent at a pace of its own; what it finds and writes does not depend on it."""

    @agent(
        "tailor",
        timeout=600,
        description="Tailors a résumé to a job posting: matches requirements, writes a summary and checks each claim.",
    )
    async def tailor(input: TailorInput, job: Job) -> TailorResult:
        from sse_server.tailor.tailoring import Tailoring  # noqa: PLC0415  (no start shall wait for its words)

        return await Tailoring(input, job, pace).run()

    return tailor


tailor = tailor_at(Pace())
