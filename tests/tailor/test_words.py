"""Words, stems, sentences and terms."""

# ruff: noqa: RUF001  (these signs are what is tested)

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sse_server.tailor.sentences import pieces, split_sentences
from sse_server.tailor.synonyms import IMPLIES
from sse_server.tailor.terms import phrases, rank
from sse_server.tailor.words import form, forms, tokens


@pytest.mark.parametrize(
    "same",
    [
        ["developed", "develops", "developing", "Develop"],
        ["migrated", "migrations", "migrate"],
        ["deployment", "deployed", "deploy"],
        ["agencies", "agency", "agency's"],
        ["built", "building", "build"],
        ["optimise", "optimizing", "optimization"],
        ["hire", "hiring", "hired"],
        ["kubernetes", "K8s", "Kubernetes"],
        ["Postgres", "PostgreSQL", "psql"],
        ["café", "CAFÉ"],
        ["three", "3"],
    ],
)
def test_spellings_of_one_word_meet(same: list[str]) -> None:
    assert len({form(word) for word in same}) == 1


@pytest.mark.parametrize(
    ("one", "other"),
    [("product", "production"), ("Go", "go"), ("REST", "rest"), ("C++", "C#"), ("market", "marketing")],
)
def test_words_of_another_meaning_stay_apart(one: str, other: str) -> None:
    assert form(one) != form(other)


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("amazon web services", ("aws",)),
        ("CI/CD", ("ci/cd",)),
        ("continuous integration", ("ci/cd",)),
        ("Server-Sent Events", ("server-sent events",)),
        ("SSE", ("server-sent events",)),
        ("back-end", ("back end",)),
        ("C++ and C# on .NET with Node.js", ("c++", "and", "c#", "on", ".net", "with", "node.js")),
        ("使用Python", ("使用", "python")),
    ],
)
def test_known_spellings_of_several_words_are_one(text: str, wanted: tuple[str, ...]) -> None:
    assert forms(text) == wanted


@pytest.mark.parametrize(
    ("text", "figure"),
    [
        ("12,000", "12000"),
        ("12k", "12000"),
        ("1.2 million", "1200000"),
        ("40 percent", "40%"),
        ("40%", "40%"),
        ("900ms", "900"),
        ("1,5", "1.5"),
        ("$3M", "3000000"),
        ("seven", "7"),
    ],
)
def test_a_figure_has_one_normal_form(text: str, figure: str) -> None:
    first = tokens(text)[0]
    assert (first.form, first.number) == (figure, True)


def test_what_one_thing_implies_is_a_single_form() -> None:
    """Only then can a line show it."""
    assert all(len(forms(word)) == 1 for key, implied in IMPLIES.items() for word in (key, *implied))


def test_phrases_leave_out_what_says_nothing() -> None:
    text = "Strong experience with distributed systems and good knowledge of the underwater welding of pipelines"
    assert [phrase.text for phrase in phrases(text)] == ["distributed systems", "underwater welding", "pipelines"]


def test_terms_outside_every_table_are_ranked_by_where_and_how_often_they_stand() -> None:
    texts = [("Zorbing with quexels", 3.0), ("quexels, always quexels", 3.0), ("pumpernickel", 1.0)]
    assert [term.text for term in rank(texts, 10)] == ["quexels", "Zorbing", "pumpernickel"]


def test_a_term_within_a_better_one_is_left_out() -> None:
    assert [term.text for term in rank([("flanged quexels", 2.0), ("quexels", 1.0)], 10)] == ["flanged quexels"]


@pytest.mark.parametrize(
    ("text", "count"),
    [
        ("One. Two! Three? Four", 4),
        ("Worked with Dr. Ek at Acme Inc. for approx. 40 days, e.g. on Mondays.", 1),
        ("Cut costs by 1.5 million. Then rested…", 2),
        ("一。二！三", 3),
        ("...", 1),
        ("", 0),
    ],
)
def test_a_full_stop_alone_ends_no_sentence(text: str, count: int) -> None:
    assert len(split_sentences(text)) == count


@given(st.text())
def test_tokens_stand_where_they_say(text: str) -> None:
    for token in tokens(text):
        assert text[token.start : token.end] == token.text
        assert token.form


@given(st.text(alphabet="ab .\n", max_size=300), st.integers(5, 40))
def test_pieces_lose_no_letter_and_are_short(text: str, longest: int) -> None:
    parts = list(pieces(text, longest))
    assert "".join("".join(parts).split()) == "".join(text.split())
    assert all(len(part) <= longest for part in parts)
