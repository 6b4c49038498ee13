"""Options that several commands have."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Final

import typer

DEFAULT_URL: Final = "http://127.0.0.1:8000"

Url = Annotated[str, typer.Option("--url", envvar="SSE_SERVER_URL", help="Address of the server.")]
Token = Annotated[
    str | None, typer.Option("--token", envvar="SSE_SERVER_TOKEN", help="Token that says who asks.", show_default=False)
]
AsJson = Annotated[bool, typer.Option("--json", help="Write JSON lines to stdout, and nothing else.")]
SessionName = Annotated[str | None, typer.Option("--session", help="Name of the session.", show_default=False)]
JobId = Annotated[str, typer.Argument(help="The job's id.", show_default=False)]

Modules = Annotated[
    list[str] | None,
    typer.Argument(metavar="[MODULE]...", help="Modules (my.agents) or files (agents.py) with agents."),
]
ConfigFile = Annotated[
    Path | None, typer.Option("--config", help="Settings file.  [default: config.toml, if there is one]")
]
Host = Annotated[str | None, typer.Option(help="server.host: address to listen on.")]
Port = Annotated[str | None, typer.Option(help="server.port: 0 takes any free one.")]
StoreKind = Annotated[str | None, typer.Option("--store", help="store.kind: sqlite or memory.")]
StorePath = Annotated[str | None, typer.Option("--store-path", help="store.path: file of the sqlite store.")]
Set = Annotated[
    list[str] | None, typer.Option("--set", metavar="SECTION.KEY=VALUE", help="Any other setting; may be repeated.")
]


def flags(
    host: str | None, port: str | None, store: str | None, path: str | None, others: Sequence[str] | None
) -> dict[str, object]:
    """What the command line says, by `section.key`; the settings check it."""
    said: dict[str, object] = {"server.host": host, "server.port": port, "store.kind": store, "store.path": path}
    for other in others or ():
        name, equals, value = other.partition("=")
        if not equals:
            raise typer.BadParameter(f"--set takes section.key=value, not {other!r}")
        said[name.strip()] = value
    return said
