"""Checking, before anybody depends on it, whether the server would start."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping, Sequence
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
    for sentence in _open_doors(settings):
        typer.echo(sentence)
    typer.echo(f"agents: {', '.join(name for name, _ in registry)}")
    try:
        config.refuse_exposure(settings)
        asyncio.run(_open_store(settings, registry))
    except ServerError as error:
        stop(Exit.FAILED, error.detail)
    typer.echo(f"store: {settings.store.kind}, opened and writable")
    return Exit.SUCCEEDED


def _open_doors(settings: config.Settings) -> Iterator[str]:
    """Who can reach the server, and what they need to use it."""
    host, auth = settings.server.host, settings.auth
    yield f"reached by: {f'whoever reaches {host}' if settings.is_exposed else 'this machine alone'}"
    if auth.checks_tokens:
        by = f"the keys at {auth.jwks_url}" if auth.jwks_url else "auth.jwt_secret (HS256)"
        meant = f"audience {auth.audience or 'any'}, issuer {auth.issuer or 'any'}"
        yield f"callers: need a token, checked by {by}; {meant}"
    else:
        yield "callers: anonymous, with every right: tokens are not looked at"
    yield f"pages of other origins: {', '.join(settings.cors.origins) or 'none'}"
    yield "open to all: /health, /ready, /openapi.json"


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
