"""The résumé: who it is of, the roles it lists, and every line that can stand as evidence, with its kind."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final, Literal

from msgspec import Struct

from sse_server.tailor.headings import RESUME
from sse_server.tailor.lines import Line, read_lines
from sse_server.tailor.roles import Block, Role, find_roles, is_title
from sse_server.tailor.synonyms import IMPLIES
from sse_server.tailor.words import form, forms
from sse_server.tailor.years import span, years_asked

Kind = Literal[
    "achievement", "role", "project", "profile", "skill", "education", "certificate", "volunteering", "other", "private"
]

_CONTACT: Final = re.compile(
    r"[\w.+-]{1,64}@[\w.-]{1,255}|https?://\S{1,300}|(?<![\w.])\+?\(?\d[\d ()./-]{7,20}\d(?!\w)", re.ASCII
)
_IMPLIES: Final = {form(thing): frozenset(form(other) for other in others) for thing, others in IMPLIES.items()}


class Evidence(Struct, frozen=True):
    """One line of a résumé. `role` is the place in `Resume.roles` of the job that it belongs to."""

    text: str
    kind: Kind
    section: str
    role: int | None
    forms: tuple[str, ...]
    shown: frozenset[str]
    """Its normal forms, and those that they imply: who shows PostgreSQL has shown SQL."""


class Resume(Struct, frozen=True):
    """What a résumé says, read."""

    name: str
    headline: str
    contact: tuple[str, ...]
    roles: tuple[Role, ...]
    lines: tuple[Evidence, ...]

    @property
    def years(self) -> int:
        """Years that its roles cover, or that it says of itself."""
        return max(span((role.start, role.end) for role in self.roles), self._stated())

    def years_with(self, wanted: frozenset[str]) -> int:
        """Years that the roles cover in which any of these normal forms is shown, or that are said of them."""
        shown = {line.role for line in self.lines if line.role is not None and not wanted.isdisjoint(line.shown)}
        return max(span((self.roles[at].start, self.roles[at].end) for at in shown), self._stated(wanted))

    def _stated(self, wanted: frozenset[str] | None = None) -> int:
        """Years that a line names which speaks of the whole career, of one of these normal forms if any are given."""
        own = (line for line in self.lines if line.kind in {"profile", "other", "skill"})
        return max(
            (years_asked(line.text) for line in own if not wanted or not wanted.isdisjoint(line.shown)), default=0
        )


class _Placed(Struct, frozen=True):
    """A line that is no heading, the section it stands in, and that section's heading."""

    line: Line
    section: str
    heading: str


def read_resume(text: str, *, this_year: int) -> Resume:
    """Read any text as a résumé. What lasts until `present` lasts until `this_year`."""
    lines = read_lines(text, RESUME)
    name = _name(lines)
    placed = list(_placed([line for line in lines if line.text != name]))
    blocks = list(_blocks(placed, this_year))
    contact = [found.strip() for line in lines[:12] for found in _CONTACT.findall(line.text) if _is_contact(found)]
    return Resume(
        name=name,
        headline=next((each.line.text for each in placed[:3] if _is_headline(each)), ""),
        contact=tuple(dict.fromkeys(contact)),
        roles=tuple(block.role for block in blocks),
        lines=tuple(_evidence(placed, blocks)),
    )


def _name(lines: list[Line]) -> str:
    """The first line, if it reads like the name of somebody."""
    if not lines or lines[0].bullet or lines[0].section not in {None, "other"} or is_title(lines[0].text):
        return ""
    words = lines[0].text.partition(",")[0].split()
    named = all(word[0].isupper() and not set(word) & set("0123456789@:/|,;()") for word in words)
    return lines[0].text if named and 2 <= len(words) <= 5 else ""


def _is_headline(placed: _Placed) -> bool:
    return not placed.section and is_title(placed.line.text) and not placed.line.text.endswith(".")


def _placed(lines: list[Line]) -> Iterator[_Placed]:
    section, heading = "", ""
    for line in lines:
        # Within these an unknown heading is the name of an employer, a project or a school.
        if line.section and not (line.section == "other" and section in {"experience", "project", "education"}):
            section, heading = line.section, line.text
        else:
            yield _Placed(line, section, heading)


def _blocks(placed: list[_Placed], this_year: int) -> Iterator[Block]:
    """The roles of a résumé. Outside of its experience only what has a title is one: a school has years, too."""
    at = 0
    while at < len(placed):
        end = at
        while end < len(placed) and placed[end].heading == placed[at].heading:
            end += 1
        if placed[at].section in {"experience", "other", ""}:
            for block in find_roles([each.line for each in placed[at:end]], this_year):
                if block.role.title or placed[at].section == "experience":
                    yield Block(block.start + at, block.stop + at, block.role)
        at = end


def _evidence(placed: list[_Placed], blocks: list[Block]) -> Iterator[Evidence]:
    heads = {at: place for place, block in enumerate(blocks) for at in range(block.start, block.stop)}
    role: int | None = None
    heading = ""
    for at, each in enumerate(placed):
        role = heads.get(at, role if each.heading == heading else None)
        heading = each.heading
        if each.line.section and at not in heads:
            continue  # a heading within a role's lines
        text = _CONTACT.sub(lambda found: "" if _is_contact(found.group()) else found.group(), each.line.text)
        text = text.strip(" |,;")
        if any(map(str.isalnum, text)):
            yield _line(text, "role" if at in heads else _kind(each), each.heading, role)


def _is_contact(text: str) -> bool:
    return "@" in text or "://" in text or sum(map(str.isdigit, text)) >= 9


def _kind(placed: _Placed) -> Kind:
    match placed.section:
        case "project" | "profile" | "skill" | "education" | "certificate" | "volunteering" | "private":
            return placed.section
        case "experience":
            return "achievement"
        case _:
            return "achievement" if placed.line.bullet else "other"


def _line(text: str, kind: Kind, section: str, role: int | None) -> Evidence:
    words = forms(text)
    if kind == "certificate":
        words = (*words, form("certificate"))  # what the heading says of each line
    implied = frozenset[str]().union(*(_IMPLIES[word] for word in words if word in _IMPLIES))
    return Evidence(text, kind, section, role, words, implied | frozenset(words))
