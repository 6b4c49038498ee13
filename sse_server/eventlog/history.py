"""What every store asks of published events in the same way: which are past their time, and when they are too much."""

from __future__ import annotations

import logging

from sse_server.eventlog import Retention

logger = logging.getLogger(__name__)


def is_over(expires: int, at: int) -> bool:
    """Whether an event that `expires` then is past its time; 0 never is."""
    return 0 < expires <= at


def is_too_much(size: int, retention: Retention) -> bool:
    """Whether the oldest have to go, when those of all sessions have `size` bytes. It warns before."""
    if size > retention.history_warning:
        logger.warning(
            "published events take %d bytes; beyond %d the oldest go until %d are left",
            size,
            retention.history_critical,
            retention.history_warning,
        )
    return size > retention.history_critical
