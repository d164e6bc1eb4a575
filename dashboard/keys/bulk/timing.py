"""How much of a step's time was the server's, and how many keys the next one takes."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from dashboard.jobs.charging import charge

if TYPE_CHECKING:
    from dashboard.jobs.work import Work

STEP_SECONDS = 0.35


@contextmanager
def paced(work: Work, commands: int) -> Iterator[None]:
    """Wait until ``commands`` may be sent, and tell the pace what the block's sending took.

    What this thread computed itself was not the server's time.
    """
    if commands <= 0:
        yield
        return
    work.pace.wait(commands)
    began, own = time.monotonic(), time.thread_time()
    yield
    charge(work, commands, time.monotonic() - began, own=time.thread_time() - own)


class Clock:
    """Says when a step has lasted long enough."""

    def __init__(self, seconds: float = STEP_SECONDS) -> None:
        self._ends = time.monotonic() + seconds

    @property
    def is_over(self) -> bool:
        return time.monotonic() >= self._ends
