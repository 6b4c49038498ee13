"""The JSON of an event's own fields: one line, bounded, and mended where a text was cut within a character."""

from __future__ import annotations

import re
from typing import Any, Final

import msgspec

from sse_server.errors import InvalidEvent

MAX_EVENT_BYTES: Final = 1024 * 1024
"""The largest JSON form of one event's own fields."""
MAX_DEPTH: Final = 100
"""Objects and arrays within one another in them: more than that some reader's parser can't take."""


def encode_fields(fields: dict[str, Any]) -> bytes:
    """The JSON object of an event's own fields, on one line.

    Lone surrogates, which a text cut by a model's tokens can hold, become U+FFFD. Raises `InvalidEvent` for what is no
    JSON, larger than `MAX_EVENT_BYTES` or deeper than `MAX_DEPTH`.
    """
    try:
        try:
            body = _encode(fields)
        except UnicodeEncodeError:
            body = _encode(_mended(msgspec.to_builtins(fields, str_keys=True, enc_hook=_parsed)))
        if not _PLAIN.issuperset(map(type, fields.values())):
            body = _one_line(body)
    except (TypeError, ValueError, RecursionError) as error:  # msgspec's errors are ValueErrors
        raise InvalidEvent(f"fields can't be written as JSON: {error}") from None
    size = len(body)
    if size > MAX_EVENT_BYTES:
        raise InvalidEvent(f"an event of {size} bytes is larger than {MAX_EVENT_BYTES}")
    if size > MAX_DEPTH and body.count(b"{") + body.count(b"[") > MAX_DEPTH and _depth(body) > MAX_DEPTH:
        raise InvalidEvent(f"an event holds more than {MAX_DEPTH} objects and arrays within one another")
    return body


def encode_text(text: str) -> bytes:
    """The same of `{"text": text}`, which most events are: but for its size there is nothing to be looked at."""
    fields = {"text": text}
    try:
        body = _encode(fields)
    except UnicodeEncodeError:
        return encode_fields(fields)
    return body if len(body) <= MAX_EVENT_BYTES else encode_fields(fields)


def _mended(value: Any) -> Any:
    """The same value with every lone surrogate replaced; a pair that was cut in two strings stays two marks."""
    if isinstance(value, str):
        return value.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
    if isinstance(value, dict):
        return {_mended(name): _mended(item) for name, item in value.items()}
    if isinstance(value, list | tuple):
        return [_mended(item) for item in value]
    return value


def _parsed(value: Any) -> Any:
    if not isinstance(value, msgspec.Raw):
        raise TypeError(f"Encoding objects of type {type(value).__name__} is unsupported")
    return msgspec.json.decode(value)


def _one_line(body: bytes) -> bytes:
    """Nobody has looked at a `Raw` before: it may be no JSON, no UTF-8, or hold line ends that would break a frame."""
    body.decode()
    return msgspec.json.format(body, indent=-1)


def _depth(body: bytes) -> int:
    """How deep objects and arrays stand in one another: the innermost pairs of brackets go, level by level."""
    brackets = _NO_BRACKETS.sub(b"", body).translate(_ALIKE)
    depth = 0
    while brackets:
        brackets = brackets.replace(b"[]", b"")
        depth += 1
    return depth


_PLAIN: Final = frozenset({str, int, float, bool, type(None)})
"""Types that hold no `Raw`: what the encoder makes of them is one line."""
_encode = msgspec.json.Encoder().encode
_NO_BRACKETS: Final = re.compile(rb'"[^"\\]*(?:\\.[^"\\]*)*"|[^][{}"]+')
_ALIKE: Final = bytes.maketrans(b"{}", b"[]")
