"""The load agent: emits so many events at a pace. `sse-server serve scripts/loadtest/agent.py` has it."""

from __future__ import annotations

import asyncio
from typing import Annotated

from msgspec import Meta, Struct

from sse_server import Job, agent


class Load(Struct, forbid_unknown_fields=True):
    """What to emit: `events` tokens of `size` characters, `rate` a second, `burst` at a time."""

    events: Annotated[int, Meta(ge=0, le=1_000_000)] = 100
    rate: Annotated[float, Meta(gt=0, le=100_000)] = 10.0
    size: Annotated[int, Meta(ge=0, le=65_536)] = 40
    burst: Annotated[int, Meta(ge=1, le=1000)] = 1


@agent("load", timeout=86_400, retries=3, backoff=0.05)
async def load(input: Load, job: Job) -> dict[str, int]:
    """Emits tokens at a pace, to see what a deployment holds."""
    time = asyncio.get_running_loop().time
    began, text = time(), "x" * input.size
    for number in range(input.events):
        if number % input.burst == 0:
            early = began + number / input.rate - time()
            if early > 0:
                await asyncio.sleep(early)
            else:
                await job.flush()  # late: as fast as the store takes it
        job.token(text)
    return {"emitted": input.events}
