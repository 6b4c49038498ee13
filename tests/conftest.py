"""What all tests share: how far Hypothesis searches, and what happens where a test can't run."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable

import pytest
from hypothesis import HealthCheck, settings

REQUIRE_ALL = bool(os.environ.get("SSE_TESTS_REQUIRE_ALL"))

# A shell starts what runs in the background with SIGINT ignored, and children inherit that: Ctrl-C would press nothing.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

# With REQUIRE_ALL a run is one that everybody can repeat: the same examples each time.
settings.register_profile(
    "house",
    max_examples=60,
    deadline=None,
    derandomize=REQUIRE_ALL,
    suppress_health_check=[HealthCheck.too_slow],
)
settings.load_profile("house")


@pytest.fixture(scope="session")
def require() -> Callable[[object, str], None]:
    """`require(shutil.which("nginx"), "nginx is not installed")`: skips, or fails where nothing may be missing."""

    def check(condition: object, reason: str) -> None:
        if condition:
            return
        if REQUIRE_ALL:
            pytest.fail(f"missing: {reason}", pytrace=False)
        pytest.skip(reason)

    return check
