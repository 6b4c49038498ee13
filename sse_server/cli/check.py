"""Checking, before anybody depends on it, whether the server would start."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from pathlib import Path

import typer
from rich.table import Table

from sse_server import app, config
from sse_server.agents import Registry
from sse_server.cli.console import console
from sse_server.cli.exits import Exit, note, stop
from sse_server.cli.serve import prepare
from sse_server.errors import ServerError


def check(modules: Sequence[str], path: Path | None, flags: Mapping[str, object]) -> Exit:
    """Show each setting and where it was written, then open the store as the server would."""
    settings, registry = prepare(modules, path, flags)
    _show(settings)
    for sentence in settings.notes:
        note(f"note: {sentence}")
    typer.echo(f"agents: {', '.join(name for name, _ in registry)}")
    try:
        asyncio.run(_open_store(settings, registry))
    except ServerError as error:
        stop(Exit.FAILED, error.detail)
    typer.echo(f"store: {settings.store.kind}, opened and writable")
    return Exit.SUCCEEDED


def _show(settings: config.Settings) -> None:
    terminal = console()
    table = Table("setting", "value", "written in", box=None, header_style="dim")
    for name, value, origin in config.listing(settings):
        if terminal:
            table.add_row(name, str(value), origin, style="dim" if origin == "default" else "")
        else:
            typer.echo(f"{name}\t{value}\t{origin}")
    if terminal:
        terminal.print(table)
    typer.echo(settings.describe())


async def _open_store(settings: config.Settings, registry: Registry) -> None:
    server = app.Server(settings, registry)
    await server.store.open(server)
    try:
        await server.store.ping()
    finally:
        await server.store.close()
