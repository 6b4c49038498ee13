"""Skills: how a résumé itself spells the terms that a posting asks for, each to be told once."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from sse_server.tailor.resume import Resume
from sse_server.tailor.terms import Term, contains, is_light
from sse_server.tailor.words import forms, tokens

_ITEMS: Final = re.compile(r"[,;|/•·]\s*")
_LABEL: Final = re.compile(r"^[^:,;]{1,40}:\s*")
_LONGEST: Final = 4
"""Words of the longest item that reads well in a list."""


class Skills:
    """The posting's terms in the résumé's spelling, best first; what was taken or left out does not come again."""

    def __init__(self, resume: Resume, keywords: list[Term]) -> None:
        items = _items(resume)
        named = [(term, _spelled(term, items, resume)) for term in keywords]
        self._left = {text: forms(text) for _, text in named if text}

    def take(self, count: int) -> list[str]:
        """The next so many, fewer where there are no more."""
        taken: list[str] = []
        while self._left and len(taken) < count:
            text, words = next(iter(self._left.items()))
            taken.append(text)
            self._left = {other: its for other, its in self._left.items() if not set(its) <= set(words)}
        return taken

    def leave_out(self, text: str) -> None:
        """Pass over what a text has told already."""
        told = forms(text)
        self._left = {item: words for item, words in self._left.items() if not contains(told, words)}


def _items(resume: Resume) -> dict[tuple[str, ...], str]:
    found: dict[tuple[str, ...], str] = {}
    for line in resume.lines:
        if line.kind == "skill":
            first, *others = (item.strip(" .") for item in _ITEMS.split(_LABEL.sub("", line.text)))
            if others and all(other[:1].islower() for other in others) and first[1:].islower():
                first = first.lower()  # it has its capital only because it begins the line
            for item in filter(None, [first, *others]):
                found.setdefault(forms(item), item)
    return {words: item for words, item in found.items() if len(item.split()) <= _LONGEST}


def _spelled(term: Term, items: dict[tuple[str, ...], str], resume: Resume) -> str:
    """The item of a skills list that holds the term, else the name that some other line has for it, else nothing."""
    if term.forms in items:
        return items[term.forms]
    if not all(map(is_light, term.forms)):
        for words, item in items.items():
            if contains(words, term.forms):
                return item
    return next(_names(term, resume), "")


def _names(term: Term, resume: Resume) -> Iterator[str]:
    """Where a line of the résumé says the term as a name: with a capital or a sign, not as the first of a line."""
    for line in resume.lines:
        if line.kind in {"private", "role", "education", "certificate"} or not contains(line.forms, term.forms):
            continue
        words = tokens(line.text)
        for at in range(len(words) - len(term.forms) + 1):
            part = words[at : at + len(term.forms)]
            named = all(not word.text.islower() and word.start for word in part)
            if named and tuple(word.form for word in part) == term.forms:
                yield line.text[part[0].start : part[-1].end]
