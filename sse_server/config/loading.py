"""Loading: defaults < platform < config.toml < environment < command line, and what must fit together."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from itertools import chain
from pathlib import Path
from typing import Any, Final

from sse_server.config.environment import from_own_names, from_usual_names, notes
from sse_server.config.fields import fields, find, sections
from sse_server.config.platforms import recognise
from sse_server.config.safety import vetted
from sse_server.config.settings import AT_MOST, Settings
from sse_server.config.sources import Given, from_file, from_flags, from_platform
from sse_server.errors import SettingsError

DEFAULT_PATH: Final = Path("config.toml")
"""Read when no other file is named; it may be missing."""


def load(
    path: Path | None = None,
    *,
    environ: Mapping[str, str] = os.environ,
    flags: Mapping[str, object] | None = None,
) -> Settings:
    """The settings of this start; a SettingsError says what is wrong, where it stands and what was expected.

    A file that is named by `path` must exist. `flags` holds what the command line says, by `section.key`; None stands
    for what it does not say.
    """
    warnings = list(notes(environ))
    platform = recognise(environ)
    if path is None and DEFAULT_PATH.exists():
        path = DEFAULT_PATH
    values, origins = settle(
        chain(
            from_platform(platform),
            from_file(path) if path else (),
            from_usual_names(environ),
            from_own_names(environ),
            from_flags(flags or {}),
        )
    )
    settings = Settings(
        **{section: kind(**values.get(section, {})) for section, kind in sections().items()},  # type: ignore[arg-type]
        agents=values.get("agents", {}),
        platform=platform,
        origins=origins,
        notes=(*warnings, platform.caution) if platform else tuple(warnings),
    )
    return vetted(settings)


def settle(given: Iterable[Given]) -> tuple[dict[str, dict[str, Any]], dict[str, str]]:
    """The values by section and key, and the origin of each by its full name; what comes later wins."""
    values: dict[str, Any] = {}
    origins: dict[str, str] = {}
    for one in given:
        values[one.name] = find(one.name, one.origin).read(one.value, one.origin, text=one.text)
        origins[one.name] = one.origin
    for less, more in AT_MOST:
        _check_at_most(less, more, values, origins)
    by_section: dict[str, dict[str, Any]] = {}
    for name, value in values.items():
        section, _, key = name.partition(".")
        by_section.setdefault(section, {})[key] = value
    return by_section, origins


def _check_at_most(less: str, more: str, values: Mapping[str, Any], origins: Mapping[str, str]) -> None:
    lower, upper = (values.get(name, fields()[name].default) for name in (less, more))
    if lower > upper:
        raise SettingsError(
            f"{less} is {lower} ({origins.get(less, 'default')}), but may not exceed"
            f" {more}, which is {upper} ({origins.get(more, 'default')})"
        )
