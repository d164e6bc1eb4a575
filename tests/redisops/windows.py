"""Windows of time in tests: a day that ends in the middle of one is another test."""

from __future__ import annotations

import time

from tests.servers import until

DAY = 86_400
ROOM = 20  # seconds that a test of windows may take


def far_from_midnight() -> None:
    """Return when the day (UTC) lasts for as long as a test may take.

    A week and a month end with a day, and test servers have this machine's clock. It waits for
    the next day in the last seconds of one, and otherwise not at all.
    """
    until(lambda: time.time() % DAY < DAY - ROOM, "the day does not end", 2 * ROOM)
