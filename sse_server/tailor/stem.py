"""Stemming: a word without its ending, so that `developed` and `developing` meet; light, English, and never clever."""

from __future__ import annotations

from typing import Final

from sse_server.tailor.lexicon import IRREGULAR, UNSTEMMED

_PLURALS: Final = (("ies", "y", 2), ("sses", "ss", 1), ("ches", "ch", 2), ("shes", "sh", 2), ("xes", "x", 2))
_ENDINGS: Final = (
    ("ability", "abl", 2),
    ("able", "abl", 3),
    ("ization", "iz", 3),
    ("isation", "iz", 3),
    ("izing", "iz", 3),
    ("ising", "iz", 3),
    ("ized", "iz", 3),
    ("ised", "iz", 3),
    ("ize", "iz", 3),
    ("ise", "iz", 3),
    ("ation", "", 4),
    ("ating", "", 4),
    ("ated", "", 4),
    ("ate", "", 4),
    ("ment", "", 5),
    ("ing", "", 3),
    ("ion", "", 5),
    ("ed", "", 3),
)
"""Ending, what takes its place, and how many letters must stand before it; the first that fits counts."""

_VOWELS: Final = frozenset("aeiouy")


def stem(word: str) -> str:
    """The stem of a word in lower case. Words of other alphabets, short ones and exceptions stay as they are."""
    word = IRREGULAR.get(word, word)
    if len(word) <= 3 or word in UNSTEMMED or not word.isascii() or not word.isalpha():
        return word
    word = _singular(word)
    for ending, instead, least in _ENDINGS:
        rest = word[: len(word) - len(ending)]
        if word.endswith(ending) and len(rest) >= least and not _VOWELS.isdisjoint(rest) and word not in UNSTEMMED:
            word = _undoubled(rest) + instead
            break
    if word.endswith("ll") and len(word) > 5:
        word = word[:-1]
    if word.endswith("e") and len(word) > 3:
        return word[:-1]
    return word[:-1] + "i" if word.endswith("y") else word


def _singular(word: str) -> str:
    for plural, instead, least in _PLURALS:
        if word.endswith(plural) and len(word) - len(plural) >= least:
            return word[: len(word) - len(plural)] + instead
    return word[:-1] if word.endswith("s") and not word.endswith(("ss", "us", "is")) else word


def _undoubled(word: str) -> str:
    doubled = len(word) > 3 and word[-1] == word[-2] and word[-1] in "bdgmnprt"
    return word[:-1] if doubled else word
