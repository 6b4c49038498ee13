"""How much a message has to do with a question, from 0 to 1, and what of it is worth repeating.

The relevance is absolute: the share of the question's content words that the message has. A word weighs
`ln(1 + messages / messages with it)`: a lot where few of the user's messages have it. A word that none of them has says
little about any of them: it weighs `UNSEEN` of what the others weigh on average.
"""

from __future__ import annotations

import math
import re
from collections.abc import Collection, Iterator, Mapping
from typing import Final

from sse_server.chat.words import content_words

UNSEEN: Final = 0.4
"""With this and a least relevance of 0.7, half of a question's words may be new."""

_SENTENCE_END: Final = re.compile(r"(?<=[.!?…])[\"')\]”’»]*\s+|(?<=[。！？])|\n+")  # noqa: RUF001  (ends of sentences)


def estimated_tokens(text: str) -> int:
    """A token is about four characters of English; at least one."""
    return max(1, math.ceil(len(text) / 4))


def weights(messages: int, frequencies: Mapping[str, int]) -> dict[str, float]:
    """What each word of a question weighs; `frequencies` are the numbers of messages that have them."""
    seen = {word: math.log(1 + messages / often) for word, often in frequencies.items() if often}
    unseen = UNSEEN * sum(seen.values()) / len(seen) if seen else 0.0
    return {word: seen.get(word, unseen) for word in frequencies}


def relevance(found: Collection[str], weights: Mapping[str, float]) -> float:
    """The share of the question that those of its words make up which were found."""
    whole = sum(weights.values())
    return round(sum(weights[word] for word in found) / whole, 6) if whole else 0.0


def clipped(text: str, sentences: int, weights: Mapping[str, float]) -> str:
    """Those sentences that have most of the question, in their order; of equals the first."""
    parts = [*_sentences(text)]
    if len(parts) <= sentences:
        return " ".join(parts)
    worth = [sum(weights.get(word, 0.0) for word in set(content_words(part))) for part in parts]
    best = sorted(range(len(parts)), key=lambda at: (-worth[at], at))[:sentences]
    return " ".join(parts[at] for at in sorted(best))


def _sentences(text: str) -> Iterator[str]:
    for part in _SENTENCE_END.split(text):
        if one_line := " ".join(part.split()):
            yield one_line
