"""Starting the server, and saying why it can't start."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NoReturn

import typer

from sse_server import __version__, app, config
from sse_server.agents import Registry
from sse_server.cli.exits import Exit, note, stop
from sse_server.errors import ServerError

WILDCARDS = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104  (to be shown, not to be bound)


def serve(modules: Sequence[str], path: Path | None, flags: Mapping[str, object]) -> NoReturn:
    """Run the server until it is told to stop, which ends the process."""
    settings, registry = prepare(modules, path, flags)

    def started(server: app.Server) -> None:
        _announce(settings, registry, server.port)

    try:
        app.run(settings, registry, started)
    except ServerError as error:
        stop(Exit.FAILED, error.detail)
    except OSError as error:
        server = settings.server
        stop(Exit.FAILED, f"can't listen on {server.host} port {server.port}: {error.strerror or error}")


def prepare(modules: Sequence[str], path: Path | None, flags: Mapping[str, object]) -> tuple[config.Settings, Registry]:
    """The settings and the agents; what is wrong with them ends the command with one sentence."""
    sys.path.insert(0, "")  # agents are modules of the directory that one works in
    try:
        settings = config.load(path, flags=flags)
        return settings, app.registry_of(settings, modules)
    except ServerError as error:
        stop(Exit.USAGE, error.detail)


def _announce(settings: config.Settings, registry: Registry, port: int) -> None:
    host = WILDCARDS.get(settings.server.host, settings.server.host)
    store = settings.store
    typer.echo(f"sse-server {__version__} serves http://{f'[{host}]' if ':' in host else host}:{port}")
    typer.echo(f"agents: {', '.join(name for name, _ in registry)}")
    typer.echo(f"store: {store.kind}{f' {store.path}' if store.kind == 'sqlite' else ''}")
    typer.echo(settings.describe())
    for sentence in settings.notes:
        note(f"note: {sentence}")
