"""Log lines: for people in a terminal, as JSON for machines; no control character of a client reaches them raw.

`structlog` is loaded with the first line, or by `load`: with `rich`, which comes with it, it took a twelfth of a start.
"""

# ruff: noqa: PLC0415
from __future__ import annotations

import logging
import sys
from collections.abc import Callable, MutableMapping
from functools import cached_property
from io import StringIO
from typing import TYPE_CHECKING, Any, TextIO

from sse_server.config import Log

if TYPE_CHECKING:
    from structlog.typing import ExcInfo, Processor

_BUILT_IN = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}


def configure(settings: Log, redacted: Callable[[logging.Formatter], logging.Formatter]) -> None:
    """Send every logger's lines to stderr, and to `log.file` where one is set; `redacted` takes secrets out of them."""
    root = logging.getLogger()
    root.handlers = [logging.StreamHandler(sys.stderr)]
    if settings.file:
        root.handlers.append(logging.FileHandler(settings.file, encoding="utf-8"))
    for handler in root.handlers:
        to_terminal = settings.format == "console" and handler is root.handlers[0]
        handler.setFormatter(redacted(_Late(settings, colors=to_terminal and sys.stderr.isatty())))
    root.setLevel(settings.level.upper())
    for noisy in ("asyncio", "httpx", "httpx2", "openai"):
        logging.getLogger(noisy).setLevel(logging.WARNING)


def load() -> None:
    """What the first line would else wait for."""
    import structlog  # noqa: F401


class _Late(logging.Formatter):
    """Structlog's, made when it is needed."""

    def __init__(self, settings: Log, *, colors: bool) -> None:
        super().__init__()
        self._settings = settings
        self._colors = colors

    @cached_property
    def _made(self) -> logging.Formatter:
        return _formatter(self._settings, colors=self._colors)

    def format(self, record: logging.LogRecord) -> str:
        return self._made.format(record)


def _formatter(settings: Log, *, colors: bool) -> logging.Formatter:
    import structlog

    shape: list[Processor]
    if settings.format == "json":
        shape = [structlog.processors.format_exc_info, structlog.processors.JSONRenderer(ensure_ascii=True)]
    else:
        shape = [structlog.dev.ConsoleRenderer(colors=colors, exception_formatter=_escaped_traceback)]
    return structlog.stdlib.ProcessorFormatter(
        foreign_pre_chain=[
            structlog.stdlib.add_log_level,
            structlog.stdlib.add_logger_name,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            _add_fields,
        ],
        processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, _escape, *shape],
    )


def _escaped_traceback(stream: TextIO, error: ExcInfo) -> None:
    """A traceback, each line indented and escaped: an error's text may be a client's, and must not look like a line."""
    import structlog

    said = StringIO()
    structlog.dev.plain_traceback(said, error)
    stream.writelines(f"\n    {_printable(line)}" for line in said.getvalue().splitlines())


def _printable(text: str) -> str:
    return text if text.isprintable() else text.encode("unicode_escape", "backslashreplace").decode()


def _add_fields(_: Any, __: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """What `extra=` gave."""
    record: logging.LogRecord = event["_record"]
    event.update({name: value for name, value in vars(record).items() if name not in _BUILT_IN})
    return event


def _escape(_: Any, __: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """A client that can write a line break, or a terminal's commands, into a log can write log lines."""
    for name, value in event.items():
        if isinstance(value, str) and name != "exception":
            event[name] = _printable(value)
    return event
