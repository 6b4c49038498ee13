"""The posting: its title, what it requires, what it would like, and the terms that matter to it, ranked."""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import islice
from typing import Final

from msgspec import Struct

from sse_server.tailor.headings import POSTING
from sse_server.tailor.lines import Line, read_lines
from sse_server.tailor.result import Need
from sse_server.tailor.roles import is_title
from sse_server.tailor.sentences import split_sentences
from sse_server.tailor.terms import Phrase, Term, phrases, rank
from sse_server.tailor.years import years_asked

WEIGHTS: Final[dict[Need, float]] = {"required": 1.0, "preferred": 0.4, "duty": 0.3}
"""How much a requirement of each kind counts for the coverage."""

MOST: Final = 80
"""Requirements that are read; what comes after so many is no posting any more."""

_GROUPS: Final = 20
"""Things that one requirement asks for; with `MOST` it bounds the time of matching."""

TERMS: Final = 40

_RANKED: Final = {"required": 3.0, "duty": 1.5, "preferred": 1.2, "about": 0.4, "other": 0.6, "offer": 0.0}
_TITLE: Final = 4.0
_PREFERRED: Final = re.compile(
    r"\b(?:nice to have|(?:is|are|would be) (?:a |an )?(?:big )?(?:plus|bonus|advantage)|a plus|preferred|desirable)\b",
    re.IGNORECASE,
)
_REQUIRED: Final = re.compile(
    r"\b(?:must|require[sd]?|you have|you are|you bring|experience|knowledge|proficien\w+|ability to|familiar\w*)\b",
    re.IGNORECASE,
)
_LABEL: Final = re.compile(
    r"(?:job title|job|title|position|role|vacancy|stelle|poste|puesto)\s?:\s?(?=\S)", re.IGNORECASE
)


class Requirement(Struct, frozen=True):
    """One thing that is asked for. Each group is met by any one of its phrases: `Python, Go or Rust` is one group."""

    text: str
    need: Need
    groups: tuple[tuple[Phrase, ...], ...]
    years: int = 0
    """Years of experience that it asks for; 0 where it names none."""


class Posting(Struct, frozen=True):
    """What a posting says, read."""

    title: str
    requirements: tuple[Requirement, ...]
    terms: tuple[Term, ...]


def read_posting(text: str) -> Posting:
    """Read any text as a posting. Without headings its bullets are its requirements, without bullets its sentences."""
    lines = read_lines(text, POSTING)
    title = _title(lines)
    placed = list(_placed(lines))
    return Posting(
        title=title,
        requirements=tuple(_requirements(placed, title)),
        terms=tuple(term for term in rank(_weighted(placed, title), TERMS) if not is_title(term.text)),
    )


def _title(lines: list[Line]) -> str:
    for line in lines[:10]:
        if label := _LABEL.match(line.text):
            return line.text[label.end() :][:120]
    named = (line.text for line in lines if not line.bullet and line.section in {None, "other"})
    first = next(named, "")
    return first if len(first) <= 120 and not first.endswith((".", "!")) else ""


def _placed(lines: list[Line]) -> Iterator[tuple[str, Line]]:
    """Each line that is no heading, with the section that it stands in."""
    section = "other"
    for line in lines:
        if line.section is None:
            yield section, line
        elif line.section != "other" or not line.text.endswith(":"):
            section = line.section


def _weighted(placed: list[tuple[str, Line]], title: str) -> Iterator[tuple[str, float]]:
    yield title, _TITLE
    for at, (section, line) in enumerate(placed):
        if weight := _RANKED[_need(section, line.text) or section]:
            yield line.text, weight * (1.0 + 0.3 / (1 + at / 10))  # what comes first matters a little more


def _requirements(placed: list[tuple[str, Line]], title: str) -> Iterator[Requirement]:
    asked = [(_need(section, line.text), line.bullet and section == "other", line.text) for section, line in placed]
    found = [(need, text) for need, _, text in asked if need]
    if not any(need == "required" for need, _ in found):
        found = [(need or "required", text) for need, loose, text in asked if need or loose]
    if not found:
        found = [("required", each) for each in _sentences(placed, title)]
    count = 0
    for need, text in found:
        requirement = _requirement(text, need)
        if requirement.groups or requirement.years:
            yield requirement
            count += 1
        if count == MOST:
            return


def _sentences(placed: list[tuple[str, Line]], title: str) -> list[str]:
    lines = [line.text for section, line in placed if section != "offer" and line.text != title]
    every = [each for text in lines for each in split_sentences(text)]
    return [each for each in every if _REQUIRED.search(each)] or every or [title]


def _need(section: str, text: str) -> Need | None:
    match section:
        case "required" | "preferred" | "duty":
            if _PREFERRED.search(text):
                return "preferred"
            return section
        case _:
            return None


def _requirement(text: str, need: Need) -> Requirement:
    return Requirement(text, need, tuple(islice(_groups(text), _GROUPS)), years_asked(text))


def _groups(text: str) -> Iterator[tuple[Phrase, ...]]:
    """Phrases, those that a list offers as alternatives together."""
    chain: list[Phrase] = []
    either = False
    for phrase in phrases(text):
        link = _link(text[chain[-1].end : phrase.start]) if chain else None
        if link is None and chain:
            yield from _chained(chain, either=either)
            chain, either = [], False
        chain.append(phrase)
        either = either or link == "or"
    yield from _chained(chain, either=either)


def _chained(chain: list[Phrase], *, either: bool) -> Iterator[tuple[Phrase, ...]]:
    if either:
        yield tuple(chain[:_GROUPS])
    else:
        yield from ((phrase,) for phrase in chain)


def _link(between: str) -> str | None:
    """How two phrases of a list are joined: `or`, `and`, or None where they are no list."""
    words = between.replace(",", " , ").replace("/", " or ").replace("(", " ( ").split()
    if not words or len(words) > 3 or "(" in words:
        return None
    if set(words) <= {",", "or", "and", "oder", "ou", "o", "eller", "a", "an", "another"}:
        return "or" if {"or", "oder", "ou", "eller"} & set(words) else "and"
    return None
