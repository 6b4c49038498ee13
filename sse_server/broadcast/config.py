"""What a broadcaster keeps, for how long, and how often it looks."""

from __future__ import annotations

import math
from typing import Final

from msgspec import Struct
from msgspec.structs import asdict

from sse_server.config import Sessions
from sse_server.eventlog import Retention

MIB: Final = 2**20
MAX_TTL: Final = 10 * 365 * 86_400.0
"""Seconds of the longest ttl: beyond ten years somebody meant something else."""


class BroadcasterConfig(Struct, frozen=True):
    """Times in seconds, thresholds in megabytes of 2**20 bytes.

    `max_queue_size` is accepted and has no effect: a subscriber is a cursor, there is no queue to fill. Raises
    ValueError for what makes no sense.
    """

    max_queue_size: int = 1000
    max_history_per_session: int = 500
    event_ttl: float = 300.0
    session_ttl: float = 1800.0
    cleanup_interval: float = 60.0
    enable_metrics: bool = True
    max_subscriber_idle_time: float = 600.0
    memory_warning_threshold_mb: float = 100.0
    memory_critical_threshold_mb: float = 250.0

    def __post_init__(self) -> None:
        for name, value in asdict(self).items():
            _check(name, value)
        if self.event_ttl > MAX_TTL:
            raise ValueError(f"event_ttl is at most {MAX_TTL:.0f} seconds: not {self.event_ttl!r}")
        if self.memory_warning_threshold_mb > self.memory_critical_threshold_mb:
            raise ValueError("memory_warning_threshold_mb is at most memory_critical_threshold_mb")

    @classmethod
    def of(cls, sessions: Sessions) -> BroadcasterConfig:
        """What a server's settings say."""
        return cls(
            max_history_per_session=sessions.max_history,
            event_ttl=sessions.event_ttl,
            session_ttl=sessions.ttl,
            memory_warning_threshold_mb=sessions.memory_warning_mb,
            memory_critical_threshold_mb=sessions.memory_critical_mb,
        )

    @property
    def retention(self) -> Retention:
        """What a store of the broadcaster's own may keep."""
        return Retention(
            max_history=self.max_history_per_session,
            session_ttl=self.session_ttl,
            history_warning=round(self.memory_warning_threshold_mb * MIB),
            history_critical=round(self.memory_critical_threshold_mb * MIB),
        )


def _check(name: str, value: object) -> None:
    if name == "enable_metrics":
        if not isinstance(value, bool):
            raise ValueError(f"{name} is True or False: not {value!r}")
    elif name.startswith("max_") and not name.endswith("_time"):
        if not isinstance(value, int) or isinstance(value, bool) or value < 1:
            raise ValueError(f"{name} is a whole number from 1 on: not {value!r}")
    elif not isinstance(value, int | float) or isinstance(value, bool) or not 0 < value < math.inf:
        raise ValueError(f"{name} is a number above 0: not {value!r}")
