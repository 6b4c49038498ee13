"""Where values are given: the platform, config.toml and the command line (the environment has a file of its own)."""

from __future__ import annotations

import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from msgspec import Struct

from sse_server.config.fields import tables
from sse_server.config.platforms import Platform
from sse_server.errors import SettingsError


class Given(Struct, frozen=True):
    """A value that somebody gave to `section.key`, and in which place; `text` is spelt out, as in the environment."""

    name: str
    value: Any
    origin: str
    text: bool = False


def from_platform(platform: Platform | None) -> Iterator[Given]:
    """What the recognised platform sets, if one was recognised."""
    if platform is not None:
        for name, because in platform.settings.items():
            yield Given(name, because.value, platform.name)


def from_flags(flags: Mapping[str, object]) -> Iterator[Given]:
    """What the command line says, by `section.key`; None was not said."""
    for name, value in flags.items():
        if value is not None:
            yield Given(name, value, "the command line", text=True)


def from_file(path: Path) -> Iterator[Given]:
    """What a TOML file says in its tables, one for each section."""
    for section, table in parse(path).items():
        if not isinstance(table, dict) or not (table or section in tables()):
            yield Given(section, table, str(path))  # no such setting: whoever reads it says so
        else:
            for key, value in table.items():
                yield Given(f"{section}.{key}", value, str(path))


def parse(path: Path) -> dict[str, Any]:
    """The file as TOML; a SettingsError says what is wrong and, where there is one, in which line."""
    try:
        written = path.read_bytes()
        return tomllib.loads(written.decode("utf-8-sig"))  # some editors begin a file with a byte order mark
    except OSError as error:
        raise SettingsError(f"{path} can't be read: {error.strerror}") from None
    except UnicodeDecodeError as error:
        line = error.object.count(b"\n", 0, error.start) + 1
        raise SettingsError(f"{path} is not UTF-8 (at line {line})") from None
    except tomllib.TOMLDecodeError as error:
        raise SettingsError(f"{path} is not TOML: {error}") from None
