"""Streams end, or are refused, in words that a client can act on: come back, and miss nothing."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pytest

from sse_server.config import Jobs, Limits
from sse_server.config import Server as ServerSettings
from sse_server.config import Stream as StreamSettings
from sse_server.eventlog import Page
from sse_server.eventlog.memory import MemoryStore

if TYPE_CHECKING:
    from tests.routes.conftest import House, Opened, Stream

Until = Callable[[Callable[[], Any]], Any]
PUPPET = {"agent": "puppet", "input": 1}


def assert_sent_away(stream: Stream, reason: str, retry_ms: int = 3000) -> None:
    """The last frame is a `reconnect`, with a retry of its own that is spread."""
    told = stream.frames[-1]
    assert (told.type, told.data["reason"], told.id) == ("reconnect", reason, "")
    assert retry_ms <= told.data["retry_ms"] <= 2 * retry_ms
    assert stream.parser.retry == told.data["retry_ms"]


# ---------------------------------------------------------------- age


async def test_an_old_stream_is_told_to_come_back_and_misses_nothing(opened: Opened) -> None:
    async with opened(stream=StreamSettings(max_age=0.3, heartbeat_interval=0.1, retry_ms=100)) as house:
        job_id, actor = await house.puppet()
        seen: list[str] = []
        cursor = None
        for n in range(3):
            stream = await house.stream(job_id, cursor)
            await actor.say(str(n))
            seen += [frame.data["text"] for frame in await stream.all() if frame.type == "token"]
            assert_sent_away(stream, "max_age", 100)
            assert (await (await stream.line.ask("GET", "/health")).answer()).status == 200  # the line is good still
            cursor = stream.last_id
        assert seen == ["0", "1", "2"]


async def test_a_stream_that_a_start_began_does_not_age(opened: Opened) -> None:
    async with opened(stream=StreamSettings(max_age=0.05, heartbeat_interval=0.02)) as house:
        stream = await house.streamed_post(PUPPET)
        job_id = (await stream.next()).data["job_id"]
        actor = await house.stage.actor(job_id)
        for _ in range(3):  # its neighbours come and go
            assert (await (await house.stream(job_id)).all())[-1].type == "reconnect"
        actor.end()
        assert (await stream.all())[-1].type == "done"


# ---------------------------------------------------------------- how many


@pytest.mark.parametrize("limits", [Limits(streams_per_user=2), Limits(streams=2)])
async def test_a_stream_too_many_is_told_to_come_back(limits: Limits, opened: Opened, until: Until) -> None:
    async with opened(limits=limits) as house:
        job_id, actor = await house.puppet()
        first, _ = await house.stream(job_id), await house.stream(job_id)
        refused = await house.stream(job_id, named=1)
        assert await refused.line.chunk() == refused.line.body  # one write
        refused.take(refused.line.body)
        assert not await refused.read()
        assert [frame.name for frame in refused.frames] == ["reconnect"]
        assert_sent_away(refused, "overloaded")
        assert refused.raw.startswith(b": stream\nretry: ")
        await first.close()
        await until(lambda: house.seats.total == 1)
        third = await house.stream(job_id)
        actor.end()
        assert (await third.all())[-1].type == "done"


@pytest.mark.parametrize(
    ("limits", "status", "code"),
    [(Limits(streams_per_user=1), 429, "too_many_streams"), (Limits(streams=1), 503, "overloaded")],
)
async def test_a_start_that_would_stream_too_many_is_refused_before_it_starts(
    limits: Limits, status: int, code: str, opened: Opened
) -> None:
    async with opened(limits=limits) as house:
        job_id, _ = await house.puppet()
        await house.stream(job_id)
        answer = await house.post(PUPPET, {"Accept": "text/event-stream"})
        assert (answer.status, answer.json["code"]) == (status, code)
        assert int(answer.headers["retry-after"]) > 0
        assert len((await house.get("/api/jobs")).json["jobs"]) == 1
        assert (await house.post(PUPPET)).status == 202  # without a stream it may


async def test_starts_at_the_same_time_share_the_seats_that_there_are(opened: Opened) -> None:
    async with opened("sqlite", limits=Limits(streams=3)) as house:
        lines = [await house.line() for _ in range(8)]
        for line in lines:
            await line.ask("POST", "/api/jobs", {"Accept": "text/event-stream"}, b'{"agent":"puppet","input":1}')
        await asyncio.gather(*(line.read_head() for line in lines))
        assert sorted(line.status for line in lines) == [200] * 3 + [503] * 5
        assert len((await house.get("/api/jobs")).json["jobs"]) == 3


async def test_a_seen_end_needs_no_seat(opened: Opened) -> None:
    """204 stops an EventSource; to send it away instead would keep it coming."""
    async with opened(limits=Limits(streams=1)) as house:
        ended = await house.counted(1)
        cursor = (await house.poll(ended))["next"]
        job_id, _ = await house.puppet()
        await house.stream(job_id)
        assert (await house.get(f"/api/jobs/{ended}/stream", {"Last-Event-ID": cursor})).status == 204


async def test_a_connection_too_many_is_refused_before_it_asks(opened: Opened) -> None:
    async with opened(limits=Limits(connections=2)) as house:
        job_id = await house.job()
        streams = [await house.stream(job_id) for _ in range(2)]
        refused = await (await house.line()).answer()
        assert (refused.status, refused.json["code"]) == (503, "overloaded")
        await streams[0].close()
        await house.hang_up()


async def test_a_head_that_does_not_come_is_given_up(opened: Opened) -> None:
    async with opened(server=ServerSettings(port=0, drain_timeout=0.0, head_timeout=0.1)) as house:
        for torn in (b"", b"GET /health HT", b"GET /health HTTP/1.1\r\nHost: t\r\n"):
            line = await house.line()
            await line.send(torn)
            assert await line.eof()


async def test_a_body_that_does_not_come_is_given_up(opened: Opened) -> None:
    async with opened(server=ServerSettings(port=0, drain_timeout=0.0, body_timeout=0.1)) as house:
        line = await house.line()
        await line.send(b"POST /api/jobs HTTP/1.1\r\nHost: t\r\nContent-Length: 100\r\n\r\n{")
        answer = await line.answer()
        assert (answer.status, answer.json["code"]) == (408, "timeout")


# ---------------------------------------------------------------- draining


async def test_while_it_drains_the_server_says_so_and_running_jobs_end(opened: Opened) -> None:
    async with opened(server=ServerSettings(port=0, drain_timeout=30.0)) as house:
        job_id, actor = await house.puppet()
        begun = await house.streamed_post(PUPPET)
        begun_id = (await begun.next()).data["job_id"]
        watched, named = await house.stream(job_id), await house.stream(job_id, named=1)
        await actor.say("before")
        stopping = asyncio.create_task(house.server.stop())
        await watched.all()
        await named.all()
        assert_sent_away(watched, "draining")
        assert_sent_away(named, "draining")
        late = await house.stream(job_id, watched.last_id)
        await late.all()
        assert_sent_away(late, "draining")
        for answer in (await house.post(PUPPET), await house.post(PUPPET, {"Accept": "text/event-stream"})):
            assert (answer.status, answer.json["code"]) == (503, "draining")
            assert int(answer.headers["retry-after"]) > 0
        ready = await house.get("/ready")
        assert (ready.status, ready.json["code"]) == (503, "draining")
        assert (await house.get("/health")).status == 200
        await actor.say("after")
        assert [event["text"] for event in (await house.poll(job_id, types="token"))["events"]] == ["before", "after"]
        (await house.stage.actor(begun_id)).end()
        assert (await begun.all())[-1].type == "done"
        actor.end()
        await stopping
        await house.start()


async def test_a_stream_that_a_start_began_ends_with_done_when_its_job_is_interrupted(house: House) -> None:
    stream = await house.streamed_post(PUPPET)
    await house.stage.actor((await stream.next()).data["job_id"])
    await house.restart()
    last = (await stream.all())[-1]
    assert (last.type, last.data["finish_reason"]) == ("done", "interrupted")


@pytest.mark.parametrize("kind", ["memory", "sqlite"])
async def test_however_many_starters_wait_each_sees_its_jobs_end(kind: str, opened: Opened) -> None:
    jobs = Jobs(concurrency=270, cancel_grace=0.5)
    async with opened(kind, jobs=jobs, limits=Limits(jobs_per_user=270)) as house:
        streams = [await house.streamed_post(PUPPET) for _ in range(270)]
        for stream in streams:
            await house.stage.actor((await stream.next()).data["job_id"])
        await house.restart()
        assert {(await stream.all())[-1].type for stream in streams} == {"done"}


async def test_many_readers_are_sent_away_with_different_retries(house: House) -> None:
    job_id, _ = await house.puppet()
    streams = [await house.stream(job_id) for _ in range(30)]
    await house.restart()
    for stream in streams:
        await stream.all()
        assert_sent_away(stream, "draining")
    assert len({stream.frames[-1].data["retry_ms"] for stream in streams}) > 10


# ---------------------------------------------------------------- a store that fails


async def test_a_store_that_can_not_be_read_sends_streams_away_and_refuses_the_rest(opened: Opened) -> None:
    async with opened("sqlite") as house:
        job_id = await house.counted(1)
        await house.server.store.close()
        stream = await house.stream(job_id)
        await stream.all()
        assert_sent_away(stream, "overloaded")
        for path in (f"/api/jobs/{job_id}", f"/api/jobs/{job_id}/events", "/api/jobs", "/ready"):
            answer = await house.get(path)
            assert (answer.status, answer.json["code"]) == (503, "store_unavailable")
            assert int(answer.headers["retry-after"]) > 0
        start = await house.post(PUPPET)
        assert (start.status, start.json["code"]) == (503, "store_unavailable")


async def test_a_store_that_fails_under_a_stream_sends_it_away(opened: Opened) -> None:
    """Read in pages: the one that can't be read ends the stream, and the client goes on from the one before."""
    async with opened("sqlite") as house:
        job_id = await house.counted(20_000)
        stream = await house.stream(job_id, buffer=2**10)
        await house.server.store.close()
        await stream.all()
        assert_sent_away(stream, "overloaded")
        await house.restart()
        rest = await (await house.stream(job_id, stream.last_id)).all()
        seqs = [frame.data["seq"] for frame in [*stream.frames, *rest] if frame.id]
        assert seqs == list(range(1, 20_004))


# ---------------------------------------------------------------- an erased job


@pytest.mark.parametrize("kind", ["memory", "sqlite"])
@pytest.mark.parametrize("shared", [True, False])
async def test_a_job_that_is_erased_under_its_reader_ends_the_stream(shared: bool, kind: str, opened: Opened) -> None:
    async with opened(kind) as house:
        job_id = await house.counted(20_000, **({"session_id": "shared"} if shared else {}))
        await house.puppet(session_id="shared")  # where it is shared the log itself stays
        stream = await house.stream(job_id, buffer=2**10)
        assert (await house.ask("DELETE", f"/api/jobs/{job_id}")).status == 204
        frames = await stream.all()
        assert [frame.data["seq"] for frame in frames] == list(range(1, len(frames) + 1))
        assert len(frames) < 20_003
        assert (await house.get(f"/api/jobs/{job_id}/stream")).status == 404


@pytest.mark.parametrize("kind", ["memory", "sqlite"])
async def test_a_reader_who_finds_the_job_erased_before_hearing_of_it_is_told_of_no_gap(
    kind: str, opened: Opened
) -> None:
    async with opened(kind) as house:
        job_id = await house.counted(20_000)
        stream = await house.stream(job_id, buffer=2**10)
        await house.server.store.erase(job_id)
        assert "gap" not in {frame.data["type"] for frame in await stream.all()}


class Faulty(MemoryStore):
    """Fails in a way that nobody thought of."""

    async def read(self, *_: Any, **__: Any) -> Page:
        raise RuntimeError("secret words")


async def test_what_goes_wrong_in_a_stream_cuts_it_off_and_writes_no_second_answer(
    house: House, caplog: pytest.LogCaptureFixture
) -> None:
    """The client sees a torn stream, and comes back; a problem in the midst of it would be garbage."""
    job_id = await house.counted(1)
    house.server.hub.eventlog = Faulty()
    stream = await house.stream(job_id)
    with pytest.raises(asyncio.IncompleteReadError):
        await stream.all()
    assert stream.line.body == b": stream\nretry: 3000\n"
    assert "secret words" in caplog.text
    caplog.clear()


@pytest.mark.parametrize("kind", ["memory", "sqlite"])
async def test_a_stream_that_a_post_begins_reads_nothing_back(house: House) -> None:
    """What the start stored is at hand, in the tail of its log: the store need not be asked for it."""
    house.server.hub.eventlog = Faulty()
    stream = await house.streamed_post({"agent": "count", "input": {"to": 3}})
    assert [frame.type for frame in await stream.all()] == ["job_queued", "job_started", *["token"] * 3, "done"]
