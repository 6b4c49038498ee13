"""The agents of the server under attack: they wait for a cue, fail with a secret, emit everything, or just answer."""

# ruff: noqa: ARG001  (an agent takes an input and a job)

from __future__ import annotations

import asyncio
from typing import Any, Final

from sse_server.agents import Job, Registry, agent

LEAKED: Final = "sk-live-4eC39HqLyjWDarjtT1zdp7dc"
"""What an agent's exception holds, and nobody outside may see."""


def troupe(cues: asyncio.Queue[str | None]) -> Registry:
    """All of them; `actor` takes its cues from there, and None ends it."""

    @agent("actor")
    async def act(input: dict[str, Any], job: Job) -> None:
        """Waits for its cues."""
        while (text := await cues.get()) is not None:
            job.token(text)

    return Registry([echo, act, leak, wrong, revue])


@agent("echo")
async def echo(input: dict[str, Any], job: Job) -> dict[str, Any]:
    """Gives back what it takes."""
    return input


@agent("leak", retries=1, backoff=0)
async def leak(input: dict[str, Any], job: Job) -> None:
    """Fails, and its error tells too much."""
    with job.step("paying"):
        raise RuntimeError(f"401 from https://api.example.com/pay?key={LEAKED}")


@agent("wrong")
async def wrong(input: dict[str, Any], job: Job) -> int:
    """Returns what it did not promise."""
    return LEAKED  # type: ignore[return-value]


@agent("revue", retries=1, backoff=0)
async def revue(input: dict[str, Any], job: Job) -> dict[str, Any]:
    """Emits every type of event, an own one too, and makes a second attempt of it."""
    with job.step("all", label="All", index=1, total=1) as step:
        step.progress(50, "half")
        job.insight("one", category="c", data={"a": 1})
        job.token("text", step="all", message_id="m")
        with job.tool("search", {"q": "x"}) as call:
            call.result({"found": 1})
        job.specialist("critic", "working", "on it")
        job.usage(tokens_in=1, tokens_out=2, model="gpt-4o-mini")
        job.log("info", "a line")
        job.emit("of_its_own", anything=[1, None, {}])
    if job.attempt == 1:
        raise RuntimeError(LEAKED)
    return input
