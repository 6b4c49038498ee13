"""Clauses: a résumé's line as a part of a sentence, and sentences put together from such parts."""

# ruff: noqa: SIM905  (a table of words is read as words)

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final

from sse_server.tailor.synonyms import CASED
from sse_server.tailor.terms import is_verb
from sse_server.tailor.words import form

_LONGEST: Final = 200
_SHORTEST: Final = 40
_LEADS: Final = re.compile(r"(?:I\s(?:have\s)?|(?:was\s)?responsible\sfor\s(?=\w+ing\b))", re.IGNORECASE)
_ALSO_VERBS: Final = frozenset(
    """
    administer assemble audit budget calibrate care cater code compile cook curate diagnose draft host inspect install
    interview moderate onboard order patrol recruit schedule script sketch stock transport treat triage weld
    """.split()
)
"""Verbs at the head of a line that are things, and requirements, elsewhere."""

_BOUNDARY: Final = re.compile(r"[;,]\s|\s[—–-]\s|\.\s")  # noqa: RUF001


def as_clause(text: str) -> str:
    """The line without its full stop, clipped where a part of it ends, its first verb in lower case."""
    clause = _LEADS.sub("", text.strip().rstrip(".;,"), count=1) if _LEADS.match(text) else text.strip().rstrip(".;,")
    clause = _clipped(clause)
    return clause[:1].lower() + clause[1:] if begins_with_verb(clause) else clause


def as_sentence(text: str, *, capital: bool = True) -> str:
    """The text with a full stop, and with a capital where that makes no other word of its first."""
    clause = _clipped(text.strip().rstrip(" .;,:|"), 2 * _LONGEST)
    if not clause:
        return ""
    first, upper = clause.split()[0], clause[0].upper()
    if capital and len(upper) == 1 and form(first) == form(upper + first[1:]):
        clause = upper + clause[1:]
    return clause if clause.endswith(("!", "?", "…", "。")) else f"{clause}."


def begins_with_verb(text: str) -> bool:
    """True for `Built a service` and `cut costs`, where the first word is what somebody did."""
    word = text.split(maxsplit=1)[0] if text.strip() else ""
    regular = word[1:].islower() and word.isalpha()
    return regular and (is_verb(form(word)) or word.lower() in _ALSO_VERBS or (word.endswith("ed") and len(word) > 4))


def listed(items: Sequence[str]) -> str:
    """`a, b and c`."""
    return f"{', '.join(items[:-1])} and {items[-1]}" if len(items) > 1 else "".join(items)


def titled(text: str) -> str:
    """A job title that is written in capitals as it is written elsewhere."""
    if not text.isupper():
        return text
    return " ".join(word if word in CASED or len(word) <= 3 else word.capitalize() for word in text.split())


def _clipped(text: str, longest: int = _LONGEST) -> str:
    if len(text) <= longest:
        return text
    ends = [found.start() for found in _BOUNDARY.finditer(text, _SHORTEST, longest)]
    end = ends[-1] if ends else text.rfind(" ", _SHORTEST, longest)
    return text[: end if end > 0 else longest].rstrip(" ,;")
