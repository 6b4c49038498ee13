"""Minting a token for a developer, with the secret that the server has."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from pathlib import Path

import typer

from sse_server import config
from sse_server.auth import development_token
from sse_server.cli.exits import Exit, stop
from sse_server.errors import ServerError


def token(user: str, path: Path | None, flags: Mapping[str, object], *, ttl: float, scopes: Sequence[str]) -> Exit:
    """Print a token that a server with these settings takes."""
    try:
        settings = config.load(path, flags=flags)
        typer.echo(development_token(settings.auth, user, now=time.time(), ttl=ttl, scopes=scopes))
    except ServerError as error:
        stop(Exit.USAGE, error.detail)
    return Exit.SUCCEEDED
