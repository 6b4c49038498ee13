"""The commands and their options. What a command does is imported when it runs, so that `--help` is quick."""

# ruff: noqa: PLC0415
from __future__ import annotations

import gc
import io
import sys
from typing import Annotated

import typer

from sse_server import __version__
from sse_server.cli.options import (
    DEFAULT_URL,
    AsJson,
    ConfigFile,
    Host,
    JobId,
    Modules,
    Port,
    SessionName,
    Set,
    StoreKind,
    StorePath,
    Token,
    Url,
    flags,
)

program = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def main() -> None:
    """The console script."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")  # a terminal that can't show a character shows a mark
    program(prog_name="sse-server")


def _version(asked: bool) -> None:  # noqa: FBT001  (typer calls it so)
    if asked:
        typer.echo(f"sse-server {__version__}")
        raise typer.Exit


@program.callback()
def about(
    *,
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Say which version this is, and exit.")
    ] = False,
) -> None:
    """Turn Python agents into jobs that are watched live, left, resumed and polled."""


@program.command()
def serve(
    modules: Modules = None,
    *,
    config: ConfigFile = None,
    host: Host = None,
    port: Port = None,
    store: StoreKind = None,
    store_path: StorePath = None,
    settings: Set = None,
) -> None:
    """Serve agents: the built-in ones and those of MODULE."""
    gc.disable()  # a start makes what stays: `app.serve` lets the collector begin behind it
    from sse_server.cli.serve import serve

    serve(modules or [], config, flags(host, port, store, store_path, settings))


@program.command(context_settings={"allow_extra_args": True, "ignore_unknown_options": True})
def run(
    context: typer.Context,
    agent: Annotated[str, typer.Argument(help="The agent's name.", show_default=False)],
    *,
    input: Annotated[
        str | None, typer.Option("--input", help="Input: JSON, @FILE, or - for stdin.", show_default=False)
    ] = None,
    session: SessionName = None,
    url: Url = DEFAULT_URL,
    token: Token = None,
    as_json: AsJson = False,
    detach: Annotated[bool, typer.Option("--detach", help="Say the job's id and leave it to itself.")] = False,
    cancel_on_interrupt: Annotated[
        bool, typer.Option("--cancel-on-interrupt", help="Ctrl-C cancels the job; otherwise it runs on.")
    ] = False,
) -> None:
    """Start a job and watch it: sse-server run AGENT --field VALUE.

    Each --NAME VALUE that is not listed here is a field of the input; where that is a text, VALUE may name a file.

    Exits 0 if the job succeeded, 1 if it failed, 3 if it was cancelled, 2 for a mistake in the call, 4 if no server
    is there, 130 after Ctrl-C.
    """
    from sse_server.cli.asking import Place
    from sse_server.cli.inputs import Given
    from sse_server.cli.run import Order, run

    order = Order(agent, Given(input, tuple(context.args)), session, as_json, detach, cancel_on_interrupt)
    raise typer.Exit(run(Place(url, token), order))


@program.command()
def watch(
    job: JobId,
    *,
    after: Annotated[
        str | None, typer.Option("--after", help="Show what follows this event id.", show_default=False)
    ] = None,
    url: Url = DEFAULT_URL,
    token: Token = None,
    as_json: AsJson = False,
) -> None:
    """Watch a job from its first event to its end.

    The exit codes are those of run.
    """
    from sse_server.cli.asking import Place
    from sse_server.cli.watch import watch

    raise typer.Exit(watch(Place(url, token), job, after=after, as_json=as_json))


@program.command()
def jobs(
    *,
    status: Annotated[
        str | None, typer.Option(help="Only those that are queued, running, succeeded, failed or cancelled.")
    ] = None,
    agent: Annotated[str | None, typer.Option(help="Only those of this agent.")] = None,
    session: SessionName = None,
    limit: Annotated[int, typer.Option(min=1, help="How many, at most.")] = 20,
    url: Url = DEFAULT_URL,
    token: Token = None,
    as_json: AsJson = False,
) -> None:
    """List jobs, newest first."""
    from sse_server.cli.asking import Place
    from sse_server.cli.jobs import Which, jobs

    raise typer.Exit(jobs(Place(url, token), Which(status, agent, session, limit), as_json=as_json))


@program.command()
def cancel(
    job: JobId,
    *,
    wait: Annotated[
        float, typer.Option(min=0, max=25, help="Seconds to wait until it has really stopped.", metavar="SECONDS")
    ] = 5.0,
    url: Url = DEFAULT_URL,
    token: Token = None,
    as_json: AsJson = False,
) -> None:
    """Stop a job; one that has ended stays as it is."""
    from sse_server.cli.asking import Place
    from sse_server.cli.jobs import cancel

    raise typer.Exit(cancel(Place(url, token), job, wait=wait, as_json=as_json))


@program.command()
def token(
    user: Annotated[str, typer.Argument(help="Whose token it is: its sub.")] = "developer",
    *,
    ttl: Annotated[float, typer.Option(min=1, help="Seconds it is good for.", metavar="SECONDS")] = 3600.0,
    scope: Annotated[list[str] | None, typer.Option(help="A scope, such as stats, metrics or admin.")] = None,
    config: ConfigFile = None,
    settings: Set = None,
) -> None:
    """Print a token for development, signed with the server's JWT_SECRET."""
    from sse_server.cli.token import token

    raise typer.Exit(token(user, config, flags(None, None, None, None, settings), ttl=ttl, scopes=scope or []))


@program.command()
def telemetry(
    *,
    hours: Annotated[float, typer.Option(min=0, help="How many hours to look back.")] = 24.0,
    config: ConfigFile = None,
    store: StoreKind = None,
    store_path: StorePath = None,
    settings: Set = None,
    as_json: AsJson = False,
) -> None:
    """Show by the hour how often the model was called, retried, and failed.

    Reads the file of a server with these settings, also while it runs.
    """
    from sse_server.cli.telemetry import telemetry

    raise typer.Exit(telemetry(config, flags(None, None, store, store_path, settings), hours=hours, as_json=as_json))


@program.command()
def check(
    modules: Modules = None,
    *,
    config: ConfigFile = None,
    host: Host = None,
    port: Port = None,
    store: StoreKind = None,
    store_path: StorePath = None,
    settings: Set = None,
) -> None:
    """Show every setting and its origin, and open the store."""
    from sse_server.cli.check import check

    raise typer.Exit(check(modules or [], config, flags(host, port, store, store_path, settings)))
