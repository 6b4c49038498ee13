"""What can be said of a question without a model: what it asks, in which parts, and what it turns on.

The same text for the same question, and nothing in it that the question or the memory does not hold.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from typing import Final

from msgspec import Struct

from sse_server.agents import Recollection

MAX_PARTS: Final = 8
MAX_TERMS: Final = 6
MAX_RECALLED: Final = 3

_KINDS: Final = {
    "why": "a reason",
    "how": "a way to do it",
    "what": "a definition or a choice",
    "which": "a choice",
    "who": "a person",
    "when": "a time",
    "where": "a place",
    "can": "whether it can be done",
    "does": "a yes or a no",
    "do": "a yes or a no",
    "is": "a yes or a no",
    "are": "a yes or a no",
    "should": "advice",
}
"""What kind of answer is asked for with a word."""
_PLAIN: Final = """
    a about above after all also am an and any are as at be been before but by can could did do does for from get had
    has have he her his how i if in into is it its just like make may me might more most my need no nor not now of off
    on one only or other our out over please she should so some such tell than that the their them then there these
    they this those to too up us use very was we were what when where which who whom why will with would you your
"""
"""Words that a question does not turn on."""
_NOT_TERMS: Final = frozenset(_PLAIN.split())

_SENTENCE: Final = re.compile(r"[^.!?\n]+[.!?]*")
_PART: Final = re.compile(rf"[,;]?\s+(?:and then|and also|and|then)\s+(?=(?:{'|'.join(_KINDS)})\b)", re.IGNORECASE)
_WORD: Final = re.compile(r"[^\W_][\w'+#-]*")


class Outline(Struct, frozen=True):
    """A question's parts in order, and its terms, those it says most often first."""

    parts: list[str]
    terms: list[str]

    @property
    def summary(self) -> str:
        """In one sentence."""
        count = len(self.parts)
        told = "1 part" if count == 1 else f"{count} parts"
        return f"It has {told}" + (f" and turns on {', '.join(self.terms)}." if self.terms else ".")


def outline(question: str) -> Outline:
    """Read a question."""
    sentences = (match[0].strip() for match in _SENTENCE.finditer(question))
    parts = [part.strip(" ,;") for sentence in sentences for part in _PART.split(sentence)]
    words = [match[0] for match in _WORD.finditer(question)]
    spelled = {word.casefold(): word for word in reversed(words)}
    said = Counter(word.casefold() for word in words)
    terms = [spelled[word] for word, _ in said.most_common() if word not in _NOT_TERMS and len(word) > 1]
    return Outline([part for part in parts if _WORD.search(part)][:MAX_PARTS], terms[:MAX_TERMS])


def written(opening: str, read: Outline, recalled: Sequence[Recollection]) -> str:
    """An answer from the question, which `opening` repeats, and the memory alone."""
    paragraphs = [opening.strip()]
    if len(read.parts) > 1:
        parts = "\n".join(f"{n}. {_asked(part)}" for n, part in enumerate(read.parts, start=1))
        paragraphs.append(f"To be answered in this order:\n{parts}")
    elif read.parts:
        paragraphs.append(f"That asks for {_kind(read.parts[0])}.")
    if read.terms:
        paragraphs.append(f"It turns on: {', '.join(read.terms)}.")
    if recalled:
        said = "\n".join(f"- {_who(each)}: {each.text}" for each in recalled[:MAX_RECALLED])
        paragraphs.append(f"What was said about it before:\n{said}")
    paragraphs.append("This was written without a model, from the question and what was said before.")
    return "\n\n".join(paragraphs)


def _asked(part: str) -> str:
    return f"{part} (asks for {_kind(part)})"


def _kind(part: str) -> str:
    """What kind of answer a part wants, by the word that asks."""
    asking = (_KINDS.get(match[0].casefold()) for match in _WORD.finditer(part))
    return next(filter(None, asking), "something to be done or told")


def _who(each: Recollection) -> str:
    return "you" if each.role == "user" else "the answer then"
