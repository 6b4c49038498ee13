"""The words that a text is found by."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sse_server.chat.words import STOP_WORDS, content_words, token


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("What is my dog's name?", ["dog", "nam"]),
        ("What did we discuss before?", []),
        ("Don't you remember? I've told you, and you can't have forgotten.", ["forgotten"]),
        ("ÉCOLE école", ["école", "école"]),
        ("ﬁne Ⅳ x²", ["fin", "iv", "x2"]),
        ("東京タワー", ["東", "京", "タ", "ワ", "ー"]),
        ("snake_case and kebab-case", ["snak", "cas", "kebab", "cas"]),
        ("", []),
        ("?!. \0 \n", []),
    ],
)
def test_the_words_that_say_what_a_text_is_about(text: str, words: list[str]) -> None:
    assert content_words(text) == words


@pytest.mark.parametrize(
    "forms",
    [
        "dog dogs dog's",
        "prefer prefers preferred preferring",
        "hike hikes hiked hiking",
        "city cities",
        "study studies studied studying",
        "box boxes boxed boxing",
        "speed speeds",
        "class classes",
        "bus buses",
        "call calls called calling",
    ],
)
def test_forms_of_a_word_are_one(forms: str) -> None:
    assert len(set(content_words(forms))) == 1


@pytest.mark.parametrize("pair", ["new news", "universe university", "past paste", "string strings sting"])
def test_what_comes_of_a_word_is_never_nothing(pair: str) -> None:
    assert all(content_words(pair))


@given(st.text())
def test_any_text_has_words_or_none_and_never_a_stop_word_or_an_empty_one(text: str) -> None:
    words = content_words(text)
    assert all(words)
    assert words == content_words(text.upper().lower()) or not text.isascii()
    assert content_words(" ".join(sorted(STOP_WORDS))) == []


@given(st.text(st.characters()), st.text(st.characters()), st.text(st.characters()))
def test_a_token_is_hexadecimal_digits_and_belongs_to_one_user(word: str, ann: str, bob: str) -> None:
    assert set(token(ann, word)) <= set("0123456789abcdef")
    assert (token(ann, word) == token(bob, word)) == (ann == bob)
