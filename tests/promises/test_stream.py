"""What a stream looks like on the wire, to the byte: its head, its frames, its beginning, its end."""

from __future__ import annotations

import asyncio
import re
from pathlib import Path

import msgspec
import pytest

from sse_server import config as c
from tests.promises.conftest import Wire, running

FRAME = re.compile(rb"(?::[^\n]*\n|retry: \d+\n)*(?:event: [a-z_]+\n)?data: \{[^\n\r]*\}\n(?:id: [a-z0-9]+-\d+\n)?\n")
"""Comments and `retry` belong to a block with data; the id is its last line."""


async def raw(wire: Wire, head: str) -> tuple[bytes, bytes]:
    """What a request is answered with, byte for byte, until the server closes or ends the answer."""
    reader, writer = await asyncio.open_connection("127.0.0.1", wire.server.port)
    writer.write(head.encode() + b"\r\n\r\n")
    answer = await reader.read(-1)
    writer.close()
    before, _, body = answer.partition(b"\r\n\r\n")
    return before, body


async def ended(wire: Wire, count: int = 5) -> str:
    job = await wire.start("burst", count)
    await wire.all(job)
    return job


async def test_the_head_is_what_the_protocol_says_and_no_more(wire: Wire) -> None:
    job = await ended(wire)
    head, body = await raw(wire, f"GET /api/jobs/{job}/stream HTTP/1.1\r\nHost: x\r\nConnection: close")
    fields = dict(line.split(": ", 1) for line in head.decode().split("\r\n")[1:])
    assert fields["Content-Type"] == "text/event-stream"
    assert fields["Cache-Control"] == "no-cache, no-store, must-revalidate, no-transform"
    assert fields["X-Accel-Buffering"] == "no"
    assert fields["Proxy-Buffering"] == "off"
    assert fields["Transfer-Encoding"] == "chunked"
    assert fields["Vary"] == "Origin"
    assert not {"Content-Length", "Content-Encoding"} & fields.keys()
    assert body.endswith(b"0\r\n\r\n")


@pytest.mark.parametrize("query", ["", "?named=1", "?padding=2048", "?named=1&padding=300&types=token"])
async def test_every_frame_keeps_the_rules(wire: Wire, query: str) -> None:
    job = await ended(wire, 30)
    _, body = await raw(wire, f"GET /api/jobs/{job}/stream{query} HTTP/1.0")
    assert body.startswith(b": stream\nretry: ")
    rest, frames = body, 0
    while match := FRAME.match(rest):
        rest, frames = rest[match.end() :], frames + 1
    assert re.fullmatch(rb"(:[^\n]*\n)*", rest), rest[:200]
    assert frames == (31 if "types" in query else 33)
    assert b"\r" not in body


async def test_http_1_0_gets_a_body_that_ends_with_the_connection_and_head_is_refused(wire: Wire) -> None:
    job = await ended(wire)
    head, body = await raw(wire, f"GET /api/jobs/{job}/stream HTTP/1.0\r\nConnection: keep-alive")
    assert b"chunked" not in head
    assert body.endswith(b"\n\n")
    head, body = await raw(wire, f"HEAD /api/jobs/{job}/stream HTTP/1.1\r\nHost: x\r\nConnection: close")
    assert head.startswith(b"HTTP/1.1 405")
    assert not body


async def test_replay_says_where_a_reader_without_a_cursor_begins(wire: Wire) -> None:
    job = await ended(wire)
    kinds = [
        [one["type"] for one in (await wire.read(job, query=f"?replay={mode}")).data] for mode in ("none", "snapshot")
    ]
    assert kinds == [["done"], ["snapshot", "done"]]
    snapshot = (await wire.read(job, query="?replay=snapshot")).events[0]
    assert snapshot.id.endswith("-7")
    with_cursor = await wire.read(job, snapshot.id, query="?replay=none")
    assert [one["type"] for one in with_cursor.data] == ["done"]


@pytest.mark.parametrize(
    ("cursor", "reason"),
    [
        ("zzz", "unreadable"),
        ("abc-3", "epoch"),
        ("{epoch}-x", "unreadable"),
        ("\u0661-\u0662", "unreadable"),
        ("-1", "unreadable"),
    ],
)
async def test_a_cursor_that_is_no_place_in_the_log_gives_gap_snapshot_done(
    wire: Wire, cursor: str, reason: str
) -> None:
    job = await ended(wire)
    page = await wire.poll(job, cursor, 10)
    assert page["gap"]["reason"] == reason
    reading = await wire.read(job, query=f"?after={cursor}")
    assert [one["type"] for one in reading.data] == ["gap", "snapshot", "done"]
    assert reading.data[0]["reason"] == reason
    assert reading.data[0]["after"] == cursor


async def test_beyond_the_head_of_a_running_job_is_ahead_and_beyond_its_done_is_204(wire: Wire) -> None:
    job = await wire.start("puppet", {})
    opening = await wire.read(job, most=2)
    epoch = opening.cursor.partition("-")[0]
    ahead = await wire.read(job, f"{epoch}-99", most=2)
    assert [one["type"] for one in ahead.data] == ["gap", "snapshot"]
    assert ahead.data[0]["reason"] == "ahead"
    await wire.order(job, 0)
    await wire.all(job)
    assert (await wire.read(job, f"{epoch}-99")).status == 204
    assert (await wire.read(job, f"{epoch}-3")).status == 204


async def test_what_was_trimmed_is_a_gap_and_the_snapshot_has_what_it_added_up_to(tmp_path: Path) -> None:
    store = c.Store(path=str(tmp_path / "log.db"), max_job_events=20)
    async with running(tmp_path, store=store) as wire:
        job = await ended(wire, 100)
        reading = await wire.read(job, "0")
        assert [one["type"] for one in reading.data] == ["gap", "snapshot", "done"]
        assert reading.data[0]["reason"] == "trimmed"
        assert len(reading.data[1]["job"]["text"].split(" é")) == 101
        kept = await wire.read(job)
        assert kept.data[0]["seq"] > 1
        assert kept.data[-1]["type"] == "done"


async def test_a_header_wins_over_a_bad_after_and_types_never_hide_done(wire: Wire) -> None:
    job = await ended(wire)
    first = await wire.read(job, most=1)
    reading = await wire.read(job, first.cursor, query="?after=rubbish&types=insight")
    assert [one["type"] for one in reading.data] == ["done"]


async def test_a_stream_with_nothing_to_say_opens_with_a_heartbeat_and_beats_on(tmp_path: Path) -> None:
    async with running(tmp_path, "memory", stream=c.Stream(heartbeat_interval=0.1)) as wire:
        job = await wire.start("puppet", {})
        cursor = (await wire.read(job, most=2)).cursor
        beats = (await wire.read(job, cursor, most=3)).data
        assert [(beat["type"], beat["last_seq"]) for beat in beats] == [("heartbeat", 2)] * 3


async def test_a_job_in_a_shared_session_is_a_filter_on_its_log(wire: Wire) -> None:
    one = await wire.start("puppet", {}, session_id="shared")
    other = await wire.start("puppet", {}, session_id="shared")
    for count in (2, 3, 0):
        for job in (one, other):
            await wire.order(job, count)
    seqs = [[event["seq"] for event in (await wire.read(job)).logged] for job in (one, other)]
    assert all(seq == sorted(set(seq)) for seq in seqs)
    assert sorted(seqs[0] + seqs[1]) == list(range(1, 17))


async def test_a_post_that_streams_names_the_stream_to_go_on_with(wire: Wire) -> None:
    headers = {"Accept": "text/event-stream", "Idempotency-Key": "once"}
    body = msgspec.json.encode({"agent": "burst", "input": 4})
    async with wire.http.post(f"{wire.url}/api/jobs", data=body, headers=headers) as answer:
        assert answer.status == 200
        place = answer.headers["Location"]
        assert answer.headers["Content-Location"] == place
        first = await answer.read()
    async with wire.http.get(wire.url + place) as again:
        assert await again.read() == first
    async with wire.http.post(f"{wire.url}/api/jobs", data=body, headers=headers) as replayed:
        assert replayed.headers["Idempotent-Replayed"] == "true"
        assert await replayed.read() == first
    async with wire.http.post(f"{wire.url}/api/jobs", data=body + b" ", headers=headers) as other:
        assert (other.status, (await other.json())["code"]) == (422, "idempotency_mismatch")
