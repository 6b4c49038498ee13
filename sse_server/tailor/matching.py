"""Matching: for each requirement the lines of the résumé that show it, how much they show, and what is absent."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Final

from msgspec import Struct

from sse_server.tailor.posting import WEIGHTS, Posting, Requirement
from sse_server.tailor.resume import Evidence, Kind, Resume
from sse_server.tailor.terms import Phrase, Term, contains, is_light
from sse_server.tailor.years import years_asked

EVIDENCED: Final = 0.5
"""Coverage from which a requirement counts as met; below it, what was found is a start."""

_LINES: Final = 3
"""Evidence lines for one requirement."""

_POSTED, _LOOKED_AT = 100, 50
"""Lines that are found by one word, the first ones, and lines that are looked at: these bound the time."""

_STRENGTH: Final[dict[Kind, float]] = {
    "achievement": 1.0,
    "project": 0.95,
    "certificate": 0.9,
    "education": 0.9,
    "profile": 0.8,
    "skill": 0.8,
    "role": 0.8,
    "volunteering": 0.8,
    "other": 0.75,
    "private": 0.1,
}
"""What a line is worth where several show the same."""

_IMPLIED: Final = 0.9
"""What one thing implies is worth so much of the thing itself."""

_PART: Final = 0.8
"""A phrase whose words stand apart is worth so much of one that stands together."""


class Found(Struct, frozen=True):
    """A line that shows something of a requirement; `score` is the share of it that this line alone shows."""

    evidence: Evidence
    score: float


class Match(Struct, frozen=True):
    """A requirement and its best lines, the best first. `coverage` is 0 to 1; `absent` is what no line shows."""

    requirement: Requirement
    found: tuple[Found, ...]
    coverage: float
    shown: tuple[Phrase, ...]
    absent: tuple[str, ...]
    years: int | None = None
    """Years that the résumé's dates show of it, None where none are asked for or no date tells."""

    @property
    def met(self) -> bool:
        """True where enough of the requirement is shown, by some line."""
        return self.coverage >= EVIDENCED and bool(self.found)


class Index:
    """The lines of a résumé by the normal forms that they show."""

    def __init__(self, resume: Resume) -> None:
        self.lines = resume.lines
        self._by_form: dict[str, list[int]] = {}
        for at, line in enumerate(resume.lines):
            if line.kind != "private":
                for form in line.shown:
                    self._by_form.setdefault(form, []).append(at)

    def lines_with(self, forms: tuple[str, ...]) -> Iterator[int]:
        """Places of lines that show any of these forms."""
        for form in forms:
            yield from self._by_form.get(form, [])[:_POSTED]

    def shows(self, forms: tuple[str, ...]) -> bool:
        """True where one line shows all of these forms."""
        return any(self.lines[at].shown.issuperset(forms) for at in self.lines_with(forms[:1]))


def match_all(posting: Posting, resume: Resume, index: Index) -> list[Match]:
    """A match for each requirement, in the posting's order."""
    return [match(requirement, resume, index) for requirement in posting.requirements]


def match(requirement: Requirement, resume: Resume, index: Index) -> Match:
    """The lines for one requirement: each next one is the one that adds most to what is shown."""
    groups = requirement.groups
    hits = Counter(at for group in groups for phrase in group for at in index.lines_with(phrase.forms))
    scores = {at: [_group_score(group, index.lines[at]) for group in groups] for at, _ in hits.most_common(_LOOKED_AT)}
    weights = [max(phrase.weight for phrase in group) for group in groups]
    best = [0.0] * len(groups)
    found: list[Found] = []
    while scores and len(found) < _LINES:
        at, gain = _next_best(scores, weights, best, index)
        if gain <= 0:
            break
        found.append(Found(index.lines[at], round(_share(scores[at], weights), 3)))
        best = [max(pair) for pair in zip(best, scores.pop(at), strict=True)]
    coverage, years, dated = _with_years(requirement, resume, _share(best, weights))
    return Match(
        requirement=requirement,
        found=tuple(found or dated),
        coverage=round(coverage, 3),
        shown=tuple(phrase for group in groups for phrase in group if index.shows(phrase.forms)),
        absent=tuple(
            _named(group) for group, score in zip(groups, best, strict=True) if score < EVIDENCED and _tells(group)
        ),
        years=years,
    )


def coverage_of(matches: list[Match]) -> int:
    """How much of a posting a résumé shows, in per cent, required things counting most."""
    weighed = [(WEIGHTS[each.requirement.need], each.coverage) for each in matches]
    whole = sum(weight for weight, _ in weighed)
    return round(100 * sum(weight * coverage for weight, coverage in weighed) / whole) if whole else 0


def keywords(posting: Posting, index: Index) -> tuple[list[Term], list[Term]]:
    """The posting's terms that the résumé shows, and those that it does not, each best first."""
    telling = {term: tuple(form for form in term.forms if not is_light(form)) for term in posting.terms}
    shown = [term for term, forms in telling.items() if forms and index.shows(forms)]
    return shown, [term for term, forms in telling.items() if forms and term not in shown]


def _next_best(
    scores: Mapping[int, list[float]], weights: list[float], best: list[float], index: Index
) -> tuple[int, float]:
    def gain(at: int) -> float:
        added = sum(
            weight * max(0.0, score - had) for weight, score, had in zip(weights, scores[at], best, strict=True)
        )
        return added * _STRENGTH[index.lines[at].kind]

    at = max(scores, key=lambda at: (gain(at), -at))
    return at, gain(at)


def _group_score(group: tuple[Phrase, ...], line: Evidence) -> float:
    return max(_score(phrase.forms, line) for phrase in group)


def _score(forms: tuple[str, ...], line: Evidence) -> float:
    """1 where a line says a phrase, less where its words stand apart, 0 where hardly any is there."""
    if len(forms) == 1:
        return 1.0 if forms[0] in line.forms else _IMPLIED * (forms[0] in line.shown)
    if contains(line.forms, forms):
        return 1.0
    worth = {form: 0.3 if is_light(form) else 1.0 for form in forms}
    share = sum(worth[form] for form in worth if form in line.shown) / sum(worth.values())
    return _PART * share if share >= EVIDENCED else 0.0


def _share(scores: list[float], weights: list[float]) -> float:
    whole = sum(weights)
    return sum(map(float.__mul__, scores, weights)) / whole if whole else 0.0


def _with_years(requirement: Requirement, resume: Resume, share: float) -> tuple[float, int | None, list[Found]]:
    """The coverage with the years that are asked for weighed in: a third, or all where nothing else is asked for."""
    if not requirement.years:
        return share, None, []
    telling = [_telling(group) for group in requirement.groups if _tells(group)]
    if not telling:
        reached = min(1.0, resume.years / requirement.years)
        roles = [line for line in resume.lines if line.kind == "role"]
        dated = roles or [line for line in resume.lines if years_asked(line.text)]
        found = [Found(line, round(reached, 3)) for line in dated[:_LINES] if reached]
        return reached, resume.years or None, found
    # The shortest of what is shown: five years of Python do not make five of what was done with it for one.
    years = min(filter(None, map(resume.years_with, telling)), default=0)
    return share * (2 + min(1.0, years / requirement.years)) / 3, years or None, []


def _tells(group: tuple[Phrase, ...]) -> bool:
    return bool(_telling(group))


def _telling(group: tuple[Phrase, ...]) -> frozenset[str]:
    return frozenset(form for phrase in group for form in phrase.forms if not is_light(form))


def _named(group: tuple[Phrase, ...]) -> str:
    return " or ".join(phrase.text for phrase in group)
