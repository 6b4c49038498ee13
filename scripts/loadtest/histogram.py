"""A histogram of durations in fixed buckets, each 2 % wider than the one before: exact enough, and of one size."""

from __future__ import annotations

import math
from typing import Final, Self

from msgspec import Struct

SHORTEST: Final = 1e-6
"""Seconds; what is shorter counts as this long."""
PER_E: Final = 50
"""Buckets for each factor of e."""
BUCKETS: Final = 1040
"""Enough to reach 1000 seconds."""
_SCALE: Final = -math.log(SHORTEST)


class Histogram(Struct):
    """How many durations (in seconds) fell in each bucket, and the longest of all."""

    counts: list[int]
    longest: float = 0.0

    @classmethod
    def empty(cls) -> Self:
        return cls([0] * BUCKETS)

    def record(self, seconds: float) -> None:
        """Count one."""
        self.longest = max(self.longest, seconds)
        bucket = int((math.log(seconds) + _SCALE) * PER_E) if seconds > SHORTEST else 0
        self.counts[bucket if bucket < BUCKETS else BUCKETS - 1] += 1

    @property
    def total(self) -> int:
        return sum(self.counts)

    def quantile(self, share: float) -> float | None:
        """The duration that this share of all stays within; None when there are none."""
        total = self.total
        if not total:
            return None
        wanted, passed = max(1, math.ceil(share * total)), 0
        for bucket, count in enumerate(self.counts):
            passed += count
            if passed >= wanted:
                return min(middle(bucket), self.longest)
        return self.longest

    def add(self, other: Sparse) -> None:
        """Count what another one has counted."""
        for bucket, count in other.counts:
            self.counts[bucket] += count
        self.longest = max(self.longest, other.longest)

    def drain(self) -> Sparse:
        """What was counted since the last drain."""
        taken = Sparse([(bucket, count) for bucket, count in enumerate(self.counts) if count], self.longest)
        if taken.counts:
            self.counts[:] = [0] * BUCKETS
            self.longest = 0.0
        return taken


class Sparse(Struct, frozen=True):
    """A histogram on its way between processes: the buckets that hold something."""

    counts: list[tuple[int, int]] = []
    longest: float = 0.0


def middle(bucket: int) -> float:
    """The duration, in seconds, that a bucket stands for."""
    return SHORTEST * math.exp((bucket + 0.5) / PER_E)
