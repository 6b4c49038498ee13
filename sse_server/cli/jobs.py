"""Listing jobs, and stopping one."""

from __future__ import annotations

from collections.abc import AsyncIterator

import msgspec
import typer
from msgspec import Struct
from rich.table import Table

from sse_server.cli.asking import Place, ask
from sse_server.cli.console import console
from sse_server.cli.exits import Exit, note
from sse_server.cli.text import line
from sse_server.client import Client, JobInfo

PAGE = 100


class Which(Struct, frozen=True):
    """Which jobs to list, newest first."""

    status: str | None = None
    agent: str | None = None
    session: str | None = None
    limit: int = 20


def jobs(place: Place, which: Which, *, as_json: bool) -> Exit:
    """Show them: as a table on a terminal, else with tabs between the columns."""

    async def work(client: Client) -> Exit:
        found = [job async for job in _find(client, which)]
        if as_json:
            for job in found:
                typer.echo(msgspec.json.encode(job).decode())
        else:
            _show(found)
        return Exit.SUCCEEDED

    return ask(place, work)


def cancel(place: Place, job_id: str, *, wait: float, as_json: bool) -> Exit:
    """Ask a job to stop, and say how far that is."""

    async def work(client: Client) -> Exit:
        job = await client.cancel(job_id, wait=wait)
        if as_json:
            typer.echo(msgspec.json.encode(job).decode())
        else:
            typer.echo(f"{job.job_id} is {job.status}; cancellation: {job.cancellation} after {job.cancellation_ms} ms")
        return Exit.SUCCEEDED

    return ask(place, work)


async def _find(client: Client, which: Which) -> AsyncIterator[JobInfo]:
    left, cursor = which.limit, None
    while left > 0:
        page = await client.jobs(
            status=which.status,
            agent=which.agent,
            session_id=which.session,
            limit=min(left, PAGE),
            cursor=cursor,
        )
        for job in page.jobs:
            yield job
        left, cursor = left - len(page.jobs), page.next
        if cursor is None:
            return


def _show(found: list[JobInfo]) -> None:
    rows = [(job.job_id, line(job.agent), job.status, str(job.attempt), job.created_at) for job in found]
    terminal = console()
    if not terminal:
        for row in rows:
            typer.echo("\t".join(row))
        return
    if not rows:
        note("no jobs")
        return
    table = Table("job", "agent", "status", "attempt", "created", box=None, header_style="dim")
    for row in rows:
        table.add_row(*row)
    terminal.print(table)
