"""A process that dies, and a write that was torn: what was acknowledged is there, the rest is a dense prefix."""

from __future__ import annotations

import os
import random
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

import sse_server
from sse_server.errors import StoreBusy
from sse_server.eventlog import LogKey
from sse_server.jobs import fold

if TYPE_CHECKING:
    from tests.eventlog.conftest import Bench, Opened

KEY = LogKey("ann", "s")
KILLS = 24
HEADER, FRAME = 32, 24
"""Bytes of a write-ahead log's own header, and of each frame's."""


@contextmanager
def appender(file: Path) -> Iterator[subprocess.Popen[bytes]]:
    """A real process that appends to the file until it is killed."""
    package = str(Path(sse_server.__file__).parents[1])
    process = subprocess.Popen(
        [sys.executable, str(Path(__file__).with_name("appender.py")), str(file)],
        stdout=subprocess.PIPE,
        env=os.environ | {"PYTHONPATH": package},
    )
    with process:
        try:
            yield process
        finally:
            process.kill()


def killed_after(file: Path, acknowledgements: int) -> int:
    """Let it append, kill it once it has acknowledged so many writes; the highest seq that it acknowledged."""
    with appender(file) as process:
        assert process.stdout
        assert process.stdout.readline() == b"ready\n"
        said = [process.stdout.readline() for _ in range(acknowledgements)]
        process.kill()
        said += process.stdout.read().splitlines(keepends=True)  # what it said before it died
    return max((int(line) for line in said if line.endswith(b"\n")), default=0)


def committed_end(wal: bytes) -> int:
    """Where the last commit of a write-ahead log ends (SQLite's file format, section 4)."""
    size, end, at = int.from_bytes(wal[8:12]), HEADER, HEADER
    while len(wal) >= at + FRAME + size and wal[at + 8 : at + 16] == wal[16:24]:
        at += FRAME + size
        if wal[at - FRAME - size + 4 : at - size - 16] != b"\0\0\0\0":
            end = at
    return end


def tear(file: Path, choose: random.Random) -> None:
    """Make the last write a torn one: what stands behind the last commit is cut, lost or garbage."""
    wal = file.with_name(file.name + "-wal")
    written = wal.read_bytes()
    if len(written) < HEADER:
        return
    end = committed_end(written)
    page = int.from_bytes(written[8:12])
    frame = written[end - FRAME - page : end] if end > HEADER else os.urandom(FRAME + page)
    tail = choose.choice(
        [
            b"",
            written[end : end + choose.randrange(1, 10_000)],
            os.urandom(choose.choice([1, FRAME, FRAME + page - 1, FRAME + page, 3 * page])),
            frame[: choose.randrange(1, len(frame))],
            frame[:FRAME] + os.urandom(page),
            frame[: FRAME + page // 2] + bytes(page // 2),
        ]
    )
    wal.write_bytes(written[:end] + tail)


@pytest.mark.parametrize("torn", [False, True], ids=["killed", "killed and torn"])
async def test_nothing_acknowledged_is_lost_by_a_kill(
    torn: bool, tmp_path: Path, opened: Opened, bench_of: type[Bench]
) -> None:
    """Many times over, on one file that lives on: each next process goes on where the dead one was."""
    file = tmp_path / "store.db"
    choose = random.Random()
    epochs = set()
    last = 0
    for n in range(KILLS // 2):
        acknowledged = killed_after(file, choose.choice([0, 1, 3, 10, 30, 100, 300]))
        if torn:
            tear(file, choose)
        async with opened("sqlite", path=file) as store:
            events = await bench_of(store).events(KEY)
            head = await store.head(KEY)
            assert head
            epochs.add(head.epoch)
            assert [event.seq for event in events] == list(range(1, len(events) + 1)), "dense"
            assert len(events) == head.last >= max(acknowledged, last), f"kill {n}"
            assert_in_order([event.body for event in events if event.type == "token"])
            record = await store.load(events[0].job_id, work=True)
            assert record
            assert record.state == fold(events)
            last = head.last
    assert len(epochs) == 1


def assert_in_order(bodies: list[bytes]) -> None:
    """Each event says which one it is: its process counted them from the seq where it took over."""
    for seq, body in enumerate(bodies, 3):
        assert body.startswith(b'{"text":"%d ' % (seq - 1)), f"event {seq} is another one: {body[:40]!r}"


async def test_a_torn_commit_is_there_whole_or_not_at_all(
    tmp_path: Path, opened: Opened, bench_of: type[Bench]
) -> None:
    """The last transaction's bytes, cut anywhere: never half of it, and never a loss of what stood before."""
    before, after, cut = (tmp_path / name for name in ("before.db", "after.db", "cut.db"))
    async with opened("sqlite", path=tmp_path / "store.db") as store:
        bench = bench_of(store)
        claim = await bench.running(session="s")
        await bench.tokens(claim, "stands")
        copy(tmp_path / "store.db", before)
        await bench.tokens(claim, *["x" * 3000] * 3)
        copy(tmp_path / "store.db", after)
    start, whole = (wal.read_bytes() for wal in (tmp_path / "before.db-wal", tmp_path / "after.db-wal"))
    assert whole.startswith(start)
    frame = FRAME + int.from_bytes(whole[8:12])
    places = {len(start), len(whole), *range(len(start), len(whole), 997)}
    places |= {n + shift for n in range(len(start), len(whole), frame) for shift in (1, FRAME, FRAME + 1, frame - 1)}
    for place in sorted(place for place in places if place <= len(whole)):
        for tail in (b"", os.urandom(3 * frame)):
            copy(before, cut)
            cut.with_name("cut.db-wal").write_bytes(whole[:place] + tail)
            async with opened("sqlite", path=cut) as store:
                events = await bench_of(store).events(KEY)
                assert [event.seq for event in events] == list(range(1, 7 if place == len(whole) else 4))
                assert await bench_of(store).tokens(claim, "goes on")


def copy(file: Path, to: Path) -> None:
    """A file and its write-ahead log, as they stand on the disk."""
    for suffix in ("", "-wal"):
        shutil.copy(f"{file}{suffix}", f"{to}{suffix}")


async def test_a_second_process_is_refused_and_told_who_the_first_one_is(
    tmp_path: Path, opened: Opened, bench_of: type[Bench]
) -> None:
    file = tmp_path / "store.db"
    with appender(file) as process:
        assert process.stdout
        assert process.stdout.readline() == b"ready\n"
        with pytest.raises(StoreBusy) as refused:
            async with opened("sqlite", path=file):
                pass
        assert f"process {process.pid})" in refused.value.detail
        assert "store.db" in refused.value.detail
        assert str(tmp_path) not in refused.value.detail
        assert process.poll() is None
        assert process.stdout.readline()
    async with opened("sqlite", path=file) as store:
        assert await bench_of(store).events(KEY)
