"""Clients that read slowly, or not at all, on real sockets."""

from __future__ import annotations

import asyncio
import socket
import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pytest

from sse_server.config import Stream as StreamSettings
from sse_server.eventlog import LogKey
from sse_server.hub import Ending

if TYPE_CHECKING:
    from tests.routes.conftest import House, Opened, Stream

Until = Callable[[Callable[[], Any]], Any]

BIG = "x" * 50_000


async def stuck(house: House, job_id: str, **query: Any) -> Stream:
    """A client that opens a stream, and then reads nothing."""
    return await house.stream(job_id, buffer=2**10, **query)


@pytest.mark.skipif(sys.platform != "linux", reason="not every system has these options")
async def test_the_kernel_keeps_little_for_whoever_comes_in_and_gives_up_on_them_in_time(opened: Opened) -> None:
    async with opened(stream=StreamSettings(write_timeout=7.0)) as house:
        assert (await (await (await house.line()).ask("GET", "/health")).answer()).status == 200
        server = house.server._doors.server
        assert server
        (connection,) = server.connections
        assert connection.transport
        peer = connection.transport.get_extra_info("socket")
        assert peer.getsockopt(socket.IPPROTO_TCP, socket.TCP_NOTSENT_LOWAT) == 16 * 1024
        assert peer.getsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT) == 7000
        assert peer.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
        assert peer.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE)


async def test_a_client_that_reads_nothing_holds_back_nobody(opened: Opened) -> None:
    async with opened() as house:
        job_id, actor = await house.puppet()
        slow, fast = await stuck(house, job_id), await house.stream(job_id)
        for n in range(100):
            await actor.say(f"{n} {BIG}")
            await fast.until("token")
        waiting = sum(subscriber._sink.waiting() for subscriber in house.server.hub.subscribers)
        assert waiting < 500_000  # of five million
        actor.end()
        assert (await fast.all())[-1].type == "done"
        frames = await slow.all()  # and when it reads at last it has it all
        assert frames == fast.frames


async def test_a_client_that_reads_nothing_is_cut_off_and_may_go_on_where_it_was(opened: Opened) -> None:
    async with opened(stream=StreamSettings(write_timeout=0.2)) as house:
        job_id, actor = await house.puppet()
        slow = await stuck(house, job_id)
        while house.server.hub.subscribers:
            await actor.say(BIG)
            await asyncio.sleep(0.005)
        frames: list[Any] = []
        try:
            frames = await slow.all()
        except (ConnectionError, asyncio.IncompleteReadError):
            frames = slow.frames
        actor.end()
        rest = await (await house.stream(job_id, slow.last_id)).all()
        seqs = [frame.data["seq"] for frame in [*frames, *rest] if frame.id]
        assert seqs == list(range(1, seqs[-1] + 1))


async def test_a_client_that_reads_nothing_of_a_long_past_is_cut_off_too(opened: Opened, until: Until) -> None:
    """Its first page goes out with the head, and is more than the kernel takes for it."""
    endings: list[str] = []

    class Watch:
        def came(self, key: LogKey, job_id: str | None) -> None: ...

        def left(self, key: LogKey, job_id: str | None, ending: Ending) -> None:
            endings.append(ending)

    async with opened(stream=StreamSettings(write_timeout=0.2)) as house:
        job_id, actor = await house.puppet()
        await actor.say(*[BIG] * 100)
        house.server.hub.audience = Watch()
        await stuck(house, job_id)
        await until(lambda: endings)
        assert endings == ["slow_consumer"]
        actor.end()


async def test_a_client_that_lags_too_far_is_sent_away_with_its_place_kept(opened: Opened) -> None:
    async with opened(stream=StreamSettings(max_lag_events=20)) as house:
        job_id, actor = await house.puppet()
        slow = await stuck(house, job_id)
        for _ in range(150):
            await actor.say(BIG)
        frames = await slow.all()
        assert (frames[-1].type, frames[-1].data["reason"]) == ("reconnect", "slow_consumer")
        actor.end()
        rest = await (await house.stream(job_id, slow.last_id)).all()
        assert [frame.data["seq"] for frame in [*frames[:-1], *rest]] == list(range(1, 154))


async def test_a_client_that_conflates_gets_the_state_in_place_of_what_it_missed(opened: Opened) -> None:
    async with opened(stream=StreamSettings(max_lag_events=20)) as house:
        job_id, actor = await house.puppet()
        slow = await stuck(house, job_id, conflate=1)
        for n in range(150):
            actor.job.emit("large", body=BIG)
            await actor.say(f"{n};")
        actor.end()
        frames = await slow.all()
        assert frames[-1].type == "done"
        snapshots = [n for n, frame in enumerate(frames) if frame.type == "snapshot"]
        assert snapshots
        text, last = "", 0
        for frame in frames:
            if frame.type == "snapshot":
                assert frame.data["job"]["text"].startswith(text)
                text, last = frame.data["job"]["text"], int(frame.id.partition("-")[2])
            else:
                assert frame.data["seq"] == last + 1
                last += 1
                text += frame.data.get("text", "")
        assert text == "".join(f"{n};" for n in range(150))


async def test_a_large_last_event_reaches_a_slow_client_whole(opened: Opened) -> None:
    """It has as long for the end as for anything else, as long as it reads."""
    async with opened() as house:
        job_id, actor = await house.puppet()
        slow = await stuck(house, job_id)
        actor.end({"large": "y" * 900_000})
        raw = b""
        while b'"type":"done"' not in raw or not raw.endswith(b"\r\n0\r\n\r\n"):
            raw += await slow.line.reader.read(20_000)
            await asyncio.sleep(0)
        assert raw.count(b"y" * 100) >= 8000
