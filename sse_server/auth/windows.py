"""The windows of a rate: when each user did something in the last minute, by the moving window of `limits`.

They are kept here, since that library's own memory starts a thread every ten milliseconds in which it is asked, and
never forgets a user.
"""

from __future__ import annotations

from collections import OrderedDict, deque
from collections.abc import Callable

from limits import RateLimitItemPerMinute
from limits.storage import MovingWindowSupport, Storage
from limits.strategies import MovingWindowRateLimiter


class Minute:
    """Allows `amount` in any minute to each user. `clock` is monotonic."""

    def __init__(self, amount: int, clock: Callable[[], float]) -> None:
        self._item = RateLimitItemPerMinute(amount)
        self._limiter = MovingWindowRateLimiter(Windows(clock))

    def take(self, user: str) -> bool:
        """Count one; False, and not counted, when it is too many."""
        return self._limiter.hit(self._item, user)

    def free_at(self, user: str) -> float:
        """When the next is free."""
        return self._limiter.get_window_stats(self._item, user).reset_time


class Windows(Storage, MovingWindowSupport):
    """The moments of the last minute by key, for one process. A key without any is forgotten."""

    STORAGE_SCHEME = None

    def __init__(self, clock: Callable[[], float]) -> None:
        super().__init__()
        self._clock = clock
        self._moments: OrderedDict[str, deque[float]] = OrderedDict()

    def acquire_entry(self, key: str, limit: int, expiry: int, amount: int = 1) -> bool:
        now = self._clock()
        self._forget(now - expiry)
        moments = self._moments.setdefault(key, deque())
        _drop(moments, now - expiry)
        if len(moments) + amount > limit:
            return False
        moments.extend([now] * amount)
        self._moments.move_to_end(key)
        return True

    def get_moving_window(self, key: str, limit: int, expiry: int) -> tuple[float, int]:
        now = self._clock()
        moments = self._moments.get(key, deque())
        _drop(moments, now - expiry)
        return (moments[0] if moments else now), len(moments)

    def _forget(self, before: float) -> None:
        """The keys stand in the order of their last moment, so the idle ones are the first."""
        while self._moments and (not (moments := next(iter(self._moments.values()))) or moments[-1] <= before):
            self._moments.popitem(last=False)

    @property
    def base_exceptions(self) -> type[Exception]:
        return ValueError

    def get(self, key: str) -> int:
        return len(self._moments.get(key, ()))

    def clear(self, key: str) -> None:
        self._moments.pop(key, None)

    def reset(self) -> int:
        known = len(self._moments)
        self._moments.clear()
        return known

    def check(self) -> bool:
        return True

    def incr(self, key: str, expiry: float, amount: int = 1) -> int:
        raise NotImplementedError("fixed windows are not kept here")

    def get_expiry(self, key: str) -> float:
        raise NotImplementedError("fixed windows are not kept here")


def _drop(moments: deque[float], before: float) -> None:
    while moments and moments[0] <= before:
        moments.popleft()
