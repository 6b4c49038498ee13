"""What all sessions hold and who follows them, as one dict."""

from __future__ import annotations

from collections import Counter
from collections.abc import Awaitable, Callable, Generator, Iterable, Mapping
from typing import Any, Self

from sse_server.eventlog import Figures, LogKey, Sessions
from sse_server.events import timestamp


class Stats(dict[str, Any]):
    """Figures that are there at once; `await` takes them anew and gives the same dict."""

    def __init__(self, figures: Mapping[str, Any], anew: Callable[[], Awaitable[Mapping[str, Any]]]) -> None:
        super().__init__(figures)
        self._anew = anew

    def __await__(self) -> Generator[Any, None, Self]:
        figures = yield from self._anew().__await__()
        self.clear()
        self.update(figures)
        return self


def figures_of(
    sessions: Sessions, watched: Mapping[LogKey, int], made: Iterable[LogKey], metrics: Mapping[str, Any]
) -> dict[str, Any]:
    """The figures, each session's by its name, or `user/name` where several users have one of that name.

    `watched` counts who follows a log, `made` are sessions that may hold nothing yet.
    """
    known = {figures.key: figures for figures in sessions.latest}
    keys = dict.fromkeys([*known, *watched, *made])
    owners = Counter(key.session for key in keys)
    return {
        "totalSessions": sessions.total + len(keys) - len(known),
        "totalEvents": sessions.events,
        "totalSubscribers": sum(watched.values()),
        "memoryUsageMB": round(sessions.bytes / 2**20, 6),
        "sessionStats": {
            key.session if owners[key.session] == 1 else f"{key.user}/{key.session}": {
                "subscribers": watched.get(key, 0),
                **_held(known.get(key)),
            }
            for key in keys
        },
        "metrics": dict(metrics),
    }


def _held(figures: Figures | None) -> dict[str, Any]:
    if figures is None:
        return {"historySize": 0, "memoryBytes": 0, "jobs": 0, "lastSeq": 0, "lastActivity": None}
    return {
        "historySize": figures.events,
        "memoryBytes": figures.bytes,
        "jobs": figures.jobs,
        "lastSeq": figures.last,
        "lastActivity": timestamp(figures.touched),
    }
