"""The configuration: the documented defaults, and a sentence for what makes no sense."""

from __future__ import annotations

from typing import Any

import pytest
from msgspec.structs import asdict

from sse_server.broadcast import BroadcasterConfig
from sse_server.config import Sessions

DEFAULTS = {
    "max_queue_size": 1000,
    "max_history_per_session": 500,
    "event_ttl": 300.0,
    "session_ttl": 1800.0,
    "cleanup_interval": 60.0,
    "enable_metrics": True,
    "max_subscriber_idle_time": 600.0,
    "memory_warning_threshold_mb": 100.0,
    "memory_critical_threshold_mb": 250.0,
}


def test_the_defaults_are_the_documented_ones() -> None:
    assert asdict(BroadcasterConfig()) == DEFAULTS


def test_a_servers_own_defaults_are_the_same() -> None:
    assert BroadcasterConfig.of(Sessions()) == BroadcasterConfig()


@pytest.mark.parametrize("name", [name for name in DEFAULTS if name != "enable_metrics"])
@pytest.mark.parametrize("value", [0, -1, float("nan"), float("inf"), "5", None, True])
def test_a_number_that_makes_no_sense_is_refused_by_name(name: str, value: Any) -> None:
    with pytest.raises(ValueError, match=name):
        BroadcasterConfig(**{name: value})


@pytest.mark.parametrize(
    "fields",
    [
        {"max_history_per_session": 1.5},
        {"enable_metrics": "yes"},
        {"enable_metrics": 1},
        {"event_ttl": 1e12},
        {"memory_warning_threshold_mb": 300.0},
    ],
)
def test_fields_that_do_not_fit_are_refused(fields: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=next(iter(fields))):
        BroadcasterConfig(**fields)


def test_what_a_store_may_keep_is_what_the_configuration_says() -> None:
    config = BroadcasterConfig(
        max_history_per_session=7,
        session_ttl=5.0,
        memory_warning_threshold_mb=0.5,
        memory_critical_threshold_mb=1.0,
    )
    kept = config.retention
    assert (kept.max_history, kept.session_ttl) == (7, 5.0)
    assert (kept.history_warning, kept.history_critical) == (2**19, 2**20)
