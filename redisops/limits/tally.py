"""What was decided lately, in bounded memory: counts per second, and who it was.

Who it was is kept by space-saving (Metwally, Agrawal and El Abbadi, "Efficient computation of
frequent and top-k elements in data streams", 2005), many at a time: see :class:`Summary`.
"""

from __future__ import annotations

import heapq
import threading
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from hashlib import blake2b
from operator import itemgetter

from redisops.errors import InvalidArgument
from redisops.limits.naming import LONGEST

OUTCOMES = {"allowed": 0, "denied": 1, "shadow": 2}

LISTED = 200  # subjects of one policy, outcome and minute
SEEN = 1_024  # different subjects that are counted exactly before they are summed up
SENT = 100  # subjects that one flush sends at most
MOST_ROWS = 20_000  # seconds of policies that wait to be sent
MOST_SUMMARIES = 300  # of policies, outcomes and minutes
LATEST = 2  # minutes for which subjects wait to be sent

Subject = str | bytes


def named(subject: Subject) -> bytes:
    """A subject as lists have it: its bytes, or above 200 of them ``#`` and 32 hex digits."""
    raw = subject if isinstance(subject, bytes) else subject.encode("utf-8", "surrogatepass")
    return raw if len(raw) <= LONGEST else b"#" + blake2b(raw, digest_size=16).hexdigest().encode()


class Summary:
    """The subjects that came up most, of any number, by space-saving.

    ``entries``: subject, as given, to ``[count, error, sent]``. Of ``n`` decisions in all,
    ``count - error <= true <= count`` for each that is listed, and ``true <= floor <= n /
    LISTED`` for any other: a batch lists who is new with ``floor`` added, keeps the largest, and
    raises ``floor`` to the first that falls off. The counts kept never exceed ``n`` in sum (each
    newcomer's ``floor`` is paid for by one that was dropped and had at least as much), so their
    least, and with it ``floor``, is at most ``n / LISTED``.
    """

    __slots__ = ("entries", "floor", "missed")

    def __init__(self) -> None:
        self.entries: dict[Subject, list[int]] = {}
        self.floor = 0
        self.missed = 0  # what was told to Redis of it

    def add(self, batch: dict[Subject, int]) -> None:
        """Count a batch, which is used up."""
        entries, floor = self.entries, self.floor
        for subject in batch.keys() & entries.keys():
            entries[subject][0] += batch.pop(subject)
        fresh: Iterable[tuple[Subject, int]] = batch.items()
        if len(batch) > LISTED:  # more than fit, whatever is listed; the next may be the floor
            fresh = heapq.nlargest(LISTED + 1, fresh, key=itemgetter(1))
        for subject, weight in fresh:
            entries[subject] = [weight + floor, floor, 0]
        if len(entries) > LISTED:
            largest = heapq.nlargest(LISTED + 1, entries.items(), key=_count)
            self.floor = max(floor, largest.pop()[1][0])
            self.entries = dict(largest)


def _count(item: tuple[Subject, list[int]]) -> int:
    return item[1][0]


@dataclass
class Sending:
    """What one call tells Redis of a policy in one minute."""

    policy: str
    minute: int
    rows: dict[int, list[int]] = field(default_factory=dict)
    subjects: list[tuple[int, bytes, int, list[int]]] = field(default_factory=list)
    missed: list[tuple[int, Summary, int]] = field(default_factory=list)

    @property
    def decisions(self) -> int:
        """How many decisions its rows count."""
        return sum(map(sum, self.rows.values()))


class Tally:
    """Counts decisions; ``taken`` hands out what is to be sent. Thread-safe, no I/O.

    ``offset`` is what the server's clock is ahead of ``clock``; each decision counts for the
    server's second in which it was added. ``dropped`` counts decisions that were given up
    because more than ``MOST_ROWS`` waited.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self.clock = clock
        self.offset = time.time() - clock()
        self.synced = False
        self.dropped = 0
        self._lock = threading.Lock()
        self._second = 0
        self._room = SEEN
        self._now: dict[str, tuple[list[int], tuple[dict[Subject, int], ...]]] = {}
        self._rows: dict[tuple[str, int], list[int]] = {}
        self._summaries: dict[tuple[str, int, int], Summary] = {}

    def add(self, policy: str, subject: Subject, outcome: str, cost: int = 1) -> bool:
        """Count one decision. True once a second: the first of that second."""
        try:
            index = OUTCOMES[outcome]
        except (KeyError, TypeError):
            known = ", ".join(OUTCOMES)
            raise InvalidArgument(f"outcome {outcome!r:.60} is not one of {known}") from None
        if len(subject) > LONGEST:
            subject = named(subject)
        second = int(self.clock() + self.offset)
        turned = False
        with self._lock:
            if second != self._second or self._room <= 0:
                turned = second != self._second
                self._turn(second)
            try:
                counts, seen = self._now[policy]
            except KeyError:
                counts, seen = self._now[policy] = [0, 0, 0], ({}, {}, {})
            counts[index] += cost
            seen_of = seen[index]
            if subject in seen_of:
                seen_of[subject] += cost
            else:
                seen_of[subject] = cost
                self._room -= 1
        return turned

    def _turn(self, second: int) -> None:
        """Put aside what was counted, and go on with ``second``."""
        minute = self._second // 60 * 60
        for policy, (counts, seen) in self._now.items():
            self._put(policy, self._second, counts)
            for index, subjects in enumerate(seen):
                if subjects:
                    self._summary(policy, index, minute).add(subjects)
        self._second, self._now, self._room = second, {}, SEEN

    def _summary(self, policy: str, index: int, minute: int) -> Summary:
        place = (policy, index, minute)
        if place not in self._summaries:
            while len(self._summaries) >= MOST_SUMMARIES:
                del self._summaries[next(iter(self._summaries))]
            self._summaries[place] = Summary()
        return self._summaries[place]

    def _put(self, policy: str, second: int, counts: list[int]) -> None:
        row = self._rows.get((policy, second))
        if row is not None:
            row[:] = [one + other for one, other in zip(row, counts, strict=True)]
            return
        while len(self._rows) >= MOST_ROWS:
            self.dropped += sum(self._rows.pop(next(iter(self._rows))))
        self._rows[policy, second] = counts

    def sync(self, server: float) -> None:
        """The server's clock shows ``server`` seconds now. The first time moves what waits."""
        with self._lock:
            offset = server - self.clock()
            shift = 0 if self.synced else round(offset - self.offset)
            self.offset, self.synced = offset, True
            if shift:
                self._turn(int(server))
                rows, self._rows = self._rows, {}
                for (policy, second), counts in rows.items():
                    self._put(policy, second + shift, counts)
                self._summaries = {
                    (policy, index, (minute + shift) // 60 * 60): summary
                    for (policy, index, minute), summary in self._summaries.items()
                }

    def taken(self) -> list[Sending]:
        """What is to be sent, and taken as sent; ``put_back`` what was not."""
        with self._lock:
            now = int(self.clock() + self.offset)
            self._turn(now)
            rows, self._rows = self._rows, {}
            found: dict[tuple[str, int], Sending] = {}
            for (policy, second), counts in rows.items():
                place = (policy, second // 60 * 60)
                found.setdefault(place, Sending(*place)).rows[second] = counts
            self._take_subjects(found, now)
            return list(found.values())

    def _take_subjects(self, found: dict[tuple[str, int], Sending], now: int) -> None:
        unsent = [
            (entry[0] - entry[1] - entry[2], place, subject, entry)
            for place, summary in self._summaries.items()
            for subject, entry in summary.entries.items()
            if entry[0] - entry[1] > entry[2]
        ]
        most = heapq.nlargest(SENT + 1, unsent, key=lambda row: row[0])
        left = most.pop()[0] if len(most) > SENT else 0
        for count, (policy, index, minute), subject, entry in most:
            entry[2] += count
            sending = found.setdefault((policy, minute), Sending(policy, minute))
            sending.subjects.append((index, named(subject), count, entry))
        for (policy, index, minute), summary in list(self._summaries.items()):
            more = summary.floor + left - summary.missed
            if more and ((policy, minute) in found or minute + 60 <= now):
                summary.missed += more
                sending = found.setdefault((policy, minute), Sending(policy, minute))
                sending.missed.append((index, summary, more))
            if minute + 60 * LATEST <= now:
                del self._summaries[policy, index, minute]

    def put_back(self, sendings: list[Sending]) -> None:
        """Nothing of these reached Redis: they go with the next."""
        with self._lock:
            for sending in sendings:
                for second, counts in sending.rows.items():
                    self._put(sending.policy, second, counts)
                for _, _, count, entry in sending.subjects:
                    entry[2] -= count
                for _, summary, more in sending.missed:
                    summary.missed -= more
