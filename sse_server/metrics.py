"""The server's figures for Prometheus: counted while it works, put into families when somebody asks.

Its client library is loaded by the first who asks: a start would wait for the HTTP server that comes with it.
"""

# ruff: noqa: PLC0415
from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Final

from msgspec import Struct

from sse_server.events import JOB_EVENTS, Draft

if TYPE_CHECKING:
    from prometheus_client import Metric

CUSTOM: Final = "custom"
"""The label of every type that is not ours: labels that agents and publishers choose would have no bound."""
COUNTED: Final = JOB_EVENTS.keys() | {
    "message",
    "status_update",
    "thought_process_start",
    "thought_process_step",
    "thought_process_complete",
    "message_regenerating",
    "regeneration_progress",
    "message_regenerated",
    "regeneration_error",
    "message_edited",
    "message_deleted",
    "error",
}


class Tally:
    """Events by label, since the process began."""

    def __init__(self) -> None:
        self._counts = dict.fromkeys([*COUNTED, CUSTOM], 0)

    @property
    def events(self) -> Counter[str]:
        """So many of each label."""
        return Counter({label: count for label, count in self._counts.items() if count})

    def count(self, drafts: Iterable[Draft]) -> None:
        """They were stored."""
        counts = self._counts
        for draft in drafts:
            try:
                counts[draft.type] += 1
            except KeyError:
                counts[CUSTOM] += 1


class Reading(Struct, eq=False):
    """The figures at one moment: open streams, running jobs, stored events by label."""

    connections: int
    running: int
    events: Mapping[str, int]

    def collect(self) -> Iterator[Metric]:
        """The families, as prometheus-client asks a collector for them."""
        from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily

        yield GaugeMetricFamily("sse_connections_total", "Active SSE connections", value=self.connections)
        yield GaugeMetricFamily("sse_jobs_running", "Jobs that run in this process", value=self.running)
        events = CounterMetricFamily("sse_events", "Events stored, by type", labels=["event_type"])
        for name, count in sorted(self.events.items()):
            events.add_metric([name], count)
        yield events

    def exposition(self) -> tuple[bytes, str]:
        """The text that Prometheus reads, with the process's own memory and CPU, and its content type."""
        from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, ProcessCollector, generate_latest

        registry = CollectorRegistry()
        ProcessCollector(registry=registry)
        registry.register(self)
        return generate_latest(registry), CONTENT_TYPE_LATEST
