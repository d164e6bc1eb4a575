"""The watch over a shared connection: a silent server, and calls whose deadline has passed."""

from __future__ import annotations

import itertools
import time
from abc import abstractmethod
from collections import deque

import redis

from redisops.errors import DeadlineExceeded
from redisops.fast.replies import Lost
from redisops.fast.sending import Sending

STEP = 0.1
"""Seconds between two looks at the calls without a reply: half of what a deadline is missed by."""


class Overdue(Sending):
    """Looks at the slots every ``STEP`` while there are any.

    ``quiet``: seconds of silence after which a server that owes replies is given up; ``deadline``:
    seconds after which a caller is.
    """

    def __init__(self, quiet: float | None, deadline: float) -> None:
        super().__init__()
        self._quiet = quiet
        self._deadline = deadline
        self._marks: deque[tuple[int, float]] = deque()
        self._retired = False

    def _look_later(self, now: float) -> None:
        soon = now + STEP
        if self._quiet is not None:
            soon = min(soon, max(self._heard, self._asked) + self._quiet)
        self._watch = self.loop.call_later(max(0.0, soon - now), self._look)

    def _look(self) -> None:
        """Give up on a server that owes replies and is silent, and on calls that are overdue."""
        self._watch = None
        if not self._slots or not self.open:
            self._marks.clear()
            return
        now = time.monotonic()
        if self._quiet is not None and now - max(self._heard, self._asked) >= self._quiet:
            self._break(redis.TimeoutError("Timeout reading from socket"))
            return
        self._marks.append((self._put_so_far, now))
        self._expire(now - self._deadline)
        if self._retired and all(slot.is_done for slot in self._slots):
            self._transport.abort()
        else:
            self._look_later(now)

    def _expire(self, before: float) -> None:
        """Tell the callers who began before that. Their slots stay: the replies may still come.

        But nobody else is to queue behind them.
        """
        until = 0
        while self._marks and self._marks[0][1] <= before:
            until = self._marks.popleft()[0]
        overdue = until - (self._put_so_far - len(self._slots))
        for slot in itertools.islice(self._slots, max(0, overdue)):
            if not slot.is_done:
                late = DeadlineExceeded("the deadline passed before the reply was complete")
                slot.set_result(Lost(late, sent=True))
        if overdue > 0 and not self._retired:
            self.retire()

    @abstractmethod
    def retire(self) -> None:
        """Take no more; close when the calls in flight have their replies or gave up."""

    @abstractmethod
    def _break(self, error: Exception) -> None:
        """Close it; calls in flight are Lost to ``error``."""
