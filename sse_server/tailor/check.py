"""The check: what a summary claims and the résumé does not show, and the summary without it.

A claim is a figure, a number of years, a name, a title or any word that is not of every summary. It must stand in the
résumé: a figure in a line that speaks of the same thing, a name and a title with their words in one line.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import groupby, pairwise
from typing import Final

from msgspec import Struct

from sse_server.tailor.lexicon import PLAIN, SENIORITY, STOP, TITLES
from sse_server.tailor.result import ClaimKind
from sse_server.tailor.resume import Resume
from sse_server.tailor.sentences import split_sentences
from sse_server.tailor.terms import is_light
from sse_server.tailor.words import Token, adjacent, form, forms, tokens
from sse_server.tailor.years import years_asked, years_claimed

_PLAIN: Final = frozenset(map(form, STOP | PLAIN))
_SENIORITY: Final = frozenset(map(form, SENIORITY))
_TITLES: Final = frozenset(map(form, TITLES))
_CLAUSE_END: Final = re.compile(r"[,;:()—]|\s[–-]\s")  # noqa: RUF001
_LIST: Final = re.compile(r"(,? (?:and|or) |, )")


class Claim(Struct, frozen=True):
    """Something that a sentence says and the résumé does not; `repaired` where the rest of the sentence could stay."""

    sentence: str
    claim: str
    kind: ClaimKind
    repaired: bool = False


class Grounds:
    """What a résumé gives grounds to say."""

    def __init__(self, resume: Resume) -> None:
        self.resume = resume
        others = [resume.name, resume.headline, *resume.contact, *{line.section for line in resume.lines}]
        self.lines = [line.shown for line in resume.lines] + [frozenset(forms(text)) for text in others]
        self.shown = frozenset[str]().union(*self.lines)
        self.periods = frozenset(str(year) for role in resume.roles for year in (role.start, role.end))
        self._lines_with: dict[str, list[frozenset[str]]] = {}
        for line in self.lines:
            for word in line:
                self._lines_with.setdefault(word, []).append(line)

    def together(self, words: frozenset[str]) -> bool:
        """True where one line shows all of these."""
        rarest = min(words, key=lambda word: len(self._lines_with.get(word, [])))
        return any(words <= line for line in self._lines_with.get(rarest, []))

    def figure(self, number: str, about: frozenset[str]) -> bool:
        """True where a line shows this figure and something of what it is said about, or nothing but the figure."""
        lines = self._lines_with.get(number, [])
        if not about or (lines and number in self.periods):
            return bool(lines)
        return any(not about.isdisjoint(line) or all(map(_says_nothing, line - {number})) for line in lines)

    def years(self, claimed: int, about: frozenset[str]) -> bool:
        """True where the dates of the roles, or a line's own words, show so many years of something, or in all."""
        dated = self.resume.years_with(about) if about else self.resume.years
        return claimed <= dated or any(
            claimed <= years_asked(line.text) and (not about or not about.isdisjoint(line.shown))
            for line in self.resume.lines
        )


def unsupported(text: str, grounds: Grounds) -> list[Claim]:
    """Every claim of a text that the résumé does not show, sentence by sentence."""
    return [
        Claim(sentence, claim, kind)
        for sentence in split_sentences(text)
        for claim, kind in dict(reversed(list(_claims(sentence, grounds)))).items()
    ]


def supported(text: str, grounds: Grounds) -> tuple[str, list[Claim]]:
    """The text with nothing unsupported left in it, and what was taken out.

    A sentence that says more than the résumé loses a list's item or its last clause, if that mends it; else it goes.
    """
    kept: list[str] = []
    removed: list[Claim] = []
    for sentence in split_sentences(text):
        claims = unsupported(sentence, grounds)
        mended = _mended(sentence, grounds) if claims else sentence
        if mended:
            kept.append(mended)
        removed += [Claim(sentence, each.claim, each.kind, repaired=bool(mended)) for each in claims]
    return " ".join(kept), removed


def _claims(sentence: str, grounds: Grounds) -> Iterator[tuple[str, ClaimKind]]:
    words = tokens(sentence)
    yield from _unshown_words(sentence, words, grounds)
    yield from _unshown_figures(sentence, words, grounds)
    yield from _unshown_titles(sentence, words, grounds)
    yield from _unshown_names(sentence, words, grounds)


def _unshown_words(sentence: str, words: list[Token], grounds: Grounds) -> Iterator[tuple[str, ClaimKind]]:
    run: list[Token] = []
    for token in [*words, None]:
        if run and (token is None or token.form in grounds.shown or not adjacent(run[-1], token, sentence)):
            text = sentence[run[0].start : run[-1].end]
            yield text, "name" if text[0].isupper() and run[0].start else "term"
            run = []
        if token and not token.number and not _is_plain(token) and token.form not in grounds.shown:
            run.append(token)


def _unshown_figures(sentence: str, words: list[Token], grounds: Grounds) -> Iterator[tuple[str, ClaimKind]]:
    about = frozenset(token.form for token in words if not token.number and not _is_plain(token))
    in_years = years_claimed(sentence)
    for years, start, end in in_years:
        if not grounds.years(years, _object(sentence[end:])):
            yield sentence[start:end], "years"
    for token in words:
        is_years = any(start <= token.start < end for _, start, end in in_years)
        if token.number and not is_years and not grounds.figure(token.form, about):
            yield token.text, "number"


def _object(rest: str) -> frozenset[str]:
    """What a number of years is said of: the next words of its clause that tell something."""
    clause = _CLAUSE_END.split(rest, maxsplit=1)[0]
    telling = [(token.form, not _is_plain(token) and not is_light(token.form)) for token in tokens(clause)]
    runs = [[word for word, _ in run] for tells, run in groupby(telling, key=lambda pair: pair[1]) if tells]
    return frozenset(runs[0]) if runs else frozenset()


def _unshown_titles(sentence: str, words: list[Token], grounds: Grounds) -> Iterator[tuple[str, ClaimKind]]:
    for at, token in enumerate(words):
        if token.form not in _TITLES:
            continue
        start = at
        while start > 0 and at - start < 4 and adjacent(words[start - 1], words[start], sentence, " -"):
            start -= 1
        before = [each for each in words[start:at] if each.form in _SENIORITY or each is words[at - 1]]
        claimed = frozenset(each.form for each in [*before, token] if not _is_plain(each))
        if claimed <= grounds.shown and not grounds.together(claimed):
            yield sentence[(before or [token])[0].start : token.end], "title"


def _unshown_names(sentence: str, words: list[Token], grounds: Grounds) -> Iterator[tuple[str, ClaimKind]]:
    run: list[Token] = []
    for token in [*words, None]:
        if run and (token is None or not _is_name(token) or not adjacent(run[-1], token, sentence)):
            claimed = frozenset(each.form for each in run)
            if len(claimed) > 1 and claimed <= grounds.shown and not grounds.together(claimed):
                yield sentence[run[0].start : run[-1].end], "name"
            run = []
        if token and _is_name(token):
            run.append(token)


def _is_name(token: Token) -> bool:
    return token.text[0].isupper() and not (token.start == 0 and _is_plain(token))


def _is_plain(token: Token) -> bool:
    adverb = token.text.endswith("ly") and len(token.text) > 4 and (token.start == 0 or token.text.islower())
    return adverb or _says_nothing(token.form)


def _says_nothing(word: str) -> bool:
    return word in _PLAIN or (len(word) == 1 and word.isascii() and not word.isdecimal())


def _mended(sentence: str, grounds: Grounds) -> str:
    """The sentence without the parts of its list, or without the last clause, that claim too much; empty if in vain."""
    end = sentence[len(sentence.rstrip(".!?")) :]
    pieces = _LIST.split(sentence.removesuffix(end))
    parts = list(zip(["", *pieces[1::2]], pieces[::2], strict=True))
    good = [not unsupported(part, grounds) for _, part in parts]
    is_list = "and" in parts[-1][0] or "or" in parts[-1][0]
    dropped = [part for (_, part), fine in zip(parts, good, strict=True) if not fine]
    short = all(len(part.split()) <= 4 for part in dropped)
    trailing = not any(later and not earlier for earlier, later in pairwise(good))
    if not good[0] or not (trailing or (is_list and short)):
        return ""
    left = [part for part, fine in zip(parts, good, strict=True) if fine]
    joined = "".join(separator + part for separator, part in left[:-1])
    separator, last = left[-1]
    if is_list and short and len(left) > 1:
        separator = parts[-1][0]
    mended = joined + separator + last + end
    return mended if len(mended.split()) >= 4 and not unsupported(mended, grounds) else ""
