"""Showing by the hour how the calls of the model went."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import msgspec
import typer
from msgspec import Struct
from rich.table import Table

from sse_server import app, config
from sse_server.cli.console import console
from sse_server.cli.exits import Exit, stop
from sse_server.errors import ServerError


def telemetry(path: Path | None, flags: Mapping[str, object], *, hours: float, as_json: bool) -> Exit:
    """Two reports, the newest hour first: retries, and failures by their code."""
    try:
        settings = config.load(path, flags=flags)
    except ServerError as error:
        stop(Exit.USAGE, error.detail)
    try:
        report = app.telemetry_report(settings, hours)
    except ServerError as error:
        stop(Exit.FAILED, error.detail)
    if as_json:
        typer.echo(msgspec.json.encode(report).decode())
    else:
        _show("retries", report.retries, "no call")
        _show("errors", report.errors, "no failure")
    return Exit.SUCCEEDED


def _show(title: str, rows: Sequence[Struct], nothing: str) -> None:
    """As a table on a terminal, else with tabs between the columns."""
    terminal = console()
    if not rows:
        typer.echo(f"{title}: {nothing} in this time")
        return
    names = rows[0].__struct_fields__
    table = Table(title=title, title_justify="left", box=None, header_style="dim")
    for name in names:
        table.add_column(name, justify="left" if name == "hour" else "right")
    lines = [[_said(getattr(row, name)) for name in names] for row in rows]
    if terminal:
        for line in lines:
            table.add_row(*line)
        terminal.print(table)
    else:
        typer.echo("\n".join("\t".join(line) for line in [[title], [*names], *lines]))


def _said(value: object) -> str:
    return f"{value:.2f}" if isinstance(value, float) else str(value)
