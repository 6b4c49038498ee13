"""One field of the settings: how its value is read, what it must be in words, and which field a misspelt name meant."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from typing import Annotated, Any, Final, Literal, get_args, get_origin, get_type_hints

import msgspec
from msgspec import Struct

from sse_server.config.settings import Entry, Section, Settings
from sse_server.errors import SettingsError

LARGEST: Final = 10**12
"""No number is larger: so many seconds, counted in microseconds, still fit into 64 bits."""

WORDS: Final = {
    bool: "true or false",
    int: "a whole number",
    float: "a number",
    str: "text",
    list: "a list",
    tuple: "a list",
}


class Field(Struct, frozen=True):
    """A setting's `section.key`, its annotated type, its default and its description."""

    name: str
    kind: Any
    default: Any
    description: str
    secret: bool = False

    @property
    def expected(self) -> str:
        """What a value must be, in words: `a whole number, 1 or more`."""
        plain, limits = _taken_apart(self.kind)
        if title := limits.get("title"):
            return str(title)
        if get_origin(plain) is Literal:
            choices = f"one of {', '.join(filter(None, get_args(plain)))}"
            return f"{choices}, or empty" if "" in get_args(plain) else choices
        word = WORDS[get_origin(plain) or plain]
        if "ge" in limits and "le" in limits:
            return f"{word} from {limits['ge']} to {limits['le']}"
        if "ge" in limits:
            return f"{word}, {limits['ge']} or more"
        if "gt" in limits:
            return f"{word} above {limits['gt']}"
        return word

    def read(self, value: object, origin: str, *, text: bool) -> Any:
        """The value in this field's type; as `text` it may spell a number, true or false, or a list with commas."""
        try:
            taken = msgspec.convert(self._split(value) if text else value, self.kind, strict=not text)
        except msgspec.ValidationError:
            pass
        else:
            if not isinstance(taken, int | float) or taken <= LARGEST:
                return taken
        given = "" if self.secret else f", not {_cut(repr(value))}"
        raise SettingsError(f"{origin}: {self.name} must be {self.expected}{given}")

    def _split(self, value: object) -> object:
        plain, _ = _taken_apart(self.kind)
        if get_origin(plain) in {list, tuple} and isinstance(value, str):
            return [part.strip() for part in value.split(",") if part.strip()]
        return value


@cache
def sections() -> Mapping[str, type[Section]]:
    """The sections by name, in the order they are written in."""
    hints = get_type_hints(Settings)
    return {name: kind for name, kind in hints.items() if isinstance(kind, type) and issubclass(kind, Section)}


def tables() -> tuple[str, ...]:
    """The tables that config.toml may have: the sections, and the agents, which name their keys themselves."""
    return (*sections(), "agents")


@cache
def fields() -> Mapping[str, Field]:
    """Every field by its `section.key`; agents are named by whoever writes them, so none of them is here."""
    return {
        f"{section}.{field.name}": Field(
            name=f"{section}.{field.name}",
            kind=field.type,
            default=getattr(kind(), field.name),
            description=_taken_apart(field.type)[1]["description"],
            secret=field.name in kind.secrets,
        )
        for section, kind in sections().items()
        for field in msgspec.structs.fields(kind)
    }


def find(name: str, origin: str) -> Field:
    """The field of that name, or a SettingsError that says which one is nearest."""
    section, _, key = name.partition(".")
    if section == "agents" and key:
        return Field(name=name, kind=Entry, default="", description="")
    try:
        return fields()[name]
    except KeyError:
        raise SettingsError(f"{origin}: unknown setting {_cut(repr(name))}; the nearest is {nearest(name)}") from None


def nearest(name: str) -> str:
    """The known name that is most like this one: the same key elsewhere, else a key of the likeliest section."""
    section, _, key = name.partition(".")
    if elsewhere := [known for known in fields() if known.partition(".")[2] == (key or section)]:
        return _likest(name, elsewhere)
    section = _likest(section, tables())
    if not key:
        return f"[{section}]"
    if section == "agents":
        return f"agents.{key}"
    return _likest(f"{section}.{key}", [known for known in fields() if known.startswith(f"{section}.")])


def listing(settings: Settings) -> Iterator[tuple[str, object, str]]:
    """Every setting's name, its value as a person may see it, and where that was written (`default` if nowhere)."""
    for section in sections():
        part: Section = getattr(settings, section)
        for key in part.__struct_fields__:
            yield f"{section}.{key}", part.shown(key), settings.origins.get(f"{section}.{key}", "default")
    for agent, entry in settings.agents.items():
        yield f"agents.{agent}", entry, settings.origins.get(f"agents.{agent}", "default")


def _taken_apart(kind: Any) -> tuple[Any, dict[str, Any]]:
    """The plain type, and all that is said about it by whichever `Meta`."""
    if get_origin(kind) is not Annotated:
        return kind, {}
    plain, *metas = get_args(kind)
    said = ("title", "description", "ge", "gt", "le")
    return plain, {key: value for meta in metas for key in said if (value := getattr(meta, key)) is not None}


def _likest(name: str, known: Sequence[str]) -> str:
    from difflib import get_close_matches  # noqa: PLC0415  (needed only by a server that will not start)

    return get_close_matches(name, known, n=1, cutoff=0)[0]


def _cut(text: str) -> str:
    return text if len(text) <= 80 else f"{text[:80]}…"
