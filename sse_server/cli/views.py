"""Ways to show a job: as JSON lines, as plain lines, or live on a terminal."""

from __future__ import annotations

import sys
from types import TracebackType
from typing import Protocol, Self

import msgspec
import typer

from sse_server.cli.board import Board
from sse_server.cli.exits import note
from sse_server.cli.finale import finale
from sse_server.cli.sentences import UNDER_WAY, ending, sentence
from sse_server.cli.text import printable
from sse_server.client import Event, LineStatus
from sse_server.events import AttemptReset, Done, StepProgress, Token


class View(Protocol):
    """Shows events as they come, and what becomes of the line."""

    def __enter__(self) -> Self: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None: ...

    def event(self, event: Event) -> None:
        """Show one event; `done` is the last."""

    def status(self, status: LineStatus) -> None:
        """Say what became of the line."""


class Quiet:
    """What the views without a screen share: nothing to open, nothing to close, and the line is stderr's matter."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        sys.stdout.flush()

    def status(self, status: LineStatus) -> None:
        if status.state != "connected":
            note(printable(str(status)))


class JsonView(Quiet):
    """Each event is one line of JSON, and there is nothing else on stdout."""

    def event(self, event: Event) -> None:
        typer.echo(msgspec.json.encode(event.data).decode())


class PlainView(Quiet):
    """Lines without control codes, for files and pipes."""

    def __init__(self) -> None:
        self._board = Board()
        self._unsaid = ""
        self._said: dict[str, tuple[str, str | None, int]] = {}

    def event(self, event: Event) -> None:
        self._board.apply(event)
        match event.known():
            case Token(text=text):
                self._write(text)
            case StepProgress() as step:
                if self._is_news(step):
                    typer.echo(sentence(event))
            case Done() as done:
                self._end(done)
            case AttemptReset():
                self._write("\n" if self._unsaid else "")
                typer.echo(sentence(event))
            case _:
                typer.echo(sentence(event))
                if event.type == "snapshot":
                    self._write(self._board.text)

    def _write(self, text: str) -> None:
        """A text goes out by the line: where lines are no paragraphs, what follows would begin in the middle of one."""
        *whole, self._unsaid = (self._unsaid + printable(text)).split("\n")
        for one in whole:
            typer.echo(f"| {one}")

    def _is_news(self, step: StepProgress) -> bool:
        """A tenth of the way, another status or another message; less is for bars."""
        said = "" if step.status in UNDER_WAY else step.status, step.message, int(step.pct // 10)
        news, self._said[step.step] = said != self._said.get(step.step), said
        return news

    def _end(self, done: Done) -> None:
        end = finale(done.result, self._board.text)
        if self._unsaid and not end.text:
            typer.echo(f"| {self._unsaid}")
        for one in end.lines:
            typer.echo(one)
        if end.text:
            typer.echo(f"{end.title}:\n{end.text}")
        typer.echo(ending(done))
