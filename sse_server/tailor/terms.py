"""Terms: what a text speaks of, as phrases; and which of them matter, ranked by how often and where they stand."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final

from msgspec import Struct

from sse_server.tailor import lexicon, synonyms
from sse_server.tailor.words import Token, adjacent, form, tokens

_PHRASE: Final = 4
"""Words in the longest phrase."""


class Phrase(Struct, frozen=True):
    """One to four words that stand together and mean something. `weight` is how much they tell, about 0.3 to 2."""

    text: str
    forms: tuple[str, ...]
    start: int
    end: int
    weight: float


class Term(Struct, frozen=True):
    """What a posting asks for, as it spells it first; `score` is only good for comparing."""

    text: str
    forms: tuple[str, ...]
    score: float


def phrases(text: str) -> list[Phrase]:
    """What a text speaks of: its words without the ones that say nothing, joined where they stand together."""
    found: list[Phrase] = []
    run: list[Token] = []
    for token in tokens(text):
        if run and not adjacent(run[-1], token, text):
            found += _cut(run, text)
            run = []
        if token.number or says_nothing(token):
            found += _cut(run, text)
            run = []
        else:
            run.append(token)
    return found + _cut(run, text)


def says_nothing(token: Token) -> bool:
    """True for stop words and for what every posting says."""
    return token.form in _EMPTY or (len(token.form) == 1 and token.text not in synonyms.CASED and token.text.isascii())


def rank(texts: Iterable[tuple[str, float]], limit: int) -> list[Term]:
    """The terms of weighted texts, best first. Each repetition adds less than the one before.

    A term whose words all stand within better ones is left out; of equals the first one said comes first.
    """
    spelled: dict[tuple[str, ...], str] = {}
    scores: dict[tuple[str, ...], float] = {}
    counts: dict[tuple[str, ...], int] = {}
    for text, weight in texts:
        for phrase in phrases(text):
            spelled.setdefault(phrase.forms, phrase.text)
            counts[phrase.forms] = counts.get(phrase.forms, 0) + 1
            scores[phrase.forms] = scores.get(phrase.forms, 0.0) + weight * phrase.weight / counts[phrase.forms]
    ranked: list[Term] = []
    covered: set[str] = set()
    for key in sorted(scores, key=lambda key: -round(scores[key], 6)):
        if covered.issuperset(key):
            continue
        covered.update(key)
        ranked.append(Term(spelled[key], key, round(scores[key], 4)))
        if len(ranked) == limit:
            break
    return ranked


def contains(words: Sequence[str], wanted: Sequence[str]) -> bool:
    """True where `wanted` stands in `words` without a gap."""
    size = len(wanted)
    return any(words[at] == wanted[0] and words[at : at + size] == wanted for at in range(len(words) - size + 1))


def weight_of(token: Token) -> float:
    """How much one word tells: a name or a known term more, a word of every posting less.

    A capital tells something only within a line; where a line begins it is nothing but its beginning.
    """
    text = token.text
    if token.form in _LIGHT:
        return 0.3
    if token.form in _KNOWN or not text.isalpha() or (len(text) > 1 and text.lower() != text != text.capitalize()):
        return 1.5
    if text.istitle() and token.start:
        return 1.5
    return 0.6 if len(text) <= 3 and text.isascii() else 1.0


def is_light(form: str) -> bool:
    """True for a normal form that stands in nearly every posting."""
    return form in _LIGHT


def is_verb(form: str) -> bool:
    """True for a normal form of what people do."""
    return form in _VERBS


def _cut(run: list[Token], text: str) -> list[Phrase]:
    """A run of words as phrases: leading verbs by themselves, and what is long in parts."""
    found: list[Phrase] = []
    while len(run) > 1 and run[0].form in _VERBS:
        found.append(_phrase(run[:1], text))
        run = run[1:]
    while run:
        size = 3 if len(run) == _PHRASE + 1 else min(_PHRASE, len(run))
        found.append(_phrase(run[:size], text))
        run = run[size:]
    return found


def _phrase(part: list[Token], text: str) -> Phrase:
    weights = [weight_of(token) for token in part]
    telling = max(weights) + 0.25 * (len(part) - 1)
    start, end = part[0].start, part[-1].end
    return Phrase(text[start:end], tuple(token.form for token in part), start, end, min(2.0, telling))


_EMPTY: Final = frozenset(map(form, lexicon.STOP | lexicon.WEAK))
_VERBS: Final = frozenset(map(form, lexicon.VERBS))
_LIGHT: Final = _VERBS | frozenset(map(form, lexicon.NOUNS))
_KNOWN: Final = frozenset(synonyms.SAME) | frozenset(synonyms.CASED.values()) | frozenset(map(form, synonyms.IMPLIES))
