"""The parts of the load test by themselves: what they count does not depend on where bytes were cut."""

from __future__ import annotations

import asyncio
import math
import random
import time
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st
from loadtest.chart import thin
from loadtest.chunks import Chunks
from loadtest.clock import Clock
from loadtest.frames import Frames
from loadtest.histogram import Histogram
from loadtest.honesty import instrument
from loadtest.lag import Lag
from loadtest.ledger import Ledger
from loadtest.plan import Plan
from loadtest.tally import Counts, Tally, Tick
from loadtest.timeline import Timeline

from sse_server import sse

cuts = st.lists(st.integers(0, 400), max_size=12)


def pieces(data: bytes, at: list[int]) -> list[bytes]:
    """The data, cut at these places."""
    edges = sorted({0, len(data), *(cut % (len(data) + 1) for cut in at)})
    return [data[start:end] for start, end in pairwise(edges)]


@given(st.lists(st.binary(min_size=1, max_size=40), max_size=6), cuts, st.booleans())
def test_chunks_hold_the_same_bytes_wherever_they_were_cut(bodies: list[bytes], at: list[int], trailer: bool) -> None:
    coded = b"".join(b"%x%b\r\n%b\r\n" % (len(body), b";a=b" * (len(body) > 20), body) for body in bodies)
    coded += b"0\r\n" + (b"X-Trailer: 1\r\n" if trailer else b"") + b"\r\n"
    taken: list[bytes] = []
    chunks = Chunks(taken.append)
    for piece in pieces(coded, at):
        assert not chunks.ended
        chunks.feed(piece)
    assert chunks.ended
    assert b"".join(taken) == b"".join(bodies)


def event(seq: int, kind: str = "token") -> bytes:
    body = (
        f'{{"type":"{kind}","job_id":"job_1","session_id":"s:1","seq":{seq},"attempt":1,'
        f'"timestamp":"2026-11-21T09:50:04.{seq:06d}Z","text":"\\"seq\\":99"}}'
    )
    return sse.frame(body.encode(), event_id=b"ab12-%d" % seq, event=kind.encode() if seq % 3 == 0 else b"")


MOMENT = 1795254604
"""The second of the events below."""

STREAM = (
    b": stream\nretry: 2500\n"
    + event(1)
    + sse.padding(20)
    + event(2)
    + b'data: {"type":"heartbeat","timestamp":"2026-11-21T09:50:05.000000Z","last_seq":2}\n\n'
    + event(3)
    + b'data: {"seq":4,"type":"odd","timestamp":"2026-11-21T09:50:04.000004Z"}\nid: ab12-4\n\n'
    + event(5, "done")
)


class Seen:
    """What frames told of."""

    def __init__(self) -> None:
        self.events: list[tuple[bytes, int, float]] = []
        self.control: list[str] = []
        self.frames = Frames(self._saw, lambda about: self.control.append(about.type))

    def _saw(self, *event: *tuple[bytes, int, float, float, bytes]) -> None:
        kind, seq, emitted, *_ = event
        self.events.append((kind, seq, round(emitted, 6)))


@given(cuts)
def test_frames_hold_the_same_events_wherever_they_were_cut(at: list[int]) -> None:
    seen = Seen()
    for piece in pieces(STREAM, at):
        seen.frames.feed(piece)
    kinds = (b"token", b"token", b"token", b"odd", b"done")
    assert seen.events == [(kind, seq, MOMENT + seq / 1e6) for seq, kind in enumerate(kinds, 1)]
    assert seen.control == ["heartbeat"]
    assert (seen.frames.retry, seen.frames.cursor, seen.frames.misnumbered) == (2.5, "ab12-5", 0)


def test_an_event_that_was_torn_is_neither_seen_nor_the_cursor() -> None:
    seen = Seen()
    seen.frames.feed(event(1) + event(2)[:-1])
    assert (len(seen.events), seen.frames.cursor) == (1, "ab12-1")
    seen.frames.reopen()
    seen.frames.feed(event(2) + event(3))
    assert ([seq for _, seq, _ in seen.events], seen.frames.cursor) == ([1, 2, 3], "ab12-3")


def test_a_snapshot_moves_the_cursor_and_is_no_event() -> None:
    seen = Seen()
    seen.frames.feed(b'data: {"type":"snapshot","last_event_id":"ab12-9","job":{}}\nid: ab12-9\n\n')
    assert (seen.events, seen.control, seen.frames.cursor) == ([], ["snapshot"], "ab12-9")


@given(st.integers(1, 60), st.randoms(use_true_random=False), st.data())
def test_the_ledger_tells_lost_from_repeated_and_reordered(
    last: int, chance: random.Random, data: st.DataObject
) -> None:
    lost = data.draw(st.sets(st.integers(1, max(1, last - 1)), max_size=10)) - {last}
    repeated = data.draw(st.lists(st.sampled_from(sorted(set(range(1, last + 1)) - lost)), max_size=10))
    seqs = [seq for seq in range(1, last + 1) if seq not in lost]
    for seq in repeated:
        seqs.insert(chance.randrange(seqs.index(seq) + 1, len(seqs) + 1), seq)
    ledger = account(seqs)
    assert (ledger.lost, ledger.repeated, ledger.reordered) == (len(lost), len(repeated), 0)


def test_an_event_that_comes_late_is_out_of_order_and_not_lost() -> None:
    ledger = account([1, 2, 5, 4, 3, 6, 4])
    assert (ledger.lost, ledger.repeated, ledger.reordered, ledger.flawless) == (0, 1, 2, False)


def account(seqs: list[int]) -> Ledger:
    ledger = Ledger()
    for seq in seqs:
        if seq == ledger.next:
            ledger.next += 1
        else:
            ledger.odd(seq)
    return ledger


@given(st.lists(st.floats(2e-6, 900), min_size=1, max_size=50), st.floats(0.01, 1))
def test_a_quantile_is_right_to_two_per_cent(durations: list[float], share: float) -> None:
    histogram = Histogram.empty()
    for duration in durations:
        histogram.record(duration)
    exact = sorted(durations)[max(1, math.ceil(share * len(durations))) - 1]
    measured = histogram.quantile(share)
    assert measured is not None
    assert measured == pytest.approx(exact, rel=0.0205)
    assert histogram.longest == max(durations)


def test_histograms_that_travel_in_parts_add_up() -> None:
    one, together = Histogram.empty(), Histogram.empty()
    for duration in (0.001, 0.002, 5.0):
        one.record(duration)
        together.add(one.drain())
    assert (together.total, together.longest, one.total, one.longest) == (3, 5.0, 0, 0.0)


@given(st.floats(-100, 100), st.lists(st.tuples(st.floats(0.001, 1), st.floats(0.001, 1)), min_size=1, max_size=20))
def test_the_clocks_difference_lies_within_its_bounds(ahead: float, trips: list[tuple[float, float]]) -> None:
    clock = Clock(same=False)
    now = 1000.0
    for there, back in trips:
        clock.queued(now, now + there + ahead, now + there + back)
        now += 10
    assert clock.bounds is not None
    least, most = clock.bounds
    assert least - 1e-6 <= -ahead <= most + 1e-6
    assert abs(clock.offset + ahead) <= min(there + back for there, back in trips) / 2 + 1e-6


def test_slow_readers_are_spread_evenly() -> None:
    plan = Plan(url="", slow=0.25)
    assert [plan.is_slow(number) for number in range(8)] == [False, False, False, True] * 2


@pytest.mark.parametrize(
    ("cpu", "waited", "lag", "says"),
    [
        (0.3, 0.0, 0.001, []),
        (0.95, 0.0, 0.001, ["a worker used 95% of a core"]),
        (0.3, 0.0, 0.05, ["of the delays (p99"]),
        (0.3, 0.5, 0.05, ["of the delays (p99", "It waited for a core 50% of the time"]),
    ],
)
def test_the_load_test_says_when_it_was_the_bottleneck(cpu: float, waited: float, lag: float, says: list[str]) -> None:
    tally = Tally(Counts(events=100, cpu=cpu, waited=waited, wall=1.0))
    tally.times["delay"].record(0.06)
    tally.times["lag"].record(lag)
    timeline = Timeline(1)
    timeline.add(Tick(0, 0, 1, 1, *tally.drain(), skew=None, over=True))
    found = instrument(Plan(url=""), timeline)
    assert found.bottleneck == bool(says)
    assert len(found.says) == len(says)
    for sentence, part in zip(found.says, says, strict=True):
        assert part in sentence


async def test_a_loop_that_is_held_up_is_late_for_all_that_time() -> None:
    tally = Tally()
    lag = Lag(tally)
    await asyncio.sleep(0.05)
    time.sleep(0.5)  # noqa: ASYNC251  (it is what is measured)
    await asyncio.sleep(0.05)
    lag.stop()
    late = tally.times["lag"].quantile(0.5)
    assert late is not None
    assert late > 0.1
    lag.note(tally.counts)
    assert tally.counts.wall > 0.5


def test_a_long_run_keeps_points_and_no_ticks() -> None:
    timeline, tally = Timeline(2), Tally()
    for second in range(100):
        for worker in range(2):
            tally.counts.events = second
            tally.times["delay"].record(0.001)
            timeline.add(Tick(worker, second, 5, 5, *tally.drain(), skew=None, over=False))
    assert len(timeline._ticks) < 10
    points = timeline.points()
    assert [point.second for point in points] == list(range(100))
    assert [point.events for point in points] == [2 * second for second in range(100)]
    assert {(point.open, point.delay_p50) for point in points} == {(10, 1.0)}


def test_a_chart_of_a_long_run_shows_its_peaks() -> None:
    thinned = thin([(float(second), 50.0 if second == 777 else 1.0) for second in range(86_400)])
    assert len(thinned) <= 400
    assert max(value for _, value in thinned if value) == 50.0
