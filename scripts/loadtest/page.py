"""The report as one page: it needs nothing but itself, works from a file, and reads well on a phone."""

from __future__ import annotations

import base64
from collections.abc import Iterable, Sequence
from hashlib import sha256
from html import escape
from pathlib import Path
from typing import Final

from loadtest.chart import Line, bars, over_time, thin
from loadtest.report import Report, Times
from loadtest.text import NAMES, sentence

STYLE: Final = Path(__file__).with_name("page.css").read_text(encoding="utf-8")
ALLOWED: Final = f"'sha256-{base64.b64encode(sha256(STYLE.encode()).digest()).decode()}'"
"""The page's own style is all that a browser may use (Content Security Policy)."""


def page(report: Report) -> str:
    """The page's HTML."""
    verdict = "All targets met" if report.met else "A target was missed"
    return f"""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src {ALLOWED}; base-uri 'none'">
<title>Load test: {verdict.lower()}</title>
<style>{STYLE}</style>
</head>
<body>
<header>
<h1 class="{"met" if report.met else "missed"}">{verdict}</h1>
<p>{escape(report.plan["url"])}, agent {escape(report.agent)}, {report.started_at}, {report.seconds:,.1f} s</p>
</header>
<main>
<ul class="tiles">{"".join(_tiles(report))}</ul>
{_table("Targets", ("", "target", "measured"), _checks(report))}
<div class="charts">{"".join(_charts(report))}</div>
{_table("Times in ms", ("", "p50", "p90", "p99", "p99.9", "max"), _times(report.times))}
{_table("Counts", ("", ""), _counts(report))}
{_list("The load test itself", _itself(report))}
{_list("Notes", report.notes)}
</main>
</body>
</html>
"""


def _tiles(report: Report) -> Iterable[str]:
    delay = report.times["delay"]
    figures = (
        ("streams at once", f"{report.streams['most_at_once']:,}"),
        ("events a second", f"{report.events['per_second']:,.0f}"),
        ("delay, p50", _ms(delay.p50)),
        ("delay, p99", _ms(delay.p99)),
        ("events lost", f"{report.events['lost']:,.0f}"),
        ("first token, p95", _ms(report.times["first_token"].p95)),
    )
    return (f"<li><b>{value}</b> {name}</li>" for name, value in figures)


def _charts(report: Report) -> Iterable[str]:
    points = report.timeline
    seconds = [point.second + 1.0 for point in points]

    def line(name: str, colour: str, values: Iterable[float | None]) -> Line:
        return Line(name, colour, thin(list(zip(seconds, values, strict=True))))

    yield over_time(
        "Delivery delay over time",
        "ms",
        [
            line("p50", "a", (point.delay_p50 for point in points)),
            line("p99", "b", (point.delay_p99 for point in points)),
            line("max", "c", (point.delay_max for point in points)),
        ],
        logarithmic=True,
    )
    yield bars("Delivery delay", "events by ms", report.histogram)
    yield over_time("Streams open", "", [line("open", "a", (point.open for point in points))])
    yield over_time("Events a second", "", [line("events", "a", (point.events for point in points))])
    if report.server:
        yield over_time("Server CPU", "cores", [line("cores", "a", (point.server_cpu for point in points))])
        memory = (point.server_memory and point.server_memory / 1e6 for point in points)
        yield over_time("Server memory", "MB", [line("MB", "a", memory)])
    if any(point.errors or point.cuts for point in points):
        yield over_time(
            "What went wrong",
            "a second",
            [
                line("errors", "b", (point.errors for point in points)),
                line("cut on purpose", "c", (point.cuts for point in points)),
            ],
        )


def _checks(report: Report) -> Iterable[Sequence[str]]:
    for check in report.checks:
        wanted, _, measured = sentence(check).partition(": ")
        yield "met" if check.met else "missed", wanted, measured


def _times(times: dict[str, Times]) -> Iterable[Sequence[str]]:
    for name, title in NAMES.items():
        spread = times[name]
        if spread.count:
            values = (spread.p50, spread.p90, spread.p99, spread.p999, spread.max)
            yield title, *("-" if value is None else f"{value:,.2f}" for value in values)


def _counts(report: Report) -> Iterable[Sequence[str]]:
    kinds = (
        ("streams", report.streams),
        ("events", report.events),
        ("requests", report.requests),
        ("reconnects", report.reconnects),
        ("errors", report.errors),
        ("jobs", report.endings),
    )
    for kind, counts in kinds:
        yield from ((f"{kind}: {name.replace('_', ' ')}", f"{count:,.10g}") for name, count in counts.items())
    if report.server:
        yield "server: cores", f"{report.server.cpu:.2f}"
        yield "server: memory at most, MB", f"{report.server.memory_peak / 1e6:,.0f}"


def _itself(report: Report) -> Iterable[str]:
    me, clock = report.instrument, report.clock
    yield f"It used {me.cpu:.2f} cores in each of {me.processes} processes, at most {me.busiest:.2f}."
    yield f"It was late by {me.lag_p50 or 0:.1f} ms (p50), {me.lag_p99 or 0:.1f} ms (p99)."
    yield from me.says
    if clock.estimated:
        yield (
            f"The server's clock differs by {clock.offset:,.1f} ms, estimated: every delay may be wrong by"
            f" {clock.uncertainty:.1f} ms."
        )


def _table(title: str, heads: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    head = "".join(f"<th>{escape(each)}</th>" for each in heads)
    body = "".join(f"<tr{_state(row[0])}>{''.join(f'<td>{escape(cell)}</td>' for cell in row)}</tr>" for row in rows)
    return f'<section><h2>{escape(title)}</h2><div class="scroll"><table><tr>{head}</tr>{body}</table></div></section>'


def _state(first: str) -> str:
    return f' class="{first}"' if first in {"met", "missed"} else ""


def _list(title: str, sentences: Iterable[str]) -> str:
    items = "".join(f"<li>{escape(each)}</li>" for each in sentences)
    return f"<section><h2>{escape(title)}</h2><ul>{items}</ul></section>" if items else ""


def _ms(value: float | None) -> str:
    return "-" if value is None else f"{value:,.1f} ms" if value < 1000 else f"{value / 1000:,.1f} s"
