"""What the scripts keep of a subject, and how they decide, in Python; times in microseconds.

Each class says in Python what ``redisops/lua/limit_<kind>.lua`` says in Lua, in the same order.
Divisions of doubles are kept where Lua's could round.
"""

from __future__ import annotations

import math
from collections import deque
from itertools import islice

from redisops.limits.algorithms import PACE_SHIFT, PACE_STEPS

Reply = tuple[bool, int, int, int]


class Fixed:
    """limit_fixed.lua"""

    def __init__(self) -> None:
        self.start = self.spent = 0

    def decide(self, now: int, cost: int, numbers: tuple[int, ...], *, take: bool) -> Reply:
        limit, period = numbers
        start, spent = self.start, self.spent
        if not spent or now - start >= period:
            start, spent = now, 0
        elif now < start:
            start = now
            if take:
                self.start = now
        left, rest = max(0, limit - spent), start + period - now
        if spent + cost > limit:
            return False, left, -1 if cost > limit else rest, rest if spent else 0
        if not take:
            return True, left, 0, rest if spent else 0
        self.start, self.spent = start, spent + cost
        return True, left - cost, 0, rest


class Counter:
    """limit_counter.lua"""

    def __init__(self) -> None:
        self.start = self.spent = self.before = 0

    def decide(self, now: int, cost: int, numbers: tuple[int, ...], *, take: bool) -> Reply:
        limit, period = numbers
        start, spent, before = self.start, self.spent, self.before
        if now - start >= 2 * period or not (spent or before):
            start, spent, before = now, 0, 0
        elif now - start >= period:
            start, spent, before = start + period, 0, spent
        elif now < start:
            start = now
            if take:
                self.start = now
        age = now - start
        used = math.floor(float(before) * (period - age) / period) + spent
        left = max(0, limit - used)
        reset = 2 * period - age if spent else period - age if used else 0
        if used + cost > limit:
            return False, left, _counter_retry(age, spent, before, cost, numbers), reset
        if not take:
            return True, left, 0, reset
        self.start, self.spent, self.before = start, spent + cost, before
        return True, left - cost, 0, 2 * period - age


def _counter_retry(age: int, spent: int, before: int, cost: int, numbers: tuple[int, ...]) -> int:
    limit, period = numbers
    if spent + cost <= limit:
        room = limit - spent - cost + 1
        return max(1, period - math.ceil(float(room) * period / before) + 1 - age)
    if cost <= limit:  # what the newer window holds must have faded far enough
        room = limit - cost + 1
        return period - age + max(0, period - math.ceil(float(room) * period / spent) + 1)
    return -1


class Log:
    """limit_log.lua"""

    def __init__(self) -> None:
        self.hits: deque[tuple[int, int]] = deque()  # time, cost
        self.total = 0

    def decide(self, now: int, cost: int, numbers: tuple[int, ...], *, take: bool) -> Reply:
        limit, period = numbers
        clock, last = now, self.hits[-1][0] if self.hits else now
        now = max(now, last)  # a clock that stepped back stands still
        gone, used = self._standing(now, period)
        folded = used > 0 and last - clock > period
        if folded:  # by more than a period: all is spent now
            now = last = clock
            if take:
                self.hits, self.total, gone = deque([(clock, used)]), used, 0
        left, reset = max(0, limit - used), last + period - clock if used else 0
        if used + cost > limit:
            retry = reset if cost <= limit else -1
            if cost <= limit and not folded:
                retry = self._freed(gone, used + cost - limit) + period - clock
            return False, left, retry, reset
        if not take:
            return True, left, 0, reset
        for _ in range(gone):
            self.total -= self.hits.popleft()[1]
        self.hits.append((now, cost))
        self.total += cost
        return True, left - cost, 0, now + period - clock

    def _standing(self, now: int, period: int) -> tuple[int, int]:
        """How many hits are over, and what the others have spent."""
        gone, used = 0, self.total
        for at, spent in self.hits:
            if now - at < period:
                break
            gone, used = gone + 1, used - spent
        return gone, used

    def _freed(self, gone: int, needed: int) -> int:
        """The time of the hit with whose end ``needed`` has come back."""
        for at, spent in islice(self.hits, gone, None):
            needed -= spent
            if needed <= 0:
                return at
        raise ValueError("more is needed than was spent")


class Bucket:
    """limit_bucket.lua"""

    def __init__(self) -> None:
        self.since = self.spent = self.pace = 0

    def decide(self, now: int, cost: int, numbers: tuple[int, ...], *, take: bool) -> Reply:
        burst, us, count, pace = numbers
        spent, age = self._standing(now, numbers)
        if take and spent:  # a denial must remember a step of the clock or of the rate, too
            self.since, self.spent, self.pace = now - age, spent, pace
        debt = spent * us - age * count
        left, reset = burst + (-debt // us), -(-debt // count)
        short = debt + (cost - burst) * us
        if short > 0:
            return False, left, -1 if cost > burst else -(-short // count), reset
        if not take:
            return True, left, 0, reset
        whole = age // us
        self.spent, self.pace = spent + cost - whole * count, pace
        self.since = now - age + whole * us
        return True, left - cost, 0, -(-(debt + cost * us) // count)

    def _standing(self, now: int, numbers: tuple[int, ...]) -> tuple[int, int]:
        """What is spent, whole, and since when, in us."""
        burst, us, count, pace = numbers
        spent, age = self.spent, max(0, now - self.since)
        if self.pace != pace and spent:
            debt = max(0.0, spent - age * 2.0 ** (self.pace / PACE_STEPS - PACE_SHIFT))
            spent = math.ceil(debt)
            age = math.floor((spent - debt) * us / count)
        if spent * us - age * count > burst * us:
            spent, age = burst, 0
        return (0, 0) if spent * us <= age * count else (spent, age)
