"""What the environment says: `SSE_SERVER__SECTION__KEY`, and the names that other tools and platforms use."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Final

from sse_server.config.sources import Given
from sse_server.errors import SettingsError

# Two underscores, always: Kubernetes sets SSE_SERVER_PORT=tcp://… in each pod beside a service called sse-server.
PREFIX: Final = "SSE_SERVER__"


def _seconds(milliseconds: str) -> str:
    try:
        return str(float(milliseconds) / 1000)
    except ValueError:
        return milliseconds  # the field refuses it, and shows it as it was written


USUAL: Final[dict[str, tuple[str, Callable[[str], str]]]] = {
    "HOST": ("server.host", str),
    "PORT": ("server.port", str),
    "LOG_LEVEL": ("log.level", str.lower),
    "JWT_SECRET": ("auth.jwt_secret", str),
    "CORS_ORIGINS": ("cors.origins", str),
    "DATABASE_PATH": ("store.path", str),
    "OPENAI_API_KEY": ("provider.api_key", str),
    "OPENAI_BASE_URL": ("provider.base_url", str),
    "OPENAI_SSE_HEARTBEAT_MS": ("stream.heartbeat_interval", _seconds),
}
"""A usual name -> its setting, and how its value becomes that setting's."""

REFUSED: Final = {
    "REDIS_URL": "this version has no redis store yet, and a server that ignored it would keep its logs elsewhere",
}
"""A usual name that must not be ignored -> why."""


def from_usual_names(environ: Mapping[str, str]) -> Iterator[Given]:
    """What PORT, LOG_LEVEL and their like say; an empty one says nothing."""
    for variable, (name, become) in USUAL.items():
        if value := environ.get(variable):
            yield Given(name, become(value), variable, text=True)


def from_own_names(environ: Mapping[str, str]) -> Iterator[Given]:
    """What each `SSE_SERVER__SECTION__KEY` says; an empty one says "empty"."""
    for variable, value in environ.items():
        if variable.startswith(PREFIX):
            name = variable.removeprefix(PREFIX).lower().replace("__", ".", 1)
            yield Given(name, value, variable, text=True)


def notes(environ: Mapping[str, str]) -> Iterator[str]:
    """A sentence for each variable that is ignored; a SettingsError for one that can neither be kept nor ignored."""
    for variable, why in REFUSED.items():
        if environ.get(variable):
            raise SettingsError(f"{variable} is set, but {why}: unset it")
    yield from _processes(environ)


def _processes(environ: Mapping[str, str]) -> Iterator[str]:
    """What is to be said about WEB_CONCURRENCY, the number of server processes."""
    wanted = environ.get("WEB_CONCURRENCY", "")
    if wanted in ("", "1"):
        return
    if owner := environ.get("WEB_CONCURRENCY_SET_BY"):
        yield f"WEB_CONCURRENCY={wanted}, set by {owner}, is ignored: the store serves one process"
    else:
        raise SettingsError(
            f"WEB_CONCURRENCY is {wanted!r}, but the sqlite and memory stores serve one process, and several would not"
            " see each other's jobs: unset it or set it to 1"
        )
