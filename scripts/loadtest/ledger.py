"""The account of one job's events as one reader got them: what is lost, repeated or out of order."""

from __future__ import annotations

from typing import Final

MOST: Final = 100_000
"""Missing seqs that are kept one by one; a server that skips more has lost them."""


class Ledger:
    """A job's own log is dense: seqs 1, 2, 3 … up to that of `done`. `next` is the seq that must come now.

    The usual case, the expected seq, is for whoever reads to take: `if seq == ledger.next: ledger.next += 1`, and
    `ledger.odd(seq)` otherwise.
    """

    __slots__ = ("_missing", "_overrun", "next", "reordered", "repeated")

    def __init__(self) -> None:
        self.next = 1
        self.repeated = 0
        self.reordered = 0
        self._missing: set[int] = set()
        self._overrun = 0

    def odd(self, seq: int) -> None:
        """Take another seq than the expected one."""
        if seq > self.next:
            skipped = range(self.next, seq)
            room = max(0, MOST - len(self._missing))
            self._missing.update(skipped[:room])
            self._overrun += max(0, len(skipped) - room)
            self.next = seq + 1
        elif seq in self._missing:
            self._missing.remove(seq)
            self.reordered += 1
        else:
            self.repeated += 1

    @property
    def lost(self) -> int:
        """Seqs that were passed over and have not come since."""
        return len(self._missing) + self._overrun

    @property
    def flawless(self) -> bool:
        return not (self.lost or self.repeated or self.reordered)
