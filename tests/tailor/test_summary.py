"""The offline summary: readable, tailored, true, and always the same."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sse_server.tailor.check import unsupported
from sse_server.tailor.clauses import as_clause, as_sentence, begins_with_verb, listed, titled
from sse_server.tailor.sentences import split_sentences

NURSE = """AMINA K. OSEI, RN

WORK HISTORY
Emergency Department Staff Nurse
St. Brannock's Hospital, Leeds
June 2019 - Present
- Triage up to 40 patients per shift in a 60-bed emergency department
- Trained 12 newly qualified nurses in wound care and sepsis recognition

SKILLS
Triage, wound care, cannulation
"""
GERMAN = """Jonas Weber
Berufserfahrung
Senior Softwareentwickler, Hafenwerk GmbH, Hamburg (2018 – heute)
- Entwicklung einer Plattform für Echtzeitdaten mit Java und Kafka
- Einführung von Docker und Kubernetes für 20 Dienste
"""  # noqa: RUF001


def test_the_sample_summary_is_what_a_person_would_send(sample: Any) -> None:
    sentences = split_sentences(sample.summary)
    assert 3 <= len(sentences) <= 5
    assert sentences[0] == (
        "Senior Backend Engineer with experience since 2013 and a background in Python, Go, Server-Sent Events and "
        "PostgreSQL, currently at Northwind Freight."
    )
    assert sentences[1].startswith(
        "There, designed the live tracking service in Python and asyncio that streams 12,000"
    )
    assert 400 <= len(sample.summary) <= 900


def test_what_the_posting_wants_comes_first(tailored: Callable[[str, str], Any], resume_text: str) -> None:
    summary = tailored(resume_text, "Requirements\n- Ansible\n- JavaScript for hotels\n").summary
    assert split_sentences(summary)[0].startswith("Senior Backend Engineer")
    assert "JavaScript" in split_sentences(summary)[0]
    assert "hotels" in split_sentences(summary)[1]


def test_other_professions_are_told_as_well(tailored: Callable[[str, str], Any]) -> None:
    summary = tailored(NURSE, "Essential\n- Triage in an emergency department\n- Wound care\n").summary
    assert summary.startswith(
        "Emergency Department Staff Nurse with experience since 2019 and a background in wound care and triage, "
        "currently at St. Brannock's Hospital. There, triage up to 40 patients"
    )
    assert summary.endswith("Skills: Triage, wound care, cannulation.")


def test_a_resume_in_another_language_is_quoted_without_english_words(tailored: Callable[[str, str], Any]) -> None:
    summary = tailored(GERMAN, "Dein Profil\n- Erfahrung mit Kafka und Docker\n").summary
    assert "Entwicklung einer Plattform für Echtzeitdaten mit Java und Kafka." in summary
    assert "experience" not in summary


def test_an_empty_posting_leaves_what_the_resume_says_of_itself(
    tailored: Callable[[str, str], Any], resume_text: str
) -> None:
    assert len(split_sentences(tailored(resume_text, " \n ").summary)) >= 3


def test_a_resume_that_says_nothing_gives_no_summary(tailored: Callable[[str, str], Any], posting_text: str) -> None:
    for text in [" ", "the and of", "---", "• \n• \n", "\u200b"]:
        assert tailored(text, posting_text).summary == "", text


def test_one_word_is_a_resume(tailored: Callable[[str, str], Any]) -> None:
    assert tailored("Python", "Python").summary == "Python."


def test_the_sample_loses_nothing_to_the_check(sample: Any) -> None:
    assert unsupported(sample.summary, sample.grounds) == []


SAMPLES = [
    NURSE,
    GERMAN,
    "Ran 5 k8s clusters. Led 40% growth! Ltd. Inc.\n",
    "SKILLS\nGo, C++, C#\n",
    "Dr. No, CEO 2001-2009",
]
LINES = st.sampled_from([line for text in SAMPLES for line in text.split("\n")])
ODD = st.text(st.characters(codec="utf-16"), max_size=80)
TEXTS = st.lists(st.one_of(LINES, ODD), max_size=25).flatmap(
    lambda lines: st.sampled_from(["\n", "\r\n", "\n\n", " ", "\n• "]).map(lambda glue: glue.join(lines))
)


@given(TEXTS, TEXTS)
def test_an_offline_summary_always_passes_its_own_check(
    tailored: Callable[[str, str], Any], resume: str, posting: str
) -> None:
    fit = tailored(resume, posting)
    assert unsupported(fit.summary, fit.grounds) == []


@given(TEXTS, TEXTS)
def test_the_same_input_gives_the_same_text(tailored: Callable[[str, str], Any], resume: str, posting: str) -> None:
    assert tailored(resume, posting).summary == tailored(resume, posting).summary


def test_another_process_writes_the_same_text(sample: Any) -> None:
    """Sets have another order there."""
    program = """
import sys; from importlib.resources import files
from sse_server.tailor.check import Grounds
from sse_server.tailor.matching import Index, keywords, match_all
from sse_server.tailor.posting import read_posting
from sse_server.tailor.resume import read_resume
from sse_server.tailor.summary import write_summary
text = lambda name: (files("sse_server.tailor") / "samples" / name).read_text("utf-8")
resume, posting = read_resume(text("resume.txt"), this_year=2025), read_posting(text("posting.txt"))
index = Index(resume)
written = write_summary(resume, match_all(posting, resume, index), keywords(posting, index)[0], Grounds(resume))
sys.stdout.buffer.write(written.encode())
"""
    for seed in ["1", "2"]:
        environment = {**os.environ, "PYTHONHASHSEED": seed}
        done = subprocess.run([sys.executable, "-c", program], capture_output=True, env=environment, check=True)
        assert done.stdout.decode() == sample.summary


@pytest.mark.parametrize(
    ("line", "clause"),
    [
        ("Built a thing.", "built a thing"),
        ("I have built a thing;", "built a thing"),
        ("Responsible for building a thing", "building a thing"),
        ("PostgreSQL tuning", "PostgreSQL tuning"),
        ("24/7 rotation", "24/7 rotation"),
    ],
)
def test_a_line_becomes_a_clause(line: str, clause: str) -> None:
    assert as_clause(line) == clause


def test_a_long_line_ends_where_a_part_of_it_ends() -> None:
    line = "Built a service that " + "really " * 20 + "works, and then " + "again " * 30
    assert as_clause(line) == ("built a service that " + "really " * 20 + "works").strip()


@given(st.text(min_size=1))
def test_a_sentence_ends_and_says_nothing_new(text: str) -> None:
    sentence = as_sentence(text)
    assert sentence == "" or sentence.endswith((".", "!", "?", "…", "。"))
    assert sentence.casefold().rstrip(".!?…。") in text.casefold()


def test_lists_titles_and_verbs() -> None:
    assert [listed(["a"]), listed(["a", "b"]), listed(["a", "b", "c"]), listed([])] == [
        "a",
        "a and b",
        "a, b and c",
        "",
    ]
    assert [titled("HEAD OF IT"), titled("Head of IT")] == ["Head OF IT", "Head of IT"]
    assert [begins_with_verb(text) for text in ["Cut costs", "API costs", ""]] == [True, False, False]
