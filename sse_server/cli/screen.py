"""A job live on a terminal: a bar for each step, the text as it is written, and above them what was said."""

from __future__ import annotations

import textwrap
from types import TracebackType
from typing import Final, Self

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.panel import Panel
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from sse_server.cli.board import Board, Row
from sse_server.cli.finale import finale
from sse_server.cli.sentences import ending, sentence
from sse_server.cli.text import line, printable
from sse_server.client import Event, LineStatus
from sse_server.events import Done, StepProgress, Token

TAIL: Final = 8
"""Lines of the text that are shown while it grows."""

MARKS: Final = {"finished": ("✓", "green"), "failed": ("✗", "red")}
ENDS: Final = {"succeeded": "bold green", "failed": "bold red", "cancelled": "bold yellow"}


class Screen:
    """Implements `View`. What is said scrolls by; bars and text stay below until the job ends."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._board = Board()
        self._over = False
        self._live = Live(console=console, get_renderable=self._draw, refresh_per_second=10)

    def __enter__(self) -> Self:
        self._live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._close()

    def event(self, event: Event) -> None:
        self._board.apply(event)
        match event.known():
            case StepProgress() | Token():
                pass  # the board has it
            case Done() as done:
                self._end(done)
            case _:
                self._say(sentence(event), "")

    def status(self, status: LineStatus) -> None:
        if status.state != "connected":
            self._say(printable(str(status)), "green" if status.state == "resumed" else "yellow")

    def _end(self, done: Done) -> None:
        end = finale(done.result, self._board.text)
        self._close()
        if self._board.text.strip() and not end.text:
            self._console.print(_panel(self._board.text))
        for one in end.lines:
            self._say(_wrapped(one, self._console.width), "bold" if one.endswith(":") else "")
        if end.text:
            self._console.print(_panel(end.text, end.title))
        self._say(ending(done), ENDS[done.status])

    def _close(self) -> None:
        self._over = True
        self._live.stop()

    def _say(self, text: str, style: str) -> None:
        self._console.print(Text(text, style=style))

    def _draw(self) -> RenderableType:
        bars = Table.grid(padding=(0, 1), expand=True)
        for width in (1, None, 24, 5, None):
            bars.add_column(width=width, no_wrap=True, overflow="ellipsis")
        bars.columns[-1].ratio = 1
        for row in list(self._board.rows.values()):
            bars.add_row(*_cells(row))
        text = self._board.text
        return bars if self._over or not text else Group(bars, _panel(self._tail(text)))

    def _tail(self, text: str) -> str:
        width = max(self._console.width - 4, 1)
        wrapped = Text(printable(text[-TAIL * width :])).wrap(self._console, width)
        return "\n".join(one.plain.rstrip() for one in wrapped[-TAIL:])


def _panel(text: str, title: str = "") -> Panel:
    return Panel(
        Text(printable(text.strip())), title=Text(title) if title else None, title_align="left", border_style="dim"
    )


def _wrapped(text: str, width: int) -> str:
    """A line of an outline, broken so that its bullets and its levels stay to be seen."""
    bare = text.lstrip()
    indent = " " * (len(text) - len(bare) + 2 * bare.startswith("- "))
    return textwrap.fill(text, width, subsequent_indent=indent)


def _cells(row: Row) -> tuple[RenderableType, ...]:
    mark, style = MARKS.get(row.status, ("·", "cyan"))
    bar = ProgressBar(total=100, completed=row.pct, width=24)
    return Text(mark, style), Text(line(row.label)), bar, Text(f"{row.pct:3.0f} %"), Text(line(row.message), "dim")
