"""The words of a text that say what it is about: in small letters, without endings, and without the commonest."""

from __future__ import annotations

import hashlib
import re
import unicodedata
from typing import Final

# Scripts without spaces between words: each character counts as one.
_WORD: Final = re.compile(r"[\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff]|(?:(?![\u3040-\u30ff\u3400-\u9fff])[^\W_])+")
_APOSTROPHE: Final = re.compile(r"['\u2019](?:s|m|d|re|ve|ll|t)?\b")

_TELL_NOTHING: Final = """
a about above after again ain all also am an and another any anybody anyone anything are aren as ask asked at be
because been before being below between both but by can chat conversation could couldn dear did didn discuss discussed
discussion do does doesn doing don done down during each earlier else ever every few for from further get give go got
had hadn has hasn have haven having he hello help her here hers hey hi him his how i if in into is isn it its just
kindly know last later let like many me mention mentioned message might mine more most much must my no nor not now of
off ok okay on once only or other our ours out over own please previous previously really recall remember remind said
same say says shall she should shouldn so some something speak spoke still such sure talk talked talking tell than
thank thanks that the their them then there these they thing think this those though through time to today told too
under until up us very want was wasn we well were weren what when where which while who whom whose why will with won
would wouldn yes yesterday yet you your yours
"""
STOP_WORDS: Final = frozenset(_TELL_NOTHING.split())
"""English words that tell nothing about a subject, and those that speak of the conversation itself."""

_PLURALS: Final = (("ies", "y"), ("sses", "ss"), ("ches", "ch"), ("shes", "sh"), ("xes", "x"))
_ENDINGS: Final = (("ied", "y"), ("ing", ""), ("ed", ""))
_VOWELS: Final = frozenset("aeiouy")


def content_words(text: str) -> list[str]:
    """The words in their order; of two forms of an English word (`dogs`, `dog`) both become the same."""
    said = _APOSTROPHE.sub(" ", unicodedata.normalize("NFKC", text).casefold())
    return [_stem(word) for word in _WORD.findall(said) if word not in STOP_WORDS]


def token(user: str, word: str) -> str:
    """What a word is indexed as: a digest of its user and itself.

    So a question finds messages of its own user and no other's, how rare a word is counts within one user, and nothing
    that anybody wrote gets into the index's query language.
    """
    return hashlib.blake2b(f"{user}\0{word}".encode(errors="surrogatepass"), digest_size=8).hexdigest()


def _stem(word: str) -> str:
    """Light and never clever: the ending of an English word goes, whatever is left."""
    if len(word) <= 3 or not word.isascii() or not word.isalpha():
        return word
    word = _singular(word)
    for ending, instead in _ENDINGS:
        rest = word.removesuffix(ending)
        if rest != word and len(rest) > 2 and not _VOWELS.isdisjoint(rest):
            return (_undoubled(rest) + instead).removesuffix("e")
    return word.removesuffix("e")


def _singular(word: str) -> str:
    for plural, instead in _PLURALS:
        if word.endswith(plural) and len(word) > len(plural) + 1:
            return word.removesuffix(plural) + instead
    return word if word.endswith(("ss", "us", "is")) else word.removesuffix("s")


def _undoubled(word: str) -> str:
    return word[:-1] if word[-1] == word[-2] and word[-1] not in "lsz" else word
