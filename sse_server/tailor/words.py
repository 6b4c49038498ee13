"""Words: a text as tokens in their normal forms, with figures told from words and known spellings made one.

No pattern here backtracks over more than a word, so the time is linear in the text, whatever the text.
"""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache
from itertools import pairwise
from string import ascii_letters
from typing import Final

from msgspec import Struct

from sse_server.tailor import synonyms
from sse_server.tailor.stem import stem

_CJK: Final = "\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff"
_WORD: Final = rf"[^\W\d_{_CJK}][^\W{_CJK}]*+"
_SCALE: Final = r"\s?(?:%|percent\b|million\b|billion\b|thousand\b|bn\b)|[kKmMbB](?!\w)"
_TOKEN: Final = re.compile(
    rf"""
    (?P<number> \d++(?:[.,]\d++)*+ (?:{_SCALE})? (?![A-Z]) )
  | (?P<word> (?: (?<!\w)\.(?=[A-Z]) )? (?: \d++(?=[A-Z]) )? {_WORD} (?: [.&'\u2019]{_WORD} )*+ (?: \+\+ | \# )? )
  | (?P<cjk> (?=(?P<pair>[{_CJK}]{{2}}))[{_CJK}] )
    """,
    re.VERBOSE,
)
_ZEROS: Final = {"thousand": 3, "k": 3, "million": 6, "m": 6, "billion": 9, "bn": 9, "b": 9}
_COUNTS: Final = {
    "two": "2",
    "three": "3",
    "four": "4",
    "five": "5",
    "six": "6",
    "seven": "7",
    "eight": "8",
    "nine": "9",
    "ten": "10",
    "eleven": "11",
    "twelve": "12",
}
_LONGEST_WORD: Final = 64


class Token(Struct, frozen=True):
    """One word, number or known multi-word term, where it stands and in its normal form."""

    text: str
    form: str
    start: int
    end: int
    number: bool = False


def tokens(text: str) -> list[Token]:
    """All words of a text in order, stop words too; spellings that the lexicon knows are one token."""
    return _joined([_token(match) for match in _TOKEN.finditer(text)], text)


def forms(text: str) -> tuple[str, ...]:
    """The normal forms of a text's words."""
    return tuple(token.form for token in tokens(text))


def form(word: str) -> str:
    """The normal form of one word: `Developed` and `developing` are `develop`, `K8s` is `kubernetes`."""
    return _canonical((_stemmed(word),))


def adjacent(one: Token, other: Token, text: str, gap: str = " -\u2011") -> bool:
    """True where nothing but a space or a hyphen (or what `gap` holds) is between two tokens."""
    return 0 < other.start - one.end <= 2 and not text[one.end : other.start].strip(gap)


def number(text: str) -> str:
    """The normal form of a figure: `1,200` and `1.2k` are `1200`, `40 percent` is `40%`."""
    figure = text.rstrip(f"%{ascii_letters} ")
    scale = text[len(figure) :].strip().lower()
    whole, comma, rest = figure.rpartition(",")
    plain = figure.replace(",", "") if len(rest) == 3 else f"{whole.replace(',', '')}{'.' if comma else ''}{rest}"
    zeros = _ZEROS.get(scale)
    if zeros is None or plain.count(".") > 1:
        return plain + ("%" if scale == "percent" else scale)
    before, _, after = plain.partition(".")
    return before + after.ljust(zeros, "0") if len(after) <= zeros else plain + scale


def _token(match: re.Match[str]) -> Token:
    text = match.group()
    if match["cjk"]:
        return Token(match["pair"], match["pair"], match.start(), match.start() + 2)
    if match["number"]:
        return Token(text, number(text), match.start(), match.end(), number=True)
    stemmed = _stemmed(text[:_LONGEST_WORD])
    return Token(text, stemmed, match.start(), match.end(), number=stemmed.isdecimal())


@lru_cache(maxsize=16384)
def _stemmed(word: str) -> str:
    if word in synonyms.CASED:
        return synonyms.CASED[word]
    plain = unicodedata.normalize("NFKC", word).casefold().replace("\u2019", "'").removesuffix("'s").rstrip("'")
    return _COUNTS.get(plain) or stem(plain)


def _joined(single: list[Token], text: str) -> list[Token]:
    found: list[Token] = []
    at = 0
    while at < len(single):
        part = single[at : at + _spelling(single, at, text)]
        start, end = part[0].start, part[-1].end
        normal = _canonical(tuple(token.form for token in part))
        found.append(part[0] if normal == part[0].form else Token(text[start:end], normal, start, end))
        at += len(part)
    return found


def _canonical(stems: tuple[str, ...]) -> str:
    return _SPELLED.get(stems) or stems[0]


def _spelling(single: list[Token], at: int, text: str) -> int:
    """How many tokens from here on make up one known spelling: the longest, else 1."""
    for size in range(min(_LONGEST.get(single[at].form, 1), len(single) - at), 1, -1):
        part = single[at : at + size]
        if tuple(token.form for token in part) in _SPELLED and all(
            adjacent(one, other, text, " -/\u2011") for one, other in pairwise(part)
        ):
            return size
    return 1


def _spellings() -> dict[tuple[str, ...], str]:
    table: dict[tuple[str, ...], str] = {}
    for canonical, others in synonyms.SAME.items():
        for spelling in [canonical, *filter(None, others.split(", "))]:
            words = re.split(r"[ /-]", spelling.removesuffix("'s").replace("'s ", " "))
            table[tuple(stem(word) for word in words)] = canonical
    return table


_SPELLED: Final = _spellings()
_LONGEST: Final = {key[0]: len(key) for key in sorted(_SPELLED, key=len)}
