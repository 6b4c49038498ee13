"""The report: everything that a run found, as one struct that the JSON, the page and the terminal show alike."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from msgspec import Struct

from loadtest.histogram import Histogram, middle
from loadtest.honesty import Instrument, instrument
from loadtest.plan import Plan, shown
from loadtest.run import Run
from loadtest.tally import Tally
from loadtest.timeline import Point, Timeline, milliseconds
from loadtest.verdict import QUANTILES, TIMED, Check, judge, targets_of


class Times(Struct, frozen=True):
    """The spread of one kind of time, in ms."""

    count: int
    p50: float | None
    p90: float | None
    p95: float | None
    p99: float | None
    p999: float | None
    max: float | None

    @classmethod
    def of(cls, times: Histogram) -> Times:
        spread = {name: milliseconds(times.quantile(share)) for name, share in QUANTILES.items()}
        return cls(count=times.total, max=milliseconds(times.longest or None), **spread)


class Server(Struct, frozen=True):
    """The server's process, where it is on this machine: `cpu` in cores, `cpu_us_per_event`, memory in bytes."""

    cpu: float
    cpu_us_per_event: float | None
    memory_before: int
    memory_peak: int


class Clock(Struct, frozen=True):
    """The server's clock against ours: what was added to its times, and how wrong that may be, in ms."""

    estimated: bool
    offset: float = 0.0
    uncertainty: float = 0.0


class Report(Struct, frozen=True):
    """`histogram` is of the delivery delay: pairs of ms and how many events."""

    started_at: str
    seconds: float
    interrupted: bool
    met: bool
    checks: list[Check]
    plan: dict[str, Any]
    agent: str
    own_server: bool
    streams: dict[str, int]
    events: dict[str, float]
    times: dict[str, Times]
    requests: dict[str, int]
    reconnects: dict[str, int]
    errors: dict[str, int]
    endings: dict[str, int]
    server: Server | None
    clock: Clock
    instrument: Instrument
    notes: list[str]
    timeline: list[Point]
    histogram: list[tuple[float, int]]


def report(plan: Plan, run: Run, asked: Mapping[str, float], *, own: bool) -> Report:
    """Sum up."""
    timeline, seconds = run.timeline, run.seconds
    total, counts = timeline.total, timeline.total.counts
    points = timeline.points()
    server = _server(timeline, seconds, counts.events)
    figures = _figures(total, timeline.peak, points, server)
    checks = judge(targets_of(plan, asked), figures, asked)
    errors = total.of("errors")
    return Report(
        started_at=datetime.fromtimestamp(run.began, UTC).isoformat(timespec="seconds"),
        seconds=round(seconds, 3),
        interrupted=run.interrupted,
        met=all(check.met for check in checks),
        checks=checks,
        plan=shown(plan),
        agent=plan.agent,
        own_server=own,
        streams={
            "asked_at_once": plan.asked_at_once,
            "most_at_once": timeline.peak,
            **{name: getattr(counts, name) for name in ("begun", "whole", "flawed", "broken", "unfinished")},
        },
        events={
            "delivered": counts.events,
            "bytes": counts.bytes,
            "per_second": figures["events_per_s"] or 0.0,
            "most_in_a_second": max((point.events for point in points), default=0),
            **{
                name: getattr(counts, name)
                for name in ("lost", "repeated", "reordered", "misnumbered", "gaps", "attempts")
            },
        },
        times={name: Times.of(times) for name, times in total.times.items()},
        requests={
            "sent": counts.requests,
            **{name: getattr(counts, name) for name in ("starts", "attaches", "polls", "retries", "cuts")},
        },
        reconnects=total.of("reconnects"),
        errors=errors,
        endings=total.of("endings"),
        server=server,
        clock=_clock(timeline),
        instrument=instrument(plan, timeline),
        notes=_notes(plan, total, interrupted=run.interrupted),
        timeline=points,
        histogram=[
            (round(middle(bucket) * 1000, 4), count)
            for bucket, count in enumerate(total.times["delay"].counts)
            if count
        ],
    )


def _figures(total: Tally, peak: int, points: list[Point], server: Server | None) -> dict[str, float | None]:
    """Everything that a target can be set for."""
    counts = total.counts
    ended = counts.whole + counts.flawed + counts.broken
    timed = {
        f"{name}_{quantile}": milliseconds(total.times[kind].quantile(share))
        for name, kind in TIMED.items()
        for quantile, share in QUANTILES.items()
    }
    longest = {f"{name}_max": milliseconds(total.times[kind].longest or None) for name, kind in TIMED.items()}
    busy = [point.events for point in points if point.events]
    return (
        timed
        | longest
        | {
            "streams": peak,
            "whole": _percent(counts.whole, ended),
            "errors": _percent(sum(total.of("errors").values()), counts.requests),
            "retries": _percent(counts.retries, counts.requests),
            "lost": counts.lost,
            "repeated": counts.repeated,
            "reordered": counts.reordered,
            "misnumbered": counts.misnumbered,
            "events_per_s": round(sum(busy) / len(busy), 1) if busy else None,
            "server_cpu": server.cpu if server else None,
            "server_memory": round(server.memory_peak / 1e6, 1) if server else None,
        }
    )


def _percent(part: int, whole: int) -> float | None:
    return round(100 * part / whole, 4) if whole else None


def _server(timeline: Timeline, seconds: float, events: int) -> Server | None:
    if timeline.server_used is None:
        return None
    before, after = timeline.server_used
    used = after.cpu - before.cpu
    each = round(used / events * 1e6, 2) if events else None
    return Server(round(used / seconds, 3), each, before.memory, after.peak)


def _clock(timeline: Timeline) -> Clock:
    if timeline.skew is None:
        return Clock(estimated=False)
    least, most = timeline.skew
    return Clock(estimated=True, offset=round((least + most) * 500, 3), uncertainty=round((most - least) * 500, 3))


def _notes(plan: Plan, total: Tally, *, interrupted: bool) -> list[str]:
    """What a reader of the figures should know."""
    counts, notes = total.counts, []
    if interrupted:
        notes.append("The run was ended early by Ctrl-C.")
    if plan.asked_at_once < 100:
        notes.append(f"Only {plan.asked_at_once} streams were asked for: this says nothing about 100 at once.")
    lasted = total.times["lasted"].quantile(0.5)
    if lasted is not None and lasted < 240:
        notes.append(
            f"Half of the streams lasted {lasted:.1f} s or less: for the five minutes of the chat document's target"
            " take --events 3000 --rate 10."
        )
    if counts.unfinished:
        notes.append(
            f"{counts.unfinished} streams had not ended when the run did; they count as neither whole nor broken."
        )
    if counts.gaps:
        notes.append(f"The server answered {counts.gaps} cursors with a gap; what was in them counts as lost.")
    if plan.cut_rate or plan.token_ttl:
        notes.append("Lines that were cut on purpose and tokens that expired are no errors and no retries.")
    return notes
