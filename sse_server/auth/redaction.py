"""Redaction: no token and no ticket reaches a log line, whichever library wrote the line.

The patterns never look twice at a run of text: a line of 8 KiB that a client chose costs no more than another.
"""

from __future__ import annotations

import logging
import re
from typing import Final

REDACTED: Final = "(redacted)"

_SECRETS: Final = re.compile(
    r"""
      (?: tkt | csrf )_ [\w-]{16,}              # what we seal
    | eyJ [\w-]{13,} (?: \. [\w-]* )*          # a JSON Web Token, whose header begins with {"
    | ( \b ticket= ) [^\s"'&\#\\]+
    | ( \b (?i: bearer ) \s{1,4} ) [^\s"',;\\]{16,}
    | ( \b (?i: cookie | x-auth-token ) \\? ['"]? \s{0,4} [:=] \s{0,4} \\? ['"]? ) [^\s"'}\\] [^\n"'}\\]*
    """,
    re.VERBOSE,
)


def redact(text: str) -> str:
    """The text, with what could be used to act as somebody taken out."""
    return _SECRETS.sub(_keep_name, text)


def _keep_name(found: re.Match[str]) -> str:
    return f"{found[found.lastindex] if found.lastindex else ''}{REDACTED}"


class RedactedFormatter(logging.Formatter):
    """A formatter around another one: it sees the finished line, with its fields and its traceback."""

    def __init__(self, inner: logging.Formatter) -> None:
        super().__init__()
        self._inner = inner

    def format(self, record: logging.LogRecord) -> str:
        return redact(self._inner.format(record))
