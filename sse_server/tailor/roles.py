"""Roles: the jobs that a résumé lists, with their titles, employers and years, however their lines are laid out."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Final

from msgspec import Struct

from sse_server.tailor.lexicon import TITLE_ENDINGS, TITLES
from sse_server.tailor.lines import Line
from sse_server.tailor.terms import is_verb
from sse_server.tailor.words import form
from sse_server.tailor.years import DATE, PRESENT, period

_LONGEST: Final = 120
"""Characters of the longest line that may head a role."""

_PARTS: Final = re.compile(r"\s[|·•–—-]\s|\s?[|·•]\s?|,\s|\s(?:at|@|bei|chez|hos)\s|[()]", re.IGNORECASE)  # noqa: RUF001
_WORDS: Final = re.compile(r"[^\W\d_]+")
_SIGNS: Final = " .,:;-–—/"  # noqa: RUF001


class Role(Struct, frozen=True):
    """One job. `end` is this year while it lasts; the title or the employer is empty where no line says it."""

    title: str
    employer: str
    start: int
    end: int
    current: bool


class Block(Struct, frozen=True):
    """The lines from `start` up to `stop` that head a role."""

    start: int
    stop: int
    role: Role


def find_roles(lines: Sequence[Line], this_year: int) -> Iterator[Block]:
    """The roles that lines without headings list: each has a line with its years, its title there or beside it."""
    free = 0
    for at, line in enumerate(lines):
        if at < free or not _may_head(line) or not DATE.search(line.text):
            continue
        if line.bullet and not is_title(_PARTS.split(line.text)[0]):
            continue
        block = _block(lines, at, free, this_year)
        if block:
            free = block.stop
            yield block


def is_title(text: str) -> bool:
    """True for a few words that name what somebody is, like `Senior Nurse` or `Head of Design`."""
    words = [word.lower() for word in _WORDS.findall(text)]
    named = any(word in TITLES or word.endswith(TITLE_ENDINGS) for word in words)
    return named and len(words) <= 7 and text[0].isupper()


def _block(lines: Sequence[Line], at: int, free: int, this_year: int) -> Block | None:
    start, stop = at, at + 1
    role = _read([lines[at].text], this_year)
    while not _complete(role) and start > free and at - start < 2 and _beside(lines[start], lines[start - 1]):
        start -= 1
        role = _read([line.text for line in lines[start:stop]], this_year)
    while not _complete(role) and stop < len(lines) and stop - at < 3 and _beside(lines[stop], lines[stop]):
        stop += 1
        role = _read([line.text for line in lines[start:stop]], this_year)
    return Block(start, stop, role) if role else None


def _complete(role: Role | None) -> bool:
    return role is not None and bool(role.title and role.employer)


def _beside(lower: Line, line: Line) -> bool:
    """True for a short plain line, no blank between, that may hold the title or the employer of a role."""
    if lower.after_blank or line.bullet or not _may_head(line) or DATE.search(line.text):
        return False
    words = line.text.split()
    return len(words) <= 8 and words[0][0].isupper() and not is_verb(form(words[0]))


def _may_head(line: Line) -> bool:
    return len(line.text) <= _LONGEST and not line.text.endswith((".", "!", "?"))


def _read(texts: list[str], this_year: int) -> Role | None:
    text = " | ".join(texts)
    years = period(text, this_year)
    if years is None:
        return None
    parts = [part for part in map(_undated, _PARTS.split(text)) if part]
    title = next((part for part in parts if is_title(part)), "")
    employer = next((part for part in parts if part != title), "")
    if not title and not employer:
        return None
    return Role(title, employer, *years, current=bool(PRESENT.search(text)))


def _undated(part: str) -> str:
    rest = DATE.sub("", part)
    if rest == part and not PRESENT.fullmatch(part.strip(_SIGNS)):
        return part.strip(_SIGNS)
    return PRESENT.sub("", rest).strip(_SIGNS)
