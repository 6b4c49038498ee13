"""What an event of each type may hold: known types are checked when they are emitted, before anything is stored."""

from __future__ import annotations

from typing import Any, Final

import msgspec
from msgspec import defstruct
from msgspec.structs import fields

from sse_server.encoding import encode_fields
from sse_server.errors import InvalidEvent
from sse_server.events import CONTROL_TYPES, ENVELOPE, JOB_EVENTS, RUNNER_TYPES, TYPE_PATTERN

RESERVED: Final = CONTROL_TYPES | RUNNER_TYPES | {"connection", "keepalive"}
"""Types that an agent can't emit: they speak of the stream, or of the job's life."""


def _own_fields(event: type[msgspec.Struct]) -> type[msgspec.Struct]:
    """The struct of an event without its envelope."""
    own = [f for f in fields(event) if f.name not in ENVELOPE]
    return defstruct(
        event.__name__,
        [(f.name, f.type) if f.required else (f.name, f.type, f.default) for f in own],
        forbid_unknown_fields=True,
        kw_only=True,
    )


_CHECKS: Final = {
    kind: msgspec.json.Decoder(_own_fields(event)).decode for kind, event in JOB_EVENTS.items() if kind not in RESERVED
}


def checked(kind: object, values: dict[str, Any]) -> bytes:
    """The JSON object of an event's fields. Raises `InvalidEvent` for a type or fields that the log can't hold."""
    check = _CHECKS.get(kind) if isinstance(kind, str) else None
    if check is None:
        _check_name(kind)
    if not ENVELOPE.isdisjoint(values):
        taken = ", ".join(sorted(ENVELOPE.intersection(values)))
        raise InvalidEvent(f"the server writes these fields of every event itself: {taken}")
    body = encode_fields(values)
    if check:
        try:
            check(body)
        except msgspec.ValidationError as error:
            raise InvalidEvent(f"{kind}: {error}") from None
    return body


def _check_name(kind: object) -> None:
    if not isinstance(kind, str) or not TYPE_PATTERN.fullmatch(kind):
        raise InvalidEvent(f"an event's type is lower case letters, digits and _, up to 64: not {kind!r:.80}")
    if kind in RESERVED:
        raise InvalidEvent(f"the server writes {kind!r} itself")
