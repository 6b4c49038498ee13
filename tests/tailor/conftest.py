"""The sample texts, and everything that is found in a résumé and a posting at once."""

from __future__ import annotations

from collections.abc import Callable
from importlib.resources import files

import pytest
from msgspec import Struct

from sse_server.tailor.check import Grounds
from sse_server.tailor.matching import Index, Match, keywords, match_all
from sse_server.tailor.posting import Posting, read_posting
from sse_server.tailor.resume import Resume, read_resume
from sse_server.tailor.summary import write_summary
from sse_server.tailor.terms import Term

THIS_YEAR = 2025
SAMPLES = files("sse_server.tailor") / "samples"


class Fit(Struct, frozen=True):
    """All that the tailor finds out, and the summary."""

    resume: Resume
    posting: Posting
    matches: list[Match]
    shown: list[Term]
    unshown: list[Term]
    grounds: Grounds
    summary: str


def fit_of(resume_text: str, posting_text: str) -> Fit:
    resume, posting = read_resume(resume_text, this_year=THIS_YEAR), read_posting(posting_text)
    index, grounds = Index(resume), Grounds(resume)
    matches = match_all(posting, resume, index)
    shown, unshown = keywords(posting, index)
    summary = write_summary(resume, matches, shown, grounds)
    return Fit(resume, posting, matches, shown, unshown, grounds, summary)


@pytest.fixture(scope="session")
def tailored() -> Callable[[str, str], Fit]:
    return fit_of


@pytest.fixture(scope="session")
def resume_text() -> str:
    return (SAMPLES / "resume.txt").read_text(encoding="utf-8")


@pytest.fixture(scope="session")
def posting_text() -> str:
    return (SAMPLES / "posting.txt").read_text(encoding="utf-8")


@pytest.fixture(scope="session")
def sample(resume_text: str, posting_text: str) -> Fit:
    return fit_of(resume_text, posting_text)


@pytest.fixture(scope="session")
def grounds(sample: Fit) -> Grounds:
    return sample.grounds
