"""What a stream looks like, byte by byte: its head, its first bytes, its frames, its end."""

from __future__ import annotations

import asyncio
import re
import socket
import struct
import sys
from typing import TYPE_CHECKING, Any

import msgspec
import pytest

from sse_server.config import Jobs
from sse_server.config import Stream as StreamSettings
from sse_server.eventlog import Page

if TYPE_CHECKING:
    from tests.routes.conftest import House, Line, Opened

TCPI_DATA_SEGS_IN = 152
"""Where Linux has it in `struct tcp_info`."""

HEADERS = {
    "content-type": "text/event-stream",
    "cache-control": "no-cache, no-store, must-revalidate, no-transform",
    "x-accel-buffering": "no",
    "proxy-buffering": "off",
    "x-content-type-options": "nosniff",
    "connection": "keep-alive",
    "transfer-encoding": "chunked",
    "server": "sse-server",
    "vary": "Origin",  # of CORS
}


async def test_a_streams_head_is_the_contracts(house: House) -> None:
    job_id, _ = await house.puppet()
    stream = await house.stream(job_id, headers={"X-Request-Id": "mine-1"})
    head = stream.line.headers
    assert re.fullmatch(r"\w{3}, \d\d \w{3} \d{4} [\d:]{8} GMT", head.pop("date"))
    assert head == HEADERS | {"x-request-id": "mine-1"}


async def test_a_started_streams_head_also_says_where_to_go_on(house: House) -> None:
    stream = await house.streamed_post({"agent": "count", "input": {"to": 1}}, {"X-Request-Id": "mine-2"})
    job_id = (await stream.next()).data["job_id"]
    head = stream.line.headers
    del head["date"]
    here = f"/api/jobs/{job_id}/stream"
    assert head == HEADERS | {"x-request-id": "mine-2", "location": here, "content-location": here}


async def test_the_first_bytes_come_at_once_and_the_first_frame_carries_retry(house: House) -> None:
    job_id, _ = await house.puppet()
    stream = await house.stream(job_id, replay="none")
    assert await stream.line.chunk() == b": stream\nretry: 3000\n"
    first = await stream.line.chunk()
    assert re.fullmatch(rb'data: {"type":"heartbeat","timestamp":"[^"]+","last_seq":2}\n\n', first)


async def test_what_was_stored_before_comes_as_the_first_frames(house: House) -> None:
    job_id, actor = await house.puppet()
    await actor.say("a")
    stream = await house.stream(job_id)
    assert [(await stream.next()).type for _ in range(3)] == ["job_queued", "job_started", "token"]
    assert stream.raw.startswith(b": stream\nretry: 3000\ndata: {")
    assert stream.parser.retry == 3000


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux counts the segments of a connection")
@pytest.mark.parametrize("replay", ["all", "snapshot", "none"])
async def test_the_head_and_all_that_is_there_already_are_one_send(replay: str, house: House) -> None:
    job_id = await house.counted(3)
    line = await house.line()
    answer = await (await line.ask("GET", f"/api/jobs/{job_id}/stream?replay={replay}")).answer()
    assert b'"type":"done"' in answer.body
    assert segments(line) == 1


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux counts the segments of a connection")
async def test_a_started_stream_begins_with_one_send(opened: Opened) -> None:
    async with opened(jobs=Jobs(concurrency=1, cancel_grace=0.5)) as house:
        _, actor = await house.puppet()
        waiting = await house.streamed_post({"agent": "count", "input": {"to": 1}})
        assert (await waiting.next()).type == "job_queued"
        assert segments(waiting.line) == 1
        actor.end()
        assert (await waiting.all())[-1].type == "done"


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux counts the segments of a connection")
async def test_a_job_that_has_little_to_say_is_answered_in_one_send(opened: Opened) -> None:
    async with opened() as house:
        for text in "abc":
            stream = await house.streamed_post({"agent": "strict", "input": {"text": text}})
            assert [event.type for event in await stream.all()] == ["job_queued", "job_started", "done"]
            assert segments(stream.line) == 1


async def test_the_head_and_the_opening_do_not_wait_for_the_store(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    job_id, _ = await house.puppet()
    answers, read = asyncio.Event(), house.server.store.read

    async def read_late(*args: Any, **options: Any) -> Page:
        await answers.wait()
        return await read(*args, **options)

    monkeypatch.setattr(house.server.store, "read", read_late)
    stream = await house.stream(job_id)
    assert await stream.line.chunk() == b": stream\nretry: 3000\n"
    answers.set()
    assert (await stream.next()).type == "job_queued"


def segments(line: Line) -> int:
    """How many segments with data have come on a connection; a small send is one."""
    info = line.writer.get_extra_info("socket").getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 160)
    return int(struct.unpack_from("I", info, TCPI_DATA_SEGS_IN)[0])


async def test_a_frame_is_one_line_of_data_and_its_id_last(house: House) -> None:
    job_id = await house.counted(3)
    stream = await house.stream(job_id)
    await stream.all()
    blocks = stream.raw.removeprefix(b": stream\nretry: 3000\n").split(b"\n\n")
    assert blocks.pop() == b""
    assert len(blocks) == 6
    for seq, block in enumerate(blocks, 1):
        data, last = block.split(b"\n")
        assert msgspec.json.decode(data.removeprefix(b"data: "))["seq"] == seq
        assert re.fullmatch(rb"id: [a-z0-9]+-%d" % seq, last)
    assert b"\r" not in stream.raw


async def test_named_frames_name_every_event_and_every_control_event(opened: Opened) -> None:
    async with opened(stream=StreamSettings(heartbeat_interval=0.05)) as house:
        job_id, actor = await house.puppet()
        stream = await house.stream(job_id, cursor="?", named=1)
        for kind in ("gap", "snapshot", "heartbeat"):
            assert (await stream.until(kind)).name == kind
        actor.job.emit("fox", quick=True)
        fox = await stream.until("fox")
        assert (fox.name, fox.data["quick"]) == ("fox", True)
        assert re.search(rb"\nevent: fox\ndata: {[^\n]+}\nid: [a-z0-9]+-3\n\n$", stream.raw)
        actor.end()
        assert (await stream.all())[-1].name == "done"


async def test_text_can_not_break_a_frame(house: House) -> None:
    texts = [
        "a\nb",
        "a\r\nb",
        "\r",
        "data: x\n\nid: 7\n\n",
        "\0",
        "\u2028\u2029\x85",
        "\ud800",
        "\udc00\ud800x",
        "😀",
        ": c",
    ]
    job_id, actor = await house.puppet()
    await actor.say(*texts)
    actor.end({"text": texts[0]})
    stream = await house.stream(job_id)
    shown = [frame.data["text"] for frame in await stream.all() if frame.type == "token"]
    assert shown == [text.encode("utf-16", "surrogatepass").decode("utf-16", "replace") for text in texts]
    assert stream.frames[-1].data["result"] == {"text": "a\nb"}
    for forbidden in (b"\r", b"\0"):
        assert forbidden not in stream.raw


async def test_done_ends_the_stream_and_leaves_the_connection_for_the_next_request(house: House) -> None:
    job_id = await house.counted(1)
    line = await house.line()
    for _ in range(3):
        answer = await (await line.ask("GET", f"/api/jobs/{job_id}/stream")).answer()
        assert answer.body.count(b'"type":"done"') == 1
    assert (await (await line.ask("GET", "/health")).answer()).json == {"status": "ok"}


@pytest.mark.parametrize("keep_alive", ["", "Connection: keep-alive\r\n"])
async def test_http_1_0_gets_the_plain_bytes_and_the_end_of_the_connection(keep_alive: str, house: House) -> None:
    job_id = await house.counted(2)
    whole = await house.get(f"/api/jobs/{job_id}/stream")
    line = await house.line()
    await line.send(f"GET /api/jobs/{job_id}/stream HTTP/1.0\r\n{keep_alive}\r\n".encode())
    await line.read_head()
    assert line.status == 200
    assert not {"transfer-encoding", "content-length"} & line.headers.keys()
    assert line.headers.get("connection") != "keep-alive"
    assert await line.reader.read() == whole.body


async def test_http_1_0_sees_each_event_as_it_comes(house: House) -> None:
    job_id, actor = await house.puppet()
    line = await house.line()
    await line.send(f"GET /api/jobs/{job_id}/stream?replay=none HTTP/1.0\r\n\r\n".encode())
    await line.read_head()
    assert await line.reader.readuntil(b"\n\n")
    await actor.say("now")
    assert b'"text":"now"' in await line.reader.readuntil(b"\n\n")


async def test_who_asks_for_the_end_of_the_connection_gets_it(house: House) -> None:
    job_id = await house.counted(1)
    line = await house.line()
    answer = await (await line.ask("GET", f"/api/jobs/{job_id}/stream", {"Connection": "close"})).answer()
    assert answer.headers["connection"] == "close"
    assert b'"type":"done"' in answer.body
    assert await line.eof()


@pytest.mark.parametrize("path", ["/api/jobs/{}/stream", "/api/jobs/{}", "/api/jobs", "/health", "/openapi.json"])
async def test_head_is_refused_everywhere_and_writes_no_body(path: str, house: House) -> None:
    job_id = await house.counted(1)
    line = await house.line()
    await (await line.ask("HEAD", path.format(job_id))).read_head()
    assert line.status == 405
    assert "HEAD" not in line.headers["allow"]
    assert "GET" in line.headers["allow"]
    # What follows on the line is the next answer, so there was no body.
    assert (await (await line.ask("GET", "/health")).answer()).json == {"status": "ok"}


async def test_requests_sent_ahead_are_answered_in_order_behind_a_stream(house: House) -> None:
    job_id, actor = await house.puppet()
    line = await house.line()
    await line.ask("GET", f"/api/jobs/{job_id}/stream?replay=none")
    for _ in range(100):
        await line.ask("GET", "/health")
    await line.read_head()
    actor.end()
    while await line.chunk():
        pass
    assert b'"type":"done"' in line.body
    for _ in range(100):
        assert (await line.answer()).json == {"status": "ok"}


async def test_a_stream_asks_for_nothing_that_compresses_it(house: House) -> None:
    job_id = await house.counted(1)
    answer = await house.get(f"/api/jobs/{job_id}/stream", {"Accept-Encoding": "gzip, deflate, br, zstd"})
    assert "content-encoding" not in answer.headers
    assert b'"type":"done"' in answer.body


# ---------------------------------------------------------------- padding


async def test_every_flush_ends_with_a_comment_of_that_length(opened: Opened) -> None:
    async with opened(stream=StreamSettings(heartbeat_interval=0.05, padding_bytes=2048)) as house:
        job_id, actor = await house.puppet()
        stream = await house.stream(job_id)
        flushes = [await stream.line.chunk() for _ in range(4)]  # the opening, what there is, and heartbeats
        await actor.say("x", "y")
        flushes.append(await stream.line.chunk())
        actor.end({"long": "z" * 5000})
        while chunk := await stream.line.chunk():
            flushes.append(chunk)
        padding = b":" + b" " * 2046 + b"\n"
        for flush in flushes:
            assert flush.endswith(padding)
            assert flush.count(padding) == 1
        stream.take(b"".join(flushes))  # and the whole is nothing but good frames
        kinds = [frame.type for frame in stream.frames if frame.type != "heartbeat"]
        assert kinds == ["job_queued", "job_started", "token", "token", "done"]


@pytest.mark.parametrize(("asked", "given"), [("2", 2), ("100", 100), ("5000", 5000), ("99999999999999999999", 16384)])
async def test_a_client_may_ask_for_padding_up_to_the_limit(asked: str, given: int, house: House) -> None:
    job_id, _ = await house.puppet()
    stream = await house.stream(job_id, padding=asked, replay="none")
    assert await stream.line.chunk() == b": stream\nretry: 3000\n:" + b" " * (given - 2) + b"\n"


async def test_a_client_may_ask_for_less_padding_than_the_setting(opened: Opened) -> None:
    async with opened(stream=StreamSettings(padding_bytes=2048)) as house:
        job_id, _ = await house.puppet()
        stream = await house.stream(job_id, padding=0)
        assert await stream.line.chunk() == b": stream\nretry: 3000\n"


# ---------------------------------------------------------------- heartbeats


async def test_heartbeats_name_the_last_seq_that_the_stream_has_passed(opened: Opened) -> None:
    async with opened(stream=StreamSettings(heartbeat_interval=0.05)) as house:
        job_id, actor = await house.puppet()
        stream = await house.stream(job_id, types="insight")
        assert (await stream.next()).data["last_seq"] == 2
        await actor.say("a", "b", "c")
        while (beat := await stream.next()).data["last_seq"] != 5:
            assert beat.data["last_seq"] in {2, 3, 4}
        assert beat.id == ""
        assert list(beat.data) == ["type", "timestamp", "last_seq"]
        actor.end()
        assert (await stream.until("done")).data["seq"] == 6


async def test_a_stream_with_events_needs_no_heartbeat(opened: Opened) -> None:
    async with opened(stream=StreamSettings(heartbeat_interval=0.4)) as house:
        idle_id, _ = await house.puppet()
        busy_id, actor = await house.puppet()
        idle, busy = await house.stream(idle_id), await house.stream(busy_id)

        async def chatter() -> None:
            while True:
                await actor.say("word")
                await asyncio.sleep(0.01)

        talking = asyncio.create_task(chatter())
        await idle.until("heartbeat")
        await idle.until("heartbeat")
        talking.cancel()
        actor.end()
        assert "heartbeat" not in {frame.type for frame in await busy.all()}
