"""The report in words, for a terminal."""

from __future__ import annotations

from collections.abc import Iterator

from loadtest.report import Report, Times
from loadtest.verdict import Check

NAMES = {
    "connect": "connect",
    "first_byte": "first byte",
    "first_token": "first token",
    "delay": "delivery delay",
    "catch_up": "catching up",
    "slow": "slow readers",
}
"""What the times are called; the ones that were not measured are left out."""


def lines(report: Report) -> Iterator[str]:
    """The report, line by line."""
    streams, events, requests = report.streams, report.events, report.requests
    yield f"{report.seconds:.1f} s against {report.plan['url']}, agent {report.agent}"
    yield ""
    yield (
        f"streams     {streams['begun']:,} begun, {streams['whole']:,} whole, {streams['flawed']:,} flawed,"
        f" {streams['broken']:,} broken, {streams['unfinished']:,} unfinished; {streams['most_at_once']:,} at once"
    )
    yield (
        f"events      {events['delivered']:,.0f} delivered, {events['per_second']:,.0f} a second;"
        f" {events['lost']:.0f} lost, {events['repeated']:.0f} repeated, {events['reordered']:.0f} reordered"
        f"{_more(events)}"
    )
    yield (
        f"requests    {requests['sent']:,}: {requests['starts']:,} starts, {requests['attaches']:,} attaches,"
        f" {requests['polls']:,} polls; {requests['retries']:,} retries, {requests['cuts']:,} cut on purpose"
    )
    for title, counts in (("reconnects", report.reconnects), ("errors", report.errors)):
        yield f"{title:<11} {', '.join(f'{count:,} {code}' for code, count in counts.items()) or 'none'}"
    yield ""
    yield f"{'ms':<16}{'p50':>10}{'p90':>10}{'p99':>10}{'p99.9':>10}{'max':>10}"
    for name, title in NAMES.items():
        if report.times[name].count:
            yield f"{title:<16}{_spread(report.times[name])}"
    yield ""
    yield from _sides(report)
    yield ""
    for check in report.checks:
        yield f"{'met   ' if check.met else 'MISSED'} {sentence(check)}"
    for note in report.notes:
        yield f"note: {note}"


def sentence(check: Check) -> str:
    """A target and what was measured."""
    unit = f" {check.unit}" if check.unit else ""
    measured = "not measured" if check.measured is None else f"{check.measured:,.10g}{unit}"
    return f"{check.name} {check.sign} {check.target:,.10g}{unit}: {measured}"


def _spread(times: Times) -> str:
    values = (times.p50, times.p90, times.p99, times.p999, times.max)
    return "".join(f"{'-' if value is None else f'{value:,.2f}':>10}" for value in values)


def _more(events: dict[str, float]) -> str:
    names = {"misnumbered": "with a wrong id", "gaps": "gaps", "attempts": "further attempts"}
    return "".join(f", {events[name]:.0f} {title}" for name, title in names.items() if events[name])


def _sides(report: Report) -> Iterator[str]:
    """The machine's part: the server, the load test, the clocks."""
    if report.server:
        each = report.server.cpu_us_per_event
        yield (
            f"server      {report.server.cpu:.2f} cores{f', {each:.1f} us an event' if each else ''};"
            f" {report.server.memory_before / 1e6:.0f} MB before, {report.server.memory_peak / 1e6:.0f} MB at most"
        )
    me = report.instrument
    each = me.cpu_us_per_event
    yield (
        f"load test   {me.cpu:.2f} cores (at most {me.busiest:.2f}){f', {each:.1f} us an event' if each else ''};"
        f" late by {me.lag_p50 or 0:.1f} ms (p50), {me.lag_p99 or 0:.1f} ms (p99); waited for a core {me.waited:.0%}"
    )
    yield from (f"            {said}" for said in me.says)
    clock = report.clock
    if clock.estimated:
        yield (
            f"clock       the server's differs by {clock.offset:,.1f} ms, estimated: every delay may be wrong by"
            f" {clock.uncertainty:.1f} ms"
        )
