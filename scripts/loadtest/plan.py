"""The plan: what a run does, as the command line said it."""

from __future__ import annotations

from typing import Literal

from msgspec import Struct

Transport = Literal["sse", "eventsource", "poll", "mix"]
WAYS = ("sse", "eventsource", "poll")


class Plan(Struct, frozen=True, kw_only=True):
    """Times are in seconds. Secrets are in it, so it is never written as it is: see `shown`."""

    url: str
    token: str = ""
    jwt_secret: str = ""
    token_ttl: float = 0.0
    users: int = 0
    headers: list[tuple[str, str]] = []
    ca: str = ""
    agent: str = "load"
    input: str = "{}"
    streams: int = 100
    readers: int = 1
    ramp: float = 2.0
    transport: Transport = "sse"
    events: int = 100
    rate: float = 10.0
    size: int = 40
    burst: int = 1
    duration: float = 0.0
    cut_rate: float = 0.0
    slow: float = 0.0
    slow_rate: float = 2000.0
    pause: float = -1.0
    poll_wait: float = 20.0
    silence: float = 30.0
    give_up: float = 30.0
    linger: float = 30.0
    clock: Literal["auto", "same", "estimate"] = "auto"
    processes: int = 1

    @property
    def asked_at_once(self) -> int:
        """Streams that are open at once when all goes well."""
        return self.streams * self.readers

    def way(self, number: int) -> str:
        """The transport of one reader."""
        return WAYS[number % len(WAYS)] if self.transport == "mix" else self.transport

    def is_slow(self, number: int) -> bool:
        """Whether a reader is one of the slow ones; they are spread evenly."""
        return int((number + 1) * self.slow) > int(number * self.slow)


HIDDEN = frozenset({"token", "jwt_secret", "headers", "input"})


def shown(plan: Plan) -> dict[str, object]:
    """What of the plan may be written down."""
    return {name: getattr(plan, name) for name in plan.__struct_fields__ if name not in HIDDEN}
