"""What a server's answers usually take, and how much slower work goes when they take longer."""

from __future__ import annotations

import math
from collections import deque

KEPT = 512  # answers of small commands that figures are made of
SLOWER = 2.0  # times the usual that count as slow …
SLACK = 0.003  # … and seconds on top, which any machine may lose
STRIKES = 2  # slow answers in a row before anything is cut
CUT, GIVEN = 0.6, 0.03  # the factor on a cut, and what a good answer gives back
BUSY = 0.3  # part of its time from which on a server is busy enough to be slow by itself
# The least speed: when the server is busy, when nobody can tell, and when it is not.
LEAST, LEAST_UNKNOWN, LEAST_IDLE = 0.1, 0.25, 0.5
LEARN_DOWN, LEARN_UP, LEARN_SLOW = 0.2, 0.05, 0.002  # how quickly the usual follows


class Latency:
    """Learns the usual and judges each answer by it; ``factor`` (0.1 to 1) is the speed to keep.

    Small commands (``felt``) are what it goes by; without any, batches, judged by their size, so
    that a bigger batch does not look like a slower server. What stays slow becomes usual in the
    end (after some thousand answers), so that work does not creep for ever.

    A slow answer need not be the server's doing: this machine may have had no time to read it.
    So whoever can tells how busy the server was; one that was not is worked at half speed at
    least, and even a busy one at a tenth, so that work always goes on.
    """

    def __init__(self) -> None:
        self.factor = 1.0
        self.trip = 0.0  # seconds of the fastest small command: the way there and back
        self._recent: deque[float] = deque(maxlen=KEPT)
        self._usual: dict[int, float] = {}
        self._seen: dict[int, int] = {}
        self._strikes = 0
        self._slow = (0.0, 0.0)  # what it took and what is usual, when it was last cut
        self._busy: float | None = None  # how busy the server was then

    def is_slow(self, seconds: float) -> bool:
        """Whether an answer to a small command that took so long would count as slow."""
        return self._is_slow(-1, seconds)

    def felt(self, seconds: float, busy: float | None = None) -> None:
        """One answer to a small command (PING), in seconds.

        ``busy`` is the part of its time (0 to 1) that the server was at work for others just
        before, None where nobody can tell; it matters for slow answers only.
        """
        self._recent.append(seconds)
        self.trip = min(self._recent)
        self._judge(-1, seconds, busy)

    def batch(self, commands: int, seconds: float) -> None:
        """All answers of a batch, in seconds; judged only while no small command tells better.

        What a batch takes depends on the values in it, what a small command takes does not.
        """
        if self._recent:
            return
        self._judge(max(commands, 1).bit_length(), seconds)

    def quantile(self, share: float) -> float | None:
        """Seconds below which this share of the recent small commands was answered; None: none."""
        if not self._recent:
            return None
        ordered = sorted(self._recent)
        return ordered[min(len(ordered) - 1, math.ceil(share * len(ordered)) - 1)]

    def words(self) -> str:
        """Why it goes slower than it might; "" at full speed."""
        if self.factor >= 0.99:
            return ""
        took, usual = self._slow
        words = (
            f"Slowed to {self.factor:.0%}: the server answered in {took * 1000:.1f} ms "
            f"instead of the usual {usual * 1000:.1f} ms"
        )
        if self._busy is None:
            return f"{words}."
        if self._busy < BUSY:
            return f"{words}, but was not busy: the network or the console's machine is slow."
        return f"{words}, and was busy for {min(self._busy, 1.0):.0%} of the time."

    def _is_slow(self, kind: int, seconds: float) -> bool:
        usual = self._usual.get(kind, seconds)
        return self._seen.get(kind, 0) >= 5 and seconds > usual * SLOWER + SLACK

    def _judge(self, kind: int, seconds: float, busy: float | None = None) -> None:
        is_slow = self._is_slow(kind, seconds)
        self._seen[kind] = self._seen.get(kind, 0) + 1
        usual = self._usual.setdefault(kind, seconds)
        if is_slow:
            self._usual[kind] = usual + (seconds - usual) * LEARN_SLOW
            self._strikes += 1
            if self._strikes >= STRIKES:
                self._strikes = 0
                self._cut(busy)
                self._slow, self._busy = (seconds, usual), busy
            return
        follow = LEARN_DOWN if seconds < usual else LEARN_UP
        self._usual[kind] = usual + (seconds - usual) * follow
        self._strikes = 0
        self.factor = min(1.0, self.factor + GIVEN)

    def _cut(self, busy: float | None) -> None:
        least = LEAST_UNKNOWN if busy is None else LEAST if busy >= BUSY else LEAST_IDLE
        # What was cut for a better reason stays cut until good answers give it back.
        self.factor = min(self.factor, max(least, self.factor * CUT))
