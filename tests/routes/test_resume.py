"""Wherever a stream is cut, its client comes back and has the same list: nothing is missing, nothing comes twice."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import msgspec
import pytest

from sse_server.sse import Parser

if TYPE_CHECKING:
    from tests.routes.conftest import Frame, House, Line

Until = Callable[[Callable[[], Any]], Any]

every_store = pytest.mark.parametrize("kind", ["memory", "sqlite"])


def events(frames: list[Frame]) -> list[dict[str, Any]]:
    """The events of a log among the frames: what a client keeps."""
    return [frame.data for frame in frames if frame.id and frame.type != "snapshot"]


async def whole(house: House, job_id: str, **query: Any) -> list[Frame]:
    return await (await house.stream(job_id, **query)).all()


@every_store
async def test_cut_at_every_event_and_resumed_by_header_or_by_query_the_list_is_the_same(house: House) -> None:
    job_id = await house.counted(40)
    frames = await whole(house, job_id)
    assert len(frames) == 43
    for n, frame in enumerate(frames[:-1], 1):
        by_header = await (await house.stream(job_id, frame.id)).all()
        by_query = await whole(house, job_id, after=frame.id)
        assert frames[:n] + by_header == frames[:n] + by_query == frames


@every_store
async def test_cut_at_every_event_of_a_running_job_the_list_is_the_same(house: House) -> None:
    job_id, actor = await house.puppet()
    seen: list[Frame] = []
    for n in range(30):
        stream = await house.stream(job_id, seen[-1].id if seen else None)
        await actor.say(str(n))
        while not seen or seen[-1].data.get("text") != str(n):
            frame = await stream.next()
            seen += [frame] if frame.id else []
        await stream.close()
    actor.end()
    seen += await (await house.stream(job_id, seen[-1].id)).all()
    assert events(seen) == events(await whole(house, job_id))


@every_store
async def test_random_cuts_between_any_two_bytes_lose_and_repeat_nothing_while_the_job_runs(house: House) -> None:
    """Thousands of events; the client goes away in the midst of a frame, of a chunk, of the head, and comes back."""
    cut = random.Random(7)
    job_id, actor = await house.puppet()
    kept: list[dict[str, Any]] = []
    last_id = ""
    for n in range(100):
        for word in range(40):
            actor.job.token(f"{n} {word}")
        line, size = await house.line(), cut.choice([1, 40, 900, 4000, 60_000])
        last_id, events = await some_of(line, job_id, last_id, size, until=f'"{n} 39"'.encode())
        kept += events
    actor.end()
    kept += [frame.data for frame in await (await house.stream(job_id, last_id)).all()]
    assert [event["seq"] for event in kept] == list(range(1, 4004))
    assert kept == [frame.data for frame in await whole(house, job_id)]


async def some_of(
    line: Line, job_id: str, last_id: str, size: int, *, until: bytes
) -> tuple[str, list[dict[str, Any]]]:
    """Read so many bytes of a stream, or all there is, and tear the line; the last id, and the events that came."""
    await line.ask("GET", f"/api/jobs/{job_id}/stream", {"Last-Event-ID": last_id} if last_id else {})
    raw = b""
    while len(raw) < size and until not in raw:
        raw += await line.reader.read(size - len(raw))
    line.abort()
    parser = Parser(last_event_id=last_id)
    frames = [event for chunk in unchunked(raw.partition(b"\r\n\r\n")[2]) for event in parser.feed(chunk)]
    return parser.last_event_id, [event for frame in frames if "seq" in (event := msgspec.json.decode(frame.data))]


def unchunked(raw: bytes) -> list[bytes]:
    """The chunks that came, the last one as far as it came."""
    chunks = []
    while (found := raw.partition(b"\r\n"))[1]:
        size = int(found[0], 16)
        chunks.append(found[2][:size])
        raw = found[2][size + 2 :]
    return chunks


@every_store
async def test_polled_pages_of_random_limits_equal_the_stream(house: House) -> None:
    size = random.Random(3)
    job_id = await house.counted(3000)
    streamed = events(await whole(house, job_id))
    polled: list[dict[str, Any]] = []
    cursor, done = "0", False
    while not done:
        page = await house.poll(job_id, after=cursor, limit=size.choice([1, 2, 7, 100, 500, 999]))
        polled += page["events"]
        cursor, done = page["next"], page["done"]
    assert polled == streamed
    page = await house.poll(job_id, after=cursor)
    assert (page["events"], page["next"], page["done"], page["poll_after_ms"]) == ([], cursor, True, 0)


@every_store
@pytest.mark.parametrize("types", [None, "token", "nothing_of_the_kind"])
async def test_the_transport_may_change_at_every_page(types: str | None, house: House) -> None:
    """Poll a page, stream from its `next`, poll from the last id: any mixture is the whole."""
    mix = random.Random(11)
    query: dict[str, Any] = {"types": types} if types else {}
    job_id, actor = await house.puppet()
    seen: list[dict[str, Any]] = []
    cursor = "0"
    for n in range(60):
        if n % 4 == 0:
            await actor.say(f"{n}")
            actor.job.log("info", f"{n}")
            await actor.job.flush()
        if mix.random() < 0.5:
            page = await house.poll(job_id, after=cursor, limit=mix.randint(1, 4), **query)
            seen += page["events"]
            cursor = page["next"]
        else:
            stream = await house.stream(job_id, cursor, **query)
            frame = await stream.next()
            if frame.id:
                seen.append(frame.data)
                cursor = frame.id
            await stream.close()
    actor.end()
    seen += events(await (await house.stream(job_id, cursor, **query)).all())
    assert seen == events(await whole(house, job_id, **query))


@every_store
async def test_a_page_with_nothing_in_it_gives_a_stream_its_cursor_all_the_same(house: House) -> None:
    job_id, actor = await house.puppet()
    await actor.say("a", "b")
    page = await house.poll(job_id, types="insight")
    assert page["events"] == []
    stream = await house.stream(job_id, page["next"])
    await actor.say("c")
    assert (await stream.until("token")).data["text"] == "c"
    assert (await house.poll(job_id, after=page["next"]))["events"][0]["text"] == "c"


@every_store
async def test_jobs_that_share_a_session_are_each_a_filter_on_one_log(house: House) -> None:
    (one, first), (two, second) = await house.puppet(session_id="shared"), await house.puppet(session_id="shared")
    streams = [await house.stream(job_id) for job_id in (one, two)]
    for n in range(20):
        await first.say(f"one {n}")
        await second.say(f"two {n}", f"two {n}")
    first.end()
    second.end()
    frames = [await stream.all() for stream in streams]
    seqs = [[frame.data["seq"] for frame in mine] for mine in frames]
    assert all(mine == sorted(set(mine)) for mine in seqs)
    assert seqs[0] != list(range(seqs[0][0], seqs[0][-1] + 1))
    assert sorted(seqs[0] + seqs[1]) == list(range(1, 67))
    assert {event["job_id"] for event in events(frames[0])} == {one}
    page = (await house.get("/api/sessions/shared/events")).json
    assert page["events"] == sorted(events(frames[0]) + events(frames[1]), key=lambda event: event["seq"])
    for n, frame in enumerate(frames[0][:-1], 1):
        assert frames[0][:n] + await (await house.stream(one, frame.id)).all() == frames[0]


@every_store
async def test_a_cursor_of_a_neighbours_event_goes_on_in_the_same_log(house: House) -> None:
    (one, first), (two, second) = await house.puppet(session_id="shared"), await house.puppet(session_id="shared")
    await first.say("a")
    await second.say("b")
    foreign = (await house.poll(two))["next"]
    first.end()
    frames = await (await house.stream(one, foreign)).all()
    assert [event["type"] for event in events(frames)] == ["done"]
    second.end()


@pytest.mark.parametrize("kind", ["sqlite"])
async def test_a_reader_sent_away_by_a_restart_comes_back_and_misses_nothing(house: House) -> None:
    queued = [await house.job("count", {"to": 30}, session_id="kept") for _ in range(2)]
    job_id, actor = await house.puppet(session_id="kept")
    await actor.say("a", "b")
    stream = await house.stream(job_id)
    while (last := await stream.next()).data.get("text") != "b":
        pass
    await house.restart()
    told = (await stream.all())[-1]
    assert (told.type, told.data["reason"], told.id) == ("reconnect", "draining", "")
    assert stream.last_id == last.id
    rest = await (await house.stream(job_id, stream.last_id)).all()
    assert [(frame.type, frame.data["finish_reason"]) for frame in rest] == [("done", "interrupted")]
    assert events(stream.frames) + events(rest) == events(await whole(house, job_id))
    for other in queued:
        assert (await whole(house, other))[-1].type == "done"


@pytest.mark.parametrize("kind", ["sqlite"])
async def test_cursors_outlive_a_restart(house: House) -> None:
    job_id = await house.counted(10)
    frames = await whole(house, job_id)
    await house.restart()
    for n, frame in enumerate(frames[:-1], 1):
        assert frames[:n] + await (await house.stream(job_id, frame.id)).all() == frames
    answer = await house.get(f"/api/jobs/{job_id}/stream", {"Last-Event-ID": frames[-1].id})
    assert answer.status == 204


@pytest.mark.parametrize("kind", ["memory"])
async def test_a_log_that_was_lost_with_its_process_is_another_epoch(house: House) -> None:
    first = await house.counted(3, session_id="same")
    old = (await house.poll(first))["next"]
    await house.restart()
    again = await house.counted(3, session_id="same")
    frames = await (await house.stream(again, old)).all()
    assert [frame.type for frame in frames] == ["gap", "snapshot", "done"]
    assert frames[0].data["reason"] == "epoch"


@every_store
async def test_a_torn_client_leaves_nothing_behind(house: House, until: Until) -> None:
    job_id, actor = await house.puppet()
    for n in range(20):
        line = await house.line()
        await line.ask("GET", f"/api/jobs/{job_id}/stream")
        if n % 2:
            await line.read_head()
        line.abort()
    stream = await house.stream(job_id)
    await actor.say("still here")
    await stream.until("token")
    await stream.close()
    await until(house.idle)
