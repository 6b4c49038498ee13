"""What the exit code tells, and how an error is put to whoever sits at the terminal."""

from __future__ import annotations

from enum import IntEnum
from typing import NoReturn

import typer

from sse_server.errors import FieldError


class Exit(IntEnum):
    """`SUCCEEDED`, `FAILED` and `CANCELLED` are a job's end; 130 is what a shell makes of Ctrl-C."""

    SUCCEEDED = 0
    FAILED = 1
    USAGE = 2
    CANCELLED = 3
    UNREACHABLE = 4
    INTERRUPTED = 130


def note(text: str) -> None:
    """Say something that is no result: to stderr."""
    typer.echo(text, err=True)


def stop(code: Exit, sentence: str, errors: list[FieldError] | None = None) -> NoReturn:
    """End the command with a sentence, and a line for each fault in an input."""
    note(f"sse-server: {sentence}")
    for fault in errors or ():
        note(f"  {fault.path}: {fault.message}")
    raise typer.Exit(code)
