"""How much a message has to do with a question, and what of it is repeated."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sse_server.chat.relevance import clipped, estimated_tokens, relevance, weights

TEXT = "Rex is a dog. He loves the beach! Does he swim? We live in Oslo."


@pytest.mark.parametrize(("length", "tokens"), [(0, 1), (1, 1), (4, 1), (5, 2), (19, 5), (59, 15), (4000, 1000)])
def test_a_token_is_about_four_characters(length: int, tokens: int) -> None:
    assert estimated_tokens("x" * length) == tokens


def test_the_whole_question_is_1_and_nothing_of_it_is_0() -> None:
    worth = weights(10, {"dog": 1, "beach": 5})
    assert relevance({"dog", "beach"}, worth) == 1.0
    assert relevance(set(), worth) == 0.0
    assert relevance(set(), {}) == 0.0


def test_a_rare_word_counts_for_more() -> None:
    worth = weights(100, {"dog": 1, "the": 100})
    assert worth == {"dog": math.log(101), "the": math.log(2)}
    assert relevance({"dog"}, worth) > 0.8
    assert relevance({"the"}, worth) < 0.2


def test_half_of_a_questions_words_may_be_new() -> None:
    assert relevance({"dog"}, weights(2, {"dog": 2, "breed": 0})) > 0.7
    assert relevance({"dog"}, weights(2, {"dog": 2, "breed": 0, "size": 0})) < 0.7


words = st.dictionaries(st.sampled_from("abcdefgh"), st.integers(0, 50), min_size=1)


@given(words, st.sets(st.sampled_from("abcdefgh")), st.integers(50, 1000))
def test_a_relevance_is_from_0_to_1_and_rises_with_each_word(often: dict[str, int], found: set[str], size: int) -> None:
    worth = weights(size, often)
    known = found & often.keys()
    score = relevance(known, worth)
    assert 0 <= score <= 1
    assert all(relevance(known - {word}, worth) <= score for word in known)


@pytest.mark.parametrize(
    ("sentences", "words", "kept"),
    [
        (1, ["oslo"], "We live in Oslo."),
        (2, ["oslo", "dog"], "Rex is a dog. We live in Oslo."),
        (2, [], "Rex is a dog. He loves the beach!"),
        (9, [], TEXT),
    ],
)
def test_a_text_is_clipped_to_its_best_sentences_in_their_order(sentences: int, words: list[str], kept: str) -> None:
    assert clipped(TEXT, sentences, dict.fromkeys(words, 1.0)) == kept


def test_a_clipped_text_is_one_line() -> None:
    assert clipped("one\r\ntwo\n\nthree  four", 3, {}) == "one two three four"
