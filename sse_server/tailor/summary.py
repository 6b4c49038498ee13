"""The summary: a few sentences from the résumé's own lines, in the order of what the posting wants.

Everything in it is quoted or joined, nothing is made up; and it passes the check by construction.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import groupby
from typing import Final

from sse_server.tailor.check import Grounds, supported
from sse_server.tailor.clauses import as_clause, as_sentence, begins_with_verb, listed, titled
from sse_server.tailor.lexicon import ENGLISH, NEIGHBOURS
from sse_server.tailor.matching import Match
from sse_server.tailor.posting import WEIGHTS
from sse_server.tailor.resume import Evidence, Resume
from sse_server.tailor.roles import Role
from sse_server.tailor.skills import Skills
from sse_server.tailor.terms import Term, phrases

SENTENCES, _LEAST = 5, 3
_ACHIEVEMENTS: Final = 4
_OPENING_SKILLS: Final = 4
_OTHER_SKILLS: Final = 5
_JOINED: Final = 240
"""Characters of the longest sentence that is made of two lines."""


def write_summary(resume: Resume, matches: list[Match], keywords: list[Term], grounds: Grounds) -> str:
    """A summary of three to five sentences, of fewer where the résumé gives no more; empty where it gives nothing.

    `keywords` are the posting's terms that the résumé shows, best first.
    """
    lines = _best_lines(resume, matches)
    told = lines[:_ACHIEVEMENTS]
    english = is_english(resume)
    if english:
        told = [line for line in lines if line.kind in {"achievement", "project", "volunteering"}][:_ACHIEVEMENTS]
        sentences = list(_english(resume, matches, told, Skills(resume, keywords)))
    else:
        told.sort(key=lambda line: line.kind != "role")
        sentences = [as_sentence(line.text) for line in told]
    rest = [line for line in [*lines, *_by_kind(resume)] if line not in told and line.kind != "role"]
    for line in dict.fromkeys(rest):
        if len(sentences) >= _LEAST:
            break
        if phrases(line.text):
            is_list = english and line.kind == "skill" and ":" not in line.text
            sentences.append(as_sentence(f"Skills: {line.text}" if is_list else line.text))
    text, _ = supported(" ".join(sentences[:SENTENCES]), grounds)
    return text


def is_english(resume: Resume) -> bool:
    """True where a résumé's function words are English ones more than its neighbours'; a few words need have none."""
    words = [word for line in resume.lines for word in line.text.lower().split()]
    english, other = sum(word in ENGLISH for word in words), sum(word in NEIGHBOURS for word in words)
    return english > other or (english == other == 0 and len(words) < 30 and all(map(str.isascii, words)))


def _english(resume: Resume, matches: list[Match], chosen: list[Evidence], skills: Skills) -> Iterator[str]:
    latest = max(resume.roles, key=lambda role: (role.end, role.start), default=None)
    opening = _opening(resume, latest, skills.take(_OPENING_SKILLS))
    yield from [opening] if opening else []
    told = list(_achievements(resume, chosen, latest))[: SENTENCES - 2]
    yield from told
    skills.leave_out(" ".join([opening, *told]))
    if also := skills.take(_OTHER_SKILLS):
        yield f"Also brings {listed(also)}."
    if learned := _learned(matches):
        yield f"Education and certificates: {'; '.join(learned)}."


def _opening(resume: Resume, latest: Role | None, skills: list[str]) -> str:
    """`Nurse with experience since 2012 and a background in triage, currently at …`, as far as the résumé says it."""
    title = titled((latest.title if latest else "") or resume.headline)
    since = f"experience since {min(role.start for role in resume.roles)}" if resume.roles else ""
    background = f"a background in {listed(skills)}" if skills else ""
    what = " and ".join(filter(None, [since, background]))
    employer = latest.employer if latest else ""
    where = f"{'currently' if latest and latest.current else 'most recently'} at {employer}" if employer else ""
    if not title:
        return as_sentence(", ".join(filter(None, [what, where])))
    return as_sentence(", ".join(filter(None, [f"{title} with {what}" if what else title, where])))


def _achievements(resume: Resume, chosen: list[Evidence], latest: Role | None) -> Iterator[str]:
    """One or two lines of the same role make a sentence; roles come in the order in which a résumé lists them."""
    before = latest
    in_order = sorted(chosen, key=lambda line: (line.role is None, line.role or 0))
    for place, lines in groupby(in_order, key=lambda line: line.role):
        role = None if place is None else resume.roles[place]
        for first, clauses in enumerate(_told([line.text for line in lines])):
            where = "Also" if first else "There" if role and role is before else ""
            yield _placed(clauses, role, where)
        before = None


def _told(texts: list[str]) -> Iterator[list[str]]:
    """Lines, each two that read well as one sentence together."""
    while texts:
        first, second = as_clause(texts[0]), as_clause(texts[1]) if len(texts) > 1 else ""
        both = second and begins_with_verb(first) and begins_with_verb(second)
        if both and len(first) + len(second) <= _JOINED and not set(first) & set(";:—"):
            yield [first, second]
            texts = texts[2:]
        else:
            yield [first]
            texts = texts[1:]


def _placed(clauses: list[str], role: Role | None, where: str) -> str:
    said = ", and ".join(clauses)
    done = begins_with_verb(said)
    if role is None and not done:
        return as_sentence(f"Projects include {said}")
    if role is None or not role.employer or (where == "Also" and not done):
        return as_sentence(said)
    employer = f"At {role.employer}" if role.current else f"Earlier, at {role.employer}"
    begin = {"Also": "Also ", "There": "There, "}.get(where, f"{employer}, ") if done else f"{employer}: "
    return begin + as_sentence(said, capital=False)


def _learned(matches: Iterable[Match]) -> list[str]:
    """The lines on education that the posting asks for."""
    asked = [match.found[0].evidence for match in matches if match.met and match.requirement.need != "duty"]
    texts = [line.text.rstrip(" .;") for line in asked if line.kind in {"education", "certificate"}]
    return list(dict.fromkeys(texts))[:2]


def _best_lines(resume: Resume, matches: list[Match]) -> list[Evidence]:
    """The lines that show most of what is asked for; each counts for what those before it left unshown."""
    scores = {
        (at, line.text): WEIGHTS[match.requirement.need] * line_found.score
        for at, match in enumerate(matches)
        for line_found in match.found
        for line in [line_found.evidence]
    }
    open_matches = dict.fromkeys(range(len(matches)), 1.0)
    rest = list(dict.fromkeys(found.evidence.text for match in matches for found in match.found))
    by_text = {line.text: line for line in resume.lines}
    chosen: list[Evidence] = []

    def worth(text: str) -> float:
        wanted = sum(share * scores.get((at, text), 0.0) for at, share in open_matches.items())
        return wanted * (1.25 if any(map(str.isdecimal, text)) else 1.0)

    while rest and len(chosen) < 3 * _ACHIEVEMENTS:
        text = max(rest, key=worth)
        rest.remove(text)
        chosen.append(by_text[text])
        for at in open_matches:
            open_matches[at] *= 1.0 - min(0.7, scores.get((at, text), 0.0))
    return chosen


def _by_kind(resume: Resume) -> list[Evidence]:
    """Lines to fall back on where nothing that is asked for is shown: what a résumé says of itself first."""
    order = ["profile", "achievement", "project", "other", "volunteering", "skill", "education", "certificate"]
    return sorted((line for line in resume.lines if line.kind in order), key=lambda line: order.index(line.kind))
