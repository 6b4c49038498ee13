"""What is said of a question without a model: always the same, never anything that is not in it, whatever it is."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sse_server.actions.outline import MAX_PARTS, MAX_TERMS, outline, written
from sse_server.agents import Recollection


@pytest.mark.parametrize(
    ("question", "parts", "terms"),
    [
        ("What is it", ["What is it"], []),
        (
            "How do I deploy a Flask app, and what does it cost?",
            ["How do I deploy a Flask app", "what does it cost?"],
            ["deploy", "Flask", "app", "cost"],
        ),
        ("Salt and pepper? Where?", ["Salt and pepper?", "Where?"], ["Salt", "pepper"]),
        ("Python, python or PYTHON: which Rust?", ["Python, python or PYTHON: which Rust?"], ["Python", "Rust"]),
        ("?!…", [], []),
        ("", [], []),
    ],
)
def test_a_question_is_read_in_its_parts_and_terms(question: str, parts: list[str], terms: list[str]) -> None:
    read = outline(question)
    assert (read.parts, read.terms) == (parts, terms)


@given(st.text(max_size=4000))
def test_any_text_can_be_read_and_nothing_is_added(question: str) -> None:
    read = outline(question)
    assert read == outline(question)
    assert len(read.parts) <= MAX_PARTS
    assert len(read.terms) <= MAX_TERMS
    assert all(part in question for part in read.parts)
    assert all(term in question for term in read.terms)
    assert question.strip() in written(question, read, [])


def test_what_was_said_before_stands_in_the_answer_with_who_said_it() -> None:
    before = [Recollection("user", "I like tea", 0.9, 3, 0), Recollection("assistant", "Noted", 0.8, 1, 0)]
    text = written("What do I like?", outline("What do I like?"), before)
    assert "- you: I like tea" in text
    assert "- the answer then: Noted" in text
