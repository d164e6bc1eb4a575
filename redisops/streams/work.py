"""The books of one worker: what it has, what is due when, what is done. No input or output."""

from __future__ import annotations

import heapq
import os
import secrets
import socket
import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from redisops.errors import InvalidArgument, RedisopsError
from redisops.resilience import Backoff
from redisops.streams.dead import dead_key
from redisops.streams.model import Entry, order

MOST_WAITING = 1_000  # entries that wait for their next try; more go the way of a dead consumer's
ACK_EVERY = 0.05  # seconds after which what is done is acknowledged
MOST_BLOCK = 0.5  # seconds of one wait for entries


class Reject(RedisopsError):
    """Raised by a handler: no other try will help, move the entry to the dead letters now."""


@dataclass(frozen=True, slots=True)
class Figures:
    """What a worker has done since it began, and how it is now.

    ``rate`` is entries handled per second, over the last seconds. ``lag`` is how many the
    whole group has not been handed yet: None when it is unknown (older servers, deleted
    entries, not looked yet), never 0 for that. ``trouble`` is why it does not work, in words.
    """

    handled: int = 0
    failed: int = 0  # tries that ended with an error
    repeated: int = 0  # left out: their idempotency key was handled already
    dead: int = 0
    claimed: int = 0  # taken over from consumers that were silent
    in_flight: int = 0  # handed out here and not acknowledged, those that wait included
    waiting: int = 0  # for their next try
    rate: float = 0.0
    lag: int | None = None
    pending: int | None = None  # of the whole group
    trouble: str = ""


@dataclass(frozen=True)
class Terms:
    """How a group works: the options of ConsumerGroup, checked."""

    concurrency: int = 1
    batch: int = 100
    max_deliveries: int = 5
    backoff: Backoff = field(default_factory=lambda: Backoff(base=1.0, cap=60.0))
    claim_after: float = 30.0
    dead_letters: bytes | str | None = None
    most_dead: int = 100_000
    start: str = "0"
    once: Callable[[Entry], bytes | str | None] | None = None
    window: float = 3_600.0
    grace: float = 30.0

    def __post_init__(self) -> None:
        """Raises InvalidArgument for what makes no sense."""
        if not 1 <= self.concurrency <= 1_000:
            raise InvalidArgument(f"concurrency {self.concurrency} is not between 1 and 1000")
        if not 1 <= self.batch <= 10_000:
            raise InvalidArgument(f"batch {self.batch} is not between 1 and 10000")
        if self.max_deliveries < 1 or self.most_dead < 1:
            raise InvalidArgument("max_deliveries and most_dead are at least 1")
        if self.claim_after < 0.2 or self.grace < 0 or self.window <= 0:
            raise InvalidArgument("claim_after is at least 0.2 s, grace 0 s and window above 0 s")


def own_name() -> bytes:
    """A consumer's name that no other process has: host, process, and something random."""
    return f"{socket.gethostname()[:64]}-{os.getpid()}-{secrets.token_hex(4)}".encode()


class Work:
    """Thread-safe. Times are time.monotonic()."""

    def __init__(self, key: bytes, terms: Terms) -> None:
        self.terms = terms
        given = terms.dead_letters
        self.dead = (
            dead_key(key)
            if given is None
            else (given.encode() if isinstance(given, str) else given)
        )
        self.queue: deque[Entry] = deque()
        self.done: deque[str] = deque()  # appended to and taken from one by one: no lock
        self.held: dict[str, float] = {}  # id: when the server was last told that it is held
        self.running: set[str] = set()
        self.last = ""  # the newest id that was handed out here
        self.stopping = False
        self.trouble = ""
        self.lag: int | None = None
        self.pending: int | None = None
        self.counts = dict.fromkeys(("handled", "failed", "repeated", "dead", "claimed"), 0)
        self.rate = 0.0
        self.lock = threading.Lock()
        self._due: list[tuple[float, str]] = []
        self._asked = 0  # due, and being asked for
        self._keys: dict[bytes, list[Entry]] = {}
        self._flushed = 0.0
        self._sampled = (time.monotonic(), 0)

    @property
    def figures(self) -> Figures:
        with self.lock:
            handled = self.counts["handled"] + len(self.done)
            counts = {**self.counts, "handled": handled}
            return Figures(
                **counts, in_flight=len(self.held), waiting=len(self._due), rate=self.rate,
                lag=self.lag, pending=self.pending, trouble=self.trouble,
            )  # fmt: skip

    def arrived(self, found: list[Entry], *, claimed: bool = False) -> None:
        """Queue entries that Redis handed out; what is held already stays as it is."""
        if not found:
            return
        with self.lock:
            if not claimed:
                self.last = found[-1].id
            if not self.held.keys().isdisjoint([entry.id for entry in found]):
                found = [entry for entry in found if entry.id not in self.held]
            self.held.update(dict.fromkeys([entry.id for entry in found], time.monotonic()))
            self.queue.extend(found)
            self.counts["claimed"] += len(found) if claimed else 0

    def once_more(self, found: list[Entry], asked: list[str]) -> None:
        """Queue what was delivered again; what was asked for and did not come is no longer ours."""
        with self.lock:
            self._asked = 0
            self.queue.extend(found)
            for gone in set(asked).difference(entry.id for entry in found):
                self.held.pop(gone, None)

    def begin(self, entry: Entry) -> None:
        self.running.add(entry.id)

    def finished(self, entry: Entry) -> None:
        """It is handled; the next write acknowledges it."""
        self.running.discard(entry.id)
        self.done.append(entry.id)

    def repeated(self, entry: Entry) -> None:
        """Its idempotency key was handled before; the next write acknowledges it."""
        self.running.discard(entry.id)
        with self.lock:
            self.counts["handled"] -= 1
            self.counts["repeated"] += 1
            self.done.append(entry.id)

    def failed(self, entry: Entry) -> None:
        """Plan the next try by how often it was delivered."""
        with self.lock:
            self.running.discard(entry.id)
            self.counts["failed"] += 1
            if len(self._due) >= MOST_WAITING:
                self.held.pop(entry.id, None)
                return
            wait = self.terms.backoff.delay(max(1, entry.deliveries))
            heapq.heappush(self._due, (time.monotonic() + wait, entry.id))

    def gone(self, entry: Entry, count: str) -> None:
        """It is settled with Redis already."""
        with self.lock:
            self.running.discard(entry.id)
            self.held.pop(entry.id, None)
            self.counts[count] += 1

    def acked(self, ids: list[str]) -> None:
        held = self.held
        with self.lock:
            for one in ids:
                held.pop(one, None)

    def take_done(self) -> list[str]:
        """What is to be acknowledged now; give it back with ``put_back`` when that failed."""
        done = self.done
        with self.lock:
            taken = [done.popleft() for _ in range(len(done))]  # nobody else takes
            self.counts["handled"] += len(taken)
            self._flushed = time.monotonic()
        return taken

    def put_back(self, ids: list[str]) -> None:
        """They were not acknowledged."""
        with self.lock:
            self.counts["handled"] -= len(ids)
            self.done.extend(ids)

    def must_flush(self) -> bool:
        """Whether it is time to acknowledge: many are done, or the last time was a while ago."""
        done = len(self.done)
        if not done:
            return False
        return done >= 2 * self.terms.batch or time.monotonic() - self._flushed >= ACK_EVERY

    def due(self) -> list[str]:
        """Entries whose next try is due, at most 200."""
        now = time.monotonic()
        found: list[str] = []
        with self.lock:
            while self._due and self._due[0][0] <= now and len(found) < 200:
                found.append(heapq.heappop(self._due)[1])
            self._asked = len(found)
        return found

    def not_yet(self, ids: list[str]) -> None:
        """They could not be asked for: in a moment."""
        soon = time.monotonic() + 0.5
        with self.lock:
            self._asked = 0
            for one in ids:
                heapq.heappush(self._due, (soon, one))

    def next_due(self) -> float:
        """Seconds until something is due; 3600 when nothing waits."""
        if self._asked:
            return 0.02
        with self.lock:
            return max(0.0, self._due[0][0] - time.monotonic()) if self._due else 3_600.0

    def stale(self) -> list[str]:
        """What is held and was not shown to be for a quarter of the time that others wait."""
        limit = time.monotonic() - self.terms.claim_after / 4
        with self.lock:
            return [one for one, shown in self.held.items() if shown <= limit]

    def shown(self, asked: list[str], kept: set[str], at: float) -> None:
        """These were shown at ``at``; those that were not kept are somebody else's now."""
        with self.lock:
            for one in asked:
                if one in kept and one in self.held:
                    self.held[one] = at
                elif one not in self.running and one not in self.done:
                    self.held.pop(one, None)

    def restart_at(self, newest: str) -> str:
        """Where a group that vanished goes on: before all that is held here, so nothing is lost.

        Forgets what is not running: it is handed out anew.
        """
        with self.lock:
            held = [order(one) for one in self.held if one not in set(self.done)]
            self.queue.clear()
            self._due.clear()
            self.done.clear()
            self.held = {one: shown for one, shown in self.held.items() if one in self.running}
            if not self.last or order(newest) < order(self.last):
                return self.terms.start if self.terms.start != "$" else "0"
            at = min([*held, order(self.last)])
            if held and at in held:
                return f"{at[0]}-{at[1] - 1}" if at[1] else f"{at[0] - 1}-{2**64 - 1}"
            return self.last

    def leftovers(self) -> list[str]:
        """At the end: what is held, not running and not done."""
        with self.lock:
            self.queue.clear()
            self._due.clear()
            done = set(self.done)
            return [one for one in self.held if one not in self.running and one not in done]

    def sample(self) -> None:
        """Measure the rate, at most once a second."""
        now = time.monotonic()
        before, count = self._sampled
        if now - before >= 1.0:
            handled = self.counts["handled"]
            fresh = (handled - count) / (now - before)
            self.rate = fresh if self.rate == 0.0 else 0.6 * self.rate + 0.4 * fresh
            self._sampled = (now, handled)

    def name_of(self, entry: Entry) -> bytes | None:
        """The idempotency key of an entry; None when there is none, or none is asked for."""
        if self.terms.once is None:
            return None
        name = self.terms.once(entry)
        return name.encode() if isinstance(name, str) else name

    def first_of(self, name: bytes, entry: Entry) -> bool:
        """Whether nobody here is at work on this idempotency key; else the entry waits for it."""
        with self.lock:
            others = self._keys.get(name)
            if others is None:
                self._keys[name] = []
                return True
            self.running.discard(entry.id)
            others.append(entry)
            return False

    def others_of(self, name: bytes, *, queue: bool) -> list[Entry]:
        """Those that waited for this key, which is free now; ``queue``: to be tried themselves."""
        with self.lock:
            others = self._keys.pop(name, [])
            if queue:
                self.queue.extend(others)
        return others


def words_of_failure(error: BaseException) -> str:
    """A cause for a dead letter: the class and the words of what the handler raised."""
    return str(error) if isinstance(error, Reject) else f"{type(error).__name__}: {error}"


def undelivered(entry: Entry) -> str:
    """The cause where nobody was left to say one."""
    times = max(0, entry.deliveries - 1)
    return f"handed out {times} times and never finished: its workers died or hung"


def is_gone(error: BaseException) -> bool:
    """Whether the stream or the group is not there."""
    text = str(error.args[0]) if error.args else ""
    return "NOGROUP" in f"{getattr(error, 'status_code', '')} {text}" or "no such key" in text


def plain(name: Any) -> bytes:
    return name.encode() if isinstance(name, str) else bytes(name)
