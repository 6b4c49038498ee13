"""Platforms: how each is recognised, and what its routers and its way to stop a process ask of the settings.

A platform's value is a better default: a person's own, wherever written, wins over it. docs/configuration.md has the
figures behind them.
"""

from __future__ import annotations

from collections.abc import Mapping

from msgspec import Struct


class Because(Struct, frozen=True):
    """A value and its reason, for the start-up line."""

    value: float | str
    why: str


class Platform(Struct, frozen=True):
    """A place to deploy to; `variable` is set there and nowhere else."""

    name: str
    variable: str
    settings: dict[str, Because]
    caution: str
    """What a person must know before trusting a local file or a job without a watcher there."""


OUTSIDE = Because("0.0.0.0", "the router comes from outside the container")  # noqa: S104  (app refuses it without auth)

PLATFORMS = (
    Platform(
        name="Heroku",
        variable="DYNO",
        settings={
            "server.host": OUTSIDE,
            "server.keepalive_timeout": Because(95.0, "the router keeps connections for 90 s"),
            "server.drain_timeout": Because(25.0, "SIGKILL comes 30 s after SIGTERM"),
            "stream.heartbeat_interval": Because(10.0, "the router cuts a stream that is silent for 55 s"),
        },
        caution="Heroku wipes the disk at every restart, and restarts daily: what a sqlite store holds is lost then.",
    ),
    Platform(
        name="Railway",
        variable="RAILWAY_ENVIRONMENT_ID",
        settings={
            "server.host": OUTSIDE,
            "server.drain_timeout": Because(0.0, "SIGKILL follows SIGTERM at once"),
            "stream.max_age": Because(840.0, "the router cuts a request after 900 s"),
        },
        caution="Railway keeps files only on a volume: a sqlite store elsewhere is lost at the next deploy.",
    ),
    Platform(
        name="Cloud Run",
        variable="K_SERVICE",
        settings={
            "server.host": OUTSIDE,
            "server.drain_timeout": Because(7.0, "SIGKILL comes 10 s after SIGTERM"),
            "stream.padding_bytes": Because(2048, "the ingress may hold back small blocks"),
            "stream.max_age": Because(270.0, "the request timeout is 300 s unless raised"),
        },
        caution="Cloud Run keeps no files, and stops the CPU of an instance that has no open request: unwatched jobs"
        " stand still and a sqlite store is lost with the instance.",
    ),
    Platform(
        name="Render",
        variable="RENDER",
        settings={
            "server.host": OUTSIDE,
            "server.keepalive_timeout": Because(120.0, "the proxy in front keeps connections for 100 s and more"),
            "server.drain_timeout": Because(25.0, "SIGKILL comes 30 s after SIGTERM"),
            "stream.heartbeat_interval": Because(10.0, "the proxy in front cuts a stream that is silent for 100 s"),
            "stream.max_age": Because(5700.0, "the router cuts a request after 100 min"),
        },
        caution="Render keeps files only on a persistent disk: a sqlite store elsewhere is lost at the next deploy.",
    ),
    Platform(
        name="Fly",
        variable="FLY_APP_NAME",
        settings={
            "server.host": OUTSIDE,
            "server.drain_timeout": Because(3.0, "SIGKILL comes 5 s after SIGINT"),
        },
        caution="Fly keeps files only on a volume, and stops a machine that has no open request: unwatched jobs end"
        " there unless auto_stop_machines is off.",
    ),
)


def recognise(environ: Mapping[str, str]) -> Platform | None:
    """The platform whose variable is set, or none."""
    return next((platform for platform in PLATFORMS if environ.get(platform.variable)), None)
