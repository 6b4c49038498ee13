"""Sentences: where one ends, which a full stop alone does not say."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

_WIDE: Final = "。！？"  # noqa: RUF001  (they end sentences in their languages)
_END: Final = re.compile(rf"(?<![.!?…])[.!?…]++[\"')\]”\u2019»]*+(?=\s)|[{_WIDE}]")
_ABBREVIATIONS: Final = re.compile(
    r"(?:approx|co|corp|dept|dr|e\.g|etc|i\.e|inc|jr|ltd|mrs?|ms|mt|no|nr|prof|resp|sr|st|vs|[^\W\d_])\."
)


def split_sentences(text: str) -> list[str]:
    """The sentences of a text, without the space between them. `about 3 p.m. on Mondays` and `Dr. Ek` are not cut."""
    found: list[str] = []
    start = 0
    for end in _END.finditer(text):
        if _ends(text, start, end):
            found.append(text[start : end.end()].strip())
            start = end.end()
    found.append(text[start:].strip())
    return [sentence for sentence in found if sentence]


def pieces(text: str, longest: int) -> Iterator[str]:
    """A text as sentences, and sentences without an end in sight as parts of at most `longest` characters."""
    for sentence in split_sentences(text):
        start = 0
        while len(sentence) - start > longest:
            space = sentence.rfind(" ", start, start + longest)
            cut = space if space > start else start + longest
            yield sentence[start:cut].strip()
            start = cut
        yield sentence[start:].strip()


def _ends(text: str, start: int, end: re.Match[str]) -> bool:
    if end.group() in _WIDE:
        return True
    following = text[end.end() : end.end() + 2].strip()[:1]
    if following.islower() or following.isdecimal():
        return False
    word = text[max(start, end.start() - 12) : end.end()].rpartition(" ")[2].lower()
    return not _ABBREVIATIONS.fullmatch(word)
