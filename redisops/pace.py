"""How fast work may go on a server that others use: a ceiling, and less when the server slows down.

Three things hold work back, and the slowest of them counts. A limit in commands per second that no
window of one second ever exceeds by more than 5 %. A share of the server's time: after commands
that took 2 ms, a share of 5 % rests 38 ms. And latency: when the server answers slower than it
usually does, both are cut, quickly, and given back slowly.

It sends nothing. The caller asks before it sends and tells afterwards what it took.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable

from redisops.errors import InvalidArgument
from redisops.latency import Latency

__all__ = ["Pace"]

WINDOW = 1.001  # one second, and a little for clocks that round
OVER = 1.03  # what a window may hold more than the limit; 5 % is what is promised
BURST = 0.05  # seconds of work that one batch may hold under a limit
CATCH_UP = 0.2  # seconds that may be made up for when a batch went later than it might have
CREDIT = 0.02  # seconds of server time that may be used before a share makes one rest
LONGEST_REST = 5.0  # seconds that one batch may make the next one wait because of its share


class Pace:
    """Holds one worker to a ceiling; ask ``wait`` before each batch and tell ``spent`` after it.

    ``limit`` is in commands per second (None: no limit). ``share`` is the part of the server's
    time, from 0 to 1, that the work may take (None: all of it). ``clock`` and ``sleep`` are in
    seconds, as ``time.monotonic`` and ``time.sleep``. For one thread or task; it is not locked.
    Raises InvalidArgument for a limit or share that is not above 0.
    """

    def __init__(
        self, limit: float | None = None, share: float | None = 0.05, *,
        clock: Callable[[], float] = time.monotonic, sleep: Callable[[float], None] = time.sleep,
    ) -> None:  # fmt: skip
        self._clock = clock
        self.sleep = sleep
        """How a rest is slept: for those who ask ``before`` and sleep by themselves."""
        self._log: deque[list[float]] = deque()  # [when, commands], oldest first
        self._logged = 0.0
        self._next = clock()  # when the limit lets the next batch go
        self._owed = 0.0  # seconds of server time used ahead of the share
        self._owed_at = clock()
        self.used = 0.0
        """Seconds of the server's time that were told in all."""
        self._reading: tuple[float, float] | None = None  # what it had computed, ``used`` then
        self.latency = Latency()
        self.limit: float | None = None
        self.share: float | None = None
        self.set(limit=limit, share=share)

    def set(self, *, limit: float | None, share: float | None) -> None:
        """Change the ceilings from now on; what was sent in the last second still counts."""
        if limit is not None and not limit > 0:
            raise InvalidArgument(f"limit {limit} must be above 0 commands a second, or None")
        if share is not None and not 0 < share <= 1:
            raise InvalidArgument(f"share {share} must be above 0 and at most 1, or None")
        self.limit, self.share = limit, share

    # --- Before -------------------------------------------------------------------------------

    def batch(self, most: int) -> int:
        """How many commands to put into the next pipeline: ``most``, or fewer under a limit.

        At least 1; a twentieth of a second's worth, so that a limit of 1,000 means 50 every
        50 ms and not 1,000 at once.
        """
        if self.limit is None:
            return max(1, most)
        return max(1, min(most, int(self.limit * BURST * self.latency.factor)))

    def before(self, commands: int) -> float:
        """Claim room for ``commands`` and return the seconds to wait before sending them.

        The room is taken: send them after that time. Raises InvalidArgument for more commands
        than a second may hold at all; ask ``batch`` how many to take.
        """
        now = self._clock()
        at = max(now, now + self._rest(now))
        if self.limit is not None:
            at = self._place(max(at, self._next), commands)
            # A sleep that took too long is made up for, as far as the second has room.
            begun = max(self._next, now - CATCH_UP)
            self._next = begun + commands / (self.limit * self.latency.factor)
        return at - now

    def room(self, commands: int) -> float:
        """Claim room for ``commands`` by the limit alone; the seconds to wait before sending.

        For a question about the server itself, which is no part of the work.
        """
        if self.limit is None:
            return 0.0
        now = self._clock()
        at = self._place(max(now, self._next), commands)
        self._next = max(self._next, now - CATCH_UP) + commands / self.limit
        return at - now

    def wait(self, commands: int) -> None:
        """Sleep until ``commands`` may be sent, and take their room."""
        seconds = self.before(commands)
        if seconds > 0:
            self.sleep(seconds)
        self._stamp()

    # --- After --------------------------------------------------------------------------------

    def spent(self, commands: int, seconds: float, *, server: float | None = None) -> None:
        """Tell what a batch took: ``commands`` that were sent, ``seconds`` until all replies came.

        ``server`` is the server's own part of it in seconds where the caller knows better;
        without it, it is what is left after the way there and back (the fastest ``felt``).
        """
        now = self._clock()
        self._stamp()
        self._drain(now)
        used = server if server is not None else max(0.0, seconds - self.latency.trip)
        self._owed += used
        self.used += used
        self.latency.batch(commands, seconds)

    def told(self, computed: float | None) -> None:
        """Tell how many seconds the server has computed since its start, by its own account.

        Between two readings nobody can have used more of its time than it computed, so what
        ``spent`` charged beyond that is given back: the replies were kept by something else, a
        busy machine on either side or the network. None: it does not say.
        """
        last, self._reading = self._reading, None
        if computed is None:
            return
        if last is not None and computed >= last[0]:
            over = max(0.0, (self.used - last[1]) - (computed - last[0]))
            self._drain(self._clock())
            self._owed = max(0.0, self._owed - over)
            self.used -= over
        self._reading = (computed, self.used)

    def felt(self, seconds: float, busy: float | None = None) -> None:
        """Tell how long the server took to answer one small command (PING) just now.

        ``busy``: how much of its time others took just before (0 to 1), see ``Busyness``.
        """
        self.latency.felt(seconds, busy)

    # --- In words -----------------------------------------------------------------------------

    @property
    def state(self) -> str:
        """Why it is slow, in words for people; "" when nothing but a ceiling holds it back."""
        return self.latency.words()

    @property
    def ceiling(self) -> str:
        """What it may do at most, in words: "1,000 commands/s, 5% of the server's time"."""
        parts = [f"{self.limit:,.0f} commands/s"] if self.limit is not None else []
        if self.share is not None and self.share < 1:
            parts.append(f"{self.share:.3%}".rstrip("0%").rstrip(".") + "% of the server's time")
        return ", ".join(parts) or "no ceiling"

    # --- Inside -------------------------------------------------------------------------------

    def _rest(self, now: float) -> float:
        """Seconds until the server time that was used fits into the share again."""
        rate = self._rate()
        if rate >= 1:
            return 0.0
        self._drain(now)
        return max(0.0, min(LONGEST_REST, (self._owed - CREDIT * rate) / rate))

    def _rate(self) -> float:
        return (self.share if self.share is not None else 1.0) * self.latency.factor

    def _drain(self, now: float) -> None:
        self._owed = max(0.0, self._owed - (now - self._owed_at) * self._rate())
        self._owed_at = now

    def _place(self, at: float, commands: int) -> float:
        """The first time from ``at`` on at which a window of one second has room for them."""
        assert self.limit is not None
        room = max(1, int(self.limit * OVER))
        if commands > room:
            raise InvalidArgument(
                f"{commands} commands at once are more than a limit of {self.limit:g}/s lets a "
                f"second hold ({room}): take as many as batch() says"
            )
        while self._log and self._log[0][0] + WINDOW <= at:
            self._logged -= self._log.popleft()[1]
        held = self._logged
        for when, count in self._log:
            if held + commands <= room:
                break
            held -= count
            at = max(at, when + WINDOW)
        self._log.append([at, commands])
        self._logged += commands
        return at

    def _stamp(self) -> None:
        """The newest batch counts from now: it went later, or was under way until now."""
        if self._log:
            self._log[-1][0] = max(self._log[-1][0], self._clock())
