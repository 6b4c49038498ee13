"""Those who are live together: when they are due for a heartbeat."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from sse_server.eventlog.order import now
from sse_server.hub import View

if TYPE_CHECKING:
    from tests.hub.conftest import Heart, Steady

Until = Callable[[Callable[[], Any]], Any]


async def test_who_joins_after_a_long_silence_waits_no_longer_for_a_heartbeat(heart: Heart, until: Until) -> None:
    await heart.publish()
    first, second = heart.read(), heart.read()
    await until(lambda: first.at_rest and second.at_rest)
    (cohort,) = first.subscriber.tail.cohorts
    silent_since = cohort.beat_at
    second.subscriber.part()
    cohort.beat(now(), silent_since + 100)
    await until(lambda: second.at_rest)
    assert list(cohort.members) == [first.tape, second.tape]
    assert cohort.beat_at <= silent_since + 1


async def test_who_parts_has_heard_the_heartbeats_of_its_cohort(heart: Heart, steady: Steady, until: Until) -> None:
    await heart.publish()
    reader = heart.read(view=View(steady, "notes", chunked=False))
    await until(lambda: reader.at_rest)
    (cohort,) = reader.subscriber.tail.cohorts
    later = asyncio.get_running_loop().time() + 100
    cohort.beat(now(), later)
    reader.subscriber.part()
    assert reader.subscriber.beat(now(), later + 1, every=15) == 0
    assert reader.subscriber.beat(now(), later + 15, every=15) == 1
