"""The settings of the server: what there is to set, and the only place that reads config.toml and the environment."""

from __future__ import annotations

from sse_server.config.fields import Field, fields, listing
from sse_server.config.loading import DEFAULT_PATH, load
from sse_server.config.platforms import PLATFORMS, Platform
from sse_server.config.safety import refuse_exposure
from sse_server.config.settings import (
    Auth,
    Chat,
    Cors,
    Emission,
    Jobs,
    Limits,
    Log,
    Metrics,
    Provider,
    Section,
    Server,
    Sessions,
    Settings,
    Store,
    Stream,
)

__all__ = [
    "DEFAULT_PATH",
    "PLATFORMS",
    "Auth",
    "Chat",
    "Cors",
    "Emission",
    "Field",
    "Jobs",
    "Limits",
    "Log",
    "Metrics",
    "Platform",
    "Provider",
    "Section",
    "Server",
    "Sessions",
    "Settings",
    "Store",
    "Stream",
    "fields",
    "listing",
    "load",
    "refuse_exposure",
]
